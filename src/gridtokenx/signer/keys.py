"""The signer's keys: in a file of CometBFT's form, or in hardware (`hardware`)."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridtokenx.engine.comet.keys import load_seed
from gridtokenx.engine.folder import FolderUnusable

if TYPE_CHECKING:
    from types import ModuleType


class KeyFailed(Exception):
    """The key cannot sign now. Says why; it may be able to later."""


class KeyPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a key is. `file`: of a file, its path. `library`, `token`, `label`: of hardware; `pin_file` holds its PIN,
    or else `GRIDTOKENX_SIGNER_PIN` does."""

    kind: Literal["file", "pkcs11"]
    public_key: str = ""
    file: str = ""
    library: str = ""
    token: str = ""
    label: str = ""
    pin_file: str = ""


class Key(Protocol):
    """What signs."""

    public_key: bytes

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes. Raises `KeyFailed`."""


class FileKey:
    """A key in `priv_validator_key.json`."""

    def __init__(self, file: Path) -> None:
        """Raises `FolderUnusable` if it is no such file, or others may read it."""
        self._private = Ed25519PrivateKey.from_private_bytes(load_seed(file))
        self.public_key = self._private.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return self._private.sign(data)


def open_key(place: KeyPlace, folder: Path) -> Key:
    """The key at this place; paths of files are from the signer's folder on. Raises `FolderUnusable`, also if it is
    not the key that was there before."""
    key: Key = FileKey(folder / place.file) if place.kind == "file" else _hardware().open_in_hardware(place)
    if place.public_key and key.public_key.hex() != place.public_key:
        raise FolderUnusable(f"the key {key.public_key.hex()} is where {place.public_key} was: put that one back")
    return key


def generate_in_hardware(place: KeyPlace) -> None:
    """Make a key in the token, from which it cannot be taken. Raises `FolderUnusable`, also if the label is used."""
    _hardware().generate(place)


def _hardware() -> "ModuleType":
    try:
        from gridtokenx.signer import hardware  # noqa: PLC0415 - keys in files need no library
    except ImportError as error:
        raise FolderUnusable(f"python-pkcs11 is not there ({error}): `make setup` installs it") from None
    return hardware
