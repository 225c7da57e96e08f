"""Building the first state of a consortium chain from organisations, homes and terms."""

from collections.abc import Iterable, Mapping

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import schedule
from gridtokenx.ledger.account import ACCOUNTS, Account
from gridtokenx.ledger.batch import Node
from gridtokenx.ledger.consensus import CONSENSUS, CONSENSUS_KEY, ConsensusTerms
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.genesis import export_state, new_state
from gridtokenx.ledger.quantities import INTERVALS_PER_DAY, MICRO_PER_WATT, interval_key, interval_of
from gridtokenx.ledger.state import State
from gridtokenx.ledger.transaction import ALGORITHM_ED25519
from gridtokenx.modules.authority.members import add_member
from gridtokenx.modules.authority.nodes import change_node, change_validator
from gridtokenx.modules.authority.seats import wanted
from gridtokenx.modules.authority.state import CONSORTIUM_TERMS, THE_ONE, ConsortiumTerms, Member, terms_of
from gridtokenx.modules.authority.terms import check_terms as check_consortium_terms
from gridtokenx.modules.grid.handlers import limit_link
from gridtokenx.modules.grid.topology import border_step, feeder_step
from gridtokenx.modules.identity.handlers import allowed_keys_hash, assign_role, check_licence
from gridtokenx.modules.identity.messages import NO_CAPACITY, PowersBySource, RegisterStorage, RoleName
from gridtokenx.modules.identity.state import (
    FEEDERS,
    METERS,
    PARTICIPANTS,
    SITES,
    ZONES,
    Feeder,
    Meter,
    Participant,
    Site,
    Zone,
    add_portfolio,
    feeder_key,
    holder_of,
    zone_key,
)
from gridtokenx.modules.identity.storage import put_storage
from gridtokenx.modules.market import calendar
from gridtokenx.modules.market.handlers import check_terms, open_interval
from gridtokenx.modules.market.makers import check_programme
from gridtokenx.modules.market.messages import MakerTerms, Terms
from gridtokenx.modules.market.state import (
    HOLIDAYS,
    MAKER_PROGRAMMES,
    OPEN_DAY,
    SKY,
    TERMS,
    TERMS_VERSION,
    Holiday,
    MakerProgramme,
    SkyMonth,
    TermsVersion,
    day_key,
    sky_key,
    terms_key,
)
from gridtokenx.modules.settlement.state import (
    LAST_MEASURED,
    REGISTERS,
    LastMeasured,
    Quality,
    Registers,
)
from gridtokenx.modules.tokens.state import MONEY, MONEY_KEY, Money

WATT = MICRO_PER_WATT

DEFAULT_TERMS = Terms(
    on_peak_micro=5_798_200,
    off_peak_micro=2_636_900,
    buy_back_micro=2_200_000,
    undelivered_spread_micro=250_000,
    unused_spread_micro=250_000,
    grid_fee_ppm=10_000,
    trading_fee_ppm=500,
    wheeling_base_micro=200_000,
    wheeling_feeder_micro=250_000,
    wheeling_border_micro=300_000,
    tick_micro=1_000,
    order_wh_min=100,
    gate_ms=300_000,
    call_phase_ms=300_000,
    metering_deadline_ms=1_800_000,
    correction_ms=86_400_000,
    arrears_limit_micro=500 * WATT,
    band_ppm=500_000,
    halt_ms=60_000,
    reference_wh=5_000,
)
"""The values of `docs/market-rules.md`."""

TPA_DRAFT_2026 = {
    "wheeling_base_micro": 1_070_000,
    "wheeling_feeder_micro": 0,
    "wheeling_border_micro": 0,
}
"""Wheeling as a postage stamp, as in the draft of the regulator."""

FOREVER_MS = 2**48
"""An expiry that is none."""


class GenesisBuilder:
    """Collects organisations and homes; `finish` gives the genesis bytes."""

    def __init__(self, chain: str, time_ms: int, terms: Terms = DEFAULT_TERMS) -> None:
        """`time_ms` is the time of block 0."""
        check_terms(terms)
        self.gate_ms, self.call_phase_ms = terms.gate_ms, terms.call_phase_ms
        self.state: State = new_state(CONSORTIUM, chain, time_ms)
        self.context = Context(chain, 0, time_ms)
        self.state.put(TERMS, terms_key(1), terms)
        self.state.put(TERMS_VERSION, b"", TermsVersion(1))
        self.supply_micro = 0

    def add_node(self, node_id: bytes, public_key: bytes) -> None:
        """A node that may sign batches: `KEY_NOT_ALLOWED`, `NODE_KEY_TAKEN`, `NODES_EXCEEDED`."""
        change_node(self.state, self.context, node_id, Node(public_key, True))

    def add_validator(self, public_key: bytes, power: int, node_id: bytes) -> None:
        """A key that votes in consensus for a node: `KEY_NOT_ALLOWED`, `NODE_UNKNOWN`, `VALIDATORS_EXCEEDED`."""
        change_validator(self.state, public_key, power, node_id)

    def set_consortium(self, terms: ConsortiumTerms) -> None:
        """Members decide who runs the chain, by these terms: `TERMS_OUT_OF_BOUNDS`."""
        check_consortium_terms(terms)
        self.state.put(CONSORTIUM_TERMS, THE_ONE, terms)

    def add_member(self, name: bytes, member: Member, node_key: bytes) -> None:
        """An organisation that is in from the start; one that is seated votes in consensus. Raises as
        `members.add_member`.
        Whether there are seats enough is not asked: whoever founds a consortium looks at the whole."""
        add_member(self.state, self.context, name, member, node_key)
        validator = wanted(member, terms_of(self.state))
        if validator is not None:
            change_validator(self.state, validator.public_key, validator.power, validator.node)

    def set_consensus(self, block_ms: int) -> None:
        """A consensus times the blocks, normally so far apart. ValueError if that is no time."""
        if block_ms < 1:
            raise ValueError(f"blocks cannot be {block_ms} ms apart")
        self.state.put(CONSENSUS, CONSENSUS_KEY, ConsensusTerms(block_ms))

    def add_participant(self, participant_id: bytes, participant: Participant) -> None:
        """A pseudonym with its licence and KYC state: `SUPPLIER_DOES_NOT_TRADE`."""
        check_licence(self.state, participant_id, participant.licence)
        self.state.put(PARTICIPANTS, participant_id, participant)

    def add_account(
        self, participant_id: bytes, keys: Iterable[bytes], threshold: int = 1, balance_micro: int = 0
    ) -> bytes:
        """An account of a participant; returns its id."""
        account_id = allowed_keys_hash(ALGORITHM_ED25519, threshold, tuple(sorted(keys)))
        account = Account(participant_id, account_id, 0, b"", balance_micro, 0, 0)
        self.state.put(ACCOUNTS, account_id, account)
        self.supply_micro += balance_micro
        return account_id

    def add_vault(self, participant_id: bytes, name: str) -> bytes:
        """An account that only the rules move money of: its id is the hash of no list of keys."""
        account_id = hash_bytes(b"gridtokenx/vault/1\x00" + name.encode())
        self.state.put(ACCOUNTS, account_id, Account(participant_id, account_id, 0, b"", 0, 0, 0))
        return account_id

    def set_role(self, role: RoleName, account_id: bytes) -> None:
        """Who holds an office: `OWNER_UNKNOWN`, `SUPPLIER_DOES_NOT_TRADE` (for one that has a licence)."""
        assign_role(self.state, role, account_id)

    def set_bank(self, bank: bytes, attester: bytes, reserves_micro: int) -> None:
        """Who mints and who attests, and the reserves at the start."""
        attested_ms = self.context.time_ms
        self.state.put(MONEY, MONEY_KEY, Money(bank, attester, 0, reserves_micro, attested_ms))

    def add_zone(self, number: int, name: str, distributor: bytes, neighbours: tuple[int, ...] = ()) -> None:
        """A zone; neighbours are to be named on both sides."""
        self.state.put(ZONES, zone_key(number), Zone(name, distributor, neighbours))

    def add_feeder(self, number: int, zone: int, name: str) -> None:
        """A feeder below a zone."""
        self.state.put(FEEDERS, feeder_key(number), Feeder(zone, name))

    def limit_border(self, zone: int, other: int, forward_w: int, backward_w: int) -> None:
        """What the border between two zones carries from the one to the other, and back."""
        limit_link(self.state, border_step(zone, other), 0, forward_w, backward_w)

    def limit_feeder(self, feeder: int, out_w: int, in_w: int) -> None:
        """What a feeder sends into its zone at most, and takes from there."""
        limit_link(self.state, feeder_step(feeder, out=True), 0, out_w, in_w)

    def add_site(
        self,
        site_id: bytes,
        account_id: bytes,
        feeder: int,
        import_w: int,
        export_w: PowersBySource,
        meter_key: bytes,
        registers_wh: tuple[int, int] = (0, 0),
    ) -> None:
        """A site with its meter and a portfolio of the same name; `registers_wh` are (import, export) when the first
        interval that can still be traded begins."""
        add_portfolio(self.state, site_id, account_id, feeder, import_w, export_w, site_id)
        self.state.put(SITES, site_id, Site(site_id, feeder, site_id))
        self.state.put(METERS, site_id, Meter(meter_key, site_id, site_id))
        before = interval_of(self.context.time_ms + self.gate_ms)
        import_wh, export_wh = registers_wh
        registers = Registers(import_wh, export_wh, 0, Quality.MEASURED)
        self.state.put(REGISTERS, interval_key(before) + site_id, registers)
        self.state.put(LAST_MEASURED, site_id, LastMeasured(before, import_wh, export_wh))

    def add_storage(
        self,
        portfolio_id: bytes,
        capacity_wh: int,
        charge_w: int,
        efficiency_ppm: int,
        alone_with_wh: int | None = None,
    ) -> None:
        """The battery of a site; `alone_with_wh`: nothing else is behind its meter, and so much is in it when the first
        interval that can still be traded begins. `STORAGE_INVALID`."""
        before = interval_of(self.context.time_ms + self.gate_ms)
        registers = self.state.get(REGISTERS, interval_key(before) + portfolio_id)
        import_wh, export_wh = (registers.import_wh, registers.export_wh) if registers else (0, 0)
        alone = alone_with_wh is not None
        told = RegisterStorage(
            portfolio_id, capacity_wh, charge_w, efficiency_ppm, alone, alone_with_wh or 0, import_wh, export_wh
        )
        put_storage(self.state, before, told)

    def add_portfolio(self, portfolio_id: bytes, account_id: bytes, feeder: int) -> None:
        """A portfolio without a site."""
        add_portfolio(self.state, portfolio_id, account_id, feeder, 0, NO_CAPACITY, b"")

    def set_sky(self, zone: int, per_mille_by_month: Mapping[int, tuple[int, ...]]) -> None:
        """What PV can do at most, for each month (1 to 12) and quarter-hour."""
        for month, per_mille in per_mille_by_month.items():
            self.state.put(SKY, sky_key(zone, month), SkyMonth(per_mille))

    def add_holiday(self, day: int) -> None:
        """A day (days since the epoch, Bangkok time) that is off-peak."""
        self.state.put(HOLIDAYS, day_key(day), Holiday())

    def add_maker_programme(self, zone: int, terms: MakerTerms) -> None:
        """What makers of a zone do; who wants to be one enrols later. `PROGRAMME_INVALID`."""
        check_programme(terms)
        self.state.put(MAKER_PROGRAMMES, zone_key(zone), MakerProgramme(terms, (), ()))

    def finish(self) -> bytes:
        """Open the first two days of intervals, and write everything down."""
        self.open_trading()
        return self.export()

    def open_trading(self) -> None:
        """Open today's and tomorrow's intervals; at the next midnight the chain goes on by itself. `ROLE_VACANT` for
        terms with a call phase while nobody gets congestion rent."""
        if self.call_phase_ms:
            holder_of(self.state, RoleName.CONGESTION)
        today = calendar.day_of(interval_of(self.context.time_ms))
        for day in (today, today + 1):
            first = calendar.first_interval_of_day(day)
            for number in range(first, first + INTERVALS_PER_DAY):
                open_interval(self.state, self.context, number)
        opens_ms = calendar.opens_ms(calendar.first_interval_of_day(today + 2))
        schedule.add(self.state, opens_ms, OPEN_DAY, day_key(today + 2))

    def export(self) -> bytes:
        """The genesis bytes; the supply is the sum of the balances, and reserves cover it."""
        money = self.state.rows[MONEY.prefix][MONEY_KEY]
        reserves_micro = max(money.reserves_micro, self.supply_micro)
        funded = Money(money.bank, money.attester, self.supply_micro, reserves_micro, money.attested_ms)
        self.state.put(MONEY, MONEY_KEY, funded)
        return export_state(CONSORTIUM, self.state)
