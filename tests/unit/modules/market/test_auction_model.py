"""The auction against the one that tries everything (B8)."""

import random

import pytest
from tests.unit.modules.market.auction_model import (
    TICK,
    all_flows,
    best_flows,
    best_gain,
    middle_prices,
    result_of,
    run,
    sides,
)

from gridtokenx.modules.market.auction.check import checked
from gridtokenx.modules.market.auction.clearing import Entry, Method, collected
from gridtokenx.modules.market.auction.problem import Link, Problem

SHAPES = [
    (1, []),
    (2, [(0, 1)]),
    (2, [(0, 1), (0, 1)]),
    (3, [(0, 1), (1, 2)]),
    (3, [(0, 1), (1, 2), (2, 0)]),
    (4, [(0, 1), (1, 2), (2, 3), (3, 0)]),
]
"""Nodes, and who is joined: alone, a pair, a pair with two lines, a line of three, rings."""

TINY = tuple[int, list[Link], list[Entry]]


def tiny_market(seed: int) -> TINY:
    """A few Wh and few prices, so that ties are the rule."""
    chance = random.Random(seed)
    nodes, ends = SHAPES[seed % len(SHAPES)]
    spread = chance.choice((1, 2, 4, 8))
    links = [
        Link(a, b, chance.randrange(3), chance.randrange(3), chance.choice((0, 0, TICK, 2 * TICK))) for a, b in ends
    ]
    entries = [
        (chance.randrange(nodes), chance.randrange(2), chance.randrange(spread) * TICK, chance.randrange(1, 4))
        for _ in range(chance.randrange(9))
    ]
    return nodes, links, entries


@pytest.mark.parametrize("first", range(0, 600, 60))
def test_flows_and_welfare_are_those_of_the_model_and_exactly_one_answer_passes(first: int) -> None:
    for seed in range(first, first + 60):
        nodes, links, entries = tiny_market(seed)
        outcome = run(nodes, links, entries)
        flows, welfare = best_flows(nodes, links, entries)
        assert outcome.method == Method.SOLVED
        assert outcome.flows_wh == flows, seed
        assert outcome.welfare_micro * 1_000 == welfare, seed
        problem = Problem(TICK, result_of(collected(TICK, nodes, iter(entries))), links)
        passing = [tried for tried in all_flows(links) if result_of(checked(problem, tried)) is None]
        assert passing == [flows], seed


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_prices_are_the_middle_of_all_that_support_the_trades(first: int) -> None:
    for seed in range(first, first + 20):
        nodes, links, entries = tiny_market(seed)
        if nodes > 3:
            continue
        outcome = run(nodes, links, entries)
        assert list(outcome.prices_micro) == middle_prices(nodes, links, entries, outcome.flows_wh), seed


@pytest.mark.parametrize("first", range(0, 600, 100))
def test_a_node_trades_what_gains_most_and_of_that_as_much_as_it_can(first: int) -> None:
    for seed in range(first, first + 100):
        nodes, links, entries = tiny_market(seed)
        outcome = run(nodes, links, entries)
        for node in range(nodes):
            sales, purchases = sides(entries, node)
            sold_wh, bought_wh = outcome.sold_wh[node], outcome.bought_wh[node]
            gain = best_gain(entries, node, outcome.net_wh[node])
            assert sold_wh - bought_wh == outcome.net_wh[node]
            assert sum(purchases[:bought_wh]) - sum(sales[:sold_wh]) == gain, seed
            # One more pair of them would lose.
            more = purchases[bought_wh : bought_wh + 1], sales[sold_wh : sold_wh + 1]
            assert not all(more) or more[0][0] < more[1][0], seed
