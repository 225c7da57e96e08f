"""A race for a resting order that has become a bargain: somebody hears of it some milliseconds before the others.

A dealer offers energy; then something happens that makes it worth more. The racer hears of it `ahead_ms` before
everybody else; then the others want the offer too, and its owner, if it watches, takes it back. Events fall anywhere
between two blocks. Played twice: first come, first served (each message in a block of its own, in the order in which
they were sent), and with the rule (those that were sent between two blocks stand in one, drawn).
"""

from random import Random
from typing import NamedTuple

from gridtokenx.ledger.codec import Decoder, Message
from gridtokenx.ledger.quantities import INTERVALS_PER_DAY
from gridtokenx.ledger.transaction import Receipt
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source
from gridtokenx.modules.market.messages import CLIENT_ID_BYTES, CancelOrder, PlaceOrder, Side, TimeInForce
from gridtokenx.simulation.blockorder.replay import Dealer, Replay
from gridtokenx.simulation.scenario import Scenario

BLOCK_MS = 1_000
OTHERS = 4
OFFER_MICRO, WORTH_MICRO = 3_000_000, 4_500_000
"""Per kWh: what the offer asks, and what everybody would pay after the event."""

ENERGY_WH = 1_000

_decode_receipt: Decoder[Receipt] = Decoder(Receipt)


class Race(NamedTuple):
    """`watches`: whether the owner of the offer hears of the event with the others, and takes it back."""

    ahead_ms: int
    watches: bool
    drawn: bool


def run_races(scenario: Scenario, race: Race, events: int, seed: int) -> float:
    """The share of the offered energy that the racer got."""
    replay = Replay(scenario, OTHERS + 2, seed)
    owner, racer, *others = replay.dealers
    draw = Random(seed)
    interval = scenario.first_interval + INTERVALS_PER_DAY // 2
    got_wh = 0
    for number in range(events):
        client_id = number.to_bytes(CLIENT_ID_BYTES, "big")
        start_ms = replay.time_ms + BLOCK_MS
        offer = _order(owner, client_id, interval, Side.SELL)
        replay.block(start_ms, [replay.sign(owner, start_ms, offer)])
        heard_ms = draw.uniform(0, BLOCK_MS)
        sent: list[tuple[float, Dealer, Message]] = [
            (heard_ms - race.ahead_ms, racer, _order(racer, client_id, interval, Side.BUY))
        ]
        everybody = [(other, _order(other, client_id, interval, Side.BUY)) for other in others]
        draw.shuffle(everybody)
        if race.watches:
            sent.append((heard_ms, owner, CancelOrder(client_id)))
        sent += [(heard_ms, dealer, order) for dealer, order in everybody]
        got_wh += _play(replay, race, sent, start_ms)
        # What nobody took must not be there when the next begins.
        end_ms = replay.time_ms + BLOCK_MS
        replay.block(end_ms, [replay.sign(owner, end_ms, CancelOrder(client_id))])
    return got_wh / (events * ENERGY_WH)


def _play(replay: Replay, race: Race, sent: list[tuple[float, Dealer, Message]], start_ms: int) -> int:
    """What the racer, who sent first, got of it. Who hears of the event before the last block was full is in that one:
    for this race it is the block before."""
    wires = [replay.sign(dealer, start_ms, message) for _, dealer, message in sent]
    if race.drawn:
        early = [wire for wire, (sent_ms, _, _) in zip(wires, sent, strict=True) if sent_ms < 0]
        blocks = [block for block in (early, wires[len(early) :]) if block]
    else:
        blocks = [[wire] for wire in wires]
    filled: dict[int, int] = {}
    place = 0
    for block in blocks:
        outcome = replay.block(replay.time_ms + 1, block)
        for encoded in outcome.batches[0].receipts:
            receipt = _decode_receipt.trusted(encoded)
            results = receipt.results[0] if receipt.results else ()
            filled[place] = results[1] if len(results) == 3 else 0
            place += 1
    return filled[0]


def _order(dealer: Dealer, client_id: bytes, interval: int, side: Side) -> PlaceOrder:
    selling = side == Side.SELL
    return PlaceOrder(
        dealer.portfolio,
        client_id,
        interval,
        side,
        OFFER_MICRO if selling else WORTH_MICRO,
        ENERGY_WH,
        Source.CONVENTIONAL if selling else ANY_SOURCE_MASK,
        TimeInForce.GOOD_TILL_GATE if selling else TimeInForce.IMMEDIATE_OR_CANCEL,
        0,
        0,
        post_only=False,
        market=False,
    )
