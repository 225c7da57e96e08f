"""What travels by HTTP: the JSON documents of the API, for the gateway that writes and the client that reads them.

Bytes are lower-case hexadecimal text. Numbers are integers with their unit in the name: Wh, millionths of a WATT
(`_micro`), prices in millionths of a WATT per kWh, milliseconds since the epoch in UTC. They may need 63 bits.
Answers gain fields over time, so readers ignore what they do not know; requests are refused for unknown fields.
`stream_documents` has those of the WebSocket.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated

import msgspec

from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.limits import KEYS_PER_ACCOUNT_MAX


class Document(msgspec.Struct):
    """An answer."""


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request, or the parameters behind the question mark."""


Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
"""32 bytes: an account, a transaction, a public key."""
ShortName = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
"""Eight bytes: a portfolio, a client id."""
Signature = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{128}$")]
ChallengeText = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$", max_length=1_024)]
Small = Annotated[int, msgspec.Meta(ge=0, le=255)]

SUBMITTED_MAX = 500
"""Transactions of one request."""


class Challenge(Record, frozen=True):
    """What an account signs to be let in (under `CHALLENGE_DOMAIN`): names the chain, so that it serves on no other
    one. `seal` is the gateway's own mark that it made it; only the gateway that made it can tell."""

    chain: str
    account: bytes
    random: bytes
    expires_ms: int
    seal: bytes


class Problem(Document):
    """Why not (RFC 9457). `code` and `name` are the ledger's, the engine's or the gateway's; `field` says what it is
    about, `detail` what is the matter with it. `title` says in the reader's language what happened and what to do,
    `type` is where all languages are found, `instance` names this one occurrence in the gateway's log."""

    code: int
    name: str
    field: str
    detail: str
    type: str = "about:blank"
    title: str = ""
    status: int = 0
    instance: str | msgspec.UnsetType = msgspec.UNSET


class Submission(Request):
    """Signed transactions, in hexadecimal or base64."""

    transactions: Annotated[list[str], msgspec.Meta(min_length=1, max_length=SUBMITTED_MAX)]


class PathStep(Document):
    """A sibling on the way from a leaf to a root of a list."""

    right: bool
    hash: str


class AcceptanceView(Document):
    """The node's promise that it took a transaction in, to be shown to anybody: the header of the batch, the node's
    signature under it, and the way from the transaction's bytes to the root in the header."""

    header: str
    signature: str
    path: list[PathStep]


class Submitted(Document):
    """What became of one submitted transaction: `pending` (it is on the node's disk), `refused` with a code, `busy`
    (not taken, try again), `committed` if it was known already. `id` is empty for what is not even a transaction;
    `acceptance` is there for a pending one, if it was asked for."""

    id: str
    state: str
    code: int
    name: str
    field: str
    acceptance: AcceptanceView | None = None


class SubmissionAnswer(Document):
    """One answer for each transaction, in order."""

    transactions: list[Submitted]


class TransactionView(Document):
    """State of a transaction: `pending`, `committed`, `expired`, or `unknown` here. When committed: the code, the
    index of the message that failed (if the code is not 0), the numbers of each message, where it stands, and which
    kinds of messages it has (`docs/messages.md`)."""

    id: str
    state: str
    code: int | None = None
    name: str | None = None
    failed: int | None = None
    results: list[list[int]] = []
    height: int | None = None
    time_ms: int | None = None
    batch: int | None = None
    position: int | None = None
    kinds: list[str] = []


class StateProof(Document):
    """The bucket and the way from it to the app hash (`ledger/commitment.py`)."""

    items: str
    path: list[str]


class StateClaim(Document):
    """That the state with this root (the app hash of a block) holds `value` under `key`, or nothing (null), and the
    proof: what `docs/check_proof.py` checks."""

    root: str
    key: str
    value: str | None
    proof: StateProof


class ReceiptProof(Document):
    """Everything that shows a stranger, who knows the app hash of the block, what became of a transaction: receipt →
    root of its batch → receipts root, which stands in the block's own record (`claim`) → app hash."""

    transaction: str
    height: int
    receipt: str
    batch_path: list[PathStep]
    batch_root: str
    block_path: list[PathStep]
    claim: StateClaim


class RecordProof(Document):
    """What the state after block `height` says of one record."""

    name: str
    height: int
    claim: StateClaim


class ZonePrice(Document):
    """Of an auction."""

    zone: int
    price_micro: int


class IntervalView(Document):
    """A delivery interval that is open, or was and is not final yet. Volumes are of the trades that this gateway has
    seen. `phase`: `trading`; `call` (from `call_ms` on orders collect for the auction at the gate); `clearing` (the
    auction is at work); `closed`. `stage` is that of settlement. `zone_prices`: what the auction decided."""

    interval: int
    delivery_ms: int
    gate_ms: int
    phase: str
    stage: str
    tariff_micro: int
    buy_back_micro: int
    terms: int
    open_orders: int
    best_bid_micro: int | None
    best_ask_micro: int | None
    last_price_micro: int | None
    traded_wh: int
    traded_micro: int
    call_ms: int | None = None
    zone_prices: list[ZonePrice] = []


class AuctionPlace(Document):
    """A zone, or a feeder whose link to its zone has a limit: its price, and what its orders sold and bought."""

    zone: int
    feeder: int | None
    price_micro: int
    sold_wh: int
    bought_wh: int


class AuctionLink(Document):
    """A border between two zones, or (`second` null) the link of a feeder. What was free each way, what flows (forward
    above zero), what of the difference of prices pays wheeling, and the congestion rent."""

    first: int
    second: int | None
    forward_free_wh: int
    backward_free_wh: int
    flow_wh: int
    wheeling_micro: int
    rent_micro: int


class AuctionView(Document):
    """The auction of an interval. `state`: `open` (orders do not collect yet, or there is no call phase), `indicative`
    (what it would be if the gate were now), `clearing` (at work), `final`, `none` (there was none). Places that are not
    listed have no price. `method` is `solved`, or `apart` where each place was cleared by itself."""

    interval: int
    height: int
    time_ms: int
    state: str
    too_many_orders: bool = False
    orders: int | None = None
    method: str | None = None
    welfare_micro: int = 0
    places: list[AuctionPlace] = []
    links: list[AuctionLink] = []


class HaltView(Document):
    """A halt of trade: of one interval (null: all) in one zone (null: all), until then (null: until the operator
    resumes). `reason`: `band` (trading would have left the price band), or the operator's: `grid_emergency`,
    `doubtful_prices`, `technical_fault`, `suspected_abuse`, `exercise`. `stage`: `collecting`; `calling` and `meeting`
    while it ends. `extended`: the price of its call lay beyond the band once, or it was ended before its time."""

    interval: int | None
    zone: int | None
    since_ms: int
    until_ms: int | None
    reason: str
    stage: str
    extended: bool


class ReferenceView(Document):
    """The reference price of a zone, the band around it in which its sellers' trades lie (null: any price), the block
    in which it changed last (null: since the interval opened), and its parts, whose sum it is, kept within tariff and
    buy-back and on the tick. `traded_wh`: energy of trades that counts. `halts_by_band`: interruptions so far; `halts`:
    those that hold now."""

    zone: int
    price_micro: int
    low_micro: int | None
    high_micro: int | None
    changed_height: int | None
    anchor_micro: int
    called_micro: int
    trades_micro: int
    renewable_micro: int
    book_micro: int
    congestion_micro: int
    traded_wh: int
    halts_by_band: int
    halts: list[HaltView]


class PricesView(Document):
    """Reference prices of an interval in all zones. `band_ppm`: how far from it a trade may lie (0: as it likes);
    `reference_wh`: so much energy traded weighs as much as what the price began with. `closed`: the gate has closed, no
    more will come."""

    interval: int
    height: int
    time_ms: int
    band_ppm: int
    reference_wh: int
    closed: bool
    zones: list[ReferenceView]


class Intervals(Document):
    """Rising; `next` is the `start` of the following page, 0 when there is none."""

    height: int
    time_ms: int
    intervals: list[IntervalView]
    next: int


class Level(Document):
    """Orders of one side, limit, feeder, source and scope (0 anywhere, 1 their zone, 2 their feeder). A seller's source
    has one bit set in `sources`, a buyer's mask has the bits of all sources it takes. Of an iceberg only what it shows
    counts. In a stream update, quantity 0 means that the level is gone."""

    price_micro: int
    feeder: int
    sources: int
    quantity_wh: int
    orders: int
    scope: int = 0


def checksum_of(bids: Iterable[Level], asks: Iterable[Level]) -> str:
    """First 16 hexadecimal digits of SHA-256 over one line a level, lines sorted: `side price_micro feeder sources
    quantity_wh orders scope`, each line ended by a line feed, side `buy` or `sell`."""
    lines = [
        f"{side} {level.price_micro} {level.feeder} {level.sources} {level.quantity_wh} {level.orders} {level.scope}\n"
        for side, levels in (("buy", bids), ("sell", asks))
        for level in levels
    ]
    return sha256("".join(sorted(lines)).encode()).hexdigest()[:16]


class DeliveredLevel(Document):
    """What a trader on the asked-for feeder meets: for a buyer the delivered price of offers, for a seller what it
    would get from bids (their limit less wheeling), over the ways that links still leave: only as much as they let
    through, and nothing that its scope keeps elsewhere. `nearness`: 0 same feeder, 1 same zone, then 1 + borders."""

    delivered_micro: int
    price_micro: int
    nearness: int
    feeder: int
    sources: int
    quantity_wh: int
    orders: int


class BookView(Document):
    """Depth of one interval at a height, best first. `checksum` is over all levels (`checksum_of`), however many of
    them are shown."""

    interval: int
    height: int
    time_ms: int
    checksum: str
    levels: int
    bids: list[Level]
    asks: list[Level]
    feeder: int | None = None
    delivered_bids: list[DeliveredLevel] | None = None
    delivered_asks: list[DeliveredLevel] | None = None


class TradeView(Document):
    """One trade, without names. `sequence` rises with every trade on the chain: height and place in the block.
    `voids`: not a trade, but the end of the trade with that sequence, which it repeats: the block that made it stood on
    a stale clock (`docs/market-rules.md`). Who adds trades up leaves out both. `auction`: what one order traded with
    the auction of its interval; `taker` is its side, a purchase's `source` is `any`, and each Wh comes twice, sold and
    bought. `zones`: all that the energy passes, the seller's first, if it crosses borders."""

    sequence: int
    height: int
    time_ms: int
    interval: int
    quantity_wh: int
    price_micro: int
    wheeling_micro: int
    taker: str
    source: str
    voids: int | None = None
    auction: bool = False
    zones: list[int] = []


class Trades(Document):
    """`next` is the `after` of the following page; `oldest` is the first sequence that this gateway still has."""

    trades: list[TradeView]
    next: int
    oldest: int


class SummaryView(Document):
    """What a block did, in the world's own units."""

    traded_wh: int
    traded_micro: int
    metered_import_wh: int
    metered_export_wh: int
    settled_wh: int
    settled_micro: int
    voided_wh: int
    voided_micro: int


class BlockLine(Document):
    """One block in a list. `trades` counts those that it voided, too."""

    height: int
    time_ms: int
    hash: str
    app_hash: str
    transactions: int
    trades: int
    summary: SummaryView


class Blocks(Document):
    """Newest first; `next` is the `before` of the following page, 0 when there is none."""

    blocks: list[BlockLine]
    next: int


class BatchView(Document):
    """One batch of a block: its code, its author, and each transaction's id with its code and the kinds of its
    messages (`docs/messages.md`)."""

    code: int
    name: str
    author: str
    transactions: list[str]
    codes: list[int]
    kinds: list[list[str]]


class BlockView(Document):
    """A block with its header. `hash` is the header's. `commit_round` is the round in which the block before it was
    agreed (0: at once), `absent` the validators whose votes on that one it does not hold; null and none with a block
    that carries nothing about the one before."""

    height: int
    time_ms: int
    chain: str
    hash: str
    app_hash: str
    proposer: str
    previous: str
    app_hash_before: str
    batches_root: str
    commit_hash: str
    commit_round: int | None
    absent: list[str]
    receipts_root: str
    trades_root: str
    summary: SummaryView
    trades: int
    batches: list[BatchView]


class StatusView(Document):
    """Where the chain is. `time_ms` is chain time: what expiries are counted from. `frozen_since_ms`: since then the
    market is stopped by its emergency rules, and orders and payments are refused; null while it goes on."""

    chain: str
    kind: str
    protocol: int
    height: int
    time_ms: int
    app_hash: str
    interval: int
    intervals_open: int
    orders_open: int
    version: str
    frozen_since_ms: int | None = None


class HealthView(Document):
    """`live`: the process answers. `ready`: it can do its work; else `reasons` says why not."""

    live: bool
    ready: bool
    reasons: list[str]
    height: int


class CodeLine(Document):
    """A code, its name, and what it means to people: in English, in Thai."""

    code: int
    name: str
    en: str = ""
    th: str = ""


class Codes(Document):
    """All codes, rising."""

    codes: list[CodeLine]


class ChallengeRequest(Request):
    """Who wants to be let in."""

    account: Hash


class ChallengeAnswer(Document):
    """The bytes to sign, and for how long they are good."""

    challenge: str
    lifetime_ms: int


class AuthDocument(Request):
    """As in a transaction: the account's whole key list, and (index of the key, signature) of `threshold` of them."""

    algorithm: Small
    threshold: Small
    keys: Annotated[list[Hash], msgspec.Meta(max_length=KEYS_PER_ACCOUNT_MAX)]
    signatures: Annotated[list[tuple[Small, Signature]], msgspec.Meta(max_length=KEYS_PER_ACCOUNT_MAX)]


class SessionRequest(Request):
    """A challenge, signed by the account's keys."""

    challenge: ChallengeText
    auth: AuthDocument


class SessionAnswer(Document):
    """A token for the header `Authorization: Bearer ...`."""

    token: str
    account: str
    lifetime_ms: int


class AccountView(Document):
    """One's own account. Free balance = balance - held."""

    account: str
    participant: str
    height: int
    time_ms: int
    balance_micro: int
    held_micro: int
    free_micro: int
    debt_micro: int
    nonce_highest: int
    nonce_gaps: str
    keys_hash: str
    portfolios: list[str]


class OrderView(Document):
    """An own order. `state`: `pending` (accepted, in no block yet), `open`, `filled`, `cancelled` (by its owner, or
    the rest of one that does not rest), `ended` (gate, own time, or no longer allowed), `rejected` (with code).
    `transaction` is the last one that named it, empty if this gateway no longer knows. `voided_wh`: so much of what it
    filled is void (`docs/market-rules.md`), and `value_micro` is without it. `intervals`: of a block order how many, of
    which `interval` is the earliest; its quantities are those of all of them. `plain`: of an open one, whether it takes
    part in the auction of its interval if it stays as it is."""

    client_id: str
    state: str
    height: int
    transaction: str = ""
    code: int = 0
    name: str = ""
    interval: int | None = None
    side: str | None = None
    portfolio: str | None = None
    price_micro: int | None = None
    quantity_wh: int | None = None
    filled_wh: int | None = None
    remaining_wh: int | None = None
    value_micro: int | None = None
    expires_ms: int | None = None
    place: int | None = None
    voided_wh: int = 0
    plain: bool | None = None
    intervals: int = 1


class BlockOrderView(Document):
    """A block order that waits, without a name. `quantity_wh` is that of each interval, `interval` the earliest of
    them; `sources` as of a level of a book, `scope` is `anywhere`, `zone` or `feeder`."""

    place: int
    side: str
    interval: int
    intervals: int
    price_micro: int
    quantity_wh: int
    feeder: int
    sources: int
    scope: str
    expires_ms: int


class BlockOrders(Document):
    """All that wait, in the order in which they are tried again."""

    height: int
    block_orders: list[BlockOrderView]


class Orders(Document):
    """`next` is the `after` of the following page, empty when there is none."""

    height: int
    orders: list[OrderView]
    next: str


class PositionView(Document):
    """What a portfolio traded in one interval."""

    interval: int
    portfolio: str
    sold_wh: int
    bought_wh: int
    open_sell_wh: int
    open_buy_wh: int
    sale_value_micro: int
    purchase_cost_micro: int
    collateral_micro: int


class Positions(Document):
    """Rising intervals; `next` is the `start` of the following page, 0 when there is none."""

    height: int
    positions: list[PositionView]
    next: int


class StatementView(Document):
    """The result of one interval for one portfolio. Charge and credit are with the residual supplier: by the meter,
    and of a split (a member's part of a loss or a gain; of a portfolio with members what it takes over and passes
    on). `rebate_micro`: what a maker got of the interval's trading fees."""

    interval: int
    portfolio: str
    quality: str
    import_wh: int
    export_wh: int
    sold_wh: int
    bought_wh: int
    undelivered_wh: int
    unused_wh: int
    other_import_wh: int
    other_export_wh: int
    purchase_cost_micro: int
    sale_proceeds_micro: int
    charge_micro: int
    credit_micro: int
    split_charge_micro: int
    split_credit_micro: int
    rebate_micro: int


class Statements(Document):
    """Rising intervals; `oldest` is the first interval that this gateway can tell of, `next` the `after` of the
    following page, 0 when there is none."""

    height: int
    oldest: int
    statements: list[StatementView]
    next: int
