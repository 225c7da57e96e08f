"""What it costs a node to write down what it saw (`engine.sightings`): time and disk for each batch."""

import shutil
import tempfile
import time
from pathlib import Path

from gridtokenx.bench.workload import CHAIN, NODE_ID, NODE_SEED, make_signers, signed_orders
from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.folder import NodeKey
from gridtokenx.engine.mempool import BatchAuthor
from gridtokenx.engine.sightings import Watch, now_ms
from gridtokenx.engine.storage import Storage
from gridtokenx.engine.worker import Checked, check

BATCHES_PER_BLOCK = 50
"""Of four nodes that each pack a dozen times between two blocks."""


def sighting_cost(blocks: int) -> dict[str, object]:
    """`sighting_us`: of this process's time, `sighting_bytes`: on the disk when the database is closed; each of a
    batch."""
    signers = make_signers(BATCHES_PER_BLOCK)
    time_ms = now_ms()
    orders = list(signed_orders(signers, BATCHES_PER_BLOCK, time_ms))
    checked = [one for one in (check(wire, CONSORTIUM) for wire in orders) if isinstance(one, Checked)]
    author = BatchAuthor(CHAIN, NODE_ID, NodeKey(NODE_SEED), 1)
    made = [
        [author.sign((wire,), [one], time_ms + number) for wire, one in zip(orders, checked, strict=True)]
        for number in range(blocks)
    ]
    path = Path(tempfile.mkdtemp(prefix="gtx-bench-"))
    try:
        storage, watch = Storage(path / "db"), Watch()
        storage.close()
        before = sum(file.stat().st_size for file in (path / "db").iterdir())
        storage = Storage(path / "db")
        started = time.process_time()
        for number, batches in enumerate(made):
            for batch in batches:
                watch.batch(batch, now_ms())
            watch.proposal([batch.wire for batch in batches])
            watch.decided([batch.wire for batch in batches])
            storage.write_sightings(number + 1, watch.take())
        seconds = time.process_time() - started
        storage.close()
        grown = sum(file.stat().st_size for file in (path / "db").iterdir()) - before
    finally:
        shutil.rmtree(path, ignore_errors=True)
    count = blocks * BATCHES_PER_BLOCK
    return {"sighting_us": round(seconds / count * 1e6, 2), "sighting_bytes": round(grown / count)}
