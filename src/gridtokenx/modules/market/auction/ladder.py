"""The merit order of one node: all its sales and purchases on one ladder, cheapest at the foot.

A Wh of a ladder is a Wh that is sold or a Wh that is *not* bought. At the foot (position 0) every purchase is served
and nothing is sold; each Wh further up sells one more Wh or drops one more purchase, whichever is cheaper. So the
position of a node that exports `net_wh` is `net_wh` plus all its purchases, and the price of the next Wh is what one
more Wh of export costs. Prices are millionths of a WATT per kWh, of a purchase what it is worth at the node.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate, islice
from operator import add, mul

import msgspec

from gridtokenx.modules.market.auction.work import Steps

WH_PER_KWH = 1_000
KEYS_PER_BIT = 5_000


class Cut(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a ladder is cut: sales below `price_micro` and purchases above it trade in full, those on the other side
    not at all, and of those at it so many Wh of each side, earlier places first."""

    price_micro: int
    sell_wh: int
    buy_wh: int


class Ladder:
    """A finished ladder; nothing changes it. Lists run along its steps, one for each price, rising."""

    __slots__ = ("buy_wh", "ends_wh", "prices", "purchases_wh", "sales_wh", "sell_wh", "worth")

    def __init__(self, prices: list[int], sell_wh: list[int], buy_wh: list[int]) -> None:
        self.prices = prices
        self.sell_wh = sell_wh
        self.buy_wh = buy_wh
        self.ends_wh = list(accumulate(map(add, sell_wh, buy_wh)))
        """The position at which each step ends."""
        self.sales_wh = sum(sell_wh)
        self.purchases_wh = sum(buy_wh)
        """Also the position of a node that neither exports nor imports."""
        self.worth: int = sum(map(mul, prices, buy_wh))
        """Of all purchases, price x Wh."""

    @property
    def height_wh(self) -> int:
        """The highest position: everything sold, nothing bought."""
        return self.sales_wh + self.purchases_wh

    def price_of(self, number: int) -> int:
        """The price of one Wh, numbered from 1 (at the foot) to `height_wh`."""
        return self.prices[bisect_left(self.ends_wh, number)]

    def _reach(self, position_wh: int) -> tuple[int, int]:
        """The step on which a position lies, and how much of that step is taken."""
        step = bisect_left(self.ends_wh, position_wh)
        return step, position_wh - (self.ends_wh[step - 1] if step else 0)

    def cut(self, position_wh: int) -> Cut | None:
        """What trades at a position; None on an empty ladder. Of the Wh at the price of the last step as many sales
        as possible count as sold, so as many purchases as possible as served."""
        if not self.prices:
            return None
        step, taken_wh = self._reach(position_wh)
        sell_wh = min(self.sell_wh[step], taken_wh)
        return Cut(self.prices[step], sell_wh, self.buy_wh[step] - (taken_wh - sell_wh))

    def sold_wh(self, position_wh: int) -> int:
        """What the sales of the node trade in all at a position; its purchases trade this less the net export."""
        cut, (step, _) = self.cut(position_wh), self._reach(position_wh)
        return sum(islice(self.sell_wh, step)) + (cut.sell_wh if cut else 0)

    def welfare_micro(self, position_wh: int) -> int:
        """What served purchases are worth less what sales ask for, in millionths of a WATT; exact on the tick."""
        step, taken_wh = self._reach(position_wh)
        cost: int = sum(map(mul, islice(self.prices, step), map(add, self.sell_wh, self.buy_wh)))
        if taken_wh:
            cost += self.prices[step] * taken_wh
        return (self.worth - cost) // WH_PER_KWH


def finished(levels: Mapping[int, int]) -> Steps[Ladder]:
    """A ladder out of the Wh at each price and side, keyed by `level_key`. A key takes two steps, a price one more;
    the longest bit is to sort the keys."""
    keys = sorted(levels)
    yield len(keys) + 1
    prices: list[int] = []
    sell_wh: list[int] = []
    buy_wh: list[int] = []
    for first in range(0, len(keys), KEYS_PER_BIT):
        some = keys[first : first + KEYS_PER_BIT]
        for key in some:
            price = key >> 1
            if not prices or prices[-1] != price:
                prices.append(price)
                sell_wh.append(0)
                buy_wh.append(0)
            (sell_wh if key & 1 else buy_wh)[-1] = levels[key]
        yield len(some)
    ladder = Ladder(prices, sell_wh, buy_wh)
    yield len(prices) + 1
    return ladder


def level_key(price: int, sale: int) -> int:
    """Sorts by price, and at one price purchases before sales."""
    return price << 1 | sale


def shares(waiting_wh: Iterator[int], available_wh: int) -> Iterator[int]:
    """Of orders at one limit, in the order of their places, what each gets of `available_wh`: the earlier all it
    wants, one the rest, the later nothing."""
    for wanted_wh in waiting_wh:
        given_wh = min(wanted_wh, available_wh)
        available_wh -= given_wh
        yield given_wh
