"""Orders meet within price bands, and a zone's interval halts where they would not.

A trade's price lies in the band around the reference price of the seller's zone. A resting limit beyond the band that
leaves room for a price inside it trades at the edge of the band; so what one party alone asks for, however much
beyond, neither stops nor moves anything. Where no price inside suits both sides, the trade does not take place: the
zone halts in this interval, and what is left of the order waits with all others for the call; or, if it does not halt,
it is cancelled.

It halts only for an order that will still be there when the call comes, for energy that is worth it, and a few times:
so nobody stops a zone with crumbs, or again and again.
"""

from collections.abc import Sequence

import msgspec

from gridtokenx.ledger import schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.limits import HALT_SMALLEST_ORDERS_MIN, HALTS_OF_ZONE_MAX
from gridtokenx.ledger.state import State
from gridtokenx.modules.market import prices, reference
from gridtokenx.modules.market.book import Book
from gridtokenx.modules.market.matching import MET_NOTHING, Fill, Matched, Stopped, match
from gridtokenx.modules.market.messages import SELL, HaltReason, Terms
from gridtokenx.modules.market.state import (
    END_HALT,
    HALTS,
    REFERENCES,
    Halted,
    HaltStage,
    Interval,
    Order,
    Reference,
    zone_interval_key,
)
from gridtokenx.modules.market.wheeling import wheeling_of

_replace = msgspec.structs.replace


def meet(
    state: State,
    context: Context,
    interval: Interval,
    terms: Terms,
    live: Book,
    order: Order,
    key: bytes = b"",
    may_halt: bool = True,
    resting: bool = False,
    free_zone: int = 0,
) -> Matched:
    """Let an order, which is not in the book, meet what rests there, within the bands.

    `resting`: it rested before, so of two the earlier one's limit is the price. `key`: of an order that came in and
    sets off a halt. `free_zone`: has no band now, for its halt is over. Stopped by `BAND`, its rest would trade beyond
    one.
    """
    wheeling = wheeling_of(state, interval.terms, terms)
    mark = len(state.undo)
    matched = match(state, live, wheeling, order, context.time_ms, context.take_place)
    if not matched.fills:
        return matched
    if resting:
        matched = _replace(matched, fills=priced_by_age(order, matched.fills))
    if not terms.band_ppm:
        return matched
    kept, zone = _inside(state, interval, terms, live, order, matched.fills, free_zone)
    if zone is None:
        return matched if kept is matched.fills else _replace(matched, fills=kept)
    state.roll_back(mark)
    inside_wh = sum(fill.quantity_wh for fill in kept)
    beyond_wh = matched.filled_wh - inside_wh
    if inside_wh:  # the same again, as far as it stays inside
        part = _replace(order, remaining_wh=inside_wh)
        matched = match(state, live, wheeling, part, context.time_ms, context.take_place)
        prices_micro = [fill.price_micro for fill in kept]
        kept = [_replace(fill, price_micro=price) for fill, price in zip(matched.fills, prices_micro, strict=True)]
        matched = Matched(kept, matched.expired, inside_wh, Stopped.NO)
    else:
        matched = MET_NOTHING
    if not (may_halt and begin_halt(state, context, interval, terms, zone, order, key, beyond_wh)):
        return _replace(matched, stopped=Stopped.BAND)
    if zone == live.topology.zone_of[order.feeder]:
        return matched
    rest = _replace(order, remaining_wh=order.remaining_wh - inside_wh)
    further = meet(state, context, interval, terms, live, rest, key, may_halt, resting, free_zone)
    left_wh = rest.remaining_wh - further.filled_wh
    if further.stopped or left_wh < least_wh(terms):
        _call_off(state, zone_interval_key(order.interval, zone))
        if left_wh:
            further = _replace(further, stopped=further.stopped or Stopped.BAND)
    return Matched(
        [*matched.fills, *further.fills],
        [*matched.expired, *further.expired],
        inside_wh + further.filled_wh,
        further.stopped,
    )


def priced_by_age(order: Order, fills: Sequence[Fill]) -> list[Fill]:
    """What a resting purchase met, at the limit of the one that rested first; the parts of an iceberg are as old as the
    first that was met."""
    since: dict[bytes, int] = {}
    return [
        fill
        if since.setdefault(fill.key, fill.maker.place) < order.place
        else _replace(fill, price_micro=order.price_micro - fill.wheeling_micro)
        for fill in fills
    ]


def _inside(
    state: State,
    interval: Interval,
    terms: Terms,
    live: Book,
    order: Order,
    fills: Sequence[Fill],
    free_zone: int,
) -> tuple[Sequence[Fill], int | None]:
    """The fills up to the first that no price inside the band allows, and the seller's zone of that one; `fills` itself
    if all are as they may be."""
    bands: dict[int, tuple[int, int]] = {}
    zone_of, selling = live.topology.zone_of, order.side == SELL
    kept: list[Fill] = []
    changed = False
    for fill in fills:
        zone = zone_of[order.feeder if selling else fill.maker.feeder]
        if zone not in bands:
            bands[zone] = prices.band_of(state, interval, terms, order.interval, zone)
        low, high = bands[zone]
        if low <= fill.price_micro <= high or zone == free_zone:
            kept.append(fill)
            continue
        ask, bid = (order, fill.maker) if selling else (fill.maker, order)
        most = bid.price_micro - fill.wheeling_micro
        price_micro = reference.inside(low, high, ask.price_micro, most, fill.price_micro)
        if price_micro is None:
            return kept, zone
        kept.append(_replace(fill, price_micro=price_micro))
        changed = True
    return (kept if changed else fills), None


def _call_off(state: State, halt_key: bytes) -> None:
    """The order that set off a halt does not stay for it: there was none."""
    state.delete(HALTS, halt_key)
    known: Reference = state.rows[REFERENCES.prefix][halt_key]
    state.put(REFERENCES, halt_key, _replace(known, halts=known.halts - 1))


def halt_until_ms(context: Context, interval: Interval, terms: Terms) -> int:
    """When a halt that begins now ends: not after the call phase begins, or, where there is none, before the gate."""
    last_ms = interval.gate_ms - (terms.call_phase_ms or 1)
    return min(context.time_ms + terms.halt_ms, last_ms)


def least_wh(terms: Terms) -> int:
    """Less energy than this halts no zone, and makes no reference price by itself."""
    return HALT_SMALLEST_ORDERS_MIN * terms.order_wh_min


def begin_halt(
    state: State,
    context: Context,
    interval: Interval,
    terms: Terms,
    zone: int,
    order: Order,
    key: bytes,
    beyond_wh: int,
) -> bool:
    """Halt a zone's interval for what would have traded beyond its band, if it halts for that."""
    until_ms = halt_until_ms(context, interval, terms)
    known = prices.reference_of(state, interval, terms, order.interval, zone)
    worth_it = beyond_wh >= least_wh(terms) and order.expires_ms >= until_ms > context.time_ms
    if not worth_it or known.halts >= HALTS_OF_ZONE_MAX:
        return False
    halt_key = zone_interval_key(order.interval, zone)
    state.put(REFERENCES, halt_key, _replace(known, halts=known.halts + 1))
    halted = Halted(context.time_ms, until_ms, HaltReason.BAND, HaltStage.COLLECTING, False, key)
    state.put(HALTS, halt_key, halted)
    schedule.add(state, until_ms, END_HALT, halt_key)
    return True
