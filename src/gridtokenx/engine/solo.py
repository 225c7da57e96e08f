"""The solo engine: one node that orders batches into blocks by itself, without consensus.

The same application, the same batches and the same receipts as with consensus; recorded blocks give the same app
hash through both. Stopped at any moment it goes on from its database and its journal.
"""

import threading
from collections.abc import Sequence
from typing import Final

from gridtokenx.engine.application import collect_young
from gridtokenx.engine.clocks import Pace, VirtualClock, stop_at
from gridtokenx.engine.engine import Engine
from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.mempool import Answer, busy
from gridtokenx.engine.pool import PendingBatch
from gridtokenx.ledger.block import Block, BlockOutcome

BLOCK_INTERVAL_MS: Final = 1_000


class SoloEngine(Engine):
    """Makes blocks. One thread calls `start`, then `run` or `make_block` and `advance`."""

    def start(self) -> BlockOutcome:
        """The first block after a start: empty, and later than the last by 1 ms, whatever the clock says, so that
        nothing is traded on a clock that has stood still."""
        last_ms = self.application.last_block().time_ms
        # Whoever hears of this block may submit at once, and is judged by the clock.
        self.clock.start(last_ms + 1)
        self.metrics.begin_block()
        return self._make_block(last_ms + 1, [])

    def submit(self, transactions: Sequence[bytes]) -> list[Answer]:
        """Check, admit and journal transactions at once: what a simulation calls. A node's intake does the same in
        steps, for many callers."""
        if not self.mempool.reserve(transactions):
            return busy(transactions)
        now_ms = self.clock.now_ms()
        answers = self.mempool.admit(transactions, self.check(transactions), now_ms)
        self.accept(self.mempool.pack(now_ms))
        return answers

    def make_block(self, time_ms: int) -> BlockOutcome:
        """One block of this time, with whatever the pool has for it. Raises only what must stop the node."""
        self.metrics.begin_block()
        chosen = self.mempool.pool.choose(time_ms)
        reached("block.collected")
        return self._make_block(time_ms, chosen)

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

    def _make_block(self, time_ms: int, chosen: list[PendingBatch]) -> BlockOutcome:
        height = self.application.last_block().height + 1
        block = Block(height, time_ms, self.node_id, tuple([batch.wire for batch in chosen]))
        signatures = {batch.wire: batch.signatures for batch in chosen}
        self.metrics.observe("collect")
        self.finalize(block, signatures.__getitem__)
        return self.commit([batch.id for batch in chosen])
