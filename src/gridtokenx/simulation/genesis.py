"""The consortium genesis of a scenario: organisations, zones, homes, terms, all signed for by development keys.

`make_genesis` is a pure function of the scenario: the same file gives the same bytes everywhere.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gridtokenx.chains.genesis import DEFAULT_TERMS, FOREVER_MS, WATT, GenesisBuilder
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.transactions import KeyList, SignedTransaction, sign
from gridtokenx.client.wallet import Wallet
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.limits import MAKERS_PER_ZONE_MAX
from gridtokenx.ledger.quantities import INTERVAL_MS
from gridtokenx.modules.identity.messages import Kyc, Licence, PowersBySource, RoleName
from gridtokenx.modules.identity.state import Participant
from gridtokenx.modules.market import calendar
from gridtokenx.modules.market.coupling import buyers_wheeling_micro
from gridtokenx.modules.market.messages import MakerTerms, Terms
from gridtokenx.simulation.development_keys import development_key, development_pseudonym
from gridtokenx.simulation.observation import MarketTerms
from gridtokenx.simulation.scenario import MakerTable, Place, Scenario, ScenarioError, Site

ZONES = ("Bangkok", "Central", "North", "Northeast", "East", "West", "South")
"""Bidding zones, numbered from 1. Bangkok is the area of MEA: Bangkok, Nonthaburi, Samut Prakan."""

NEIGHBOURS = {
    "Bangkok": ("Central", "East", "West"),
    "Central": ("Bangkok", "North", "Northeast", "East", "West"),
    "North": ("Central", "Northeast", "West"),
    "Northeast": ("Central", "North", "East"),
    "East": ("Bangkok", "Central", "Northeast"),
    "West": ("Bangkok", "Central", "North", "South"),
    "South": ("West",),
}
"""Zones whose provinces share a land border (regions by NESDC, both Norths as one)."""

FEEDER = 1
"""The number of the scenario's own feeder; others follow."""
SUPPLIER_WATT = 10_000_000
"""What the residual supplier has to pay for surplus with, until customers' bills come in."""

AddMore = Callable[[GenesisBuilder], None]

CHAIN_CHARACTERS_MAX = 50
"""CometBFT takes no longer names."""

BANK_SIGNERS, BANK_THRESHOLD = 3, 2

ROLES = {
    RoleName.REGISTRAR: "registrar",
    RoleName.OPERATOR: "operator",
    RoleName.FEE_POOL: "fee-pool",
    RoleName.RESIDUAL_SUPPLIER: "residual-supplier",
    RoleName.TRANSMISSION: "egat",
    RoleName.CLEARING: "clearing",
    RoleName.AUTHORITY: "authority",
    RoleName.CONGESTION: "congestion",
}
"""Who holds which office. Besides them: the bank, the attester, and the distributors MEA and PEA."""


def office_name(role: RoleName) -> str:
    """What people call it: `fee-pool`."""
    return role.name.lower().replace("_", "-")


VAULTS = {RoleName.CLEARING: RoleName.AUTHORITY, RoleName.CONGESTION: RoleName.TRANSMISSION}
"""Offices to which no keys lead where no development keys hold them, and whose holder the account is named for. What is
in clearing belongs to the interval that is being settled; congestion rent is kept apart from other money."""

OFFICES = (*(office_name(role) for role in RoleName if role not in VAULTS), "bank", "attester")
"""What organisations are named to where no development keys hold the offices."""

COLLECTOR = "meter-collector"
"""Carries the readings that meters signed; an account of MEA."""


class OwnedAccount(NamedTuple):
    """An account, and the keys that sign for it by the name that people give them."""

    account: bytes
    participant: bytes
    threshold: int
    keys: dict[str, PrivateKey]

    def wallet(self) -> Wallet:
        """A new wallet with all the keys at hand; its nonces are not known yet."""
        return Wallet(list(self.keys.values()), self._key_list(), self.account)

    def sign(self, chain: str, nonce: int, expires_ms: int, *messages: Message) -> SignedTransaction:
        """A transaction by as many keys as the account needs."""
        signers = list(self.keys.values())[: self.threshold]
        return sign(chain, self.account, nonce, expires_ms, messages, self._key_list(), signers)

    def _key_list(self) -> KeyList:
        return KeyList.of([key.public_key for key in self.keys.values()], self.threshold)


class Connection(NamedTuple):
    """A site as the ledger knows it: portfolio, site and meter share one pseudonym."""

    site: Site
    owner: OwnedAccount
    portfolio: bytes
    meter_key: PrivateKey


class Dealer(NamedTuple):
    """A maker as the ledger knows it: a portfolio without a site."""

    settings: MakerTable
    owner: OwnedAccount
    portfolio: bytes


class GenesisNode(NamedTuple):
    """A node that may sign batches from the first block on, by its public keys; with power it also votes."""

    node_id: bytes
    batch_key: bytes
    validator_key: bytes = b""
    power: int = 0


class ScenarioGenesis(NamedTuple):
    """The genesis bytes, and who is who in them. `first_metered` is the first interval that opened at all. The node is
    that of a market on one machine: a network has others."""

    data: bytes
    chain: str
    time_ms: int
    node_id: bytes
    node_key: PrivateKey
    organisations: dict[str, OwnedAccount]
    connections: dict[str, Connection]
    first_metered: int
    dealers: dict[str, Dealer]


def terms_of_scenario(scenario: Scenario) -> Terms:
    """The market's terms: the defaults with the scenario's tariff.

    Raises `ScenarioError` for on-peak hours that the ledger's calendar does not have.
    """
    tariff = scenario.tariff
    hours = (calendar.ON_PEAK_FIRST_QUARTER // 4, (calendar.ON_PEAK_LAST_QUARTER + 1) // 4)
    if (tariff.on_peak_from_hour, tariff.on_peak_to_hour) != hours:
        raise ScenarioError(
            f"{scenario.name}: tariff.on_peak_from_hour, on_peak_to_hour: the ledger's calendar has on-peak from "
            f"{hours[0]} to {hours[1]}; give those hours"
        )
    values = {name: getattr(DEFAULT_TERMS, name) for name in DEFAULT_TERMS.__struct_fields__}
    values |= {
        "on_peak_micro": tariff.on_peak_micro,
        "off_peak_micro": tariff.off_peak_micro,
        "buy_back_micro": tariff.buy_back_micro,
    }
    return Terms(**values)


def market_terms(scenario: Scenario, site: Site | None = None) -> MarketTerms:
    """The same terms as agents see them: with the wheeling between neighbours on one feeder, or of a site that has no
    neighbours on its own, with that to another feeder."""
    terms = terms_of_scenario(scenario)
    wheeling_micro = terms.wheeling_base_micro
    if site is not None and not any(
        scenario.place_of(other) == scenario.place_of(site) and other.participant != site.participant
        for other in scenario.sites
    ):
        wheeling_micro += terms.wheeling_feeder_micro
    return MarketTerms(
        tariff=scenario.tariff,
        tick_micro=terms.tick_micro,
        order_wh_min=terms.order_wh_min,
        gate_before_delivery_ms=terms.gate_ms,
        wheeling_micro=wheeling_micro,
        grid_fee_millionths=terms.grid_fee_ppm,
        trading_fee_millionths=terms.trading_fee_ppm,
        imbalance_spread_micro=terms.undelivered_spread_micro,
        call_phase_ms=terms.call_phase_ms,
        wheeling_in_auction_micro=buyers_wheeling_micro(terms),
    )


def make_genesis(
    scenario: Scenario, nodes: Sequence[GenesisNode] = (), block_ms: int = 0, add_members: AddMore | None = None
) -> ScenarioGenesis:
    """Build the chain's first state: for one node that makes its blocks alone, or for a network of `nodes` with blocks
    so far apart, or of the nodes of members, which `add_members` puts in. Raises `ScenarioError` for a zone or hours
    that do not exist."""
    seed = scenario.development_seed
    builder = begin_chain(scenario, block_ms)
    node_id, node_key = development_pseudonym(seed, "node-1"), development_key(seed, "node-1")
    for node in nodes:
        builder.add_node(node.node_id, node.batch_key)
        if node.power:
            builder.add_validator(node.validator_key, node.power, node.node_id)
        add_reporter(builder, node.node_id, node.batch_key)
    if not nodes and add_members is None:
        builder.add_node(node_id, node_key.public_key)
    organisations = _add_organisations(builder, seed)
    mea, pea = organisations["mea"].account, organisations["pea"].account
    add_zones(builder, {zone: mea if zone == "Bangkok" else pea for zone in ZONES}, scenario)
    if add_members is not None:
        add_members(builder)
    taken = set(organisations) | {name for owned in organisations.values() for name in owned.keys}
    named = [("site", site.name) for site in scenario.sites] + [("maker", maker.name) for maker in scenario.makers]
    for kind, name in named:
        if name in taken:
            raise ScenarioError(f"{scenario.name}: {kind} '{name}': an organisation has that name; choose another")
    connections = {site.name: _add_site(builder, scenario, site) for site in scenario.sites}
    dealers = _add_makers(builder, scenario.development_seed, scenario)
    time_ms = builder.context.time_ms
    return ScenarioGenesis(
        builder.finish(),
        builder.context.chain,
        time_ms,
        node_id,
        node_key,
        organisations,
        connections,
        (time_ms + builder.gate_ms) // INTERVAL_MS + 1,
        dealers,
    )


def chain_of(scenario: Scenario) -> str:
    """What the scenario's chain is called."""
    return scenario.chain or f"gridtokenx-{scenario.name}"[:CHAIN_CHARACTERS_MAX]


def begin_chain(scenario: Scenario, block_ms: int = 0) -> GenesisBuilder:
    """A state with the scenario's terms, and nobody in it; with blocks so far apart, if consensus makes them."""
    chain = chain_of(scenario)
    time_ms = scenario.clock_start_ms // INTERVAL_MS * INTERVAL_MS
    builder = GenesisBuilder(chain, time_ms, terms_of_scenario(scenario))
    if block_ms:
        builder.set_consensus(block_ms)
    return builder


def add_reporter(builder: GenesisBuilder, node_id: bytes, batch_key: bytes) -> None:
    """The account by which a node reports evidence against others: its batch key signs for it."""
    builder.add_participant(
        node_id, Participant(Licence.NONE, 0, Kyc.NONE, 0, suspended=False, group=0, short_wh=0, long_wh=0)
    )
    builder.add_account(node_id, [batch_key])


def _add_organisations(builder: GenesisBuilder, seed: str) -> dict[str, OwnedAccount]:
    organisations = {
        name: _add_organisation(builder, seed, name)
        for name in (*ROLES.values(), "attester", "mea", "pea")
        if name not in ("residual-supplier", "congestion")
    }
    organisations["congestion"] = _add_account(
        builder, seed, "congestion", organisations["egat"].participant, signers=1, threshold=1, balance_micro=0
    )
    organisations["residual-supplier"] = _add_organisation(
        builder, seed, "residual-supplier", balance_micro=SUPPLIER_WATT * WATT
    )
    organisations["bank"] = _add_organisation(builder, seed, "bank", BANK_SIGNERS, BANK_THRESHOLD)
    organisations[COLLECTOR] = _add_account(
        builder, seed, COLLECTOR, organisations["mea"].participant, signers=1, threshold=1, balance_micro=0
    )
    for role, name in ROLES.items():
        builder.set_role(role, organisations[name].account)
    builder.set_bank(organisations["bank"].account, organisations["attester"].account, 0)
    return organisations


def _add_organisation(
    builder: GenesisBuilder,
    seed: str,
    name: str,
    signers: int = 1,
    threshold: int = 1,
    balance_micro: int = 0,
) -> OwnedAccount:
    """A participant that does not trade, and its account."""
    participant = development_pseudonym(seed, f"{name} organisation")
    builder.add_participant(
        participant,
        Participant(Licence.NONE, 0, Kyc.VERIFIED, FOREVER_MS, suspended=False, group=0, short_wh=0, long_wh=0),
    )
    return _add_account(builder, seed, name, participant, signers, threshold, balance_micro)


def _add_account(
    builder: GenesisBuilder,
    seed: str,
    name: str,
    participant: bytes,
    signers: int,
    threshold: int,
    balance_micro: int,
) -> OwnedAccount:
    names = [name] if signers == 1 else [f"{name}-{number}" for number in range(1, signers + 1)]
    keys = {each: development_key(seed, f"{each} account") for each in names}
    public_keys = [key.public_key for key in keys.values()]
    account = builder.add_account(participant, public_keys, threshold, balance_micro)
    return OwnedAccount(account, participant, threshold, keys)


def add_zones(builder: GenesisBuilder, distributors: Mapping[str, bytes], scenario: Scenario) -> None:
    """All seven zones, each with the account whose wires they are, the scenario's feeders and what links can carry;
    with them the sky of the zones that have feeders, and the days that are off-peak. Raises `ScenarioError` for a zone
    or a border that does not exist."""
    for number, name in enumerate(ZONES, start=1):
        neighbours = tuple(ZONES.index(other) + 1 for other in NEIGHBOURS[name])
        builder.add_zone(number, name, distributors[name], neighbours)
    for number, place in enumerate(scenario.places, start=FEEDER):
        builder.add_feeder(number, _zone_number(scenario, place.zone), place.feeder)
    for zone in dict.fromkeys(place.zone for place in scenario.places):
        builder.set_sky(_zone_number(scenario, zone), dict(enumerate(scenario.sky, start=1)))
    for border in scenario.borders:
        ends = _zone_number(scenario, border.from_zone), _zone_number(scenario, border.to_zone)
        if border.to_zone not in NEIGHBOURS[border.from_zone]:
            raise ScenarioError(
                f"{scenario.name}: border: {border.from_zone} and {border.to_zone} have none; "
                f"{border.from_zone} borders on {', '.join(NEIGHBOURS[border.from_zone])}"
            )
        builder.limit_border(*ends, border.forward_w, border.backward_w)
    for limit in scenario.feeder_limits:
        builder.limit_feeder(feeder_number(scenario, Place(limit.zone, limit.feeder)), limit.out_w, limit.in_w)
    for day in sorted(scenario.tariff.holidays):
        builder.add_holiday(day)


def feeder_number(scenario: Scenario, place: Place) -> int:
    """By which the ledger knows a feeder."""
    return FEEDER + scenario.places.index(place)


def _zone_number(scenario: Scenario, zone: str) -> int:
    if zone not in ZONES:
        raise ScenarioError(f"{scenario.name}: zone: '{zone}' is unknown; give one of {', '.join(ZONES)}")
    return ZONES.index(zone) + 1


def _add_site(builder: GenesisBuilder, scenario: Scenario, site: Site) -> Connection:
    """Participant, account, portfolio, site and meter; sites of one participant share the participant."""
    seed, feeder = scenario.development_seed, feeder_number(scenario, scenario.place_of(site))
    participant = development_pseudonym(seed, f"{site.participant} participant")
    licence = Participant(
        Licence.PROSUMER, FOREVER_MS, Kyc.VERIFIED, FOREVER_MS, suspended=False, group=0, short_wh=0, long_wh=0
    )
    builder.add_participant(participant, licence)
    owner = _add_account(builder, seed, site.name, participant, 1, 1, site.money_watt * WATT)
    portfolio = development_pseudonym(seed, f"{site.name} site")
    meter_key = development_key(seed, f"{site.name} meter")
    solar_w, storage_w = site.export_capacity_w("solar"), site.export_capacity_w("storage")
    export_w: PowersBySource = (solar_w, 0, 0, 0, 0, storage_w, 0)
    builder.add_site(portfolio, owner.account, feeder, site.import_capacity_w, export_w, meter_key.public_key)
    battery = site.battery
    if battery is not None:
        alone_with_wh = battery.charge_at_start_wh if battery.alone else None
        efficiency_ppm = battery.round_trip_permille * 1_000
        builder.add_storage(portfolio, battery.capacity_wh, battery.power_w, efficiency_ppm, alone_with_wh)
    return Connection(site, owner, portfolio, meter_key)


def _add_makers(builder: GenesisBuilder, seed: str, scenario: Scenario) -> dict[str, Dealer]:
    """The programme of the scenario's zone, and a licensed dealer for each maker; they enrol by themselves."""
    programme = scenario.maker_programme
    if programme is not None:
        terms = MakerTerms(
            programme.spread_micro,
            programme.size_wh,
            programme.presence_permille,
            programme.window_minutes * 60_000,
            programme.rebate_permille * 1_000,
            MAKERS_PER_ZONE_MAX,
            programme.misses_max,
        )
        builder.add_maker_programme(ZONES.index(scenario.zone) + 1, terms)
    dealers = {}
    for maker in scenario.makers:
        participant = development_pseudonym(seed, f"{maker.name} participant")
        licence = Participant(
            Licence.DEALER,
            FOREVER_MS,
            Kyc.VERIFIED,
            FOREVER_MS,
            suspended=False,
            group=0,
            short_wh=maker.licence_wh,
            long_wh=maker.licence_wh,
        )
        builder.add_participant(participant, licence)
        owner = _add_account(builder, seed, maker.name, participant, 1, 1, maker.money_watt * WATT)
        portfolio = development_pseudonym(seed, f"{maker.name} portfolio")
        builder.add_portfolio(portfolio, owner.account, FEEDER)
        dealers[maker.name] = Dealer(maker, owner, portfolio)
    return dealers
