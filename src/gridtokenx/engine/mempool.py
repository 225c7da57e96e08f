"""The mempool: transactions between their check and their block.

It answers at once for what can be known now: wrong chain, expired, unknown account, keys that are not the
account's, used nonce, a frozen market. What is good is packed into batches; once the journal has a batch it waits in
the pool (`pool.py`) until it is in a block or expired. A transaction is pending, committed (with a code), expired, or
unknown.

Nothing here waits, and nothing here is a rule: the ledger decides again.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from gridtokenx.engine.acceptance import Acceptance
from gridtokenx.engine.folder import NodeKey
from gridtokenx.engine.pool import BatchPool, PendingBatch
from gridtokenx.engine.storage import NONCE_UNUSED, Place
from gridtokenx.engine.worker import Checked, Refused, Verdict
from gridtokenx.ledger import limits
from gridtokenx.ledger.account import Account, use_nonce
from gridtokenx.ledger.batch import Batch, BatchHeader, signed_batch
from gridtokenx.ledger.codec import Record, encode
from gridtokenx.ledger.crypto import merkle_root_of
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.freeze import FREEZE_KEY, Freeze

BATCH_TRANSACTIONS_MAX: Final = 500
"""Receipts of a batch are proved together: a proof then has nine steps."""

BATCH_PAYLOAD_BYTES_MAX: Final = 1_048_576
PENDING_TRANSACTIONS_MAX: Final = 100_000
"""Some seconds of blocks; who comes later is asked to try again."""

PENDING_BYTES_MAX: Final = 256 * 1024 * 1024
PENDING_OF_SENDER_MAX: Final = limits.TRANSACTIONS_PER_SENDER_AND_BLOCK_MAX
"""So that one sender can neither fill the pool nor run into its quota in a block."""

BUSY_RETRY_MS: Final = 1_000
EXPIRY_STEP_MS: Final = 60_000
"""Batches expire just before a full minute where their transactions allow: the chain forgets them together then,
instead of each at a time of its own."""


class Standing(IntEnum):
    """Where a transaction is. A refused or busy one was not taken, and may be sent again."""

    UNKNOWN = 0
    PENDING = 1
    COMMITTED = 2
    EXPIRED = 3
    REFUSED = 4
    BUSY = 5


class Answer(Record, frozen=True):
    """What the node says of one transaction. `code` and `field` of a refusal, `code` and `height` of a committed
    one; `retry_ms` of a busy one. The id is empty if the bytes were no transaction. `acceptance` of a pending one, if
    it was asked for."""

    standing: Standing
    transaction_id: bytes
    code: int = 0
    field: str = ""
    height: int = 0
    retry_ms: int = 0
    acceptance: Acceptance | None = None


_Waiting = tuple[bytes, Checked]


class BatchAuthor:
    """Who signs a node's batches."""

    def __init__(self, chain: str, node_id: bytes, key: NodeKey, first_sequence: int) -> None:
        """`first_sequence` is above every one that this node has used before."""
        self.node_id = node_id
        self.key = key
        """The node's own: another may take its place while the node runs."""
        self._chain = chain
        self._sequence = first_sequence

    @property
    def public_key(self) -> bytes:
        """By which the chain knows the node."""
        return self.key.public_key

    def sign(self, transactions: tuple[bytes, ...], checked: Sequence[Checked], expires_ms: int) -> PendingBatch:
        """The next batch, of transactions that were `checked`."""
        root = merkle_root_of([one.leaf for one in checked])
        header = BatchHeader(self._chain, self.node_id, self._sequence, expires_ms, root)
        encoded = encode(header)
        self._sequence += 1
        batch = Batch(encoded, self.key.sign(signed_batch(encoded)), transactions)
        return PendingBatch.of(encode(batch), batch, header, checked)


class Mempool:
    """What one node takes in. May be used by several threads at once."""

    def __init__(
        self,
        chain: str,
        author: BatchAuthor,
        accounts: Mapping[bytes, Account],
        find_place: Callable[[bytes], Place | None] = lambda transaction_id: None,
        freezes: Mapping[bytes, Freeze] = MappingProxyType({}),
    ) -> None:
        """`accounts` and `freezes` are live rows of the ledger's state; `find_place` looks a transaction up in the
        database."""
        self.pool = BatchPool(author.node_id)
        """Where batches wait, own ones and those of other nodes."""
        self.author = author
        self._chain = chain
        self._accounts = accounts
        self._freezes = freezes
        self._find_place = find_place
        self._lock = threading.Lock()
        self._latest_ms = 0
        """The latest chain time of an admission. The first block after a halt carries a time before the halt, and chain
        time steps back until the next one: who reckoned with the time that it was is not refused."""
        self._pending: dict[bytes, bytes] = {}
        """Transaction id → its exact bytes, from its admission until its block is committed."""
        self._pending_of: dict[bytes, int] = {}
        self._waiting: list[_Waiting] = []
        self._count = 0
        self._bytes = 0

    def __len__(self) -> int:
        """Transactions that were taken or are being checked, and are in no committed block."""
        return self._count

    @property
    def unpacked(self) -> int:
        """Transactions that were admitted and are in no batch yet."""
        return len(self._waiting)

    @property
    def bytes_held(self) -> int:
        """Their bytes."""
        return self._bytes

    def reserve(self, transactions: Sequence[bytes]) -> bool:
        """Make room for transactions about to be checked; False if there is none. `admit` must follow a True."""
        size = sum(map(len, transactions))
        with self._lock:
            room = self._count + len(transactions) <= PENDING_TRANSACTIONS_MAX
            if not room or self._bytes + size > PENDING_BYTES_MAX:
                return False
            self._count += len(transactions)
            self._bytes += size
            return True

    def admit(self, transactions: Sequence[bytes], verdicts: Sequence[Verdict], now_ms: int) -> list[Answer]:
        """Take what is good, and answer for each. `PENDING` becomes true for the sender once `pack`ed batches are
        in the journal. `now_ms` is chain time."""
        answers: list[Answer] = []
        with self._lock:
            self._latest_ms = max(self._latest_ms, now_ms)
            for wire, verdict in zip(transactions, verdicts, strict=True):
                if type(verdict) is Checked:
                    answer = self._not_taken(wire, verdict, now_ms)
                    if answer is None:
                        self._take(wire, verdict)
                        answers.append(Answer(Standing.PENDING, verdict.transaction_id))
                        continue
                else:
                    assert type(verdict) is Refused
                    answer = Answer(Standing.REFUSED, b"", verdict.code, verdict.field)
                answers.append(answer)
                self._count -= 1
                self._bytes -= len(wire)
        return answers

    def pack(self, now_ms: int) -> list[PendingBatch]:
        """Everything admitted since the last call, as signed batches: to be journaled, then offered by the pool. What
        is urgent goes in batches of its own."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        urgent = [item for item in waiting if item[1].urgent]
        rest = [item for item in waiting if not item[1].urgent] if urgent else waiting
        return [self._sign(part, now_ms) for part in (*_parts(urgent), *_parts(rest))]

    def restore(self, batches: Iterable[PendingBatch]) -> None:
        """Take back what was accepted before a restart: these are to be offered."""
        with self._lock:
            for batch in batches:
                transactions = batch.batch.transactions
                self._count += len(transactions)
                for transaction_id, wire, sender in zip(batch.ids, transactions, batch.senders, strict=True):
                    self._pending[transaction_id] = wire
                    self._pending_of[sender] = self._pending_of.get(sender, 0) + 1
                    self._bytes += len(wire)

    def settle(self, batches: Iterable[PendingBatch]) -> None:
        """The database knows what became of these, which are this node's own: they are no longer pending."""
        pending, pending_of = self._pending, self._pending_of
        with self._lock:
            for batch in batches:
                transactions = batch.batch.transactions
                self._count -= len(transactions)
                for transaction_id, wire, sender in zip(batch.ids, transactions, batch.senders, strict=True):
                    self._bytes -= len(wire)
                    # The same body may be pending again under other signatures.
                    if pending.get(transaction_id) is wire:
                        del pending[transaction_id]
                    left = pending_of[sender] - 1
                    if left:
                        pending_of[sender] = left
                    else:
                        del pending_of[sender]

    def become(self, node_id: bytes) -> None:
        """From now on batches are signed under this id."""
        self.author.node_id = node_id
        self.pool.become(node_id)

    def follow(self, accounts: Mapping[bytes, Account], freezes: Mapping[bytes, Freeze]) -> None:
        """From now on these are the live rows: the state came anew, from a snapshot."""
        self._accounts, self._freezes = accounts, freezes

    def standing(self, transaction_id: bytes) -> Answer:
        """Where the transaction is. One that turned out not to be its account's is found by the hash of all its
        bytes only, so that a stranger cannot make another's order look failed."""
        if transaction_id in self._pending:
            return Answer(Standing.PENDING, transaction_id)
        place = self._find_place(transaction_id)
        if place is None:
            is_elsewhere = self.pool.holds(transaction_id)
            return Answer(Standing.PENDING if is_elsewhere else Standing.UNKNOWN, transaction_id)
        if place.expired:
            return Answer(Standing.EXPIRED, transaction_id, height=place.height)
        return Answer(Standing.COMMITTED, transaction_id, place.code, "", place.height)

    def _not_taken(self, wire: bytes, checked: Checked, now_ms: int) -> Answer | None:
        """The answer for a repeated call, or why the transaction cannot succeed, as far as one can know now."""
        transaction_id = checked.transaction_id
        if self._pending.get(transaction_id) == wire:
            return Answer(Standing.PENDING, transaction_id)
        account = self._accounts.get(checked.sender)
        if account is not None and checked.nonce <= account.nonce_highest:
            # Only now can it have been in a block already; most transactions are spared the search.
            place = self._find_place(transaction_id)
            if place is not None and not place.expired and place.code not in NONCE_UNUSED:
                return Answer(Standing.COMMITTED, transaction_id, place.code, "", place.height)
            try:
                use_nonce(account.nonce_highest, account.nonce_gaps, checked.nonce)
            except Rejected as rejection:
                return Answer(Standing.REFUSED, transaction_id, int(rejection.code), rejection.field)
        refused = self._refusal(checked, account, now_ms)
        if refused is not None:
            return Answer(Standing.REFUSED, transaction_id, int(refused[0]), refused[1])
        if self._pending_of.get(checked.sender, 0) >= PENDING_OF_SENDER_MAX:
            return Answer(Standing.BUSY, transaction_id, 0, "sender", 0, BUSY_RETRY_MS)
        return None

    def _refusal(self, checked: Checked, account: Account | None, now_ms: int) -> tuple[KernelCode, str] | None:
        if checked.chain != self._chain:
            return KernelCode.CHAIN_WRONG, "chain"
        if checked.expires_ms < now_ms:
            return KernelCode.EXPIRED, "expires_ms"
        if checked.expires_ms > self._latest_ms + limits.TRANSACTION_LIFETIME_MS_MAX:
            return KernelCode.EXPIRY_TOO_FAR, "expires_ms"
        if account is None:
            return KernelCode.ACCOUNT_UNKNOWN, "sender"
        if account.keys_hash != checked.keys_hash:
            return KernelCode.UNAUTHENTICATED, "auth"
        if FREEZE_KEY in self._freezes and not checked.while_frozen:
            return KernelCode.FROZEN, "messages"
        return None

    def _take(self, wire: bytes, checked: Checked) -> None:
        self._pending[checked.transaction_id] = wire
        self._pending_of[checked.sender] = self._pending_of.get(checked.sender, 0) + 1
        self._waiting.append((wire, checked))

    def _sign(self, part: list[_Waiting], now_ms: int) -> PendingBatch:
        latest = max([checked.expires_ms for _, checked in part])
        before_minute = latest // EXPIRY_STEP_MS * EXPIRY_STEP_MS - 1
        expires_ms = before_minute if before_minute > now_ms + EXPIRY_STEP_MS else latest
        transactions = tuple([wire for wire, _ in part])
        return self.author.sign(transactions, [checked for _, checked in part], expires_ms)


def _parts(waiting: list[_Waiting]) -> Iterator[list[_Waiting]]:
    """What goes into one batch each."""
    part: list[_Waiting] = []
    size = 0
    for item in waiting:
        size += len(item[0])
        if len(part) == BATCH_TRANSACTIONS_MAX or (part and size > BATCH_PAYLOAD_BYTES_MAX):
            yield part
            part, size = [], len(item[0])
        part.append(item)
    if part:
        yield part


def busy(transactions: Sequence[bytes]) -> list[Answer]:
    """The answer to all when there is no room."""
    return [Answer(Standing.BUSY, b"", 0, "mempool", 0, BUSY_RETRY_MS)] * len(transactions)
