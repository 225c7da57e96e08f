"""The coupled market: nodes with ladders, links between them, and what energy flowing over them means.

A node is a zone, or a feeder whose link to its zone has a limit. An answer is one flow for each link, in Wh,
positive from `a` to `b`. Net exports follow from the flows, so there is nothing else that could contradict them.
"""

from collections.abc import Iterator, Sequence

import msgspec

from gridtokenx.modules.market.auction.ladder import Ladder

Flows = Sequence[int]
"""One for each link, in Wh, positive from `a` to `b`."""

Arc = tuple[int, int, int]
"""From, to, what one more Wh that way costs."""


class Link(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Joins two nodes, named by their places in the list of nodes. `cost_micro` is wheeling per kWh, either way."""

    a: int
    b: int
    forward_free_wh: int
    backward_free_wh: int
    cost_micro: int


class Problem(msgspec.Struct, frozen=True):
    """What is to be cleared. Prices and costs stand on the tick.

    The order of the links decides between equals: of several optima that one counts in which the last link carries
    least, of those the one in which the last but one does, and so on.
    """

    tick_micro: int
    ladders: Sequence[Ladder]
    links: Sequence[Link]


def check_links(tick_micro: int, nodes: int, links: Sequence[Link]) -> None:
    """ValueError for links with which there is no right answer. They come from the chain's own records, so that would
    be a bug of the caller."""
    for place, link in enumerate(links):
        if not (0 <= link.a < nodes and 0 <= link.b < nodes and link.a != link.b):
            raise ValueError(f"link {place} joins nodes {link.a} and {link.b} of {nodes}")
        if link.forward_free_wh < 0 or link.backward_free_wh < 0:
            raise ValueError(f"link {place} has less than no free capacity")
        if link.cost_micro < 0 or link.cost_micro % tick_micro:
            raise ValueError(f"link {place}: wheeling of {link.cost_micro} is not on the tick")


def net_exports(problem: Problem, flows: Flows) -> list[int]:
    """What each node exports, in Wh: all that flows out less all that flows in."""
    net_wh = [0] * len(problem.ladders)
    for link, flow_wh in zip(problem.links, flows, strict=True):
        net_wh[link.a] += flow_wh
        net_wh[link.b] -= flow_wh
    return net_wh


def residual(problem: Problem, flows: Flows, perturbed: bool) -> Iterator[Arc]:
    """Every way in which one more Wh could flow, beside what it costs (per kWh, below zero where it saves).

    Ladders hang on one more node, the ground, numbered `len(ladders)`: from it to a node leads what one more Wh of
    export costs, back what one less saves. With `perturbed`, costs are scaled by 2^links, and what flows over link j,
    either way, costs 2^j more. Each cycle leads over a link, and over none twice, so none costs nothing, except there
    and back on one arc, which changes nothing.
    """
    scale = len(problem.links) if perturbed else 0
    for place, (link, flow_wh) in enumerate(zip(problem.links, flows, strict=True)):
        cost = (link.cost_micro << scale) + (1 << place if perturbed else 0)
        if flow_wh < link.forward_free_wh:
            yield link.a, link.b, cost if flow_wh >= 0 else -cost
        if flow_wh > -link.backward_free_wh:
            yield link.b, link.a, cost if flow_wh <= 0 else -cost
    ground = len(problem.ladders)
    for node, (ladder, net_wh) in enumerate(zip(problem.ladders, net_exports(problem, flows), strict=True)):
        position_wh = ladder.purchases_wh + net_wh
        if position_wh < ladder.height_wh:
            yield ground, node, ladder.price_of(position_wh + 1) << scale
        if position_wh > 0:
            yield node, ground, -ladder.price_of(position_wh) << scale
