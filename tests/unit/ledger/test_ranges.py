"""Ranges against a naive tree: a root vouches for a cut, the cut for the records of each range."""

import random
from collections.abc import Iterator
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.test_commitment import hashed, naive_root, records

from gridtokenx.ledger.commitment import EMPTY_HASH, Commitment
from gridtokenx.ledger.ranges import DIGITS, RangeWrong, range_hash, root_of_cut, subtree_of_range

ROWS = records(1_500)
Cut = list[tuple[str, bytes]]


def rows_of(prefix: str, rows: dict[bytes, bytes] = ROWS) -> list[tuple[bytes, bytes]]:
    """The rows of a range, by key hash."""
    own = [(key, value) for key, value in rows.items() if sha256(key).hexdigest().startswith(prefix)]
    return sorted(own, key=lambda row: sha256(row[0]).digest())


def divided(draw: random.Random, rows: dict[bytes, bytes], share: float) -> Cut:
    """A cut in which nodes, and only nodes, are divided by chance."""
    cut: Cut = []
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        own = rows_of(prefix, rows)
        if len(own) > 32 and draw.random() < share:
            waiting += [prefix + digit for digit in reversed(DIGITS)]
        else:
            cut.append((prefix, range_hash(prefix, own)))
    return cut


@given(st.integers(0, 800), st.floats(0, 1), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_cut_leads_to_the_root_of_the_records(count: int, share: float, draw: random.Random) -> None:
    rows = records(count)
    cut = divided(draw, rows, share)
    assert root_of_cut(cut) == Commitment.build(rows.items()).root() == naive_root(hashed(rows))


@given(st.integers(0, 800), st.floats(0, 1), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_trees_of_a_cut_join_into_the_tree(count: int, share: float, draw: random.Random) -> None:
    """In any order; and what is joined goes on as the tree does, down to the last record."""
    rows = records(count)
    prefixes = [prefix for prefix, _ in divided(draw, rows, share)]
    draw.shuffle(prefixes)
    joined = Commitment.join((prefix, subtree_of_range(prefix, rows_of(prefix, rows))) for prefix in prefixes)
    built = Commitment.build(rows.items())
    assert (len(joined), joined.root()) == (len(built), built.root())
    gone = sorted(rows)
    draw.shuffle(gone)
    for size in (1, 20, 300, len(gone)):
        changes = [(key, None) for key in gone[:size]] + [(b"new" + key, b"value") for key in gone[:3]]
        assert joined.update(changes) == built.update(changes)
        assert all(joined.prove(key) == built.prove(key) for key in gone[-5:])
    assert len(joined) == len(built)


@pytest.mark.parametrize("prefix", ["", "0", "7", "f", "00", "a3", "ff", "3c1", "ffff"])
def test_the_hash_of_a_range_is_that_of_its_subtree(prefix: str) -> None:
    own = dict(rows_of(prefix))
    assert range_hash(prefix, rows_of(prefix)) == naive_root(hashed(own), prefix)
    if not own:
        assert range_hash(prefix, ()) == EMPTY_HASH


def test_below_a_bucket_there_are_no_ranges() -> None:
    for count in (0, 1, 32):
        rows = records(count)
        root = Commitment.build(rows.items()).root()
        assert root_of_cut([("", range_hash("", rows_of("", rows)))]) == root
        assert root_of_cut([(digit, range_hash(digit, rows_of(digit, rows))) for digit in DIGITS]) != root


def wrong_cuts() -> Iterator[Cut]:
    cut = [(digit, range_hash(digit, rows_of(digit))) for digit in DIGITS]
    deep = cut[:5] + [("5" + digit, range_hash("5" + digit, rows_of("5" + digit))) for digit in DIGITS] + cut[6:]
    whole = ("", Commitment.build(ROWS.items()).root())
    yield []
    for place in range(16):
        yield cut[:place] + cut[place + 1 :]
        yield [*cut[:place], cut[place], *cut[place:]]
    yield cut[1:] + cut[:1]
    yield [*cut[:3], cut[4], cut[3], *cut[5:]]
    yield cut[:5] + deep[5:21]
    yield deep[:5] + deep[6:]
    yield deep[5:21]
    yield [*cut, whole]
    yield [whole, *cut]
    yield [whole, whole]
    yield [("f", whole[1])]
    yield [("", whole[1] + b"\x00")]
    # The same bytes, cut elsewhere.
    yield [("0", cut[0][1] + cut[1][1][:1]), ("1", cut[1][1][1:]), *cut[2:]]
    yield [("5x", cut[5][1])]
    yield [(prefix.upper(), digest) for prefix, digest in cut]
    yield [("0" + prefix, digest) for prefix, digest in cut]


@pytest.mark.parametrize("cut", list(wrong_cuts()))
def test_what_does_not_hold_every_key_once_is_no_cut(cut: Cut) -> None:
    with pytest.raises(RangeWrong):
        root_of_cut(cut)


def test_rows_in_another_order_are_refused() -> None:
    rows = rows_of("3")
    with pytest.raises(RangeWrong, match="record 8 is out of order, or there twice"):
        range_hash("3", [*rows[:7], rows[8], rows[7], *rows[9:]])
    with pytest.raises(RangeWrong, match="record 8 is out of order, or there twice"):
        range_hash("3", [*rows[:8], rows[7], *rows[8:]])
    with pytest.raises(RangeWrong, match="record 1 is"):
        range_hash("3", [rows[0], (rows[0][0], b"another value"), *rows[1:]])


def test_rows_of_other_ranges_are_refused() -> None:
    rows = rows_of("3")
    with pytest.raises(RangeWrong, match="record 0 belongs elsewhere"):
        range_hash("3", [rows_of("2")[-1], *rows])
    with pytest.raises(RangeWrong, match=f"record {len(rows)} belongs elsewhere"):
        range_hash("3", [*rows, rows_of("4")[0]])
    assert range_hash("3", rows[1:]) != range_hash("3", rows)
