"""`bench auction`: the ledger's own auction, and the linear program that solves the same market (HiGHS) as its rival.

No records and no blocks: what is measured is `modules/market/auction` from orders as the ledger hands them over to what
each zone and border gets. Times are seconds of CPU of one thread, medians of some rounds with the rival's in between.
Besides them ten thousand small markets of all odd kinds, in each of which the welfare must be the linear program's.
"""

import gc
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from scipy.optimize import linprog
from scipy.sparse import coo_array

from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.ledger.limits import ENERGY_WH_MAX
from gridtokenx.modules.market.auction.check import checked
from gridtokenx.modules.market.auction.clearing import Entry, Method, Outcome, auction, collected
from gridtokenx.modules.market.auction.problem import Link, Problem
from gridtokenx.modules.market.auction.solve import solved
from gridtokenx.modules.market.auction.work import Steps, Work

T = TypeVar("T")

TICK = 1_000
ZONES = 20
SOLVER_STEPS_MAX = 10**9
SLICE_STEPS = 50_000
"""What a block would do of it."""

Market = tuple[int, list[Link], list[Entry]]
"""Nodes, links, orders."""


def run(quick: bool) -> dict[str, object]:
    """The figures of `bench auction`. AssertionError where one answer is not the optimum."""
    rounds = 3 if quick else 9
    small, large = large_market(10_000), large_market(100_000)
    small_figures, small_outcome = timed(small, rounds)
    large_figures, large_outcome = timed(large, rounds)
    feeders = feeder_market()
    feeders_s, _ = median_seconds(lambda: cleared(feeders), rounds)
    # All in one zone, each at its own price: the one ladder is the longest bit of work there is.
    alone: Market = (1, [], [(0, place % 2, place * TICK, wh) for place, (*_, wh) in enumerate(large[2])])
    random.Random("alone").shuffle(alone[2])
    highs_s, welfare = median_seconds(lambda: welfare_of_program(small), 3)
    gaps = [abs(welfare - small_outcome.welfare_micro)]
    rival = {"highs_s": round(highs_s, 4)}
    if not quick:
        large_highs_s, welfare = median_seconds(lambda: welfare_of_program(large), 1)
        gaps.append(abs(welfare - large_outcome.welfare_micro))
        rival["large_highs_s"] = round(large_highs_s, 4)
    count = 500 if quick else 10_000
    return {
        "orders": len(small[2]),
        "zones": ZONES,
        "borders": len(small[1]),
        **small_figures,
        "large_orders": len(large[2]),
        **{f"large_{name}": value for name, value in large_figures.items()},
        "slice_s_max": slice_seconds_max(large, rounds),
        "one_zone_slice_s_max": slice_seconds_max(alone, rounds),
        "feeders_auction_s": round(feeders_s, 4),
        "feeders_steps": steps_of(feeders),
        **rival,
        "random_markets": count,
        "welfare_gap": max(*gaps, *(welfare_gap(odd_market(seed)) for seed in range(count))),
        "traded_wh": sum(small_outcome.sold_wh),
        "welfare_micro": small_outcome.welfare_micro,
        "rounds": rounds,
        "signature_us": signature_us(),
        "file_system": file_system(Path(tempfile.gettempdir())),
    }


def timed(market: Market, rounds: int) -> tuple[dict[str, object], Outcome]:
    """From orders: to ladders; to the optimum; to the proof that given flows are the optimum; and the whole auction, as
    the ledger does it."""
    nodes, links, entries = market
    ladders_s, ladders = median_seconds(lambda: result_of(collected(TICK, nodes, iter(entries))), rounds)
    problem = Problem(TICK, ladders, links)
    search_s, flows = median_seconds(lambda: result_of(solved(problem)), rounds)
    check_s, fault = median_seconds(lambda: result_of(checked(problem, flows)), rounds)
    auction_s, outcome = median_seconds(lambda: cleared(market), rounds)
    assert fault is None and outcome.method == Method.SOLVED, "flows are not the optimum"
    figures: dict[str, object] = {
        "ladders_s": round(ladders_s, 4),
        "solve_s": round(ladders_s + search_s, 4),
        "check_s": round(ladders_s + check_s, 4),
        "auction_s": round(auction_s, 4),
    }
    return figures, outcome


def median_seconds(work: Callable[[], T], rounds: int) -> tuple[float, T]:
    """CPU time, and what came of it."""
    seconds, results = [], []
    for _ in range(rounds):
        gc.collect()
        start = time.process_time()
        results.append(work())
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), results[-1]


def result_of(steps: Steps[T]) -> T:
    """All of the work at once; unlike `Work`, it also takes work whose result may be None."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def cleared(market: Market) -> Outcome:
    """The whole auction."""
    nodes, links, entries = market
    return result_of(auction(TICK, nodes, links, entries, SOLVER_STEPS_MAX))


def steps_of(market: Market) -> int:
    """How many steps the whole auction takes."""
    nodes, links, entries = market
    work = Work(auction(TICK, nodes, links, entries, SOLVER_STEPS_MAX))
    work.advance_to(SOLVER_STEPS_MAX)
    return work.done


def slice_seconds_max(market: Market, rounds: int) -> float:
    """How long the longest slice of the whole auction takes, as blocks would do it; of each slice the median."""
    slices: list[list[float]] = []
    nodes, links, entries = market
    for _ in range(rounds):
        work = Work(auction(TICK, nodes, links, entries, SOLVER_STEPS_MAX))
        seconds: list[float] = []
        outcome = None
        while outcome is None:
            start = time.process_time()
            outcome = work.advance_to(work.done + SLICE_STEPS)
            seconds.append(time.process_time() - start)
        slices.append(seconds)
    longest: float = max(statistics.median(times) for times in zip(*slices, strict=True))
    return round(longest, 4)


def large_market(orders: int) -> Market:
    """Plain orders of 0.1 to 10 kWh at their own prices, zones that are cheap or dear, a border between any two of
    which some fill. The same each time."""
    chance = random.Random(f"auction {orders}")
    usual = [chance.randrange(2_000_000, 5_000_000) for _ in range(ZONES)]
    entries: list[Entry] = []
    for _ in range(orders):
        node = chance.randrange(ZONES)
        price_micro = (usual[node] + chance.randrange(-1_900_000, 1_900_000)) // TICK * TICK
        entries.append((node, chance.randrange(2), price_micro, chance.randrange(100, 10_001)))
    most_wh = orders * 20
    links = [
        Link(a, b, chance.randrange(most_wh), chance.randrange(most_wh), 300_000)
        for a in range(ZONES)
        for b in range(a)
    ]
    return ZONES, links, entries


def feeder_market() -> Market:
    """What takes the search longest: seven zones with 300 feeders that all have a limit, and 10,000 orders of up to a
    TWh each, so that there are many sizes of portions."""
    chance = random.Random("auction feeders")
    zones, nodes, most_wh = 7, 307, ENERGY_WH_MAX
    borders = [(0, 1), (1, 2), (1, 3), (1, 4), (1, 5), (5, 6), (0, 4)]
    entries = [
        (chance.randrange(nodes), chance.randrange(2), chance.randrange(10**6) * TICK, chance.randrange(1, most_wh))
        for _ in range(10_000)
    ]
    links = [Link(a, b, chance.randrange(most_wh), chance.randrange(most_wh), 300_000) for a, b in borders]
    links += [
        Link(feeder, feeder % zones, chance.randrange(most_wh), chance.randrange(most_wh), 0)
        for feeder in range(zones, nodes)
    ]
    return nodes, links, entries


def odd_market(seed: int) -> Market:
    """A small market; by its seed without ties or all ties, without capacity, with rings of borders, one-sided."""
    chance = random.Random(f"market {seed}")
    nodes = chance.randrange(1, 7)
    prices = chance.choice((1, 2, 5, 40, 6_000))
    most_wh = chance.choice((1, 4, 1_000, 10_000))
    capacity = chance.choice((0, 2, most_wh, 20 * most_wh))
    sides = chance.choice(((0, 1), (0, 1), (0, 1), (0,), (1,)))
    costs = chance.choice(((0,), (300_000,), (0, 300_000, 600_000), (TICK,)))
    pairs = [(a, b) for a in range(nodes) for b in range(nodes) if a != b]
    chosen = chance.sample(pairs, min(len(pairs), chance.randrange(9)))
    links = [
        Link(a, b, chance.randrange(capacity + 1), chance.randrange(capacity + 1), chance.choice(costs))
        for a, b in chosen
    ]
    entries = [
        (
            chance.randrange(nodes),
            chance.choice(sides),
            chance.randrange(prices) * TICK,
            chance.randrange(1, most_wh + 1),
        )
        for _ in range(chance.randrange(25))
    ]
    return nodes, links, entries


def welfare_gap(market: Market) -> int:
    """Between the auction and the linear program, in millionths of a WATT."""
    outcome = cleared(market)
    assert outcome.method == Method.SOLVED, "the ledger's own method did not find the optimum"
    return abs(outcome.welfare_micro - welfare_of_program(market))


def welfare_of_program(market: Market) -> int:
    """The optimum as HiGHS finds it: a variable for each order and each direction of each link, a balance for each
    node. Prices count in ticks, so it is a whole number of millionths of a WATT."""
    nodes, links, entries = market
    gains: list[int] = []
    most_wh, rows, columns, signs = [], [], [], []
    for node, sale, price_micro, quantity_wh in entries:
        rows.append(node)
        columns.append(len(gains))
        signs.append(1 if sale else -1)
        gains.append((price_micro if sale else -price_micro) // TICK)
        most_wh.append(quantity_wh)
    for link in links:
        for start, end, free_wh in ((link.a, link.b, link.forward_free_wh), (link.b, link.a, link.backward_free_wh)):
            rows += [start, end]
            columns += [len(gains)] * 2
            signs += [-1, 1]
            gains.append(link.cost_micro // TICK)
            most_wh.append(free_wh)
    if not gains:
        return 0
    balances = coo_array((signs, (rows, columns)), shape=(nodes, len(gains)))
    found = linprog(gains, A_eq=balances, b_eq=[0] * nodes, bounds=[(0, most) for most in most_wh], method="highs-ds")
    assert found.status == 0, found.message
    return -round(float(found.fun))
