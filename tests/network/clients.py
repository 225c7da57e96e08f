"""Clients of a live network: each sends for homes of its own through one node, and knows what became of everything."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from tests.network.town import Town, until

from gridtokenx.engine.link import NodeLink
from gridtokenx.engine.mempool import Answer, Standing
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.modules.tokens.messages import Transfer

TICK_SECONDS = 0.1
PIECE = 500
"""Ids in one question."""


class Client:
    """Sends transfers of nothing much, so many each tick, and never more: whoever is late is not made up for."""

    def __init__(self, town: Town, number: int, link: NodeLink, homes: Sequence[str], each_tick: int) -> None:
        self.sent: list[bytes] = []
        """Ids of all that was taken in."""
        self.number = number
        self._town = town
        self._link = link
        self._homes = homes
        self._each_tick = each_tick
        self._next = 0

    async def run(self) -> None:
        """For ever."""
        while True:
            began = time.monotonic()
            await self._send([self._transaction() for _ in range(self._each_tick)])
            await asyncio.sleep(max(0.0, began + TICK_SECONDS - time.monotonic()))

    async def outcome(self) -> list[Answer]:
        """Waits until everything that was taken in is in a block, and says in which. AssertionError for one that
        is not, or was not done."""
        answers: list[Answer] = []
        async with self._town.link(self.number) as link:
            for start in range(0, len(self.sent), PIECE):
                part = self.sent[start : start + PIECE]

                async def settled(part: list[bytes] = part) -> list[Answer]:
                    found = await link.status(part)
                    return [] if any(one.standing is Standing.PENDING for one in found) else found

                answers += await until(settled, "what was accepted to be in blocks")
        assert {(one.standing, one.code) for one in answers} <= {(Standing.COMMITTED, KernelCode.OK)}
        return answers

    def _transaction(self) -> bytes:
        self._next += 1
        count = len(self._homes)
        giver, taker = self._homes[self._next % count], self._homes[(self._next + 1) % count]
        return self._town.sign(giver, Transfer(self._town.accounts[taker], 1))

    async def _send(self, wires: list[bytes]) -> None:
        """Until all are taken in: a full node is asked again."""
        while wires:
            answers = await self._link.submit(wires)
            assert {one.standing for one in answers} <= {Standing.PENDING, Standing.BUSY}, answers
            self.sent += [one.transaction_id for one in answers if one.standing is Standing.PENDING]
            wires = [wire for wire, one in zip(wires, answers, strict=True) if one.standing is Standing.BUSY]
            if wires:
                await asyncio.sleep(TICK_SECONDS)


@asynccontextmanager
async def trading(town: Town, homes: dict[int, Sequence[str]], each_tick: int = 2) -> AsyncIterator[list[Client]]:
    """Clients that send while the block runs: of each node, for these homes."""
    async with AsyncExitStack() as stack:
        clients = [
            Client(town, number, await stack.enter_async_context(town.link(number)), names, each_tick)
            for number, names in homes.items()
        ]
        running = [asyncio.create_task(client.run()) for client in clients]
        try:
            yield clients
        finally:
            for one in running:
                one.cancel()
            done = await asyncio.gather(*running, return_exceptions=True)
        for one in done:
            if not isinstance(one, asyncio.CancelledError):
                raise AssertionError(f"a client ended: {one!r}")
