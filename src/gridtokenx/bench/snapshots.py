"""`bench snapshots`: how long it takes to make a snapshot of a large state, and to go on from it."""

import shutil
import tempfile
import time
from pathlib import Path

from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.bench.restart import RECORDS_OF_AN_ACCOUNT
from gridtokenx.bench.workload import NODE_ID, NODE_SEED, make_genesis, make_signers
from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import Application
from gridtokenx.engine.folder import DataFolder, create_data_folder
from gridtokenx.engine.restoration import Restoration
from gridtokenx.engine.snapshot_maker import make_snapshot
from gridtokenx.engine.snapshots import ProvedSnapshot, SnapshotStore
from gridtokenx.engine.storage import Reader, Storage
from gridtokenx.ledger.block import Block


def run(quick: bool) -> dict[str, object]:
    """A million records (a fifth of that when quick), one after the other on one core."""
    accounts = (200_000 if quick else 1_000_000) // RECORDS_OF_AN_ACCOUNT
    genesis = make_genesis(make_signers(100), accounts, accounts)
    path = Path(tempfile.mkdtemp(prefix="gtx-bench-"))
    try:
        return measure(path, genesis) | {
            "signature_us": signature_us(),
            "file_system": file_system(Path(tempfile.gettempdir())),
        }
    finally:
        shutil.rmtree(path, ignore_errors=True)


def measure(path: Path, genesis: bytes) -> dict[str, object]:
    """A node that has made one block, a snapshot of it, and a node that is restored from it."""
    first = create_data_folder(path / "first", genesis, NODE_SEED)
    app_hash = live_one_block(first, genesis, path / "checkpoint")
    store = SnapshotStore(first.snapshots)
    started = time.monotonic()
    snapshot = make_snapshot(Reader(path / "checkpoint", None), store)
    made_seconds = time.monotonic() - started
    joins = create_data_folder(path / "joins", genesis, NODE_SEED)
    started = time.monotonic()
    restoration = Restoration(joins, ProvedSnapshot(snapshot, app_hash, CONSORTIUM.kind))
    for index in range(snapshot.chunks):
        chunk = store.chunk(snapshot.height, snapshot.format, index)
        assert chunk is not None, "it was just made"
        restoration.apply(index, chunk)
    restoration.finish()
    restored_seconds = time.monotonic() - started
    started = time.monotonic()
    application = Application(CONSORTIUM, Storage(joins.database))
    application.load()
    return {
        "restore_seconds": round(restored_seconds, 2),
        "load_seconds": round(time.monotonic() - started, 2),
        "make_seconds": round(made_seconds, 2),
        "live_records": len(application.commitment),
        "chunks": snapshot.chunks,
        "bytes": store.folder(snapshot.height).bytes_held(),
    }


def live_one_block(folder: DataFolder, genesis: bytes, checkpoint: Path) -> bytes:
    """Begin with the genesis, make a block, and a checkpoint of the database after it; returns the app hash."""
    storage = Storage(folder.database)
    application = Application(CONSORTIUM, storage)
    application.init_chain(genesis)
    application.finalize_block(Block(1, application.last_block().time_ms + 1_000, NODE_ID, ()))
    application.commit()
    storage.checkpoint(checkpoint)
    storage.close()
    return application.info().app_hash
