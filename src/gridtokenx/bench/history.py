"""`bench history`: what an archive costs: bytes and time of a block with and without history, and how it grows.

Blocks of orders are executed once; what they did is written to a database without history, then to one with it, each
with fsync. Bytes are those that this process gave to the kernel for files, all compactions included.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.bench.workload import CHAIN, NODE_ID, NODE_SEED, make_genesis, make_signers, signed_orders
from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import LAST_BLOCK_STATE_KEY, Application
from gridtokenx.engine.folder import NodeKey
from gridtokenx.engine.mempool import BatchAuthor
from gridtokenx.engine.storage import Reader, Storage
from gridtokenx.engine.worker import Checked, check
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.commitment import Proof
from gridtokenx.ledger.limits import TRANSACTION_LIFETIME_MS_MAX

ORDERS_PER_BLOCK = 1_000
SIGNERS = 10_000
LOOKUPS = 2_000

Made = tuple[Block, BlockOutcome, Proof]


@dataclass(frozen=True)
class Cost:
    """Of one database."""

    bytes_per_block: float
    block_ms: float
    folder_bytes: int
    lookup_us: float


def run(quick: bool) -> dict[str, object]:
    """The figures; a million orders make the full run's growth no guess, the quick one's is scaled."""
    blocks = 60 if quick else 400
    signers = make_signers(SIGNERS)
    genesis = make_genesis(signers, SIGNERS, SIGNERS)
    path = Path(tempfile.mkdtemp(prefix="gtx-bench-"))
    try:
        application = Application(CONSORTIUM)
        application.init_chain(genesis)
        print(f"executing {blocks} blocks of {ORDERS_PER_BLOCK:,} orders", flush=True)
        orders = list(signed_orders(signers, blocks * ORDERS_PER_BLOCK, application.last_block().time_ms))
        made = [make_block(application, orders[at : at + ORDERS_PER_BLOCK], at) for at in range(0, len(orders), 1_000)]
        without = measure(path / "without", genesis, made, history=False)
        kept = measure(path / "with", genesis, made, history=True)
    finally:
        shutil.rmtree(path, ignore_errors=True)
    million = 1_000_000 / len(orders)
    return {
        "write_amplification": round(kept.bytes_per_block / without.bytes_per_block, 2),
        "block_ms": round(without.block_ms, 2),
        "archive_block_ms": round(kept.block_ms, 2),
        "bytes_per_block": round(without.bytes_per_block),
        "archive_bytes_per_block": round(kept.bytes_per_block),
        "growth_bytes_per_million_orders": round((kept.folder_bytes - without.folder_bytes) * million),
        "bytes_per_million_orders": round(without.folder_bytes * million),
        "lookup_us": round(kept.lookup_us, 1),
        "changes_per_block": round(statistics.fmean(len(outcome.changes) for _, outcome, _ in made)),
        "orders": len(orders),
        "signature_us": signature_us(),
        "file_system": file_system(Path(tempfile.gettempdir())),
    }


def make_block(application: Application, orders: Sequence[bytes], sequence: int) -> Made:
    """Execute a block of these orders in one batch."""
    checked = [one for one in (check(wire, CONSORTIUM) for wire in orders) if isinstance(one, Checked)]
    assert len(checked) == len(orders), "the workload signs rightly"
    last = application.last_block()
    author = BatchAuthor(CHAIN, NODE_ID, NodeKey(NODE_SEED), sequence + 1)
    batch = author.sign(tuple(orders), checked, last.time_ms + TRANSACTION_LIFETIME_MS_MAX)
    block = Block(last.height + 1, last.time_ms + 1_000, NODE_ID, (batch.wire,))
    outcome = application.finalize_block(block, lambda wire: batch.signatures)
    proof = application.commitment.prove(LAST_BLOCK_STATE_KEY)
    application.commit()
    return block, outcome, proof


def measure(path: Path, genesis: bytes, made: Sequence[Made], *, history: bool) -> Cost:
    """Write all blocks to a new database, and close it."""
    storage = Storage(path, history=history)
    Application(CONSORTIUM, storage).init_chain(genesis)
    storage.close()
    storage = Storage(path)
    before, seconds = bytes_written(), []
    for block, outcome, proof in made:
        started = time.perf_counter()
        storage.write_block(block, outcome, proof, ())
        seconds.append(time.perf_counter() - started)
    storage.close()
    written = bytes_written() - before
    lookup_us = look_up(Reader(path, None), made) if history else 0.0
    folder = sum(file.stat().st_size for file in path.iterdir())
    return Cost(written / len(made), statistics.fmean(seconds) * 1_000, folder, lookup_us)


def look_up(reader: Reader, made: Sequence[Made]) -> float:
    """Microseconds to find the version that counted at some height."""
    history, draw = reader.history(), Random(1)
    keys = [key for _, outcome, _ in made[:20] for key, _ in outcome.changes]
    wanted = [(draw.choice(keys), draw.randint(history.since, history.until)) for _ in range(LOOKUPS)]
    started = time.perf_counter()
    for key, height in wanted:
        history.at(key, height)
    seconds = time.perf_counter() - started
    reader.close()
    return seconds / LOOKUPS * 1e6


def bytes_written() -> int:
    """What this process has given to the kernel for files so far."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["wchar"])
