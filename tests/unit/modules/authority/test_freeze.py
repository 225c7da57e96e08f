"""The market frozen by the emergency tier: what is taken, what waits, and that nothing is lost."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.codes_of_members import freeze
from tests.consortium import TERMS, Consortium, consensus_key
from tests.fuzz.messages import MESSAGE_TYPES
from tests.invariants import Watch, picture
from tests.unit.ledger.test_freeze import Freezes
from tests.world import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    NOON,
    WATT,
    at,
    buy,
    interval_at,
    sell,
)

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import freeze as kernel_freeze
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.codec import Message, encode
from gridtokenx.ledger.genesis import import_state
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.quantities import interval_end_ms
from gridtokenx.ledger.schedule import SCHEDULE, SET_ASIDE
from gridtokenx.ledger.validator import Misbehaviour, address_of
from gridtokenx.modules.authority.messages import Act, Observed, Propose, ReportBatch, Vote
from gridtokenx.modules.market.messages import CancelOrder, Halt, Resume
from gridtokenx.modules.market.state import INTERVALS, ORDERS
from gridtokenx.modules.settlement.messages import Cause, CorrectReading, SubmitReadings
from gridtokenx.modules.settlement.state import PAYABLES, STATEMENTS, Stage, settlement_of
from gridtokenx.modules.tokens.messages import Transfer


@pytest.fixture
def consortium() -> Consortium:
    made = Consortium()
    made.watch = Watch(made.world)  # type: ignore[attr-defined]
    made.blocks(2)
    return made


def finish(c: Consortium) -> None:
    """The auditor's copy is the state; restored it is the same."""
    c.watch.finish()  # type: ignore[attr-defined]
    restored, commitment = import_state(CONSORTIUM, c.world.export())
    assert commitment.root() == c.world.commitment.root()
    assert picture(restored) == picture(c.world.state)


def is_frozen(c: Consortium) -> bool:
    return kernel_freeze.is_frozen(c.world.state)


def resume(c: Consortium) -> None:
    number = c.propose("sec", Act.RESUME)
    assert c.vote(number, "central-bank") == "CARRIED"
    assert not is_frozen(c)


def pay(c: Consortium) -> Transfer:
    return Transfer(c.world.accounts["bob"], WATT)


def stage(c: Consortium, interval: int) -> int:
    return settlement_of(c.world.state, interval).stage


def test_the_cards_name_what_is_taken() -> None:
    assert CONSORTIUM.while_frozen == {
        *(Propose, Vote, Observed, ReportBatch, SubmitReadings, CorrectReading, Halt, Resume)
    }
    assert set(MESSAGE_TYPES) > CONSORTIUM.while_frozen


@pytest.mark.parametrize("kind", MESSAGE_TYPES, ids=lambda kind: kind.__name__)
def test_everything_else_is_refused_before_its_handler_looks_at_it(consortium: Consortium, kind: type[Message]) -> None:
    freeze(consortium)
    refused = CONSORTIUM.handlers_now(consortium.world.state)[kind] is not CONSORTIUM.handlers[kind]
    assert refused == (kind not in CONSORTIUM.while_frozen)


def test_what_is_refused_uses_its_number_and_leaves_nothing_else(consortium: Consortium) -> None:
    freeze(consortium)
    before = consortium.world.account("alice")
    assert consortium.do("alice", pay(consortium)) == "FROZEN"
    after = consortium.world.account("alice")
    assert (after.nonce_highest, after.balance_micro) == (before.nonce_highest + 1, before.balance_micro)


def test_in_the_block_in_which_it_begins_and_in_that_in_which_it_ends(consortium: Consortium) -> None:
    """Votes are urgent: they run before what came with them, wherever it stands."""
    world = consortium.world
    number = consortium.propose("sec", Act.FREEZE)
    wires = [world.sign("alice", pay(consortium)), world.sign("central-bank", Vote(number, yes=True))]
    assert [CONSORTIUM.codes[each.code] for each in consortium.run(*wires)] == ["FROZEN", "OK"]
    number = consortium.propose("sec", Act.RESUME)
    wires = [world.sign("alice", pay(consortium)), world.sign("central-bank", Vote(number, yes=True))]
    assert [CONSORTIUM.codes[each.code] for each in consortium.run(*wires)] == ["OK", "OK"]


def test_a_transaction_with_anything_that_is_refused_is_refused_whole(consortium: Consortium) -> None:
    freeze(consortium)
    number = consortium.propose("sec", Act.RESUME)
    for messages in ((Vote(number, yes=True), pay(consortium)), (pay(consortium), Vote(number, yes=True))):
        assert consortium.do("central-bank", *messages) == "FROZEN"
    assert consortium.outcome(number) == "OPEN" and is_frozen(consortium)
    assert consortium.vote(number, "central-bank") == "CARRIED"


def test_what_can_wait_is_neither_proposed_nor_voted(consortium: Consortium) -> None:
    terms = encode(msgspec.structs.replace(TERMS, slash_ppm=1))
    number = consortium.propose("erc", Act.SET_TERMS, value=msgspec.structs.replace(TERMS, slash_ppm=2))
    freeze(consortium)
    assert consortium.do("egat-hq", Vote(number, yes=True)) == "FROZEN"
    assert consortium.do("erc", Propose(Act.SET_TERMS, b"", terms)) == "FROZEN"


def test_carried_at_the_end_of_its_time_it_stops_what_falls_due_after_it_in_the_same_block(
    consortium: Consortium,
) -> None:
    """One of three said yes; then the others are suspended, and one of one is enough."""
    world = consortium.world
    world.skip_to(interval_end_ms(NOON) - 32 * MINUTE_MS)
    number = consortium.propose("sec", Act.FREEZE)
    for name in ("central-bank", "ieat"):
        address = address_of(consensus_key(name).keys[0])
        consortium.block(misbehaviour=(Misbehaviour(1, address, consortium.height, world.time_ms, 100, 10),))
    closes_ms = consortium.proposal(number).closes_ms
    deadline_ms = interval_end_ms(NOON) + 30 * MINUTE_MS
    world.skip_to(closes_ms - 1)
    assert closes_ms < deadline_ms and not is_frozen(consortium) and stage(consortium, NOON) == Stage.METERING
    # One block for both: the vote's end comes first.
    consortium.block(time_ms=deadline_ms + 5)
    assert is_frozen(consortium) and stage(consortium, NOON) == Stage.METERING
    assert not world.state.rows[SET_ASIDE.prefix], "nothing was set aside"
    finish(consortium)


def trade(c: Consortium, interval: int = NOON) -> None:
    """One kilowatt-hour, and orders that rest."""
    c.run(c.world.sign("alice", sell("alice", 1_500, interval, 4_500_000, "a")))
    c.run(c.world.sign("bob", buy("bob", 1_000, interval, 4_800_000, "b")))
    c.run(c.world.sign("bob", buy("bob", 1_000, interval, 3_000_000, "low")))


def test_a_gate_that_passes_cancels_its_orders_and_lets_their_money_go(consortium: Consortium) -> None:
    world = consortium.world
    world.skip_to(at(11, 40))
    trade(consortium)
    held = world.account("bob").held_micro
    freeze(consortium)
    assert len(world.state.rows[ORDERS.prefix]) == 2
    assert consortium.do("bob", CancelOrder(b"\x00" * 8)) == "FROZEN"
    world.skip_to(at(11, 55))
    assert not world.state.rows[ORDERS.prefix]
    assert 0 < world.account("bob").held_micro < held
    finish(consortium)


def test_an_order_ends_at_its_own_time(consortium: Consortium) -> None:
    world = consortium.world
    world.skip_to(at(11, 40))
    order = buy("bob", 1_000, NOON, 4_800_000, force=1, good_till_ms=at(11, 45))  # type: ignore[arg-type]
    consortium.run(world.sign("bob", order))
    freeze(consortium)
    world.skip_to(at(11, 45))
    assert not world.state.rows[ORDERS.prefix] and world.account("bob").held_micro == 0


def settled_at(c: Consortium, interval: int, until_ms: int) -> int:
    """When its settlement was begun."""
    world = c.world
    while stage(c, interval) == Stage.METERING:
        assert world.time_ms < until_ms
        world.skip_to(world.time_ms + 10_000)
    return world.time_ms


def test_the_deadline_for_readings_counts_from_resume(consortium: Consortium) -> None:
    world, end_ms = consortium.world, interval_end_ms(NOON)
    world.skip_to(at(11, 40))
    trade(consortium)
    world.skip_to(end_ms + 10 * MINUTE_MS)
    freeze(consortium)
    since_ms = world.time_ms
    world.skip_to(end_ms + 100 * MINUTE_MS)
    # An hour late, and in time: nobody could have settled.
    assert consortium.do("bob", world.submit(world.meter("alice", NOON, 0, 1_000))) == "OK"
    resume(consortium)
    due_ms = end_ms + 30 * MINUTE_MS + world.time_ms - since_ms
    world.skip_to(due_ms - 1)
    assert stage(consortium, NOON) == Stage.METERING
    world.skip_to(due_ms)
    consortium.blocks(2)
    assert stage(consortium, NOON) == Stage.SETTLED
    assert consortium.do("bob", world.submit(world.meter("bob", NOON, 1_000))) == "OK", "the correction"
    finish(consortium)


def test_the_correction_window_counts_from_resume(consortium: Consortium) -> None:
    world, end_ms = consortium.world, interval_end_ms(NOON)
    world.skip_to(at(11, 40))
    trade(consortium)
    world.skip_to(end_ms + HOUR_MS)
    assert stage(consortium, NOON) == Stage.SETTLED
    statements = len(world.state.rows[STATEMENTS.prefix])
    freeze(consortium)
    since_ms = world.time_ms
    world.skip_to(end_ms + DAY_MS + HOUR_MS)
    reading = CorrectReading(world.chain, world.meter("bob", NOON, 900), Cause.METER_FAULT)
    assert consortium.do("mea", reading) == "OK"
    consortium.blocks(3)
    before = world.account("bob").balance_micro
    resume(consortium)
    final_ms = end_ms + DAY_MS + world.time_ms - since_ms
    world.skip_to(world.time_ms + 2 * limits.FREEZE_RETRY_MS)
    assert world.account("bob").balance_micro != before, "the correction was worked off"
    world.skip_to(final_ms - 1)
    assert NOON.to_bytes(4, "big") in world.state.rows[INTERVALS.prefix]
    assert statements <= len(world.state.rows[STATEMENTS.prefix])
    world.skip_to(final_ms)
    assert NOON.to_bytes(4, "big") not in world.state.rows[INTERVALS.prefix]
    finish(consortium)


def test_a_long_freeze_opens_and_closes_intervals_and_keeps_no_more_than_its_readings(consortium: Consortium) -> None:
    world = consortium.world
    world.skip_to(at(11, 40))
    trade(consortium)
    freeze(consortium)
    statements = dict(world.state.rows[STATEMENTS.prefix])
    world.skip_to(at(12, day=1))
    scheduled = len(world.state.rows[SCHEDULE.prefix])
    assert len(world.state.rows[INTERVALS.prefix]) < 5 * 96
    # Three things wait or come for each interval: gate, deadline, end.
    assert scheduled < 3 * len(world.state.rows[INTERVALS.prefix]) + 100
    assert world.state.rows[STATEMENTS.prefix] == statements
    resume(consortium)
    assert consortium.do("bob", buy("bob", 100, interval_at(14, day=1), 4_000_000, "after")) == "OK"
    world.skip_to(at(14, day=2))
    assert len(world.state.rows[INTERVALS.prefix]) < 4 * 96
    assert not world.state.rows[PAYABLES.prefix] or world.account("supplier").debt_micro
    finish(consortium)


def test_trades_on_a_stale_clock_are_voided_although_it_is_frozen(consortium: Consortium) -> None:
    """First of all, as ever: no gate may close before."""
    world = consortium.world
    world.skip_to(at(11, 48))
    number = consortium.propose("sec", Act.FREEZE)
    consortium.run(world.sign("alice", sell("alice", 1_000, NOON, 4_500_000, "a")))
    consortium.run(world.sign("bob", buy("bob", 1_000, NOON, 4_800_000, "b")))
    vote = world.sign("central-bank", Vote(number, yes=True), expires_ms=at(11, 57))
    outcome = consortium.block(vote, time_ms=at(11, 56))
    assert is_frozen(consortium) and outcome.summary.voided_wh == 1_000
    assert world.account("bob").held_micro == world.account("alice").held_micro == 0
    finish(consortium)


def test_no_node_loses_its_licence_and_members_are_scored_as_ever(consortium: Consortium) -> None:
    freeze(consortium)
    epoch = consortium.height
    consortium.blocks(50, away=("techno",))
    assert consortium.conduct("techno").score_ppm < consortium.conduct("erc").score_ppm
    assert consortium.height > epoch and consortium.world.state.rows[NODES.prefix]
    finish(consortium)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, str]]:
    """Minutes to the next thing, and the thing."""
    things = ("freeze", "freeze", "resume", "resume", "both", "reading", "reading", "order", "nothing")
    return draw(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(things)), min_size=4, max_size=16))


def due_ms_of(freezes: Freezes, from_ms: int, wait_ms: int) -> int | None:
    """When so much time outside of freezes has passed, minute for minute and second for second."""
    left_ms, time_ms = wait_ms, from_ms
    for since_ms, until_ms in sorted(freezes, key=lambda one: one[0]):
        if until_ms is not None and until_ms <= time_ms:
            continue
        run_ms = max(0, since_ms - time_ms)
        if run_ms >= left_ms:
            break
        if until_ms is None:
            return None
        left_ms, time_ms = left_ms - run_ms, max(time_ms, until_ms)
    return time_ms + left_ms


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), st.integers(0, 10**6))
def test_any_history_with_freezes_keeps_money_energy_and_deadlines(history: list[tuple[int, str]], seed: int) -> None:
    c = Consortium()
    world, watch = c.world, Watch(c.world)
    freezes: Freezes = []
    begun: dict[int, int] = {}

    def look(block: object, outcome: BlockOutcome) -> None:
        """When each settlement was begun, and that none moved while it was frozen."""
        now_ms = world.time_ms
        for interval in range(NOON - 2, NOON + 40):
            if stage(c, interval) != Stage.METERING and interval not in begun:
                begun[interval] = now_ms

    world.watchers.append(look)
    c.blocks(2)
    world.skip_to(at(11, 30))
    measured: set[tuple[str, int]] = set()
    for position, (minutes, thing) in enumerate(history):
        world.skip_to(world.time_ms + minutes * MINUTE_MS)
        stages = {interval: stage(c, interval) for interval in range(NOON - 2, NOON + 40)}
        if thing in ("freeze", "both") and not is_frozen(c):
            freeze(c)
            freezes.append((world.time_ms, None))
        elif thing in ("resume", "both") and is_frozen(c):
            resume(c)
            freezes[-1] = freezes[-1][0], world.time_ms
        elif thing == "order":
            interval = world.time_ms // 900_000 + 1 + (seed + position) % 4
            c.run(
                world.sign("alice", sell("alice", 500, interval, 4_000_000, f"s{position}")),
                world.sign("bob", buy("bob", 500, interval, 4_500_000, f"b{position}")),
            )
        elif thing == "reading":
            interval = world.time_ms // 900_000 - 1 - (seed + position) % 3
            name = ("alice", "bob")[(seed + position) % 2]
            if (name, interval) not in measured:
                measured.add((name, interval))
                c.run(world.sign("bob", world.submit(world.reading(name, interval, 0, 0))))
        if is_frozen(c) and freezes[-1][0] < world.time_ms - 2_000:
            world.skip_to(world.time_ms + MINUTE_MS)
            assert stages == {interval: stage(c, interval) for interval in stages}
    if is_frozen(c):
        resume(c)
        freezes[-1] = freezes[-1][0], world.time_ms
    world.skip_to(world.time_ms + 45 * MINUTE_MS)
    watch.finish()
    for interval in range(NOON - 2, world.time_ms // 900_000 - 4):
        end_ms = interval_end_ms(interval)
        due_ms = due_ms_of(freezes, end_ms, 30 * MINUTE_MS)
        complete = {("alice", interval), ("bob", interval)} <= measured
        assert due_ms is not None and (complete or begun[interval] >= due_ms), (interval, freezes)
        assert begun[interval] <= max(due_ms, *(begun.get(number, 0) for number in range(interval))) + 61_000
    assert not world.state.rows[SET_ASIDE.prefix]
    assert last_block(world.state).height == len(world.blocks)
