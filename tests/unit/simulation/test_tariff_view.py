"""The time-of-use calendar against the standard library's dates, and the bills made with it."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.simulation.bills import interval_bill_micro
from gridtokenx.simulation.tariff_view import (
    TimeOfUse,
    bangkok_day,
    first_interval,
    month_of_day,
    quarter_of_day,
)

LABOUR_DAY = date(2023, 5, 1)  # a Monday
TARIFF = TimeOfUse(5_798_200, 2_636_900, 2_200_000, 9, 22, frozenset({(LABOUR_DAY - date(1970, 1, 1)).days}))


def at(text: str) -> int:
    """The interval that starts at a Bangkok time."""
    moment = datetime.fromisoformat(text + "+07:00")
    return int(moment.timestamp()) // 900


def test_edges_of_the_on_peak_hours() -> None:
    for start, peak in [
        ("2023-03-20T08:45", False),
        ("2023-03-20T09:00", True),
        ("2023-03-20T21:45", True),
        ("2023-03-20T22:00", False),
        ("2023-03-24T12:00", True),
        ("2023-03-25T12:00", False),
        ("2023-03-26T12:00", False),
        ("2023-05-01T12:00", False),
        ("2023-05-02T12:00", True),
    ]:
        assert TARIFF.is_on_peak(at(start)) == peak, start
        assert TARIFF.price_micro(at(start)) == (5_798_200 if peak else 2_636_900)


@given(st.integers(0, 10_000_000))
def test_the_calendar_equals_the_standard_librarys(interval: int) -> None:
    local = datetime.fromtimestamp(interval * 900, UTC) + timedelta(hours=7)
    assert bangkok_day(interval) == (local.date() - date(1970, 1, 1)).days
    assert quarter_of_day(interval) == local.hour * 4 + local.minute // 15
    assert month_of_day(bangkok_day(interval)) == local.month
    assert first_interval(local.date()) + quarter_of_day(interval) == interval
    assert TARIFF.is_working_day(interval) == (local.weekday() < 5 and local.date() != LABOUR_DAY)


def test_an_interval_is_billed_to_the_last_unit() -> None:
    assert interval_bill_micro(TARIFF, at("2023-03-20T12:00"), -1_000) == 5_798_200
    assert interval_bill_micro(TARIFF, at("2023-03-20T02:00"), -1_001) == 2_639_536  # 2,639,536.9 rounded down
    assert interval_bill_micro(TARIFF, at("2023-03-20T12:00"), 333) == -732_600
    assert interval_bill_micro(TARIFF, at("2023-03-20T12:00"), 0) == 0
