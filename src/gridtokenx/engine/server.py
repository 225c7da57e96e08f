"""The node's side of its socket: answers callers, tells subscribers of each block."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from gridtokenx.engine.engine import Engine
from gridtokenx.engine.folder import listening_socket
from gridtokenx.engine.intake import Intake
from gridtokenx.engine.mempool import Answer
from gridtokenx.engine.verifier import Verifier
from gridtokenx.engine.wire import (
    FRAME_BYTES_MAX,
    TRANSACTIONS_PER_REQUEST_MAX,
    Answers,
    Committed,
    Failed,
    FrameInvalid,
    GetInfo,
    GetMetrics,
    MetricsText,
    NodeInfo,
    Prove,
    Proven,
    Reply,
    Request,
    Status,
    Submit,
    decode_request,
    frame,
    read_frame,
)
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.errors import HANDLER_BUGS, KernelCode

REQUESTS_IN_FLIGHT_MAX: Final = 64
"""Of one connection; further ones wait unread."""

UNSENT_BYTES_MAX: Final = 1_048_576
"""A subscriber who is further behind misses blocks until it has read on."""

CLOSE_SECONDS: Final = 5.0
"""How long calls under way may take once the node is asked to stop."""


class Server:
    """Serves one engine; of one event loop."""

    def __init__(self, engine: Engine, intake: Intake, verifier: Verifier) -> None:
        self._engine = engine
        self._intake = intake
        self._verifier = verifier
        self._loop = asyncio.get_running_loop()
        self._proving = ThreadPoolExecutor(1, "prove")
        self._writers: set[asyncio.StreamWriter] = set()
        self._subscribers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: asyncio.Future[None] = self._loop.create_future()
        self._listening: asyncio.Server | None = None

    async def listen(self, path: Path) -> None:
        """Take connections from now on. The caller holds the data folder's lock: a socket there is an old one."""
        self._listening = await asyncio.start_unix_server(
            self._connection, sock=listening_socket(path), limit=FRAME_BYTES_MAX
        )

    async def failure(self) -> None:
        """Waits for ever, or raises what must stop the node (no memory, say)."""
        await self._broken

    def announce(self, outcome: BlockOutcome) -> None:
        """Tell subscribers of a committed block. May be called by any thread."""
        header = outcome.header
        committed = frame(Committed(header.height, header.time_ms, outcome.app_hash))
        self._loop.call_soon_threadsafe(self._tell, committed)

    async def close(self) -> None:
        """Take no more connections, finish the calls under way, and close."""
        if self._listening is not None:
            self._listening.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
        for writer in self._writers:
            writer.close()

    def _tell(self, committed: bytes) -> None:
        for writer in self._subscribers:
            if writer.transport.get_write_buffer_size() < UNSENT_BYTES_MAX:
                writer.write(committed)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        room = asyncio.Semaphore(REQUESTS_IN_FLIGHT_MAX)
        try:
            while (content := await read_frame(reader)) is not None:
                request = decode_request(content)
                await room.acquire()
                task = asyncio.create_task(self._answer(request, writer, room))
                self._tasks.add(task)
                task.add_done_callback(self._answered)
        except (FrameInvalid, msgspec.DecodeError) as error:
            await _send(writer, Failed(0, int(KernelCode.MALFORMED), str(error)))
        finally:
            self._writers.discard(writer)
            self._subscribers.discard(writer)
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter, room: asyncio.Semaphore) -> None:
        try:
            reply = await self._reply(request, writer)
        except HANDLER_BUGS as bug:
            self._engine.metrics.alarm(f"internal error in {type(request).__name__}: {bug!r}")
            reply = Failed(request.request, int(KernelCode.INTERNAL), type(request).__name__)
        await _send(writer, reply)
        room.release()

    def _answered(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def _reply(self, request: Request, writer: asyncio.StreamWriter) -> Reply:
        number = request.request
        if isinstance(request, Submit):
            if len(request.transactions) > TRANSACTIONS_PER_REQUEST_MAX:
                return Failed(number, int(KernelCode.TOO_LARGE), "transactions")
            return Answers(number, await self._submit(request))
        if isinstance(request, Status):
            if len(request.transaction_ids) > TRANSACTIONS_PER_REQUEST_MAX:
                return Failed(number, int(KernelCode.TOO_LARGE), "transaction_ids")
            return Answers(number, [self._engine.mempool.standing(name) for name in request.transaction_ids])
        if isinstance(request, Prove):
            return await self._prove(request)
        if isinstance(request, GetInfo):
            return self._info(number)
        if isinstance(request, GetMetrics):
            return MetricsText(number, self._engine.metrics.text())
        self._subscribers.add(writer)
        return self._info(number)

    async def _submit(self, request: Submit) -> list[Answer]:
        return await self._intake.submit(request.transactions, acceptance=request.acceptance)

    async def _prove(self, request: Prove) -> Reply:
        prove = self._engine.application.prove
        proved = await self._loop.run_in_executor(self._proving, prove, request.key)
        return Proven(
            request.request,
            proved.height,
            proved.app_hash,
            proved.value,
            proved.proof.items,
            proved.proof.path,
        )

    def _info(self, number: int) -> NodeInfo:
        engine = self._engine
        head = engine.head
        return NodeInfo(
            number,
            head.chain,
            head.kind,
            head.protocol,
            head.height,
            head.time_ms,
            head.app_hash,
            engine.clock.now_ms(),
            engine.clock.speed,
            engine.node_id,
            len(engine.mempool),
            engine.mempool.bytes_held,
            self._verifier.deaths,
            engine.metrics.last_phases,
            list(engine.metrics.alarms),
        )


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    try:
        content = frame(reply)
    except FrameInvalid:
        number = 0 if isinstance(reply, Committed) else reply.request
        content = frame(Failed(number, int(KernelCode.TOO_LARGE), "reply"))
    try:
        writer.write(content)
        await writer.drain()
    except ConnectionError:
        writer.close()
