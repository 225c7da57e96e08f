"""Making a snapshot, in a process of its own: it reads a checkpoint of the node's database, and ends with its parent.

    python -m gridtokenx.engine.snapshot_maker CHECKPOINT SNAPSHOTS KEEP

It ends at once when its standard input does. Memory stays at some hundredth of the state: rows go to 256 temporary
files by the first byte of their key hash, and come back file by file.
"""

import os
import shutil
import sys
import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.snapshots import (
    CONTENT_BYTES_MAX,
    FORMAT,
    RANGE_BYTES,
    TRADES_PER_CHUNK,
    Metadata,
    Snapshot,
    SnapshotFolder,
    SnapshotStore,
    pack,
)
from gridtokenx.engine.storage import Head, Reader, Results
from gridtokenx.ledger.codec import Decoder, encode
from gridtokenx.ledger.commitment import BUCKET_ITEMS_MAX
from gridtokenx.ledger.crypto import hash_bytes, merkle_root
from gridtokenx.ledger.genesis import Row
from gridtokenx.ledger.ranges import DIGITS, range_hash, root_of_cut

NICENESS: Final = 10
"""Behind blocks, and behind the workers that check signatures."""

_PIECE_BYTES: Final = 65_536
"""What is written to a temporary file at a time."""

_ROW_BYTES: Final = 9
"""Around a row in a content, at most: one byte of the pair, three of the key's length, five of the record's."""

_decode_rows: Decoder[list[Row]] = Decoder(list[Row])


class SnapshotImpossible(Exception):
    """There is no state to make one of, or it cannot be cut. Says why."""


class _Spool:
    """Rows in 256 temporary files, by the first byte of their key hash, and how many bytes and rows each has."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.sizes = [0] * 256
        self.counts = [0] * 256

    def fill(self, rows: Iterator[Row]) -> None:
        waiting: list[list[Row]] = [[] for _ in range(256)]
        unwritten = [0] * 256
        for row in rows:
            place = sha256(row[0]).digest()[0]
            size = _size(row)
            waiting[place].append(row)
            unwritten[place] += size
            self.sizes[place] += size
            self.counts[place] += 1
            if unwritten[place] > _PIECE_BYTES:
                self._write(place, waiting[place])
                waiting[place], unwritten[place] = [], 0
        for place, piece in enumerate(waiting):
            self._write(place, piece)

    def take(self, places: range) -> list[Row]:
        """The rows of these files, which go."""
        rows: list[Row] = []
        for place in places:
            file = self._file(place)
            data = memoryview(file.read_bytes())
            start = 0
            while start < len(data):
                end = start + 4 + int.from_bytes(data[start : start + 4], "big")
                rows += _decode_rows.trusted(bytes(data[start + 4 : end]))
                start = end
            file.unlink()
        return rows

    def _write(self, place: int, piece: list[Row]) -> None:
        content = encode(piece)
        with self._file(place).open("ab") as file:
            file.write(len(content).to_bytes(4, "big") + content)

    def _file(self, place: int) -> Path:
        return self._path / f"rows-{place:02x}"


_Hashed = tuple[bytes, bytes, bytes]
"""(key hash, key, record)."""


def make_snapshot(reader: Reader, store: SnapshotStore, range_bytes: int = RANGE_BYTES) -> Snapshot:
    """A snapshot of what the reader sees, put into the store. Raises `SnapshotImpossible`, `DatabaseFailed`, OSError.

    Which ranges there are follows from the records and `range_bytes` alone, so nodes with one state make one snapshot;
    who restores it does not need to know.
    """
    head = reader.head()
    results = None if head is None else reader.results(head.height)
    if head is None or results is None:
        raise SnapshotImpossible("there is no block yet")
    draft = store.draft(head.height)
    try:
        snapshot = _write(reader, head, results, draft, range_bytes)
        store.publish(head.height, draft)
    except BaseException:
        shutil.rmtree(draft.path, ignore_errors=True)
        raise
    return snapshot


def _write(reader: Reader, head: Head, results: Results, draft: SnapshotFolder, range_bytes: int) -> Snapshot:
    ranges: list[tuple[str, bytes]] = []
    for prefix, rows in _cut(_spooled(reader, draft), range_bytes):
        _write_chunk(draft, len(ranges), encode(rows))
        ranges.append((prefix, range_hash(prefix, rows)))
    if root_of_cut(ranges) != head.app_hash:
        raise SnapshotImpossible(f"the records do not lead to the app hash of block {head.height}")
    roots: list[bytes] = []
    for start in range(0, len(results.trades), TRADES_PER_CHUNK):
        trades = results.trades[start : start + TRADES_PER_CHUNK]
        _write_chunk(draft, len(ranges) + len(roots), encode(trades))
        roots.append(merkle_root(list(trades)))
    metadata = Metadata(
        head.kind,
        head.genesis_hash,
        results.last_block,
        results.proof_items,
        results.proof_path,
        tuple(ranges),
        tuple(roots),
    )
    encoded = encode(metadata)
    snapshot = Snapshot(head.height, FORMAT, len(ranges) + len(roots), hash_bytes(encoded), encoded)
    draft.write_description(encode(snapshot))
    reached("snapshot.described")
    return snapshot


def _spooled(reader: Reader, draft: SnapshotFolder) -> _Spool:
    spool = _Spool(draft.path)
    spool.fill(reader.scan())
    reached("snapshot.rows_spooled")
    return spool


def _write_chunk(draft: SnapshotFolder, index: int, content: bytes) -> None:
    if len(content) > CONTENT_BYTES_MAX:
        raise SnapshotImpossible(f"chunk {index} would hold {len(content)} bytes, {CONTENT_BYTES_MAX} are possible")
    draft.write_chunk(index, pack(content))
    reached("snapshot.chunk_written")


def _cut(spool: _Spool, range_bytes: int) -> Iterator[tuple[str, tuple[Row, ...]]]:
    """(prefix, rows by key hash) of each range, in order: as few as there can be with none too large."""
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        places = _places(prefix)
        size, count = sum(spool.sizes[places.start : places.stop]), sum(spool.counts[places.start : places.stop])
        if len(prefix) < 2 and _is_divided(size, count, range_bytes):
            waiting += [prefix + digit for digit in reversed(DIGITS)]
        else:
            rows = sorted((sha256(key).digest(), key, record) for key, record in spool.take(places))
            yield from _cut_further(prefix, rows, range_bytes)


def _cut_further(prefix: str, rows: list[_Hashed], range_bytes: int) -> Iterator[tuple[str, tuple[Row, ...]]]:
    waiting = [(prefix, rows)]
    while waiting:
        prefix, rows = waiting.pop()
        if not _is_divided(sum(map(_size, rows)), len(rows), range_bytes):
            yield prefix, tuple([row[1:] for row in rows])
            continue
        ends = [bisect_left(rows, (_beyond(prefix + digit),)) for digit in DIGITS[:-1]]
        parts = zip(DIGITS, [0, *ends], [*ends, len(rows)], strict=True)
        waiting += reversed([(prefix + digit, rows[start:end]) for digit, start, end in parts])


def _is_divided(size: int, count: int, range_bytes: int) -> bool:
    """What is no node of the tree is never divided."""
    return size > range_bytes and count > BUCKET_ITEMS_MAX


def _places(prefix: str) -> range:
    """The files that hold a range of two digits at most."""
    first = int(prefix.ljust(2, "0"), 16)
    return range(first, first + 16 ** (2 - len(prefix)))


def _beyond(prefix: str) -> bytes:
    """The first key hash after all of this prefix, which does not consist of "f" alone in its last digit."""
    after = prefix[:-1] + DIGITS[DIGITS.index(prefix[-1]) + 1]
    return bytes.fromhex(after.ljust(64, "0"))


def _size(row: Sequence[bytes]) -> int:
    return len(row[-2]) + len(row[-1]) + _ROW_BYTES


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 4_096):
        pass
    os._exit(1)


def main(checkpoint: Path, store: SnapshotStore) -> None:
    """Make one snapshot of a checkpoint. What cannot be done is raised: the last line on standard error says it."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    os.nice(NICENESS)
    make_snapshot(Reader(checkpoint, None), store)


if __name__ == "__main__":
    main(Path(sys.argv[1]), SnapshotStore(Path(sys.argv[2]), int(sys.argv[3])))
