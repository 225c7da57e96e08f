"""Ed25519 keys, and the 24 words that bring one back.

The words carry the 32 secret bytes themselves in the encoding of BIP-39 (English list, eight bits of checksum), so
any key can be written down and restored; no further derivation takes place.
"""

import unicodedata
from functools import lru_cache
from secrets import token_bytes

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mnemonic import Mnemonic

from gridtokenx.client.errors import KeystoreError, PhraseInvalid

SECRET_BYTES = 32
PHRASE_WORDS = 24


class PrivateKey:
    """A key that signs. Its text form shows the public key only."""

    __slots__ = ("_key", "public_key")

    def __init__(self, secret: bytes) -> None:
        """`secret` is 32 random bytes; raises KeystoreError for any other length."""
        if len(secret) != SECRET_BYTES:
            raise KeystoreError(f"a secret key has {SECRET_BYTES} bytes, not {len(secret)}")
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public_key: bytes = self._key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"PrivateKey({self.public_key.hex()})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateKey) and self.public_key == other.public_key

    def __hash__(self) -> int:
        return hash(self.public_key)

    @classmethod
    def generate(cls) -> "PrivateKey":
        """A new key from the operating system's randomness."""
        return cls(token_bytes(SECRET_BYTES))

    @classmethod
    def from_phrase(cls, phrase: str) -> "PrivateKey":
        """The key that these 24 words were written for. Case and spacing do not matter.

        Raises PhraseInvalid: wrong number of words, a word that is not in the list, or a wrong checksum.
        """
        words = unicodedata.normalize("NFKD", phrase).lower().split()
        if len(words) != PHRASE_WORDS:
            raise PhraseInvalid(f"a phrase has {PHRASE_WORDS} words, not {len(words)}")
        known = set(_words().wordlist)
        for number, word in enumerate(words, 1):
            if word not in known:
                raise PhraseInvalid(f"word {number} is not in the list of words")
        try:
            return cls(bytes(_words().to_entropy(words)))
        except ValueError:
            raise PhraseInvalid("a word is wrong or in the wrong place: the checksum does not fit") from None

    def phrase(self) -> str:
        """The 24 words. Whoever reads them has the key."""
        return str(_words().to_mnemonic(self.secret()))

    def secret(self) -> bytes:
        """The 32 secret bytes."""
        return self._key.private_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._key.sign(data)


@lru_cache(maxsize=1)
def _words() -> Mnemonic:
    return Mnemonic("english")
