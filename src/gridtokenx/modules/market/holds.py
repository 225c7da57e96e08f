"""What is held, and what a trade costs: pure formulas.

Every hold is a function of the order (limit and open quantity) and of its interval's terms, so it needs no
record of its own. Fees round down for each trade, and a sum of rounded-down parts is at most the rounded-down
sum: so an order's hold always covers its fills and the hold of what is left.
"""

import msgspec

from gridtokenx.ledger.quantities import PARTS_PER_MILLION, WH_PER_KWH
from gridtokenx.modules.market.messages import BUY, Terms
from gridtokenx.modules.market.state import Interval, Order, Trade


def buyer_hold_micro(terms: Terms, price_micro: int, energy_wh: int) -> int:
    """Limit x quantity, and the fees at their worst: as if all of it were energy value."""
    value = price_micro * energy_wh // WH_PER_KWH
    fees = value * terms.grid_fee_ppm // PARTS_PER_MILLION + value * terms.trading_fee_ppm // PARTS_PER_MILLION
    return value + fees


def seller_hold_micro(terms: Terms, tariff_micro: int, price_micro: int, energy_wh: int) -> int:
    """Collateral: what buying the energy back from the residual supplier could cost beyond the price, rounded
    up, and the trading fee."""
    risk_micro = terms.undelivered_spread_micro
    if tariff_micro > price_micro:
        risk_micro += tariff_micro - price_micro
    value = price_micro * energy_wh // WH_PER_KWH
    return -(-risk_micro * energy_wh // WH_PER_KWH) + value * terms.trading_fee_ppm // PARTS_PER_MILLION


def order_hold_micro(terms: Terms, interval: Interval, order: Order, energy_wh: int) -> int:
    """What is held for `energy_wh` of the order."""
    if energy_wh == 0:
        return 0
    if order.side == BUY:
        return buyer_hold_micro(terms, order.price_micro, energy_wh)
    return seller_hold_micro(terms, interval.tariff_micro, order.price_micro, energy_wh)


class TradeCost(msgspec.Struct, frozen=True, gc=False):
    """The money of one trade, in millionths. The buyer pays all parts; the seller gets the value less its trading fee,
    which equals the buyer's. `near` goes to the distributor of the buyer's zone (grid fee, base of wheeling, half of
    the feeder part and its odd millionth), `far` to that of the seller's, `border` to the transmission operator."""

    value: int
    trading_fee: int
    near: int
    far: int
    border: int
    buyer: int
    wheeling: int


def trade_cost(terms: Terms, price_micro: int, energy_wh: int, wheeling_micro: int) -> TradeCost:
    """`wheeling_micro` is what matching charged per kWh: the base, and beyond the feeder the feeder part, and the
    borders. Fees round down; wheeling is exact (prices stand on the tick, wheeling on thousands)."""
    value = price_micro * energy_wh // WH_PER_KWH
    trading_fee = value * terms.trading_fee_ppm // PARTS_PER_MILLION
    near = value * terms.grid_fee_ppm // PARTS_PER_MILLION
    wheeling = wheeling_micro * energy_wh // WH_PER_KWH
    far = border = 0
    if wheeling_micro == terms.wheeling_base_micro:
        near += wheeling
    else:
        feeder = terms.wheeling_feeder_micro * energy_wh // WH_PER_KWH
        base = terms.wheeling_base_micro * energy_wh // WH_PER_KWH
        far, border = feeder // 2, wheeling - base - feeder
        near += base + feeder - far
    buyer = value + trading_fee + near + far + border
    return TradeCost(value, trading_fee, near, far, border, buyer, wheeling)


def cost_of(terms: Terms, trade: Trade) -> TradeCost:
    """What a trade cost, to the last unit: wheeling is exact, so what it is per kWh follows from what it came to."""
    wheeling_micro = trade.wheeling_micro * WH_PER_KWH // trade.quantity_wh
    return trade_cost(terms, trade.price_micro, trade.quantity_wh, wheeling_micro)


def negative(cost: TradeCost) -> TradeCost:
    """All of it taken back."""
    return TradeCost(*[-part for part in msgspec.structs.astuple(cost)])
