"""A running network: keeps its processes, and does to them what is asked.

    python -m gridtokenx.operations.network.runner --data DIR

is what `gridtokenx network up --detach` leaves behind. `run/network.sock` takes questions (`control`): `status`,
`join`, `down`, and `kill`, `pause`, `resume`, `restart` with a `node`: its number, or `signer`.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from gridtokenx.engine.control import Document, NobodyThere, Refused, ask, serve
from gridtokenx.engine.folder import DataFolder, FolderLock, FolderUnusable
from gridtokenx.operations.network.addresses import Addresses
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.operations.network.founding import settle
from gridtokenx.operations.network.joining import CannotJoin, make_joiner
from gridtokenx.operations.network.plan import SPARE_NODES, NetworkPlan, read_plan, write_plan
from gridtokenx.operations.network.ports import PortBlock, PortsTaken
from gridtokenx.operations.network.programs import SIGNER, joined_programs, node_name, programs
from gridtokenx.operations.network.status import ANSWER_SECONDS_MAX, NodeStatus, disagreements, look_around
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
        return await look_around(self.folder, self.addresses, states, await self._signer())

    async def _signer(self) -> Document | None:
        """What the signer says of itself; None if there is none, or it does not run."""
        if not self.plan.sharing or self.supervisor.child(SIGNER).state != "running":
            return None
        try:
            return await asyncio.to_thread(ask, self.folder.signer.socket, {"do": "status"}, ANSWER_SECONDS_MAX)
        except (NobodyThere, Refused):
            return None

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
            case {"do": "join"}:
                return await self._join()
            case {"do": "down"}:
                self.stop()
            case {"do": str(deed), "node": int() | str() as name} if deed in DEEDS:
                DEEDS[deed](self.supervisor, self._process(name))
            case _:
                raise ValueError(f"the network does not know how to do {question}")
        return {}

    async def _join(self) -> Document:
        """One more node, which follows. Raises ValueError if there is no room for it, or nobody helps it."""
        if self.addresses.joined >= SPARE_NODES:
            raise ValueError(f"{SPARE_NODES} nodes have joined since the network was started: start it again for more")
        helpers = [
            number
            for number, kind in enumerate(self.plan.kinds, 1)
            if kind.follows and self._node(number).state == "running"
        ]
        plan = msgspec.structs.replace(self.plan, joined=self.plan.joined + 1)
        addresses = Addresses(plan, self.addresses.first, self.addresses.joined + 1)
        try:
            height = await make_joiner(self.folder, addresses, helpers)
        except CannotJoin as error:
            raise ValueError(str(error)) from None
        self.plan, self.addresses = plan, addresses
        write_plan(self.folder.plan, plan)
        for program in joined_programs(self.folder, addresses, plan.nodes):
            self.supervisor.add(program)
        return {"node": plan.nodes, "trusted_height": height}

    def _process(self, name: int | str) -> Child:
        if isinstance(name, int):
            return self._node(name)
        if name != SIGNER or not self.plan.sharing:
            raise ValueError(
                f"there is no '{name}' here: give the number of a node, or `{SIGNER}` where one has backups"
            )
        return self.supervisor.child(SIGNER)

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


async def run_until_told(folder: NetworkFolder, say: Say, *, with_input: bool) -> None:
    """Run a network until a signal says stop, or somebody asks for `down`, or `with_input` when standard input closes.
    Raises one of `CANNOT_START`."""
    network = Network(folder)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, network.stop)
    if with_input:
        loop.add_reader(sys.stdin.fileno(), _input_ended, loop, network)
    await network.run(say)


def _input_ended(loop: asyncio.AbstractEventLoop, network: Network) -> None:
    """Nobody writes there: it has become readable by ending."""
    loop.remove_reader(sys.stdin.fileno())
    network.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the process."""
    parser = argparse.ArgumentParser(prog="gridtokenx.operations.network.runner", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--end-with-input", action="store_true")
    given = parser.parse_args(arguments)

    def say(sentence: str) -> None:
        print(sentence, flush=True)

    try:
        asyncio.run(run_until_told(NetworkFolder(given.data), say, with_input=given.end_with_input))
    except CANNOT_START as error:
        print(f"the network cannot start: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
