"""The state commitment: one 32-byte root over every record of the ledger, with proofs of presence and absence.

A record is `key -> value`, both bytes. The tree sees only SHA-256(key) and SHA-256(value), joined to an
*item* of 64 bytes. A *subtree* is all items whose key hash begins with the same hexadecimal digits:

* at most 32 items make a *bucket*: its hash is SHA-256(0x00 ‖ items in the order of their key hashes),
  or 32 zero bytes when there is none;
* more than 32 items make a *node*: its hash is SHA-256(0x01 ‖ the hashes of its 16 subtrees, each of which
  shares one digit more).

The root is the hash of the subtree of all items. So shape and root follow from the records alone, never from
the order in which they came: a node restored from a snapshot and one that lived through every block agree.
Neither many records nor an attacker who aims at one bucket make an update slow: a path of d nodes takes
33 keys whose hashes share d - 1 digits.

The tree lives in memory: built from the records at a start, updated once a block, without undo.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

BUCKET_ITEMS_MAX = 32
"""A subtree with more items is a node. Part of the definition of the root."""

PATH_NODES_MAX = 63
"""Nodes above the deepest bucket: 33 hashes differ within their first 63 digits, as only 16 can share those."""

EMPTY_HASH = bytes(32)
"""Hash of a subtree without items, and so the root of an empty state."""

_ITEM_BYTES = 64
_BUCKET_BYTES_MAX = BUCKET_ITEMS_MAX * _ITEM_BYTES
_SIBLINGS_BYTES = 15 * 32
_MANY = 64
"""With more changes than this, looking for where a digit ends by halves is faster than one by one."""

_SLOTS = tuple(slice(1 + 32 * digit, 33 + 32 * digit) for digit in range(16))


class _Node:
    """A subtree of more than 32 items; of fewer only in the course of an update."""

    __slots__ = ("children", "preimage", "count")

    def __init__(self, count: int) -> None:
        # A child is a node, or a bucket: its items, packed and in order. Bytes are the leanest form there is
        # (millions of buckets), and Python's garbage collector does not look at them.
        self.children: list[bytes | _Node] = [b""] * 16
        # 0x01 and the children's hashes, ready to be hashed: a change below overwrites one slot of it.
        self.preimage = bytearray(b"\x01" + 16 * EMPTY_HASH)
        self.count = count

    def put_bucket(self, slot: int, items: bytes) -> None:
        self.children[slot] = items
        self.preimage[_SLOTS[slot]] = _bucket_hash(items)


_Touched = tuple[_Node, _Node, int, int]
"""A node to be hashed anew, its parent, its slot there, and its count as the parent last heard of it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The bucket where a key is or would be, and the way from there to the root.

    `items`: the bucket's items, 64 bytes each, packed.
    `path`: for each node from the bucket upwards, the hashes of the 15 subtrees beside the one proved, packed.
    Where that one belongs among them is not sent: it is the digit of the key hash at the node's depth.
    """

    items: bytes
    path: tuple[bytes, ...]

    def to_json(self) -> dict[str, str | list[str]]:
        """The proof as JSON values, bytes in lower-case hexadecimal."""
        return {"items": self.items.hex(), "path": [siblings.hex() for siblings in self.path]}

    @classmethod
    def from_json(cls, document: object) -> "Proof":
        """The proof that `to_json` wrote; ValueError for anything it would not have written for a state.

        Sizes are checked before anything is decoded. Whether the proof holds is for `verify` to say.
        """
        if isinstance(document, dict) and document.keys() == {"items", "path"}:
            path = document["path"]
            if isinstance(path, list) and len(path) <= PATH_NODES_MAX:
                return cls(
                    _from_hexadecimal(document["items"], _BUCKET_BYTES_MAX),
                    tuple(_from_hexadecimal(siblings, _SIBLINGS_BYTES) for siblings in path),
                )
        raise ValueError(f"a proof has 'items' and a 'path' of at most {PATH_NODES_MAX} nodes")


class Commitment:
    """The tree over all records. Not to be shared between threads while it is updated."""

    __slots__ = ("_top",)

    def __init__(self) -> None:
        # The whole tree is child 0 of this node, so that it splits and merges like every subtree.
        self._top = _Node(0)

    @classmethod
    def build(cls, records: Iterable[tuple[bytes, bytes]]) -> "Commitment":
        """The tree over all `records`. Raises ValueError when two have the same key."""
        return cls.build_hashed((sha256(key).digest(), sha256(value).digest()) for key, value in records)

    @classmethod
    def build_hashed(cls, hashes: Iterable[tuple[bytes, bytes]]) -> "Commitment":
        """As `build`, from pairs of key hash and value hash, 32 bytes each."""
        # Packed by first byte as they come: separate items would take three times the memory, and 256 short
        # sorts are faster than a long one.
        heaps = [bytearray() for _ in range(256)]
        for key_hash, value_hash in hashes:
            heaps[key_hash[0]] += key_hash + value_hash
        commitment = cls()
        commitment._top.count = sum(map(len, heaps)) // _ITEM_BYTES
        touched: list[_Touched] = []
        _plant(commitment._top, 0, 0, _drain_sorted(heaps), touched)
        _settle(touched)
        return commitment

    @classmethod
    def join(cls, subtrees: Iterable[tuple[str, "Subtree"]]) -> "Commitment":
        """The tree of these subtrees, which belong to it from now on; each with the hexadecimal digits that its key
        hashes share. Together they must be a cut of a tree (`ledger.ranges`), in any order."""
        commitment = cls()
        touched: list[_Touched] = []
        for prefix, subtree in subtrees:
            parent, slot = commitment._top, 0
            for digit in prefix:
                node = parent.children[slot]
                if not isinstance(node, _Node):
                    node = parent.children[slot] = _Node(0)
                    touched.append((node, parent, slot, 0))
                parent, slot = node, int(digit, 16)
            parent.children[slot] = subtree.root
            parent.preimage[_SLOTS[slot]] = subtree.hash
            parent.count += subtree.records
        _settle(touched)
        return commitment

    def __len__(self) -> int:
        """Number of records."""
        return self._top.count

    def root(self) -> bytes:
        """The root, 32 bytes, as of the last update."""
        return bytes(self._top.preimage[_SLOTS[0]])

    def update(self, changes: Iterable[tuple[bytes, bytes | None]]) -> bytes:
        """Write the given values, delete the keys whose value is None, and return the new root.

        Deleting an absent key and writing the same value again are harmless; of two changes of one key the
        later counts. Whatever `changes` or hashing raises, it is raised before the tree has changed.
        """
        return self.update_hashed(
            {sha256(key).digest(): None if value is None else sha256(value).digest() for key, value in changes}
        )

    def update_hashed(self, changes: Mapping[bytes, bytes | None]) -> bytes:
        """As `update`, from key hash to value hash or None, 32 bytes each."""
        # Down with the sorted changes, each subtree taking its range of them: neighbours are done together,
        # while their memory is in the cache. Then up, each node met on the way hashed once.
        key_hashes = sorted(changes)
        touched: list[_Touched] = []
        waiting = [(self._top, 0, 0, 0, len(key_hashes))] if key_hashes else []
        while waiting:
            parent, slot, depth, start, end = waiting.pop()
            subtree = parent.children[slot]
            byte = depth >> 1
            if isinstance(subtree, _Node):
                touched.append((subtree, parent, slot, subtree.count))
                # `_digit`, spelled out: this loop runs for every change on every level, but where there are many.
                shift = 0 if depth & 1 else 4
                depth += 1
                while start < end:
                    digit = key_hashes[start][byte] >> shift & 15
                    stop = start + 1
                    if end - start > _MANY:
                        stop = _end_of_digit(key_hashes, start, end, byte, shift)
                    else:
                        while stop < end and key_hashes[stop][byte] >> shift & 15 == digit:
                            stop += 1
                    waiting.append((subtree, digit, depth, start, stop))
                    start = stop
            else:
                items = _edit(subtree, byte, key_hashes[start:end], changes)
                parent.count += (len(items) - len(subtree)) // _ITEM_BYTES
                if len(items) <= _BUCKET_BYTES_MAX:
                    parent.put_bucket(slot, items)
                else:
                    _plant(parent, slot, depth, items, touched)
        _settle(touched)
        return self.root()

    def prove(self, key: bytes) -> Proof:
        """Proof of what the records say of `key` under the present root: its value, or that it is absent."""
        return self.prove_hashed(sha256(key).digest())

    def prove_hashed(self, key_hash: bytes) -> Proof:
        """As `prove`, for the key of this hash."""
        path: list[bytes] = []
        subtree = self._top.children[0]
        while isinstance(subtree, _Node):
            digit = _digit(key_hash, len(path))
            siblings = bytearray(subtree.preimage)
            del siblings[_SLOTS[digit]], siblings[0]
            path.append(bytes(siblings))
            subtree = subtree.children[digit]
        return Proof(subtree, tuple(reversed(path)))


def verify(root: bytes, key: bytes, value: bytes | None, proof: Proof) -> bool:
    """Whether `proof` shows that the state with this root holds `value` under `key`, or (None) nothing there.

    False for every malformed proof. It rests on SHA-256 alone: a bucket cannot stand where a node was, since
    what is hashed begins with another byte. Nodes of 32 items or fewer are not looked for (a proof shows one
    way down, not the counts beside it): no honest tree has one, so a root above one is no state's root, and
    even there a key could be shown in one place only.
    """
    return verify_hashed(root, sha256(key).digest(), None if value is None else sha256(value).digest(), proof)


def verify_hashed(root: bytes, key_hash: bytes, value_hash: bytes | None, proof: Proof) -> bool:
    """As `verify`, for a key and a value of these hashes."""
    items, depth = proof.items, len(proof.path)
    if depth > PATH_NODES_MAX or len(items) > _BUCKET_BYTES_MAX or len(items) % _ITEM_BYTES:
        return False
    values = {item[:32]: item[32:] for item in _cut(items)}
    if items != b"".join([key + values[key] for key in sorted(values)]):
        return False  # out of order, or a key twice
    prefix = key_hash.hex()[:depth]
    if not all(key.hex().startswith(prefix) for key in values):
        return False
    digest = _bucket_hash(items)
    for siblings in proof.path:
        if len(siblings) != _SIBLINGS_BYTES:
            return False
        depth -= 1
        place = 32 * _digit(key_hash, depth)
        digest = sha256(b"\x01" + siblings[:place] + digest + siblings[place:]).digest()
    return digest == root and values.get(key_hash) == value_hash


class Subtree(NamedTuple):
    """A part of a tree, ready to be joined with others."""

    root: "bytes | _Node"
    hash: bytes
    records: int


def plant(items: bytes, depth: int) -> Subtree:
    """The subtree of these items, packed, ascending, no key twice; their key hashes share `depth` digits."""
    above = _Node(0)
    touched: list[_Touched] = []
    _plant(above, 0, depth, items, touched)
    _settle(touched)
    return Subtree(above.children[0], bytes(above.preimage[_SLOTS[0]]), len(items) // _ITEM_BYTES)


def node_hash(children: Iterable[bytes]) -> bytes:
    """The hash of a node above subtrees of these 16 hashes."""
    return sha256(b"\x01" + b"".join(children)).digest()


def _plant(parent: _Node, slot: int, depth: int, items: bytes, touched: list[_Touched]) -> None:
    """Make `items`, packed and in order, the subtree in this slot; its key hashes share `depth` digits.

    New nodes have no hash yet: they are added to `touched`, each before those below it.
    """
    waiting = [(parent, slot, depth, items)]
    while waiting:
        parent, slot, depth, items = waiting.pop()
        if len(items) <= _BUCKET_BYTES_MAX:
            parent.put_bucket(slot, items)
            continue
        node = _Node(len(items) // _ITEM_BYTES)
        parent.children[slot] = node
        touched.append((node, parent, slot, node.count))
        # The byte with the digit at this depth, of every item: ascending, as all before it is shared.
        column = items[depth >> 1 :: _ITEM_BYTES]
        first, step = (column[0] & 0xF0, 1) if depth & 1 else (0, 16)
        start = 0
        for digit in range(16):
            end = bisect_left(column, first + (digit + 1) * step, start)
            if end > start:
                waiting.append((node, digit, depth + 1, items[start * _ITEM_BYTES : end * _ITEM_BYTES]))
            start = end


def _settle(touched: list[_Touched]) -> None:
    """Hash the touched nodes, those below first, and make buckets of those that hold 32 items or fewer."""
    for node, parent, slot, count_before in reversed(touched):
        parent.count += node.count - count_before
        if node.count > BUCKET_ITEMS_MAX:
            parent.preimage[_SLOTS[slot]] = sha256(node.preimage).digest()
        else:
            # No child is a node: one that fell to 32 items with its parent was touched, so it is settled.
            parent.put_bucket(slot, b"".join([child for child in node.children if isinstance(child, bytes)]))


def _end_of_digit(key_hashes: list[bytes], start: int, end: int, byte: int, shift: int) -> int:
    """Where in this range, in which all digits before this one are equal, the digit of its first key hash ends."""
    first = key_hashes[start]
    beyond = (first[byte] >> shift) + 1 << shift
    return end if beyond > 255 else bisect_left(key_hashes, first[:byte] + bytes((beyond,)), start, end)


def _edit(items: bytes, byte: int, key_hashes: list[bytes], changes: Mapping[bytes, bytes | None]) -> bytes:
    """The bucket with the changes of these keys, in order, applied; its key hashes are equal before `byte`."""
    column = items[byte::_ITEM_BYTES]
    pieces: list[bytes] = []
    kept = 0
    for key_hash in key_hashes:
        at = bisect_left(column, key_hash[byte]) * _ITEM_BYTES
        present = items[at : at + 32]
        while present and present < key_hash:
            at += _ITEM_BYTES
            present = items[at : at + 32]
        pieces.append(items[kept:at])
        value_hash = changes[key_hash]
        if value_hash is not None:
            pieces.append(key_hash)
            pieces.append(value_hash)
        kept = at + _ITEM_BYTES if present == key_hash else at
    pieces.append(items[kept:])
    return b"".join(pieces)


def _drain_sorted(heaps: list[bytearray]) -> bytes:
    """All items of the heaps, packed and in order; empties the heaps on the way, to spare memory."""
    packed = bytearray()
    for heap in heaps:
        items = sorted(_cut(bytes(heap)))
        heap.clear()
        if len({item[:32] for item in items}) < len(items):
            raise ValueError("two records have the same key")
        packed += b"".join(items)
    return bytes(packed)


def _cut(items: bytes) -> list[bytes]:
    return [items[start : start + _ITEM_BYTES] for start in range(0, len(items), _ITEM_BYTES)]


def _bucket_hash(items: bytes) -> bytes:
    return sha256(b"\x00" + items).digest() if items else EMPTY_HASH


def _digit(key_hash: bytes, depth: int) -> int:
    """The hexadecimal digit of the key hash at this depth, 0 to 15."""
    return key_hash[depth >> 1] >> (0 if depth & 1 else 4) & 15


def _from_hexadecimal(text: object, bytes_max: int) -> bytes:
    """The bytes that `bytes.hex` wrote as this text; ValueError for other spellings and for too many."""
    if isinstance(text, str) and len(text) <= 2 * bytes_max:
        decoded = bytes.fromhex(text)
        if decoded.hex() == text:
            return decoded
    raise ValueError(f"not at most {bytes_max} bytes in lower-case hexadecimal")
