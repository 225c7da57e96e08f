"""Plays network files: a network, and scenarios that are done to it one after another, while orders flow.

    validators = 4

    [[scenario]]
    name = "one is killed"
    steps = ["kill 2", "blocks 5 by 1,3,4", "start 2"]

After each scenario all nodes must come together again, and everything is checked (`checks`). Nodes are named as 1,2.

    kill 2          as a power cut; of several: at once       pause 2, resume 2   as a machine that hangs
    stop 2          as an operator does                       start 2
    part 1,2/3,4    cut the links between the groups          silence 1,2/3,4     they swallow everything
    heal            all links are open again
    blocks 5 by 1   each of them makes so many blocks more
    halt 4 by 1,2   none of them makes a block for so many seconds
    ends 3 saying WORDS   by itself, with these words in its log
    mute 3, unmute 3      no orders through this node
    swap 3 wrong_node     it is stopped, and started as this program of the tests
    fill 3 20000          its files may grow by so many bytes
    skew 3 -600           it is restarted with a clock that is wrong by so many seconds; 0: right again
    on time               the chain's time is right
    forget 3              all that it knew of the chain is deleted
    join 5                it starts for the first time, by state sync, and its gateway
    serves 5              the gateway says what the node says
    rush 40               so many orders a second, all for the interval that closes first
    gate 65               no more of them; wait until that interval is closed, and so many seconds without a block
                          have gone by
    voided by 1           trades of that interval were taken back
"""

import argparse
import asyncio
import re
import sys
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Literal

import httpx
import msgspec
from tests.network.checks import Checks, is_restored, voided_wh
from tests.network.live import LOOK_SECONDS, LiveNetwork, Trouble
from tests.network.members import ConsortiumFile

from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.operations.network.plan import NetworkPlan, parse_groups
from gridtokenx.operations.network.programs import gateway_name

NETWORKS: Final = Path(__file__).with_name("networks")


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done. `alarms`: parts of what nodes may rightly raise then; `codes`: what may become of an order."""

    name: str
    steps: tuple[str, ...]
    alarms: tuple[str, ...] = ()
    codes: tuple[int, ...] = (0,)


class NetworkFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A network and what is done to it. `gate_seconds`: how long after the beginning the first gate falls.
    `wait_seconds`: how long anything may take before it counts as never. `consortium`: whose nodes these are."""

    scenario: tuple[Scenario, ...]
    validators: int = 4
    observers: int = 0
    links: Literal["tcp", "quic"] = "tcp"
    blocks: Literal["normal", "fast"] = "fast"
    delay_ms: int = 0
    orders_per_second: float = 10.0
    gate_seconds: int = 600
    wait_seconds: float = 180.0
    snapshot_blocks: int = 20
    consortium: ConsortiumFile | None = None

    def plan(self) -> NetworkPlan:
        """The network alone."""
        return NetworkPlan(
            self.validators,
            self.observers,
            self.links,
            self.blocks,
            delay_ms=self.delay_ms,
            processors=1,
            snapshot_blocks=self.snapshot_blocks,
        )


def read_network(name: str) -> NetworkFile:
    """The file of this name in `networks`. Raises msgspec.ValidationError for one that is none, and ValueError for a
    step that nobody knows."""
    file = msgspec.convert(tomllib.loads((NETWORKS / f"{name}.toml").read_text()), NetworkFile)
    for scenario in file.scenario:
        for step in scenario.steps:
            _find(step)
    return file


class Game:
    """One network that is being played with. When a scenario fails the network is of no more use."""

    def __init__(self, path: Path, file: NetworkFile) -> None:
        """Found the network at `path`, where nothing is yet."""
        self.file = file
        self.network = LiveNetwork(
            path, file.plan(), file.orders_per_second, file.gate_seconds, file.wait_seconds, file.consortium
        )
        self.checks = Checks(self.network)
        self.is_sound = True

    async def start(self) -> None:
        """Let it run. Raises `Trouble`."""
        await self.explained("the start", self.network.start())

    async def play(self, scenario: Scenario) -> None:
        """Do it, and check. Raises `Trouble`, saying at which step."""
        self.network.note(f"--- {scenario.name}")
        self.network.load.flowing.set()
        for step in scenario.steps:
            self.network.note(step)
            await self.explained(f"{scenario.name}, '{step}'", self._do(step))
        self.network.note("check")
        await self.explained(f"{scenario.name}, at its end", self.checks.everything(scenario.alarms, scenario.codes))

    async def end(self) -> None:
        """Stop everything; what is stored must verify. Raises `Trouble`."""
        running = self.network.running
        statuses = await self.network.stop()
        if not self.is_sound:
            return
        if strange := {name: status for name, status in statuses.items() if status != 0}:
            raise Trouble(f"ended with another status than 0 when asked to end: {strange}; {self.network.folder.logs}")
        await asyncio.to_thread(self.checks.stored, running[:1] + running[self.file.validators :])

    async def _do(self, step: str) -> None:
        do, found = _find(step)
        await do(self.network, found)

    async def explained(self, where: str, work: Awaitable[None]) -> None:
        try:
            await work
        except Trouble as trouble:
            self.is_sound = False
            self.network.note(f"TROUBLE {trouble}")
            described = await self.network.describe()
            raise Trouble(f"{where}: {trouble}\n{described}") from None
        except BaseException:
            self.is_sound = False
            raise


Found = re.Match[str]
Do = Callable[[LiveNetwork, Found], Awaitable[None]]


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


async def _kill(network: LiveNetwork, found: Found) -> None:
    await network.kill(_numbers(found["nodes"]))


async def _pause(network: LiveNetwork, found: Found) -> None:
    for number in _numbers(found["nodes"]):
        network.pause(number)


async def _resume(network: LiveNetwork, found: Found) -> None:
    for number in _numbers(found["nodes"]):
        network.resume(number)


async def _stop(network: LiveNetwork, found: Found) -> None:
    for number in _numbers(found["nodes"]):
        await network.stop_node(number)


async def _start(network: LiveNetwork, found: Found) -> None:
    for number in _numbers(found["nodes"]):
        network.start_node(number)


async def _part(network: LiveNetwork, found: Found) -> None:
    flow = {"part": "cut", "silence": "silent"}[found["how"]]
    await network.links({"do": "partition", "groups": parse_groups(found["groups"]), "flow": flow})


async def _heal(network: LiveNetwork, _: Found) -> None:
    await network.links({"do": "heal"})


async def _blocks(network: LiveNetwork, found: Found) -> None:
    await network.blocks(int(found["count"]), _numbers(found["nodes"]))


async def _halt(network: LiveNetwork, found: Found) -> None:
    await network.halted(float(found["count"]), _numbers(found["nodes"]))


async def _ends(network: LiveNetwork, found: Found) -> None:
    await network.ends(int(found["nodes"]), found["words"])


async def _mute(network: LiveNetwork, found: Found) -> None:
    for number in _numbers(found["nodes"]):
        await network.load.lanes[number].mute()


async def _unmute(network: LiveNetwork, found: Found) -> None:
    for number in _numbers(found["nodes"]):
        network.load.lanes[number].unmute()


async def _swap(network: LiveNetwork, found: Found) -> None:
    number = int(found["nodes"])
    await network.stop_node(number)
    network.let_end(number)
    network.start_node(number, f"tests.network.{found['words']}")


async def _fill(network: LiveNetwork, found: Found) -> None:
    number = int(found["nodes"])
    network.let_end(number)
    network.limit_files(number, int(found["count"]))


async def _skew(network: LiveNetwork, found: Found) -> None:
    await network.skew(int(found["nodes"]), int(found["seconds"]))


async def _on_time(network: LiveNetwork, _: Found) -> None:
    await network.is_on_time()


async def _forget(network: LiveNetwork, found: Found) -> None:
    network.forget_chain(int(found["nodes"]))


async def _join(network: LiveNetwork, found: Found) -> None:
    number = int(found["nodes"])
    await network.prepare_join(number)
    network.start_node(number)
    await network.until_answer(lambda: _is_there(network, number), f"node {number} to have the chain's state")
    if not is_restored(network.folder.node(number)):
        raise Trouble(f"node {number} joined without a snapshot")
    network.run(gateway_name(number))


async def _is_there(network: LiveNetwork, number: int) -> bool:
    return (await network.heights([number])).get(number, 0) > 0


async def _serves(network: LiveNetwork, found: Found) -> None:
    number = int(found["nodes"])
    url = f"http://127.0.0.1:{network.addresses.gateway_port(number)}/v1/status"

    async def serves() -> bool:
        async with httpx.AsyncClient(trust_env=False, timeout=LOOK_SECONDS * 20) as http:
            try:
                answer = await http.get(url)
            except httpx.TransportError:
                return False
        info = await network.info(number)
        return info is not None and answer.status_code == 200 and abs(answer.json()["height"] - info.height) <= 2

    await network.until_answer(serves, f"the gateway of node {number} to say what its node says")


async def _rush(network: LiveNetwork, found: Found) -> None:
    load = network.load
    load.interval, load.orders_per_second = network.community.first_interval, float(found["count"])


async def _gate(network: LiveNetwork, found: Found) -> None:
    network.load.interval, network.load.orders_per_second = None, network.orders_per_second
    await network.gate_passed(float(found["count"]))


async def _voided(network: LiveNetwork, found: Found) -> None:
    number = int(found["nodes"])

    async def voided() -> bool:
        return voided_wh(network.folder.node(number)) > 0

    await network.until_answer(voided, f"void trades on node {number}")


_NODES = r"(?P<nodes>\d+(,\d+)*)"
_COUNT = r"(?P<count>\d+)"

STEPS: Final[dict[str, Do]] = {
    rf"kill {_NODES}": _kill,
    rf"pause {_NODES}": _pause,
    rf"resume {_NODES}": _resume,
    rf"stop {_NODES}": _stop,
    rf"start {_NODES}": _start,
    r"(?P<how>part|silence) (?P<groups>[\d,/-]+)": _part,
    r"heal": _heal,
    rf"blocks {_COUNT} by {_NODES}": _blocks,
    rf"halt {_COUNT} by {_NODES}": _halt,
    rf"ends {_NODES} saying (?P<words>.+)": _ends,
    rf"mute {_NODES}": _mute,
    rf"unmute {_NODES}": _unmute,
    rf"swap {_NODES} (?P<words>\w+)": _swap,
    rf"fill {_NODES} {_COUNT}": _fill,
    rf"skew {_NODES} (?P<seconds>-?\d+)": _skew,
    r"on time": _on_time,
    rf"forget {_NODES}": _forget,
    rf"join {_NODES}": _join,
    rf"serves {_NODES}": _serves,
    rf"rush {_COUNT}": _rush,
    rf"gate {_COUNT}": _gate,
    rf"voided by {_NODES}": _voided,
}
"""What a step looks like, and what it does."""


def _find(step: str) -> tuple[Do, Found]:
    for pattern, do in STEPS.items():
        if found := re.fullmatch(pattern, step):
            return do, found
    raise ValueError(f"nobody knows how to do '{step}'")


async def play_file(path: Path, file: NetworkFile, only: str = "") -> None:
    """All scenarios, or those whose names have these words. Raises `Trouble`."""
    game = Game(path, file)
    try:
        await game.start()
        for scenario in file.scenario:
            if only in scenario.name:
                await game.play(scenario)
                print(f"{scenario.name}: all is well", flush=True)
    finally:
        await game.end()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.network.play", description=__doc__)
    parser.add_argument("name", help="of a file in tests/network/networks, without .toml")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--links", choices=("tcp", "quic"))
    parser.add_argument("--only", default="", help="scenarios with these words in their names")
    given = parser.parse_args()
    file = read_network(given.name)
    if given.links:
        file = msgspec.structs.replace(file, links=given.links)
    try:
        asyncio.run(play_file(given.data, file, given.only))
    except (Trouble, FolderUnusable) as trouble:
        print(trouble, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
