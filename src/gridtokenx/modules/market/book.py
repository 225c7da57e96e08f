"""The order book of a delivery interval, and matching. It moves no money.

Orders rest in queues: sellers' by (feeder, source), buyers' by (feeder, mask of sources). A queue has price levels, a
level is first come, first served. An incoming order meets the orders of all queues that fit it, ranked by delivered
price (seller's limit + wheeling; for an incoming seller the buyer's limit - wheeling, highest first), then nearness,
then place.

The book is derived: the ORDERS table alone says what is open and how much of it, a queue holds (place, key) only. Each
change puts one step on the journal that takes back records and queues together, so after any roll-back the book holds
what one built anew from the table holds. Nothing empty stays: no level, no queue, no book.

Costs: an incoming order looks once at the best price of each queue of the other side; then each order that it meets
costs O(log queues). Levels and the prices of a queue are sorted lists: what is taken out moves the entries behind it,
eight bytes each, which for 100,000 of them takes less time than one signature check.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from enum import IntEnum
from heapq import heapify, heappop, heappushpop

import msgspec

from gridtokenx.ledger.limits import MATCH_STEPS_PER_ORDER_MAX
from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.identity.state import PARTICIPANTS, are_related
from gridtokenx.modules.market.state import ORDERS, Order
from gridtokenx.modules.market.topology import SAME_FEEDER, TOPOLOGY

Entry = tuple[int, bytes]
"""(place, key of the order). Places are unique on the chain, so entries sort by time."""

Level = list[Entry]
"""The entries of one price, rising by place."""


class Stopped(IntEnum):
    """Why matching ended although there was more to meet: then the rest of the order must not rest."""

    NO = 0
    RELATED = 1
    STEP_LIMIT = 2


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One trade with a resting order, `maker`, as it was before. The seller gets the price, the buyer pays price and
    wheeling (millionths of a WATT per kWh)."""

    key: bytes
    maker: Order
    quantity_wh: int
    price_micro: int
    wheeling_micro: int


class Matched(msgspec.Struct, frozen=True, gc=False):
    """What an incoming order met, in the order in which it met it; `expired` are orders that did not trade."""

    fills: Sequence[Fill]
    expired: Sequence[tuple[bytes, Order]]
    filled_wh: int
    stopped: Stopped


# Names that matching would otherwise look up for each order.
_ORDERS = ORDERS.prefix
_PARTICIPANTS = PARTICIPANTS.prefix
_SELLERS = 1 << 7
_NO, _RELATED, _STEP_LIMIT = Stopped
_MET_NOTHING = Matched((), (), 0, _NO)
_replace = msgspec.structs.replace


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


Head = tuple[int, int, int, Queue]
"""Priority of a queue's first order for an incoming one, lowest first (wheeling - rank, nearness, place); its queue."""


class Book:
    """The open orders of one interval. It is among `books` while it has any."""

    __slots__ = ("books", "buyers", "interval", "orders", "queues", "sellers", "topology")

    def __init__(self, state: State, books: "dict[int, Book]", interval: int) -> None:
        self.books = books
        self.interval = interval
        self.orders: dict[bytes, Order] = state.rows[_ORDERS]
        self.topology = state.index(TOPOLOGY)
        self.queues: dict[int, Queue] = {}
        """By `number_of` their orders; each is also in one of these lists, which are in no particular order."""
        self.buyers: list[Queue] = []
        self.sellers: list[Queue] = []

    def open_level(self, order: Order) -> Level:
        """The level on which an order stands, made when there is none. KeyError for an unknown feeder."""
        number = number_of(order)
        queue = self.queues.get(number)
        if queue is None:
            queue = self.queues[number] = Queue(order, number, self.topology.zone_of[order.feeder])
            (self.sellers if order.side else self.buyers).append(queue)
            self.books[self.interval] = self
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
            del self.queues[queue.number]
            (self.sellers if queue.side else self.buyers).remove(queue)
            if not self.queues:
                del self.books[self.interval]

    def enter(self, key: bytes, order: Order) -> None:
        """Put an order into ORDERS and, by its place, into its queue."""
        self.orders[key] = order
        insort(self.open_level(order), (order.place, key))

    def leave(self, key: bytes, order: Order) -> None:
        """Take an order out of ORDERS and out of its queue."""
        del self.orders[key]
        queue = self.queues[number_of(order)]
        rank = rank_of(order)
        level = queue.levels[rank]
        del level[bisect_left(level, (order.place, key))]
        if not level:
            self.close_level(queue, rank)


def number_of(order: Order) -> int:
    """The number of an order's queue, made of feeder, side and source; a buyer's mask has seven bits."""
    return order.feeder << 8 | order.side << 7 | order.source


def rank_of(order: Order) -> int:
    """An order's limit as the other side ranks it."""
    return -order.price_micro if order.side else order.price_micro


def _build_books(state: State) -> dict[int, Book]:
    books: dict[int, Book] = {}
    for key, order in sorted(state.rows[_ORDERS].items(), key=lambda item: item[1].place):
        book = books.get(order.interval) or Book(state, books, order.interval)
        book.open_level(order).append((order.place, key))
    return books


BOOKS: Index[dict[int, Book]] = Index("books", _build_books)
"""The books that have orders, by interval. Built after TOPOLOGY."""


def book_of(state: State, interval: int) -> Book:
    """The live book of an interval, or an empty one that joins the others with its first order."""
    books = state.index(BOOKS)
    return books.get(interval) or Book(state, books, interval)


def keys_of(book: Book, keys_max: int) -> list[bytes]:
    """Keys of open orders, at most so many: by queue number, then best limit, then place."""
    found: list[bytes] = []
    for number in sorted(book.queues):
        queue = book.queues[number]
        for rank in reversed(queue.ranks):
            found += [key for _, key in queue.levels[rank][: keys_max - len(found)]]
            if len(found) == keys_max:
                return found
    return found


def rest(state: State, book: Book, key: bytes, order: Order) -> None:
    """Let an order, which is not in ORDERS, wait there and in the book. Its place is later than every other's."""
    if order.side:
        rank = -order.price_micro
        queue = book.queues.get(order.feeder << 8 | _SELLERS | order.source)
    else:
        rank = order.price_micro
        queue = book.queues.get(order.feeder << 8 | order.source)
    if queue is None:
        level = book.open_level(order)
    elif (found := queue.levels.get(rank)) is not None:
        level = found
    else:
        level = queue.levels[rank] = []
        insort(queue.ranks, rank)
    state.undo.append((_undo_rest, book, key))
    state.dirty[_ORDERS][key] = None
    book.orders[key] = order
    level.append((order.place, key))


def _undo_rest(book: Book, key: bytes) -> None:
    book.leave(key, book.orders[key])


def remove(state: State, book: Book, key: bytes, order: Order) -> None:
    """Take an open order, as it stands in ORDERS, out of the table and the book."""
    state.undo.append((book.enter, key, order))
    state.dirty[_ORDERS][key] = None
    book.leave(key, order)


def match(state: State, book: Book, wheeling: tuple[int, ...], taker: Order, time_ms: int) -> Matched:
    """Let an incoming order, which is not in the book, meet what rests there.

    `wheeling`: per kWh, by nearness. Each order met is one step: it trades at its own limit (a buyer's less wheeling),
    or, expired, is taken out without trading, or, a related party's, stops the matching; so does the limit of steps.
    Orders that trade in full or have expired leave ORDERS and the book, one that trades in part stays with less. What
    is left of the taker is the caller's, to rest or to drop.
    """
    if taker.side:
        bound = -taker.price_micro
        sources = 1 << taker.source
        queues = book.buyers
    else:
        bound = taker.price_micro
        sources = taker.source
        queues = book.sellers
    feeder, rank_min = taker.feeder, wheeling[SAME_FEEDER] - bound
    reached = book.topology.zones_from[feeder]
    heads: list[Head] = []
    for queue in queues:
        rank = queue.ranks[-1]
        if rank >= rank_min and queue.sources & sources:
            nearness = SAME_FEEDER if queue.feeder == feeder else reached.get(queue.zone)
            if nearness is not None and (cost := wheeling[nearness] - rank) <= bound:
                heads.append((cost, nearness, queue.levels[rank][0][0], queue))
    return _meet(state, book, wheeling, taker, time_ms, bound, heads) if heads else _MET_NOTHING


def _meet(
    state: State,
    book: Book,
    wheeling: tuple[int, ...],
    taker: Order,
    time_ms: int,
    bound: int,
    heads: list[Head],
) -> Matched:
    """`match` for an order that meets something; `heads`: of the queues whose first order it meets."""
    selling, own, remaining_wh = taker.side, taker.participant, taker.remaining_wh
    participant = state.rows[_PARTICIPANTS].get(own)
    has_group = participant is not None and participant.group != 0
    orders, dirty = book.orders, state.dirty[_ORDERS]
    met: list[Fill] = []
    expired: list[tuple[bytes, Order]] = []
    state.undo.append((_undo_match, book, met))
    steps, stopped = MATCH_STEPS_PER_ORDER_MAX, _NO
    heapify(heads)
    _, nearness, _, queue = heappop(heads)
    while remaining_wh:
        if not steps:
            stopped = _STEP_LIMIT
            break
        charge, ranks = wheeling[nearness], queue.ranks
        rank = ranks[-1]
        price_micro = rank - charge if selling else -rank
        portion = level = queue.levels[rank]
        if heads or len(level) > steps:
            portion = _portion(level, steps, heads, charge - rank, nearness)
        for entry in portion:
            if not remaining_wh:
                break
            key = entry[1]
            maker = orders[key]
            if maker.expires_ms <= time_ms:
                met.append(Fill(key, maker, 0, 0, 0))
                expired.append((key, maker))
            elif maker.participant == own or (has_group and are_related(state, own, maker.participant)):
                stopped = _RELATED
                break
            elif (open_wh := maker.remaining_wh) <= remaining_wh:
                met.append(Fill(key, maker, open_wh, price_micro, charge))
                remaining_wh -= open_wh
            else:
                met.append(Fill(key, maker, remaining_wh, price_micro, charge))
                orders[key] = _replace(maker, remaining_wh=open_wh - remaining_wh)
                dirty[key] = None
                remaining_wh = 0
                break
            del orders[key]
            dirty[key] = None
        else:  # the portion is used up
            steps -= len(portion)
            if portion is not level:
                del level[: len(portion)]
            elif len(ranks) > 1:
                ranks.pop()
                del queue.levels[rank]
            else:
                book.close_level(queue, rank)
            if heads:
                nearness, queue = _next_queue(heads, bound, nearness, charge, queue)
            elif not ranks or charge - ranks[-1] > bound:
                break
            continue
        del level[: level.index(entry)]
        break
    fills = [fill for fill in met if fill.quantity_wh] if expired else met
    return Matched(fills, expired, taker.remaining_wh - remaining_wh, stopped)


def _portion(level: Level, steps: int, heads: list[Head], cost: int, nearness: int) -> Level:
    """What may be met of a level now: at most `steps`, and until another queue offers an earlier order that is as
    good. The level itself if that is all of it."""
    end = steps
    if heads and heads[0][:2] == (cost, nearness):
        end = min(end, bisect_left(level, (heads[0][2], b"")))
    return level[:end] if end < len(level) else level


def _next_queue(heads: list[Head], bound: int, nearness: int, charge: int, queue: Queue) -> tuple[int, Queue]:
    """Whose turn it is after a portion of `queue`: the best of the heads, or `queue` again."""
    if queue.ranks and (cost := charge - queue.ranks[-1]) <= bound:
        head = cost, nearness, queue.levels[queue.ranks[-1]][0][0], queue
        _, nearness, _, queue = heappushpop(heads, head)
    else:
        _, nearness, _, queue = heappop(heads)
    return nearness, queue


def _undo_match(book: Book, met: list[Fill]) -> None:
    """Put back all that was met, level by level, so that it costs no more than the match did. What a bug that broke
    the match off left in its level stays there."""
    levels: dict[tuple[int, int], list[Fill]] = {}
    for fill in met:
        maker = fill.maker
        book.orders[fill.key] = maker
        if fill.quantity_wh in (0, maker.remaining_wh):
            levels.setdefault((number_of(maker), maker.price_micro), []).append(fill)
    for gone in levels.values():
        level = book.open_level(gone[0].maker)
        entries = [(fill.maker.place, fill.key) for fill in gone]
        level[:0] = [entry for entry in entries if entry < level[0]] if level else entries
