"""An archive knows every version of every record, as states that were copied block by block say it."""

import shutil
from pathlib import Path

import pytest
from coin_chain import GENESIS_MS, Remind, Sender, account_of
from coin_engine import CoinEngine, open_engine
from hypothesis import given, settings
from hypothesis import strategies as st
from rocksdict import WriteBatch

from gridtokenx.engine.database import HISTORY
from gridtokenx.engine.history import History, HistoryMissing, Version, write_versions
from gridtokenx.engine.storage import Reader, Storage
from gridtokenx.ledger.account import ACCOUNTS

PAYER = bytes([ACCOUNTS.prefix]) + account_of(0)
SCHEDULE = b"\x04"
EVERYTHING = 10_000

States = dict[int, dict[bytes, bytes]]
"""The whole state after each block: what the history is compared with, made without it."""


def note(engine: CoinEngine, states: States) -> None:
    states[engine.storage.head().height] = dict(engine.storage.scan())


def check(history: History, states: States) -> None:
    """All keys that there ever were, at all heights, and the list of what changed."""
    keys = {key for state in states.values() for key in state}
    heights = sorted(states)
    assert (history.since, history.until) == (heights[0], heights[-1])
    for key in keys:
        expected: list[Version] = []
        for height in heights:
            record = states[height].get(key)
            found = history.at(key, height)
            assert (found.record if found else None) == record, (key.hex(), height)
            if record != (expected[-1].record if expected else None):
                expected.append(Version(height, record))
        told = history.versions(key, heights[0], heights[-1], EVERYTHING)
        assert [each for each in told if each in expected] == expected
        # A block may write a record as it was.
        assert all(states[each.height].get(key) == each.record for each in told)
    assert history.at(b"\x01nobody", heights[-1]) is None
    assert history.versions(b"\x01nobody", heights[0], heights[-1], EVERYTHING) == []


Steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 3), st.integers(0, 3)),
        st.tuples(st.just("remind"), st.integers(0, 3), st.integers(1, 4)),
        st.tuples(st.sampled_from(["empty", "restart", "checkpoint", "flush"]), st.just(0), st.just(0)),
    ),
    max_size=14,
)


@given(steps=Steps)
@settings(max_examples=25, deadline=None)
def test_every_version_is_there_whatever_happened(tmp_path_factory, steps) -> None:
    folder = tmp_path_factory.mktemp("archive")
    senders = [Sender(number) for number in range(4)]
    engine, states = open_engine(folder / "0", start=False, history=True), States()
    note(engine, states)
    try:
        engine.solo.start()
        note(engine, states)
        for number, (kind, first, second) in enumerate(steps, 1):
            match kind:
                case "send":
                    engine.block(senders[first].send(second, 3))
                case "remind":
                    due_ms = engine.application.last_block().time_ms + 1_000 * second
                    engine.block(senders[first].transaction(Remind(due_ms)))
                case "empty":
                    engine.block()
                case "flush":
                    engine.storage.begin_flush()
                case _:
                    engine = again(engine, folder / str(number), checkpoint=kind == "checkpoint")
            note(engine, states)
        check(engine.storage.history(), states)
        reader = Reader(Path(engine.storage._database.path()), folder / "reader")
        check(reader.history(), states)
        reader.close()
    finally:
        engine.close()


def again(engine: CoinEngine, copy: Path, *, checkpoint: bool) -> CoinEngine:
    """Ended and started, on the same database or on a checkpoint of it."""
    present = Path(engine.storage._database.path()).parent
    if checkpoint:
        shutil.copytree(present / "journal", copy / "journal")
        engine.storage.checkpoint(copy / "db")
    engine.close()
    return open_engine(copy if checkpoint else present, start=False)


def test_a_record_that_went_is_gone_from_then_on_and_not_before(tmp_path) -> None:
    engine = open_engine(tmp_path, history=True)
    engine.block(Sender(0).transaction(Remind(GENESIS_MS + 500_000)))
    height, before = engine.storage.head().height, dict(engine.storage.scan(SCHEDULE))
    engine.solo.make_block(GENESIS_MS + 600_000)
    after = dict(engine.storage.scan(SCHEDULE))
    key = min(before.keys() - after.keys())
    record = before[key]
    history = engine.storage.history()
    assert history.at(key, height - 1) is None
    assert history.at(key, height) == Version(height, record)
    assert history.at(key, height + 1) == Version(height + 1, None)
    assert history.versions(key, 1, height + 1, 10) == [Version(height, record), Version(height + 1, None)]
    engine.close()


def test_versions_come_in_pages(tmp_path) -> None:
    engine = open_engine(tmp_path, history=True)
    sender = Sender(0)
    for _ in range(7):
        engine.block(sender.send(1))
    history = engine.storage.history()
    whole = history.versions(PAYER, history.since, history.until, EVERYTHING)
    assert len(whole) == 8
    pages, first = [], history.since
    while page := history.versions(PAYER, first, history.until, 3):
        pages += page
        first = page[-1].height + 1
        if first > history.until:
            break
    assert pages == whole
    assert history.versions(PAYER, whole[2].height, whole[4].height, EVERYTHING) == whole[2:5]
    engine.close()


def test_a_node_without_history_says_so_and_has_no_room_for_it(tmp_path) -> None:
    engine = open_engine(tmp_path)
    engine.block(Sender(0).send(1))
    with pytest.raises(HistoryMissing, match="keeps no history") as raised:
        engine.storage.history()
    assert raised.value.since is None
    assert HISTORY not in engine.storage._columns
    engine.close()


def test_a_node_that_becomes_an_archive_later_knows_from_when_on(tmp_path) -> None:
    engine = open_engine(tmp_path)
    sender = Sender(0)
    engine.block(sender.send(1))
    engine.close()
    engine, states = open_engine(tmp_path, start=False, history=True), States()
    since = engine.storage.head().height
    note(engine, states)
    for _ in range(3):
        engine.block(sender.send(1))
        note(engine, states)
    history = engine.storage.history()
    check(history, states)
    with pytest.raises(HistoryMissing, match=f"from block {since} on, not block {since - 1}") as raised:
        history.at(PAYER, since - 1)
    assert raised.value.since == since
    with pytest.raises(HistoryMissing, match="not there yet"):
        history.at(PAYER, history.until + 1)
    engine.close()


def test_it_goes_on_until_told_otherwise_and_leaves_no_gap(tmp_path) -> None:
    sender, states = Sender(0), States()
    engine = open_engine(tmp_path, start=False, history=True)
    note(engine, states)
    engine.solo.start()
    note(engine, states)
    engine.close()
    engine = open_engine(tmp_path, start=False)
    engine.block(sender.send(1))
    note(engine, states)
    check(engine.storage.history(), states)
    engine.storage.end_history()
    with pytest.raises(HistoryMissing):
        engine.storage.history()
    engine.block(sender.send(1))
    engine.close()
    engine, states = open_engine(tmp_path, start=False, history=True), States()
    note(engine, states)
    engine.block(sender.send(1))
    note(engine, states)
    check(engine.storage.history(), states)
    engine.close()


@pytest.mark.parametrize("history", [True, False])
def test_a_beginning_that_was_stopped_is_begun_again_or_dropped(tmp_path, history) -> None:
    engine = open_engine(tmp_path, history=True)
    engine.block(Sender(0).send(1))
    # As if it had stopped before the mark was written, with rows of who knows what.
    del engine.storage._columns["meta"][b"history"]
    stray = b"\x01\x00\x05stray" + (1).to_bytes(8, "big")
    engine.storage._columns[HISTORY][stray] = b"row"
    engine.close()
    storage, states = Storage(tmp_path / "db", history=history), States()
    if history:
        states[storage.head().height] = dict(storage.scan())
        check(storage.history(), states)
        assert storage._columns[HISTORY].get(stray) is None
    else:
        assert HISTORY not in storage._columns
    storage.close()


def test_keys_of_which_one_begins_as_another_are_kept_apart(tmp_path) -> None:
    engine = open_engine(tmp_path, history=True)
    storage = engine.storage
    short, long = b"\x7fab", b"\x7fab" + (2).to_bytes(8, "big")
    for height, change in ((2, (short, b"short")), (3, (long, b"long")), (4, (short, None))):
        batch = WriteBatch(raw_mode=True)
        write_versions(batch, storage._handles[HISTORY], [change], height)
        storage._write(batch)
    history = History(storage._columns[HISTORY], 1, 4)
    assert history.at(short, 3) == Version(2, b"short")
    assert history.at(short, 4) == Version(4, None)
    assert history.at(long, 2) is None
    assert history.at(long, 4) == Version(3, b"long")
    assert history.versions(short, 1, 4, 10) == [Version(2, b"short"), Version(4, None)]
    engine.close()


def test_a_reader_of_a_node_that_becomes_an_archive_sees_its_history(tmp_path) -> None:
    engine = open_engine(tmp_path)
    reader = Reader(tmp_path / "db", tmp_path / "reader")
    with pytest.raises(HistoryMissing):
        reader.history()
    engine.close()
    engine = open_engine(tmp_path, start=False, history=True)
    engine.block(Sender(0).send(1))
    reader.refresh()
    assert reader.history().since == engine.storage.history().since
    assert reader.history().at(PAYER, reader.head().height) == engine.storage.history().at(PAYER, reader.head().height)
    reader.close()
    engine.close()
