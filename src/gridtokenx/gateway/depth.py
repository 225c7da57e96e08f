"""The book as the public sees it: depth of one interval, without names.

Orders of one side, limit, feeder and source make a level. A checksum over all levels lets whoever follows the changes
notice at once that something was missed.
"""

from collections.abc import Callable

from gridtokenx.gateway.documents import DeliveredLevel, Level, checksum_of
from gridtokenx.modules.market.messages import Side, Terms
from gridtokenx.modules.market.state import Order
from gridtokenx.modules.market.wheeling import wheeling_micro

LevelKey = tuple[int, int, int, int]
"""Side, limit, feeder, mask of sources."""

LevelChanges = dict[LevelKey, tuple[int, int]]
"""Energy in Wh and number of orders that come in (or go, where negative)."""

Nearness = Callable[[int, int], int | None]
"""0 same feeder, 1 same zone, then 1 + borders; None where no energy can go."""


class Depth:
    """The levels of one interval; `changed` are the keys that changed since `take_changed`."""

    __slots__ = ("_best", "_checksum", "changed", "levels")

    def __init__(self) -> None:
        self.levels: dict[LevelKey, tuple[int, int]] = {}
        self.changed: dict[LevelKey, None] = {}
        self._checksum: str | None = None
        self._best: dict[Side, int | None] = {}

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
        """Best first; equal limits by feeder and sources."""
        falling = -1 if side == Side.BUY else 1
        keys = sorted((key for key in self.levels if key[0] == side), key=lambda key: (falling * key[1], key[2:]))
        return [self._level(key)[1] for key in keys]

    def delivered(self, side: Side, feeder: int, terms: Terms, nearness: Nearness) -> list[DeliveredLevel]:
        """What a trader on the feeder meets, best first, nearer first at equal price: of asks the limit plus
        wheeling, of bids the limit less wheeling."""
        sign = -1 if side == Side.BUY else 1
        met: list[DeliveredLevel] = []
        for level in self.side(side):
            near = nearness(feeder, level.feeder)
            if near is None:
                continue
            delivered_micro = level.price_micro + sign * wheeling_micro(terms, near)
            met.append(
                DeliveredLevel(
                    delivered_micro,
                    level.price_micro,
                    near,
                    level.feeder,
                    level.sources,
                    level.quantity_wh,
                    level.orders,
                )
            )
        met.sort(key=lambda level: (sign * level.delivered_micro, level.nearness, level.feeder, level.sources))
        return met

    def take_changed(self) -> tuple[list[Level], list[Level]]:
        """The levels (bids, asks) that changed, with what is there now: quantity 0 where nothing is left."""
        taken = [self._level(key) for key in self.changed]
        self.changed = {}
        bids = [level for side, level in taken if side == Side.BUY]
        return bids, [level for side, level in taken if side == Side.SELL]

    def _level(self, key: LevelKey) -> tuple[Side, Level]:
        side, price_micro, feeder, sources = key
        quantity_wh, orders = self.levels.get(key, (0, 0))
        return Side(side), Level(price_micro, feeder, sources, quantity_wh, orders)


def count(changes: LevelChanges, order: Order, sign: int) -> None:
    """Note that an order comes (`sign` 1) or goes (-1), with as much as it shows."""
    key = level_key(order)
    added_wh, added_orders = changes.get(key, (0, 0))
    shown_wh = order.shown_wh or order.remaining_wh
    changes[key] = (added_wh + sign * shown_wh, added_orders + sign)


def level_key(order: Order) -> LevelKey:
    """Where an order counts; a seller's source becomes a mask with one bit."""
    sources = order.source if order.side == Side.BUY else 1 << order.source
    return order.side, order.price_micro, order.feeder, sources
