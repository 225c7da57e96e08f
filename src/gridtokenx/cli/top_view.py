"""Draws one frame of `gridtokenx top` from a snapshot of the market. Pure: the same snapshot, the same frame.

Prices stand on one axis, that of a trade (a bid less wheeling), between the two prices that a home without a market
has: the tariff it pays and the buy-back it earns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.align import Align
from rich.box import ROUNDED
from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gridtokenx.cli.values import bangkok
from gridtokenx.gateway.documents import BlockLine, BookView, IntervalView, Level, StatusView, TradeView

BUY, SELL, TARIFF, BUY_BACK, LAST, QUIET = "green3", "orange1", "red3", "deep_sky_blue1", "bold white", "grey50"
EIGHTHS = " ▏▎▍▌▋▊▉█"
STEPS = "▁▂▃▄▅▆▇█"
SOURCES = {
    "solar": ("☀", "yellow1"),
    "storage": ("▣", "medium_purple1"),
    "wind": ("≈", "cyan"),
    "hydro": ("~", "blue"),
}
CLOCK = "%H:%M"

WIDE_COLUMNS, WIDE_ROWS = 118, 30


@dataclass(slots=True)
class HomeLine:
    """What one home has saved so far; negative when the market cost it money."""

    name: str
    saved_micro: int
    bill_without_micro: int


@dataclass(slots=True)
class PhaseLine:
    """How long one phase of a block takes, on average of late."""

    name: str
    milliseconds: float


@dataclass(slots=True)
class ProcessLine:
    """One process that `up` runs."""

    name: str
    state: str
    restarts: int


@dataclass(slots=True)
class Snapshot:
    """Everything that a frame shows. Lists of trades and blocks begin with the newest, intervals with the next gate."""

    title: str
    status: StatusView
    problems: list[str] = field(default_factory=list)
    """Why the market is not healthy; empty when it is."""
    intervals: list[IntervalView] = field(default_factory=list)
    past: list[IntervalView] = field(default_factory=list)
    """Intervals whose gate has passed, oldest first."""
    book: BookView | None = None
    trades: list[TradeView] = field(default_factory=list)
    blocks: list[BlockLine] = field(default_factory=list)
    homes: list[HomeLine] = field(default_factory=list)
    phases: list[PhaseLine] = field(default_factory=list)
    processes: list[ProcessLine] = field(default_factory=list)
    speed: int = 0
    wheeling_micro: int = 0
    """Within the feeder: what a buyer pays on top of the trade price."""
    on_peak: bool = False
    news: str = ""
    """What happened to a process a moment ago."""


def frame(snapshot: Snapshot, columns: int, rows: int) -> RenderableType:
    """The whole screen: two columns from 80 x 24 on, three on a wide one."""
    layout = Layout()
    layout.split_column(Layout(header(snapshot), size=1), Layout(name="body"), Layout(name="foot", size=2))
    layout["foot"].update(Group(energy_line(snapshot, columns), chain_line(snapshot, columns)))
    if columns >= WIDE_COLUMNS and rows >= WIDE_ROWS:
        _fill_wide(layout["body"], snapshot, columns, rows - 3)
    else:
        _fill_narrow(layout["body"], snapshot, columns, rows - 3)
    return layout


def _fill_narrow(body: Layout, snapshot: Snapshot, columns: int, rows: int) -> None:
    left = columns - 32
    homes_rows = min(len(snapshot.homes) + 2, rows - 6) if snapshot.homes else 0
    ladder_rows = rows - min(10, rows // 2)
    body.split_row(Layout(name="left", size=left), Layout(name="right"))
    body["left"].split_column(
        Layout(ladder(snapshot, left - 4, ladder_rows - 2), size=ladder_rows),
        Layout(intervals(snapshot, left - 4, rows - ladder_rows - 2)),
    )
    trades_rows = rows - homes_rows if snapshot.homes else rows
    parts = [Layout(trades(snapshot, trades_rows - 2), size=trades_rows)]
    if snapshot.homes:
        parts.insert(0, Layout(homes(snapshot, columns - left - 4, homes_rows - 2), size=homes_rows))
    body["right"].split_column(*parts)


def _fill_wide(body: Layout, snapshot: Snapshot, columns: int, rows: int) -> None:
    side = (columns - 34) // 2
    half = rows // 2
    body.split_row(Layout(name="left", size=side), Layout(name="middle", size=side), Layout(name="right"))
    body["left"].split_column(
        Layout(ladder(snapshot, side - 4, rows - half - 2), size=rows - half),
        Layout(energy(snapshot, side - 4, half - 2)),
    )
    body["middle"].split_column(
        Layout(intervals(snapshot, side - 4, rows - half - 2), size=rows - half),
        Layout(chain(snapshot, side - 4, half - 2)),
    )
    homes_rows = min(len(snapshot.homes) + 2, rows - 8) if snapshot.homes else 0
    parts = [Layout(trades(snapshot, rows - homes_rows - 2))]
    if homes_rows:
        parts.insert(0, Layout(homes(snapshot, 30, homes_rows - 2), size=homes_rows))
    body["right"].split_column(*parts)


def header(snapshot: Snapshot) -> RenderableType:
    """Name, chain time in Bangkok, tariff of the moment, health."""
    status = snapshot.status
    line = Table.grid(expand=True)
    line.add_column(justify="left", no_wrap=True)
    line.add_column(justify="center", no_wrap=True)
    line.add_column(justify="right", no_wrap=True)
    peak = Text(" on-peak ", "black on orange1") if snapshot.on_peak else Text(" off-peak ", "black on green3")
    speed = Text(f"  \N{MULTIPLICATION SIGN}{snapshot.speed}", QUIET) if snapshot.speed else Text()
    healthy = Text("● healthy ", BUY) if not snapshot.problems else Text(f"● {snapshot.problems[0]} ", TARIFF)
    line.add_row(
        Text.assemble((" ⚡", "yellow1"), ("GridTokenX ", "bold"), (snapshot.title, "cyan")),
        Text.assemble((bangkok(status.time_ms, "%a %d %b %Y  %H:%M"), "bold"), speed, "  ", peak),
        healthy,
    )
    return line


def ladder(snapshot: Snapshot, width: int, rows: int) -> Panel:
    """The book of the next gate: offers above, bids below, between tariff and buy-back."""
    book = snapshot.book
    interval = snapshot.intervals[0] if snapshot.intervals else None
    if book is None or interval is None:
        return _panel(Align.center(Text("no interval is open", QUIET), vertical="middle"), "book")
    asks = _by_price(book.asks, 0)
    bids = _by_price(book.bids, snapshot.wheeling_micro)
    room = max(2, rows - 3)
    asks_shown = min(len(asks), max(room // 2, room - len(bids)))
    bids_shown = min(len(bids), room - asks_shown)
    lowest_asks = sorted(asks.items())[:asks_shown]
    highest_bids = sorted(bids.items(), reverse=True)[:bids_shown]
    largest = max([quantity for _, quantity in (*lowest_asks, *highest_bids)], default=1)
    lines = [_rule("tariff", interval.tariff_micro, TARIFF, width)]
    lines += [Text()] * (room // 2 - asks_shown)
    lines += [_level(price, quantity, largest, SELL, width) for price, quantity in reversed(lowest_asks)]
    lines.append(_spread(interval, width))
    lines += [_level(price, quantity, largest, BUY, width) for price, quantity in highest_bids]
    lines += [Text()] * max(0, rows - 1 - len(lines))
    lines.append(_rule("buy-back", interval.buy_back_micro, BUY_BACK, width))
    gate = max(0, interval.gate_ms - snapshot.status.time_ms) // 1000
    title = f"book {bangkok(interval.delivery_ms, CLOCK)}  gate in {gate // 60}:{gate % 60:02}"
    return _panel(Group(*lines[:rows]), title)


def _by_price(levels: Sequence[Level], less_micro: int) -> dict[int, int]:
    """Energy by trade price, all sources and feeders together."""
    total_wh: dict[int, int] = {}
    for level in levels:
        price_micro = level.price_micro - less_micro
        total_wh[price_micro] = total_wh.get(price_micro, 0) + level.quantity_wh
    return total_wh


def _level(price_micro: int, quantity_wh: int, largest_wh: int, style: str, width: int) -> Text:
    space = width - 18
    return Text.assemble(
        (f"{price_micro / 1e6:6.3f} ", style),
        (bar(quantity_wh, largest_wh, space), style),
        (f" {quantity_wh / 1000:6.2f} kWh", QUIET),
    )


def _rule(word: str, price_micro: int, style: str, width: int) -> Text:
    text = f"{price_micro / 1e6:6.3f} {word} "
    return Text(text + "┄" * max(0, width - len(text)), style)


def _spread(interval: IntervalView, width: int) -> Text:
    if interval.last_price_micro is None:
        return Text("       no trade yet".ljust(width), QUIET)
    price = Text(f"{interval.last_price_micro / 1e6:6.3f}", LAST)
    return price.append(f" last, {interval.traded_wh / 1000:.2f} kWh traded", QUIET)


def intervals(snapshot: Snapshot, width: int, rows: int) -> Panel:
    """The next gates: where the best prices lie between buy-back (left) and tariff (right)."""
    scale = max(16, width - 21)
    table = Table.grid(padding=(0, 1))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(
        Text("from", QUIET),
        Text("buy-back".ljust(scale - 6) + "tariff", QUIET),
        Text(" last", QUIET),
        Text("    kWh", QUIET),
    )
    for interval in snapshot.intervals[: rows - 1]:
        last = "" if interval.last_price_micro is None else f"{interval.last_price_micro / 1e6:5.2f}"
        volume = f"{interval.traded_wh / 1000:7.2f}" if interval.traded_wh else ""
        table.add_row(
            bangkok(interval.delivery_ms, CLOCK),
            price_scale(interval, snapshot.wheeling_micro, scale),
            Text(last, LAST),
            volume,
        )
    return _panel(table, "open intervals")


def price_scale(interval: IntervalView, wheeling_micro: int, width: int) -> Text:
    """A line from buy-back to tariff with marks for best bid, best offer and last trade."""
    low, high = interval.buy_back_micro, interval.tariff_micro
    bid_micro = None if interval.best_bid_micro is None else interval.best_bid_micro - wheeling_micro
    cells: list[tuple[str, str]] = [("─", "grey30")] * width
    marks = ((bid_micro, "▐", BUY), (interval.best_ask_micro, "▌", SELL), (interval.last_price_micro, "●", LAST))
    for price_micro, mark, style in marks:
        if price_micro is not None and high > low:
            cells[_place(price_micro, low, high, width)] = (mark, style)
    return Text.assemble(*cells)


def _place(value: int, low: int, high: int, cells: int) -> int:
    """Where a value lies on a line of cells; what lies beyond an end stands at the end."""
    return (min(max(value, low), high) - low) * (cells - 1) // (high - low)


def homes(snapshot: Snapshot, width: int, rows: int) -> Panel:
    """Savings so far, and their share of the old bill; what the market cost somebody is shown as plainly."""
    lines = snapshot.homes
    shown = lines if len(lines) <= rows else lines[: rows - 1]
    name_width = min(12, max([len(line.name) for line in lines], default=4))
    out = []
    for line in shown:
        style = BUY if line.saved_micro >= 0 else TARIFF
        percent = _percent(line)
        text = Text(line.name[:name_width].ljust(name_width)).append(f" {line.saved_micro / 1e6:+8.2f}", style)
        space = width - name_width - 16
        if space > 2:
            text.append(" " + bar(min(abs(percent), 100), 100, space), style)
        out.append(text.append(f"{percent:+5d}%" if abs(percent) < 1_000 else "", QUIET))
    if len(shown) < len(lines):
        rest = sum(line.saved_micro for line in lines[len(shown) :])
        out.append(Text(f"{len(lines) - len(shown)} more".ljust(name_width) + f" {rest / 1e6:+8.2f}", QUIET))
    total = sum(line.saved_micro for line in lines) / 1e6
    return _panel(Group(*out), f"saved {total:+,.2f} WATT")


def _percent(line: HomeLine) -> int:
    return line.saved_micro * 100 // abs(line.bill_without_micro) if line.bill_without_micro else 0


def trades(snapshot: Snapshot, rows: int) -> Panel:
    """The last trades, newest first."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for trade in snapshot.trades[:rows]:
        sign, style = SOURCES.get(trade.source, ("·", QUIET))
        price = Text(f"{trade.price_micro / 1e6:.3f}", BUY if trade.taker == "buy" else SELL)
        table.add_row(
            Text(bangkok(trade.time_ms, CLOCK), QUIET),
            Text(sign, style),
            Text(f"{trade.quantity_wh / 1000:.2f} kWh"),
            price if trade.voids is None else Text("void", QUIET),
        )
    content: RenderableType = table if snapshot.trades else Text("none yet", QUIET)
    return _panel(content, "last trades")


def energy(snapshot: Snapshot, width: int, rows: int) -> Panel:
    """The past hours: average price by interval between tariff and buy-back, and the energy traded."""
    recent = snapshot.past[-(width - 7) :]
    lines: list[RenderableType] = []
    chart_rows = rows - 5
    if chart_rows >= 3 and recent:
        lines += price_chart(recent, chart_rows)
    lines.append(Text("   kWh ", QUIET).append(spark([interval.traded_wh for interval in recent]), "yellow1"))
    sums = _block_sums(snapshot.blocks)
    largest = max(max(sums.values(), default=1), 1)
    for word, key, style in (
        ("traded", "traded_wh", "yellow1"),
        ("settled", "settled_wh", BUY),
        ("metered out", "metered_export_wh", SELL),
        ("metered in", "metered_import_wh", BUY_BACK),
    ):
        lines.append(
            Text.assemble(
                (word.ljust(12), QUIET),
                (bar(sums[key], largest, max(4, width - 25)), style),
                f" {sums[key] / 1000:8.1f} kWh",
            )
        )
    return _panel(Group(*lines[:rows]), f"prices by interval, energy of {len(snapshot.blocks)} blocks")


def price_chart(recent: Sequence[IntervalView], rows: int) -> list[Text]:
    """One column an interval: tariff above, buy-back below, a dot for the average price of its trades."""
    low = min(interval.buy_back_micro for interval in recent)
    high = max([interval.tariff_micro for interval in recent] + [low + 1])
    grid: list[list[tuple[str, str]]] = [[(" ", "")] * len(recent) for _ in range(rows)]

    def mark(column: int, price_micro: int, sign: str, style: str) -> None:
        grid[rows - 1 - _place(price_micro, low, high, rows)][column] = (sign, style)

    for column, interval in enumerate(recent):
        mark(column, interval.buy_back_micro, "┄", BUY_BACK)
        mark(column, interval.tariff_micro, "┄", TARIFF)
        if interval.traded_wh:
            mark(column, interval.traded_micro * 1_000 // interval.traded_wh, "●", LAST)
    labels = {0: f"{high / 1e6:6.3f} ", rows - 1: f"{low / 1e6:6.3f} "}
    return [
        Text(labels.get(number, " " * 7), QUIET).append_text(Text.assemble(*cells)) for number, cells in enumerate(grid)
    ]


def chain(snapshot: Snapshot, width: int, rows: int) -> Panel:
    """Blocks, how long their phases take, and the processes."""
    status = snapshot.status
    lines: list[RenderableType] = [
        Text.assemble(("block ", QUIET), f"{status.height:,}", ("   app hash ", QUIET), status.app_hash[:16]),
        Text.assemble(
            ("transactions of late ", QUIET),
            (spark([block.transactions for block in reversed(snapshot.blocks)][-(width - 22) :]), "cyan"),
        ),
    ]
    largest = max([phase.milliseconds for phase in snapshot.phases], default=1.0) or 1.0
    lines += [
        Text.assemble(
            (phase.name.ljust(13)[:13], QUIET),
            (bar(int(phase.milliseconds * 1000), int(largest * 1000) or 1, max(4, width - 25)), "cyan"),
            f" {phase.milliseconds:8.2f} ms",
        )
        for phase in snapshot.phases
    ]
    lines += [processes_text(snapshot)] if snapshot.processes else []
    return _panel(Group(*lines[:rows]), "blocks and phases")


def energy_line(snapshot: Snapshot, columns: int) -> Text:
    """One line for a small screen: traded energy by interval, and what meters said of late."""
    recent = [interval.traded_wh for interval in snapshot.past[-24:]]
    sums = _block_sums(snapshot.blocks)
    text = Text(" traded ", QUIET).append(spark(recent), "yellow1")
    text.append(f" {sum(recent) / 1000:.1f} kWh", "bold")
    text.append("  meters ", QUIET).append(f"▲ {sums['metered_export_wh'] / 1000:.1f}", SELL)
    text.append(f" ▼ {sums['metered_import_wh'] / 1000:.1f} kWh", BUY_BACK)
    text.truncate(columns)
    return text


def chain_line(snapshot: Snapshot, columns: int) -> Text:
    """One line for a small screen: height, hash, time of a block, processes."""
    if snapshot.news:
        return Text(f" {snapshot.news}", SELL, no_wrap=True, overflow="ellipsis")
    status = snapshot.status
    text = Text(f" block {status.height:,} ", QUIET).append(status.app_hash[:8], "cyan")
    total = sum(phase.milliseconds for phase in snapshot.phases)
    text.append(f"  {total:.1f} ms" if total else "").append("  ")
    text.append_text(processes_text(snapshot))
    text.truncate(columns)
    return text


def processes_text(snapshot: Snapshot) -> Text:
    """A dot for each process; how often it had to be started again."""
    text = Text()
    for process in snapshot.processes:
        text.append("● ", BUY if process.state == "running" else TARIFF).append(process.name)
        text.append(f" ↻{process.restarts}" if process.restarts else "", SELL).append("  ")
    return text


def bar(value: int, largest: int, width: int) -> str:
    """A horizontal bar in eighths of a cell, padded to `width`."""
    eighths = min(width * 8, value * width * 8 // largest) if largest > 0 else 0
    if value > 0:
        eighths = max(1, eighths)
    whole, part = divmod(eighths, 8)
    return ("█" * whole + (EIGHTHS[part] if part else "")).ljust(width)


def spark(values: Sequence[int]) -> str:
    """One character a value, as high as its share of the largest."""
    largest = max(values, default=0)
    if not largest:
        return "▁" * len(values)
    return "".join(STEPS[value * (len(STEPS) - 1) // largest] for value in values)


def _block_sums(blocks: Sequence[BlockLine]) -> dict[str, int]:
    names = ("traded_wh", "settled_wh", "metered_export_wh", "metered_import_wh")
    return {name: sum(getattr(block.summary, name) for block in blocks) for name in names}


def _panel(content: RenderableType, title: str) -> Panel:
    return Panel(content, title=Text(title, "bold"), title_align="left", box=ROUNDED, border_style="grey37")
