"""The faucet of a development market: whoever shows a key gets an account, a small metered site and play money.

It signs as the registrar and as the residual supplier, with keys that anybody can derive from the scenario's
development seed. A market whose keys are real has no such seed: there is nothing to sign with, and no faucet.

What it sends are ordinary transactions. They are on the disk before they leave, and are sent again as the same bytes
until they are in a block or have expired: nobody is registered or paid twice.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from gridtokenx.chains.genesis import FOREVER_MS, WATT
from gridtokenx.client.transactions import LIFETIME_MS, SignedTransaction
from gridtokenx.client.wallet import Nonces
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.page_documents import FaucetAnswer, FaucetView, Recording
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.crypto import PUBLIC_KEY_BYTES
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.quantities import INTERVAL_MS, interval_of
from gridtokenx.modules.identity.handlers import allowed_keys_hash
from gridtokenx.modules.identity.messages import (
    Kyc,
    Licence,
    RegisterAccount,
    RegisterParticipant,
    RegisterSite,
)
from gridtokenx.modules.tokens.messages import Transfer
from gridtokenx.simulation.driver import Outcome
from gridtokenx.simulation.genesis import FEEDER, OwnedAccount, ScenarioGenesis
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.visitors import Sent, Visitor, Visitors

VISITORS_MAX = 200
"""Of one market: each is a site that every interval waits for."""

GIFT_MICRO = 500 * WATT
"""About a month of a small home's electricity."""

ATTEMPTS_MAX = 5
"""With a new signature; after that only when the visitor asks again."""

TENDED_AT_ONCE = 20

SENTENCE = "A market to try out: recorded homes, play money. The faucet opens an account for your key."


class FaucetRefused(Exception):
    """A visitor gets nothing: a code of the gateway's, the part of the question, and a sentence."""

    def __init__(self, code: GatewayCode, field: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.field, self.detail = code, field, detail


class FaucetPort(Protocol):
    """A market as the faucet reaches it. Everything read is committed state."""

    def time_ms(self) -> int:
        """Chain time: that of the last block."""

    def exists(self, account: bytes) -> bool:
        """Whether there is such an account."""

    def nonce_highest(self, owner: OwnedAccount) -> int:
        """The highest nonce that the account has used."""

    def submit(self, transactions: Sequence[SignedTransaction]) -> None:
        """Hand over; what is refused at the door is as lost as what is refused in a block."""

    def outcome(self, transaction_id: bytes) -> Outcome:
        """What became of a transaction handed over before."""

    def block_time_ms(self, transaction_id: bytes) -> int:
        """Of the block that a transaction is in."""


class Keys(NamedTuple):
    """Whose account it is to be: as in a transaction."""

    algorithm: int
    threshold: int
    keys: tuple[bytes, ...]


class Faucet:
    """Of one market. `keep` has everything on the disk when it returns."""

    def __init__(
        self,
        scenario: Scenario,
        genesis: ScenarioGenesis,
        port: FaucetPort,
        visitors: Visitors,
        keep: Callable[[], None],
    ) -> None:
        self._chain, self._port, self._visitors, self._keep = genesis.chain, port, visitors, keep
        self._ends_ms = scenario.end_interval * INTERVAL_MS
        self._registrar = genesis.organisations["registrar"]
        self._giver = genesis.organisations["residual-supplier"]
        self._turn = 0
        self._nonces = {owner.account: Nonces() for owner in (self._registrar, self._giver)}

    def view(self) -> FaucetView:
        """How the faucet stands."""
        reason = self._closed(self._port.time_ms())
        return FaucetView(
            exists=True,
            open=reason is None,
            sentence=reason or SENTENCE,
            profiles=list(self._visitors.profiles),
            money_micro=GIFT_MICRO,
            visitors=len(self._visitors),
            visitors_max=VISITORS_MAX,
            ends_ms=self._ends_ms,
        )

    def join(self, keys: Keys, profile: str) -> FaucetAnswer:
        """Account, site and money for these keys; for the same keys the same again. Raises FaucetRefused, and what the
        port raises: then asking again goes on where this ended."""
        account = _account_of(keys)
        known = self._visitors.find(account)
        if known is None:
            known = self._admit(account, keys, profile)
        elif not known.has_joined:
            self._visitors.put(_tried_anew(known))
        return self._answer(known)

    def tend(self) -> None:
        """See what became of what was sent, and send again what is lost. Some visitors at a time, in turn: one who
        waits for ever keeps nobody else waiting."""
        unfinished = self._visitors.unfinished()
        turn = self._turn % max(len(unfinished), 1)
        self._turn = turn + TENDED_AT_ONCE
        changed = False
        for visitor in (unfinished[turn:] + unfinished[:turn])[:TENDED_AT_ONCE]:
            changed |= self._tend(visitor)
        if changed:
            self._keep()

    def forget_nonces(self) -> None:
        """After an interruption: ask the ledger again what the highest nonces are."""
        for nonces in self._nonces.values():
            nonces.forget()

    def _closed(self, time_ms: int) -> str | None:
        if time_ms >= self._ends_ms:
            return "The recorded days are over, so a new site would have nothing to count."
        if len(self._visitors) >= VISITORS_MAX:
            return f"All {VISITORS_MAX} places of this market are taken."
        return None

    def _admit(self, account: bytes, keys: Keys, profile: str) -> Visitor:
        """A new visitor: written down, then sent."""
        time_ms = self._port.time_ms()
        if profile not in self._visitors.profiles:
            sites = " or ".join(self._visitors.profiles)
            raise FaucetRefused(GatewayCode.REQUEST_MALFORMED, "profile", f"there is {sites}")
        if (reason := self._closed(time_ms)) is not None:
            raise FaucetRefused(GatewayCode.FAUCET_CLOSED, "", reason)
        if self._port.exists(account):
            raise FaucetRefused(GatewayCode.FAUCET_CLOSED, "auth.keys", "these keys have an account already")
        visitor = Visitor(account, *keys, profile)
        registration = self._sign(self._registrar, time_ms, self._registration(visitor))
        gift = self._sign(self._giver, time_ms, self._gift(visitor))
        sent = [_sent(registration), _sent(gift)]
        visitor = msgspec.structs.replace(visitor, registration=sent[0], gift=sent[1], ids=(registration.id, gift.id))
        self._visitors.put(visitor)
        self._keep()
        self._port.submit([registration, gift])
        return visitor

    def _registration(self, visitor: Visitor) -> list[Message]:
        """Participant, account and site: together, or not at all. Licence and identity check are development's."""
        participant = self._visitors.pseudonym(visitor.account, "participant")
        site = self._visitors.pseudonym(visitor.account, "site")
        source = self._visitors.source(visitor)
        meter = self._visitors.meter_key(visitor.account).public_key
        powers = (source.solar_w, 0, 0, 0, 0, 0, 0)
        return [
            RegisterParticipant(participant, Licence.SANDBOX, FOREVER_MS, Kyc.VERIFIED, FOREVER_MS, 0, 0, 0),
            RegisterAccount(participant, visitor.algorithm, visitor.threshold, visitor.keys),
            RegisterSite(site, site, site, meter, visitor.account, FEEDER, source.import_w, powers, 0, 0),
        ]

    def _gift(self, visitor: Visitor) -> list[Message]:
        return [Transfer(visitor.account, GIFT_MICRO)]

    def _tend(self, visitor: Visitor) -> bool:
        """Whether anything about the visitor has changed."""
        before = visitor
        registration, gift = visitor.registration, visitor.gift
        if registration is not None:
            outcome = self._port.outcome(registration.id)
            if outcome is Outcome.OK:
                first = interval_of(self._port.block_time_ms(registration.id)) + 1
                visitor = msgspec.structs.replace(visitor, registration=None, first_interval=first, next_interval=first)
            else:
                again = self._again(registration, outcome, self._registrar, self._registration(visitor))
                visitor = msgspec.structs.replace(visitor, registration=again, ids=(again.id, visitor.ids[1]))
        if gift is not None:
            outcome = self._port.outcome(gift.id)
            if outcome is Outcome.OK:
                visitor = msgspec.structs.replace(visitor, gift=None)
            elif visitor.registration is None or outcome is not Outcome.REFUSED:
                # Refused before the account was there: signed anew once it is.
                again = self._again(gift, outcome, self._giver, self._gift(visitor))
                visitor = msgspec.structs.replace(visitor, gift=again, ids=(visitor.ids[0], again.id))
        self._visitors.put(visitor)
        return visitor != before

    def _again(self, sent: Sent, outcome: Outcome, owner: OwnedAccount, messages: list[Message]) -> Sent:
        """What is under way for this transaction now."""
        time_ms = self._port.time_ms()
        if outcome is Outcome.GONE and time_ms <= sent.expires_ms:
            self._port.submit([SignedTransaction(sent.id, sent.wire, owner.account, sent.nonce, sent.expires_ms)])
            return sent
        if outcome is Outcome.PENDING or sent.attempts >= ATTEMPTS_MAX:
            return sent
        # Refused, or expired in no block: it can never count any more.
        self._nonces[owner.account].forget()
        return msgspec.structs.replace(_sent(self._sign(owner, time_ms, messages)), attempts=sent.attempts + 1)

    def _sign(self, owner: OwnedAccount, time_ms: int, messages: list[Message]) -> SignedTransaction:
        nonces = self._nonces[owner.account]
        if not nonces.is_known:
            nonces.learn(self._port.nonce_highest(owner))
            nonces.learn(self._highest_under_way(owner))
        return owner.sign(self._chain, nonces.take(), time_ms + LIFETIME_MS, *messages)

    def _highest_under_way(self, owner: OwnedAccount) -> int:
        """Of what was written down and may not have reached the ledger yet."""
        waiting = [
            visitor.registration if owner is self._registrar else visitor.gift
            for visitor in self._visitors.unfinished()
        ]
        return max((sent.nonce for sent in waiting if sent is not None), default=0)

    def _answer(self, visitor: Visitor) -> FaucetAnswer:
        source = self._visitors.source(visitor)
        return FaucetAnswer(
            visitor.account.hex(),
            self._visitors.pseudonym(visitor.account, "participant").hex(),
            self._visitors.pseudonym(visitor.account, "site").hex(),
            visitor.profile,
            visitor.has_joined,
            [transaction_id.hex() for transaction_id in visitor.ids],
            GIFT_MICRO,
            FEEDER,
            source.import_w,
            source.solar_w,
            Recording(source.home, source.days_earlier, source.permille, source.solar),
            visitor.first_interval or None,
        )


def _account_of(keys: Keys) -> bytes:
    """The account that these keys open, if the ledger lets them."""
    refused = FaucetRefused(GatewayCode.REQUEST_MALFORMED, "auth.keys", "the ledger takes no such keys")
    if any(len(key) != PUBLIC_KEY_BYTES for key in keys.keys):
        raise refused
    try:
        return allowed_keys_hash(*keys)
    except Rejected:
        raise refused from None


def _sent(transaction: SignedTransaction) -> Sent:
    return Sent(transaction.id, transaction.wire, transaction.nonce, transaction.expires_ms)


def _tried_anew(visitor: Visitor) -> Visitor:
    """The visitor has asked again: what was given up is tried as often as at first."""
    registration, gift = (
        sent and msgspec.structs.replace(sent, attempts=1) for sent in (visitor.registration, visitor.gift)
    )
    return msgspec.structs.replace(visitor, registration=registration, gift=gift)
