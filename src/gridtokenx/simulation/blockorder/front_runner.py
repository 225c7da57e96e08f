"""Whoever sees orders before they stand in a block: buys what they would have bought, and sells it to them dearer.

Of each order that would trade at once it takes the resting orders that the order would have met, as far as that pays
after the fees and the wheeling of both legs, and offers them again at the order's own limit. The same with sides
changed: it sells to the best resting purchases, and buys from the incoming sale at that one's limit. So the victim
trades at the worst price that it had agreed to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State
from gridtokenx.ledger.transaction import decode_envelope
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source
from gridtokenx.modules.market.book import book_of
from gridtokenx.modules.market.messages import CLIENT_ID_BYTES, AmendOrder, PlaceOrder, Side, Terms, TimeInForce
from gridtokenx.modules.market.state import INTERVALS, ORDERS, TERMS, order_key, terms_key

MILLION = 1_000_000


class Victim(NamedTuple):
    """An order on its way, and whose it is."""

    participant: bytes
    interval: int
    side: Side
    price_micro: int
    quantity_wh: int
    source: int


class Attack(NamedTuple):
    """The victim's participant, and both legs in their order."""

    victim: bytes
    legs: tuple[PlaceOrder, PlaceOrder]


@dataclass(slots=True)
class Planner:
    """Against the books as they stand before the block."""

    state: State
    time_ms: int
    portfolio: bytes
    own: frozenset[bytes]
    """Participants that it does not trade with."""
    first_client_id: int
    used_wh: dict[bytes, int] = field(default_factory=dict)
    """Of resting orders, by key."""

    def attacks(self, transactions: Sequence[bytes]) -> Iterator[Attack]:
        """One for each order that is worth it."""
        for victim in victims_in(self.state, transactions):
            record = self.state.get(INTERVALS, interval_key(victim.interval))
            if victim.participant in self.own or record is None:
                continue
            terms = self.state.rows[TERMS.prefix][terms_key(record.terms)]
            if record.gate_ms - terms.call_phase_ms <= self.time_ms:
                continue  # nothing trades in the call phase, and in an auction nobody comes between two
            legs = self._legs(victim, terms)
            if legs is not None:
                yield Attack(victim.participant, legs)

    def _legs(self, victim: Victim, terms: Terms) -> tuple[PlaceOrder, PlaceOrder] | None:
        """Those that gain most: so much of the best resting orders, offered again at the victim's limit, or a tick
        better than the next that it would meet. None if no energy pays."""
        buying = victim.side == Side.BUY
        wheeling_micro = terms.wheeling_base_micro
        # What the victim pays or gets per kWh in its own zone if it trades at its limit.
        limit_micro = victim.price_micro - wheeling_micro if buying else victim.price_micro
        better = 1 if buying else -1
        best: tuple[int, list[tuple[bytes, int]], int, int] = (0, [], 0, 0)
        taken: list[tuple[bytes, int]] = []
        taken_wh, value_micro = 0, 0
        resting = list(self._resting(victim, wheeling_micro))
        for number, (key, price_micro, open_wh) in enumerate(resting):
            quantity_wh = min(open_wh, victim.quantity_wh - taken_wh)
            if quantity_wh <= 0 or (limit_micro - price_micro) * better <= 0:
                break
            taken.append((key, quantity_wh))
            taken_wh, value_micro = taken_wh + quantity_wh, value_micro + price_micro * quantity_wh
            again_micro = limit_micro
            after = resting[number : number + 2] if quantity_wh < open_wh else resting[number + 1 : number + 2]
            if after:
                nearest = after[0][1] - better * terms.tick_micro
                again_micro = min(limit_micro, nearest) if buying else max(limit_micro, nearest)
            bought, sold = (value_micro, again_micro * taken_wh) if buying else (again_micro * taken_wh, value_micro)
            gain = _gain(bought, sold, taken_wh, terms)
            if gain > best[0] and taken_wh >= terms.order_wh_min:
                best = (gain, list(taken), price_micro, again_micro)
        _, used, worst_micro, again_micro = best
        if not used:
            return None
        for key, quantity_wh in used:
            self.used_wh[key] = self.used_wh.get(key, 0) + quantity_wh
        energy_wh = sum(quantity_wh for _, quantity_wh in used)
        take, offer = (Side.BUY, Side.SELL) if buying else (Side.SELL, Side.BUY)
        if buying:
            worst_micro += wheeling_micro
        else:
            again_micro += wheeling_micro
        return (
            self._order(victim.interval, take, worst_micro, energy_wh, TimeInForce.IMMEDIATE_OR_CANCEL),
            self._order(victim.interval, offer, again_micro, energy_wh, TimeInForce.GOOD_TILL_GATE),
        )

    def _resting(self, victim: Victim, wheeling_micro: int) -> Iterator[tuple[bytes, int, int]]:
        """(key, price, open Wh) of what the victim would meet on one feeder, best first, the price as the seller gets
        it; without what is used already."""
        book = book_of(self.state, victim.interval)
        rows = self.state.rows[ORDERS.prefix]
        if victim.side == Side.BUY:
            half, sources = book.sellers, victim.source
        else:
            # The cheat sells in the victim's place, and has no source but this.
            half, sources = book.buyers, 1 << Source.CONVENTIONAL
        listed = [head[3] for heads in half.at.values() for head in heads]
        queues = [queue for queue in listed if queue.sources & sources]
        found = [(rank, entry) for queue in queues for rank in queue.ranks for entry in queue.levels[rank]]
        for rank, (_, key) in sorted(found, key=lambda item: (-item[0], item[1])):
            order = rows[key]
            if order.participant in self.own or order.participant == victim.participant:
                continue
            price_micro = -rank if victim.side == Side.BUY else rank - wheeling_micro
            open_wh = order.remaining_wh - self.used_wh.get(key, 0)
            if open_wh > 0:
                yield key, price_micro, open_wh

    def _order(self, interval: int, side: Side, price_micro: int, quantity_wh: int, force: TimeInForce) -> PlaceOrder:
        client_id = self.first_client_id.to_bytes(CLIENT_ID_BYTES, "big")
        self.first_client_id += 1
        source = ANY_SOURCE_MASK if side == Side.BUY else Source.CONVENTIONAL
        return PlaceOrder(
            self.portfolio,
            client_id,
            interval,
            side,
            price_micro,
            quantity_wh,
            source,
            force,
            0,
            0,
            post_only=False,
            market=False,
        )


def _gain(bought: int, sold: int, quantity_wh: int, terms: Terms) -> int:
    """What a dealer keeps that buys so much and sells it again on one feeder, both in millionths of a WATT per kWh
    times Wh, and so is what it keeps."""
    fees = bought * (terms.grid_fee_ppm + terms.trading_fee_ppm) + sold * terms.trading_fee_ppm
    return sold - bought - terms.wheeling_base_micro * quantity_wh - fees // MILLION


def victims_in(state: State, transactions: Sequence[bytes]) -> Iterator[Victim]:
    """Orders that enter a book by these, placed or amended."""
    for wire in transactions:
        body = CONSORTIUM.body.trusted(decode_envelope.trusted(wire).body)
        account = state.get(ACCOUNTS, body.sender)
        if account is None:
            continue
        for message in body.messages:
            if isinstance(message, PlaceOrder):
                yield Victim(
                    account.participant,
                    message.interval,
                    Side(message.side),
                    message.price_micro,
                    message.quantity_wh,
                    message.source,
                )
            elif isinstance(message, AmendOrder):
                order = state.get(ORDERS, order_key(body.sender, message.client_id))
                if order is not None:
                    yield Victim(
                        account.participant,
                        order.interval,
                        Side(order.side),
                        message.price_micro,
                        message.remaining_wh,
                        order.source,
                    )
