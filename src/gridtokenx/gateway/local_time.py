"""Days and times as people write them, in Bangkok time (UTC + 7 h), and the delivery intervals that they name."""

import re
from datetime import date

from gridtokenx.ledger.quantities import INTERVALS_PER_DAY
from gridtokenx.modules.market import calendar

BUDDHIST_YEARS = 543
"""A Thai year is that much ahead."""
BUDDHIST_YEAR_MIN = 2400
"""Years from here on are taken for Thai ones."""

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")


def day_text(day: int) -> str:
    """A day counted from the epoch, as YYYY-MM-DD."""
    return date.fromordinal(day + _EPOCH_ORDINAL).isoformat()


def read_day(text: str) -> int | None:
    """Days since the epoch of a date YYYY-MM-DD from 1970 on, also in a Thai year; None if it is none."""
    found = _DAY.fullmatch(text)
    if found is None:
        return None
    year, month, day = (int(part) for part in found.groups())
    if year >= BUDDHIST_YEAR_MIN:
        year -= BUDDHIST_YEARS
    try:
        return max(date(year, month, day).toordinal() - _EPOCH_ORDINAL, 0)
    except ValueError:
        return None


def read_month(text: str) -> tuple[int, int] | None:
    """First and last day of a month YYYY-MM; None if it is none."""
    first = read_day(f"{text}-01")
    if first is None:
        return None
    begins = date.fromordinal(first + _EPOCH_ORDINAL)
    year, month = divmod(begins.year * 12 + begins.month, 12)
    return first, date(year, month + 1, 1).toordinal() - _EPOCH_ORDINAL - 1


def read_moment(text: str, today: int) -> int | None:
    """The interval that contains a date with a time (`2023-03-23 14:15`, also with a T between), that begins a date,
    or that contains a time of `today`; None for any other text."""
    day_part, _, time_part = text.replace("T", " ").replace("t", " ").partition(" ")
    if not time_part and ":" in day_part:
        day_part, time_part = day_text(today), day_part
    day, quarter = read_day(day_part), 0
    if time_part.strip():
        found = _TIME.fullmatch(time_part.strip())
        if found is None or int(found[1]) > 23 or int(found[2]) > 59:
            return None
        quarter = int(found[1]) * 4 + int(found[2]) // 15
    return None if day is None else calendar.first_interval_of_day(day) + quarter


def days_of(first: int, last: int) -> range:
    """All intervals of the days from `first` to `last`."""
    begins = calendar.first_interval_of_day(first)
    return range(begins, begins + (last - first + 1) * INTERVALS_PER_DAY)
