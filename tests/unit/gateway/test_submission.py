"""The door for transactions: what comes in, in which spelling, and everything that is thrown at it."""

import asyncio
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.gateway.market import Market, running_market, story
from tests.world import interval_at, sell

from gridtokenx.client.errors import ProofInvalid
from gridtokenx.client.proofs import check_acceptance
from gridtokenx.client.transactions import SignedTransaction, finish
from gridtokenx.gateway.documents import SUBMITTED_MAX, AcceptanceView
from gridtokenx.gateway.web import SUBMISSION_BYTES_MAX
from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.limits import TRANSACTION_BYTES_MAX
from gridtokenx.ledger.transaction import Auth, decode_envelope

NOON = interval_at(12)


async def post(market: Market, content: bytes | str | AsyncIterator[bytes]) -> tuple[int, dict[str, Any]]:
    response = await market.web.post("/v1/transactions", content=content)
    return response.status_code, response.json()


async def answers_to(market: Market, *texts: str) -> list[dict[str, Any]]:
    status, document = await post(market, json.dumps({"transactions": texts}))
    assert status == 202, document
    answers: list[dict[str, Any]] = document["transactions"]
    return answers


@story
async def test_hexadecimal_and_base64(market: Market) -> None:
    one, two, three = (market.sign("ann", sell("ann", 100, NOON, 3_000_000, f"o{n}")) for n in range(3))
    answers = await answers_to(market, one.wire.hex(), two.wire.hex().upper(), b64encode(three.wire).decode())
    assert [answer["state"] for answer in answers] == ["pending"] * 3
    assert [answer["id"] for answer in answers] == [one.id.hex(), two.id.hex(), three.id.hex()]


@story
async def test_hundreds_at_once_each_with_its_own_answer(market: Market) -> None:
    good = [market.sign("ann", sell("ann", 100, NOON, 3_000_000, f"o{n}")) for n in range(SUBMITTED_MAX - 3)]
    texts = [transaction.wire.hex() for transaction in good]
    texts[100:100] = ["not bytes", "", "00" * (TRANSACTION_BYTES_MAX + 1)]
    answers = await answers_to(market, *texts)
    assert [answer["state"] for answer in answers[100:103]] == ["refused"] * 3
    assert [answer["name"] for answer in answers[100:103]] == ["REQUEST_MALFORMED", "MALFORMED", "BODY_TOO_LARGE"]
    assert answers[100]["field"] == "transactions[100]" and answers[100]["id"] == ""
    others = answers[:100] + answers[103:]
    assert [answer["id"] for answer in others] == [transaction.id.hex() for transaction in good]
    assert {answer["state"] for answer in others} == {"pending"}
    await market.block()
    view = await market.get(f"/v1/transactions/{good[-1].id.hex()}")
    assert (view["state"], view["batch"], view["position"]) == ("committed", 0, SUBMITTED_MAX - 4)


def forged(transaction: SignedTransaction, **changes: Any) -> bytes:
    """The same body under another auth."""
    envelope = decode_envelope(transaction.wire)
    auth = envelope.auth
    values = {name: changes.get(name, getattr(auth, name)) for name in Auth.__struct_fields__}
    return finish(envelope.body, Auth(**values))


@story
async def test_each_refusal_names_code_and_field(market: Market) -> None:
    order = sell("ann", 100, NOON, 3_000_000)
    good = market.sign("ann", order)
    (index, signature), *_ = decode_envelope(good.wire).auth.signatures
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    other_chain = market.wallet("ann").sign("other-chain", market.time_ms, [order])
    expired = market.wallet("ann").sign("test-chain", market.time_ms - 3_600_000, [order])
    too_far = market.wallet("ann").sign("test-chain", market.time_ms + 3_600_000, [order])
    stranger = finish(decode_envelope(good.wire).body, decode_envelope(market.sign("bob", order).wire).auth)
    cases = {
        forged(good, signatures=((index, flipped),)): ("SIGNATURE_INVALID", "signatures"),
        forged(good, signatures=()): ("SIGNATURE_INVALID", "signatures"),
        forged(good, algorithm=9): ("ALGORITHM_UNKNOWN", "algorithm"),
        other_chain.wire: ("CHAIN_WRONG", "chain"),
        expired.wire: ("EXPIRED", "expires_ms"),
        too_far.wire: ("EXPIRY_TOO_FAR", "expires_ms"),
        stranger: ("SIGNATURE_INVALID", "signatures"),
        good.wire + b"\x00": ("MALFORMED", "transaction"),
        good.wire[:-1]: ("MALFORMED", "transaction"),
    }
    answers = await answers_to(market, *(wire.hex() for wire in cases))
    for place, (answer, (name, field)) in enumerate(zip(answers, cases.values(), strict=True)):
        assert (answer["state"], answer["name"]) == ("refused", name)
        assert answer["field"] == f"transactions[{place}].{field}"
        assert answer["code"] > 0
    await market.block()
    assert (await market.get("/v1/status"))["orders_open"] == 0


@story
async def test_a_used_nonce_is_refused_at_the_door(market: Market) -> None:
    await market.run("ann", sell("ann", 100, NOON, 3_000_000))
    again = market.wallet("ann")
    again.nonces.forget()
    again.nonces.learn(0)
    (answer,) = await market.submit(market.sign("ann", sell("ann", 100, NOON, 3_000_000, "two")))
    assert (answer["state"], answer["name"], answer["field"]) == ("refused", "NONCE_USED", "transactions[0].nonce")


DEEP = "[" * 200_000
HOSTILE: dict[str, bytes | str] = {
    "nothing": b"",
    "null": b"null",
    "a number": b"1",
    "a list": b"[]",
    "a deep list": DEEP,
    "a deep list as transactions": '{"transactions": ' + DEEP,
    "deep objects": '{"transactions": [' + '{"a":' * 100_000,
    "no transactions": b'{"transactions": []}',
    "a number as a transaction": b'{"transactions": [1]}',
    "null as a transaction": b'{"transactions": [null]}',
    "a string instead of a list": b'{"transactions": "00"}',
    "an unknown field": b'{"transactions": ["00"], "more": 1}',
    "an unknown deep field": '{"transactions": ["00"], "more": ' + DEEP,
    "nothing that is asked for": b'{"transaction": "00"}',
    "too many": json.dumps({"transactions": ["00"] * (SUBMITTED_MAX + 1)}),
    "bytes": b"\x00\xff\xfe",
    "half a character": b'{"transactions": ["\xc3"]}',
    "a lone surrogate": b'{"transactions": ["\\ud800"], "x": 1}',
    "an endless number": b'{"transactions": [' + b"9" * 10_000 + b"]}",
    "after the end": b'{"transactions": ["00"]} x',
    "not a number": b'{"transactions": [NaN]}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
@story
async def test_hostile_bodies_are_refused_and_nothing_breaks(market: Market, body: bytes | str) -> None:
    status, problem = await post(market, body)
    assert (status, problem["name"]) == (400, "REQUEST_MALFORMED")
    assert len(json.dumps(problem)) < 1_000
    (answer,) = await market.submit(market.sign("ann", sell("ann", 100, NOON, 3_000_000)))
    assert answer["state"] == "pending"


@story
async def test_a_body_that_is_too_large_is_refused_by_its_announcement_and_by_its_size(market: Market) -> None:
    status, problem = await post(market, b" " * (SUBMISSION_BYTES_MAX + 1))
    assert (status, problem["name"], problem["field"]) == (413, "BODY_TOO_LARGE", "body")
    sent = 0

    async def without_announcement() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    status, problem = await post(market, without_announcement())
    assert (status, problem["name"]) == (413, "BODY_TOO_LARGE")
    assert sent < 2 * SUBMISSION_BYTES_MAX


@pytest.mark.parametrize("length", ["-1", "x", "1e9", "9" * 400])
@story
async def test_a_false_announcement_of_the_length(market: Market, length: str) -> None:
    response = await market.web.post("/v1/transactions", content=b"{}", headers={"Content-Length": length})
    assert response.status_code in {400, 413}


TEXTS = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=200).map(bytes.hex),
    st.binary(max_size=200).map(lambda data: b64encode(data).decode()),
    st.binary(max_size=200).map(lambda data: urlsafe_b64encode(data).decode()),
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.binary(max_size=64), st.text(max_size=9)
        ),
        lambda inner: st.lists(inner, max_size=6),
        max_leaves=20,
    ).map(lambda value: encode(value).hex()),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=9), inner, max_size=5)),
    max_leaves=20,
)
BODIES = st.one_of(
    st.binary(max_size=300),
    VALUES.map(lambda value: json.dumps(value).encode()),
    st.lists(TEXTS, max_size=8).map(lambda texts: json.dumps({"transactions": texts}).encode()),
    st.fixed_dictionaries({"transactions": VALUES}).map(lambda value: json.dumps(value).encode()),
)


def test_nothing_at_the_door_ever_breaks_the_gateway(tmp_path: Path) -> None:
    """Random bodies, and good transactions damaged by a byte: an answer to each, never a fault."""
    runner = asyncio.Runner()
    life = running_market(tmp_path)
    market = runner.run(life.__aenter__())
    good = market.sign("ann", sell("ann", 100, NOON, 3_000_000)).wire

    def told(body: bytes) -> dict[str, Any]:
        status, document = runner.run(post(market, body))
        assert status in {202, 400}, (status, document)
        return document

    @settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
    @given(BODIES)
    def anything(body: bytes) -> None:
        told(body)

    @settings(max_examples=300)
    @given(st.integers(0, len(good) - 1), st.integers(0, 255))
    def a_changed_byte(position: int, value: int) -> None:
        damaged = good[:position] + bytes([value]) + good[position + 1 :]
        (answer,) = told(json.dumps({"transactions": [damaged.hex()]}).encode())["transactions"]
        assert answer["state"] == ("pending" if damaged == good else "refused"), answer

    try:
        anything()
        a_changed_byte()
        metrics = runner.run(market.web.get("/metrics")).text
        assert 'status="500"' not in metrics
    finally:
        runner.run(life.__aexit__(None, None, None))
        runner.close()


@story
async def test_the_nodes_promise_is_given_to_who_asks(market: Market) -> None:
    transaction = market.sign("ann", sell("ann", 100, NOON, 3_000_000))
    body = {"transactions": [transaction.wire.hex(), "00"]}
    asked = {"": False, "?acceptance=false": False, "?acceptance=1": True, "?acceptance=true": True}
    for query, wanted in asked.items():
        response = await market.web.post(f"/v1/transactions{query}", json=body)
        taken, refused = response.json()["transactions"]
        assert (taken["state"], refused["state"]) == ("pending", "refused")
        assert (taken["acceptance"] is not None) is wanted
        assert refused["acceptance"] is None
    key = market.node.application.state.get(NODES, market.node.engine.node_id).public_key
    acceptance = msgspec.convert(taken["acceptance"], AcceptanceView)
    header = check_acceptance(key, transaction.wire, acceptance)
    assert (header.author, header.chain) == (market.node.engine.node_id, market.node.application.info().chain)
    with pytest.raises(ProofInvalid):
        check_acceptance(key, transaction.wire + b"\x00", acceptance)
    with pytest.raises(ProofInvalid):
        check_acceptance(bytes(32), transaction.wire, acceptance)
    await market.block()
    response = await market.web.post("/v1/transactions?acceptance=true", json=body)
    committed = response.json()["transactions"][0]
    assert (committed["state"], committed["acceptance"]) == ("committed", None)


@story
async def test_a_wish_that_is_none_is_refused(market: Market) -> None:
    for query in ("acceptance=perhaps", "acceptance=true&acceptance=true", "promise=true"):
        response = await market.web.post(f"/v1/transactions?{query}", json={"transactions": ["00"]})
        assert (response.status_code, response.json()["name"]) == (400, "REQUEST_MALFORMED")
