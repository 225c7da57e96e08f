"""Snapshots as backups: of a node's folder, and into a new one."""

import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from gridtokenx.engine.folder import SEED_BYTES, DataFolder, FolderUnusable, create_data_folder, sync_folder
from gridtokenx.engine.restoration import Restoration
from gridtokenx.engine.snapshot_maker import make_snapshot
from gridtokenx.engine.snapshots import (
    ChunkRejected,
    ProvedSnapshot,
    Snapshot,
    SnapshotFolder,
    SnapshotRejected,
    SnapshotStore,
)
from gridtokenx.engine.storage import Head, Reader
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.errors import Rejected


def back_up(folder: DataFolder, store: SnapshotStore) -> Snapshot:
    """A snapshot of the last committed block; the node may be running. Raises `FolderUnusable` if the folder is none,
    FileNotFoundError if its node has never started, `SnapshotImpossible`, `DatabaseFailed`."""
    folder.require()
    folder.run.mkdir(exist_ok=True)
    own_files = Path(tempfile.mkdtemp(prefix="snapshot-", dir=folder.run))
    reader = Reader(folder.database, own_files)
    try:
        return make_snapshot(reader, store)
    finally:
        reader.close()
        shutil.rmtree(own_files, ignore_errors=True)


def restore_folder(
    path: Path,
    kept: SnapshotFolder,
    app_hash: bytes,
    kind: str,
    genesis: bytes,
    node_seed: bytes | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Head:
    """Make the folder of a node that goes on from a snapshot, believed only as far as it leads to `app_hash`. Without
    `node_seed` the node gets a key of its own. Returns where the chain stands.

    Raises `FolderUnusable` if something is at `path`, `SnapshotRejected` with the reason. Stopped at any moment, it
    leaves nothing at `path`.
    """
    if path.exists():
        raise FolderUnusable(f"{path} exists already: choose another folder, or delete it first")
    try:
        proved = ProvedSnapshot(kept.read(), app_hash, kind, hash_bytes(genesis))
    except Rejected as rejection:
        raise SnapshotRejected(f"its description is damaged: {rejection}") from None
    draft_path = path.with_name(f".{path.name}.restoring")
    shutil.rmtree(draft_path, ignore_errors=True)
    try:
        draft = create_data_folder(draft_path, genesis, node_seed or secrets.token_bytes(SEED_BYTES))
        head = _restore(draft, kept, proved, progress)
        draft_path.rename(path)
        sync_folder(path.parent)
        return head
    finally:
        shutil.rmtree(draft_path, ignore_errors=True)


def _restore(
    folder: DataFolder, kept: SnapshotFolder, proved: ProvedSnapshot, progress: Callable[[int, int], None]
) -> Head:
    restoration = Restoration(folder, proved)
    total = proved.snapshot.chunks
    try:
        for index in range(total):
            chunk = kept.chunk(index)
            if chunk is None:
                raise SnapshotRejected(f"chunk {index} is missing")
            restoration.apply(index, chunk)
            progress(index + 1, total)
    except (ChunkRejected, SnapshotRejected) as rejection:
        restoration.abandon()
        raise SnapshotRejected(str(rejection)) from None
    return restoration.finish()
