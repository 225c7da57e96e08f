"""The order book of a delivery interval, and matching. It moves no money.

Orders rest in queues: sellers' by (feeder, source), buyers' by (feeder, mask of sources). A queue has price levels, a
level is first come, first served. An incoming order meets the orders of all queues that fit it, ranked by delivered
price (seller's limit + wheeling; for an incoming seller the buyer's limit - wheeling, highest first), then nearness,
then place.

The book is derived: the ORDERS table alone says what is open and how much of it, a queue holds (place, key) only. A
change of the book puts one step on the journal, for the records and their places in the queues together, so after any
roll-back the book holds what one built anew from the table holds.

Costs: an incoming order looks at the best price of each queue of the other side once, then each order it meets costs
O(log queues). Levels and the prices of a queue are sorted lists: to take from their middle moves eight bytes for each
entry behind, which a search of 100,000 entries outweighs.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from enum import IntEnum
from heapq import heapify, heappop, heappushpop

import msgspec

from gridtokenx.ledger.limits import MATCH_STEPS_PER_ORDER_MAX
from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.identity.state import PARTICIPANTS, are_related
from gridtokenx.modules.market.messages import Side
from gridtokenx.modules.market.state import ORDERS, Order
from gridtokenx.modules.market.topology import SAME_FEEDER, TOPOLOGY

Entry = tuple[int, bytes]
"""(place, key of the order). Places are unique on the chain, so entries sort by time."""

Level = list[Entry]
"""The entries of one price, rising by place."""

Fill = tuple[bytes, Order, int, int, int]
"""One trade: key of the resting order, that order as it was before, Wh, price of the energy and wheeling (millionths
of a WATT per kWh). The seller gets the price, the buyer pays both."""

# Bound once: matching is the ledger's hot path.
_ORDERS = ORDERS.prefix
_PARTICIPANTS = PARTICIPANTS.prefix
_replace = msgspec.structs.replace


class Stopped(IntEnum):
    """Why matching ended although there was more to meet: then the rest of the order must not rest."""

    NO = 0
    RELATED = 1
    STEP_LIMIT = 2


_NO, _RELATED, _STEP_LIMIT = Stopped


class Matched(msgspec.Struct, frozen=True, gc=False):
    """What an incoming order met, in the order in which it met it; `expired` are orders that did not trade."""

    fills: Sequence[Fill]
    expired: Sequence[tuple[bytes, Order]]
    filled_wh: int
    stopped: Stopped


_NOTHING = Matched((), (), 0, _NO)


class Queue:
    """Open orders of one side, feeder and source (buyers: mask of sources).

    A `rank` is a limit as the other side ranks it, higher is better: a buyer's limit, or minus a seller's. So matching
    is written once: an order meets a rank while wheeling - rank <= bound, its own limit (buyer) or minus it (seller).
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
        """By rank; no empty ones."""


Head = tuple[int, int, int, Queue]
"""Priority of a queue for an incoming order, lowest first: wheeling - rank, nearness, place; and the queue."""


class Book:
    """The open orders of one interval. It is among `books` while it has any."""

    __slots__ = ("books", "buyers", "interval", "orders", "sellers", "topology")

    def __init__(self, state: State, books: "dict[int, Book]", interval: int) -> None:
        self.books = books
        self.interval = interval
        self.orders: dict[bytes, Order] = state.rows[_ORDERS]
        self.topology = state.index(TOPOLOGY)
        self.buyers: dict[int, Queue] = {}
        """By `feeder << 8 | mask`; no empty ones."""
        self.sellers: dict[int, Queue] = {}
        """By `feeder << 8 | source`; no empty ones."""

    def open_queue(self, order: Order) -> Queue:
        """The queue in which an order stands, made when there is none."""
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
        rank = rank_of(order)
        level = queue.levels.get(rank)
        if level is None:
            level = queue.levels[rank] = []
            insort(queue.ranks, rank)
        return level

    def close_level(self, queue: Queue, rank: int) -> None:
        """Forget a level that is used up; its queue, if it was the last one; and the book with its last queue."""
        del queue.levels[rank]
        del queue.ranks[bisect_left(queue.ranks, rank)]
        if not queue.ranks:
            del (self.sellers if queue.side else self.buyers)[queue.number]
            if not self.buyers and not self.sellers:
                del self.books[self.interval]

    def take_out(self, entry: Entry, order: Order) -> None:
        """Take an order out of ORDERS and its queue. The journal calls it to undo an arrival."""
        del self.orders[entry[1]]
        queue = self.open_queue(order)
        rank = rank_of(order)
        level = queue.levels[rank]
        del level[bisect_left(level, entry)]
        if not level:
            self.close_level(queue, rank)

    def put_back(self, entry: Entry, order: Order) -> None:
        """Undo a removal."""
        self.orders[entry[1]] = order
        insort(self.open_level(order), entry)

    def unmatch(self, fills: list[Fill], expired: list[tuple[bytes, Order]]) -> None:
        """Undo a match: every order that it met stands as before at the head of its level, also after a match that a
        bug broke off. Level by level, so that it costs no more than the match did."""
        heads: dict[tuple[int, int, int], list[tuple[int, bytes, Order]]] = {}
        for key, maker in expired:
            self.orders[key] = maker
        
        for key, maker, quantity_wh, _, _ in reversed(fills):
            self.orders[key] = maker
            if quantity_wh == maker.remaining_wh:
                insort(self.open_level(maker), (maker.place, key))


def rank_of(order: Order) -> int:
    """A limit as the other side ranks it: higher is better."""
    return -order.price_micro if order.side else order.price_micro


def _build_books(state: State) -> dict[int, Book]:
    books: dict[int, Book] = {}
    for key, order in sorted(state.rows[_ORDERS].items(), key=lambda item: item[1].place):
        book = books.get(order.interval) or Book(state, books, order.interval)
        book.open_level(order).append((order.place, key))
    return books


BOOKS: Index[dict[int, Book]] = Index("books", _build_books)
"""By interval; derived after TOPOLOGY."""


def book_of(state: State, interval: int) -> Book:
    """The live book, or an empty one that joins the others with its first order."""
    books = state.index(BOOKS)
    return books.get(interval) or Book(state, books, interval)


def match(state: State, book: Book, wheeling: tuple[int, ...], taker: Order, time_ms: int) -> Matched:
    """Let an incoming order, which is not in the book, meet what rests there.

    `wheeling`: per kWh, by nearness. Each order met is one step: it trades at its own limit (a buyer's less wheeling),
    or, expired, is taken out without trading, or, a related party's, stops the matching; so does the limit of steps.
    Orders that trade in full or have expired leave ORDERS and the book, one that trades in part stays with less. What
    is left of the taker is the caller's, to rest or to drop.
    """
    feeder = taker.feeder
    if selling := taker.side:
        bound = -taker.price_micro
        sources = 1 << taker.source
        queues = book.buyers
    else:
        bound = taker.price_micro
        sources = taker.source
        queues = book.sellers
    rank_min = wheeling[SAME_FEEDER] - bound
    heads: list[Head] = []
    for queue in queues.values():
        rank = queue.ranks[-1]
        if rank >= rank_min and queue.sources & sources:
            nearness = SAME_FEEDER if queue.feeder == feeder else book.topology.near(feeder).get(queue.zone)
            if nearness is not None and (cost := wheeling[nearness] - rank) <= bound:
                heads.append((cost, nearness, queue.levels[rank][0][0], queue))
    if not heads:
        return _NOTHING

    own = taker.participant
    has_group = own in state.rows[_PARTICIPANTS] 
    remaining_wh = taker.remaining_wh
    orders, dirty = book.orders, state.dirty[_ORDERS]
    fills: list[Fill] = []
    expired: list[tuple[bytes, Order]] = []
    state.undo.append((book.unmatch, fills, expired))
    steps = MATCH_STEPS_PER_ORDER_MAX
    stopped = _NO
    heapify(heads)
    cost, nearness, _, queue = heappop(heads)
    while True:
        charge = wheeling[nearness]
        rank = charge - cost
        price_micro = rank - charge if selling else -rank
        portion = level = queue.levels[rank]
        if heads and heads[0][0] == cost and heads[0][1] == nearness:
            portion = level[: bisect_left(level, (heads[0][2],))]
        if len(portion) > steps:
            portion = portion[:steps]
        for place, key in portion:
            if not remaining_wh:
                break
            maker = orders[key]
            if maker.expires_ms <= time_ms:
                expired.append((key, maker))
            elif maker.participant == own or has_group and are_related(state, own, maker.participant):
                stopped = _RELATED
                break
            elif (open_wh := maker.remaining_wh) <= remaining_wh:
                fills.append((key, maker, open_wh, price_micro, charge))
                remaining_wh -= open_wh
            else:
                fills.append((key, maker, remaining_wh, price_micro, charge))
                orders[key] = _replace(maker, remaining_wh=open_wh - remaining_wh)
                dirty[key] = None
                remaining_wh = 0
                break
            del orders[key]
            dirty[key] = None
        else:
            if portion is not level:
                del level[: len(portion)]
            else:
                ranks = queue.ranks
                if len(ranks)>1:
                    ranks.pop()
                    del queue.levels[rank]
                else: 
                    book.close_level(queue, rank)
            if not remaining_wh: break
            if queue.ranks and charge - queue.ranks[-1] <= bound:
                rank = queue.ranks[-1]
                head = (charge - rank, nearness, queue.levels[rank][0][0], queue)
                cost, nearness, _, queue = heappushpop(heads, head)
            elif heads:
                cost, nearness, _, queue = heappop(heads)
            else: break
            steps -= len(portion)
            if not steps: 
                stopped=_STEP_LIMIT
                break
            continue
        if level[0][0] != place:
            del level[:bisect_left(level, (place,))]
        break
    return Matched(fills, expired, taker.remaining_wh - remaining_wh, stopped)


def rest(state: State, book: Book, key: bytes, order: Order) -> None:
    """Let an order, new in ORDERS, wait in the book. Its place is later than every other's."""
    entry = (order.place, key)
    state.undo.append((book.take_out, entry, order))
    state.dirty[_ORDERS][key] = None
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
replace=_replace
