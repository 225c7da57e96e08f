"""Evidence against a node: a bad batch always convicts its author, a good one never does."""

import msgspec
import pytest
from ed25519_zebra import ed_sign
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.messages import asks, fresh
from tests.invariants import Watch
from tests.world import (
    MINUTE_MS,
    WATT,
    Founding,
    Signer,
    World,
    batch_of,
    decode_receipt,
    pseudonym,
    report_of,
    signed,
    signer,
)

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import NODES, Node, batch_id, check_batch, decode_batch, signed_batch
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.crypto import merkle_path
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.schedule import SET_ASIDE
from gridtokenx.ledger.transaction import check_transaction, decode_envelope
from gridtokenx.ledger.validator import MISBEHAVIOUR, Misbehaviour, MisbehaviourKind, address_of
from gridtokenx.modules.authority.messages import ReportBatch, SetNode
from gridtokenx.modules.authority.state import FORMER_KEYS, MISDEEDS, Misdeed, MisdeedKind
from gridtokenx.modules.tokens.messages import Transfer

ROGUE, ROGUE_ID = signer("rogue"), pseudonym("rogue")
VOTER = signer("validator").keys[0]


@pytest.fixture
def world() -> World:
    """Beside the node that carries everybody's transactions there is a rogue one, a validator too."""
    founding = Founding()
    for name in ("alice", "bob"):
        founding.add_home(name)
    founding.builder.add_node(ROGUE_ID, ROGUE.keys[0])
    founding.builder.add_validator(VOTER, 10, ROGUE_ID)
    world = founding.start()
    Watch(world)
    return world


def pay(world: World) -> bytes:
    return world.sign("alice", Transfer(world.accounts["bob"], WATT))


def spoilt(wire: bytes) -> bytes:
    """With a signature that is none."""
    return wire[:-1] + bytes([wire[-1] ^ 1])


def bad_batch(world: World, *, sequence: int = 1, until_ms: int | None = None, by: Signer = ROGUE) -> bytes:
    """The last of its transactions is not signed."""
    until_ms = world.time_ms + MINUTE_MS if until_ms is None else until_ms
    return batch_of((pay(world), pay(world), spoilt(pay(world))), sequence, until_ms, author=ROGUE_ID, by=by)


def report(wire: bytes, index: int = 2, by: Signer = ROGUE, **changes: object) -> ReportBatch:
    return msgspec.structs.replace(report_of(wire, index, by), **changes)


def misdeeds(world: World) -> dict[bytes, Misdeed]:
    return dict(world.state.items(MISDEEDS))


def test_a_bad_transaction_under_a_signed_header_is_a_misdeed(world: World) -> None:
    wire = bad_batch(world)
    assert CONSORTIUM.codes[world.block(wire).batches[0].code] == "BATCH_TRANSACTION_INVALID"
    assert world.code("bob", report(wire)) == "OK"
    key = ROGUE_ID + bytes([MisdeedKind.BAD_BATCH]) + batch_id(decode_batch(wire).header)
    assert misdeeds(world) == {key: Misdeed(3, len(world.blocks), world.time_ms, world.accounts["bob"])}
    assert world.code("bob", report(wire)) == "EVIDENCE_REPEATED"
    assert world.code("alice", report(bad_batch(world, sequence=2))) == "OK"


def test_operators_hear_of_it(world: World) -> None:
    wire = bad_batch(world)
    (alarm,) = world.block(world.batch(world.sign("bob", report(wire)))).alarms
    assert alarm == f"bad batch by node {ROGUE_ID.hex()}, proved by {batch_id(decode_batch(wire).header).hex()}"


def test_what_proves_nothing_is_refused(world: World) -> None:
    wire = bad_batch(world)
    good, bad = report(wire, 0), report(wire, 2)
    stranger = signer("stranger")
    another = batch_of((b"nothing",), 1, world.time_ms + MINUTE_MS, "another", ROGUE_ID, ROGUE)
    nobody = batch_of((b"nothing",), 1, world.time_ms + MINUTE_MS, world.chain, pseudonym("nobody"), ROGUE)
    for expected, ask in (
        ("TRANSACTION_IS_SOUND", good),
        ("EVIDENCE_PATH_WRONG", report(wire, 0, transaction=bad.transaction)),
        ("EVIDENCE_PATH_WRONG", report(wire, path=bad.path[:-1])),
        ("EVIDENCE_PATH_WRONG", report(wire, path=())),
        ("EVIDENCE_PATH_WRONG", report(wire, path=good.path)),
        ("NOT_THE_NODES_KEY", report(bad_batch(world, by=stranger), by=stranger)),
        ("EVIDENCE_OF_ANOTHER_CHAIN", report(another, 0)),
        ("NODE_UNKNOWN", report(nobody, 0)),
    ):
        assert world.code("bob", ask) == expected
    assert misdeeds(world) == {}
    assert world.code("bob", bad) == "OK"


def test_a_signature_that_is_none_does_not_even_reach_the_chain(world: World) -> None:
    wire = bad_batch(world)
    header = decode_batch(wire).header
    for ask in (
        report(wire, signature=bytes(64)),
        report(wire, header=header + b"\x00"),
        report(wire, public_key=signer("stranger").keys[0]),
    ):
        with pytest.raises(Rejected) as caught:
            check_transaction(world.sign("bob", ask), CONSORTIUM.body)
        assert caught.value.code is KernelCode.SIGNATURE_INVALID


def test_what_is_no_header_is_no_evidence(world: World) -> None:
    header = decode_batch(bad_batch(world)).header + b"\x00"
    signature = bytes(ed_sign(ROGUE.secrets[0], signed_batch(header)))
    ask = report(bad_batch(world), header=header, signature=signature)
    assert world.code("bob", ask) == "EVIDENCE_MALFORMED"


def test_an_inner_node_of_the_tree_is_no_transaction(world: World) -> None:
    """Nobody is convicted of bytes that stand in the tree as a hash of two hashes."""
    wires = [pay(world) for _ in range(4)]
    wire = batch_of(wires, 1, world.time_ms + MINUTE_MS, author=ROGUE_ID, by=ROGUE)
    (_, first), (_, second) = merkle_path(wires, 0)[0], merkle_path(wires, 1)[0]
    (_, right) = merkle_path(wires, 0)[1]
    ask = report(wire, 0, transaction=second + first, path=((True, right),))
    assert world.code("bob", ask) == "EVIDENCE_PATH_WRONG"


def test_evidence_counts_a_week_and_is_remembered_longer(world: World) -> None:
    first, second = bad_batch(world, sequence=1), bad_batch(world, sequence=2)
    expires_ms = world.time_ms + MINUTE_MS
    early = bad_batch(world, until_ms=world.time_ms + 1_000 + limits.TRANSACTION_LIFETIME_MS_MAX + 1)
    assert world.code("bob", report(early)) == "EVIDENCE_OUT_OF_TIME"
    world.block(time_ms=expires_ms + limits.EVIDENCE_MS - 1)
    assert world.code("bob", report(first), time_ms=expires_ms + limits.EVIDENCE_MS) == "OK"
    assert world.code("bob", report(second)) == "EVIDENCE_OUT_OF_TIME"
    world.block(time_ms=expires_ms + limits.EVIDENCE_MS + limits.MISDEED_KEPT_MS - 1)
    assert len(misdeeds(world)) == 1
    world.block(time_ms=world.time_ms + 1)
    assert misdeeds(world) == {}
    assert limits.MISDEED_KEPT_MS > limits.EVIDENCE_MS + limits.TRANSACTION_LIFETIME_MS_MAX


def test_a_key_that_was_given_up_answers_for_what_it_signed_and_no_longer(world: World) -> None:
    before = bad_batch(world, sequence=1)
    late = bad_batch(world, sequence=2, until_ms=world.time_ms + 1_001 + limits.TRANSACTION_LIFETIME_MS_MAX)
    new = signer("new key")
    assert world.code("authority", SetNode(ROGUE_ID, new.keys[0], licensed=False)) == "OK"
    changed_ms = world.time_ms
    assert world.code("bob", report(late)) == "NOT_THE_NODES_KEY"
    assert world.code("bob", report(before)) == "OK"
    assert world.code("bob", report(bad_batch(world, by=new), by=new)) == "OK"
    # Forgotten when nothing that it signed can be evidence any more.
    world.block(time_ms=changed_ms + limits.TRANSACTION_LIFETIME_MS_MAX + limits.EVIDENCE_MS)
    assert list(world.state.rows[FORMER_KEYS.prefix]) == [ROGUE_ID + ROGUE.keys[0]]
    world.block(time_ms=world.time_ms + 1)
    assert world.state.rows[FORMER_KEYS.prefix] == {}


def test_a_key_that_comes_back_is_forgotten_at_the_later_time(world: World) -> None:
    def use(key: Signer) -> int:
        assert world.code("authority", SetNode(ROGUE_ID, key.keys[0], licensed=True)) == "OK"
        return world.time_ms

    use(signer("new key"))
    world.block(time_ms=world.time_ms + MINUTE_MS)
    use(ROGUE)
    again_ms = use(signer("newer key"))
    world.block(time_ms=again_ms + limits.TRANSACTION_LIFETIME_MS_MAX + limits.EVIDENCE_MS)
    assert ROGUE_ID + ROGUE.keys[0] in world.state.rows[FORMER_KEYS.prefix]
    world.block(time_ms=world.time_ms + 1)
    assert world.state.rows[FORMER_KEYS.prefix] == {}


def test_reports_of_a_block_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def codes(*who: str) -> list[str]:
        """Of one false report by each, in one block."""
        wires = [world.sign(name, report(bad_batch(world, sequence=number), 0)) for number, name in enumerate(who, 1)]
        return sorted(CONSORTIUM.codes[receipt.code] for receipt in world.run(*wires))

    assert codes("alice", "alice") == ["REPORTS_EXCEEDED", "TRANSACTION_IS_SOUND"]
    assert codes("alice", "bob") == ["TRANSACTION_IS_SOUND"] * 2
    monkeypatch.setattr(limits, "REPORTS_PER_BLOCK_MAX", 1)
    assert codes("alice", "bob") == ["REPORTS_EXCEEDED", "TRANSACTION_IS_SOUND"]


def test_the_largest_transaction_that_fits_can_be_proved(world: World) -> None:
    """About the other one the node alone answers: its batch is refused, and nothing follows."""
    room = limits.TRANSACTION_BYTES_MAX - len(world.sign("bob", report(bad_batch(world), 0, transaction=b"")))
    for length, fits in ((room - 8, True), (room, False)):
        wires = (bytes(length), pay(world), pay(world))
        wire = batch_of(wires, 1, world.time_ms + MINUTE_MS, author=ROGUE_ID, by=ROGUE)
        ask = world.sign("bob", report(wire, 0))
        if fits:
            (receipt,) = world.run(ask)
            assert receipt.code == KernelCode.OK
        else:
            with pytest.raises(Rejected) as caught:
                check_transaction(ask, CONSORTIUM.body)
            assert caught.value.code is KernelCode.TOO_LARGE


# --- what consensus finds


def double_sign(height: int = 7, address: bytes | None = None, kind: int = 1) -> Misbehaviour:
    return Misbehaviour(kind, address_of(VOTER) if address is None else address, height, 1, 30, 10)


def test_what_consensus_proves_is_written_down_once(world: World) -> None:
    first, second = double_sign(7), double_sign(8, kind=MisbehaviourKind.LIGHT_CLIENT_ATTACK)
    outcome = world.block(misbehaviour=(first, second, first))
    assert [alarm.partition(" by ")[0] for alarm in outcome.alarms] == ["duplicate vote", "light client attack"]
    assert world.block(misbehaviour=(first,)).alarms == ()
    at_ms = world.time_ms - 1_000
    address = address_of(VOTER)
    assert misdeeds(world) == {
        ROGUE_ID + b"\x01" + address + (7).to_bytes(8, "big"): Misdeed(1, 7, at_ms, b""),
        ROGUE_ID + b"\x02" + address + (8).to_bytes(8, "big"): Misdeed(2, 8, at_ms, b""),
    }


def test_a_validator_that_is_none_any_more_has_no_node(world: World) -> None:
    world.block(misbehaviour=(double_sign(7, bytes(20)),))
    assert list(misdeeds(world)) == [bytes(8) + b"\x01" + bytes(20) + (7).to_bytes(8, "big")]


def test_an_item_that_fails_is_set_aside_and_the_block_goes_on(world: World) -> None:
    world.watchers.clear()  # the auditor would say the same as the alarm
    strange, good = double_sign(7, kind=3), double_sign(7)
    outcome = world.block(world.batch(pay(world)), misbehaviour=(strange, good))
    assert [decode_receipt(receipt).code for receipt in outcome.batches[0].receipts] == [KernelCode.OK]
    assert len(misdeeds(world)) == 1
    (key,) = world.state.rows[SET_ASIDE.prefix]
    assert key == world.time_ms.to_bytes(8, "big") + bytes([MISBEHAVIOUR]) + encode(strange)
    assert any(alarm.startswith("set aside") for alarm in outcome.alarms)


def test_more_than_a_block_may_hold_is_dropped_aloud(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MISBEHAVIOURS_PER_BLOCK_MAX", 2)
    outcome = world.block(misbehaviour=tuple(double_sign(height) for height in (7, 8, 9)))
    assert len(misdeeds(world)) == 2
    assert outcome.alarms[0] == "3 items of misbehaviour: only the first ones count"


def test_the_header_vouches_for_what_consensus_said(world: World) -> None:
    silent, told = world.block().header, world.block(misbehaviour=(double_sign(),)).header
    assert silent.misbehaviour_root == bytes(32) != told.misbehaviour_root


# --- an honest author is never convicted, a bad one always


def quick(examples: int) -> settings:
    """So many examples; building a world is no fault of theirs."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    return settings(max_examples=examples, suppress_health_check=checks, deadline=None)


def accuse(world: World, ask: ReportBatch) -> str:
    """The code of a report; what cannot reach a chain has the code of its check."""
    wire = world.sign("alice", ask)
    try:
        check_transaction(wire, CONSORTIUM.body)
    except Rejected as rejection:
        return rejection.code.name
    return CONSORTIUM.codes[world.run(wire)[0].code]


def lively() -> World:
    world = fresh()
    world.state.put(NODES, ROGUE_ID, Node(ROGUE.keys[0], licensed=True))
    return world


good_lists = st.lists(asks(), min_size=1, max_size=5)


@quick(60)
@given(good_lists, st.data())
def test_no_report_about_good_transactions_succeeds(sent: list, data: st.DataObject) -> None:
    """Whatever is changed in the report: index, transaction, path, header, signature, key."""
    world = lively()
    wires = [signed(world.signers[name], world.body(name, *messages)) for name, messages in sent]
    wires = [wire for wire in wires if _is_sound(wire)] or [pay(world)]
    batch = batch_of(wires, 1, world.time_ms + MINUTE_MS, author=ROGUE_ID, by=ROGUE)
    honest = report_of(batch, data.draw(st.integers(0, len(wires) - 1)), ROGUE)
    liar = signer("liar")
    other = report_of(batch_of([b"nothing", *wires], 2, world.time_ms + MINUTE_MS, by=liar), 0, liar)
    names = st.sampled_from(ReportBatch.__struct_fields__)
    changed = {name: getattr(other, name) for name in data.draw(st.sets(names, max_size=4))}
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(honest.transaction) - 1))
        flipped = bytearray(honest.transaction)
        flipped[at] ^= data.draw(st.integers(1, 255))
        changed["transaction"] = bytes(flipped)
    assert accuse(world, msgspec.structs.replace(honest, **changed)) != "OK"
    assert misdeeds(world) == {}


def _is_sound(wire: bytes) -> bool:
    try:
        check_transaction(wire, CONSORTIUM.body)
    except Rejected:
        return False
    return True


@quick(60)
@given(good_lists, st.data())
def test_a_bad_transaction_always_convicts(sent: list, data: st.DataObject) -> None:
    world = lively()
    wires = [signed(world.signers[name], world.body(name, *messages)) for name, messages in sent]
    at = data.draw(st.integers(0, len(wires) - 1))
    wires[at] = _broken(data, wires[at])
    batch = batch_of(wires, 1, world.time_ms + MINUTE_MS, author=ROGUE_ID, by=ROGUE)
    with pytest.raises(Rejected) as caught:
        check_batch(batch, CONSORTIUM.body)
    assert caught.value.code is KernelCode.BATCH_TRANSACTION_INVALID
    assert accuse(world, report_of(batch, at, ROGUE)) == "OK"
    assert len(misdeeds(world)) == 1


def _broken(data: st.DataObject, wire: bytes) -> bytes:
    """Not what its sender signed: other bytes, a cut, or another's signature."""
    kind = data.draw(st.integers(0, 2))
    if kind == 0:
        return wire[: data.draw(st.integers(0, len(wire) - 1))]
    if kind == 1:
        return data.draw(st.binary(max_size=300))
    envelope = decode_envelope.trusted(wire)
    (_, signature), *rest = envelope.auth.signatures
    auth = msgspec.structs.replace(envelope.auth, signatures=((0, signature[::-1]), *rest))
    return encode(msgspec.structs.replace(envelope, auth=auth))
