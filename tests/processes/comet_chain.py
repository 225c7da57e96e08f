"""Real chains of CometBFT for tests: nodes with its built-in key-value application, on loopback.

Nothing of ours runs in them. Waiting is asking until it is so, with an end.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
from tests.processes.processes import free_port

from gridtokenx.engine.comet.binary import find_cometbft

T = TypeVar("T")

WAIT_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 15.0


class CometNode:
    """One node, running."""

    def __init__(self, home: Path, rpc_port: int, p2p_port: int) -> None:
        self.home = home
        self.p2p_port = p2p_port
        self.url = f"http://127.0.0.1:{rpc_port}"
        self.node_id = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=10)

    def start(self, peers: list[str]) -> None:
        """Start it, with links to these peers."""
        command = [str(find_cometbft()), "start", "--home", str(self.home), "--proxy_app", "kvstore"]
        command += ["--rpc.laddr", self.url.replace("http", "tcp"), "--p2p.laddr", f"tcp://127.0.0.1:{self.p2p_port}"]
        command += ["--p2p.persistent_peers", ",".join(peers)]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"GOMAXPROCS": "1"})

    def stop(self) -> None:
        """Ask it to end, then make it."""
        self._http.close()
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ask(self, method: str, **parameters: str) -> Any:
        """The result of a call of its API."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        reply = self._http.post("/", json=request).json()
        if "error" in reply:
            raise LookupError(reply["error"])
        return reply["result"]

    def height(self) -> int:
        """Its newest block; 0 while it does not answer."""
        try:
            return int(self.ask("status")["sync_info"]["latest_block_height"])
        except (httpx.TransportError, LookupError):
            return 0

    def wait_height(self, height: int) -> None:
        """Until it has this block."""
        until(lambda: self.height() >= height, f"block {height}")

    def set_validator(self, public_key: str, power: int) -> int:
        """Give the validator with this key (base 64) so much power; the height of the block that says so."""
        transaction = f"val=ed25519!{public_key}!{power}".encode().hex()
        result = self._http.get("/broadcast_tx_commit", params={"tx": f"0x{transaction}"}, timeout=30).json()["result"]
        assert result["check_tx"]["code"] == 0 and result["tx_result"]["code"] == 0, result
        return int(result["height"])


class CometNet:
    """All nodes of one chain."""

    def __init__(self, chain: str, nodes: list[CometNode]) -> None:
        self.chain = chain
        self.nodes = nodes

    def public_keys(self) -> list[str]:
        """Of the nodes, in their order, in base 64."""
        files = [node.home / "config" / "priv_validator_key.json" for node in self.nodes]
        return [json.loads(file.read_text())["pub_key"]["value"] for file in files]


def until(true: Callable[[], bool], what: str) -> None:
    """Ask until it is so. AssertionError when it does not come."""
    end = time.monotonic() + WAIT_SECONDS_MAX
    while not true():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)


@contextlib.contextmanager
def comet_net(folder: Path, validators: int, others: int = 0, chain: str = "light-test") -> Iterator[CometNet]:
    """A chain with so many validators of equal power and so many nodes that are none, its first blocks made."""
    command = [str(find_cometbft()), "testnet", "--v", str(validators), "--n", str(others), "--o", str(folder)]
    subprocess.run([*command, "--populate-persistent-peers=false"], check=True, capture_output=True)
    nodes = [CometNode(folder / f"node{number}", free_port(), free_port()) for number in range(validators + others)]
    for node in nodes:
        settle(node, chain)
    peers = [f"{node.node_id}@127.0.0.1:{node.p2p_port}" for node in nodes]
    try:
        for number, node in enumerate(nodes):
            node.start(peers[:number])
        for node in nodes:
            node.wait_height(2)
        yield CometNet(chain, nodes)
    finally:
        for node in nodes:
            node.stop()


def settle(node: CometNode, chain: str) -> None:
    """Quick blocks, and the chain's name."""
    config = node.home / "config"
    quick = {"timeout_commit": "100ms", "timeout_propose": "1s", "peer_gossip_sleep_duration": "20ms"}
    settings = (config / "config.toml").read_text()
    for name, value in quick.items():
        settings = re.sub(rf'^{name} = ".*"$', f'{name} = "{value}"', settings, flags=re.MULTILINE)
    (config / "config.toml").write_text(settings)
    genesis = json.loads((config / "genesis.json").read_text()) | {"chain_id": chain}
    (config / "genesis.json").write_text(json.dumps(genesis))
    command = [str(find_cometbft()), "show-node-id", "--home", str(node.home)]
    node.node_id = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
