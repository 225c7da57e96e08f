"""One transaction: what the check without state refuses, and what the ledger does with a good one."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from ed25519_zebra import ed_sign
from tests.world import (
    MINUTE_MS,
    TRANSACTION_LIFETIME_MS,
    WATT,
    Founding,
    Signer,
    World,
    decode_receipt,
    signed,
    signer,
)

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import limits
from gridtokenx.ledger.account import PENDING_KEYS, ROTATED_KEYS
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.crypto import TRANSACTION_DOMAIN, hash_bytes
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.transaction import Auth, Body, Envelope, check_transaction, keys_hash
from gridtokenx.modules.identity.messages import RotateKeys
from gridtokenx.modules.tokens.messages import Transfer


@pytest.fixture
def world() -> World:
    founding = Founding()
    founding.add_home("alice")
    founding.add_home("bob")
    founding.add_account("board", signer("board", 2, 3), 100 * WATT)
    return founding.start()


def pay(world: World, to: str = "bob", amount_micro: int = WATT) -> Transfer:
    return Transfer(world.accounts[to], amount_micro)


def refused(wire: bytes) -> KernelCode:
    with pytest.raises(Rejected) as caught:
        check_transaction(wire, CONSORTIUM.body)
    return KernelCode(caught.value.code)


def remade(wire: bytes, **changes: Any) -> bytes:
    """The transaction with other fields in its `auth`, or another `body`."""
    envelope = msgspec.msgpack.decode(wire, type=Envelope)
    body = changes.pop("body", envelope.body)
    return encode(Envelope(body, msgspec.structs.replace(envelope.auth, **changes)))


# --- without state


def test_a_good_one_is_counted(world: World) -> None:
    assert check_transaction(world.sign("alice", pay(world)), CONSORTIUM.body) == 1
    assert check_transaction(world.sign("board", pay(world)), CONSORTIUM.body) == 2


def test_signatures_of_meters_are_counted_too(world: World) -> None:
    readings = world.submit(world.reading("alice", 7, 0, 0), world.reading("bob", 7, 0, 0))
    assert check_transaction(world.sign("alice", readings), CONSORTIUM.body) == 3


def test_a_meters_signature_must_hold(world: World) -> None:
    reading = msgspec.structs.replace(world.reading("alice", 7, 0, 0), import_wh=1)
    assert refused(world.sign("alice", world.submit(reading))) == KernelCode.SIGNATURE_INVALID


def test_bytes_must_be_canonical(world: World) -> None:
    wire = world.sign("alice", pay(world))
    assert refused(wire + b"\x00") == KernelCode.MALFORMED
    assert refused(b"") == KernelCode.MALFORMED
    raw = msgspec.msgpack.decode(wire, type=Envelope).body
    longer = b"\xdc\x00\x05" + raw[1:]
    assert raw[0] == 0x95
    signature = (0, ed_sign(signer("alice").secrets[0], TRANSACTION_DOMAIN + longer))
    assert refused(remade(wire, body=longer, signatures=(signature,))) == KernelCode.MALFORMED


def test_size_is_limited_before_anything_is_decoded() -> None:
    assert refused(bytes(limits.TRANSACTION_BYTES_MAX + 1)) == KernelCode.TOO_LARGE
    assert refused(bytes(limits.TRANSACTION_BYTES_MAX)) == KernelCode.MALFORMED


def test_no_messages_or_too_many_are_malformed(world: World) -> None:
    assert refused(world.sign("alice")) == KernelCode.MALFORMED
    many = [pay(world)] * limits.MESSAGES_PER_TRANSACTION_MAX
    check_transaction(world.sign("alice", *many), CONSORTIUM.body)
    assert refused(world.sign("alice", *many, pay(world))) == KernelCode.MALFORMED


def test_too_many_meter_signatures_are_too_large(world: World) -> None:
    readings = world.submit(*[world.reading("alice", 7, 0, 0)] * 64)
    assert refused(world.sign("alice", readings, world.submit(*readings.readings[:17]))) == KernelCode.TOO_LARGE


def test_another_algorithm_is_unknown(world: World) -> None:
    assert refused(remade(world.sign("alice", pay(world)), algorithm=1)) == KernelCode.ALGORITHM_UNKNOWN


@pytest.mark.parametrize("bit", [0, 300, 511])
def test_a_changed_signature_is_invalid(world: World, bit: int) -> None:
    wire = world.sign("alice", pay(world))
    ((index, signature),) = msgspec.msgpack.decode(wire, type=Envelope).auth.signatures
    changed = bytearray(signature)
    changed[bit // 8] ^= 1 << bit % 8
    assert refused(remade(wire, signatures=((index, bytes(changed)),))) == KernelCode.SIGNATURE_INVALID


def test_a_signature_serves_for_one_body_and_one_purpose(world: World) -> None:
    wire = world.sign("alice", pay(world))
    other = encode(world.body("alice", pay(world, amount_micro=2)))
    assert refused(remade(wire, body=other)) == KernelCode.SIGNATURE_INVALID
    bare = ed_sign(signer("alice").secrets[0], other)
    assert refused(remade(wire, body=other, signatures=((0, bare),))) == KernelCode.SIGNATURE_INVALID


def test_threshold_signatures_come_once_each_and_in_order(world: World) -> None:
    body = world.body("board", pay(world))
    raw = encode(body)
    who = world.signers["board"]
    for using in ((0, 1), (0, 2), (1, 2)):
        assert check_transaction(signed(who, body, using), CONSORTIUM.body) == 2
    for using in ((0,), (0, 0), (2, 1), (0, 1, 2)):
        auth = who.auth(raw, using)
        assert refused(encode(Envelope(raw, auth))) == KernelCode.SIGNATURE_INVALID
    outside = replace(who, keys=who.keys[:2])
    assert refused(encode(Envelope(raw, replace_keys(who.auth(raw, (0, 2)), outside.keys)))) == (
        KernelCode.SIGNATURE_INVALID
    )


def replace_keys(auth: Auth, keys: tuple[bytes, ...]) -> Auth:
    return msgspec.structs.replace(auth, keys=keys)


@pytest.mark.parametrize("threshold", [0, 4])
def test_a_threshold_lies_between_one_and_all(world: World, threshold: int) -> None:
    auth = world.sign("board", pay(world))
    assert refused(remade(auth, threshold=threshold)) == KernelCode.MALFORMED


def test_keys_ascend_without_repetition(world: World) -> None:
    who = world.signers["board"]
    wire = world.sign("board", pay(world))
    assert refused(remade(wire, keys=who.keys[::-1])) == KernelCode.MALFORMED
    assert refused(remade(wire, keys=(who.keys[0], who.keys[0], who.keys[1]))) == KernelCode.MALFORMED
    assert refused(remade(wire, keys=(), threshold=0, signatures=())) == KernelCode.MALFORMED


# --- with state


def test_the_receipt_names_the_body(world: World) -> None:
    body = world.body("alice", pay(world))
    (receipt,) = world.run(signed(world.signers["alice"], body))
    assert receipt.code == KernelCode.OK
    assert receipt.transaction == hash_bytes(encode(body))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"chain": "another-chain"}, "CHAIN_WRONG"),
        ({"expires_ms": 0}, "EXPIRED"),
        ({"nonce": 0}, "NONCE_USED"),
        ({"nonce": limits.NONCE_WINDOW + 1}, "NONCE_JUMP"),
    ],
)
def test_what_is_refused_before_the_messages_leaves_no_trace(world: World, changes: dict[str, Any], code: str) -> None:
    world.block()
    before = world.account("alice")
    assert world.code("alice", pay(world), **changes) == code
    assert world.account("alice") == before


def test_expiry_counts_by_the_time_of_the_block(world: World) -> None:
    now = world.time_ms + 1_000
    assert world.code("alice", pay(world), expires_ms=now, time_ms=now) == "OK"
    assert world.code("alice", pay(world), expires_ms=now, time_ms=now + 1) == "EXPIRED"
    latest = now + 2 + TRANSACTION_LIFETIME_MS
    assert world.code("alice", pay(world), expires_ms=latest, time_ms=now + 2) == "OK"
    assert world.code("alice", pay(world), expires_ms=latest + 2, time_ms=now + 3) == "EXPIRY_TOO_FAR"


def test_a_nonce_is_used_once_also_by_what_fails(world: World) -> None:
    wire = world.sign("alice", pay(world))
    again = world.sign("alice", pay(world, amount_micro=10**12), nonce=2)
    receipts = world.run(wire, again)
    assert receipts[0].code == KernelCode.OK
    assert CONSORTIUM.codes[receipts[1].code] == "BALANCE_TOO_LOW"
    assert [CONSORTIUM.codes[receipt.code] for receipt in world.run(wire, again)] == ["NONCE_USED"] * 2


def test_nonces_may_overtake_each_other_within_the_window(world: World) -> None:
    for nonce in (3, 1, 900, 2):
        assert world.code("alice", pay(world, amount_micro=1), nonce=nonce) == "OK"
    assert world.code("alice", pay(world, amount_micro=1), nonce=900 + limits.NONCE_WINDOW) == "OK"
    assert world.code("alice", pay(world, amount_micro=1), nonce=4) == "NONCE_TOO_OLD"
    assert world.code("alice", pay(world, amount_micro=1), nonce=901) == "OK"


def test_a_stranger_is_filed_under_all_bytes_and_costs_nothing(world: World) -> None:
    before = world.account("alice")
    wire = signed(signer("stranger"), world.body("alice", pay(world)))
    (receipt,) = world.run(wire)
    assert receipt.code == KernelCode.UNAUTHENTICATED
    assert receipt.transaction == hash_bytes(wire)
    assert world.account("alice") == before


def test_an_unknown_account_is_filed_under_all_bytes(world: World) -> None:
    stranger = signer("stranger")
    body: Body[Any] = Body(world.chain, keys_hash(0, 1, stranger.keys), 1, world.time_ms + MINUTE_MS, (pay(world),))
    wire = signed(stranger, body)
    (receipt,) = world.run(wire)
    assert receipt.code == KernelCode.ACCOUNT_UNKNOWN
    assert receipt.transaction == hash_bytes(wire)


def test_fewer_signatures_or_another_threshold_are_another_account(world: World) -> None:
    who = world.signers["board"]
    for other in (replace(who, threshold=1), replace(who, threshold=3)):
        wire = signed(other, world.body("board", pay(world), nonce=1))
        assert world.run(wire)[0].code == KernelCode.UNAUTHENTICATED


def test_messages_succeed_or_fail_together(world: World) -> None:
    before = world.account("bob").balance_micro
    receipt = world.do("alice", pay(world), pay(world, to="alice"), pay(world))
    assert (CONSORTIUM.codes[receipt.code], receipt.failed, receipt.results) == ("TRANSFER_TO_SELF", 1, ())
    assert world.account("bob").balance_micro == before
    assert world.account("alice").nonce_highest == 1
    receipt = world.do("alice", pay(world), pay(world))
    assert (receipt.code, receipt.results) == (0, ((), ()))
    assert world.account("bob").balance_micro == before + 2 * WATT


def test_a_bug_in_a_handler_is_an_outcome_and_an_alarm(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(state: Any, context: Any, message: Any) -> tuple[int, ...]:
        CONSORTIUM.handlers[RotateKeys](state, context, RotateKeys(0, 1, signer("spare").keys))
        raise ZeroDivisionError

    wire = world.sign("alice", pay(world))
    monkeypatch.setitem(CONSORTIUM.handlers, Transfer, bug)
    outcome = world.block(world.batch(wire))
    receipt = decode_receipt(outcome.batches[0].receipts[0])
    assert receipt.code == KernelCode.INTERNAL
    assert "ZeroDivisionError" in outcome.alarms[0]
    assert not world.state.rows[PENDING_KEYS.prefix]
    assert world.account("alice").nonce_highest == 1


@pytest.mark.parametrize("failure", [MemoryError, RecursionError, OSError])
def test_what_a_handler_cannot_cause_stops_the_block(
    world: World, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    def broken(state: Any, context: Any, message: Any) -> tuple[int, ...]:
        raise failure

    wire = world.sign("alice", pay(world))
    monkeypatch.setitem(CONSORTIUM.handlers, Transfer, broken)
    with pytest.raises(failure):
        world.block(world.batch(wire))


def test_a_sender_has_a_quota_in_a_block(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TRANSACTIONS_PER_SENDER_AND_BLOCK_MAX", 3)
    wires = [world.sign("alice", pay(world, to="alice")) for _ in range(5)]
    names = [CONSORTIUM.codes[receipt.code] for receipt in world.run(*wires, world.sign("bob", pay(world, to="alice")))]
    assert sorted(names) == ["OK", *["QUOTA_EXCEEDED"] * 2, *["TRANSFER_TO_SELF"] * 3]
    assert world.account("alice").nonce_highest == 3


# --- rotation


def new_keys(name: str) -> RotateKeys:
    who = signer(name)
    return RotateKeys(0, who.threshold, who.keys)


def by(world: World, who: Signer, **more: Any) -> bytes:
    return signed(who, world.body("alice", pay(world, amount_micro=1), **more))


def test_new_keys_count_from_the_next_block(world: World) -> None:
    old, new = world.signers["alice"], signer("spare")
    rotation = world.sign("alice", new_keys("spare"), nonce=1)
    receipts = world.run(rotation, by(world, old, nonce=2), by(world, new, nonce=3))
    assert [receipt.code for receipt in receipts] == [0, 0, KernelCode.UNAUTHENTICATED]
    receipts = world.run(by(world, old, nonce=3), by(world, new, nonce=4))
    assert [receipt.code for receipt in receipts] == [KernelCode.UNAUTHENTICATED, 0]


def test_the_last_rotation_of_a_block_wins_and_the_account_keeps_its_name(world: World) -> None:
    world.run(world.sign("alice", new_keys("one"), nonce=1), world.sign("alice", new_keys("two"), nonce=2))
    world.block()
    assert world.account("alice").keys_hash == keys_hash(0, 1, signer("two").keys)
    assert world.run(by(world, signer("two"), nonce=3))[0].code == KernelCode.OK


def test_a_rotation_that_fails_with_its_transaction_does_not_count(world: World) -> None:
    world.do("alice", new_keys("spare"), pay(world, to="alice"))
    world.block()
    assert world.code("alice", pay(world)) == "OK"


def test_given_up_keys_are_remembered_for_ten_minutes(world: World) -> None:
    old = world.accounts["alice"] + world.account("alice").keys_hash
    world.do("alice", new_keys("spare"))
    world.block()
    assert world.state.keys(ROTATED_KEYS) == [old]
    world.skip_to(world.time_ms + limits.ROTATED_KEYS_KEPT_MS - 1)
    assert world.state.keys(ROTATED_KEYS) == [old]
    world.skip_to(world.time_ms + 1)
    assert world.state.keys(ROTATED_KEYS) == []


def test_rotating_back_and_again_keeps_the_newest_end(world: World) -> None:
    original = world.accounts["alice"] + world.account("alice").keys_hash
    world.do("alice", new_keys("spare"), nonce=1)
    (receipt,) = world.run(signed(signer("spare"), world.body("alice", new_keys("alice"), nonce=2)))
    assert receipt.code == 0
    world.skip_to(world.time_ms + 5 * MINUTE_MS)
    world.do("alice", new_keys("spare"), nonce=3)
    world.block()
    until = world.time_ms + limits.ROTATED_KEYS_KEPT_MS
    world.skip_to(until - 1)
    assert original in world.state.keys(ROTATED_KEYS)
    world.skip_to(until)
    assert original not in world.state.keys(ROTATED_KEYS)
