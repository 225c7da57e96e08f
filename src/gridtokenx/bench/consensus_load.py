"""The load of `bench consensus`: transactions signed beforehand, each signer's through one node, and what the nodes
say of their blocks.

Either as many as the nodes take (`saturate`), or at a fixed rate whatever happens (`keep_pace`): then a latency counts
from the time at which a transaction was due until its node announced the block that it is in.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gridtokenx.engine.link import NodeLink
from gridtokenx.engine.mempool import Standing

CHUNK: Final = 500
"""Transactions submitted or asked for at once, at most."""
UNDER_WAY_MAX: Final = 8
"""Chunks of one node that are submitted and not yet answered."""
TICK_SECONDS: Final = 0.01
AGAIN_SECONDS: Final = 0.05
"""When the node was busy."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A block, as a node told of it."""

    at: float
    app_hash: bytes


@dataclass(slots=True)
class Sent:
    """A transaction that was due at a time; the id is empty if it was refused."""

    due: float
    id: bytes = b""


@dataclass
class Lane:
    """One node, and the transactions that go through it."""

    link: NodeLink
    queue: deque[bytes] = field(default_factory=deque)
    blocks: dict[int, Announced] = field(default_factory=dict)
    refused: int = 0
    _waiting: int = 0
    _under_way: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """Note each block, until the link ends."""
        async for block in self.link.blocks():
            self.blocks[block.height] = Announced(time.monotonic(), block.app_hash)
            self._waiting = (await self.link.info()).pending
            self._changed.set()

    @property
    def height(self) -> int:
        """The newest block that was announced."""
        return max(self.blocks, default=0)

    async def next_block(self) -> int:
        """Wait for a block; its height."""
        before = self.height
        while self.height == before:
            await self._change()
        return self.height

    async def saturate(self, waiting_max: int, stop: asyncio.Event) -> None:
        """Keep so many transactions waiting, while there are any, until told to stop."""
        submitting: set[asyncio.Task[None]] = set()
        size = max(1, min(CHUNK, waiting_max // 2))
        while self.queue and not stop.is_set():
            if self._under_way >= UNDER_WAY_MAX or self._waiting + size > waiting_max:
                await self._change()
                continue
            chunk = [self.queue.popleft() for _ in range(min(size, len(self.queue)))]
            self._waiting += len(chunk)
            task = asyncio.create_task(self._submit_counted(chunk))
            submitting.add(task)
            task.add_done_callback(submitting.discard)
        await asyncio.gather(*submitting)

    async def keep_pace(self, per_second: float, started: float, seconds: float) -> list[Sent]:
        """Submit at this rate from `started` on; those that were due, in order."""
        submitting: list[asyncio.Task[None]] = []
        sent: list[Sent] = []
        while (now := time.monotonic()) < started + seconds and self.queue:
            due = min(int((now - started) * per_second) + 1 - len(sent), len(self.queue)) if now >= started else 0
            if due > 0:
                some = [Sent(started + (len(sent) + one) / per_second) for one in range(due)]
                sent += some
                wires = [self.queue.popleft() for _ in range(due)]
                submitting.append(asyncio.create_task(self._submit(wires, some)))
            await asyncio.sleep(TICK_SECONDS)
        await asyncio.gather(*submitting)
        return sent

    async def drain(self) -> None:
        """Wait until nothing waits any more."""
        while (await self.link.info()).pending:
            await self._change()

    async def latencies(self, sent: Sequence[Sent]) -> list[float]:
        """Seconds from due to announced, of those that are in a block."""
        waited = []
        known = [one for one in sent if one.id]
        for start in range(0, len(known), CHUNK):
            part = known[start : start + CHUNK]
            answers = await self.link.status([one.id for one in part])
            for one, answer in zip(part, answers, strict=True):
                if answer.standing is Standing.COMMITTED and answer.height in self.blocks:
                    waited.append(self.blocks[answer.height].at - one.due)
        return waited

    async def _submit_counted(self, wires: list[bytes]) -> None:
        self._under_way += 1
        try:
            await self._submit(wires, [])
        finally:
            self._under_way -= 1
            self._changed.set()

    async def _submit(self, wires: list[bytes], notes: list[Sent]) -> None:
        """Until each is taken or refused; their ids into the notes."""
        left = list(range(len(wires)))
        while left:
            answers = await self.link.submit([wires[place] for place in left])
            busy = []
            for place, answer in zip(left, answers, strict=True):
                if answer.standing is Standing.BUSY:
                    busy.append(place)
                elif answer.standing is Standing.REFUSED:
                    self.refused += 1
                elif notes:
                    notes[place].id = answer.transaction_id
            left = busy
            if left:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def share_out(transactions: Sequence[bytes], signers: int, lanes: Sequence[Lane]) -> None:
    """Queue transactions of so many signers in turn: each signer always uses the same node."""
    for number, wire in enumerate(transactions):
        lanes[number % signers % len(lanes)].queue.append(wire)
