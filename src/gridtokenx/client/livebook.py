"""A book that is followed, and proves at each step that nothing was missed."""

from gridtokenx.client.errors import ClientError
from gridtokenx.gateway.documents import Level, checksum_of
from gridtokenx.gateway.stream_documents import BookEvent

LevelKey = tuple[int, int, int, int]
"""Limit, feeder, sources, scope."""


class BookOutOfStep(ClientError):
    """The checksum does not fit: what is held is not the book. Ask for a snapshot."""


class LiveBook:
    """Depth of one interval, made of a snapshot and the updates after it."""

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.closed = False
        self._bids: dict[LevelKey, Level] = {}
        self._asks: dict[LevelKey, Level] = {}

    def apply(self, event: BookEvent, is_snapshot: bool) -> None:
        """Take in one message. Raises BookOutOfStep."""
        if is_snapshot:
            self._bids.clear()
            self._asks.clear()
        _take(self._bids, event.bids)
        _take(self._asks, event.asks)
        self.closed = event.closed
        if checksum_of(self._bids.values(), self._asks.values()) != event.checksum:
            raise BookOutOfStep(f"the book of interval {self.interval} is out of step")

    def bids(self) -> list[Level]:
        """Best first."""
        return sorted(self._bids.values(), key=lambda level: (-level.price_micro, *_key(level)))

    def asks(self) -> list[Level]:
        """Best first."""
        return sorted(self._asks.values(), key=_key)


def _key(level: Level) -> LevelKey:
    return level.price_micro, level.feeder, level.sources, level.scope


def _take(side: dict[LevelKey, Level], levels: list[Level]) -> None:
    for level in levels:
        key = _key(level)
        if level.quantity_wh:
            side[key] = level
        else:
            side.pop(key, None)
