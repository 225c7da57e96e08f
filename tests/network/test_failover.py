"""A validator with three backups in a live network of four: whoever votes goes away in every way, another one votes,
and nothing is ever signed twice. Then the validator's machine is lost with its disk, and comes back by a snapshot."""

import asyncio
import random
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from tests.network.running import RunningNetwork, running_network
from tests.processes.processes import free_port

from gridtokenx.bench.signature_tap import Answer
from gridtokenx.bench.takeover import SCENARIO, Drills, plan_of_drills
from gridtokenx.engine.comet.binary import CometMissing, find_cometbft
from gridtokenx.engine.comet.home import FOLDER
from gridtokenx.engine.control import Refused, ask
from gridtokenx.operations.network.node_folder import BUNDLE, CARD
from gridtokenx.operations.network.plan import NetworkPlan
from gridtokenx.operations.network.programs import SIGNER

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-c", "from gridtokenx.cli.main import app; app()")
PLAN = msgspec.structs.replace(plan_of_drills(fast=True), gateways=3, snapshot_blocks=30)
BARE = NetworkPlan(4, market=False, blocks="fast", processors=1, backups=1, backed=2)
PRIMARY = 1
LEFT = {CARD, BUNDLE, "node.key", "genesis.bin", FOLDER}
"""Of a node whose operator kept a copy of what does not change."""
SOAK_DRILLS = 100


class Rehearsal:
    """A network in which a drill follows the other."""

    def __init__(self, path: Path) -> None:
        self.runner, self._stack = asyncio.Runner(), AsyncExitStack()
        self.drills = self.runner.run(
            self._stack.enter_async_context(Drills.running(path, PLAN, SCENARIO, lambda _: None))
        )

    def close(self) -> None:
        self.runner.run(self._stack.aclose())
        self.runner.close()


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    try:
        find_cometbft()
    except CometMissing as missing:
        pytest.skip(str(missing))
    rehearsal = Rehearsal(tmp_path_factory.mktemp("failover") / "n")
    yield rehearsal
    rehearsal.close()


def test_the_network_says_who_holds_the_lease(tmp_path: Path) -> None:
    with running_network(tmp_path / "n", msgspec.structs.replace(BARE, direct=True)) as network:
        network.until(lambda: len(holders(network)) == 1, "a holder")
        (holder,) = holders(network)
        assert {number for number, one in network.status().items() if one["lease"] is not None} == {2, 5}
        assert not network.folder.home(2).validator_key.exists() and network.folder.home(1).validator_key.exists()
        network.do("kill", holder)
        network.until(lambda: holders(network) == {2, 5} - {holder}, "the other one to hold it")
        ask(network.folder.control, {"do": "kill", "node": SIGNER})
        network.until(lambda: not holders(network), "the signer to be gone")
        with pytest.raises(Refused, match="signer"):
            ask(network.folder.control, {"do": "kill", "node": "sinner"})
        ask(network.folder.control, {"do": "restart", "node": SIGNER})
        network.do("restart", holder)
        network.until(lambda: len(holders(network)) == 1, "a holder again")
        network.goes_on()


@pytest.mark.soak
def test_who_is_cut_off_from_the_others_loses_the_lease(tmp_path: Path) -> None:
    """It goes on pinging its signer, but another one is ahead."""
    with running_network(tmp_path / "n", BARE) as network:
        network.until(lambda: len(holders(network)) == 1, "a holder")
        (holder,) = holders(network)
        network.proxy(do="partition", groups=[[holder]], flow="silent", one_way=False)
        network.until(lambda: holders(network) == {2, 5} - {holder}, "the one that is not cut off to hold it")
        network.proxy(do="heal")
        network.goes_on()


def holders(network: RunningNetwork) -> set[int]:
    return {number for number, one in network.status().items() if one["lease"]}


def test_one_after_the_other_takes_over(rehearsal: Rehearsal) -> None:
    rehearsal.runner.run(one_after_the_other(rehearsal.drills))


async def one_after_the_other(drills: Drills) -> None:
    await drills.all_follow()
    gone = []
    for _ in range(2):
        victim = drills.holder
        since_s = await drills.do("kill", victim)
        successor, _ = await drills.voted_again(since_s, victim)
        gone.append(victim)
        assert successor not in gone
    paused = drills.holder
    since_s = await drills.do("pause", paused)
    last, _ = await drills.voted_again(since_s, paused)
    assert {*gone, paused, last} == set(drills.sharing)
    since_s = await drills.do("resume", paused)
    await drills.until(lambda: bool(answers_to(drills, paused, since_s)), "the woken node to ask")
    assert not answers_to(drills, paused, since_s)[0].signature, "who wakes is not served"
    for node in gone:
        await drills.do("restart", node)
    await drills.kill_signer()
    await drills.all_follow()
    drills.check_signatures()
    for number in drills.network.plan.numbers:
        config = tomllib.loads(drills.network.folder.home(number).config.read_text())
        assert config["blocksync"]["adaptive_sync"] is False


def answers_to(drills: Drills, node: int, since_s: float) -> list[Answer]:
    return [answer for answer in drills.tap.answers if answer.node == node and answer.at_s > since_s]


def test_a_validator_whose_machine_is_lost_comes_back_by_a_snapshot(rehearsal: Rehearsal) -> None:
    rehearsal.runner.run(lost_and_recovered(rehearsal.drills))


async def lost_and_recovered(drills: Drills) -> None:
    folder, addresses = drills.network.folder.node(PRIMARY), drills.network.addresses
    child = drills.network.supervisor.child(f"node-{PRIMARY}")
    await drills.do("kill", PRIMARY)
    await drills.until(lambda: child.process is None, "the node to be gone")
    lose_disk(folder.path)
    others = [number for number in drills.network.plan.numbers if number != PRIMARY]
    await drills.until(lambda: any(drills.network.folder.node(2).snapshots.glob("[0-9]*")), "a snapshot")
    gateways = [f"http://127.0.0.1:{addresses.gateway_port(number)}" for number in (2, 3)]
    rejoin = ["rejoin", "--data", str(folder.path), *(word for url in gateways for word in ("--gateway", url))]
    assert await (await node(*rejoin)).wait() == 0
    start = ["start", "--data", str(folder.path), "--listen", addresses.node(PRIMARY), "--port", str(free_port())]
    running = await node(*start, *(word for n in others for word in ("--peer", f"node-{n}={addresses.node(n)}")))
    try:
        await drills.all_follow()
        assert folder.beginning.exists(), "it has its state from a snapshot"
        for backup in drills.sharing[1:]:
            since_s = await drills.do("kill", backup)
        assert (await drills.voted_again(since_s))[0] == PRIMARY
        drills.check_signatures()
    finally:
        running.terminate()
        assert await running.wait() == 0
    for number in drills.sharing:
        await drills.do("restart", number)
    await drills.all_follow()


def lose_disk(path: Path) -> None:
    """All but what does not change."""
    for entry in path.iterdir():
        if entry.name not in LEFT:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    shutil.rmtree(path / FOLDER / "data")


async def node(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(*COMMAND, "node", *words, stdout=asyncio.subprocess.DEVNULL)


@pytest.mark.soak
def test_a_hundred_times_at_random(rehearsal: Rehearsal) -> None:
    chance = random.Random(6)
    for number in range(1, SOAK_DRILLS + 1):
        print(f"drill {number}: {rehearsal.runner.run(at_random(rehearsal.drills, chance))}", flush=True)


async def at_random(drills: Drills, chance: random.Random) -> str:
    """Whoever votes, or any other that shares the signer, or the signer: each comes back. What was done."""
    deed = chance.choice(["kill", "kill", "pause", "signer", "pause past the signer", "another"])
    match deed:
        case "kill":
            await drills.kill()
        case "pause":
            await drills.pause()
        case "signer":
            await drills.kill_signer()
        case "pause past the signer":
            await drills.pause_past_the_signer()
        case "another":
            await drills.all_follow()
            victim = chance.choice([number for number in drills.sharing if number != drills.holder])
            since_s = await drills.do("kill", victim)
            await drills.voted_again(since_s, victim)
            await drills.do("restart", victim)
    drills.check_signatures()
    return deed
