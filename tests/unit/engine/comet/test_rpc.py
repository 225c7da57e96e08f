"""Asking CometBFT: what it may answer, and what it must not. A server on a socket file says what the test tells it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.engine.comet.comet_server import Reply, comet_server, result, status_answer
from tests.unit.engine.comet.light_chain import commit_answer, make_chain, validators_answer

from gridtokenx.engine.comet.answers import ANSWER_BYTES_MAX
from gridtokenx.engine.comet.headers import VALIDATORS_MAX
from gridtokenx.engine.comet.light_client import NEWEST
from gridtokenx.engine.comet.light_errors import BlockInvalid, BlockMissing, SourceFailed
from gridtokenx.engine.comet.rpc import (
    AnswerUnknown,
    CometRpc,
    HeightMissing,
    RpcFailed,
    RpcRefused,
    RpcUnreachable,
)

CROWD = make_chain([dict.fromkeys(range(130), 1)] * 3)


def error(data: str) -> bytes:
    return json.dumps(
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "Internal error", "data": data}}
    ).encode()


def node(method: str, parameters: dict[str, Any]) -> bytes:
    """A node with the blocks of `CROWD`."""
    if method == "status":
        return status_answer(2)
    height = int(parameters["height"])
    if height > len(CROWD):
        return error(f"height {height} must be less than or equal to the current blockchain height 2")
    block = CROWD[height - 1]
    if method == "commit":
        return result(commit_answer(block))
    whole = validators_answer(block)
    start = (int(parameters["page"]) - 1) * 100
    shown = whole["validators"][start : start + 100]
    return result(whole | {"validators": shown, "count": str(len(shown))})


def ask(folder: Path, reply: Reply, question: Callable[[CometRpc], Awaitable[Any]]) -> Any:
    """The question's answer from a server that replies so."""

    async def run() -> Any:
        socket = folder / "rpc.sock"
        async with comet_server(socket, reply), CometRpc(socket) as rpc:
            return await question(rpc)

    return asyncio.run(run())


def test_validators_of_several_pages(tmp_path: Path) -> None:
    whole = ask(tmp_path, node, lambda rpc: rpc.validators(1))
    assert (whole.count, whole.total, len(whole.validators)) == ("130", "130", 130)


def test_a_source_for_a_light_client(tmp_path: Path) -> None:
    assert ask(tmp_path, node, lambda rpc: rpc.light_block(1)) == CROWD[0]
    assert ask(tmp_path, node, lambda rpc: rpc.light_block(NEWEST)) == CROWD[1]
    with pytest.raises(BlockMissing):
        ask(tmp_path, node, lambda rpc: rpc.light_block(3))
    with pytest.raises(SourceFailed):
        ask(tmp_path, lambda method, parameters: b"no", lambda rpc: rpc.light_block(1))
    odd = validators_answer(CROWD[0]) | {"validators": [], "count": "0", "total": "0"}

    def mixed(method: str, parameters: dict[str, Any]) -> bytes:
        return node(method, parameters) if method == "commit" else result(odd | {"count": "00"})

    with pytest.raises((BlockInvalid, SourceFailed)):
        ask(tmp_path, mixed, lambda rpc: rpc.light_block(1))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", AnswerUnknown),
        (b"{}", HeightMissing),
        (result(None), HeightMissing),
        (result([]), AnswerUnknown),
        (result({}), AnswerUnknown),
        (b"[" * 100_000, AnswerUnknown),
        (b"\xff", AnswerUnknown),
        (b" " * (ANSWER_BYTES_MAX + 1), AnswerUnknown),
        (error("height 3 is not available, lowest height is 7"), HeightMissing),
        (error("out of disk"), RpcRefused),
    ],
)
def test_what_else_may_come(tmp_path: Path, content: bytes, kind: type[RpcFailed]) -> None:
    with pytest.raises(kind) as caught:
        ask(tmp_path, lambda method, parameters: content, lambda rpc: rpc.commit(1))
    assert caught.type is kind


@pytest.mark.parametrize(
    "change",
    [
        {"total": str(VALIDATORS_MAX + 1)},
        {"total": "131"},
        {"total": "99"},
        {"block_height": "1", "page": "2"},
    ],
)
def test_pages_that_do_not_belong_together(tmp_path: Path, change: dict[str, str]) -> None:
    def reply(method: str, parameters: dict[str, Any]) -> bytes:
        said = json.loads(node(method, parameters))
        if "page" not in change or parameters["page"] == change["page"]:
            said["result"] |= {name: value for name, value in change.items() if name != "page"}
        return json.dumps(said).encode()

    with pytest.raises(AnswerUnknown):
        ask(tmp_path, reply, lambda rpc: rpc.validators(2))


def test_nobody_there(tmp_path: Path) -> None:
    async def run() -> None:
        async with CometRpc(tmp_path / "nothing.sock") as rpc:
            with pytest.raises(RpcUnreachable):
                await rpc.status()

    asyncio.run(run())
