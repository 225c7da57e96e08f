"""Time and tariff: which day, month and quarter-hour an interval belongs to, and what it costs.

Bangkok time is UTC + 7 h in integers; there is no daylight saving. Time of use by the tariff of the Thai
distributors (schedule for homes and small business): on-peak Monday to Friday 09:00 to 22:00; off-peak
otherwise, and all day on holidays, which are state.
"""

from functools import lru_cache

from gridtokenx.ledger.quantities import (
    BANGKOK_OFFSET_MS,
    DAY_MS,
    INTERVALS_PER_DAY,
    bangkok_day_start_ms,
    interval_of,
    interval_start_ms,
)
from gridtokenx.modules.market.messages import Terms

ON_PEAK_FIRST_QUARTER = 9 * 4
ON_PEAK_LAST_QUARTER = 22 * 4 - 1
EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday (Monday is 0)."""
SATURDAY = 5


def day_of(interval: int) -> int:
    """Days since the epoch of the interval's date in Bangkok."""
    return (interval_start_ms(interval) + BANGKOK_OFFSET_MS) // DAY_MS


def quarter_of(interval: int) -> int:
    """0 to 95: the quarter-hour of the Bangkok day."""
    return (interval + BANGKOK_OFFSET_MS // (DAY_MS // INTERVALS_PER_DAY)) % INTERVALS_PER_DAY


def first_interval_of_day(day: int) -> int:
    """The interval that starts at 00:00 Bangkok time."""
    return interval_of(day * DAY_MS - BANGKOK_OFFSET_MS)


def opens_ms(interval: int) -> int:
    """When trading opens: 00:00 Bangkok time of the day before delivery."""
    return bangkok_day_start_ms(interval_start_ms(interval)) - DAY_MS


def month_of_day(day: int) -> int:
    """1 to 12, by the proleptic Gregorian calendar (days counted from 1 March 0000, where a 400-year era has
    146,097 days and months follow the 153-day pattern)."""
    day_of_era = (day + 719_468) % 146_097
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    return month_from_march + 3 if month_from_march < 10 else month_from_march - 9


@lru_cache(maxsize=4_096)
def month_and_quarter_of(interval: int) -> tuple[int, int]:
    """1 to 12, and 0 to 95, in Bangkok."""
    return month_of_day(day_of(interval)), quarter_of(interval)


def is_on_peak(interval: int, holiday: bool) -> bool:
    """Monday to Friday 09:00 to 22:00, unless the day is a holiday."""
    weekday = (day_of(interval) + EPOCH_WEEKDAY) % 7
    if holiday or weekday >= SATURDAY:
        return False
    return ON_PEAK_FIRST_QUARTER <= quarter_of(interval) <= ON_PEAK_LAST_QUARTER


def tariff_micro_per_kwh(interval: int, terms: Terms, holiday: bool) -> int:
    """What the residual supplier charges in the interval."""
    return terms.on_peak_micro if is_on_peak(interval, holiday) else terms.off_peak_micro
