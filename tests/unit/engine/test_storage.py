"""What a block wrote is read again, by the node and by others; damage and loss are noticed, never passed over."""

import os
import shutil
from pathlib import Path

import pytest
from coin_chain import (
    BALANCE_MICRO,
    CHAIN_NAME,
    GENESIS_MS,
    NODE_ID,
    Remind,
    Sender,
    account_of,
    batch_of,
    genesis,
    id_of,
    key_of,
)
from coin_engine import CoinEngine, open_engine, replay

from gridtokenx.engine.database import DatabaseFailed
from gridtokenx.engine.engine import LostBlocks
from gridtokenx.engine.storage import Place, Reader
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.block import Block
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.crypto import TRANSACTION_DOMAIN, hash_bytes
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.genesis import genesis_rows
from gridtokenx.ledger.transaction import Auth, Envelope, Receipt, decode_envelope

ACCOUNT_PREFIX = bytes([ACCOUNTS.prefix])


@pytest.fixture
def engine(tmp_path):
    opened = open_engine(tmp_path, feed_prefixes=(ACCOUNTS.prefix,), feed_blocks_kept=3)
    yield opened
    opened.close()


def commit(engine: CoinEngine, *batches: bytes) -> int:
    """A block of these very batches; its height."""
    last = engine.application.last_block()
    engine.application.finalize_block(Block(last.height + 1, last.time_ms + 1_000, NODE_ID, batches))
    engine.application.commit()
    return last.height + 1


def test_a_genesis_is_all_there_is_at_first(engine) -> None:
    storage, head = engine.storage, engine.storage.head()
    assert (head.kind, head.chain, head.height) == ("coin", CHAIN_NAME, 1)
    assert head.genesis_hash == hash_bytes(genesis())
    keys = {key for key, _ in genesis_rows("coin", genesis())}
    assert {key for key, _ in storage.scan()} == keys
    assert storage.block(0) is None and storage.results(0) is None and storage.feed(0) is None


def test_a_block_is_kept_with_all_that_it_did(engine) -> None:
    first, second = Sender(0), Sender(1)
    wires = [first.send(1, 5), second.send(0, 10 * BALANCE_MICRO)]
    _, outcome = engine.block(*wires)
    storage = engine.storage
    stored, results = storage.block(2), storage.results(2)
    assert stored.header == outcome.header
    assert stored.block.batches and stored.block.time_ms == outcome.header.time_ms
    assert results.app_hash == outcome.app_hash == storage.head().app_hash
    assert (results.batches, results.trades, results.summary) == (outcome.batches, outcome.trades, outcome.summary)
    assert storage.head().height == 2
    account = engine.application.state.get(ACCOUNTS, account_of(1))
    assert storage.record(ACCOUNT_PREFIX + account_of(1)) == encode(account)
    for position, wire in enumerate(wires):
        assert storage.place_of(id_of(wire)) == Place(2, 0, position, [0, 900][position])
        assert storage.receipt_of(id_of(wire)) == outcome.batches[0].receipts[position]
    for nobody in (b"", b"\x00", bytes(31), bytes(32), bytes(33)):
        assert storage.place_of(nobody) is None and storage.receipt_of(nobody) is None


def test_a_scan_sees_one_table_in_key_order(engine) -> None:
    rows = list(engine.storage.scan(ACCOUNT_PREFIX))
    assert [key for key, _ in rows] == sorted(ACCOUNT_PREFIX + account_of(number) for number in range(4))
    everything = list(engine.storage.scan())
    assert everything == sorted(everything)
    assert set(rows) < set(everything)
    assert list(engine.storage.scan(b"\xff")) == []


def test_the_feed_has_changes_of_the_followed_tables_only_and_forgets(engine) -> None:
    sender = Sender(0)
    for _ in range(4):
        engine.block(sender.transaction(Remind(GENESIS_MS + 500_000)), sender.send(1))
    storage = engine.storage
    assert storage.head().height == 5
    assert storage.feed(1) is None and storage.feed(2) is None
    assert {key for key, _ in storage.feed(5)} == {ACCOUNT_PREFIX + account_of(number) for number in (0, 1)}
    assert dict(storage.feed(5))[ACCOUNT_PREFIX + account_of(0)] == storage.record(ACCOUNT_PREFIX + account_of(0))


def test_a_record_that_goes_is_gone(engine) -> None:
    schedule = b"\x04"
    _, _ = engine.block(Sender(0).transaction(Remind(GENESIS_MS + 500_000)))
    before = [key for key, _ in engine.storage.scan(schedule)]
    engine.solo.make_block(GENESIS_MS + 600_000)
    after = [key for key, _ in engine.storage.scan(schedule)]
    assert before and not set(before) & set(after)


def test_a_receipt_of_a_used_nonce_is_never_overwritten(engine) -> None:
    wire = Sender(0).send(1, 5)
    height = commit(engine, batch_of(wire))
    first = engine.storage.receipt_of(id_of(wire))
    commit(engine, batch_of(wire, sequence=2))
    assert engine.storage.place_of(id_of(wire)) == Place(height, 0, 0, 0)
    assert engine.storage.receipt_of(id_of(wire)) == first


def test_within_a_block_too(engine) -> None:
    wire = Sender(0).send(1, 5)
    batches = [batch_of(wire, sequence=number) for number in (1, 2)]
    height = commit(engine, *batches)
    codes = [outcome.receipts[0] for outcome in engine.storage.results(height).batches]
    place = engine.storage.place_of(id_of(wire))
    assert place.code == 0
    assert codes[place.batch] == encode(Receipt(id_of(wire), 0, 0, ((5,),)))


def test_a_refusal_gives_way_to_what_happens_later(engine) -> None:
    sender = Sender(0, nonce=3_000)
    early = sender.send(1)
    height = commit(engine, batch_of(early))
    assert engine.storage.place_of(id_of(early)) == Place(height, 0, 0, KernelCode.NONCE_JUMP)
    climb = [Sender(0, nonce=nonce).send(1) for nonce in (1_000, 2_000)]
    for wire in [*climb, early]:
        height = commit(engine, batch_of(wire, sequence=2))
    assert engine.storage.place_of(id_of(early)) == Place(height, 0, 0, 0)


def test_a_stranger_cannot_make_a_transaction_look_failed(engine) -> None:
    wire = Sender(0).send(1)
    body = Sender(0).send(1)
    assert wire == body
    forged = sign_with_another_key(wire)
    height = commit(engine, batch_of(forged))
    assert engine.storage.place_of(id_of(wire)) is None
    assert engine.storage.place_of(hash_bytes(forged)) == Place(height, 0, 0, KernelCode.UNAUTHENTICATED)


def sign_with_another_key(wire: bytes) -> bytes:
    raw, key = decode_envelope(wire).body, key_of(3)
    signature = key.sign(TRANSACTION_DOMAIN + raw)
    return encode(Envelope(raw, Auth(0, 1, (key.public_key,), ((0, signature),))))


def test_transactions_of_a_refused_batch_have_its_code(engine) -> None:
    wire = Sender(0).send(1)
    height = commit(engine, batch_of(wire, author=b"stranger", seed=bytes(32)), b"no batch at all")
    assert engine.storage.place_of(id_of(wire)) == Place(height, 0, 0, KernelCode.BATCH_AUTHOR_UNKNOWN)
    assert engine.storage.receipt_of(id_of(wire)) is None
    assert [outcome.code for outcome in engine.storage.results(height).batches] == [
        KernelCode.BATCH_AUTHOR_UNKNOWN,
        KernelCode.MALFORMED,
    ]


def test_expiry_is_noted_but_never_over_a_receipt(engine) -> None:
    done, never = Sender(0).send(1), Sender(1).send(0)
    engine.block(done)
    application = engine.application
    application.finalize_block(Block(3, application.last_block().time_ms + 1, NODE_ID, ()))
    application.commit([id_of(done), id_of(never)])
    assert engine.storage.place_of(id_of(done)) == Place(2, 0, 0, 0)
    assert engine.storage.place_of(id_of(never)) == Place(3, 0, 0, 0, expired=True)
    assert engine.storage.receipt_of(id_of(never)) is None


def test_a_reader_follows_block_by_block(engine, tmp_path) -> None:
    reader = Reader(tmp_path / "db", tmp_path / "reader")
    sender = Sender(0)
    for height in range(2, 6):
        engine.block(sender.send(1))
        assert reader.head().height == height - 1, "between two refreshes nothing changes"
        reader.refresh()
        assert reader.head() == engine.storage.head()
        assert reader.block(height) == engine.storage.block(height)
        assert list(reader.scan()) == list(engine.storage.scan())
    assert reader.receipt_of(id_of(Sender(0).send(1))) is not None
    reader.close()


def test_what_a_reader_saw_never_hides_what_went_to_files_since(engine, tmp_path) -> None:
    reader = Reader(tmp_path / "db", tmp_path / "reader")
    sender = Sender(0)
    for _ in range(3):
        engine.block(sender.send(1))
        reader.refresh()
        engine.block(sender.send(1))
        for column in engine.storage._columns.values():
            column.flush()
        reader.refresh()
        assert reader.head() == engine.storage.head()
        assert list(reader.scan()) == list(engine.storage.scan())
        key = ACCOUNT_PREFIX + account_of(0)
        assert reader.record(key) == engine.storage.record(key)
    reader.close()


def test_a_reader_without_a_database_says_so(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no database"):
        Reader(tmp_path / "db", tmp_path / "reader")


def test_everything_is_there_after_a_restart_and_replays_to_the_same_hashes(tmp_path) -> None:
    engine = open_engine(tmp_path)
    senders = [Sender(number) for number in range(3)]
    for _ in range(5):
        engine.block(*(sender.send(3, 7) for sender in senders))
    app_hash, rows = engine.storage.head().app_hash, list(engine.storage.scan())
    engine.close()
    again = open_engine(tmp_path, start=False)
    assert again.application.info().app_hash == app_hash
    assert list(again.storage.scan()) == rows
    assert replay(again.storage).info().app_hash == app_hash
    again.close()


def crashed_copy(tmp_path: Path, blocks: int = 8) -> Path:
    """The folder of a node that was killed: nothing flushed, the write-ahead log as it was."""
    engine = open_engine(tmp_path / "live")
    sender = Sender(0)
    for _ in range(blocks):
        engine.block(sender.send(1))
    shutil.copytree(tmp_path / "live", tmp_path / "killed")
    engine.close()
    (tmp_path / "killed" / "db" / "LOCK").unlink()
    return tmp_path / "killed"


def write_ahead_log(folder: Path) -> Path:
    return max((folder / "db").glob("*.log"))


def test_a_killed_node_has_lost_nothing(tmp_path) -> None:
    engine = open_engine(crashed_copy(tmp_path), start=False)
    assert engine.storage.head().height == 9
    assert replay(engine.storage).info().app_hash == engine.storage.head().app_hash
    engine.close()


@pytest.mark.parametrize("cut", [1, 1_000, 5_000])
def test_a_database_that_lost_its_tail_is_noticed(tmp_path, cut) -> None:
    folder = crashed_copy(tmp_path)
    log = write_ahead_log(folder)
    os.truncate(log, log.stat().st_size - cut)
    with pytest.raises(LostBlocks, match="block 9 was committed"):
        open_engine(folder)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_flipped_byte_in_the_write_ahead_log_is_noticed(tmp_path, share) -> None:
    folder = crashed_copy(tmp_path)
    flip(write_ahead_log(folder), share)
    with pytest.raises(DatabaseFailed, match="Corruption"):
        open_engine(folder)


def flip(path: Path, share: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 1
    path.write_bytes(content)


def test_a_scan_of_damaged_files_raises_and_never_just_ends(tmp_path) -> None:
    engine = open_engine(tmp_path)
    engine.block(Sender(0).send(1))
    engine.close()
    first_key = ACCOUNT_PREFIX + min(account_of(number) for number in range(4))
    (damaged,) = [path for path in (tmp_path / "db").glob("*.sst") if first_key in path.read_bytes()[:100]]
    content = bytearray(damaged.read_bytes())
    content[content.index(first_key) + 5] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(DatabaseFailed, match=r"cannot read the state.*Corruption"):
        open_engine(tmp_path)


def test_a_genesis_that_was_not_finished_is_begun_again(tmp_path) -> None:
    engine = open_engine(tmp_path, start=False)
    storage = engine.storage
    # As if it had stopped before the head was written, with rows of who knows what.
    del storage._columns["meta"][b"head"]
    storage._columns["state"][b"\x01stray"] = b"row"
    engine.close()
    again = open_engine(tmp_path)
    assert again.storage.record(b"\x01stray") is None
    assert again.storage.head().height == 1
    again.close()
