"""Blocks: what links them, and the order inside that nobody chooses."""

from typing import Any

import pytest
from tests.world import NODE_ID, WATT, Founding, World, decode_receipt, pseudonym

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.batch import check_batch
from gridtokenx.ledger.block import Block, apply_block
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.commitment import verify
from gridtokenx.ledger.crypto import hash_bytes, merkle_root
from gridtokenx.ledger.header import LAST_BLOCK, header_hash, last_block
from gridtokenx.modules.identity.messages import SuspendParticipant
from gridtokenx.modules.market.messages import CancelOrder
from gridtokenx.modules.tokens.messages import Transfer

NAMES = [f"home-{number}" for number in range(8)]


@pytest.fixture
def world() -> World:
    founding = Founding()
    for name in NAMES:
        founding.add_home(name)
    return founding.start()


def test_headers_link_each_block_to_the_one_before_and_to_its_state(world: World) -> None:
    root = world.commitment.root()
    first = world.block(world.batch(world.sign("home-1", Transfer(world.accounts["home-2"], WATT))))
    assert first.header.previous == bytes(32)
    assert first.header.app_hash_before == root
    assert first.header.batches_root == merkle_root(list(world.blocks[-1].batches))
    assert first.app_hash == world.commitment.root() != root
    second = world.block()
    assert second.header.previous == header_hash(first.header)
    assert second.header.app_hash_before == first.app_hash
    assert second.header.proposer == NODE_ID


def test_the_state_vouches_for_the_block(world: World) -> None:
    outcome = world.block(world.batch(world.sign("home-1", Transfer(world.accounts["home-2"], WATT))))
    last = last_block(world.state)
    assert last.header_hash == header_hash(outcome.header)
    assert last.receipts_root == merkle_root([batch.root for batch in outcome.batches])
    assert last.trades_root == merkle_root(list(outcome.trades))
    key = bytes([LAST_BLOCK.prefix])
    assert verify(outcome.app_hash, key, encode(last), world.commitment.prove(key))


@pytest.mark.parametrize(("height", "later_ms"), [(2, 1), (0, 1), (1, 0), (1, -1)])
def test_an_engine_that_skips_or_goes_back_is_told(world: World, height: int, later_ms: int) -> None:
    block = Block(height, world.time_ms + later_ms, NODE_ID, ())
    with pytest.raises(ValueError, match="cannot follow"):
        apply_block(CONSORTIUM, world.state, world.commitment, block)


def test_phases_are_told_in_order(world: World) -> None:
    told: list[str] = []
    block = Block(1, world.time_ms + 1, NODE_ID, ())
    apply_block(CONSORTIUM, world.state, world.commitment, block, observe=told.append)
    assert told == ["due", "admit", "execute", "due_after", "encode", "commitment"]


def test_what_an_engine_remembers_of_a_batch_is_taken(world: World) -> None:
    wire = world.batch(world.sign("home-1", Transfer(world.accounts["home-2"], WATT)))
    asked: list[bytes] = []

    def remembered(batch: bytes) -> int:
        asked.append(batch)
        return check_batch(batch, CONSORTIUM.body)

    block = Block(1, world.time_ms + 1_000, NODE_ID, (wire,))
    outcome = apply_block(CONSORTIUM, world.state, world.commitment, block, remembered)
    assert asked == [wire]
    assert outcome.batches[0].code == 0


def executed(world: World, wires: list[tuple[str, bytes]]) -> list[str]:
    """The names in the order in which the block ran them: each transfer pays one more into the same account, so
    the order is read from a handler that writes it down."""
    order: list[str] = []
    by_account = {account: name for name, account in world.accounts.items()}
    handlers = dict(CONSORTIUM.handlers)

    def noting(handler: Any) -> Any:
        def run(state: Any, context: Any, message: Any) -> Any:
            order.append(by_account[context.sender])
            return handler(state, context, message)

        return run

    CONSORTIUM.handlers.update({kind: noting(handler) for kind, handler in handlers.items()})
    try:
        world.block(*(world.batch(wire) for _, wire in wires))
    finally:
        CONSORTIUM.handlers.update(handlers)
    return order


def test_participants_are_drawn_from_the_app_hash_before(world: World) -> None:
    for _ in range(5):
        before = world.commitment.root()
        wires = [(name, world.sign(name, Transfer(world.accounts["mea"], 1))) for name in NAMES]
        drawn = sorted(NAMES, key=lambda name: hash_bytes(before + pseudonym(name)))
        assert executed(world, wires) == drawn


def test_urgent_messages_come_first_then_cancels_then_the_rest(world: World) -> None:
    wires = [
        ("home-1", world.sign("home-1", Transfer(world.accounts["mea"], 1))),
        ("home-2", world.sign("home-2", CancelOrder(bytes(8)), Transfer(world.accounts["mea"], 1))),
        ("home-3", world.sign("home-3", CancelOrder(bytes(8)))),
        ("registrar", world.sign("registrar", SuspendParticipant(pseudonym("home-4"), suspended=True))),
    ]
    order = executed(world, wires)
    assert order[:2] == ["registrar", "home-3"]
    assert set(order[2:]) == {"home-1", "home-2"}


def test_one_accounts_transactions_run_by_nonce_wherever_they_stand(world: World) -> None:
    second = world.sign("home-1", Transfer(world.accounts["mea"], 1), nonce=2)
    first = world.sign("home-1", Transfer(world.accounts["home-1"], 1), nonce=1)
    outcome = world.block(world.batch(second), world.batch(first))
    codes = [decode_receipt(batch.receipts[0]).code for batch in outcome.batches]
    assert CONSORTIUM.codes[codes[0]] == "OK" and CONSORTIUM.codes[codes[1]] == "TRANSFER_TO_SELF"
    assert world.account("home-1").nonce_highest == 2
    assert world.account("home-1").nonce_gaps == b""


def test_the_place_in_a_batch_and_the_order_of_batches_change_nothing() -> None:
    """The same transactions, packed otherwise: receipts and accounts are the same."""
    results = []
    for turn in (False, True):
        founding = Founding()
        for name in NAMES:
            founding.add_home(name)
        world = founding.start()
        wires = [
            world.sign(name, Transfer(world.accounts["mea"], 1), expires_ms=world.time_ms + 9_000) for name in NAMES
        ]
        halves = [wires[:4], wires[4:]]
        if turn:
            halves = [half[::-1] for half in halves[::-1]]
        outcome = world.block(*(world.batch(*half) for half in halves))
        receipts = sorted(receipt for batch in outcome.batches for receipt in batch.receipts)
        results.append((receipts, sorted(world.state.rows[0x01].items())))
    assert results[0] == results[1]
