"""Baskets: orders of several intervals and both sides that succeed together, or leave nothing.

The ledger does not know baskets: the messages of one transaction are all or none already. A leg is fill or kill unless
it says otherwise, so that the basket trades as a whole or not at all; a leg that may rest (good till gate) only has to
be taken. Legs run in their order: money that one holds is not there for the next, and a position that one opens counts
for the next.

    basket = Basket(portfolio).buy("charge", noon, 2_000, price_micro=3_200_000)
    basket.sell("discharge", evening, 1_600, price_micro=5_000_000, source=Source.STORAGE)
    for outcome in basket.execute(client, wallet):
        print(outcome.leg, outcome.filled_wh, outcome.waiting_wh)
"""

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from gridtokenx.client.errors import SigningError, TransactionRejected
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.limits import MESSAGES_PER_TRANSACTION_MAX
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK
from gridtokenx.modules.market.messages import BUY, CLIENT_ID_BYTES, SELL, PlaceBlockOrder, PlaceOrder, TimeInForce

if TYPE_CHECKING:
    from gridtokenx.client.client import Client
    from gridtokenx.client.wallet import Wallet
    from gridtokenx.gateway.documents import TransactionView

LegMessage = PlaceOrder | PlaceBlockOrder


class Outcome(NamedTuple):
    """What became of one leg: Wh in all of its intervals."""

    leg: str
    client_id: bytes
    filled_wh: int
    waiting_wh: int


class BasketRefused(TransactionRejected):
    """Nothing of the basket happened. `leg` names the one that the ledger refused; empty for a refusal at the door."""

    def __init__(self, leg: str, error: TransactionRejected) -> None:
        detail = f"nothing of the basket happened: leg {leg!r} was refused" if leg else error.detail
        super().__init__(
            detail,
            transaction_id=error.transaction_id,
            code=error.code,
            name=error.name,
            field=error.field,
            failed=error.failed,
        )
        self.leg = leg


@dataclass(frozen=True)
class Basket:
    """Named legs of one portfolio, in their order. Adding one gives a new basket."""

    portfolio: bytes
    legs: tuple[tuple[str, LegMessage], ...] = ()

    def buy(
        self,
        name: str,
        interval: int,
        quantity_wh: int,
        *,
        price_micro: int,
        intervals: int = 1,
        source: int = ANY_SOURCE_MASK,
        force: TimeInForce = TimeInForce.FILL_OR_KILL,
        good_till_ms: int = 0,
        scope: int = 0,
        client_id: bytes | None = None,
    ) -> Self:
        """One more leg: a purchase at no more than the price, delivered; `source` is a mask. With several `intervals` a
        block order."""
        options = _Options(BUY, intervals, source, force, good_till_ms, scope, client_id)
        return self._with(name, interval, quantity_wh, price_micro, options)

    def sell(
        self,
        name: str,
        interval: int,
        quantity_wh: int,
        *,
        price_micro: int,
        source: int,
        intervals: int = 1,
        force: TimeInForce = TimeInForce.FILL_OR_KILL,
        good_till_ms: int = 0,
        scope: int = 0,
        client_id: bytes | None = None,
    ) -> Self:
        """One more leg: a sale of one `source` at no less than the price. With several `intervals` a block order."""
        options = _Options(SELL, intervals, source, force, good_till_ms, scope, client_id)
        return self._with(name, interval, quantity_wh, price_micro, options)

    def messages(self) -> list[Message]:
        """What one transaction has to hold. Raises SigningError for no legs, or more than fit."""
        if not 1 <= len(self.legs) <= MESSAGES_PER_TRANSACTION_MAX:
            raise SigningError(
                f"a basket has 1 to {MESSAGES_PER_TRANSACTION_MAX} legs, not {len(self.legs)}: so many fit",
                field="legs",
            )
        return [message for _, message in self.legs]

    def execute(self, client: "Client", wallet: "Wallet") -> list[Outcome]:
        """Send it and wait. Raises BasketRefused, and what `Client.execute` raises."""
        try:
            return self.outcomes(client.execute(wallet, *self.messages()))
        except TransactionRejected as error:
            raise self.refused(error) from None

    def outcomes(self, view: "TransactionView") -> list[Outcome]:
        """What a committed transaction of these messages did, leg by leg."""
        return [
            Outcome(name, message.client_id, filled_wh, waiting_wh)
            for (name, message), (_, filled_wh, waiting_wh) in zip(self.legs, view.results, strict=True)
        ]

    def refused(self, error: TransactionRejected) -> BasketRefused:
        """The same refusal, with the name of the leg."""
        known = error.failed is not None and error.failed < len(self.legs)
        return BasketRefused(self.legs[error.failed or 0][0] if known else "", error)

    def _with(self, name: str, interval: int, quantity_wh: int, price_micro: int, options: "_Options") -> Self:
        if any(name == known for known, _ in self.legs):
            raise SigningError(f"the basket has a leg {name!r} already: give each its own name", field="legs")
        side, intervals, source, force, good_till_ms, scope, client_id = options
        named = self.portfolio, client_id or secrets.token_bytes(CLIENT_ID_BYTES), interval
        wanted = side, price_micro, quantity_wh, source, int(force), good_till_ms
        message: LegMessage
        if intervals == 1:
            message = PlaceOrder(*named, *wanted, minimum_wh=0, post_only=False, market=False, scope=scope)
        else:
            message = PlaceBlockOrder(*named, intervals, *wanted, scope=scope)
        return type(self)(self.portfolio, (*self.legs, (name, message)))


class _Options(NamedTuple):
    side: int
    intervals: int
    source: int
    force: TimeInForce
    good_till_ms: int
    scope: int
    client_id: bytes | None
