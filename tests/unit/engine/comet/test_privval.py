"""A node waits for its signer before it starts CometBFT, and says for what."""

import asyncio
import json
import tomllib
from pathlib import Path

import pytest

from gridtokenx.engine.comet.home import HomeSettings, create_home, write_config
from gridtokenx.engine.comet.keys import NodeKeys
from gridtokenx.engine.comet.privval import message_frame, read_message, wait_for_signer
from gridtokenx.engine.comet.privval_pb2 import Message
from gridtokenx.engine.folder import FolderUnusable

CHAIN = "a-chain"
KEY = bytes(range(32))


async def dial(path: Path, answer: Message | None) -> str:
    """As a signer that answers so, or says nothing but nonsense; which chain it was asked for."""
    reader, writer = await asyncio.open_unix_connection(path)
    request = await read_message(reader)
    writer.write(b"\xff" * 12 if answer is None else message_frame(answer))
    await reader.read()  # until the node closes
    writer.close()
    return request.pub_key_request.chain_id


def answers(*given: Message | None, tmp_path: Path) -> list[str]:
    """What the node says while signers come, one after another; the last one is right."""
    said: list[str] = []
    path = tmp_path / "signer.sock"

    async def run() -> None:
        listens = asyncio.Event()

        def say(sentence: str) -> None:
            said.append(sentence)
            listens.set()  # it says first that it waits

        waiting = asyncio.create_task(wait_for_signer(path, CHAIN, KEY, say))
        await listens.wait()
        for answer in given:
            assert not waiting.done()
            assert await dial(path, answer) == CHAIN
        await waiting

    asyncio.run(run())
    assert not path.exists(), "CometBFT listens there next"
    return said


RIGHT = Message(pub_key_response={"pub_key": {"ed25519": KEY}})


def test_it_goes_on_when_the_signer_has_dialled(tmp_path: Path) -> None:
    assert answers(RIGHT, tmp_path=tmp_path) == [
        f"waits for its signer: `gridtokenx signer run --node {tmp_path / 'signer.sock'}`"
    ]


def test_it_says_why_who_came_does_not_serve(tmp_path: Path) -> None:
    refuses = Message(pub_key_response={"pub_key": {}, "error": {"description": "of another chain"}})
    said = answers(refuses, refuses, None, Message(ping_response={}), RIGHT, tmp_path=tmp_path)
    assert said[1] == "the signer refuses this node: of another chain"
    assert "did not answer as a signer does" in said[2]
    assert said[3] == "the signer refuses this node: it names no key of Ed25519" and len(said) == 4


def test_another_key_is_said_and_taken(tmp_path: Path) -> None:
    """After a rotation the node's card has the old one."""
    other = Message(pub_key_response={"pub_key": {"ed25519": bytes(32)}})
    (_, said) = answers(other, tmp_path=tmp_path)
    assert bytes(32).hex() in said and KEY.hex() in said and "right if the chain was told of a new key" in said


def test_a_home_whose_key_is_with_a_signer(tmp_path: Path) -> None:
    home = create_home(tmp_path / "consensus", NodeKeys.generate(), HomeSettings("node-1"), signer_key=KEY)
    assert home.has_signer and home.signers_key() == KEY
    assert not home.validator_key.exists() and not home.validator_state.exists()
    write_config(home, HomeSettings("node-1", listen="10.0.0.1:26656"))
    settings = tomllib.loads(home.config.read_text())
    assert settings["priv_validator_laddr"] == "unix://run/signer.sock"
    assert settings["priv_validator_key_file"] == "data/unused_validator_key.json"
    with pytest.raises(FolderUnusable):
        home.keys()
    home.signer_key.write_text(json.dumps({"type": "tendermint/PubKeyEd25519", "value": "AAAA"}))
    with pytest.raises(FolderUnusable, match="names no key of a signer"):
        home.signers_key()


def test_a_home_with_its_own_key_has_no_signer(tmp_path: Path) -> None:
    home = create_home(tmp_path / "consensus", NodeKeys.generate(), HomeSettings("node-1"))
    assert not home.has_signer and "priv_validator_laddr" not in tomllib.loads(home.config.read_text())
