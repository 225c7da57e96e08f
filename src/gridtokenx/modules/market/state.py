"""Keys and records of the market."""

from collections.abc import Iterator
from enum import IntEnum

from gridtokenx.ledger.account import ACCOUNT_BYTES
from gridtokenx.ledger.by_interval import KeysByInterval
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import Index, State, Table
from gridtokenx.ledger.transaction import AccountId, Small, Whole
from gridtokenx.modules.grid.state import Signed
from gridtokenx.modules.identity.messages import Feeder16, Pseudonym
from gridtokenx.modules.market.messages import ClientId, Interval32, MakerTerms, Terms


class Phase(IntEnum):
    """Of a delivery interval. Orders are refused by time, not by phase."""

    TRADING = 0
    CLOSED = 1


class GateStage(IntEnum):
    """Of an auction, from the gate until its orders are gone."""

    SORTING = 0
    """Orders that do not take part are cancelled."""
    SOLVING = 1
    BOOKING = 2
    CANCELLING = 3
    """There is no auction: all orders are cancelled."""


class TermsVersion(Record, frozen=True):
    """The version that intervals open with from now on."""

    version: Whole


class Interval(Record, frozen=True):
    """A delivery interval that is, or was, open. Prices in millionths of a WATT per kWh."""

    terms: Whole
    tariff_micro: Whole
    gate_ms: Whole
    phase: Small


class Order(Record, frozen=True):
    """An open order. Its key is account ‖ client id. A seller's `source` is one source; a buyer's is a
    bit mask of the sources it accepts. `price_micro` is the limit: what a seller gets in its zone, what a
    buyer pays delivered. `place` is its rank in time. `display_wh`: of an iceberg, the size of its parts; `shown_wh`:
    what is left of the part that can be met now; both 0 for an order that shows all of itself."""

    portfolio: Pseudonym
    participant: Pseudonym
    interval: Interval32
    side: Small
    price_micro: Whole
    remaining_wh: Whole
    source: Small
    feeder: Feeder16
    place: Whole
    expires_ms: Whole
    quantity_wh: Whole
    scope: Small = 0
    display_wh: Whole = 0
    shown_wh: Whole = 0


class BlockOrder(Record, frozen=True):
    """A block order that waits. Its key is account ‖ client id, a name that no open order has. `quantity_wh` is that of
    each of its intervals, of which `interval` is the earliest; `price_micro`, `source`, `place` as of an order;
    `tried_ms`: when it was last tried. Its escrow is held, and its energy counts as open in the position of each
    interval."""

    portfolio: Pseudonym
    participant: Pseudonym
    interval: Interval32
    intervals: Small
    side: Small
    price_micro: Whole
    quantity_wh: Whole
    source: Small
    feeder: Feeder16
    place: Whole
    expires_ms: Whole
    tried_ms: Whole
    scope: Small = 0

    def legs(self) -> Iterator[Order]:
        """One order for each of its intervals, in their order."""
        for interval in range(self.interval, self.interval + self.intervals):
            yield Order(
                self.portfolio,
                self.participant,
                interval,
                self.side,
                self.price_micro,
                self.quantity_wh,
                self.source,
                self.feeder,
                self.place,
                self.expires_ms,
                self.quantity_wh,
                self.scope,
            )


class Position(Record, frozen=True):
    """What a portfolio did in one interval. Key: interval ‖ portfolio. `purchase_cost_micro` is held of
    the account until settlement, and so is `collateral_micro`."""

    sold_wh: Whole
    bought_wh: Whole
    open_sell_wh: Whole
    open_buy_wh: Whole
    sale_value_micro: Whole
    sale_fee_micro: Whole
    purchase_value_micro: Whole
    purchase_cost_micro: Whole
    collateral_micro: Whole


class Due(Record, frozen=True):
    """What trades of an interval owe to a payee other than the seller. Key: interval ‖ account."""

    amount_micro: Whole


class SkyMonth(Record, frozen=True):
    """Most that PV can do, per mille of its capacity, for each quarter-hour of a day (Bangkok time)."""

    per_mille: tuple[Whole, ...]


class Holiday(Record, frozen=True):
    """A day that is off-peak all day. Key: days since the epoch in Bangkok time."""


class Trade(Record, frozen=True):
    """One fill, as it stands under the trades root of its block: what each side paid follows from it and from the
    terms of its interval. `collateral_micro` is held of the seller for it. `zones`: all that the energy passes, the
    seller's first, if it crosses borders.

    What an order trades in an auction it trades with the auction: then the other side is nobody (`NOBODY`, and zeros
    for its order and portfolio), a purchase's `source` is its mask, and there is one such record for each order that
    trades.

    `voids` is 0; or this takes back the trade of that number (`trade_number`), which it repeats.
    """

    interval: Interval32
    buyer: AccountId
    buyer_order: ClientId
    seller: AccountId
    seller_order: ClientId
    quantity_wh: Whole
    price_micro: Whole
    wheeling_micro: Whole
    taker_side: Small
    source: Small
    buyer_portfolio: Pseudonym
    seller_portfolio: Pseudonym
    collateral_micro: Whole
    voids: Whole
    zones: tuple[Small, ...] = ()


class StaleTrades(Record, frozen=True):
    """Trades of a block that traded on a stale clock, until they have been looked at: those are voided whose gate does
    not lie after `until_ms`, the time of the next block. Key: number of the first."""

    until_ms: Whole
    trades: tuple[bytes, ...]


class Auction(Record, frozen=True):
    """How far the auction of an interval is, from its gate until all is booked. `stale_height`: orders of this block do
    not take part (0: of none). `cursor`: the last order that was sorted or booked. `steps`: done of the solution.
    `free`: (link, forward Wh, backward Wh) that counted when it began, in the order that decides between equals.
    `halves_micro`: of the feeder part of wheeling, what is booked so far for the sellers' distributors."""

    stage: Small
    stale_height: Whole
    cursor: bytes
    steps: Whole
    free: tuple[tuple[Whole, Whole, Whole], ...]
    halves_micro: Whole


class ClearedNode(Record, frozen=True):
    """What the auction decided for a zone, or for a feeder whose link has a limit (`place`: its link's number). Sales
    below the cut and purchases above it (worth at the node) trade in full; of those at it the ones placed before
    `sells_until` and `buys_until`, and of the one placed then so many Wh. 0 for none. A place that is not listed has no
    price, and nothing trades there."""

    place: Whole
    price_micro: Signed
    cut_micro: Signed
    sells_until: Whole
    sells_last_wh: Whole
    buys_until: Whole
    buys_last_wh: Whole
    sold_wh: Whole
    bought_wh: Whole


class ClearedLink(Record, frozen=True):
    """What the auction sends over a link, forward above zero, of what was free; of the difference of prices what goes
    to transmission and what is congestion rent."""

    link: Whole
    forward_free_wh: Whole
    backward_free_wh: Whole
    flow_wh: Signed
    wheeling_micro: Whole
    rent_micro: Whole


class Clearing(Record, frozen=True):
    """What the auction of an interval decided; it stays as long as the interval. With it and an order everybody can say
    what the order trades. Key: interval."""

    method: Small
    welfare_micro: Whole
    nodes: tuple[ClearedNode, ...]
    links: tuple[ClearedLink, ...]


class Reference(Record, frozen=True):
    """The reference price of a zone in an interval, and what it is made of (millionths of a WATT per kWh): the sum of
    the parts, within what both sides have elsewhere, on the tick. It is that of `anchor_micro` alone while there is
    none. Key: interval ‖ zone.

    `called_micro`: by how much the last call or auction was away from the anchor. `traded_wh`, `traded_micro`: energy
    that still counts since then, and what it cost; `other_wh`, `other_micro`: of that what was not renewable. `halts`:
    how often trading was interrupted here. `height`: the block in which the price or a part of it changed last."""

    height: Whole
    price_micro: Whole
    anchor_micro: Whole
    called_micro: Signed
    trades_micro: Signed
    renewable_micro: Signed
    book_micro: Signed
    congestion_micro: Signed
    traded_wh: Whole
    traded_micro: Whole
    other_wh: Whole
    other_micro: Whole
    halts: Small


class HaltStage(IntEnum):
    """Of a halt."""

    COLLECTING = 0
    """Nothing trades."""
    CALLING = 1
    """It is over: what collected meets at one price."""
    MEETING = 2
    """What is left meets whatever it still can, as orders that come in do."""


class Halted(Record, frozen=True):
    """Trade is halted. `until_ms` is 0 until somebody resumes. `order`: the key of the order that would have left the
    band and cannot go before the call; empty if there is none. `extended`: its call would have left the band too, once.
    Key: interval ‖ zone, 0 for all."""

    since_ms: Whole
    until_ms: Whole
    reason: Small
    stage: Small
    extended: bool
    order: bytes


class MakerEnd(IntEnum):
    """Why somebody will be a maker no longer."""

    NONE = 0
    LEFT = 1
    ENDED = 2
    """By the operator."""
    DROPPED = 3
    """After too many intervals in a row without presence."""


class Verdict(IntEnum):
    """Of a maker's presence in an interval, at its gate."""

    OPEN = 0
    KEPT = 1
    MISSED = 2
    EXCUSED = 3
    """Nobody could trade in any of the time that counts."""


class Maker(Record, frozen=True):
    """A maker of a zone from interval `first` on, until `until` (0: no end is known). `missed_in_a_row`: intervals, up
    to the last gate."""

    portfolio: Pseudonym
    first: Whole
    until: Whole
    missed_in_a_row: Whole
    end: Small


class MakerProgramme(Record, frozen=True):
    """What makers of a zone do, and who they are, by when they enrolled. `still`: (from, until) of the last times in
    which the chain stood still, the earliest first: they count for nobody's presence. Key: zone."""

    terms: MakerTerms
    makers: tuple[Maker, ...]
    still: tuple[tuple[Whole, Whole], ...]


class MakerDuty(Record, frozen=True):
    """A maker's presence in one interval. Key: interval ‖ portfolio, as of its position.

    From `from_ms` until `until_ms` time counts; `held_ms` of it the maker was present, and since `since_ms` it is (0:
    it is not). Orders placed before `place` do not count. `fees_micro`: trading fees of both sides of trades in which
    its orders rested. After the verdict `rebate_micro` is what it got of them.
    `halted`: (from, until) of the last times in which this interval was halted in its zone; they do not count."""

    asked: MakerTerms
    place: Whole
    from_ms: Whole
    until_ms: Whole
    since_ms: Whole = 0
    held_ms: Whole = 0
    fees_micro: Whole = 0
    rebate_micro: Whole = 0
    verdict: Small = 0
    halted: tuple[tuple[Whole, Whole], ...] = ()


TERMS: Table[Terms] = Table(0x60, "terms", Terms)
TERMS_VERSION: Table[TermsVersion] = Table(0x61, "terms_version", TermsVersion)
INTERVALS: Table[Interval] = Table(0x62, "intervals", Interval)
ORDERS: Table[Order] = Table(0x63, "orders", Order)
POSITIONS: Table[Position] = Table(0x64, "positions", Position)
DUES: Table[Due] = Table(0x65, "dues", Due)
SKY: Table[SkyMonth] = Table(0x66, "sky", SkyMonth)
HOLIDAYS: Table[Holiday] = Table(0x67, "holidays", Holiday)
STALE_TRADES: Table[StaleTrades] = Table(0x68, "stale_trades", StaleTrades)
AUCTIONS: Table[Auction] = Table(0x69, "auctions", Auction)
CLEARINGS: Table[Clearing] = Table(0x6A, "clearings", Clearing)
REFERENCES: Table[Reference] = Table(0x6B, "references", Reference)
HALTS: Table[Halted] = Table(0x6C, "halts", Halted)
MAKER_PROGRAMMES: Table[MakerProgramme] = Table(0x6D, "maker_programmes", MakerProgramme)
MAKER_DUTIES: Table[MakerDuty] = Table(0x6E, "maker_duties", MakerDuty, common=("asked",))
BLOCK_ORDERS: Table[BlockOrder] = Table(0x6F, "block_orders", BlockOrder)

OPEN_DAY = 0x60
CLOSE_GATE = 0x61
EXPIRE_ORDER = 0x62
METERING_DEADLINE = 0x63
INTERVAL_FINAL = 0x64
VOID_TRADES = 0x65
UPDATE_REFERENCE = 0x66
END_HALT = 0x67
TRY_BLOCK_ORDERS = 0x6A
"""Kinds of scheduled work; settlement answers METERING_DEADLINE and INTERVAL_FINAL."""

EMPTY_POSITION = Position(0, 0, 0, 0, 0, 0, 0, 0, 0)

NOBODY = bytes(ACCOUNT_BYTES)
"""Stands in a trade for the side that an order of an auction meets."""
NO_PORTFOLIO = bytes(8)
"""Its portfolio there."""


def order_key(account: bytes, client_id: bytes) -> bytes:
    """Account ‖ client id."""
    return account + client_id


def account_of_order(key: bytes) -> bytes:
    """The account part of an order's key."""
    return key[:ACCOUNT_BYTES]


def client_id_of_order(key: bytes) -> bytes:
    """The client id part of an order's key."""
    return key[ACCOUNT_BYTES:]


def is_of_auction(trade: Trade) -> bool:
    """Whether an order traded with the auction, not with another order."""
    return NOBODY in (trade.buyer, trade.seller)


def position_key(interval: int, portfolio: bytes) -> bytes:
    """Interval ‖ portfolio."""
    return interval_key(interval) + portfolio


def terms_key(version: int) -> bytes:
    """Four bytes, big-endian."""
    return version.to_bytes(4, "big")


def sky_key(zone: int, month: int) -> bytes:
    """Zone ‖ month (1 to 12)."""
    return bytes([zone, month])


def zone_interval_key(interval: int, zone: int) -> bytes:
    """Interval ‖ zone."""
    return (interval << 8 | zone).to_bytes(5, "big")


def day_key(day: int) -> bytes:
    """Days since the epoch, four bytes, big-endian."""
    return day.to_bytes(4, "big")


TRADE_PLACE_BITS = 24
"""Of a trade's number: its place in its block. The rest is the height, so numbers rise and fit 53 bits."""


def trade_number(height: int, place: int) -> int:
    """Names a trade on the chain."""
    return height << TRADE_PLACE_BITS | place


def trade_key(number: int) -> bytes:
    """Eight bytes, big-endian."""
    return number.to_bytes(8, "big")


POSITIONS_BY_INTERVAL: Index[KeysByInterval] = Index(
    "positions_by_interval", lambda state: KeysByInterval(POSITIONS, state)
)
DUES_BY_INTERVAL: Index[KeysByInterval] = Index("dues_by_interval", lambda state: KeysByInterval(DUES, state))
DUTIES_BY_INTERVAL: Index[KeysByInterval] = Index(
    "duties_by_interval", lambda state: KeysByInterval(MAKER_DUTIES, state)
)


def open_orders(state: State) -> Iterator[tuple[bytes, Order]]:
    """(key, order) of all open orders, and of each leg of the block orders that wait."""
    yield from state.items(ORDERS)
    for key, block in state.items(BLOCK_ORDERS):
        for leg in block.legs():
            yield key, leg


def invariants(state: State) -> Iterator[str]:
    """Each position's open quantities are the sums of its open orders, and of the legs of block orders that wait."""
    open_wh: dict[tuple[bytes, int], int] = {}
    for key, order in open_orders(state):
        own = (position_key(order.interval, order.portfolio), order.side)
        open_wh[own] = open_wh.get(own, 0) + order.remaining_wh
        if order.remaining_wh <= 0:
            yield f"order {key.hex()} is open with nothing left"
    for key in state.keys(BLOCK_ORDERS):
        if state.get(ORDERS, key) is not None:
            yield f"order {key.hex()} and a block order have one name"
    for key, auction in state.items(AUCTIONS):
        interval = state.get(INTERVALS, key)
        if interval is None or interval.phase != Phase.TRADING:
            yield f"auction {key.hex()} is at work on an interval that is not open"
        if (auction.stage == GateStage.BOOKING) != (state.get(CLEARINGS, key) is not None) and (
            auction.stage != GateStage.CANCELLING
        ):
            yield f"auction {key.hex()} is in stage {auction.stage}, and its outcome says otherwise"
    for key, clearing in state.items(CLEARINGS):
        if sum(node.sold_wh - node.bought_wh for node in clearing.nodes):
            yield f"auction {key.hex()} sold other energy than it bought"
    for key, position in state.items(POSITIONS):
        wanted = (open_wh.pop((key, 0), 0), open_wh.pop((key, 1), 0))
        if wanted != (position.open_buy_wh, position.open_sell_wh):
            yield f"position {key.hex()} and its open orders disagree"
    for key, side in sorted(open_wh):
        yield f"orders without a position: {key.hex()} side {side}"
