"""Keys and the words that bring them back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.client.errors import KeystoreError, PhraseInvalid
from gridtokenx.client.keys import PrivateKey
from gridtokenx.ledger.crypto import signature_is_valid

ZERO_PHRASE = "abandon " * 23 + "art"
"""The published words of 32 zero bytes (BIP-39 test vectors)."""


@given(st.binary(min_size=32, max_size=32))
def test_the_phrase_of_any_key_restores_that_key(secret: bytes) -> None:
    key = PrivateKey(secret)
    phrase = key.phrase()
    assert len(phrase.split()) == 24
    assert PrivateKey.from_phrase(phrase).secret() == secret


def test_known_words() -> None:
    assert PrivateKey(bytes(32)).phrase() == ZERO_PHRASE
    assert PrivateKey.from_phrase(ZERO_PHRASE).secret() == bytes(32)


def test_case_and_spacing_of_a_phrase_do_not_matter() -> None:
    key = PrivateKey.generate()
    assert PrivateKey.from_phrase("\n ".join(key.phrase().upper().split()) + " ") == key


@pytest.mark.parametrize(
    ("phrase", "sentence"),
    [
        ("", "24 words, not 0"),
        ("abandon " * 23, "24 words, not 23"),
        (ZERO_PHRASE.replace("art", "artt"), "word 24 is not in the list"),
        ("abandon " * 24, "checksum"),
        ("about " + "abandon " * 22 + "art", "checksum"),
    ],
)
def test_what_is_wrong_with_a_phrase_is_said(phrase: str, sentence: str) -> None:
    with pytest.raises(PhraseInvalid, match=sentence):
        PrivateKey.from_phrase(phrase)


def test_a_signature_convinces_the_ledgers_judge() -> None:
    key = PrivateKey.generate()
    assert signature_is_valid(key.sign(b"words"), b"words", key.public_key)
    assert not signature_is_valid(key.sign(b"words"), b"other words", key.public_key)


def test_a_key_never_shows_its_secret() -> None:
    key = PrivateKey.generate()
    assert key.secret().hex() not in repr(key) + str(key)
    assert key.public_key.hex() in repr(key)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_secret_has_32_bytes(size: int) -> None:
    with pytest.raises(KeystoreError):
        PrivateKey(bytes(size))
