"""`bench join`: how long a new node needs to take over a large state from a network that runs.

One validator with its genesis, which makes blocks of a few orders and at some height a snapshot. When that is there, an
observer starts with nothing but its keys and the network's genesis, as after `gridtokenx network join`: it finds the
snapshot with its peer, checks and loads it, and runs through the blocks since. Both nodes and the load share this
machine; between two machines the bytes come on top, at the speed of the link.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from gridtokenx.bench.consensus_load import Announced, Lane, share_out
from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.bench.validators import Validators, found_validators
from gridtokenx.bench.workload import Signer, make_signers, signed_orders
from gridtokenx.engine.comet.binary import find_cometbft
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.link import NodeLink
from gridtokenx.engine.snapshots import SnapshotStore
from gridtokenx.operations.network.plan import NetworkPlan

SIGNERS: Final = 1_000
ORDERS_PER_SECOND: Final = 50.0
LOAD_SECONDS_MAX: Final = 500.0
"""Of transactions that are signed beforehand; they live for ten minutes."""
SNAPSHOT_BLOCKS: Final = 100
SNAPSHOT_BLOCKS_QUICK: Final = 12
BEHIND_BLOCKS_MAX: Final = 2
"""A node that is so many blocks behind has joined."""
LOOK_SECONDS: Final = 0.05
START_SECONDS_MAX: Final = 400.0
BUSY_SECONDS_MAX: Final = 480.0


def run(quick: bool) -> dict[str, object]:
    """Join a chain of a million accounts with an order each (a tenth of that when quick). Raises `CometMissing`."""
    find_cometbft()
    accounts = 100_000 if quick else 1_000_000
    plan = NetworkPlan(1, direct=True, gateways=1, snapshot_blocks=SNAPSHOT_BLOCKS_QUICK if quick else SNAPSHOT_BLOCKS)
    parent = Path(tempfile.mkdtemp(prefix="gtx-bench-"))
    try:
        print(f"genesis of {accounts:,} accounts and orders", flush=True)
        signers = make_signers(SIGNERS)
        folder = found_validators(parent / "n", plan, signers, accounts, accounts)
        print("the network starts", flush=True)
        validators = Validators(folder, plan, START_SECONDS_MAX)
        try:
            figures = asyncio.run(_measure(validators, signers))
        finally:
            validators.stop()
    finally:
        shutil.rmtree(parent, ignore_errors=True)
    return figures | {
        "accounts": accounts,
        "signature_us": signature_us(),
        "file_system": file_system(Path(tempfile.gettempdir())),
    }


async def _measure(validators: Validators, signers: list[Signer]) -> dict[str, object]:
    async with asyncio.timeout(BUSY_SECONDS_MAX), _listening(validators.folders[0]) as lane, _load(lane, signers):
        print("waiting for a snapshot", flush=True)
        store = SnapshotStore(validators.folders[0].snapshots)
        height, snapshot_s = await snapshot_seconds(lane, store)
        snapshot_bytes, chunks = store.folder(height).bytes_held(), store.folder(height).read().chunks
        print(f"a node joins from the snapshot of block {height}", flush=True)
        await validators.join()
        began, first, joins = time.monotonic(), lane.height, validators.folders[-1]
        while not joins.socket.exists():
            validators.cpu_us()
            await asyncio.sleep(LOOK_SECONDS)
        async with _listening(joins) as new:
            while not has_joined(new.blocks, lane.blocks):
                await new.next_block()
            join_s = time.monotonic() - began
            met = max(new.blocks.keys() & lane.blocks.keys())
        number = len(validators.folders)
        return {
            "join_s": round(join_s, 1),
            "join_cpu_s": round(validators.cpu_seconds_of(number), 1),
            "snapshot_s": round(snapshot_s, 1),
            "block_seconds_max": round(longest_gap(lane.blocks, range(height, met + 1)), 2),
            "block_seconds_mean": round((lane.blocks[met].at - lane.blocks[height].at) / (met - height), 2),
            "memory_bytes": validators.memory_bytes_of(number),
            "bytes_fetched": await validators.bytes_sent(),
            "snapshot_bytes": snapshot_bytes,
            "chunks": chunks,
            "blocks_since_snapshot": first - height,
            "refused": lane.refused,
        }


@asynccontextmanager
async def _listening(folder: DataFolder) -> AsyncIterator[Lane]:
    """A link to a node, on which blocks are heard."""
    lane = Lane(await NodeLink.connect(folder.socket))
    listening = asyncio.create_task(lane.listen())
    try:
        yield lane
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await lane.link.close()


@asynccontextmanager
async def _load(lane: Lane, signers: list[Signer]) -> AsyncIterator[None]:
    """Some orders a second through this node, for as long as the block lasts."""
    now_ms = time.time_ns() // 1_000_000
    share_out(list(signed_orders(signers, round(ORDERS_PER_SECOND * LOAD_SECONDS_MAX), now_ms)), len(signers), [lane])
    sending = asyncio.create_task(lane.keep_pace(ORDERS_PER_SECOND, time.monotonic(), LOAD_SECONDS_MAX))
    try:
        yield
    finally:
        lane.queue.clear()
        await sending


async def snapshot_seconds(lane: Lane, store: SnapshotStore) -> tuple[int, float]:
    """Height of the first snapshot, and how long after its block it was there."""
    heights: list[int] = []
    while not heights:
        await asyncio.sleep(LOOK_SECONDS)
        heights = store.heights()
    return heights[0], time.monotonic() - lane.blocks[heights[0]].at


def has_joined(new: dict[int, Announced], others: dict[int, Announced]) -> bool:
    """Whether the new node is with the others, at most two blocks behind. RuntimeError if it has another state."""
    if any(new[height].app_hash != others[height].app_hash for height in new.keys() & others.keys()):
        raise RuntimeError("the node that joined has another state")
    return bool(new.keys() & others.keys()) and max(new) >= max(others) - BEHIND_BLOCKS_MAX


def longest_gap(blocks: dict[int, Announced], heights: range) -> float:
    """Seconds between two blocks of these heights that were announced one after the other, at most."""
    return max(blocks[one].at - blocks[one - 1].at for one in heights if {one, one - 1} <= blocks.keys())
