"""Reference prices in state: what trades leave in them, when they are made anew, and the bands around them.

Trades count in their zone's memory at once; the price itself is made anew once a block, after its transactions, for
each (interval, zone) in which something was traded or an order came or went. So all of a block has the same bands.
"""

from collections.abc import Iterator, Sequence

from gridtokenx.ledger import schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.network import network_of
from gridtokenx.modules.grid.topology import FEEDER_LINK, SAME_ZONE, TOPOLOGY, border_step
from gridtokenx.modules.market import checks, reference
from gridtokenx.modules.market.book import Book, Queue, book_of
from gridtokenx.modules.market.halted import is_halted
from gridtokenx.modules.market.matching import Fill
from gridtokenx.modules.market.messages import SELL, PlaceOrder, Terms
from gridtokenx.modules.market.reference import Best, Border
from gridtokenx.modules.market.state import (
    INTERVALS,
    REFERENCES,
    UPDATE_REFERENCE,
    Clearing,
    Interval,
    Order,
    Reference,
    zone_interval_key,
)
from gridtokenx.modules.market.wheeling import wheeling_micro

STEPS_PER_UPDATE = 2

ORDERS_AT_BEST_MAX = 8
"""Of the orders at a zone's best price so many are looked at."""

_REFERENCES, _INTERVALS = REFERENCES.prefix, INTERVALS.prefix
_UPDATE = schedule.RIGHT_AFTER_MS.to_bytes(8, "big") + bytes([UPDATE_REFERENCE])
_SCHEDULED = schedule.SCHEDULE.prefix


def reference_of(state: State, interval: Interval, terms: Terms, number: int, zone: int) -> Reference:
    """As it stands now, with its parts."""
    known: Reference | None = state.rows[_REFERENCES].get(zone_interval_key(number, zone))
    return reference.opening(terms, interval) if known is None else known


def band_of(state: State, interval: Interval, terms: Terms, number: int, zone: int) -> tuple[int, int]:
    """The lowest and the highest price of a trade whose seller stands in the zone. Asked only where there is a band."""
    return reference.band(terms, reference_of(state, interval, terms, number, zone).price_micro)


def is_within_band(state: State, interval: Interval, terms: Terms, number: int, zone: int, price_micro: int) -> bool:
    """Whether a trade at this price may take place, whose seller stands in the zone."""
    if not terms.band_ppm:
        return True
    low, high = band_of(state, interval, terms, number, zone)
    return low <= price_micro <= high


def market_limit_micro(state: State, interval: Interval, terms: Terms, message: PlaceOrder, feeder: int) -> int:
    """The limit of a market order: the tariff rounded down to the tick, or the buy-back rounded up to it, and no more
    (less) than the band of its own zone allows a neighbour."""
    limit_micro = checks.market_limit_micro(terms, interval, message.side)
    if not terms.band_ppm:
        return limit_micro
    zone = state.index(TOPOLOGY).zone_of[feeder]
    low, high = band_of(state, interval, terms, message.interval, zone)
    if message.side == SELL:
        return max(limit_micro, low)
    return min(limit_micro, high + wheeling_micro(terms, SAME_ZONE))


def touch(state: State, number: int, zone: int) -> None:
    """Something was traded there, or the book changed: make the price anew after this block's transactions."""
    payload = zone_interval_key(number, zone)
    if _UPDATE + payload not in state.rows[_SCHEDULED]:
        schedule.add(state, schedule.RIGHT_AFTER_MS, UPDATE_REFERENCE, payload)


def note_trades(state: State, interval: Interval, terms: Terms, order: Order, filled: Sequence[Fill]) -> None:
    """An order traded with others. The seller's zone saw the price; the buyer's, if it is another, what the energy cost
    when it arrived."""
    number, zone_of = order.interval, state.index(TOPOLOGY).zone_of
    records: dict[int, Reference] = {}
    for fill in filled:
        quantity_wh, price_micro, zones = fill.quantity_wh, fill.price_micro, fill.zones
        source = order.source if order.side == SELL else fill.maker.source
        seller_zone = zones[0] if zones else zone_of[order.feeder]
        known = records.get(seller_zone) or reference_of(state, interval, terms, number, seller_zone)
        records[seller_zone] = reference.with_trade(known, terms, quantity_wh, price_micro, source)
        if zones:
            zone, arrived_micro = zones[-1], price_micro + (len(zones) - 1) * terms.wheeling_border_micro
            known = records.get(zone) or reference_of(state, interval, terms, number, zone)
            records[zone] = reference.with_trade(known, terms, quantity_wh, arrived_micro, source)
    for zone, record in records.items():
        state.put(REFERENCES, zone_interval_key(number, zone), record)
        touch(state, number, zone)


def note_call(state: State, context: Context, interval: Interval, terms: Terms, key: bytes, price_micro: int) -> None:
    """A call of a zone, or the auction, found its price: from now on it is the reference. `key`: interval ‖ zone."""
    known = reference_of(state, interval, terms, int.from_bytes(key[:4], "big"), key[4])
    state.put(REFERENCES, key, reference.with_call(known, terms, interval, price_micro, context.height))


def note_clearing(
    state: State, context: Context, interval: Interval, terms: Terms, number: int, clearing: Clearing
) -> None:
    """The auction's prices, of the zones where anything was traded, are the interval's last references."""
    for node in clearing.nodes:
        if node.place < FEEDER_LINK and (node.sold_wh or node.bought_wh):
            note_call(state, context, interval, terms, zone_interval_key(number, node.place), node.price_micro)


def update_reference(state: State, context: Context, payload: bytes) -> int:
    """Scheduled right after what touched it. Nothing in a halt or in the call phase: its outcome will say."""
    number, zone = int.from_bytes(payload[:4], "big"), payload[4]
    interval: Interval | None = state.rows[_INTERVALS].get(payload[:4])
    if interval is None or is_halted(state, number, zone):
        return 1
    terms = checks.terms_of(state, interval)
    if checks.in_call(context, interval, terms):
        return 1
    known = reference_of(state, interval, terms, number, zone)
    bid, ask = best_of(book_of(state, number), zone)
    if bid is not None:
        bid = bid[0] - wheeling_micro(terms, SAME_ZONE), bid[1]
    borders = _borders(state, interval, terms, number, zone)
    now = reference.updated(known, terms, interval, bid, ask, borders, context.height)
    if now is not known:
        state.put(REFERENCES, payload, now)
    return STEPS_PER_UPDATE


def best_of(book: Book, zone: int) -> tuple[Best | None, Best | None]:
    """The best limits of a zone's purchases and sales that look beyond their feeder, and what stands there."""
    bid, ask = book.buyers.first_in(zone), book.sellers.first_in(zone)
    return (
        None if bid is None else (-bid[0], _shown_wh(book, bid[3])),
        None if ask is None else (ask[0], _shown_wh(book, ask[3])),
    )


def _shown_wh(book: Book, queue: Queue) -> int:
    """What the first orders of a queue show."""
    orders = [book.orders[key] for _, key in queue.levels[queue.ranks[-1]][:ORDERS_AT_BEST_MAX]]
    return sum(order.shown_wh or order.remaining_wh for order in orders)


def _borders(state: State, interval: Interval, terms: Terms, number: int, zone: int) -> Iterator[Border]:
    """Those of a zone's borders over which energy goes."""
    network = network_of(state, number)
    for other in network.topology.neighbours[zone]:
        step = border_step(other, zone)
        link = network.links.get(network.keys[step >> 1])
        if link is not None and link.net_wh:
            into_wh = -link.net_wh if step & 1 else link.net_wh
            able_wh = link.forward_wh if link.net_wh > 0 else link.backward_wh
            beside = reference_of(state, interval, terms, number, other)
            yield into_wh, able_wh, reference.uncongested_micro(beside, terms)


def forget(state: State, number: int) -> int:
    """The interval is over: nobody asks for its prices any more. How many records were there."""
    keys = [zone_interval_key(number, zone) for zone in state.index(TOPOLOGY).neighbours]
    used = [key for key in keys if key in state.rows[_REFERENCES]]
    for key in used:
        state.delete(REFERENCES, key)
    return len(used)
