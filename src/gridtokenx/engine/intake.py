"""The intake: many callers' transactions at once, through workers, mempool and journal.

Work is done in chunks: what waits for anything is a chunk, never a transaction.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from gridtokenx.engine.engine import Engine
from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.mempool import Answer, Standing, busy
from gridtokenx.engine.verifier import Verifier
from gridtokenx.ledger.errors import KernelCode

GATHER_SECONDS: Final = 0.003
"""How long a batch waits for company. While one group is on its way to the disk the next gathers anyway."""


class Intake:
    """The asynchronous front of a node's engine; of one event loop."""

    def __init__(self, engine: Engine, verifier: Verifier) -> None:
        self._engine = engine
        self._mempool = engine.mempool
        self._verifier = verifier
        self._writing = ThreadPoolExecutor(1, "journal")
        self._wanted = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    async def submit(self, transactions: Sequence[bytes]) -> list[Answer]:
        """Answers in the order of the transactions; what is `PENDING` is in the journal when this returns."""
        if not self._engine.may_accept():
            refused = Answer(Standing.REFUSED, b"", int(KernelCode.BATCH_AUTHOR_UNKNOWN), "node")
            return [refused] * len(transactions)
        if not self._mempool.reserve(transactions):
            return busy(transactions)
        verdicts = await asyncio.wrap_future(self._verifier.submit(transactions))
        reached("intake.verified")
        answers = self._mempool.admit(transactions, verdicts, self._engine.clock.now_ms())
        # Also for a repeated call: the first one may still be on its way to the disk.
        if any(answer.standing is Standing.PENDING for answer in answers):
            written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(written)
            self._wanted.set()
            await written
        return answers

    async def run(self) -> None:
        """Journal what was admitted, group after group, for ever. Raises OSError when the journal cannot be written:
        then the node must stop, and nobody waiting is answered."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await asyncio.sleep(GATHER_SECONDS)
            # Whoever waits by now was admitted by now.
            waiting, self._waiting = self._waiting, []
            await loop.run_in_executor(self._writing, self._write)
            for written in waiting:
                if not written.done():
                    written.set_result(None)

    def _write(self) -> None:
        self._engine.accept(self._mempool.pack(self._engine.clock.now_ms()))
