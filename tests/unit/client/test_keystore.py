"""Key files: what opens them, what does not, and what is said about it."""

import json
import os
import stat
from pathlib import Path

import pytest

from gridtokenx.client import keystore as keystore_module
from gridtokenx.client.errors import (
    KeyExists,
    KeyFileCorrupt,
    KeyFileExposed,
    KeystoreError,
    KeyUnknown,
    PassphraseMissing,
    PassphraseWrong,
)
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore, decrypt_key, encrypt_key

CHEAP = 4
"""scrypt at a cost for tests."""


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    return Keystore(tmp_path / "keys")


def test_what_is_added_can_be_opened(keystore: Keystore) -> None:
    key = PrivateKey.generate()
    keystore.add("roof", key, "correct horse", CHEAP)
    assert keystore.names() == ["roof"]
    assert keystore.public_key("roof") == key.public_key
    assert keystore.is_encrypted("roof")
    assert keystore.open("roof", "correct horse").secret() == key.secret()


def test_the_shipped_cost_opens_too(keystore: Keystore) -> None:
    key = PrivateKey.generate()
    keystore.add("roof", key, "ไฟฟ้า")
    assert keystore.open("roof", "ไฟฟ้า") == key


def test_the_file_and_its_folder_are_the_owners_alone(keystore: Keystore) -> None:
    keystore.add("roof", PrivateKey.generate(), "p", CHEAP)
    assert stat.S_IMODE(keystore.path("roof").stat().st_mode) == 0o600
    assert stat.S_IMODE(keystore.folder.stat().st_mode) == 0o700


def test_the_secret_is_not_in_an_encrypted_file(keystore: Keystore) -> None:
    key = PrivateKey.generate()
    keystore.add("roof", key, "p", CHEAP)
    data = keystore.path("roof").read_bytes()
    assert key.secret() not in data and key.secret().hex().encode() not in data


@pytest.mark.parametrize("wrong", ["Correct horse", "correct horse ", "x"])
def test_a_wrong_passphrase_is_called_that(keystore: Keystore, wrong: str) -> None:
    keystore.add("roof", PrivateKey.generate(), "correct horse", CHEAP)
    with pytest.raises(PassphraseWrong):
        keystore.open("roof", wrong)


@pytest.mark.parametrize("missing", [None, ""])
def test_an_encrypted_key_wants_its_passphrase(keystore: Keystore, missing: str | None) -> None:
    keystore.add("roof", PrivateKey.generate(), "p", CHEAP)
    with pytest.raises(PassphraseMissing):
        keystore.open("roof", missing)


def test_every_single_flipped_bit_is_found() -> None:
    data = encrypt_key(PrivateKey.generate(), "p", CHEAP)
    for position in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            with pytest.raises(KeyFileCorrupt):
                decrypt_key(bytes(damaged), "p")


def test_every_shortened_file_is_found() -> None:
    data = encrypt_key(PrivateKey.generate(), "p", CHEAP)
    for length in range(len(data)):
        with pytest.raises(KeyFileCorrupt):
            decrypt_key(data[:length], "p")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": "gridtokenx-key-2"}',
        b" " * 5_000,
    ],
)
def test_what_is_no_key_file_is_called_that(document: bytes) -> None:
    with pytest.raises(KeyFileCorrupt):
        decrypt_key(document, "p")


def test_a_costly_file_is_refused_before_memory_is_taken() -> None:
    key = PrivateKey.generate()
    document = json.loads(encrypt_key(key, "p", CHEAP))
    protection = keystore_module.Protection(**(document["protection"] | {"cost_log2": 40}))
    forged = keystore_module._seal(document["public_key"], protection, document["secret"])
    with pytest.raises(KeyFileCorrupt, match="out of bounds"):
        decrypt_key(forged, "p")


def test_a_swapped_public_key_is_found_even_with_a_fitting_checksum() -> None:
    document = json.loads(encrypt_key(PrivateKey.generate(), "p", CHEAP))
    protection = keystore_module.Protection(**document["protection"])
    other = PrivateKey.generate().public_key.hex()
    with pytest.raises(PassphraseWrong):
        decrypt_key(keystore_module._seal(other, protection, document["secret"]), "p")
    plain = keystore_module._seal(other, None, PrivateKey.generate().secret().hex())
    with pytest.raises(KeyFileCorrupt, match="another public key"):
        decrypt_key(plain, None)


def test_a_file_that_others_may_read_is_not_opened(keystore: Keystore) -> None:
    keystore.add("roof", PrivateKey.generate(), "p", CHEAP)
    keystore.path("roof").chmod(0o640)
    with pytest.raises(KeyFileExposed, match="chmod 600"):
        keystore.open("roof", "p")


def test_keys_are_never_overwritten(keystore: Keystore) -> None:
    first = PrivateKey.generate()
    keystore.add("roof", first, "p", CHEAP)
    with pytest.raises(KeyExists):
        keystore.add("roof", PrivateKey.generate(), "p", CHEAP)
    with pytest.raises(KeyExists):
        keystore.add_development_key("roof", PrivateKey.generate())
    assert keystore.open("roof", "p") == first
    assert [path.name for path in keystore.folder.iterdir()] == ["roof.key.json"]


def test_an_empty_passphrase_is_refused(keystore: Keystore) -> None:
    with pytest.raises(PassphraseMissing):
        keystore.add("roof", PrivateKey.generate(), "", CHEAP)
    assert not keystore.folder.exists()


def test_development_keys_need_no_passphrase_and_say_so(keystore: Keystore) -> None:
    key = PrivateKey.generate()
    keystore.add_development_key("home-1", key)
    assert not keystore.is_encrypted("home-1")
    assert keystore.open("home-1") == key
    assert stat.S_IMODE(keystore.path("home-1").stat().st_mode) == 0o600


def test_a_passphrase_can_be_changed(keystore: Keystore) -> None:
    key = PrivateKey.generate()
    keystore.add("roof", key, "old", CHEAP)
    keystore.change_passphrase("roof", "old", "new", CHEAP)
    assert keystore.open("roof", "new") == key
    with pytest.raises(PassphraseWrong):
        keystore.open("roof", "old")
    with pytest.raises(PassphraseWrong):
        keystore.change_passphrase("roof", "old", "newer", CHEAP)


@pytest.mark.parametrize("name", ["", "../roof", "Roof", "a/b", ".roof", "-roof", "x" * 65, "roof\n", "หลังคา"])
def test_names_stay_inside_the_folder(keystore: Keystore, name: str) -> None:
    with pytest.raises(KeystoreError):
        keystore.path(name)


def test_a_key_that_is_not_there(keystore: Keystore) -> None:
    assert keystore.names() == []
    with pytest.raises(KeyUnknown):
        keystore.open("roof", "p")


def test_a_write_that_fails_leaves_nothing(keystore: Keystore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        keystore.add("roof", PrivateKey.generate(), "p", CHEAP)
    assert list(keystore.folder.iterdir()) == []
