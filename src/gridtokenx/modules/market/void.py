"""The stale clock: trades that the true time would not have allowed are taken back.

After a halt a block may carry the time before the halt, and trade intervals whose gate has passed. Its successor shows
it (`ledger/consensus.py`). Then the trades of that block are noted, some hundred to a record, and looked at before any
other work that is due, as far as the steps of a block go: no gate closes and nothing settles before all is done.

Voided, a trade leaves positions, dues and holds as if it had not been; the orders it came from do not get their energy
back, for their gate has passed. It is listed once more among the trades of the block that voids it.
"""

from collections.abc import Sequence

import msgspec

from gridtokenx.ledger import schedule
from gridtokenx.ledger.codec import Decoder, encode
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.header import LastBlock
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.network import network_of
from gridtokenx.modules.grid.topology import steps_of
from gridtokenx.modules.identity.state import PORTFOLIOS
from gridtokenx.modules.market.checks import terms_of
from gridtokenx.modules.market.fills import add_dues, after_trade, change_due, put_position
from gridtokenx.modules.market.holds import TradeCost, cost_of, negative
from gridtokenx.modules.market.makers import note_standstill
from gridtokenx.modules.market.messages import BUY, SELL
from gridtokenx.modules.market.presence import earned
from gridtokenx.modules.market.state import (
    AUCTIONS,
    INTERVALS,
    MAKER_DUTIES,
    POSITIONS,
    STALE_TRADES,
    VOID_TRADES,
    Auction,
    GateStage,
    StaleTrades,
    Trade,
    is_of_auction,
    position_key,
    trade_key,
    trade_number,
)
from gridtokenx.modules.tokens.state import release

TRADES_PER_STEP = 500
"""Trades that one scheduled step looks at."""

_decode_trade: Decoder[Trade] = Decoder(Trade)


def note_stale_trades(state: State, context: Context, before: LastBlock, trades: Sequence[bytes]) -> None:
    """`before` traded on a stale clock: have all its trades looked at, before all else; its orders take no part in
    auctions whose gate passed meanwhile, and nobody was present for makers."""
    note_standstill(state, before.time_ms, context.time_ms)
    for key, interval in state.items(INTERVALS):
        if before.time_ms < interval.gate_ms <= context.time_ms and terms_of(state, interval).call_phase_ms:
            state.put(AUCTIONS, key, Auction(GateStage.SORTING, before.height, b"", 0, (), 0))
    for first in range(0, len(trades), TRADES_PER_STEP):
        key = trade_key(trade_number(before.height, first))
        part = tuple(trades[first : first + TRADES_PER_STEP])
        state.put(STALE_TRADES, key, StaleTrades(context.time_ms, part))
        schedule.add(state, schedule.AT_ONCE_MS, VOID_TRADES, key)


def void_trades(state: State, context: Context, key: bytes) -> int:
    """Scheduled at once: void those of some trades whose gate passed unseen. One that cannot be voided is set aside
    under its number, and stands."""
    stale = state.rows[STALE_TRADES.prefix][key]
    state.delete(STALE_TRADES, key)
    first = int.from_bytes(key, "big")

    def look_at(state: State, context: Context, item: bytes) -> None:
        number = int.from_bytes(item, "big")
        trade = _decode_trade.trusted(stale.trades[number - first])
        gate_ms = state.rows[INTERVALS.prefix][interval_key(trade.interval)].gate_ms
        # The gate of a trade lies after its block: orders are refused by time. An auction's comes before it.
        if not trade.voids and not is_of_auction(trade) and gate_ms <= stale.until_ms:
            _void(state, context, number, trade)

    for number in range(first, first + len(stale.trades)):
        schedule.guard(state, context, VOID_TRADES, trade_key(number), look_at)
    return len(stale.trades)


def _void(state: State, context: Context, number: int, trade: Trade) -> None:
    """Take a trade back: its energy and money out of both positions and the dues, its holds to their owners."""
    terms = terms_of(state, state.rows[INTERVALS.prefix][interval_key(trade.interval)])
    cost = cost_of(terms, trade)
    taken = negative(cost)
    _take_from_position(state, trade, trade.buyer_portfolio, BUY, taken, taken.buyer)
    _take_from_position(state, trade, trade.seller_portfolio, SELL, taken, -trade.collateral_micro)
    portfolios = state.rows[PORTFOLIOS.prefix]
    buyer_feeder, seller_feeder = portfolios[trade.buyer_portfolio].feeder, portfolios[trade.seller_portfolio].feeder
    _take_from_dues(state, trade.interval, buyer_feeder, seller_feeder, taken)
    rested = trade.seller_portfolio if trade.taker_side == BUY else trade.buyer_portfolio
    duty = position_key(trade.interval, rested)
    if duty in state.rows[MAKER_DUTIES.prefix]:
        earned(state, duty, 2 * taken.trading_fee)
    if buyer_feeder != seller_feeder:
        steps = steps_of(seller_feeder, trade.zones, buyer_feeder)
        network_of(state, trade.interval).use(state, steps, -trade.quantity_wh)
    release(state, trade.buyer, cost.buyer)
    release(state, trade.seller, trade.collateral_micro)
    # Nothing below may fail: the journal does not know it.
    context.trades.append(encode(msgspec.structs.replace(trade, voids=number)))
    context.voided_wh += trade.quantity_wh
    context.voided_micro += cost.value


def _take_from_position(
    state: State, trade: Trade, portfolio: bytes, side: int, taken: TradeCost, kept_micro: int
) -> None:
    key = position_key(trade.interval, portfolio)
    before = state.rows[POSITIONS.prefix][key]
    position = after_trade(before, side, -trade.quantity_wh, taken, kept_micro, 0)
    if min(msgspec.structs.astuple(position)) < 0:
        raise ValueError("the position does not hold this trade")
    put_position(state, key, position)


def _take_from_dues(state: State, interval: int, buyer_feeder: int, seller_feeder: int, taken: TradeCost) -> None:
    dues: dict[bytes, int] = {}
    add_dues(state, buyer_feeder, seller_feeder, taken, dues)
    for payee, change_micro in dues.items():
        change_due(state, interval_key(interval) + payee, change_micro)
