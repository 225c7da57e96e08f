"""The book as the public sees it: depth of one interval, without names.

Orders of one side, limit, feeder, source and scope make a level. A checksum over all levels lets whoever follows the
changes notice at once that something was missed.
"""

from collections.abc import Mapping

import msgspec

from gridtokenx.gateway.documents import Level, checksum_of
from gridtokenx.modules.market.messages import Side
from gridtokenx.modules.market.state import Order

LevelKey = tuple[int, int, int, int, int]
"""Side, limit, feeder, mask of sources, scope."""

LevelChanges = dict[LevelKey, tuple[int, int]]
"""Energy in Wh and number of orders that come in (or go, where negative)."""


class Waiting(msgspec.Struct):
    """What waits in a part of a book; best limits are None where a side is empty."""

    orders: int = 0
    wanted_wh: int = 0
    offered_wh: int = 0
    best_bid_micro: int | None = None
    best_ask_micro: int | None = None

    def add(self, side: int, price_micro: int, quantity_wh: int, orders: int) -> None:
        """Count a level in."""
        self.orders += orders
        if side == Side.BUY:
            self.wanted_wh += quantity_wh
            self.best_bid_micro = max(price_micro, self.best_bid_micro or price_micro)
        else:
            self.offered_wh += quantity_wh
            self.best_ask_micro = min(price_micro, self.best_ask_micro or price_micro)


class Depth:
    """The levels of one interval; `changed` are the keys that changed since `take_changed`."""

    __slots__ = ("_best", "_checksum", "_feeders", "changed", "levels")

    def __init__(self) -> None:
        self.levels: dict[LevelKey, tuple[int, int]] = {}
        self.changed: dict[LevelKey, None] = {}
        self._checksum: str | None = None
        self._best: dict[Side, int | None] = {}
        self._feeders: dict[int, Waiting] | None = None

    def apply(self, changes: LevelChanges) -> None:
        """Count energy and orders of some levels in, or out where they are negative."""
        for key, (added_wh, added_orders) in changes.items():
            quantity_wh, orders = self.levels.get(key, (0, 0))
            if orders + added_orders:
                self.levels[key] = (quantity_wh + added_wh, orders + added_orders)
            else:
                del self.levels[key]
            self.changed[key] = None
        self._checksum = None
        self._best.clear()
        self._feeders = None

    def checksum(self) -> str:
        """Of all levels, as anybody computes it (`checksum_of`)."""
        if self._checksum is None:
            self._checksum = checksum_of(self.side(Side.BUY), self.side(Side.SELL))
        return self._checksum

    def best(self, side: Side) -> int | None:
        """The best limit; None for an empty side."""
        if side not in self._best:
            limits = [key[1] for key in self.levels if key[0] == side]
            self._best[side] = (max if side == Side.BUY else min)(limits, default=None)
        return self._best[side]

    def orders(self) -> int:
        """How many are open."""
        return sum(orders for _, orders in self.levels.values())

    def side(self, side: Side) -> list[Level]:
        """Best first; equal limits by feeder, sources and scope."""
        falling = -1 if side == Side.BUY else 1
        keys = sorted((key for key in self.levels if key[0] == side), key=lambda key: (falling * key[1], key[2:]))
        return [self._level(key)[1] for key in keys]

    def by_feeder(self) -> Mapping[int, Waiting]:
        """What waits on each feeder where anything does."""
        if self._feeders is None:
            found: dict[int, Waiting] = {}
            for (side, price_micro, feeder, _, _), (quantity_wh, orders) in self.levels.items():
                if feeder not in found:
                    found[feeder] = Waiting()
                found[feeder].add(side, price_micro, quantity_wh, orders)
            self._feeders = found
        return self._feeders

    def take_changed(self) -> tuple[list[Level], list[Level]]:
        """The levels (bids, asks) that changed, with what is there now: quantity 0 where nothing is left."""
        taken = [self._level(key) for key in self.changed]
        self.changed = {}
        bids = [level for side, level in taken if side == Side.BUY]
        return bids, [level for side, level in taken if side == Side.SELL]

    def _level(self, key: LevelKey) -> tuple[Side, Level]:
        side, price_micro, feeder, sources, scope = key
        quantity_wh, orders = self.levels.get(key, (0, 0))
        return Side(side), Level(price_micro, feeder, sources, quantity_wh, orders, scope)


def count(changes: LevelChanges, order: Order, sign: int) -> None:
    """Note that an order comes (`sign` 1) or goes (-1), with as much as it shows."""
    key = level_key(order)
    added_wh, added_orders = changes.get(key, (0, 0))
    shown_wh = order.shown_wh or order.remaining_wh
    changes[key] = (added_wh + sign * shown_wh, added_orders + sign)


def level_key(order: Order) -> LevelKey:
    """Where an order counts; a seller's source becomes a mask with one bit."""
    sources = order.source if order.side == Side.BUY else 1 << order.source
    return order.side, order.price_micro, order.feeder, sources, order.scope
