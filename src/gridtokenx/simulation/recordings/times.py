"""The times of a file's rows: which columns hold them, in which form, and what they say of begin or end."""

import re
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

from gridtokenx.simulation.recordings.findings import Finding, RecordingError, doubt
from gridtokenx.simulation.recordings.numbers import is_missing, read_quantity
from gridtokenx.simulation.recordings.options import Options, told
from gridtokenx.simulation.recordings.stamps import DAY_S, Parts, is_buddhist, read_parts, read_time, wall_seconds
from gridtokenx.simulation.recordings.text import Source
from gridtokenx.simulation.recordings.words import (
    BEGIN_WORDS,
    END_WORDS,
    HOUR_WORDS,
    PERIOD_WORDS,
    TIME_WORDS,
    has_word,
)

_SAMPLE_ROWS = 400
_MOST = 0.8  # of a column's cells: rows of totals and broken lines must not hide what the column is
_EXCEL_EPOCH_DAYS = 25_569  # from 30 December 1899 to 1 January 1970
_NUMBER_CLOCKS = (
    # first and last value that is taken for such a clock (2000 to 2050), seconds in a step of one
    ("Excel days", 36_526.0, 54_789.0, DAY_S, -_EXCEL_EPOCH_DAYS),
    ("Unix seconds", 946_684_800.0, 2_524_608_000.0, 1, 0),
    ("Unix milliseconds", 946_684_800_000.0, 2_524_608_000_000.0, 0.001, 0),
)


class Times(NamedTuple):
    """Wall seconds of each row (None: the row has no time) and the offset of UTC in minutes where the stamp says it.

    `columns` are used up by the time. `stamp` is begin or end where the form of the times shows it, with its
    evidence. `interval_s` is known where begin and end stand beside each other.
    """

    walls: list[int | None]
    offsets: list[int | None]
    columns: frozenset[int]
    findings: list[Finding]
    stamp: str = ""
    stamp_evidence: str = ""
    interval_s: int | None = None
    buddhist: bool = False


class _Shape(NamedTuple):
    """Which share of a column's cells is what."""

    stamps: float
    dates: float
    times: float
    numbers: float


def read_times(source: Source, options: Options) -> Times:
    """Find and read the times. Raises `RecordingError` when the file has none and no `--start` says them."""
    named = told(options.time_column, source.name)
    start = told(options.start, source.name)
    if start is not None:
        return _counted(source, start, told(options.interval, source.name))
    shapes = [_shape(source, column) for column in range(len(source.header))]
    columns = list(range(len(source.header)))
    if named is not None:
        if named not in source.header:
            raise RecordingError(f"{source.name}: --time: there is no column '{named}'; {_columns(source)}")
        columns = [source.header.index(named)]
    stamps = [column for column in columns if shapes[column].stamps >= _MOST]
    dates = [column for column in columns if shapes[column].dates >= _MOST]
    if stamps:
        return _from_stamps(source, options, stamps)
    if dates:
        return _from_dates(source, options, dates[0], shapes)
    numbered = _numbered(source, columns, shapes, named is not None)
    if numbered is not None:
        return numbered
    raise RecordingError(
        f"{source.name}: no column holds dates with times; {_columns(source)}. Name it with --time COLUMN, or, "
        "when rows simply follow one another, say --start 2023-03-20T00:00 and --interval 15min"
    )


def _columns(source: Source) -> str:
    return "its columns are " + ", ".join(f"'{name}'" for name in source.header[:12])


def _shape(source: Source, column: int) -> _Shape:
    step = max(1, len(source.rows) // _SAMPLE_ROWS)
    cells = [row.cells[column] for row in source.rows[::step] if len(row.cells) > column]
    held = [cell for cell in cells if not is_missing(cell)]
    parts = [read_parts(cell) for cell in held]
    return _Shape(
        sum(part is not None and part.has_time for part in parts) / max(1, len(held)),
        sum(part is not None and not part.has_time for part in parts) / max(1, len(held)),
        sum(read_time(cell) is not None for cell in held) / max(1, len(held)),
        sum(read_quantity(cell, ".") is not None for cell in held) / max(1, len(held)),
    )


def _cell(row: list[str], column: int) -> str:
    return row[column] if column < len(row) else ""


def _from_stamps(source: Source, options: Options, columns: list[int]) -> Times:
    """One column of stamps, or begin and end beside each other."""
    begin = next((column for column in columns if has_word(source.header[column], BEGIN_WORDS)), None)
    end = next((column for column in columns if has_word(source.header[column], END_WORDS)), None)
    if len(columns) > 1 and (begin is None or end is None or begin == end):
        names = tuple(source.header[column] for column in columns)
        evidence = "several columns hold times"
        finding = doubt("time column", source.name, "", names[0], evidence, "--time", source.name, names)
        first = _resolved(source, options, columns[0], [])
        return first._replace(findings=[finding, *first.findings])
    if begin is None or end is None or begin == end:
        return _resolved(source, options, columns[0], [])
    first = _resolved(source, options, begin, [])
    last = _resolved(source, options, end, [])
    lengths = Counter(
        after - before for before, after in zip(first.walls, last.walls, strict=True) if before is not None and after
    )
    length = lengths.most_common(1)[0][0] if lengths else 0
    if length <= 0:
        return first
    evidence = f"columns '{source.header[begin]}' and '{source.header[end]}' hold begin and end"
    return first._replace(columns=first.columns | {end}, stamp="begin", stamp_evidence=evidence, interval_s=length)


def _resolved(source: Source, options: Options, column: int, parts: list[Parts | None]) -> Times:
    """Wall seconds of a column of dates (`parts`, when a second column gave their times)."""
    parts = parts or [read_parts(_cell(row.cells, column)) for row in source.rows]
    findings: list[Finding] = []
    order = _date_order(source, options, parts, findings)
    walls = [None if part is None else wall_seconds(part, order) for part in parts]
    offsets = [None if part is None else part.offset_minutes for part in parts]
    buddhist = sum(part is not None and is_buddhist(part) for part in parts) * 2 > len(parts)
    header = source.header[column]
    says, evidence = "", ""
    if any(part is not None and part.second_of_day == DAY_S for part in parts):
        says, evidence = "end", "a day ends with 24:00"
    elif has_word(header, END_WORDS):
        says, evidence = "end", f"header '{header}'"
    elif has_word(header, BEGIN_WORDS):
        says, evidence = "begin", f"header '{header}'"
    form = ("Buddhist years" if buddhist else "dates") + " and times"
    findings.insert(0, Finding("time column", source.name, header, form, f"reads '{_example(source, column)}'"))
    return Times(walls, offsets, frozenset([column]), findings, says, evidence, None, buddhist)


def _example(source: Source, column: int) -> str:
    return next((cell for row in source.rows if (cell := _cell(row.cells, column))), "")


def _date_order(source: Source, options: Options, parts: list[Parts | None], findings: list[Finding]) -> str:
    """Whether day or month comes first: the flag, else days above 12, else the order that keeps an even step."""
    open_parts = [part for part in parts if part is not None and part.order == ""]
    if not open_parts:
        return "dmy"
    said = told(options.date_order, source.name)
    if said is not None:
        findings.append(Finding("day and month", source.name, "", said, "you said so"))
        return said
    walls = {order: [wall_seconds(part, order) for part in open_parts] for order in ("dmy", "mdy")}
    valid = {order: sum(wall is not None for wall in found) for order, found in walls.items()}
    best = max(valid, key=lambda order: valid[order])
    other = "mdy" if best == "dmy" else "dmy"
    words = {"dmy": "day first", "mdy": "month first"}
    if valid[other] < valid[best]:
        evidence = f"{valid[best] - valid[other]} stamps are no dates otherwise"
    elif walls["dmy"] == walls["mdy"]:
        evidence = "day and month are the same numbers"
    else:
        even = {order: _evenness(found) for order, found in walls.items()}
        best = max(even, key=lambda order: even[order])
        other = "mdy" if best == "dmy" else "dmy"
        if even[best] < 0.8 or even[other] > even[best] - 0.01:
            evidence = "every stamp is a date either way, and neither way keeps a more even step"
            flag = "--day-first" if best == "dmy" else "--month-first"
            choices = ("day first", "month first")
            unsure = doubt("day and month", source.name, "", words[best], evidence, flag, "", choices)
            findings.append(unsure)
            return best
        evidence = f"{even[best]:.1%} of the steps are alike so, {even[other]:.1%} the other way"
    findings.append(Finding("day and month", source.name, "", words[best], evidence))
    return best


def _evenness(walls: list[int | None]) -> float:
    """Share of the most frequent step between different stamps that follow one another, if it is at most an hour."""
    known = [wall for wall in walls if wall is not None]
    steps = Counter(after - before for before, after in pairwise(known) if after != before)
    if not steps:
        return 0.0
    step, number = steps.most_common(1)[0]
    return number / steps.total() if 0 < step <= 3600 else 0.0


def _from_dates(source: Source, options: Options, column: int, shapes: list[_Shape]) -> Times:
    """Dates without times: the time, the hour or the number of the period stands in another column."""
    parts = [read_parts(_cell(row.cells, column)) for row in source.rows]
    for other, shape in enumerate(shapes):
        if other != column and shape.times >= _MOST:
            seconds = [read_time(_cell(row.cells, other)) for row in source.rows]
            joined = _with_time(parts, seconds)
            found = _resolved(source, options, column, joined)
            says = _time_says(source.header[other], seconds)
            stamp, evidence = (found.stamp, found.stamp_evidence) if found.stamp else says
            return found._replace(columns=frozenset([column, other]), stamp=stamp, stamp_evidence=evidence)
    for other, shape in enumerate(shapes):
        if other == column or shape.numbers < _MOST:
            continue
        counted = _hours(source, other)
        if counted is not None:
            seconds, says = counted
            found = _resolved(source, options, column, _with_time(parts, seconds))
            return found._replace(columns=frozenset([column, other]), stamp=says[0], stamp_evidence=says[1])
    raise RecordingError(
        f"{source.name}: column '{source.header[column]}' has dates without times, and no other column has times or "
        "hours; a market needs quarters of an hour: ask for the load profile (15, 30 or 60 minutes). When rows "
        "follow one another without a hole, say --start 2023-03-20T00:00 and --interval 15min"
    )


def _with_time(parts: list[Parts | None], seconds: list[int | None]) -> list[Parts | None]:
    return [
        None if part is None or second is None else part._replace(second_of_day=second, has_time=True)
        for part, second in zip(parts, seconds, strict=True)
    ]


def _time_says(header: str, seconds: list[int | None]) -> tuple[str, str]:
    if DAY_S in seconds:
        return "end", "a day ends with 24:00"
    if has_word(header, END_WORDS):
        return "end", f"header '{header}'"
    return ("begin", f"header '{header}'") if has_word(header, BEGIN_WORDS) else ("", "")


def _hours(source: Source, column: int) -> tuple[list[int | None], tuple[str, str]] | None:
    """Seconds of the day from a column that counts hours or periods, and what that says; None for other columns."""
    values = [_whole(_cell(row.cells, column)) for row in source.rows]
    known = [value for value in values if value is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    header = source.header[column]
    is_hour, is_period = has_word(header, HOUR_WORDS), has_word(header, PERIOD_WORDS)
    steps = Counter(after - before for before, after in pairwise(known) if after != before)
    counts = bool(steps) and (steps[1] + steps[low - high]) >= _MOST * steps.total()
    if not (counts or is_hour or is_period):
        return None
    for length, seconds in ((24, 3600), (48, 1800), (96, 900)):
        if (low, high) == (1, length):
            if length == 24:
                ends: list[int | None] = [None if value is None else value * seconds for value in values]
                return ends, ("end", f"column '{header}' counts hours from 1 to 24")
            begins: list[int | None] = [None if value is None else (value - 1) * seconds for value in values]
            return begins, ("begin", f"column '{header}' numbers the {length} periods of a day")
        if (low, high) == (0, length - 1):
            begins = [None if value is None else value * seconds for value in values]
            return begins, ("begin", f"column '{header}' counts from 0 to {length - 1}")
    return None


def _whole(cell: str) -> int | None:
    found = read_quantity(cell, ".")
    return int(found.value) if found is not None and found.value == int(found.value) else None


def _numbered(source: Source, columns: list[int], shapes: list[_Shape], named: bool) -> Times | None:
    """A column of Excel days, Unix seconds or milliseconds: named so, or rising in even steps."""
    for column in columns:
        if shapes[column].numbers < _MOST:
            continue
        found = [read_quantity(_cell(row.cells, column), ".") for row in source.rows]
        values = [None if quantity is None else float(quantity.value) for quantity in found]
        known = [value for value in values if value is not None]
        for name, low, high, step_s, shift in _NUMBER_CLOCKS:
            if not all(low <= value <= high for value in known):
                continue
            walls = [None if value is None else round((value + shift) * step_s) for value in values]
            header = source.header[column]
            by_name = has_word(header, TIME_WORDS)
            if not (named or by_name or _evenness(walls) >= 0.9):
                continue
            evidence = f"'{_example(source, column)}' and the rest lie between 2000 and 2050"
            evidence += f", and the header says '{by_name}'" if by_name else ", in even steps"
            offset = None if shift else 0
            offsets = [None if wall is None else offset for wall in walls]
            says = _time_says(header, [])
            finding = Finding("time column", source.name, header, name, evidence)
            return Times(walls, offsets, frozenset([column]), [finding], says[0], says[1])
    return None


def _counted(source: Source, start: str, interval: str | None) -> Times:
    """Rows without dates: the first begins at `--start`, each next one an interval later."""
    parts = read_parts(start)
    first = wall_seconds(parts, "dmy") if parts is not None and parts.order == "ymd" else None
    if parts is None or first is None:
        raise RecordingError(f"--start: '{start}' is no time; write 2023-03-20T00:00")
    if interval is None:
        raise RecordingError(f"{source.name}: with --start also say --interval (5min, 15min, 30min, 60min)")
    length = seconds_of(interval)
    walls: list[int | None] = [first + number * length for number in range(len(source.rows))]
    findings = [Finding("time column", source.name, "", f"counted from {start}", "you said so")]
    used = set()
    for column, header in enumerate(source.header):
        if not has_word(header, HOUR_WORDS):
            continue
        hours = [_whole(_cell(row.cells, column)) for row in source.rows]
        agree = Counter((hour - wall // 3600) % 24 for hour, wall in zip(hours, walls, strict=True) if hour and wall)
        shift, number = agree.most_common(1)[0] if agree else (0, 0)
        if set(filter(None, hours)) > set(range(24)) - {0} and number >= 0.99 * agree.total():
            if shift not in {0, 1}:
                raise RecordingError(
                    f"{source.name}: line {source.rows[0].line}: --start {start} does not fit column '{header}', which "
                    f"is {shift} hours ahead; correct --start"
                )
            used.add(column)
            evidence = f"column '{header}' keeps in step with it" + (", naming hours by their end" if shift else "")
            findings.append(Finding("hours", source.name, header, "checked", evidence))
    offsets = [parts.offset_minutes] * len(walls)
    return Times(walls, offsets, frozenset(used), findings, "begin", "--start is the begin of the first row", length)


def seconds_of(interval: str) -> int:
    """Seconds of `15min`, `900s`, `1h` or plain minutes. Raises `RecordingError` beyond one second to an hour."""
    found = re.fullmatch(r"(\d{1,5})\s*(s|sec|m|min|minutes|h|hour)?", interval.strip().casefold())
    unit = (found[2] or "m")[0] if found else "m"
    seconds = int(found[1]) * {"s": 1, "m": 60, "h": 3600}[unit] if found else 0
    if not 1 <= seconds <= 3600:
        raise RecordingError(
            f"--interval: '{interval}' is not between a second and an hour; write 5min, 15min or 60min"
        )
    return seconds
