"""What every engine does with what was accepted: journal it, offer it, execute a block, commit it, settle its batches.

Who decides which batches make the next block is the difference between them: the solo engine by itself, the
consensus engine with its peers.
"""

from collections.abc import Callable, Sequence

from gridtokenx.engine.application import Application
from gridtokenx.engine.clocks import Clock
from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.journal import Journal, JournaledBatch
from gridtokenx.engine.mempool import Mempool
from gridtokenx.engine.metrics import Metrics
from gridtokenx.engine.pool import PendingBatch
from gridtokenx.engine.verifier import Verifier
from gridtokenx.engine.worker import Checked, Verdict, check
from gridtokenx.ledger.batch import BATCHES, NODES, batch_id, decode_batch, decode_batch_header
from gridtokenx.ledger.block import Block, BlockOutcome, CountSignatures
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.state import State
from gridtokenx.ledger.transaction import decode_envelope


class NotLicensed(Exception):
    """The node's key is not among those that may sign batches on this chain."""


class LostBlocks(Exception):
    """The database holds less than the journal saw committed."""


def known_node(state: State, public_key: bytes) -> bytes | None:
    """The id of the node with this key, licensed or not."""
    return next((node_id for node_id, node in state.items(NODES) if node.public_key == public_key), None)


def node_id_of(state: State, public_key: bytes) -> bytes:
    """The id under which this key may sign batches. Raises `NotLicensed`."""
    node_id = known_node(state, public_key)
    node = None if node_id is None else state.get(NODES, node_id)
    if node_id is not None and node is not None and node.licensed:
        return node_id
    raise NotLicensed(f"no licensed node of this chain has the public key {public_key.hex()}")


def require_whole(application: Application, journal: Journal, *, blocks_return: bool = False) -> None:
    """Compare the database with the journal's last marker. Raises `LostBlocks`. With `blocks_return` the database may
    hold less: under consensus others have the blocks."""
    marker, info = journal.marker, application.info()
    if marker is None:
        return
    if info.height < marker.height and not blocks_return:
        raise LostBlocks(
            f"the database ends at block {info.height}, but block {marker.height} was committed: "
            "its last blocks are lost; restore a backup"
        )
    if info.height == marker.height and info.app_hash != marker.app_hash:
        raise LostBlocks(
            f"block {marker.height} was committed with app hash {marker.app_hash.hex()}, "
            f"the database has {info.app_hash.hex()}; restore a backup"
        )


class Engine:
    """One node's blocks, executed one after another by one thread."""

    def __init__(
        self,
        application: Application,
        mempool: Mempool,
        clock: Clock,
        node_id: bytes,
        *,
        journal: Journal | None = None,
        verifier: Verifier | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.application = application
        self.mempool = mempool
        self.clock = clock
        self.metrics = Metrics() if metrics is None else metrics
        self.on_block: Callable[[BlockOutcome], None] = lambda outcome: None
        """Told of each committed block, by the thread that makes blocks."""
        self.head = application.info()
        """Where the chain stands after the last committed block; any thread may read it."""
        self.is_behind = False
        """Whether blocks come that the others have had for long: chain time here is not theirs yet."""
        self.node_id = node_id
        """Under which this node signs batches."""
        self._journal = journal
        self._verifier = verifier
        self._lost: list[bytes] = []
        """Ids of transactions whose batch cannot go into any block: noted as expired with the next one."""
        self._finalized: tuple[Block, BlockOutcome] | None = None

    def may_accept(self) -> bool:
        """Whether this node may sign batches after the last block."""
        node = self.application.state.get(NODES, self.node_id)
        return node is not None and node.licensed

    def restore(self, journaled: Sequence[JournaledBatch]) -> None:
        """Take back what was accepted before a restart: batches that are in a block already are dropped, those that
        expired will be noted, the others are checked again and offered."""
        state, last_ms = self.application.state, self.application.last_block().time_ms
        settled: list[int] = []
        for entry in journaled:
            batch = decode_batch.trusted(entry.wire)
            header = decode_batch_header.trusted(batch.header)
            if state.get(BATCHES, batch_id(batch.header)) is not None:
                settled.append(entry.number)
                continue
            if header.expires_ms <= last_ms:
                # Many, after a long rest; those that were in a block all the same are known to the database.
                self._lost.extend(hash_bytes(decode_envelope.trusted(wire).body) for wire in batch.transactions)
                settled.append(entry.number)
                continue
            verdicts = self.check(batch.transactions)
            checked = [verdict for verdict in verdicts if isinstance(verdict, Checked)]
            if len(checked) < len(verdicts):
                self._lost.extend(verdict.transaction_id for verdict in checked)
                settled.append(entry.number)
            else:
                pending = PendingBatch.of(entry.wire, batch, header, checked, entry.number)
                self.mempool.restore([pending])
                self.mempool.pool.offer([pending])
        if self._journal is not None:
            self._journal.resolve(settled)

    def check(self, transactions: Sequence[bytes]) -> list[Verdict]:
        """Bytes and signatures, by the workers if there are any."""
        if self._verifier is None:
            return [check(wire, self.application.chain) for wire in transactions]
        return self._verifier.submit(transactions).result()

    def accept(self, batches: Sequence[PendingBatch]) -> None:
        """Put batches into the journal, then offer them. When this returns their senders may hear "accepted"."""
        if not batches:
            return
        reached("intake.packed")
        if self._journal is not None:
            numbers = self._journal.append([batch.wire for batch in batches])
            for batch, number in zip(batches, numbers, strict=True):
                batch.number = number
        reached("intake.journaled")
        self.mempool.pool.offer(batches)

    def finalize(self, block: Block, count_signatures: CountSignatures) -> BlockOutcome:
        """Execute a block in memory. `commit` must follow, by whichever thread. Raises only what must stop the node."""
        if self._finalized is not None:
            raise RuntimeError("a block before this one was not committed: start again from the database")
        # Until the commit nobody may read state and proofs: they would be those of neither block.
        making = self.application.making
        making.acquire()
        try:
            outcome = self.application.finalize_block(block, count_signatures, self.metrics.observe)
        except BaseException:
            making.release()
            raise
        self._finalized = block, outcome
        return outcome

    def commit(self, batch_ids: Sequence[bytes]) -> BlockOutcome:
        """Write the finalized block, and settle its batches, whose ids these are, and what expired by its time."""
        assert self._finalized is not None, "a block is finalized before it is committed"
        (block, outcome), self._finalized = self._finalized, None
        pool, metrics = self.mempool.pool, self.metrics
        expired = pool.expired(block.time_ms, batch_ids)
        try:
            self.application.commit([*self._lost, *(name for batch in expired for name in batch.ids)])
        finally:
            self.application.making.release()
        self._lost = []
        metrics.observe("store")
        reached("block.committed")
        if self._journal is not None:
            self._journal.mark(block.height, outcome.app_hash)
        self._settle([*batch_ids, *(batch.id for batch in expired)])
        reached("block.settled")
        metrics.observe("settle")
        self._note(block, outcome)
        self.head = self.application.info()
        self.on_block(outcome)
        return outcome

    def close(self) -> None:
        """No block follows, and no commit of one that was finalized: who waits for it is let go."""
        if self._finalized is not None:
            self._finalized = None
            self.application.making.release()

    def _settle(self, batch_ids: Sequence[bytes]) -> None:
        """What became of these is known: the state or the database says it."""
        settled = self.mempool.pool.settle(batch_ids)
        own = [batch for batch in settled if batch.header.author == self.node_id]
        self.mempool.settle(own)
        if self._journal is not None:
            self._journal.resolve([batch.number for batch in own])

    def _note(self, block: Block, outcome: BlockOutcome) -> None:
        refused = [f"batch refused with code {batch.code}" for batch in outcome.batches if batch.code]
        for alarm in (*outcome.alarms, *refused):
            self.metrics.alarm(f"block {block.height}: {alarm}")
        transactions = sum(len(batch.receipts) for batch in outcome.batches)
        self.metrics.end_block(block.height, block.time_ms, transactions, len(outcome.trades), len(self.mempool))
