"""What is held, and what a trade costs: pure formulas.

Every hold is a function of the order (limit and open quantity) and of its interval's terms, so it needs no
record of its own. Fees round down for each trade, and a sum of rounded-down parts is at most the rounded-down
sum: so an order's hold always covers its fills and the hold of what is left.
"""

import msgspec

from gridtokenx.ledger.quantities import fee_micro, value_micro, value_micro_rounded_up
from gridtokenx.modules.market.messages import Side, Terms
from gridtokenx.modules.market.state import Interval, Order


def buyer_hold_micro(terms: Terms, price_micro: int, energy_wh: int) -> int:
    """Limit x quantity, and the fees at their worst: as if all of it were energy value."""
    value = value_micro(price_micro, energy_wh)
    return value + fee_micro(value, terms.grid_fee_ppm) + fee_micro(value, terms.trading_fee_ppm)


def seller_hold_micro(terms: Terms, tariff_micro: int, price_micro: int, energy_wh: int) -> int:
    """Collateral: what buying the energy back from the residual supplier could cost beyond the price, rounded
    up, and the trading fee."""
    risk_micro = max(tariff_micro - price_micro, 0) + terms.undelivered_spread_micro
    fee = fee_micro(value_micro(price_micro, energy_wh), terms.trading_fee_ppm)
    return value_micro_rounded_up(risk_micro, energy_wh) + fee


def order_hold_micro(terms: Terms, interval: Interval, order: Order, energy_wh: int) -> int:
    """What is held for `energy_wh` of the order."""
    if energy_wh == 0:
        return 0
    if order.side == Side.BUY:
        return buyer_hold_micro(terms, order.price_micro, energy_wh)
    return seller_hold_micro(terms, interval.tariff_micro, order.price_micro, energy_wh)


class TradeCost(msgspec.Struct, frozen=True, gc=False):
    """The money of one trade. The buyer pays value, grid fee, wheeling and its trading fee; the seller gets the
    value less its trading fee, which equals the buyer's."""

    value_micro: int
    grid_fee_micro: int
    trading_fee_micro: int
    wheeling_base_micro: int
    wheeling_feeder_micro: int
    wheeling_border_micro: int

    @property
    def buyer_micro(self) -> int:
        """All that the buyer pays."""
        return (
            self.value_micro
            + self.grid_fee_micro
            + self.trading_fee_micro
            + self.wheeling_base_micro
            + self.wheeling_feeder_micro
            + self.wheeling_border_micro
        )


def trade_cost(terms: Terms, price_micro: int, energy_wh: int, nearness: int) -> TradeCost:
    """`nearness`: 0 same feeder, 1 same zone, then 1 + borders. Fees round down; wheeling is exact."""
    value = value_micro(price_micro, energy_wh)
    return TradeCost(
        value,
        fee_micro(value, terms.grid_fee_ppm),
        fee_micro(value, terms.trading_fee_ppm),
        value_micro(terms.wheeling_base_micro, energy_wh),
        value_micro(terms.wheeling_feeder_micro, energy_wh) if nearness else 0,
        value_micro(terms.wheeling_border_micro * (nearness - 1), energy_wh) if nearness else 0,
    )
