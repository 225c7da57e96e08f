"""The signer's present key, and the one before it while a rotation goes on.

CometBFT asks for the public key once for each height, so after a change a node goes on with the old key until its next
height. It gets its votes signed with the key whose address they carry, and a proposal, which carries none, with the key
that it was told last. When the present key has signed, the old one is let go.
"""

from dataclasses import dataclass

import msgspec

from gridtokenx.engine.comet.keys import address_of_key
from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.signer.folder import SignerFolder
from gridtokenx.signer.guard import Guard, Signed
from gridtokenx.signer.keys import Key, KeyPlace, open_key
from gridtokenx.signer.sign_bytes import Place


class KeyUnknown(Exception):
    """A vote of a validator whose key this signer does not hold."""


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key and its guard."""

    key: Key
    guard: Guard

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        return self.key.public_key

    @property
    def has_signed(self) -> bool:
        """Whether anything is known of it."""
        return bool(self.guard.last.sign_bytes)

    def sign(self, place: Place, sign_bytes: bytes) -> Signed:
        """As `Guard.sign`; raises `KeyFailed` too."""
        return self.guard.sign(place, sign_bytes, self.key.sign)


class Keyring:
    """Of one signer, whose folder is locked. To be called by one thread."""

    def __init__(self, folder: SignerFolder) -> None:
        """Open the keys. Raises `FolderUnusable`."""
        self.folder = folder
        self.config = folder.read()
        self.present = self._hold(self.config.key)
        self.old: HeldKey | None = None
        if self.config.old_key is not None and not self.present.has_signed:
            self.old = self._hold(self.config.old_key)

    def of_address(self, address: bytes) -> HeldKey:
        """The key of the validator that a vote names. Raises `KeyUnknown`."""
        for held in (self.present, self.old):
            if held is not None and address_of_key(held.public_key) == address:
                return held
        raise KeyUnknown(
            f"the vote is of the validator {address.hex()}: this signer holds the key {self.present.public_key.hex()}"
        )

    def of_key(self, public_key: bytes | None) -> HeldKey:
        """The key that a node was told; the present one if it was told none, or one that was let go."""
        if self.old is not None and self.old.public_key == public_key:
            return self.old
        return self.present

    def note_signed(self, held: HeldKey) -> None:
        """After a signature."""
        if held is self.present:
            self.old = None

    def switch(self) -> bytes:
        """Change to the staged key; returns the public one. Raises `FolderUnusable` if none is staged or it cannot be
        used: then nothing has changed."""
        place = self.folder.read_next()
        if place is None or place.public_key == self.config.key.public_key:
            raise FolderUnusable("no key is staged: `gridtokenx signer rotate` stages one")
        held = self._hold(place)
        config = msgspec.structs.replace(self.config, key=place, old_key=self.config.key)
        self.folder.write(config)
        self.folder.next.unlink()
        self.config, self.old, self.present = config, self.present, held
        return held.public_key

    def _hold(self, place: KeyPlace) -> HeldKey:
        key = open_key(place, self.folder.path)
        return HeldKey(key, Guard(self.folder.guard(key.public_key.hex()), self.config.chain, key.public_key))
