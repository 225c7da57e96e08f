"""`bench consensus`: the same orders as in `bench ledger`, through N validators on this machine.

Real nodes with their workers and CometBFT, talking over TCP; orders are submitted evenly to all of them. First nothing
is sent, then as much as the nodes take, then half of that at fixed times, for latencies. CPU counts for all processes
of all nodes, but not for the load generator, nor for the proxy that delays the links: what those used is told apart.

What N machines would carry, each with one node on two cores like these and a link of 1 Gbit/s, follows from what an
order costs every node, over what a node costs without orders (`capacity`).
"""

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gridtokenx.bench.consensus_load import Lane, share_out
from gridtokenx.bench.gateway_load import summary
from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.bench.validators import COMETBFT, KINDS, NODE, PROXIES, WORKERS, Validators, found_validators
from gridtokenx.bench.workload import Signer, make_signers, signed_orders
from gridtokenx.engine.comet.binary import find_cometbft
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.link import NodeLink
from gridtokenx.engine.storage import Reader
from gridtokenx.operations.network.plan import NetworkPlan

SIGNERS: Final = 10_000
RESTING: Final = 10_000
IDLE_SECONDS: Final = 5.0
TRIAL_ORDERS: Final = 100_000
"""For one node. More nodes on one machine share what it can."""
TRIAL_WAITING: Final = 30_000
TRIAL_SECONDS: Final = 6.0
WARM_UP_SECONDS: Final = 3.0
"""Of saturation and of latency, before anything counts."""
MARGIN: Final = 1.6
"""So many times what a trial says is signed."""
WAITING_SECONDS: Final = 3.0
"""What waits of an overload: orders for so long, two blocks and more."""
LATENCY_SHARE: Final = 0.5
BLOCK_SECONDS: Final = 1.0
CORES: Final = 2
LINK_BYTES_PER_SECOND: Final = 125_000_000
"""1 Gbit/s."""
BUSY_SECONDS_MAX: Final = 900.0
"""One network's whole measurement."""


@dataclass(frozen=True, slots=True)
class Moment:
    """All counters of a network, when a block was announced."""

    height: int
    at: float
    cpu_us: Counter[str]
    load_cpu_us: int
    bytes_sent: int


@dataclass(frozen=True, slots=True)
class Blocks:
    """What is in some blocks."""

    orders: int = 0
    trades: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """What happened between two blocks."""

    nodes: int
    blocks: int
    seconds: float
    block_seconds_max: float
    rounds_lost: int
    orders: int
    trades: int
    cpu_us: Counter[str]
    load_cpu_us: int
    bytes_sent: int

    @property
    def orders_per_second(self) -> float:
        """In blocks."""
        return self.orders / self.seconds

    @property
    def block_seconds_mean(self) -> float:
        """From block to block."""
        return self.seconds / self.blocks

    def cpu_us_per_second(self, kind: str) -> float:
        """Of one node."""
        return self.cpu_us[kind] / self.seconds / self.nodes

    def cpu_us_per_order(self, kind: str) -> float:
        """Of one node, everything that it did."""
        return self.cpu_us[kind] / self.orders / self.nodes

    @property
    def bytes_sent_per_node_and_second(self) -> float:
        """To all peers together."""
        return self.bytes_sent / self.seconds / self.nodes

    @property
    def load_share(self) -> float:
        """Of all CPU that was used, what the measuring took: its generator, and the proxy."""
        own = self.load_cpu_us + self.cpu_us[PROXIES]
        return own / (own + sum(self.cpu_us[kind] for kind in KINDS))


@dataclass(frozen=True, slots=True)
class Measured:
    """One network."""

    nodes: int
    idle: Span
    busy: Span
    paced: Span
    latency: dict[str, float]
    failed: int
    memory_bytes: int
    signature_us: float


def run(
    quick: bool,
    validators: Sequence[int] = (1,),
    seconds: float | None = None,
    *,
    fast: bool = False,
    delay_ms: int = 0,
) -> dict[str, object]:
    """The figures of `bench consensus`; of several networks a table, and the figures of each. Raises `CometMissing`."""
    find_cometbft()
    wanted = seconds if seconds is not None else 15.0 if quick else 60.0
    figures = []
    for nodes in validators:
        plan = NetworkPlan(
            nodes,
            blocks="fast" if fast else "normal",
            direct=not delay_ms,
            delay_ms=delay_ms,
            gateways=1,
            workers=CORES if nodes == 1 else 1,
            processors=1 if nodes > CORES else 0,
        )
        figures.append(figures_of(measure(plan, wanted)) | {"fast": fast, "delay_ms": delay_ms})
    if len(figures) == 1:
        return figures[0] | {"file_system": file_system(Path(tempfile.gettempdir()))}
    print(table(figures), flush=True)
    return {f"validators_{one['validators']}": one for one in figures}


def measure(plan: NetworkPlan, seconds: float) -> Measured:
    """One network from its genesis to its end."""
    parent = Path(tempfile.mkdtemp(prefix="gtx-bench-"))
    try:
        print(f"{plan.validators} validators: genesis", flush=True)
        signers = make_signers(SIGNERS)
        folder = found_validators(parent / "n", plan, signers, RESTING)
        validators = Validators(folder, plan)
        try:
            return asyncio.run(_measure(validators, signers, seconds))
        finally:
            validators.stop()
    finally:
        shutil.rmtree(parent, ignore_errors=True)


async def _measure(validators: Validators, signers: list[Signer], seconds: float) -> Measured:
    async with asyncio.timeout(BUSY_SECONDS_MAX), _lanes(validators.folders) as lanes:
        course = _Course(validators, lanes, signers)
        print("nothing is sent", flush=True)
        idle = await course.quiet(IDLE_SECONDS)
        print("a trial", flush=True)
        course.sign_up_to(TRIAL_ORDERS / len(lanes))
        trial = await course.saturated(TRIAL_SECONDS / 2, TRIAL_SECONDS / 2, TRIAL_WAITING // len(lanes))
        waiting = round(trial.orders_per_second * WAITING_SECONDS)
        course.sign_up_to(trial.orders_per_second * (WARM_UP_SECONDS + seconds) * MARGIN + waiting)
        print(f"as much as they take, for {seconds:.0f} s", flush=True)
        unit = signature_us()
        busy = await course.saturated(WARM_UP_SECONDS, seconds, waiting)
        unit = min(unit, signature_us())
        rate = busy.orders_per_second * LATENCY_SHARE
        course.sign_up_to(rate * (WARM_UP_SECONDS + seconds / 2 + 1))
        print(f"{rate:,.0f} orders a second at fixed times", flush=True)
        paced, latency, failed = await course.paced(rate, seconds / 2)
        course.require_agreement()
        return Measured(len(lanes), idle, busy, paced, latency, failed, validators.memory_bytes(), unit)


@asynccontextmanager
async def _lanes(folders: Sequence[DataFolder]) -> AsyncIterator[list[Lane]]:
    """A link to each node, on which blocks are heard."""
    async with AsyncExitStack() as stack:
        lanes = [Lane(await NodeLink.connect(folder.socket)) for folder in folders]
        for lane in lanes:
            stack.push_async_callback(lane.link.close)
        listening = [asyncio.create_task(lane.listen()) for lane in lanes]
        yield lanes
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)


class _Course:
    """What is done to one network, a thing after the other."""

    def __init__(self, validators: Validators, lanes: Sequence[Lane], signers: list[Signer]) -> None:
        self._validators = validators
        self._lanes = lanes
        self._signers = signers
        self._seed = 0

    def sign_up_to(self, wanted: float) -> None:
        """So many transactions wait to be sent; the network goes on meanwhile."""
        count = max(0, round(wanted) - sum(len(lane.queue) for lane in self._lanes))
        print(f"signing {count:,} orders", flush=True)
        self._seed += 1
        now_ms = time.time_ns() // 1_000_000
        orders = list(signed_orders(self._signers, count, now_ms, self._seed))
        share_out(orders, len(self._signers), self._lanes)

    async def quiet(self, seconds: float) -> Span:
        """Empty blocks."""
        begin = await self._moment()
        await asyncio.sleep(seconds)
        return await self._span(begin, await self._moment())

    async def saturated(self, warm_up_seconds: float, seconds: float, waiting_max: int) -> Span:
        """As much as the nodes take, until the time or the transactions are used up; what waits is drained after."""
        stop = asyncio.Event()
        each = max(2, waiting_max // len(self._lanes))
        feeding = asyncio.gather(*(lane.saturate(each, stop) for lane in self._lanes))
        await asyncio.sleep(warm_up_seconds)
        begin = await self._moment()
        # Looking at all processes costs: only at the first and the last block.
        while time.monotonic() < begin.at + seconds - BLOCK_SECONDS and all(lane.queue for lane in self._lanes):
            await self._lanes[0].next_block()
        end = await self._moment()
        stop.set()
        await feeding
        await asyncio.gather(*(lane.drain() for lane in self._lanes))
        return await self._span(begin, end)

    async def paced(self, per_second: float, seconds: float) -> tuple[Span, dict[str, float], int]:
        """What happens at this rate, seconds from due to final, and how many never were."""
        started, lanes = time.monotonic() + 0.2, self._lanes
        whole, each = WARM_UP_SECONDS + seconds, per_second / len(lanes)
        sending = asyncio.gather(*(lane.keep_pace(each, started, whole) for lane in lanes))
        await asyncio.sleep(WARM_UP_SECONDS)
        begin = await self._moment()
        sent = await sending
        end = await self._moment()
        await asyncio.gather(*(lane.drain() for lane in lanes))
        counted = [[one for one in some if one.due >= started + WARM_UP_SECONDS] for some in sent]
        waited = [await lane.latencies(some) for lane, some in zip(lanes, counted, strict=True)]
        flat = [one * 1_000 for some in waited for one in some]
        return await self._span(begin, end), summary(flat), sum(map(len, counted)) - len(flat)

    def require_agreement(self) -> None:
        """RuntimeError if two nodes had different states after a block."""
        for height in sorted(self._lanes[0].blocks):
            hashes = {lane.blocks[height].app_hash for lane in self._lanes if height in lane.blocks}
            if len(hashes) > 1:
                raise RuntimeError(f"block {height}: the nodes disagree")

    async def _moment(self) -> Moment:
        """At the next block."""
        lane = self._lanes[0]
        height = await lane.next_block()
        cpu, own = self._validators.cpu_us(), time.process_time_ns() // 1_000
        return Moment(height, lane.blocks[height].at, cpu, own, await self._validators.bytes_sent())

    async def _span(self, begin: Moment, end: Moment) -> Span:
        heights = range(begin.height + 1, end.height + 1)
        announced = self._lanes[0].blocks
        gaps = [announced[one].at - announced[one - 1].at for one in heights if {one, one - 1} <= announced.keys()]
        inside = _count(self._validators.folders[0], heights)
        return Span(
            len(self._lanes),
            len(heights),
            end.at - begin.at,
            max(gaps),
            await self._validators.rounds_lost(heights[0], heights[-1]),
            inside.orders,
            inside.trades,
            end.cpu_us - begin.cpu_us,
            end.load_cpu_us - begin.load_cpu_us,
            end.bytes_sent - begin.bytes_sent,
        )


def _count(folder: DataFolder, heights: range) -> Blocks:
    """Orders and trades in these blocks of a running node."""
    reader = Reader(folder.database, folder.run / "bench")
    reader.refresh()
    results = [found for height in heights if (found := reader.results(height)) is not None]
    reader.close()
    orders = sum(len(batch.receipts) for found in results for batch in found.batches)
    return Blocks(orders, sum(len(found.trades) for found in results))


def figures_of(measured: Measured) -> dict[str, object]:
    """What is printed of one network."""
    busy, idle, nodes = measured.busy, measured.idle, measured.nodes
    links = nodes * (nodes - 1) // 2
    each_us = sum(busy.cpu_us_per_order(kind) for kind in KINDS)
    return {
        "validators": nodes,
        "orders_per_second": round(busy.orders_per_second),
        "cost_ratio": round(each_us / measured.signature_us, 2),
        "cpu_us_per_order_and_node": round(each_us, 1),
        **{f"cpu_us_{kind}": round(busy.cpu_us_per_order(kind), 1) for kind in (NODE, WORKERS, COMETBFT)},
        "signature_us": measured.signature_us,
        "block_seconds_mean": round(busy.block_seconds_mean, 2),
        "block_seconds_max": round(busy.block_seconds_max, 2),
        "blocks": busy.blocks,
        "seconds": round(busy.seconds, 1),
        "rounds_lost": busy.rounds_lost,
        "orders": busy.orders,
        "trades_per_order": round(busy.trades / busy.orders, 2),
        "p50_s": round(measured.latency["p50_ms"] / 1_000, 2),
        "p99_s": round(measured.latency["p99_ms"] / 1_000, 2),
        "paced_per_second": round(measured.paced.orders_per_second),
        "paced_block_seconds_mean": round(measured.paced.block_seconds_mean, 2),
        "paced_cpu_us_per_order_and_node": round(sum(measured.paced.cpu_us_per_order(kind) for kind in KINDS), 1),
        "failed": measured.failed,
        "bytes_per_order_and_link": round(busy.bytes_sent / busy.orders / links) if links else 0,
        "idle_block_seconds_mean": round(idle.block_seconds_mean, 2),
        "idle_cores": round(sum(idle.cpu_us_per_second(kind) for kind in KINDS) / 1e6, 4),
        "idle_bytes_per_second_and_link": round(idle.bytes_sent / idle.seconds / links) if links else 0,
        "memory_bytes_per_node": measured.memory_bytes,
        "load_share": round(busy.load_share, 3),
        "capacity_orders_per_second": round(capacity(idle, busy)),
    }


def capacity(idle: Span, busy: Span) -> float:
    """Orders a second that as many machines would carry as there are nodes, each with two cores and 1 Gbit/s:

        min( (cores - idle) / (busy - idle),   all processes of a node on all cores
             (1 - idle) / (busy - idle),       the node process alone on one: it executes one thing after another
             (link - idle) / (busy - idle) )   bytes that a node sends to all its peers

    where `idle` is what a node uses a second without orders, and `busy - idle` what an order costs it above that.
    """

    def most(limit: float, unused: float, used: float) -> float:
        return (limit - unused) / max((used - unused) / busy.orders_per_second, 1e-9)

    whole = [sum(span.cpu_us_per_second(kind) for kind in KINDS) for span in (idle, busy)]
    alone = [span.cpu_us_per_second(NODE) for span in (idle, busy)]
    sent = [span.bytes_sent_per_node_and_second for span in (idle, busy)]
    return min(most(CORES * 1e6, *whole), most(1e6, *alone), most(LINK_BYTES_PER_SECOND, *sent))


COLUMNS: Final = {
    "validators": "validators",
    "orders_per_second": "orders/s here",
    "block_seconds_mean": "block, s",
    "paced_block_seconds_mean": "at half load",
    "p50_s": "p50, s",
    "p99_s": "p99, s",
    "cpu_us_per_order_and_node": "CPU µs an order and node",
    "cost_ratio": "/ signature",
    "bytes_per_order_and_link": "bytes an order and link",
    "idle_cores": "cores of an idle node",
    "memory_bytes_per_node": "memory a node, MB",
    "capacity_orders_per_second": "as many machines carry, orders/s",
}
"""Figures of the table, and what stands above them."""


def table(figures: Sequence[dict[str, object]]) -> str:
    """Networks as lines of Markdown."""
    lines = [[_cell(name, one[name]) for name in COLUMNS] for one in figures]
    head = [list(COLUMNS.values()), ["---:"] * len(COLUMNS)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [*head, *lines])


def _cell(name: str, value: object) -> str:
    if name == "memory_bytes_per_node":
        value = round(int(str(value)) / 1e6)
    return f"{value:,}" if isinstance(value, int | float) else str(value)
