"""What tables tell badly: draws, long queues, limits of steps, what time alone decides."""

import pytest
from tests.invariants import Watch, check_indexes
from tests.world import NOON, WATT, Founding, World, at, buy, decode_receipt, pseudonym, sell

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import MATCH_STEPS_PER_ORDER_MAX
from gridtokenx.modules.identity.messages import Source, SuspendParticipant
from gridtokenx.modules.market import gate, handlers
from gridtokenx.modules.market.messages import AmendOrder, MarketCode, TimeInForce
from gridtokenx.modules.market.state import ORDERS

PLANT = {Source.CONVENTIONAL: 100_000_000}


@pytest.fixture
def world() -> World:
    founding = Founding(time_ms=at(9, 50))
    founding.add_home("plant", export_w=PLANT, import_w=0, balance_micro=10**6 * WATT)
    for name in ("ann", "bob", "cat", "dan"):
        founding.add_home(name, import_w=100_000_000, balance_micro=10**6 * WATT)
    world = founding.start()
    Watch(world)
    return world


def offer(world: World, count: int, energy_wh: int = 100, price_micro: int = 4 * WATT) -> None:
    """So many small sales, one behind the other."""
    orders = [
        sell("plant", energy_wh, NOON, price_micro, f"sale {number}", source=Source.CONVENTIONAL)
        for number in range(count)
    ]
    wires = [world.sign("plant", *orders[start : start + 64]) for start in range(0, count, 64)]
    assert {receipt.code for receipt in world.run(*wires)} == {0}


def test_in_one_block_the_draw_decides_who_gets_the_last_kilowatt_hour(world: World) -> None:
    """B11: by SHA-256 of the app hash before and the participant, whoever sent first."""
    names = ["ann", "bob", "cat", "dan"]
    for round_ in range(6):
        offer(world, 1, 1_000)
        before = world.commitment.root()
        wires = [
            world.sign(name, buy(name, 1_000, NOON, 5 * WATT, f"round {round_}", force=TimeInForce.FILL_OR_KILL))
            for name in names
        ]
        names = names[1:] + names[:1]
        receipts = world.run(*wires)
        won = [name for name, receipt in zip(names[-1:] + names[:-1], receipts, strict=True) if receipt.code == 0]
        assert won == [min(names, key=lambda name: hash_bytes(before + pseudonym(name)))]


def test_at_the_limit_of_steps_the_rest_is_cancelled_never_left_crossed(world: World) -> None:
    offer(world, MATCH_STEPS_PER_ORDER_MAX + 4)
    kill = buy("ann", 100 * (MATCH_STEPS_PER_ORDER_MAX + 1), NOON, 5 * WATT, force=TimeInForce.FILL_OR_KILL)
    assert world.code("ann", kill) == "FILL_OR_KILL_NOT_FILLED"
    receipt = world.do("ann", buy("ann", 100 * (MATCH_STEPS_PER_ORDER_MAX + 4), NOON, 5 * WATT))
    ((_, filled_wh, resting_wh),) = receipt.results
    assert (filled_wh, resting_wh) == (100 * MATCH_STEPS_PER_ORDER_MAX, 0)
    assert len(world.state.rows[ORDERS.prefix]) == 4


def test_an_order_that_fills_exactly_at_the_limit_of_steps_is_not_stopped(world: World) -> None:
    offer(world, MATCH_STEPS_PER_ORDER_MAX)
    kill = buy("ann", 100 * MATCH_STEPS_PER_ORDER_MAX, NOON, 5 * WATT, force=TimeInForce.FILL_OR_KILL)
    assert world.code("ann", kill) == "OK"


def test_a_gate_with_many_orders_closes_in_steps_and_no_order_comes_in_between(world: World) -> None:
    offer(world, 3 * gate.CANCELS_PER_STEP // 2, price_micro=6 * WATT)
    held = world.account("plant").held_micro
    assert held > 0
    world.skip_to(at(11, 55))
    assert world.code("ann", buy("ann", 100, NOON, 7 * WATT)) == "GATE_CLOSED"
    world.block()
    assert world.state.rows[ORDERS.prefix] == {}
    assert world.account("plant").held_micro == 0


def test_a_suspension_with_many_orders_cancels_all(world: World) -> None:
    offer(world, gate.CANCELS_PER_STEP + 20, price_micro=6 * WATT)
    assert world.code("registrar", SuspendParticipant(pseudonym("plant"), suspended=True)) == "OK"
    assert world.state.rows[ORDERS.prefix] == {}
    assert world.account("plant").held_micro == 0


def test_an_order_past_its_end_is_not_amended_though_its_end_has_not_been_worked_off(world: World) -> None:
    until = at(10, 30)
    order = buy("ann", 1_000, NOON, 4 * WATT, force=TimeInForce.GOOD_TILL_TIME, good_till_ms=until)
    assert world.code("ann", order) == "OK"
    context = Context(world.chain, 99, until, world.accounts["ann"])
    with pytest.raises(Rejected) as caught:
        handlers.amend_order(world.state, context, AmendOrder(pseudonym("order"), 4 * WATT, 2_000))
    assert caught.value.code == MarketCode.EXPIRY_IN_PAST


def test_an_order_past_its_end_does_not_trade_and_is_taken_out_by_who_meets_it(world: World) -> None:
    until = at(10, 30)
    order = buy("ann", 1_000, NOON, 5 * WATT, force=TimeInForce.GOOD_TILL_TIME, good_till_ms=until)
    assert world.code("ann", order) == "OK"
    context = Context(world.chain, 99, until, world.accounts["plant"])
    sale = sell("plant", 1_000, NOON, 4 * WATT, source=Source.CONVENTIONAL)
    place, filled_wh, resting_wh = handlers.place_order(world.state, context, sale)
    assert place and (filled_wh, resting_wh) == (0, 1_000)
    assert world.state.rows[ACCOUNTS.prefix][world.accounts["ann"]].held_micro == 0
    check_indexes(world.state)


def test_an_amendment_to_less_counts_as_a_smaller_order_not_as_a_fill(world: World) -> None:
    assert world.code("ann", buy("ann", 1_000, NOON, 4 * WATT)) == "OK"
    for energy_wh, price_micro in ((600, 4 * WATT), (700, 4 * WATT), (500, 3 * WATT)):
        assert world.code("ann", AmendOrder(pseudonym("order"), price_micro, energy_wh)) == "OK"
        (order,) = world.state.rows[ORDERS.prefix].values()
        assert (order.quantity_wh, order.remaining_wh) == (energy_wh, energy_wh)


def test_several_messages_that_fail_leave_trades_and_sums_of_the_block_alone(world: World) -> None:
    offer(world, 1, 1_000)
    good = buy("ann", 1_000, NOON, 5 * WATT)
    wires = [world.sign("ann", good, buy("ann", 1, NOON, 5 * WATT, "second"))]
    outcome = world.block(world.batch(*wires))
    receipt = decode_receipt(outcome.batches[0].receipts[0])
    assert CONSORTIUM.codes[receipt.code] == "QUANTITY_TOO_SMALL" and receipt.failed == 1
    assert outcome.trades == () and outcome.summary.traded_wh == 0
