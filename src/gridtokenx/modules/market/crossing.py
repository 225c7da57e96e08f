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
from gridtokenx.modules.grid.topology import SAME_FEEDER
from gridtokenx.modules.market import bands, fills, presence
from gridtokenx.modules.market.book import Book, Front, Listing, Queue, book_of, put_back, remove
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

    One look at each front, and at each queue of a feeder on which prices cross, whatever their filters and scopes.
    """
    closed, halted = book.network.closed, book.halted()
    found: list[tuple[int, int, bytes]] = []
    sales = _open_sales(book, halted)
    beyond: dict[tuple[int, int], Offers] = {}
    for _, _, front in book.buyers.fronts.items:
        if front.zone in halted:
            continue
        offers = beyond.get((front.zone, front.scope))
        if offers is None:
            offers = _offers_beyond(book, wheeling, sales, front)
            beyond[front.zone, front.scope] = offers
        if offers and _can_meet(offers, front.sources, front.best()):
            for rank, _, queue in reversed(front.firsts or [(front.best(), 0, front.queues[0])]):
                if queue.step not in closed:
                    if _can_meet(offers, front.sources, rank):
                        found.append((-rank, *queue.levels[rank][0]))
                    break
    for feeder, beside in book.buyers.at.items():
        if feeder in book.sellers.at and book.topology.zone_of[feeder] not in halted:
            found += _crossed_beside(beside, book.sellers.at[feeder], wheeling[SAME_FEEDER])
    if not found:
        return None
    _, _, key = min(found)
    return key, book.orders[key]


def _open_sales(book: Book, halted: frozenset[int]) -> list[tuple[int, Front]]:
    """Of each front of sales the rank of the first order whose feeder energy may leave."""
    closed = book.network.closed
    found = []
    for _, _, front in book.sellers.fronts.items:
        if front.zone in halted:
            continue
        for rank, _, queue in reversed(front.firsts or [(front.best(), 0, front.queues[0])]):
            if queue.step not in closed:
                found.append((rank, front))
                break
    return found


def _offers_beyond(book: Book, wheeling: tuple[int, ...], sales: list[tuple[int, Front]], buyers: Front) -> Offers:
    """What purchases of a front can meet beyond their feeders. An offer of a purchase's own feeder may be among it: it
    can meet that one too."""
    routes, offers = book.network.routes(buyers.zone, False), []
    for rank, front in sales:
        route = routes.get(front.zone)
        if route is not None and not (route.zones and (buyers.scope or front.scope)):
            offers.append((wheeling[route.nearness] - rank, front.sources))
    return _cheapest(offers)


def _cheapest(offers: Offers) -> Offers:
    kept, known = [], 0
    for cost, sources in sorted(offers):
        if sources & ~known:
            kept.append((cost, sources))
            known |= sources
    return kept


def _can_meet(offers: Offers, sources: int, limit: int) -> bool:
    """Whether a purchase that accepts these sources can meet an offer within its limit."""
    for cost, offered in offers:
        if cost > limit:
            break
        if offered & sources:
            return True
    return False


def _crossed_beside(buyers: Listing[Queue], sellers: Listing[Queue], charge: int) -> list[tuple[int, int, bytes]]:
    """The first orders of purchases of a feeder that can meet a sale of the same one: they came in while others waited
    to meet, so they rested without having met anybody."""
    if charge - sellers.items[-1][0] > buyers.items[-1][0]:
        return []
    offers = _cheapest([(charge - queue.ranks[-1], queue.sources) for _, _, queue in sellers.items])
    return [
        (-queue.ranks[-1], *queue.levels[queue.ranks[-1]][0])
        for _, _, queue in buyers.items
        if _can_meet(offers, queue.sources, queue.ranks[-1])
    ]
