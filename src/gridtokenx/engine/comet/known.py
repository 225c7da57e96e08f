"""What is known of each batch's bytes: found once by the workers, used by whoever asks next.

The check needs no state, so its answer never changes: the same for gossip, for a proposal, and for the block that was
decided. An answer is kept while its batch waits or its block is decided; without one the batch is checked again.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from hashlib import sha256
from typing import Final

from gridtokenx.engine.pool import PendingBatch
from gridtokenx.engine.verifier import BatchChecked, BatchRefused, BatchVerdict, Verifier
from gridtokenx.ledger.errors import Rejected

Known = PendingBatch | BatchRefused

AHEAD_BYTES_MAX: Final = 4_194_304
"""What is checked beyond the batch that is looked at: enough for all workers, and what a proposer can make others do in
vain."""


class KnownBatches:
    """May be used by several threads at once."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._lock = threading.Lock()
        self._known: dict[bytes, Known] = {}

    def remember(self, wire: bytes, known: Known) -> None:
        """For later questions."""
        with self._lock:
            self._known[sha256(wire).digest()] = known

    def recall(self, wire: bytes) -> Known | None:
        """What is known already."""
        return self._known.get(sha256(wire).digest())

    def each(self, wires: Sequence[bytes]) -> Iterator[Known]:
        """What each is, in order. What nobody has checked yet is checked now, a few batches ahead of the answer that
        is asked for: who has seen enough stops the work."""
        ahead: deque[tuple[bytes, Known | Future[BatchVerdict]]] = deque()
        size = 0
        for wire in wires:
            ahead.append((wire, self.recall(wire) or self._verifier.submit_batch(wire)))
            size += len(wire)
            while size > AHEAD_BYTES_MAX:
                size -= len(ahead[0][0])
                yield self._answer(*ahead.popleft())
        while ahead:
            yield self._answer(*ahead.popleft())

    def count_signatures(self, wire: bytes) -> int:
        """As `ledger.batch.check_batch`: the same answer, the same rejection."""
        (known,) = self.each([wire])
        if isinstance(known, BatchRefused):
            raise Rejected(known.code, known.field)
        return known.signatures

    def _answer(self, wire: bytes, known: "Known | Future[BatchVerdict]") -> Known:
        if isinstance(known, Future):
            known = pending_or_refused(wire, known.result())
            self.remember(wire, known)
        return known

    def keep_only(self, waiting: frozenset[bytes]) -> None:
        """A block is decided: forget all but the batches with these ids."""
        with self._lock:
            self._known = {
                name: known
                for name, known in self._known.items()
                if isinstance(known, PendingBatch) and known.id in waiting
            }


def pending_or_refused(wire: bytes, verdict: BatchVerdict) -> Known:
    """What the pool needs to know of a batch that was found right."""
    if isinstance(verdict, BatchChecked):
        return PendingBatch.of(wire, verdict.batch, verdict.header, verdict.checked)
    return verdict
