"""Block orders that wait: how many, how many orders an attempt meets, and how a round is spread over blocks (B5)."""

import pytest
from tests.invariants import Watch
from tests.world import NOON, WATT, Founding, World, at, pseudonym, sell

from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market import block_orders
from gridtokenx.modules.market.messages import PlaceBlockOrder, Side, TimeInForce
from gridtokenx.modules.market.state import BLOCK_ORDERS

BUYERS = ("ann", "bob", "cat")


@pytest.fixture
def world() -> World:
    founding = Founding(time_ms=at(10))
    founding.add_home("plant", export_w={Source.CONVENTIONAL: 400_000}, balance_micro=10**6 * WATT)
    for name in BUYERS:
        founding.add_home(name, import_w=400_000, balance_micro=10**6 * WATT)
    world = founding.start()
    Watch(world)
    return world


def purchase(
    who: str, energy_wh: int = 1_000, force: TimeInForce = TimeInForce.GOOD_TILL_GATE, name: str = "block"
) -> PlaceBlockOrder:
    """Of two intervals from noon on, of any source."""
    return PlaceBlockOrder(pseudonym(who), pseudonym(name), NOON, 2, Side.BUY, 5 * WATT, energy_wh, 127, force, 0)


def offer(world: World, count: int, energy_wh: int) -> None:
    """So many sales in each of the two intervals."""
    for interval in (NOON, NOON + 1):
        for number in range(count):
            order = sell("plant", energy_wh, interval, 4 * WATT, f"{interval} {number}", source=Source.CONVENTIONAL)
            assert world.code("plant", order) == "OK"


def waiting(world: World) -> int:
    return len(world.state.rows[BLOCK_ORDERS.prefix])


def test_no_more_wait_than_there_is_room_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_orders, "BLOCK_ORDERS_MAX", 2)
    assert [world.code(name, purchase(name)) for name in BUYERS] == ["OK", "OK", "BLOCK_ORDERS_TOO_MANY"]
    assert waiting(world) == 2 and world.account("cat").held_micro == 0


def test_an_attempt_that_meets_too_many_does_not_trade(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_orders, "BLOCK_ORDER_STEPS_MAX", 8)
    offer(world, 5, 100)
    assert world.code("ann", purchase("ann", 500, TimeInForce.FILL_OR_KILL)) == "FILL_OR_KILL_NOT_FILLED"
    assert world.account("ann").held_micro == 0
    assert world.code("ann", purchase("ann", 400, TimeInForce.FILL_OR_KILL)) == "OK"


def test_a_round_that_takes_several_blocks_tries_each_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in each block, the earliest first; the round after comes a minute later."""
    monkeypatch.setattr(block_orders, "BLOCK_ORDERS_STEPS", 1)
    for name in BUYERS:
        assert world.code(name, purchase(name)) == "OK"
    offer(world, 2, 1_000)
    assert waiting(world) == 3
    world.block(time_ms=at(10, 1))
    held = [world.account(name).held_micro for name in BUYERS]
    assert waiting(world) == 2 and held[0] < held[1] == held[2]
    world.block()
    assert waiting(world) == 1 and world.account("bob").held_micro == held[0]
    world.block()
    offer(world, 1, 1_000)
    world.skip_to(at(10, 2) - 1)
    assert waiting(world) == 1
    world.skip_to(at(10, 2))
    assert waiting(world) == 0
