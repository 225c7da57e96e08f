"""Restoring: a database made of a snapshot's chunks, which takes the place of the present one when it is whole.

Until then the present one is not touched, and a process that is stopped at any moment leaves it as it was. What is in
a chunk is believed only when it leads to the app hash. Memory: one chunk, and the state itself if it is gathered.
"""

from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.folder import BEGINNING, DataFolder, settle_databases, swap_databases, sync_folder
from gridtokenx.engine.snapshots import ProvedSnapshot, SnapshotFolder
from gridtokenx.engine.storage import Head, Results, Storage
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.genesis import GatheredState


class Restoration:
    """One attempt, from an offer to its end. To be used by one thread."""

    def __init__(self, folder: DataFolder, proved: ProvedSnapshot, gathered: GatheredState | None = None) -> None:
        """Begin with an empty new database; what another attempt left behind goes. What is `gathered` on the way need
        not be read from the database again."""
        settle_databases(folder)
        self._folder = folder
        self._proved = proved
        self.gathered = gathered
        """What the chunks so far hold, if it is wanted."""
        self._storage = Storage(folder.new_database, sync=False)
        self._kept = SnapshotFolder(folder.new_database / BEGINNING)
        self._kept.path.mkdir(mode=0o700)
        self._trades: dict[int, tuple[bytes, ...]] = {}
        self.missing = set(range(proved.snapshot.chunks))
        """Chunks that are still to come, in any order."""

    def apply(self, index: int, chunk: bytes) -> None:
        """Take a chunk; one that was taken before is harmless. Raises `ChunkRejected`, after which everything is as
        it was before, and another chunk may come in its place; `DatabaseFailed`, OSError, and `Rejected` for a record
        that this chain does not know, end the attempt."""
        if index not in self.missing:
            return
        if self._proved.is_rows(index):
            rows, subtree = self._proved.range(index, chunk)
            self._kept.write_chunk(index, chunk)
            reached("restore.chunk_kept")
            self._storage.write_rows(rows)
            if self.gathered is not None:
                self.gathered.add(self._proved.metadata.ranges[index][0], rows, subtree)
        else:
            trades = self._proved.trades(index, chunk)
            self._kept.write_chunk(index, chunk)
            self._trades[index] = trades
        reached("restore.chunk_applied")
        self.missing.remove(index)

    def finish(self) -> Head:
        """With all chunks there: make the new database whole and put it in the place of the present one, which nobody
        may have open. Returns where the chain stands. Raises ValueError if chunks are missing."""
        if self.missing:
            raise ValueError(f"{len(self.missing)} chunks are missing")
        proved, metadata = self._proved, self._proved.metadata
        last = proved.last_block
        head = Head(metadata.kind, last.chain, last.height, last.time_ms, proved.app_hash, metadata.genesis_hash)
        trades = tuple(trade for index in sorted(self._trades) for trade in self._trades[index])
        results = Results(
            proved.app_hash,
            (),
            trades,
            last.summary,
            metadata.last_block,
            metadata.proof_items,
            metadata.proof_path,
        )
        self._kept.write_description(encode(proved.snapshot))
        self._storage.write_beginning(head, results)
        self._storage.close()
        sync_folder(self._folder.new_database)
        reached("restore.database_whole")
        swap_databases(self._folder)
        return head

    def abandon(self) -> None:
        """Give up: nothing is left of the attempt."""
        self._storage.close()
        settle_databases(self._folder)
