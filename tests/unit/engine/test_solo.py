"""The solo engine: blocks at the right times, the same hashes however it was stopped, nothing accepted is lost."""

import threading

import msgspec
import pytest
from coin_chain import (
    BALANCE_MICRO,
    DIARY,
    GENESIS_MS,
    NODE_ID,
    NODE_SEED,
    Remind,
    Sender,
    id_of,
    supply_of,
)
from coin_engine import open_engine, replay
from hypothesis import given, settings
from hypothesis import strategies as st

from gridtokenx.engine.clocks import RealClock, ScenarioClock
from gridtokenx.engine.engine import LostBlocks, NotLicensed, node_id_of, require_whole
from gridtokenx.engine.folder import NodeKey
from gridtokenx.engine.journal import Journal
from gridtokenx.engine.mempool import Standing
from gridtokenx.ledger.batch import NODES, Node, open_batch


def test_the_first_block_after_a_start_is_empty_and_a_millisecond_later(tmp_path) -> None:
    engine = open_engine(tmp_path)
    assert engine.application.info().time_ms == GENESIS_MS + 1
    engine.solo.submit([Sender(0).send(1)])
    engine.close()
    again = open_engine(tmp_path)
    assert (again.application.info().height, again.application.info().time_ms) == (2, GENESIS_MS + 2)
    assert again.storage.block(2).block.batches == ()
    assert again.solo.clock.now_ms() == GENESIS_MS + 2
    again.close()


def test_whoever_hears_of_the_first_block_may_submit() -> None:
    engine, answers = open_engine(start=False), []
    engine.solo.on_block = lambda _: answers.extend(engine.solo.submit([Sender(0).send(1)]))
    engine.solo.start()
    assert [answer.standing for answer in answers] == [Standing.PENDING]


def test_there_is_a_block_at_every_due_time_and_one_at_the_end() -> None:
    engine = open_engine()
    due = [GENESIS_MS + 60_000, GENESIS_MS + 90_000, GENESIS_MS + 90_500]
    senders = [Sender(number) for number in range(3)]
    engine.block(*(sender.transaction(Remind(due_ms)) for sender, due_ms in zip(senders, due, strict=True)))
    outcomes = engine.solo.advance(GENESIS_MS + 100_000)
    times = [outcome.header.time_ms - GENESIS_MS for outcome in outcomes]
    assert times == [60_000, 90_000, 91_000, 100_000]
    pages = sorted(page.time_ms - GENESIS_MS for _, page in engine.application.state.items(DIARY))
    assert pages == [60_000, 90_000, 91_000]
    assert engine.solo.clock.now_ms() == GENESIS_MS + 100_000
    assert engine.solo.advance(GENESIS_MS + 100_000) == []


def test_receipts_come_in_the_order_of_the_transactions() -> None:
    engine = open_engine()
    senders = [Sender(number) for number in range(4)]
    amounts = [3, 2 * BALANCE_MICRO, 4, 2 * BALANCE_MICRO]
    wires = [sender.send(0, amount) for sender, amount in zip(senders, amounts, strict=True)]
    answers, outcome = engine.block(*wires)
    assert [answer.standing for answer in answers] == [Standing.PENDING] * 4
    receipts = outcome.batches[0].receipts
    assert [receipt[3:35] for receipt in receipts] == [id_of(wire) for wire in wires]
    assert [engine.mempool.standing(id_of(wire)).standing for wire in wires] == [Standing.UNKNOWN] * 4


def test_metrics_and_alarms_follow_the_blocks() -> None:
    engine = open_engine()
    state = engine.application.state
    state.put(NODES, NODE_ID, Node(NodeKey(NODE_SEED).public_key, licensed=False))
    engine.block(Sender(0).send(1))
    metrics = engine.solo.metrics
    assert list(metrics.alarms) == ["block 2: batch refused with code 15"]
    assert {"collect", "execute", "commitment", "store", "settle"} <= set(metrics.last_phases)
    text = metrics.text().decode()
    assert "gridtokenx_height 2.0" in text
    assert 'gridtokenx_block_phase_seconds_count{phase="store"} 2.0' in text


def test_a_key_without_licence_cannot_be_a_node() -> None:
    engine = open_engine()
    assert node_id_of(engine.application.state, NodeKey(NODE_SEED).public_key) == NODE_ID
    with pytest.raises(NotLicensed):
        node_id_of(engine.application.state, NodeKey(bytes(32)).public_key)
    engine.application.state.put(NODES, NODE_ID, Node(NodeKey(NODE_SEED).public_key, licensed=False))
    with pytest.raises(NotLicensed):
        node_id_of(engine.application.state, NodeKey(NODE_SEED).public_key)


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, BALANCE_MICRO), st.sampled_from("tbr")), max_size=12
)


@settings(max_examples=20)
@given(steps=STEPS)
def test_stopping_between_any_two_steps_loses_nothing(tmp_path_factory, steps) -> None:
    """t: a transaction is accepted, b: a block is made, r: the node is stopped and started."""
    folder = tmp_path_factory.mktemp("solo")
    engine = open_engine(folder)
    senders = [Sender(number) for number in range(4)]
    accepted: list[bytes] = []
    for sender, receiver, amount, step in steps:
        if step == "t":
            wire = senders[sender].send(receiver, amount)
            (answer,) = engine.solo.submit([wire])
            assert answer.standing is Standing.PENDING
            accepted.append(wire)
        elif step == "b":
            engine.solo.make_block(engine.application.last_block().time_ms + 1_000)
        else:
            app_hash = engine.application.info().app_hash
            engine.close()
            engine = open_engine(folder, start=False)
            assert engine.application.info().app_hash == app_hash
            engine.solo.start()
        standings = {engine.mempool.standing(id_of(wire)).standing for wire in accepted}
        assert standings <= {Standing.PENDING, Standing.COMMITTED}
        assert supply_of(engine.application.state) == 4 * BALANCE_MICRO
    engine.solo.make_block(engine.application.last_block().time_ms + 1_000)
    assert {engine.mempool.standing(id_of(wire)).standing for wire in accepted} <= {Standing.COMMITTED}
    assert replay(engine.storage).info().app_hash == engine.application.info().app_hash
    engine.close()


def test_what_expired_in_the_journal_is_noted(tmp_path) -> None:
    engine = open_engine(tmp_path)
    soon, later = Sender(0).send(1, expires_ms=GENESIS_MS + 5_000), Sender(1).send(0)
    engine.solo.submit([soon])
    engine.solo.submit([later])
    # The database goes on without the pool, as if the blocks had come from elsewhere.
    for _ in range(2):
        engine.application.finalize_block(
            msgspec.structs.replace(
                engine.storage.block(engine.storage.head().height).block,
                height=engine.storage.head().height + 1,
                time_ms=engine.storage.head().time_ms + 10_000,
            )
        )
        engine.application.commit()
    engine.close()
    again = open_engine(tmp_path)
    assert again.mempool.standing(id_of(soon)).standing is Standing.EXPIRED
    assert again.mempool.standing(id_of(later)).standing is Standing.PENDING
    assert len(again.mempool) == 1
    again.close()


def test_what_expires_while_the_node_runs_is_noted(tmp_path) -> None:
    engine = open_engine(tmp_path)
    wire = Sender(0).send(1, expires_ms=GENESIS_MS + 5_000)
    engine.solo.submit([wire])
    engine.solo.make_block(GENESIS_MS + 5_001)
    answer = engine.mempool.standing(id_of(wire))
    assert (answer.standing, answer.height) == (Standing.EXPIRED, 2)
    assert len(engine.mempool) == 0
    engine.close()
    assert [entry.wire for entry in Journal(tmp_path / "journal").recovered] != []
    again = open_engine(tmp_path)
    assert again.mempool.standing(id_of(wire)) == answer, "what is noted once stays"
    again.close()


def test_a_batch_in_a_block_is_not_offered_again(tmp_path) -> None:
    engine = open_engine(tmp_path)
    engine.block(Sender(0).send(1, 5))
    engine.close()
    again = open_engine(tmp_path)
    assert len(again.mempool) == 0
    assert again.solo.make_block(again.application.last_block().time_ms + 1).batches == ()
    again.close()


def test_batch_sequences_go_on_after_a_restart(tmp_path) -> None:
    sequences = []
    for nonce in range(3):
        engine = open_engine(tmp_path)
        engine.block(Sender(0, nonce=nonce).send(1))
        (wire,) = engine.storage.block(engine.storage.head().height).block.batches
        sequences.append(open_batch(wire)[1].sequence)
        engine.close()
    assert sequences == [1, 2, 3]


def test_a_journal_that_knows_more_than_the_database_stops_the_start(tmp_path) -> None:
    engine = open_engine(tmp_path)
    engine.journal.mark(1, bytes(32))
    with pytest.raises(LostBlocks, match="app hash"):
        require_whole(engine.application, engine.journal)
    engine.journal.mark(2, bytes(32))
    with pytest.raises(LostBlocks, match="ends at block 1"):
        require_whole(engine.application, engine.journal)
    engine.close()


@pytest.mark.parametrize("clock", [RealClock(), ScenarioClock(10_000)])
def test_it_runs_at_its_clock_until_it_is_told_to_stop(clock) -> None:
    engine = open_engine(start=False)
    engine.solo.clock = clock
    engine.solo.start()
    stop, blocks = threading.Event(), []

    def on_block(outcome) -> None:
        blocks.append(outcome.header)
        if len(blocks) == 5:
            stop.set()

    engine.solo.on_block = on_block
    engine.solo.run(stop, interval_ms=1)
    times = [header.time_ms for header in blocks]
    assert [header.height for header in blocks] == [2, 3, 4, 5, 6]
    assert times == sorted(set(times)) and times[0] > GENESIS_MS + 1
