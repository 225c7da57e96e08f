"""Auctions as Hypothesis makes them up: one answer, provably best, fair to each order, and no millionth lost (B8).

Small numbers of prices, wheeling and Wh, so that ties are common; big ones, so that nothing rests on their size.
"""

from collections import defaultdict
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog
from tests.unit.modules.market.auction_model import STEPS_MAX, TICK, result_of, run

from gridtokenx.modules.market.auction.check import Fault, checked
from gridtokenx.modules.market.auction.clearing import Entry, Method, Outcome, auction, collected
from gridtokenx.modules.market.auction.ladder import shares
from gridtokenx.modules.market.auction.problem import Link, Problem
from gridtokenx.modules.market.auction.work import Work

Market = tuple[int, list[Link], list[Entry]]


@st.composite
def markets(draw: st.DrawFn, nodes_max: int = 6, wh_max: int = 10**9) -> Market:
    nodes = draw(st.integers(1, nodes_max))
    wh = st.sampled_from([1, 2, 3, wh_max]).flatmap(lambda most: st.integers(1, most))
    ticks = st.sampled_from([0, 1, 3, 30, 10**6]).flatmap(lambda most: st.integers(0, most))
    worth_ticks = st.one_of(ticks, st.integers(-450, 450))
    capacity = st.one_of(st.integers(0, 3), st.integers(0, wh_max), st.just(10**15))
    ends = st.lists(
        st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)).filter(lambda pair: pair[0] != pair[1]),
        max_size=10 if nodes > 1 else 0,
    )
    links = [
        Link(a, b, draw(capacity), draw(capacity), draw(st.sampled_from([0, 1, 2, 300])) * TICK) for a, b in draw(ends)
    ]
    sale = st.tuples(st.integers(0, nodes - 1), st.just(1), ticks.map(TICK.__mul__), wh)
    purchase = st.tuples(st.integers(0, nodes - 1), st.just(0), worth_ticks.map(TICK.__mul__), wh)
    return nodes, links, draw(st.lists(st.one_of(sale, purchase), max_size=30))


def problem_of(market: Market) -> Problem:
    nodes, links, entries = market
    return Problem(TICK, result_of(collected(TICK, nodes, iter(entries))), links)


def dealt(market: Market, outcome: Outcome) -> list[int]:
    """What each order trades, its place being its place in the list: as the ledger will deal it out."""
    at_limit: dict[tuple[int, int], list[int]] = defaultdict(list)
    traded_wh = [0] * len(market[2])
    for place, (node, sale, price_micro, wh) in enumerate(market[2]):
        cut = outcome.cuts[node]
        assert cut is not None
        if price_micro == cut.price_micro:
            at_limit[node, sale].append(place)
        elif (price_micro < cut.price_micro) == bool(sale):
            traded_wh[place] = wh
    for (node, sale), places in at_limit.items():
        cut = outcome.cuts[node]
        assert cut is not None
        given_wh = shares((market[2][place][3] for place in places), cut.sell_wh if sale else cut.buy_wh)
        for place, wh in zip(places, given_wh, strict=True):
            traded_wh[place] = wh
    return traded_wh


@given(markets())
def test_the_ledger_solves_every_market_within_steps_that_do_not_grow_with_quantities(market: Market) -> None:
    work = Work(auction(TICK, *market[:2], market[2], STEPS_MAX))
    outcome = work.advance_to(10**6)
    assert outcome is not None and outcome.method == Method.SOLVED
    assert result_of(checked(problem_of(market), outcome.flows_wh)) is None


@given(markets(), st.data())
def test_all_other_flows_fail(market: Market, data: st.DataObject) -> None:
    links = market[1]
    assume(links)
    flows = run(*market).flows_wh
    other = list(flows)
    moved = data.draw(st.sampled_from([1, -1, 2, 1_000]))
    if data.draw(st.booleans()):
        other[data.draw(st.integers(0, len(links) - 1))] += moved
    else:
        for place in data.draw(st.sampled_from(rings(links))):
            other[place[0]] += moved * place[1]
    assume(tuple(other) != flows)
    fault = result_of(checked(problem_of(market), other))
    assert fault in {Fault.CAPACITY, Fault.POSITION, Fault.NOT_OPTIMAL}


def rings(links: list[Link]) -> list[list[tuple[int, int]]]:
    """Ways over links, each a place and a direction, that follow each other: rings, and parts of them."""
    ways = [[(place, sign)] for place in range(len(links)) for sign in (1, -1)]
    found = list(ways)
    for _ in range(3):
        ways = [
            [*way, *step]
            for way in ways[:40]
            for step in found[: 2 * len(links)]
            if _end(links, way[-1]) == _end(links, (step[0][0], -step[0][1])) and step[0][0] not in {p for p, _ in way}
        ]
        found += ways
    return found


def _end(links: list[Link], step: tuple[int, int]) -> int:
    """Where one arrives."""
    place, sign = step
    return links[place].b if sign > 0 else links[place].a


@given(markets(wh_max=10**5))
def test_welfare_is_that_of_the_linear_program(market: Market) -> None:
    nodes, links, entries = market
    outcome = run(*market)
    if not entries:
        assert outcome.welfare_micro == 0
        return
    worth = [(price if sale else -price) // TICK for _, sale, price, _ in entries]
    carrying = [link.cost_micro // TICK for link in links]
    rows = [
        [(1 if sale else -1) * (node == own) for own, sale, _, _ in entries]
        + [sign * ((link.b == node) - (link.a == node)) for sign in (1, -1) for link in links]
        for node in range(nodes)
    ]
    most = [wh for *_, wh in entries]
    most += [min(link.forward_free_wh, 10**8) for link in links]
    most += [min(link.backward_free_wh, 10**8) for link in links]
    found = linprog(
        [*worth, *carrying, *carrying], A_eq=rows, b_eq=[0] * nodes, bounds=[(0, each) for each in most], method="highs"
    )
    assert found.status == 0
    # Prices in ticks times Wh: with a tick of a thousandth of a WATT per kWh these are millionths of a WATT.
    assert abs(outcome.welfare_micro + found.fun) <= 1e-9 * max(1, outcome.welfare_micro)
    assert round(-found.fun) == outcome.welfare_micro


@given(markets())
def test_no_order_trades_beyond_its_limit_and_none_with_a_better_one_is_left_out(market: Market) -> None:
    nodes, _, entries = market
    outcome = run(*market)
    traded_wh = dealt(market, outcome)
    for (node, sale, limit, wh), own_wh in zip(entries, traded_wh, strict=True):
        price, cut = outcome.prices_micro[node], outcome.cuts[node]
        assert 0 <= own_wh <= wh and cut is not None
        better = None if price is None else limit < price if sale else limit > price
        if own_wh:
            assert price is not None
            assert better or limit == price
        if own_wh < wh and better:
            # Only where the ladder was cut in the middle of a step, and then the price is that step's.
            assert limit == cut.price_micro
    for node in range(nodes):
        for sale, told_wh in ((1, outcome.sold_wh[node]), (0, outcome.bought_wh[node])):
            own = [wh for wh, entry in zip(traded_wh, entries, strict=True) if entry[:2] == (node, sale)]
            assert sum(own) == told_wh
    # Earlier places at one limit first: who gets less than it wants is the last who gets anything.
    levels: dict[tuple[int, int, int], list[tuple[int, int]]] = defaultdict(list)
    for (node, sale, limit, wh), own_wh in zip(entries, traded_wh, strict=True):
        levels[node, sale, limit].append((own_wh, wh))
    for level in levels.values():
        assert all(not later[0] or earlier[0] == earlier[1] for earlier, later in pairwise(level))


@given(markets())
def test_energy_and_money_are_conserved_to_the_last_unit(market: Market) -> None:
    _, links, entries = market
    outcome = run(*market)
    traded_wh = dealt(market, outcome)
    assert sum(outcome.net_wh) == 0 and sum(outcome.sold_wh) == sum(outcome.bought_wh)
    paid = received = worth = 0
    for (node, sale, limit, _), own_wh in zip(entries, traded_wh, strict=True):
        price = outcome.prices_micro[node]
        if own_wh:
            assert price is not None and price * own_wh % 1_000 == 0
            if sale:
                received += price * own_wh // 1_000
                worth -= limit * own_wh // 1_000
            else:
                paid += price * own_wh // 1_000
                worth += limit * own_wh // 1_000
    assert paid == received + sum(outcome.wheeling_micro) + sum(outcome.rents_micro)
    assert worth - sum(outcome.wheeling_micro) == outcome.welfare_micro >= 0
    for link, wheeling_micro, flow_wh in zip(links, outcome.wheeling_micro, outcome.flows_wh, strict=True):
        assert wheeling_micro * 1_000 == link.cost_micro * abs(flow_wh)


@given(markets())
def test_energy_flows_only_where_the_price_rises_by_wheeling_and_rent_is_of_full_links_alone(market: Market) -> None:
    _, links, _ = market
    outcome = run(*market)
    for link, flow_wh, rent_micro in zip(links, outcome.flows_wh, outcome.rents_micro, strict=True):
        price_a, price_b = outcome.prices_micro[link.a], outcome.prices_micro[link.b]
        forward, free_wh = flow_wh > 0, link.forward_free_wh if flow_wh > 0 else link.backward_free_wh
        assert rent_micro >= 0
        assert not rent_micro or abs(flow_wh) == free_wh
        if price_a is None or price_b is None:
            assert flow_wh == 0
            continue
        rise = price_b - price_a if forward else price_a - price_b
        if flow_wh:
            assert rise >= link.cost_micro
            assert abs(flow_wh) <= free_wh
        if -link.backward_free_wh < flow_wh < link.forward_free_wh:
            assert abs(rise) <= link.cost_micro


@given(markets())
def test_a_price_has_the_tick_and_every_node_that_trades_has_a_price(market: Market) -> None:
    outcome = run(*market)
    for price, sold_wh, bought_wh in zip(outcome.prices_micro, outcome.sold_wh, outcome.bought_wh, strict=True):
        assert price is None or price % TICK == 0
        assert price is not None or sold_wh == bought_wh == 0
