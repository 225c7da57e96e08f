"""Tables with an undo journal, against a model that copies everything."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.ledger.codec import Record, encode
from gridtokenx.ledger.state import Index, State, Table


class Number(Record):
    value: int


FIRST: Table[Number] = Table(0xF0, "first", Number)
SECOND: Table[Number] = Table(0xF1, "second", Number)
TABLES = (FIRST, SECOND)

keys = st.binary(max_size=2)
writes = st.tuples(st.integers(0, 1), keys, st.integers(0, 3) | st.none())


def write(state: State, table: int, key: bytes, value: int | None) -> None:
    """Put, or delete if it is there."""
    if value is not None:
        state.put(TABLES[table], key, Number(value))
    elif state.get(TABLES[table], key) is not None:
        state.delete(TABLES[table], key)


def contents(state: State) -> list[dict[bytes, Any]]:
    return [dict(state.rows[table.prefix]) for table in TABLES]


@given(st.lists(writes, max_size=20), st.lists(writes, max_size=20))
def test_roll_back_takes_back_exactly(kept: list[Any], undone: list[Any]) -> None:
    state = State()
    for step in kept:
        write(state, *step)
    before, mark = contents(state), len(state.undo)
    for step in undone:
        write(state, *step)
    state.roll_back(mark)
    assert contents(state) == before
    state.roll_back(0)
    assert contents(state) == [{}, {}]


@given(st.lists(writes, max_size=30), st.lists(writes, max_size=30))
def test_changes_lead_from_the_last_commit_to_this_one(earlier: list[Any], later: list[Any]) -> None:
    state = State()
    for step in earlier:
        write(state, *step)
    state.take_changes()
    rows = flat(state)
    for step in later:
        write(state, *step)
    for key, data in state.take_changes():
        if data is None:
            rows.pop(key, None)
        else:
            rows[key] = data
    assert rows == flat(state)
    assert state.take_changes() == []


def flat(state: State) -> dict[bytes, bytes]:
    return {bytes([t.prefix]) + key: encode(record) for t in TABLES for key, record in state.items(t)}


@given(st.lists(keys))
def test_keys_and_items_come_in_key_order(inserted: list[bytes]) -> None:
    state = State()
    for key in inserted:
        state.put(FIRST, key, Number(len(key)))
    assert state.keys(FIRST) == sorted(set(inserted))
    assert [key for key, _ in state.items(FIRST)] == sorted(set(inserted))


def test_steps_of_derived_structures_are_taken_back_in_their_turn() -> None:
    state, seen = State(), []
    state.put(FIRST, b"a", Number(1))
    state.undo.append((lambda one, two: seen.append((one, two, state.get(FIRST, b"a"))), "one", "two"))
    state.put(FIRST, b"a", Number(2))
    state.roll_back(0)
    assert seen == [("one", "two", Number(1))]
    assert state.get(FIRST, b"a") is None


def test_what_is_kept_stays() -> None:
    state = State()
    state.put(FIRST, b"a", Number(1))
    state.keep()
    state.put(FIRST, b"a", Number(2))
    state.roll_back(0)
    assert state.get(FIRST, b"a") == Number(1)


def test_deleting_what_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        State().delete(FIRST, b"a")


def test_indexes_are_built_from_the_tables() -> None:
    total: Index[int] = Index("total", lambda state: sum(row.value for _, row in state.items(FIRST)))
    state = State()
    state.put(FIRST, b"a", Number(2))
    state.put(FIRST, b"b", Number(3))
    state.rebuild_indexes((total,))
    assert state.index(total) == 5
