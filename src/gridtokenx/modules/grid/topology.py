"""Places and the links between them: zones, their borders, and feeders that each hang on a zone.

Nearness counts what lies between a buyer and a seller: 0 the same feeder, 1 the same zone, then one more for each
border on the way from zone to zone. The way is the one over the fewest borders that all have capacity left in the
direction of the energy; of equally short ones that which, seen from the zone where the search begins, goes through the
lowest zone numbers first. Where there is no way there is no nearness, and no trade.

A *step* is a link in one direction: twice the link's number, and one more for backward. A border's number is made of
its zones, its forward direction leads from the lower to the higher one; a feeder's leads from the feeder into its zone.
"""

import itertools
from collections.abc import Iterator, Mapping

import msgspec

from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.identity.state import FEEDERS, ZONES, distributor_of

SAME_FEEDER = 0
SAME_ZONE = 1

FEEDER_LINK = 1 << 16
"""Added to a feeder's number it makes the number of its link; those of borders are below."""

SEARCHES_KEPT = 4_096
"""Searches remembered at most: all zones, both ways, for the combinations of full borders that come and go."""

_ZONE_BITS = 8

Step = int
"""A link in one direction."""


class Route(msgspec.Struct, frozen=True, gc=False):
    """How energy gets from the seller's zone to the buyer's, over borders or none. `zone`: the one of the two to which
    the search came."""

    zone: int
    nearness: int
    steps: tuple[Step, ...]
    zones: tuple[int, ...]
    """All that it touches, the seller's first; empty inside one zone."""


def border_step(start: int, end: int) -> Step:
    """Over the border from one zone to a neighbour."""
    return (start << 8 | end) << 1 if start < end else (end << 8 | start) << 1 | 1


def feeder_step(feeder: int, out: bool) -> Step:
    """From a feeder out into its zone, or in from there."""
    return (FEEDER_LINK | feeder) << 1 | (not out)


def steps_of(seller_feeder: int, zones: tuple[int, ...], buyer_feeder: int) -> tuple[Step, ...]:
    """All steps of the way from one feeder to another through zones, or none of them if it stays in one."""
    borders = [border_step(start, end) for start, end in itertools.pairwise(zones)]
    return (feeder_step(seller_feeder, out=True), *borders, feeder_step(buyer_feeder, out=False))


class Topology:
    """Zones and feeders as the market sees them: built from the tables, never changed.

    A border counts both ways, also when only one of the two zones names it.
    """

    __slots__ = ("bits", "inside", "nearness_max", "neighbours", "searches", "steps_from", "steps_to", "zone_of")

    def __init__(self, zone_of: Mapping[int, int], borders: Mapping[int, tuple[int, ...]]) -> None:
        found: dict[int, set[int]] = {zone: set() for zone in borders}
        for zone, others in borders.items():
            for other in others:
                if other in found and other != zone:
                    found[zone].add(other)
                    found[other].add(zone)
        self.zone_of = dict(zone_of)
        """The zone of each feeder."""
        self.neighbours = {zone: sorted(others) for zone, others in sorted(found.items())}
        self.inside = {zone: (Route(zone, SAME_ZONE, (), ()),) for zone in self.neighbours}
        """The way that crosses no border, of each zone: the first layer of `Ways`."""
        borders_once = [(zone, other) for zone, others in self.neighbours.items() for other in others if zone < other]
        steps = [step for border in borders_once for step in (border_step(*border), border_step(*border[::-1]))]
        self.bits = {step: 1 << place for place, step in enumerate(steps)}
        """One bit for each step over a border: the sum says which of them are full."""
        self.steps_from = {zone: self._steps(zone, outward=True) for zone in self.neighbours}
        """For each zone: neighbour, step there, its bit."""
        self.steps_to = {zone: self._steps(zone, outward=False) for zone in self.neighbours}
        """For each zone: neighbour, step from there, its bit."""
        self.nearness_max = SAME_ZONE + max(len(found) - 1, 0)
        """No way goes through a zone twice."""
        self.searches: dict[int, Ways] = {}

    def _steps(self, zone: int, outward: bool) -> list[tuple[int, Step, int]]:
        others = self.neighbours[zone]
        steps = [border_step(zone, other) if outward else border_step(other, zone) for other in others]
        return [(other, step, self.bits[step]) for other, step in zip(others, steps, strict=True)]

    def ways(self, zone: int, outward: bool, full: int) -> "Ways":
        """The ways from a zone to others (`outward`) or from them to it, its own included, over borders that are not
        among the `full` ones (sum of their `bits`)."""
        key = (full << _ZONE_BITS | zone) << 1 | outward
        found = self.searches.get(key)
        if found is None:
            if len(self.searches) >= SEARCHES_KEPT:
                self.searches.clear()
            found = self.searches[key] = Ways(self, zone, outward, full)
        return found

    def nearness(self, buyer_feeder: int, seller_feeder: int) -> int | None:
        """Of two feeders, whichever way round, while no border is full; None if no way leads from one to the other.
        KeyError for a feeder that does not exist."""
        if buyer_feeder == seller_feeder:
            return SAME_FEEDER
        route = self.ways(self.zone_of[buyer_feeder], False, 0).to(self.zone_of[seller_feeder])
        return None if route is None else route.nearness


class Ways:
    """From one zone, or to it: the others in layers by nearness, each searched when somebody first asks for it. Most
    orders find what they look for in their own zone or beside it."""

    __slots__ = ("_beside", "_found", "_full", "_outward", "layers")

    def __init__(self, topology: Topology, zone: int, outward: bool, full: int) -> None:
        self._beside = topology.steps_from if outward else topology.steps_to
        self._outward = outward
        self._full = full
        self._found = {zone}
        self.layers: list[tuple[Route, ...]] = [(), topology.inside[zone]]
        """By nearness, as far as searched; after the farthest zone an empty one. Nobody is in the first: it stands for
        the feeder itself."""

    def layer(self, nearness: int) -> tuple[Route, ...]:
        """The zones so near, breadth first: each is reached over the fewest borders. To be asked for one layer after
        the other, until one is empty."""
        if nearness < len(self.layers):
            return self.layers[nearness]
        found, full, further = self._found, self._full, []
        for route in self.layers[-1]:
            here, nearness, steps = route.zone, route.nearness + 1, route.steps
            passed = route.zones or (here,)
            for there, step, bit in self._beside[here]:
                if there not in found and not bit & full:
                    found.add(there)
                    zones = (*passed, there) if self._outward else (there, *passed)
                    further.append(Route(there, nearness, (*steps, step), zones))
        self.layers.append(tuple(further))
        return self.layers[-1]

    def all(self) -> Iterator[Route]:
        """The nearest first."""
        nearness = SAME_ZONE
        while layer := self.layer(nearness):
            yield from layer
            nearness += 1

    def to(self, zone: int) -> Route | None:
        """The one to, or from, a zone; None if no way leads there."""
        return next((route for route in self.all() if route.zone == zone), None)


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
