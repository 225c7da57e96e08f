import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.engine.comet.comet_server import comet_server, result

from gridtokenx.engine.comet import peers
from gridtokenx.engine.comet.home import HomeSettings, Peer, create_home
from gridtokenx.engine.comet.keys import NodeKeys
from gridtokenx.engine.comet.peers import keep_peers, persistent_peers

HERE, AWAY = "aa" * 20, "bb" * 20
NODE = {"network": "chain", "version": "0.39.0", "moniker": "m", "listen_addr": "x", "id": HERE}


class Engine:
    """Says who is linked, and notes who is to be dialled."""

    def __init__(self) -> None:
        self.linked = [HERE]
        self.dialled: list[list[str]] = []
        self.asked_again = asyncio.Event()
        """Set when it has been looked at after a dial."""

    def reply(self, method: str, parameters: dict[str, Any]) -> bytes:
        if method == "dial_peers":
            self.dialled.append(parameters["peers"])
            self.linked.append(AWAY)
            return result({"log": "dialling"})
        if self.dialled:
            self.asked_again.set()
        found = [{"node_info": NODE | {"id": each}, "is_outbound": True, "remote_ip": "x"} for each in self.linked]
        return result({"listening": True, "n_peers": str(len(found)), "peers": found})


async def kept(socket: Path, engine: Engine, wanted: list[str], before: Callable[[], Awaitable[None]]) -> None:
    """Keep peers; `before` there is an engine, then until it was asked after a dial."""
    keeping = asyncio.create_task(keep_peers(socket, wanted))
    await before()
    async with comet_server(socket, engine.reply):
        await engine.asked_again.wait()
        assert not keeping.done()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


def test_only_who_is_missing_is_dialled_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "LOOK_SECONDS", 0.01)
    engine = Engine()
    asyncio.run(kept(tmp_path / "rpc.sock", engine, [f"{HERE}@h:1", f"{AWAY}@a:2"], lambda: asyncio.sleep(0)))
    assert engine.dialled == [[f"{AWAY}@a:2"]]


def test_an_engine_that_does_not_answer_yet_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "LOOK_SECONDS", 0.01)
    engine = Engine()
    asyncio.run(kept(tmp_path / "rpc.sock", engine, [f"{AWAY}@a:2"], lambda: asyncio.sleep(0.05)))
    assert engine.dialled == [[f"{AWAY}@a:2"]]


def test_whom_to_dial_stands_in_the_settings(tmp_path: Path) -> None:
    peer = Peer(AWAY, "12D3KooW", "10.0.0.2:26656")
    tcp = create_home(tmp_path / "tcp", NodeKeys.generate(), HomeSettings("a", dials=(peer,)))
    quic = create_home(tmp_path / "quic", NodeKeys.generate(), HomeSettings("a", dials=(peer,), quic=True))
    assert persistent_peers(tcp.path) == [f"{AWAY}@10.0.0.2:26656"]
    assert persistent_peers(quic.path) == [], "there CometBFT dials by itself"
