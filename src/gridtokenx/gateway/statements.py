"""Statements: the ledger forgets an interval when its correction window is over; this remembers, within bounds.

After a restart it knows what state still holds and what the blocks read again tell; `oldest` says how far that goes.
"""

from collections import deque

from gridtokenx.modules.settlement.state import Statement

STATEMENTS_MAX = 300_000
"""About 100 MB; a week of 450 homes. Who needs more keeps them, or asks an indexer."""


class StatementMemory:
    """Statements by portfolio and interval; a correction replaces the one before."""

    def __init__(self, statements_max: int = STATEMENTS_MAX) -> None:
        self._max = statements_max
        self._of: dict[bytes, dict[int, Statement]] = {}
        self._order: deque[tuple[int, bytes]] = deque()
        self.oldest = 0
        """The first interval of which nothing was forgotten for lack of room."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self._order)

    def put(self, interval: int, portfolio: bytes, statement: Statement) -> None:
        """Remember, and forget the oldest if there is no room."""
        own = self._of.setdefault(portfolio, {})
        if interval not in own:
            self._order.append((interval, portfolio))
        own[interval] = statement
        while len(self._order) > self._max:
            gone, whose = self._order.popleft()
            del self._of[whose][gone]
            self.oldest = max(self.oldest, gone + 1)

    def of(self, portfolio: bytes) -> dict[int, Statement]:
        """All of one portfolio, by interval, in the order in which they came."""
        return self._of.get(portfolio, {})
