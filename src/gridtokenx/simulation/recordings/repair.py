"""Looking at each site's quarters: what cannot be, what is missing, and what is put in its place.

Order: what cannot be (above the capacity that was told) becomes a gap; what is odd (spikes, frozen runs, PV at night)
is reported and kept, or left out when told; gaps are filled as told. Every change is a `Trouble` with its lines.
"""

from datetime import date
from typing import NamedTuple

from gridtokenx.simulation.recordings.findings import Kind, RecordingError, Trouble
from gridtokenx.simulation.recordings.options import Options
from gridtokenx.simulation.recordings.series import Quarters
from gridtokenx.simulation.recordings.sites import SiteSeries
from gridtokenx.simulation.scenario import SkyTable
from gridtokenx.simulation.tariff_view import (
    INTERVALS_PER_DAY,
    INTERVALS_PER_HOUR,
    bangkok_day,
    first_interval,
    month_of_day,
    quarter_of_day,
)

_FILLED_MAX = INTERVALS_PER_HOUR  # what `short` fills: an hour
_LIKE_DAYS_MAX = 28
_FROZEN_LOAD = 6 * INTERVALS_PER_HOUR
_FROZEN_PV = 2 * INTERVALS_PER_HOUR
_FROZEN_ZERO = INTERVALS_PER_DAY
_SAME_UWH = 4  # an hour cut into quarters differs so much at most
_SPIKE_TIMES = 8
_NIGHT_PERMILLE = 10  # of the capacity
_NOON_OFF_QUARTERS = 6
_WEEKDAY_OF_DAY_0 = 3  # 1 January 1970 was a Thursday
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


class Line(NamedTuple):
    """One of a site's two series, with what reports call it."""

    site: str
    kind: str
    file: str
    column: str
    quarters: Quarters
    capacity_w: int = 0
    capacity_told: bool = False


def lines_of(site: SiteSeries, capacity_w: dict[str, int | None]) -> list[Line]:
    """Load and PV of a site with their capacities: told, else the highest quarter."""
    found = [Line(site.key, "load", site.load_file, site.load_column, site.load)]
    if site.pv is not None:
        found.append(Line(site.key, "pv", site.pv_file, site.pv_column, site.pv))
    return [
        line._replace(
            capacity_w=capacity_w[line.kind] or peak_w(line.quarters), capacity_told=bool(capacity_w[line.kind])
        )
        for line in found
    ]


def peak_w(quarters: Quarters) -> int:
    """Mean power of the highest quarter, rounded up to whole W."""
    return -(-max(quarters.energy_uwh.values(), default=0) * INTERVALS_PER_HOUR // 1_000_000)


def repair(line: Line, sky: SkyTable, options: Options) -> tuple[Line, list[Trouble]]:
    """The line without what cannot be, its gaps filled as told. Raises `RecordingError` when told to reject gaps."""
    troubles: list[Trouble] = []
    if not line.quarters.energy_uwh:
        return line, troubles
    energy = dict(line.quarters.energy_uwh)
    _leave_out_impossible(line, energy, troubles)
    odd = [*_spikes(energy), *_frozen(line, energy)]
    if line.kind == "pv":
        odd += _at_night(line, energy, sky)
        _noon(line, energy, sky, troubles)
    for kind, quarters, reason in odd:
        done = "kept" if options.suspect == "keep" else "left to the gaps"
        troubles.append(_trouble(line, kind, quarters, reason, done))
        if options.suspect != "keep":
            for quarter in quarters:
                energy.pop(quarter, None)
    fixed = line._replace(quarters=Quarters(energy, line.quarters.lines))
    return _fill(fixed, options.gaps, troubles), troubles


def _trouble(line: Line, kind: Kind, quarters: list[int], reason: str, done: str) -> Trouble:
    at = line.quarters.lines
    numbers = [at[quarter] for quarter in quarters if quarter in at]
    first, last = (min(numbers), max(numbers)) if numbers else (0, 0)
    when = f"{moment(quarters[0])}" + (f" to {moment(quarters[-1] + 1)}" if len(quarters) > 1 else "")
    return Trouble(kind, line.file, first, last, line.column, len(quarters), f"{when}: {reason}", done)


def moment(interval: int) -> str:
    """The begin of an interval in Bangkok."""
    first = bangkok_day(interval)
    minutes = quarter_of_day(interval) * 15
    return f"{day_text(first)} {minutes // 60:02d}:{minutes % 60:02d}"


def day_text(day: int) -> str:
    """A day counted from the epoch, as a date."""
    return date.fromordinal(day + _EPOCH_ORDINAL).isoformat()


def _runs(quarters: list[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for quarter in quarters:
        if runs and quarter == runs[-1][-1] + 1:
            runs[-1].append(quarter)
        else:
            runs.append([quarter])
    return runs


def _leave_out_impossible(line: Line, energy: dict[int, int], troubles: list[Trouble]) -> None:
    if not line.capacity_told:
        return
    limit_uwh = line.capacity_w // INTERVALS_PER_HOUR * 1_000_000  # whole Wh, as the scenario will hold them
    above = sorted(quarter for quarter, value in energy.items() if value > limit_uwh)
    for run in _runs(above):
        reason = f"more than {line.capacity_w} W can give"
        troubles.append(_trouble(line, Kind.ABOVE_CAPACITY, run, reason, "left to the gaps"))
        for quarter in run:
            del energy[quarter]


def _spikes(energy: dict[int, int]) -> list[tuple[Kind, list[int], str]]:
    """Lone quarters many times above what the line reaches otherwise, and above both neighbours."""
    used = sorted(value for value in energy.values() if value > 0)
    if len(used) < INTERVALS_PER_DAY:
        return []
    high = used[len(used) * 99 // 100] * _SPIKE_TIMES
    lone = [
        quarter
        for quarter, value in energy.items()
        if value > high and max(energy.get(quarter - 1, 0), energy.get(quarter + 1, 0)) * _SPIKE_TIMES < value
    ]
    reason = f"more than {_SPIKE_TIMES} times what it reaches otherwise"
    return [(Kind.SPIKE, [quarter], reason) for quarter in sorted(lone)]


def _frozen(line: Line, energy: dict[int, int]) -> list[tuple[Kind, list[int], str]]:
    """Runs of one value: a meter that stopped. PV at its peak is a full inverter, and zero at night is the night."""
    found: list[tuple[Kind, list[int], str]] = []
    peak = max(energy.values(), default=0)
    run: list[int] = []
    for quarter in [*sorted(energy), None]:
        if (
            quarter is not None
            and run
            and quarter == run[-1] + 1
            and abs(energy[quarter] - energy[run[0]]) <= _SAME_UWH
        ):
            run.append(quarter)
            continue
        value = energy[run[0]] if run else 0
        needed = _FROZEN_ZERO if not value else _FROZEN_LOAD if line.kind == "load" else _FROZEN_PV
        full = line.kind == "pv" and value * 100 >= peak * 98
        if run and len(run) > needed and not full and peak > _SAME_UWH:
            found.append((Kind.FROZEN, run, f"the same value for {len(run) / INTERVALS_PER_HOUR:g} hours"))
        run = [quarter] if quarter is not None else []
    return found


def _sun_permille(sky: SkyTable, quarter: int) -> int:
    return sky[month_of_day(bangkok_day(quarter)) - 1][quarter_of_day(quarter)]


def _at_night(line: Line, energy: dict[int, int], sky: SkyTable) -> list[tuple[Kind, list[int], str]]:
    """PV when the sky table has no sun for an hour around."""
    threshold = line.capacity_w * 1_000_000 // INTERVALS_PER_HOUR * _NIGHT_PERMILLE // 1000
    dark = [
        quarter
        for quarter, value in sorted(energy.items())
        if value > threshold
        and not any(_sun_permille(sky, quarter + near) for near in (-INTERVALS_PER_HOUR, 0, INTERVALS_PER_HOUR))
    ]
    return [(Kind.PV_AT_NIGHT, run, "PV while the sun is down") for run in _runs(dark)]


def _noon(line: Line, energy: dict[int, int], sky: SkyTable, troubles: list[Trouble]) -> None:
    """The middle of the energy of a day against the middle of its sky: a wrong zone shows here."""
    total = sum(energy.values())
    days = {bangkok_day(quarter) for quarter in energy}
    if not total or len(energy) < INTERVALS_PER_DAY:
        return
    middle = sum(value * (2 * quarter_of_day(quarter) + 1) for quarter, value in energy.items()) / (2 * total)
    clear = [sky[month_of_day(day) - 1] for day in days]
    noon = sum(
        sum(value * (2 * at + 1) for at, value in enumerate(table)) / (2 * max(1, sum(table))) for table in clear
    ) / len(clear)
    if abs(middle - noon) < _NOON_OFF_QUARTERS:
        return
    hours = [f"{int(value * 15) // 60:02d}:{int(value * 15) % 60:02d}" for value in (middle, noon)]
    reason = f"the middle of its days is at {hours[0]}, the sun's at {hours[1]}: --timezone or --clock may be wrong"
    lines = line.quarters.lines
    first, last = min(lines.values()), max(lines.values())
    troubles.append(Trouble(Kind.PV_NOON, line.file, first, last, line.column, len(days), reason, "kept"))


def _fill(line: Line, policy: str, troubles: list[Trouble]) -> Line:
    """Fill the holes between the first and the last known quarter, and up to an hour before and after."""
    energy = dict(line.quarters.energy_uwh)
    if not energy:
        return line
    first, last = min(energy), max(energy)
    missing = [quarter for quarter in range(first, last + 1) if quarter not in energy]
    known = dict(energy)
    # a register lacks the quarter after its last reading, stamps at the end lack the one before the first
    troubles += [
        _gap_trouble(line, run, _filled(line.kind, run, "like-day", known, energy)) for run in _edges(first, last)
    ]
    for run in _runs(missing):
        if policy == "reject":
            trouble = _gap_trouble(line, run, "not taken")
            raise RecordingError(f"{trouble}: --gaps reject takes no gap; tell how to fill it")
        done = "left open: longer than an hour"
        if policy != "short" or len(run) <= _FILLED_MAX:
            done = _filled(line.kind, run, policy, known, energy)
        troubles.append(_gap_trouble(line, run, done))
    return line._replace(quarters=Quarters(energy, line.quarters.lines))


def _edges(first: int, last: int) -> list[list[int]]:
    """What the first and the last day lack, where it is an hour at most."""
    before = range(first_of(bangkok_day(first)), first)
    after = range(last + 1, first_of(bangkok_day(last) + 1))
    return [list(edge) for edge in (before, after) if 0 < len(edge) <= _FILLED_MAX]


def _gap_trouble(line: Line, run: list[int], done: str) -> Trouble:
    """A gap has no lines of its own: it is named by the line before it, at the begin by the first one."""
    found = _trouble(line, Kind.GAP, run, _length(run), done)
    lines = line.quarters.lines
    before = lines.get(run[0] - 1, lines.get(run[-1] + 1, 0))
    return found if found.line else found._replace(line=before, line_to=before)


def _length(run: list[int]) -> str:
    hours, quarters = divmod(len(run), INTERVALS_PER_HOUR)
    return f"no values for {hours} h {quarters * 15} min"


def _filled(kind: str, run: list[int], policy: str, known: dict[int, int], energy: dict[int, int]) -> str:
    """Put values in; says what was done."""
    if policy == "zero":
        energy.update(dict.fromkeys(run, 0))
        return "filled with zero"
    if policy == "hold":
        energy.update(dict.fromkeys(run, known[run[0] - 1]))
        return "filled with the value before"
    taken = set()
    for quarter in run:
        like = _like_quarter(kind, quarter, known)
        if like is not None:
            energy[quarter] = known[like]
            taken.add(day_text(bangkok_day(like)))
    if not taken:
        return "left open: no like day is known"
    open_ = sum(quarter not in energy for quarter in run)
    days = ", ".join(sorted(taken)[:3]) + (f" and {len(taken) - 3} more" if len(taken) > 3 else "")
    return f"filled with the same time of {days}" + (f", {open_} quarters left open" if open_ else "")


def _like_quarter(kind: str, quarter: int, known: dict[int, int]) -> int | None:
    """The same quarter of the nearest day with a value; for loads a working day for a working day."""
    weekend = _is_weekend(quarter)
    for distance in range(1, _LIKE_DAYS_MAX + 1):
        for other in (quarter - distance * INTERVALS_PER_DAY, quarter + distance * INTERVALS_PER_DAY):
            if other in known and (kind == "pv" or _is_weekend(other) == weekend):
                return other
    return None


def _is_weekend(quarter: int) -> bool:
    return (bangkok_day(quarter) + _WEEKDAY_OF_DAY_0) % 7 >= 5


def whole_days(quarters: Quarters) -> set[int]:
    """Days (from the epoch, Bangkok) of which every quarter is known."""
    counts: dict[int, int] = {}
    for quarter in quarters.energy_uwh:
        day = bangkok_day(quarter)
        counts[day] = counts.get(day, 0) + 1
    return {day for day, number in counts.items() if number == INTERVALS_PER_DAY}


def first_of(day: int) -> int:
    """The interval at 00:00 of a day counted from the epoch."""
    return first_interval(date.fromordinal(day + _EPOCH_ORDINAL))
