"""The state commitment against a naive reference, and its proofs against every mutation."""

import json
import random
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.forged_proofs import FORGED, HONEST, KEY, VALUE
from tests.vectors import make_commitment

from gridtokenx.ledger.commitment import EMPTY_HASH, Commitment, Proof, verify, verify_hashed

Items = dict[bytes, bytes]


def naive_root(items: Items, prefix: str = "") -> bytes:
    """The root by its definition, from scratch."""
    if not items:
        return bytes(32)
    if len(items) <= 32:
        return sha256(b"\x00" + b"".join(key + items[key] for key in sorted(items))).digest()
    children = [
        naive_root({key: value for key, value in items.items() if key.hex().startswith(prefix + digit)}, prefix + digit)
        for digit in "0123456789abcdef"
    ]
    return sha256(b"\x01" + b"".join(children)).digest()


def hashed(records: dict[bytes, bytes]) -> Items:
    return {sha256(key).digest(): sha256(value).digest() for key, value in records.items()}


def records(count: int) -> dict[bytes, bytes]:
    return {b"key-%d" % number: b"value-%d" % number for number in range(count)}


def crowd(shared_bytes: int, count: int, salt: bytes = b"") -> Items:
    """Items whose key hashes share their first bytes: what an attacker would aim at one bucket."""
    drawn = [sha256(salt + number.to_bytes(4, "big")).digest() for number in range(count)]
    return {(bytes(shared_bytes) + key)[:32]: sha256(key).digest() for key in drawn}


def build(items: Items) -> Commitment:
    return Commitment.build_hashed(items.items())


# Shape and root


def key_hashes() -> st.SearchStrategy[bytes]:
    """Key hashes that share nothing, half a byte, some bytes or nearly all digits; few enough to meet again."""
    ends = st.integers(0, 255).map(lambda number: bytes([number]))
    return st.one_of(
        ends.map(lambda end: sha256(end).digest()),
        ends.map(lambda end: bytes([0xA0 | end[0] & 15]) + sha256(end).digest()[1:]),
        st.tuples(st.sampled_from([b"\x11" * 3, b"\x11" * 30, b"\x11" * 31]), ends).map(
            lambda parts: (parts[0] + parts[1]).ljust(32, b"\x77")
        ),
    )


def batches() -> st.SearchStrategy[list[dict[bytes, bytes | None]]]:
    """Batches that mostly write, do both, or only delete."""
    written = [sha256(bytes([number])).digest() for number in range(3)]
    kinds: list[list[bytes | None]] = [list(written), [*written, None], [None]]
    return st.lists(
        st.one_of([st.dictionaries(key_hashes(), st.sampled_from(kind), max_size=120) for kind in kinds]), max_size=8
    )


@given(batches())
@settings(max_examples=150, deadline=None)
def test_follows_a_naive_reference(batches: list[dict[bytes, bytes | None]]) -> None:
    commitment, model = Commitment(), dict[bytes, bytes]()
    for batch in batches:
        for key_hash, value_hash in batch.items():
            if value_hash is None:
                model.pop(key_hash, None)
            else:
                model[key_hash] = value_hash
        root = commitment.update_hashed(batch)
        assert root == commitment.root() == naive_root(model) == build(model).root()
        assert len(commitment) == len(model)
        for key_hash in batch:
            proof = commitment.prove_hashed(key_hash)
            assert verify_hashed(root, key_hash, model.get(key_hash), proof)
            assert proof == build(model).prove_hashed(key_hash)


@given(batches())
@settings(max_examples=100, deadline=None)
def test_everything_deleted_again_leaves_nothing(batches: list[dict[bytes, bytes | None]]) -> None:
    commitment = Commitment()
    for batch in batches:
        commitment.update_hashed(batch)
    assert commitment.update_hashed({key_hash: None for batch in batches for key_hash in batch}) == EMPTY_HASH
    assert len(commitment) == 0
    assert commitment.prove(b"anything") == Proof(b"", ())


@pytest.mark.parametrize("seed", range(3))
def test_the_root_knows_no_history(seed: int) -> None:
    chance = random.Random(seed)
    wanted, passing = records(3000), {b"passing-%d" % number: b"" for number in range(2000)}
    built = Commitment.build(wanted.items())
    lived = Commitment()
    changes: list[tuple[bytes, bytes | None]] = [*wanted.items(), *passing.items()]
    chance.shuffle(changes)
    while changes:
        size = chance.choice([1, 7, 400])
        lived.update(changes[:size])
        del changes[:size]
    lived.update([(key, None) for key in chance.sample(sorted(passing), len(passing))])
    assert lived.root() == built.root() == naive_root(hashed(wanted))
    assert all(lived.prove(key) == built.prove(key) for key in [*wanted, *passing])


def test_the_order_of_changes_does_not_matter() -> None:
    changes: list[tuple[bytes, bytes | None]] = [(b"key-%d" % number, b"new") for number in range(250, 350)]
    changes += [(b"key-%d" % number, None) for number in range(0, 250, 3)]
    forwards, backwards = (Commitment.build(records(300).items()) for _ in range(2))
    assert forwards.update(changes) == backwards.update(changes[::-1])


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 34, 600])
def test_one_more_and_one_less_is_the_tree_of_the_rest(count: int) -> None:
    commitment = Commitment.build(records(count).items())
    before = commitment.root()
    assert commitment.update([(b"one more", b"")]) == naive_root(hashed({**records(count), b"one more": b""}))
    assert commitment.update([(b"one more", None)]) == before == naive_root(hashed(records(count)))


def test_a_bucket_splits_and_merges_across_all_levels_at_once() -> None:
    # 33 key hashes that share 62 digits: the deepest tree there can be.
    ends = [number.to_bytes(1, "big") for number in range(0, 99, 3)]
    items = {b"\x42" * 31 + end: sha256(end).digest() for end in ends}
    first = next(iter(items))
    rest = {key: value for key, value in items.items() if key != first}
    commitment = build(rest)
    assert commitment.prove_hashed(first) == Proof(b"".join(key + value for key, value in rest.items()), ())

    deep = commitment.update_hashed({first: items[first]})
    assert deep == naive_root(items)
    proof = commitment.prove_hashed(first)
    assert len(proof.path) == 63
    assert verify_hashed(deep, first, items[first], proof)
    assert Proof.from_json(proof.to_json()) == proof

    assert commitment.update_hashed({first: None}) == naive_root(rest) == build(rest).root()
    assert commitment.prove_hashed(first).path == ()


def test_a_deep_merge_stops_where_others_keep_the_node() -> None:
    items = {**crowd(5, 33), **crowd(3, 20, b"beside"), **crowd(0, 500)}
    deleted = sorted(crowd(5, 33))[:2]
    commitment = build(items)
    assert commitment.update_hashed(dict.fromkeys(deleted)) == naive_root(
        {key: value for key, value in items.items() if key not in deleted}
    )


def test_a_crowd_aimed_at_one_bucket_only_deepens_the_tree_there() -> None:
    aimed, others = crowd(12, 2000), crowd(0, 300)
    commitment = build(others)
    assert commitment.update_hashed(aimed) == naive_root({**others, **aimed}) == build({**others, **aimed}).root()
    assert max(len(commitment.prove_hashed(key).path) for key in others) <= 4
    assert commitment.update_hashed(dict.fromkeys(aimed)) == naive_root(others)


def test_a_value_hash_that_equals_a_key_hash_is_not_taken_for_the_key() -> None:
    # Anybody can bring this about: write a record whose value is another record's key.
    victim = sha256(b"victim").digest()
    items: Items = dict.fromkeys(crowd(0, 20), victim)
    straddling = {bytes(31) + victim[:1]: victim[1:] + b"\x00", victim[-16:] + bytes(16): bytes(16) + victim[:16]}
    commitment = build({**items, **straddling})
    assert verify_hashed(commitment.root(), victim, None, commitment.prove_hashed(victim))
    without = commitment.root()
    with_victim = commitment.update_hashed({victim: EMPTY_HASH})
    assert with_victim == naive_root({**items, **straddling, victim: EMPTY_HASH})
    assert commitment.update_hashed({victim: None}) == without


# Changes that change nothing, or fail


def test_harmless_changes() -> None:
    commitment = Commitment.build(records(200).items())
    root = commitment.root()
    assert commitment.update([]) == root
    assert commitment.update([(b"absent-%d" % number, None) for number in range(100)]) == root
    assert commitment.update(records(200).items()) == root
    assert commitment.update([(b"key-1", None), (b"key-1", b"other"), (b"key-1", b"value-1")]) == root
    assert commitment.update([(b"short-lived", b"here"), (b"short-lived", None)]) == root
    assert len(commitment) == 200


def test_of_two_changes_of_one_key_the_later_counts() -> None:
    assert Commitment().update([(b"key", b"first"), (b"key", b"second")]) == Commitment().update([(b"key", b"second")])


def test_an_empty_value_is_not_absence() -> None:
    commitment = Commitment.build([(b"key", b"")])
    proof = commitment.prove(b"key")
    assert verify(commitment.root(), b"key", b"", proof)
    assert not verify(commitment.root(), b"key", None, proof)


def test_a_change_that_cannot_be_hashed_changes_nothing() -> None:
    commitment = Commitment.build(records(100).items())
    root = commitment.root()
    unhashable: Any = [(b"key-1", b"new"), (b"key-2", 17)]
    with pytest.raises(TypeError):
        commitment.update(unhashable)
    assert commitment.root() == root
    assert verify(root, b"key-1", b"value-1", commitment.prove(b"key-1"))


def test_building_refuses_a_key_twice() -> None:
    with pytest.raises(ValueError, match="same key"):
        Commitment.build([*records(50).items(), (b"key-7", b"other")])


# Proofs


@pytest.mark.parametrize("count", [0, 1, 32, 33, 2000])
def test_every_key_is_proved_present_and_others_absent(count: int) -> None:
    commitment = Commitment.build(records(count).items())
    root = commitment.root()
    for key, value in records(count).items():
        proof = commitment.prove(key)
        assert verify(root, key, value, proof)
        assert not verify(root, key, None, proof)
        assert not verify(root, key, value + b"!", proof)
        assert not verify(sha256(root).digest(), key, value, proof)
    for key in (b"absent-%d" % number for number in range(100)):
        proof = commitment.prove(key)
        assert verify(root, key, None, proof)
        assert not verify(root, key, b"", proof)


def test_a_proof_holds_for_one_root_only() -> None:
    commitment = Commitment.build(records(500).items())
    before, proof = commitment.root(), commitment.prove(b"key-1")
    after = commitment.update([(b"key-1", b"rewritten")])
    assert verify(before, b"key-1", b"value-1", proof)
    assert not verify(after, b"key-1", b"value-1", proof)
    assert not verify(before, b"key-1", b"rewritten", commitment.prove(b"key-1"))


def mutations(data: bytes, chance: random.Random) -> list[bytes]:
    """The data with each byte changed in turn, and once too short and too long at either end."""
    changed = [
        data[:at] + bytes([byte ^ mask]) + data[at + 1 :]
        for at, byte in enumerate(data)
        for mask in {1, 128, chance.randrange(1, 256)}
    ]
    return [*changed, data[1:], data[:-1], data + b"\x00", b"\x00" + data]


@pytest.mark.parametrize("count", [20, 500])
@pytest.mark.parametrize("key", [b"key-7", b"absent"])
def test_no_mutation_of_a_proof_passes(count: int, key: bytes) -> None:
    chance = random.Random(count)
    commitment = Commitment.build(records(count).items())
    root, proof, value = commitment.root(), commitment.prove(key), records(count).get(key)
    assert verify(root, key, value, proof)
    for items in mutations(proof.items, chance):
        assert not verify(root, key, value, Proof(items, proof.path))
    for level, siblings in enumerate(proof.path):
        for mutated in mutations(siblings, chance):
            path = (*proof.path[:level], mutated, *proof.path[level + 1 :])
            assert not verify(root, key, value, Proof(proof.items, path))
        assert not verify(root, key, value, Proof(proof.items, proof.path[:level] + proof.path[level + 1 :]))
    assert not verify(root, key, value, Proof(proof.items, (*proof.path, bytes(480))))
    for mutated in mutations(root, chance):
        assert not verify(mutated, key, value, proof)
    for mutated in mutations(value, chance) if value is not None else [b"", b"value"]:
        assert not verify(root, key, mutated, proof)


@pytest.mark.parametrize("key", [b"key-7", b"absent"])
def test_a_proof_says_nothing_false_about_another_key(key: bytes) -> None:
    commitment = Commitment.build(records(500).items())
    root, proof, value = commitment.root(), commitment.prove(key), records(500).get(key)
    for other in mutations(key, random.Random(7)):
        assert value is None or not verify(root, other, value, proof)
        # One bucket shows the absence of every key that would lie in it, and of no other.
        assert verify(root, other, None, proof) == (commitment.prove(other) == proof)


@pytest.mark.parametrize("name", HONEST)
def test_the_honest_counterparts_of_the_forged_proofs_hold(name: str) -> None:
    assert verify(HONEST[name].root, KEY, VALUE, HONEST[name].proof)


@pytest.mark.parametrize("name", FORGED)
def test_malformed_proofs_are_refused_although_their_hashes_agree(name: str) -> None:
    for value in (VALUE, None, b""):
        assert not verify(FORGED[name].root, KEY, value, FORGED[name].proof)


def test_a_node_is_not_taken_for_a_bucket() -> None:
    # 512 bytes of child hashes have the length of eight items.
    commitment = Commitment.build(records(40).items())
    key = b"absent"
    proof = commitment.prove(key)
    place = 32 * (sha256(key).digest()[0] >> 4)
    own = sha256(b"\x00" + proof.items).digest() if proof.items else EMPTY_HASH
    children = proof.path[0][:place] + own + proof.path[0][place:]
    assert sha256(b"\x01" + children).digest() == commitment.root()
    assert not verify(commitment.root(), key, None, Proof(children, ()))


def test_json_carries_a_proof_unchanged() -> None:
    commitment = Commitment.build(records(700).items())
    for key in (b"key-7", b"absent"):
        proof = commitment.prove(key)
        assert Proof.from_json(json.loads(json.dumps(proof.to_json()))) == proof


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "",
        {},
        {"items": ""},
        {"items": "", "path": [], "more": 1},
        {"items": "", "path": ""},
        {"items": "", "path": {}},
        {"items": "", "path": [0]},
        {"items": None, "path": []},
        {"items": "0", "path": []},
        {"items": "0g", "path": []},
        {"items": "AB", "path": []},
        {"items": "ab cd", "path": []},
        {"items": "ab\n", "path": []},
        {"items": "é" * 2, "path": []},
        {"items": "00" * 2049, "path": []},
        {"items": "", "path": ["00" * 481]},
        {"items": "", "path": ["00" * 480] * 64},
    ],
)
def test_json_of_another_form_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r"proof has|hexadecimal"):
        Proof.from_json(document)


# Golden vectors


def pairs(rows: list[list[str | None]]) -> list[tuple[bytes, bytes | None]]:
    return [(bytes.fromhex(str(key)), None if value is None else bytes.fromhex(value)) for key, value in rows]


@pytest.mark.parametrize(
    "case", json.loads(make_commitment.VECTORS.read_text(encoding="utf-8")), ids=lambda case: str(case["name"])
)
def test_golden_vectors_by_the_definition(case: dict[str, Any]) -> None:
    def items_of(state: dict[bytes, bytes]) -> Items:
        return state if case["name"].startswith("hashed: ") else hashed(state)

    state = {key: value for key, value in pairs(case["records"]) if value is not None}
    assert naive_root(items_of(state)).hex() == case["root_before"]
    for key, value in pairs(case["changes"]):
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value
    root = naive_root(items_of(state))
    assert root.hex() == case["root_after"]
    for proved in case["proofs"]:
        key = bytes.fromhex(proved["key"])
        value = None if proved["value"] is None else bytes.fromhex(proved["value"])
        assert state.get(key) == value
        assert verify(root, key, value, Proof.from_json(proved["proof"]))


def test_golden_vectors_are_what_the_ledger_does_today() -> None:
    assert make_commitment.text() == make_commitment.VECTORS.read_text(encoding="utf-8")
