"""Capacity as a weapon: borders that an attacker fills and empties, feeders that are full, orders that wait apart."""

import pytest
from tests.adversaries.ground import HOME_FEEDERS, Ground, eve, neighbour
from tests.adversaries.test_floods import LOOK, PURCHASE, STEP, STORAGE, dust, offered
from tests.world import NOON, WATT, buy, sell

from gridtokenx.ledger.limits import MATCH_STEPS_PER_ORDER_MAX
from gridtokenx.modules.grid.messages import LinkKind, SetCapacity
from gridtokenx.modules.grid.state import REOPENED
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market import crossing
from gridtokenx.modules.market.messages import PlaceOrder, Scope

FULL_WH = 1_000
MASK = 1 << STORAGE
Pair = tuple[tuple[str, PlaceOrder], tuple[str, PlaceOrder]]


def there(name: str, energy_wh: int = 100) -> Pair:
    """A sale in the first zone and a purchase in the second, of two strangers who work together."""
    sale = sell(eve(11), energy_wh, NOON, WATT, name, source=STORAGE)
    return (eve(11), sale), (eve(21), buy(eve(21), energy_wh, NOON, 2 * WATT, name, source=MASK))


def back(name: str) -> Pair:
    """The same the other way: it gives the border capacity again."""
    sale = sell(eve(21), 100, NOON, 1_400_000, name, source=STORAGE)
    return (eve(21), sale), (eve(11), buy(eve(11), 100, NOON, 4 * WATT, name, source=MASK))


def waiting_apart(ground: Ground) -> None:
    """As many fronts as there can be that would trade if a border between them carried anything: cheap sales of each
    source and scope on this side, dear purchases of each mask on the other."""
    for feeder in HOME_FEEDERS[:3]:
        sales = [
            sell(eve(feeder), 100, NOON, 2 * WATT, f"{source} {scope}", source=int(source), scope=scope)
            for source in Source
            for scope in (Scope.ANYWHERE, Scope.ZONE)
        ]
        ground.do(eve(feeder), *sales)
    for feeder in HOME_FEEDERS[3:]:
        purchases = [
            buy(eve(feeder), 100, NOON, 9 * WATT, f"{mask} {scope}", source=mask, scope=scope)
            for mask in range(1, 128)
            for scope in (Scope.ANYWHERE, Scope.ZONE)
        ]
        ground.do(eve(feeder), *purchases)


def cycled(ground: Ground, rounds: int) -> list[int]:
    """Empty the border by a trade and fill it again, so often: the work of each order."""
    work = []
    for round_ in range(rounds):
        for sale, purchase in (back(f"back {round_}"), there(f"there {round_}")):
            for who, order in (sale, purchase):
                work.append(ground.work(who, order))
                ((_, filled_wh, _),) = ground.do(who, order)
            assert filled_wh == 100
    return work


def full_border(watched: bool = False) -> Ground:
    """The border between the first two zones is full, and nothing crosses that of the third."""
    ground = Ground(borders_wh={1: FULL_WH, 3: 0}, watched=watched)
    for who, order in there("fill", FULL_WH):
        ground.do(who, order)
    return ground


def test_filling_and_emptying_a_border_costs_a_look_at_who_waits_and_real_money_each_time() -> None:
    """Each round looks for who may meet, once. It costs the attackers wheeling and fees of two trades."""
    calm, crowded = full_border(), full_border()
    waiting_apart(crowded)
    fronts = crowded.fronts()
    assert fronts > 1_000
    in_calm, in_crowd = cycled(calm, 3), cycled(crowded, 3)
    assert max(in_crowd) <= max(in_calm) + LOOK * fronts
    assert max(in_crowd[4:8]) <= max(in_crowd[:4]) * 21 // 20, "rounds do not add up"


def test_what_a_round_of_filling_and_emptying_costs() -> None:
    """0.75 of wheeling and fees both ways: 0.15 WATT for 100 Wh there and back, before anything is undelivered."""
    ground = full_border(watched=True)
    accounts = [ground.world.account(eve(feeder)) for feeder in (11, 21)]
    before = sum(account.held_micro for account in accounts)
    cycled(ground, 2)
    value_micro = 2 * (140_000 + 100_000)
    wheeling_micro = 4 * 75_000
    grid_fee_micro = value_micro // 100
    accounts = [ground.world.account(eve(feeder)) for feeder in (11, 21)]
    assert sum(account.held_micro for account in accounts) - before > value_micro + wheeling_micro + grid_fee_micro


def test_a_full_feeder_costs_others_one_look() -> None:
    ground = offered(Ground(more_feeders=200, closed_feeders=True))
    calm = ground.work("buyer", PURCHASE)
    for feeder in ground.more:
        ground.do(eve(feeder), *dust(feeder, 1, WATT))
    assert ground.work("buyer", PURCHASE) <= calm + LOOK * len(ground.more)
    ((_, filled_wh, _),) = ground.do("buyer", PURCHASE)
    assert filled_wh == 1_000


def test_feeders_that_fill_one_after_the_other_are_a_step_and_a_look_each() -> None:
    """The worst way for an order to go: each offer that it meets fills its feeder, and it looks again from there."""
    ground = offered(Ground(more_feeders=60, closed_feeders=True))
    for feeder in ground.more:
        ground.do("pea", SetCapacity(LinkKind.FEEDER, feeder, 0, NOON, 1, 400, 400))
        ground.do(eve(feeder), sell(eve(feeder), 200, NOON, 2_500_000, "offer", source=STORAGE))
    count = len(ground.more)
    large = buy("buyer", 100 * count, NOON, 5 * WATT, "victim")
    assert ground.work("buyer", large) <= STEP * 2 * count + LOOK * count * count
    ((_, filled_wh, _),) = ground.do("buyer", large)
    assert filled_wh == 100 * count


def test_many_that_waited_apart_meet_in_steps_and_nobody_comes_between() -> None:
    """One transaction opens a border for more than its steps: who comes in the same block stands behind them, and when
    the block ends no two are left that could meet."""
    ground = Ground(borders_wh={1: 0})
    pairs = 2 * MATCH_STEPS_PER_ORDER_MAX
    ground.do(eve(11), *[sell(eve(11), 100, NOON, WATT, f"waits {number}", source=STORAGE) for number in range(pairs)])
    purchases = [buy(eve(21), 100, NOON, 2 * WATT, f"waits {number}", source=MASK) for number in range(pairs)]
    ground.do(eve(21), *purchases)
    world = ground.world
    opens = SetCapacity(LinkKind.BORDER, 1, 2, NOON, 1, 10**9, 10**9)
    world.run(world.sign("egat", opens), world.sign("buyer", PURCHASE))
    # The highest purchase is the first to meet, then the others: one of them is left, for the victim took ten sales.
    assert len(world.trades) == pairs
    assert not world.state.rows[REOPENED.prefix]
    assert ground.open_orders() == 10


@pytest.mark.parametrize("closed", [False, True], ids=["that stay on it", "whose feeder is full"])
def test_who_came_in_behind_them_meets_its_own_feeder_too(monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    """What rests while others meet has met nobody: also who only trades on its feeder, or whose feeder is full, has its
    turn, so that no two orders are left that could meet."""
    monkeypatch.setattr(crossing, "MATCH_STEPS_PER_ORDER_MAX", 2)
    ground = Ground(borders_wh={1: 0}, more_feeders=1, closed_feeders=closed, watched=True)
    for number in range(5):
        for who, order in there(f"waits {number}"):
            ground.do(who, order)
    world, (feeder,) = ground.world, ground.more
    scope = Scope.ANYWHERE if closed else Scope.FEEDER
    seller, buyer = eve(feeder), neighbour(feeder)
    sale = sell(seller, 500, NOON, 3 * WATT, "beside", scope=scope)
    purchase = buy(buyer, 500, NOON, 4 * WATT, "beside", scope=scope, source=1 << Source.SOLAR)
    opens = SetCapacity(LinkKind.BORDER, 1, 2, NOON, 1, 4_000, 4_000)
    world.run(world.sign("egat", opens), world.sign(seller, sale), world.sign(buyer, purchase))
    assert ground.open_orders() == 0
