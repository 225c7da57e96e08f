"""State in and out: an export is a genesis, and nothing wrong gets in."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.invariants import picture
from tests.world import WATT, Founding, World

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.genesis import (
    FORMAT,
    GenesisHead,
    Row,
    export_state,
    genesis_bytes,
    genesis_rows,
    import_state,
    to_json,
)
from gridtokenx.modules.tokens.messages import Transfer


@pytest.fixture(scope="module")
def world() -> World:
    founding = Founding()
    founding.add_home("alice")
    founding.add_home("bob")
    world = founding.start()
    world.do("alice", Transfer(world.accounts["bob"], WATT))
    world.block()
    return world


def test_export_import_export_gives_the_same_bytes_root_and_indexes(world: World) -> None:
    data = world.export()
    state, commitment = import_state(CONSORTIUM, data)
    assert export_state(CONSORTIUM, state) == data
    assert commitment.root() == world.commitment.root()
    assert picture(state) == picture(world.state)


def test_the_order_of_writing_leaves_no_trace(world: World) -> None:
    state, _ = import_state(CONSORTIUM, world.export())
    for prefix, rows in enumerate(state.rows):
        state.rows[prefix] = dict(reversed(rows.items()))
    assert export_state(CONSORTIUM, state) == world.export()


@settings(max_examples=60)
@given(st.data())
def test_a_changed_byte_is_refused_or_changes_the_root(world: World, data: st.DataObject) -> None:
    wire = bytearray(world.export())
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        state, commitment = import_state(CONSORTIUM, bytes(wire))
    except Rejected:
        refused(bytes(wire))
        return
    assert commitment.root() != world.commitment.root()
    assert export_state(CONSORTIUM, state) == bytes(wire)


def refused(data: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        import_state(CONSORTIUM, data)
    assert caught.value.code == KernelCode.MALFORMED
    return caught.value.field


def of(*rows: Row) -> bytes:
    return genesis_bytes("consortium", rows)


def framed(*contents: object) -> bytes:
    parts = [encode(content) for content in contents]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def test_what_is_wrong_is_named(world: World) -> None:
    rows = tuple(genesis_rows("consortium", world.export()))
    head = GenesisHead(FORMAT, "consortium")
    assert refused(b"") == "genesis"
    assert refused(framed(GenesisHead("other", "consortium"), rows)) == "genesis is other consortium"
    assert refused(genesis_bytes("public", rows)) == f"genesis is {FORMAT} public"
    assert "out of order" in refused(of(rows[1], rows[0]))
    assert "out of order" in refused(of(rows[0], rows[0]))
    assert refused(of((b"\xee key", b""))) == "no table for key ee206b6579"
    assert refused(of(rows[0])) == "the state has no last block"
    assert refused(framed(head, ())).startswith("genesis frame after key")
    assert refused(framed(head, rows[:1], rows[1:])) == f"genesis frame after key {rows[0][0].hex()}"
    assert refused(world.export()[:-1]).startswith("genesis ends inside a frame, after")
    key, record = rows[0]
    assert refused(of((key, record + b"\x00"))).startswith(f"accounts {key[1:].hex()}")


def test_the_form_for_people_names_tables_and_fields(world: World) -> None:
    document = json.loads(to_json(CONSORTIUM, world.export()))
    assert document["kind"] == "consortium"
    account = document["tables"]["accounts"][world.accounts["alice"].hex()]
    assert account["balance_micro"] == world.account("alice").balance_micro
    assert set(document["tables"]) <= {table.name for table in CONSORTIUM.tables.values()}
