"""What travels by HTTP beside the market itself: the community's figures, the explorer, bills, the faucet.

The same rules as in `documents`, whose kinds these extend.
"""

import msgspec

from gridtokenx.gateway.documents import AuthDocument, ChallengeText, Document, Request


class CommunitySums(Document):
    """Sums over portfolios: energy as metered and contracted, `bill_micro` (purchases - proceeds + charge - credit)
    and `old_bill_micro`, what the very same meter readings would have cost without the market: import at the tariff
    less export at the buy-back, each rounded down as settlement does for who never trades. Negative bills are income.
    `statements` counts those added up here, `estimated` and `corrected` how many of them were not simply measured."""

    statements: int
    estimated: int
    corrected: int
    import_wh: int
    export_wh: int
    sold_wh: int
    bought_wh: int
    undelivered_wh: int
    unused_wh: int
    other_import_wh: int
    other_export_wh: int
    bill_micro: int
    old_bill_micro: int


class CommunityInterval(CommunitySums):
    """One settled interval, summed over all portfolios; `sites` of them have a meter. `mean_price_micro` is energy
    value by energy of its trades, rounded down; null without trades, and when this gateway did not see them all."""

    interval: int
    delivery_ms: int
    sites: int
    tariff_micro: int
    buy_back_micro: int
    mean_price_micro: int | None


class Community(Document):
    """Settled intervals, rising. Where fewer than `sites_min` sites were metered nothing is published: `withheld`
    counts such intervals in this page. `oldest` is the first interval that this gateway has sums of (0: none yet),
    `next` the `start` of the following page, 0 when there is none."""

    height: int
    time_ms: int
    sites_min: int
    oldest: int
    withheld: int
    intervals: list[CommunityInterval]
    next: int


class ShownHome(Document):
    """A portfolio whose owner agreed to be shown, under this name. `saved_micro` = old bill - bill."""

    name: str
    portfolio: str
    intervals: int
    import_wh: int
    export_wh: int
    sold_wh: int
    bought_wh: int
    bill_micro: int
    old_bill_micro: int
    saved_micro: int


class Savings(Document):
    """What the market was worth since `since` (an interval; 0 when nothing is settled yet) up to and with `until`.
    `saved`, `lost` and `even` count portfolios by their bill against their old one. Counts and `sums` are null while
    fewer than `sites_min` sites are metered. `showcase` holds those who agreed, by name; everybody else is in the
    sums only. It stays empty where one or two others would be left over as the difference to the sums (in a market
    with a faucet all meters are recordings, and nobody has to be hidden)."""

    height: int
    time_ms: int
    since: int
    until: int
    sites_min: int
    portfolios: int
    saved: int | None
    lost: int | None
    even: int | None
    sums: CommunitySums | None
    showcase: list[ShownHome]


class SearchHit(Document):
    """Something that the text may mean. `kind`: `block` (`id` is its height), `transaction`, `account` (`id` as it was
    given), `interval` (`id` is its number). `height` of blocks and transactions, else null; `time_ms` of blocks and
    intervals (start of delivery), else null."""

    kind: str
    id: str
    height: int | None
    time_ms: int | None


class SearchResults(Document):
    """Everything that fits; an empty list when nothing does."""

    hits: list[SearchHit]


class TermsView(Document):
    """One version of the market's terms, and the open or not yet final intervals that opened with it (null: none has,
    it is for those that open next). Prices per kWh; fees in millionths of the energy value."""

    version: int
    first_interval: int | None
    last_interval: int | None
    on_peak_micro: int
    off_peak_micro: int
    buy_back_micro: int
    undelivered_spread_micro: int
    unused_spread_micro: int
    grid_fee_ppm: int
    trading_fee_ppm: int
    wheeling_base_micro: int
    wheeling_feeder_micro: int
    wheeling_border_micro: int
    tick_micro: int
    order_wh_min: int
    gate_ms: int
    call_phase_ms: int
    metering_deadline_ms: int
    correction_ms: int
    arrears_limit_micro: int
    band_ppm: int
    halt_ms: int
    reference_wh: int


class TariffCalendar(Document):
    """When the tariff is on-peak, in Bangkok time (UTC + 7 h): on `weekdays` (Monday is 1) from a minute of the day up
    to another; never on `holidays` (dates as YYYY-MM-DD)."""

    weekdays: list[int]
    on_peak_from_minute: int
    on_peak_to_minute: int
    holidays: list[str]


class TermsInForce(Document):
    """The terms of the interval that is running, the next ones if others are to come, and what does not change with
    them. VAT stands on bills only."""

    height: int
    time_ms: int
    current: TermsView
    next: TermsView | None
    calendar: TariffCalendar
    vat_permille: int


class ZoneView(Document):
    """A bidding zone, its distributor's account, and the zones it borders on."""

    zone: int
    name: str
    distributor: str
    neighbours: list[int]


class FeederView(Document):
    """A feeder below a zone."""

    feeder: int
    zone: int
    name: str


class Places(Document):
    """Rising numbers."""

    zones: list[ZoneView]
    feeders: list[FeederView]


class PublicAccount(Document):
    """What anybody may know of an account: no balance, no portfolio. All but `account` and `exists` are null or empty
    for one that does not exist. `licence`: none, sandbox, prosumer, supplier, dealer; `kyc`: none, pending, verified,
    revoked; `trades` says whether both, and no suspension, let it trade now. `roles`: offices it holds (also `bank`,
    `attester`, `distributor`). `keys_hash` is over algorithm, threshold and keys, which the chain does not hold."""

    account: str
    exists: bool
    height: int
    participant: str | None = None
    licence: str | None = None
    kyc: str | None = None
    trades: bool | None = None
    roles: list[str] = msgspec.field(default_factory=list)
    keys_hash: str | None = None
    nonce_highest: int | None = None


class PurchaseSplit(Document):
    """The purchases of a bill, part by part: energy value + grid fee + wheeling + trading fee = `purchase_cost_micro`,
    exactly."""

    energy_micro: int
    grid_fee_micro: int
    wheeling_micro: int
    trading_fee_micro: int


class SaleSplit(Document):
    """The sales of a bill: energy value - trading fee = `sale_proceeds_micro`, exactly."""

    energy_micro: int
    trading_fee_micro: int


class BillLines(Document):
    """Statements added up. Paid: `purchase_cost_micro` (`purchases` splits it, null when this gateway no longer knows
    all those trades), `other_import_micro` (at the tariff), `undelivered_micro`. Earned: `sale_proceeds_micro`
    (`sales` splits it), `other_export_micro` (at the buy-back), `unused_micro`. What an aggregator's split
    took and gave are `split_charge_micro` and `split_credit_micro`; `rebate_micro` is a maker's part of trading fees,
    earned too. `bill_micro` = paid - earned, to the
    last unit what the ledger moved. `old_bill_micro` is that of the same readings without the market (all import at
    the tariff less all export at the buy-back), `saved_micro` = old bill - bill. VAT is on what is paid, not on what
    is earned, rounded down for each day; no WATT moves for it. `estimated` and `corrected` count statements that were
    not simply measured."""

    intervals: int
    estimated: int
    corrected: int
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    other_import_wh: int
    other_export_wh: int
    undelivered_wh: int
    unused_wh: int
    purchase_cost_micro: int
    purchases: PurchaseSplit | None
    other_import_micro: int
    undelivered_micro: int
    sale_proceeds_micro: int
    sales: SaleSplit | None
    other_export_micro: int
    unused_micro: int
    split_charge_micro: int
    split_credit_micro: int
    rebate_micro: int
    bill_micro: int
    vat_micro: int
    bill_with_vat_micro: int
    old_import_micro: int
    old_export_micro: int
    old_bill_micro: int
    old_vat_micro: int
    old_bill_with_vat_micro: int
    saved_micro: int
    saved_with_vat_micro: int


class BillDay(BillLines):
    """One day in Bangkok (YYYY-MM-DD)."""

    day: str


class Bill(Document):
    """One's own bill, a line for each day that has statements, and the sum of these lines. `left_out` counts
    statements of which this gateway no longer knows the tariff, and which are in no sum."""

    account: str
    height: int
    first_day: str
    last_day: str
    vat_permille: int
    left_out: int
    days: list[BillDay]
    total: BillLines


class FaucetView(Document):
    """Whether this market has a faucet, and whether it is open; `sentence` says why not, or what it is. `profiles` are
    the sites to choose from, `money_micro` the play money, `visitors` how many came of at most `visitors_max`.
    `ends_ms` is when the recorded days are over."""

    exists: bool
    open: bool
    sentence: str
    profiles: list[str] = msgspec.field(default_factory=list)
    money_micro: int = 0
    visitors: int = 0
    visitors_max: int = 0
    ends_ms: int = 0


class FaucetRequest(Request):
    """Who wants to join: a challenge of `POST /v1/challenges` for the account that these keys open, signed by them,
    and which site: `solar-home` or `flat`."""

    challenge: ChallengeText
    auth: AuthDocument
    profile: str


class Recording(Document):
    """Where a visitor's meter rows come from: the recorded rows of `home`, so many days earlier, times `permille` /
    1000 (rounded down); `solar` says whether its PV counts too."""

    home: str
    days_earlier: int
    permille: int
    solar: bool


class FaucetAnswer(Document):
    """A visitor's account. `transactions`: the registration and the gift, to be waited for (`GET
    /v1/transactions/{id}`); `joined` once both are in blocks. `first_interval` is the first that is metered, null
    while the registration is in no block."""

    account: str
    participant: str
    portfolio: str
    profile: str
    joined: bool
    transactions: list[str]
    money_micro: int
    feeder: int
    import_w: int
    solar_w: int
    recording: Recording
    first_interval: int | None


class PastRecord(Document):
    """A record as it was after block `height`: its canonical bytes, or null if there was none. `written`: the block
    that left it so, or `since`, where this node's history begins, if that was earlier; null if there was never such a
    record."""

    height: int
    since: int
    value: str | None
    written: int | None


class RecordVersion(Document):
    """What block `height` left: canonical bytes, or null if it took the record away."""

    height: int
    value: str | None


class RecordVersions(Document):
    """Versions of one record, oldest first. This node's history reaches from block `since` to `until`; the next page
    begins with `first` = `following`, 0: there is none."""

    since: int
    until: int
    versions: list[RecordVersion]
    following: int
