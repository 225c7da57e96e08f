"""What a node saw with its own eyes: when each batch came, and when each block was proposed.

Consensus knows none of it and no rule reads it. It lets people ask afterwards who left out what was there in time
(`gridtokenx audit censorship`). Times are those of this machine's clock: compare them with each other alone.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

from gridtokenx.engine.pool import PendingBatch
from gridtokenx.ledger.codec import Decoder, Record
from gridtokenx.ledger.limits import BATCHES_PER_BLOCK_MAX

SIGHTINGS_OF_AUTHOR_MAX: Final = 128
"""Kept of one author between two blocks, about a hundred bytes each: several times what an honest one signs. Who floods
hides nobody's but its own, and takes 130 MB of disk in the 10,000 blocks for which they are kept."""

SIGHTINGS_PER_BLOCK_MAX: Final = 2 * BATCHES_PER_BLOCK_MAX
"""Of all authors."""

PROPOSALS_PER_BLOCK_MAX: Final = 16
"""Rounds of one height whose proposals are remembered."""


class Sighting(Record, frozen=True):
    """A batch, found right, when it came to this node, or was signed by it."""

    id: bytes
    author: bytes
    sequence: int
    expires_ms: int
    seen_ms: int
    signatures: int
    size: int


class Sightings(Record, frozen=True):
    """What came since the block before this one. `proposed_ms` says when this node heard the proposal of the block, 0
    if it did not: it was catching up. `missed`: batches that came and are not in the list, which was full."""

    proposed_ms: int
    batches: tuple[Sighting, ...]
    missed: int


decode_sightings: Decoder[Sightings] = Decoder(Sightings)


def now_ms() -> int:
    """This machine's clock."""
    return time.time_ns() // 1_000_000


class Watch:
    """Of one node. Batches are noted by any thread, blocks by the one that makes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[Sighting] = []
        self._of_author: Counter[bytes] = Counter()
        self._missed = 0
        self._proposals: dict[int, int] = {}
        """Of the next height: Python's hash of what was proposed (the bytes may be many, and are not kept) → when."""
        self._proposed_ms = 0

    def batch(self, batch: PendingBatch, seen_ms: int) -> None:
        """It came then."""
        header = batch.header
        sighting = Sighting(
            batch.id, header.author, header.sequence, header.expires_ms, seen_ms, batch.signatures, len(batch.wire)
        )
        with self._lock:
            own = self._of_author[header.author]
            if len(self._seen) >= SIGHTINGS_PER_BLOCK_MAX or own >= SIGHTINGS_OF_AUTHOR_MAX:
                self._missed += 1
                return
            self._seen.append(sighting)
            self._of_author[header.author] = own + 1

    def proposal(self, wires: Sequence[bytes]) -> None:
        """A block of these batches is proposed now. One that comes again in a later round was made at the first."""
        if len(self._proposals) < PROPOSALS_PER_BLOCK_MAX:
            self._proposals.setdefault(hash(tuple(wires)), now_ms())

    def decided(self, wires: Sequence[bytes]) -> None:
        """The block of this height has these batches."""
        self._proposed_ms = self._proposals.get(hash(tuple(wires)), 0)
        self._proposals = {}

    def take(self) -> Sightings:
        """All since the block before; the watch begins anew."""
        with self._lock:
            seen, self._seen = self._seen, []
            missed, self._missed = self._missed, 0
            self._of_author.clear()
        return Sightings(self._proposed_ms, tuple(seen), missed)
