"""Whether given flows are the one right answer, told without looking for it."""

from collections.abc import Sequence
from enum import IntEnum

from gridtokenx.modules.market.auction.problem import Arc, Flows, Problem, net_exports, residual
from gridtokenx.modules.market.auction.work import Steps


class Fault(IntEnum):
    """What is wrong with flows."""

    LENGTH = 1
    """Not one flow for each link."""
    CAPACITY = 2
    """More flows over a link than is free."""
    POSITION = 3
    """A node exports more than is for sale there, or imports more than is wanted."""
    NOT_OPTIMAL = 4
    """Other flows have more welfare, or as much and the order of the links prefers them."""


def checked(problem: Problem, flows: Flows) -> Steps[Fault | None]:
    """What is wrong with the flows; None for the optimum, and for nothing else. At most about nodes x arcs steps.

    Flows are optimal if and only if no cycle of the residual graph saves anything, and since no cycle costs nothing
    (`residual`), one answer alone passes.
    """
    if len(flows) != len(problem.links):
        return Fault.LENGTH
    for link, flow_wh in zip(problem.links, flows, strict=True):
        if not -link.backward_free_wh <= flow_wh <= link.forward_free_wh:
            return Fault.CAPACITY
    for ladder, net_wh in zip(problem.ladders, net_exports(problem, flows), strict=True):
        if not -ladder.purchases_wh <= net_wh <= ladder.sales_wh:
            return Fault.POSITION
    arcs = list(residual(problem, flows, perturbed=True))
    nodes = len(problem.ladders) + 1
    # Bellman and Ford's: a way of as many arcs as there are nodes that is cheaper than all with fewer holds a cycle.
    distances: list[int | None] = [0] * nodes
    for _ in range(nodes):
        yield len(arcs) + 1
        if not shorten(arcs, distances):
            return None
    return Fault.NOT_OPTIMAL


def shorten(arcs: Sequence[Arc], distances: list[int | None]) -> bool:
    """Go over each arc once; whether that made any distance shorter. None is a node that was not reached yet."""
    shorter = False
    for start, end, cost in arcs:
        base = distances[start]
        if base is None:
            continue
        found, known = base + cost, distances[end]
        if known is None or found < known:
            distances[end] = found
            shorter = True
    return shorter
