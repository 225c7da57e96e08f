"""The ABCI socket: answers in the order of the questions, blocks on their own thread, and a failure is never lost."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridtokenx.engine.comet import abci_pb2 as abci
from gridtokenx.engine.comet.server import ON_BLOCK_THREAD, ON_QUERY_THREAD, ON_SNAPSHOT_THREAD, AbciServer, Call
from gridtokenx.engine.folder import socket_address

KINDS = [field.name for field in abci.Request.DESCRIPTOR.oneofs_by_name["value"].fields]


def response_type(kind: str) -> Any:
    return getattr(abci, "Response" + "".join(part.capitalize() for part in kind.split("_")))


def plain_calls() -> dict[str, Call]:
    """Each answers with nothing; `echo` with what it was told, `insert_tx` with the length."""
    calls: dict[str, Call] = {kind: (lambda request, kind=kind: response_type(kind)()) for kind in KINDS}
    calls["echo"] = lambda request: abci.ResponseEcho(message=request.message)
    calls["insert_tx"] = lambda request: abci.ResponseInsertTx(code=len(request.tx))
    return calls


class Caller:
    """CometBFT's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def ask(self, kind: str, **fields: Any) -> None:
        content = abci.Request(**{kind: fields}).SerializeToString()
        self.writer.write(_varint(len(content)) + content)

    async def answer(self) -> abci.Response | None:
        """The next one; None at the end."""
        length = shift = 0
        try:
            while True:
                (byte,) = await self._reader.readexactly(1)
                length |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    return abci.Response.FromString(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def kinds(self, count: int) -> list[str]:
        return [(await self.answer()).WhichOneof("value") for _ in range(count)]


Listening = tuple[AbciServer, Callable[[], Awaitable[Caller]]]
"""The server, and how to connect to it."""


def _varint(value: int) -> bytes:
    parts = b""
    while value >= 128:
        parts += bytes([value % 128 + 128])
        value //= 128
    return parts + bytes([value])


@asynccontextmanager
async def listening(folder: Path, calls: dict[str, Call]) -> AsyncIterator[Listening]:
    with ThreadPoolExecutor(1) as block_thread:
        server = AbciServer(calls, block_thread)
        await server.listen(folder / "abci.sock")

        callers: list[Caller] = []

        async def connect() -> Caller:
            callers.append(Caller(*await asyncio.open_unix_connection(folder / "abci.sock")))
            return callers[-1]

        yield server, connect
        await server.close()
        for caller in callers:
            caller.writer.close()


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(bounded())


def test_every_kind_of_request_has_an_answer_of_its_name(tmp_path) -> None:
    async def work() -> None:
        async with listening(tmp_path, plain_calls()) as (_, connect):
            caller = await connect()
            for kind in KINDS:
                caller.ask(kind)
            assert await caller.kinds(len(KINDS)) == KINDS

    run(work)


def test_a_kind_without_a_call_is_found_at_the_start(tmp_path) -> None:
    calls = plain_calls()
    del calls["commit"]

    async def work() -> None:
        with pytest.raises(ValueError, match="commit"):
            async with listening(tmp_path, calls):
                pass

    run(work)


@settings(max_examples=15)
@given(kinds=st.lists(st.sampled_from(KINDS), max_size=40))
def test_answers_come_in_the_order_of_the_questions(tmp_path_factory, kinds) -> None:
    folder = tmp_path_factory.mktemp("abci")

    async def work() -> None:
        async with listening(folder, plain_calls()) as (_, connect):
            caller = await connect()
            for kind in kinds:
                caller.ask(kind)
            assert await caller.kinds(len(kinds)) == kinds

    run(work)


def test_calls_run_where_they_belong(tmp_path) -> None:
    """Blocks on one thread, one after another; snapshots and queries on another each; the rest in the event loop."""
    where: dict[str, set[int]] = {kind: set() for kind in KINDS}
    calls = plain_calls()

    def noting(kind: str, call: Call) -> Call:
        def noted(request: Any) -> Any:
            where[kind].add(threading.get_ident())
            return call(request)

        return noted

    async def work() -> None:
        async with listening(tmp_path, {kind: noting(kind, call) for kind, call in calls.items()}) as (_, connect):
            callers = [await connect() for _ in range(3)]
            for caller in callers:
                for kind in KINDS:
                    caller.ask(kind)
            for caller in callers:
                await caller.kinds(len(KINDS))
        rest = set(KINDS) - ON_BLOCK_THREAD - ON_SNAPSHOT_THREAD - ON_QUERY_THREAD
        threads = [
            set.union(*(where[kind] for kind in group))
            for group in (ON_BLOCK_THREAD, ON_SNAPSHOT_THREAD, ON_QUERY_THREAD, rest)
        ]
        assert all(len(one) == 1 for one in threads)
        assert len(set.union(*threads)) == 4
        assert threads[3] == {threading.get_ident()}

    run(work)


@pytest.mark.parametrize("slow", sorted(ON_BLOCK_THREAD | ON_SNAPSHOT_THREAD | ON_QUERY_THREAD))
def test_a_batch_is_taken_while_something_long_is_going_on(tmp_path, slow) -> None:
    begun, go_on = threading.Event(), threading.Event()
    calls = plain_calls()

    def long(request: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        return response_type(slow)()

    calls[slow] = long

    async def work() -> None:
        async with listening(tmp_path, calls) as (_, connect):
            consensus, gossip = await connect(), await connect()
            consensus.ask(slow)
            consensus.ask("echo", message="after")
            await asyncio.to_thread(begun.wait)
            gossip.ask("insert_tx", tx=b"12345")
            gossip.ask("reap_txs")
            gossip.ask("flush")
            answer = await gossip.answer()
            assert answer is not None and answer.insert_tx.code == 5
            assert await gossip.kinds(2) == ["reap_txs", "flush"]
            assert not go_on.is_set()
            go_on.set()
            assert await consensus.kinds(2) == [slow, "echo"]

    run(work)


@pytest.mark.parametrize("kind", ["finalize_block", "insert_tx", "apply_snapshot_chunk", "query"])
@pytest.mark.parametrize("error", [ValueError, MemoryError, OSError])
def test_whatever_a_call_raises_stops_the_node(tmp_path, kind, error) -> None:
    calls = plain_calls()

    def fail(request: Any) -> Any:
        raise error("the reason")

    calls[kind] = fail

    async def work() -> None:
        async with listening(tmp_path, calls) as (server, connect):
            failure = asyncio.create_task(server.failure())
            caller = await connect()
            caller.ask("echo", message="before")
            caller.ask(kind)
            caller.ask("echo", message="after")
            assert await caller.kinds(1) == ["echo"]
            answer = await caller.answer()
            assert answer is not None and answer.WhichOneof("value") == "exception"
            assert "the reason" in answer.exception.error and error.__name__ in answer.exception.error
            assert await caller.kinds(1) == ["echo"]
            with pytest.raises(error, match="the reason"):
                await failure
            # A second one changes nothing.
            caller.ask(kind)
            assert await caller.kinds(1) == ["exception"]

    run(work)


def test_without_a_failure_nothing_is_reported(tmp_path) -> None:
    async def work() -> None:
        async with listening(tmp_path, plain_calls()) as (server, connect):
            failure = asyncio.create_task(server.failure())
            caller = await connect()
            caller.ask("commit")
            await caller.kinds(1)
            assert not failure.done()
            failure.cancel()

    run(work)


@pytest.mark.parametrize("garbage", [b"\xff" * 6, b"\xff\xff\xff\xff\x7f", b"\x03\xff\xff\xff", b"\x05\x0a\x63abc"])
def test_what_is_no_message_is_answered_and_ends_that_connection_only(tmp_path, garbage) -> None:
    async def work() -> None:
        async with listening(tmp_path, plain_calls()) as (_, connect):
            bad, good = await connect(), await connect()
            bad.ask("echo", message="first")
            bad.writer.write(garbage)
            assert await bad.kinds(2) == ["echo", "exception"]
            assert await bad.answer() is None
            good.ask("echo", message="still here")
            assert await good.kinds(1) == ["echo"]

    run(work)


def test_a_request_of_no_kind_is_answered(tmp_path) -> None:
    async def work() -> None:
        async with listening(tmp_path, plain_calls()) as (_, connect):
            caller = await connect()
            caller.writer.write(b"\x00")
            caller.ask("echo")
            assert await caller.kinds(2) == ["exception", "echo"]

    run(work)


def test_closing_in_the_middle_of_a_call_loses_no_call(tmp_path) -> None:
    """CometBFT dies while its block is executed: the call ends as it would have, and the next connection is served."""
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    calls = plain_calls()

    def long(request: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        ended.set()
        return abci.ResponseFinalizeBlock()

    calls["finalize_block"] = long

    async def work() -> None:
        async with listening(tmp_path, calls) as (_, connect):
            caller = await connect()
            caller.ask("finalize_block")
            caller.ask("commit")
            await asyncio.to_thread(begun.wait)
            caller.writer.close()
            await caller.writer.wait_closed()
            again = await connect()
            go_on.set()
            again.ask("commit")
            assert await again.kinds(1) == ["commit"]
            assert ended.is_set()

    run(work)


def test_closing_inside_a_frame_ends_the_connection(tmp_path) -> None:
    async def work() -> None:
        async with listening(tmp_path, plain_calls()) as (_, connect):
            caller = await connect()
            caller.ask("echo")
            caller.writer.write(b"\x7f\x0a")
            caller.writer.write_eof()
            assert await caller.kinds(1) == ["echo"]
            assert await caller.answer() is None

    run(work)


def test_a_closed_server_ends_its_connections(tmp_path) -> None:
    async def work() -> None:
        async with listening(tmp_path, plain_calls()) as (server, connect):
            caller = await connect()
            caller.ask("flush")
            assert await caller.kinds(1) == ["flush"]
            await server.close()
            assert await caller.answer() is None
            # Python 3.13 also removes the socket.
            with pytest.raises((ConnectionError, FileNotFoundError)):
                await connect()

    run(work)


def test_a_flush_comes_behind_all_answers_before_it(tmp_path) -> None:
    """CometBFT waits for it when it wants to know that everything has been said."""

    async def work() -> None:
        async with listening(tmp_path, plain_calls()) as (_, connect):
            caller = await connect()
            for number in range(3_000):
                caller.ask("echo" if number % 2 else "finalize_block")
            caller.ask("flush")
            kinds = await caller.kinds(3_001)
            assert kinds[-1] == "flush" and kinds.count("flush") == 1

    run(work)


def test_a_socket_that_an_earlier_process_left_is_replaced(tmp_path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(socket_address(tmp_path / "abci.sock"))

    async def work() -> None:
        async with listening(tmp_path, plain_calls()) as (_, connect):
            caller = await connect()
            caller.ask("echo")
            assert await caller.kinds(1) == ["echo"]

    run(work)
