"""A network in which a validator has backups, and drills in it: the node that votes is killed, or paused, or the signer
is killed, and another takes over.

All processes are those of `gridtokenx network up --backups 3`, with the market of a scenario on top; only a tap
(`signature_tap`) stands between the signer and its nodes, and writes down what was signed.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final, Self

from gridtokenx.bench.gateway_load import summary
from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.bench.signature_tap import PRECOMMIT, Answer, SignatureTap, double_signs
from gridtokenx.engine.comet.answers import time_ns
from gridtokenx.engine.comet.binary import find_cometbft
from gridtokenx.engine.comet.headers import VoteFlag
from gridtokenx.engine.comet.keys import address_of_key
from gridtokenx.engine.comet.rpc import CometRpc, RpcFailed
from gridtokenx.engine.storage import Reader
from gridtokenx.modules.authority.state import MISDEEDS
from gridtokenx.operations.network.consensus_view import look
from gridtokenx.operations.network.founding import found_network
from gridtokenx.operations.network.plan import NetworkPlan
from gridtokenx.operations.network.programs import SIGNER, signer_command
from gridtokenx.operations.network.runner import Network

SCENARIO: Final = Path(__file__).resolve().parents[3] / "scenarios" / "two-neighbours"
"""Ships beside the sources."""

BACKUPS: Final = 3
LOOK_SECONDS: Final = 0.1
FOLLOW_LOOK_SECONDS: Final = 0.5
WAIT_SECONDS_MAX: Final = 180.0
"""What takes longer will never come."""
BEHIND_BLOCKS_MAX: Final = 2
"""Who is so many blocks behind follows."""

Say = Callable[[str], None]


class DrillFailed(AssertionError):
    """Something that had to happen did not, or something that must not has."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """One drill: which node was the victim, which one signed next, and when the others had its vote in a commit."""

    victim: int
    successor: int
    seconds: float


def plan_of_drills(*, fast: bool = False) -> NetworkPlan:
    """Four validators, the first one with three backups."""
    return NetworkPlan(
        4,
        blocks="fast" if fast else "normal",
        direct=True,
        gateways=1,
        processors=1,
        backups=BACKUPS,
        snapshot_blocks=0,
    )


class Drills:
    """A network that runs, and what is done to it. Methods raise `DrillFailed`."""

    def __init__(self, network: Network, tap: SignatureTap, comet: CometRpc, observer: int) -> None:
        self.network = network
        self.tap = tap
        self.sharing = network.plan.sharing
        self.observer = observer
        """A validator with a key of its own, to which nothing is done."""
        self._comet = comet
        key = network.folder.signer.read().key.public_key
        self.address = address_of_key(bytes.fromhex(key)).hex().upper()

    @classmethod
    @asynccontextmanager
    async def running(cls, path: Path, plan: NetworkPlan, scenario: Path, say: Say) -> AsyncIterator[Self]:
        """Found a network at `path`, where nothing is yet, and let it run until the block ends."""
        folder = found_network(path, plan, scenario)
        folder.make_run()
        network = Network(folder)
        nodes = {number: folder.signs(number) for number in plan.sharing}
        observer = next(number for number in plan.numbers if number not in plan.sharing)
        with SignatureTap(nodes, folder.run) as tap:
            signer = network.supervisor.child(SIGNER)
            signer.program = replace(signer.program, command=signer_command(folder, list(tap.sockets.values())))
            running = asyncio.create_task(network.run(say))
            try:
                async with CometRpc(folder.rpc(observer)) as comet:
                    drills = cls(network, tap, comet, observer)
                    await drills.voted_again(0.0)
                    yield drills
            finally:
                network.stop()
                await running

    # What is done.

    async def kill(self) -> Takeover:
        """End the node that votes as a power cut would; start it again as soon as another one votes."""
        await self.all_follow()
        victim = self.holder
        since_s = await self.do("kill", victim)
        successor, seconds = await self.voted_again(since_s, victim)
        await self.do("restart", victim)
        return Takeover(victim, successor, seconds)

    async def pause(self) -> Takeover:
        """Let the node that votes hang, and go on when another one votes: what it wants signed then is refused."""
        await self.all_follow()
        victim = self.holder
        since_s = await self.do("pause", victim)
        successor, seconds = await self.voted_again(since_s, victim)
        woken_s = await self.do("resume", victim)
        await self.until(lambda: self._was_refused(victim, woken_s), f"node {victim}, which woke, to be refused")
        return Takeover(victim, successor, seconds)

    async def kill_signer(self) -> float:
        """End the signer as a power cut would, and start it again; seconds until the validator votes again."""
        await self.all_follow()
        since_s = await self.do("kill", SIGNER)
        await self.until(lambda: self.network.supervisor.child(SIGNER).process is None, "the signer to be gone")
        gone_s = await self.do("restart", SIGNER)
        await self.voted_again(gone_s)
        return time.monotonic() - since_s

    async def pause_past_the_signer(self) -> None:
        """The node that votes hangs, and wakes when the signer is killed and has forgotten who had the lease: only the
        guard keeps it from voting where another one has voted."""
        await self.all_follow()
        victim = self.holder
        since_s = await self.do("pause", victim)
        await self.voted_again(since_s, victim)
        await self.do("kill", SIGNER)
        await self.do("resume", victim)
        await self.until(lambda: self.network.supervisor.child(SIGNER).process is None, "the signer to be gone")
        gone_s = await self.do("restart", SIGNER)
        await self.voted_again(gone_s)

    async def do(self, deed: str, name: int | str) -> float:
        """What `gridtokenx network` can do to a node or the signer; when it was begun."""
        began_s = time.monotonic()
        await self.network.answer({"do": deed, "node": name})
        return began_s

    # What becomes of it.

    @property
    def holder(self) -> int:
        """The node for which something was signed last."""
        return next(answer.node for answer in reversed(self.tap.answers) if answer.place is not None)

    async def voted_again(self, since_s: float, victim: int = 0) -> tuple[int, float]:
        """Wait for a block whose commit has a vote that was signed since then for another node than the victim. Which
        node, and how long it took."""
        seen, found, waiting = 0, 0, dict[int, int]()

        async def voted() -> bool:
            nonlocal seen, found
            for answer in self.tap.answers[seen:]:
                seen += 1
                if answer.at_s > since_s and answer.node != victim and answer.for_block and _is_precommit(answer):
                    assert answer.place is not None
                    waiting[answer.place.height] = answer.node
            for height in sorted(waiting):
                if await self.has_vote(height):
                    found = waiting[height]
                    return True
            return False

        await self.until_answer(voted, f"a vote of the validator, not by node {victim}")
        return found, time.monotonic() - since_s

    async def has_vote(self, height: int) -> bool:
        """Whether the observer has this block, and a commit of it with the validator's vote."""
        try:
            commit = (await self._comet.commit(height)).signed_header.commit
        except RpcFailed:
            return False
        return any(
            vote.validator_address == self.address and vote.block_id_flag == VoteFlag.COMMIT
            for vote in commit.signatures
        )

    async def height(self) -> int:
        """The observer's last block; 0 while it does not answer."""
        try:
            return int((await self._comet.status()).sync_info.latest_block_height)
        except RpcFailed:
            return 0

    async def all_follow(self) -> None:
        """Wait until all nodes that share the signer have the chain, and could take over."""
        await self.until_answer(self._all_follow, "all backups to follow the chain", FOLLOW_LOOK_SECONDS)

    async def _all_follow(self) -> bool:
        height = await self.height()
        for number in self.sharing:
            try:
                view = await look(self.network.folder.rpc(number))
            except RpcFailed:
                return False
            if view.catching_up or view.height < height - BEHIND_BLOCKS_MAX:
                return False
        return True

    def _was_refused(self, node: int, since_s: float) -> bool:
        """Whether the signer has refused the node something since then. It must not have signed anything before."""
        for answer in self.tap.answers:
            if answer.node == node and answer.at_s > since_s:
                if answer.place is not None:
                    raise DrillFailed(f"node {node} was paused, and got a signature for {answer.place} when it woke")
                return True
        return False

    def check_signatures(self) -> None:
        """Nothing was ever signed twice, as the sockets saw it, and nobody has proved that anything was."""
        if found := double_signs(self.tap.answers):
            raise DrillFailed(f"the validator signed {found} times twice")
        reader = Reader(self.network.folder.node(self.observer).database, self.network.folder.run / "misdeeds")
        try:
            reader.refresh()
            if any(True for _ in reader.scan(bytes([MISDEEDS.prefix]))):
                raise DrillFailed("the chain has evidence against a validator")
        finally:
            reader.close()
            shutil.rmtree(self.network.folder.run / "misdeeds", ignore_errors=True)

    async def blocks(self) -> "Blocks":
        """All blocks so far."""
        last = await self.height() - 1
        commits = [(await self._comet.commit(height)).signed_header for height in range(1, last + 1)]
        times_s = [time_ns(one.header.time) / 1e9 for one in commits]
        voted = [
            any(vote.validator_address == self.address and vote.block_id_flag == VoteFlag.COMMIT for vote in votes)
            for votes in (one.commit.signatures for one in commits)
        ]
        # The first block's time is that of the genesis.
        gaps_s = [later - earlier for earlier, later in pairwise(times_s[1:])]
        return Blocks(last, sum(one.commit.round > 0 for one in commits), voted.count(False), gaps_s)

    # Waiting.

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Look again and again."""

        async def asked() -> bool:
            return true()

        await self.until_answer(asked, what)

    async def until_answer(
        self, true: Callable[[], Awaitable[bool]], what: str, look_seconds: float = LOOK_SECONDS
    ) -> None:
        """The same, where looking means asking nodes."""
        ends_s = time.monotonic() + WAIT_SECONDS_MAX
        while not await true():
            if time.monotonic() > ends_s:
                raise DrillFailed(f"waited {WAIT_SECONDS_MAX:.0f} s in vain for {what}: {self.network.folder.logs}")
            await asyncio.sleep(look_seconds)


@dataclass(frozen=True, slots=True)
class Blocks:
    """`gaps_s`: seconds between two blocks' times. `missing`: commits without the validator's vote."""

    count: int
    rounds_lost: int
    missing: int
    gaps_s: list[float]


def measure_takeover(drills: int) -> dict[str, object]:
    """Kill the node that votes so many times; what that costs. Raises `CometMissing`, `DrillFailed`."""
    find_cometbft()
    parent = Path(tempfile.mkdtemp(prefix="gtx-bench-"))
    load_before = os.getloadavg()[0]
    try:
        figures = asyncio.run(_measure(parent / "n", drills))
    finally:
        shutil.rmtree(parent, ignore_errors=True)
    return figures | {
        "load_average_before": round(load_before, 1),
        "load_average_after": round(os.getloadavg()[0], 1),
        "signature_us": signature_us(),
        "file_system": file_system(Path(tempfile.gettempdir())),
    }


async def _measure(path: Path, wanted: int) -> dict[str, object]:
    print(f"four validators, {BACKUPS} backups of the first", flush=True)
    async with Drills.running(path, plan_of_drills(), SCENARIO, lambda _: None) as drills:
        takeovers: list[Takeover] = []
        for number in range(1, wanted + 1):
            takeovers.append(await drills.kill())
            drills.check_signatures()
            one = takeovers[-1]
            print(f"drill {number}: {one.victim} → {one.successor} in {one.seconds:.1f} s", flush=True)
        await drills.all_follow()
        drills.check_signatures()
        blocks = await drills.blocks()
        answers = drills.tap.answers
        seconds = [one.seconds for one in takeovers]
        signing = summary([answer.took_ms for answer in answers if answer.place is not None])
        return {
            "drills": len(takeovers),
            "takeover_s": round(statistics.median(seconds), 2),
            "takeover_s_worst": round(max(seconds), 2),
            "double_signs": double_signs(answers),
            "signatures": signing["count"],
            "refusals": sum(answer.place is None for answer in answers),
            "signer_ms": round(signing["p50_ms"], 2),
            "signer_p99_ms": round(signing["p99_ms"], 2),
            "blocks": blocks.count,
            "block_seconds_mean": round(statistics.mean(blocks.gaps_s), 2),
            "block_seconds_max": round(max(blocks.gaps_s), 2),
            "rounds_lost": blocks.rounds_lost,
            "votes_missing": blocks.missing,
        }


def _is_precommit(answer: Answer) -> bool:
    return answer.place is not None and answer.place.step == PRECOMMIT
