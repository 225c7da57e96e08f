"""Floods of orders: what they cost whoever sends them, and what they do to others. Placing costs no money, but each
open order is covered, and stands within what its owner's connection can take or give: no more orders than that over
the smallest order (100 Wh). What is asserted is work (`work.py`), never time.
"""

import pytest
from tests.adversaries.ground import HOME_FEEDERS, Ground, eve
from tests.adversaries.work import work_of
from tests.world import MINUTE_MS, NOON, WATT, at, buy, pseudonym, sell

from gridtokenx.ledger import limits
from gridtokenx.ledger.limits import ICEBERG_PARTS_MAX, MATCH_STEPS_PER_ORDER_MAX
from gridtokenx.ledger.schedule import DUE, FORGOTTEN_KEPT, SCHEDULE
from gridtokenx.modules.identity.messages import Source, SuspendParticipant
from gridtokenx.modules.market.messages import AmendOrder, CancelOrder, PlaceOrder, Scope, TimeInForce
from gridtokenx.modules.market.state import EXPIRE_ORDER, ORDERS

PURCHASE = buy("buyer", 1_000, NOON, 5 * WATT, "victim")
SALE = sell("seller", 1_000, NOON, 2 * WATT, "victim")
OFFER = sell("seller", 1_000, NOON, 3 * WATT, "offer")
STORAGE = int(Source.STORAGE)
STEP = 1_500
"""Instructions that meeting one more order may cost."""
NEXT_PART = 2_500
"""The same of an iceberg's next part, for which the book is looked at again."""
LOOK = 60
"""Instructions that one more front, or one more feeder that is full, may cost an order."""


def offered(ground: Ground) -> Ground:
    """With an offer in the next zone and a bid on the first feeder, which the victims' orders meet."""
    ground.do("seller", OFFER)
    ground.do("buyer", buy("buyer", 1_000, NOON, 3 * WATT, "bid"))
    return ground


def dust(feeder: int, count: int, price_micro: int, tick_micro: int = 0) -> list[PlaceOrder]:
    """The smallest sales there are, at one price or at as many."""
    return [
        sell(eve(feeder), 100, NOON, price_micro + tick_micro * number, f"dust {number}", source=STORAGE)
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def calm() -> tuple[int, int]:
    """The work of the victims' orders without an attack."""
    ground = offered(Ground())
    return ground.work("buyer", PURCHASE), ground.work("seller", SALE)


@pytest.mark.parametrize("tick_micro", [0, 1_000], ids=["at one price", "at each tick"])
def test_dust_behind_the_best_offer_costs_others_nothing(calm: tuple[int, int], tick_micro: int) -> None:
    ground = offered(Ground())
    for feeder in (11, 21, 31):
        ground.do(eve(feeder), *dust(feeder, 1_000, 4 * WATT, tick_micro))
    assert ground.work("buyer", PURCHASE) <= calm[0] * 5 // 4
    assert ground.work("seller", SALE) <= calm[1] * 5 // 4


def test_dust_in_front_is_what_the_victim_buys_and_each_grain_is_one_step(calm: tuple[int, int]) -> None:
    """Whoever wants to cost others their steps has to sell to them, cheaper than anybody."""
    ground = offered(Ground())
    ground.do(eve(21), *dust(21, MATCH_STEPS_PER_ORDER_MAX + 50, 2_500_000))
    large = buy("buyer", 100_000, NOON, 5 * WATT, "victim")
    assert ground.work("buyer", large) <= calm[0] + STEP * MATCH_STEPS_PER_ORDER_MAX
    ((_, filled_wh, resting_wh),) = ground.do("buyer", large)
    assert (filled_wh, resting_wh) == (100 * MATCH_STEPS_PER_ORDER_MAX, 0)


def test_an_order_on_each_of_many_feeders_costs_others_nothing(calm: tuple[int, int]) -> None:
    ground = offered(Ground(more_feeders=200))
    for feeder in ground.more:
        ground.do(eve(feeder), *dust(feeder, 1, 4 * WATT))
    assert ground.work("buyer", PURCHASE) <= calm[0] * 5 // 4


def test_offers_that_stay_on_their_feeders_are_not_looked_at(calm: tuple[int, int]) -> None:
    ground = offered(Ground(more_feeders=200))
    for feeder in ground.more:
        ground.do(eve(feeder), sell(eve(feeder), 100, NOON, WATT, "dust", source=STORAGE, scope=Scope.FEEDER))
    assert ground.work("buyer", PURCHASE) <= calm[0] * 21 // 20


def filtered(feeder: int, deep: int) -> list[PlaceOrder]:
    """Dear purchases of everything but solar, with each mask and scope, so many of each."""
    masks = [mask for mask in range(1, 128) if not mask >> Source.SOLAR & 1]
    return [
        buy(eve(feeder), 100, NOON, 9 * WATT, f"{mask} {scope} {place}", source=mask, scope=scope)
        for mask in masks
        for scope in (Scope.ANYWHERE, Scope.ZONE)
        for place in range(deep)
    ]


def test_filters_that_nobody_meets_cost_one_look_however_much_stands_behind_them(calm: tuple[int, int]) -> None:
    """The most there can be: each zone, mask and scope. They are no steps: the seller fills in full."""
    ground = offered(Ground())
    for feeder in HOME_FEEDERS:
        ground.do(eve(feeder), *filtered(feeder, 1))
    fronts = ground.fronts()
    assert fronts > 800
    once = ground.work("seller", SALE)
    assert once <= calm[1] + LOOK * fronts
    for feeder in HOME_FEEDERS[:2]:
        known = {order.client_id for order in filtered(feeder, 1)}
        ground.do(eve(feeder), *[order for order in filtered(feeder, 5) if order.client_id not in known])
    assert ground.fronts() == fronts
    assert ground.work("seller", SALE) <= once * 21 // 20
    ((_, filled_wh, _),) = ground.do("seller", SALE)
    assert filled_wh == 1_000


def test_amendments_move_nobody_else(calm: tuple[int, int]) -> None:
    """Each of them is paid with a message; of those that keep the place each costs less than the order did."""
    ground = offered(Ground())
    ground.do(eve(21), *dust(21, 50, 4 * WATT))
    spam = sell(eve(21), 100_000, NOON, 3 * WATT, "spam", source=STORAGE)
    placing = ground.work(eve(21), spam)
    ground.do(eve(21), spam)
    name = pseudonym("spam")
    assert ground.work(eve(21), AmendOrder(name, 3 * WATT, 99_000)) <= placing
    assert ground.work(eve(21), AmendOrder(name, 4 * WATT, 99_000)) <= 2 * placing
    for round_ in range(5):
        smaller = [AmendOrder(name, 3 * WATT, 100_000 - 100 * (100 * round_ + number + 1)) for number in range(100)]
        away = [AmendOrder(name, price * WATT, smaller[-1].remaining_wh) for price in (4, 3)]
        ground.do(eve(21), *smaller, *away)
    assert ground.work("buyer", PURCHASE) <= calm[0] * 5 // 4


def test_a_storm_of_cancels_leaves_nothing_behind_in_state_or_memory(calm: tuple[int, int]) -> None:
    ground = offered(Ground())
    state, before = ground.world.state, ground.open_orders()
    for round_ in range(6):
        names = [f"storm {round_} {number}" for number in range(500)]
        until = {"force": TimeInForce.GOOD_TILL_TIME, "good_till_ms": at(11)}
        ground.do(eve(21), *[sell(eve(21), 100, NOON, 4 * WATT, name, source=STORAGE, **until) for name in names])
        ground.do(eve(21), *[CancelOrder(pseudonym(name)) for name in names])
    assert ground.open_orders() == before
    due = state.rows[SCHEDULE.prefix]
    assert not [key for key in due if key[8] == EXPIRE_ORDER]
    assert len(state.index(DUE)) <= 2 * len(due) + FORGOTTEN_KEPT + 500
    assert ground.work("buyer", PURCHASE) <= calm[0] * 21 // 20


def test_an_iceberg_comes_back_twenty_times_at_most_and_each_time_is_one_step(calm: tuple[int, int]) -> None:
    ground = offered(Ground())
    ground.do(eve(21), sell(eve(21), 2_000, NOON, 2_500_000, "ice", source=STORAGE, display_wh=100))
    eaten = buy("buyer", 2_000, NOON, 5 * WATT, "victim")
    assert ground.work("buyer", eaten) <= calm[0] + NEXT_PART * ICEBERG_PARTS_MAX
    ((_, filled_wh, _),) = ground.do("buyer", eaten)
    assert filled_wh == 2_000 and len(ground.world.trades) == ICEBERG_PARTS_MAX


def test_a_pile_that_expires_is_cleared_away_before_the_orders_of_its_block() -> None:
    ground = Ground()
    ground.do("seller", OFFER)
    until = {"force": TimeInForce.GOOD_TILL_TIME, "good_till_ms": at(10, 30)}
    pile = [sell(eve(21), 100, NOON, WATT, f"pile {number}", source=STORAGE, **until) for number in range(600)]
    ground.do(eve(21), *pile)
    ground.world.skip_to(at(10, 30) - MINUTE_MS)
    purchase = ground.world.sign("buyer", PURCHASE)
    ground.world.run(purchase, time_ms=at(10, 30))
    assert ground.open_orders() == 0 and len(ground.world.trades) == 1


def test_of_a_pile_that_takes_several_blocks_each_order_clears_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the steps of a block what has expired is still met, without trading: then a victim's order may end at its
    limit of steps, and that many of the pile are gone with it."""
    monkeypatch.setattr(limits, "SCHEDULED_STEPS_PER_BLOCK_MAX", 10)
    ground = Ground()
    ground.do("seller", OFFER)
    until = {"force": TimeInForce.GOOD_TILL_TIME, "good_till_ms": at(10, 30)}
    pile = [sell(eve(21), 100, NOON, WATT, f"pile {number}", source=STORAGE, **until) for number in range(400)]
    ground.do(eve(21), *pile)
    ground.world.skip_to(at(10, 30) - MINUTE_MS)
    purchase, again = (ground.world.sign("buyer", buy("buyer", 1_000, NOON, 5 * WATT, name)) for name in ("one", "two"))
    first, second = ground.world.run(purchase, again, time_ms=at(10, 30))
    assert first.results[0][1:] == (0, 0) and second.results[0][1:] == (1_000, 0)
    assert ground.open_orders() == 0


def test_for_many_changes_of_the_registrar_in_a_block_all_orders_are_looked_at_once() -> None:
    ground = Ground()
    for feeder in (11, 21, 31):
        ground.do(eve(feeder), *dust(feeder, 1_000, 4 * WATT))
    world = ground.world

    def work_of_changes(feeders: tuple[int, ...], suspended: bool) -> int:
        changes = [SuspendParticipant(pseudonym(eve(feeder)), suspended) for feeder in feeders]
        batch = world.batch(world.sign("registrar", *changes))
        return work_of(lambda: world.block(batch))

    one, four = work_of_changes((41,), True), work_of_changes((51, 61, 71, 41), False)
    assert four - one < one / 2
    work_of_changes((11, 51, 31), True)
    assert {order.participant for _, order in world.state.items(ORDERS)} == {pseudonym(eve(21))}
