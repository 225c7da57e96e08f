"""Orders that rested apart and can meet now, because links between them have capacity again.

They meet before anything that comes in afterwards: in the transaction that gave the capacity back as far as its steps
go, then in due work and with the next orders of the interval. The highest purchase comes first, of equal ones the
earliest; it meets sales by delivered price, nearness and place, as if it came in anew, and each two trade at the limit
of the one that rested first. Two of related parties do not meet, nor two that would trade beyond a price band where
trade does not halt for it: the later one is cancelled.
"""

import msgspec

from gridtokenx.ledger import schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.limits import MATCH_STEPS_PER_ORDER_MAX
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.network import settled
from gridtokenx.modules.grid.state import LINK_REOPENED, REOPENED
from gridtokenx.modules.grid.topology import SAME_FEEDER, SAME_ZONE, Step
from gridtokenx.modules.market import bands, fills, presence
from gridtokenx.modules.market.book import Book, Front, Head, book_of, put_back, remove
from gridtokenx.modules.market.checks import terms_of, trades_at_once
from gridtokenx.modules.market.matching import Stopped, first_met
from gridtokenx.modules.market.messages import Terms
from gridtokenx.modules.market.state import INTERVALS, MAKER_DUTIES, Interval, Order, position_key
from gridtokenx.modules.market.wheeling import wheeling_of

_REOPENED = REOPENED.prefix
_replace = msgspec.structs.replace

Offers = list[tuple[int, int]]
"""(delivered price, mask of sources) of what some purchases can meet, the cheapest first, and no offer that only has
sources which a cheaper one has: so there are at most as many as there are sources."""

Sales = dict[int, list[tuple[int, int, int]]]
"""(minus rank, source, scope) of the first that can be met behind each front, by zone."""


def is_free(state: State, context: Context, interval: Interval, terms: Terms, live: Book) -> bool:
    """Whether no two resting orders of the interval can meet, after they have for a number of steps."""
    key = live.network.key
    if key not in state.rows[_REOPENED]:
        return True
    steps = 0
    while steps < MATCH_STEPS_PER_ORDER_MAX:
        used = _let_two_meet(state, context, interval, terms, live)
        if not used:
            settled(state, key)
            return True
        steps += used
    return False


def link_reopened(state: State, context: Context, key: bytes) -> int:
    """Scheduled when a link has capacity again: let orders meet, and come back if that was not all."""
    interval = state.rows[INTERVALS.prefix].get(key)
    if interval is None or not trades_at_once(state, context, interval):
        settled(state, key)
        return 1
    live = book_of(state, int.from_bytes(key, "big"))
    if not is_free(state, context, interval, terms_of(state, interval), live):
        schedule.add(state, schedule.RIGHT_AFTER_MS, LINK_REOPENED, key)
    return MATCH_STEPS_PER_ORDER_MAX


def _let_two_meet(state: State, context: Context, interval: Interval, terms: Terms, live: Book) -> int:
    """One resting purchase meets what it can; the steps it took, 0 if there is none."""
    found = find_crossed(live, wheeling_of(state, interval.terms, terms))
    return 0 if found is None else let_meet(state, context, interval, terms, live, *found)


def let_meet(
    state: State,
    context: Context,
    interval: Interval,
    terms: Terms,
    live: Book,
    key: bytes,
    order: Order,
    free_zone: int = 0,
) -> int:
    """A resting purchase meets what it can; the steps it took. `free_zone`: has no price band now."""
    if order.expires_ms <= context.time_ms:
        fills.withdraw(state, context, key, order)
        return 1
    remove(state, live, key, order)
    matched = bands.meet(state, context, interval, terms, live, order, resting=True, free_zone=free_zone)
    fills.let_go_expired(state, context, matched.expired)
    fills.trade_resting(state, context, interval, terms, key, order, matched.fills)
    left_wh = order.remaining_wh - matched.filled_wh
    if left_wh:
        shown_wh = order.shown_wh and min(order.display_wh, left_wh)
        put_back(state, live, key, _replace(order, remaining_wh=left_wh, shown_wh=shown_wh))
    own = position_key(order.interval, order.portfolio)
    if own in state.rows[MAKER_DUTIES.prefix]:
        presence.changed(state, context, own, key)
    if matched.stopped in (Stopped.RELATED, Stopped.BAND):
        _part(state, context, live, wheeling_of(state, interval.terms, terms), key)
    return 1 + len(matched.fills) + len(matched.expired)


def _part(state: State, context: Context, live: Book, wheeling: tuple[int, ...], key: bytes) -> None:
    """Cancel the later of two orders that would meet and may not: of related parties, or beyond a price band."""
    order = live.orders[key]
    other_key = first_met(live, wheeling, order)
    other = live.orders[other_key]
    late_key, late = (key, order) if order.place > other.place else (other_key, other)
    fills.withdraw(state, context, late_key, late)


def find_crossed(book: Book, wheeling: tuple[int, ...]) -> tuple[bytes, Order] | None:
    """The resting purchase that may trade first now that links have capacity again, or a halt is over: the best
    limit, then the earliest place, of those that can meet a resting sale. None if no two orders can meet.

    One look at each front, and at each queue of a feeder on which prices cross, whatever their filters and scopes; and
    for each zone and scope of purchases at the fronts of sales that are near and cheap enough for the zone's best one.
    """
    closed, halted = book.network.closed, book.halted()
    for half in (book.buyers, book.sellers):
        if half.only is not None:
            half.list_again(half.only)
    found: list[Head] = []
    sales = _open_sales(book, -book.buyers.best - wheeling[SAME_ZONE], halted)
    beyond: dict[tuple[int, int], Offers] = {}
    for front in book.buyers.fronts.values():
        if front.zone in halted:
            continue
        offers = beyond.get((front.zone, front.scope))
        if offers is None:
            offers = beyond[front.zone, front.scope] = _offers_beyond(book, wheeling, sales, front)
        if _can_meet(offers, front.heads[0]):
            found += [head for head in _first_open(front, closed) if _can_meet(offers, head)]
    charge, offered_at = wheeling[SAME_FEEDER], book.sellers.at
    for feeder, purchases in book.buyers.at.items():
        offered = offered_at.get(feeder)
        if offered is None or charge + offered[0][0] > -purchases[0][0]:
            continue
        if book.topology.zone_of[feeder] not in halted:
            found += _crossed_beside(purchases, offered, charge)
    if not found:
        return None
    minus_rank, _, _, queue = min(found)
    key = queue.levels[-minus_rank][0][1]
    return key, book.orders[key]


def _first_open(front: Front, closed: set[Step]) -> list[Head]:
    """The first order behind a front whose feeder energy may leave, or come to, if there is one."""
    return next(([head] for head in front.heads if head[3].step not in closed), [])


def _open_sales(book: Book, most: int, halted: frozenset[int]) -> Sales:
    """What can be met beyond its feeder, and is not above `most` (minus rank)."""
    found: Sales = {}
    for zone, tops in book.sellers.zones.items():
        if zone in halted or tops[0][0] > most:
            continue
        sales = found[zone] = []
        for minus_rank, _, _, queue in tops:
            if minus_rank > most:
                break
            front = queue.front
            if front is not None:
                sales += [(head[0], head[2], front.scope) for head in _first_open(front, book.network.closed)]
    return found


def _offers_beyond(book: Book, wheeling: tuple[int, ...], sales: Sales, buyers: Front) -> Offers:
    """What purchases of a front's zone and scope can meet beyond their feeders, no dearer than the best of the zone
    gives. An offer of a purchase's own feeder may be among it: it can meet that one too."""
    network, offers = book.network, []
    most_micro, best = -buyers.tops[0][0], book.sellers.best
    for route in network.topology.ways(buyers.zone, False, network.full).all():
        charge = wheeling[route.nearness]
        if charge + best > most_micro or (route.zones and buyers.scope):
            break
        for minus_rank, sources, scope in sales.get(route.zone, ()):
            if charge + minus_rank <= most_micro and not (route.zones and scope):
                offers.append((charge + minus_rank, sources))
    return _cheapest(offers)


def _cheapest(offers: Offers) -> Offers:
    kept, known = [], 0
    for cost, sources in sorted(offers):
        if sources & ~known:
            kept.append((cost, sources))
            known |= sources
    return kept


def _can_meet(offers: Offers, purchase: Head) -> bool:
    """Whether a purchase can meet an offer of a source that it accepts, within its limit."""
    minus_rank, _, sources, _ = purchase
    for cost, offered in offers:
        if cost > -minus_rank:
            break
        if offered & sources:
            return True
    return False


def _crossed_beside(purchases: list[Head], offered: list[Head], charge: int) -> list[Head]:
    """The first orders of purchases of a feeder that can meet a sale of the same one: they came in while others waited
    to meet, so they rested without having met anybody."""
    offers = _cheapest([(charge + minus_rank, sources) for minus_rank, _, sources, _ in offered])
    return [head for head in purchases if _can_meet(offers, head)]
