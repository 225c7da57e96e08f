"""The auction in slices, what it refuses, its limit of steps, and the parts that the ledger uses one by one (B8)."""

import random

import pytest
from tests.unit.modules.market.auction_model import STEPS_MAX, TICK, result_of, run

from gridtokenx.modules.market.auction.check import Fault, checked
from gridtokenx.modules.market.auction.clearing import Entry, Method, Outcome, auction, collected
from gridtokenx.modules.market.auction.ladder import Cut, Ladder, shares
from gridtokenx.modules.market.auction.problem import Flows, Link, Problem
from gridtokenx.modules.market.auction.work import Steps, Work

LINKS = [
    Link(0, 1, 40_000, 30_000, 3 * TICK),
    Link(1, 2, 20_000, 90_000, 3 * TICK),
    Link(2, 3, 50_000, 0, 0),
    Link(3, 0, 10_000, 10_000, 3 * TICK),
]
NODES = 4


def orders(count: int = 3_000) -> list[Entry]:
    """Dearer from node to node, so that energy flows."""
    chance = random.Random(8)
    nodes = [chance.randrange(NODES) for _ in range(count)]
    return [
        (node, chance.randrange(2), (20 * node + chance.randrange(50)) * TICK, chance.randrange(100, 900))
        for node in nodes
    ]


def started(solver_steps_max: int = STEPS_MAX) -> Steps[Outcome]:
    return auction(TICK, NODES, LINKS, orders(), solver_steps_max)


def problem() -> Problem:
    return Problem(TICK, result_of(collected(TICK, NODES, iter(orders()))), LINKS)


def in_slices(steps: int) -> Outcome:
    work = Work(started())
    while (outcome := work.advance_to(work.done + steps)) is None:
        pass
    return outcome


@pytest.mark.parametrize("steps", [1, 700, 10**9])
def test_slices_of_any_size_end_at_the_same_outcome(steps: int) -> None:
    assert in_slices(steps) == result_of(started())


def test_after_a_restart_the_number_of_steps_done_says_where_to_go_on() -> None:
    lived = Work(started())
    finished: Outcome | None = None
    ends = []
    while finished is None:
        before = lived.done
        finished = lived.advance_to(before + 400)
        restored = Work(started())
        assert restored.advance_to(before) is None
        assert restored.done == before
        assert restored.advance_to(before + 400) == finished
        assert restored.done == lived.done
        ends.append(lived.done)
    assert len(ends) > 5


def test_no_bit_of_the_work_is_long() -> None:
    longest = max(started())
    # An order or price is a step; of this market no ladder has as many prices as one bit reads orders.
    assert longest <= 500


def test_orders_in_any_order_or_summed_by_price_are_the_same_auction() -> None:
    whole = orders()
    shuffled = random.Random(1).sample(whole, len(whole))
    levels: dict[tuple[int, int, int], int] = {}
    for node, sale, price_micro, wh in whole:
        levels[node, sale, price_micro] = levels.get((node, sale, price_micro), 0) + wh
    summed = [(*level, wh) for level, wh in levels.items()]
    assert run(NODES, LINKS, shuffled) == run(NODES, LINKS, whole) == run(NODES, LINKS, summed)


def test_at_the_limit_of_steps_nothing_flows_and_each_node_is_cleared_by_itself() -> None:
    outcome = result_of(started(solver_steps_max=40))
    assert outcome.method == Method.APART
    alone = run(NODES, [], orders())
    assert outcome.flows_wh == (0,) * len(LINKS)
    assert outcome.prices_micro == alone.prices_micro
    assert outcome.cuts == alone.cuts
    assert outcome.sold_wh == outcome.bought_wh == alone.sold_wh
    assert outcome.welfare_micro == alone.welfare_micro < result_of(started()).welfare_micro


@pytest.mark.parametrize(
    ("flows", "fault"),
    [
        ((0, 0, 0), Fault.LENGTH),
        ((0, 0, 0, 0, 0), Fault.LENGTH),
        ((40_001, 0, 0, 0), Fault.CAPACITY),
        ((0, 0, -1, 0), Fault.CAPACITY),
        ((0, 0, 0, 0), Fault.NOT_OPTIMAL),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong(flows: Flows, fault: Fault) -> None:
    assert result_of(checked(problem(), flows)) is fault


def test_an_answer_that_exports_more_than_is_for_sale_is_refused() -> None:
    ladders = result_of(collected(TICK, 2, iter([(0, 1, TICK, 100), (1, 0, 9 * TICK, 100)])))
    poor = Problem(TICK, ladders, [Link(0, 1, 500, 500, 0)])
    assert result_of(checked(poor, (101,))) is Fault.POSITION
    assert result_of(checked(poor, (-1,))) is Fault.POSITION
    assert result_of(checked(poor, (100,))) is None


@pytest.mark.parametrize(
    ("tick", "link", "entry", "words"),
    [
        (TICK, Link(0, 2, 1, 1, 0), (0, 0, TICK, 1), "joins nodes 0 and 2 of 2"),
        (TICK, Link(1, 1, 1, 1, 0), (0, 0, TICK, 1), "joins nodes 1 and 1"),
        (TICK, Link(0, 1, -1, 1, 0), (0, 0, TICK, 1), "less than no free capacity"),
        (TICK, Link(0, 1, 1, 1, -TICK), (0, 0, TICK, 1), "not on the tick"),
        (TICK, Link(0, 1, 1, 1, 1), (0, 0, TICK, 1), "not on the tick"),
        (TICK, Link(0, 1, 1, 1, 0), (0, 0, TICK, 0), "an entry of 0 Wh"),
        (TICK, Link(0, 1, 1, 1, 0), (0, 0, TICK + 1, 1), "at 1001"),
        (500, Link(0, 1, 1, 1, 0), (0, 0, TICK, 1), "a tick of 500"),
        (0, Link(0, 1, 1, 1, 0), (0, 0, TICK, 1), "a tick of 0"),
    ],
)
def test_what_no_chain_should_hold_is_a_bug_that_is_named(tick: int, link: Link, entry: Entry, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        result_of(auction(tick, 2, [link], [entry], STEPS_MAX))


def test_a_ladder_is_cut_at_every_height() -> None:
    ladder = Ladder([TICK, 2 * TICK], [2, 1], [0, 3])
    assert (ladder.sales_wh, ladder.purchases_wh, ladder.height_wh) == (3, 3, 6)
    assert [ladder.price_of(number) for number in range(1, 7)] == [TICK] * 2 + [2 * TICK] * 4
    cuts = [ladder.cut(position) for position in range(7)]
    assert cuts == [
        Cut(TICK, 0, 0),
        Cut(TICK, 1, 0),
        Cut(TICK, 2, 0),
        Cut(2 * TICK, 1, 3),
        Cut(2 * TICK, 1, 2),
        Cut(2 * TICK, 1, 1),
        Cut(2 * TICK, 1, 0),
    ]
    # On the first step the purchases at the second one's price are above the cut: they trade in full.
    bought = [(3 if cut and cut.price_micro == TICK else 0) + (cut.buy_wh if cut else 0) for cut in cuts]
    assert [ladder.sold_wh(position) - wh for position, wh in enumerate(bought)] == [n - 3 for n in range(7)]
    assert Ladder([], [], []).cut(0) is None


@pytest.mark.parametrize(
    ("waiting", "available", "given"),
    [
        ([5, 5, 5], 7, [5, 2, 0]),
        ([5, 5, 5], 15, [5, 5, 5]),
        ([5, 5, 5], 0, [0, 0, 0]),
        ([], 0, []),
    ],
)
def test_at_one_limit_the_earlier_comes_first(waiting: list[int], available: int, given: list[int]) -> None:
    assert list(shares(iter(waiting), available)) == given


def test_huge_quantities_and_a_hundred_nodes_in_a_ring_end_at_the_optimum() -> None:
    chance = random.Random(3)
    nodes = 100
    links = [Link(node, (node + 1) % nodes, chance.randrange(10**12), 10**12, 300 * TICK) for node in range(nodes)]
    entries = [
        (chance.randrange(nodes), chance.randrange(2), chance.randrange(10**6) * TICK, chance.randrange(1, 10**12))
        for _ in range(2_000)
    ]
    outcome = run(nodes, links, entries)
    assert outcome.method == Method.SOLVED
    assert any(outcome.flows_wh)
