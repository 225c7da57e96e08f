"""Ranges: the state cut into whole subtrees of its commitment, so that each can travel and be checked alone.

A range is all records whose key hashes begin with the same hexadecimal digits, its *prefix*. A cut is a list of ranges
that together hold every record once: the whole state (empty prefix), or any range of it replaced by its sixteen. The
hashes of the ranges of a cut lead to the root, and the records of a range to the hash of that range: so a root vouches
for the cut, and the cut for each range by itself. Only a node is ever divided; below a bucket there is nothing in the
tree, and no sixteen hashes lead to the hash of a bucket.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import islice
from operator import ge

from gridtokenx.ledger.commitment import Subtree, node_hash, plant
from gridtokenx.ledger.crypto import HASH_BYTES

DIGITS = "0123456789abcdef"


class RangeWrong(ValueError):
    """Ranges or records that are no cut, or not those of the range. Says which."""


def root_of_cut(ranges: Iterable[tuple[str, bytes]]) -> bytes:
    """The root above the ranges of a cut, each given by its prefix and hash, in ascending order.

    Raises `RangeWrong` unless they hold every key once, and where a hash has not 32 bytes.
    """
    open_: list[tuple[str, bytes]] = []
    for prefix, digest in ranges:
        if len(digest) != HASH_BYTES:
            raise RangeWrong(f"the hash of range {prefix} has {len(digest)} bytes")
        open_.append((prefix, digest))
        # The last of sixteen completes the range above them, and that may be the last of sixteen again.
        while open_[-1][0].endswith("f"):
            above = open_[-1][0][:-1]
            if [below for below, _ in open_[-16:]] != [above + digit for digit in DIGITS]:
                raise RangeWrong(f"the ranges up to {open_[-1][0]} are not all there, each once and in order")
            open_[-16:] = [(above, node_hash([digest for _, digest in open_[-16:]]))]
    if len(open_) != 1 or open_[0][0]:
        raise RangeWrong("the ranges are not all there, each once and in order")
    return open_[0][1]


def range_hash(prefix: str, rows: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The hash of the range that consists of exactly these rows. Raises as `subtree_of_range`."""
    return subtree_of_range(prefix, rows).hash


def subtree_of_range(prefix: str, rows: Sequence[tuple[bytes, bytes]]) -> Subtree:
    """The tree of the range that consists of exactly these rows: (prefixed key, encoded record), key hashes ascending.

    Raises `RangeWrong` naming the first row that is out of order, there twice, or of another range.
    """
    keys = [sha256(key).digest() for key, _ in rows]
    if any(map(ge, keys, islice(keys, 1, None))):
        place = next(place for place in range(1, len(keys)) if keys[place - 1] >= keys[place])
        raise RangeWrong(f"record {place} is out of order, or there twice")
    if rows:
        # In order, so what lies between belongs if both ends do.
        for place in (0, len(keys) - 1):
            if not keys[place].hex().startswith(prefix):
                raise RangeWrong(f"record {place} belongs elsewhere")
    items = b"".join([key + sha256(row[1]).digest() for key, row in zip(keys, rows, strict=True)])
    return plant(items, len(prefix))
