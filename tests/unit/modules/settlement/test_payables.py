"""What the residual supplier owes: paid one by one, over as many blocks as it takes, and nothing else before."""

import pytest
from tests.invariants import Watch
from tests.world import NOON, WATT, Founding, World, at

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import limits
from gridtokenx.ledger.genesis import import_state
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.settlement.state import PAYABLES, PAYABLES_BY_AGE
from gridtokenx.modules.tokens.messages import Transfer

SELLERS = [f"seller-{number}" for number in range(12)]
EACH_MICRO = 2_200_000


@pytest.fixture
def owing() -> tuple[World, Watch]:
    """Twelve homes gave 1 kWh at noon, for 2.20 WATT each; the residual supplier has nothing."""
    founding = Founding(time_ms=at(11, 50))
    for name in SELLERS:
        founding.add_home(name, export_w={Source.SOLAR: 8_000}, balance_micro=0)
    founding.add_home("rich", balance_micro=100 * WATT)
    world = founding.start()
    watch = Watch(world)
    world.skip_to(at(12, 15) + 1)
    readings = [world.meter(name, NOON, 0, 1_000) for name in SELLERS]
    assert world.code("operator", world.submit(*readings, world.meter("rich", NOON))) == "OK"
    assert len(world.state.rows[PAYABLES.prefix]) == len(SELLERS)
    return world, watch


def supply(world: World, amount_micro: int) -> None:
    """The supplier gets money."""
    assert world.code("rich", Transfer(world.accounts["supplier"], amount_micro)) == "OK"


def balances(world: World) -> list[int]:
    """Of the sellers, in the order of their accounts: all of their payables have one age."""
    return [world.account(name).balance_micro for name in sorted(SELLERS, key=world.accounts.__getitem__)]


def test_many_are_paid_over_many_blocks(owing: tuple[World, Watch], monkeypatch: pytest.MonkeyPatch) -> None:
    world, watch = owing
    monkeypatch.setattr(limits, "SCHEDULED_STEPS_PER_BLOCK_MAX", 5)
    supply(world, 11 * EACH_MICRO + 1)
    paid = []
    for _ in range(4):
        paid.append(sum(balance > 0 for balance in balances(world)))
        assert world.code("supplier", Transfer(world.accounts["rich"], 1)) == ("DEBT_FIRST")
    assert paid == [5, 10, 12, 12]
    assert balances(world) == [EACH_MICRO] * 11 + [1]
    supply(world, EACH_MICRO)
    assert world.account("supplier").debt_micro == 0
    assert world.account("supplier").balance_micro == 1
    assert world.code("supplier", Transfer(world.accounts["rich"], 1)) == "OK"
    watch.finish()


@pytest.mark.parametrize("amount_micro", [1, EACH_MICRO - 1, EACH_MICRO, EACH_MICRO + 1, 12 * EACH_MICRO])
def test_each_gets_what_there_is_for_it(owing: tuple[World, Watch], amount_micro: int) -> None:
    world, watch = owing
    supply(world, amount_micro)
    whole, part = divmod(amount_micro, EACH_MICRO)
    assert balances(world) == ([EACH_MICRO] * whole + [part] + [0] * 12)[:12]
    assert world.account("supplier").balance_micro == 0
    watch.finish()


def test_the_order_is_the_same_from_a_state_that_was_read_again(owing: tuple[World, Watch]) -> None:
    world, _ = owing
    supply(world, EACH_MICRO + 1)
    restored, _ = import_state(CONSORTIUM, world.export())
    waiting = sorted(restored.index(PAYABLES_BY_AGE))
    assert len(waiting) == 11
    assert restored.index(PAYABLES_BY_AGE)[0] == waiting[0]
    assert waiting[0][8:] == sorted(world.accounts[name] for name in SELLERS)[1]
