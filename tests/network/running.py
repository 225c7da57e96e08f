"""Networks of real processes on loopback, run as a user runs them. Waiting is asking until it is so, with an end."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gridtokenx.engine.comet.binary import CometMissing, find_cometbft
from gridtokenx.engine.comet.rpc import CometRpc
from gridtokenx.engine.control import NobodyThere, ask
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.operations.network.founding import found_network
from gridtokenx.operations.network.plan import NetworkPlan
from gridtokenx.operations.network.proxy import control_socket

WAIT_SECONDS_MAX = 400.0
STOP_SECONDS_MAX = 60.0
POLL_SECONDS = 0.1


@dataclass(slots=True)
class RunningNetwork:
    """A network that runs."""

    folder: NetworkFolder
    process: subprocess.Popen[bytes]

    def status(self) -> dict[int, dict[str, Any]]:
        """Of each node, by number."""
        answer = ask(self.folder.control, {"do": "status"})
        assert answer["disagreements"] == []
        return {node["number"]: node for node in answer["nodes"]}

    def heights(self) -> dict[int, int]:
        """Of each node; 0 for one that does not answer."""
        return {number: node["height"] or 0 for number, node in self.status().items()}

    def do(self, deed: str, *nodes: int) -> None:
        """Kill, pause, resume or restart these."""
        for node in nodes:
            ask(self.folder.control, {"do": deed, "node": node})

    def proxy(self, **question: object) -> dict[str, Any]:
        """Ask the proxy."""
        return ask(control_socket(self.folder.path), question)

    def reach(self, height: int, *nodes: int) -> None:
        """Until these nodes (all, if none is named) have this block. One that has said so once has it, whether or not a
        busy machine lets it answer the next time."""
        there: set[int] = set()

        def have_it() -> bool:
            heights = self.heights()
            there.update(node for node in heights if heights[node] >= height)
            return there >= set(nodes or heights)

        self.until(have_it, f"block {height}")

    def goes_on(self, *nodes: int) -> None:
        """Three more blocks on these nodes, all if none is named."""
        self.reach(max(self.heights().values()) + 3, *nodes)

    def stands_still(self, blocks_s: float) -> None:
        """No block, but for one that was under way, for so long."""
        stood = max(self.heights().values()) + 1
        ends_s = time.monotonic() + blocks_s
        while time.monotonic() < ends_s:
            assert max(self.heights().values()) <= stood
            time.sleep(POLL_SECONDS)

    def block_hash(self, node: int, height: int) -> str:
        """What a node has as this block."""

        async def look() -> str:
            async with CometRpc(self.folder.rpc(node)) as comet:
                return (await comet.commit(height)).signed_header.commit.block_id.hash

        return asyncio.run(look())

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Ask until it is so. AssertionError when it does not come, or the network ends."""
        ends_s = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            with contextlib.suppress(NobodyThere):
                if true():
                    return
            assert self.process.poll() is None, f"the network ended: {self.folder.log('network').read_text()}"
            assert time.monotonic() < ends_s, f"waited in vain for {what}: {self.folder.path}"
            time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def running_network(path: Path, plan: NetworkPlan, scenario: Path | None = None) -> Iterator[RunningNetwork]:
    """A network that begins now; ended cleanly, with all its processes."""
    try:
        find_cometbft()
    except CometMissing as missing:
        pytest.skip(str(missing))
    folder = found_network(path, plan, scenario)
    with started(folder) as network:
        yield network


@contextlib.contextmanager
def started(folder: NetworkFolder) -> Iterator[RunningNetwork]:
    """A network that has been made before, running."""
    folder.logs.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "gridtokenx.operations.network.runner", "--data", str(folder.path)]
    command.append("--end-with-input")
    with folder.log("network").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
    network = RunningNetwork(folder, process)
    assert process.stdin is not None
    try:
        network.until(lambda: bool(network.status()), "the network")
        yield network
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()
