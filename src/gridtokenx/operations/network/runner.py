"""A running network: keeps its processes, and does to them what is asked.

    python -m gridtokenx.operations.network.runner --data DIR

is what `gridtokenx network up --detach` leaves behind. `run/network.sock` takes questions (`control`): `status`, and
`kill`, `pause`, `resume`, `restart` with a `node`, and `down`.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from gridtokenx.engine.folder import DataFolder, FolderLock, FolderUnusable
from gridtokenx.operations.network.addresses import Addresses
from gridtokenx.operations.network.control import Document, serve
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.operations.network.founding import settle
from gridtokenx.operations.network.plan import NetworkPlan, read_plan, write_plan
from gridtokenx.operations.network.ports import PortBlock, PortsTaken
from gridtokenx.operations.network.programs import node_name, programs
from gridtokenx.operations.network.status import NodeStatus, disagreements, look_around
from gridtokenx.operations.network.tree import signal_tree
from gridtokenx.operations.supervisor import Child, Supervisor

TEND_SECONDS = 0.25

CANNOT_START = (FolderUnusable, PortsTaken, OSError)

Say = Callable[[str], None]


class Network:
    """The processes of one network, from their start to their end."""

    def __init__(self, folder: NetworkFolder) -> None:
        """Take folder and ports, and tell every node where the others are. Raises one of `CANNOT_START`."""
        self.folder = folder
        plan = read_plan(folder.plan)
        self._lock = FolderLock(DataFolder(folder.path))
        try:
            self._ports = PortBlock(plan.ports, plan.first_port)
        except PortsTaken:
            self._lock.release()
            raise
        self.plan: NetworkPlan = msgspec.structs.replace(plan, first_port=self._ports.first)
        self.addresses = Addresses(self.plan, self._ports.first)
        write_plan(folder.plan, self.plan)
        folder.make_run()
        settle(folder, self.addresses)
        self.supervisor = Supervisor(programs(folder, self.addresses), folder.logs)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._stopping.set()

    async def run(self, say: Say) -> None:
        """Keep everything running until `stop`; then end it. `say` is told what happens, a sentence each."""
        server = await serve(self.folder.control, self.answer)
        try:
            while not self._stopping.is_set():
                for sentence in self.supervisor.tend():
                    say(sentence)
                try:
                    await asyncio.wait_for(self._stopping.wait(), TEND_SECONDS)
                except TimeoutError:
                    continue
        finally:
            server.close()
            for child in self.supervisor.children:
                if child.is_paused:
                    _resume(self.supervisor, child)
            await asyncio.to_thread(self.supervisor.stop)
            self.folder.control.unlink(missing_ok=True)
            self.folder.pid.unlink(missing_ok=True)
            self._ports.release()
            self._lock.release()

    async def status(self) -> list[NodeStatus]:
        """How all nodes are."""
        states = {number: self._node(number).state for number in self.plan.numbers}
        return await look_around(self.folder, self.addresses, states)

    async def answer(self, question: Document) -> Document:
        """Do what is asked. Raises ValueError for what cannot be done."""
        match question:
            case {"do": "status"}:
                nodes = await self.status()
                return {
                    "plan": msgspec.to_builtins(self.plan),
                    "nodes": [node.document() for node in nodes],
                    "processes": [
                        {"name": child.program.name, "state": child.state, "restarts": child.restarts}
                        for child in self.supervisor.children
                    ],
                    "disagreements": disagreements(nodes),
                }
            case {"do": "down"}:
                self.stop()
            case {"do": str(deed), "node": int(number)} if deed in DEEDS:
                DEEDS[deed](self.supervisor, self._node(number))
            case _:
                raise ValueError(f"the network does not know how to do {question}")
        return {}

    def _node(self, number: int) -> Child:
        if number not in self.plan.numbers:
            raise ValueError(f"there is no node {number}: they are numbered 1 to {self.plan.nodes}")
        return self.supervisor.child(node_name(number))


def _kill(supervisor: Supervisor, child: Child) -> None:
    """As a power cut would, and it stays off."""
    supervisor.hold(child)
    if child.process is not None:
        signal_tree(child.process.pid, signal.SIGKILL)


def _pause(_: Supervisor, child: Child) -> None:
    """As a machine that hangs."""
    if child.process is None:
        raise ValueError(f"{child.program.name} does not run: `gridtokenx network restart` starts it")
    signal_tree(child.process.pid, signal.SIGSTOP)
    child.is_paused = True


def _resume(_: Supervisor, child: Child) -> None:
    if child.process is None or not child.is_paused:
        raise ValueError(f"{child.program.name} is not paused")
    signal_tree(child.process.pid, signal.SIGCONT)
    child.is_paused = False


def _restart(supervisor: Supervisor, child: Child) -> None:
    """Ended cleanly if it runs, and started again."""
    if child.process is not None and child.is_paused:
        _resume(supervisor, child)
    supervisor.restart(child)


DEEDS: dict[str, Callable[[Supervisor, Child], None]] = {
    "kill": _kill,
    "pause": _pause,
    "resume": _resume,
    "restart": _restart,
}


async def run_until_told(folder: NetworkFolder, say: Say) -> None:
    """Run a network until a signal says stop, or somebody asks for `down`. Raises one of `CANNOT_START`."""
    network = Network(folder)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, network.stop)
    await network.run(say)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the process."""
    parser = argparse.ArgumentParser(prog="gridtokenx.operations.network.runner", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        asyncio.run(run_until_told(NetworkFolder(given.data), lambda sentence: print(sentence, flush=True)))
    except CANNOT_START as error:
        print(f"the network cannot start: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
