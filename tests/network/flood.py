"""Somebody floods a network; and how much of what others send gets into blocks meanwhile."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tests.network.community import LOW_MICRO, STRANGERS
from tests.network.live import LiveNetwork
from tests.network.records import reading
from tests.network.rogue import HONEST, Played
from tests.world import buy

from gridtokenx.engine.link import NodeLink
from gridtokenx.engine.mempool import Answer, Standing
from gridtokenx.ledger.limits import TRANSACTION_BYTES_MAX
from gridtokenx.ledger.quantities import interval_of

CHUNK = 500
LINKS = 4
GARBAGE_BYTES = 400
PAIRS_PER_SECOND = 10.0
FLOODED = 3

Rates = dict[int, float]
"""By node."""


class FloodingClient:
    """Sends orders through one node, and bytes that are none, as fast as that answers; all signed before."""

    def __init__(self, network: LiveNetwork, number: int, orders: int, now_ms: int) -> None:
        self._folder = network.folder.node(number)
        wires = [_order(network, place, now_ms) for place in range(orders)]
        self._chunks = [wires[start : start + CHUNK] for start in range(0, orders, CHUNK)]
        self.answers: Counter[Standing] = Counter()

    async def run(self) -> None:
        """Half of its links send garbage, the others orders; and when each is sent once, garbage too. For ever."""
        chunks = iter(self._chunks)
        async with AsyncExitStack() as stack:
            links = []
            for _ in range(LINKS):
                links.append(await NodeLink.connect(self._folder.socket))
                stack.push_async_callback(links[-1].close)
            await asyncio.gather(*(self._send(link, chunks) for link in links[::2]), *map(self._litter, links[1::2]))

    async def _send(self, link: NodeLink, chunks: Iterator[list[bytes]]) -> None:
        for chunk in chunks:
            self._note(await link.submit(chunk))
        await self._litter(link)

    async def _litter(self, link: NodeLink) -> None:
        while True:
            garbage = [secrets.token_bytes(GARBAGE_BYTES) for _ in range(CHUNK)]
            self._note(await link.submit([*garbage, bytes(TRANSACTION_BYTES_MAX + 1)]))

    def _note(self, answers: list[Answer]) -> None:
        self.answers.update(answer.standing for answer in answers)


class SteadyClient:
    """Sends so many orders a second through one node, however long its answers take."""

    def __init__(self, network: LiveNetwork, number: int, pairs_per_second: float) -> None:
        self._network = network
        self._number = number
        self._seconds = 1 / pairs_per_second
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """For ever; who was late sends at once what was due."""
        link = await NodeLink.connect(self._network.folder.node(self._number).socket)
        due = time.monotonic()
        try:
            while True:
                due += self._seconds
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                task = asyncio.create_task(self._send(link))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
        finally:
            await asyncio.gather(*self._under_way)
            await link.close()

    async def _send(self, link: NodeLink) -> None:
        load = self._network.load
        orders = load.community.pair(time.time_ns() // 1_000_000)
        for name, answer in zip(orders, await link.submit(list(orders.values())), strict=True):
            assert answer.standing in {Standing.PENDING, Standing.BUSY}, answer
            if answer.standing is Standing.PENDING:
                load.sent[name] = load.accepted[name] = self._number


def _order(network: LiveNetwork, place: int, now_ms: int) -> bytes:
    """Good, and nobody will ever sell at its price."""
    who = STRANGERS[place % len(STRANGERS)]
    interval = interval_of(now_ms) + 12 + place % 64
    order = buy(who, 100, interval, LOW_MICRO, f"flood {place}")
    return network.community.sign(who, order, now_ms)[1]


async def rates(network: LiveNetwork, wait: Callable[[], Awaitable[None]]) -> Rates:
    """Orders a second of chain time of each node's clients that got into blocks while `wait` waited."""
    first = max((await network.heights([1])).values())
    await wait()
    last = max((await network.heights([1])).values())
    with reading(network, 1) as reader:
        found = {height: reader.block(height) for height in (first, last)}
        times = {height: stored.block.time_ms for height, stored in found.items() if stored is not None}
        places = {name: reader.place_of(name) for name in network.load.accepted}
    inside = {name for name, place in places.items() if place is not None and first < place.height <= last}
    counted = Counter(network.load.accepted[name] for name in inside)
    seconds = (times[last] - times[first]) / 1_000
    return {number: counted[number] / seconds for number in network.load.lanes}


@dataclass(frozen=True)
class Flooded:
    """Orders a second of each node's clients that got into blocks: without a flood, while a client flooded a node, and
    while the rogue flooded its peers; and what the flooding client was answered."""

    before: Rates
    by_client: Rates
    by_node: Rates
    answers: Counter[Standing]


async def flooded(played: Played, orders: int, batches: int, seconds: float) -> Flooded:
    """Each kind of flood for at least so many seconds and five blocks, while each node has a steady client: a client
    sends these orders, and garbage; the rogue offers so many batches twenty times a second."""
    network = played.network
    clients = [asyncio.create_task(SteadyClient(network, one, PAIRS_PER_SECOND).run()) for one in network.load.lanes]

    async def wait() -> None:
        await asyncio.sleep(seconds)
        await network.blocks(5, HONEST)

    before = await rates(network, wait)
    info = await network.info(1)
    assert info is not None
    client = FloodingClient(network, FLOODED, orders, info.now_ms)
    flooding = asyncio.create_task(client.run())
    by_client = await rates(network, wait)
    await _end(flooding)
    played.order(flood=batches)
    by_node = await rates(network, wait)
    played.order()
    await _end(*clients)
    return Flooded(before, by_client, by_node, client.answers)


async def _end(*tasks: asyncio.Task[None]) -> None:
    """Raises what made one of them end before."""
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if ended is not None and not isinstance(ended, asyncio.CancelledError):
            raise ended
