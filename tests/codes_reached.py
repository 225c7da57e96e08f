"""One small case for each code: what to do so that the ledger answers with it.

`tests/unit/test_codes.py` runs all of them, and compares them with the chain's own list, with `docs/codes.md` and with
the golden file.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from ed25519_zebra import ed_sign
from tests.world import (
    DEFAULT_TERMS,
    FOREVER_MS,
    MINUTE_MS,
    NODE,
    NODE_ID,
    TRANSACTION_LIFETIME_MS,
    WATT,
    Founding,
    Signer,
    World,
    at,
    batch_of,
    buy,
    interval_at,
    pseudonym,
    report_of,
    sell,
    signed,
    signer,
)

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import limits
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.batch import NODES, Batch, Node, decode_batch, signed_batch
from gridtokenx.ledger.codec import Message, encode
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.transaction import check_transaction, keys_hash
from gridtokenx.modules.authority.messages import ReportBatch, SetNode, SetValidator
from gridtokenx.modules.grid.messages import LinkKind, SetCapacity, SetLimit
from gridtokenx.modules.identity.messages import (
    AcceptMember,
    JoinPortfolio,
    Kyc,
    LeavePortfolio,
    Licence,
    OpenPortfolio,
    RegisterAccount,
    RegisterParticipant,
    RegisterPortfolio,
    RegisterSite,
    RegisterStorage,
    ReplaceMeterKey,
    RoleName,
    Source,
    SplitKind,
    SplitRule,
    SuspendParticipant,
    UpdateParticipant,
)
from gridtokenx.modules.identity.rosters import ROSTERS, first_unopened, put_version, roster_of, version_key
from gridtokenx.modules.identity.state import PARTICIPANTS, PORTFOLIOS, ROLES, ZONES, role_key, zone_key
from gridtokenx.modules.market.messages import (
    AmendOrder,
    CancelOrder,
    EndMaker,
    EnrolMaker,
    Halt,
    HaltReason,
    MakerTerms,
    PlaceBlockOrder,
    Resume,
    SetMakerProgramme,
    SetTerms,
    TimeInForce,
)
from gridtokenx.modules.settlement.messages import Cause, CorrectReading
from gridtokenx.modules.settlement.state import NEW_SETTLEMENT, SETTLEMENTS, Stage
from gridtokenx.modules.tokens.messages import (
    AttestReserves,
    ConfirmRedemption,
    Mint,
    RequestRedemption,
    Transfer,
)
from gridtokenx.modules.tokens.state import MONEY, MONEY_KEY

Case = Callable[[World], str]
"""Does something in a fresh world and says which code came of it."""

NOON = interval_at(12)
SOLAR = {Source.SOLAR: 8_000}


def fresh_world() -> World:
    """Monday 09:50. alice sells solar, bob buys; both have 100 WATT and a connection of 16 kW."""
    founding = Founding(time_ms=at(9, 50))
    for name in ("alice", "bob"):
        founding.add_home(name, export_w=SOLAR if name == "alice" else {}, import_w=16_000, balance_micro=100 * WATT)
    return founding.start()


def name_of(code: int) -> str:
    """As in the chain's list."""
    return CONSORTIUM.codes[code]


def refusal(check: Callable[[], Any]) -> str:
    """The code with which a check without state says no."""
    try:
        check()
    except Rejected as rejection:
        return rejection.code.name
    return "OK"


def of_batch(world: World, wire: bytes) -> str:
    """What becomes of a batch in a block."""
    return name_of(world.block(wire).batches[0].code)


def pay(world: World, amount_micro: int = WATT, to: str = "bob") -> Transfer:
    """Alice's payment, usually."""
    return Transfer(world.accounts[to], amount_micro)


def reference(text: str) -> bytes:
    """Sixteen bytes of a bank."""
    return text.encode().ljust(16, b"\x00")


# --- cases that need more than one line


def _internal(world: World) -> str:
    wire = world.sign("alice", pay(world))
    handler = CONSORTIUM.handlers[Transfer]
    CONSORTIUM.handlers[Transfer] = lambda state, context, message: {}["a bug"]
    try:
        return name_of(world.run(wire)[0].code)
    finally:
        CONSORTIUM.handlers[Transfer] = handler


def _unauthenticated(world: World) -> str:
    return name_of(world.run(signed(signer("stranger"), world.body("alice", pay(world))))[0].code)


def _account_unknown(world: World) -> str:
    body = msgspec.structs.replace(world.body("alice", pay(world)), sender=bytes(32))
    return name_of(world.run(signed(signer("alice"), body))[0].code)


def _nonce_too_old(world: World) -> str:
    for nonce in (1_000, 2_000):
        assert world.code("alice", pay(world, 1), nonce=nonce) == "OK"
    return world.code("alice", pay(world, 1), nonce=900)


def _quota_exceeded(world: World) -> str:
    """More transactions than one sender may have in a block, in as many batches as they need."""
    count = limits.TRANSACTIONS_PER_SENDER_AND_BLOCK_MAX
    ask = CancelOrder(bytes(8))
    wires = [world.sign("alice", ask, nonce=number % limits.NONCE_WINDOW + 1) for number in range(limits.NONCE_WINDOW)]
    # Nonces used twice count too, so the same bytes serve again in another batch.
    batches = [world.batch(*wires[start : start + 512]) for start in range(0, len(wires), 512)]
    batches += [world.batch(*wires[:-1]), world.batch(wires[-1])]
    assert count < 2 * len(wires)
    outcome = world.block(*batches)
    codes = {name_of(decode(receipt)) for batch in outcome.batches for receipt in batch.receipts}
    return "QUOTA_EXCEEDED" if "QUOTA_EXCEEDED" in codes else str(codes)


def decode(receipt: bytes) -> int:
    """The code of an encoded receipt."""
    code: int = msgspec.msgpack.decode(receipt)[1]
    return code


def _block_signatures_exceeded(world: World) -> str:
    wires = [world.batch(world.sign("alice", pay(world, 1))) for _ in range(limits.BATCHES_PER_BLOCK_MAX + 1)]
    outcome = world.block(*wires)
    return name_of(outcome.batches[-1].code)


def _amount_out_of_range(world: World) -> str:
    """A balance that no supply can reach, put there by force."""
    account = world.account("bob")
    full = msgspec.structs.replace(account, balance_micro=limits.AMOUNT_MAX)
    world.state.put(ACCOUNTS, world.accounts["bob"], full)
    return world.code("alice", pay(world))


def _bank_unknown(world: World) -> str:
    world.state.delete(MONEY, MONEY_KEY)
    return world.code("bank", Mint(world.accounts["alice"], 1, reference("a")))


def _reference_used(world: World) -> str:
    request = RequestRedemption(WATT, reference("a"))
    assert world.code("alice", request) == "OK"
    return world.code("alice", request)


def _debt_first(world: World) -> str:
    indebted = msgspec.structs.replace(world.account("alice"), debt_micro=1)
    world.state.put(ACCOUNTS, world.accounts["alice"], indebted)
    return world.code("alice", pay(world))


def _role_vacant(world: World) -> str:
    world.state.delete(ROLES, role_key(RoleName.REGISTRAR))
    return world.code("registrar", SuspendParticipant(pseudonym("bob"), suspended=True))


def _zone_unknown(world: World) -> str:
    """The distributor of a feeder whose zone is gone is asked for."""
    world.skip_to(at(12, 15) + 1)
    world.state.delete(ZONES, zone_key(1))
    correction = CorrectReading(world.chain, world.reading("alice", NOON, 0, 0), Cause.METER_FAULT)
    return world.code("mea", correction)


def _register_site(world: World, **changes: Any) -> str:
    names = {name: pseudonym(f"new {name}") for name in ("portfolio", "site", "meter")}
    fields: dict[str, Any] = {
        **names,
        "meter_key": signer("new meter").keys[0],
        "account": world.accounts["alice"],
        "feeder": 11,
        "import_w": 1_000,
        "export_w": (0,) * 7,
        "import_wh": 0,
        "export_wh": 0,
    }
    return world.code("registrar", RegisterSite(**(fields | changes)))


def _supplier_does_not_trade(world: World) -> str:
    record = world.state.rows[PARTICIPANTS.prefix][pseudonym("supplier")]
    licensed = msgspec.structs.replace(record, licence=Licence.PROSUMER)
    fields = [getattr(licensed, name) for name in UpdateParticipant.__struct_fields__[1:]]
    return world.code("registrar", UpdateParticipant(pseudonym("supplier"), *fields))


def _interval_settling(world: World) -> str:
    """After the deadline, which has not been worked off: the interval before is behind."""
    world.skip_to(at(12, 44))
    behind = msgspec.structs.replace(NEW_SETTLEMENT, stage=Stage.COMPUTING)
    world.state.put(SETTLEMENTS, interval_key(NOON - 1), behind)
    world.block(time_ms=at(12, 46))
    return _reading(world, at(12, 46))


def _participant(name: str, licence: int = Licence.PROSUMER) -> RegisterParticipant:
    return RegisterParticipant(pseudonym(name), licence, FOREVER_MS, Kyc.VERIFIED, FOREVER_MS, 0, 0, 0)


def _account(name: str, keys: tuple[bytes, ...], threshold: int = 1) -> RegisterAccount:
    return RegisterAccount(pseudonym(name), 0, threshold, keys)


def _after(world: World, who: str, first: Message, second: Message, **more: Any) -> str:
    """The second message's code, the first having gone well."""
    assert world.code(who, first) == "OK"
    return world.code(who, second, **more)


def _not_allowed(world: World) -> str:
    record = world.state.rows[PARTICIPANTS.prefix][pseudonym("bob")]
    world.state.put(PARTICIPANTS, pseudonym("bob"), msgspec.structs.replace(record, kyc=Kyc.REVOKED))
    return world.code("bob", buy("bob", 1_000, NOON, 4 * WATT))


def _enrol(*names: str) -> str:
    """In another world, with two dealers and a programme for one maker; the code of the last."""
    founding = Founding(time_ms=at(9, 50))
    founding.add_home("alice", export_w=SOLAR, import_w=3_000)
    for dealer in ("dora", "moll"):
        founding.add_dealer(dealer, 11, 1_000, 1_000, WATT)
    founding.builder.add_maker_programme(1, MakerTerms(WATT, 1_000, 900, 0, 0, 1, 2))
    world = founding.start()
    return [world.code(name, EnrolMaker(pseudonym(name))) for name in names][-1]


def _in_the_call(_: World) -> str:
    founding = Founding(msgspec.structs.replace(DEFAULT_TERMS, call_phase_ms=3_600_000), at(11))
    founding.add_home("bob")
    return founding.start().code("bob", buy("bob", 1_000, NOON, 4 * WATT, post_only=True))


def _stopped_trade(world: World) -> str:
    """Alice asks for more than any band allows, and bob would pay it."""
    assert world.code("alice", sell("alice", 1_000, NOON, 20 * WATT)) == "OK"
    return _after(world, "bob", buy("bob", 1_000, NOON, 21 * WATT), CancelOrder(pseudonym("order")))


def block_order(who: str, intervals: int = 2, name: str = "order") -> PlaceBlockOrder:
    """A purchase of 100 Wh in each interval from noon on."""
    return PlaceBlockOrder(pseudonym(who), pseudonym(name), NOON, intervals, 0, 3 * WATT, 100, 127, 0, 0)


def _block_orders_too_many(world: World) -> str:
    for number in range(limits.BLOCK_ORDERS_OF_PARTICIPANT_MAX):
        assert world.code("bob", block_order("bob", name=f"block-{number}")) == "OK"
    return world.code("bob", block_order("bob"))


def _cancelled_in_this_block(world: World) -> str:
    receipts = world.run(
        world.sign("bob", CancelOrder(pseudonym("order"))), world.sign("bob", buy("bob", 1_000, NOON, 4 * WATT))
    )
    return name_of(receipts[1].code)


def _arrears_too_high(world: World) -> str:
    indebted = msgspec.structs.replace(world.account("bob"), debt_micro=501 * WATT)
    world.state.put(ACCOUNTS, world.accounts["bob"], indebted)
    return world.code("bob", buy("bob", 1_000, NOON, 4 * WATT))


def _reading(world: World, time_ms: int, who: str = "carrier", **changes: Any) -> str:
    """A reading of alice's meter after the first quarter past noon, changed as told (and signed so)."""
    world.skip_to(time_ms)
    values = {"interval": NOON, "import_wh": 0, "export_wh": 0, "chain": None} | changes
    reading = world.reading("alice", **values)
    return world.code("bob", world.submit(reading))


AFTER_NOON = at(12, 15) + 1
"""When the reading of the first quarter past noon may come."""


def _meter_unknown(world: World) -> str:
    world.sites["ghost"] = signer("meter of ghost")
    world.skip_to(AFTER_NOON)
    return world.code("bob", world.submit(world.reading("ghost", NOON, 0, 0)))


def _meter_key_wrong(world: World) -> str:
    world.sites["alice"] = signer("another meter")
    return _reading(world, AFTER_NOON)


def _other_chain(world: World) -> str:
    world.skip_to(AFTER_NOON)
    reading = world.reading("alice", NOON, 0, 0, chain="other")
    message = msgspec.structs.replace(world.submit(reading), chain="other")
    return world.code("bob", message)


def _correction(world: World, who: str, cause: int = Cause.METER_FAULT) -> str:
    return world.code(who, CorrectReading(world.chain, world.reading("alice", NOON, 0, 0), cause))


def _repeated_batch(world: World) -> str:
    wire = world.batch(world.sign("alice", pay(world)))
    assert of_batch(world, wire) == "OK"
    return of_batch(world, wire)


def _batch(world: World, **changes: Any) -> str:
    wire = world.sign("alice", pay(world))
    return of_batch(world, batch_of((wire,), 1, world.time_ms + MINUTE_MS, **changes))


def _of_algorithm(world: World, algorithm: int) -> bytes:
    envelope: list[Any] = msgspec.msgpack.decode(world.sign("alice", pay(world)))
    envelope[1][0] = algorithm
    return msgspec.msgpack.encode(envelope)


def _crossing(world: World) -> str:
    assert world.code("alice", sell("alice", 1_000, NOON, 4 * WATT)) == "OK"
    return world.code("bob", buy("bob", 1_000, NOON, 5 * WATT, post_only=True))


def _root_wrong(world: World) -> str:
    batch = decode_batch(world.batch(world.sign("alice", pay(world))))
    return of_batch(world, encode(Batch(batch.header, batch.signature, (world.sign("alice", pay(world)),))))


def _report(world: World, *transactions: bytes, until_ms: int | None = None, by: Signer = NODE, **changes: Any) -> str:
    """Alice's report of the first transaction of a batch that she claims the node signed."""
    wire = batch_of(transactions, 1, until_ms or world.time_ms + MINUTE_MS, by=by)
    return world.code("alice", msgspec.structs.replace(report_of(wire, 0, by), **changes))


def _evidence_malformed(world: World) -> str:
    signature = bytes(ed_sign(NODE.secrets[0], signed_batch(b"no header")))
    return world.code("alice", ReportBatch(b"no header", signature, NODE.keys[0], b"nothing", ()))


def _evidence_repeated(world: World) -> str:
    wire = batch_of((b"nothing", b"nor this"), 1, world.time_ms + MINUTE_MS)
    assert world.code("alice", report_of(wire, 0)) == "OK"
    return world.code("bob", report_of(wire, 1))


def _reports_exceeded(world: World) -> str:
    wires = [batch_of((b"nothing",), number, world.time_ms + MINUTE_MS) for number in (1, 2)]
    receipts = world.run(*(world.sign("alice", report_of(wire, 0)) for wire in wires))
    assert name_of(receipts[0].code) == "OK"
    return name_of(receipts[1].code)


def _node_unknown(world: World) -> str:
    return world.code("authority", SetValidator(signer("spare").keys[0], 1, pseudonym("nobody")))


def _nodes_exceeded(world: World) -> str:
    for number in range(1, limits.NODES_MAX):
        world.state.put(NODES, number.to_bytes(8, "big"), Node(number.to_bytes(32, "big"), licensed=False))
    return world.code("authority", SetNode(pseudonym("one more"), signer("spare").keys[0], licensed=True))


def _validators(world: World, count: int) -> str:
    for number in range(count):
        ask = SetValidator(signer(f"validator {number}").keys[0], 10, NODE_ID)
        code = world.code("authority", ask)
    return code


def _last_validator(world: World) -> str:
    assert _validators(world, 1) == "OK"
    return world.code("authority", SetValidator(signer("validator 0").keys[0], 0, NODE_ID))


RULE = SplitRule(SplitKind.EXPORT, 100_000, 500_000)


def _join(name: str) -> JoinPortfolio:
    return JoinPortfolio(pseudonym(name), pseudonym("pool"), RULE)


def _with_portfolio(world: World, who: str, message: Message, feeder: int = 11) -> str:
    """After the aggregator `hub` has opened its portfolio `pool`."""
    hub = _participant("hub", licence=Licence.AGGREGATOR)
    assert world.code("registrar", hub, _account("hub", signer("hub").keys)) == "OK"
    world.signers["hub"] = signer("hub")
    world.accounts["hub"] = keys_hash(0, 1, signer("hub").keys)
    assert world.code("hub", OpenPortfolio(pseudonym("pool"), feeder, RULE)) == "OK"
    return world.code(who, message)


def _take_in(world: World) -> None:
    assert _with_portfolio(world, "alice", _join("alice")) == "OK"
    assert world.code("hub", AcceptMember(pseudonym("alice"))) == "OK"


def _portfolios_exceeded(world: World) -> str:
    assert _with_portfolio(world, "alice", pay(world)) == "OK"
    opens = [OpenPortfolio(pseudonym(str(number)), 11, RULE) for number in range(limits.PORTFOLIOS_OF_AGGREGATOR_MAX)]
    return world.code("hub", *opens)


def _portfolio_full(world: World) -> str:
    assert _with_portfolio(world, "alice", _join("alice")) == "OK"
    first, site = first_unopened(world.time_ms), world.state.rows[PORTFOLIOS.prefix][pseudonym("bob")]
    others = [number.to_bytes(8, "big") for number in range(limits.PORTFOLIO_MEMBERS_MAX)]
    for other in others:
        world.state.put(PORTFOLIOS, other, site)
    put_version(world.state, ROSTERS, version_key(pseudonym("pool"), first), roster_of(world.state, tuple(others)))
    return world.code("hub", AcceptMember(pseudonym("alice")))


def _traded_by_aggregator(world: World) -> str:
    _take_in(world)
    world.skip_to(at(10, day=1))
    return world.code("alice", sell("alice", 1_000, interval_at(12, day=2), 4 * WATT))


CASES: dict[str, Case] = {
    # the kernel
    "OK": lambda w: w.code("alice", pay(w)),
    "INTERNAL": _internal,
    "MALFORMED": lambda w: of_batch(w, b"\x00"),
    "TOO_LARGE": lambda w: of_batch(w, bytes(limits.BATCH_BYTES_MAX + 1)),
    "SIGNATURE_INVALID": lambda w: refusal(
        lambda: check_transaction(
            signed(replace(signer("alice"), secrets=signer("bob").secrets), w.body("alice", pay(w))), CONSORTIUM.body
        )
    ),
    "ALGORITHM_UNKNOWN": lambda w: refusal(lambda: check_transaction(_of_algorithm(w, 1), CONSORTIUM.body)),
    "UNAUTHENTICATED": _unauthenticated,
    "ACCOUNT_UNKNOWN": _account_unknown,
    "CHAIN_WRONG": lambda w: w.code("alice", pay(w), chain="other"),
    "EXPIRED": lambda w: w.code("alice", pay(w), expires_ms=w.time_ms),
    "EXPIRY_TOO_FAR": lambda w: w.code("alice", pay(w), expires_ms=w.time_ms + TRANSACTION_LIFETIME_MS + 1_001),
    "NONCE_USED": lambda w: w.code("alice", pay(w), nonce=0),
    "NONCE_TOO_OLD": _nonce_too_old,
    "NONCE_JUMP": lambda w: w.code("alice", pay(w), nonce=limits.NONCE_WINDOW + 1),
    "QUOTA_EXCEEDED": _quota_exceeded,
    "BATCH_AUTHOR_UNKNOWN": lambda w: _batch(w, author=pseudonym("nobody")),
    "BATCH_REPEATED": _repeated_batch,
    "BATCH_SIGNATURE_INVALID": lambda w: _batch(w, by=signer("stranger")),
    "BATCH_TRANSACTION_INVALID": lambda w: of_batch(w, w.batch(b"\x00")),
    "BATCH_ROOT_WRONG": _root_wrong,
    "BLOCK_SIGNATURES_EXCEEDED": _block_signatures_exceeded,
    "AMOUNT_OUT_OF_RANGE": _amount_out_of_range,
    # tokens
    "AMOUNT_ZERO": lambda w: w.code("alice", pay(w, 0)),
    "BALANCE_TOO_LOW": lambda w: w.code("alice", pay(w, 101 * WATT)),
    "RECIPIENT_UNKNOWN": lambda w: w.code("alice", Transfer(bytes(32), 1)),
    "RESERVES_TOO_LOW": lambda w: w.code("bank", Mint(w.accounts["alice"], 1, reference("a"))),
    "REFERENCE_USED": _reference_used,
    "REDEMPTION_UNKNOWN": lambda w: w.code("bank", ConfirmRedemption(w.accounts["alice"], reference("a"))),
    "SUPPLY_TOO_LARGE": lambda w: w.code("bank", Mint(w.accounts["alice"], limits.AMOUNT_MAX, reference("a"))),
    "ATTESTATION_OLD": lambda w: w.code("attester", AttestReserves(1, w.time_ms + 1_001)),
    "BANK_UNKNOWN": _bank_unknown,
    "NOT_THE_BANK": lambda w: w.code("alice", Mint(w.accounts["alice"], 1, reference("a"))),
    "NOT_THE_ATTESTER": lambda w: w.code("bank", AttestReserves(1, w.time_ms)),
    "TRANSFER_TO_SELF": lambda w: w.code("alice", pay(w, to="alice")),
    "DEBT_FIRST": _debt_first,
    # identity
    "NOT_AUTHORISED": lambda w: w.code("alice", _participant("carol")),
    "ROLE_VACANT": _role_vacant,
    "PARTICIPANT_UNKNOWN": lambda w: w.code("registrar", SuspendParticipant(pseudonym("carol"), suspended=True)),
    "PARTICIPANT_EXISTS": lambda w: w.code("registrar", _participant("alice")),
    "ACCOUNT_EXISTS": lambda w: w.code("registrar", _account("alice", signer("alice").keys)),
    "PORTFOLIO_EXISTS": lambda w: w.code("registrar", RegisterPortfolio(pseudonym("alice"), w.accounts["alice"], 11)),
    "SITE_EXISTS": lambda w: _register_site(w, site=pseudonym("alice")),
    "METER_EXISTS": lambda w: _register_site(w, meter=pseudonym("alice")),
    "FEEDER_UNKNOWN": lambda w: _register_site(w, feeder=99),
    "ZONE_UNKNOWN": _zone_unknown,
    "KEY_NOT_ALLOWED": lambda w: w.code("registrar", _account("alice", (bytes(32),))),
    "OWNER_UNKNOWN": lambda w: _register_site(w, account=bytes(32)),
    "SUPPLIER_DOES_NOT_TRADE": _supplier_does_not_trade,
    "CLASS_UNKNOWN": lambda w: w.code("registrar", _participant("carol", licence=99)),
    "METER_UNKNOWN of identity": lambda w: w.code(
        "registrar", ReplaceMeterKey(pseudonym("carol"), signer("spare").keys[0])
    ),
    # aggregators
    "NOT_AN_AGGREGATOR": lambda w: w.code("alice", OpenPortfolio(pseudonym("pool"), 11, RULE)),
    "SPLIT_INVALID": lambda w: _with_portfolio(w, "hub", OpenPortfolio(pseudonym("two"), 11, SplitRule(3, 0, 0))),
    "PORTFOLIOS_EXCEEDED": _portfolios_exceeded,
    "PORTFOLIO_UNKNOWN": lambda w: w.code("alice", JoinPortfolio(pseudonym("alice"), pseudonym("bob"), RULE)),
    "NOT_YOUR_SITE": lambda w: w.code("alice", LeavePortfolio(pseudonym("bob"))),
    "FEEDER_DIFFERS": lambda w: _with_portfolio(w, "alice", _join("alice"), feeder=12),
    "SPLIT_DIFFERS": lambda w: _with_portfolio(
        w, "alice", JoinPortfolio(pseudonym("alice"), pseudonym("pool"), SplitRule(0, 0, 0))
    ),
    "MEMBER_ALREADY": lambda w: (_take_in(w), w.code("alice", _join("alice")))[1],
    "NOT_IN_PORTFOLIO": lambda w: w.code("alice", LeavePortfolio(pseudonym("alice"))),
    "PORTFOLIO_FULL": _portfolio_full,
    "STORAGE_INVALID": lambda w: w.code(
        "registrar", RegisterStorage(pseudonym("alice"), 1, 1, 1, alone=False, level_wh=0, import_wh=0, export_wh=0)
    ),
    "TRADED_BY_AGGREGATOR": _traded_by_aggregator,
    # the authorities
    "NODE_UNKNOWN": _node_unknown,
    "NODE_KEY_TAKEN": lambda w: w.code("authority", SetNode(pseudonym("another"), NODE.keys[0], licensed=True)),
    "NODES_EXCEEDED": _nodes_exceeded,
    "VALIDATOR_UNKNOWN": lambda w: w.code("authority", SetValidator(signer("spare").keys[0], 0, NODE_ID)),
    "VALIDATORS_EXCEEDED": lambda w: _validators(w, limits.VALIDATORS_MAX + 1),
    "LAST_VALIDATOR": _last_validator,
    "NOT_THE_NODES_KEY": lambda w: _report(w, b"nothing", by=signer("stranger")),
    "EVIDENCE_MALFORMED": _evidence_malformed,
    "EVIDENCE_OF_ANOTHER_CHAIN": lambda w: w.code(
        "alice", report_of(batch_of((b"nothing",), 1, w.time_ms + MINUTE_MS, "another"), 0)
    ),
    "EVIDENCE_OUT_OF_TIME": lambda w: _report(w, b"nothing", until_ms=w.time_ms - limits.EVIDENCE_MS),
    "EVIDENCE_PATH_WRONG": lambda w: _report(w, b"nothing", transaction=b"something else"),
    "EVIDENCE_REPEATED": _evidence_repeated,
    "REPORTS_EXCEEDED": _reports_exceeded,
    "TRANSACTION_IS_SOUND": lambda w: _report(w, w.sign("bob", pay(w, to="alice"))),
    # the market
    "INTERVAL_NOT_OPEN": lambda w: w.code("bob", buy("bob", 1_000, interval_at(12, day=2), 4 * WATT)),
    "GATE_CLOSED": lambda w: (w.skip_to(at(11, 55)), w.code("bob", buy("bob", 1_000, NOON, 4 * WATT)))[1],
    "SIDE_UNKNOWN": lambda w: w.code("bob", msgspec.structs.replace(buy("bob", 1_000, NOON, 4 * WATT), side=2)),
    "PRICE_OFF_TICK": lambda w: w.code("bob", buy("bob", 1_000, NOON, 4 * WATT + 1)),
    "PRICE_OUT_OF_RANGE": lambda w: w.code("bob", buy("bob", 1_000, NOON, 0)),
    "QUANTITY_TOO_SMALL": lambda w: w.code("bob", buy("bob", 99, NOON, 4 * WATT)),
    "QUANTITY_TOO_LARGE": lambda w: w.code("bob", buy("bob", limits.ENERGY_WH_MAX + 1, NOON, 4 * WATT)),
    "TIME_IN_FORCE_UNKNOWN": lambda w: w.code(
        "bob", msgspec.structs.replace(buy("bob", 1_000, NOON, 4 * WATT), time_in_force=4)
    ),
    "EXPIRY_IN_PAST": lambda w: w.code(
        "bob", buy("bob", 1_000, NOON, 4 * WATT, force=TimeInForce.GOOD_TILL_TIME, good_till_ms=1)
    ),
    "SOURCE_INVALID": lambda w: w.code("bob", buy("bob", 1_000, NOON, 4 * WATT, source=0)),
    "ORDER_EXISTS": lambda w: _after(w, "bob", *[buy("bob", 1_000, NOON, 4 * WATT)] * 2),
    "ORDER_UNKNOWN": lambda w: w.code("bob", CancelOrder(pseudonym("order"))),
    "NOT_YOUR_PORTFOLIO": lambda w: w.code("bob", buy("alice", 1_000, NOON, 4 * WATT)),
    "NOT_ALLOWED_TO_TRADE": _not_allowed,
    "POSITION_LIMIT": lambda w: w.code("bob", buy("bob", 4_001, NOON, 4 * WATT)),
    "FILL_OR_KILL_NOT_FILLED": lambda w: w.code(
        "bob", buy("bob", 1_000, NOON, 4 * WATT, force=TimeInForce.FILL_OR_KILL)
    ),
    "MINIMUM_NOT_FILLED": lambda w: w.code("bob", buy("bob", 1_000, NOON, 4 * WATT, minimum_wh=1)),
    "POST_ONLY_WOULD_TRADE": _crossing,
    "OPTIONS_CONFLICT": lambda w: w.code("bob", buy("bob", 1_000, NOON, 4 * WATT, minimum_wh=1_001)),
    "CANCELLED_IN_THIS_BLOCK": _cancelled_in_this_block,
    "ARREARS_TOO_HIGH": _arrears_too_high,
    "TERMS_INVALID": lambda w: w.code("operator", SetTerms(msgspec.structs.replace(DEFAULT_TERMS, order_wh_min=0))),
    "NOTHING_TO_AMEND": lambda w: _after(
        w, "bob", buy("bob", 1_000, NOON, 4 * WATT), AmendOrder(pseudonym("order"), 4 * WATT, 1_000)
    ),
    "SCOPE_UNKNOWN": lambda w: w.code("bob", msgspec.structs.replace(buy("bob", 1_000, NOON, 4 * WATT), scope=3)),
    "CALL_TAKES_PLAIN": _in_the_call,
    "HALT_INVALID": lambda w: w.code("operator", Halt(0, 9, 0, HaltReason.EXERCISE)),
    "HALT_UNKNOWN": lambda w: w.code("operator", Resume(0, 1)),
    "HALT_HOLDS_ORDER": _stopped_trade,
    "NO_MAKER_PROGRAMME": lambda w: w.code("alice", EnrolMaker(pseudonym("alice"))),
    "PROGRAMME_INVALID": lambda w: w.code("operator", SetMakerProgramme(1, MakerTerms(0, 1, 1, 0, 0, 1, 1))),
    "MAKERS_EXCEEDED": lambda w: _enrol("dora", "moll"),
    "MAKER_ALREADY": lambda w: _enrol("dora", "dora"),
    "NOT_A_MAKER": lambda w: w.code("alice", EndMaker(pseudonym("alice"))),
    "MAKER_TOO_SMALL": lambda w: _enrol("alice"),
    "BLOCK_LENGTH_INVALID": lambda w: w.code("bob", block_order("bob", intervals=1)),
    "BLOCK_ORDERS_TOO_MANY": _block_orders_too_many,
    "BLOCK_NOT_AMENDED": lambda w: _after(w, "bob", block_order("bob"), AmendOrder(pseudonym("order"), 4 * WATT, 900)),
    "DISPLAY_TOO_SMALL": lambda w: w.code(
        "bob", msgspec.structs.replace(buy("bob", 4_000, NOON, 4 * WATT), display_wh=199)
    ),
    # the grid
    "LINK_UNKNOWN": lambda w: w.code("egat", SetLimit(LinkKind.BORDER, 1, 3, 1_000, 1_000)),
    "INTERVALS_INVALID": lambda w: w.code("egat", SetCapacity(LinkKind.BORDER, 1, 2, NOON, 192, 1_000, 1_000)),
    "INTERVAL_PASSED": lambda w: w.code("egat", SetCapacity(LinkKind.BORDER, 1, 2, 0, 1, 1_000, 1_000)),
    "LINK_WITHOUT_LIMIT": lambda w: w.code("mea", SetCapacity(LinkKind.FEEDER, 11, 0, NOON, 1, 1_000, 1_000)),
    # settlement
    "METER_UNKNOWN": _meter_unknown,
    "METER_KEY_WRONG": _meter_key_wrong,
    "READING_OF_ANOTHER_CHAIN": _other_chain,
    "READING_TOO_EARLY": lambda w: _reading(w, at(12)),
    "READING_REPEATED": lambda w: (_reading(w, AFTER_NOON), _reading(w, AFTER_NOON))[1],
    "READING_LATE": lambda w: (_reading(w, at(12, 46)), _reading(w, at(12, 47)))[1],
    "REGISTER_WENT_BACK": lambda w: (
        _reading(w, AFTER_NOON, interval=NOON - 1, import_wh=9),
        _reading(w, AFTER_NOON, import_wh=8),
    )[1],
    "READING_OVER_CAPACITY": lambda w: _reading(w, AFTER_NOON, import_wh=10**9),
    "INTERVAL_UNKNOWN": lambda w: _reading(w, AFTER_NOON, interval=7),
    "NOT_THE_DISTRIBUTOR": lambda w: _correction(w, "pea"),
    "NOTHING_TO_CORRECT": lambda w: (w.skip_to(AFTER_NOON), _correction(w, "mea"))[1],
    "CAUSE_UNKNOWN": lambda w: _correction(w, "mea", cause=9),
    "INTERVAL_SETTLING": _interval_settling,
}
"""By the code's name; a name that two modules use says whose it is."""
