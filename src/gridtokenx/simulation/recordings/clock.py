"""When a row's energy flowed: zone, interval, and whether a stamp names begin or end; then time for every row.

The time axis is UTC seconds. With `--clock ZONE` the wall clock of that zone is moved to Bangkok: what happened at
18:00 there happens at 18:00 in Bangkok, which is how habits travel; with `--clock instant` a moment stays the moment.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gridtokenx.simulation.recordings.findings import Finding, Kind, RecordingError, Trouble, doubt, in_runs
from gridtokenx.simulation.recordings.layout import Channel, Table
from gridtokenx.simulation.recordings.options import Options, one_of, told
from gridtokenx.simulation.recordings.stamps import DAY_S
from gridtokenx.simulation.recordings.times import seconds_of
from gridtokenx.simulation.recordings.words import BANGKOK_WORDS, THAI, UTC_WORDS

BANGKOK = timezone(timedelta(hours=7), "Asia/Bangkok")
BANGKOK_S = 7 * 3600
INTERVAL_MAX_S = 3600
_SUMMER_TIME_ZONES = ("Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Australia/Sydney")


class FileClock(NamedTuple):
    """How to read a file's times. `zone` is None when each stamp says its own offset."""

    interval_s: int
    stamp: str
    zone: tzinfo | None
    moved_from: tzinfo | None
    keeps_wall: bool
    findings: list[Finding]


def read_clock(table: Table, options: Options, only_registers: bool) -> FileClock:
    """Zone, interval and meaning of the stamps; what is not sure is found so."""
    findings: list[Finding] = []
    zone = _zone(table, options, findings)
    keeps_wall, moved_from = _move(table, options, zone, findings)
    interval_s = _interval(table, options, findings)
    stamp = "moment" if only_registers else _stamp(table, options, interval_s, findings)
    return FileClock(interval_s, stamp, zone, moved_from, keeps_wall, findings)


def zone_of(name: str, flag: str) -> tzinfo:
    """A zone by its IANA name or as +07:00. Raises `RecordingError`."""
    text = name.strip()
    if text[:1] in {"+", "-"}:
        digits = text[1:].replace(":", "")
        if digits.isdecimal() and len(digits) in {2, 4} and int(digits[:2]) <= 14 and int(digits[2:] or 0) < 60:
            offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
            return timezone(-offset if text[0] == "-" else offset)
    try:
        return UTC if text.upper() in {"UTC", "Z", "GMT"} else ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"{flag}: '{name}' is no time zone; write Asia/Bangkok, UTC, Europe/Berlin or +07:00"
        raise RecordingError(message) from error


def _zone(table: Table, options: Options, findings: list[Finding]) -> tzinfo | None:
    source, times = table.source, table.times
    name = source.name

    def found(zone: tzinfo | None, value: str, evidence: str) -> tzinfo | None:
        findings.append(Finding("time zone", name, "", value, evidence, flag="--timezone", key=name))
        return zone

    offsets = {offset for channel in table.channels for offset in set(channel.offsets)}
    known = {offset for offset in offsets if offset is not None}
    if known == offsets:
        said = ", ".join(f"{offset // 60:+03d}:{offset % 60:02d}" for offset in sorted(known))
        return found(None, "in each stamp", f"the stamps say {said}")
    text = told(options.timezone, name)
    if text is not None:
        return found(zone_of(text, "--timezone"), text, "you said so")
    headers = " ".join(source.header)
    words = f"{source.before} {headers}"
    if by_name := BANGKOK_WORDS.search(words):
        return found(BANGKOK, "Asia/Bangkok", f"the file says '{by_name[0]}'")
    if by_name := UTC_WORDS.search(" ".join([source.before, *(source.header[c] for c in times.columns)])):
        return found(UTC, "UTC", f"the file says '{by_name[0]}'")
    if times.buddhist:
        return found(BANGKOK, "Asia/Bangkok", "its years are of the Buddhist era")
    if THAI.search(words):
        return found(BANGKOK, "Asia/Bangkok", "its headers are in Thai")
    proposal, evidence = "Asia/Bangkok", "nothing in the file says it"
    repeated = _repeated_hour(table)
    if repeated is not None:
        proposal, evidence = repeated
    findings.append(doubt("time zone", name, "", proposal, evidence, "--timezone", name))
    return BANGKOK


def _repeated_hour(table: Table) -> tuple[str, str] | None:
    """The zone whose clock goes back an hour just where the stamps do."""
    walls = table.channels[0].walls
    for before, after in pairwise(walls):
        if not 0 < before - after < 3600:
            continue
        moment = datetime.fromtimestamp(after, UTC).replace(tzinfo=None)
        for name in _SUMMER_TIME_ZONES:
            zone = ZoneInfo(name)
            if moment.replace(tzinfo=zone).utcoffset() != moment.replace(tzinfo=zone, fold=1).utcoffset():
                return name, f"the hour from {moment:%Y-%m-%d %H:%M} stands twice, as clocks in {name} went"
    return None


def _move(table: Table, options: Options, zone: tzinfo | None, findings: list[Finding]) -> tuple[bool, tzinfo | None]:
    """(whether the written wall clock becomes Bangkok's, the zone whose wall clock does)."""
    name = table.source.name
    said = told(options.clock, name)
    if said is not None:
        findings.append(Finding("clock", name, "", said, "you said so"))
        if said.casefold() == "instant":
            return False, None
        return (True, None) if said.casefold() == "local" else (False, zone_of(said, "--clock"))
    if _is_instant(table, zone):
        return False, None
    evidence = "its clock is not Bangkok's: local keeps the hour on the clock, instant keeps the moment"
    choices = ("local", "instant")
    findings.append(doubt("clock", name, "", "local", evidence, "--clock", name, choices))
    return True, None


def _is_instant(table: Table, zone: tzinfo | None) -> bool:
    """Stamps in UTC are moments of no place's clock, and Bangkok's own clock needs no move."""
    if zone is None:
        return all(offset in {0, 420} for channel in table.channels for offset in set(channel.offsets))
    walls = table.channels[0].walls
    ends = (datetime.fromtimestamp(wall, UTC).replace(tzinfo=zone) for wall in (walls[0], walls[-1]))
    return zone is UTC or all(moment.utcoffset() == timedelta(hours=7) for moment in ends)


def _interval(table: Table, options: Options, findings: list[Finding]) -> int:
    name = table.source.name
    text = told(options.interval, name)
    said = seconds_of(text) if text is not None else None
    if table.times.interval_s is not None:
        if table.times.interval_s > INTERVAL_MAX_S:
            raise _too_coarse(name, table.times.interval_s)
        findings.append(Finding("interval", name, "", _minutes(table.times.interval_s), "from begin to end"))
        return table.times.interval_s
    steps: Counter[int] = Counter()
    for channel in table.channels[:50]:
        walls = sorted(set(channel.walls))
        steps.update(after - before for before, after in pairwise(walls))
    usual, number = steps.most_common(1)[0] if steps else (0, 0)
    share = number / max(1, steps.total())
    if said is not None:
        if share > 0.5 and usual != said and steps.total() > 3:
            raise RecordingError(
                f"{name}: --interval says {_minutes(said)}, but {share:.0%} of its steps are {_minutes(usual)}; "
                "leave the flag out, or correct it"
            )
        findings.append(Finding("interval", name, "", _minutes(said), "you said so"))
        return said
    is_round = usual % 60 == 0 or usual < 60
    if is_round and (share >= 0.9 or (share > 0.5 and _are_multiples(steps, usual))):
        if usual > INTERVAL_MAX_S:
            raise _too_coarse(name, usual)
        findings.append(Finding("interval", name, "", _minutes(usual), f"{share:.1%} of {steps.total()} steps"))
        return usual
    return _drifting(name, steps, findings)


def _are_multiples(steps: Counter[int], usual: int) -> bool:
    return usual > 0 and sum(number for step, number in steps.items() if step % usual == 0) >= 0.97 * steps.total()


def _drifting(name: str, steps: Counter[int], findings: list[Finding]) -> int:
    """Loggers that note the second at which they came to it: a step near a round one."""
    ordered = sorted(steps.elements())
    middle = ordered[len(ordered) // 2] if ordered else 0
    near = sum(0.8 * middle <= step <= 1.2 * middle for step in ordered) / max(1, len(ordered))
    if middle and near >= 0.9 and middle <= INTERVAL_MAX_S:
        nominal = max(60, round(middle / 60) * 60)
        evidence = f"{near:.1%} of the steps are within a fifth of {middle} s; each value holds until the next stamp"
        findings.append(Finding("interval", name, "", _minutes(nominal), evidence))
        return nominal
    evidence = (
        f"its {len(ordered)} steps keep no interval; the middle one is {middle} s" if ordered else "has one time only"
    )
    proposal = _minutes(middle) if 60 <= middle <= INTERVAL_MAX_S else "15min"
    findings.append(doubt("interval", name, "", proposal, evidence, "--interval", name))
    return 900


def _too_coarse(name: str, seconds: int) -> RecordingError:
    return RecordingError(
        f"{name}: its steps are {_minutes(seconds)}; a market needs an hour or less: ask for the load profile "
        "(15, 30 or 60 minutes)"
    )


def _minutes(seconds: int) -> str:
    return f"{seconds // 60}min" if seconds % 60 == 0 else f"{seconds}s"


def _stamp(table: Table, options: Options, interval_s: int, findings: list[Finding]) -> str:
    name, times = table.source.name, table.times
    said = told(options.stamp, name)
    if said is not None:
        stamp = one_of(said, ("begin", "end"), "--stamp")
        findings.append(Finding("stamp", name, "", stamp, "you said so"))
        return stamp
    if times.stamp:
        findings.append(Finding("stamp", name, "", times.stamp, times.stamp_evidence))
        return times.stamp
    first, last = min(table.channels[0].walls), max(table.channels[0].walls)
    if first % DAY_S == interval_s and last % DAY_S == 0 and last > first:
        findings.append(Finding("stamp", name, "", "end", "whole days only when stamps name the end"))
        return "end"
    whole = first % DAY_S == 0 and last % DAY_S == DAY_S - interval_s
    evidence = (
        "whole days when stamps name the begin, but exports cut at midnight look alike"
        if whole
        else "the times do not show it"
    )
    findings.append(doubt("stamp", name, "", "begin", evidence, "--stamp", name, ("begin", "end")))
    return "begin"


def place_rows(clock: FileClock, channel: Channel, file: str) -> tuple[list[int | None], list[Trouble]]:
    """UTC seconds of each row, None for rows that the clock rules out; with what was found on the way."""
    placed: list[int | None] = []
    skipped: list[int] = []
    second_pass: list[int] = []
    twice: list[int] = []
    seen: set[int] = set()
    taken: dict[int, int] = {}
    moves = clock.keeps_wall or clock.moved_from is not None
    for row, wall, offset in zip(channel.rows, channel.walls, channel.offsets, strict=True):
        second, is_second_pass = _utc(clock, wall, offset, wall in seen)
        seen.add(wall)
        if second is None:
            skipped.append(row.line)
        elif moves:
            moved = _moved(clock, wall, second)
            if taken.setdefault(moved, second) != second:
                twice.append(row.line)  # another moment, but the same time on the clock that is moved
                second = None
            else:
                second = moved
        elif is_second_pass:
            second_pass.append(row.line)
        placed.append(second)
    troubles = []
    for kind, lines, reason, done in (
        (Kind.CLOCK_SKIPPED, skipped, "the clock of its zone skipped this time", "left out"),
        (Kind.CLOCK_REPEATED, twice, "the clock went back an hour", "left out: the first pass is kept"),
        (Kind.CLOCK_REPEATED, second_pass, "the clock went back an hour", "read as the second pass"),
    ):
        troubles += [Trouble(kind, file, a, b, "", n, reason, done) for a, b, n in in_runs(sorted(lines))]
    return placed, troubles


def _utc(clock: FileClock, wall: int, offset: int | None, seen: bool) -> tuple[int | None, bool]:
    """UTC seconds (None: no such time), and whether it is the second pass of a repeated hour."""
    if offset is not None:
        return wall - offset * 60, False
    zone = clock.zone or BANGKOK
    if isinstance(zone, timezone):
        return wall - int(zone.utcoffset(None).total_seconds()), False
    moment = datetime.fromtimestamp(wall, UTC).replace(tzinfo=zone)
    early = moment.utcoffset() or timedelta()
    late = moment.replace(fold=1).utcoffset() or timedelta()
    if early < late:
        return None, False
    return wall - int((late if seen else early).total_seconds()), early > late and seen


def _moved(clock: FileClock, wall: int, second: int) -> int:
    if clock.moved_from is not None:
        local = datetime.fromtimestamp(second, clock.moved_from)
        wall = second + int((local.utcoffset() or timedelta()).total_seconds())
    return wall - BANGKOK_S
