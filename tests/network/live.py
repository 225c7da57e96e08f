"""A network of real nodes, and what can be done to it.

Waiting is asking until it is so, with an end; the end is far away, because the machine may be busy. Whatever is
waited for in vain, and every process that ends unasked, is `Trouble`: with what each node says of itself, and where
the logs are.
"""

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from tests.network.community import Load, found_community
from tests.network.members import CHAIN, ConsortiumFile
from tests.network.signer import SOCKET, SkewedSigner, use_own_key, use_signer

from gridtokenx.engine.comet.headers import VoteFlag, header_hash
from gridtokenx.engine.comet.home import StateSync, write_config
from gridtokenx.engine.comet.keys import address_of_key
from gridtokenx.engine.comet.rpc import CometRpc, RpcFailed
from gridtokenx.engine.control import Document, ask
from gridtokenx.engine.link import NodeLink, RequestFailed
from gridtokenx.engine.mempool import Answer, Standing
from gridtokenx.engine.wire import NodeInfo
from gridtokenx.operations.network.addresses import Addresses
from gridtokenx.operations.network.founding import settle
from gridtokenx.operations.network.node_folder import forget_state
from gridtokenx.operations.network.plan import NetworkPlan
from gridtokenx.operations.network.ports import PortBlock
from gridtokenx.operations.network.programs import PROXY, gateway_name, node_name, programs, without_showcase
from gridtokenx.operations.network.proxy import control_socket
from gridtokenx.operations.network.runner import DEEDS
from gridtokenx.operations.supervisor import Child, Supervisor

TEND_SECONDS: Final = 0.1
LOOK_SECONDS: Final = 0.2
ANSWER_SECONDS_MAX: Final = 3.0
LOG_LINES: Final = 12
GATE_PAST_MS: Final = 2_000
TIME_WRONG_MS: Final = 60_000
"""What a busy machine may take to make and show a block; a wrong clock is wrong by much more."""


class Trouble(AssertionError):
    """The network did not do what it should."""


class LiveNetwork:
    """One network, from its founding to its end; of one event loop."""

    def __init__(
        self,
        path: Path,
        plan: NetworkPlan,
        orders_per_second: float,
        gate_seconds: int,
        wait_seconds: float,
        consortium: ConsortiumFile | None = None,
    ) -> None:
        """Nothing runs yet."""
        self.plan = plan
        self.began = time.monotonic()
        self.wait_seconds = wait_seconds
        """What takes longer will never come."""
        self.folder, self.community = found_community(path, plan, gate_seconds, consortium)
        self._ports = PortBlock(plan.ports)
        self.addresses = Addresses(plan, self._ports.first)
        self.folder.make_run()
        settle(self.folder, self.addresses)
        chosen = []
        for program in programs(self.folder, self.addresses):
            if program.name in {PROXY, *map(node_name, plan.numbers)}:
                chosen.append(program)
            elif program.name in map(gateway_name, plan.numbers):
                chosen.append(without_showcase(program))
        self._supervisor = Supervisor(chosen, self.folder.logs)
        for child in self._supervisor.children:
            self._supervisor.hold(child)
        self._programs = {program.name: program for program in chosen}
        self._expected: set[str] = set()
        """Names of the processes that run, and should."""
        self._ended: dict[str, int | None] = {}
        """Exit status of the processes that ended by themselves."""
        self._may_end: set[int] = set()
        self._signing: dict[int, asyncio.Task[None]] = {}
        """Signers with wrong clocks."""
        self._log_began: dict[int, int] = {}
        self._tending: asyncio.Task[None] | None = None
        self.orders_per_second = orders_per_second
        self.load = Load(self.folder, self.community, range(1, plan.validators + 1), orders_per_second)
        self.heard: dict[int, dict[str, None]] = {number: {} for number in plan.numbers}
        """Alarms of each node, also of runs that are over."""

    # Beginning and end.

    async def start(self) -> None:
        """Proxy and validators, until there are blocks; then orders flow."""
        self.watch()
        if not self.plan.direct:
            self.run(PROXY)
            await self.until(lambda: control_socket(self.folder.path).exists(), "the proxy to listen")
        validators = range(1, self.plan.validators + 1)
        for number in validators:
            self.start_node(number)
        await self.blocks(2, validators)
        self.load.start()
        self.load.flowing.set()

    def watch(self) -> None:
        """Look after the processes from now on."""
        self._tending = asyncio.create_task(self._tend())

    async def stop(self) -> dict[str, int | None]:
        """End everything; the exit status of each process that was still running."""
        await self.load.stop()
        for task in (*self._signing.values(), *filter(None, [self._tending])):
            task.cancel()
        running = {name: self._supervisor.child(name).process for name in self._expected}
        await asyncio.to_thread(self._supervisor.stop)
        self._ports.release()
        return {name: process.returncode for name, process in running.items() if process is not None}

    def note(self, what: str) -> None:
        """Into the network's own log, with the seconds since its founding."""
        with (self.folder.logs / "play.log").open("a") as log:
            log.write(f"{time.monotonic() - self.began:8.2f} {what}\n")

    # Processes.

    def run(self, name: str, command: tuple[str, ...] = (), environment: tuple[tuple[str, str], ...] = ()) -> None:
        """Start a process of the network, with this command instead of its own if one is given."""
        child = self._supervisor.child(name)
        if child.process is not None:
            raise Trouble(f"{name} runs already")
        child.program = replace(self._programs[name], environment=environment)
        if command:
            child.program = replace(child.program, command=command)
        self._supervisor.release(child)
        self._supervisor.tend()
        self._supervisor.hold(child)
        self._expected.add(name)

    def start_node(
        self,
        number: int,
        module: str = "",
        options: tuple[str, ...] = (),
        environment: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Start a node; with `module` a node of this program of the tests, which takes the same arguments."""
        name, log = node_name(number), self.folder.log(node_name(number))
        self._log_began[number] = len(log.read_text(errors="replace")) if log.exists() else 0
        command = self._programs[name].command
        command = (*(_with_module(command, module) if module else command), *options)
        self.run(name, command, environment)

    async def kill(self, numbers: Iterable[int]) -> None:
        """As power cuts would, all at once."""
        children = [self._running(number) for number in numbers]
        await asyncio.gather(*(self.hear(number) for number in numbers))
        for child in children:
            self._expected.discard(child.program.name)
            DEEDS["kill"](self._supervisor, child)
        await self.until(lambda: all(child.process is None for child in children), "the killed to be gone")

    async def stop_node(self, number: int) -> None:
        """As an operator does."""
        child = self._running(number)
        await self.hear(number)
        self._expected.discard(child.program.name)
        assert child.process is not None
        child.process.terminate()
        await self.until(lambda: child.process is None, f"node {number} to end")
        if child.last_exit != 0:
            raise Trouble(f"node {number} ended with status {child.last_exit} when it was asked to end")

    def pause(self, number: int) -> None:
        """As a machine that hangs."""
        DEEDS["pause"](self._supervisor, self._running(number))

    def resume(self, number: int) -> None:
        """And goes on."""
        DEEDS["resume"](self._supervisor, self._running(number))

    async def ends(self, number: int, saying: str = "") -> int | None:
        """Wait until a node has ended by itself; its log must have these words, said by this run. Returns its exit
        status."""
        self.let_end(number)
        name = node_name(number)
        await self.until(lambda: name not in self._expected, f"node {number} to end by itself")
        self._may_end.discard(number)
        self._ended.pop(name, None)
        said = self._said(number)
        if saying not in said:
            raise Trouble(f"node {number} ended, but did not say {saying!r}. It said:\n{_last(said)}")
        return self._supervisor.child(name).last_exit

    def let_end(self, number: int) -> None:
        """From now on the node may end by itself: `ends` waits for it."""
        self._may_end.add(number)

    def limit_files(self, number: int, bytes_more: int) -> None:
        """From now on the node's process can write no file beyond the size of its write-ahead log and so many bytes
        more: as on a disk that gets full."""
        process = self._running(number).process
        assert process is not None
        size = max(file.stat().st_size for file in self.folder.node(number).database.glob("*.log")) + bytes_more
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))

    def is_running(self, number: int) -> bool:
        """Whether the node's process was started and goes on, not paused."""
        name = node_name(number)
        return name in self._expected and not self._supervisor.child(name).is_paused

    @property
    def running(self) -> list[int]:
        """The nodes that run."""
        return [number for number in self.plan.numbers if self.is_running(number)]

    def _running(self, number: int) -> Child:
        child = self._supervisor.child(node_name(number))
        if child.process is None:
            raise Trouble(f"node {number} does not run")
        return child

    def _said(self, number: int) -> str:
        """What the node has printed in its last run."""
        return self.folder.log(node_name(number)).read_text(errors="replace")[self._log_began.get(number, 0) :]

    async def _tend(self) -> None:
        while True:
            for sentence in self._supervisor.tend():
                self.note(sentence)
            for name in sorted(self._expected):
                if self._supervisor.child(name).process is None:
                    self._expected.discard(name)
                    self._ended[name] = self._supervisor.child(name).last_exit
            await asyncio.sleep(TEND_SECONDS)

    # What people say.

    async def carry(self, number: int, transaction_id: bytes, wire: bytes) -> Answer:
        """Take a transaction to a node, and wait until it is in a block; what became of it."""
        link = await NodeLink.connect(self.folder.node(number).socket)
        try:
            (taken,) = await link.submit([wire])
            assert taken.standing is Standing.PENDING, taken

            async def committed() -> bool:
                (answer,) = await link.status([transaction_id])
                return answer.standing is Standing.COMMITTED

            await self.until_answer(committed, "a transaction to be in a block")
            (answer,) = await link.status([transaction_id])
            return answer
        finally:
            await link.close()

    async def now_ms(self, number: int) -> int:
        """The chain's time, as a node that runs has it."""
        info = await self.info(number)
        if info is None:
            raise Trouble(f"node {number} does not say what time it is")
        return info.now_ms

    # Links.

    async def links(self, question: Document) -> Document:
        """Ask the proxy."""
        return await asyncio.to_thread(ask, control_socket(self.folder.path), question)

    # Waiting.

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Look again and again. Raises `Trouble` when it does not come, or a process ends that should not."""

        async def asked() -> bool:
            return true()

        await self.until_answer(asked, what)

    async def until_answer(self, true: Callable[[], Awaitable[bool]], what: str) -> None:
        """The same, where looking means asking nodes."""
        end = time.monotonic() + self.wait_seconds
        while not await true():
            allowed = set(map(node_name, self._may_end))
            if strangers := {name: status for name, status in self._ended.items() if name not in allowed}:
                raise Trouble(f"ended by itself while waiting for {what}: {strangers}")
            if time.monotonic() > end:
                raise Trouble(f"waited {self.wait_seconds:.0f} s in vain for {what}")
            await asyncio.sleep(LOOK_SECONDS)

    async def blocks(self, count: int, numbers: Iterable[int]) -> None:
        """Wait until each of these nodes has made so many blocks more than any of them has now."""
        wanted = list(numbers)
        target = max((await self.heights(wanted)).values(), default=0) + count
        await self.reach(target, wanted)

    async def reach(self, height: int, numbers: Iterable[int]) -> None:
        """Wait until each of these nodes has this block."""
        wanted = list(numbers)

        async def reached() -> bool:
            heights = await self.heights(wanted)
            return all(heights.get(number, -1) >= height for number in wanted)

        await self.until_answer(reached, f"block {height} on {_and(wanted)}")

    async def halted(self, seconds: float, numbers: Iterable[int]) -> None:
        """See that these nodes make no block for so long. What was decided already may still come."""
        wanted = list(numbers)
        before, since = await self.heights(wanted), time.monotonic()
        began = since
        while time.monotonic() - since < seconds:
            await asyncio.sleep(LOOK_SECONDS)
            now = await self.heights(wanted)
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() - began > seconds + self.wait_seconds / 4:
                raise Trouble(f"{_and(wanted)} should have stopped, but went on to {now}")

    async def gate_passed(self, seconds: float) -> None:
        """Wait until the community's first gate is in the past, and the last block as well by so many seconds. Raises
        `Trouble` if that block came after the gate."""
        last_ms = max(info.time_ms for info in (await self.infos(self.running)).values())
        if last_ms >= self.community.gate_ms:
            raise Trouble("the gate passed before the halt: this machine is too slow for so early a gate")
        until_ms = max(self.community.gate_ms + GATE_PAST_MS, last_ms + int(seconds * 1_000))
        # Time itself is what is tried here.
        await asyncio.sleep(max(0.0, until_ms / 1_000 - time.time()))

    async def is_on_time(self) -> None:
        """See that the chain's time is this machine's, which is right. Raises `Trouble`."""
        wanted = self.running
        await self.blocks(2, wanted)
        now_ms = time.time_ns() // 1_000_000
        times = {number: info.time_ms for number, info in (await self.infos(wanted)).items()}
        if not all(abs(now_ms - time_ms) < TIME_WRONG_MS for time_ms in times.values()):
            raise Trouble(f"the chain's time is {times}, the machine's {now_ms}")

    async def heights(self, numbers: Iterable[int]) -> dict[int, int]:
        """Of those that answer."""
        return {number: info.height for number, info in (await self.infos(numbers)).items()}

    async def infos(self, numbers: Iterable[int]) -> dict[int, NodeInfo]:
        """What those that answer say."""
        wanted = list(numbers)
        found = await asyncio.gather(*map(self.info, wanted))
        return {number: info for number, info in zip(wanted, found, strict=True) if info is not None}

    async def info(self, number: int) -> NodeInfo | None:
        """What a node says of itself; None if it does not answer."""
        if not self.is_running(number):
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                link = await NodeLink.connect(self.folder.node(number).socket)
                try:
                    return await link.info()
                finally:
                    await link.close()
        except (OSError, TimeoutError, RequestFailed):
            return None

    async def hear(self, number: int) -> None:
        """Remember the node's alarms, while it can say them."""
        info = await self.info(number)
        if info is not None:
            self.heard[number].update(dict.fromkeys(info.alarms))

    # Clocks.

    async def skew(self, number: int, seconds: int) -> None:
        """Restart a node as a validator whose clock is wrong by so much; 0: with its own key and clock again."""
        await self.stop_node(number)
        signing = self._signing.pop(number, None)
        if signing is not None:
            signing.cancel()
        home, socket = self.folder.home(number), self.folder.node(number).run / SOCKET
        socket.unlink(missing_ok=True)
        use_own_key(home)
        if seconds:
            use_signer(home)
            signer = SkewedSigner(home.keys(), CHAIN, seconds)
            self._signing[number] = asyncio.create_task(signer.run(socket))
        self.start_node(number)
        if seconds:
            who = address_of_key(home.keys().validator_key)
            wrong = partial(self._has_wrong_time, who, seconds)
            await self.until_answer(wrong, f"a block with a vote of node {number} of a wrong time")

    async def _has_wrong_time(self, validator: bytes, seconds: int) -> bool:
        """Whether the others took such a vote of it into their last block."""
        async with CometRpc(self.folder.rpc(1)) as comet:
            block = await comet.light_block(int((await comet.status()).sync_info.latest_block_height) - 1)
        return any(
            vote.validator == validator and abs(vote.time_ns - block.header.time_ns) > abs(seconds) * 500_000_000
            for vote in block.commit.votes
            if vote.flag is VoteFlag.COMMIT
        )

    # Joining.

    async def prepare_join(self, number: int) -> None:
        """Let a node that has not run yet join by state sync, with trust in an early block."""
        async with CometRpc(self.folder.rpc(1)) as comet:
            block = await comet.light_block(2)
        servers = tuple(f"unix://{self.folder.rpc(one).resolve()}" for one in (1, min(2, self.plan.validators)))
        keys = {one: self.folder.home(one).keys() for one in self.plan.numbers}
        settings = replace(
            self.addresses.settings(number, keys),
            state_sync=StateSync(servers, 2, header_hash(block.header).hex()),
        )
        write_config(self.folder.home(number), settings)

    def forget_chain(self, number: int) -> None:
        """As `gridtokenx node rejoin`."""
        forget_state(self.folder.node(number).path)

    # For people.

    async def describe(self) -> str:
        """How all nodes are, and the ends of the logs of those that should run and do not answer, or have ended."""
        infos = await self.infos(self.plan.numbers)
        lines = []
        for number in self.plan.numbers:
            child, info = self._supervisor.child(node_name(number)), infos.get(number)
            state = f"node {number}: {child.state}"
            if info is not None:
                state += f", block {info.height} {info.app_hash.hex()[:12]}, {info.pending} pending"
                state += await self._consensus(number)
            elif child.last_exit is not None:
                state += f", last ended with status {child.last_exit}"
            lines.append(state)
            if info is None and self.folder.log(node_name(number)).exists():
                lines.append(_last(self._said(number)))
        return "\n".join([*lines, f"logs: {self.folder.logs}, and cometbft.log in each node's folder"])

    async def _consensus(self, number: int) -> str:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX), CometRpc(self.folder.rpc(number)) as comet:
                return f", round {await comet.round()}, {(await comet.net_info()).n_peers} peers"
        except (RpcFailed, TimeoutError, OSError) as error:
            return f", CometBFT: {error}"


def _with_module(command: tuple[str, ...], module: str) -> tuple[str, ...]:
    """The same command line with another program after `-m`."""
    place = command.index("-m") + 1
    return (*command[:place], module, *command[place + 1 :])


def _and(numbers: Iterable[int]) -> str:
    return "nodes " + ", ".join(map(str, numbers))


def _last(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()[-LOG_LINES:])
