"""Merkle lists, domains, and the one judge of signatures."""

from hashlib import sha256

import pytest
from ed25519_zebra import ed_sign
from hypothesis import given
from hypothesis import strategies as st
from tests.world import signer

from gridtokenx.ledger import crypto
from gridtokenx.ledger.crypto import merkle_path, merkle_root, merkle_verify, signature_is_valid

leaf_lists = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


def obvious_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written: split at the largest power of two below the length."""
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + obvious_root(leaves[:split]) + obvious_root(leaves[split:])).digest()


@given(leaf_lists)
def test_the_root_is_that_of_rfc_6962(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == obvious_root(leaves)


def test_the_empty_list_has_a_root_of_its_own() -> None:
    assert merkle_root([]) == bytes(32)


@given(leaf_lists, st.data())
def test_a_path_proves_its_leaf_and_no_other(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, path = merkle_root(leaves), merkle_path(leaves, index)
    assert merkle_verify(root, leaves[index], path)
    assert not merkle_verify(root, leaves[index] + b"x", path)
    if path:
        level = data.draw(st.integers(0, len(path) - 1))
        side, sibling = path[level]
        wrong = bytes([sibling[0] ^ 1]) + sibling[1:]
        assert not merkle_verify(root, leaves[index], [*path[:level], (side, wrong), *path[level + 1 :]])


def test_a_node_cannot_pass_for_a_leaf() -> None:
    left, right = (sha256(b"\x00" + leaf).digest() for leaf in (b"a", b"b"))
    assert merkle_root([b"a", b"b"]) != merkle_root([left + right])


@given(st.binary(max_size=64), st.integers(0, 511))
def test_a_signature_holds_for_its_bytes_and_key_alone(data: bytes, bit: int) -> None:
    key, other = signer("one"), signer("two")
    signature = bytes(ed_sign(key.secrets[0], data))
    assert signature_is_valid(signature, data, key.keys[0])
    assert not signature_is_valid(signature, data + b"x", key.keys[0])
    assert not signature_is_valid(signature, data, other.keys[0])
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not signature_is_valid(bytes(flipped), data, key.keys[0])


@pytest.mark.parametrize(("signature_bytes", "key_bytes"), [(0, 32), (63, 32), (65, 32), (64, 31), (64, 33), (64, 0)])
def test_other_lengths_are_invalid_and_raise_nothing(signature_bytes: int, key_bytes: int) -> None:
    assert not signature_is_valid(bytes(signature_bytes), b"data", bytes(key_bytes))


def test_a_key_that_is_no_point_is_invalid_and_raises_nothing() -> None:
    assert not signature_is_valid(bytes(64), b"data", b"\x02" + bytes(31))


def test_no_domain_begins_another() -> None:
    domains = [value for name, value in vars(crypto).items() if name.endswith("_DOMAIN")]
    assert len(domains) >= 6
    assert not any(one != other and other.startswith(one) for one in domains for other in domains)
