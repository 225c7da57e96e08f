"""The gate of an interval. Without a call phase its orders are cancelled; with one they meet in an auction first.

An auction goes on in stages over as many blocks as it needs (`Auction`), and all that is due later waits for it, so
nothing of the interval settles before:

1. *sorting*: what does not take part is cancelled: what is not plain or has expired, whose owner may not trade, whose
   zone is halted beyond the gate, and what came in a block whose clock was stale for this gate;
2. *solving*: in slices, in memory; state keeps the number of steps done;
3. *booking* (`gate_booking`): the outcome is written down as a whole (`Clearing`), then orders become trades or are let
   go; links, dues and the phase at the end.

Nothing else touches the orders meanwhile: after the gate they cannot be changed, and what links can carry was written
down. If the market was frozen at the gate, or a stage fails by a bug, all orders are cancelled instead.
"""

from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from gridtokenx.ledger import freeze, schedule
from gridtokenx.ledger.context import PLACES_PER_BLOCK_BITS, Context
from gridtokenx.ledger.limits import AUCTION_STEPS_PER_SCHEDULED_STEP, AUCTION_STEPS_PER_SLICE
from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.grid.network import network_of
from gridtokenx.modules.grid.topology import TOPOLOGY
from gridtokenx.modules.identity.state import PARTICIPANTS
from gridtokenx.modules.market import book, fills, gate_booking, makers, prices
from gridtokenx.modules.market.auction.clearing import Outcome
from gridtokenx.modules.market.auction.work import Work
from gridtokenx.modules.market.checks import is_plain, terms_of
from gridtokenx.modules.market.coupling import (
    Last,
    Places,
    auction_of,
    buyers_wheeling_micro,
    clearing_of,
    free_of,
    last_that_trades,
)
from gridtokenx.modules.market.halted import is_halted_at_gate
from gridtokenx.modules.market.messages import BUY, SELL, Terms
from gridtokenx.modules.market.state import (
    AUCTIONS,
    CLEARINGS,
    CLOSE_GATE,
    INTERVALS,
    ORDERS,
    Auction,
    Clearing,
    GateStage,
    Interval,
    Order,
    Phase,
)

CANCELS_PER_STEP = 500
"""Orders that one scheduled step cancels at a gate or after a suspension."""

ORDERS_PER_STEP = 500
"""Orders that one scheduled step of an auction sorts or books."""

QUEUED_PER_STEP = 10
"""Orders that are put in the order of their booking, when sorting begins, in the time of one scheduled step."""

_ORDERS = ORDERS.prefix
_replace = msgspec.structs.replace


class Gate:
    """What memory keeps of an auction: its orders in the order of their booking, and the solution as far as it is."""

    __slots__ = ("queue", "work")

    def __init__(self, queue: list[bytes]) -> None:
        self.queue = queue
        """Where an order is booked (`gate_booking.items_of`); some may be gone from ORDERS."""
        self.work: Work[Outcome] | None = None


GATES: Index[dict[int, Gate]] = Index("gates", lambda state: {})
"""Auctions at work, by interval. After a restart each is made anew from the orders that are left."""


def close_gate(state: State, context: Context, key: bytes) -> int:
    """Scheduled at the gate, and again until the interval is closed: one step. Makers have their verdict first."""
    judged = makers.judge(state, context, int.from_bytes(key, "big"))
    return judged + _close_step(state, context, key)


def _close_step(state: State, context: Context, key: bytes) -> int:
    interval: Interval = state.rows[INTERVALS.prefix][key]
    terms = terms_of(state, interval)
    if not terms.call_phase_ms:
        return _cancel_some(state, key, interval)
    auction = state.get(AUCTIONS, key)
    if auction is None:
        auction = Auction(GateStage.SORTING, 0, b"", 0, (), 0)
        state.put(AUCTIONS, key, auction)
    if auction.stage == GateStage.CANCELLING:
        return _cancel_some(state, key, interval)
    used = 0

    def step(state: State, context: Context, key: bytes) -> None:
        nonlocal used
        used = _STEPS[GateStage(auction.stage)](state, context, key, interval, terms, auction)

    schedule.guard(state, context, CLOSE_GATE, key, step)
    if not used:  # it failed, and was set aside
        state.put(AUCTIONS, key, _replace(auction, stage=GateStage.CANCELLING))
    if state.get(AUCTIONS, key) is not None:
        schedule.add(state, interval.gate_ms, CLOSE_GATE, key)
    return max(used, 1)


def _cancel_some(state: State, key: bytes, interval: Interval) -> int:
    """Cancel what is left of the book, some hundred orders; close the interval after the last."""
    live = book.book_of(state, int.from_bytes(key, "big"))
    keys = book.keys_of(live, CANCELS_PER_STEP + 1)
    for order_name in keys[:CANCELS_PER_STEP]:
        fills.take_out(state, order_name, state.rows[_ORDERS][order_name])
    if len(keys) > CANCELS_PER_STEP:
        schedule.add(state, interval.gate_ms, CLOSE_GATE, key)
        return CANCELS_PER_STEP
    _close(state, key, interval)
    return len(keys) + 1


def _close(state: State, key: bytes, interval: Interval) -> None:
    state.put(INTERVALS, key, _replace(interval, phase=Phase.CLOSED))
    if state.get(AUCTIONS, key) is not None:
        state.delete(AUCTIONS, key)
        state.index(GATES).pop(int.from_bytes(key, "big"), None)


def _sort(state: State, context: Context, key: bytes, interval: Interval, terms: Terms, auction: Auction) -> int:
    """Cancel those of some hundred orders that take no part; after the last, see what links can carry."""
    number = int.from_bytes(key, "big")
    if not auction.cursor:
        if freeze.was_frozen(state, interval.gate_ms):
            state.put(AUCTIONS, key, _replace(auction, stage=GateStage.CANCELLING))
            return 1
        state.index(GATES).pop(number, None)
    queue = _gate_of(state, number).queue
    used = 0 if auction.cursor else len(queue) // QUEUED_PER_STEP
    start = bisect_right(queue, auction.cursor)
    todo = queue[start : start + ORDERS_PER_STEP]
    for item in todo:
        order_name = gate_booking.key_of_item(item)
        order = state.rows[_ORDERS].get(order_name)
        if order is not None and not _takes_part(state, interval, auction, order):
            fills.take_out(state, order_name, order)
    if len(todo) == ORDERS_PER_STEP:
        state.put(AUCTIONS, key, _replace(auction, cursor=todo[-1]))
        return used + len(todo)
    # What is gone is gone from the queue too: one who restarts now has it as one who lives on.
    orders = state.rows[_ORDERS]
    queue[:] = [item for item in queue if gate_booking.key_of_item(item) in orders]
    live = book.book_of(state, number)
    if live.queues:
        free = free_of(network_of(state, number), number, {queue.feeder for queue in live.queues.values()})
        state.put(AUCTIONS, key, _replace(auction, stage=GateStage.SOLVING, cursor=b"", free=free))
    else:
        _close(state, key, interval)
    return used + len(todo) + 1


def _takes_part(state: State, interval: Interval, auction: Auction, order: Order) -> bool:
    """Whether an order meets others in the auction."""
    participant = state.rows[PARTICIPANTS.prefix][order.participant]
    until_ms = min(order.expires_ms, participant.trades_until_ms())
    is_stale = auction.stale_height and order.place >> PLACES_PER_BLOCK_BITS == auction.stale_height
    if until_ms < interval.gate_ms or is_stale or not is_plain(order):
        return False
    zone = state.index(TOPOLOGY).zone_of[order.feeder]
    return not is_halted_at_gate(state, order.interval, zone, interval.gate_ms)


def _solve(state: State, context: Context, key: bytes, interval: Interval, terms: Terms, auction: Auction) -> int:
    """One slice of the solution. How much it counts follows from state alone, whatever memory had to do again."""
    number = int.from_bytes(key, "big")
    gate = _gate_of(state, number)
    places = Places(state.index(TOPOLOGY), auction.free)
    work = gate.work
    if work is None or not auction.steps or work.done != auction.steps:
        work = gate.work = Work(auction_of(places, auction.free, terms, _orders_of(state, gate)))
    outcome = work.advance_to(auction.steps + AUCTION_STEPS_PER_SLICE)
    used = (work.done - auction.steps) // AUCTION_STEPS_PER_SCHEDULED_STEP + 1
    if outcome is None:
        state.put(AUCTIONS, key, _replace(auction, steps=work.done))
        return used
    gate.work = None
    clearing = clearing_of(outcome, places, auction.free, _lasts(state, number, terms, places, outcome))
    state.put(CLEARINGS, key, clearing)
    prices.note_clearing(state, context, interval, terms, number, clearing)
    network = network_of(state, number)
    for link in clearing.links:
        if link.flow_wh:
            network.use(state, [link.link << 1 | (link.flow_wh < 0)], abs(link.flow_wh))
    state.put(AUCTIONS, key, _replace(auction, stage=GateStage.BOOKING, steps=work.done))
    return used


def _lasts(state: State, number: int, terms: Terms, places: Places, outcome: Outcome) -> dict[tuple[int, int], Last]:
    """By node and side, who is the last to trade of those whose limit is the cut."""
    orders, wheeling = state.rows[_ORDERS], buyers_wheeling_micro(terms)
    waiting: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for queue in book.book_of(state, number).queues.values():
        node = places.node_of(queue.feeder)
        cut = outcome.cuts[node]
        if cut is not None:
            rank = -cut.price_micro if queue.side == SELL else cut.price_micro + wheeling
            own = [(place, orders[key].remaining_wh) for place, key in queue.levels.get(rank, ())]
            waiting.setdefault((node, queue.side), []).extend(own)
    lasts = {}
    for (node, side), own in waiting.items():
        cut = outcome.cuts[node]
        assert cut is not None, "only nodes with a cut are looked at"
        lasts[node, side] = last_that_trades(sorted(own), cut.buy_wh if side == BUY else cut.sell_wh)
    return lasts


def _book(state: State, context: Context, key: bytes, interval: Interval, terms: Terms, auction: Auction) -> int:
    """Some hundred orders become trades; after the last, what is left of the money gets its payees."""
    number = int.from_bytes(key, "big")
    queue = _gate_of(state, number).queue
    start = bisect_right(queue, auction.cursor)
    todo = queue[start : start + ORDERS_PER_STEP]
    clearing: Clearing = state.rows[CLEARINGS.prefix][key]
    booking = gate_booking.Booking(state, context, number, interval, terms, clearing, auction.free)
    halves_micro = auction.halves_micro + booking.book(todo)
    if len(todo) == ORDERS_PER_STEP:
        state.put(AUCTIONS, key, _replace(auction, cursor=todo[-1], halves_micro=halves_micro))
        return len(todo)
    booking.pay_the_rest(halves_micro)
    _close(state, key, interval)
    return len(todo) + 1


_STEPS = {GateStage.SORTING: _sort, GateStage.SOLVING: _solve, GateStage.BOOKING: _book}


def _gate_of(state: State, number: int) -> Gate:
    gates = state.index(GATES)
    found = gates.get(number)
    if found is None:
        orders, items = state.rows[_ORDERS], []
        for queue in book.book_of(state, number).queues.values():
            for level in queue.levels.values():
                items += gate_booking.items_of(orders, queue.side, level)
        items.sort()
        found = gates[number] = Gate(items)
    return found


def _orders_of(state: State, gate: Gate) -> Iterator[Order]:
    """Those that take part, read as they are needed: nothing changes them before they are booked."""
    orders = state.rows[_ORDERS]
    for item in gate.queue:
        order = orders.get(gate_booking.key_of_item(item))
        if order is not None:
            yield order
