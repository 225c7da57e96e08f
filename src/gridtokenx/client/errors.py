"""What can go wrong for a client: one tree.

Every error has `code` (a number: the ledger's, the engine's or the gateway's, `docs/codes.md`), `name` (its
name), `field` (what it is about, or empty) and `detail` (a sentence). Errors that arise on this side of the wire
have code 0 and the name of their class.
"""

from gridtokenx.engine.comet.light_errors import LightError


class ClientError(Exception):
    """Everything that this package raises on purpose."""

    def __init__(self, detail: str, *, code: int = 0, name: str = "", field: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.name = name or type(self).__name__
        self.field = field

    def __str__(self) -> str:
        place = f" at {self.field}" if self.field else ""
        return f"{self.name} ({self.code}){place}: {self.detail}" if self.code else self.detail


class KeystoreError(ClientError):
    """Something about keys on this machine."""


class PassphraseWrong(KeystoreError):
    """The key file is whole, and this passphrase does not open it."""


class PassphraseMissing(KeystoreError):
    """No passphrase was given, and nobody can be asked."""


class KeyFileCorrupt(KeystoreError):
    """The file is not what the keystore wrote."""


class KeyFileExposed(KeystoreError):
    """Others on this machine may read the file."""


class KeyExists(KeystoreError):
    """There is a key of this name; keys are never overwritten."""


class KeyUnknown(KeystoreError):
    """There is no key of this name."""


class PhraseInvalid(KeystoreError):
    """These are not the 24 words of a key."""


class SigningError(ClientError):
    """A transaction that cannot be signed or put together as asked."""


class ApiError(ClientError):
    """The gateway answered, and the answer is no. `status` is that of HTTP."""

    def __init__(self, detail: str, *, status: int, code: int = 0, name: str = "", field: str = "") -> None:
        super().__init__(detail, code=code, name=name, field=field)
        self.status = status


class NotAuthorised(ApiError):
    """401 or 403: no session, one that has ended, or somebody else's account."""


class NotFound(ApiError):
    """404: there is no such thing, or not any more."""


class Unavailable(ApiError):
    """429 or 5xx: the gateway or its node cannot answer now; asking again later makes sense."""


class TransactionRejected(ClientError):
    """The ledger, or the node at its door, refused a transaction; the code says why. `transaction_id` names it.
    `failed` is the place of the message that the ledger refused, from 0; None for a refusal at the door."""

    def __init__(
        self,
        detail: str,
        *,
        transaction_id: bytes,
        code: int,
        name: str = "",
        field: str = "",
        failed: int | None = None,
    ) -> None:
        super().__init__(detail, code=code, name=name, field=field)
        self.transaction_id = transaction_id
        self.failed = failed


class TransactionExpired(ClientError):
    """Chain time went past the transaction's expiry: it is in no block and never will be."""

    def __init__(self, detail: str, *, transaction_id: bytes) -> None:
        super().__init__(detail)
        self.transaction_id = transaction_id


class StillPending(ClientError):
    """The transaction is in no block yet, and has not expired. Waiting on is as good as sending the same again."""

    def __init__(self, detail: str, *, transaction_id: bytes) -> None:
        super().__init__(detail)
        self.transaction_id = transaction_id


class WrongChain(ClientError):
    """The gateway serves another chain than the one that was asked for."""


class AddressInvalid(ClientError):
    """What was given as a gateway's address is none."""


class TransportError(ClientError):
    """No answer: refused, cut off or timed out. For a submission: send the same bytes again."""


class AnswerNotUnderstood(ClientError):
    """The other side is no gateway of this version, or somebody between changed its answer."""


class NotProved(ClientError):
    """A light client does not believe it. `name` is that of the reason, `reason` the error itself: a
    `light_errors.Conflict` holds the evidence of two chains."""

    def __init__(self, reason: LightError) -> None:
        super().__init__(reason.detail, name=type(reason).__name__)
        self.reason = reason


class ProofInvalid(ClientError):
    """The proof does not prove what it should."""
