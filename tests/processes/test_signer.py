"""Real CometBFT with its key elsewhere: in SoftHSM, and shared by a primary and three backups."""

import base64
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.processes.comet_chain import CometNode, settle, until
from tests.processes.processes import free_port
from tests.unit.signer.asking import COMMAND, SignerProcess, new_signer, status_of
from tests.unit.signer.tokens import token_in_software

from gridtokenx.engine.comet.binary import find_cometbft
from gridtokenx.engine.comet.keys import address_of_key, public
from gridtokenx.engine.folder import DataFolder
from gridtokenx.signer.folder import SignerFolder
from gridtokenx.signer.keys import KeyPlace

CHAIN = "signer-test"
MARKET = "gridtokenx-two-neighbours"
STOP_SECONDS_MAX = 60
COMMITTED, PROPOSED = "committed", "proposed"


@dataclass
class SharedNet:
    """Nodes of one validator that share a signer, and perhaps one more validator with a key of its own."""

    nodes: list[CometNode]
    signer: SignerFolder
    address: str
    process: SignerProcess

    @property
    def sockets(self) -> list[Path]:
        """At which the nodes wait for their signer."""
        return [socket_of(node) for node in self.nodes if has_signer(node)]

    def kill_signer(self) -> None:
        """As in a power cut."""
        assert self.process.kill() == -signal.SIGKILL

    def start_signer(self) -> None:
        """Start it (again)."""
        self.signer.socket.unlink(missing_ok=True)
        self.process = SignerProcess(self.signer, self.sockets)
        until(self.signer.socket.exists, "the signer")  # CometBFT waits three seconds for it, no more

    def deeds(self, observer: CometNode, first: int, last: int) -> set[str]:
        """What the shared validator did in these blocks, as this node has them."""
        done = set()
        for height in range(first, last + 1):
            block = observer.ask("block", height=str(height))["block"]
            if block["header"]["proposer_address"] == self.address:
                done.add(PROPOSED)
            for one in block["last_commit"]["signatures"]:
                if one["validator_address"] == self.address and one["block_id_flag"] == 2:
                    done.add(COMMITTED)
        return done

    def until_it_votes(self, observer: CometNode) -> None:
        """Until it has both proposed and voted in blocks that began after now.

        The next block may hold votes for the one before, and the one after next a proposal that is under way."""
        first = observer.height() + 3
        until(
            lambda: self.deeds(observer, first, observer.height()) == {COMMITTED, PROPOSED},
            "the shared validator to propose and to vote",
        )


def socket_of(node: CometNode) -> Path:
    return node.home / "signer.sock"


def has_signer(node: CometNode) -> bool:
    return "signer.sock" in (node.home / "config" / "config.toml").read_text()


@contextmanager
def shared_net(folder: Path, sharing: int, alone_power: int, place: KeyPlace | None) -> Iterator[SharedNet]:
    """`sharing` nodes of one validator of power 1, and one validator with so much power of its own, if any."""
    signer = new_signer(folder / "signer", place, CHAIN)
    key = bytes.fromhex(signer.read().key.public_key)
    count = sharing + bool(alone_power)
    command = [str(find_cometbft()), "testnet", "--v", str(count), "--o", str(folder / "net")]
    subprocess.run([*command, "--populate-persistent-peers=false"], check=True, capture_output=True)
    nodes = [CometNode(folder / "net" / f"node{number}", free_port(), free_port()) for number in range(count)]
    validators = [{"address": address_of_key(key).hex().upper(), "pub_key": public(key), "power": "1", "name": ""}]
    if alone_power:
        own = json.loads((nodes[-1].home / "config" / "priv_validator_key.json").read_text())
        validators.append({"address": own["address"], "pub_key": own["pub_key"], "power": str(alone_power), "name": ""})
    for number, node in enumerate(nodes):
        settle(node, CHAIN)
        genesis = json.loads((node.home / "config" / "genesis.json").read_text())
        first = json.loads((nodes[0].home / "config" / "genesis.json").read_text())
        genesis |= {"validators": validators, "genesis_time": first["genesis_time"]}
        (node.home / "config" / "genesis.json").write_text(json.dumps(genesis))
        if number < sharing:
            for file in ("config/priv_validator_key.json", "data/priv_validator_state.json"):
                (node.home / file).unlink()
            config = node.home / "config" / "config.toml"
            listen = f'priv_validator_laddr = "unix://{socket_of(node)}"'
            config.write_text(re.sub(r"^priv_validator_laddr = .*$", listen, config.read_text(), flags=re.MULTILINE))
    net = SharedNet(nodes, signer, address_of_key(key).hex().upper(), None)  # type: ignore[arg-type]
    net.start_signer()
    try:
        for number in range(count):
            start(net, number)
        yield net
    finally:
        for node in nodes:
            if node.process is not None and node.process.poll() is None:
                node.process.send_signal(signal.SIGCONT)
            node.stop()
        net.process.kill()


def start(net: SharedNet, number: int) -> None:
    """A node, with links to all others."""
    peers = [f"{node.node_id}@127.0.0.1:{node.p2p_port}" for node in net.nodes if node is not net.nodes[number]]
    net.nodes[number].start(peers)


def kill(node: CometNode) -> None:
    assert node.process is not None
    node.process.kill()
    node.process.wait()
    socket_of(node).unlink()


@pytest.mark.parametrize("where", ["in a file", "in hardware"])
def test_one_validator_with_its_key_with_the_signer(tmp_path: Path, where: str) -> None:
    with (
        token_in_software(tmp_path / "tokens") if where == "in hardware" else nullcontext() as place,
        shared_net(tmp_path, 1, 0, place) as net,
    ):
        node = net.nodes[0]
        node.wait_height(8)
        assert net.deeds(node, 3, 7) == {COMMITTED, PROPOSED}
        secret = json.loads((node.home / "config" / "priv_validator_key.json").read_text())
        assert base64.b64decode(secret["pub_key"]["value"]).hex() != net.signer.read().key.public_key
        for _ in range(2):
            before = node.height()
            net.kill_signer()
            net.start_signer()
            node.wait_height(before + 5)
        status = status_of(net.signer)
        assert set(status["refused"]) <= {"twice"} and status["signed"] > 10
        assert node.process is not None and node.process.poll() is None


def test_a_primary_and_three_backups_share_one_validator(tmp_path: Path) -> None:
    """The other validator has three of four votes: it sees and keeps whatever the shared one signs, and the chain goes
    on whether that signs or not."""
    with shared_net(tmp_path, 4, 3, None) as net:
        observer = net.nodes[-1]
        net.until_it_votes(observer)
        holders = [str(path) for path in net.sockets]

        first = holders.index(str(status_of(net.signer)["lease"]))
        kill(net.nodes[first])
        net.until_it_votes(observer)
        second = holders.index(str(status_of(net.signer)["lease"]))
        assert second != first

        paused = net.nodes[second].process
        assert paused is not None
        os.kill(paused.pid, signal.SIGSTOP)
        net.until_it_votes(observer)
        third = holders.index(str(status_of(net.signer)["lease"]))
        assert third not in {first, second}
        os.kill(paused.pid, signal.SIGCONT)
        net.until_it_votes(observer)
        until(lambda: net.nodes[second].height() >= observer.height() - 2, "the paused node to catch up")
        assert holders.index(str(status_of(net.signer)["lease"])) == third, "who wakes is not served"

        net.kill_signer()
        height = observer.height()
        net.start_signer()
        net.until_it_votes(observer)
        assert observer.height() > height
        start(net, first)
        net.until_it_votes(observer)
        no_double_sign(net, observer)


def no_double_sign(net: SharedNet, observer: CometNode) -> None:
    """Nobody in the network has seen two votes of one validator for one place."""
    for height in range(1, observer.height() + 1):
        assert not observer.ask("block", height=str(height))["block"]["evidence"]["evidence"]
    for node in net.nodes:
        log = (node.home / "log").read_text()
        assert "onflicting vote" not in log and "CONSENSUS FAILURE" not in log


def test_a_node_waits_for_its_signer(tmp_path: Path) -> None:
    """`node start` says what it waits for, can be stopped meanwhile, and goes on when the signer has come."""
    signer, data = new_signer(tmp_path / "signer", chain=MARKET), tmp_path / "node"
    port, scenario = free_port(), Path(__file__).parents[2] / "scenarios" / "two-neighbours"
    made = ("--name", "egat", "--address", f"127.0.0.1:{port}", "--data", data, "--signer", signer.path)
    gridtokenx("node", "init", *made)
    network = tmp_path / "network.zip"
    gridtokenx("node", "genesis", data / "card.toml", "--scenario", scenario, "--to", network)
    start_node = ("node", "start", "--data", data, "--listen", f"127.0.0.1:{port}", "--port", free_port())
    folder = DataFolder(data)
    node = started(*start_node, "--network", network)
    try:
        until(folder.waits.exists, "the node to say what it waits for")
        node.terminate()
        assert node.wait(STOP_SECONDS_MAX) == 0 and not folder.waits.exists()
        node = started(*start_node)
        until(folder.waits.exists, "the node to wait again")
        assert f"signer run --node {data / 'run' / 'signer.sock'}" in folder.waits.read_text()
        for height in (3, 6):  # the second one goes on where the first one was killed
            with SignerProcess(signer, [data / "run" / "signer.sock"]):
                until(lambda height=height: int(status_of(signer)["height"]) >= height, f"votes at {height}")
        assert node.poll() is None and not folder.waits.exists()
    finally:
        node.terminate()
        assert node.wait(STOP_SECONDS_MAX) == 0


def gridtokenx(*words: object) -> None:
    subprocess.run([*COMMAND, *map(str, words)], check=True, capture_output=True)


def started(*words: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([*COMMAND, *map(str, words)], stdout=subprocess.DEVNULL)
