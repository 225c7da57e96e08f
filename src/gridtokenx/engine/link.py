"""The caller's side of a node's socket: for the gateway, the CLI and tests."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from gridtokenx.engine.folder import socket_address
from gridtokenx.engine.mempool import Answer
from gridtokenx.engine.wire import (
    FRAME_BYTES_MAX,
    Answers,
    Committed,
    Failed,
    GetInfo,
    GetMetrics,
    MetricsText,
    NodeInfo,
    Prove,
    Proven,
    Request,
    Status,
    Submit,
    Subscribe,
    decode_reply,
    frame,
    read_frame,
)

R = TypeVar("R")


class NodeGone(ConnectionError):
    """The node closed the connection. What was submitted and not answered may or may not be accepted: sending it
    again is harmless."""


class RequestFailed(Exception):
    """The node could not do what was asked. `code` is a kernel code, `field` names what is wrong."""

    def __init__(self, code: int, field: str) -> None:
        super().__init__(f"code {code} at {field}")
        self.code = code
        self.field = field


class NodeLink:
    """One connection. Many calls may be under way at once, all in one event loop.

    Every call raises `NodeGone` when the connection ends and `RequestFailed` when the node says so.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._blocks: asyncio.Queue[Committed | None] = asyncio.Queue()
        self._gone = False
        self._receiving = asyncio.create_task(self._receive(reader))

    @classmethod
    async def connect(cls, socket: Path) -> "NodeLink":
        """Connect to a node's socket. Raises FileNotFoundError or ConnectionError if no node listens there."""
        reader, writer = await asyncio.open_unix_connection(socket_address(socket), limit=FRAME_BYTES_MAX)
        return cls(reader, writer)

    async def submit(self, transactions: Sequence[bytes], *, acceptance: bool = False) -> list[Answer]:
        """One answer for each; all that are `PENDING` are in the node's journal, and with `acceptance` its promise."""
        reply = await self._call(lambda number: Submit(number, list(transactions), acceptance), Answers)
        return reply.answers

    async def status(self, transaction_ids: Sequence[bytes]) -> list[Answer]:
        """Where these transactions are."""
        reply = await self._call(lambda number: Status(number, list(transaction_ids)), Answers)
        return reply.answers

    async def prove(self, key: bytes) -> Proven:
        """What state says of a prefixed key, with proof."""
        return await self._call(lambda number: Prove(number, key), Proven)

    async def info(self) -> NodeInfo:
        """Where the node stands."""
        return await self._call(GetInfo, NodeInfo)

    async def metrics(self) -> bytes:
        """The node's metrics in Prometheus' format."""
        reply = await self._call(GetMetrics, MetricsText)
        return reply.text

    async def blocks(self) -> AsyncIterator[Committed]:
        """Each block that is committed from now on; ends when the connection does. A caller who is slow may miss
        some: heights tell."""
        await self._call(Subscribe, NodeInfo)
        while (committed := await self._blocks.get()) is not None:
            yield committed

    async def close(self) -> None:
        """End the connection."""
        self._receiving.cancel()
        await asyncio.gather(self._receiving, return_exceptions=True)
        self._writer.close()

    async def _call(self, request: Callable[[int], Request], reply_type: type[R]) -> R:
        if self._gone:
            raise NodeGone("the node has closed the connection")
        number = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._writer.write(frame(request(number)))
            await self._writer.drain()
            reply = await future
        except ConnectionError as error:
            raise NodeGone("the node has closed the connection") from error
        finally:
            del self._waiting[number]
        if isinstance(reply, Failed):
            raise RequestFailed(reply.code, reply.field)
        if not isinstance(reply, reply_type):
            raise TypeError(f"the node answered with {type(reply).__name__}")
        return reply

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        try:
            while (content := await read_frame(reader)) is not None:
                reply = decode_reply(content)
                if isinstance(reply, Committed):
                    self._blocks.put_nowait(reply)
                elif (future := self._waiting.get(reply.request)) is not None and not future.done():
                    future.set_result(reply)
        finally:
            self._gone = True
            self._blocks.put_nowait(None)
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(NodeGone("the node has closed the connection"))
