"""Validators for `bench consensus`: real nodes with their workers and CometBFT, all on this machine, with the genesis
of the common workload."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec

from gridtokenx.bench.report import cpu_seconds, memory_peak_bytes
from gridtokenx.bench.workload import CHAIN, Signer, make_genesis
from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import Application
from gridtokenx.engine.comet.home import genesis_document
from gridtokenx.engine.comet.rpc import CometRpc
from gridtokenx.engine.folder import DataFolder
from gridtokenx.operations.network.addresses import LOOPBACK, Addresses
from gridtokenx.operations.network.bundle import POWER, Bundle
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.operations.network.founding import settle
from gridtokenx.operations.network.joining import make_joiner
from gridtokenx.operations.network.node_folder import create_node, install_bundle
from gridtokenx.operations.network.plan import NetworkPlan
from gridtokenx.operations.network.ports import PortBlock
from gridtokenx.operations.network.programs import (
    PROXY,
    gateway_name,
    joined_programs,
    node_name,
    programs,
    without_showcase,
)
from gridtokenx.operations.network.tree import descendants
from gridtokenx.operations.supervisor import Child, Supervisor
from gridtokenx.simulation.genesis import GenesisNode

NODE, WORKERS, COMETBFT, PROXIES = "node", "workers", "cometbft", "proxy"
KINDS = (NODE, WORKERS, COMETBFT)
"""Kinds of processes of a node. The proxy, which slows the links, belongs to none."""

START_SECONDS_MAX = 120.0


def found_validators(
    path: Path, plan: NetworkPlan, signers: list[Signer], resting: int, accounts: int = 0
) -> NetworkFolder:
    """A network that begins now, with an account for each signer, or so many, and so many resting orders."""
    folder = NetworkFolder(path)
    now_ms = time.time_ns() // 1_000_000
    cards = [create_node(folder.node(one).path, node_name(one), f"127.0.0.1:{one}") for one in plan.numbers]
    nodes = [
        GenesisNode(card.node_id, bytes.fromhex(card.batch_key), bytes.fromhex(card.validator_key), POWER)
        for card in cards
    ]
    genesis = make_genesis(signers, accounts or len(signers), resting, now_ms, nodes, plan.pace.block_ms)
    app_hash = Application(CONSORTIUM).init_chain(genesis)
    document = genesis_document(CHAIN, now_ms, app_hash, sha256(genesis).digest())
    for number in plan.numbers:
        install_bundle(folder.node(number).path, Bundle(genesis, document, tuple(cards)))
    return folder


class Validators:
    """Nodes that run until `stop`. One that ends before is not started again."""

    def __init__(
        self,
        folder: NetworkFolder,
        plan: NetworkPlan,
        start_seconds_max: float = START_SECONDS_MAX,
        *,
        with_gateways: bool = False,
    ) -> None:
        """Start them, behind the proxy unless the plan says that links are direct, and the plan's gateways if they are
        wanted. Raises RuntimeError if they do not start in time."""
        self._ports = PortBlock(plan.ports)
        self._folder, self._plan = folder, plan
        addresses = Addresses(plan, self._ports.first)
        folder.make_run()
        settle(folder, addresses)
        self.folders: list[DataFolder] = [folder.node(number) for number in plan.numbers]
        self.rpc = [folder.rpc(number) for number in plan.numbers]
        names = {PROXY, *map(node_name, plan.numbers)}
        every = programs(folder, addresses)
        chosen = [program for program in every if program.name in names]
        self.gateways = [f"http://{LOOPBACK}:{addresses.gateway_port(number)}" for number in plan.with_gateway]
        if with_gateways:
            shown = set(map(gateway_name, plan.with_gateway))
            chosen += [without_showcase(program) for program in every if program.name in shown]
        self._supervisor = Supervisor(chosen, folder.logs)
        self._nodes = [self._supervisor.child(node_name(number)) for number in plan.numbers]
        self._start(start_seconds_max)

    def _start(self, seconds_max: float) -> None:
        deadline = time.monotonic() + seconds_max
        children = self._supervisor.children
        while time.monotonic() < deadline:
            self._supervisor.tend()
            if any(child.restarts for child in children):
                break
            if self._supervisor.all_up and all(folder.socket.exists() for folder in self.folders):
                return
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"the validators did not start: the logs are in {children[0].log.parent}")

    async def join(self) -> None:
        """Start one more node, which follows: from the newest snapshot of the others, if there is one. Its process has
        just begun when this returns."""
        helpers = list(self._plan.numbers)
        self._plan = msgspec.structs.replace(self._plan, joined=self._plan.joined + 1)
        addresses = Addresses(self._plan, self._ports.first, self._plan.joined)
        # Elsewhere, because unpacking a large genesis takes a while, in which nobody would listen to the others.
        await asyncio.to_thread(asyncio.run, make_joiner(self._folder, addresses, helpers))
        program, _ = joined_programs(self._folder, addresses, self._plan.nodes)
        self.folders.append(self._folder.node(self._plan.nodes))
        self._supervisor.add(program)
        self._nodes.append(self._supervisor.child(program.name))
        self._supervisor.tend()

    def stop(self) -> None:
        """End them all."""
        self._supervisor.stop()
        self._ports.release()

    def cpu_us(self) -> Counter[str]:
        """CPU microseconds of the processes of each kind so far. RuntimeError if one that was started has ended."""
        used: Counter[str] = Counter()
        for child in self._supervisor.children:
            if child.process is None or child.process.poll() is not None:
                raise RuntimeError(f"{child.program.name} has ended: {child.log} says why")
            is_proxy = child.program.name == PROXY
            for pid in (child.process.pid, *descendants(child.process.pid)):
                with contextlib.suppress(OSError):  # a helper that has just ended
                    used[PROXIES if is_proxy else kind_of(_command(pid))] += round(cpu_seconds(pid) * 1e6)
        return used

    def memory_bytes(self) -> int:
        """The most that one node's processes have held, the mean of all nodes."""
        return sum(self.memory_bytes_of(number) for number in self._plan.numbers) // len(self._nodes)

    def memory_bytes_of(self, number: int) -> int:
        """The most that the processes of this node have held."""
        return int(_sum_of_processes(self._nodes[number - 1], memory_peak_bytes))

    def cpu_seconds_of(self, number: int) -> float:
        """CPU seconds of the processes of this node so far."""
        return _sum_of_processes(self._nodes[number - 1], cpu_seconds)

    async def bytes_sent(self) -> int:
        """What all nodes have sent so far, to each other and to those that joined, before encryption."""
        total = 0
        for socket in self.rpc:
            async with CometRpc(socket) as comet:
                peers = (await comet.net_info()).peers
            total += sum(int(one.connection_status.sent.bytes_total) for one in peers if one.connection_status)
        return total

    async def rounds_lost(self, first: int, last: int) -> int:
        """In how many of these blocks the first proposer did not come through."""
        async with CometRpc(self.rpc[0]) as comet:
            rounds = [(await comet.commit(height)).signed_header.commit.round for height in range(first, last + 1)]
        return sum(round_ > 0 for round_ in rounds)


def _sum_of_processes(child: Child, look: Callable[[int], float]) -> float:
    assert child.process is not None, "it runs"
    total = 0.0
    for pid in (child.process.pid, *descendants(child.process.pid)):
        with contextlib.suppress(OSError):  # a helper that has just ended
            total += look(pid)
    return total


def kind_of(command: bytes) -> str:
    """Which kind a process of a node is, by its command line."""
    if b"gridtokenx.engine.worker" in command or b"gridtokenx-signatures" in command:
        return WORKERS
    return NODE if b"-m\0gridtokenx." in command else COMETBFT


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
