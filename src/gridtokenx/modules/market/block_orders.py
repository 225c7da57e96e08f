"""Block orders: the same energy in each of several consecutive intervals, all of it or none.

A block order is tried as one piece: each *leg*, an order of one interval, comes in to that interval's book as a fill or
kill does and trades at the limits of what rests there; when one leg does not fill, all is taken back. So it needs no
price rule of its own, and in no interval is anybody passed over who asks less, or pays more, than those it trades with.

What cannot be filled waits *beside* the books, where nobody can meet a part of it. Its escrow is held, and its energy
counts as open in each interval. In each minute of chain time all that wait are tried again in bounded steps, those
first that were tried longest ago. It ends when trading ends in one of its intervals: it takes part in no call phase
and no auction.

What a block order costs others: nothing in matching, where it cannot be seen; BLOCK_ORDERS_STEPS of each block.
"""

import msgspec

from gridtokenx.ledger import schedule
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import (
    BLOCK_ORDER_INTERVALS_MAX,
    BLOCK_ORDER_STEPS_MAX,
    BLOCK_ORDERS_MAX,
    BLOCK_ORDERS_OF_PARTICIPANT_MAX,
    BLOCK_ORDERS_RETRY_MS,
    BLOCK_ORDERS_STEPS,
)
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.state import REOPENED
from gridtokenx.modules.identity.rosters import powers_at
from gridtokenx.modules.identity.state import Participant, Portfolio, zone_of
from gridtokenx.modules.market import bands, calendar, checks, fills
from gridtokenx.modules.market.block_pairs import Shapes, by_shape, find_opposite, has_opposite
from gridtokenx.modules.market.book import book_of
from gridtokenx.modules.market.halted import is_halted
from gridtokenx.modules.market.holds import order_hold_micro
from gridtokenx.modules.market.matching import Matched, meets_somebody
from gridtokenx.modules.market.messages import SELL, MarketCode, PlaceBlockOrder, PlaceOrder, Terms, TimeInForce
from gridtokenx.modules.market.state import (
    BLOCK_ORDERS,
    EMPTY_POSITION,
    EXPIRE_ORDER,
    INTERVALS,
    POSITIONS,
    POSITIONS_BY_INTERVAL,
    TRY_BLOCK_ORDERS,
    BlockOrder,
    Interval,
    Order,
    order_key,
    position_key,
)
from gridtokenx.modules.market.stored import check_stored
from gridtokenx.modules.market.wheeling import wheeling_of
from gridtokenx.modules.tokens.messages import TokensCode
from gridtokenx.modules.tokens.state import free_micro, hold

_BLOCK_ORDERS, _INTERVALS, _POSITIONS = BLOCK_ORDERS.prefix, INTERVALS.prefix, POSITIONS.prefix
_REOPENED = REOPENED.prefix
Leg = tuple[Order, Terms, Interval]
_replace = msgspec.structs.replace


def place_block_order(state: State, context: Context, message: PlaceBlockOrder) -> tuple[int, ...]:
    """Check and hold as for an order in each interval, then fill it whole or let it wait. Receipt: place, filled Wh,
    waiting Wh. As for an order, and `BLOCK_LENGTH_INVALID`, `BLOCK_ORDERS_TOO_MANY`."""
    if not 2 <= message.intervals <= BLOCK_ORDER_INTERVALS_MAX:
        raise Rejected(MarketCode.BLOCK_LENGTH_INVALID, "intervals")
    ends_ms, terms = _check_intervals(state, context, message)
    key = order_key(context.sender, message.client_id)
    checks.check_name(state, context, key)
    portfolio = checks.own_portfolio(state, context, message.portfolio)
    participant, until_ms = checks.trader(state, context, portfolio.participant)
    expires_ms = min(message.good_till_ms or ends_ms, ends_ms, until_ms)
    if expires_ms <= context.time_ms:
        raise Rejected(MarketCode.EXPIRY_IN_PAST, "good_till_ms")
    if message.side != SELL and state.rows[ACCOUNTS.prefix][context.sender].debt_micro > terms.arrears_limit_micro:
        raise Rejected(MarketCode.ARREARS_TOO_HIGH, "sender")
    block = BlockOrder(
        message.portfolio,
        portfolio.participant,
        message.interval,
        message.intervals,
        message.side,
        message.price_micro,
        message.quantity_wh,
        message.source,
        portfolio.feeder,
        context.take_place(),
        expires_ms,
        context.time_ms,
        message.scope,
    )
    _take_on(state, context, key, block, portfolio, participant)
    total_wh = block.quantity_wh * block.intervals
    if _fill(state, context, key, block, by_shape(state.rows[_BLOCK_ORDERS]))[0]:
        return block.place, total_wh, 0
    if message.time_in_force == TimeInForce.FILL_OR_KILL:
        raise Rejected(MarketCode.FILL_OR_KILL_NOT_FILLED, "quantity_wh")
    _let_wait(state, context, key, block)
    return block.place, 0, total_wh


def _check_intervals(state: State, context: Context, message: PlaceBlockOrder) -> tuple[int, Terms]:
    """What needs no more than the message and the terms, for all intervals. When trading ends in the first one that
    ends, and the terms of the first interval."""
    plain = PlaceOrder(
        message.portfolio,
        message.client_id,
        message.interval,
        message.side,
        message.price_micro,
        message.quantity_wh,
        message.source,
        message.time_in_force,
        message.good_till_ms,
        0,
        False,
        False,
        message.scope,
    )
    if message.time_in_force == TimeInForce.IMMEDIATE_OR_CANCEL:
        raise Rejected(MarketCode.OPTIONS_CONFLICT, "time_in_force")
    opened = [
        checks.open_interval(state, context, number)
        for number in range(message.interval, message.interval + message.intervals)
    ]
    for terms in {interval.terms: terms for interval, terms in opened}.values():
        checks.check_options(plain, terms)
    for interval, terms in opened:
        if checks.in_call(context, interval, terms):
            raise Rejected(MarketCode.CALL_TAKES_PLAIN, "intervals")
    return min(interval.gate_ms - terms.call_phase_ms for interval, terms in opened), opened[0][1]


def _take_on(
    state: State, context: Context, key: bytes, block: BlockOrder, portfolio: Portfolio, participant: Participant
) -> None:
    """Check the limits of positions leg by leg, count each as open, and hold what all of them need: `POSITION_LIMIT`,
    `SOURCE_INVALID`, `TRADED_BY_AGGREGATOR`, `BALANCE_TOO_LOW`."""
    hold_micro = 0
    positions = state.index(POSITIONS_BY_INTERVAL)
    first_of_days: dict[int, tuple[Order, Portfolio]] = {}
    for leg in block.legs():
        able = powers_at(state, block.portfolio, portfolio, leg.interval)
        own = position_key(leg.interval, leg.portfolio)
        position = state.rows[_POSITIONS].get(own, EMPTY_POSITION)
        if leg.side == SELL:
            checks.check_sale(state, leg, able, participant, position)
        else:
            checks.check_purchase(leg, able, participant, position)
        positions.put(state, own, fills.with_open(position, leg.side, leg.remaining_wh))
        hold_micro += order_hold_micro(*_terms_and_interval(state, leg), leg, leg.remaining_wh)
        first_of_days.setdefault(calendar.day_of(leg.interval), (leg, able))
    # Whom a portfolio trades changes from day to day, never inside one.
    for leg, able in first_of_days.values():
        left = block.interval + block.intervals - leg.interval
        check_stored(state, context, _replace(leg, remaining_wh=0), able, left)
    if free_micro(state.rows[ACCOUNTS.prefix][context.sender]) < hold_micro:
        raise Rejected(TokensCode.BALANCE_TOO_LOW, "quantity_wh")
    hold(state, context.sender, hold_micro)


def _let_wait(state: State, context: Context, key: bytes, block: BlockOrder) -> None:
    """`BLOCK_ORDERS_TOO_MANY`."""
    waiting = state.rows[_BLOCK_ORDERS]
    if len(waiting) >= BLOCK_ORDERS_MAX:
        raise Rejected(MarketCode.BLOCK_ORDERS_TOO_MANY, "time_in_force")
    own = sum(other.participant == block.participant for other in waiting.values())
    if own >= BLOCK_ORDERS_OF_PARTICIPANT_MAX:
        raise Rejected(MarketCode.BLOCK_ORDERS_TOO_MANY, "participant")
    state.put(BLOCK_ORDERS, key, block)
    schedule.add(state, block.expires_ms, EXPIRE_ORDER, key)
    schedule.add(state, _next_round_ms(context), TRY_BLOCK_ORDERS, b"")


def _next_round_ms(context: Context) -> int:
    """Rounds begin at whole minutes: to schedule the next one twice is to schedule it once."""
    return (context.time_ms // BLOCK_ORDERS_RETRY_MS + 1) * BLOCK_ORDERS_RETRY_MS


def _takes_legs(state: State, context: Context, leg: Order, interval: Interval) -> bool:
    """Whether a leg may trade in its interval now: the one place that asks. Not while it does not trade at once or its
    zone is halted, nor while resting orders there have yet to meet, which go first."""
    if not checks.trades_at_once(state, context, interval) or interval_key(leg.interval) in state.rows[_REOPENED]:
        return False
    return not is_halted(state, leg.interval, zone_of(state, leg.feeder))


def _fill(state: State, context: Context, key: bytes, block: BlockOrder, shapes: Shapes) -> tuple[bool, int]:
    """Fill all legs of a block order that is held and counted as open, or change nothing: from the books, else with a
    block order that came before it. Whether it did, and its steps: intervals looked at, and orders met."""
    waiting = state.rows[_BLOCK_ORDERS]
    alone = not has_opposite(block, waiting, shapes)
    legs: list[Leg] = []
    meets = True
    for leg in block.legs():
        terms, interval = _terms_and_interval(state, leg)
        legs.append((leg, terms, interval))
        if not _takes_legs(state, context, leg, interval):
            return False, len(legs)
        wheeling = wheeling_of(state, interval.terms, terms)
        meets = meets and meets_somebody(book_of(state, leg.interval), wheeling, leg)
        if alone and not meets:
            return False, len(legs)
    steps = len(legs)
    if meets:
        filled, met = _fill_from_books(state, context, key, legs)
        steps += met
        if filled:
            return True, steps
    opposite, looked = find_opposite(state, block, waiting, shapes, context.time_ms)
    steps += looked
    if opposite is None:
        return False, steps
    for (leg, terms, interval), (fill, way) in zip(legs, opposite.meetings, strict=True):
        book_of(state, leg.interval).network.use(state, way, leg.remaining_wh)
        fills.trade_resting(state, context, interval, terms, key, leg, [fill], comes_in=True)
    _forget(state, opposite.key, waiting[opposite.key])
    return True, steps + len(legs)


def _fill_from_books(state: State, context: Context, key: bytes, legs: list[Leg]) -> tuple[bool, int]:
    """Whether all legs found all of their energy in the books, and how many orders they met."""
    mark, met = len(state.undo), 0
    for leg, terms, interval in legs:
        live = book_of(state, leg.interval)
        matched = bands.meet(state, context, interval, terms, live, leg, may_halt=False)
        met += len(matched.fills) + len(matched.expired)
        if matched.filled_wh < leg.remaining_wh or met > BLOCK_ORDER_STEPS_MAX:
            state.roll_back(mark)
            return False, met
        _book(state, context, key, leg, terms, interval, matched)
    return True, met


def _book(
    state: State, context: Context, key: bytes, leg: Order, terms: Terms, interval: Interval, matched: Matched
) -> None:
    fills.let_go_expired(state, context, matched.expired)
    fills.trade_resting(state, context, interval, terms, key, leg, matched.fills, comes_in=True)


def try_block_orders(state: State, context: Context, payload: bytes) -> int:
    """Scheduled at whole minutes while any wait, and with the next block until all have been tried in this minute:
    those first that were tried longest ago, of equals those that came first."""
    rows = state.rows[_BLOCK_ORDERS]
    began_ms = context.time_ms - context.time_ms % BLOCK_ORDERS_RETRY_MS
    used, shapes = 0, by_shape(rows)

    def try_again(state: State, context: Context, key: bytes) -> None:
        nonlocal used
        block = rows.get(key)
        if block is None:  # it met another one in this round
            return
        filled, steps = False, 1
        if block.expires_ms > context.time_ms:
            filled, steps = _fill(state, context, key, block, shapes)
        used += steps
        if filled:
            _forget(state, key, block)
        else:
            state.put(BLOCK_ORDERS, key, _replace(block, tried_ms=context.time_ms))

    due = sorted((block.tried_ms, block.place, key) for key, block in rows.items() if block.tried_ms < began_ms)
    for _, _, key in due:
        if used >= BLOCK_ORDERS_STEPS:
            # In the next block: due right after this moment.
            schedule.add(state, context.time_ms + 1, TRY_BLOCK_ORDERS, b"")
            break
        schedule.guard(state, context, TRY_BLOCK_ORDERS, key, try_again)
    if rows:
        schedule.add(state, _next_round_ms(context), TRY_BLOCK_ORDERS, b"")
    return max(used, 1)


def cancel(state: State, key: bytes) -> tuple[int, ...]:
    """Take back a block order that waits: `ORDER_UNKNOWN`. What was open in all its intervals."""
    block = state.get(BLOCK_ORDERS, key)
    if block is None:
        raise Rejected(MarketCode.ORDER_UNKNOWN, "client_id")
    take_out(state, key, block)
    return (block.quantity_wh * block.intervals,)


def take_out(state: State, key: bytes, block: BlockOrder) -> None:
    """End a block order that waits: its holds released, open quantities lowered."""
    _forget(state, key, block)
    for leg in block.legs():
        fills.let_go(state, key, leg)


def _forget(state: State, key: bytes, block: BlockOrder) -> None:
    state.delete(BLOCK_ORDERS, key)
    schedule.remove(state, block.expires_ms, EXPIRE_ORDER, key)


def _terms_and_interval(state: State, leg: Order) -> tuple[Terms, Interval]:
    interval: Interval = state.rows[_INTERVALS][interval_key(leg.interval)]
    return checks.terms_of(state, interval), interval
