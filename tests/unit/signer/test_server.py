"""The signer as a process: what nodes get for what they ask, and what happens to those that ask nonsense."""

import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.signer.asking import CHAIN, AskingNode, SignerProcess, new_signer, status_of, until
from tests.unit.signer.requests import block, vote
from typer.testing import CliRunner, Result

from gridtokenx.bench.report import memory_peak_bytes
from gridtokenx.cli.main import app
from gridtokenx.engine.comet.privval import MESSAGE_BYTES_MAX, message_frame
from gridtokenx.engine.comet.privval_pb2 import Message
from gridtokenx.engine.comet.wire import varint
from gridtokenx.signer.folder import SignerFolder
from gridtokenx.signer.sign_bytes import PRECOMMIT, PREVOTE, vote_bytes

pytestmark = pytest.mark.slow

OTHER = block("another")
LONG_LEASE_SECONDS = 600.0


def said(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path) -> SignerFolder:
    return new_signer(tmp_path / "signer")


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[AskingNode]]:
    made = [AskingNode(tmp_path / name / "run" / "signer.sock") for name in ("primary", "backup")]
    yield made
    for node in made:
        node.close()


def test_a_height_and_what_is_refused_in_it(folder: SignerFolder, nodes: list[AskingNode]) -> None:
    node = nodes[0]
    with SignerProcess(folder, [node.path]):
        node.meet()
        assert not isinstance(node.propose(7, 0, time_ns=5), str)
        first, again = node.propose(7, 0, time_ns=6), node.vote(7, 0, PREVOTE, time_ns=7)
        assert not isinstance(first, str) and first.timestamp.nanos == 5, "the time that was signed first"
        assert not isinstance(again, str) and not again.extension_signature
        precommit = node.vote(7, 0, PRECOMMIT)
        assert not isinstance(precommit, str) and precommit.extension_signature
        assert "something else was signed there" in node.vote(7, 0, PRECOMMIT, OTHER)
        assert "something else was signed there" in node.vote(7, 0, PRECOMMIT, None)
        assert "is behind what was signed last" in node.vote(7, 0, PREVOTE)
        nil = node.vote(8, 0, PRECOMMIT, None)
        assert not isinstance(nil, str) and not nil.extension_signature
        key, node.public_key = node.public_key, bytes(32)
        assert "this signer holds the key" in node.vote(9, 0, PREVOTE)
        node.public_key = key
        assert "heights begin with 1" in node.vote(0, 0, PREVOTE)
        other = node.ask(Message(pub_key_request={"chain_id": "another"})).pub_key_response
        assert "is of the chain 'another'" in other.error.description and not other.pub_key.ed25519
        status = status_of(folder)
    assert (status["height"], status["round"], status["step"]) == (8, 0, 3)
    assert status["signed"] == 5 and status["lease"] == str(node.path) and status["median_ms"] > 0
    assert status["refused"] == {"twice": 3, "key": 1, "invalid": 1, "chain": 1}
    assert status["nodes"] == [{"socket": str(node.path), "connected": True}]
    off = status_of(folder)
    assert off["running"] is False and (off["height"], off["step"]) == (8, 3)


def test_one_node_at_a_time(folder: SignerFolder, nodes: list[AskingNode]) -> None:
    primary, backup = nodes
    with SignerProcess(folder, [primary.path, backup.path], LONG_LEASE_SECONDS) as signer:
        primary.meet()
        backup.meet()
        assert not isinstance(primary.vote(5, 0, PREVOTE), str)
        for height in (5, 6):
            assert backup.vote(height, 0, PREVOTE) == f"another node holds the lease: {primary.path}"
        backup.ping()
        primary.drop()
        until(lambda: not isinstance(backup.vote(6, 0, PREVOTE), str), "the lease of a node that has gone")
        primary.meet()
        assert primary.vote(6, 0, PREVOTE) == f"another node holds the lease: {backup.path}"
        assert not isinstance(primary.vote(9, 0, PREVOTE), str), "who is three blocks ahead is served"
        assert f"lease: {backup.path} has it now" in signer.said
        assert signer.said.count("refused ") <= 3, "not a line for each refusal of the lease"


def test_who_is_silent_loses_the_lease_and_the_guard_stays(folder: SignerFolder, nodes: list[AskingNode]) -> None:
    primary, backup = nodes
    with SignerProcess(folder, [primary.path, backup.path], 0.5):
        primary.meet()
        backup.meet()
        assert not isinstance(primary.vote(5, 0, PREVOTE), str)
        until(lambda: not isinstance(backup.vote(6, 0, PREVOTE), str), "the lease of a node that is silent")
        # Whatever the lease says now: the guard lets nobody go back.
        until(lambda: "is behind" in str(primary.vote(5, 0, PRECOMMIT)), "the primary to be heard again")


def test_a_signer_that_is_killed_gives_the_same_signature_again(folder: SignerFolder, nodes: list[AskingNode]) -> None:
    node = nodes[0]
    with SignerProcess(folder, [node.path]):
        node.meet()
        first = node.vote(5, 0, PREVOTE, time_ns=1)
    with SignerProcess(folder, [node.path]) as second:
        node.meet()
        assert node.vote(5, 0, PREVOTE, time_ns=2) == first
        assert "something else" in node.vote(5, 0, PREVOTE, OTHER)
        assert second.stop() == 0
    assert not folder.socket.exists()


def test_two_signers_on_one_folder(folder: SignerFolder, nodes: list[AskingNode]) -> None:
    with SignerProcess(folder, [nodes[0].path]):
        nodes[0].meet()
        refused = said("signer", "run", "--data", folder.path, "--node", nodes[1].path)
        assert refused.exit_code == 2 and "another signer runs on" in refused.output
        assert said("signer", "recover", "--data", folder.path, "--above", 9).exit_code == 2


NONSENSE = {
    "a length above all bounds": varint(MESSAGE_BYTES_MAX + 1),
    "a length of ten bytes": b"\xff" * 9 + b"\x01",
    "a message of zeros": varint(64) + bytes(64),
    "an empty message": b"\0",
    "an answer, not a question": message_frame(Message(ping_response={})),
    "a message of a later protocol": varint(4) + b"\x9a\x06\x01x",
    "two gigabytes that never come": varint(2**31),
}


def test_nonsense_ends_the_connection_and_nothing_else(folder: SignerFolder, nodes: list[AskingNode]) -> None:
    node, other = nodes
    with SignerProcess(folder, [node.path, other.path]) as signer:
        other.meet()
        for name, data in NONSENSE.items():
            node.meet()
            node.send(data)
            with pytest.raises(EOFError):
                raise AssertionError(f"{name}: answered with {node.receive()}")
            other.ping()
        generator = secrets.SystemRandom()
        whole = message_frame(Message(sign_vote_request={"chain_id": "a-chain", "vote": {"height": 5}}))
        for _ in range(60):
            node.meet()
            at = generator.randrange(len(whole))
            node.send(whole[:at] + generator.randbytes(generator.randrange(40)))
            node.drop()
        node.meet()
        assert not isinstance(node.vote(5, 0, PREVOTE), str) or "lease" in str(node.vote(5, 0, PREVOTE))
        assert signer.process.poll() is None
        assert memory_peak_bytes(signer.process.pid) < 300_000_000, "no room is made for what is only announced"


def test_a_rotation_loses_no_vote(folder: SignerFolder, nodes: list[AskingNode]) -> None:
    node = nodes[0]
    with SignerProcess(folder, [node.path]):
        node.meet()
        old = node.public_key
        assert not isinstance(node.propose(5, 0), str)
        assert "no key is staged" in said("signer", "switch", "--data", folder.path).output
        staged = said("signer", "rotate", "--data", folder.path, "--generate")
        assert staged.exit_code == 0 and status_of(folder)["next_key"] in staged.output
        switched = said("signer", "switch", "--data", folder.path)
        assert switched.exit_code == 0, switched.output
        # The node goes on with the key that it knows until its next height.
        assert not isinstance(node.vote(5, 0, PREVOTE), str) and not isinstance(node.vote(5, 0, PRECOMMIT), str)
        assert not isinstance(node.propose(6, 0), str)
        node.ask_key()
        assert node.public_key != old and node.public_key.hex() == status_of(folder)["public_key"]
        assert not isinstance(node.propose(6, 0), str) and not isinstance(node.vote(6, 0, PREVOTE), str)
        new, node.public_key = node.public_key, old
        assert "this signer holds the key" in node.vote(6, 0, PRECOMMIT), "the old key was let go"
        node.public_key = new
    with SignerProcess(folder, [node.path]):
        node.meet()
        assert node.public_key == new
        assert "something else" in node.vote(6, 0, PREVOTE, OTHER)
    assert status_of(folder)["next_key"] is None


def test_a_socket_that_is_not_there_yet(folder: SignerFolder, tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60) / "run"
    with SignerProcess(folder, [deep / "signer.sock"]) as signer:
        until(folder.socket.exists, "the signer to be there")
        deep.mkdir(parents=True)
        before = Path.cwd()
        os.chdir(deep)  # its name is longer than a socket's may be
        try:
            node = AskingNode(Path("signer.sock"))
        finally:
            os.chdir(before)
        node.meet().ping()
        assert signer.status()["nodes"] == [{"socket": str(deep / "signer.sock"), "connected": True}]
        node.drop()


def test_recovery_and_what_init_asks(folder: SignerFolder, tmp_path: Path, nodes: list[AskingNode]) -> None:
    key = folder.read().key.public_key
    assert "nothing to recover" in said("signer", "recover", "--data", folder.path, "--above", 9).output
    folder.guard(key).unlink()
    again = ("signer", "rotate", "--data", folder.path, "--key", folder.path / folder.read().key.file, "--above", 0)
    assert said(*again).exit_code == 2 and not folder.guard(key).exists(), "no way round what is not known"
    run = ("signer", "run", "--data", folder.path, "--node", nodes[0].path)
    missing = said(*run)
    assert missing.exit_code == 2 and "nobody knows what this key has signed" in missing.output
    assert said("signer", "recover", "--data", folder.path, "--above", 100).exit_code == 0
    with SignerProcess(folder, [nodes[0].path]):
        nodes[0].meet()
        assert "is behind" in nodes[0].vote(100, 7, PREVOTE) and not isinstance(nodes[0].vote(101, 0, PREVOTE), str)


def test_a_key_comes_with_what_it_has_signed(folder: SignerFolder, tmp_path: Path, nodes: list[AskingNode]) -> None:
    """CometBFT's own files: the signer goes on where the node with the key in its folder has stopped."""
    file = folder.path / folder.read().key.file
    new = ("signer", "init", "--chain", CHAIN, "--data", tmp_path / "moved", "--key", file)
    without = said(*new)
    assert without.exit_code == 2 and "or it may sign twice" in without.output
    state = tmp_path / "priv_validator_state.json"
    signed = vote_bytes(CHAIN, vote(7, 1, PREVOTE))
    document = {"height": "7", "round": 1, "step": 2, "signature": "c2lnbmVk", "signbytes": signed.hex().upper()}
    for wrong in ({"signbytes": "00"}, {"round": 2}, {"step": 3}, {"height": "6"}, {"signature": ""}, {"step": 1}):
        state.write_text(json.dumps(document | wrong))
        assert "does not say what a validator has signed last" in said(*new, "--state", state).output
    state.write_text(json.dumps(document))
    assert "is of the chain 'a-chain'" in said(*new[:3], "another", *new[4:], "--state", state).output
    assert not (tmp_path / "moved").exists()
    state.write_text(json.dumps(document))
    assert said(*new, "--state", state).exit_code == 0
    moved = SignerFolder(tmp_path / "moved")
    with SignerProcess(moved, [nodes[0].path]):
        nodes[0].meet()
        assert "something else was signed there" in nodes[0].vote(7, 1, PREVOTE, OTHER)
        assert "is behind" in nodes[0].vote(7, 0, PRECOMMIT)
        assert not isinstance(nodes[0].vote(7, 1, PRECOMMIT), str)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "--above HEIGHT|--generate"),
        (("--generate", "--above", 5), "A new key has signed nothing"),
        (("--pkcs11", "/x.so", "--generate"), "needs --pkcs11, --token and --label"),
        (("--generate", "--label", "x"), "Give --key FILE"),
        (("--key", "/nowhere.json", "--above", 0), "no key file of CometBFT"),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, words: tuple[object, ...], why: str) -> None:
    refused = said("signer", "init", "--chain", CHAIN, "--data", tmp_path / "signer", *words)
    assert refused.exit_code == 2 and re.search(why, refused.output), refused.output
