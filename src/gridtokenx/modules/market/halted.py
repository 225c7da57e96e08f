"""Which zones are halted in an interval: by a halt of that zone's interval, of the zone, of the interval, or of all."""

from collections.abc import Iterable, Mapping

from gridtokenx.ledger.state import State
from gridtokenx.modules.market.state import HALTS, Halted, HaltStage, zone_interval_key

ALL = 0
"""Stands in a halt for all intervals, or all zones."""

_HALTS = HALTS.prefix
_NONE: frozenset[int] = frozenset()


def is_halted(state: State, interval: int, zone: int) -> bool:
    """Whether nothing of a zone trades in an interval."""
    halts = state.rows[_HALTS]
    return bool(halts) and covers(halts, interval, zone)


def covers(halts: Mapping[bytes, Halted], interval: int, zone: int) -> bool:
    """The same of the rows of HALTS."""
    return zone_interval_key(interval, zone) in halts or is_covered_widely(halts, interval, zone)


def halted_zones(halts: Mapping[bytes, Halted], interval: int, zones: Iterable[int]) -> frozenset[int]:
    """Those of some zones of which nothing trades in an interval."""
    return frozenset(zone for zone in zones if covers(halts, interval, zone)) if halts else _NONE


def is_covered_widely(halts: Mapping[bytes, Halted], interval: int, zone: int) -> bool:
    """Whether a halt of more than this zone's interval holds."""
    return any(key in halts for key in keys_over(interval, zone)[1:])


def halted_since_ms(halts: Mapping[bytes, Halted], interval: int, zone: int) -> int | None:
    """Since when nothing of a zone has traded in an interval; None if it trades."""
    return min((halt.since_ms for halt in halts_over(halts, interval, zone)), default=None)


def halts_over(halts: Mapping[bytes, Halted], interval: int, zone: int) -> list[Halted]:
    """All that hold for a zone in an interval."""
    return [halts[key] for key in keys_over(interval, zone) if key in halts] if halts else []


def keys_over(interval: int, zone: int) -> list[bytes]:
    """Of all halts that may hold for a zone in an interval, that of the zone's interval first."""
    places = (interval, zone), (ALL, zone), (interval, ALL), (ALL, ALL)
    return [zone_interval_key(*place) for place in places]


def holds_order(state: State, interval: int, zones: Mapping[int, object], key: bytes) -> bool:
    """Whether an order set off a halt whose call has not come yet."""
    halts: Mapping[bytes, Halted] = state.rows[_HALTS]
    if not halts:
        return False
    found = (halts.get(zone_interval_key(interval, zone)) for zone in zones)
    return any(halt is not None and halt.order == key and halt.stage == HaltStage.COLLECTING for halt in found)


def is_halted_at_gate(state: State, interval: int, zone: int, gate_ms: int) -> bool:
    """Whether a halt that began before the gate holds beyond it: then the zone's orders take no part in the auction."""
    halts: Mapping[bytes, Halted] = state.rows[_HALTS]
    return any(
        halt.since_ms < gate_ms and (not halt.until_ms or halt.until_ms > gate_ms)
        for halt in halts_over(halts, interval, zone)
    )
