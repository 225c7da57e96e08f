"""The Thai time-of-use calendar as agents and bills see it: an own reading of the rule, apart from the
ledger's.

Source of the rule: MEA and PEA tariff pages (Schedule 5 text). On-peak Monday to Friday 09:00 to 22:00;
off-peak in all other hours and all day on normal public holidays, which the scenario lists.
"""

from datetime import date
from functools import lru_cache
from typing import NamedTuple

INTERVAL_MS = 900_000
INTERVALS_PER_DAY = 96
INTERVALS_PER_HOUR = 4
BANGKOK_OFFSET_INTERVALS = 7 * INTERVALS_PER_HOUR
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0


def bangkok_day(interval: int) -> int:
    """Days from 1 January 1970 to the interval's date in Bangkok (UTC + 7 h, no daylight saving)."""
    return (interval + BANGKOK_OFFSET_INTERVALS) // INTERVALS_PER_DAY


def quarter_of_day(interval: int) -> int:
    """0 for 00:00 to 00:15 Bangkok time, 95 for 23:45 to 24:00."""
    return (interval + BANGKOK_OFFSET_INTERVALS) % INTERVALS_PER_DAY


def first_interval(day: date) -> int:
    """The interval that starts at 00:00 Bangkok time of a date."""
    return (day.toordinal() - _EPOCH_ORDINAL) * INTERVALS_PER_DAY - BANGKOK_OFFSET_INTERVALS


@lru_cache(maxsize=1024)
def month_of_day(day: int) -> int:
    """Month 1..12 of a day counted from the epoch."""
    return date.fromordinal(day + _EPOCH_ORDINAL).month


class TimeOfUse(NamedTuple):
    """Prices in millionths of a WATT per kWh; holidays as days from the epoch."""

    on_peak_micro: int
    off_peak_micro: int
    buy_back_micro: int
    on_peak_from_hour: int
    on_peak_to_hour: int
    holidays: frozenset[int]

    def is_working_day(self, interval: int) -> bool:
        """Whether the interval's date in Bangkok has on-peak hours at all."""
        day = bangkok_day(interval)
        return (day + _EPOCH_WEEKDAY) % 7 < 5 and day not in self.holidays

    def is_on_peak(self, interval: int) -> bool:
        hour = quarter_of_day(interval) // INTERVALS_PER_HOUR
        return self.on_peak_from_hour <= hour < self.on_peak_to_hour and self.is_working_day(interval)

    def price_micro(self, interval: int) -> int:
        """What the residual supplier asks per kWh that is imported in the interval."""
        return self.on_peak_micro if self.is_on_peak(interval) else self.off_peak_micro
