"""Building and signing transactions.

A transaction is signed over the exact bytes of its body, which name the chain and an expiry in *chain time*: the
caller asks a node for that (`Client.status`), since the clock of this machine means nothing to the chain.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gridtokenx.client.errors import SigningError
from gridtokenx.client.keys import PrivateKey
from gridtokenx.ledger.codec import Message, encode
from gridtokenx.ledger.crypto import TRANSACTION_DOMAIN, hash_bytes
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import (
    MESSAGES_PER_TRANSACTION_MAX,
    TRANSACTION_BYTES_MAX,
    TRANSACTION_LIFETIME_MS_MAX,
)
from gridtokenx.ledger.transaction import ALGORITHM_ED25519, Auth, Body, Envelope, check_keys, keys_hash

LIFETIME_MS = TRANSACTION_LIFETIME_MS_MAX // 2
"""Half of what the ledger allows: the chain may be some blocks behind what its node said a moment ago."""


@dataclass(frozen=True, slots=True)
class KeyList:
    """Who may sign for an account: `threshold` of `keys`, which ascend."""

    keys: tuple[bytes, ...]
    threshold: int = 1
    algorithm: int = ALGORITHM_ED25519

    def __post_init__(self) -> None:
        try:
            check_keys(self.algorithm, self.threshold, self.keys)
        except Rejected as rejection:
            raise SigningError(
                "a key list has 1 to 16 different keys in ascending order and a threshold between 1 and their number",
                field=rejection.field,
            ) from None

    @classmethod
    def of(cls, public_keys: Iterable[bytes], threshold: int = 1) -> "KeyList":
        """The list of these keys in any order."""
        return cls(tuple(sorted(public_keys)), threshold)

    def hash(self) -> bytes:
        """What an account remembers; for the keys it was opened with, its id."""
        return keys_hash(self.algorithm, self.threshold, self.keys)

    def auth(self, signatures: Mapping[bytes, bytes]) -> Auth:
        """The lowest `threshold` signatures (public key → signature) in the ledger's form.

        Raises SigningError when there are too few, or one by a key that is not in the list.
        """
        strangers = [key.hex() for key in signatures if key not in self.keys]
        if strangers:
            raise SigningError(f"key {strangers[0]} is none of the account's", field="keys")
        placed = sorted((self.keys.index(key), signature) for key, signature in signatures.items())
        if len(placed) < self.threshold:
            raise SigningError(f"{len(placed)} of {self.threshold} signatures", field="signatures")
        return Auth(self.algorithm, self.threshold, self.keys, tuple(placed[: self.threshold]))


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """What is sent. Sending the same bytes again is harmless: the nonce is used once."""

    id: bytes
    wire: bytes
    sender: bytes
    nonce: int
    expires_ms: int


def build_body(chain: str, sender: bytes, nonce: int, expires_ms: int, messages: Sequence[Message]) -> bytes:
    """The bytes to be signed. Raises SigningError for no messages or too many."""
    if not 1 <= len(messages) <= MESSAGES_PER_TRANSACTION_MAX:
        raise SigningError(
            f"a transaction has 1 to {MESSAGES_PER_TRANSACTION_MAX} messages, not {len(messages)}",
            field="messages",
        )
    return encode(Body(chain, sender, nonce, expires_ms, tuple(messages)))


def sign_body(body: bytes, key: PrivateKey) -> bytes:
    """One signature of a transaction."""
    return key.sign(TRANSACTION_DOMAIN + body)


def finish(body: bytes, auth: Auth) -> bytes:
    """The bytes to be sent. Raises SigningError when they are too many for the ledger."""
    wire = encode(Envelope(body, auth))
    if len(wire) > TRANSACTION_BYTES_MAX:
        raise SigningError(f"{len(wire)} bytes, at most {TRANSACTION_BYTES_MAX}", field="messages")
    return wire


def sign(
    chain: str,
    sender: bytes,
    nonce: int,
    expires_ms: int,
    messages: Sequence[Message],
    keys: KeyList,
    signers: Iterable[PrivateKey],
) -> SignedTransaction:
    """A whole transaction by keys that are all at hand. Errors as for its parts."""
    body = build_body(chain, sender, nonce, expires_ms, messages)
    auth = keys.auth({signer.public_key: sign_body(body, signer) for signer in signers})
    return SignedTransaction(hash_bytes(body), finish(body, auth), sender, nonce, expires_ms)
