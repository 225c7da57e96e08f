"""Signing by several people who need not be online, nor trust each other's machines.

One person makes a *proposal* and passes it on as a JSON file; each signer reads what it would do, as decoded from the
very bytes that are signed, adds a signature and passes it on; whoever has the last one sends it. Copies that were
signed in parallel are merged.

A transaction lives ten minutes of chain time at most, but it may be made long before: the ledger refuses it until ten
minutes before its expiry (`EXPIRY_TOO_FAR`). So a ceremony agrees on an hour, and sends in the ten minutes before.
"""

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.client.errors import ClientError, SigningError
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.transactions import KeyList, SignedTransaction, build_body, finish, sign_body
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.crypto import TRANSACTION_DOMAIN, hash_bytes, signature_is_valid
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.genesis import readable
from gridtokenx.ledger.limits import TRANSACTION_BYTES_MAX, TRANSACTION_LIFETIME_MS_MAX
from gridtokenx.ledger.transaction import Body

FORMAT = "gridtokenx-proposal-1"
FILE_BYTES_MAX = 4 * TRANSACTION_BYTES_MAX


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file. Bytes in lower-case hexadecimal; `signatures`: public key → signature."""

    format: str
    body: str
    algorithm: int
    threshold: int
    keys: tuple[str, ...]
    signatures: dict[str, str]


class Proposal:
    """A transaction on its way from hand to hand. Immutable: each step gives a new one."""

    __slots__ = ("body", "keys", "signatures")

    def __init__(self, body: bytes, keys: KeyList, signatures: dict[bytes, bytes]) -> None:
        """Raises SigningError for a body that the chain does not understand, and for a signature that is not by one
        of the keys over this very body: nobody can pass on a false one."""
        self.body = body
        self.keys = keys
        self.signatures = dict(sorted(signatures.items()))
        self._decoded()
        for public_key, signature in self.signatures.items():
            if public_key not in keys.keys:
                raise SigningError(f"key {public_key.hex()} is none of the account's", field="signatures")
            if not signature_is_valid(signature, TRANSACTION_DOMAIN + body, public_key):
                raise SigningError(f"the signature by {public_key.hex()} is false", field="signatures")

    def sign(self, key: PrivateKey) -> "Proposal":
        """With one more signature. Raises SigningError if the key is none of the account's."""
        return Proposal(self.body, self.keys, self.signatures | {key.public_key: sign_body(self.body, key)})

    def merge(self, other: "Proposal") -> "Proposal":
        """With the signatures of both. Raises SigningError if they are not about the same transaction."""
        if (self.body, self.keys) != (other.body, other.keys):
            raise SigningError("these are two different transactions", field="body")
        return Proposal(self.body, self.keys, self.signatures | other.signatures)

    @property
    def missing(self) -> int:
        """How many signatures are still needed."""
        return max(0, self.keys.threshold - len(self.signatures))

    def transaction(self) -> SignedTransaction:
        """What is sent. Raises SigningError while signatures are missing."""
        body = self._decoded()
        wire = finish(self.body, self.keys.auth(self.signatures))
        return SignedTransaction(hash_bytes(self.body), wire, body.sender, body.nonce, body.expires_ms)

    def describe(self) -> dict[str, Any]:
        """What one would sign, in field names: decoded from the bytes of the body and nothing else."""
        body = self._decoded()
        return {
            "transaction": hash_bytes(self.body).hex(),
            "chain": body.chain,
            "sender": body.sender.hex(),
            "nonce": body.nonce,
            "send_from_ms": body.expires_ms - TRANSACTION_LIFETIME_MS_MAX,
            "expires_ms": body.expires_ms,
            "messages": [{"type": type(message).__name__, **readable(message)} for message in body.messages],
            "signed_by": [public_key.hex() for public_key in self.signatures],
            "signatures_missing": self.missing,
        }

    def to_json(self) -> str:
        """The file's text."""
        document = _Document(
            FORMAT,
            self.body.hex(),
            self.keys.algorithm,
            self.keys.threshold,
            tuple(key.hex() for key in self.keys.keys),
            {key.hex(): signature.hex() for key, signature in self.signatures.items()},
        )
        return json.dumps(msgspec.to_builtins(document), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Proposal":
        """Raises SigningError for anything that `to_json` would not have written."""
        if len(text) > FILE_BYTES_MAX:
            raise SigningError(f"a proposal has at most {FILE_BYTES_MAX} bytes")
        try:
            document = msgspec.json.decode(text, type=_Document)
            keys = KeyList(tuple(bytes.fromhex(key) for key in document.keys), document.threshold, document.algorithm)
            signatures = {
                bytes.fromhex(key): bytes.fromhex(signature) for key, signature in document.signatures.items()
            }
            body = bytes.fromhex(document.body)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise SigningError(f"this is no proposal: {error}") from None
        if document.format != FORMAT:
            raise SigningError(f"format {document.format!r}, this program reads {FORMAT!r}", field="format")
        return cls(body, keys, signatures)

    def write(self, path: Path) -> None:
        """Write the file whole or not at all; it holds no secret."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            temporary.write_text(self.to_json(), encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> "Proposal":
        """Raises SigningError for a file that is missing or no proposal."""
        try:
            with path.open("rb") as stream:
                return cls.from_json(stream.read(FILE_BYTES_MAX + 1))
        except OSError as error:
            raise SigningError(f"{path} cannot be read: {error.strerror}", field=str(path)) from error

    def _decoded(self) -> Body[Any]:
        try:
            return CONSORTIUM.body(self.body)
        except Rejected as rejection:
            raise SigningError("the body is none that the chain understands", field=rejection.field) from None


def propose(
    chain: str,
    sender: bytes,
    nonce: int,
    expires_ms: int,
    messages: Sequence[Message],
    keys: KeyList,
) -> Proposal:
    """A new proposal without signatures. Raises SigningError."""
    return Proposal(build_body(chain, sender, nonce, expires_ms, messages), keys, {})


def merge_all(proposals: Sequence[Proposal]) -> Proposal:
    """All signatures of several copies. Raises SigningError for none, or for copies that differ."""
    if not proposals:
        raise ClientError("nothing to merge")
    merged = proposals[0]
    for proposal in proposals[1:]:
        merged = merged.merge(proposal)
    return merged
