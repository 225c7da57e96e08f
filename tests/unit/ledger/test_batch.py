"""A batch: what is refused without state, and what the ledger refuses as a whole."""

import msgspec
import pytest
from tests.world import NODE, NODE_ID, WATT, Founding, World, batch_of, decode_receipt, pseudonym, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import BATCHES, NODES, Batch, Node, check_batch, decode_batch
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.crypto import merkle_root
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.modules.tokens.messages import Transfer


@pytest.fixture
def world() -> World:
    founding = Founding()
    founding.add_home("alice")
    founding.add_home("bob")
    return founding.start()


def pay(world: World) -> bytes:
    return world.sign("alice", Transfer(world.accounts["bob"], WATT))


def refused(wire: bytes) -> tuple[KernelCode, str]:
    with pytest.raises(Rejected) as caught:
        check_batch(wire, CONSORTIUM.body)
    return KernelCode(caught.value.code), caught.value.field


def code_of(world: World, wire: bytes, time_ms: int | None = None) -> str:
    """What becomes of the batch in a block: nothing but its code."""
    before = dict(world.state.rows[0x01])
    (outcome,) = world.block(wire, time_ms=time_ms).batches
    if outcome.code:
        assert outcome.receipts == ()
        assert outcome.root == bytes(32)
        assert world.state.rows[0x01] == before
    return CONSORTIUM.codes[outcome.code]


def test_signatures_are_counted(world: World) -> None:
    assert check_batch(world.batch(pay(world), pay(world)), CONSORTIUM.body) == 2


def test_bytes_must_be_canonical_and_not_too_many(world: World) -> None:
    wire = world.batch(pay(world))
    assert refused(wire + b"\x00") == (KernelCode.MALFORMED, "batch")
    assert refused(bytes(limits.BATCH_BYTES_MAX + 1)) == (KernelCode.TOO_LARGE, "batch")
    batch = msgspec.msgpack.decode(wire, type=Batch)
    longer = encode(Batch(b"\xdc\x00" + batch.header, bytes(64), batch.transactions))
    assert refused(longer) == (KernelCode.MALFORMED, "batch.header")
    assert refused(world.batch()) == (KernelCode.MALFORMED, "batch")


def test_its_transactions_are_those_under_the_signed_root(world: World) -> None:
    wire = world.batch(pay(world), pay(world))
    batch = decode_batch(wire)
    first, second = batch.transactions
    spoilt = second[:-1] + bytes([second[-1] ^ 1])
    for others in ((first,), (second, first), (first, second, second), (first, spoilt)):
        forged = encode(Batch(batch.header, batch.signature, others))
        assert refused(forged) == (KernelCode.BATCH_ROOT_WRONG, "batch.header.root")
        assert code_of(world, forged) == "BATCH_ROOT_WRONG"
    assert code_of(world, wire) == "OK", "what others put beside a header does not use it up"


def test_one_bad_transaction_spoils_the_batch_and_is_named(world: World) -> None:
    good = pay(world)
    broken = good[:-1] + bytes([good[-1] ^ 1])
    assert refused(world.batch(good, broken)) == (
        KernelCode.BATCH_TRANSACTION_INVALID,
        "transactions[1].signatures",
    )
    assert code_of(world, world.batch(good, broken)) == "BATCH_TRANSACTION_INVALID"


def test_it_names_its_chain_author_and_expiry(world: World) -> None:
    now = world.time_ms + 1_000
    good, until = (pay(world),), now + 1_000
    stranger = signer("stranger")
    assert code_of(world, batch_of(good, 1, until, chain="another-chain")) == "CHAIN_WRONG"
    assert code_of(world, batch_of(good, 1, until, author=pseudonym("nobody"))) == "BATCH_AUTHOR_UNKNOWN"
    assert code_of(world, batch_of(good, 1, until, by=stranger)) == "BATCH_SIGNATURE_INVALID"
    assert code_of(world, batch_of(good, 1, world.time_ms)) == "EXPIRED"
    latest = world.time_ms + 1_000 + limits.TRANSACTION_LIFETIME_MS_MAX
    assert code_of(world, batch_of(good, 1, latest + 1)) == "EXPIRY_TOO_FAR"
    assert code_of(world, batch_of(good, 1, world.time_ms + 1_000)) == "OK"


def test_a_node_without_licence_may_not_sign(world: World) -> None:
    world.state.put(NODES, NODE_ID, Node(NODE.keys[0], licensed=False))
    assert code_of(world, world.batch(pay(world))) == "BATCH_AUTHOR_UNKNOWN"


def test_a_batch_counts_once_until_it_expires(world: World) -> None:
    until = world.time_ms + 60_000
    wire = batch_of((pay(world),), 1, until)
    outcome = world.block(wire, wire)
    assert [CONSORTIUM.codes[batch.code] for batch in outcome.batches] == ["OK", "BATCH_REPEATED"]
    assert code_of(world, wire) == "BATCH_REPEATED"
    assert code_of(world, wire, time_ms=until) == "BATCH_REPEATED"
    assert len(world.state.rows[BATCHES.prefix]) == 1
    world.block(time_ms=until + 1)
    assert world.state.rows[BATCHES.prefix] == {}
    assert code_of(world, wire) == "EXPIRED"


def test_the_same_transaction_in_two_batches_runs_once(world: World) -> None:
    wire = pay(world)
    outcome = world.block(world.batch(wire), world.batch(wire))
    codes = [decode_receipt(batch.receipts[0]).code for batch in outcome.batches]
    assert sorted(codes) == [KernelCode.OK, KernelCode.NONCE_USED]


def test_receipts_stand_under_the_batchs_root(world: World) -> None:
    (outcome,) = world.block(world.batch(pay(world), pay(world))).batches
    assert len(outcome.receipts) == 2
    assert outcome.root == merkle_root(list(outcome.receipts))


def test_signatures_and_batches_of_a_block_are_capped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SIGNATURES_PER_BLOCK_MAX", 3)
    wires = [world.batch(pay(world), pay(world)) for _ in range(2)] + [world.batch(pay(world))]
    names = [CONSORTIUM.codes[batch.code] for batch in world.block(*wires).batches]
    assert names == ["OK", "BLOCK_SIGNATURES_EXCEEDED", "OK"]
    monkeypatch.setattr(limits, "BATCHES_PER_BLOCK_MAX", 1)
    names = [CONSORTIUM.codes[batch.code] for batch in world.block(wires[1], world.batch(pay(world))).batches]
    assert names == ["OK", "BLOCK_SIGNATURES_EXCEEDED"]
