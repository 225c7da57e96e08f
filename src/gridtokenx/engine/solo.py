"""The solo engine: one node that orders batches into blocks by itself, without consensus.

The same application, the same batches and the same receipts as with consensus; recorded blocks give the same app
hash through both. Stopped at any moment it goes on from its database and its journal.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from gridtokenx.engine.application import Application, collect_young
from gridtokenx.engine.clocks import Clock, Pace, VirtualClock, stop_at
from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.journal import Journal, JournaledBatch
from gridtokenx.engine.mempool import Answer, Mempool, PendingBatch, busy
from gridtokenx.engine.metrics import Metrics
from gridtokenx.engine.verifier import Verifier
from gridtokenx.engine.worker import Checked, Verdict, check
from gridtokenx.ledger.batch import BATCHES, NODES, decode_batch, decode_batch_body
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.state import State

BLOCK_INTERVAL_MS: Final = 1_000


class NotLicensed(Exception):
    """The node's key is not among those that may sign batches on this chain."""


class LostBlocks(Exception):
    """The database holds less than the journal saw committed."""


def node_id_of(state: State, public_key: bytes) -> bytes:
    """The id under which this key may sign batches. Raises `NotLicensed`."""
    for node_id, node in state.items(NODES):
        if node.public_key == public_key and node.licensed:
            return node_id
    raise NotLicensed(f"no licensed node of this chain has the public key {public_key.hex()}")


def require_whole(application: Application, journal: Journal) -> None:
    """Compare the database with the journal's last marker. Raises `LostBlocks`."""
    marker, info = journal.marker, application.info()
    if marker is None:
        return
    if info.height < marker.height:
        raise LostBlocks(
            f"the database ends at block {info.height}, but block {marker.height} was committed: "
            "its last blocks are lost; restore a backup"
        )
    if info.height == marker.height and info.app_hash != marker.app_hash:
        raise LostBlocks(
            f"block {marker.height} was committed with app hash {marker.app_hash.hex()}, "
            f"the database has {info.app_hash.hex()}; restore a backup"
        )


class SoloEngine:
    """Makes blocks. One thread calls `start`, then `run` or `make_block` and `advance`."""

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
        self._node_id = node_id
        self._journal = journal
        self._verifier = verifier
        self.on_block: Callable[[BlockOutcome], None] = lambda outcome: None
        """Told of each committed block, by the thread that makes blocks."""
        self.head = application.info()
        """Where the chain stands after the last committed block; any thread may read it."""
        self._lost: list[bytes] = []
        """Ids of transactions whose batch cannot go into any block: noted as expired with the next one."""

    def start(self) -> BlockOutcome:
        """The first block after a start: empty, and later than the last by 1 ms, whatever the clock says, so that
        nothing is traded on a clock that has stood still."""
        last_ms = self.application.last_block().time_ms
        self.metrics.begin_block()
        outcome = self._make_block(last_ms + 1, [], [])
        self.clock.start(last_ms + 1)
        return outcome

    def restore(self, journaled: Sequence[JournaledBatch]) -> None:
        """Take back what was accepted before a restart: batches that are in a block already are dropped, those that
        expired will be noted, the others are checked again and offered."""
        state, last_ms = self.application.state, self.application.last_block().time_ms
        settled: list[int] = []
        for entry in journaled:
            if state.get(BATCHES, hash_bytes(entry.wire)) is not None:
                settled.append(entry.number)
                continue
            body = decode_batch_body.trusted(decode_batch.trusted(entry.wire).body)
            verdicts = self.check(body.transactions)
            checked = [verdict for verdict in verdicts if isinstance(verdict, Checked)]
            if body.expires_ms <= last_ms or len(checked) < len(verdicts):
                self._lost.extend(verdict.transaction_id for verdict in checked)
                settled.append(entry.number)
            else:
                self.mempool.restore([_pending(entry, body.transactions, checked, body.expires_ms)])
        if self._journal is not None:
            self._journal.resolve(settled)

    def check(self, transactions: Sequence[bytes]) -> list[Verdict]:
        """Bytes and signatures, by the workers if there are any."""
        if self._verifier is None:
            return [check(wire, self.application.chain.body) for wire in transactions]
        return self._verifier.submit(transactions).result()

    def submit(self, transactions: Sequence[bytes]) -> list[Answer]:
        """Check, admit and journal transactions at once: what a simulation calls. A node's intake does the same in
        steps, for many callers."""
        if not self.mempool.reserve(transactions):
            return busy(transactions)
        now_ms = self.clock.now_ms()
        answers = self.mempool.admit(transactions, self.check(transactions), now_ms)
        self.accept(self.mempool.pack(now_ms))
        return answers

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
        self.mempool.offer(batches)

    def make_block(self, time_ms: int) -> BlockOutcome:
        """One block of this time, with whatever the mempool has for it. Raises only what must stop the node."""
        self.metrics.begin_block()
        chosen, expired = self.mempool.collect(time_ms)
        reached("block.collected")
        return self._make_block(time_ms, chosen, expired)

    def advance(self, to_ms: int) -> list[BlockOutcome]:
        """Blocks up to `to_ms` as fast as possible: one at each due time on the way, one at the end."""
        outcomes: list[BlockOutcome] = []
        last_ms = self.application.last_block().time_ms
        while last_ms < to_ms:
            stop_ms = stop_at(self.clock, last_ms, self.application.next_due_ms())
            last_ms = to_ms if stop_ms is None else min(stop_ms, to_ms)
            if isinstance(self.clock, VirtualClock):
                self.clock.time_ms = last_ms
            outcomes.append(self.make_block(last_ms))
        return outcomes

    def run(self, stop: threading.Event, interval_ms: int = BLOCK_INTERVAL_MS) -> None:
        """Blocks at the clock's pace until `stop` is set. Raises only what must stop the node."""
        application, pace = self.application, Pace(self.clock, interval_ms)
        last_ms = application.last_block().time_ms
        while not stop.wait(pace.wait_seconds(last_ms, application.next_due_ms())):
            due_ms = application.next_due_ms()
            if pace.wait_seconds(last_ms, due_ms) > 0:
                continue  # woken a moment too early
            last_ms = pace.block_time_ms(last_ms, due_ms)
            self.make_block(last_ms)
            collect_young()

    def _make_block(self, time_ms: int, chosen: list[PendingBatch], expired: list[PendingBatch]) -> BlockOutcome:
        application, metrics = self.application, self.metrics
        block = Block(
            application.last_block().height + 1,
            time_ms,
            self._node_id,
            tuple([batch.wire for batch in chosen]),
        )
        signatures = {batch.wire: batch.signatures for batch in chosen}
        metrics.observe("collect")
        gone = [*self._lost, *(name for batch in expired for name in batch.ids)]
        with application.making:
            outcome = application.finalize_block(block, signatures.__getitem__, metrics.observe)
            application.commit(gone)
        self._lost = []
        metrics.observe("store")
        reached("block.committed")
        if self._journal is not None:
            self._journal.mark(block.height, outcome.app_hash)
        self.mempool.settle([*chosen, *expired])
        if self._journal is not None:
            self._journal.resolve([batch.number for batch in (*chosen, *expired)])
        reached("block.settled")
        metrics.observe("settle")
        refused = [f"batch refused with code {batch.code}" for batch in outcome.batches if batch.code]
        for alarm in (*outcome.alarms, *refused):
            metrics.alarm(f"block {block.height}: {alarm}")
        transactions = sum(len(batch.receipts) for batch in outcome.batches)
        metrics.end_block(block.height, time_ms, transactions, len(outcome.trades), len(self.mempool))
        self.head = application.info()
        self.on_block(outcome)
        return outcome


def _pending(
    entry: JournaledBatch, transactions: tuple[bytes, ...], checked: Sequence[Checked], expires_ms: int
) -> PendingBatch:
    return PendingBatch(
        entry.wire,
        transactions,
        tuple([verdict.transaction_id for verdict in checked]),
        tuple([verdict.sender for verdict in checked]),
        expires_ms,
        sum([verdict.signatures for verdict in checked]),
        entry.number,
    )
