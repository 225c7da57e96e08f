"""The application: begins, goes on, commits or stops; never anything in between."""

import pytest
from coin_chain import (
    BALANCE_MICRO,
    CHAIN_NAME,
    COIN,
    GENESIS_MS,
    NODE_ID,
    Break,
    Exhaust,
    Sender,
    account_of,
    genesis,
    supply_of,
)
from coin_engine import open_engine

from gridtokenx.engine.application import LAST_BLOCK_STATE_KEY, Application, StateDamaged
from gridtokenx.engine.storage import Storage
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.block import Block
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.commitment import verify
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.genesis import export_state, import_state


def test_a_chain_begins_with_its_genesis() -> None:
    application = Application(COIN)
    app_hash = application.init_chain(genesis())
    info = application.info()
    assert app_hash == info.app_hash == import_state(COIN, genesis())[1].root()
    assert (info.chain, info.kind, info.protocol, info.height, info.time_ms) == (CHAIN_NAME, "coin", 1, 0, GENESIS_MS)
    assert export_state(COIN, application.state) == genesis()


def test_without_a_chain_there_is_nothing_to_do(tmp_path) -> None:
    application = Application(COIN, Storage(tmp_path / "db"))
    assert not application.load()
    with pytest.raises(ValueError, match="no chain yet"):
        application.info()
    with pytest.raises(RuntimeError, match="no finalized block"):
        application.commit()
    application.storage.close()


@pytest.mark.parametrize("damage", [b"", b"nonsense", genesis()[:-1], genesis() + b"\x00"])
def test_a_genesis_that_is_none_is_refused(damage) -> None:
    with pytest.raises(Rejected):
        Application(COIN).init_chain(damage)


def test_what_is_proved_is_what_was_committed() -> None:
    engine = open_engine()
    key = bytes([ACCOUNTS.prefix]) + account_of(1)
    for height in (2, 3):
        engine.block(Sender(0, nonce=height).send(1, 5))
        proved = engine.application.prove(key)
        assert (proved.height, proved.app_hash) == (height, engine.application.info().app_hash)
        assert proved.value == encode(engine.application.state.get(ACCOUNTS, account_of(1)))
        assert verify(proved.app_hash, key, proved.value, proved.proof)
        for missing in (b"", b"\x01", b"\xff", key + b"x"):
            nothing = engine.application.prove(missing)
            assert nothing.value is None
            assert verify(nothing.app_hash, missing, None, nothing.proof)
    last = engine.application.prove(LAST_BLOCK_STATE_KEY)
    assert last.value == encode(engine.application.last_block())


def test_a_bug_in_a_handler_is_a_receipt_and_an_alarm() -> None:
    engine = open_engine()
    _, outcome = engine.block(Sender(0).transaction(Break()), Sender(1).send(0, 5))
    assert b"ZeroDivisionError" in outcome.alarms[0].encode()
    place = [receipt[35] for receipt in outcome.batches[0].receipts]
    assert place == [KernelCode.INTERNAL, 0]
    assert supply_of(engine.application.state) == 4 * BALANCE_MICRO


def test_after_a_failure_that_is_not_the_ledgers_nothing_is_committed(tmp_path) -> None:
    engine = open_engine(tmp_path)
    engine.block(Sender(0).send(1, 5))
    head = engine.storage.head()
    engine.solo.submit([Sender(1).send(0, 5), Sender(2).transaction(Exhaust())])
    with pytest.raises(MemoryError):
        engine.solo.make_block(engine.application.last_block().time_ms + 1_000)
    with pytest.raises(RuntimeError):
        engine.application.commit()
    last_ms = engine.application.last_block().time_ms
    with pytest.raises(RuntimeError, match="start again"):
        engine.application.finalize_block(Block(3, last_ms + 5_000, NODE_ID, ()))
    with pytest.raises(RuntimeError, match="not committed"):
        engine.application.prove(b"")
    assert engine.storage.head() == head
    engine.close()
    again = open_engine(tmp_path, start=False)
    assert again.application.info().app_hash == head.app_hash
    again.close()


def test_one_block_at_a_time() -> None:
    application = Application(COIN)
    application.init_chain(genesis())
    application.finalize_block(Block(1, GENESIS_MS + 1, NODE_ID, ()))
    with pytest.raises(RuntimeError):
        application.finalize_block(Block(2, GENESIS_MS + 2, NODE_ID, ()))
    application.commit()
    with pytest.raises(ValueError, match="cannot follow"):
        application.finalize_block(Block(1, GENESIS_MS + 2, NODE_ID, ()))


def test_records_that_their_block_did_not_leave_are_noticed(tmp_path) -> None:
    engine = open_engine(tmp_path)
    key = bytes([ACCOUNTS.prefix]) + account_of(0)
    richer = engine.storage.record(bytes([ACCOUNTS.prefix]) + account_of(1)).replace(account_of(1), account_of(0))
    engine.block(Sender(0).send(1, 5))
    engine.storage._columns["state"][key] = richer
    engine.close()
    with pytest.raises(StateDamaged, match="app hash"):
        open_engine(tmp_path)


def test_a_record_that_is_none_is_named(tmp_path) -> None:
    engine = open_engine(tmp_path)
    engine.storage._columns["state"][bytes([ACCOUNTS.prefix]) + account_of(0)] = b"nonsense"
    engine.close()
    with pytest.raises(Rejected, match=account_of(0).hex()):
        open_engine(tmp_path)
