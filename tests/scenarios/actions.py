"""What a party does, as the message that it signs."""

import re
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from tests.consortium import Consortium, consensus_key, node_key
from tests.scenarios.founding import day_number
from tests.scenarios.words import ScenarioError, amount, energy, interval_of, power, programme, time_of, whole
from tests.world import batch_of, order, pseudonym, report_of, signer

from gridtokenx.chains.genesis import FOREVER_MS
from gridtokenx.ledger.codec import Message, encode
from gridtokenx.modules.authority.messages import (
    Act,
    Attest,
    Endorse,
    Group,
    NodeLicence,
    Propose,
    Replacement,
    RotatedKey,
    SetNode,
    SetValidator,
    Tier,
    Vote,
    Withdraw,
)
from gridtokenx.modules.grid.messages import LinkKind, SetCapacity, SetLimit
from gridtokenx.modules.identity.messages import (
    AcceptMember,
    ExcludeMember,
    JoinPortfolio,
    Kyc,
    LeavePortfolio,
    Licence,
    OpenPortfolio,
    RegisterSite,
    RegisterStorage,
    ReplaceMeterKey,
    RotateKeys,
    Source,
    SplitKind,
    SplitRule,
    SuspendParticipant,
    UpdateParticipant,
)
from gridtokenx.modules.identity.state import PARTICIPANTS
from gridtokenx.modules.market.handlers import current_terms
from gridtokenx.modules.market.messages import (
    AmendOrder,
    CancelOrder,
    EndMaker,
    EnrolMaker,
    Halt,
    HaltReason,
    PlaceBlockOrder,
    PlaceOrder,
    Resume,
    Scope,
    SetHoliday,
    SetMakerProgramme,
    SetTerms,
    Side,
    TimeInForce,
)
from gridtokenx.modules.market.state import TERMS, terms_key
from gridtokenx.modules.settlement.messages import Cause, CorrectReading
from gridtokenx.modules.tokens.messages import (
    AttestReserves,
    ConfirmRedemption,
    Mint,
    RefuseRedemption,
    RequestRedemption,
    Transfer,
)

if TYPE_CHECKING:
    from tests.scenarios.table import Player

ORDER = re.compile(r"(sells|buys) (\S+) (\w+) of (.*?\d\d:\d\d) at (\S+)(.*)")
BLOCK = re.compile(r"(sells|buys) (\S+) (\w+) in each of (.*?\d\d:\d\d) to (.*?\d\d:\d\d) at (\S+)(.*)")
OPTION = re.compile(
    r" (?:as (?P<name>[\w-]+)|from (?P<site>[\w-]+)|at least (?P<least>\S+ \w+)|until (?P<until>(?:\w{3} )?[\d:.]+)"
    r"|shows (?P<shows>\S+ \w+)|within (?P<scope>zone|feeder)|(?P<word>ioc|fok|post-only)|(?P<source>[a-z+]+))"
)


def message_of(player: "Player", who: str, action: str) -> Message:
    """The message; ScenarioError if the action is none that is known."""
    if found := ORDER.fullmatch(action):
        return _order(player, who, *found.groups())
    if found := BLOCK.fullmatch(action):
        return _block_order(player, who, *found.groups())
    for pattern, make in ACTIONS:
        if found := re.fullmatch(pattern, action):
            return make(player, who, *found.groups())
    raise ScenarioError(f"nobody can do this: {action!r}")


def _block_order(player: "Player", who: str, *parts: str) -> Message:
    """As an order of its first interval."""
    verb, number, unit, first, last, price, rest = parts
    plain = _order(player, who, verb, number, unit, first, price, rest)
    intervals = interval_of(last, player.clock) - plain.interval + 1
    shared = ("side", "price_micro", "quantity_wh", "source", "time_in_force", "good_till_ms", "scope")
    options = {name: getattr(plain, name) for name in shared}
    return PlaceBlockOrder(
        portfolio=plain.portfolio, client_id=plain.client_id, interval=plain.interval, intervals=intervals, **options
    )


def _order(
    player: "Player", who: str, verb: str, number: str, unit: str, when: str, price: str, rest: str
) -> PlaceOrder:
    selling = verb == "sells"
    player.placed += 1
    options: dict[str, Any] = {"name": f"order {player.placed}"}
    portfolio = who
    at = 0
    while at < len(rest):
        found = OPTION.match(rest, at)
        if found is None:
            raise ScenarioError(f"{rest[at:]!r} is no option of an order")
        at = found.end()
        part = found.groupdict()
        if part["name"]:
            options["name"] = part["name"]
        elif part["site"]:
            portfolio = part["site"]
        elif part["least"]:
            options["minimum_wh"] = energy(*part["least"].split())
        elif part["shows"]:
            options["display_wh"] = energy(*part["shows"].split())
        elif part["scope"]:
            options["scope"] = Scope[part["scope"].upper()]
        elif part["until"]:
            options["force"] = TimeInForce.GOOD_TILL_TIME
            options["good_till_ms"] = time_of(part["until"], player.clock)
        elif part["word"] == "post-only":
            options["post_only"] = True
        elif part["word"]:
            options["force"] = {"ioc": TimeInForce.IMMEDIATE_OR_CANCEL, "fok": TimeInForce.FILL_OR_KILL}[part["word"]]
        else:
            options["source"] = _source(part["source"], selling)
    if price == "market":
        options["market"] = True
        options.setdefault("force", TimeInForce.IMMEDIATE_OR_CANCEL)
    limit = 0 if price == "market" else amount(price)
    side = Side.SELL if selling else Side.BUY
    return order(portfolio, side, energy(number, unit), interval_of(when, player.clock), limit, **options)


def _source(text: str, selling: bool) -> int:
    if text == "any":
        return 127
    sources = [Source[name.upper()] for name in text.split("+")]
    return int(sources[0]) if selling else sum(1 << source for source in sources)


def _reference(text: str) -> bytes:
    return sha256(text.encode()).digest()[:16]


def _set_terms(player: "Player", who: str, changes: str) -> Message:
    terms = player.world.state.rows[TERMS.prefix][terms_key(current_terms(player.world.state))]
    names = changes.split()
    pairs = {name: int(number.replace(",", "")) for name, number in zip(names[::2], names[1::2], strict=True)}
    return SetTerms(msgspec.structs.replace(terms, **pairs))


def _update(
    player: "Player", who: str, name: str, licence: str, kyc: str, until: str | None, group: str | None
) -> Message:
    current = player.world.state.rows[PARTICIPANTS.prefix][pseudonym(name)]
    until_ms = time_of(until, player.clock) if until else FOREVER_MS
    return UpdateParticipant(
        pseudonym(name),
        Licence[licence.upper()],
        FOREVER_MS,
        Kyc[kyc.upper()],
        until_ms,
        current.group if group is None else int(group),
        current.short_wh,
        current.long_wh,
    )


def _reading(player: "Player", name: str, when: str, taken: str, given: str) -> Any:
    import_wh, export_wh = energy(*taken.split()), energy(*given.split())
    return player.world.reading(name, interval_of(when, player.clock), import_wh, export_wh)


def _submit(player: "Player", who: str, name: str, when: str, taken: str, given: str) -> Message:
    return player.world.submit(_reading(player, name, when, taken, given))


def _correct(player: "Player", who: str, name: str, when: str, taken: str, given: str, cause: str) -> Message:
    reading = _reading(player, name, when, taken, given)
    return CorrectReading(player.world.chain, reading, Cause[cause.upper().replace("-", "_")])


def _connect(player: "Player", who: str, name: str, owner: str, feeder: str, able: str, *shown: str) -> Message:
    """A site with its meter and portfolio, of one name; its meter reports from then on."""
    world, meter = player.world, signer(f"meter of {name}")
    import_wh, export_wh = (energy(*part.split()) for part in shown)
    world.sites[name], world.registers[name] = meter, (import_wh, export_wh)
    return RegisterSite(
        pseudonym(name),
        pseudonym(name),
        pseudonym(name),
        meter.keys[0],
        world.accounts[owner],
        int(feeder),
        power(*able.split()),
        (0,) * len(Source),  # type: ignore[arg-type]
        import_wh,
        export_wh,
    )


def _set_link(player: "Player", who: str, first: str, second: str | None, when: str | None, *able: str) -> Message:
    """In some interval and the three after it, or in all that open later."""
    kind = LinkKind.FEEDER if second is None else LinkKind.BORDER
    powers = [energy(*part.split()) * 4 for part in able]
    if when is None:
        return SetLimit(kind, int(first), int(second or 0), *powers)
    return SetCapacity(kind, int(first), int(second or 0), interval_of(when, player.clock), 4, *powers)


def split_rule(text: str) -> SplitRule:
    """`metered, commission 10 %, loss 100 %`: by what, and how much of a gain and of a loss is the aggregator's."""
    found = re.fullmatch(r"(\w+), commission (\S+) %, loss (\S+) %", text)
    if found is None:
        raise ScenarioError(f"{text!r} is no rule of a split")
    known = {kind.name.lower(): int(kind) for kind in SplitKind}
    return SplitRule(known.get(found[1], 9), whole(found[2], 10_000), whole(found[3], 10_000))


def _open_portfolio(player: "Player", who: str, name: str, feeder: str, rule: str) -> Message:
    return OpenPortfolio(pseudonym(name), int(feeder), split_rule(rule))


def _join(player: "Player", who: str, name: str, site: str, rule: str) -> Message:
    return JoinPortfolio(pseudonym(site), pseudonym(name), split_rule(rule))


def _storage(
    player: "Player", who: str, name: str, capacity: str, charge: str, back: str, alone: str | None
) -> Message:
    """With the registers that its meter shows now."""
    import_wh, export_wh = player.world.registers.get(name, (0, 0))
    return RegisterStorage(
        pseudonym(name),
        energy(*capacity.split()),
        power(*charge.split()),
        whole(back, 10_000),
        alone is not None,
        energy(*alone.split()) if alone else 0,
        import_wh,
        export_wh,
    )


def _rotate(player: "Player", who: str, name: str) -> Message:
    keys = signer(name)
    return RotateKeys(0, keys.threshold, keys.keys)


def _set_node(player: "Player", who: str, verb: str, name: str, key: str | None) -> Message:
    return SetNode(pseudonym(name), signer(key or name).keys[0], licensed=verb == "admits")


def _set_validator(player: "Player", who: str, name: str, power: str, node: str) -> Message:
    return SetValidator(signer(name).keys[0], int(power.replace(",", "")), pseudonym(node))


def _report(player: "Player", who: str, what: str, number: str, node: str, until: str, key: str | None) -> Message:
    """Of a transaction in a batch of three: two payments that are signed, and one that is not."""
    world, by = player.world, signer(key or node)
    good = [world.sign("mea", Transfer(world.accounts["pea"], 1), nonce=nonce, expires_ms=1) for nonce in (1, 2)]
    wires = [*good, good[0][:-1] + bytes([good[0][-1] ^ 1])]
    wire = batch_of(wires, int(number), time_of(until, player.clock), world.chain, pseudonym(node), by)
    return report_of(wire, {"good": 0, "bad": 2}[what], by)


def _apply(player: "Player", who: str, tier: str, group: str, zone: str, stake: str) -> Message:
    consortium = Consortium.around(player.world)
    return consortium.application(
        who, Group[group.upper()], Tier[tier.upper()], zone=int(zone), stake_micro=amount(stake)
    )


def _propose_about(player: "Player", who: str, act: str, name: str) -> Message:
    return Propose(int(Act[act.upper()]), pseudonym(name), b"")


def _propose_stop(player: "Player", who: str, act: str) -> Message:
    return Propose(int(Act[act.upper()]), b"", b"")


def _propose_terms(player: "Player", who: str, name: str, number: str) -> Message:
    terms = msgspec.structs.replace(Consortium.around(player.world).terms, **{name: int(number.replace(",", ""))})
    return Propose(int(Act.SET_TERMS), b"", encode(terms))


def _propose_licence(player: "Player", who: str, name: str) -> Message:
    return Propose(int(Act.LICENSE), pseudonym(name), encode(NodeLicence(signer(name).keys[0], True)))


def _propose_replacement(player: "Player", who: str, name: str, account: str) -> Message:
    keys = node_key(name, 1).keys[0], consensus_key(name, 1).keys[0]
    value = encode(Replacement(player.world.accounts[account], *keys))
    return Propose(int(Act.REPLACE), pseudonym(name), value)


def _rotate_key(player: "Player", who: str, which: str) -> Message:
    return Consortium.around(player.world).rotation(who, RotatedKey[which.upper()])


def _halt(player: "Player", who: str, when: str | None, zone: str | None, until: str | None, reason: str) -> Message:
    interval = interval_of(when, player.clock) if when else 0
    until_ms = time_of(until, player.clock) if until else 0
    return Halt(interval, int(zone or 0), until_ms, HaltReason[reason.upper().replace("-", "_")])


def _resume(player: "Player", who: str, when: str | None, zone: str | None) -> Message:
    return Resume(interval_of(when, player.clock) if when else 0, int(zone or 0))


ACTIONS: list[tuple[str, Callable[..., Message]]] = [
    (r"limits (\d+)(?:-(\d+))?(?: from ((?:\w{3} )?\d\d:\d\d))? to (\S+ \w+), back (\S+ \w+)", _set_link),
    (r"halts(?: (\d\d:\d\d))?(?: in zone (\d+))?(?: until (\S+))? for ([\w-]+)", _halt),
    (r"lets trade(?: of (\d\d:\d\d))?(?: in zone (\d+))? go on", _resume),
    (r"cancels ([\w-]+)", lambda player, who, name: CancelOrder(pseudonym(name))),
    (
        r"amends ([\w-]+) to (\S+) (\w+) at (\S+)",
        lambda player, who, name, number, unit, price: AmendOrder(pseudonym(name), amount(price), energy(number, unit)),
    ),
    (r"pays ([\w-]+) (\S+)", lambda player, who, to, sum_: Transfer(player.world.accounts[to], amount(sum_))),
    (
        r"mints (\S+) for ([\w-]+) ref (\w+)",
        lambda player, who, sum_, to, ref: Mint(player.world.accounts[to], amount(sum_), _reference(ref)),
    ),
    (
        r"redeems (\S+) ref (\w+)",
        lambda player, who, sum_, ref: RequestRedemption(amount(sum_), _reference(ref)),
    ),
    (
        r"confirms ([\w-]+) ref (\w+)",
        lambda player, who, name, ref: ConfirmRedemption(player.world.accounts[name], _reference(ref)),
    ),
    (
        r"refuses ([\w-]+) ref (\w+)",
        lambda player, who, name, ref: RefuseRedemption(player.world.accounts[name], _reference(ref)),
    ),
    (
        r"attests (\S+) as of (.*)",
        lambda player, who, sum_, when: AttestReserves(amount(sum_), time_of(when, player.clock)),
    ),
    (r"suspends ([\w-]+)", lambda player, who, name: SuspendParticipant(pseudonym(name), suspended=True)),
    (r"readmits ([\w-]+)", lambda player, who, name: SuspendParticipant(pseudonym(name), suspended=False)),
    (r"registers ([\w-]+) as (\w+), (\w+)(?: until ([^,]*))?(?:, group (\d+))?", _update),
    (r"opens portfolio ([\w-]+) on (\d+): (.*)", _open_portfolio),
    (r"asks ([\w-]+) to trade ([\w-]+): (.*)", _join),
    (r"takes in ([\w-]+)", lambda player, who, site: AcceptMember(pseudonym(site))),
    (r"takes ([\w-]+) out", lambda player, who, site: LeavePortfolio(pseudonym(site))),
    (r"excludes ([\w-]+)", lambda player, who, site: ExcludeMember(pseudonym(site))),
    (
        r"registers the battery of ([\w-]+): (\S+ \w+) at (\S+ \w+), gives back (\S+) %(?:, alone with (\S+ \w+))?",
        _storage,
    ),
    (r"rotates to ([\w-]+)", _rotate),
    (
        r"gives the meter of ([\w-]+) the key of ([\w-]+)",
        lambda player, who, name, key: ReplaceMeterKey(pseudonym(name), signer(key).keys[0]),
    ),
    (
        r"connects ([\w-]+) to ([\w-]+) on (\d+) with (\S+ \w+) at import (\S+ \w+) export (\S+ \w+)",
        _connect,
    ),
    (r"(admits|shuts out) node ([\w-]+)(?: with the key of ([\w-]+))?", _set_node),
    (r"lets ([\w-]+) vote with ([\d,]+) for ([\w-]+)", _set_validator),
    (
        (
            r"reports the (good|bad) transaction in batch (\d+) of ([\w-]+) until (.*?\d\d:\d\d)"
            r"(?: by the key of ([\w-]+))?"
        ),
        _report,
    ),
    (r"sets terms (.*)", _set_terms),
    (r"applies as (\w+) of (\w+) in zone (\d) with (\S+)", _apply),
    (r"attests ([\w-]+)", lambda player, who, name: Attest(pseudonym(name))),
    (r"endorses ([\w-]+)", lambda player, who, name: Endorse(pseudonym(name))),
    (r"proposes to (admit|remove|reinstate) ([\w-]+)", _propose_about),
    (r"proposes to (freeze|resume)", _propose_stop),
    (r"proposes the term (\w+) ([\d,]+)", _propose_terms),
    (r"proposes to license node ([\w-]+)", _propose_licence),
    (r"proposes new keys for ([\w-]+) and the account ([\w-]+)", _propose_replacement),
    (r"votes for proposal (\d+)", lambda player, who, number: Vote(int(number), True)),
    (r"votes against proposal (\d+)", lambda player, who, number: Vote(int(number), False)),
    (r"replaces its (node|consensus) key", _rotate_key),
    (
        r"sets makers of zone (\d+): (.*)",
        lambda player, who, zone, terms: SetMakerProgramme(int(zone), programme(terms)),
    ),
    (r"enrols ([\w-]+)", lambda player, who, name: EnrolMaker(pseudonym(name))),
    (r"ends maker ([\w-]+)", lambda player, who, name: EndMaker(pseudonym(name))),
    (r"leaves", lambda player, who: Withdraw()),
    (r"declares (\w+) a holiday", lambda player, who, day: SetHoliday(day_number(day), holiday=True)),
    (r"declares (\w+) a working day", lambda player, who, day: SetHoliday(day_number(day), holiday=False)),
    (r"carries ([\w-]+)'s registers after (.*?\d\d:\d\d): import (\S+ \w+), export (\S+ \w+)", _submit),
    (
        r"corrects ([\w-]+)'s registers after (.*?\d\d:\d\d): import (\S+ \w+), export (\S+ \w+), ([\w-]+)",
        _correct,
    ),
]
"""Patterns in full, and what they mean."""
