import pytest
from rich.cells import cell_len
from rich.console import Console

from gridtokenx.cli.top_view import (
    HomeLine,
    PhaseLine,
    ProcessLine,
    Snapshot,
    bar,
    frame,
    price_scale,
    spark,
)
from gridtokenx.cli.values import bangkok
from gridtokenx.gateway.documents import (
    BlockLine,
    BookView,
    IntervalView,
    Level,
    StatusView,
    SummaryView,
    TradeView,
)

NOW_MS = 1_679_414_400_000  # 21 March 2023, 23:00 in Bangkok


def make_interval(number: int, traded_wh: int = 900) -> IntervalView:
    delivery_ms = NOW_MS + number * 900_000
    return IntervalView(
        interval=delivery_ms // 900_000,
        delivery_ms=delivery_ms,
        gate_ms=delivery_ms - 300_000,
        phase="trading",
        stage="metering",
        tariff_micro=5_798_200,
        buy_back_micro=2_200_000,
        terms=1,
        open_orders=4,
        best_bid_micro=4_100_000,
        best_ask_micro=4_500_000,
        last_price_micro=4_300_000 if traded_wh else None,
        traded_wh=traded_wh,
        traded_micro=traded_wh * 4_300,
    )


def make_snapshot() -> Snapshot:
    status = StatusView("chain", "consortium", 1, 4_711, NOW_MS, "ab" * 32, 0, 190, 87, "0.1.0")
    levels = [
        [Level(4_300_000 + side * step * 100_000, 1, 1, 500 * step, 1) for step in range(1, 7)] for side in (-1, 1)
    ]
    return Snapshot(
        title="community-week",
        status=status,
        intervals=[make_interval(number) for number in range(1, 9)],
        past=[make_interval(-number, number * 100 % 700) for number in range(60, 0, -1)],
        book=BookView(0, 4_711, NOW_MS, "", 12, levels[0], levels[1]),
        trades=[TradeView(i, 1, NOW_MS, 1, 450, 4_321_000, 0, "buy", "solar") for i in range(50)],
        blocks=[
            BlockLine(4_711 - i, NOW_MS, "", "", i % 9, 1, SummaryView(100 * i, 0, 900, 300, 50, 0, 0, 0))
            for i in range(60)
        ],
        homes=[HomeLine(f"home-{i:02}", (i - 3) * 7_000_000, 90_000_000) for i in range(1, 14)],
        phases=[PhaseLine("execute", 2.5), PhaseLine("store", 1.5)],
        processes=[ProcessLine("node", "running", 0), ProcessLine("agents", "restarting", 2)],
        speed=60,
        wheeling_micro=200_000,
        on_peak=True,
    )


def lines_of(snapshot: Snapshot, columns: int, rows: int) -> list[str]:
    console = Console(width=columns, height=rows, force_terminal=False, color_system=None, record=True)
    with console.capture() as capture:
        console.print(frame(snapshot, columns, rows))
    return capture.get().splitlines()


SIZES = [(80, 24), (100, 28), (118, 30), (140, 40), (200, 55)]


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_a_frame_fills_the_screen_and_no_more(columns: int, rows: int) -> None:
    lines = lines_of(make_snapshot(), columns, rows)
    assert len(lines) == rows
    assert {cell_len(line) for line in lines} == {columns}


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_every_screen_shows_what_matters(columns: int, rows: int) -> None:
    text = "\n".join(lines_of(make_snapshot(), columns, rows))
    for wanted in (
        *("community-week", "Tue 21 Mar 2023  23:00", "on-peak", "healthy", "\u00d760"),
        *("5.798 tariff", "2.200 buy-back", "4.300 last", "gate in 10:00", "23:15"),
        *("home-01", "-14.00", "home-13", "+70.00", "0.45 kWh", "4.321", "4,711", "node", "agents ↻2"),
    ):
        assert wanted in text, wanted


def test_bids_stand_at_what_a_seller_gets() -> None:
    snapshot = make_snapshot()
    lines = lines_of(snapshot, 80, 24)
    best_bid = next(line for line in lines if "0.50 kWh" in line and "4.000" in line)
    best_ask = next(line for line in lines if "0.50 kWh" in line and "4.400" in line)
    assert lines.index(best_ask) < lines.index(best_bid)


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_a_market_that_has_just_begun_is_drawn_too(columns: int, rows: int) -> None:
    status = StatusView("chain", "consortium", 1, 0, NOW_MS, "00" * 32, 0, 0, 0, "0.1.0")
    snapshot = Snapshot("empty", status, problems=["the gateway has just started"])
    lines = lines_of(snapshot, columns, rows)
    assert len(lines) == rows
    assert "the gateway has just started" in lines[0]
    assert "no interval is open" in "\n".join(lines)


def test_bars_are_as_long_as_their_share_to_the_eighth() -> None:
    assert bar(0, 100, 10) == " " * 10
    assert bar(100, 100, 10) == "█" * 10
    assert bar(55, 100, 10) == "█████▌    "
    assert bar(1, 10_000, 10) == "▏         "
    assert len(bar(300, 100, 10)) == 10
    assert spark([0, 5, 10]) == "▁▄█"
    assert spark([0, 0]) == "▁▁"


def test_the_scale_runs_from_buy_back_to_tariff() -> None:
    interval = make_interval(1)
    text = price_scale(interval, 0, 37).plain
    assert len(text) == 37
    assert text.index("▐") < text.index("●") < text.index("▌")
    interval.best_ask_micro, interval.best_bid_micro = 99_000_000, 1
    text = price_scale(interval, 0, 37).plain
    assert text[0] == "▐" and text[-1] == "▌"


def test_time_is_bangkoks() -> None:
    assert bangkok(0) == "1970-01-01 07:00:00"
    assert bangkok(NOW_MS, "%Y-%m-%d %H:%M") == "2023-03-21 23:00"
