"""A bill taken apart: what a site paid for what, from its trades and its statements, exact to the millionth.

Trades say what energy, wheeling and fees cost; statements say what the meter differed from the contract. Fees are
computed again from each trade with the ledger's formulas, and where the parts do not come to what the statement says,
that is a finding.
"""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from gridtokenx.gateway.bills import vat_micro
from gridtokenx.ledger.quantities import value_micro
from gridtokenx.modules.market.holds import cost_of
from gridtokenx.modules.market.messages import Terms
from gridtokenx.modules.market.state import Trade
from gridtokenx.modules.settlement.state import Statement


class BillParts(msgspec.Struct):
    """Amounts in millionths of a WATT, each at least 0. Paid: purchases (energy value), wheeling, grid fee, trading
    fee of both sides, supplied (import beyond the contract, at the tariff), undelivered sales. Earned: sales (energy
    value), returned (export beyond the contract, at the buy-back), unused purchases."""

    purchases_micro: int = 0
    wheeling_micro: int = 0
    grid_fee_micro: int = 0
    trading_fee_micro: int = 0
    supplied_micro: int = 0
    undelivered_micro: int = 0
    sales_micro: int = 0
    returned_micro: int = 0
    unused_micro: int = 0
    sale_fee_micro: int = 0
    """The part of the trading fee that is taken from proceeds; VAT is on the rest."""

    @property
    def bill_micro(self) -> int:
        return self.paid_micro + self.sale_fee_micro - self.sales_micro - self.returned_micro - self.unused_micro

    @property
    def paid_micro(self) -> int:
        """What VAT is on: all that is paid, except the fee on the site's own sales."""
        return (
            self.purchases_micro
            + self.wheeling_micro
            + self.grid_fee_micro
            + self.trading_fee_micro
            - self.sale_fee_micro
            + self.supplied_micro
            + self.undelivered_micro
        )

    def add(self, other: "BillParts") -> None:
        """Add each part of the other."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class TradeParts(msgspec.Struct):
    """What a site's trades of one interval cost and brought."""

    parts: BillParts
    bought_wh: int = 0
    sold_wh: int = 0


def parts_of_trades(terms: Terms, trades: Iterable[Trade]) -> dict[tuple[int, bytes], TradeParts]:
    """By interval and account; under `NOBODY` the other sides of an auction's trades."""
    found: defaultdict[tuple[int, bytes], TradeParts] = defaultdict(lambda: TradeParts(BillParts()))
    for trade in trades:
        cost = cost_of(terms, trade)
        buyer, seller = found[trade.interval, trade.buyer], found[trade.interval, trade.seller]
        buyer.bought_wh += trade.quantity_wh
        buyer.parts.purchases_micro += cost.value
        buyer.parts.wheeling_micro += cost.wheeling
        buyer.parts.grid_fee_micro += cost.buyer - cost.value - cost.wheeling - cost.trading_fee
        buyer.parts.trading_fee_micro += cost.trading_fee
        seller.sold_wh += trade.quantity_wh
        seller.parts.sales_micro += cost.value
        seller.parts.trading_fee_micro += cost.trading_fee
        seller.parts.sale_fee_micro += cost.trading_fee
    return dict(found)


def parts_of_interval(tariff_micro: int, terms: Terms, statement: Statement, traded: TradeParts | None) -> BillParts:
    """All parts of one site's bill for one interval."""
    supplied = value_micro(tariff_micro, statement.other_import_wh)
    returned = value_micro(terms.buy_back_micro, statement.other_export_wh)
    parts = BillParts(
        supplied_micro=supplied,
        undelivered_micro=statement.charge_micro - supplied,
        returned_micro=returned,
        unused_micro=statement.credit_micro - returned,
    )
    if traded is not None:
        parts.add(traded.parts)
    return parts


def disagreement(name: str, interval: int, statement: Statement, traded: TradeParts | None) -> str:
    """A sentence where the trades do not come to what the statement says; nothing when they do."""
    own = traded or TradeParts(BillParts())
    bought = own.parts.paid_micro
    sold = own.parts.sales_micro - own.parts.sale_fee_micro
    told = (statement.bought_wh, statement.sold_wh, statement.purchase_cost_micro, statement.sale_proceeds_micro)
    if told == (own.bought_wh, own.sold_wh, bought, sold):
        return ""
    return f"{name}, interval {interval}: trades say {own.bought_wh, own.sold_wh, bought, sold}, the statement {told}"


def vat_of_days(paid_micro: Iterable[int]) -> int:
    """VAT of a period: of each day's payments, rounded down, as a household's statements show it."""
    return sum(map(vat_micro, paid_micro))
