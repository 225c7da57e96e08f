"""From cells to energy in quarters of an hour.

Energies are whole millionths of a Wh, so that sums are exact: a value is rounded once, when its unit is applied (to
the nearest). A quarter is known when rows cover all of its 900 seconds; what a row says of several quarters is split
by time, and the parts add up to the row.
"""

from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from gridtokenx.simulation.recordings.clock import FileClock
from gridtokenx.simulation.recordings.findings import Kind, Trouble, in_runs
from gridtokenx.simulation.recordings.meaning import Meaning, is_register, micro_per_unit
from gridtokenx.simulation.recordings.numbers import is_missing, read_quantity

QUARTER_S = 900
_STEP_PERCENT_MAX = 150  # of the interval: a value holds until the next stamp, if that is not further away
_REGISTER_STEP_MAX_S = 3600  # what a register counted over a longer hole cannot be put on quarters
_STANDBY_PERMILLE = 20  # of the peak: so little below zero is what an inverter draws at night


class Quarters(NamedTuple):
    """Energy by interval number (UTC seconds // 900), and the line that it comes from."""

    energy_uwh: dict[int, int]
    lines: dict[int, int]


class Recording(NamedTuple):
    """One channel in quarters, with what its rows sum to before they are cut (`sum_uwh`)."""

    meaning: Meaning
    quarters: Quarters
    sum_uwh: int


class _Sample(NamedTuple):
    second: int
    line: int
    value: Decimal | None
    unit: str


def record(
    meaning: Meaning, clock: FileClock, placed: list[int | None], duplicates: str
) -> tuple[Recording, list[Trouble]]:
    """Read a channel whose rows stand at `placed` (UTC seconds). All that is left out or mended is a trouble."""
    channel, file = meaning.channel, meaning.table.source.name
    samples, troubles = _samples(meaning, placed)
    samples, of_order = _in_order(samples, file)
    troubles += of_order
    samples, of_twins = _without_twins(samples, file, channel.name, duplicates)
    troubles += of_twins
    off_grid = [sample.line for sample in samples if sample.second % min(clock.interval_s, QUARTER_S)]
    if off_grid:
        reason = f"{len(off_grid)} of {len(samples)} times stand between the steps of the interval"
        done = "their energy is split by time"
        troubles.append(Trouble(Kind.OFF_GRID, file, min(off_grid), max(off_grid), "", len(off_grid), reason, done))
    if is_register(meaning.unit):
        spans, of_values = _register_spans(meaning, samples)
    else:
        spans, of_values = _interval_spans(meaning, clock, samples)
    troubles += of_values
    return Recording(meaning, _quarters(spans), sum(span[2] for span in spans)), troubles


def _samples(meaning: Meaning, placed: list[int | None]) -> tuple[list[_Sample], list[Trouble]]:
    """Numbers with their times; cells without a number keep their time, so that nothing grows over them."""
    channel, file = meaning.channel, meaning.table.source.name
    samples: list[_Sample] = []
    empty: list[int] = []
    strange: list[int] = []
    texts: dict[int, str] = {}
    for at, (row, second, cell) in enumerate(zip(channel.rows, placed, channel.cells, strict=True)):
        if second is None:
            continue
        quantity = read_quantity(cell, meaning.mark)
        if quantity is None:
            (empty if is_missing(cell) else strange).append(row.line)
            texts[row.line] = f"'{cell[:24]}'"
            samples.append(_Sample(second, row.line, None, ""))
            continue
        unit = quantity.unit or (channel.units[at].strip() if channel.units else "")
        samples.append(_Sample(second, row.line, quantity.value, unit))
    troubles = _runs(Kind.EMPTY, meaning, empty, "no value", "left to the gaps")
    troubles += [
        trouble._replace(told=texts[trouble.line])
        for trouble in _runs(Kind.NOT_A_NUMBER, meaning, strange, "is no number", "left to the gaps")
    ]
    units = sorted({sample.unit for sample in samples if sample.unit})
    if len(units) > 1:
        lines = sorted(sample.line for sample in samples if sample.unit and sample.unit != units[0])
        reason = f"several units in one column ({', '.join(units)})"
        done = "each value is read in its own"
        troubles.append(Trouble(Kind.MIXED_UNITS, file, lines[0], lines[-1], channel.name, len(lines), reason, done))
    return samples, troubles


def _runs(kind: Kind, meaning: Meaning, lines: list[int], reason: str, done: str) -> list[Trouble]:
    file, column = meaning.table.source.name, meaning.channel.name
    return [Trouble(kind, file, a, b, column, n, reason, done) for a, b, n in in_runs(sorted(lines))]


def _in_order(samples: list[_Sample], file: str) -> tuple[list[_Sample], list[Trouble]]:
    latest = -(1 << 62)
    late: list[int] = []
    for sample in samples:
        if sample.second < latest:
            late.append(sample.line)
        latest = max(latest, sample.second)
    if not late:
        return samples, []
    if len(late) * 2 > len(samples) and all(a.second >= b.second for a, b in pairwise(samples)):
        trouble = Trouble(
            Kind.OUT_OF_ORDER, file, late[0], late[-1], "", len(late), "newest rows come first", "turned round"
        )
        return samples[::-1], [trouble]
    reason = "stands behind a later time"
    troubles = [
        Trouble(Kind.OUT_OF_ORDER, file, a, b, "", n, reason, "put in order") for a, b, n in in_runs(sorted(late))
    ]
    return sorted(samples, key=lambda sample: sample.second), troubles


def _without_twins(samples: list[_Sample], file: str, column: str, policy: str) -> tuple[list[_Sample], list[Trouble]]:
    """One sample for each time. A number beats an empty cell; different numbers go by the policy."""
    kept: list[_Sample] = []
    same: list[int] = []
    other: list[int] = []
    at = 0
    while at < len(samples):
        end = at + 1
        while end < len(samples) and samples[end].second == samples[at].second:
            end += 1
        group = samples[at:end]
        numbers = [sample for sample in group if sample.value is not None]
        chosen = (numbers or group)[0]
        if len({(sample.value, sample.unit) for sample in numbers}) > 1:
            other += [sample.line for sample in group]
            if policy == "last":
                chosen = numbers[-1]
            elif policy == "leave-out":
                chosen = chosen._replace(value=None)
        elif end - at > 1:
            same += [sample.line for sample in group[1:]]
        kept.append(chosen)
        at = end
    done = {"leave-out": "all of them left to the gaps", "first": "the first is kept", "last": "the last is kept"}[
        policy
    ]
    troubles = [
        Trouble(Kind.DUPLICATE_SAME, file, a, b, column, n, "a time stands again with the same value", "kept once")
        for a, b, n in in_runs(sorted(same))
    ]
    troubles += [
        Trouble(Kind.DUPLICATE_DIFFERENT, file, a, b, column, n, "a time stands again with another value", done)
        for a, b, n in in_runs(sorted(other))
    ]
    return kept, troubles


def _interval_spans(
    meaning: Meaning, clock: FileClock, samples: list[_Sample]
) -> tuple[list[tuple[int, int, int, int]], list[Trouble]]:
    """(begin, end, energy, line) of each sample that holds power or the energy of its interval."""
    length, limit = clock.interval_s, clock.interval_s * _STEP_PERCENT_MAX // 100
    peak = max((abs(sample.value) for sample in samples if sample.value is not None), default=Decimal(0))
    spans: list[tuple[int, int, int, int]] = []
    negative: list[int] = []
    standby: list[int] = []
    for at, sample in enumerate(samples):
        if sample.value is None:
            continue
        value = sample.value
        if value < 0 and meaning.role != "net":
            if meaning.role in {"pv", "export"} and -value * 1000 <= peak * _STANDBY_PERMILLE:
                standby.append(sample.line)
                value = Decimal(0)
            else:
                negative.append(sample.line)
                continue
        if clock.stamp == "end":
            step = sample.second - samples[at - 1].second if at else length
            begin, end = sample.second - (step if step <= limit else length), sample.second
        else:
            step = samples[at + 1].second - sample.second if at + 1 < len(samples) else length
            begin, end = sample.second, sample.second + (step if step <= limit else length)
        spans.append((begin, end, _energy_uwh(meaning, sample.unit, value, end - begin), sample.line))
    troubles = _runs(Kind.NEGATIVE, meaning, negative, "is below zero", "left to the gaps")
    troubles += _runs(Kind.NEGATIVE, meaning, standby, "is a little below zero", "read as zero")
    return spans, troubles


def _energy_uwh(meaning: Meaning, own_unit: str, value: Decimal, seconds: int) -> int:
    unit = own_unit or meaning.unit
    if unit in {"share", "W/kW"}:
        watts = value * (meaning.rated_w or 0) / (1 if unit == "share" else 1_000)
        return int((watts * 1_000_000 * seconds / 3600).to_integral_value())
    if unit.endswith("h"):
        return int((value * micro_per_unit(unit)).to_integral_value())
    return int((value * micro_per_unit(unit) * seconds / 3600).to_integral_value())


def _register_spans(meaning: Meaning, samples: list[_Sample]) -> tuple[list[tuple[int, int, int, int]], list[Trouble]]:
    """Energy between readings of a meter that counts up. After a new start the count itself is what flowed."""
    unit = meaning.unit.removesuffix("-register")
    spans: list[tuple[int, int, int, int]] = []
    resets: list[int] = []
    backwards: list[int] = []
    readings = [sample for sample in samples if sample.value is not None]
    for before, after in pairwise(readings):
        if before.value is None or after.value is None:
            continue
        rise = after.value - before.value
        if rise < 0:
            if after.value < 0 or after.value * 20 > before.value:
                backwards.append(after.line)
                continue
            resets.append(after.line)
            rise = after.value
        if after.second - before.second <= _REGISTER_STEP_MAX_S:
            energy = int((rise * micro_per_unit(after.unit or unit)).to_integral_value())
            spans.append((before.second, after.second, energy, after.line))
    troubles = _runs(Kind.REGISTER_RESET, meaning, resets, "the register starts anew", "its count is what flowed since")
    troubles += _runs(Kind.REGISTER_BACK, meaning, backwards, "the register runs backwards", "left to the gaps")
    return spans, troubles


def _quarters(spans: list[tuple[int, int, int, int]]) -> Quarters:
    energy: defaultdict[int, int] = defaultdict(int)
    covered: defaultdict[int, int] = defaultdict(int)
    lines: dict[int, int] = {}
    for begin, end, energy_uwh, line in spans:
        length = end - begin
        for quarter in range(begin // QUARTER_S, (end - 1) // QUARTER_S + 1):
            first = max(begin, quarter * QUARTER_S) - begin
            last = min(end, (quarter + 1) * QUARTER_S) - begin
            energy[quarter] += energy_uwh * last // length - energy_uwh * first // length
            covered[quarter] += last - first
            lines.setdefault(quarter, line)
    known = sorted(quarter for quarter, seconds in covered.items() if seconds == QUARTER_S)
    return Quarters({quarter: energy[quarter] for quarter in known}, {quarter: lines[quarter] for quarter in known})
