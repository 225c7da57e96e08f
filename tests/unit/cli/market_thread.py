"""A node and a gateway in a thread of this process, for commands, which wait for their answers.

Whoever asks what became of a transaction lets a block be made first; nothing else moves the clock.
"""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from tests.unit.gateway.market import Market, opened_market, running_market

from gridtokenx.client.client import Client

_STATE_OF_TRANSACTION = re.compile(r"/v1/transactions/[0-9a-f]{64}")


class MarketThread(httpx.BaseTransport):
    """The market, and a way to it for an ordinary client."""

    def __init__(self, market: Market, loop: asyncio.AbstractEventLoop) -> None:
        self.market = market
        self._loop = loop

    def client(self, url: str = "http://localhost") -> Client:
        """As `connection.open_client` gives one."""
        http = httpx.Client(transport=self, base_url="http://localhost")
        return Client(url, http=http, pause=lambda seconds: None)

    def block(self) -> int:
        """Let a block be made."""
        return asyncio.run_coroutine_threadsafe(self.market.block(), self._loop).result()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run_coroutine_threadsafe(self._serve(request), self._loop).result()

    async def _serve(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and _STATE_OF_TRANSACTION.fullmatch(request.url.path):
            await self.market.block()
        answer = await self.market.web.request(
            request.method, request.url.raw_path.decode(), content=request.read(), headers=request.headers
        )
        return httpx.Response(answer.status_code, content=answer.content)


@contextmanager
def market_thread(folder: Path, data: Path | None = None, *, history: bool = False) -> Iterator[MarketThread]:
    """A market that runs until the end of the block: a new one in `folder`, whose node is an archive with `history`, or
    that of a node's `data`."""
    started = threading.Event()
    running: list[tuple[MarketThread, asyncio.Event]] = []

    async def life() -> None:
        opened = running_market(folder, history=history) if data is None else opened_market(data)
        async with opened as market:
            stop = asyncio.Event()
            running.append((MarketThread(market, asyncio.get_running_loop()), stop))
            started.set()
            await stop.wait()

    def live() -> None:
        try:
            asyncio.run(life())
        finally:
            started.set()

    thread = threading.Thread(target=live, name="market")
    thread.start()
    started.wait()
    try:
        yield running[0][0]
    finally:
        for here, stop in running:
            here._loop.call_soon_threadsafe(stop.set)
        thread.join()
