"""The auction as one would explain it, by trying everything: for markets of a few Wh.

It shares no thought with the ledger's: every flow is tried, every number of trades in a node, every price on the tick.
"""

from collections.abc import Iterator, Sequence
from itertools import product

from gridtokenx.modules.market.auction.clearing import Entry, Outcome, auction
from gridtokenx.modules.market.auction.problem import Link
from gridtokenx.modules.market.auction.work import Steps, T

TICK = 1_000
STEPS_MAX = 10**9
PRICE_TICKS = range(-6, 14)
"""Tried as prices; markets have limits and wheeling well inside."""


def result_of(steps: Steps[T]) -> T:
    while True:
        try:
            assert next(steps) >= 1
        except StopIteration as end:
            return end.value


def run(nodes: int, links: Sequence[Link], entries: Sequence[Entry]) -> Outcome:
    """The ledger's own auction."""
    return result_of(auction(TICK, nodes, links, entries, STEPS_MAX))


def sides(entries: Sequence[Entry], node: int) -> tuple[list[int], list[int]]:
    """Each Wh of a node's sales and purchases by its price, the keenest first."""
    own = [entry for entry in entries if entry[0] == node]
    sales = sorted(price for _, sale, price, wh in own if sale for _ in range(wh))
    purchases = sorted((price for _, sale, price, wh in own if not sale for _ in range(wh)), reverse=True)
    return sales, purchases


def best_gain(entries: Sequence[Entry], node: int, net_wh: int) -> int | None:
    """The most that a node can gain which exports so much; None if it cannot."""
    sales, purchases = sides(entries, node)
    gains = [
        sum(purchases[:bought]) - sum(sales[: bought + net_wh])
        for bought in range(len(purchases) + 1)
        if 0 <= bought + net_wh <= len(sales)
    ]
    return max(gains, default=None)


def all_flows(links: Sequence[Link]) -> Iterator[tuple[int, ...]]:
    return product(*(range(-link.backward_free_wh, link.forward_free_wh + 1) for link in links))


def exports(nodes: int, links: Sequence[Link], flows: Sequence[int]) -> list[int]:
    return [
        sum(flow * ((link.a == node) - (link.b == node)) for link, flow in zip(links, flows, strict=True))
        for node in range(nodes)
    ]


def best_flows(nodes: int, links: Sequence[Link], entries: Sequence[Entry]) -> tuple[tuple[int, ...], int]:
    """The flows with most welfare; of several those with least on the last link, of these on the last but one, ...
    And that welfare, price x Wh."""
    found: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []
    gains: dict[tuple[int, int], int | None] = {}
    for flows in all_flows(links):
        welfare = -sum(link.cost_micro * abs(flow) for link, flow in zip(links, flows, strict=True))
        for node, net_wh in enumerate(exports(nodes, links, flows)):
            if (node, net_wh) not in gains:
                gains[node, net_wh] = best_gain(entries, node, net_wh)
            gain = gains[node, net_wh]
            if gain is None:
                break
            welfare += gain
        else:
            found.append((-welfare, tuple(abs(flow) for flow in reversed(flows)), flows))
    found.sort()
    assert len(found) < 2 or found[0][:2] != found[1][:2], "the rule must leave no choice"
    return found[0][2], -found[0][0]


def suits(entries: Sequence[Entry], node: int, net_wh: int, price: int) -> bool:
    """Whether nobody in a node that exports so much would rather trade otherwise at this price."""
    sales, purchases = sides(entries, node)
    least = sum(limit < price for limit in sales) - sum(limit >= price for limit in purchases)
    most = sum(limit <= price for limit in sales) - sum(limit > price for limit in purchases)
    return least <= net_wh <= most


def carries(links: Sequence[Link], flows: Sequence[int], prices: Sequence[int]) -> bool:
    """Whether nobody could gain by carrying more or less at these prices."""
    for link, flow in zip(links, flows, strict=True):
        rise = prices[link.b] - prices[link.a]
        if flow < link.forward_free_wh and rise > (link.cost_micro if flow >= 0 else -link.cost_micro):
            return False
        if flow > -link.backward_free_wh and rise < (-link.cost_micro if flow <= 0 else link.cost_micro):
            return False
    return True


def middle_prices(
    nodes: int, links: Sequence[Link], entries: Sequence[Entry], flows: Sequence[int]
) -> list[int | None]:
    """By trying all prices: the middle of lowest and highest, down to the tick; None where there is no end to them."""
    ticks = [tick * TICK for tick in PRICE_TICKS]
    suiting = [
        [price for price in ticks if suits(entries, node, net_wh, price)]
        for node, net_wh in enumerate(exports(nodes, links, flows))
    ]
    tried = [prices for prices in product(*suiting) if carries(links, flows, prices)]
    ends = {PRICE_TICKS[0] * TICK, PRICE_TICKS[-1] * TICK}
    found: list[int | None] = []
    for node in range(nodes):
        lowest, highest = min(row[node] for row in tried), max(row[node] for row in tried)
        found.append(None if {lowest, highest} & ends else (lowest + highest) // 2 // TICK * TICK)
    return found
