"""The journal: batches are on disk here before their senders hear "accepted".

A folder of numbered segment files, written at the end only. An entry is

    length of the payload (4 bytes) ‖ kind (1) ‖ CRC-32 of these and of the entry's place (4)
    ‖ SHA-256 of all that and the payload (32) ‖ payload

so a flipped byte is found wherever it stands, lengths included. A process that is killed may leave an
unfinished entry at the end of the last segment: nobody was told of it, it is cut off and reported. Whatever
else is wrong is `JournalDamaged`, with file and offset.

A marker after each commit says which height and app hash the database holds: a database that silently lost
its tail is noticed at the next start. Segments go when all their batches are in a block or expired.
"""

import os
import threading
from binascii import crc32
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final

from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.folder import sync_folder
from gridtokenx.ledger.codec import Decoder, Record, encode
from gridtokenx.ledger.errors import Rejected

FORMAT: Final = "gridtokenx-journal-1"
SEGMENT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Disk space comes back in pieces of this size."""

_PREFIX_BYTES: Final = 5
_HEADER_BYTES: Final = 41
_ZERO_TAIL: Final = bytes(64)


class Kind(IntEnum):
    """Of an entry."""

    SEGMENT = 0
    BATCH = 1
    MARKER = 2


class SegmentHead(Record, frozen=True):
    """First entry of a segment: what a journal must know even when all earlier segments are gone."""

    format: str
    next_number: int
    marker: tuple[int, bytes] | None


class Marker(Record, frozen=True):
    """The database holds this."""

    height: int
    app_hash: bytes


class JournaledBatch(Record, frozen=True):
    """A batch as its node signed it. Numbers rise by one and are never used twice."""

    number: int
    wire: bytes


_decode_head: Decoder[SegmentHead] = Decoder(SegmentHead)
_decode_marker: Decoder[Marker] = Decoder(Marker)
_decode_batch: Decoder[JournaledBatch] = Decoder(JournaledBatch)


class JournalDamaged(Exception):
    """The journal is not what was written. Names file, offset and what is wrong there."""

    def __init__(self, path: Path, offset: int, what: str) -> None:
        super().__init__(f"journal {path} is damaged at byte {offset}: {what}")
        self.path = path
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as read."""

    path: Path
    offset: int
    kind: Kind
    payload: bytes


@dataclass(frozen=True, slots=True)
class TornTail:
    """An unfinished write at the end of the last segment."""

    path: Path
    offset: int
    bytes_cut: int


def frame(segment: int, offset: int, kind: Kind, payload: bytes) -> bytes:
    """The entry as it stands in the file: it is valid at this place only."""
    prefix = len(payload).to_bytes(4, "big") + bytes([kind])
    header = prefix + _place_check(segment, offset, prefix)
    return b"".join((header, _digest(segment, offset, header, payload), payload))


def segment_paths(folder: Path) -> list[Path]:
    """The segments, oldest first. Raises `JournalDamaged` if one is missing between others."""
    paths = sorted(folder.glob("*.journal"))
    for before, after in pairwise(paths):
        if int(after.stem) != int(before.stem) + 1:
            raise JournalDamaged(after, 0, f"the segment before it is missing, {before.name} is the last there is")
    return paths


def read_segment(path: Path, *, last: bool) -> Iterator[Entry | TornTail]:
    """All entries of a segment. A `TornTail` ends the last segment if a write there was cut short; anything
    else that is not right raises `JournalDamaged`."""
    segment, data, offset = int(path.stem), path.read_bytes(), 0
    while offset < len(data):
        problem, payload = _read_entry(segment, data, offset)
        if problem is not None:
            # A killed process leaves the beginning of an entry; after a power cut the file may have its new
            # length already but zeros instead of the data.
            torn = problem == "cut short" or data.endswith(_ZERO_TAIL)
            if not (last and torn):
                raise JournalDamaged(path, offset, problem)
            yield TornTail(path, offset, len(data) - offset)
            return
        yield Entry(path, offset, Kind(data[offset + 4]), payload)
        offset += _HEADER_BYTES + len(payload)


def read_journal(folder: Path) -> Iterator[Entry | TornTail]:
    """All entries of all segments, oldest first; changes nothing. Raises `JournalDamaged`."""
    paths = segment_paths(folder)
    for path in paths:
        yield from read_segment(path, last=path is paths[-1])


def _read_entry(segment: int, data: bytes, offset: int) -> tuple[str | None, bytes]:
    """(what is wrong or None, payload)."""
    start = offset + _HEADER_BYTES
    header = data[offset : offset + 9]
    if len(data) < start:
        return "cut short", b""
    if _place_check(segment, offset, header[:_PREFIX_BYTES]) != header[_PREFIX_BYTES:]:
        return "the header's check sum is wrong", b""
    if header[4] not in set(Kind):
        return f"there is no kind {header[4]}", b""
    length = int.from_bytes(header[:4], "big")
    payload = data[start : start + length]
    if len(payload) < length:
        return "cut short", b""
    if _digest(segment, offset, header, payload) != data[offset + 9 : start]:
        return "the entry's hash is wrong", b""
    return None, payload


def _place(segment: int, offset: int) -> bytes:
    return segment.to_bytes(8, "big") + offset.to_bytes(8, "big")


def _place_check(segment: int, offset: int, prefix: bytes) -> bytes:
    return crc32(_place(segment, offset) + prefix).to_bytes(4, "big")


def _digest(segment: int, offset: int, header: bytes, payload: bytes) -> bytes:
    digest = sha256(_place(segment, offset) + header)
    digest.update(payload)
    return digest.digest()


@dataclass(slots=True)
class _Segment:
    path: Path
    open_batches: set[int] = field(default_factory=set)


class Journal:
    """The journal of one node, open for writing. May be used by several threads at once.

    After an `OSError` (disk full, say) the last entry may be unfinished: the node stops, the next start cuts it.
    """

    def __init__(self, folder: Path, *, segment_bytes_max: int = SEGMENT_BYTES_MAX) -> None:
        """Open or create. `recovered` are the batches found, `torn` what was cut off, `marker` the last one.

        Raises `JournalDamaged`.
        """
        self._folder = folder
        self._segment_bytes_max = segment_bytes_max
        self._lock = threading.Lock()
        self._segments: list[_Segment] = []
        self.next_number = 1
        """Of the next batch."""
        self.marker: Marker | None = None
        self.torn: TornTail | None = None
        self.recovered: list[JournaledBatch] = []
        folder.mkdir(parents=True, exist_ok=True)
        paths = segment_paths(folder)
        for path in paths:
            self._recover(path, last=path is paths[-1])
        if self._segments:
            self._file = os.open(self._segments[-1].path, os.O_WRONLY | os.O_APPEND)
            self._size = os.fstat(self._file).st_size
        else:
            self._start_segment(1)

    def append(self, wires: Sequence[bytes]) -> list[int]:
        """Write the batches and wait until they are on the disk; returns their numbers. One fsync for all."""
        with self._lock:
            if self._size > self._segment_bytes_max:
                os.fsync(self._file)
                os.close(self._file)
                self._start_segment(int(self._segments[-1].path.stem) + 1)
            numbers = list(range(self.next_number, self.next_number + len(wires)))
            self.next_number += len(wires)
            batches = (encode(JournaledBatch(number, wire)) for number, wire in zip(numbers, wires, strict=True))
            self._write(Kind.BATCH, batches)
            self._segments[-1].open_batches.update(numbers)
            file = self._file
            reached("journal.batches_written")
        # Outside the lock: a marker need not wait for the disk. Only `append` closes a file, and one thread appends.
        os.fdatasync(file)
        reached("journal.batches_synced")
        return numbers

    def mark(self, height: int, app_hash: bytes) -> None:
        """The database holds this height. Reaches the disk with the next batches at the latest."""
        with self._lock:
            self.marker = Marker(height, app_hash)
            self._write(Kind.MARKER, (encode(self.marker),))
        reached("journal.marker_written")

    def resolve(self, numbers: Sequence[int]) -> None:
        """These batches are in a block, or expired, and the database knows: they need not be offered again."""
        done = set(numbers)
        with self._lock:
            for segment in self._segments:
                segment.open_batches -= done
            while len(self._segments) > 1 and not self._segments[0].open_batches:
                self._segments.pop(0).path.unlink()
                reached("journal.segment_dropped")

    def close(self) -> None:
        """Write what is left to the disk."""
        with self._lock:
            os.fsync(self._file)
            os.close(self._file)

    def _recover(self, path: Path, *, last: bool) -> None:
        segment = _Segment(path)
        for entry in read_segment(path, last=last):
            if isinstance(entry, TornTail):
                self.torn = entry
                os.truncate(path, entry.offset)
                break
            self._recover_entry(segment, entry)
        if path.stat().st_size:
            self._segments.append(segment)
        elif last:
            path.unlink()  # the kill came before its head was written: its number is used again
        else:
            raise JournalDamaged(path, 0, "the segment is empty")

    def _recover_entry(self, segment: _Segment, entry: Entry) -> None:
        try:
            if (entry.kind is Kind.SEGMENT) != (entry.offset == 0):
                raise JournalDamaged(entry.path, entry.offset, "a segment begins with its head, and has one")
            if entry.kind is Kind.SEGMENT:
                head = _decode_head(entry.payload)
                if head.format != FORMAT:
                    raise JournalDamaged(entry.path, 0, f"its format is {head.format}, not {FORMAT}")
                self.next_number = max(self.next_number, head.next_number)
                if head.marker is not None:
                    self.marker = Marker(*head.marker)
            elif entry.kind is Kind.MARKER:
                self.marker = _decode_marker(entry.payload)
            else:
                batch = _decode_batch(entry.payload)
                self.recovered.append(batch)
                segment.open_batches.add(batch.number)
                self.next_number = batch.number + 1
        except Rejected as rejection:
            raise JournalDamaged(entry.path, entry.offset, str(rejection)) from rejection

    def _start_segment(self, number: int) -> None:
        path = self._folder / f"{number:016}.journal"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600)
        reached("journal.segment_created")
        self._size = 0
        self._segments.append(_Segment(path))
        marker = None if self.marker is None else (self.marker.height, self.marker.app_hash)
        self._write(Kind.SEGMENT, (encode(SegmentHead(FORMAT, self.next_number, marker)),))
        os.fsync(self._file)
        sync_folder(self._folder)

    def _write(self, kind: Kind, payloads: Iterator[bytes] | Sequence[bytes]) -> None:
        """One write for all payloads, each an entry. The caller holds the lock."""
        segment = int(self._segments[-1].path.stem)
        frames: list[bytes] = []
        size = self._size
        for payload in payloads:
            framed = frame(segment, size, kind, payload)
            frames.append(framed)
            size += len(framed)
        unwritten = memoryview(b"".join(frames))
        while unwritten:
            unwritten = unwritten[os.write(self._file, unwritten) :]
        self._size = size
