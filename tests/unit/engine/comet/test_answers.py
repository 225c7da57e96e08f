"""CometBFT's JSON: recorded chains are read to the letter, and nothing that anybody sends is worse than refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.engine.comet.light_chain import commit_answer, make_chain, validators_answer

from gridtokenx.engine.comet.answers import (
    ANSWER_BYTES_MAX,
    CommitAnswer,
    ValidatorsAnswer,
    light_block,
    read_answer,
    time_ns,
)
from gridtokenx.engine.comet.headers import LightBlock, VoteFlag, check_light_block, header_hash, validators_hash
from gridtokenx.engine.comet.light import check_block
from gridtokenx.engine.comet.light_errors import BlockInvalid, KeyUnknown, LightError

VECTORS = Path(__file__).parents[3] / "vectors" / "light.json"
RECORDED: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))
SAMPLE = make_chain([{1: 5, 2: 3, 3: 1}] * 3, {2: {3: VoteFlag.ABSENT}})[1]


def read(commit: object, validators: object) -> LightBlock:
    """As a client does it: bytes in, a block or a LightError out."""
    return light_block(
        read_answer(json.dumps(commit).encode(), CommitAnswer),
        read_answer(json.dumps(validators).encode(), ValidatorsAnswer),
    )


@pytest.mark.parametrize("document", RECORDED, ids=lambda document: document["chain"])
def test_recorded_chains_verify(document: dict[str, Any]) -> None:
    """Hashes, addresses and sign bytes are CometBFT's own, for every block, vote and round that was recorded."""
    before: LightBlock | None = None
    for entry in document["blocks"]:
        block = read(entry["commit"], entry["validators"])
        check_block(block, document["chain"])
        said = entry["commit"]["signed_header"]["commit"]["block_id"]["hash"]
        assert header_hash(block.header).hex().upper() == said
        if before is not None:
            assert block.header.last_block == before.commit.block
            assert validators_hash(block.validators) == before.header.next_validators_hash
        before = block


def test_the_recording_holds_what_is_to_be_tried() -> None:
    flags = {
        vote["block_id_flag"]
        for entry in RECORDED[1]["blocks"]
        for vote in entry["commit"]["signed_header"]["commit"]["signatures"]
    }
    sizes = {len(entry["validators"]["validators"]) for entry in RECORDED[1]["blocks"]}
    assert flags == {1, 2, 3} and sizes == {3, 4}


def test_our_own_chain_goes_through_the_json_unchanged() -> None:
    again = read(commit_answer(SAMPLE), validators_answer(SAMPLE))
    assert again == SAMPLE
    check_light_block(again, again.header.chain)


def places(document: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON document."""
    if path:
        yield path
    if isinstance(document, dict):
        for name, own in document.items():
            yield from places(own, (*path, name))
    elif isinstance(document, list):
        for number, own in enumerate(document):
            yield from places(own, (*path, number))


def put(document: Any, path: tuple[Any, ...], value: object) -> Any:
    copied = json.loads(json.dumps(document))
    place = copied
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copied


TIMES = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00.1Z\n"]
NUMBERS = ["", "0", "-1", "1\n", "9" * 19, "9" * 20]
BYTES = ["AA", "AA" * 20, "AA" * 32, "aa" * 32, "AAAA", "AAA=", "A" * 4_000]

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=80),
    st.sampled_from([*TIMES, *NUMBERS, *BYTES]),
    st.lists(st.none(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
)


@given(st.data())
def test_whatever_stands_anywhere_it_is_read_or_refused(data: st.DataObject) -> None:
    commit, validators = commit_answer(SAMPLE), validators_answer(SAMPLE)
    for _ in range(data.draw(st.integers(1, 3))):
        if data.draw(st.booleans()):
            commit = put(commit, data.draw(st.sampled_from(list(places(commit)))), data.draw(JUNK))
        else:
            validators = put(validators, data.draw(st.sampled_from(list(places(validators)))), data.draw(JUNK))
    try:
        block = read(commit, validators)
        check_block(block, SAMPLE.header.chain)
    except LightError:
        return
    # What survives says the same: fields nobody needs, or another spelling.
    assert block == SAMPLE


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes(content: bytes) -> None:
    with pytest.raises(BlockInvalid):
        read_answer(content, CommitAnswer)


@pytest.mark.parametrize("content", [b"[" * 100_000, b" " * (ANSWER_BYTES_MAX + 1), b'{"signed_header":' * 5_000])
def test_deep_and_large(content: bytes) -> None:
    with pytest.raises(BlockInvalid):
        read_answer(content, CommitAnswer)


def test_other_keys_are_named() -> None:
    path = ("validators", 0, "pub_key", "type")
    with pytest.raises(KeyUnknown, match="Secp256k1"):
        read(commit_answer(SAMPLE), put(validators_answer(SAMPLE), path, "tendermint/PubKeySecp256k1"))


def test_an_address_is_that_of_its_key() -> None:
    with pytest.raises(BlockInvalid, match="address"):
        read(commit_answer(SAMPLE), put(validators_answer(SAMPLE), ("validators", 0, "address"), "AA" * 20))


def test_a_page_is_not_all() -> None:
    with pytest.raises(BlockInvalid, match="all are needed"):
        read(commit_answer(SAMPLE), put(validators_answer(SAMPLE), ("total",), "4"))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-21T09:13:44.60621559Z", 1_795_252_424_606_215_590),
        ("2026-11-21T09:13:44Z", 1_795_252_424_000_000_000),
        ("2026-11-21T09:13:44.000000001Z", 1_795_252_424_000_000_001),
    ],
)
def test_times(text: str, number: int) -> None:
    assert time_ns(text) == number


@pytest.mark.parametrize("text", ["1969-12-31T23:59:59Z", "2262-04-12T00:00:00Z", "2026-13-01T00:00:00Z", "", "Z"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BlockInvalid):
        time_ns(text)
