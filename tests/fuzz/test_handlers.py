"""Every message type, mostly decoding and authenticated: no exception, no trace of what is rejected, no unit lost."""

from collections import Counter
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.messages import FIELDS, MESSAGE_TYPES, NOON, asks, fresh
from tests.invariants import Watch, check_modules, picture
from tests.world import World, at, pseudonym, signed, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.genesis import import_state
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.limits import POWER_W_MAX
from gridtokenx.ledger.transaction import apply_transaction, check_transaction, decode_envelope
from gridtokenx.modules.authority.messages import (
    Apply,
    Attest,
    Endorse,
    Observed,
    Propose,
    ReportBatch,
    RotateKey,
    SetNode,
    SetValidator,
    Vote,
    Withdraw,
)
from gridtokenx.modules.identity.messages import RegisterSite
from gridtokenx.modules.settlement.messages import CorrectReading, SubmitReadings

STRANGERS = {
    KernelCode.MALFORMED,
    KernelCode.TOO_LARGE,
    KernelCode.SIGNATURE_INVALID,
    KernelCode.ALGORITHM_UNKNOWN,
    KernelCode.UNAUTHENTICATED,
    KernelCode.ACCOUNT_UNKNOWN,
    KernelCode.CHAIN_WRONG,
    KernelCode.EXPIRED,
    KernelCode.EXPIRY_TOO_FAR,
    KernelCode.NONCE_USED,
    KernelCode.NONCE_TOO_OLD,
    KernelCode.NONCE_JUMP,
    KernelCode.QUOTA_EXCEEDED,
}
"""Codes with which no handler was reached."""

OFFICE = {SetNode, SetValidator}
"""What an office may ask where no members decide."""

SAID_BY_MEMBERS = {Apply, Attest, Endorse, Observed, Propose, Vote, RotateKey, Withdraw}
"""Means nothing where there is no consortium."""


def quick(examples: int) -> settings:
    """So many examples; building a world is no fault of theirs."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    return settings(max_examples=examples, suppress_health_check=checks)


@st.composite
def transactions(draw: st.DrawFn, world: World, kinds: tuple[type[Message], ...]) -> bytes:
    """Most as an honest client would sign them; the others spoilt in some way. (Seven is no favourite of Hypothesis, as
    the ends of a range are.)"""
    sender, messages = draw(asks(kinds))
    who = world.signers[sender]
    body = world.body(sender, *messages)
    if draw(st.integers(0, 11)) != 7:
        return signed(who, body)
    spoilt = draw(st.integers(0, 5))
    if spoilt == 0:
        return signed(signer("stranger"), body)
    if spoilt == 1:
        return signed(who, msgspec.structs.replace(body, chain="another"))
    if spoilt == 2:
        return signed(who, msgspec.structs.replace(body, nonce=draw(st.integers(0, 2**62))))
    if spoilt == 3:
        return signed(who, msgspec.structs.replace(body, expires_ms=draw(st.integers(0, 2**62))))
    wire = bytearray(signed(who, body))
    if spoilt == 4:
        wire[draw(st.integers(0, len(wire) - 1))] ^= draw(st.integers(1, 255))
        return bytes(wire)
    return draw(st.binary(max_size=200))


def snapshot(world: World) -> list[dict[bytes, Any]]:
    return [dict(rows) for rows in world.state.rows]


def without_nonce(rows: list[dict[bytes, Any]]) -> list[dict[bytes, Any]]:
    """All tables, with accounts as if no nonce had been used."""
    accounts = {
        key: msgspec.structs.replace(account, nonce_highest=0, nonce_gaps=b"")
        for key, account in rows[ACCOUNTS.prefix].items()
    }
    return [accounts if prefix == ACCOUNTS.prefix else own for prefix, own in enumerate(rows)]


def run_alone(world: World, context: Context, wire: bytes) -> KernelCode | int:
    """One transaction outside a block. A rejected one must leave tables and derived structures as they were."""
    try:
        check_transaction(wire, CONSORTIUM.body)
    except Rejected as rejection:
        return int(rejection.code)
    envelope = decode_envelope.trusted(wire)
    body = CONSORTIUM.body.trusted(envelope.body)
    handlers = CONSORTIUM.handlers_now(world.state)
    rows, derived = snapshot(world), picture(world.state)
    trades, sums = list(context.trades), context.summary()
    receipt = apply_transaction(world.state, context, handlers, envelope, body, hash_bytes(envelope.body))
    assert receipt.code != KernelCode.INTERNAL, context.alarms
    if receipt.code:
        after = snapshot(world)
        assert after == rows if receipt.code in STRANGERS else without_nonce(after) == without_nonce(rows)
        assert picture(world.state) == derived
        assert (context.trades, context.summary()) == (trades, sums)
    else:
        check_modules(world.state)
    return receipt.code


def context_of(world: World) -> Context:
    last = last_block(world.state)
    check = partial(check_transaction, decode_body=CONSORTIUM.body)
    return Context(last.chain, last.height + 1, last.time_ms + 1_000, check=check)


def fuzz(kinds: tuple[type[Message], ...], examples: int) -> Counter[int]:
    """How often each code came of `examples` short sequences of these messages."""
    codes: Counter[int] = Counter()

    @quick(examples)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        with_members = OFFICE.isdisjoint(kinds) or data.draw(st.booleans())
        world = fresh(with_members=with_members)
        context = context_of(world)
        # Where there are no members, nobody says what only members say.
        said = kinds if with_members else tuple(kind for kind in kinds if kind not in SAID_BY_MEMBERS)
        for _ in range(data.draw(st.integers(1, 6))):
            codes[int(run_alone(world, context, data.draw(transactions(world, said))))] += 1

    run()
    return codes


def reached(codes: Counter[int]) -> float:
    """The share that decoded and was authenticated, so that a handler saw it."""
    return sum(count for code, count in codes.items() if code not in STRANGERS) / codes.total()


def test_every_field_of_every_message_is_drawn() -> None:
    composed = (SubmitReadings, CorrectReading, ReportBatch, Apply, Observed, Propose, RotateKey)
    fields = {name for kind in MESSAGE_TYPES if kind not in composed for name in kind.__struct_fields__}
    assert fields | {"chain"} == set(FIELDS)


@pytest.mark.parametrize("kind", MESSAGE_TYPES, ids=lambda kind: kind.__name__)
def test_each_message_type(kind: type[Message]) -> None:
    codes = fuzz((kind,), 40)
    assert reached(codes) >= 0.5, codes
    assert KernelCode.INTERNAL not in codes


@pytest.mark.slow
def test_all_message_types_together() -> None:
    codes = fuzz(MESSAGE_TYPES, 600)
    assert reached(codes) >= 0.5, codes
    assert codes[KernelCode.OK] >= codes.total() * 0.1, codes


@pytest.mark.slow
@quick(60)
@given(st.data())
def test_whole_blocks_and_the_day_after(data: st.DataObject) -> None:
    """Batches of anything, garbage among them, under the eyes of the auditor; then gates, deadlines and settlements
    run over what they left."""
    world = fresh(with_members=data.draw(st.booleans()))
    watch = Watch(world)
    for _ in range(data.draw(st.integers(1, 3))):
        batches = []
        for _ in range(data.draw(st.integers(0, 3))):
            wires = [data.draw(transactions(world, MESSAGE_TYPES)) for _ in range(data.draw(st.integers(1, 6)))]
            batch = world.batch(*wires)
            batches.append(batch)
            if not data.draw(st.integers(0, 5)):
                batches.append(data.draw(st.binary(max_size=100) | st.just(batch) | st.just(batch[:-1])))
        outcome = world.block(*batches, time_ms=world.time_ms + data.draw(st.integers(1, 600_000)))
        assert len(outcome.batches) == len(batches)
    world.skip_to(at(15, 50))
    watch.finish()
    restored, commitment = import_state(CONSORTIUM, world.export())
    assert commitment.root() == world.commitment.root()
    assert picture(restored) == picture(world.state)


def test_the_largest_connection_that_never_reports_stops_nothing() -> None:
    """Its estimates are the largest amounts of energy that settlement ever meets."""
    world = fresh()
    watch = Watch(world)
    world.sites["giant"] = signer("meter of giant")
    giant, key = pseudonym("giant"), world.sites["giant"].keys[0]
    site = RegisterSite(giant, giant, giant, key, world.accounts["alice"], 11, POWER_W_MAX, (POWER_W_MAX,) * 7, 0, 0)
    assert world.code("registrar", site) == "OK"
    assert world.code("bob", world.submit(world.reading("giant", NOON, 0, 0))) == "OK"
    world.skip_to(at(13, 40))
    watch.finish()
    assert world.account("alice").debt_micro > 10**14
