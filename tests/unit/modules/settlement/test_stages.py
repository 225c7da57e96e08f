"""Settlement in steps: as many blocks as it takes give what one would have; what fails is set aside alone."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.invariants import Watch, check_modules
from tests.world import NOON, WATT, Founding, World, at, buy, pseudonym, sell

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.state import DUES, Due
from gridtokenx.modules.settlement import handlers
from gridtokenx.modules.settlement.state import STATEMENTS, Stage, settlement_of
from gridtokenx.modules.tokens.messages import Transfer

SELLERS = [f"seller-{number}" for number in range(4)]
BUYERS = [f"buyer-{number}" for number in range(4)]
SOLAR = {Source.SOLAR: 40_000}


def traded(watched: bool = True) -> World:
    """Four buyers have traded noon with four sellers, the residual supplier has money; nothing is metered yet."""
    founding = Founding(time_ms=at(9, 50))
    for name in SELLERS:
        founding.add_home(name, export_w=SOLAR, import_w=40_000)
    for name in BUYERS:
        founding.add_home(name, import_w=40_000)
    world = founding.start()
    if watched:
        Watch(world)
    world.do("seller-0", Transfer(world.accounts["supplier"], 100 * WATT))
    world.run(*(world.sign(name, sell(name, 1_000, NOON, 4 * WATT)) for name in SELLERS))
    world.run(*(world.sign(name, buy(name, 900, NOON, 5 * WATT)) for name in BUYERS))
    return world


def meter(world: World) -> None:
    """Readings of every interval until a quarter past noon."""
    for number in range(at(10) // 900_000, NOON + 1):
        world.skip_to((number + 1) * 900_000 + 1)
        readings = [world.meter(name, number, 0, 950 if number == NOON else 0) for name in SELLERS]
        readings += [world.meter(name, number, 900 if number == NOON else 0) for name in BUYERS]
        assert world.code("operator", world.submit(*readings)) == "OK"


def balances(world: World) -> dict[str, tuple[int, int]]:
    return {
        name: (account.balance_micro, account.held_micro) for name in world.accounts if (account := world.account(name))
    }


@pytest.fixture(scope="module")
def at_once() -> dict[str, tuple[int, int]]:
    world = traded()
    meter(world)
    assert settlement_of(world.state, NOON).stage == Stage.SETTLED
    return balances(world)


@pytest.mark.parametrize("items", [1, 2, 3, 8])
def test_few_portfolios_a_step_come_to_the_same(
    at_once: dict[str, tuple[int, int]], items: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "ITEMS_PER_STEP", items)
    world = traded()
    meter(world)
    assert settlement_of(world.state, NOON).stage == Stage.SETTLED
    assert balances(world) == at_once


def test_over_many_blocks_it_comes_to_the_same(
    at_once: dict[str, tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "ITEMS_PER_STEP", 2)
    world = traded()
    monkeypatch.setattr(limits, "SCHEDULED_STEPS_PER_BLOCK_MAX", 6)
    for number in range(at(10) // 900_000, NOON + 1):
        world.skip_to((number + 1) * 900_000 + 1)
        readings = [world.meter(name, number, 0, 950 if number == NOON else 0) for name in SELLERS]
        readings += [world.meter(name, number, 900 if number == NOON else 0) for name in BUYERS]
        assert world.code("operator", world.submit(*readings)) == "OK"
        for _ in range(60):
            if settlement_of(world.state, number).stage == Stage.SETTLED:
                break
            world.block()
    stages = {settlement_of(world.state, number).stage for number in range(at(10) // 900_000, NOON + 1)}
    assert stages == {Stage.SETTLED}
    assert balances(world) == at_once


def test_a_sum_that_is_not_zero_holds_its_interval_and_no_other() -> None:
    world = traded(watched=False)
    world.skip_to(at(11, 55))
    key = interval_key(NOON) + world.accounts["mea"]
    due = world.state.rows[DUES.prefix][key]
    world.state.put(DUES, key, Due(due.amount_micro + 1))
    before = balances(world)
    meter(world)
    assert settlement_of(world.state, NOON).stage == Stage.HELD
    assert {name: held for name, (_, held) in balances(world).items()} == {
        name: held for name, (_, held) in before.items()
    }
    check_modules(world.state)
    world.skip_to(at(12, 30) + 1)
    readings = [world.meter(name, NOON + 1) for name in (*SELLERS, *BUYERS)]
    assert world.code("operator", world.submit(*readings)) == "OK"
    assert settlement_of(world.state, NOON + 1).stage == Stage.SETTLED


@pytest.mark.parametrize("stage", ["_compute", "_collect", "_pay"])
def test_an_item_that_fails_is_set_aside_and_the_others_are_paid(
    stage: str, at_once: dict[str, tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clearing account shows the difference; no unit is lost."""
    doomed = pseudonym("seller-2")
    work: Callable[..., Any] = getattr(handlers, stage)

    def failing(state: Any, context: Any, item: bytes) -> None:
        if item == interval_key(NOON) + doomed:
            raise KeyError("a bug")
        work(state, context, item)

    stages = {"_compute": Stage.COMPUTING, "_collect": Stage.COLLECTING, "_pay": Stage.PAYING}
    monkeypatch.setitem(handlers._WORK, stages[stage], failing)
    world = traded(watched=False)
    meter(world)
    assert settlement_of(world.state, NOON).stage == Stage.SETTLED
    assert [key[9:] for key, _ in world.state.items(schedule.SET_ASIDE)] == [interval_key(NOON) + doomed]
    after = balances(world)
    untouched = {"seller-2", "clearing", "supplier"}
    assert {name: money for name, money in after.items() if name not in untouched} == {
        name: money for name, money in at_once.items() if name not in untouched
    }
    assert sum(balance for balance, _ in after.values()) == sum(balance for balance, _ in at_once.values())
    assert after["clearing"][0] >= 0


def test_forgetting_an_interval_takes_steps_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "ITEMS_PER_STEP", 3)
    world = traded()
    meter(world)
    before = {name: world.account(name).balance_micro for name in world.accounts}
    assert any(key[:4] == interval_key(NOON) for key in world.state.rows[STATEMENTS.prefix])
    world.skip_to(at(12, 15, day=1))
    for prefix in (0x62, 0x64, 0x65, 0x73, 0x74):
        left = [key for key in world.state.rows[prefix] if key[:4] <= interval_key(NOON)]
        assert left == [], prefix
    assert sum(before.values()) == sum(row.balance_micro for row in world.state.rows[ACCOUNTS.prefix].values())
