"""What a channel measures: role, site, unit, and whether its figures are power, energy or a meter that counts up."""

from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import NamedTuple

from gridtokenx.simulation.recordings.findings import Finding, RecordingError, doubt
from gridtokenx.simulation.recordings.layout import Channel, Table
from gridtokenx.simulation.recordings.numbers import decimal_mark, read_quantity, split_cell
from gridtokenx.simulation.recordings.options import ROLES, UNITS, Options, one_of, told
from gridtokenx.simulation.recordings.stamps import DAY_S
from gridtokenx.simulation.recordings.words import REGISTER_WORDS, has_word, role_in, site_in, unit_in_header

_RISES_MIN = 12
_MARK_CELLS = 20_000
POWER_W_MAX = 2_000_000
"""A column above two megawatts is no home, shop or floor: more likely its unit is another one."""
FACTORS_W = {"W": 1, "kW": 1_000, "MW": 1_000_000}


class Meaning(NamedTuple):
    """A channel that is used. `unit` is one of `options.UNITS`; `rated_w` goes with share and W/kW."""

    table: Table
    channel: Channel
    role: str
    site: str
    unit: str
    mark: str
    rated_w: int | None
    site_told: bool


class Values(NamedTuple):
    """Numbers of a channel in the order of time, for looking at; steps without a number are left out."""

    numbers: list[float]
    walls: list[int]


def read_meanings(table: Table, options: Options) -> tuple[list[Meaning], list[Finding]]:
    """What each channel is. Channels that are nothing of a site are found as not used."""
    source = table.source
    findings: list[Finding] = []
    cells = (cell for channel in table.channels if not channel.ignored for cell in channel.cells)
    mark = _mark(table, [cell for cell, _ in zip(cells, range(_MARK_CELLS), strict=False)], options, findings)
    by_flags = any(_told_role(table, channel, options) for channel in table.channels)
    meanings: list[Meaning] = []
    unclear: list[tuple[Channel, str, str]] = []
    for channel in table.channels:
        setting = _told_role(table, channel, options)
        if setting is None and (reason := _unused(table, channel, options)):
            findings.append(Finding("not used", source.name, channel.name, "", reason))
            continue
        role, site = setting or ("", "")
        evidence, sure = "you said so", True
        if not role:
            role, evidence, sure = _role(table, channel, mark, by_flags)
        if not role:
            findings.append(Finding("not used", source.name, channel.name, "", evidence))
            continue
        if sure:
            findings.append(Finding("role", source.name, channel.name, role, evidence))
        else:
            unclear.append((channel, role, evidence))
        unit, rated_w = _unit(table, channel, mark, options, findings)
        key = site or _site(table, channel)
        meanings.append(Meaning(table, channel, role, key, unit, mark, rated_w, bool(site)))
    return meanings, [*_units_in_one(table, findings, len(meanings)), *_role_questions(table, unclear)]


def _units_in_one(table: Table, findings: list[Finding], used: int) -> list[Finding]:
    """One question for the unit of a file whose columns all lack one, instead of one for each."""
    open_ = [finding for finding in findings if finding.what == "unit" and not finding.sure]
    if (
        len(open_) != used
        or used < 2
        or any(finding.value != open_[0].value for finding in open_ if finding.value != "kW")
    ):
        return findings
    file = table.source.name
    first = max(open_, key=lambda finding: finding.value == "W")
    whole = first._replace(place=f"{first.place} and {used - 1} more", key=file)
    return [*(finding for finding in findings if finding not in open_), whole]


def _names(table: Table, channel: Channel) -> tuple[str, ...]:
    file = table.source.name
    return channel.name, f"{file}:{channel.name}", f"{table.source.stem}:{channel.name}"


def _told_role(table: Table, channel: Channel, options: Options) -> tuple[str, str] | None:
    for setting in reversed(options.roles):
        if any(fnmatchcase(name, setting.column) for name in _names(table, channel)):
            return setting.role, setting.site
    return None


def _unused(table: Table, channel: Channel, options: Options) -> str:
    if any(fnmatchcase(name, pattern) for name in _names(table, channel) for pattern in options.ignore):
        return "you said so"
    if channel.ignored:
        return f"'{channel.ignored}' is no load and no PV"
    return "it counts the rows" if _counts_rows(channel) else ""


def _counts_rows(channel: Channel) -> bool:
    """A column whose whole numbers go up by one from row to row."""
    if not all(cell.isdecimal() and len(cell) < 12 for cell in channel.cells) or len(channel.cells) < 3:
        return False
    return all(int(after) == int(before) + 1 for before, after in pairwise(channel.cells))


def _role(table: Table, channel: Channel, mark: str, by_flags: bool) -> tuple[str, str, bool]:
    """Role, evidence, and whether it is sure. Where flags name other columns of the file, only headers speak."""
    role = role_in(channel.words) or role_in(channel.name)
    evidence = f"header '{channel.words.strip() or channel.name}'"
    if not role and by_flags:
        return "", "no flag names it", True
    if not role:
        role, evidence = _role_of_file(table), "the file's name or the lines above the table"
    values = look_at(channel, mark)
    below = sum(number < 0 for number in values.numbers)
    if role == "load" and below > 0.01 * len(values.numbers):
        return "net", f"{below} of {len(values.numbers)} values are below zero", False
    return (role, evidence, True) if role else (*_role_by_day(values), False)


def _role_of_file(table: Table) -> str:
    """The file's name speaks where no header of it does."""
    if any(role_in(channel.words) or role_in(channel.name) for channel in table.channels if not channel.ignored):
        return ""
    return role_in(table.source.stem) or role_in(table.source.before)


def _role_by_day(values: Values) -> tuple[str, str]:
    """A proposal by when energy flows; of a register its steps tell that."""
    steps = [after - before for before, after in pairwise(values.numbers)]
    if sum(step < 0 for step in steps) * 20 < sum(step > 0 for step in steps):
        values = Values([max(0.0, step) for step in steps], values.walls[1:])
    total = sum(abs(number) for number in values.numbers)
    day = sum(abs(n) for n, wall in zip(values.numbers, values.walls, strict=True) if 5 <= wall % DAY_S // 3600 < 20)
    if total and day >= 0.995 * total:
        return "pv", "nothing says it; it is zero at night"
    return "load", "nothing says it; it runs day and night"


def _role_questions(table: Table, unclear: list[tuple[Channel, str, str]]) -> list[Finding]:
    """One question for all columns of a file when they are alike, else one for each."""
    file = table.source.name
    choices = (*ROLES, "ignore")
    proposals = {(role, evidence) for _, role, evidence in unclear}
    used = [channel for channel in table.channels if not channel.ignored]
    if len(unclear) > 1 and len(proposals) == 1 and len(unclear) == len(used):
        role, evidence = proposals.pop()
        place = f"{unclear[0][0].name} and {len(unclear) - 1} more"
        return [doubt("role", file, place, f"{file}:*", evidence, f"--{role}", "", choices)]
    return [
        doubt("role", file, channel.name, channel.name, evidence, f"--{role}", "", choices)
        for channel, role, evidence in unclear
    ]


def _site(table: Table, channel: Channel) -> str:
    """What remains of a meter's name, else of a header, else of the file's name."""
    return site_in(channel.name if not channel.name.startswith("#") else "") or site_in(table.source.stem) or "home"


def _mark(table: Table, cells: list[str], options: Options, findings: list[Finding]) -> str:
    name = table.source.name
    said = told(options.decimal, name)
    if said is not None:
        word = one_of(said, ("point", "comma", ".", ","), "--decimal")
        findings.append(Finding("decimal mark", name, "", word, "you said so"))
        return "," if word in {"comma", ","} else "."
    marks = decimal_mark(cells, table.source.delimiter)
    word = "comma" if marks.mark == "," else "point"
    choices = ("point", "comma")
    findings.append(Finding("decimal mark", name, "", word, marks.evidence, marks.sure, "--decimal", name, choices))
    return marks.mark


def look_at(channel: Channel, mark: str) -> Values:
    """The channel's numbers in the order of time."""
    pairs = []
    for wall, cell in zip(channel.walls, channel.cells, strict=True):
        quantity = read_quantity(cell, mark)
        if quantity is not None:
            pairs.append((wall, float(quantity.value)))
    pairs.sort(key=lambda pair: pair[0])
    return Values([number for _, number in pairs], [wall for wall, _ in pairs])


def _unit(
    table: Table, channel: Channel, mark: str, options: Options, findings: list[Finding]
) -> tuple[str, int | None]:
    name = table.source.name
    names = (*_names(table, channel), name)
    said = told(options.unit, *names)
    rated = told(options.rated, *names)
    rated_w = watts(rated, "--rated") if rated is not None else None
    if said is not None:
        unit = one_of(said, UNITS, "--unit")
        findings.append(Finding("unit", name, channel.name, unit, "you said so"))
        return unit, _rating(unit, rated_w, name, channel, findings)
    unit, evidence = _named_unit(table, channel)
    values = look_at(channel, mark)
    if not unit:
        proposal, evidence = _by_magnitude(values)
        choices = UNITS
        unsure = doubt("unit", name, channel.name, proposal, evidence, "--unit", channel.name, choices)
        findings.append(unsure)
        return proposal or "W", None
    unit, evidence, sure = _counts_up(channel, values, unit, evidence)
    if unit in FACTORS_W and values.numbers and max(values.numbers) * FACTORS_W[unit] > POWER_W_MAX:
        evidence, sure = f"{evidence}, but its peak would be {max(values.numbers):,.0f} {unit}", False
    found = Finding("unit", name, channel.name, unit, evidence, sure, "--unit", channel.name, UNITS)
    findings.append(found)
    return unit, _rating(unit, rated_w, name, channel, findings)


def _rating(unit: str, rated_w: int | None, file: str, channel: Channel, findings: list[Finding]) -> int | None:
    if unit not in {"share", "W/kW"} or rated_w is not None:
        return rated_w
    evidence = "its figures are parts of the rated power, which the file does not hold"
    findings.append(doubt("rated power", file, channel.name, "", evidence, "--rated", channel.name))
    return 1_000


def _named_unit(table: Table, channel: Channel) -> tuple[str, str]:
    """The unit that unit column, cells, header, file or preamble name."""
    if channel.units:
        return "W", "the unit stands in each row"
    held = [parts[1] for cell in channel.cells if (parts := split_cell(cell)) is not None]
    inside = {unit for unit in held if unit}
    if inside and sum(bool(unit) for unit in held) >= 0.5 * len(held):
        most = max(inside, key=held.count)
        return most, f"its cells say {', '.join(sorted(inside))}"
    for text, what in (
        (channel.words, f"header '{channel.words.strip()}'"),
        (channel.name, f"name '{channel.name}'"),
        (table.source.stem, "the file's name"),
        (table.source.before, "the lines above the table"),
    ):
        unit = unit_in_header(text)
        if unit and unit != "other":
            return unit, what
    return "", ""


def _by_magnitude(values: Values) -> tuple[str, str]:
    """A proposal, never more: figures alone do not tell kW from kWh."""
    if not values.numbers:
        return "", "no header names it"
    low, high = min(values.numbers), max(values.numbers)
    if low >= 0 and all(b >= a for a, b in pairwise(values.numbers)) and high > low:
        return "kWh-register", f"no header names it; its figures only rise, from {low:g} to {high:g}"
    proposal = "W" if high > 200 else "kW"
    return proposal, f"no header names it; figures from {low:g} to {high:g} would do for several"


def _counts_up(channel: Channel, values: Values, unit: str, evidence: str) -> tuple[str, str, bool]:
    """Whether energy is of the interval or a register: registers rise for ever, or start each day at zero."""
    if not unit.endswith("h") or channel.units:
        return unit, evidence, True
    steps = [b - a for a, b in pairwise(values.numbers)]
    rises, falls = sum(step > 0 for step in steps), sum(step < 0 for step in steps)
    days = len({wall // DAY_S for wall in values.walls})
    says = has_word(channel.words, REGISTER_WORDS)
    resets = sum(
        step < 0 and after < 0.05 * (after - step) for step, after in zip(steps, values.numbers[1:], strict=False)
    )
    # Energy of intervals goes up and down all day; a register never falls, but for a new start.
    if rises >= _RISES_MIN and falls <= days and resets >= 0.9 * falls and rises > 4 * falls:
        what = "never falls" if not falls else f"falls only to start anew, {falls} times in {days} days"
        return f"{unit}-register", f"{evidence}; {what} and rises {rises} times", True
    if falls <= 0.01 * rises and rises >= _RISES_MIN:
        return f"{unit}-register", f"{evidence}; rises {rises} times and falls {falls} times", bool(says)
    if rises + falls < _RISES_MIN:
        return (
            unit,
            f"{evidence}; too few figures to tell energy of the interval from a register",
            bool(not says and falls),
        )
    return unit, f"{evidence}; goes up and down, so energy of each interval", True


def watts(text: str, flag: str) -> int:
    """Power as whole W from `4kW`, `3500 W`, `0.5MW`. Raises `RecordingError`."""
    parts = read_quantity(text, ".")
    if parts is None or parts.unit not in FACTORS_W or parts.value <= 0:
        raise RecordingError(f"{flag}: '{text}' is no power; write 4kW or 3500W")
    return int((parts.value * FACTORS_W[parts.unit]).to_integral_value())


def watt_hours(text: str, flag: str) -> int:
    """Energy as whole Wh from `10kWh`. Raises `RecordingError`."""
    parts = read_quantity(text, ".")
    factors = {"Wh": 1, "kWh": 1_000, "MWh": 1_000_000}
    if parts is None or parts.unit not in factors or parts.value < 0:
        raise RecordingError(f"{flag}: '{text}' is no energy; write 10kWh")
    return int((parts.value * factors[parts.unit]).to_integral_value(rounding="ROUND_HALF_EVEN"))


def is_register(unit: str) -> bool:
    return unit.endswith("-register")


def micro_per_unit(unit: str) -> Decimal:
    """Millionths of a Wh (or of a W) in one of the unit."""
    return Decimal({"k": 1_000, "M": 1_000_000}.get(unit[0], 1)) * 1_000_000
