"""What trades bring those who neither buy nor sell, computed again from the trades and the outcomes of auctions."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from gridtokenx.modules.market.holds import cost_of
from gridtokenx.modules.market.messages import Terms
from gridtokenx.modules.market.state import NOBODY, Clearing, Trade
from gridtokenx.simulation.genesis import ZONES

TRANSMISSION, FEE_POOL, CONGESTION = "egat", "fee-pool", "congestion"


def dues_of_trades(
    terms: Terms,
    trades: Iterable[Trade],
    clearings: Mapping[int, Clearing],
    zones: Mapping[bytes, str],
) -> dict[str, int]:
    """By organisation. `clearings` by interval, `zones` by portfolio.

    A buyer pays the fee pool, its distributor and transmission; half of the feeder part of wheeling is for the
    seller's distributor. In an auction that half is for the distributors of all who sell there, by energy and rounded
    down; borders are paid out of the difference of prices, whose rest, with what rounding leaves, is congestion rent.
    """
    dues: defaultdict[str, int] = defaultdict(int)
    halves_micro: defaultdict[int, int] = defaultdict(int)
    sold_wh: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for trade in trades:
        cost = cost_of(terms, trade)
        buys, sells = trade.buyer != NOBODY, trade.seller != NOBODY
        dues[FEE_POOL] += (buys + sells) * cost.trading_fee
        if buys:
            dues[distributor_of(zones[trade.buyer_portfolio])] += cost.near
            dues[TRANSMISSION] += cost.border
            if sells:
                dues[distributor_of(zones[trade.seller_portfolio])] += cost.far
            else:
                halves_micro[trade.interval] += cost.far
        else:
            sold_wh[trade.interval][zones[trade.seller_portfolio]] += trade.quantity_wh
    for interval, clearing in clearings.items():
        dues[TRANSMISSION] += sum(link.wheeling_micro for link in clearing.links)
        dues[CONGESTION] += sum(link.rent_micro for link in clearing.links)
        left_micro, all_wh = halves_micro[interval], sold_wh[interval].total()
        for zone, zone_wh in sold_wh[interval].items():
            part_micro = halves_micro[interval] * zone_wh // all_wh
            dues[distributor_of(zone)] += part_micro
            left_micro -= part_micro
        dues[CONGESTION] += left_micro
    return dict(dues)


def distributor_of(zone: str) -> str:
    """Whose wires they are in a simulated market."""
    return "mea" if zone == ZONES[0] else "pea"
