"""One transaction: `[body, auth]`.

*Check* (`check_transaction`) needs no state: canonical bytes and every signature, so it runs in worker
processes, which open many (`open_transaction`) and judge their signatures together (`require_valid`). *Apply*
(`apply_transaction`) reads state: are these the account's keys, is it this chain, not expired, a fresh nonce;
then all messages succeed or fail together.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import lt
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.account import (
    ACCOUNT_BYTES,
    ACCOUNTS,
    PENDING_KEYS,
    ROTATED_KEYS,
    Account,
    PendingKeys,
    RotatedKeys,
    use_nonce,
)
from gridtokenx.ledger.codec import Decoder, Message, Record, encode
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.crypto import (
    KEYS_DOMAIN,
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    TRANSACTION_DOMAIN,
    hash_bytes,
    signature_is_valid,
)
from gridtokenx.ledger.errors import HANDLER_BUGS, KernelCode, Rejected
from gridtokenx.ledger.schedule import ScheduledHandler
from gridtokenx.ledger.state import State

M = TypeVar("M")

_ACCOUNTS = ACCOUNTS.prefix
"""A name that is looked up for each transaction."""

ALGORITHM_ED25519 = 0

PublicKey = Annotated[bytes, msgspec.Meta(min_length=PUBLIC_KEY_BYTES, max_length=PUBLIC_KEY_BYTES)]
Signature = Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
AccountId = Annotated[bytes, msgspec.Meta(min_length=ACCOUNT_BYTES, max_length=ACCOUNT_BYTES)]
Whole = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Small = Annotated[int, msgspec.Meta(ge=0, le=255)]


class Auth(Record, frozen=True):
    """Who signed: the account's whole key list, and one signature for each of `threshold` of them.

    Keys ascend strictly; signatures are (index of the key, signature), indexes ascending.
    """

    algorithm: Small
    threshold: Small
    keys: Annotated[tuple[PublicKey, ...], msgspec.Meta(max_length=limits.KEYS_PER_ACCOUNT_MAX)]
    signatures: Annotated[tuple[tuple[Small, Signature], ...], msgspec.Meta(max_length=limits.KEYS_PER_ACCOUNT_MAX)]


class Envelope(Record, frozen=True):
    """What travels: the exact bytes that were signed, and the signatures."""

    body: bytes
    auth: Auth


class Body(Record, Generic[M], frozen=True):
    """What was signed. `messages` succeed or fail together."""

    chain: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    sender: AccountId
    nonce: Whole
    expires_ms: Whole
    messages: Annotated[tuple[M, ...], msgspec.Meta(min_length=1, max_length=limits.MESSAGES_PER_TRANSACTION_MAX)]


SignedPart = tuple[bytes, bytes, bytes]
"""(public key, signed bytes, signature)."""


class SignedMessage(Message, frozen=True):
    """A message that carries signatures of its own (a meter's, say), checked with the sender's."""

    def signed_parts(self) -> list[SignedPart]:
        """Each of them, always in the same order."""
        raise AssertionError("each signed message lists its parts")


class Opened(NamedTuple):
    """A transaction whose bytes are canonical, and whose signatures nobody has judged yet."""

    envelope: Envelope
    body: Body[Any]
    parts: list[SignedPart]
    """The account's signatures, then those inside messages."""


class Receipt(Record, frozen=True):
    """The outcome. `transaction` is the hash of the body, or, for one that was not its account's, of
    all its bytes. `failed` is the index of the message that failed."""

    transaction: bytes
    code: int
    failed: int
    results: tuple[tuple[int, ...], ...]


_OK = int(KernelCode.OK)

decode_envelope: Decoder[Envelope] = Decoder(Envelope)


@lru_cache(maxsize=65_536)
def keys_hash(algorithm: int, threshold: int, keys: tuple[bytes, ...]) -> bytes:
    """What an account remembers of its keys; an account's id is the hash of its first keys."""
    return hash_bytes(KEYS_DOMAIN + encode((algorithm, threshold, keys)))


def check_transaction(wire: bytes, decode_body: Decoder[Body[Any]]) -> int:
    """Check bytes and signatures, without state; returns the number of valid signatures.

    Raises what `open_transaction` and `require_valid` raise.
    """
    opened = open_transaction(wire, decode_body)
    # One after the other: after the first that is false, none is looked at.
    verdicts = (signature_is_valid(signature, signed, key) for key, signed, signature in opened.parts)
    return require_valid(opened, verdicts)


def open_transaction(wire: bytes, decode_body: Decoder[Body[Any]]) -> Opened:
    """Check bytes, without state, and list the signatures, without judging them.

    Raises `TOO_LARGE`, `MALFORMED`, `ALGORITHM_UNKNOWN`, or `SIGNATURE_INVALID` where signatures and keys do not match
    in number.
    """
    if len(wire) > limits.TRANSACTION_BYTES_MAX:
        raise Rejected(KernelCode.TOO_LARGE, "transaction")
    envelope = decode_envelope(wire, "transaction")
    auth = envelope.auth
    check_keys(auth.algorithm, auth.threshold, auth.keys)
    if len(auth.signatures) != auth.threshold:
        raise Rejected(KernelCode.SIGNATURE_INVALID, "signatures")
    body = decode_body(envelope.body)
    signed = TRANSACTION_DOMAIN + envelope.body
    parts: list[SignedPart] = []
    last = -1
    for index, signature in auth.signatures:
        if not last < index < len(auth.keys):
            raise Rejected(KernelCode.SIGNATURE_INVALID, "signatures")
        parts.append((auth.keys[index], signed, signature))
        last = index
    for message in body.messages:
        if isinstance(message, SignedMessage):
            parts += message.signed_parts()
    return Opened(envelope, body, parts)


def require_valid(opened: Opened, verdicts: Iterable[bool]) -> int:
    """Take the verdict on each of its parts, in order; returns their number if all are valid.

    Raises `SIGNATURE_INVALID` with the field of the first that is not, `TOO_LARGE` if the messages hold too many, and
    ValueError if there are not as many verdicts as parts.
    """
    for index, (_, valid) in enumerate(zip(opened.parts, verdicts, strict=True)):
        if not valid:
            raise Rejected(KernelCode.SIGNATURE_INVALID, _field_of_part(opened, index))
    if len(opened.parts) - len(opened.envelope.auth.signatures) > limits.SIGNATURES_PER_TRANSACTION_MAX:
        raise Rejected(KernelCode.TOO_LARGE, "messages")
    return len(opened.parts)


def _field_of_part(opened: Opened, index: int) -> str:
    """Where a part stands: among the account's signatures, or in a message."""
    passed = len(opened.envelope.auth.signatures)
    if index < passed:
        return "signatures"
    for position, message in enumerate(opened.body.messages):
        if isinstance(message, SignedMessage):
            passed += len(message.signed_parts())
            if index < passed:
                return f"messages[{position}]"
    raise AssertionError("no such part")


def check_keys(algorithm: int, threshold: int, keys: tuple[bytes, ...]) -> None:
    """A key list an account may have: known algorithm, keys ascending, 1 <= threshold <= keys."""
    if algorithm != ALGORITHM_ED25519:
        raise Rejected(KernelCode.ALGORITHM_UNKNOWN, "algorithm")
    ascending = all(map(lt, keys, keys[1:]))
    if not ascending or not 1 <= threshold <= len(keys) <= limits.KEYS_PER_ACCOUNT_MAX:
        raise Rejected(KernelCode.MALFORMED, "keys")


def apply_transaction(
    state: State,
    context: Context,
    handlers: Mapping[type[Message], Any],
    envelope: Envelope,
    body: Body[Any],
    transaction_id: bytes,
) -> Receipt:
    """Authenticate, use the nonce, run the messages. Never raises for what a sender can cause."""
    sender, auth = body.sender, envelope.auth
    account = state.rows[_ACCOUNTS].get(sender)
    if account is None or account.keys_hash != keys_hash(auth.algorithm, auth.threshold, auth.keys):
        code = KernelCode.ACCOUNT_UNKNOWN if account is None else KernelCode.UNAUTHENTICATED
        return Receipt(hash_bytes(encode(envelope)), int(code), 0, ())
    try:
        process_nonce(state, context, account, body)
    except Rejected as rejection:
        return Receipt(transaction_id, int(rejection.code), 0, ())
    context.sender = sender
    mark = len(state.undo)  # a nonce is used for good: what is taken back begins here
    results: list[tuple[int, ...]] = []
    try:
        for message in body.messages:
            results.append(handlers[type(message)](state, context, message))  # noqa: PERF401 (counts failures)
    except Rejected as rejection:
        state.roll_back(mark)
        return Receipt(transaction_id, int(rejection.code), len(results), ())
    except HANDLER_BUGS as bug:
        state.roll_back(mark)
        kind = type(body.messages[len(results)]).__name__
        context.alarms.append(f"internal error in {kind}: {bug!r}")
        return Receipt(transaction_id, int(KernelCode.INTERNAL), len(results), ())
    state.keep()
    return Receipt(transaction_id, _OK, 0, tuple(results))


def process_nonce(state: State, context: Context, account: Account, body: Body[Any]) -> None:
    """Refuse another chain, an expired or far expiry, a used nonce, a sender over quota; else use the
    nonce, for good. What is refused here leaves no trace in state."""
    if body.chain != context.chain:
        raise Rejected(KernelCode.CHAIN_WRONG, "chain")
    if body.expires_ms < context.time_ms:
        raise Rejected(KernelCode.EXPIRED, "expires_ms")
    if body.expires_ms > context.time_ms + limits.TRANSACTION_LIFETIME_MS_MAX:
        raise Rejected(KernelCode.EXPIRY_TOO_FAR, "expires_ms")
    count = context.transactions_of.get(body.sender, 0)
    if count >= limits.TRANSACTIONS_PER_SENDER_AND_BLOCK_MAX:
        raise Rejected(KernelCode.QUOTA_EXCEEDED, "sender")
    context.transactions_of[body.sender] = count + 1
    highest, gaps = use_nonce(account.nonce_highest, account.nonce_gaps, body.nonce)
    used = Account(
        account.participant,
        account.keys_hash,
        highest,
        gaps,
        account.balance_micro,
        account.held_micro,
        account.debt_micro,
    )
    state.put(ACCOUNTS, body.sender, used)


FORGET_KEYS = 1
"""Kind of scheduled work."""


def rotate_keys(state: State, account_id: bytes, new_keys_hash: bytes) -> None:
    """The new keys count from the next block; the last rotation of a block wins."""
    state.put(PENDING_KEYS, account_id, PendingKeys(new_keys_hash))


def process_pending_keys(state: State, context: Context) -> None:
    """At the start of a block: what was rotated in the block before now counts."""
    for account_id in state.keys(PENDING_KEYS):
        pending, account = state.get(PENDING_KEYS, account_id), state.get(ACCOUNTS, account_id)
        assert pending is not None and account is not None
        state.delete(PENDING_KEYS, account_id)
        until_ms = context.time_ms + limits.ROTATED_KEYS_KEPT_MS
        old = account_id + account.keys_hash
        state.put(ROTATED_KEYS, old, RotatedKeys(until_ms))
        schedule.add(state, until_ms, FORGET_KEYS, old)
        state.put(ACCOUNTS, account_id, msgspec.structs.replace(account, keys_hash=pending.keys_hash))
    state.keep()


def _forget_rotated(state: State, context: Context, old: bytes) -> int:
    rotated = state.get(ROTATED_KEYS, old)
    if rotated is not None and rotated.until_ms <= context.time_ms:
        state.delete(ROTATED_KEYS, old)
    return 1


SCHEDULED: dict[int, ScheduledHandler] = {FORGET_KEYS: _forget_rotated}
