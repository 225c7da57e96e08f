"""Halts: by the operator's word, or where trading would have left a price band; and the call that ends one.

While a zone is halted in an interval nothing of it trades there: its orders are not met and do not meet. They come, go
and change as ever, and collect. When the halt is over the plain ones meet at one price, as in an auction of that zone
alone; that price is the new reference. What is left rests as it was, meets whatever else it still can, and trade goes
on.

A halt ends in stages (`HaltStage`), each a bounded piece of scheduled work that needs nothing but state: so a restart
changes nothing. Until the last of them nobody else meets the zone's orders.
"""

from collections.abc import Iterator, Mapping
from heapq import merge
from itertools import islice

import msgspec

from gridtokenx.ledger import schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import AUCTION_STEPS_MAX, CALL_ORDERS_MAX, HALT_BY_HAND_MS_MAX
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.topology import SAME_FEEDER, SAME_ZONE, TOPOLOGY, feeder_step
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import are_related, require_role
from gridtokenx.modules.market import checks, crossing, fills, makers, prices
from gridtokenx.modules.market.auction.clearing import auction
from gridtokenx.modules.market.auction.work import Work
from gridtokenx.modules.market.bands import halt_until_ms, least_wh
from gridtokenx.modules.market.book import BOOKS, Book, Queue, book_of, put_back, remove
from gridtokenx.modules.market.coupling import price_at_place
from gridtokenx.modules.market.halted import ALL, covers, is_covered_widely
from gridtokenx.modules.market.matching import Fill
from gridtokenx.modules.market.messages import BUY, SELL, Halt, HaltReason, MarketCode, Resume, Terms
from gridtokenx.modules.market.state import (
    AUCTIONS,
    END_HALT,
    HALTS,
    INTERVALS,
    GateStage,
    Halted,
    HaltStage,
    Interval,
    Order,
    Phase,
    zone_interval_key,
)
from gridtokenx.modules.market.wheeling import wheeling_of

MEETINGS_PER_STEP = 64
"""Resting purchases that meet what they can in one piece of work after a call."""

QUEUES_PER_STEP = 50
"""That one look for a purchase goes over, in the time of one scheduled step."""

_ORDERS_LOOKED_AT = 4
"""Times CALL_ORDERS_MAX: how many of a zone's orders a call looks at to find that many plain ones."""

_replace = msgspec.structs.replace
_HALTS = HALTS.prefix

Open = tuple[bytes, Order]


def halt(state: State, context: Context, message: Halt) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, `HALT_INVALID` (names the field), `INTERVAL_NOT_OPEN`, `GATE_CLOSED`."""
    require_role(state, context.sender, RoleName.OPERATOR)
    _check_place(state, message)
    if message.interval:
        checks.open_interval(state, context, message.interval)
    if not HaltReason.BAND < message.reason <= max(HaltReason):
        raise Rejected(MarketCode.HALT_INVALID, "reason")
    if message.until_ms and not 0 < message.until_ms - context.time_ms <= HALT_BY_HAND_MS_MAX:
        raise Rejected(MarketCode.HALT_INVALID, "until_ms")
    key = zone_interval_key(message.interval, message.zone)
    known = state.get(HALTS, key)
    since_ms = context.time_ms if known is None else known.since_ms
    record = Halted(since_ms, message.until_ms, message.reason, HaltStage.COLLECTING, False, b"")
    state.put(HALTS, key, record)
    if message.until_ms:
        schedule.add(state, message.until_ms, END_HALT, key)
    return ()


def resume(state: State, context: Context, message: Resume) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, `HALT_INVALID`, `HALT_UNKNOWN`. One that is ending already, and has come to a stop, goes on."""
    require_role(state, context.sender, RoleName.OPERATOR)
    _check_place(state, message)
    key = zone_interval_key(message.interval, message.zone)
    known = state.get(HALTS, key)
    if known is None:
        raise Rejected(MarketCode.HALT_UNKNOWN, "zone")
    state.put(HALTS, key, _replace(known, until_ms=context.time_ms, extended=True))
    schedule.add(state, context.time_ms + 1, END_HALT, key)
    return ()


def _check_place(state: State, message: Halt | Resume) -> None:
    if message.zone != ALL and message.zone not in state.index(TOPOLOGY).neighbours:
        raise Rejected(MarketCode.HALT_INVALID, "zone")


def end_halt(state: State, context: Context, key: bytes) -> int:
    """Scheduled for the end of a halt, and again until the zone trades as before: one piece of it."""
    halted = state.get(HALTS, key)
    if halted is None or not halted.until_ms or halted.until_ms > context.time_ms:
        return 1  # it has another end now
    if any(each.stage == GateStage.SORTING for _, each in state.items(AUCTIONS)):
        schedule.add(state, context.time_ms + 1, END_HALT, key)  # who takes part there stays as it was at the gate
        return 1
    number, zone = int.from_bytes(key[:4], "big"), key[4]
    if ALL in (number, zone):
        return _end_widely(state, context, number, zone, halted)
    interval: Interval | None = state.rows[INTERVALS.prefix].get(key[:4])
    if interval is None or not _is_to_meet(state, context, key, interval):
        state.delete(HALTS, key)
        makers.note_halt(state, number, zone, halted.since_ms, context.time_ms)
        return 1
    terms = checks.terms_of(state, interval)
    if halted.stage == HaltStage.MEETING:
        return _meet_some(state, context, interval, terms, key)
    return _call(state, context, interval, terms, key, halted)


def _is_to_meet(state: State, context: Context, key: bytes, interval: Interval) -> bool:
    """Whether what collected meets now: not in the call phase, whose auction takes it, nor under a wider halt, at whose
    end it does."""
    if interval.phase != Phase.TRADING or key[:4] in state.rows[AUCTIONS.prefix]:
        return False
    terms = checks.terms_of(state, interval)
    if terms.call_phase_ms and checks.in_call(context, interval, terms):
        return False
    return not is_covered_widely(state.rows[_HALTS], int.from_bytes(key[:4], "big"), key[4])


def _end_widely(state: State, context: Context, number: int, zone: int, halted: Halted) -> int:
    """The end of a halt of a zone, an interval or all: each zone's interval with orders goes on by its own call."""
    state.delete(HALTS, zone_interval_key(number, zone))
    makers.note_halt(state, number, zone, halted.since_ms, context.time_ms)
    books, halts, used = state.index(BOOKS), state.rows[_HALTS], 1
    for own in sorted(books) if number == ALL else [number] if number in books else []:
        zone_of = books[own].topology.zone_of
        for place in sorted({zone_of[queue.feeder] for queue in books[own].queues.values()}):
            if zone in (ALL, place) and not covers(halts, own, place):
                key = zone_interval_key(own, place)
                state.put(HALTS, key, _replace(halted, stage=HaltStage.CALLING, order=b""))
                schedule.add(state, halted.until_ms, END_HALT, key)
                used += 1
    return used


def _go_on(state: State, key: bytes, halted: Halted, stage: HaltStage) -> None:
    """To the next stage, at once."""
    state.put(HALTS, key, _replace(halted, stage=stage, order=b""))
    schedule.add(state, halted.until_ms, END_HALT, key)


# --- the call


def _call(state: State, context: Context, interval: Interval, terms: Terms, key: bytes, halted: Halted) -> int:
    """The best plain orders of the zone meet at one price; the next ones in a call of their own, if those traded. Once
    it halts longer if that price lies beyond the band."""
    number, zone = int.from_bytes(key[:4], "big"), key[4]
    live = book_of(state, number)
    buys, sells = (_collected(live, zone, side, context.time_ms) for side in (BUY, SELL))
    used = len(buys) + len(sells) + 1
    price_micro, quantity_wh = _one_price(terms, buys, sells)
    if price_micro is None or not quantity_wh:
        _go_on(state, key, halted, HaltStage.MEETING)
        return used
    if terms.band_ppm and halted.stage == HaltStage.COLLECTING and not halted.extended:
        low, high = prices.band_of(state, interval, terms, number, zone)
        until_ms = halt_until_ms(context, interval, terms)
        if not low <= price_micro <= high and until_ms > context.time_ms:
            state.put(HALTS, key, _replace(halted, until_ms=until_ms, extended=True))
            schedule.add(state, until_ms, END_HALT, key)
            return used
    call = _Call(state, context, interval, terms, live, price_micro)
    traded_wh = call.trade(_first_of(buys, quantity_wh), _first_of(sells, quantity_wh))
    if traded_wh >= least_wh(terms):
        prices.note_call(state, context, interval, terms, key, price_micro)
    is_more = traded_wh and CALL_ORDERS_MAX in (len(buys), len(sells))
    _go_on(state, key, halted, HaltStage.CALLING if is_more else HaltStage.MEETING)
    return used


def _collected(live: Book, zone: int, side: int, time_ms: int) -> list[Open]:
    """A zone's plain orders of one side, the best limit first, then the earliest; at most CALL_ORDERS_MAX."""
    orders, zone_of = live.orders, live.topology.zone_of
    queues = [
        _in_turn(queue)
        for queue in live.queues.values()
        if queue.side == side and zone_of[queue.feeder] == zone and _takes_part(live, queue)
    ]
    found: list[Open] = []
    for _, _, key in islice(merge(*queues), _ORDERS_LOOKED_AT * CALL_ORDERS_MAX):
        order = orders[key]
        if checks.is_plain(order) and order.expires_ms > time_ms:
            found.append((key, order))
            if len(found) == CALL_ORDERS_MAX:
                break
    return found


def _takes_part(live: Book, queue: Queue) -> bool:
    """Whether what it holds can be plain; orders of one queue differ in what they show alone."""
    first = live.orders[queue.levels[queue.ranks[-1]][0][1]]
    return checks.is_plain(_replace(first, display_wh=0))


def _in_turn(queue: Queue) -> Iterator[tuple[int, int, bytes]]:
    """(minus rank, place, key) of its orders, the best first."""
    return ((-rank, place, key) for rank in reversed(queue.ranks) for place, key in queue.levels[rank])


def _one_price(terms: Terms, buys: list[Open], sells: list[Open]) -> tuple[int | None, int]:
    """The price at which most trades, by the auction's rules, and how much does."""
    if not buys or not sells:
        return None, 0
    entries = [(0, order.side, price_at_place(terms, order), order.remaining_wh) for _, order in (*buys, *sells)]
    work = Work(auction(terms.tick_micro, 1, (), entries, AUCTION_STEPS_MAX))
    outcome = work.advance_to(AUCTION_STEPS_MAX)
    assert outcome is not None, "a market of one place is a matter of a few steps for each order"
    return outcome.prices_micro[0], outcome.sold_wh[0]


def _first_of(orders: list[Open], quantity_wh: int) -> list[tuple[bytes, int]]:
    """Who trades so much in all, and how much each: the best limits first, then the earliest."""
    shares = []
    for key, order in orders:
        if not quantity_wh:
            break
        shares.append((key, min(order.remaining_wh, quantity_wh)))
        quantity_wh -= shares[-1][1]
    return shares


class _Call:
    """The trades of one call: each purchase with the sales in their turn. Two of related parties do not trade, nor two
    between whom a feeder's link is full: they rest as they were."""

    def __init__(
        self, state: State, context: Context, interval: Interval, terms: Terms, live: Book, price_micro: int
    ) -> None:
        self.state, self.context, self.live = state, context, live
        self.interval, self.terms = interval, terms
        self.price_micro = price_micro
        self.wheeling = wheeling_of(state, interval.terms, terms)

    def trade(self, buys: list[tuple[bytes, int]], sells: list[tuple[bytes, int]]) -> int:
        """How much was traded in all. Pairs that do not trade are looked at as often as there are orders, no more."""
        left = dict(sells)
        traded_wh, looks = 0, len(buys) + len(sells)
        for key, share_wh in buys:
            order, wanted_wh = self.live.orders[key], share_wh
            met: list[Fill] = []
            for other in list(left):
                if not wanted_wh or looks < 0:
                    break
                fill = self._fill(order, other, min(wanted_wh, left[other]))
                if fill is None:
                    looks -= 1
                    continue
                met.append(fill)
                wanted_wh -= fill.quantity_wh
                left[other] -= fill.quantity_wh
                if not left[other]:
                    del left[other]
            if met:
                self._book(key, order, met, share_wh - wanted_wh)
                traded_wh += share_wh - wanted_wh
        return traded_wh

    def _fill(self, order: Order, other: bytes, quantity_wh: int) -> Fill | None:
        """So much of a sale for a purchase, with its energy sent; None if they cannot trade."""
        sale, state = self.live.orders[other], self.state
        if sale.participant == order.participant or are_related(state, sale.participant, order.participant):
            return None
        nearness = SAME_FEEDER if sale.feeder == order.feeder else SAME_ZONE
        if nearness == SAME_ZONE:
            network = self.live.network
            path = feeder_step(sale.feeder, out=True), feeder_step(order.feeder, out=False)
            quantity_wh = network.free_wh(path, quantity_wh)
            if quantity_wh <= 0:
                return None
            network.use(state, path, quantity_wh)
        self._take(other, sale, quantity_wh)
        return Fill(other, sale, quantity_wh, self.price_micro, self.wheeling[nearness], ())

    def _take(self, key: bytes, order: Order, quantity_wh: int) -> None:
        """So much less of an order in the book; it keeps its place."""
        remove(self.state, self.live, key, order)
        if quantity_wh < order.remaining_wh:
            rest = _replace(order, remaining_wh=order.remaining_wh - quantity_wh)
            put_back(self.state, self.live, key, rest)

    def _book(self, key: bytes, order: Order, met: list[Fill], quantity_wh: int) -> None:
        self._take(key, order, quantity_wh)
        fills.trade_resting(self.state, self.context, self.interval, self.terms, key, order, met)


# --- after the call


def _meet_some(state: State, context: Context, interval: Interval, terms: Terms, key: bytes) -> int:
    """What is left meets, in its own zone without a band, the highest purchase first; then the halt is over."""
    number, zone = int.from_bytes(key[:4], "big"), key[4]
    halted: Halted = state.rows[_HALTS][key]
    state.delete(HALTS, key)
    live, wheeling, used = book_of(state, number), wheeling_of(state, interval.terms, terms), 1
    if context.time_ms < interval.gate_ms:
        for _ in range(MEETINGS_PER_STEP):
            used += len(live.queues) // QUEUES_PER_STEP
            found = crossing.find_crossed(live, wheeling)
            if found is None:
                break
            used += crossing.let_meet(state, context, interval, terms, live, *found, free_zone=zone)
        else:
            _go_on(state, key, halted, HaltStage.MEETING)
    if key not in state.rows[_HALTS]:
        makers.note_halt(state, number, zone, halted.since_ms, context.time_ms)
        prices.touch(state, number, zone)
    return used


def forget(state: State, number: int) -> int:
    """The interval is over. How many halts were left."""
    halts: Mapping[bytes, Halted] = state.rows[_HALTS]
    keys = [key for key in sorted(halts) if key[:4] == interval_key(number)]
    for key in keys:
        state.delete(HALTS, key)
    return len(keys)
