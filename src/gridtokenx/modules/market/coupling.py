"""Between the ledger and its auction: places and links as nodes and links of the problem, and what the outcome means.

Nothing here reads or writes tables: the ledger, and a gateway that shows what an auction would be now, call the same
functions.
"""

from collections.abc import Iterable, Mapping

from gridtokenx.ledger.limits import AUCTION_STEPS_MAX
from gridtokenx.modules.grid.network import Network
from gridtokenx.modules.grid.topology import FEEDER_LINK, SAME_ZONE, Topology
from gridtokenx.modules.market.auction.clearing import Entry, Outcome, auction
from gridtokenx.modules.market.auction.ladder import shares
from gridtokenx.modules.market.auction.problem import Link
from gridtokenx.modules.market.auction.work import Steps
from gridtokenx.modules.market.messages import SELL, Terms
from gridtokenx.modules.market.state import ClearedLink, ClearedNode, Clearing, Order
from gridtokenx.modules.market.wheeling import wheeling_micro

Free = tuple[tuple[int, int, int], ...]
"""(link, forward Wh, backward Wh) of all links that count, in the order that decides between equals."""

Last = tuple[int, int]
"""Of orders at one limit the place of the last one that trades, and how much it trades; zeros if none does."""

NONE_TRADES: Last = (0, 0)


def free_of(network: Network, interval: int, feeders: Iterable[int]) -> Free:
    """What borders, and the counted links of these feeders, can still carry. The order of links rotates with the
    interval's number, so that it favours nobody for ever."""
    counted = {FEEDER_LINK | feeder for feeder in feeders}
    numbers = sorted(number for number in network.keys if number < FEEDER_LINK or number in counted)
    first = interval % len(numbers) if numbers else 0
    found = []
    for number in numbers[first:] + numbers[:first]:
        link = network.link(number)
        assert link is not None, "it is counted"
        forward_wh, backward_wh = (link.free_wh(step) for step in (number << 1, number << 1 | 1))
        found.append((number, max(forward_wh, 0), max(backward_wh, 0)))
    return tuple(found)


class Places:
    """The nodes of an auction: all zones, then the feeders whose links are among the free ones."""

    __slots__ = ("names", "numbers", "zone_of")

    def __init__(self, topology: Topology, free: Free) -> None:
        self.zone_of = topology.zone_of
        limited = sorted(link for link, _, _ in free if link >= FEEDER_LINK)
        self.names = [*topology.neighbours, *limited]
        """A zone's number, or that of a feeder's link."""
        self.numbers = {name: number for number, name in enumerate(self.names)}

    def node_of(self, feeder: int) -> int:
        """Where the orders of a feeder stand."""
        own = self.numbers.get(FEEDER_LINK | feeder)
        return self.numbers[self.zone_of[feeder]] if own is None else own

    def zone_of_name(self, name: int) -> int:
        """The zone of a node."""
        return self.zone_of[name & FEEDER_LINK - 1] if name >= FEEDER_LINK else name

    def links(self, free: Free, terms: Terms) -> list[Link]:
        """The links of the problem: a border's wheeling is paid for what it carries, a feeder's by buyers."""
        return [self._link(*each, terms.wheeling_border_micro) for each in free]

    def _link(self, number: int, forward_wh: int, backward_wh: int, border_micro: int) -> Link:
        if number >= FEEDER_LINK:
            zone = self.zone_of[number & FEEDER_LINK - 1]
            return Link(self.numbers[number], self.numbers[zone], forward_wh, backward_wh, 0)
        low, high = divmod(number, 256)
        return Link(self.numbers[low], self.numbers[high], forward_wh, backward_wh, border_micro)


def buyers_wheeling_micro(terms: Terms) -> int:
    """Per kWh, what a buyer pays in an auction beside its place's price, wherever the energy comes from."""
    return wheeling_micro(terms, SAME_ZONE)


def price_at_place(terms: Terms, order: Order) -> int:
    """A sale's limit; what a purchase is worth at its place."""
    return order.price_micro - (0 if order.side == SELL else buyers_wheeling_micro(terms))


def auction_of(places: Places, free: Free, terms: Terms, orders: Iterable[Order]) -> Steps[Outcome]:
    """The auction of these orders, as work in slices."""
    entries: Iterable[Entry] = (
        (places.node_of(order.feeder), order.side, price_at_place(terms, order), order.remaining_wh) for order in orders
    )
    return auction(terms.tick_micro, len(places.names), places.links(free, terms), entries, AUCTION_STEPS_MAX)


def last_that_trades(waiting: Iterable[tuple[int, int]], available_wh: int) -> Last:
    """Of (place, Wh) of orders at one limit, the earliest first."""
    waiting = list(waiting)
    last = NONE_TRADES
    for (place, _), given_wh in zip(waiting, shares((wh for _, wh in waiting), available_wh), strict=True):
        if not given_wh:
            break
        last = place, given_wh
    return last


def clearing_of(outcome: Outcome, places: Places, free: Free, lasts: Mapping[tuple[int, int], Last]) -> Clearing:
    """The outcome as a record. `lasts`: by node and side, of the orders at the node's cut."""
    nodes = tuple(
        ClearedNode(
            name,
            price_micro,
            price_micro if (cut := outcome.cuts[node]) is None else cut.price_micro,
            *lasts.get((node, 1), NONE_TRADES),
            *lasts.get((node, 0), NONE_TRADES),
            outcome.sold_wh[node],
            outcome.bought_wh[node],
        )
        for node, name in enumerate(places.names)
        if (price_micro := outcome.prices_micro[node]) is not None
    )
    links = tuple(
        ClearedLink(*each, *results)
        for each, *results in zip(free, outcome.flows_wh, outcome.wheeling_micro, outcome.rents_micro, strict=True)
    )
    return Clearing(outcome.method, outcome.welfare_micro, nodes, links)


def filled_wh(node: ClearedNode, terms: Terms, order: Order) -> int:
    """What an order trades."""
    cut_micro, price_micro, selling = node.cut_micro, price_at_place(terms, order), order.side == SELL
    if price_micro == cut_micro:
        until = node.sells_until if selling else node.buys_until
        if order.place == until:
            return node.sells_last_wh if selling else node.buys_last_wh
        return order.remaining_wh if order.place < until else 0
    return order.remaining_wh if (price_micro < cut_micro) == selling else 0
