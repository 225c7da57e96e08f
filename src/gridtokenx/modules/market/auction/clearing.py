"""The auction of one interval, from orders to prices, quantities and money."""

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import islice

import msgspec

from gridtokenx.modules.market.auction.check import checked, shorten
from gridtokenx.modules.market.auction.ladder import WH_PER_KWH, Cut, Ladder, finished, level_key
from gridtokenx.modules.market.auction.problem import Arc, Flows, Link, Problem, check_links, net_exports, residual
from gridtokenx.modules.market.auction.solve import solved
from gridtokenx.modules.market.auction.work import Steps

Entry = tuple[int, int, int, int]
"""An order, or all that stands at one price: node, 1 for a sale and 0 for a purchase, price, Wh. The price of a
purchase is its limit less the wheeling that the buyer itself pays."""

ENTRIES_PER_BIT = 500


class Method(IntEnum):
    """Where the flows come from."""

    SOLVED = 0
    APART = 1
    """The limit of steps was met, or what was found does not pass the check, which would be a bug: nothing flows over
    any link, each node is cleared by itself."""


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the auction decided. Per node: net export, price, cut, Wh sold and bought. Per link: flow, wheeling paid out
    of the difference of prices, and the rest of that difference, the congestion rent (both millionths of a WATT).

    The price is None where it has no bound above or none below: there nothing is traded. To the last unit
    `sum(price x (bought - sold)) == sum(wheeling + rent)`, and no rent is below zero.
    """

    method: Method
    net_wh: tuple[int, ...]
    prices_micro: tuple[int | None, ...]
    cuts: tuple[Cut | None, ...]
    sold_wh: tuple[int, ...]
    bought_wh: tuple[int, ...]
    flows_wh: tuple[int, ...]
    wheeling_micro: tuple[int, ...]
    rents_micro: tuple[int, ...]
    welfare_micro: int
    """What served purchases are worth less what served sales ask for and less wheeling over links."""


def auction(
    tick_micro: int,
    nodes: int,
    links: Sequence[Link],
    entries: Iterable[Entry],
    solver_steps_max: int,
) -> Steps[Outcome]:
    """The whole auction, as work in slices. ValueError for what no chain's record should hold.

    `entries` may come in any order and be read from the book as they are needed; they must not change meanwhile, and
    say the same again after a restart. If so many steps are not enough for the search, nothing flows.
    """
    if tick_micro <= 0 or tick_micro % WH_PER_KWH:
        raise ValueError(f"a tick of {tick_micro} does not make exact money of every Wh")
    check_links(tick_micro, nodes, links)
    ladders = yield from collected(tick_micro, nodes, iter(entries))
    problem = Problem(tick_micro, ladders, tuple(links))
    found = yield from within(solver_steps_max, solved(problem))
    if found is not None and (yield from checked(problem, found)) is None:
        return (yield from settled(problem, found, Method.SOLVED))
    apart = Problem(tick_micro, ladders, [Link(link.a, link.b, 0, 0, link.cost_micro) for link in links])
    return (yield from settled(apart, (0,) * len(links), Method.APART))


def collected(tick_micro: int, nodes: int, entries: Iterator[Entry]) -> Steps[list[Ladder]]:
    """The ladders of all nodes. An entry is a step; then comes what `finished` takes."""
    levels_of: list[dict[int, int]] = [{} for _ in range(nodes)]
    while chunk := list(islice(entries, ENTRIES_PER_BIT)):
        for node, sale, price_micro, quantity_wh in chunk:
            if quantity_wh <= 0 or price_micro % tick_micro or sale not in {0, 1}:
                raise ValueError(f"an entry of {quantity_wh} Wh at {price_micro}, side {sale}")
            levels, key = levels_of[node], level_key(price_micro, sale)
            levels[key] = levels.get(key, 0) + quantity_wh
        yield len(chunk)
    ladders: list[Ladder] = []
    for levels in levels_of:
        ladder = yield from finished(levels)
        ladders.append(ladder)
    return ladders


def within(steps_max: int, solving: Steps[tuple[int, ...]]) -> Steps[tuple[int, ...] | None]:
    """The result of work that ends within so many steps; None for work that does not."""
    done = 0
    while done <= steps_max:
        try:
            steps = next(solving)
        except StopIteration as end:
            found: tuple[int, ...] = end.value
            return found
        done += steps
        yield steps
    return None


def priced(problem: Problem, flows: Flows) -> Steps[list[int | None]]:
    """The price of each node at optimal flows: the middle of the lowest and the highest that support them, rounded
    down to the tick.

    That a price supports them: it lies between the last step of the ladder that was taken and the next, and over each
    link that carries anything it rises by wheeling, more only where the link is full, and over others by no more than
    wheeling. The middle of two such answers is one, and so is what is left when all are rounded down to the tick, since
    ladders and wheeling stand on the tick.
    """
    nodes = len(problem.ladders)
    arcs = list(residual(problem, flows, perturbed=False))
    highest = yield from _distances(arcs, nodes)
    lowest = yield from _distances([(end, start, cost) for start, end, cost in arcs], nodes)
    tick = problem.tick_micro
    return [
        None if above is None or below is None else (above - below) // 2 // tick * tick
        for above, below in zip(highest[:nodes], lowest[:nodes], strict=True)
    ]


def _distances(arcs: Sequence[Arc], ground: int) -> Steps[list[int | None]]:
    """How far each node is from the ground; None where no way leads."""
    distances: list[int | None] = [None] * ground + [0]
    for _ in range(len(distances)):
        yield len(arcs) + 1
        if not shorten(arcs, distances):
            break
    return distances


def settled(problem: Problem, flows: Flows, method: Method) -> Steps[Outcome]:
    """What optimal flows mean for everybody. Steps: the prices of all ladders, and what `priced` takes."""
    prices = yield from priced(problem, flows)
    net_wh = net_exports(problem, flows)
    cuts: list[Cut | None] = []
    sold_wh: list[int] = []
    welfare_micro = 0
    for ladder, own_wh in zip(problem.ladders, net_wh, strict=True):
        position_wh = ladder.purchases_wh + own_wh
        cuts.append(ladder.cut(position_wh))
        sold_wh.append(ladder.sold_wh(position_wh))
        welfare_micro += ladder.welfare_micro(position_wh)
        yield len(ladder.prices) + 1
    wheeling_micro: list[int] = []
    rents_micro: list[int] = []
    for link, flow_wh in zip(problem.links, flows, strict=True):
        wheeling_micro.append(link.cost_micro * abs(flow_wh) // WH_PER_KWH)
        rents_micro.append(_gain_micro(prices[link.a], prices[link.b], flow_wh) - wheeling_micro[-1])
    return Outcome(
        method,
        tuple(net_wh),
        tuple(prices),
        tuple(cuts),
        tuple(sold_wh),
        tuple(sold - net for sold, net in zip(sold_wh, net_wh, strict=True)),
        tuple(flows),
        tuple(wheeling_micro),
        tuple(rents_micro),
        welfare_micro - sum(wheeling_micro),
    )


def _gain_micro(price_a: int | None, price_b: int | None, flow_wh: int) -> int:
    """What energy gains on its way from `a` to `b`. Where anything flows, there are prices at both ends."""
    if not flow_wh:
        return 0
    assert price_a is not None and price_b is not None, "energy flows from and to a node without a price"
    return (price_b - price_a) * flow_wh // WH_PER_KWH
