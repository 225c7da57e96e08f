"""The consensus engine: CometBFT decides which batches make a block; this says which are right, and executes them.

Calls that concern blocks come one after another on one thread; `insert` and `offers` are the event loop's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from gridtokenx.engine.application import collect_young
from gridtokenx.engine.comet.capacity import BlockCapacity
from gridtokenx.engine.comet.home import NORMAL
from gridtokenx.engine.comet.known import Known, KnownBatches
from gridtokenx.engine.comet.proposals import block_time_ms, check_proposal, is_admissible
from gridtokenx.engine.engine import Engine, known_node
from gridtokenx.engine.pool import PendingBatch
from gridtokenx.engine.sightings import Watch, now_ms
from gridtokenx.engine.verifier import BatchRefused, Verifier
from gridtokenx.ledger import limits
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.batch import BATCHES, NODES, Batch, BatchHeader, batch_id, open_batch, signing_key
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.consensus import CONSENSUS, CONSENSUS_KEY
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.freeze import FREEZE
from gridtokenx.ledger.validator import UNKNOWN_NODE, VALIDATORS, LastCommit, Misbehaviour, node_of

CODE_OK: Final = 0
CODE_REFUSED: Final = 1
"""The engine remembers such a batch for ever and never asks again."""

CODE_RETRY: Final = 32_000
"""The engine forgets it soon: it may come again."""

COLLECT: Final = "collect"
"""The phase of a block that may wait for workers, and not for the ledger."""

_SETTLED: Final = frozenset({int(KernelCode.OK), int(KernelCode.BATCH_REPEATED)})
"""A batch with one of these codes is in this block or an earlier one."""


BEHIND_BLOCKS: Final = 3
"""A node that executes so many blocks one after another without having judged them is catching up with the others."""


@dataclass(frozen=True, slots=True)
class BadBatch:
    """A batch that its author signed and that holds a transaction which no honest node takes in."""

    batch: Batch
    header: BatchHeader
    public_key: bytes
    transaction: int


class CometEngine(Engine):
    """One node's side of consensus."""

    def __init__(self, *arguments: Any, verifier: Verifier, **options: Any) -> None:
        """As `Engine`; workers are needed."""
        super().__init__(*arguments, verifier=verifier, **options)
        self.known = KnownBatches(verifier)
        self.on_bad_batch: Callable[[BadBatch], None] = lambda bad: None
        """Told of evidence against another node, by whichever thread found it."""
        self.capacity = BlockCapacity()
        self._watch = Watch()
        self._signatures = 0
        """In the executed block."""
        self._settled: list[bytes] = []
        """Ids of the batches whose fate the executed block decides."""
        self._judged = 0
        """Height of the last proposal that was judged here."""
        self._unjudged = 0
        self.clock.start(self.head.time_ms)
        self.recognise()

    def recognise(self) -> None:
        """Find the id that the state knows this node's key by: a node may join first, and be admitted later."""
        if self.node_id == UNKNOWN_NODE:
            self.node_id = known_node(self.application.state, self.mempool.author.public_key) or UNKNOWN_NODE
            self.mempool.become(self.node_id)

    def accept(self, batches: Sequence[PendingBatch]) -> None:
        """As `Engine.accept`; proposals with these need no second check."""
        for batch in batches:
            self.known.remember(batch.wire, batch)
        super().accept(batches)
        seen_ms = now_ms()
        for batch in batches:
            self._watch.batch(batch, seen_ms)

    def begin(self, genesis: BinaryIO) -> None:
        """The chain begins with this genesis; nothing happens if the state is there already."""
        if not self.application.has_begun:
            self.application.init_chain(genesis)
            self.adopted()

    def adopted(self) -> None:
        """The application has its genesis now, or goes on from a snapshot: look at everything anew."""
        self.head = self.application.info()
        state = self.application.state
        self._settle([name for name in self.mempool.pool.names() if state.get(BATCHES, name) is not None])
        self.mempool.follow(state.rows[ACCOUNTS.prefix], state.rows[FREEZE.prefix])
        self.clock.start(self.head.time_ms)
        self.recognise()

    def validators(self) -> list[tuple[bytes, int]]:
        """(public key, power) of those that vote first, in the order of their addresses."""
        rows = self.application.state.items(VALIDATORS)
        return [(validator.public_key, validator.power) for _, validator in rows]

    # Gossip: the event loop's.

    def insert(self, wire: bytes) -> int:
        """Take in another node's batch. `CODE_OK` says that it is looked at, not that it is right: workers check its
        transactions while the next ones come."""
        try:
            batch, header = open_batch(wire)
        except Rejected:
            return CODE_REFUSED
        state, name, time_ms = self.application.state, batch_id(batch.header), self.head.time_ms
        if header.chain != self.head.chain or header.expires_ms < time_ms:
            return CODE_REFUSED
        if header.expires_ms > time_ms + limits.TRANSACTION_LIFETIME_MS_MAX:
            return CODE_RETRY  # this node may be some blocks behind
        node = state.get(NODES, header.author)
        if node is None or not node.licensed:
            return CODE_RETRY  # it may have been licensed by a block that is not here yet
        if signing_key(batch, header, node) is None:
            return CODE_REFUSED
        pool = self.mempool.pool
        if header.author == self.node_id or name in pool or state.get(BATCHES, name) is not None:
            return CODE_OK
        if not pool.reserve(header.author, name, len(batch.transactions), len(wire)):
            return CODE_RETRY
        work, seen_ms = self.known.check(wire), now_ms()
        work.add_done_callback(lambda done: self._checked(batch, header, name, seen_ms, done.result()))
        return CODE_OK

    def _checked(self, batch: Batch, header: BatchHeader, name: bytes, seen_ms: int, known: Known) -> None:
        if isinstance(known, PendingBatch):
            self._watch.batch(known, seen_ms)
            self.mempool.pool.insert(known)
            return
        self.mempool.pool.let_go(header.author, name)
        self._report(batch, header, known)

    def offers(self, bytes_max: int) -> list[bytes]:
        """Batches for the peers: own new ones, own ones that blocks pass over, others' that blocks pass over (once)."""
        return [batch.wire for batch in self.mempool.pool.take_offers(bytes_max)]

    # Blocks: one thread's.

    def propose(self, seconds: int, nanoseconds: int, bytes_max: int) -> list[bytes]:
        """The batches of a block of this time, of at most so many bytes with their frames."""
        state = self.application.state
        time_ms = block_time_ms(state, seconds, nanoseconds)
        terms = state.get(CONSENSUS, CONSENSUS_KEY)
        enough = self.capacity.signatures_enough(terms.block_ms if terms else NORMAL.block_ms)
        chosen = self.mempool.pool.choose(
            time_ms, bytes_max, lambda batch: is_admissible(state, time_ms, batch), enough
        )
        return [batch.wire for batch in chosen]

    def judge(self, seconds: int, nanoseconds: int, wires: Sequence[bytes]) -> bool:
        """Whether a proposed block is right."""
        state = self.application.state
        self._judged = self.head.height + 1
        self._watch.proposal(wires)
        try:
            check_proposal(state, block_time_ms(state, seconds, nanoseconds), wires, self.known.each(wires))
        except Rejected as rejection:
            self.metrics.alarm(f"proposal refused: {rejection}")
            self._report_all(wires)
            return False
        return True

    def execute(
        self,
        height: int,
        seconds: int,
        nanoseconds: int,
        proposer: bytes,
        wires: Sequence[bytes],
        misbehaviour: tuple[Misbehaviour, ...],
        last_commit: LastCommit | None,
    ) -> BlockOutcome:
        """Execute a decided block; nothing is written. It relies on no call before: what is not known is checked."""
        self.metrics.begin_block()
        self._unjudged = 0 if self._judged == height else self._unjudged + 1
        self.is_behind = self._unjudged >= BEHIND_BLOCKS
        state = self.application.state
        self._watch.decided(wires)
        known = list(self.known.each(wires))
        self._report_all(wires)
        time_ms = block_time_ms(state, seconds, nanoseconds)
        block = Block(height, time_ms, node_of(state, proposer), tuple(wires), misbehaviour, last_commit)
        self._signatures = sum(one.signatures for one in known if isinstance(one, PendingBatch))
        self.metrics.observe(COLLECT)
        outcome = self.finalize(block, self.known.count_signatures)
        # One that the block had no right to may still have its place in another.
        self._settled = [
            one.id
            for one, became in zip(known, outcome.batches, strict=True)
            if isinstance(one, PendingBatch) and became.code in _SETTLED
        ]
        return outcome

    def commit_block(self) -> BlockOutcome:
        """Write the executed block."""
        outcome = self.commit(self._settled)
        if self.application.storage is not None:
            self.application.storage.write_sightings(outcome.header.height, self._watch.take())
        phases = self.metrics.last_phases
        self.capacity.note(self._signatures, sum(phases.values()) - phases[COLLECT])
        self.clock.start(outcome.header.time_ms)
        self.recognise()
        self.known.keep_only(self.mempool.pool.names())
        collect_young()
        return outcome

    def _report_all(self, wires: Sequence[bytes]) -> None:
        for wire in wires:
            known = self.known.recall(wire)
            if isinstance(known, BatchRefused) and known.transaction is not None:
                batch, header = open_batch(wire)
                self._report(batch, header, known)

    def _report(self, batch: Batch, header: BatchHeader, refused: BatchRefused) -> None:
        node = self.application.state.get(NODES, header.author)
        public_key = None if node is None else signing_key(batch, header, node)
        if refused.transaction is None or public_key is None:
            return
        self.metrics.alarm(f"node {header.author.hex()} signed a bad batch: {refused.field}")
        self.on_bad_batch(BadBatch(batch, header, public_key, refused.transaction))
