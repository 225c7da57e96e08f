"""How much a node puts into the blocks that it proposes: what it executes in the time between two blocks.

A block that takes longer to execute than blocks are apart makes everybody wait, and votes and proposals late. What a
block may hold at most is the ledger's to say; this is what an honest proposer wants, and it depends on its machine.
"""

from typing import Final

from gridtokenx.ledger.limits import SIGNATURES_PER_BLOCK_MAX

SIGNATURES_MIN: Final = 500
"""Smaller blocks tell little of what a signature takes; and so many fit, however slow the machine."""

WEIGHT: Final = 0.25
"""Of the last block, against all before."""


class BlockCapacity:
    """Of one node. Its times are those of the machine, and decide nothing but what is proposed."""

    def __init__(self) -> None:
        self._seconds_each: float | None = None

    def note(self, signatures: int, seconds: float) -> None:
        """A block with so many took so long to execute and to write."""
        if signatures < SIGNATURES_MIN:
            return
        each, before = seconds / signatures, self._seconds_each
        self._seconds_each = each if before is None else before + WEIGHT * (each - before)

    def signatures_enough(self, block_ms: int) -> int:
        """How many a block should hold where blocks are so far apart."""
        if self._seconds_each is None:
            return SIGNATURES_PER_BLOCK_MAX
        fitting = int(block_ms / 1_000 / self._seconds_each)
        return max(SIGNATURES_MIN, min(SIGNATURES_PER_BLOCK_MAX, fitting))
