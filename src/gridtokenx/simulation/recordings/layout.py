"""From rows with times to channels: one series of cells for each column, or for each meter of a long table."""

from collections import Counter, defaultdict
from typing import NamedTuple

from gridtokenx.simulation.recordings.findings import Finding, Kind, RecordingError, Trouble, doubt, in_runs
from gridtokenx.simulation.recordings.numbers import is_missing, split_cell
from gridtokenx.simulation.recordings.options import Options, told
from gridtokenx.simulation.recordings.text import Row, Source
from gridtokenx.simulation.recordings.times import Times
from gridtokenx.simulation.recordings.words import (
    METER_WORDS,
    TIME_WORDS,
    has_word,
    is_other_quantity,
    role_in,
    unit_in_header,
    unit_of,
)

_MOST = 0.8
CHANNELS_MAX = 2_000


class Channel(NamedTuple):
    """The cells of one meter and quantity. `words` is what may speak of role and unit; `place` is for reports."""

    name: str
    words: str
    place: str
    rows: list[Row]
    walls: list[int]
    offsets: list[int | None]
    cells: list[str]
    units: list[str]
    ignored: str = ""


class Table(NamedTuple):
    source: Source
    times: Times
    channels: list[Channel]
    findings: list[Finding]
    troubles: list[Trouble]


def read_table(source: Source, times: Times, options: Options) -> Table:
    """Channels of a file. Rows without a time or of another width are left out, and reported."""
    width = len(source.header)
    kept, walls, offsets = [], [], []
    no_time: list[int] = []
    odd_width: list[int] = []
    for row, wall, offset in zip(source.rows, times.walls, times.offsets, strict=True):
        if len(row.cells) < width or any(row.cells[width:]):
            odd_width.append(row.line)
        elif wall is None:
            no_time.append(row.line)
        else:
            kept.append(row)
            walls.append(wall)
            offsets.append(offset)
    troubles = _left_out(source, no_time, Kind.NO_TIME, "no time can be read")
    troubles += _left_out(source, odd_width, Kind.CELLS, f"has not the {width} cells of the other lines")
    if not kept:
        raise RecordingError(f"{source.name}: no line has both a time and {width} cells; --delimiter tells how to cut")
    findings: list[Finding] = []
    meter, kind, unit = _long_columns(source, times, kept, walls, options, findings)
    values = [column for column in range(width) if column not in times.columns and column not in {meter, kind, unit}]
    for column in [column for column in values if _names_a_time(source.header[column], options)]:
        values.remove(column)
        findings.append(Finding("not used", source.name, source.header[column], "", "its header names a time"))
    numeric = [column for column in values if _is_numeric(kept, column)]
    for column in set(values) - set(numeric):
        empty = all(is_missing(row.cells[column]) for row in kept)
        evidence = "every cell is empty" if empty else "its cells are no numbers"
        findings.append(Finding("not used", source.name, source.header[column], "", evidence))
    series = _Series(source, kept, walls, offsets)
    channels = series.wide(numeric) if meter is None and kind is None else series.long(meter, kind, unit, numeric)
    if not channels:
        raise RecordingError(f"{source.name}: no column beside the time holds numbers; name another file")
    if len(channels) > CHANNELS_MAX:
        raise RecordingError(f"{source.name}: has {len(channels)} meters; give at most {CHANNELS_MAX} at a time")
    form = "one row for each meter and time" if meter is not None or kind is not None else "one column for each meter"
    findings.append(Finding("layout", source.name, "", form, f"{len(kept)} rows, {len(channels)} series"))
    return Table(source, times, channels, findings, troubles)


def _names_a_time(header: str, options: Options) -> bool:
    """Columns such as day, date or timestamp that the time did not need."""
    told_role = any(setting.column == header for setting in options.roles)
    return bool(has_word(header, TIME_WORDS)) and not (role_in(header) or unit_in_header(header) or told_role)


def _left_out(source: Source, lines: list[int], kind: Kind, reason: str) -> list[Trouble]:
    told_by = {row.line: row.cells for row in source.rows} if lines else {}
    return [
        Trouble(kind, source.name, first, last, "", count, reason, "left out", _short(told_by.get(first, [])))
        for first, last, count in in_runs(sorted(lines))
    ]


def _short(cells: list[str]) -> str:
    text = " | ".join(cells)
    return f"reads '{text[:40]}{'…' if len(text) > 40 else ''}'"


def _is_numeric(rows: list[Row], column: int) -> bool:
    step = max(1, len(rows) // 400)
    held = [row.cells[column] for row in rows[::step] if not is_missing(row.cells[column])]
    if not held:
        held = [row.cells[column] for row in rows if not is_missing(row.cells[column])][:400]
    return bool(held) and sum(split_cell(cell) is not None for cell in held) >= 0.5 * len(held)


def _long_columns(
    source: Source, times: Times, rows: list[Row], walls: list[int], options: Options, findings: list[Finding]
) -> tuple[int | None, int | None, int | None]:
    """The columns that say whose, which and in what unit a row's value is; None where the table has none."""
    free = [column for column in range(len(source.header)) if column not in times.columns]
    distinct = {column: {row.cells[column] for row in rows} for column in free}
    unit = next((c for c in free if distinct[c] and all(unit_of(value) for value in distinct[c])), None)
    texts = [c for c in free if c != unit and not _is_numeric(rows, c) and not all(map(is_missing, distinct[c]))]
    kind = next((c for c in texts if len(distinct[c]) <= 6 and all(role_in(value) for value in distinct[c])), None)
    told_meter = told(options.meter_column, source.name)
    if told_meter is not None:
        if told_meter not in source.header:
            raise RecordingError(f"{source.name}: --meter: there is no column '{told_meter}'")
        return source.header.index(told_meter), kind, unit
    repeated = len(walls) / len(set(walls)) >= 1.5
    candidates = []
    for column in free:
        if column in {unit, kind} or len(distinct[column]) > max(1, len(rows) // 4):
            continue
        named = has_word(source.header[column], METER_WORDS) and not is_other_quantity(source.header[column])
        keys = {
            (row.cells[column], row.cells[kind] if kind is not None else "", wall)
            for row, wall in zip(rows, walls, strict=True)
        }
        parts = len(distinct[column]) > 1 and repeated and len(keys) >= 0.9 * len(rows)
        if (column in texts and (parts or named)) or (named and parts):
            candidates.append((not (named and parts), not parts, column))
    if not candidates:
        if repeated and kind is None:
            evidence = f"{len(rows)} rows share {len(set(walls))} times, and no column says whose they are"
            findings.append(doubt("meter column", source.name, "", "", evidence, "--meter", source.name))
        return None, kind, unit
    meter = min(candidates)[2]
    rivals = [
        c
        for _, no_part, c in candidates
        if c != meter and not no_part and _pairs(rows, c, meter) > len(distinct[meter])
    ]
    names = tuple(source.header[c] for c in (meter, *rivals))
    evidence = f"{len(distinct[meter])} different values" + (" that part the rows of one time" if repeated else "")
    findings.append(
        Finding("meter column", source.name, "", names[0], evidence, not rivals, "--meter", source.name, names)
    )
    return meter, kind, unit


def _pairs(rows: list[Row], first: int, second: int) -> int:
    return len({(row.cells[first], row.cells[second]) for row in rows})


class _Series(NamedTuple):
    source: Source
    rows: list[Row]
    walls: list[int]
    offsets: list[int | None]

    def wide(self, columns: list[int]) -> list[Channel]:
        return [
            Channel(
                self.source.header[column],
                "" if self.source.header[column].startswith("#") else self.source.header[column],
                f"column {column + 1}",
                self.rows,
                self.walls,
                self.offsets,
                [row.cells[column] for row in self.rows],
                [],
                is_other_quantity(self.source.header[column]),
            )
            for column in columns
        ]

    def long(self, meter: int | None, kind: int | None, unit: int | None, values: list[int]) -> list[Channel]:
        groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for at, row in enumerate(self.rows):
            name = row.cells[meter] if meter is not None else ""
            groups[name, row.cells[kind] if kind is not None else ""].append(at)
        usable = [column for column in values if not is_other_quantity(self.source.header[column])]
        several = Counter(name for name, _ in groups)
        channels = []
        for number, ((name, which), members) in enumerate(groups.items(), start=1):
            for column in usable:
                header = self.source.header[column]
                parts = [name, which if several[name] > 1 or not name else "", header if len(usable) > 1 else ""]
                channels.append(
                    Channel(
                        " ".join(filter(None, parts)) or header,
                        f"{header} {which}",
                        f"column {column + 1}, meter {number}",
                        [self.rows[at] for at in members],
                        [self.walls[at] for at in members],
                        [self.offsets[at] for at in members],
                        [self.rows[at].cells[column] for at in members],
                        [self.rows[at].cells[unit] for at in members] if unit is not None else [],
                    )
                )
        return channels
