"""The calendar in integers, against Python's own."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from tests.world import DEFAULT_TERMS, MONDAY_MS, at

from gridtokenx.ledger.quantities import INTERVAL_MS, interval_of
from gridtokenx.modules.market import calendar

BANGKOK = timezone(timedelta(hours=7))
intervals = st.integers(0, 4 * 24 * 365 * 400)


def clock(interval: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC).astimezone(BANGKOK) + timedelta(milliseconds=interval * INTERVAL_MS)


@given(intervals)
def test_day_quarter_and_month(interval: int) -> None:
    here = clock(interval)
    assert calendar.day_of(interval) == (here.date() - datetime(1970, 1, 1, tzinfo=UTC).date()).days
    assert calendar.quarter_of(interval) == here.hour * 4 + here.minute // 15
    assert calendar.month_of_day(calendar.day_of(interval)) == here.month


@given(st.integers(0, 4_000_000))
def test_months_over_ten_thousand_years(day: int) -> None:
    year = 400 * (day // 146_097)
    within = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day - 146_097 * (year // 400))
    assert calendar.month_of_day(day) == within.month


@given(intervals, st.booleans())
def test_on_peak_is_monday_to_friday_nine_to_ten_at_night(interval: int, holiday: bool) -> None:
    here = clock(interval)
    expected = not holiday and here.weekday() < 5 and 9 <= here.hour < 22
    assert calendar.is_on_peak(interval, holiday) == expected
    tariff = DEFAULT_TERMS.on_peak_micro if expected else DEFAULT_TERMS.off_peak_micro
    assert calendar.tariff_micro_per_kwh(interval, DEFAULT_TERMS, holiday) == tariff


@given(intervals)
def test_trading_opens_at_midnight_of_the_day_before(interval: int) -> None:
    opens = datetime.fromtimestamp(calendar.opens_ms(interval) / 1_000, UTC).astimezone(BANGKOK)
    assert (opens.hour, opens.minute, opens.second) == (0, 0, 0)
    assert opens.date() + timedelta(days=1) == clock(interval).date()


def test_the_first_interval_of_a_day() -> None:
    day = calendar.day_of(interval_of(MONDAY_MS))
    assert calendar.first_interval_of_day(day) == interval_of(MONDAY_MS)
    assert calendar.day_of(interval_of(at(23, 45))) == day
    assert calendar.day_of(interval_of(at(0, day=1))) == day + 1
