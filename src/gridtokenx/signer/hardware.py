"""Keys in hardware that speaks PKCS#11 and never gives a key away."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pkcs11
from ed25519_zebra import ed_verify
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, exceptions

from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.signer.keys import Key, KeyFailed, KeyPlace

PIN_VARIABLE: Final = "GRIDTOKENX_SIGNER_PIN"

CURVE: Final = bytes.fromhex("06032b6570")
"""The object identifier 1.3.101.112, Ed25519, in DER."""

PUBLIC_KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 8


class HardwareKey:
    """A key in a token. A session that was lost is opened anew, once for each signature."""

    def __init__(self, place: KeyPlace) -> None:
        """Raises `KeyFailed` if library, token or key are not there, `FolderUnusable` if the PIN is not."""
        self._place = place
        self.public_key = self._open()

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes, checked. Raises `KeyFailed`."""
        try:
            signature = self._sign(data)
        except exceptions.PKCS11Error:
            self._reopen()
            with _failures(self._place):
                signature = self._sign(data)
        # Hardware that makes a wrong signature may give its key away with it.
        if not ed_verify(signature, data, self.public_key):
            raise KeyFailed(f"the token '{self._place.token}' made a signature that is not right: replace it")
        return signature

    def _sign(self, data: bytes) -> bytes:
        return bytes(self._private.sign(data, mechanism=Mechanism.EDDSA))

    def _reopen(self) -> None:
        with suppress(exceptions.PKCS11Error):
            self._session.close()
        try:
            found = self._open()
        except FolderUnusable as error:
            raise KeyFailed(str(error)) from error
        if found != self.public_key:
            raise KeyFailed(f"the token '{self._place.token}' holds another key now: {found.hex()}")

    def _open(self) -> bytes:
        with _failures(self._place):
            self._session = _session(self._place)
            self._private, public_key = _find(self._session, self._place.label)
        return public_key


def open_in_hardware(place: KeyPlace) -> Key:
    """The key at this place. Raises `FolderUnusable`."""
    try:
        return HardwareKey(place)
    except KeyFailed as error:
        raise FolderUnusable(str(error)) from error


def generate(place: KeyPlace) -> None:
    """Make a key in the token, from which it cannot be taken. Raises `FolderUnusable`, also if the label is used."""
    try:
        with _failures(place), _session(place, writes=True) as session:
            if list(session.get_objects({Attribute.LABEL: place.label})):
                raise FolderUnusable(f"'{place.label}' is in the token '{place.token}' already: choose another label")
            curve = session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: CURVE}, local=True)
            curve.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                store=True,
                label=place.label,
                id=os.urandom(KEY_ID_BYTES),
                private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )
    except KeyFailed as error:
        raise FolderUnusable(str(error)) from error


def read_pin(place: KeyPlace) -> str:
    """Of the token. Never from a command line, which everybody on the machine can read. Raises `FolderUnusable`."""
    if not place.pin_file:
        pin = os.environ.get(PIN_VARIABLE, "")
        if not pin:
            raise FolderUnusable(f"no PIN for the token '{place.token}': give --pin-file, or set {PIN_VARIABLE}")
        return pin
    file = Path(place.pin_file)
    try:
        if file.stat().st_mode & 0o077:
            raise FolderUnusable(f"others may read {file}: `chmod 600` it, and give the token another PIN")
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise FolderUnusable(f"the PIN cannot be read from {file}: {error}") from None


def _session(place: KeyPlace, *, writes: bool = False) -> Any:
    pin, token = read_pin(place), pkcs11.lib(place.library).get_token(token_label=place.token)
    try:
        return token.open(rw=writes, user_pin=pin)
    except exceptions.UserAlreadyLoggedIn:
        return token.open(rw=writes)  # for another key of this process


def _find(session: Any, label: str) -> tuple[Any, bytes]:
    """The private key of this label, and the public one's 32 bytes."""
    private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, key_type=KeyType.EC_EDWARDS, label=label)
    public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, key_type=KeyType.EC_EDWARDS, label=label)
    # Some tokens put the bytes into a DER octet string, as the standard says, some do not.
    return private, bytes(public[Attribute.EC_POINT])[-PUBLIC_KEY_BYTES:]


@contextmanager
def _failures(place: KeyPlace) -> Iterator[None]:
    """What the library raises becomes `KeyFailed`, with a sentence."""
    what = f"the token '{place.token}' of {place.library}"
    try:
        yield
    except (exceptions.NoSuchToken, exceptions.TokenNotPresent):
        raise KeyFailed(f"{what} is not there: plug it in, or look at its label") from None
    except exceptions.PinIncorrect:
        raise KeyFailed(f"{what} refuses the PIN: most tokens lock themselves after a few wrong ones") from None
    except exceptions.NoSuchKey:
        raise KeyFailed(f"{what} holds no Ed25519 key '{place.label}': --generate makes one") from None
    except exceptions.PKCS11Error as error:
        raise KeyFailed(f"{what} failed: {type(error).__name__} {error}") from error
