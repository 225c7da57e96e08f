"""What a node's CometBFT says of itself: a server on a socket file says what the test tells it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.unit.engine.comet.comet_server import Reply, comet_server, result, status_answer

from gridtokenx.operations.network.consensus_view import ConsensusView, look


def comet(asked: list[str], *, catching_up: bool) -> Reply:
    """It has two peers, and is in its fourth attempt if it is in any."""

    def reply(method: str, parameters: dict[str, Any]) -> bytes:
        asked.append(method)
        if method == "net_info":
            return result({"listening": True, "listeners": [], "n_peers": "2", "peers": []})
        if method == "consensus_state":
            return result({"round_state": {"height/round/step": "8/3/1"}})
        return status_answer(7, catching_up=catching_up)

    return reply


@pytest.mark.parametrize(("catching_up", "round_"), [(False, 3), (True, 0)])
def test_a_node_that_catches_up_is_not_asked_for_its_round(tmp_path: Path, catching_up: bool, round_: int) -> None:
    """It has none, and writes a page to its log for each question."""
    asked: list[str] = []

    async def run() -> ConsensusView:
        async with comet_server(tmp_path / "rpc.sock", comet(asked, catching_up=catching_up)):
            return await look(tmp_path / "rpc.sock")

    view = asyncio.run(run())
    assert (view.height, view.block_hash, view.app_hash, view.peers) == (7, "AB", "CD", 2)
    assert (view.catching_up, view.round, "consensus_state" in asked) == (catching_up, round_, not catching_up)
