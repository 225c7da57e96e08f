"""The rules of the market: place, cancel, amend; opening and gate closure."""

from collections.abc import Iterator

import msgspec

from gridtokenx.ledger import schedule
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.module import Module
from gridtokenx.ledger.quantities import INTERVALS_PER_DAY, interval_end_ms, interval_key, interval_start_ms
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.state import LINK_REOPENED
from gridtokenx.modules.grid.topology import TOPOLOGY
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.rosters import powers_at
from gridtokenx.modules.identity.state import (
    PARTICIPANT_CHANGED,
    PORTFOLIOS,
    Participant,
    Portfolio,
    holder_of,
    require_role,
)
from gridtokenx.modules.market import (
    bands,
    block_orders,
    book,
    calendar,
    checks,
    crossing,
    fills,
    gate,
    halts,
    leaving,
    makers,
    presence,
    prices,
    void,
)
from gridtokenx.modules.market.book import BOOKS
from gridtokenx.modules.market.gate import GATES
from gridtokenx.modules.market.halted import covers, holds_order
from gridtokenx.modules.market.holds import order_hold_micro
from gridtokenx.modules.market.matching import MET_NOTHING, Matched
from gridtokenx.modules.market.messages import (
    SELL,
    AmendOrder,
    CancelOrder,
    EndMaker,
    EnrolMaker,
    Halt,
    MarketCode,
    PlaceBlockOrder,
    PlaceOrder,
    Resume,
    SetHoliday,
    SetMakerProgramme,
    SetTerms,
    Terms,
    TimeInForce,
)
from gridtokenx.modules.market.state import (
    AUCTIONS,
    BLOCK_ORDERS,
    CLEARINGS,
    CLOSE_GATE,
    DUES,
    DUES_BY_INTERVAL,
    DUTIES_BY_INTERVAL,
    EMPTY_POSITION,
    END_HALT,
    EXPIRE_ORDER,
    HALTS,
    HOLIDAYS,
    INTERVAL_FINAL,
    INTERVALS,
    MAKER_DUTIES,
    MAKER_PROGRAMMES,
    METERING_DEADLINE,
    OPEN_DAY,
    ORDERS,
    POSITIONS,
    POSITIONS_BY_INTERVAL,
    REFERENCES,
    SKY,
    STALE_TRADES,
    TERMS,
    TERMS_VERSION,
    TRY_BLOCK_ORDERS,
    UPDATE_REFERENCE,
    VOID_TRADES,
    Holiday,
    Interval,
    Order,
    Phase,
    TermsVersion,
    day_key,
    invariants,
    order_key,
    position_key,
    terms_key,
)
from gridtokenx.modules.market.stored import check_stored
from gridtokenx.modules.market.wheeling import WHEELING
from gridtokenx.modules.tokens.messages import TokensCode

# The member of an enum costs several times a global name to look up, and these are asked for each order.
_IMMEDIATE_OR_CANCEL = int(TimeInForce.IMMEDIATE_OR_CANCEL)
_FILL_OR_KILL = int(TimeInForce.FILL_OR_KILL)
_replace = msgspec.structs.replace
_ACCOUNTS, _ORDERS, _POSITIONS = ACCOUNTS.prefix, ORDERS.prefix, POSITIONS.prefix
_MAKER_DUTIES = MAKER_DUTIES.prefix


def place_order(state: State, context: Context, message: PlaceOrder) -> tuple[int, ...]:
    """Check, match, rest. Receipt: place, filled Wh, resting Wh. Every `MarketCode` can come from here except
    those of amending, terms and holidays."""
    interval, terms = checks.open_interval(state, context, message.interval)
    checks.check_options(message, terms)
    if checks.in_call(context, interval, terms):
        checks.check_call(message, interval.gate_ms)
    key = order_key(context.sender, message.client_id)
    checks.check_name(state, context, key)
    portfolio = checks.own_portfolio(state, context, message.portfolio)
    participant, until_ms = checks.trader(state, context, portfolio.participant)
    gate_ms = interval.gate_ms
    expires_ms = min(message.good_till_ms or gate_ms, gate_ms, until_ms)
    if expires_ms <= context.time_ms:
        raise Rejected(MarketCode.EXPIRY_IN_PAST, "good_till_ms")
    price_micro = message.price_micro
    if message.market:
        price_micro = prices.market_limit_micro(state, interval, terms, message, portfolio.feeder)
    order = Order(
        message.portfolio,
        portfolio.participant,
        message.interval,
        message.side,
        price_micro,
        message.quantity_wh,
        message.source,
        portfolio.feeder,
        context.take_place(),
        expires_ms,
        message.quantity_wh,
        message.scope,
        message.display_wh,
    )
    return _enter(state, context, interval, terms, key, order, portfolio, participant, message)


def _enter(
    state: State,
    context: Context,
    interval: Interval,
    terms: Terms,
    key: bytes,
    order: Order,
    portfolio: Portfolio,
    participant: Participant,
    options: PlaceOrder,
) -> tuple[int, ...]:
    """Limits, escrow, match, rest: for a new order and for one that was amended."""
    portfolio = powers_at(state, order.portfolio, portfolio, order.interval)
    account = state.rows[_ACCOUNTS][context.sender]
    own = position_key(order.interval, order.portfolio)
    position = state.rows[_POSITIONS].get(own, EMPTY_POSITION)
    if order.side == SELL:
        checks.check_sale(state, order, portfolio, participant, position)
    else:
        checks.check_purchase(order, portfolio, participant, position)
        if account.debt_micro > terms.arrears_limit_micro:
            raise Rejected(MarketCode.ARREARS_TOO_HIGH, "sender")
    check_stored(state, context, order, portfolio)
    hold_micro = order_hold_micro(terms, interval, order, order.remaining_wh)
    if account.balance_micro - account.held_micro < hold_micro:
        raise Rejected(TokensCode.BALANCE_TOO_LOW, "quantity_wh")
    live = book.book_of(state, order.interval)
    matched = MET_NOTHING
    collects, zone = checks.in_call(context, interval, terms), live.topology.zone_of[order.feeder]
    is_free = not collects and crossing.is_free(state, context, interval, terms, live)
    if is_free and not (live.halts and covers(live.halts, order.interval, zone)):
        stays = options.time_in_force < _IMMEDIATE_OR_CANCEL and not options.post_only
        matched = bands.meet(state, context, interval, terms, live, order, key, may_halt=stays)
    check_filled(options, order, matched)
    fills.let_go_expired(state, context, matched.expired)
    resting_wh = order.remaining_wh - matched.filled_wh
    if matched.stopped or options.time_in_force == _IMMEDIATE_OR_CANCEL:
        resting_wh = 0
    if resting_wh == order.remaining_wh:
        fills.hold_order(state, context, order, own, hold_micro)
    else:
        fills.take_order(state, context, interval, terms, key, order, own, matched.fills, resting_wh)
    if resting_wh:
        resting = order if resting_wh == order.remaining_wh else _replace(order, remaining_wh=resting_wh)
        if order.display_wh:
            resting = _replace(resting, shown_wh=min(order.display_wh, resting_wh))
        book.rest(state, live, key, resting)
        if order.expires_ms < interval.gate_ms:
            schedule.add(state, order.expires_ms, EXPIRE_ORDER, key)
        prices.touch(state, order.interval, zone)
    if own in state.rows[_MAKER_DUTIES]:
        presence.changed(state, context, own, key)
    if matched.filled_wh:
        crossing.is_free(state, context, interval, terms, live)
    return order.place, matched.filled_wh, resting_wh


def check_filled(options: PlaceOrder, order: Order, matched: Matched) -> None:
    """Whether what the order met is what its options allow; if not, everything is taken back:
    `POST_ONLY_WOULD_TRADE`, `FILL_OR_KILL_NOT_FILLED`, `MINIMUM_NOT_FILLED`."""
    if options.post_only and (matched.fills or matched.stopped):
        raise Rejected(MarketCode.POST_ONLY_WOULD_TRADE, "price_micro")
    if options.time_in_force == _FILL_OR_KILL and matched.filled_wh < order.remaining_wh:
        raise Rejected(MarketCode.FILL_OR_KILL_NOT_FILLED, "quantity_wh")
    if matched.filled_wh < options.minimum_wh:
        raise Rejected(MarketCode.MINIMUM_NOT_FILLED, "minimum_wh")


def cancel_order(state: State, context: Context, message: CancelOrder) -> tuple[int, ...]:
    """`ORDER_UNKNOWN`, `GATE_CLOSED` (it stands in an auction), `HALT_HOLDS_ORDER`. Whatever comes of it, it refuses a
    placement of the same client id later in this block."""
    key = order_key(context.sender, message.client_id)
    context.cancelled.add(key)
    order = state.get(ORDERS, key)
    if order is None:
        return block_orders.cancel(state, key)
    if checks.is_decided(state, context, order):
        raise Rejected(MarketCode.GATE_CLOSED, "client_id")
    _check_not_held(state, order, key)
    fills.withdraw(state, context, key, order)
    return (order.remaining_wh,)


def amend_order(state: State, context: Context, message: AmendOrder) -> tuple[int, ...]:
    """`ORDER_UNKNOWN`, `BLOCK_NOT_AMENDED`, `NOTHING_TO_AMEND`, `GATE_CLOSED`, `EXPIRY_IN_PAST`, `HALT_HOLDS_ORDER`,
    and as for a placement. In the call phase an order that its auction cannot take can only be made smaller
    (`CALL_TAKES_PLAIN`)."""
    key = order_key(context.sender, message.client_id)
    order = state.get(ORDERS, key)
    if order is None:
        if state.get(BLOCK_ORDERS, key) is not None:
            raise Rejected(MarketCode.BLOCK_NOT_AMENDED, "client_id")
        raise Rejected(MarketCode.ORDER_UNKNOWN, "client_id")
    interval, terms = checks.open_interval(state, context, order.interval)
    checks.check_price(terms, message.price_micro)
    checks.check_quantity(terms, message.remaining_wh)
    participant, _ = checks.trader(state, context, order.participant)
    if order.expires_ms <= context.time_ms:
        raise Rejected(MarketCode.EXPIRY_IN_PAST, "client_id")
    same_price = message.price_micro == order.price_micro
    if same_price and message.remaining_wh == order.remaining_wh:
        raise Rejected(MarketCode.NOTHING_TO_AMEND, "remaining_wh")
    _check_not_held(state, order, key)
    if same_price and message.remaining_wh < order.remaining_wh:
        quantity_wh = order.quantity_wh - order.remaining_wh + message.remaining_wh
        shown_wh = min(order.shown_wh, message.remaining_wh)
        smaller = _replace(order, remaining_wh=message.remaining_wh, quantity_wh=quantity_wh, shown_wh=shown_wh)
        state.put(ORDERS, key, smaller)
        fills.shrink(state, interval, terms, key, order, message.remaining_wh)
        own = position_key(order.interval, order.portfolio)
        if own in state.rows[_MAKER_DUTIES]:
            presence.changed(state, context, own, key)
        return order.place, 0, message.remaining_wh
    takes_part = checks.is_plain(order) and order.expires_ms >= interval.gate_ms
    if not takes_part and checks.in_call(context, interval, terms):
        raise Rejected(MarketCode.CALL_TAKES_PLAIN, "client_id")
    fills.take_out(state, key, order)
    anew = _replace(
        order,
        price_micro=message.price_micro,
        remaining_wh=message.remaining_wh,
        quantity_wh=order.quantity_wh - order.remaining_wh + message.remaining_wh,
        place=context.take_place(),
        shown_wh=0,
    )
    portfolio = state.rows[PORTFOLIOS.prefix][order.portfolio]
    return _enter(state, context, interval, terms, key, anew, portfolio, participant, PLAIN_OPTIONS)


PLAIN_OPTIONS = PlaceOrder(b"", b"", 0, 0, 0, 0, 0, TimeInForce.GOOD_TILL_GATE, 0, 0, False, False)
"""What an amended order enters with: its special options counted at its first entry only."""


def _check_not_held(state: State, order: Order, key: bytes) -> None:
    """`HALT_HOLDS_ORDER`: whoever stops trade stands by the order until the call."""
    if holds_order(state, order.interval, state.index(TOPOLOGY).neighbours, key):
        raise Rejected(MarketCode.HALT_HOLDS_ORDER, "client_id")


def set_terms(state: State, context: Context, message: SetTerms) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, `TERMS_INVALID`, `ROLE_VACANT` (a call phase, and nobody whom congestion rent goes to).
    Intervals that are open keep theirs."""
    require_role(state, context.sender, RoleName.OPERATOR)
    check_terms(message.terms)
    if message.terms.call_phase_ms:
        holder_of(state, RoleName.CONGESTION)
    version = current_terms(state) + 1
    state.put(TERMS, terms_key(version), message.terms)
    state.put(TERMS_VERSION, b"", TermsVersion(version))
    return (version,)


def check_terms(terms: Terms) -> None:
    """Bounds within which every formula is exact or rounds as documented: `TERMS_INVALID` names the field."""
    watt = 10**6
    bounds = {
        "on_peak_micro": (1, 100 * watt),
        "off_peak_micro": (1, 100 * watt),
        "buy_back_micro": (0, min(terms.on_peak_micro, terms.off_peak_micro)),
        "undelivered_spread_micro": (0, 10 * watt),
        "unused_spread_micro": (0, 10 * watt),
        "grid_fee_ppm": (0, 200_000),
        "trading_fee_ppm": (0, 50_000),
        "wheeling_base_micro": (0, 10 * watt),
        "wheeling_feeder_micro": (0, 10 * watt),
        "wheeling_border_micro": (0, 10 * watt),
        "tick_micro": (1_000, watt),
        "order_wh_min": (1, 10**6),
        "gate_ms": (0, 3_600_000),
        "call_phase_ms": (0, 3_600_000),
        "metering_deadline_ms": (60_000, 86_400_000),
        "correction_ms": (terms.metering_deadline_ms, 30 * 86_400_000),
        "arrears_limit_micro": (0, 10**6 * watt),
        "band_ppm": (0, 1_000_000),
        "halt_ms": (0, 3_600_000),
        "reference_wh": (100, 10**9),
    }
    for name, (low, high) in bounds.items():
        if not low <= getattr(terms, name) <= high:
            raise Rejected(MarketCode.TERMS_INVALID, name)
    for name in ("wheeling_base_micro", "wheeling_feeder_micro", "wheeling_border_micro", "tick_micro"):
        if getattr(terms, name) % 1_000:
            raise Rejected(MarketCode.TERMS_INVALID, name)
    if terms.wheeling_base_micro % terms.tick_micro or terms.wheeling_feeder_micro % terms.tick_micro:
        raise Rejected(MarketCode.TERMS_INVALID, "wheeling_base_micro")
    if terms.wheeling_border_micro % terms.tick_micro:
        raise Rejected(MarketCode.TERMS_INVALID, "wheeling_border_micro")


def current_terms(state: State) -> int:
    """The version that intervals open with from now on."""
    version = state.get(TERMS_VERSION, b"")
    if version is None:
        raise Rejected(MarketCode.TERMS_INVALID, "version")
    return version.version


def set_holiday(state: State, context: Context, message: SetHoliday) -> tuple[int, ...]:
    """`NOT_AUTHORISED`. Counts for intervals that have not opened yet."""
    require_role(state, context.sender, RoleName.OPERATOR)
    key = day_key(message.day)
    known = state.get(HOLIDAYS, key) is not None
    if message.holiday and not known:
        state.put(HOLIDAYS, key, Holiday())
    elif known and not message.holiday:
        state.delete(HOLIDAYS, key)
    return ()


def open_day(state: State, context: Context, payload: bytes) -> int:
    """Scheduled at 00:00 Bangkok time of the day before: open the day's intervals."""
    day = int.from_bytes(payload, "big")
    first = calendar.first_interval_of_day(day)
    duties = sum(open_interval(state, context, number) for number in range(first, first + INTERVALS_PER_DAY))
    next_first = first + INTERVALS_PER_DAY
    schedule.add(state, calendar.opens_ms(next_first), OPEN_DAY, day_key(day + 1))
    return INTERVALS_PER_DAY + duties


def open_interval(state: State, context: Context, number: int) -> int:
    """Open one interval with the terms of now, and schedule its gate, deadline and end; nothing if its gate has
    passed or it is open already. How many makers have a duty in it."""
    version = current_terms(state)
    terms = state.rows[TERMS.prefix][terms_key(version)]
    gate_ms = interval_start_ms(number) - terms.gate_ms
    if gate_ms <= context.time_ms or state.get(INTERVALS, interval_key(number)) is not None:
        return 0
    holiday = state.get(HOLIDAYS, day_key(calendar.day_of(number))) is not None
    tariff_micro = calendar.tariff_micro_per_kwh(number, terms, holiday)
    key = interval_key(number)
    interval = Interval(version, tariff_micro, gate_ms, Phase.TRADING)
    state.put(INTERVALS, key, interval)
    end_ms = interval_end_ms(number)
    schedule.add(state, gate_ms, CLOSE_GATE, key)
    schedule.add(state, end_ms + terms.metering_deadline_ms, METERING_DEADLINE, key)
    schedule.add(state, end_ms + terms.correction_ms, INTERVAL_FINAL, key)
    return makers.open_duties(state, context, number, interval)


def expire_order(state: State, context: Context, key: bytes) -> int:
    """Scheduled at an order's own end, and at that of a block order."""
    order = state.get(ORDERS, key)
    if order is not None and order.expires_ms <= context.time_ms:
        fills.withdraw(state, context, key, order)
    block = state.get(BLOCK_ORDERS, key)
    if block is not None and block.expires_ms <= context.time_ms:
        block_orders.take_out(state, key, block)
    return 1


def all_invariants(state: State) -> Iterator[str]:
    """Those of orders, positions and auctions, and of makers."""
    yield from invariants(state)
    yield from makers.invariants(state)


TABLES = (
    *(TERMS, TERMS_VERSION, INTERVALS, ORDERS, POSITIONS, DUES, SKY, HOLIDAYS, STALE_TRADES, AUCTIONS, CLEARINGS),
    *(REFERENCES, HALTS, MAKER_PROGRAMMES, MAKER_DUTIES, BLOCK_ORDERS),
)

MODULE = Module(
    name="market",
    codes=MarketCode,
    tables=TABLES,
    handlers={
        PlaceOrder: place_order,
        CancelOrder: cancel_order,
        AmendOrder: amend_order,
        PlaceBlockOrder: block_orders.place_block_order,
        SetTerms: set_terms,
        SetHoliday: set_holiday,
        Halt: halts.halt,
        Resume: halts.resume,
        SetMakerProgramme: makers.set_maker_programme,
        EnrolMaker: makers.enrol_maker,
        EndMaker: makers.end_maker,
    },
    scheduled={
        OPEN_DAY: open_day,
        CLOSE_GATE: gate.close_gate,
        EXPIRE_ORDER: expire_order,
        PARTICIPANT_CHANGED: leaving.participant_changed,
        VOID_TRADES: void.void_trades,
        LINK_REOPENED: crossing.link_reopened,
        UPDATE_REFERENCE: prices.update_reference,
        END_HALT: halts.end_halt,
        TRY_BLOCK_ORDERS: block_orders.try_block_orders,
    },
    indexes=(WHEELING, BOOKS, POSITIONS_BY_INTERVAL, DUES_BY_INTERVAL, GATES, DUTIES_BY_INTERVAL, presence.QUOTES),
    waits=frozenset({LINK_REOPENED, END_HALT, TRY_BLOCK_ORDERS}),
    urgent=frozenset({SetTerms, SetHoliday, SetMakerProgramme, Halt, Resume}),
    while_frozen=frozenset({Halt, Resume}),
    cancels=frozenset({CancelOrder}),
    void=void.note_stale_trades,
    invariants=all_invariants,
)
