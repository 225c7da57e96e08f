"""Hashes and the one judge of signatures.

Ed25519 by the rules of ZIP-215, as CometBFT checks its votes. Other libraries disagree with these
rules on edge cases: they may sign, they never judge (`docs/decisions/0003-one-judge.md`).
Each signed thing has a domain in front, so that no signature can serve twice.
"""

from collections.abc import Sequence
from hashlib import sha256

from ed25519_zebra import ed_verify

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
HASH_BYTES = 32

TRANSACTION_DOMAIN = b"gridtokenx/transaction/1\x00"
BATCH_DOMAIN = b"gridtokenx/batch/1\x00"
READING_DOMAIN = b"gridtokenx/reading/1\x00"
CHALLENGE_DOMAIN = b"gridtokenx/challenge/1\x00"
KEYS_DOMAIN = b"gridtokenx/keys/1\x00"
BLOCK_DOMAIN = b"gridtokenx/block/1\x00"
APPLICATION_DOMAIN = b"gridtokenx/application/1\x00"
OBSERVED_DOMAIN = b"gridtokenx/observed/1\x00"
ROTATION_DOMAIN = b"gridtokenx/rotation/1\x00"
NODE_ACCOUNT_DOMAIN = b"gridtokenx/node-account/1\x00"


def hash_bytes(data: bytes) -> bytes:
    """SHA-256."""
    return sha256(data).digest()


def signature_is_valid(signature: bytes, signed: bytes, public_key: bytes) -> bool:
    """Whether the Ed25519 signature (64 bytes) of `signed` is valid under ZIP-215."""
    if len(signature) != SIGNATURE_BYTES or len(public_key) != PUBLIC_KEY_BYTES:
        return False
    return bool(ed_verify(signature, signed, public_key))


def merkle_leaf(leaf: bytes) -> bytes:
    """The hash that stands for a leaf in a Merkle tree over a list."""
    return sha256(b"\x00" + leaf).digest()


def merkle_root(leaves: list[bytes]) -> bytes:
    """Root over a list, as in RFC 6962 (leaf prefix 0x00, node prefix 0x01), except that an odd
    last node moves up unchanged, which gives the same tree. The empty list has 32 zero bytes."""
    return merkle_root_of([sha256(b"\x00" + leaf).digest() for leaf in leaves])


def merkle_root_of(leaf_hashes: list[bytes]) -> bytes:
    """The same root, for who has each leaf's `merkle_leaf` already."""
    level = leaf_hashes or [bytes(HASH_BYTES)]
    while len(level) > 1:
        paired = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


def merkle_path(leaves: list[bytes], index: int) -> list[tuple[bool, bytes]]:
    """Siblings from leaf `index` up to the root: (sibling stands on the right, hash)."""
    return merkle_paths(leaves, [index])[0]


def merkle_paths(leaves: list[bytes], indexes: Sequence[int]) -> list[list[tuple[bool, bytes]]]:
    """The path of each of these leaves, for little more than the price of one."""
    paths: list[list[tuple[bool, bytes]]] = [[] for _ in indexes]
    level, places = [sha256(b"\x00" + leaf).digest() for leaf in leaves], list(indexes)
    while len(level) > 1:
        for path, index in zip(paths, places, strict=True):
            sibling = index ^ 1
            if sibling < len(level):
                path.append((sibling > index, level[sibling]))
        paired = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level, places = paired, [index // 2 for index in places]
    return paths


def merkle_verify(root: bytes, leaf: bytes, path: Sequence[tuple[bool, bytes]]) -> bool:
    """Whether the path leads from the leaf to the root."""
    current = sha256(b"\x00" + leaf).digest()
    for on_the_right, sibling in path:
        pair = current + sibling if on_the_right else sibling + current
        current = sha256(b"\x01" + pair).digest()
    return current == root
