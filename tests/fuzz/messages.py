"""Hypothesis strategies for every message of the consortium chain: mostly sensible, now and then extreme.

Sensible values name things that exist in `lively_world`; extreme ones lie anywhere the encoding allows.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from ed25519_zebra import ed_sign
from hypothesis import strategies as st
from tests.fuzz import members
from tests.world import (
    DEFAULT_TERMS,
    FOREVER_MS,
    NODE,
    NODE_ID,
    WATT,
    Founding,
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
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.limits import POWER_W_MAX, REGISTER_WH_MAX, VALIDATOR_POWER_MAX
from gridtokenx.ledger.transaction import Body
from gridtokenx.modules.authority import messages as authority
from gridtokenx.modules.grid import messages as grid
from gridtokenx.modules.identity import messages as identity
from gridtokenx.modules.identity.handlers import SMALL_ORDER_KEYS
from gridtokenx.modules.identity.messages import Licence, Source, SplitKind, SplitRule
from gridtokenx.modules.market import messages as market
from gridtokenx.modules.settlement import messages as settlement
from gridtokenx.modules.settlement.messages import Reading, signed_reading
from gridtokenx.modules.tokens import messages as tokens
from gridtokenx.modules.tokens.messages import RequestRedemption

HOMES = ("alice", "bob", "carol", "dave")
ORDER_NAMES = ("order", "one", "two", "three")
NOON = interval_at(12)
WHOLE_MAX = 2**62
RULE = SplitRule(SplitKind.METERED, 100_000, 500_000)
PROGRAMME = market.MakerTerms(1_000_000, 500, 500, 7_200_000, 500_000, 3, 2)


@cache
def lively_world(*, with_members: bool = True) -> World:
    """Monday 12:20: orders rest in several intervals, trades are open, one interval waits for readings, a redemption
    for the bank, keys for the next block, candidates and proposals for members, or else an office decides. Copy it with
    `fresh`; never change it."""
    founding = Founding(time_ms=at(9, 40))
    solar = {Source.SOLAR: 20_000, Source.STORAGE: 4_000}
    for name in HOMES:
        group = 7 if name in ("carol", "dave") else 0
        feeder = {"bob": 12, "dave": 21}.get(name, 11)
        founding.add_home(name, feeder, solar, import_w=20_000, balance_micro=200 * WATT, group=group)
    founding.add_dealer("dora", 31, 5_000, 5_000, 200 * WATT)
    founding.add_account("hub", signer("hub"), 200 * WATT, Licence.AGGREGATOR)
    founding.add_account("board", signer("board", 2, 3), 100 * WATT, participant="alice")
    members.found(founding, members=with_members)
    founding.builder.limit_border(1, 2, 8_000, 6_000)
    founding.builder.limit_feeder(12, 20_000, 14_000)
    for zone in (1, 2, 3):
        founding.builder.add_maker_programme(zone, PROGRAMME)
    world = founding.start()
    battery = identity.RegisterStorage(pseudonym("carol"), 8_000, 4_000, 900_000, False, 0, 0, 0)
    world.do("registrar", battery)
    for hour in (12, 13, 14):
        interval = interval_at(hour)
        for name, place in (("alice", "one"), ("carol", "two")):
            world.do(name, sell(name, 3_000, interval, 4 * WATT + hour * 10_000, f"{place}{hour}"))
        world.do("bob", buy("bob", 4_000, interval, 5 * WATT, f"one{hour}"))
        world.do("dave", buy("dave", 1_000, interval, 3 * WATT, f"two{hour}"))
    world.do("alice", sell("alice", 1_000, interval_at(15), 5 * WATT, "order"))
    world.do("bob", buy("bob", 1_000, interval_at(15), 4 * WATT, "order"))
    world.do("dora", market.EnrolMaker(pseudonym("dora")))
    interval = interval_at(14)
    world.do("dora", sell("dora", 1_000, interval, 3 * WATT, "order", source=Source.CONVENTIONAL))
    world.do("dora", buy("dora", 1_000, interval, 3 * WATT, "one"))
    world.do("hub", identity.OpenPortfolio(pseudonym("hub"), 11, RULE))
    for name in ("alice", "carol"):
        world.do(name, identity.JoinPortfolio(pseudonym(name), pseudonym("hub"), RULE))
    world.do("hub", identity.AcceptMember(pseudonym("alice")))
    world.do("bob", RequestRedemption(WATT, bytes(16)))
    for number in range(interval_at(9, 45), NOON):
        world.skip_to((number + 1) * 900_000 + 1)
        world.do("operator", world.submit(*(world.meter(name, number, 200, 100) for name in HOMES)))
    world.skip_to(at(12, 20))
    if with_members:
        members.enliven(world)
    return world


def fresh(*, with_members: bool = True) -> World:
    """A copy of the lively world, with everything its parties know."""
    origin = lively_world(with_members=with_members)
    world = World(_genesis(with_members=with_members), dict(origin.signers), dict(origin.accounts), dict(origin.sites))
    world.nonces, world.registers, world.sequence = dict(origin.nonces), dict(origin.registers), origin.sequence
    return world


@cache
def _genesis(*, with_members: bool) -> bytes:
    return lively_world(with_members=with_members).export()


# --- values

wholes = st.integers(0, 5) | st.integers(0, 10**9) | st.integers(0, WHOLE_MAX) | st.just(WHOLE_MAX)
smalls = st.integers(0, 8) | st.integers(0, 255)
names = st.sampled_from([*HOMES, "dora", "hub", "nobody"]).map(pseudonym) | st.binary(min_size=8, max_size=8)
order_names = (
    st.sampled_from([*ORDER_NAMES, *(f"{name}{hour}" for name in ("one", "two") for hour in (12, 13, 14))]).map(
        pseudonym
    )
    | names
)
references = st.sampled_from([bytes(16), b"reference-of-one"]) | st.binary(min_size=16, max_size=16)
intervals = st.integers(NOON - 4, NOON + 16) | st.sampled_from([0, 2**32 - 1]) | st.integers(0, 2**32 - 1)
prices = st.integers(1, 8_000).map(lambda tick: tick * 1_000) | wholes
energies = st.integers(100, 5_000) | wholes
times = st.integers(at(12), at(16)) | st.sampled_from([0, FOREVER_MS]) | wholes
powers = st.integers(0, 20_000) | st.integers(0, POWER_W_MAX) | st.just(POWER_W_MAX)
feeders = st.sampled_from([11, 12, 21, 31]) | st.integers(0, 65_535)
good_keys = st.sampled_from([signer(name).keys for name in ("spare", "other")] + [signer("board", 2, 3).keys])
key_lists = (
    good_keys
    | st.sampled_from(sorted(SMALL_ORDER_KEYS)).map(lambda key: (key,))
    | st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=16).map(tuple)
)
keys = (
    good_keys.map(lambda some: some[0])
    | st.sampled_from(sorted(SMALL_ORDER_KEYS))
    | st.binary(min_size=32, max_size=32)
)


def account_ids() -> st.SearchStrategy[bytes]:
    """Of parties, or of nobody."""
    return st.sampled_from(sorted(lively_world().accounts.values())) | st.binary(min_size=32, max_size=32)


@st.composite
def terms(draw: st.DrawFn) -> market.Terms:
    """The usual ones, with a few numbers changed."""
    changed = draw(st.lists(st.sampled_from(market.Terms.__struct_fields__), max_size=3))
    small_step = st.integers(0, 20).map(lambda step: step * 1_000)
    return msgspec.structs.replace(DEFAULT_TERMS, **{name: draw(small_step | wholes) for name in changed})


@st.composite
def programmes(draw: st.DrawFn) -> market.MakerTerms:
    """One that is possible, with a few numbers changed."""
    changed = draw(st.lists(st.sampled_from(market.MakerTerms.__struct_fields__), max_size=2))
    small = ("makers_max", "misses_max")
    return msgspec.structs.replace(
        PROGRAMME, **{name: draw(smalls if name in small else st.integers(0, 1_000) | wholes) for name in changed}
    )


recent = st.integers(NOON - 2, NOON) | intervals
register_steps = st.integers(0, 5_000) | st.integers(0, 2**53 - 5_000)


@st.composite
def readings(draw: st.DrawFn, chain: str) -> Reading:
    """Signed for a chain by its meter, rarely by another key; mostly a step from the registers at noon."""
    name = draw(st.sampled_from(HOMES))
    key = signer(f"meter of {name}") if draw(st.integers(0, 9)) else signer("another meter")
    known = lively_world().registers[name] if draw(st.integers(0, 5)) else (0, 0)
    import_wh, export_wh = known[0] + draw(register_steps), known[1] + draw(register_steps)
    interval = draw(recent)
    part = signed_reading(chain, pseudonym(name), interval, import_wh, export_wh)
    signature = bytes(ed_sign(key.secrets[0], part))
    return Reading(pseudonym(name), interval, import_wh, export_wh, key.keys[0], signature)


@st.composite
def submissions(draw: st.DrawFn) -> settlement.SubmitReadings:
    """Readings that were signed for the chain that their message names."""
    chain = draw(FIELDS["chain"]())
    return settlement.SubmitReadings(chain, tuple(draw(st.lists(readings(chain), min_size=1, max_size=6))))


@st.composite
def corrections(draw: st.DrawFn) -> settlement.CorrectReading:
    """Likewise."""
    chain = draw(FIELDS["chain"]())
    return settlement.CorrectReading(chain, draw(readings(chain)), draw(st.integers(0, 2) | smalls))


@st.composite
def reports(draw: st.DrawFn) -> authority.ReportBatch:
    """Of a batch of anything, signed by the node or by another key; now and then with bytes exchanged."""
    world, by = lively_world(), NODE if draw(st.integers(0, 9)) else signer("another node")
    sound = signed(signer("alice"), Body(world.chain, world.accounts["alice"], 1, 1, (market.CancelOrder(bytes(8)),)))
    wires = draw(st.lists(st.just(sound) | st.binary(max_size=60), min_size=1, max_size=6))
    until_ms = draw(st.integers(at(12, 15), at(12, 25)) | times)
    wire = batch_of(wires, draw(wholes), until_ms, draw(FIELDS["chain"]()), draw(FIELDS["node"]()), by)
    report = report_of(wire, draw(st.integers(0, len(wires) - 1)), by)
    if draw(st.integers(0, 5)):
        return report
    changed = draw(st.sampled_from([{"transaction": b""}, {"path": ()}, {"signature": bytes(64)}, {"header": b"\x01"}]))
    return msgspec.structs.replace(report, **changed)


FIELDS: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
    "recipient": account_ids,
    "account": account_ids,
    "amount_micro": lambda: st.integers(0, 5 * WATT) | wholes,
    "reserves_micro": lambda: wholes,
    "as_of_ms": lambda: times,
    "reference": lambda: references,
    "participant": lambda: names,
    "portfolio": lambda: names,
    "site": lambda: names,
    "meter": lambda: names,
    "meter_key": lambda: keys,
    "keys": lambda: key_lists,
    "licence": lambda: smalls,
    "kyc": lambda: smalls,
    "algorithm": lambda: st.just(0) | smalls,
    "threshold": lambda: st.sampled_from([1, 2]) | smalls,
    "licence_until_ms": lambda: times,
    "kyc_until_ms": lambda: times,
    "good_till_ms": lambda: st.just(0) | times,
    "group": lambda: smalls,
    "short_wh": lambda: energies,
    "long_wh": lambda: energies,
    "suspended": st.booleans,
    "holiday": st.booleans,
    "post_only": lambda: st.sampled_from([False, False, True]),
    "market": lambda: st.sampled_from([False, False, True]),
    "feeder": lambda: feeders,
    "import_w": lambda: powers,
    "export_w": lambda: st.tuples(*[powers] * 7),
    "import_wh": lambda: st.integers(0, 10**6) | st.integers(0, REGISTER_WH_MAX),
    "export_wh": lambda: st.integers(0, 10**6) | st.integers(0, REGISTER_WH_MAX),
    "client_id": lambda: order_names,
    "interval": lambda: intervals,
    "side": lambda: st.integers(0, 1) | smalls,
    "price_micro": lambda: prices,
    "quantity_wh": lambda: energies,
    "remaining_wh": lambda: energies,
    "minimum_wh": lambda: st.just(0) | energies,
    "source": lambda: st.sampled_from([0, 5, 127]) | smalls,
    "time_in_force": lambda: st.just(0) | st.integers(0, 3) | smalls,
    "terms": terms,
    "node": lambda: st.just(NODE_ID) | names,
    "public_key": lambda: keys,
    "licensed": lambda: st.just(value=True) | st.booleans(),
    "power": lambda: st.integers(0, 3) | st.integers(0, VALIDATOR_POWER_MAX),
    "day": lambda: st.integers(20_604, 20_612) | st.integers(0, 2**31),
    "member": lambda: members.organisations.map(pseudonym) | names | st.sampled_from(["alice", "carol"]).map(pseudonym),
    "capacity_wh": lambda: energies,
    "charge_w": lambda: powers,
    "efficiency_ppm": lambda: st.integers(800_000, 10**6) | st.integers(0, 10**6),
    "alone": st.booleans,
    "level_wh": lambda: st.just(0) | energies,
    "zone": lambda: st.integers(0, 4) | smalls,
    "programme": programmes,
    "rule": lambda: st.just(RULE) | st.builds(SplitRule, smalls, st.integers(0, 10**6), st.integers(0, 10**6)),
    "proposal": lambda: st.integers(0, 4) | wholes,
    "yes": lambda: st.sampled_from([True, True, True, False]),
    "scope": lambda: st.just(0) | st.integers(0, 2) | smalls,
    "display_wh": lambda: st.just(0) | energies,
    "until_ms": lambda: st.just(0) | times,
    "reason": lambda: st.integers(0, 6) | smalls,
    "link": lambda: st.integers(0, 1) | smalls,
    "first": lambda: st.integers(1, 3) | feeders,
    "second": lambda: st.integers(0, 3) | smalls,
    "intervals": lambda: st.integers(1, 8) | smalls,
    "forward_w": lambda: powers,
    "backward_w": lambda: powers,
    "chain": lambda: st.sampled_from([lively_world().chain] * 3 + ["another"]) | st.just(lively_world().chain),
}
"""How each field is drawn, by its name; one that is missing here fails the test that lists all message types."""

MESSAGE_TYPES: tuple[type[Message], ...] = tuple(CONSORTIUM.handlers)
MODULES = (tokens, identity, authority, grid, market, settlement)

_LIKELY_SENDER = {
    tokens.Mint: "bank",
    tokens.ConfirmRedemption: "bank",
    tokens.RefuseRedemption: "bank",
    tokens.AttestReserves: "attester",
    grid.SetLimit: "egat",
    grid.SetCapacity: "egat",
    market.SetTerms: "operator",
    market.SetHoliday: "operator",
    market.Halt: "operator",
    market.Resume: "operator",
    market.SetMakerProgramme: "operator",
    market.EnrolMaker: "dora",
    market.EndMaker: "dora",
    settlement.CorrectReading: "mea",
    authority.SetNode: "authority",
    authority.SetValidator: "authority",
}


AGGREGATORS_ASK = (identity.OpenPortfolio, identity.AcceptMember, identity.ExcludeMember)

MEMBERS_ASK = (
    authority.Attest,
    authority.Endorse,
    authority.Propose,
    authority.Vote,
    authority.RotateKey,
    authority.Withdraw,
)
"""What members ask, and candidates."""


def senders(kind: type[Message]) -> st.SearchStrategy[str]:
    """Mostly one who may."""
    parties = [*HOMES, "dora", "hub", "board"]
    likely = _LIKELY_SENDER.get(kind)
    if kind is identity.RotateKeys:
        likely = None
    elif kind in AGGREGATORS_ASK:
        likely = "hub"
    elif kind in (identity.JoinPortfolio, identity.LeavePortfolio):
        return st.sampled_from([*HOMES * 5, *parties])
    elif kind.__module__ == identity.__name__:
        likely = "registrar"
    everybody = st.sampled_from(parties)
    if kind is authority.Apply:
        return st.sampled_from(members.NEWCOMERS) | everybody
    if kind in MEMBERS_ASK:
        return members.organisations | members.organisations | everybody
    return everybody if likely is None else st.sampled_from([likely] * 30 + parties)


def messages(kind: type[Message]) -> st.SearchStrategy[Message]:
    """Of one type."""
    if kind is settlement.SubmitReadings:
        return submissions()
    if kind is settlement.CorrectReading:
        return corrections()
    if kind is authority.ReportBatch:
        return reports()
    if kind is authority.Apply:
        return members.applications()
    if kind is authority.Observed:
        return members.observations(last_block(lively_world().state).height)
    if kind is authority.RotateKey:
        return members.rotations()
    if kind is authority.Propose:
        return members.proposals(lively_world().accounts)
    return st.builds(kind, **{name: FIELDS[name]() for name in kind.__struct_fields__})


@st.composite
def asks(draw: st.DrawFn, kinds: tuple[type[Message], ...] = MESSAGE_TYPES) -> tuple[str, tuple[Message, ...]]:
    """A sender, and one to three messages of types that this sender may ask for; orders fit their sender. Where there
    are orders at all, a fourth of what is drawn are orders: they do most."""
    more_orders = (market.PlaceOrder,) * (len(kinds) // 3) if market.PlaceOrder in kinds else ()
    kind = draw(st.sampled_from(kinds + more_orders))
    sender = draw(senders(kind))
    count = draw(st.sampled_from([1, 1, 1, 1, 1, 1, 2, 3]))
    return sender, tuple(_fitting(draw, sender, draw(messages(kind))) for _ in range(count))


def _fitting(draw: st.DrawFn, sender: str, message: Message) -> Message:
    """Most orders are of the sender's own portfolio and make sense, so that books, trades and holds are reached."""
    message = members.fitting(draw, sender, message)
    if isinstance(message, market.PlaceBlockOrder) and draw(st.integers(0, 3)):
        side, force = draw(st.integers(0, 1)), draw(st.sampled_from([0, 0, 1, 3]))
        return market.PlaceBlockOrder(
            pseudonym(sender),
            draw(order_names),
            draw(st.integers(interval_at(13), interval_at(15))),
            draw(st.integers(2, 9)),
            side,
            draw(st.integers(2_000, 6_500)) * 1_000,
            draw(st.integers(100, 1_000)),
            draw(st.sampled_from([0, 5])) if side else 127,
            force,
            draw(st.integers(at(12, 30), at(15))) if force == 1 else 0,
            draw(st.sampled_from([0, 0, 0, 1, 2])),
        )
    if not isinstance(message, market.PlaceOrder) or not draw(st.integers(0, 3)):
        return message
    own = "alice" if sender == "board" else sender
    side = draw(st.integers(0, 1))
    sources = st.sampled_from([127, 1, 32, 33]) if side == 0 else st.sampled_from([0, 5] if own != "dora" else [6])
    is_market = draw(st.sampled_from([False, False, False, True]))
    force = draw(st.sampled_from([2, 3] if is_market else [0, 0, 0, 1, 2, 3]))
    return market.PlaceOrder(
        pseudonym(own),
        draw(order_names),
        draw(st.sampled_from([interval_at(13), interval_at(14), interval_at(15)])),
        side,
        0 if is_market else draw(st.integers(2_000, 6_500)) * 1_000,
        draw(st.integers(100, 5_000)),
        draw(sources),
        force,
        draw(st.integers(at(12, 30), at(15))) if force == 1 else 0,
        draw(st.sampled_from([0, 0, 0, 100])) if force != 3 else 0,
        draw(st.sampled_from([False, False, False, True])) if force < 2 else False,
        is_market,
    )
