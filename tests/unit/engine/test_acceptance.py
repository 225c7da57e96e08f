"""A node's promise for one transaction: anybody can check it, nobody can make one, and it is for these bytes alone."""

import msgspec
import pytest
from coin_chain import CHAIN_NAME, GENESIS_MS, NODE_ID, NODE_SEED, Sender, id_of
from coin_engine import CoinEngine, open_engine
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.engine.acceptance import Acceptance, acceptances
from gridtokenx.engine.folder import NodeKey
from gridtokenx.engine.mempool import Standing
from gridtokenx.ledger.crypto import merkle_path, merkle_paths, merkle_root, merkle_verify

KEY = NodeKey(NODE_SEED).public_key


def accepted(engine: CoinEngine, *wires: bytes) -> dict[bytes, Acceptance]:
    assert {answer.standing for answer in engine.solo.submit(wires)} == {Standing.PENDING}
    return acceptances(engine.mempool.pool.own_batches(), {id_of(wire): wire for wire in wires})


def test_each_transaction_of_several_batches_has_its_promise() -> None:
    engine = open_engine()
    wires = [Sender(number, nonce=nonce).send(3) for number in range(3) for nonce in range(400)]
    promises = accepted(engine, *wires)
    assert len({promise.header for promise in promises.values()}) == 3
    for wire in wires:
        promise = promises[id_of(wire)]
        assert promise.verify(KEY, wire)
        assert (promise.batch.chain, promise.batch.author) == (CHAIN_NAME, NODE_ID)
        assert promise.batch.expires_ms > GENESIS_MS
    assert not promises[id_of(wires[0])].verify(KEY, wires[1])


def test_what_is_not_there_has_none() -> None:
    engine = open_engine()
    taken, unknown = Sender(0).send(1), Sender(1).send(2)
    promises = accepted(engine, taken)
    batches = engine.mempool.pool.own_batches()
    assert acceptances(batches, {id_of(unknown): unknown}) == {}
    assert acceptances([], {id_of(taken): taken}) == {}
    assert acceptances(batches, {id_of(taken): taken + b"\x00"}) == {}, "not for other bytes of the same id"
    engine.solo.make_block(engine.application.last_block().time_ms + 1_000)
    assert acceptances(engine.mempool.pool.own_batches(), {id_of(taken): taken}) == {}
    assert promises[id_of(taken)].verify(KEY, taken), "a promise stays one"


WIRE = Sender(0).send(1)


@pytest.fixture(scope="module")
def promise() -> Acceptance:
    return accepted(open_engine(), Sender(1).send(2), WIRE, Sender(2).send(3))[id_of(WIRE)]


def test_another_key_did_not_promise(promise) -> None:
    assert promise.verify(KEY, WIRE)
    for key in (NodeKey(bytes(32)).public_key, bytes(32), b"", KEY + b"\x00"):
        assert not promise.verify(key, WIRE)


@given(field=st.sampled_from(["header", "signature"]), place=st.integers(0, 200), flip=st.integers(1, 255))
def test_a_changed_promise_is_none(promise, field, place, flip) -> None:
    changed = bytearray(getattr(promise, field))
    changed[place % len(changed)] ^= flip
    assert not msgspec.structs.replace(promise, **{field: bytes(changed)}).verify(KEY, WIRE)


def test_a_changed_path_is_none(promise) -> None:
    (right, sibling), *rest = promise.path
    for path in (
        ((not right, sibling), *rest),
        ((right, bytes(32)), *rest),
        tuple(rest),
        (*promise.path, (True, bytes(32))),
        (*promise.path, *[(True, bytes(32))] * 100_000),
        (),
    ):
        assert not msgspec.structs.replace(promise, path=path).verify(KEY, WIRE)


@given(header=st.binary(max_size=200), signature=st.binary(max_size=70), transaction=st.binary(max_size=50))
def test_nonsense_is_no_promise(header, signature, transaction) -> None:
    assert not Acceptance(header, signature, ()).verify(KEY, transaction)


@given(leaves=st.lists(st.binary(max_size=4), min_size=1, max_size=40), data=st.data())
def test_many_paths_are_the_paths(leaves, data) -> None:
    indexes = data.draw(st.lists(st.integers(0, len(leaves) - 1)))
    paths = merkle_paths(leaves, indexes)
    assert paths == [merkle_path(leaves, index) for index in indexes]
    for index, path in zip(indexes, paths, strict=True):
        assert merkle_verify(merkle_root(leaves), leaves[index], path)
