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
from gridtokenx.modules.market import bands, fills, presence
from gridtokenx.modules.market.book import Book, book_of, put_back, remove
from gridtokenx.modules.market.checks import terms_of, trades_at_once
from gridtokenx.modules.market.matching import Stopped, find_crossed, first_met
from gridtokenx.modules.market.messages import Terms
from gridtokenx.modules.market.state import INTERVALS, MAKER_DUTIES, Interval, Order, position_key
from gridtokenx.modules.market.wheeling import wheeling_of

_REOPENED = REOPENED.prefix
_replace = msgspec.structs.replace


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
