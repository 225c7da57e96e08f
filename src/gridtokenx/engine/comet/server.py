"""The application's side of the ABCI socket.

CometBFT opens four connections and expects the answers of each in the order of its questions. What concerns blocks
runs on one thread, one call after another; what concerns snapshots on another; the rest is answered by the event loop
at once. So neither a block in the making nor a chunk being read keeps `InsertTx` waiting.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from gridtokenx.engine.comet.abci_pb2 import Request, Response
from gridtokenx.engine.comet.wire import MESSAGE_BYTES_MAX, MessageInvalid, frame, read_request
from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.folder import listening_socket

Call = Callable[[Any], Any]
"""Takes the request's message, returns the response's of the same name."""

Answers = asyncio.Queue["asyncio.Future[Response] | None"]
"""Of one connection, in the order of its questions; None at the end."""

UNANSWERED_MAX: Final = 1_024
"""Questions of one connection that may wait: CometBFT's own queue has 256."""

ON_BLOCK_THREAD: Final = frozenset(
    {
        "init_chain",
        "prepare_proposal",
        "process_proposal",
        "extend_vote",
        "verify_vote_extension",
        "finalize_block",
        "commit",
    }
)
ON_SNAPSHOT_THREAD: Final = frozenset(
    {"list_snapshots", "offer_snapshot", "load_snapshot_chunk", "apply_snapshot_chunk"}
)
ON_QUERY_THREAD: Final = frozenset({"query"})


class AbciServer:
    """Answers CometBFT by `calls`, a function for each kind of request; of one event loop."""

    def __init__(self, calls: dict[str, Call], block_thread: Executor) -> None:
        """`block_thread` has one thread. Raises ValueError if a kind of request has no call."""
        kinds = {field.name for field in Request.DESCRIPTOR.oneofs_by_name["value"].fields}
        if missing := kinds - calls.keys():
            raise ValueError(f"no call for {', '.join(sorted(missing))}")
        self._calls = calls
        self._block_thread = block_thread
        self._own_threads = ThreadPoolExecutor(1, "snapshots"), ThreadPoolExecutor(1, "queries")
        snapshots, queries = self._own_threads
        self._executors: dict[str, Executor] = dict.fromkeys(ON_BLOCK_THREAD, block_thread)
        self._executors |= dict.fromkeys(ON_SNAPSHOT_THREAD, snapshots) | dict.fromkeys(ON_QUERY_THREAD, queries)
        self._loop = asyncio.get_running_loop()
        self._broken: asyncio.Future[None] = self._loop.create_future()
        self._listening: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def listen(self, path: Path) -> None:
        """Take connections from now on. The caller holds the data folder's lock: a socket there is an old one."""
        self._listening = await asyncio.start_unix_server(
            self._connection, sock=listening_socket(path), limit=MESSAGE_BYTES_MAX
        )

    async def failure(self) -> None:
        """Waits for ever, or raises what must stop the node: whatever a call raised."""
        await self._broken

    async def close(self) -> None:
        """Take no more connections, end those there are, and wait for calls of blocks and snapshots that are under way:
        afterwards the database may be closed."""
        if self._listening is not None:
            self._listening.close()
        for writer in self._writers:
            writer.close()
        await self._loop.run_in_executor(self._block_thread, int)
        await self._loop.run_in_executor(self._own_threads[0], int)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        answers: Answers = asyncio.Queue(UNANSWERED_MAX)
        writing = asyncio.create_task(self._write(writer, answers))
        try:
            while (request := await read_request(reader)) is not None:
                await answers.put(self._answer(request))
        except (MessageInvalid, ConnectionError) as error:
            await answers.put(self._answered(_exception(str(error))))
        finally:
            await answers.put(None)
            await writing
            self._writers.discard(writer)
            writer.close()

    def _answer(self, request: Request) -> "asyncio.Future[Response]":
        kind = request.WhichOneof("value")
        if kind is None:
            return self._answered(_exception("a kind of request that this application does not know"))
        executor = self._executors.get(kind)
        if executor is not None:
            return self._loop.run_in_executor(executor, self._run, kind, request)
        return self._answered(self._run(kind, request))

    def _run(self, kind: str, request: Request) -> Response:
        """Whatever a call raises must stop the node before it commits anything more."""
        try:
            response = Response(**{kind: self._calls[kind](getattr(request, kind))})
        except BaseException as error:  # noqa: BLE001 - of any kind: the node ends for it
            self._loop.call_soon_threadsafe(self._break, error)
            return _exception(f"{type(error).__name__}: {error}")
        reached(f"consensus.{kind}")
        return response

    def _break(self, error: BaseException) -> None:
        if not self._broken.done():
            self._broken.set_exception(error)

    def _answered(self, response: Response) -> "asyncio.Future[Response]":
        answered: asyncio.Future[Response] = self._loop.create_future()
        answered.set_result(response)
        return answered

    async def _write(self, writer: asyncio.StreamWriter, answers: Answers) -> None:
        while (answer := await answers.get()) is not None:
            response = await answer
            try:
                writer.write(frame(response))
                if answers.empty() or response.HasField("flush"):
                    await writer.drain()
            except ConnectionError:
                continue  # CometBFT is gone: the rest of the queue is let go


def _exception(text: str) -> Response:
    return Response(exception={"error": text})
