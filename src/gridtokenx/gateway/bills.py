"""What a statement costs: with the market, and as if there were none. Pure integer arithmetic, nothing is kept.

A bill is what the ledger moved for a portfolio: purchases less proceeds, the difference to the meter with the residual
supplier, and what a split gave or took. The old bill is what settlement charges somebody with the same readings who
never trades (`settlement.netting`): import at the tariff less export at the buy-back, each rounded down.
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from gridtokenx.gateway.page_documents import BillLines, PurchaseSplit, SaleSplit
from gridtokenx.ledger.quantities import PARTS_PER_MILLION, value_micro
from gridtokenx.modules.market.messages import Terms
from gridtokenx.modules.settlement.state import Quality, Statement

VAT_PERMILLE = 70
"""7 %, on statements only: no WATT moves for it."""


S = TypeVar("S", PurchaseSplit, SaleSplit)

_AMOUNTS = tuple(name for name in BillLines.__struct_fields__ if name not in {"purchases", "sales"})


class Prices(NamedTuple):
    """What one interval costs: its tariff, and the terms that it opened with."""

    tariff_micro: int
    terms: Terms


class TradeSum(NamedTuple):
    """Trades of one account in one interval, part by part; `cost` and `proceeds` as settlement has them."""

    bought_wh: int = 0
    purchase_value_micro: int = 0
    grid_fee_micro: int = 0
    wheeling_micro: int = 0
    purchase_fee_micro: int = 0
    sold_wh: int = 0
    sale_value_micro: int = 0
    sale_fee_micro: int = 0

    @property
    def cost_micro(self) -> int:
        """What the purchases cost in all."""
        return self.purchase_value_micro + self.grid_fee_micro + self.wheeling_micro + self.purchase_fee_micro

    @property
    def proceeds_micro(self) -> int:
        """What the sales brought."""
        return self.sale_value_micro - self.sale_fee_micro


def without_meters(statement: Statement) -> Statement:
    """The statement of a portfolio with members without what its members' own statements count already."""
    return replace(statement, import_wh=0, export_wh=0)


def old_bill_micro(statement: Statement, prices: Prices) -> int:
    """What the same readings cost somebody who never trades; negative when they earn."""
    charge = value_micro(prices.tariff_micro, statement.import_wh)
    return charge - value_micro(prices.terms.buy_back_micro, statement.export_wh)


def vat_micro(paid_micro: int) -> int:
    """VAT on what is paid, rounded down."""
    return paid_micro * VAT_PERMILLE // 1_000


def add_purchase(total: TradeSum, terms: Terms, value: int, energy_wh: int, wheeling: int) -> TradeSum:
    """One more trade of a buyer: its energy value and wheeling, and fees on the value as the ledger rounds them."""
    return total._replace(
        bought_wh=total.bought_wh + energy_wh,
        purchase_value_micro=total.purchase_value_micro + value,
        grid_fee_micro=total.grid_fee_micro + value * terms.grid_fee_ppm // PARTS_PER_MILLION,
        wheeling_micro=total.wheeling_micro + wheeling,
        purchase_fee_micro=total.purchase_fee_micro + value * terms.trading_fee_ppm // PARTS_PER_MILLION,
    )


def add_sale(total: TradeSum, terms: Terms, value: int, energy_wh: int) -> TradeSum:
    """One more trade of a seller."""
    return total._replace(
        sold_wh=total.sold_wh + energy_wh,
        sale_value_micro=total.sale_value_micro + value,
        sale_fee_micro=total.sale_fee_micro + value * terms.trading_fee_ppm // PARTS_PER_MILLION,
    )


def interval_lines(
    statements: Iterable[Statement], prices: Prices, trades: TradeSum, rebate_micro: int = 0
) -> BillLines:
    """The statements of one account's portfolios in one interval, and their rebates as makers. `trades` are all that
    are known of that account in it; they split the lines only if they come to the very amounts of the statements. VAT
    is left at 0: it is a day's.
    """
    lines = empty_lines()
    for statement in statements:
        other_import = value_micro(prices.tariff_micro, statement.other_import_wh)
        other_export = value_micro(prices.terms.buy_back_micro, statement.other_export_wh)
        lines.estimated += statement.quality == Quality.ESTIMATED
        lines.corrected += statement.quality == Quality.CORRECTED
        lines.import_wh += statement.import_wh
        lines.export_wh += statement.export_wh
        lines.bought_wh += statement.bought_wh
        lines.sold_wh += statement.sold_wh
        lines.other_import_wh += statement.other_import_wh
        lines.other_export_wh += statement.other_export_wh
        lines.undelivered_wh += statement.undelivered_wh
        lines.unused_wh += statement.unused_wh
        lines.purchase_cost_micro += statement.purchase_cost_micro
        lines.other_import_micro += other_import
        lines.undelivered_micro += statement.charge_micro - other_import
        lines.sale_proceeds_micro += statement.sale_proceeds_micro
        lines.other_export_micro += other_export
        lines.unused_micro += statement.credit_micro - other_export
        lines.split_charge_micro += statement.split_charge_micro
        lines.split_credit_micro += statement.split_credit_micro
        lines.bill_micro += statement.bill_micro()
        lines.old_import_micro += value_micro(prices.tariff_micro, statement.import_wh)
        lines.old_export_micro += value_micro(prices.terms.buy_back_micro, statement.export_wh)
    lines.intervals = 1
    lines.rebate_micro = rebate_micro
    lines.bill_micro -= rebate_micro
    lines.old_bill_micro = lines.old_import_micro - lines.old_export_micro
    lines.saved_micro = lines.old_bill_micro - lines.bill_micro
    lines.purchases, lines.sales = _splits(lines, trades)
    return lines


def empty_lines() -> BillLines:
    """A bill of nothing."""
    return BillLines(**dict.fromkeys(_AMOUNTS, 0), purchases=PurchaseSplit(0, 0, 0, 0), sales=SaleSplit(0, 0))


def add_lines(total: BillLines, lines: BillLines) -> None:
    """Add each line to the total's; what is not known of one is not known of the sum."""
    for name in _AMOUNTS:
        setattr(total, name, getattr(total, name) + getattr(lines, name))
    total.purchases = _sum_of_splits(total.purchases, lines.purchases)
    total.sales = _sum_of_splits(total.sales, lines.sales)


def add_vat(lines: BillLines) -> None:
    """Write the VAT of a whole day's lines, and what follows from it."""
    paid = lines.purchase_cost_micro + lines.other_import_micro + lines.undelivered_micro + lines.split_charge_micro
    lines.vat_micro = vat_micro(paid)
    lines.old_vat_micro = vat_micro(lines.old_import_micro)
    lines.bill_with_vat_micro = lines.bill_micro + lines.vat_micro
    lines.old_bill_with_vat_micro = lines.old_bill_micro + lines.old_vat_micro
    lines.saved_with_vat_micro = lines.old_bill_with_vat_micro - lines.bill_with_vat_micro


def _sum_of_splits(first: S | None, second: S | None) -> S | None:
    if first is None or second is None:
        return None
    names = first.__struct_fields__
    return type(first)(*(getattr(first, name) + getattr(second, name) for name in names))


def _splits(lines: BillLines, trades: TradeSum) -> tuple[PurchaseSplit | None, SaleSplit | None]:
    purchases, sales = None, None
    if (trades.bought_wh, trades.cost_micro) == (lines.bought_wh, lines.purchase_cost_micro):
        purchases = PurchaseSplit(
            trades.purchase_value_micro, trades.grid_fee_micro, trades.wheeling_micro, trades.purchase_fee_micro
        )
    if (trades.sold_wh, trades.proceeds_micro) == (lines.sold_wh, lines.sale_proceeds_micro):
        sales = SaleSplit(trades.sale_value_micro, trades.sale_fee_micro)
    return purchases, sales
