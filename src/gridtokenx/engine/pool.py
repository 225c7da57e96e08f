"""The pool of batches: each waits here from the journal (own ones) or its check (others') until it is in a block or
expired.

Own batches are on the disk and were promised to their senders; others' are their authors' to keep, so they may be
refused when there is no room. Nothing here is a rule: the ledger decides again. No clock either: time is counted in
blocks.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final

from gridtokenx.engine.worker import Checked
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import Batch, BatchHeader, batch_id

BLOCK_BYTES_MAX: Final = 33_554_432
"""What a block may hold in batches: the signatures of a block allow far more than a network should carry."""

OTHERS_SIGNATURES_MAX: Final = limits.SIGNATURES_PER_BLOCK_MAX
"""What one other author may have waiting here: a block's worth. More is its own to keep, until there is room."""

OTHERS_BYTES_MAX: Final = BLOCK_BYTES_MAX

ALL_OTHERS_BYTES_MAX: Final = 8 * BLOCK_BYTES_MAX
"""What all other authors may have waiting here before each has its equal part of it and no more: many that flood at
once take each other's room, not that of the rest, and together at most twice as much."""

OFFER_AGAIN_BLOCKS: Final = 5
"""An own batch that so many blocks passed over is offered to the peers again: they may have been away."""

PASS_ON_BLOCKS: Final = 2
"""Another's batch that so many blocks passed over is passed on, once: its author may not reach everybody."""

_PASSED_ON: Final = -PASS_ON_BLOCKS - 1
"""In place of the count at which another's batch came, once it was passed on."""

URGENT_SHARE: Final = 4
"""A quarter of a block goes to urgent batches first. What is urgent beyond that waits for its author's turn: so nobody
keeps the others out by calling everything urgent."""

FRAME_BYTES: Final = 8
"""What a batch takes in a block besides its bytes: the engine's tag and length."""


@dataclass(slots=True, eq=False)
class PendingBatch:
    """A signed batch, whose transactions were checked, and what the pool knows of it."""

    wire: bytes
    id: bytes
    batch: Batch
    header: BatchHeader
    ids: tuple[bytes, ...]
    """Of its transactions."""
    senders: tuple[bytes, ...]
    signatures: int
    is_urgent: bool
    number: int = 0
    """The journal's; 0 without a journal and for others'."""
    offered_at: int = 0
    """The pool's count of blocks when it came from its author or last went to the peers."""
    is_overtaken: bool = False
    """Whether a later one of its author was in a block."""
    latest_ms: int = 0
    """When the last of its transactions expires: often some seconds after the batch."""

    @classmethod
    def of(
        cls, wire: bytes, batch: Batch, header: BatchHeader, checked: Sequence[Checked], number: int = 0
    ) -> "PendingBatch":
        """From what the check of each transaction found."""
        return cls(
            wire,
            batch_id(batch.header),
            batch,
            header,
            tuple([one.transaction_id for one in checked]),
            tuple([one.sender for one in checked]),
            sum([one.signatures for one in checked]),
            any(one.urgent for one in checked),
            number,
            latest_ms=max([one.expires_ms for one in checked], default=0),
        )


@dataclass(slots=True)
class _Author:
    """What waits of one author, in the order in which it came, and how much that is."""

    batches: dict[bytes, PendingBatch] = field(default_factory=dict)
    checking: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """What room is reserved for: id → (transactions, bytes)."""
    signatures: int = 0
    bytes_held: int = 0
    settled_at: int = 0
    """The pool's count of blocks when one of them was in a block."""

    def settle(self, name: bytes, blocks: int) -> PendingBatch | None:
        """The batch of this id is in a block; None if it is not here."""
        batch = self.batches.get(name)
        if batch is None:
            return None
        for earlier in self.batches.values():
            if earlier is batch:
                break
            earlier.is_overtaken = True
        del self.batches[name]
        self.signatures -= batch.signatures
        self.bytes_held -= len(batch.wire)
        self.settled_at = blocks
        return batch


class BatchPool:
    """The batches of one node and of its peers. May be used by several threads at once."""

    def __init__(self, own: bytes) -> None:
        """`own` is this node's id as an author."""
        self._own = own
        self._lock = threading.Lock()
        self._authors: dict[bytes, _Author] = {}
        self._to_offer: dict[bytes, PendingBatch] = {}
        """By id, in the order in which the peers get them. Without peers nobody takes any."""
        self._of_others: dict[bytes, bytes] = {}
        """Transaction id → batch id, of other authors' batches."""
        self._blocks = 0

    def become(self, own: bytes) -> None:
        """From now on this is the node's id as an author."""
        self._own = own

    def __contains__(self, name: bytes) -> bool:
        return any(name in author.batches for author in list(self._authors.values()))

    def names(self) -> frozenset[bytes]:
        """Ids of all batches here."""
        with self._lock:
            return frozenset(name for author in self._authors.values() for name in author.batches)

    def offer(self, batches: Iterable[PendingBatch]) -> None:
        """From now on these, which are in the journal, may go into a block and to the peers."""
        with self._lock:
            for batch in batches:
                self._add(batch)
                self._to_offer[batch.id] = batch

    def reserve(self, author: bytes, name: bytes, transactions: int, size: int) -> bool:
        """Make room for another author's batch that is about to be checked; False if there is none, or if it is here
        already. `insert` or `let_go` must follow a True."""
        with self._lock:
            waiting = self._authors.setdefault(author, _Author())
            if name in waiting.batches or name in waiting.checking:
                return False
            if waiting.signatures + transactions > OTHERS_SIGNATURES_MAX:
                return False
            if waiting.bytes_held + size > self._bytes_allowed(size):
                return False
            waiting.checking[name] = transactions, size
            waiting.signatures += transactions
            waiting.bytes_held += size
            return True

    def let_go(self, author: bytes, name: bytes) -> None:
        """The batch that room was reserved for does not come."""
        with self._lock:
            self._release(author, name)

    def insert(self, batch: PendingBatch) -> None:
        """Take in another author's batch, whose signatures were found right. Room must have been reserved; not if it
        was settled while it was checked, or has more signatures than may wait."""
        with self._lock:
            waiting = self._authors[batch.header.author]
            if batch.id not in waiting.checking:
                return
            self._release(batch.header.author, batch.id)
            if waiting.signatures + batch.signatures > OTHERS_SIGNATURES_MAX:
                return
            batch.offered_at = self._blocks
            self._add(batch)
            self._of_others |= dict.fromkeys(batch.ids, batch.id)

    def own_batches(self) -> list[PendingBatch]:
        """This node's own, oldest first."""
        with self._lock:
            own = self._authors.get(self._own)
            return [] if own is None else list(own.batches.values())

    def holds(self, transaction_id: bytes) -> bool:
        """Whether another author's batch with this transaction waits here."""
        return transaction_id in self._of_others

    def choose(
        self,
        time_ms: int,
        bytes_max: int = BLOCK_BYTES_MAX,
        usable: Callable[[PendingBatch], bool] = lambda batch: True,
        signatures_enough: int = limits.SIGNATURES_PER_BLOCK_MAX,
    ) -> list[PendingBatch]:
        """Batches for a block of this time, within the limits of a block, and none more once there are enough
        signatures: urgent ones first, then each author in turn, by the signatures that it has had, its oldest first.
        They stay in the pool until `settle`."""
        with self._lock:
            waiting = [list(author.batches.values()) for author in self._authors.values()]
        turns = _Turns([[one for one in batches if _fits_time(one, time_ms)] for batches in waiting], usable)
        room = _Room(min(bytes_max, BLOCK_BYTES_MAX), signatures_enough)
        turns.take(room.part(URGENT_SHARE), lambda batch: batch.is_urgent)
        for batch in turns.chosen:
            room.take(batch)
        turns.take(room, lambda batch: True)
        return list(turns.chosen)

    def expired(self, time_ms: int, in_block: Iterable[bytes] = ()) -> list[PendingBatch]:
        """Those that can be in no block after one of this time; not those with the ids `in_block`."""
        with self._lock:
            named = frozenset(in_block)
            return [
                batch
                for author in self._authors.values()
                for batch in author.batches.values()
                if batch.header.expires_ms <= time_ms and batch.id not in named
            ]

    def settle(self, batch_ids: Iterable[bytes]) -> list[PendingBatch]:
        """A block is committed, and with it the fate of these; returns those that were here. What blocks pass over is
        offered to the peers again."""
        settled: list[PendingBatch] = []
        with self._lock:
            for name in batch_ids:
                for author_id, author in self._authors.items():
                    # One that is being checked is settled too: it must not come in afterwards.
                    self._release(author_id, name)
                    batch = author.settle(name, self._blocks + 1)
                    if batch is not None:
                        settled.append(batch)
                        break
            for batch in settled:
                self._to_offer.pop(batch.id, None)
                if batch.header.author != self._own:
                    for transaction_id in batch.ids:
                        # It may be in a later one too.
                        if self._of_others.get(transaction_id) == batch.id:
                            del self._of_others[transaction_id]
            self._blocks += 1
            self._offer_again()
        return settled

    def take_offers(self, bytes_max: int) -> list[PendingBatch]:
        """What the peers should get now, at most so many bytes (one batch at least)."""
        taken: list[PendingBatch] = []
        size = 0
        with self._lock:
            for batch in self._to_offer.values():
                size += len(batch.wire)
                if taken and size > bytes_max:
                    break
                batch.offered_at = self._blocks if batch.header.author == self._own else _PASSED_ON
                taken.append(batch)
            for batch in taken:
                del self._to_offer[batch.id]
        return taken

    def _bytes_allowed(self, size: int) -> int:
        """What one other author may have waiting, with a batch of this size."""
        others = [author.bytes_held for name, author in self._authors.items() if name != self._own]
        if sum(others) + size <= ALL_OTHERS_BYTES_MAX:
            return OTHERS_BYTES_MAX
        return min(OTHERS_BYTES_MAX, ALL_OTHERS_BYTES_MAX // len(others))

    def _release(self, author: bytes, name: bytes) -> None:
        waiting = self._authors[author]
        transactions, size = waiting.checking.pop(name, (0, 0))
        waiting.signatures -= transactions
        waiting.bytes_held -= size

    def _add(self, batch: PendingBatch) -> None:
        author = self._authors.setdefault(batch.header.author, _Author())
        if batch.id not in author.batches:
            author.batches[batch.id] = batch
            author.signatures += batch.signatures
            author.bytes_held += len(batch.wire)

    def _offer_again(self) -> None:
        """What blocks pass over: they hold later ones of its author, or none. What only waits for its turn, because
        there is more than blocks take, would be sent in vain."""
        for name, author in self._authors.items():
            wait = OFFER_AGAIN_BLOCKS if name == self._own else PASS_ON_BLOCKS
            is_absent = self._blocks - author.settled_at >= wait
            for batch in author.batches.values():
                is_passed_over = is_absent or batch.is_overtaken
                has_waited = batch.offered_at != _PASSED_ON and self._blocks - batch.offered_at >= wait
                if is_passed_over and has_waited:
                    self._to_offer[batch.id] = batch


class _Room:
    """What is left of a block."""

    def __init__(
        self,
        bytes_max: int,
        enough: int,
        batches: int | None = None,
        signatures: int | None = None,
    ) -> None:
        self.bytes = bytes_max
        self.enough = enough
        self.batches = limits.BATCHES_PER_BLOCK_MAX if batches is None else batches
        self.signatures = limits.SIGNATURES_PER_BLOCK_MAX if signatures is None else signatures

    def part(self, share: int) -> "_Room":
        """One part of so many."""
        return _Room(self.bytes // share, self.enough, self.batches // share, self.signatures // share)

    def take(self, batch: PendingBatch) -> bool:
        """Whether it fits; if so it has its room."""
        size = len(batch.wire) + FRAME_BYTES
        if not self.batches or batch.signatures > self.signatures or size > self.bytes or self.enough <= 0:
            return False
        self.enough -= batch.signatures
        self.batches -= 1
        self.signatures -= batch.signatures
        self.bytes -= size
        return True


class _Turns:
    """Who comes next, while a block is filled."""

    def __init__(self, waiting: list[list[PendingBatch]], usable: Callable[[PendingBatch], bool]) -> None:
        """`waiting`: of each author, oldest first."""
        self.chosen: dict[PendingBatch, None] = {}
        self._waiting = waiting
        self._had = [0] * len(waiting)
        self._usable = usable

    def take(self, room: _Room, wanted: Callable[[PendingBatch], bool]) -> None:
        """Fill the room with what is wanted: next is who has had the fewest signatures."""
        turns = [(had, author, iter(self._waiting[author])) for author, had in enumerate(self._had)]
        heapify(turns)
        while turns:
            _, author, batches = heappop(turns)
            fitting = (one for one in batches if one not in self.chosen and wanted(one) and self._usable(one))
            batch = next(fitting, None)
            # An author whose next batch has no room waits: its later ones must not overtake it.
            if batch is not None and room.take(batch):
                self.chosen[batch] = None
                self._had[author] += batch.signatures
                heappush(turns, (self._had[author], author, batches))


def _fits_time(batch: PendingBatch, time_ms: int) -> bool:
    """Not expired, nor signed by a clock ahead of this block's: the first block after a halt has the time before it,
    and would refuse what was accepted in the meantime, because it expires too late."""
    latest_ms = max(batch.header.expires_ms, batch.latest_ms)
    return time_ms <= batch.header.expires_ms and latest_ms <= time_ms + limits.TRANSACTION_LIFETIME_MS_MAX
