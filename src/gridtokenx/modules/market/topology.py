"""How near two feeders are, and what wheeling costs between them.

Nearness counts what lies between a buyer and a seller: 0 the same feeder, 1 the same zone, then one more for each
border on the shortest way from zone to zone. Where there is no way there is no nearness, and no trade.
"""

from collections.abc import Mapping

from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.identity.state import FEEDERS, ZONES
from gridtokenx.modules.market.messages import Terms

SAME_FEEDER = 0
SAME_ZONE = 1


class Topology:
    """Zones and feeders as the market sees them. It never changes: it is built anew when the tables have.

    `zone_of`: the zone of each feeder. `nearness_from`: for each zone, the nearness of every zone that can be
    reached from it (its own included), for two feeders that are not the same. A border counts both ways, also
    when only one of the two zones names it. At most 256 zones, so at most 65,536 numbers.
    """

    __slots__ = ("nearness_from", "nearness_max", "zone_of")

    def __init__(self, zone_of: Mapping[int, int], borders: Mapping[int, tuple[int, ...]]) -> None:
        self.zone_of = dict(zone_of)
        neighbours: dict[int, list[int]] = {zone: [] for zone in borders}
        for zone, others in borders.items():
            for other in others:
                if other in neighbours and other != zone:
                    neighbours[zone].append(other)
                    neighbours[other].append(zone)
        self.nearness_from = {zone: _nearness_from(zone, neighbours) for zone in neighbours}
        self.nearness_max = max(
            (nearness for row in self.nearness_from.values() for nearness in row.values()), default=SAME_FEEDER
        )

    def nearness(self, buyer_feeder: int, seller_feeder: int) -> int | None:
        """Of two feeders, whichever way round; None if no way leads from one to the other. KeyError for a feeder
        that does not exist."""
        if buyer_feeder == seller_feeder:
            return SAME_FEEDER
        return self.nearness_from[self.zone_of[buyer_feeder]].get(self.zone_of[seller_feeder])


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


TOPOLOGY: Index[Topology] = Index("topology", _build_topology)


def wheeling_micro(terms: Terms, nearness: int) -> int:
    """Wheeling per kWh between two feeders (market-rules, "wheeling"): a base for each trade, more when it leaves
    its feeder, and more for each border."""
    if nearness == SAME_FEEDER:
        return terms.wheeling_base_micro
    borders = nearness - SAME_ZONE
    return terms.wheeling_base_micro + terms.wheeling_feeder_micro + borders * terms.wheeling_border_micro


def wheeling_by_nearness(terms: Terms, topology: Topology) -> tuple[int, ...]:
    """Wheeling per kWh for each nearness that occurs: what matching looks up."""
    return tuple(wheeling_micro(terms, nearness) for nearness in range(topology.nearness_max + 1))


WHEELING: Index[dict[int, tuple[int, ...]]] = Index("wheeling", lambda state: {})
"""Wheeling by nearness for each version of the terms, filled as versions are first used; they never change."""


def wheeling_of(state: State, version: int, terms: Terms) -> tuple[int, ...]:
    """What matching looks up, for an interval with this version of the terms."""
    known = state.index(WHEELING)
    found = known.get(version)
    if found is None:
        found = known[version] = wheeling_by_nearness(terms, state.index(TOPOLOGY))
    return found
