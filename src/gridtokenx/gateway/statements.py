"""Statements: the ledger forgets an interval when its correction window is over; this remembers, within bounds.

After a restart it knows what state still holds and what the blocks read again tell; `oldest` says how far that goes.
"""

from collections import deque

from gridtokenx.gateway.bills import Prices
from gridtokenx.modules.settlement.state import Statement

STATEMENTS_MAX = 300_000
"""About 100 MB; a week of 450 homes. Who needs more keeps them, or asks an indexer."""

PRICES_MAX = 35_040
"""Intervals of a year whose prices are kept; some MB."""


class StatementMemory:
    """Statements by portfolio and interval; a correction replaces the one before. And the prices of intervals, which
    say what a statement would have cost without the market."""

    def __init__(self, statements_max: int = STATEMENTS_MAX) -> None:
        self._max = statements_max
        self._of: dict[bytes, dict[int, Statement]] = {}
        self._order: deque[tuple[int, bytes]] = deque()
        self._in: dict[int, list[bytes]] = {}
        self.prices: dict[int, Prices] = {}
        self._rebates: dict[tuple[int, bytes], int] = {}
        self.oldest = 0
        """The first interval of which nothing was forgotten for lack of room."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self._order)

    def put(self, interval: int, portfolio: bytes, statement: Statement) -> Statement | None:
        """Remember, and forget the oldest if there is no room. Returns what it replaces."""
        own = self._of.setdefault(portfolio, {})
        before = own.get(interval)
        if before is None:
            self._order.append((interval, portfolio))
            self._in.setdefault(interval, []).append(portfolio)
        own[interval] = statement
        while len(self._order) > self._max:
            gone, whose = self._order.popleft()
            del self._of[whose][gone]
            self._rebates.pop((gone, whose), None)
            self._in.pop(gone, None)
            self.oldest = max(self.oldest, gone + 1)
        return before

    def put_rebate(self, interval: int, portfolio: bytes, amount_micro: int) -> None:
        """What a maker gets of the trading fees of an interval; its statement comes later."""
        self._rebates[interval, portfolio] = amount_micro

    def rebate_micro(self, interval: int, portfolio: bytes) -> int:
        """What it got; 0 if nothing is known."""
        return self._rebates.get((interval, portfolio), 0)

    def put_prices(self, interval: int, prices: Prices) -> None:
        """What the interval costs."""
        self.prices[interval] = prices
        if len(self.prices) > PRICES_MAX:
            del self.prices[min(self.prices)]

    def of(self, portfolio: bytes) -> dict[int, Statement]:
        """All of one portfolio, by interval, in the order in which they came."""
        return self._of.get(portfolio, {})

    def of_interval(self, interval: int) -> list[tuple[bytes, Statement]]:
        """(portfolio, statement) of one interval, as long as none of them was forgotten."""
        return [(portfolio, self._of[portfolio][interval]) for portfolio in self._in.get(interval, ())]
