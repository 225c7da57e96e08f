"""Late readings and corrections: whatever their order, in the end each interval has what its meter counted."""

import random

import msgspec
import pytest
from tests.invariants import Watch
from tests.world import NOON, WATT, Founding, World, at, pseudonym

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.quantities import interval_end_ms, interval_key
from gridtokenx.modules.settlement import handlers
from gridtokenx.modules.settlement.messages import Cause, CorrectReading
from gridtokenx.modules.settlement.state import (
    RECALCULATE,
    REGISTERS,
    SETTLEMENTS,
    STATEMENTS,
    Quality,
    Stage,
    Statement,
    settlement_of,
)
from gridtokenx.modules.tokens.messages import Transfer

HOMES = ("alice", "bob")


def founded() -> tuple[World, Watch]:
    """Two homes from noon on; a supplier that can pay."""
    founding = Founding(time_ms=at(11, 50))
    for name in HOMES:
        founding.add_home(name, import_w=16_000)
    founding.add_home("rich", balance_micro=10_000 * WATT)
    world = founding.start()
    watch = Watch(world)
    world.do("rich", Transfer(world.accounts["supplier"], 5_000 * WATT))
    return world, watch


def statement(world: World, name: str, interval: int) -> Statement:
    found: Statement = world.state.rows[STATEMENTS.prefix][interval_key(interval) + pseudonym(name)]
    return found


def report(world: World, interval: int, *names: str, import_wh: int = 0) -> None:
    """The interval ends; these meters count so much, and report."""
    world.skip_to(interval_end_ms(interval) + 1)
    readings = [world.meter(name, interval, import_wh) for name in names]
    assert world.code("operator", world.submit(*readings)) == "OK"


def late(world: World, interval: int, import_wh: int) -> str:
    """Alice's registers of the interval, at last."""
    return world.code("operator", world.submit(world.reading("alice", interval, import_wh, 0)))


def waiting(world: World) -> list[bytes]:
    """What is still to be calculated anew."""
    return [key[9:] for key in world.state.keys(schedule.SCHEDULE) if key[8] == RECALCULATE]


@pytest.mark.parametrize("seed", range(8))
def test_in_the_end_each_interval_has_what_its_meter_counted(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some readings are missing, come late in any order, or were wrong at first; sometimes blocks have little room.
    After each step the sum over all intervals is that of the registers, with what estimates lift them."""
    draw = random.Random(seed)
    world, watch = founded()
    counts = [draw.randrange(0, 2_000) for _ in range(10)]
    registers = [sum(counts[: number + 1]) for number in range(10)]
    missing = draw.sample(range(10), 5)
    wrong = draw.choice([number for number in range(1, 9) if number not in missing])
    for number in range(10):
        report(world, NOON + number, "bob", "rich")
        if number not in missing:
            shown = (registers[number - 1] + registers[number]) // 2 if number == wrong else registers[number]
            assert late(world, NOON + number, shown) == "OK"
    world.skip_to(interval_end_ms(NOON + 9) + 1_800_001)
    if seed % 2:
        monkeypatch.setattr(limits, "SCHEDULED_STEPS_PER_BLOCK_MAX", 3)
    readings = {number: world.reading("alice", NOON + number, registers[number], 0) for number in (wrong, *missing)}
    steps: list[tuple[str, Message]] = [("bob", world.submit(readings[number])) for number in missing]
    steps.append(("mea", CorrectReading(world.chain, readings[wrong], Cause.METER_FAULT)))
    draw.shuffle(steps)
    for who, message in steps:
        while world.code(who, message) == "INTERVAL_SETTLING":
            world.block()
        while waiting(world):
            world.block()
        last = world.state.rows[REGISTERS.prefix][interval_key(NOON + 9) + pseudonym("alice")]
        billed = sum(statement(world, "alice", NOON + number).import_wh for number in range(10))
        assert billed == last.import_wh + last.lift_wh
    assert [statement(world, "alice", NOON + number).import_wh for number in range(10)] == counts
    assert last.lift_wh == 0
    watch.finish()


def test_the_longest_chain_of_intervals_takes_as_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """An overestimate that nothing catches up with lies on every interval of the window; each is one piece of work."""
    world, watch = founded()
    report(world, NOON, "bob", "rich")
    count = 90
    for number in range(1, count):
        report(world, NOON + number, *HOMES, "rich")
    assert statement(world, "alice", NOON).quality == Quality.ESTIMATED
    monkeypatch.setattr(limits, "SCHEDULED_STEPS_PER_BLOCK_MAX", 10)
    assert late(world, NOON, 0) == "OK"
    blocks = 0
    while waiting(world):
        world.block()
        blocks += 1
    assert blocks == count // 10
    assert [statement(world, "alice", NOON + number).import_wh for number in range(count)] == [0] * count
    assert world.account("alice").balance_micro == 1_000 * WATT
    watch.finish()


@pytest.mark.parametrize("steps", range(1, 12))
def test_a_correction_reaches_an_interval_that_is_settling(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the next interval has behind it, nothing is lost and nothing is paid twice."""
    monkeypatch.setattr(handlers, "ITEMS_PER_STEP", 1)
    world, watch = founded()
    report(world, NOON, "bob", "rich")
    world.meter("alice", NOON, 1_000)
    world.skip_to(at(12, 46))
    assert statement(world, "alice", NOON).import_wh == 4_000
    monkeypatch.setattr(limits, "SCHEDULED_STEPS_PER_BLOCK_MAX", steps)
    readings = [world.meter(name, NOON + 1, 500) for name in (*HOMES, "rich")]
    assert world.code("operator", world.submit(*readings)) == "OK"
    assert late(world, NOON, 1_000) == "OK"
    monkeypatch.undo()
    for _ in range(3):
        world.block()
    assert settlement_of(world.state, NOON + 1).stage == Stage.SETTLED
    assert [statement(world, "alice", NOON + number).import_wh for number in (0, 1)] == [1_000, 500]
    assert world.account("alice").balance_micro == 1_000 * WATT - 5_798_200 - 2_899_100
    watch.finish()


def test_after_the_deadline_a_reading_is_no_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """By chain time: also when the deadline has not been worked off."""
    world, watch = founded()
    report(world, NOON, "bob", "rich")
    monkeypatch.setattr(limits, "SCHEDULED_STEPS_PER_BLOCK_MAX", 0)
    world.block(time_ms=at(12, 44, 0) + 59_998)
    correction = CorrectReading(world.chain, world.reading("alice", NOON, 1_000, 0), Cause.METER_FAULT)
    assert world.code("mea", correction, time_ms=at(12, 45) - 1) == "NOTHING_TO_CORRECT"
    assert late(world, NOON, 1_000) == "INTERVAL_SETTLING"
    assert world.code("mea", correction) == "INTERVAL_SETTLING"
    known = world.submit(world.reading("bob", NOON, 0, 0))
    assert world.code("operator", known) == "READING_REPEATED"
    monkeypatch.undo()
    world.block()
    assert statement(world, "alice", NOON).quality == Quality.ESTIMATED
    assert late(world, NOON, 1_000) == "OK"
    assert statement(world, "alice", NOON).import_wh == 1_000
    watch.finish()


def test_after_the_window_nothing_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """By chain time: also when the interval has not been forgotten yet."""
    world, _ = founded()
    report(world, NOON, "bob", "rich")
    world.skip_to(at(12, 14, day=1))
    monkeypatch.setattr(limits, "SCHEDULED_STEPS_PER_BLOCK_MAX", 0)
    world.block(time_ms=at(12, 15, day=1))
    assert late(world, NOON, 1_000) == "READING_LATE"


def test_a_correction_of_a_held_interval_moves_no_money() -> None:
    world, _ = founded()
    world.watchers.clear()
    report(world, NOON, "bob", "rich")
    world.skip_to(at(12, 46))
    held = msgspec.structs.replace(settlement_of(world.state, NOON), stage=Stage.HELD)
    world.state.put(SETTLEMENTS, interval_key(NOON), held)
    before = world.account("alice").balance_micro
    assert late(world, NOON, 1_000) == "OK"
    assert statement(world, "alice", NOON).import_wh == 1_000
    assert world.account("alice").balance_micro == before


def test_a_late_reading_lies_above_what_was_measured_however_long_ago() -> None:
    """A meter was silent for more than a day: its last registers are carried by the estimates."""
    world, watch = founded()
    report(world, NOON, *HOMES, "rich", import_wh=3_000)
    for number in range(1, 110):
        report(world, NOON + number, "bob", "rich")
    report(world, NOON + 110, *HOMES, "rich", import_wh=1_000)
    world.skip_to(interval_end_ms(NOON + 110) + 1_800_001)
    assert late(world, NOON + 105, 2_999) == "REGISTER_WENT_BACK"
    assert late(world, NOON + 105, 3_500) == "OK"
    watch.finish()
