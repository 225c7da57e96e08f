"""What fills do to holds, positions and dues. No balance moves here: until settlement a trade is a hold of the
buyer's WATT and of the seller's collateral."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gridtokenx.ledger import schedule
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.topology import DISTRIBUTORS, TOPOLOGY
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import holder_of
from gridtokenx.modules.market import presence
from gridtokenx.modules.market.book import book_of, remove
from gridtokenx.modules.market.checks import terms_of
from gridtokenx.modules.market.holds import TradeCost, order_hold_micro, seller_hold_micro, trade_cost
from gridtokenx.modules.market.matching import Fill
from gridtokenx.modules.market.messages import BUY, SELL, Terms
from gridtokenx.modules.market.prices import note_trades, touch
from gridtokenx.modules.market.state import (
    DUES,
    DUES_BY_INTERVAL,
    EMPTY_POSITION,
    EXPIRE_ORDER,
    INTERVALS,
    MAKER_DUTIES,
    POSITIONS,
    POSITIONS_BY_INTERVAL,
    Due,
    Interval,
    Order,
    Position,
    Trade,
    account_of_order,
    client_id_of_order,
    position_key,
)
from gridtokenx.modules.tokens.state import hold, release

# The member of an enum costs several times a global name to look up, and this is asked for each fill.
_FEE_POOL, _TRANSMISSION = RoleName.FEE_POOL, RoleName.TRANSMISSION
_replace = msgspec.structs.replace
_DUES, _MAKER_DUTIES, _POSITIONS = DUES.prefix, MAKER_DUTIES.prefix, POSITIONS.prefix


def take_order(
    state: State,
    context: Context,
    interval: Interval,
    terms: Terms,
    key: bytes,
    order: Order,
    own: bytes,
    filled: Sequence[Fill],
    resting_wh: int,
) -> None:
    """Book the fills of an incoming order on both sides, and hold what its rest needs. `own`: key of its position.

    Assumes that the account's free balance covers the hold of the whole order: parts never need more.
    """
    held_micro = order_hold_micro(terms, interval, order, resting_wh)
    position = state.rows[_POSITIONS].get(own, EMPTY_POSITION)
    left_wh = order.remaining_wh
    dues: dict[bytes, int] = {}
    for fill in filled:
        quantity_wh = fill.quantity_wh
        cost = trade_cost(terms, fill.price_micro, quantity_wh, fill.wheeling_micro)
        freed = 0
        if order.side == SELL:
            freed = order_hold_micro(terms, interval, order, left_wh)
            freed -= order_hold_micro(terms, interval, order, left_wh - quantity_wh)
        kept = _kept_micro(terms, interval, order.side, freed, fill, cost)
        position = after_trade(position, order.side, quantity_wh, cost, kept, 0)
        held_micro += kept
        left_wh -= quantity_wh
        kept_resting = _book_resting_side(state, context, interval, terms, fill, cost, 2 * cost.trading_fee)
        if order.side == SELL:
            add_dues(state, fill.maker.feeder, order.feeder, cost, dues)
            _record_trade(state, context, key, order, fill, cost, kept)
        else:
            add_dues(state, order.feeder, fill.maker.feeder, cost, dues)
            _record_trade(state, context, key, order, fill, cost, kept_resting)
    hold(state, context.sender, held_micro)
    if resting_wh:
        position = with_open(position, order.side, resting_wh)
    if resting_wh or filled:
        state.index(POSITIONS_BY_INTERVAL).put(state, own, position)
    if filled:
        note_trades(state, interval, terms, order, filled)
    owe(state, order.interval, dues)


def trade_resting(
    state: State,
    context: Context,
    interval: Interval,
    terms: Terms,
    key: bytes,
    order: Order,
    filled: Sequence[Fill],
    *,
    comes_in: bool = False,
) -> None:
    """Book the fills of a resting purchase that met resting sales: both sides' holds become holds of the trades. Of the
    two the later one is as one that comes in; the parts of an iceberg are as old as the first that was met. With
    `comes_in` the order, of either side, is the later one whatever its place: a leg of a block order. The caller knows
    the price."""
    left_wh = order.remaining_wh
    dues: dict[bytes, int] = {}
    since: dict[bytes, int] = {}
    for fill in filled:
        is_later = comes_in or since.setdefault(fill.key, fill.maker.place) < order.place
        cost = trade_cost(terms, fill.price_micro, fill.quantity_wh, fill.wheeling_micro)
        own = _replace(fill, key=key, maker=_replace(order, remaining_wh=left_wh))
        left_wh -= fill.quantity_wh
        fees_micro = 2 * cost.trading_fee
        kept_own = _book_resting_side(state, context, interval, terms, own, cost, 0 if is_later else fees_micro)
        kept = _book_resting_side(state, context, interval, terms, fill, cost, fees_micro if is_later else 0)
        if order.side == SELL:
            add_dues(state, fill.maker.feeder, order.feeder, cost, dues)
            kept = kept_own
        else:
            add_dues(state, order.feeder, fill.maker.feeder, cost, dues)
        if is_later:
            _record_trade(state, context, key, order, fill, cost, kept)
        else:
            _record_trade(state, context, fill.key, fill.maker, own, cost, kept)
    note_trades(state, interval, terms, order, filled)
    owe(state, order.interval, dues)


def hold_order(state: State, context: Context, order: Order, own: bytes, hold_micro: int) -> None:
    """An incoming order met nothing and rests whole: hold its escrow, raise the open quantity of its position, whose
    key is `own`."""
    hold(state, context.sender, hold_micro)
    position = state.rows[_POSITIONS].get(own, EMPTY_POSITION)
    changed = with_open(position, order.side, order.remaining_wh)
    state.index(POSITIONS_BY_INTERVAL).put(state, own, changed)


def take_out(state: State, key: bytes, order: Order) -> None:
    """Cancel an open order: out of the book, hold released, position's open quantity lowered."""
    remove(state, book_of(state, order.interval), key, order)
    let_go(state, key, order)
    schedule.remove(state, order.expires_ms, EXPIRE_ORDER, key)


def withdraw(state: State, context: Context, key: bytes, order: Order) -> None:
    """Cancel an open order before its gate: a maker's presence may end with it."""
    take_out(state, key, order)
    _note_withdrawn(state, context, key, order)


def let_go_expired(state: State, context: Context, expired: Iterable[tuple[bytes, Order]]) -> None:
    """Orders left the book because matching found that they had expired."""
    for key, order in expired:
        let_go(state, key, order)
        _note_withdrawn(state, context, key, order)


def _note_withdrawn(state: State, context: Context, key: bytes, order: Order) -> None:
    touch(state, order.interval, state.index(TOPOLOGY).zone_of[order.feeder])
    own = position_key(order.interval, order.portfolio)
    if own in state.rows[_MAKER_DUTIES]:
        presence.changed(state, context, own, key, withdrawn=True)


def let_go(state: State, key: bytes, order: Order) -> None:
    """An order left the book unfilled: release its hold, lower the position's open quantity."""
    interval = state.rows[INTERVALS.prefix][interval_key(order.interval)]
    shrink(state, interval, terms_of(state, interval), key, order, 0)


def shrink(state: State, interval: Interval, terms: Terms, key: bytes, order: Order, remaining_wh: int) -> None:
    """An order's open quantity fell to `remaining_wh` without a trade."""
    before = order_hold_micro(terms, interval, order, order.remaining_wh)
    after = order_hold_micro(terms, interval, order, remaining_wh)
    release(state, account_of_order(key), before - after)
    own = position_key(order.interval, order.portfolio)
    position = with_open(state.rows[_POSITIONS][own], order.side, remaining_wh - order.remaining_wh)
    put_position(state, own, position)


def put_position(state: State, key: bytes, position: Position) -> None:
    """Write a position that is there already; forget it if nothing is left in it."""
    if position == EMPTY_POSITION:
        state.index(POSITIONS_BY_INTERVAL).delete(state, key)
    else:
        state.put(POSITIONS, key, position)


def _kept_micro(terms: Terms, interval: Interval, side: int, freed: int, fill: Fill, cost: TradeCost) -> int:
    """What stays held for the trade: all that the buyer pays; of a seller the collateral at the trade's price, at most
    what its order held for this quantity (`freed`)."""
    if side == BUY:
        return cost.buyer
    needed = seller_hold_micro(terms, interval.tariff_micro, fill.price_micro, fill.quantity_wh)
    return min(freed, needed)


def _book_resting_side(
    state: State, context: Context, interval: Interval, terms: Terms, fill: Fill, cost: TradeCost, fees_micro: int
) -> int:
    """The resting order's hold becomes the trade's hold, which is returned; the rest of it is released. `fees_micro`:
    of both sides, if it was this order that rested."""
    order, quantity_wh = fill.maker, fill.quantity_wh
    freed = order_hold_micro(terms, interval, order, order.remaining_wh)
    freed -= order_hold_micro(terms, interval, order, order.remaining_wh - quantity_wh)
    kept = _kept_micro(terms, interval, order.side, freed, fill, cost)
    if kept != freed:
        release(state, account_of_order(fill.key), freed - kept)
    own = position_key(order.interval, order.portfolio)
    position = state.rows[_POSITIONS][own]
    changed = after_trade(position, order.side, quantity_wh, cost, kept, -quantity_wh)
    state.put(POSITIONS, own, changed)
    if own in state.rows[_MAKER_DUTIES]:
        presence.earned(state, own, fees_micro)
        presence.changed(state, context, own, fill.key)
    return kept


def after_trade(
    position: Position, side: int, quantity_wh: int, cost: TradeCost, kept_micro: int, open_change_wh: int
) -> Position:
    """The position with one trade more; with quantity, cost and what is kept below zero, with one less."""
    if side == BUY:
        return Position(
            position.sold_wh,
            position.bought_wh + quantity_wh,
            position.open_sell_wh,
            position.open_buy_wh + open_change_wh,
            position.sale_value_micro,
            position.sale_fee_micro,
            position.purchase_value_micro + cost.value,
            position.purchase_cost_micro + kept_micro,
            position.collateral_micro,
        )
    return Position(
        position.sold_wh + quantity_wh,
        position.bought_wh,
        position.open_sell_wh + open_change_wh,
        position.open_buy_wh,
        position.sale_value_micro + cost.value,
        position.sale_fee_micro + cost.trading_fee,
        position.purchase_value_micro,
        position.purchase_cost_micro,
        position.collateral_micro + kept_micro,
    )


def with_open(position: Position, side: int, change_wh: int) -> Position:
    """The position with so much more on sale, or asked for."""
    selling = side == SELL
    return Position(
        position.sold_wh,
        position.bought_wh,
        position.open_sell_wh + change_wh if selling else position.open_sell_wh,
        position.open_buy_wh if selling else position.open_buy_wh + change_wh,
        position.sale_value_micro,
        position.sale_fee_micro,
        position.purchase_value_micro,
        position.purchase_cost_micro,
        position.collateral_micro,
    )


def add_dues(state: State, buyer_feeder: int, seller_feeder: int, cost: TradeCost, dues: dict[bytes, int]) -> None:
    """Who gets which part of a trade's money besides the seller."""
    distributors = state.index(DISTRIBUTORS)
    near = distributors[buyer_feeder]
    dues[near] = dues.get(near, 0) + cost.near
    pool = holder_of(state, _FEE_POOL)
    dues[pool] = dues.get(pool, 0) + 2 * cost.trading_fee
    if cost.far:
        far = distributors[seller_feeder]
        dues[far] = dues.get(far, 0) + cost.far
    if cost.border:
        transmission = holder_of(state, _TRANSMISSION)
        dues[transmission] = dues.get(transmission, 0) + cost.border


def owe(state: State, interval: int, dues: Mapping[bytes, int]) -> None:
    """Trades of the interval owe each payee so much more."""
    for payee, amount_micro in dues.items():
        key = interval_key(interval) + payee
        due = state.rows[_DUES].get(key)
        total = Due(amount_micro if due is None else due.amount_micro + amount_micro)
        state.index(DUES_BY_INTERVAL).put(state, key, total)


def change_due(state: State, key: bytes, change_micro: int) -> None:
    """So much more is owed to a payee (key: interval ‖ account), below zero less; nothing of zero stays. ValueError if
    the due does not hold it."""
    due = state.rows[_DUES].get(key)
    amount_micro = change_micro if due is None else due.amount_micro + change_micro
    if amount_micro < 0:
        raise ValueError("the due does not hold this")
    if amount_micro:
        state.index(DUES_BY_INTERVAL).put(state, key, Due(amount_micro))
    elif due is not None:
        state.index(DUES_BY_INTERVAL).delete(state, key)


def _record_trade(
    state: State, context: Context, key: bytes, taker: Order, fill: Fill, cost: TradeCost, collateral_micro: int
) -> None:
    """Add the trade to the block's list; a rollback takes it off again."""
    maker = fill.maker
    if taker.side == BUY:
        buyer, seller, bid, ask = key, fill.key, taker, maker
    else:
        buyer, seller, bid, ask = fill.key, key, maker, taker
    trade = Trade(
        taker.interval,
        account_of_order(buyer),
        client_id_of_order(buyer),
        account_of_order(seller),
        client_id_of_order(seller),
        fill.quantity_wh,
        fill.price_micro,
        cost.wheeling,
        taker.side,
        ask.source,
        bid.portfolio,
        ask.portfolio,
        collateral_micro,
        0,
        fill.zones,
    )
    add_trade(state, context, trade, fill.quantity_wh, cost.value)


def add_trade(state: State, context: Context, trade: Trade, traded_wh: int, traded_micro: int) -> None:
    """Add a trade to the block's list, and what it counts to the sums; a rollback takes both off again."""
    state.undo.append((_unrecord_trade, context, (traded_wh, traded_micro)))
    context.trades.append(encode(trade))
    context.traded_wh += traded_wh
    context.traded_micro += traded_micro


def _unrecord_trade(context: Context, amounts: tuple[int, int]) -> None:
    context.trades.pop()
    context.traded_wh -= amounts[0]
    context.traded_micro -= amounts[1]
