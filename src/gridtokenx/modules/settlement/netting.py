"""From contract and meter to money: pure formulas, after `market-rules.md` ("Settlement").

N = sold - bought, M = export - import at the connection point. What M falls short of N is an undelivered sale (as
far as something was sold) and other import; what it exceeds N by is an unused purchase (as far as something was
bought) and other export. Someone who never trades pays the tariff for all import and earns the buy-back for all
export, so the old bill stands.
"""

import msgspec

from gridtokenx.ledger.quantities import value_micro
from gridtokenx.modules.market.messages import Terms
from gridtokenx.modules.market.state import Position


class Energy(msgspec.Struct, frozen=True, gc=False):
    """The four kinds of difference between contract and meter, in Wh, each at least 0:
    M = N - undelivered + unused + other_export - other_import."""

    undelivered_wh: int
    unused_wh: int
    other_import_wh: int
    other_export_wh: int


def split_energy(net_sold_wh: int, import_wh: int, export_wh: int) -> Energy:
    """Where the meter differs from the contract.

    Within one interval a site may both import and export. What the contract does not explain of both is not netted
    against each other (`both_ways_wh`): netting it would be a discount that starts with the first traded Wh.
    """
    metered_wh = export_wh - import_wh
    undelivered_wh = max(0, min(net_sold_wh, net_sold_wh - metered_wh))
    unused_wh = max(0, min(-net_sold_wh, metered_wh - net_sold_wh))
    short_wh = net_sold_wh - metered_wh - undelivered_wh + unused_wh
    free_export_wh = max(0, export_wh - max(net_sold_wh, 0))
    free_import_wh = max(0, import_wh - max(-net_sold_wh, 0))
    both_ways_wh = min(free_export_wh, free_import_wh)
    return Energy(undelivered_wh, unused_wh, max(0, short_wh) + both_ways_wh, max(0, -short_wh) + both_ways_wh)


def average_micro(value: int, energy_wh: int) -> int:
    """Price per kWh of a total, rounded down; 0 of nothing."""
    return value * 1_000 // energy_wh if energy_wh else 0


def residual_money(terms: Terms, tariff_micro: int, position: Position, energy: Energy) -> tuple[int, int]:
    """(charge, credit) with the residual supplier, each part rounded down: the payer keeps the rest."""
    sale_micro = average_micro(position.sale_value_micro, position.sold_wh)
    purchase_micro = average_micro(position.purchase_value_micro, position.bought_wh)
    undelivered_micro = max(tariff_micro, sale_micro) + terms.undelivered_spread_micro
    unused_micro = max(0, min(terms.buy_back_micro, purchase_micro) - terms.unused_spread_micro)
    charge = value_micro(undelivered_micro, energy.undelivered_wh)
    charge += value_micro(tariff_micro, energy.other_import_wh)
    credit = value_micro(unused_micro, energy.unused_wh)
    credit += value_micro(terms.buy_back_micro, energy.other_export_wh)
    return charge, credit


def estimate_import_wh(net_purchase_wh: int, same_quarter_wh: tuple[int, ...], capacity_wh: int) -> int:
    """Import of a site whose reading did not come: the larger of its net purchase and its highest same
    quarter-hour of the last 7 days; without such a past, all that its connection can. Export counts 0."""
    past_wh = max(same_quarter_wh) if same_quarter_wh else capacity_wh
    return max(net_purchase_wh, past_wh)
