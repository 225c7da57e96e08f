"""What takes more than one question: repeating, signing in, sending with the right nonce, waiting.

A flow is a generator: it yields an `Exchange` and gets the answer (or an error) back, or a `Pause`. It knows no
network and no clock of its own, so one and the same flow serves `Client` and `AsyncClient`.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gridtokenx.client import calls
from gridtokenx.client.calls import Call
from gridtokenx.client.errors import (
    AnswerNotUnderstood,
    NotAuthorised,
    StillPending,
    TransactionExpired,
    TransactionRejected,
    TransportError,
    Unavailable,
    WrongChain,
)
from gridtokenx.client.transactions import SignedTransaction
from gridtokenx.client.wallet import NONCE_CODES, Wallet
from gridtokenx.engine.comet import answers as comet
from gridtokenx.engine.comet.headers import LightBlock
from gridtokenx.engine.comet.light_client import NEWEST
from gridtokenx.engine.comet.light_errors import BlockInvalid
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.documents import Challenge, StatusView, Submitted, TransactionView
from gridtokenx.gateway.page_documents import FaucetAnswer
from gridtokenx.ledger.codec import Decoder, Message
from gridtokenx.ledger.errors import Rejected

T = TypeVar("T")

PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Between one attempt and the next; the last attempt's error is raised."""
POLL_MS_MAX = 10_000
"""How long a gateway is asked to hold an answer back."""
RESIGN_MAX = 3

_decode_challenge: Decoder[Challenge] = Decoder(Challenge)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, one answer."""

    call: Call[Any]
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so long."""

    seconds: float


Step = Exchange | Pause
Flow = Generator[Step, Any, T]


@dataclass(slots=True)
class Memory:
    """What a client remembers: the chain it talks to, and the sessions it has."""

    chain: str | None = None
    tokens: dict[bytes, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction and what the node said at its door."""

    transaction: SignedTransaction
    answer: Submitted


def ask(call: Call[T], token: str | None = None) -> Flow[T]:
    """The answer, after some attempts if need be. Raises ApiError, TransportError, AnswerNotUnderstood."""
    for seconds in PAUSES_SECONDS:
        try:
            answer: T = yield Exchange(call, token)
        except (TransportError, Unavailable):
            yield Pause(seconds)
        else:
            return answer
    answer = yield Exchange(call, token)
    return answer


def status(memory: Memory) -> Flow[StatusView]:
    """Where the chain is. Raises WrongChain if it is not the one that this client talks to."""
    view = yield from ask(calls.status())
    _require_chain(memory, view.chain)
    return view


def light_block(memory: Memory, height: int) -> Flow[LightBlock]:
    """What a light client needs of a block (of the newest, for `NEWEST`), not judged yet. Raises NotFound,
    AnswerNotUnderstood."""
    if height == NEWEST:
        height = (yield from status(memory)).height
    commit = yield from ask(calls.consensus_commit(height))
    validators = yield from ask(calls.consensus_validators(height))
    try:
        return comet.light_block(commit, validators)
    except BlockInvalid as error:
        raise AnswerNotUnderstood(f"this is no light block: {error.detail}") from None


def personal(memory: Memory, wallet: Wallet, call: Call[T]) -> Flow[T]:
    """Ask for something of one's own; signs in when there is no session, or it has ended."""
    token = memory.tokens.get(wallet.account)
    if token is not None:
        try:
            return (yield from ask(call, token))
        except NotAuthorised as error:
            if error.code != GatewayCode.SESSION_ENDED:
                raise
    token = yield from sign_in(memory, wallet)
    return (yield from ask(call, token))


def sign_in(memory: Memory, wallet: Wallet) -> Flow[str]:
    """A new session's token. Raises NotAuthorised when the wallet's keys are not the account's, WrongChain when the
    challenge is for another chain."""
    wire = yield from _challenge(memory, wallet)
    opened = yield from ask(calls.session(wire, wallet.sign_challenge(wire)))
    memory.tokens[wallet.account] = opened.token
    return opened.token


def join(memory: Memory, wallet: Wallet, profile: str) -> Flow[FaucetAnswer]:
    """Ask a development market's faucet for an account of the wallet's keys, a site and play money; asking again with
    the same keys gives the same. Raises NotFound where there is no faucet, ApiError when it is closed."""
    wire = yield from _challenge(memory, wallet)
    return (yield from ask(calls.join(wire, wallet.sign_challenge(wire), profile)))


def _challenge(memory: Memory, wallet: Wallet) -> Flow[bytes]:
    """Something for the wallet to sign. Raises WrongChain when it is for another chain."""
    offered = yield from ask(calls.challenge(wallet.account))
    try:
        wire = bytes.fromhex(offered.challenge)
        challenge = _decode_challenge(wire)
    except (ValueError, Rejected):
        raise AnswerNotUnderstood("the gateway's challenge is none") from None
    if challenge.account != wallet.account:
        raise AnswerNotUnderstood("the gateway's challenge is for another account")
    _require_chain(memory, challenge.chain)
    return wire


def submit(wires: Sequence[bytes], acceptance: bool = False) -> Flow[list[Submitted]]:
    """An answer for each, in order; what the node is too busy for is sent again, as the same bytes. With `acceptance`
    those that the node took carry its promise (`proofs.check_acceptance`)."""
    answers = (yield from ask(calls.submit(wires, acceptance))).transactions
    for seconds in PAUSES_SECONDS:
        busy = [place for place, answer in enumerate(answers) if answer.state == "busy"]
        if not busy:
            break
        yield Pause(seconds)
        again = (yield from ask(calls.submit([wires[place] for place in busy], acceptance))).transactions
        for place, answer in zip(busy, again, strict=True):
            answers[place] = answer
    return answers


def send_many(
    memory: Memory, wallet: Wallet, groups: Sequence[Sequence[Message]], lifetime_ms: int
) -> Flow[list[Sent]]:
    """One transaction for each group of messages, submitted together. Refusals stand in the answers; after one about
    a nonce the wallet asks the node before it signs again."""
    if not wallet.nonces.is_known:
        own = yield from personal(memory, wallet, calls.account(wallet.account))
        wallet.nonces.learn(own.nonce_highest)
    now = yield from status(memory)
    signed = [wallet.sign(now.chain, now.time_ms, messages, lifetime_ms) for messages in groups]
    answers = yield from submit([transaction.wire for transaction in signed])
    if any(answer.state == "refused" and answer.code in NONCE_CODES for answer in answers):
        wallet.nonces.forget()
    return [Sent(transaction, answer) for transaction, answer in zip(signed, answers, strict=True)]


def send(memory: Memory, wallet: Wallet, messages: Sequence[Message], lifetime_ms: int) -> Flow[SignedTransaction]:
    """One transaction, on the node's disk when this returns. A refusal for its nonce is answered with a new signature,
    a few times: the refused one can never count. Raises TransactionRejected, Unavailable when the node stays busy."""
    for attempt in range(RESIGN_MAX):
        (sent,) = yield from send_many(memory, wallet, [messages], lifetime_ms)
        if sent.answer.state != "refused" or sent.answer.code not in NONCE_CODES or attempt == RESIGN_MAX - 1:
            return require_taken(sent)
    raise AssertionError("the last attempt returns or raises")


def require_taken(sent: Sent) -> SignedTransaction:
    """The transaction, if the node took it. Raises TransactionRejected, Unavailable when the node stayed busy."""
    answer = sent.answer
    if answer.state == "busy":
        raise Unavailable("the node is busy", status=503, code=answer.code, name=answer.name, field=answer.field)
    if answer.state == "refused":
        raise rejected(sent.transaction.id, answer.code, answer.name, answer.field)
    return sent.transaction


def wait(
    transaction_id: bytes, expires_ms: int | None, seconds: float, clock: Callable[[], float]
) -> Flow[TransactionView]:
    """The transaction once it is in a block, whatever its code. Raises TransactionExpired when it never will be (with
    `expires_ms` also if the node has never heard of it), StillPending after so many seconds."""
    end = clock() + seconds
    while True:
        left_ms = int(max(0.0, end - clock()) * 1_000)
        view = yield from ask(calls.transaction(transaction_id, min(left_ms, POLL_MS_MAX)))
        if view.state == "committed":
            return view
        gone = view.state == "expired"
        if view.state == "unknown" and expires_ms is not None:
            now = yield from ask(calls.status())
            gone = now.time_ms > expires_ms
        if gone:
            raise TransactionExpired("it has expired and is in no block", transaction_id=transaction_id)
        if left_ms == 0:
            raise StillPending(f"in no block after {seconds:g} seconds", transaction_id=transaction_id)


def execute(
    memory: Memory,
    wallet: Wallet,
    messages: Sequence[Message],
    lifetime_ms: int,
    seconds: float,
    clock: Callable[[], float],
) -> Flow[TransactionView]:
    """Send and wait. Raises TransactionRejected also when the ledger refused it in its block."""
    sent = yield from send(memory, wallet, messages, lifetime_ms)
    view = yield from wait(sent.id, sent.expires_ms, seconds, clock)
    if view.code:
        if view.code in NONCE_CODES:
            wallet.nonces.forget()
        raise rejected(sent.id, view.code, view.name or "", failed=view.failed)
    return view


def rejected(
    transaction_id: bytes, code: int, name: str, field: str = "", failed: int | None = None
) -> TransactionRejected:
    """The error of a transaction with a code other than 0."""
    return TransactionRejected(
        "the transaction was refused", transaction_id=transaction_id, code=code, name=name, field=field, failed=failed
    )


def _require_chain(memory: Memory, chain: str) -> None:
    if memory.chain is None:
        memory.chain = chain
    elif memory.chain != chain:
        raise WrongChain(f"this gateway serves the chain {chain!r}, not {memory.chain!r}")
