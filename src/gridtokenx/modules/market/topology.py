"""How near two feeders are, and what wheeling costs between them.

Nearness counts what lies between a buyer and a seller: 0 the same feeder, 1 the same zone, then one more for each
border on the shortest way from zone to zone. Where there is no way there is no nearness, and no trade.
"""

from collections.abc import Mapping

from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.identity.state import FEEDERS, ZONES, distributor_of

SAME_FEEDER = 0
SAME_ZONE = 1


class Topology:
    """Zones and feeders as the market sees them: built from the tables, never changed.

    A border counts both ways, also when only one of the two zones names it. With at most 256 zones it holds at most
    65,536 numbers, and one reference for each feeder.
    """

    __slots__ = ("nearness_max", "zone_of", "zones_from")

    def __init__(self, zone_of: Mapping[int, int], borders: Mapping[int, tuple[int, ...]]) -> None:
        neighbours: dict[int, list[int]] = {zone: [] for zone in borders}
        for zone, others in borders.items():
            for other in others:
                if other in neighbours and other != zone:
                    neighbours[zone].append(other)
                    neighbours[other].append(zone)
        rows = {zone: _nearness_from(zone, neighbours) for zone in neighbours}
        self.nearness_max = max((max(row.values()) for row in rows.values()), default=SAME_FEEDER)
        self.zone_of = dict(zone_of)
        """The zone of each feeder."""
        self.zones_from = {feeder: rows[zone] for feeder, zone in zone_of.items()}
        """For each feeder the nearness of the zones that can be reached from it, its own included, which holds for
        every feeder in them but itself."""

    def nearness(self, buyer_feeder: int, seller_feeder: int) -> int | None:
        """Of two feeders, whichever way round; None if no way leads from one to the other. KeyError for a feeder that
        does not exist."""
        if buyer_feeder == seller_feeder:
            return SAME_FEEDER
        return self.zones_from[buyer_feeder].get(self.zone_of[seller_feeder])


def _nearness_from(start: int, neighbours: Mapping[int, list[int]]) -> dict[int, int]:
    """Breadth first: each zone is reached over the fewest borders."""
    found = {start: SAME_ZONE}
    waiting = [start]
    for zone in waiting:
        for other in neighbours[zone]:
            if other not in found:
                found[other] = found[zone] + 1
                waiting.append(other)
    return found


def _build_topology(state: State) -> Topology:
    return Topology(
        {int.from_bytes(key, "big"): feeder.zone for key, feeder in state.items(FEEDERS)},
        {int.from_bytes(key, "big"): zone.neighbours for key, zone in state.items(ZONES)},
    )


def _build_distributors(state: State) -> dict[int, bytes]:
    return {feeder: distributor_of(state, feeder) for feeder in state.index(TOPOLOGY).zone_of}


TOPOLOGY: Index[Topology] = Index("topology", _build_topology)

DISTRIBUTORS: Index[Mapping[int, bytes]] = Index("distributors", _build_distributors)
"""Of each feeder the account of its zone's distributor. Like zones and feeders they stand in genesis and stay. Built
after TOPOLOGY."""
