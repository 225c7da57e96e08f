"""History: every version of every record, in the database of a node that is an archive.

A column family of its own holds, under

    prefix of the table ‖ length of the rest of the key (2 bytes) ‖ rest of the key ‖ height (8 bytes)

what the block of that height left under the key: the encoded record, or nothing if it took the record away. The length
keeps keys apart of which one begins as another. It is written with the block, at once or not at all. History begins at
the height that stands in `meta`, with a version of each record that there was; what was before is not known.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import rocksdict
from rocksdict import Rdict, WriteBatch

from gridtokenx.engine.database import attempt

HEIGHT_BYTES: Final = 8
LENGTH_BYTES: Final = 2
HEIGHT_MAX: Final = 2 ** (8 * HEIGHT_BYTES) - 1

GONE: Final = b""
"""Stands for a record that is not there any more: no encoded record is empty."""


class HistoryMissing(Exception):
    """There is no history at that height. Says from which height on there is one, if there is. `since` None: the node
    keeps no history."""

    def __init__(self, sentence: str, since: int | None) -> None:
        super().__init__(sentence)
        self.since = since


class Version(NamedTuple):
    """What the block of this height left under a key; `record` None: the record was taken away."""

    height: int
    record: bytes | None


def write_versions(
    batch: WriteBatch,
    column: rocksdict.ColumnFamily,
    changes: Iterable[tuple[bytes, bytes | None]],
    height: int,
) -> None:
    """Add what the block of this height changed."""
    put, suffix = batch.put, height.to_bytes(HEIGHT_BYTES, "big")
    for key, record in changes:
        put(_stem(key) + suffix, GONE if record is None else record, column)


class History:
    """The versions, for whoever reads. They reach from `since` to `until`, which is where the database stands."""

    def __init__(self, column: Rdict, since: int, until: int) -> None:
        self._column = column
        self.since = since
        self.until = until

    def require(self, height: int) -> None:
        """Raises `HistoryMissing` for a height before the beginning, or one that is not there yet."""
        if height < self.since:
            raise HistoryMissing(
                f"this node knows history from block {self.since} on, not block {height}: ask an older archive",
                self.since,
            )
        if height > self.until:
            raise HistoryMissing(f"block {height} is not there yet: the last one is {self.until}", self.since)

    def at(self, key: bytes, height: int) -> Version | None:
        """The version that counted after the block of this height; its own height is that of the block which wrote it
        (or `since`, if that was earlier). None if there was no such record ever until then. Raises `HistoryMissing`,
        `DatabaseFailed`."""
        self.require(height)
        stem = _stem(key)

        def work() -> Version | None:
            rows = self._column.iter(rocksdict.ReadOptions())
            rows.seek_for_prev(stem + height.to_bytes(HEIGHT_BYTES, "big"))
            if not rows.valid():
                rows.status()
                return None
            return _version(stem, rows.key(), rows.value())

        return attempt("read history from the database", work)

    def versions(self, key: bytes, first: int, last: int, limit: int) -> list[Version]:
        """The first `limit` versions that blocks of these heights wrote, both ends included, oldest first. The next
        page begins one after the height of the last. Raises `HistoryMissing`, `DatabaseFailed`."""
        self.require(first)
        self.require(last)
        stem, found = _stem(key), list[Version]()

        def work() -> list[Version]:
            rows = self._column.iter(rocksdict.ReadOptions())
            rows.seek(stem + first.to_bytes(HEIGHT_BYTES, "big"))
            while len(found) < limit and rows.valid():
                version = _version(stem, rows.key(), rows.value())
                if version is None or version.height > last:
                    return found
                found.append(version)
                rows.next()
            rows.status()
            return found

        return attempt("read history from the database", work)


def _stem(key: bytes) -> bytes:
    """All but the height. OverflowError for a key of more than 64 KiB, which no table has."""
    return key[:1] + (len(key) - 1).to_bytes(LENGTH_BYTES, "big") + key[1:]


def _version(stem: bytes, key: bytes, value: bytes) -> Version | None:
    """None if the row is of another key."""
    if len(key) != len(stem) + HEIGHT_BYTES or not key.startswith(stem):
        return None
    return Version(int.from_bytes(key[len(stem) :], "big"), None if value == GONE else value)
