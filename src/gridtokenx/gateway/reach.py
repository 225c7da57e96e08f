"""What a trader on one feeder can meet of a book: by delivered price, over the ways that links still leave.

It goes as matching does: the best delivered price first, nearer first at equal price; what would be taken uses up the
links on its way, and when one is full, the next way counts, or none. What no way leads to, and what its scope keeps at
home, is not there.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from gridtokenx.gateway.documents import DeliveredLevel, Level
from gridtokenx.ledger.limits import ENERGY_WH_MAX
from gridtokenx.modules.grid.network import Network
from gridtokenx.modules.grid.topology import SAME_FEEDER, SAME_ZONE, Step, feeder_step
from gridtokenx.modules.market.messages import Scope, Side, Terms
from gridtokenx.modules.market.wheeling import wheeling_micro

Way = tuple[int, tuple[Step, ...]]
"""Nearness, and the steps."""
Waiting = tuple[int, int, int, int, int]
"""Rank of the delivered price (lowest first), nearness, number of the level, what is left of it, delivered price."""

_NO_STEPS: tuple[Step, ...] = ()


def delivered(
    levels: Iterable[Level], side: Side, feeder: int, terms: Terms, network: Network, most: int
) -> list[DeliveredLevel]:
    """The first `most` of these levels of one side as a trader on the feeder meets them: of asks the limit plus
    wheeling, of bids the limit less wheeling. A level that arrives over two ways comes twice. KeyError if there is no
    such feeder."""
    return _Reach(list(levels), side, feeder, terms, network).first(most)


class _Reach:
    def __init__(self, levels: list[Level], side: Side, feeder: int, terms: Terms, network: Network) -> None:
        self.levels = levels
        self.feeder = feeder
        self.terms = terms
        self.network = network
        self.sign = -1 if side == Side.BUY else 1
        self.outward = side == Side.BUY
        """Whether energy goes from the feeder to the levels."""
        self.zone = network.topology.zone_of[feeder]
        self.full = network.full
        self.ways: dict[int, Way | None] = {}
        """By feeder, while no other link is full."""
        self.free_wh: dict[Step, int] = {}
        """Of each step as far as it was asked for, less what has been taken here."""

    def first(self, most: int) -> list[DeliveredLevel]:
        """See `delivered`."""
        waiting: list[Waiting] = []
        for number, level in enumerate(self.levels):
            way = self._way(level)
            if way is not None:
                waiting.append(self._waiting(number, way[0], level.quantity_wh))
        heapify(waiting)
        met: list[DeliveredLevel] = []
        while waiting and len(met) < most:
            _, nearness, number, left_wh, delivered_micro = heappop(waiting)
            level = self.levels[number]
            way = self._way(level)
            if way is None:
                continue
            if way[0] != nearness:
                heappush(waiting, self._waiting(number, way[0], left_wh))
                continue
            taken_wh = min([left_wh, *(self._free_wh(step) for step in way[1])])
            if taken_wh <= 0:
                continue  # the link of a feeder is full: no other way leads past it
            self._take(way[1], taken_wh)
            met.append(
                DeliveredLevel(
                    delivered_micro,
                    level.price_micro,
                    nearness,
                    level.feeder,
                    level.sources,
                    taken_wh,
                    level.orders,
                )
            )
            if left_wh > taken_wh:
                heappush(waiting, self._waiting(number, nearness, left_wh - taken_wh))
        return met

    def _waiting(self, number: int, nearness: int, left_wh: int) -> Waiting:
        delivered_micro = self.levels[number].price_micro + self.sign * wheeling_micro(self.terms, nearness)
        return self.sign * delivered_micro, nearness, number, left_wh, delivered_micro

    def _way(self, level: Level) -> Way | None:
        """The way that is free now; None where there is none, or none that the level's scope allows."""
        feeder = level.feeder
        way = self.ways[feeder] if feeder in self.ways else self._look_for(feeder)
        if way is None or way[0] == SAME_FEEDER or not level.scope:
            return way
        return way if level.scope == Scope.ZONE and way[0] == SAME_ZONE else None

    def _look_for(self, feeder: int) -> Way | None:
        topology, found = self.network.topology, None
        if feeder == self.feeder:
            found = SAME_FEEDER, _NO_STEPS
        elif route := topology.ways(self.zone, self.outward, self.full).to(topology.zone_of[feeder]):
            ends = feeder_step(self.feeder, out=self.outward), feeder_step(feeder, out=not self.outward)
            found = route.nearness, (*route.steps, *ends)
        self.ways[feeder] = found
        return found

    def _free_wh(self, step: Step) -> int:
        free_wh = self.free_wh.get(step)
        if free_wh is None:
            free_wh = self.free_wh[step] = self.network.free_wh((step,), ENERGY_WH_MAX)
        return free_wh

    def _take(self, steps: Iterable[Step], quantity_wh: int) -> None:
        for step in steps:
            self.free_wh[step] -= quantity_wh
            if self.free_wh[step] <= 0:
                self.full |= self.network.topology.bits.get(step, 0)
                self.ways.clear()
