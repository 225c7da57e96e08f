"""Proofs wrong in form alone: their hashes lead to the root that goes with them, so only a look at the form tells."""

from dataclasses import dataclass
from hashlib import sha256

from gridtokenx.ledger.commitment import Proof

KEY = b"key"
VALUE = b"value"
KEY_HASH = sha256(KEY).digest()
ITEM = KEY_HASH + sha256(VALUE).digest()
SIBLINGS = bytes(480)


@dataclass(frozen=True)
class Shown:
    """A proof and the root it leads to."""

    root: bytes
    proof: Proof


def shown(items: bytes, path: tuple[bytes, ...]) -> Shown:
    digest = sha256(b"\x00" + items).digest()
    for depth, siblings in zip(reversed(range(len(path))), path, strict=True):
        place = 32 * int(KEY_HASH.hex()[depth], 16)
        digest = sha256(b"\x01" + siblings[:place] + digest + siblings[place:]).digest()
    return Shown(digest, Proof(items, path))


def neighbours(shared_bytes: int, count: int) -> list[bytes]:
    """The item of the key and others whose key hashes begin alike, in order."""
    others = [KEY_HASH[:shared_bytes] + sha256(bytes([number])).digest()[shared_bytes:] for number in range(count)]
    return sorted([ITEM, *(other + sha256(other).digest() for other in others)])


def packed(items: list[bytes]) -> bytes:
    return b"".join(items)


NEAR = neighbours(4, 10)

HONEST = {
    "at the root": shown(packed(NEAR), ()),
    "below eight nodes": shown(packed(NEAR), (SIBLINGS,) * 8),
    "a full bucket": shown(packed(neighbours(1, 31)), (SIBLINGS,) * 2),
    "as deep as can be": shown(ITEM, (SIBLINGS,) * 63),
}

FORGED = {
    "out of order": shown(packed(NEAR[::-1]), ()),
    "an item twice": shown(ITEM * 2, ()),
    "a key with two values": shown(ITEM + KEY_HASH + bytes(32), ()),
    "33 items": shown(packed(neighbours(1, 32)), ()),
    "an item cut short": shown(packed(NEAR)[:-1], ()),
    "half an item more": shown(packed(NEAR) + b"\xff" * 32, ()),
    "items of another prefix": shown(packed(NEAR), (SIBLINGS,) * 9),
    "path too long": shown(ITEM, (SIBLINGS,) * 64),
    "seventeen children": shown(packed(NEAR), (SIBLINGS + bytes(32),)),
    "fifteen children": shown(packed(NEAR), (SIBLINGS[:-32],)),
    "one child": shown(packed(NEAR), (b"",)),
}
