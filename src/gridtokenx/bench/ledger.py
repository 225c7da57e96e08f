"""`bench ledger`: orders a second through a real, durable node, and what an order costs.

A node process with its verify workers, RocksDB with fsync and the journal; a load generator in this process that
hands over transactions signed beforehand. One order a transaction and signature, 10,000 signers, 10 % cancels, more
than 30 % of orders crossing, with holds, fees, receipts and trades. CPU counts for all processes but this one.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gridtokenx.bench.report import cpu_seconds, file_system, memory_peak_bytes, signature_us
from gridtokenx.bench.workload import NODE_SEED, Signer, make_genesis, make_signers, signed_orders
from gridtokenx.engine.folder import DataFolder, create_data_folder
from gridtokenx.engine.link import NodeLink
from gridtokenx.engine.mempool import Standing
from gridtokenx.engine.storage import Reader
from gridtokenx.operations.network.tree import descendants

CHAIN_PATH = "gridtokenx.chains.consortium:CONSORTIUM"
SIGNERS = 10_000
CHUNK = 500
UNDER_WAY_MAX = 40
"""Chunks submitted and not yet answered."""

PENDING_MAX = 60_000
"""Transactions accepted and not yet in a block: some blocks of them, so that all parts of the node work side by side
all the time, and the last ones are soon done."""

START_SECONDS_MAX = 120


@dataclass(frozen=True)
class Run:
    """What one run measured."""

    orders_per_second: float
    cpu_us_per_order: float
    cost_ratio: float
    memory_bytes: int
    committed: int
    trades_per_order: float
    signature_us: float


def run(quick: bool) -> dict[str, object]:
    """The figures of `bench ledger`; the large state only in the full run."""
    count = 150_000 if quick else 200_000
    small = measure(count, accounts=SIGNERS, resting=SIGNERS)
    figures: dict[str, object] = {
        "orders_per_second": round(small.orders_per_second),
        "cost_ratio": round(small.cost_ratio, 2),
        "cpu_us_per_order": round(small.cpu_us_per_order, 1),
        "signature_us": small.signature_us,
        "trades_per_order": round(small.trades_per_order, 2),
        "memory_bytes": small.memory_bytes,
        "orders": small.committed,
        "file_system": file_system(Path(tempfile.gettempdir())),
    }
    if not quick:
        large = measure(count, accounts=1_000_000, resting=1_000_000)
        figures["growth_ratio"] = round(large.cost_ratio / small.cost_ratio, 2)
        figures["large_orders_per_second"] = round(large.orders_per_second)
        figures["large_cost_ratio"] = round(large.cost_ratio, 2)
        figures["large_memory_bytes"] = large.memory_bytes
    return figures


def measure(count: int, accounts: int, resting: int, after: Callable[[Path], None] = lambda data: None) -> Run:
    """One node from a genesis of the given size, and `count` orders through it; `after` may look at its data folder
    when the node has stopped."""
    now_ms = time.time_ns() // 1_000_000
    signers = make_signers(SIGNERS)
    print(f"genesis with {accounts:,} accounts and {resting:,} resting orders", flush=True)
    genesis = make_genesis(signers, accounts, resting, now_ms)
    folder = Path(tempfile.mkdtemp(prefix="gtx-bench-"))
    try:
        create_data_folder(folder / "data", genesis, NODE_SEED)
        del genesis
        measured = with_node(folder / "data", signers, count)
        after(folder / "data")
        return measured
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def with_node(data: Path, signers: list[Signer], count: int) -> Run:
    command = [sys.executable, "-m", "gridtokenx.engine.node", "--data", str(data), "--chain", CHAIN_PATH]
    node = subprocess.Popen(command)
    try:
        print(f"signing {count:,} orders", flush=True)
        transactions = list(signed_orders(signers, count, time.time_ns() // 1_000_000))
        return asyncio.run(_load(DataFolder(data), node, transactions))
    finally:
        node.terminate()
        node.wait()


async def _load(folder: DataFolder, node: "subprocess.Popen[bytes]", transactions: list[bytes]) -> Run:
    """Submit all, wait until the last is committed; CPU from the first to the last."""
    link = await connect(folder, node)
    pids = [node.pid, *descendants(node.pid)]
    before, unit = sum(map(cpu_seconds, pids)), signature_us()
    chunks = [transactions[start : start + CHUNK] for start in range(0, len(transactions), CHUNK)]
    gate = asyncio.Semaphore(UNDER_WAY_MAX)

    async def submit(chunk: list[bytes]) -> list[bytes]:
        left, ids = chunk, []
        try:
            while left:
                answers = await link.submit(left)
                ids += [one.transaction_id for one in answers if one.standing != Standing.BUSY]
                left = [wire for wire, one in zip(left, answers, strict=True) if one.standing == Standing.BUSY]
                if left:
                    await asyncio.sleep(0.05)
        finally:
            gate.release()
        return ids

    print("submitting", flush=True)
    started = time.monotonic()
    tasks = []
    for chunk in chunks:
        await gate.acquire()
        while (await link.info()).pending > PENDING_MAX:  # noqa: ASYNC110 - another process empties its pool
            await asyncio.sleep(0.02)
        tasks.append(asyncio.create_task(submit(chunk)))
    ids = [name for part in await asyncio.gather(*tasks) for name in part]
    while (await link.info()).pending:  # noqa: ASYNC110 - another process empties its pool
        await asyncio.sleep(0.01)
    seconds = time.monotonic() - started
    cpu = sum(map(cpu_seconds, pids)) - before
    unit = min(unit, signature_us())
    committed = await _count_committed(link, ids)
    memory = memory_peak_bytes(node.pid)
    await link.close()
    traded = _count_trades(folder)
    each_us = cpu / len(transactions) * 1e6
    return Run(committed / seconds, each_us, each_us / unit, memory, committed, traded / len(transactions), unit)


async def _count_committed(link: NodeLink, ids: list[bytes]) -> int:
    committed = 0
    for start in range(0, len(ids), CHUNK):
        answers = await link.status(ids[start : start + CHUNK])
        committed += sum(one.standing == Standing.COMMITTED for one in answers)
    return committed


def _count_trades(folder: DataFolder) -> int:
    own_files = folder.run / "bench"
    reader = Reader(folder.database, own_files)
    reader.refresh()
    head = reader.head()
    heights = range(1, head.height + 1) if head else range(0)
    count = sum(len(results.trades) for results in map(reader.results, heights) if results)
    reader.close()
    return count


async def connect(folder: DataFolder, node: "subprocess.Popen[bytes]") -> NodeLink:
    """A link to a node that is starting; RuntimeError if it ends, or takes more than two minutes."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and node.poll() is None:
        try:
            return await NodeLink.connect(folder.socket)
        except OSError:
            await asyncio.sleep(0.1)
    raise RuntimeError("the node did not start: its last lines say why")
