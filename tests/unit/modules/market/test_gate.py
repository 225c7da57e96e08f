"""The gate with a call phase: what may come between its stages, and what becomes of bugs (B8, C3, A11)."""

from collections.abc import Iterator

import msgspec
import pytest
from tests.invariants import Watch, check_indexes, check_modules
from tests.world import NOON, TRADED_TO_THE_GATE, WATT, Founding, World, at, buy, pseudonym, sell

from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.modules.grid.messages import LinkKind, SetCapacity
from gridtokenx.modules.identity.messages import Licence, Source, SuspendParticipant
from gridtokenx.modules.identity.state import ROLES
from gridtokenx.modules.market import gate, gate_booking
from gridtokenx.modules.market.auction.clearing import Method
from gridtokenx.modules.market.messages import CancelOrder, Halt, HaltReason, Resume, SetTerms
from gridtokenx.modules.market.state import (
    AUCTIONS,
    CLEARINGS,
    INTERVALS,
    ORDERS,
    POSITIONS,
    GateStage,
    Phase,
    Trade,
    is_of_auction,
)
from gridtokenx.modules.settlement.state import Stage, settlement_of

KEY = interval_key(NOON)
TERMS = msgspec.structs.replace(DEFAULT_TERMS, call_phase_ms=300_000)
SELLERS = ("ann", "bea", "cat")
BUYERS = ("dan", "eve", "fay")
decode_trade: Decoder[Trade] = Decoder(Trade)


def market(*, watched: bool = True) -> World:
    """Three sellers in Bangkok and three buyers in Central, each with two orders for noon, in the call."""
    founding = Founding(TERMS, at(11, 40))
    for name in SELLERS:
        founding.add_home(name, 11, {Source.SOLAR: 40_000})
    for name in BUYERS:
        founding.add_home(name, 21, import_w=40_000)
    founding.builder.limit_border(1, 2, 8_000, 8_000)
    world = founding.start()
    if watched:
        Watch(world)
    world.block(time_ms=at(11, 51))
    for number in range(2):
        for name in SELLERS:
            assert world.code(name, sell(name, 500, NOON, 3 * WATT, f"{name} {number}")) == "OK"
        for name in BUYERS:
            assert world.code(name, buy(name, 500, NOON, 4 * WATT, f"{name} {number}")) == "OK"
    return world


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same, worked off a little in each block."""
    world = market()
    with monkeypatch.context() as patch:
        patch.setattr(limits, "SCHEDULED_STEPS_PER_BLOCK_MAX", 3)
        patch.setattr(gate, "ORDERS_PER_STEP", 2)
        patch.setattr(gate, "AUCTION_STEPS_PER_SLICE", 8)
        yield world


def until(world: World, stage: GateStage | None) -> None:
    """Blocks until the auction is in this stage, or over."""
    for _ in range(200):
        auction = world.state.get(AUCTIONS, KEY)
        if (world.time_ms >= at(11, 55) and auction is None) if stage is None else auction and auction.stage == stage:
            return
        world.block(time_ms=max(world.time_ms + 1_000, at(11, 55)))
    raise AssertionError("it does not get there")


def sold_wh(world: World) -> int:
    return sum(each.sold_wh for key, each in world.state.items(POSITIONS) if key[:4] == KEY)


@pytest.mark.parametrize("stage", list(GateStage)[:3])
def test_after_the_gate_orders_cannot_be_taken_back_in_any_stage(slow: World, stage: GateStage) -> None:
    until(slow, stage)
    last = max(slow.state.rows[POSITIONS.prefix])[4:]  # whose orders are booked last
    name = next(name for name in (*SELLERS, *BUYERS) if pseudonym(name) == last)
    assert slow.code(name, CancelOrder(pseudonym(f"{name} 1"))) == "GATE_CLOSED"
    until(slow, None)
    assert sold_wh(slow) == 2_000


@pytest.mark.parametrize("stage", [GateStage.SOLVING, GateStage.BOOKING])
def test_who_is_suspended_after_the_gate_stays_in_the_auction(slow: World, stage: GateStage) -> None:
    until(slow, stage)
    assert slow.code("registrar", SuspendParticipant(pseudonym("ann"), suspended=True)) == "OK"
    until(slow, None)
    assert sold_wh(slow) == 2_000
    assert slow.state.rows[POSITIONS.prefix][KEY + pseudonym("ann")].sold_wh == 1_000


@pytest.mark.parametrize("stage", [GateStage.SOLVING, GateStage.BOOKING])
def test_capacity_that_changes_after_the_gate_changes_nothing_of_the_auction(slow: World, stage: GateStage) -> None:
    until(slow, stage)
    assert slow.code("egat", SetCapacity(LinkKind.BORDER, 1, 2, NOON, 1, 0, 0)) == "OK"
    until(slow, None)
    assert sold_wh(slow) == 2_000


def test_nothing_of_the_interval_settles_before_its_auction_is_over(slow: World) -> None:
    """After a halt the deadline for readings has passed as well."""
    slow.block(time_ms=at(13))
    while slow.state.rows[INTERVALS.prefix][KEY].phase != Phase.CLOSED:
        assert settlement_of(slow.state, NOON).stage == Stage.METERING
        slow.block()
    while settlement_of(slow.state, NOON).stage != Stage.SETTLED:
        slow.block()
    assert sold_wh(slow) == 2_000


def test_each_order_that_trades_is_one_record_with_nobody_on_the_other_side() -> None:
    world = market()
    outcome = world.block(time_ms=at(11, 55))
    trades = [decode_trade(each) for each in outcome.trades]
    assert len(trades) == 8
    assert all(is_of_auction(each) and not each.zones and not each.voids for each in trades)
    assert sum(each.quantity_wh for each in trades if any(each.buyer)) == outcome.summary.traded_wh == 2_000
    assert {each.price_micro for each in trades if any(each.seller)} == {3 * WATT}


@pytest.mark.parametrize("module", [gate, gate_booking], ids=["in the solution", "in the booking"])
def test_a_bug_holds_up_nobody(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the solution: all orders are cancelled. In the booking of one portfolio: its orders keep their holds, the
    others trade, and the sum, which is not zero then, holds the interval for people to look at."""
    world = market(watched=False)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    if module is gate:
        monkeypatch.setattr(gate, "auction_of", broken)
    else:
        whole = gate_booking.seller_hold_micro
        hit = iter([True])
        monkeypatch.setattr(
            gate_booking, "seller_hold_micro", lambda *args: broken() if next(hit, False) else whole(*args)
        )
    outcome = world.block(time_ms=at(11, 55))
    assert any("set aside" in alarm for alarm in outcome.alarms)
    assert world.state.rows[INTERVALS.prefix][KEY].phase == Phase.CLOSED
    assert len(world.state.rows[schedule.SET_ASIDE.prefix]) == 1
    check_indexes(world.state)
    check_modules(world.state)
    if module is gate:
        assert not world.state.rows[ORDERS.prefix] and not outcome.trades
        assert not world.state.rows[CLEARINGS.prefix]
        assert all(world.account(name).held_micro == 0 for name in (*SELLERS, *BUYERS))
        return
    assert len(world.state.rows[ORDERS.prefix]) == 2
    assert sold_wh(world) == 1_000
    world.skip_to(at(13))
    assert settlement_of(world.state, NOON).stage == Stage.HELD


def test_at_the_limit_of_steps_each_zone_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = market()
    monkeypatch.setattr("gridtokenx.modules.market.coupling.AUCTION_STEPS_MAX", 0)
    world.block(time_ms=at(11, 55))
    clearing = world.state.get(CLEARINGS, KEY)
    assert clearing is not None
    assert clearing.method == Method.APART
    assert sold_wh(world) == 0 and not world.state.rows[ORDERS.prefix]


def test_a_call_phase_needs_somebody_who_gets_congestion_rent() -> None:
    founding = Founding(TERMS)
    del founding.builder.state.rows[ROLES.prefix][bytes([8])]
    with pytest.raises(Rejected):
        founding.builder.finish()
    founding = Founding(TRADED_TO_THE_GATE)
    del founding.builder.state.rows[ROLES.prefix][bytes([8])]
    world = founding.start()
    assert world.code("operator", SetTerms(TERMS)) == "ROLE_VACANT"


def test_a_portfolio_with_many_orders_is_booked_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    founding = Founding(TERMS, at(11, 40))
    founding.add_home("ann", 11, {Source.SOLAR: 4_000_000}, balance_micro=100_000 * WATT)
    founding.add_home("dan", 12, import_w=4_000_000, balance_micro=100_000 * WATT, licence=Licence.PROSUMER)
    world = founding.start()
    Watch(world)
    world.block(time_ms=at(11, 51))
    count = 1_200
    wires = [world.sign("ann", sell("ann", 101, NOON, 3 * WATT, f"a{number}")) for number in range(count)]
    assert {each.code for each in world.run(*wires)} == {0}
    wires = [world.sign("dan", buy("dan", 101, NOON, 4 * WATT, f"d{number}")) for number in range(count)]
    assert {each.code for each in world.run(*wires)} == {0}
    world.block(time_ms=at(11, 55))
    assert sold_wh(world) == count * 101
    assert len(world.trades) == 2 * count
    world.skip_to(at(13))
    assert settlement_of(world.state, NOON).stage == Stage.SETTLED


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (NOON, 0), (NOON, 1)], ids=["all", "zone", "interval", "both"])
@pytest.mark.parametrize("late_ms", [1, 60_000, 600_000])
def test_a_halt_that_ended_before_the_gate_keeps_nobody_out_however_late_the_next_block(
    place: tuple[int, int], late_ms: int
) -> None:
    lived, world = market(), market()
    assert world.code("operator", Halt(*place, 0, int(HaltReason.EXERCISE))) == "OK"
    assert world.code("operator", Resume(*place)) == "OK"
    for each in (lived, world):
        each.block(time_ms=at(11, 55) + late_ms)
        until(each, None)
    assert world.state.rows[CLEARINGS.prefix][KEY] == lived.state.rows[CLEARINGS.prefix][KEY]
