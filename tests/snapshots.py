"""A chain that lives in a folder, snapshots of it, and nodes restored from them: as a node does it, without one."""

import random
import shutil
from collections.abc import Iterable
from pathlib import Path

from gridtokenx.engine.application import Application
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.restoration import Restoration
from gridtokenx.engine.snapshot_maker import make_snapshot
from gridtokenx.engine.snapshots import ProvedSnapshot, Snapshot, SnapshotStore
from gridtokenx.engine.storage import Reader, Storage
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.genesis import GatheredState
from gridtokenx.ledger.module import Chain


def new_folder(path: Path) -> DataFolder:
    folder = DataFolder(path)
    folder.database.mkdir(parents=True)
    folder.snapshots.mkdir()
    return folder


def begin(chain: Chain, genesis: bytes, folder: DataFolder) -> Application:
    """A node's application at its genesis, with its database."""
    application = Application(chain, Storage(folder.database, sync=False))
    application.init_chain(genesis)
    return application


def resume(chain: Chain, folder: DataFolder) -> Application:
    """The same after a start."""
    application = Application(chain, Storage(folder.database, sync=False))
    assert application.load()
    return application


def adopt(chain: Chain, folder: DataFolder, gathered: GatheredState) -> Application:
    """The same without a start: with the state that was gathered while the folder was restored."""
    application = Application(chain)
    application.adopt(Storage(folder.database, sync=False), gathered)
    return application


def live(application: Application, blocks: Iterable[Block]) -> list[BlockOutcome]:
    """Execute and keep blocks."""
    outcomes = []
    for block in blocks:
        outcomes.append(application.finalize_block(block))
        application.commit()
    return outcomes


def checkpoint(application: Application, path: Path) -> Path:
    """What a snapshot of the last block is made from."""
    application.storage.checkpoint(path)
    return path


def make(files: Path, store: SnapshotStore, range_bytes: int) -> Snapshot:
    """A snapshot of a checkpoint."""
    reader = Reader(files, None)
    try:
        return make_snapshot(reader, store, range_bytes)
    finally:
        reader.close()


def take(application: Application, folder: DataFolder, range_bytes: int = 10_000) -> Snapshot:
    """A snapshot of the last block, in the folder's store."""
    files = checkpoint(application, folder.path / "checkpoint")
    try:
        return make(files, SnapshotStore(folder.snapshots), range_bytes)
    finally:
        shutil.rmtree(files)


def proved(application: Application, snapshot: Snapshot, genesis: bytes) -> ProvedSnapshot:
    """The snapshot under the application's present app hash."""
    return ProvedSnapshot(snapshot, application.info().app_hash, application.chain.kind, hash_bytes(genesis))


def put(store: SnapshotStore, snapshot: Snapshot) -> None:
    """Publish it with one chunk, which names its height."""
    draft = store.draft(snapshot.height)
    draft.write_chunk(0, b"chunk %d" % snapshot.height)
    assert store.chunk(snapshot.height, snapshot.format, 0) is None, "unfinished"
    draft.write_description(encode(snapshot))
    store.publish(snapshot.height, draft)


def chunks_of(store: SnapshotStore, snapshot: Snapshot) -> list[bytes]:
    """All of them, in order; read by nobody who takes it."""
    folder = store.folder(snapshot.height)
    chunks = [folder.chunk(index) for index in range(snapshot.chunks)]
    assert None not in chunks
    return [chunk for chunk in chunks if chunk is not None]


def restore(
    folder: DataFolder,
    snapshot: ProvedSnapshot,
    chunks: list[bytes],
    seed: int = 0,
    gathered: GatheredState | None = None,
) -> None:
    """Into this folder, chunks coming in an order of the seed's."""
    restoration = Restoration(folder, snapshot, gathered)
    order = list(range(len(chunks)))
    random.Random(seed).shuffle(order)
    for index in order:
        restoration.apply(index, chunks[index])
    assert restoration.missing == set()
    restoration.finish()
