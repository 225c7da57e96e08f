"""What can be asked of the market, and its codes. Tags 0x60 to 0x6f, codes 300 to 399."""

from enum import IntEnum
from typing import Annotated

import msgspec

from gridtokenx.ledger.codec import Message, Record
from gridtokenx.ledger.transaction import Small, Whole
from gridtokenx.modules.identity.messages import Pseudonym

CLIENT_ID_BYTES = 8

ClientId = Annotated[bytes, msgspec.Meta(min_length=CLIENT_ID_BYTES, max_length=CLIENT_ID_BYTES)]
Interval32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class Side(IntEnum):
    """Of an order."""

    BUY = 0
    SELL = 1


class Terms(Record, frozen=True):
    """Parameters of the market (`docs/market-rules.md`). An interval keeps the version it opened with."""

    on_peak_micro: Whole
    off_peak_micro: Whole
    buy_back_micro: Whole
    undelivered_spread_micro: Whole
    unused_spread_micro: Whole
    grid_fee_ppm: Whole
    trading_fee_ppm: Whole
    wheeling_base_micro: Whole
    wheeling_feeder_micro: Whole
    wheeling_border_micro: Whole
    tick_micro: Whole
    order_wh_min: Whole
    gate_ms: Whole
    call_phase_ms: Whole
    metering_deadline_ms: Whole
    correction_ms: Whole
    arrears_limit_micro: Whole
    band_ppm: Whole
    """How far from the reference price of the seller's zone a trade's price may lie; 0: as far as it likes."""
    halt_ms: Whole
    """For how long a zone's interval halts where trading would leave the band; 0: it does not halt."""
    reference_wh: Whole
    """So much energy traded weighs as much in a reference price as what it began with."""


BUY, SELL = int(Side.BUY), int(Side.SELL)
"""The same as plain numbers, for the places where time counts."""


class TimeInForce(IntEnum):
    """How long what does not fill at once stays: until the gate, until its own time, or not at all."""

    GOOD_TILL_GATE = 0
    GOOD_TILL_TIME = 1
    IMMEDIATE_OR_CANCEL = 2
    FILL_OR_KILL = 3


class Scope(IntEnum):
    """How far an order looks for others, and others for it: to any zone that can be reached, in its own zone, on its
    own feeder."""

    ANYWHERE = 0
    ZONE = 1
    FEEDER = 2


class HaltReason(IntEnum):
    """Why a zone's interval, a zone or the market is halted. The first is the ledger's, the others the operator's."""

    BAND = 0
    """Trading would have left the price band."""
    GRID_EMERGENCY = 1
    DOUBTFUL_PRICES = 2
    TECHNICAL_FAULT = 3
    SUSPECTED_ABUSE = 4
    EXERCISE = 5


class MarketCode(IntEnum):
    """Why the market says no."""

    INTERVAL_NOT_OPEN = 300
    GATE_CLOSED = 301
    SIDE_UNKNOWN = 302
    PRICE_OFF_TICK = 303
    PRICE_OUT_OF_RANGE = 304
    QUANTITY_TOO_SMALL = 305
    QUANTITY_TOO_LARGE = 306
    TIME_IN_FORCE_UNKNOWN = 307
    EXPIRY_IN_PAST = 308
    SOURCE_INVALID = 309
    ORDER_EXISTS = 310
    ORDER_UNKNOWN = 311
    NOT_YOUR_PORTFOLIO = 312
    NOT_ALLOWED_TO_TRADE = 313
    POSITION_LIMIT = 314
    FILL_OR_KILL_NOT_FILLED = 315
    MINIMUM_NOT_FILLED = 316
    POST_ONLY_WOULD_TRADE = 317
    OPTIONS_CONFLICT = 318
    CANCELLED_IN_THIS_BLOCK = 319
    ARREARS_TOO_HIGH = 320
    TERMS_INVALID = 321
    NOTHING_TO_AMEND = 322
    SCOPE_UNKNOWN = 323
    DISPLAY_TOO_SMALL = 324
    CALL_TAKES_PLAIN = 325
    HALT_INVALID = 326
    HALT_UNKNOWN = 327
    HALT_HOLDS_ORDER = 328
    NO_MAKER_PROGRAMME = 332
    PROGRAMME_INVALID = 333
    MAKERS_EXCEEDED = 334
    MAKER_ALREADY = 335
    NOT_A_MAKER = 336
    MAKER_TOO_SMALL = 337
    BLOCK_LENGTH_INVALID = 338
    BLOCK_ORDERS_TOO_MANY = 339
    BLOCK_NOT_AMENDED = 340


class MakerTerms(Record, frozen=True):
    """What makers of a zone do, and what they get for it (`docs/market-rules.md`, "Makers").

    In each interval, of the time that counts (the last `window_ms` of trading at once; 0: all since it opened), for at
    least `presence_per_mille`: a purchase and a sale of `size_wh` each, at most `spread_micro` per kWh apart. Who does
    gets `rebate_ppm` of the trading fees that both sides paid where its orders rested. Who misses `misses_max`
    intervals in a row is a maker no longer. Of `makers_max` makers at most; 0 ends the programme."""

    spread_micro: Whole
    size_wh: Whole
    presence_per_mille: Whole
    window_ms: Whole
    rebate_ppm: Whole
    makers_max: Small
    misses_max: Small


class PlaceOrder(Message, frozen=True, tag=0x60):
    """Buy or sell energy of one delivery interval.

    `source`: of a sell order, its source; of a buy order, the bit mask of sources it accepts (any: 127).
    `market`: the limit is the tariff (buy) or the buy-back (sell), and what does not fill at once is
    cancelled; then `price_micro` is 0. `minimum_wh` fills at once or the order is refused; 0 for none.
    `good_till_ms` is 0 unless the order is good till time. `scope`: how far it looks. `display_wh`: an iceberg, of
    which the book shows so much at a time; 0 shows all.
    Receipt: place, filled Wh, resting Wh.
    """

    portfolio: Pseudonym
    client_id: ClientId
    interval: Interval32
    side: Small
    price_micro: Whole
    quantity_wh: Whole
    source: Small
    time_in_force: Small
    good_till_ms: Whole
    minimum_wh: Whole
    post_only: bool
    market: bool
    scope: Small = 0
    display_wh: Whole = 0


class CancelOrder(Message, frozen=True, tag=0x61):
    """Take an open order back, or a block order that waits. Receipt: Wh that were still open (of a block order: in all
    its intervals)."""

    client_id: ClientId


class AmendOrder(Message, frozen=True, tag=0x62):
    """Change the limit or the open quantity. A smaller quantity at the same limit keeps the place; anything
    else goes to the back of the queue as a new order would. Receipt as for a placement."""

    client_id: ClientId
    price_micro: Whole
    remaining_wh: Whole


class SetTerms(Message, frozen=True, tag=0x63):
    """The operator sets new parameters, for intervals that have not opened yet."""

    terms: Terms


class SetHoliday(Message, frozen=True, tag=0x64):
    """The operator declares a day (days since the epoch, Bangkok time) off-peak, or takes it back."""

    day: Annotated[int, msgspec.Meta(ge=0, le=2**31)]
    holiday: bool


class Halt(Message, frozen=True, tag=0x65):
    """The operator halts trade: of one delivery interval or all (`interval` 0), in one zone or all (`zone` 0), until a
    time or until it resumes (`until_ms` 0), for a reason. Halted again, it is as the last says. Receipt: nothing."""

    interval: Interval32
    zone: Small
    until_ms: Whole
    reason: Small


class Resume(Message, frozen=True, tag=0x66):
    """The operator ends a halt, its own or the ledger's, named as it was: what has collected meets in a call first.
    Receipt: nothing."""

    interval: Interval32
    zone: Small


class SetMakerProgramme(Message, frozen=True, tag=0x67):
    """The operator says what makers of a zone do from now on: for intervals that open later, and for makers who enrol
    later. Duties that have begun stay as they are."""

    zone: Small
    programme: MakerTerms


class EnrolMaker(Message, frozen=True, tag=0x68):
    """Be a maker of the zone in which one's portfolio lies. Receipt: the first interval in which it is one."""

    portfolio: Pseudonym


class EndMaker(Message, frozen=True, tag=0x69):
    """A maker leaves, or the operator ends it, for intervals that have not opened. Receipt: the first interval in which
    it is none; 0 if it never was one."""

    portfolio: Pseudonym


class PlaceBlockOrder(Message, frozen=True, tag=0x6A):
    """Buy or sell the same energy in each of several consecutive delivery intervals (`interval` is the
    earliest of them, `intervals` their number, 2 to 96): all of it in all of them at once, or nothing.

    `quantity_wh` is that of one interval, `price_micro` the limit in each. `source` and `scope` as of an order.
    `time_in_force`: till the gate, till `good_till_ms`, or fill or kill; what cannot be filled at once waits beside the
    books until then, at the longest until trading ends in one of its intervals. `CancelOrder` takes it back.
    Receipt: place, filled Wh, waiting Wh, both of all intervals.
    """

    portfolio: Pseudonym
    client_id: ClientId
    interval: Interval32
    intervals: Small
    side: Small
    price_micro: Whole
    quantity_wh: Whole
    source: Small
    time_in_force: Small
    good_till_ms: Whole
    scope: Small = 0
