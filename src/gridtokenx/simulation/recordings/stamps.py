"""Times as exports write them. A stamp is read in two steps: its parts as they stand, then, when the whole file has
told in which order days and months come, wall-clock seconds.

Wall seconds count from 1970-01-01 00:00 on the clock that the file was written by; what zone that clock keeps is no
matter of this file. Years of the Buddhist era (2400 to 2700) and years of two digits are turned into common ones:
43 to 78 are 2543 to 2578, 00 to 35 are 2000 to 2035, others are no years.
"""

import re
from datetime import date
from typing import NamedTuple

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
DAY_S = 86_400
_BUDDHIST_YEARS = 543
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january ม.ค. มกราคม มค",
            "feb february ก.พ. กุมภาพันธ์ กพ",
            "mar march มี.ค. มีนาคม มีค",
            "apr april เม.ย. เมษายน เมย",
            "may พ.ค. พฤษภาคม พค",
            "jun june มิ.ย. มิถุนายน มิย",
            "jul july ก.ค. กรกฎาคม กค",
            "aug august ส.ค. สิงหาคม สค",
            "sep sept september ก.ย. กันยายน กย",
            "oct october ต.ค. ตุลาคม ตค",
            "nov november พ.ย. พฤศจิกายน พย",
            "dec december ธ.ค. ธันวาคม ธค",
        ),
        start=1,
    )
    for name in names.split()
}
_THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
_CLOCK = (
    r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,]\d{1,9})?)?\s*(am|pm|น\.?)?\s*"
    r"(z|(?:utc|gmt)?[+-]\d{2}:?\d{2}|utc|gmt|ict)?"
)
_TIME = re.compile(_CLOCK, re.IGNORECASE)
_DATE = r"(\d{1,4})([-/. ])(\d{1,2}|[^\W\d_][^\d/\-,]{0,11}?)[-/. ](\d{1,4})"
_STAMP = re.compile(rf"{_DATE}(?:(?:\s*[t,]\s*|\s+){_CLOCK})?", re.IGNORECASE)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[ t_-]?(\d{2}):?(\d{2})(?::?(\d{2}))?(z)?)?", re.IGNORECASE)
_STAMP_LENGTH_MAX = 48


class Parts(NamedTuple):
    """A stamp as it is written. `order` is ymd, dmy, or empty when day and month cannot be told apart by form."""

    first: int
    second: int
    third: int
    order: str
    second_of_day: int
    offset_minutes: int | None
    has_time: bool


def read_parts(text: str) -> Parts | None:
    """The parts of a date, with or without a time; None when the text is none."""
    text = text.strip().translate(_THAI_DIGITS)
    if not 6 <= len(text) <= _STAMP_LENGTH_MAX:
        return None
    found = _STAMP.fullmatch(text)
    if found is None:
        return _compact(text)
    first, _, middle, third, hour, minute, second, half, zone = found.groups()
    if middle.isdigit():
        month, order = int(middle), "ymd" if len(first) == 4 else ""
        if len(first) == 3 or len(third) == 3 or (order == "" and len(third) == 1):
            return None
    else:
        month, order = (
            _MONTHS.get(middle.casefold().strip(" "), 0) or _MONTHS.get(middle.casefold().rstrip("."), 0),
            "dmy",
        )
        if not month or len(first) == 4:
            return None
    moment = _second_of_day(hour, minute, second, half) if hour else 0
    if moment is None:
        return None
    return Parts(int(first), month, int(third), order, moment, _offset_minutes(zone), bool(hour))


def read_time(text: str) -> int | None:
    """Seconds of the day of a lone time (`7:15`, `24:00`, `07.15 น.`); None when it is none."""
    found = _TIME.fullmatch(text.strip().translate(_THAI_DIGITS)) if len(text) <= _STAMP_LENGTH_MAX else None
    return _second_of_day(found[1], found[2], found[3], found[4]) if found and ":" in text + ":" else None


def wall_seconds(parts: Parts, order: str) -> int | None:
    """Seconds on the file's clock, with day and month in this order (`dmy`, `mdy`); None when there is no such day."""
    if parts.order == "ymd":
        year, month, day = parts.first, parts.second, parts.third
    elif parts.order == "dmy" or order == "dmy":
        day, month, year = parts.first, parts.second, parts.third
    else:
        month, day, year = parts.first, parts.second, parts.third
    year = common_year(year)
    try:
        ordinal = date(year, month, day).toordinal()
    except ValueError:
        return None
    return (ordinal - _EPOCH_ORDINAL) * DAY_S + parts.second_of_day


def common_year(year: int) -> int:
    """A year of the common era; 0 (which no date has) for what is none."""
    if 2400 <= year <= 2700:
        return year - _BUDDHIST_YEARS
    if 1900 <= year <= 2200:
        return year
    if 43 <= year <= 78:
        return 2500 + year - _BUDDHIST_YEARS
    return 2000 + year if 0 <= year <= 35 else 0


def is_buddhist(parts: Parts) -> bool:
    year = parts.first if parts.order == "ymd" else parts.third
    return 2400 <= year <= 2700 or 43 <= year <= 78


def _compact(text: str) -> Parts | None:
    found = _COMPACT.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 12 or not 1 <= int(found[3]) <= 31:
        return None
    moment = _second_of_day(found[4], found[5], found[6], None) if found[4] else 0
    if moment is None or common_year(int(found[1])) == 0:
        return None
    offset = 0 if found[7] else None
    return Parts(int(found[1]), int(found[2]), int(found[3]), "ymd", moment, offset, bool(found[4]))


def _second_of_day(hour: str, minute: str, second: str | None, half: str | None) -> int | None:
    """0 to 86,400 (24:00 is the end of the day); None for what no clock shows."""
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if half and half.casefold() in {"am", "pm"}:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half.casefold() == "pm" else 0)
    total = hours * 3600 + minutes * 60 + seconds
    return total if minutes < 60 and seconds < 60 and total <= DAY_S else None


def _offset_minutes(zone: str | None) -> int | None:
    if not zone:
        return None
    text = zone.casefold()
    if text == "ict":
        return 7 * 60
    digits = text.removeprefix("utc").removeprefix("gmt").replace(":", "")
    if digits in {"", "z"}:
        return 0
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    return -minutes if digits[0] == "-" else minutes
