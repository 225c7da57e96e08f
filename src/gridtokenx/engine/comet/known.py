"""What is known of each batch's bytes: found once by the workers, used by whoever asks next.

The check needs no state, so its answer never changes: the same for gossip, for a proposal, and for the block that was
decided. An answer is kept while its batch waits or its block is decided; without one the batch is checked again.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
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
        """By a batch's exact bytes: they are in memory anyway, and comparing them costs less than a digest."""
        self._checking: dict[bytes, Future[Known]] = {}

    def remember(self, wire: bytes, known: Known) -> None:
        """For later questions."""
        with self._lock:
            self._known[wire] = known

    def recall(self, wire: bytes) -> Known | None:
        """What is known already."""
        return self._known.get(wire)

    def check(self, wire: bytes, *, first: bool = False) -> "Future[Known]":
        """What it is, now or some time later; with `first` before anything that waits. A check that is under way is
        not begun again."""
        with self._lock:
            known, answer = self._known.get(wire), self._checking.get(wire)
            if answer is not None:
                if first:
                    self._verifier.hasten(wire)
                return answer
            answer = Future()
            if known is not None:
                answer.set_result(known)
                return answer
            self._checking[wire] = answer
        work = self._verifier.submit_batch(wire, first=first)
        work.add_done_callback(lambda done: self._checked(wire, answer, done.result()))
        return answer

    def each(self, wires: Sequence[bytes]) -> Iterator[Known]:
        """What each is, in order. What nobody has checked yet is checked now, a few batches ahead of the answer that
        is asked for: who has seen enough stops the work."""
        ahead: deque[tuple[int, Future[Known]]] = deque()
        size = 0
        for wire in wires:
            ahead.append((len(wire), self.check(wire, first=True)))
            size += len(wire)
            while size > AHEAD_BYTES_MAX:
                first_size, answer = ahead.popleft()
                size -= first_size
                yield answer.result()
        for _, answer in ahead:
            yield answer.result()

    def count_signatures(self, wire: bytes) -> int:
        """As `ledger.batch.check_batch`: the same answer, the same rejection."""
        known = self.check(wire).result()
        if isinstance(known, BatchRefused):
            raise Rejected(known.code, known.field)
        return known.signatures

    def keep_only(self, waiting: frozenset[bytes]) -> None:
        """A block is decided: forget all but the batches with these ids."""
        with self._lock:
            self._known = {
                wire: known
                for wire, known in self._known.items()
                if isinstance(known, PendingBatch) and known.id in waiting
            }

    def _checked(self, wire: bytes, answer: "Future[Known]", verdict: BatchVerdict) -> None:
        known = pending_or_refused(wire, verdict)
        with self._lock:
            self._known[wire] = known
            del self._checking[wire]
        answer.set_result(known)


def pending_or_refused(wire: bytes, verdict: BatchVerdict) -> Known:
    """What the pool needs to know of a batch that was found right."""
    if isinstance(verdict, BatchChecked):
        return PendingBatch.of(wire, verdict.batch, verdict.header, verdict.checked)
    return verdict
