"""How blocks come while members come and go: a consortium begins with a few, others follow as observers, and each
applies, is vouched for, observes, is voted in and takes its seat, one after another, until all vote; then they are
removed one by one down to the floor. Orders flow all the while.

The organisations are those of the shipped example, with all their keys; every word of theirs is a real transaction
through a gateway. All nodes are real processes on this machine, with links of their own to all others.
"""

import asyncio
import contextlib
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from gridtokenx.bench.consensus_load import Lane, share_out
from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.bench.validators import Validators
from gridtokenx.bench.workload import CHAIN, Signer, make_genesis, make_signers, signed_orders
from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.chains.genesis import GenesisBuilder
from gridtokenx.client.async_client import AsyncClient
from gridtokenx.client.errors import ClientError
from gridtokenx.engine.application import Application
from gridtokenx.engine.comet.binary import find_cometbft
from gridtokenx.engine.comet.headers import VoteFlag
from gridtokenx.engine.comet.home import genesis_document
from gridtokenx.engine.comet.rpc import CometRpc
from gridtokenx.engine.link import NodeLink
from gridtokenx.engine.storage import Reader
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.modules.authority.messages import Act, Attest, Endorse, Propose, Vote
from gridtokenx.modules.authority.powers import RULES
from gridtokenx.operations.consortium.at_hand import AtHand, play_consortium
from gridtokenx.operations.consortium.example import read_sketches
from gridtokenx.operations.consortium.words import application, observation
from gridtokenx.operations.network.bundle import Bundle
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.operations.network.node_folder import install_bundle
from gridtokenx.operations.network.plan import NetworkPlan
from gridtokenx.simulation.auditor import Auditor

EXAMPLE: Final = Path(__file__).resolve().parents[3] / "consortia" / "thailand"
FOUNDERS: Final = ("egat", "mea", "producer-1", "technology-1")
"""Of three groups and tiers: they can vouch for others, endorse and vote."""
PROPOSER, ENDORSERS, ATTESTER = "egat", ("mea", "producer-1"), "mea"
QUICK_SEATS: Final = 6
SIGNERS: Final = 200
RESTING: Final = 400
ORDERS_PER_SECOND: Final = 20
SLOW_MS: Final = 3_000
AFTER_CHANGE_BLOCKS: Final = 3
"""So many blocks from the first of a new validator set on count as those of a change."""
START_SECONDS_MAX: Final = 400.0
BUSY_SECONDS_MAX: Final = 2_400.0
TERMS: Final[dict[str, int]] = {
    "zone_seats": 21,
    "epoch_blocks": 10,
    "epoch_changes": 21,
    "checkpoint_blocks": 5,
    "observed_blocks": 5,
    "endorsements": 2,
    "demote_below_ppm": 0,
}
"""Short epochs, so that nobody waits for one; and nobody loses a seat because this machine is slow."""


@dataclass(slots=True)
class Course:
    """What happened. `changes`: the first height of each new validator set; `announced`: when a founder's node told of
    each block, in seconds."""

    began: int = 0
    ended: int = 0
    changes: list[int] = field(default_factory=list)
    most: int = 0
    refused: int = 0
    seconds: float = 0.0
    announced: dict[int, float] = field(default_factory=dict)


def run(quick: bool) -> dict[str, object]:
    """Up to 21 that vote and down again; up to six when quick. Raises `CometMissing`."""
    return measure_membership(QUICK_SEATS if quick else len(read_sketches(EXAMPLE)))


def measure_membership(seats: int, orders_per_second: int = ORDERS_PER_SECOND) -> dict[str, object]:
    """One network from its genesis to its end: from the founders up to so many that vote, and down to the founders.
    Raises `CometMissing`, and RuntimeError if the nodes disagree, or money was made or lost."""
    find_cometbft()
    names = [*FOUNDERS, *(name for name in read_sketches(EXAMPLE) if name not in FOUNDERS)][:seats]
    observers = len(names) - len(FOUNDERS)
    plan = NetworkPlan(len(FOUNDERS), observers, direct=True, gateways=1, processors=1, snapshot_blocks=0)
    parent = Path(tempfile.mkdtemp(prefix="gtx-bench-"))
    load_before = os.getloadavg()[0]
    try:
        print(f"{len(FOUNDERS)} found a consortium, {observers} follow", flush=True)
        signers = make_signers(SIGNERS)
        folder = NetworkFolder(parent / "n")
        organisations = found_consortium(folder, plan, names, signers)
        validators = Validators(folder, plan, START_SECONDS_MAX, with_gateways=True)
        try:
            course = asyncio.run(_measure(validators, organisations, signers, orders_per_second))
            memory_bytes = validators.memory_bytes()
            rounds_lost = asyncio.run(validators.rounds_lost(course.began, course.ended))
        finally:
            validators.stop()
        figures = figures_of(validators, course)
    finally:
        shutil.rmtree(parent, ignore_errors=True)
    return figures | {
        "rounds_lost": rounds_lost,
        "orders_offered_per_second": orders_per_second,
        "memory_bytes_per_node": memory_bytes,
        "load_average_before": round(load_before, 1),
        "load_average_after": round(os.getloadavg()[0], 1),
        "signature_us": signature_us(),
        "file_system": file_system(Path(tempfile.gettempdir())),
    }


def found_consortium(folder: NetworkFolder, plan: NetworkPlan, names: list[str], signers: list[Signer]) -> list[AtHand]:
    """A network that begins now: the first organisations are its members, the others have an account and a node that
    follows."""
    now_ms = time.time_ns() // 1_000_000
    played = play_consortium(EXAMPLE, folder, CHAIN, names, now_ms, TERMS)

    def found(builder: GenesisBuilder) -> None:
        played.found(builder, plan.validators)

    genesis = make_genesis(signers, len(signers), RESTING, now_ms, (), plan.pace.block_ms, found)
    app_hash = Application(CONSORTIUM).init_chain(genesis)
    document = genesis_document(CHAIN, now_ms, app_hash, sha256(genesis).digest())
    bundle = Bundle(genesis, document, tuple(each.node for each in played.descriptions))
    for number in plan.numbers:
        install_bundle(folder.node(number).path, bundle)
    return list(played.each.values())


async def _measure(
    validators: Validators, organisations: list[AtHand], signers: list[Signer], orders_per_second: int
) -> Course:
    async with (
        asyncio.timeout(BUSY_SECONDS_MAX),
        _lanes(validators, len(FOUNDERS)) as lanes,
        AsyncClient(validators.gateways[0], chain=CHAIN) as client,
        CometRpc(validators.rpc[0]) as comet,
    ):
        campaign = Campaign(validators, organisations, lanes[0], client, comet)
        await campaign.follow()
        stop = asyncio.Event()
        trading = asyncio.create_task(_trade(lanes, signers, orders_per_second, stop))
        try:
            await campaign.hold()
        finally:
            stop.set()
            await trading
        await campaign.meet(campaign.course.ended)
        campaign.course.announced = {height: block.at for height, block in lanes[0].blocks.items()}
        campaign.course.refused = sum(lane.refused for lane in lanes)
        return campaign.course


@asynccontextmanager
async def _lanes(validators: Validators, count: int) -> AsyncIterator[list[Lane]]:
    """A link to each of the first nodes, on which blocks are heard."""
    async with AsyncExitStack() as stack:
        lanes = [Lane(await NodeLink.connect(folder.socket)) for folder in validators.folders[:count]]
        for lane in lanes:
            stack.push_async_callback(lane.link.close)
        listening = [asyncio.create_task(lane.listen()) for lane in lanes]
        try:
            yield lanes
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)


async def _trade(lanes: list[Lane], signers: list[Signer], per_second: int, stop: asyncio.Event) -> None:
    """So many orders a second, through the founders' nodes in turn."""
    seconds = 0
    while not stop.is_set():
        seconds += 1
        now_ms, started = time.time_ns() // 1_000_000, time.monotonic()
        share_out(list(signed_orders(signers, per_second, now_ms, seconds)), len(signers), lanes)
        await asyncio.gather(*(lane.keep_pace(per_second / len(lanes), started, 1.0) for lane in lanes))


class Campaign:
    """Everybody comes, and all but the founders go."""

    def __init__(
        self,
        validators: Validators,
        organisations: list[AtHand],
        lane: Lane,
        client: AsyncClient,
        comet: CometRpc,
    ) -> None:
        self.course = Course()
        self._validators = validators
        self._by_name = {each.name: each for each in organisations}
        self._seated = [each for each in organisations if each.name in FOUNDERS]
        self._candidates = [each for each in organisations if each.name not in FOUNDERS]
        self._lane, self._client, self._comet = lane, client, comet

    async def follow(self) -> None:
        """Wait until all nodes have the first blocks, and the gateway answers."""
        await self.meet(3)
        while True:
            with contextlib.suppress(ClientError):
                if (await self._client.health()).ready:
                    return
            await self._lane.next_block()

    async def hold(self) -> None:
        """The whole of it."""
        await self._lane.next_block()
        course, began = self.course, time.monotonic()
        course.began = self._lane.height
        print("all apply, are vouched for and observe", flush=True)
        await asyncio.gather(*map(self._introduce, self._candidates))
        await asyncio.gather(*map(self._observe, self._candidates))
        for candidate in self._candidates:
            await self._decide(Act.ADMIT, candidate)
            await self._change(candidate, votes=True)
            self._seated.append(candidate)
            print(f"  {len(self._seated)} vote: {candidate.name} has come", flush=True)
        course.most = len(self._seated)
        for member in reversed(self._candidates):
            self._seated.remove(member)
            await self._decide(Act.REMOVE, member)
            await self._change(member, votes=False)
            print(f"  {len(self._seated)} vote: {member.name} is gone", flush=True)
        for _ in range(AFTER_CHANGE_BLOCKS):
            await self._lane.next_block()
        course.ended, course.seconds = self._lane.height, time.monotonic() - began

    async def meet(self, height: int) -> None:
        """Wait until every node has this block."""
        for folder in self._validators.folders:
            link = await NodeLink.connect(folder.socket)
            try:
                while (await link.info()).height < height:
                    await self._lane.next_block()
            finally:
                await link.close()

    async def _introduce(self, candidate: AtHand) -> None:
        node = self._validators.folders[candidate.number - 1].path
        await self._client.execute(candidate.wallet, application(candidate.description, node))
        words = [(ATTESTER, Attest(candidate.id)), *((name, Endorse(candidate.id)) for name in ENDORSERS)]
        await asyncio.gather(*(self._client.execute(self._by_name[name].wallet, word) for name, word in words))

    async def _observe(self, candidate: AtHand) -> None:
        """Its node names checkpoints until it has observed for long enough. What came too late is said again at the
        next one."""
        folder = self._validators.folders[candidate.number - 1]
        said = 0
        while True:
            word = await asyncio.to_thread(observation, folder.path, candidate.id)
            if word is not None and word.height > said:
                said = word.height
                sent = await self._client.send(candidate.wallet, word)
                became = await self._client.wait(sent)
                if became.code == KernelCode.OK and became.results[0][0] >= TERMS["observed_blocks"]:
                    return
            await self._lane.next_block()

    async def _decide(self, act: Act, subject: AtHand) -> None:
        """Proposed by one, and voted for by as many others as it needs."""
        proposer = self._by_name[PROPOSER]
        others = [each for each in self._seated if each.decides and each not in (proposer, subject)]
        needed = RULES[act].needs(len(others) + 1) - 1
        proposed = await self._client.execute(proposer.wallet, Propose(int(act), subject.id, b""))
        number = proposed.results[0][0]
        await asyncio.gather(*(self._client.execute(each.wallet, Vote(number, True)) for each in others[:needed]))

    async def _change(self, member: AtHand, *, votes: bool) -> None:
        """Wait until its votes stand in commits, or it is no validator any more."""
        changed = 0
        while True:
            height = await self._lane.next_block() - 1
            block = await self._comet.light_block(height)
            is_in = member.address in {each.address for each in block.validators.members}
            if is_in == votes and not changed:
                changed = height
            voted = {vote.validator for vote in block.commit.votes if vote.flag is VoteFlag.COMMIT}
            if changed and (not votes or member.address in voted):
                break
        self.course.changes.append(changed)


def figures_of(validators: Validators, course: Course) -> dict[str, object]:
    """What is printed. The nodes are off. RuntimeError if two of them disagree, or a node's state does not add up."""
    times: dict[int, int] = {}
    hashes: dict[int, bytes] = {}
    orders = trades = 0
    for place, folder in enumerate(validators.folders):
        reader = Reader(folder.database, None)
        try:
            for height in range(1, course.ended + 1):
                block, results = reader.block(height), reader.results(height)
                if block is None or results is None or hashes.setdefault(height, results.app_hash) != results.app_hash:
                    raise RuntimeError(f"node {place + 1} disagrees about block {height}, or does not have it")
                times[height] = block.block.time_ms
                if place == 0 and height > course.began:
                    orders += sum(len(batch.receipts) for batch in results.batches)
                    trades += len(results.trades)
            rows = tuple(reader.scan())
        finally:
            reader.close()
        if findings := Auditor(CONSORTIUM, rows).check_state(rows):
            raise RuntimeError(f"node {place + 1}: {findings[0]}")
    heights = range(course.began + 1, course.ended + 1)
    announced_ms = [1_000 * (course.announced[height] - course.announced[height - 1]) for height in heights]
    return {
        "validators_fewest": len(FOUNDERS),
        "validators_most": course.most,
        "changes": len(course.changes),
        "blocks": len(heights),
        "seconds": round(course.seconds, 1),
        **block_figures({height: times[height] - times[height - 1] for height in heights}, course.changes),
        "announced_ms_max": round(max(announced_ms)),
        "transactions": orders,
        "trades": trades,
        "refused": course.refused,
        "nodes_that_agree": len(validators.folders),
    }


def block_figures(gaps_ms: dict[int, int], changes: list[int]) -> dict[str, object]:
    """From block to block by chain time: of all, and of those that a new validator set made first."""
    near = [gaps_ms[height] for height in sorted(_near(changes) & gaps_ms.keys())]
    return {
        "block_ms_median": round(statistics.median(gaps_ms.values())),
        "block_ms_max": max(gaps_ms.values()),
        "blocks_over_3s": sum(gap > SLOW_MS for gap in gaps_ms.values()),
        "block_ms_median_at_changes": round(statistics.median(near)),
        "block_ms_max_at_changes": max(near),
    }


def _near(changes: Iterable[int]) -> set[int]:
    return {height + more for height in changes for more in range(AFTER_CHANGE_BLOCKS)}
