"""The words of a table: times, energies, amounts, parties."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.world import DAY_MS, GENESIS_MS, MONDAY_MS, World, signed, signer

from gridtokenx.ledger.quantities import INTERVAL_MS
from gridtokenx.ledger.transaction import Body
from gridtokenx.modules.market.messages import MakerTerms

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class ScenarioError(Exception):
    """A line cannot be understood."""


@dataclass
class Clock:
    """Where the story is."""

    now_ms: int = GENESIS_MS

    @property
    def day(self) -> int:
        """Days since Monday."""
        return max(self.now_ms - MONDAY_MS, 0) // DAY_MS


def whole(text: str, scale: int) -> int:
    """A decimal number as a whole number of smaller units; nothing may be left over."""
    number = Decimal(text.replace(",", "")) * scale
    if number != int(number):
        raise ScenarioError(f"{text} is finer than the unit")
    return int(number)


def amount(text: str) -> int:
    """WATT in millionths."""
    return whole(text, 10**6)


def energy(number: str, unit: str) -> int:
    """Wh."""
    return whole(number, {"Wh": 1, "kWh": 1_000, "MWh": 10**6}[unit])


def power(number: str, unit: str) -> int:
    """W."""
    return whole(number, {"W": 1, "kW": 1_000, "MW": 10**6}[unit])


def time_of(text: str, clock: Clock) -> int:
    """`10:00`, `10:00:30`, `10:00:30.250` or `Tue 10:00`: Bangkok time, of the clock's day unless one is named; `+8`
    before it means a week later."""
    found = re.fullmatch(r"(?:(\w{3})(\+7)? )?(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{3}))?)?", text.strip())
    if found is None:
        raise ScenarioError(f"{text!r} is no time")
    weekday, later, hours, minutes, seconds, thousandths = found.groups()
    day = clock.day if weekday is None else WEEKDAYS.index(weekday) + (7 if later else 0)
    total = (int(hours) * 3_600 + int(minutes) * 60 + int(seconds or 0)) * 1_000 + int(thousandths or 0)
    return MONDAY_MS + day * DAY_MS + total


def interval_of(text: str, clock: Clock) -> int:
    """The delivery interval that begins at a time."""
    time_ms = time_of(text, clock)
    if time_ms % INTERVAL_MS:
        raise ScenarioError(f"no interval begins at {text}")
    return time_ms // INTERVAL_MS


def span(text: str) -> int:
    """`1:30:00`, `30:00` or `0:00.500`: hours, minutes and seconds in milliseconds."""
    parts = [Decimal(part) for part in text.split(":")]
    return int(sum(part * 60**place for place, part in enumerate(reversed(parts))) * 1_000)


def programme(text: str) -> MakerTerms:
    """`2 at most, spread 0.50, size 1 kWh, present 90 % of 1:00:00, rebate 50 %, 3 misses`; `of all` of the time."""
    found = re.fullmatch(
        r"(\d+) at most, spread (\S+), size (\S+ \w+), present (\S+) % of ([\d:]+|all), rebate (\S+) %, (\d+) misses",
        text,
    )
    if found is None:
        raise ScenarioError(f"{text!r} is no programme for makers")
    count, spread, size, present, window, rebate, misses = found.groups()
    return MakerTerms(
        amount(spread),
        energy(*size.split()),
        whole(present, 10),
        0 if window == "all" else span(window),
        whole(rebate, 10_000),
        int(count),
        int(misses),
    )


def intervals(text: str, clock: Clock) -> range:
    """`12:00`, or `12:00 to 13:00` with both ends."""
    first, _, last = text.partition(" to ")
    return range(interval_of(first, clock), interval_of(last or first, clock) + 1)


def metered(text: str, clock: Clock) -> tuple[int, tuple[int, int]]:
    """`12:00 import 1 kWh export 0.5 kWh`, either part or both."""
    found = re.fullmatch(r"(.*?\d\d:\d\d)(?: import (\S+) (\w+))?(?: export (\S+) (\w+))?", text)
    if found is None:
        raise ScenarioError(f"{text!r} is no metering")
    when, taken, taken_unit, given, given_unit = found.groups()
    import_wh = energy(taken, taken_unit) if taken else 0
    export_wh = energy(given, given_unit) if given else 0
    return interval_of(when, clock), (import_wh, export_wh)


def party(text: str) -> tuple[str, Sequence[int] | None, str | None]:
    """`alice`; `bank (1 3)` signs with its first and third key; `alice by spare` with another's keys."""
    found = re.fullmatch(r"([\w-]+)(?: \(([\d ]+)\))?(?: by ([\w-]+))?", text)
    if found is None:
        raise ScenarioError(f"{text!r} is nobody")
    name, numbers, other = found.groups()
    return name, [int(number) - 1 for number in numbers.split()] if numbers else None, other


def sign(world: World, name: str, body: Body[Any], using: Sequence[int] | None, other: str | None) -> bytes:
    """The transaction, signed by the party or by the keys of another name."""
    return signed(signer(other) if other else world.signers[name], body, using)
