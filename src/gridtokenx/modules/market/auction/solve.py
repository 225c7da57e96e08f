"""The one optimum of a coupled market, found exactly and in bounded steps.

Min-cost flow with convex costs by scaling of capacities (Ahuja, Magnanti, Orlin: Network Flows, 1993, sections 10.2 and
14.5), with the perturbed costs of `residual`, all in integers. Energy moves in portions, first large, each phase half
of the one before, in the last 1 Wh. Each node and the ground have a price. A phase keeps: no portion can move at a
gain at these prices, where a portion that climbs a ladder costs as much per Wh as its dearest Wh, and one that comes
down saves as much as its cheapest. For the last phase that is optimality.

A phase begins by moving one portion wherever the smaller size shows a gain; that leaves nodes with too much and nodes
with too little. Cheapest ways (Dijkstra's, from all nodes with too much at once) then raise the prices, and portions go
along the ways that cost nothing at the new prices, until nothing is left that can be moved.

There are as many phases as the Wh that can be traded have bits, in each at most about two searches a link and ladder,
in practice a tenth of it; an order more or less costs nothing but a longer bisection of its ladder.
"""

from heapq import heappop, heappush

from gridtokenx.modules.market.auction.problem import Problem
from gridtokenx.modules.market.auction.work import Steps

Way = tuple[int, int, int]
"""Where an arc begins, its place in the lists of arcs, and +1 or -1: forward or backward on it."""


class Portions:
    """The work of `solved`: flows, positions and prices as they are, and what a portion costs on every arc.

    Arcs are the links (from `a` to `b`), then one for each ladder (from the ground to its node).
    """

    def __init__(self, problem: Problem) -> None:
        nodes, links = len(problem.ladders), problem.links
        scale = self.links = len(links)
        """How many; costs are scaled by 2 to the power of it."""
        tradable_wh = min(
            sum(ladder.sales_wh for ladder in problem.ladders), sum(ladder.purchases_wh for ladder in problem.ladders)
        )
        self.ladders = problem.ladders
        self.ends = [(link.a, link.b) for link in links] + [(nodes, node) for node in range(nodes)]
        # No optimum carries more over a link than can be traded at all.
        self.lowest = [-min(link.backward_free_wh, tradable_wh) for link in links] + [0] * nodes
        self.highest = [min(link.forward_free_wh, tradable_wh) for link in links]
        self.highest += [ladder.height_wh for ladder in problem.ladders]
        self.carried = [0] * len(links) + [ladder.purchases_wh for ladder in problem.ladders]
        self.costs = [(link.cost_micro << scale) + (1 << place) for place, link in enumerate(links)]
        self.prices = [self._price_alone(node) << scale for node in range(nodes)] + [0]
        self.excess_wh = [0] * (nodes + 1)
        self.portion_wh = 1 << max(tradable_wh.bit_length() - 1, 0)
        """Twice of it is more than any link carries: so one portion a link is enough in the first phase."""
        self.onward: list[int | None] = [None] * len(self.ends)
        self.back: list[int | None] = [None] * len(self.ends)
        self.around: list[list[tuple[int, int, int]]] = [[] for _ in range(nodes + 1)]
        """Of each node: neighbour, arc, direction."""
        for arc, (a, b) in enumerate(self.ends):
            self.around[a].append((b, arc, 1))
            self.around[b].append((a, arc, -1))

    def _price_alone(self, node: int) -> int:
        """A price at which a node neither imports nor exports."""
        ladder = self.ladders[node]
        if not ladder.prices:
            return 0
        return ladder.price_of(max(ladder.purchases_wh, 1))

    def look_up(self, arc: int) -> None:
        """What a portion costs on an arc now, per kWh; None where it does not fit."""
        portion_wh, carried_wh = self.portion_wh, self.carried[arc]
        onward = back = None
        links = self.links
        if carried_wh + portion_wh <= self.highest[arc]:
            if arc < links:
                onward = self.costs[arc] if carried_wh + portion_wh > 0 else -self.costs[arc]
            else:
                onward = self.ladders[arc - links].price_of(carried_wh + portion_wh) << links
        if carried_wh - portion_wh >= self.lowest[arc]:
            if arc < links:
                back = -self.costs[arc] if carried_wh >= portion_wh else self.costs[arc]
            else:
                back = -self.ladders[arc - links].price_of(carried_wh - portion_wh + 1) << links
        self.onward[arc], self.back[arc] = onward, back

    def move(self, arc: int, direction: int) -> None:
        """One portion."""
        moved_wh = direction * self.portion_wh
        a, b = self.ends[arc]
        self.carried[arc] += moved_wh
        self.excess_wh[a] -= moved_wh
        self.excess_wh[b] += moved_wh
        self.look_up(arc)

    def begin_phase(self) -> None:
        """Look up every arc for this size, and take the gains that it shows: one portion each is enough."""
        prices = self.prices
        for arc, (a, b) in enumerate(self.ends):
            self.look_up(arc)
            onward, back = self.onward[arc], self.back[arc]
            if onward is not None and onward + prices[a] < prices[b]:
                self.move(arc, 1)
            elif back is not None and back + prices[b] < prices[a]:
                self.move(arc, -1)

    def search(self) -> tuple[list[int], list[Way | None]]:
        """Cheapest ways from the nodes with too much to all others, at the prices as they are, which rise by what the
        ways cost. The nodes with too little that were reached, nearest first, and how each node was reached."""
        prices, onward, back, around = self.prices, self.onward, self.back, self.around
        portion_wh, excess_wh = self.portion_wh, self.excess_wh
        ways: list[Way | None] = [None] * len(prices)
        distance: list[int | None] = [None] * len(prices)
        done = [False] * len(prices)
        heap: list[tuple[int, int]] = []
        lacking: list[int] = []
        for node, own_wh in enumerate(excess_wh):
            if own_wh >= portion_wh:
                distance[node] = 0
                heap.append((0, node))
        farthest = 0
        while heap:
            so_far, node = heappop(heap)
            if done[node]:
                continue
            done[node] = True
            farthest = so_far
            if excess_wh[node] <= -portion_wh:
                lacking.append(node)
            base = so_far + prices[node]
            for other, arc, direction in around[node]:
                cost = onward[arc] if direction > 0 else back[arc]
                if cost is None or done[other]:
                    continue
                found = base + cost - prices[other]
                known = distance[other]
                if known is None or found < known:
                    distance[other] = found
                    ways[other] = (node, arc, direction)
                    heappush(heap, (found, other))
        for node, reached in enumerate(distance):
            prices[node] += farthest if reached is None else reached
        return lacking, ways

    def fill(self, lacking: int, ways: list[Way | None]) -> None:
        """Move portions along the way to a node, as many as are needed, there, and free of cost at the prices."""
        path: list[tuple[int, int]] = []
        node = lacking
        while (way := ways[node]) is not None:
            node, arc, direction = way
            path.append((arc, direction))
        portion_wh, excess_wh = self.portion_wh, self.excess_wh
        while excess_wh[node] >= portion_wh and excess_wh[lacking] <= -portion_wh and self._is_free(path):
            for arc, direction in path:
                self.move(arc, direction)

    def _is_free(self, path: list[tuple[int, int]]) -> bool:
        prices = self.prices
        for arc, direction in path:
            a, b = self.ends[arc]
            cost = self.onward[arc] if direction > 0 else self.back[arc]
            if cost is None or cost != (prices[b] - prices[a]) * direction:
                return False
        return True


def solved(problem: Problem) -> Steps[tuple[int, ...]]:
    """The flows of the one optimum. Steps: arcs looked at, each from both ends."""
    work = Portions(problem)
    arcs = 2 * len(work.ends) + 1
    while work.portion_wh:
        work.begin_phase()
        yield arcs
        while True:
            lacking, ways = work.search()
            yield arcs
            if not lacking:
                break
            for node in lacking:
                work.fill(node, ways)
        work.portion_wh >>= 1
    return tuple(work.carried[: len(problem.links)])
