"""Where verification begins: with the genesis, or with the snapshot that a database was restored from.

A restored database holds no blocks from before. So its first state is that of the snapshot, which it has kept: every
chunk is checked against the app hash again. That app hash is what the node was told to trust; the blocks after it prove
nothing about it, so `verify` says it, and another node can be asked.
"""

from typing import NamedTuple

from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.snapshots import ProvedSnapshot, SnapshotFolder
from gridtokenx.engine.storage import Head
from gridtokenx.ledger.genesis import Row, genesis_rows


class Beginning(NamedTuple):
    """The first state, and the trades of the block that left it."""

    rows: tuple[Row, ...]
    trades: tuple[bytes, ...]


def read_beginning(folder: DataFolder, kind: str, genesis: bytes, restored: Head | None) -> Beginning:
    """`genesis` are the bytes of the genesis, `restored` is what the database says it was restored at. Raises what
    damage makes of it, naming the chunk."""
    if restored is None:
        return Beginning(tuple(genesis_rows(kind, genesis)), ())
    kept = SnapshotFolder(folder.beginning)
    if not kept.path.is_dir():
        raise ValueError("the snapshot that the database was restored from is missing")
    proved = ProvedSnapshot(kept.read(), restored.app_hash, kind, restored.genesis_hash)
    rows: list[Row] = []
    trades: list[bytes] = []
    for index in range(proved.snapshot.chunks):
        chunk = kept.chunk(index)
        if chunk is None:
            raise ValueError(f"chunk {index} is missing")
        if proved.is_rows(index):
            rows += proved.rows(index, chunk)
        else:
            trades += proved.trades(index, chunk)
    return Beginning(tuple(rows), tuple(trades))
