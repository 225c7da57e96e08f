"""Snapshots: the state after one block, in chunks that a node which joins can check one by one.

A snapshot is *metadata* and numbered *chunks*. The metadata holds the record of the last block with its proof, and the
hashes of a cut of the state (`ledger.ranges`): both lead to the app hash, so whoever has that from the chain knows
before the first chunk whether a snapshot is one of this state. First come the chunks of the ranges, in order: all
records of a range, by key hash. Then come the trades of the last block, whose Merkle root stands in its record. So a
chunk that does not hold what the metadata says was damaged, or made up, by who sent it.

What a chunk holds is canonical, and so are the cut and the metadata: snapshots of one state are alike on all nodes.
Deflate only makes it smaller on the way (by half), and may differ.

    a chunk         CRC-32 of what follows (4 bytes, big-endian) ‖ raw deflate stream of the content
    content         the rows, or trades, as an array
    snapshots/      one folder for each height; names with a dot in front are unfinished, or on their way out
"""

import contextlib
import shutil
import tempfile
import time
import zlib
from pathlib import Path
from typing import Final

from gridtokenx.engine.application import LAST_BLOCK_STATE_KEY
from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.folder import sync_folder, write_durably
from gridtokenx.ledger.codec import Decoder, Record
from gridtokenx.ledger.commitment import Proof, Subtree, verify
from gridtokenx.ledger.crypto import HASH_BYTES, hash_bytes, merkle_root, merkle_root_of
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.genesis import Row
from gridtokenx.ledger.header import LAST_BLOCK, LastBlock
from gridtokenx.ledger.ranges import RangeWrong, root_of_cut, subtree_of_range

FORMAT: Final = 1

CONTENT_BYTES_MAX: Final = 11 * 1024 * 1024
"""Of a chunk: CometBFT carries 16 MB in one message, and what deflate cannot make smaller it makes hardly larger."""

RANGE_BYTES: Final = 4 * 1024 * 1024
"""A larger range is divided into sixteen, so most chunks hold a quarter of a megabyte to four."""

TRADES_PER_CHUNK: Final = 8_192
"""A power of two, so that the roots of the chunks lead to the root of all; about one and a half megabytes."""

METADATA_BYTES_MAX: Final = 2 * 1024 * 1024
"""CometBFT carries 4 MB. Fifty thousand ranges fit, which are some tens of gigabytes of records."""

SNAPSHOTS_KEPT: Final = 2
"""While nodes take chunks of one, the next may be made."""

SNAPSHOTS_KEPT_MAX: Final = 8
"""With those that somebody is taking, which stay as well: who asks for ever fills no disk."""

TAKEN_WITHIN_S: Final = 120
"""So long after it was asked for somebody may still be taking a snapshot: CometBFT gives one up when no chunk has come
for so long."""

DEFLATE_LEVEL: Final = 1
"""Key hashes and pseudonyms hardly shrink: higher levels win a tenth for three times the work."""

DESCRIPTION: Final = "snapshot"
"""Name of the file that describes a snapshot, beside its chunks."""

ASKED: Final = "asked"
"""Name of an empty file beside them: its time is when somebody asked for the snapshot last."""


class SnapshotRejected(Exception):
    """A snapshot that is not of this chain and app hash, or no snapshot. Says why."""


class FormatUnknown(SnapshotRejected):
    """A snapshot of another format: nothing is said against who offers it."""


class ChunkRejected(Exception):
    """A chunk that is not the one the snapshot describes: who sent it damaged it or made it up."""

    def __init__(self, index: int, name: str, reason: str) -> None:
        super().__init__(f"chunk {index} ({name}): {reason}")
        self.index = index
        self.reason = reason


class Snapshot(Record, frozen=True):
    """What nodes tell each other of a snapshot. `hash` is that of the metadata."""

    height: int
    format: int
    chunks: int
    hash: bytes
    metadata: bytes


class Metadata(Record, frozen=True):
    """What proves the chunks. `ranges` are (prefix, hash) of a cut of the state, `trades` the roots of the chunks of
    trades; `last_block` is a record of the state, shown by the proof."""

    kind: str
    genesis_hash: bytes
    last_block: bytes
    proof_items: bytes
    proof_path: tuple[bytes, ...]
    ranges: tuple[tuple[str, bytes], ...]
    trades: tuple[bytes, ...]


_decode_snapshot: Decoder[Snapshot] = Decoder(Snapshot)
_decode_metadata: Decoder[Metadata] = Decoder(Metadata)
_decode_rows: Decoder[tuple[Row, ...]] = Decoder(tuple[Row, ...])
_decode_trades: Decoder[tuple[bytes, ...]] = Decoder(tuple[bytes, ...])


class ProvedSnapshot:
    """A snapshot whose metadata leads to an app hash: what each chunk must be is known."""

    def __init__(self, snapshot: Snapshot, app_hash: bytes, kind: str, genesis_hash: bytes | None = None) -> None:
        """Raises `SnapshotRejected` unless it is one of the state with this app hash, of a chain of this kind that
        began with this genesis (None: with whichever it names, which no app hash proves)."""
        if snapshot.format != FORMAT:
            raise FormatUnknown(f"its format is {snapshot.format}, this node reads {FORMAT}")
        self.snapshot = snapshot
        self.app_hash = app_hash
        self.metadata = metadata = _read_metadata(snapshot)
        if metadata.kind != kind:
            raise SnapshotRejected(f"it is of a {metadata.kind} chain, not of a {kind} chain")
        if genesis_hash not in (None, metadata.genesis_hash):
            raise SnapshotRejected(f"its chain began with genesis {metadata.genesis_hash.hex()}")
        self.last_block = self._proved_last_block()
        try:
            root = root_of_cut(metadata.ranges)
        except RangeWrong as wrong:
            raise SnapshotRejected(str(wrong)) from None
        if root != app_hash:
            raise SnapshotRejected("its ranges do not lead to the app hash")
        whole = all(len(root) == HASH_BYTES for root in metadata.trades)
        if not whole or merkle_root_of(list(metadata.trades)) != self.last_block.trades_root:
            raise SnapshotRejected("its trades are not those of the last block")
        if snapshot.chunks != len(metadata.ranges) + len(metadata.trades):
            raise SnapshotRejected(f"it says it has {snapshot.chunks} chunks")

    def _proved_last_block(self) -> LastBlock:
        metadata = self.metadata
        proof = Proof(metadata.proof_items, metadata.proof_path)
        if not verify(self.app_hash, LAST_BLOCK_STATE_KEY, metadata.last_block, proof):
            raise SnapshotRejected("its record of the last block does not lead to the app hash")
        try:
            last = LAST_BLOCK.decode(metadata.last_block)
        except Rejected as rejection:
            raise SnapshotRejected(f"its record of the last block cannot be read: {rejection}") from None
        if last.height != self.snapshot.height:
            raise SnapshotRejected(f"its state is of height {last.height}")
        return last

    def is_rows(self, index: int) -> bool:
        """Whether this chunk holds records; else it holds trades."""
        return index < len(self.metadata.ranges)

    def rows(self, index: int, chunk: bytes) -> tuple[Row, ...]:
        """The records that a chunk holds. Raises `ChunkRejected` unless they are exactly those of its range."""
        return self.range(index, chunk)[0]

    def range(self, index: int, chunk: bytes) -> tuple[tuple[Row, ...], Subtree]:
        """As `rows`, with their tree."""
        prefix, expected = self.metadata.ranges[index]
        name = f"records {prefix}…" if prefix else "all records"
        try:
            rows = _decode_rows(unpack(chunk))
            subtree = subtree_of_range(prefix, rows)
        except (ChunkDamaged, RangeWrong, Rejected) as wrong:
            raise ChunkRejected(index, name, str(wrong)) from None
        if subtree.hash != expected:
            raise ChunkRejected(index, name, "a record is missing, of another state, or made up")
        return rows, subtree

    def trades(self, index: int, chunk: bytes) -> tuple[bytes, ...]:
        """The trades that a chunk holds. Raises `ChunkRejected` unless they are exactly those of the last block that
        belong here."""
        number = index - len(self.metadata.ranges)
        name = f"trades from {number * TRADES_PER_CHUNK}"
        try:
            trades = _decode_trades(unpack(chunk))
        except (ChunkDamaged, Rejected) as wrong:
            raise ChunkRejected(index, name, str(wrong)) from None
        if merkle_root(list(trades)) != self.metadata.trades[number]:
            raise ChunkRejected(index, name, "they are not those of the last block")
        return trades


def app_hash_of(snapshot: Snapshot) -> bytes:
    """The app hash to which the ranges lead: whether a chain ever had it, the chain must say. Raises
    `SnapshotRejected`."""
    try:
        return root_of_cut(_read_metadata(snapshot).ranges)
    except RangeWrong as wrong:
        raise SnapshotRejected(str(wrong)) from None


def _read_metadata(snapshot: Snapshot) -> Metadata:
    if len(snapshot.metadata) > METADATA_BYTES_MAX:
        raise SnapshotRejected(f"its metadata has more than {METADATA_BYTES_MAX} bytes")
    if hash_bytes(snapshot.metadata) != snapshot.hash:
        raise SnapshotRejected("its hash is not that of its metadata")
    try:
        return _decode_metadata(snapshot.metadata)
    except Rejected as rejection:
        raise SnapshotRejected(f"its metadata cannot be read: {rejection}") from None


class ChunkDamaged(Exception):
    """Bytes that are no chunk."""


def pack(content: bytes) -> bytes:
    """A chunk of this content."""
    deflate = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = deflate.compress(content) + deflate.flush()
    return zlib.crc32(stream).to_bytes(4, "big") + stream


def unpack(chunk: bytes) -> bytes:
    """The content of a chunk. Raises `ChunkDamaged`; takes no more memory than the largest content."""
    stream = chunk[4:]
    if len(chunk) < 4 or zlib.crc32(stream) != int.from_bytes(chunk[:4], "big"):
        raise ChunkDamaged("it was damaged on its way")
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflate.decompress(stream, CONTENT_BYTES_MAX)
    except zlib.error as error:
        raise ChunkDamaged(f"it cannot be inflated: {error}") from None
    if not inflate.eof or inflate.unused_data:
        raise ChunkDamaged(f"it is cut off, or followed by more, or holds more than {CONTENT_BYTES_MAX} bytes")
    return content


class SnapshotFolder:
    """One snapshot on the disk: a file that describes it, and its chunks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write_chunk(self, index: int, chunk: bytes) -> None:
        """Keep a chunk, durably."""
        write_durably(self.path / _chunk_name(index), chunk)

    def write_description(self, encoded: bytes) -> None:
        """Keep the encoded `Snapshot`, durably, and the names of all files with it."""
        write_durably(self.path / DESCRIPTION, encoded)
        sync_folder(self.path)

    def read(self) -> Snapshot:
        """The snapshot; FileNotFoundError if there is none here, `Rejected` if it is damaged."""
        return _decode_snapshot((self.path / DESCRIPTION).read_bytes())

    def chunk(self, index: int) -> bytes | None:
        """A chunk as it was written; None if there is no such."""
        try:
            return (self.path / _chunk_name(index)).read_bytes()
        except FileNotFoundError:
            return None

    def asked(self) -> None:
        """Somebody takes this one, or may begin to."""
        with contextlib.suppress(OSError):  # it has just been removed, or the disk is full: then it goes when it is old
            (self.path / ASKED).touch()

    def is_being_taken(self) -> bool:
        """Whether somebody asked for it of late, as this machine's clock has it."""
        try:
            return time.time() - (self.path / ASKED).stat().st_mtime < TAKEN_WITHIN_S
        except OSError:
            return False

    def bytes_held(self) -> int:
        """Size of all files."""
        return sum(file.stat().st_size for file in self.path.iterdir())


def _chunk_name(index: int) -> str:
    return f"{index:05d}"


class SnapshotStore:
    """The finished snapshots of a node. Any process may read; only the maker adds, and removes what is older."""

    def __init__(self, path: Path, keep: int = SNAPSHOTS_KEPT) -> None:
        self.path = path
        self.keep = keep

    def heights(self) -> list[int]:
        """Newest first."""
        if not self.path.is_dir():
            return []
        return sorted((int(entry.name) for entry in self.path.iterdir() if entry.name.isdecimal()), reverse=True)

    def folder(self, height: int) -> SnapshotFolder:
        """Where the snapshot of this height is, or would be."""
        return SnapshotFolder(self.path / str(height))

    def offered(self) -> list[Snapshot]:
        """As `newest`, to somebody who may take one: they stay for a while."""
        found = self.newest()
        for snapshot in found:
            self.folder(snapshot.height).asked()
        return found

    def newest(self) -> list[Snapshot]:
        """All of them, newest first; one that is damaged, or has just been removed, is left out."""
        found: list[Snapshot] = []
        for height in self.heights():
            try:
                found.append(self.folder(height).read())
            except (FileNotFoundError, Rejected):
                continue
        return found

    def chunk(self, height: int, format_: int, index: int) -> bytes | None:
        """A chunk to be sent to somebody who takes the snapshot; None if there is no such (any more)."""
        if format_ != FORMAT or height <= 0 or index < 0:
            return None
        folder = self.folder(height)
        folder.asked()
        return folder.chunk(index)

    def draft(self, height: int) -> SnapshotFolder:
        """An empty folder for a snapshot in the making."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        return SnapshotFolder(Path(tempfile.mkdtemp(prefix=f".{height}-", dir=self.path)))

    def publish(self, height: int, draft: SnapshotFolder) -> None:
        """The draft is whole: give it its name, in place of one of the same height, and remove the oldest, unless
        somebody is taking it."""
        target = self.folder(height).path
        if target.exists():
            self._remove(target)
        draft.path.rename(target)
        sync_folder(self.path)
        reached("snapshot.renamed")
        for place, old in enumerate(self.heights()[self.keep :], start=self.keep):
            if place >= SNAPSHOTS_KEPT_MAX or not self.folder(old).is_being_taken():
                self._remove(self.folder(old).path)
        reached("snapshot.older_removed")

    def clean(self) -> None:
        """Drop what stopped makers left behind. To be called while none is at work."""
        for left in self.path.glob(".*") if self.path.is_dir() else ():
            shutil.rmtree(left, ignore_errors=True)

    def _remove(self, path: Path) -> None:
        # Under another name first, so that nobody finds half of it.
        gone = path.with_name(f".{path.name}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
