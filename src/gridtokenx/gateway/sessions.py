"""Who asks: challenges that an account's keys sign, and the short-lived tokens that follow.

Making a challenge stores nothing, so nobody can fill memory with them: the gateway seals what it makes with a secret
of its own (HMAC-SHA-256), and remembers only those that were signed by an account. Challenges of accounts that do not
exist look like any other. Tokens are kept as hashes and end with the process, with time, and when the account's keys
change.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.documents import Challenge
from gridtokenx.gateway.problems import Refused
from gridtokenx.ledger.codec import Decoder, encode
from gridtokenx.ledger.crypto import CHALLENGE_DOMAIN, signature_is_valid
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.transaction import Auth, check_keys, keys_hash

CHALLENGE_LIFETIME_MS = 120_000
SESSION_LIFETIME_MS = 900_000
SESSIONS_MAX = 100_000
"""Tokens at once; about 30 MB."""

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
        self._check_auth(wire, challenge.account, auth)
        self._sweep(now_ms)
        if len(self._sessions) >= SESSIONS_MAX:
            raise Refused(GatewayCode.TOO_MANY, "sessions", "this gateway has no room for more sessions now")
        self._used[challenge.random] = challenge.expires_ms
        token = secrets.token_urlsafe(32)
        own = keys_hash(auth.algorithm, auth.threshold, auth.keys)
        session = Session(challenge.account, own, now_ms + SESSION_LIFETIME_MS)
        self._sessions[_name(token)] = session
        return token, session

    def find(self, token: str) -> Session:
        """Refuses with `SESSION_ENDED` a token that is unknown, too old, or of keys that were rotated since."""
        session = self._sessions.get(_name(token))
        if session is None or session.ends_ms <= self._clock():
            raise Refused(GatewayCode.SESSION_ENDED, "authorization", "this session has ended: sign in again")
        if self._keys_of(session.account) != session.keys_hash:
            del self._sessions[_name(token)]
            raise Refused(GatewayCode.SESSION_ENDED, "authorization", "the account has new keys: sign in again")
        return session

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

    def _check_auth(self, wire: bytes, account: bytes, auth: Auth) -> None:
        try:
            check_keys(auth.algorithm, auth.threshold, auth.keys)
        except Rejected as rejection:
            raise _not_signed(f"auth.{rejection.field}") from None
        if self._keys_of(account) != keys_hash(auth.algorithm, auth.threshold, auth.keys):
            raise _not_signed("auth.keys")
        indexes = [index for index, _ in auth.signatures]
        if len(indexes) != auth.threshold or indexes != sorted(set(indexes)) or indexes[-1] >= len(auth.keys):
            raise _not_signed("auth.signatures")
        for index, signature in auth.signatures:
            if not signature_is_valid(signature, CHALLENGE_DOMAIN + wire, auth.keys[index]):
                raise _not_signed("auth.signatures")

    def _sweep(self, now_ms: int) -> None:
        """Forget what has ended, oldest first; a challenge that waits behind a younger one goes with it."""
        while self._used and next(iter(self._used.values())) <= now_ms:
            del self._used[next(iter(self._used))]
        while self._sessions and next(iter(self._sessions.values())).ends_ms <= now_ms:
            del self._sessions[next(iter(self._sessions))]


def _name(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _invalid(detail: str) -> Refused:
    return Refused(GatewayCode.CHALLENGE_INVALID, "challenge", detail)


def _not_signed(field: str) -> Refused:
    detail = "the challenge is not signed by the present keys of this account"
    return Refused(GatewayCode.CHALLENGE_NOT_SIGNED, field, detail)
