"""Who asks: challenges that an account's keys sign, and the short-lived tokens that follow.

Making a challenge stores nothing, so nobody can fill memory with them: the gateway seals what it makes with a secret
of its own (HMAC-SHA-256), and remembers only those that were signed by an account. Challenges of accounts that do not
exist look like any other. Tokens are kept as hashes and end with the process, with time, and when the account's keys
change.
"""

import hmac
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.documents import Challenge
from gridtokenx.gateway.limits import PERSONAL, Buckets
from gridtokenx.gateway.problems import Refused, too_many
from gridtokenx.ledger.codec import Decoder, encode
from gridtokenx.ledger.crypto import CHALLENGE_DOMAIN, signature_is_valid
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.transaction import Auth, check_keys, keys_hash

CHALLENGE_LIFETIME_MS = 120_000
SESSION_LIFETIME_MS = 900_000
SESSIONS_MAX = 100_000
"""Tokens at once; about 30 MB."""
SESSIONS_OF_ACCOUNT_MAX = 16
"""Of one account: a person's devices and their pages. One more ends the oldest, so that who lost tokens is not shut
out, and no account takes another's room."""

_decode_challenge: Decoder[Challenge] = Decoder(Challenge)

KeysOf = Callable[[bytes], bytes | None]
"""The present keys hash of an account; None if there is no such account."""

Clock = Callable[[], int]
"""Milliseconds of this machine: for challenges and tokens only, never for the chain."""


@dataclass(frozen=True, slots=True)
class Session:
    """Who a token stands for, with which keys, until when."""

    account: bytes
    keys_hash: bytes
    ends_ms: int


class Sessions:
    """All that this process has let in."""

    def __init__(self, chain: str, keys_of: KeysOf, clock: Clock) -> None:
        self.chain = chain
        self._keys_of = keys_of
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._used: dict[bytes, int] = {}
        self._sessions: dict[bytes, Session] = {}
        self._of_account: dict[bytes, deque[bytes]] = {}
        """Names of the tokens of each account, oldest first."""
        self._requests = Buckets(PERSONAL)

    def __len__(self) -> int:
        """Tokens that have not been swept away yet."""
        return len(self._sessions)

    def challenge(self, account: bytes) -> bytes:
        """New bytes for the account to sign, good for two minutes and once."""
        expires_ms = self._clock() + CHALLENGE_LIFETIME_MS
        unsealed = Challenge(self.chain, account, secrets.token_bytes(16), expires_ms, b"")
        return encode(self._sealed(unsealed))

    def open(self, wire: bytes, auth: Auth) -> tuple[str, Session]:
        """A token for whoever signed the challenge with the account's keys.

        Refuses with `CHALLENGE_INVALID` (not made here, expired, used), `CHALLENGE_NOT_SIGNED` (false signatures, or
        not the account's keys), `TOO_MANY`.
        """
        now_ms = self._clock()
        challenge = self._check_challenge(wire, now_ms)
        _check_auth(wire, self._keys_of(challenge.account), auth)
        self._sweep(now_ms)
        if len(self._sessions) >= SESSIONS_MAX:
            raise Refused(GatewayCode.TOO_MANY, "sessions", "this gateway has no room for more sessions now")
        self._used[challenge.random] = challenge.expires_ms
        token = secrets.token_urlsafe(32)
        own = keys_hash(auth.algorithm, auth.threshold, auth.keys)
        session = Session(challenge.account, own, now_ms + SESSION_LIFETIME_MS)
        self._sessions[_name(token)] = session
        tokens = self._of_account.setdefault(session.account, deque())
        tokens.append(_name(token))
        if len(tokens) > SESSIONS_OF_ACCOUNT_MAX:
            self._end(tokens[0])
        return token, session

    def admit_newcomer(self, wire: bytes, auth: Auth) -> bytes:
        """The account that these keys would open, whether there is one or not, shown by a signed challenge that is used
        up with this. Refuses like `open`; nobody is let in by it."""
        now_ms = self._clock()
        challenge = self._check_challenge(wire, now_ms)
        _check_auth(wire, challenge.account, auth)
        self._sweep(now_ms)
        if len(self._used) >= SESSIONS_MAX:
            raise Refused(GatewayCode.TOO_MANY, "challenge", "too many challenges were signed in the last minutes")
        self._used[challenge.random] = challenge.expires_ms
        return challenge.account

    def find(self, token: str) -> Session:
        """Refuses with `SESSION_ENDED` a token that is unknown, too old, or of keys that were rotated since, and with
        `TOO_MANY` more requests than one account may make."""
        name = _name(token)
        session = self._sessions.get(name)
        if session is None or session.ends_ms <= self._clock():
            raise Refused(GatewayCode.SESSION_ENDED, "authorization", "this session has ended: sign in again")
        if self._keys_of(session.account) != session.keys_hash:
            self._end(name)
            raise Refused(GatewayCode.SESSION_ENDED, "authorization", "the account has new keys: sign in again")
        if wait_s := self._requests.take(session.account):
            raise too_many(PERSONAL, wait_s)
        return session

    def _end(self, name: bytes) -> None:
        session = self._sessions.pop(name)
        tokens = self._of_account[session.account]
        tokens.remove(name)
        if not tokens:
            del self._of_account[session.account]

    def _sealed(self, challenge: Challenge) -> Challenge:
        unsealed = Challenge(challenge.chain, challenge.account, challenge.random, challenge.expires_ms, b"")
        seal = hmac.digest(self._secret, encode(unsealed), "sha256")
        return Challenge(challenge.chain, challenge.account, challenge.random, challenge.expires_ms, seal)

    def _check_challenge(self, wire: bytes, now_ms: int) -> Challenge:
        try:
            challenge = _decode_challenge(wire)
        except Rejected:
            raise _invalid("this is no challenge") from None
        if not hmac.compare_digest(self._sealed(challenge).seal, challenge.seal):
            raise _invalid("this gateway has not made this challenge")
        if challenge.expires_ms <= now_ms:
            raise _invalid("the challenge has expired: ask for a new one")
        if challenge.random in self._used:
            raise _invalid("the challenge has been used: ask for a new one")
        return challenge

    def _sweep(self, now_ms: int) -> None:
        """Forget what has ended, oldest first; a challenge that waits behind a younger one goes with it."""
        while self._used and next(iter(self._used.values())) <= now_ms:
            del self._used[next(iter(self._used))]
        while self._sessions and next(iter(self._sessions.values())).ends_ms <= now_ms:
            self._end(next(iter(self._sessions)))


def _check_auth(wire: bytes, expected: bytes | None, auth: Auth) -> None:
    """Signatures of the challenge by the key list with this hash."""
    try:
        check_keys(auth.algorithm, auth.threshold, auth.keys)
    except Rejected as rejection:
        raise _not_signed(f"auth.{rejection.field}") from None
    if expected != keys_hash(auth.algorithm, auth.threshold, auth.keys):
        raise _not_signed("auth.keys")
    indexes = [index for index, _ in auth.signatures]
    if len(indexes) != auth.threshold or indexes != sorted(set(indexes)) or indexes[-1] >= len(auth.keys):
        raise _not_signed("auth.signatures")
    for index, signature in auth.signatures:
        if not signature_is_valid(signature, CHALLENGE_DOMAIN + wire, auth.keys[index]):
            raise _not_signed("auth.signatures")


def _name(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _invalid(detail: str) -> Refused:
    return Refused(GatewayCode.CHALLENGE_INVALID, "challenge", detail)


def _not_signed(field: str) -> Refused:
    detail = "the challenge is not signed by the present keys of this account"
    return Refused(GatewayCode.CHALLENGE_NOT_SIGNED, field, detail)
