"""Our light client beside CometBFT's own, on a real chain whose validators change."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.processes.comet_chain import CometNet, comet_net
from tests.processes.light_command import Alter, light_command, lying_node

from gridtokenx.engine.comet.answers import CommitAnswer, ValidatorsAnswer, light_block, read_answer
from gridtokenx.engine.comet.headers import LightBlock, header_hash
from gridtokenx.engine.comet.light_client import AsyncLightClient
from gridtokenx.engine.comet.light_errors import LightError
from gridtokenx.engine.comet.light_store import LightStore
from gridtokenx.engine.comet.rpc import CometRpc, HeightMissing, RpcUnreachable

CHAIN = "light-test"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CometNet]:
    """Three validators, of whom at the end only one still has the power it began with."""
    with comet_net(tmp_path_factory.mktemp("net"), 3, chain=CHAIN) as net:
        keys, first = net.public_keys(), net.nodes[0]
        for key, power in ((keys[1], 4), (keys[0], 40), (keys[2], 0), (keys[2], 300), (keys[1], 0)):
            first.wait_height(first.set_validator(key, power) + 4)
        yield net


async def ours(urls: list[str], heights: list[int], trusted: bytes) -> list[LightBlock]:
    """What our client proves, starting from block 1 of this hash; the first URL is followed, the others witness."""
    rpcs = [CometRpc(url) for url in urls]
    try:
        client = AsyncLightClient(LightStore(CHAIN), rpcs[0].light_block, [rpc.light_block for rpc in rpcs[1:]])
        await client.start(1, trusted, now_ms())
        return [await client.verify(height, now_ms()) for height in heights]
    finally:
        for rpc in rpcs:
            await rpc.close()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_both_prove_the_same_blocks(net: CometNet, tmp_path: Path) -> None:
    first, second = net.nodes[0], net.nodes[1]
    top = first.height() - 1
    heights = [top, 2, *range(3, top, 3)]
    block_hash = first.ask("commit", height="1")["signed_header"]["commit"]["block_id"]["hash"]
    blocks = asyncio.run(ours([first.url, second.url], heights, bytes.fromhex(block_hash)))
    assert [block.height for block in blocks] == heights
    assert len({block.header.validators_hash for block in blocks}) >= 4
    with light_command(tmp_path / "light", CHAIN, first.url, second.url, 1, block_hash) as theirs:
        for block in blocks:
            said = theirs("commit", {"height": str(block.height)})["signed_header"]
            assert said["commit"]["block_id"]["hash"] == block.hash.hex().upper()
            assert said["header"]["app_hash"] == block.header.app_hash.hex().upper()
            validators = theirs("validators", {"height": str(block.height), "per_page": "100"})["validators"]
            assert [int(one["voting_power"]) for one in validators] == [one.power for one in block.validators.members]


def change_header(method: str, parameters: dict[str, Any], result: dict[str, Any]) -> None:
    if method == "commit" and parameters["height"] != "1":
        result["signed_header"]["header"]["app_hash"] = "AA" * 8


def change_header_and_hash(method: str, parameters: dict[str, Any], result: dict[str, Any]) -> None:
    if method == "commit" and parameters["height"] != "1":
        change_header(method, parameters, result)
        answer = read_answer(json.dumps(result).encode(), CommitAnswer)
        nobody = ValidatorsAnswer("1", [], "0", "0")
        forged = header_hash(light_block(answer, nobody).header).hex().upper()
        result["signed_header"]["commit"]["block_id"]["hash"] = forged


def change_signature(method: str, parameters: dict[str, Any], result: dict[str, Any]) -> None:
    if method == "commit" and parameters["height"] != "1":
        vote = result["signed_header"]["commit"]["signatures"][0]
        vote["signature"] = base64.b64encode(bytes(64)).decode()


def change_power(method: str, parameters: dict[str, Any], result: dict[str, Any]) -> None:
    if method == "validators" and parameters["height"] != "1":
        result["validators"][0]["voting_power"] = "100000"


@pytest.mark.parametrize("alter", [change_header, change_header_and_hash, change_signature, change_power])
def test_both_refuse_what_was_forged(net: CometNet, tmp_path: Path, alter: Alter) -> None:
    """Source and witness tell the same lie about everything but the block that is trusted."""
    first = net.nodes[0]
    block_hash = first.ask("commit", height="1")["signed_header"]["commit"]["block_id"]["hash"]
    with lying_node(first.url, alter) as liar, lying_node(first.url, alter) as helper:
        for height in (2, first.height() - 1):
            with pytest.raises(LightError):
                asyncio.run(ours([liar, helper], [height], bytes.fromhex(block_hash)))
            folder = tmp_path / f"light{height}"
            with light_command(folder, CHAIN, liar, helper, 1, block_hash) as theirs, pytest.raises(LookupError):
                theirs("commit", {"height": str(height)})


def test_what_the_node_says_of_itself(net: CometNet) -> None:
    async def run() -> None:
        async with CometRpc(net.nodes[0].url) as rpc:
            status = await rpc.status()
            assert status.node_info.network == CHAIN and status.node_info.id == net.nodes[0].node_id
            assert int(status.sync_info.latest_block_height) >= 1
            links = await rpc.net_info()
            assert {peer.node_info.id for peer in links.peers} == {node.node_id for node in net.nodes[1:]}
            block = await rpc.block(2)
            assert block.block_id.hash == (await rpc.commit(2)).signed_header.commit.block_id.hash
            assert block.block.header.height == "2"
            for ask in (rpc.commit, rpc.validators, rpc.block):
                with pytest.raises(HeightMissing):
                    await ask(10**9)

    async def nobody() -> None:
        async with CometRpc("http://127.0.0.1:9") as rpc:
            with pytest.raises(RpcUnreachable):
                await rpc.status()

    asyncio.run(run())
    asyncio.run(nobody())
