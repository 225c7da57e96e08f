"""A slow, obvious market of one interval with zones, borders and feeders: lists, sorted anew for whatever happens.

It knows nothing of queues, fronts or steps on the way: it looks for ways by trying every path, and after everything
that happens it asks whether any two orders could meet.
"""

import itertools
from dataclasses import dataclass, field
from typing import NamedTuple

from gridtokenx.modules.market.messages import PlaceOrder, Side

BASE, FEEDER, BORDER = 200_000, 250_000, 300_000
"""Wheeling of the default terms, in millionths per kWh."""


class Deal(NamedTuple):
    """What a trade should be, by names."""

    buyer: str
    seller: str
    quantity_wh: int
    price_micro: int
    wheeling_micro: int
    later: Side
    zones: tuple[int, ...]


@dataclass
class Resting:
    """An order and how much of it is left; `shown_wh` is what can be met before it goes to the back."""

    name: str
    owner: str
    side: Side
    price_micro: int
    left_wh: int
    source: int
    feeder: int
    scope: int
    display_wh: int
    shown_wh: int
    place: int


class Meeting(NamedTuple):
    """Two that can meet, as the incoming one ranks it: the least is the best."""

    worse: int
    nearness: int
    place: int
    zones: tuple[int, ...]


@dataclass
class SlowMarket:
    """`zone_of` feeders; `free` by (place, place) with zones as numbers and feeders as ("feeder", number)."""

    zone_of: dict[int, int]
    borders: set[tuple[int, int]]
    free: dict[tuple[object, object], int]
    groups: dict[str, int] = field(default_factory=dict)
    orders: dict[str, Resting] = field(default_factory=dict)
    deals: list[Deal] = field(default_factory=list)
    places: int = 0

    def place(self, name: str, owner: str, feeder: int, order: PlaceOrder) -> None:
        """An order comes in, meets what it can, and rests with what is left."""
        coming = Resting(
            name, owner, Side(order.side), order.price_micro, order.quantity_wh, order.source, feeder, order.scope,
            order.display_wh, 0, self._next(),
        )  # fmt: skip
        if self._meet(coming, rested=False) and coming.left_wh:
            self._rest(coming)
        self._settle()

    def cancel(self, name: str) -> None:
        """The order is gone."""
        del self.orders[name]

    def limit(self, start: object, end: object, free_wh: int) -> None:
        """A link carries more or less one way from now on: so much more than is used."""
        self.free[start, end] = free_wh
        self._settle()

    def _next(self) -> int:
        self.places += 1
        return self.places

    def _rest(self, order: Resting) -> None:
        order.shown_wh = min(order.display_wh, order.left_wh) if order.display_wh else order.left_wh
        self.orders[order.name] = order

    def first_to_meet(self) -> Resting | None:
        """The highest purchase that can meet a sale, of equal ones the earliest."""
        purchases = [order for order in self.orders.values() if order.side == Side.BUY]
        purchases.sort(key=lambda order: (-order.price_micro, order.place))
        return next((order for order in purchases if self._best(order)), None)

    def _settle(self) -> None:
        """Whoever rests and can meet somebody does: the highest purchase first, of equal ones the earliest."""
        while order := self.first_to_meet():
            del self.orders[order.name]
            if self._meet(order, rested=True):
                if order.left_wh:
                    self._rest(order)
            else:  # a related party's: the later one goes
                other = self._best(order)[0][1]
                if other.place > order.place:
                    del self.orders[other.name]
                    self._rest(order)

    def _meet(self, coming: Resting, *, rested: bool) -> bool:
        """Trade with the best until none is left; whether it did not end at a related party's. The limit of the one
        counts that was there first, whatever part of it shows."""
        there_since = {name: order.place for name, order in self.orders.items()}
        while coming.left_wh and (found := self._best(coming)):
            best, other = found[0]
            if self._related(coming.owner, other.owner):
                return False
            buyer, seller = (coming, other) if coming.side == Side.BUY else (other, coming)
            links = self._links(seller.feeder, best.zones, buyer.feeder)
            quantity_wh = min(coming.left_wh, other.shown_wh, *[self.free.get(link, 2**60) for link in links])
            for start, end in links:
                if (start, end) in self.free:
                    self.free[start, end] -= quantity_wh
                    self.free[end, start] += quantity_wh
            wheeling = self._wheeling(best.nearness)
            first = coming if rested and coming.place < there_since[other.name] else other
            price = first.price_micro - (wheeling if first is buyer else 0)
            later = other if first is coming else coming
            self.deals.append(Deal(buyer.name, seller.name, quantity_wh, price, wheeling, later.side, best.zones))
            coming.left_wh -= quantity_wh
            other.left_wh -= quantity_wh
            other.shown_wh -= quantity_wh
            if not other.left_wh:
                del self.orders[other.name]
            elif not other.shown_wh:
                other.shown_wh = min(other.display_wh, other.left_wh)
                other.place = self._next()
        return True

    def _best(self, coming: Resting) -> list[tuple[Meeting, Resting]]:
        """All that an order can meet now, the best first."""
        found = []
        for other in self.orders.values():
            if other.side == coming.side or other.name == coming.name:
                continue
            buyer, seller = (coming, other) if coming.side == Side.BUY else (other, coming)
            if not buyer.source >> seller.source & 1:
                continue
            way = self._way(coming, seller.feeder, buyer.feeder)
            if way is None or not self._in_scope(coming, other):
                continue
            nearness, zones = way
            delivered = seller.price_micro + self._wheeling(nearness)
            if delivered > buyer.price_micro:
                continue
            worse = delivered if coming.side == Side.BUY else self._wheeling(nearness) - buyer.price_micro
            found.append((Meeting(worse, nearness, other.place, zones), other))
        return sorted(found, key=lambda item: item[0][:3])

    def _in_scope(self, one: Resting, other: Resting) -> bool:
        scope = max(one.scope, other.scope)
        if scope == 2:
            return one.feeder == other.feeder
        return scope == 0 or self.zone_of[one.feeder] == self.zone_of[other.feeder]

    def _way(self, coming: Resting, seller_feeder: int, buyer_feeder: int) -> tuple[int, tuple[int, ...]] | None:
        """Nearness and zones: of all paths that have something free the shortest, then the lowest zones as seen from
        the zone of the order that comes in."""
        if seller_feeder == buyer_feeder:
            return 0, ()
        start, end = self.zone_of[seller_feeder], self.zone_of[buyer_feeder]
        for path in self._paths(start, end, outward=coming.side == Side.SELL):
            links = self._links(seller_feeder, path, buyer_feeder)
            if all(self.free.get(link, 1) > 0 for link in links):
                return max(len(path), 1), path
        return None

    def _paths(self, start: int, end: int, outward: bool) -> list[tuple[int, ...]]:
        """All ways from zone to zone, the shortest first, then those through low zones: seen from the one end or the
        other."""
        if start == end:
            return [()]
        others = sorted({zone for border in self.borders for zone in border} - {start, end})
        paths = [
            (start, *middle, end)
            for length in range(len(others) + 1)
            for middle in itertools.permutations(others, length)
        ]
        joined = [path for path in paths if all(pair in self.borders for pair in itertools.pairwise(path))]
        return sorted(joined, key=lambda path: (len(path), path if outward else path[::-1]))

    @staticmethod
    def _links(seller_feeder: int, zones: tuple[int, ...], buyer_feeder: int) -> list[tuple[object, object]]:
        if seller_feeder == buyer_feeder:
            return []
        out, into = ("feeder", seller_feeder), ("feeder", buyer_feeder)
        return [(out, "zone"), *itertools.pairwise(zones), ("zone", into)]

    @staticmethod
    def _wheeling(nearness: int) -> int:
        return BASE + (FEEDER if nearness else 0) + BORDER * max(nearness - 1, 0)

    def _related(self, one: str, other: str) -> bool:
        return one == other or self.groups.get(one, 0) == self.groups.get(other, 0) != 0


def open_orders(market: SlowMarket) -> dict[str, tuple[int, int]]:
    """Left and shown of each."""
    return {name: (order.left_wh, order.shown_wh if order.display_wh else 0) for name, order in market.orders.items()}
