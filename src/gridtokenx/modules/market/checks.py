"""What an order must satisfy before it meets the book. Reads state, writes nothing."""

from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import ENERGY_WH_MAX, ICEBERG_PARTS_MAX, PRICE_MICRO_MAX
from gridtokenx.ledger.quantities import energy_wh_of, interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.topology import TOPOLOGY
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, SOURCES, Licence, Source
from gridtokenx.modules.identity.state import PARTICIPANTS, PORTFOLIOS, Participant, Portfolio
from gridtokenx.modules.market import calendar
from gridtokenx.modules.market.messages import BUY, SELL, MarketCode, PlaceOrder, Scope, Terms, TimeInForce
from gridtokenx.modules.market.state import (
    BLOCK_ORDERS,
    INTERVALS,
    ORDERS,
    SKY,
    TERMS,
    Interval,
    Order,
    Position,
    sky_key,
    terms_key,
)

PER_MILLE = 1_000

# The member of an enum costs several times a global name to look up, and these are asked for each order.
_INTERVALS, _PARTICIPANTS, _PORTFOLIOS = INTERVALS.prefix, PARTICIPANTS.prefix, PORTFOLIOS.prefix
_ORDERS, _BLOCK_ORDERS = ORDERS.prefix, BLOCK_ORDERS.prefix
_GOOD_TILL_TIME = int(TimeInForce.GOOD_TILL_TIME)
_IMMEDIATE_OR_CANCEL = int(TimeInForce.IMMEDIATE_OR_CANCEL)
_FILL_OR_KILL = int(TimeInForce.FILL_OR_KILL)
_SCOPE_FEEDER = int(Scope.FEEDER)
_SOLAR = int(Source.SOLAR)
_DEALER = int(Licence.DEALER)


def open_interval(state: State, context: Context, number: int) -> tuple[Interval, Terms]:
    """The interval and its terms, if it may be traded now: `INTERVAL_NOT_OPEN`, `GATE_CLOSED`."""
    interval: Interval | None = state.rows[_INTERVALS].get(interval_key(number))
    if interval is None:
        raise Rejected(MarketCode.INTERVAL_NOT_OPEN, "interval")
    if context.time_ms >= interval.gate_ms:
        raise Rejected(MarketCode.GATE_CLOSED, "interval")
    return interval, terms_of(state, interval)


def terms_of(state: State, interval: Interval) -> Terms:
    """The terms that the interval opened with; they are never deleted while it lives."""
    return state.rows[TERMS.prefix][terms_key(interval.terms)]  # type: ignore[no-any-return]


def in_call(context: Context, interval: Interval, terms: Terms) -> bool:
    """Whether the call phase of an interval has begun: orders collect, and nothing trades before the gate."""
    return context.time_ms >= interval.gate_ms - terms.call_phase_ms


def trades_at_once(state: State, context: Context, interval: Interval) -> bool:
    """Whether orders of the interval meet as they come: before its call phase, or its gate if it has none."""
    return not in_call(context, interval, terms_of(state, interval))


def is_decided(state: State, context: Context, order: Order) -> bool:
    """Whether the order stands in an auction whose gate has passed: it cannot be changed any more."""
    interval: Interval = state.rows[_INTERVALS][interval_key(order.interval)]
    return context.time_ms >= interval.gate_ms and terms_of(state, interval).call_phase_ms > 0


def check_call(message: PlaceOrder, gate_ms: int) -> None:
    """In the call phase only plain orders come in, which anybody may meet and which the auction may divide:
    `CALL_TAKES_PLAIN` names what is not plain."""
    force = message.time_in_force
    not_plain = {
        "market": message.market,
        "time_in_force": force >= _IMMEDIATE_OR_CANCEL,
        "good_till_ms": force == _GOOD_TILL_TIME and message.good_till_ms < gate_ms,
        "minimum_wh": message.minimum_wh,
        "post_only": message.post_only,
        "display_wh": message.display_wh,
        "scope": message.scope,
        "source": message.side != SELL and message.source != ANY_SOURCE_MASK,
    }
    for name, found in not_plain.items():
        if found:
            raise Rejected(MarketCode.CALL_TAKES_PLAIN, name)


def is_plain(order: Order) -> bool:
    """Whether an auction can take an order: any source will do, anywhere, and it shows all of itself."""
    return not order.display_wh and not order.scope and (order.side == SELL or order.source == ANY_SOURCE_MASK)


def check_name(state: State, context: Context, key: bytes) -> None:
    """Whether a new order may have this key: `ORDER_EXISTS`, `CANCELLED_IN_THIS_BLOCK`."""
    if key in state.rows[_ORDERS] or key in state.rows[_BLOCK_ORDERS]:
        raise Rejected(MarketCode.ORDER_EXISTS, "client_id")
    if key in context.cancelled:
        raise Rejected(MarketCode.CANCELLED_IN_THIS_BLOCK, "client_id")


def own_portfolio(state: State, context: Context, portfolio_id: bytes) -> Portfolio:
    """`NOT_YOURS` unless the sender's account trades the portfolio."""
    portfolio: Portfolio | None = state.rows[_PORTFOLIOS].get(portfolio_id)
    if portfolio is None or portfolio.account != context.sender:
        raise Rejected(MarketCode.NOT_YOUR_PORTFOLIO, "portfolio")
    return portfolio


def check_options(message: PlaceOrder, terms: Terms) -> None:
    """Side, quantity, price, source and the combination of options, without state."""
    side, force = message.side, message.time_in_force
    if side > SELL:
        raise Rejected(MarketCode.SIDE_UNKNOWN, "side")
    check_quantity(terms, message.quantity_wh)
    if force > _FILL_OR_KILL:
        raise Rejected(MarketCode.TIME_IN_FORCE_UNKNOWN, "time_in_force")
    if (force == _GOOD_TILL_TIME) != (message.good_till_ms != 0):
        raise Rejected(MarketCode.OPTIONS_CONFLICT, "good_till_ms")
    immediate = force >= _IMMEDIATE_OR_CANCEL
    if message.post_only and (immediate or message.market or message.minimum_wh):
        raise Rejected(MarketCode.OPTIONS_CONFLICT, "post_only")
    if message.market:
        if message.price_micro or not immediate:
            raise Rejected(MarketCode.OPTIONS_CONFLICT, "market")
    else:
        check_price(terms, message.price_micro)
    if message.scope > _SCOPE_FEEDER:
        raise Rejected(MarketCode.SCOPE_UNKNOWN, "scope")
    if message.display_wh:
        check_display(message, terms)
    if message.minimum_wh > message.quantity_wh or (message.minimum_wh and force == _FILL_OR_KILL):
        raise Rejected(MarketCode.OPTIONS_CONFLICT, "minimum_wh")
    if side == SELL:
        if message.source >= SOURCES:
            raise Rejected(MarketCode.SOURCE_INVALID, "source")
    elif not 0 < message.source <= ANY_SOURCE_MASK:
        raise Rejected(MarketCode.SOURCE_INVALID, "source")


def check_display(message: PlaceOrder, terms: Terms) -> None:
    """An iceberg rests, and shows at least the smallest order and a twentieth of itself: `OPTIONS_CONFLICT`,
    `DISPLAY_TOO_SMALL`."""
    if message.time_in_force >= _IMMEDIATE_OR_CANCEL or message.display_wh >= message.quantity_wh:
        raise Rejected(MarketCode.OPTIONS_CONFLICT, "display_wh")
    if message.display_wh < max(terms.order_wh_min, -(-message.quantity_wh // ICEBERG_PARTS_MAX)):
        raise Rejected(MarketCode.DISPLAY_TOO_SMALL, "display_wh")


def check_price(terms: Terms, price_micro: int) -> None:
    """`PRICE_OUT_OF_RANGE`, `PRICE_OFF_TICK`."""
    if not 0 < price_micro <= PRICE_MICRO_MAX:
        raise Rejected(MarketCode.PRICE_OUT_OF_RANGE, "price_micro")
    if price_micro % terms.tick_micro:
        raise Rejected(MarketCode.PRICE_OFF_TICK, "price_micro")


def check_quantity(terms: Terms, quantity_wh: int) -> None:
    """`QUANTITY_TOO_SMALL`, `QUANTITY_TOO_LARGE`."""
    if quantity_wh < terms.order_wh_min:
        raise Rejected(MarketCode.QUANTITY_TOO_SMALL, "quantity_wh")
    if quantity_wh > ENERGY_WH_MAX:
        raise Rejected(MarketCode.QUANTITY_TOO_LARGE, "quantity_wh")


def market_limit_micro(terms: Terms, interval: Interval, side: int) -> int:
    """The limit of a market order: the tariff rounded down to the tick, or the buy-back rounded up to it."""
    tick = terms.tick_micro
    if side == BUY:
        return interval.tariff_micro // tick * tick
    return -(-terms.buy_back_micro // tick) * tick


def trader(state: State, context: Context, participant_id: bytes) -> tuple[Participant, int]:
    """The participant, if licence and KYC allow it to trade now, and until when they do; else
    `NOT_ALLOWED_TO_TRADE`."""
    participant: Participant | None = state.rows[_PARTICIPANTS].get(participant_id)
    until_ms = 0 if participant is None else participant.trades_until_ms()
    if participant is None or until_ms <= context.time_ms:
        raise Rejected(MarketCode.NOT_ALLOWED_TO_TRADE, "participant")
    return participant, until_ms


def check_sale(state: State, order: Order, portfolio: Portfolio, participant: Participant, position: Position) -> None:
    """Position limit of a seller: sold + open sells - bought may not exceed what the portfolio's sources can
    export in the interval (PV by the sky table) plus a dealer's licensed short, and one order not what its own
    source can. `SOURCE_INVALID`, `POSITION_LIMIT`."""
    short_wh = participant.short_wh if participant.licence == _DEALER else 0
    total_wh, quantity_wh, source = short_wh, order.remaining_wh, order.source
    for kind, power_w in enumerate(portfolio.export_w):
        if power_w:
            able_wh = source_wh(state, order.interval, portfolio.feeder, kind, power_w)
            total_wh += able_wh
            if kind == source and quantity_wh > able_wh + short_wh:
                raise Rejected(MarketCode.POSITION_LIMIT, "quantity_wh")
    if not portfolio.export_w[source] and not (source == Source.CONVENTIONAL and short_wh):
        raise Rejected(MarketCode.SOURCE_INVALID, "source")
    if position.sold_wh + position.open_sell_wh + quantity_wh - position.bought_wh > total_wh:
        raise Rejected(MarketCode.POSITION_LIMIT, "quantity_wh")


def check_purchase(order: Order, portfolio: Portfolio, participant: Participant, position: Position) -> None:
    """Position limit of a buyer: bought + open buys - sold may not exceed the connection's import plus a
    dealer's licensed long. `POSITION_LIMIT`."""
    limit_wh = energy_wh_of(portfolio.import_w) + (participant.long_wh if participant.licence == _DEALER else 0)
    if position.bought_wh + position.open_buy_wh + order.remaining_wh - position.sold_wh > limit_wh:
        raise Rejected(MarketCode.POSITION_LIMIT, "quantity_wh")


def source_wh(state: State, number: int, feeder: int, source: int, power_w: int) -> int:
    """What a source can export in the interval; PV never more than the sky allows."""
    energy_wh = energy_wh_of(power_w)
    if source != _SOLAR:
        return energy_wh
    month, quarter = calendar.month_and_quarter_of(number)
    zone = state.index(TOPOLOGY).zone_of[feeder]
    sky = state.get(SKY, sky_key(zone, month))
    return energy_wh if sky is None else energy_wh * sky.per_mille[quarter] // PER_MILLE
