"""The order book of a delivery interval, and matching. It moves no money.

Orders rest in queues: sellers' by (feeder, source), buyers' by (feeder, mask of sources). A queue has price levels, a
level is first come, first served. An incoming order meets the orders of all queues that fit it, ranked by delivered
price (seller's limit + wheeling; for an incoming seller the buyer's limit - wheeling, highest first), then nearness,
then place.

The book is derived: the ORDERS table alone says what is open, and how much of it; a queue holds (place, key) only.
Every change is on the journal of the state, as one step for the record and its place in the queue together. So after
any roll-back the book holds what one built anew from the table holds.

An order that leaves from the middle of its level stays there as a tombstone, listed in `Queue.tombstones`, until it
gets to the head or until tombstones outnumber live orders: a level never holds more than twice its live orders, and
a few. Clearing them away is not journaled, because it changes nothing that can be seen: should the roll-back bring an
order back whose tombstone is gone, it is put in again by its place.

Matching costs O(queues of the other side) to look at each best price, then O(log queues) for each order it meets.
"""

from bisect import bisect_left, insort
from enum import IntEnum
from heapq import heapify, heappop, heappushpop

import msgspec

from gridtokenx.ledger.limits import MATCH_STEPS_PER_ORDER_MAX
from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.identity.state import PARTICIPANTS, are_related
from gridtokenx.modules.market.state import ORDERS, Order
from gridtokenx.modules.market.topology import TOPOLOGY, Topology

Entry = tuple[int, bytes]
"""(place, key of the order). Places are unique on the chain, so entries sort by time."""

Level = list[Entry]
"""Entries of one price, rising by place. Its head is live; there is no level without a live order."""

PLACE_END = 2**63
"""Later than every place."""

TOMBSTONES_ALLOWED = 8
"""A level with no more of them than this is not worth sweeping."""


class Stopped(IntEnum):
    """Why matching ended before nothing was left to meet; then the rest of the order must not rest."""

    NO = 0
    RELATED = 1
    STEP_LIMIT = 2


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One trade. `maker` is the resting order as it was before. The buyer pays `price_micro + wheeling_micro` per
    kWh, the seller gets `price_micro`."""

    key: bytes
    maker: Order
    quantity_wh: int
    price_micro: int
    wheeling_micro: int


class Matched(msgspec.Struct, frozen=True, gc=False):
    """What an incoming order met, in the order in which it met it."""

    fills: list[Fill]
    expired: list[tuple[bytes, Order]]
    filled_wh: int
    stopped: int


NOTHING = Matched([],[],0,0)
replace=msgspec.structs.replace
ORDERS_PREFIX=ORDERS.prefix
PARTICIPANTS_PREFIX=PARTICIPANTS.prefix


class Queue:
    """Open orders of one side, feeder and source (buyers: mask of sources).

    A `rank` is a limit seen from the other side, higher is better: a buyer's limit, or minus a seller's. So all of
    matching is written once: an order meets a rank while wheeling - rank <= bound, where its bound is its own limit
    (buyer) or minus it (seller).
    """

    __slots__ = ("feeder", "levels", "number", "ranks", "side", "sources", "zone")

    def __init__(self, order: Order, number: int, zone: int) -> None:
        self.side = order.side
        self.number = number
        self.feeder = order.feeder
        self.zone = zone
        self.sources = 1 << order.source if order.side else order.source
        """Bit mask: what the buyers accept, or the one source that the sellers have."""
        self.ranks: list[int] = []
        """Rising: the best is the last."""
        self.levels: dict[int, Level] = {}


class Book:
    """The open orders of one interval. It is among `books` while it has any."""

    __slots__ = ("books", "buyers", "interval", "orders", "sellers", "topology")

    def __init__(self, state: State, books: "dict[int, Book]", interval: int) -> None:
        self.books = books
        self.interval = interval
        self.orders: dict[bytes, Order] = state.rows[ORDERS.prefix]
        self.topology: Topology = state.index(TOPOLOGY)
        self.buyers: dict[int, Queue] = {}
        self.sellers: dict[int, Queue] = {}
        """Of buyers and of sellers, by `feeder << 8 | source`; no empty ones."""

    def open_queue(self, order: Order) -> Queue:
        """The level on which an order stands, made when there is none."""
        queues = self.sellers if order.side else self.buyers
        number = order.feeder << 8 | order.source
        queue = queues.get(number)
        if queue is None:
            queue = queues[number] = Queue(order, number, self.topology.zone_of[order.feeder])
            self.books[self.interval] = self
        return queue

    def open_level(self, order: Order) -> Level:
        """The level on which an order stands, made when there is none."""
        queue = self.open_queue(order)
        rank = -order.price_micro if order.side else order.price_micro
        level = queue.levels.get(rank)
        if level is None:
            level = queue.levels[rank] = []
            insort(queue.ranks, rank)
        return level

    def close_queue(self, queue: Queue) -> None:
        """Forget a level that is used up, its queue if it was the last one, and the book with its last queue."""
        del (self.sellers if queue.side else self.buyers)[queue.number]
        if not self.buyers and not self.sellers:
            del self.books[self.interval]

    def dequeue(self, entry: Entry, order: Order) -> None:
        queue = (self.sellers if order.side else self.buyers)[order.feeder << 8 | order.source]
        rank = -order.price_micro if order.side else order.price_micro
        level = queue.levels[rank]
        del level[bisect_left(level, entry)]
        if not level:
            del queue.levels[rank]
            ranks = queue.ranks
            del ranks[bisect_left(ranks, rank)]
            if not ranks: self.close_queue(queue)

    # The journal calls these: one step takes back records and their places in the queue.

    def take_back(self, entries: list[Entry], makers: list[Order]) -> None:
        """Undo a removal of neighbours from one level."""
        for entry, maker in zip(entries, makers, strict=True):
            self.orders[entry[1]] = maker
        level = self.open_level(makers[0])
        index = bisect_left(level, entries[0])
        level[index:index] = entries

    def take_out(self, entry: Entry, order: Order) -> None:
        """Undo an arrival."""
        del self.orders[entry[1]]
        self.dequeue(entry, order)


def _build_books(state: State) -> dict[int, Book]:
    books: dict[int, Book] = {}
    for key, order in sorted(state.rows[ORDERS.prefix].items(), key=lambda item: item[1].place):
        book = books.get(order.interval) or Book(state, books, order.interval)
        book.open_level(order).append((order.place, key))
    return books


BOOKS: Index[dict[int, Book]] = Index("books", _build_books)
"""By interval; derived after TOPOLOGY."""


def book_of(state: State, interval: int) -> Book:
    """The live book, or an empty one that joins the others with its first order."""
    books = state.index(BOOKS)
    return books.get(interval) or Book(state, books, interval)


def rest(state: State, book: Book, key: bytes, order: Order) -> None:
    """Let an order, new in ORDERS, wait in the book. Its place is later than every other's."""
    entry = (order.place, key)
    state.undo.append((book.take_out, entry, order))
    state.dirty[ORDERS_PREFIX][key] = None
    book.orders[key] = order
    if order.side:
        rank = -order.price_micro
        queue = book.sellers.get(order.feeder << 8 | order.source)
    else:
        rank = order.price_micro
        queue = book.buyers.get(order.feeder << 8 | order.source)
    if queue is None:
        queue = book.open_queue(order)
    level = queue.levels.get(rank)
    if level is None:
        queue.levels[rank] = [entry]
        insort(queue.ranks, rank)
    else:
        level.append(entry)


def remove(state: State, book: Book, key: bytes, order: Order) -> None:
    """Take an open order, as it stands in ORDERS, out of the table and the book. O(1), but for a level's end."""
    entry = (order.place, key)
    state.undo.append((book.take_back, [entry], [order]))
    state.dirty[ORDERS_PREFIX][key] = None
    del book.orders[key]
    book.dequeue(entry, order)


def match(state: State, book: Book, wheeling: tuple[int, ...], taker: Order, time_ms: int) -> Matched:
    """Let an incoming order, which is not in the book, meet what rests there.

    `wheeling`: per kWh, by nearness. Every order met is one step: it trades at its own limit (a buyer's less
    wheeling), or, expired, is taken out without trading, or, a related party's, stops the matching; so does the limit
    of steps. Orders that trade in full or have expired leave ORDERS and the book, one that trades in part stays with
    less. What is left of the taker is the caller's to rest or to drop.
    """
    selling = taker.side
    feeder = taker.feeder
    if selling:
        bound = -taker.price_micro
        sources = 1 << taker.source
        queues = book.buyers
    else:
        bound = taker.price_micro
        sources = taker.source
        queues = book.sellers
    least = wheeling[0] - bound
    found = []
    for queue in queues.values():
        rank = queue.ranks[-1]
        if rank >= least and queue.sources & sources:
            nearness = 0 if queue.feeder == feeder else book.topology.nearness(feeder, queue.feeder)
            if nearness is not None:
                cost = wheeling[nearness] - rank
                if cost <= bound:
                    found.append((cost, nearness, queue.levels[rank][0][0], queue))
    if not found:
        return NOTHING
    if len(found) > 1:
        heapify(found)
        best = heappop(found)
    else:
        best = found.pop()
    own = taker.participant
    remaining_wh = taker.remaining_wh
    participant = state.rows[PARTICIPANTS_PREFIX].get(own)
    has_group = participant is not None and participant.group != 0
    orders, dirty, undo = book.orders, state.dirty[ORDERS_PREFIX], state.undo
    fills: list[Fill] = []
    expired: list[tuple[bytes, Order]] = []
    steps = MATCH_STEPS_PER_ORDER_MAX
    stopped = 0
    while True:
        cost, nearness, _, queue = best
        charge = wheeling[nearness]
        rank = charge - cost
        price_micro = rank - charge if selling else -rank
        portion = level = queue.levels[rank]
        if found and found[0][0] == cost and found[0][1] == nearness:
            portion = level[:bisect_left(level, (found[0][2], b''))]
        if len(portion) > steps:
            if not steps:
                stopped = 2
                break
            portion = portion[:steps]
        gone: list[Order] = []
        for _, key in portion:
            maker = orders[key]
            if maker.expires_ms <= time_ms:
                expired.append((key, maker))
            elif maker.participant == own or (has_group and are_related(state, own, maker.participant)):
                stopped = 1
                break
            else:
                open_wh = maker.remaining_wh
                if open_wh > remaining_wh:
                    fills.append(Fill(key, maker, remaining_wh, price_micro, charge))
                    undo.append((orders, key, maker))
                    dirty[key] = None
                    orders[key] = replace(maker, remaining_wh=open_wh - remaining_wh)
                    remaining_wh = 0
                    break
                fills.append(Fill(key, maker, open_wh, price_micro, charge))
                remaining_wh -= open_wh
            gone.append(maker)
            dirty[key] = None
            del orders[key]
            if not remaining_wh:
                break
        n = len(gone)
        ranks = queue.ranks
        if n == len(level):
            undo.append((book.take_back, level, gone))
            ranks.pop()
            del queue.levels[rank]
            if not ranks: book.close_queue(queue)
        elif n:
            undo.append((book.take_back, level[:n], gone))
            del level[:n]
        if not remaining_wh or stopped:
            break
        steps -= n
        if ranks and charge - ranks[-1] <= bound:
            rank = ranks[-1]
            best = (charge - rank, nearness, queue.levels[rank][0][0], queue)
            if found:
                best = heappushpop(found, best)
        elif found:
            best = heappop(found)
        else:
            break
    return Matched(fills, expired, taker.remaining_wh - remaining_wh, stopped)
