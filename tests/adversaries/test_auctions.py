"""The auction as a target: whoever could make it meet its limit of steps would part the zones (`Method.APART`). Steps
are the auction's own count of its work, which decides how many blocks it takes."""

from collections.abc import Sequence

import pytest

from gridtokenx.ledger.limits import AUCTION_STEPS_MAX
from gridtokenx.modules.market.auction.clearing import Entry, Method, Outcome, auction
from gridtokenx.modules.market.auction.problem import Link
from gridtokenx.modules.market.auction.work import Work

TICK = 1_000
WATT = 10**6
ZONES = 7
ORDERS = 4_000


def cleared(nodes: int, links: Sequence[Link], entries: Sequence[Entry]) -> tuple[Outcome, int]:
    """The outcome and the steps that it took."""
    work = Work(auction(TICK, nodes, links, entries, AUCTION_STEPS_MAX))
    outcome = work.advance_to(2**62)
    assert outcome is not None
    return outcome, work.done


def zones(free_wh: int) -> list[Link]:
    """In a ring."""
    return [Link(zone, (zone + 1) % ZONES, free_wh, free_wh, 300_000) for zone in range(ZONES)]


def flood(spread: int) -> list[Entry]:
    """The smallest orders in turn on both sides, in all zones, over so many ticks."""
    return [(place % ZONES, place % 2, 3 * WATT + place * 7_919 % spread * TICK, 100) for place in range(ORDERS)]


@pytest.mark.parametrize("free_wh", [0, 100, 10**9], ids=["apart", "nearly full", "free"])
@pytest.mark.parametrize("spread", [1, 2_000], ids=["at one price", "at all ticks"])
def test_a_flood_of_small_orders_costs_some_steps_each_and_decides_no_less(spread: int, free_wh: int) -> None:
    outcome, steps = cleared(ZONES, zones(free_wh), flood(spread))
    assert outcome.method == Method.SOLVED
    assert steps <= 8 * ORDERS + 1_000


def test_many_limited_feeders_with_a_few_orders_each_stay_far_from_the_limit() -> None:
    """Each is a place of the auction: enormous orders beside tiny ones, so that no portion is right for all."""
    feeders = 150
    links = zones(10**6)
    entries: list[Entry] = []
    for feeder in range(feeders):
        node, size = ZONES + feeder, feeder % 20
        links.append(Link(node, feeder % ZONES, 10**6 >> size, 1 << size, 0))
        for side in (0, 1, 0, 1):
            ticks = (feeder * 7_919 + side * 104_729) % 2_000
            entries.append((node, side, 2 * WATT + ticks * TICK, 1 << (feeder * 5 + side) % 40))
    outcome, steps = cleared(ZONES + feeders, links, entries)
    assert outcome.method == Method.SOLVED
    assert steps <= AUCTION_STEPS_MAX // 10


def test_an_order_that_is_cut_into_many_trades_no_more_than_whole() -> None:
    """Shares go by place, not by order."""
    others: list[Entry] = [(0, 1, 3 * WATT, 5_000), (0, 0, 4 * WATT, 7_000)]
    whole, _ = cleared(ZONES, zones(0), [*others, (0, 1, 3 * WATT, 4_000)])
    parts, _ = cleared(ZONES, zones(0), [*others, *[(0, 1, 3 * WATT, 100)] * 40])
    assert whole == parts
