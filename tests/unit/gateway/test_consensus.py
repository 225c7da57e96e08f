"""What light clients get: CometBFT's commits and validators. A fake CometBFT listens where the real one would."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from tests.unit.engine.comet.comet_server import comet_server, result
from tests.unit.engine.comet.light_chain import commit_answer, make_chain, validators_answer
from tests.unit.gateway.market import Market, story

from gridtokenx.engine.comet.answers import CommitAnswer, ValidatorsAnswer, light_block, read_answer

BLOCKS = make_chain([dict.fromkeys(range(130), 1)] * 3)


def engine(method: str, parameters: dict[str, Any]) -> bytes:
    """One that has the blocks."""
    height = int(parameters["height"])
    if not 1 <= height <= len(BLOCKS):
        data = f"height {height} must be less than or equal to the current blockchain height {len(BLOCKS)}"
        return json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "", "data": data}}).encode()
    if method == "commit":
        return result(commit_answer(BLOCKS[height - 1]))
    whole = validators_answer(BLOCKS[height - 1])
    start = (int(parameters["page"]) - 1) * 100
    shown = whole["validators"][start : start + 100]
    return result(whole | {"validators": shown, "count": str(len(shown))})


@contextlib.asynccontextmanager
async def consensus_of(market: Market) -> AsyncIterator[None]:
    """The node of this market has a consensus engine from now on."""
    (market.gateway.folder.path / "consensus").mkdir()
    async with comet_server(market.gateway.folder.run / "rpc.sock", engine):
        yield


@story
async def test_a_market_of_one_node_has_no_consensus(market: Market) -> None:
    for path in ("/v1/consensus/commits/1", "/v1/consensus/validators/1"):
        response = await market.web.get(path, headers={"Accept-Language": "th"})
        assert (response.status_code, response.json()["name"]) == (404, "NO_CONSENSUS")


@story
async def test_commits_and_validators_pass_through(market: Market) -> None:
    async with consensus_of(market):
        commit = await market.get("/v1/consensus/commits/2")
        validators = await market.get("/v1/consensus/validators/2")
        assert commit == commit_answer(BLOCKS[1])
        assert validators == validators_answer(BLOCKS[1])
        read = [
            read_answer(json.dumps(said).encode(), kind)
            for said, kind in ((commit, CommitAnswer), (validators, ValidatorsAnswer))
        ]
        assert light_block(*read) == BLOCKS[1]  # type: ignore[arg-type]


@story
async def test_heights_that_are_not_there(market: Market) -> None:
    async with consensus_of(market):
        for height, status in (("0", 404), ("3", 404), ("9" * 15, 404), ("9" * 16, 400), ("x", 400)):
            for path in ("commits", "validators"):
                assert (await market.web.get(f"/v1/consensus/{path}/{height}")).status_code == status


@story
async def test_an_engine_that_is_away(market: Market) -> None:
    async with consensus_of(market):
        pass
    response = await market.web.get("/v1/consensus/commits/1")
    assert (response.status_code, response.json()["name"]) == (503, "NODE_UNREACHABLE")
