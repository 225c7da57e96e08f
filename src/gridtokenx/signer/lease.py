"""The lease: of several nodes of one validator, one at a time is served.

It keeps backups from voting beside a primary that is well. It is convenience: what a node may have signed is decided by
the guard, which does not know of it.
"""

from collections.abc import Callable
from typing import Final

LEASE_SECONDS: Final = 4.0
"""CometBFT pings a signer after three and a third seconds without a question."""

BEHIND_BLOCKS: Final = 3
"""A holder that others are so far ahead of takes part in nothing, though it pings: it may be cut off."""


class Lease:
    """Of one signer."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        """`clock` gives seconds, and never goes back."""
        self.seconds = seconds
        self.holder: str | None = None
        self._clock = clock
        self._heard_s = 0.0
        self._height = 0
        """For which the holder asked last."""

    def ask(self, node: str, height: int) -> bool:
        """Whether this node may have something signed at this height now. It holds the lease then."""
        if node != self.holder:
            if self.holder is not None and not self._is_silent() and height < self._height + BEHIND_BLOCKS:
                return False
            self.holder, self._height = node, 0
        self._height = max(self._height, height)
        self._heard_s = self._clock()
        return True

    def heard(self, node: str) -> None:
        """The node is there: a ping, or the end of a signature that took long."""
        if node == self.holder:
            self._heard_s = self._clock()

    def ended(self, node: str) -> None:
        """The node's connection has ended: the next one that asks gets the lease."""
        if node == self.holder:
            self.holder = None

    def _is_silent(self) -> bool:
        return self._clock() - self._heard_s > self.seconds
