"""The intake: many callers' transactions at once, through workers, mempool and journal.

Work is done in chunks: what waits for anything is a chunk, never a transaction.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from gridtokenx.engine.acceptance import acceptances
from gridtokenx.engine.engine import Engine
from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.mempool import BATCH_TRANSACTIONS_MAX, Answer, Standing, busy
from gridtokenx.engine.pool import PendingBatch
from gridtokenx.engine.verifier import Verifier
from gridtokenx.ledger.errors import KernelCode

GATHER_SECONDS: Final = 0.003
"""How long a batch waits for company. While one group is on its way to the disk the next gathers anyway."""

PAUSE_SECONDS_CONSENSUS: Final = 0.05
"""From one group to the next under a steady stream, where batches cost all nodes: at most twenty a second and node
stay within the batches of a block. A full batch does not wait, nor does the first after a pause."""


class Intake:
    """The asynchronous front of a node's engine; of one event loop."""

    def __init__(self, engine: Engine, verifier: Verifier, pause_seconds: float = 0.0) -> None:
        """`pause_seconds`: how long after one group the next is packed, unless there is enough for a full batch."""
        self._engine = engine
        self._mempool = engine.mempool
        self._verifier = verifier
        self._pause_seconds = pause_seconds
        self._writing = ThreadPoolExecutor(1, "journal")
        self._wanted = asyncio.Event()
        self._full = asyncio.Event()
        self._waiting: list[asyncio.Future[list[PendingBatch]]] = []

    async def submit(self, transactions: Sequence[bytes], *, acceptance: bool = False) -> list[Answer]:
        """Answers in the order of the transactions; what is `PENDING` is in the journal when this returns. With
        `acceptance` their answers carry the node's promise (not if they are in a block already when this returns)."""
        if not self._engine.may_accept():
            refused = Answer(Standing.REFUSED, b"", int(KernelCode.BATCH_AUTHOR_UNKNOWN), "node")
            return [refused] * len(transactions)
        if self._engine.is_behind or not self._mempool.reserve(transactions):
            return busy(transactions)
        verdicts = await asyncio.wrap_future(self._verifier.submit(transactions))
        reached("intake.verified")
        answers = self._mempool.admit(transactions, verdicts, self._engine.clock.now_ms())
        # Also for a repeated call: the first one may still be on its way to the disk.
        if any(answer.standing is Standing.PENDING for answer in answers):
            written: asyncio.Future[list[PendingBatch]] = asyncio.get_running_loop().create_future()
            self._waiting.append(written)
            self._wanted.set()
            if self._mempool.unpacked >= BATCH_TRANSACTIONS_MAX:
                self._full.set()
            batches = await written
            if acceptance:
                return self._with_acceptances(transactions, answers, batches)
        return answers

    async def run(self) -> None:
        """Journal what was admitted, group after group, for ever. Raises OSError when the journal cannot be written:
        then the node must stop, and nobody waiting is answered."""
        loop = asyncio.get_running_loop()
        next_group = loop.time()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await asyncio.sleep(GATHER_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(next_group):
                    await self._full.wait()
            self._full.clear()
            next_group = loop.time() + self._pause_seconds
            # Whoever waits by now was admitted by now.
            waiting, self._waiting = self._waiting, []
            batches = await loop.run_in_executor(self._writing, self._write)
            for written in waiting:
                if not written.done():
                    written.set_result(batches)

    def _write(self) -> list[PendingBatch]:
        batches = self._mempool.pack(self._engine.clock.now_ms())
        self._engine.accept(batches)
        return batches

    def _with_acceptances(
        self, transactions: Sequence[bytes], answers: list[Answer], batches: list[PendingBatch]
    ) -> list[Answer]:
        """`batches` are those of this group; what was sent before is in the pool."""
        wanted = {
            answer.transaction_id: wire
            for wire, answer in zip(transactions, answers, strict=True)
            if answer.standing is Standing.PENDING
        }
        found = acceptances(batches, wanted)
        if len(found) < len(wanted):
            missing = {name: wire for name, wire in wanted.items() if name not in found}
            found |= acceptances(self._mempool.pool.own_batches(), missing)
        return [
            msgspec.structs.replace(answer, acceptance=found.get(answer.transaction_id))
            if answer.standing is Standing.PENDING
            else answer
            for answer in answers
        ]
