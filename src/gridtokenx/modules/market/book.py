"""The order book of a delivery interval: what rests, and where. Orders meet in `matching.py`.

Orders rest in queues: sellers' by (feeder, source, scope), buyers' by (feeder, mask of sources, scope). A queue has
price levels, a level is first come, first served. Queues of one zone that differ in the feeder alone stand behind one
front, which knows the first order of each; fronts are listed by their best rank. So an incoming order looks at fronts,
the best first, and only at queues whose turn comes: what its filter refuses, what is out of its scope or behind a full
border costs it one look at a front, however much there is of it.

The book is derived: the ORDERS table alone says what is open and how much of it, a queue holds (place, key) only. Each
change puts one step on the journal that takes back records and queues together, so after any roll-back the book holds
what one built anew from the table holds. Nothing empty stays: no level, no queue, no front, no book.

Levels, the prices of a queue and the lists of first orders and of fronts are sorted lists: what is taken out moves the
entries behind it, eight bytes each, which for 100,000 of them takes less time than one signature check.
"""

from bisect import bisect_left, insort
from typing import Any, Generic, TypeVar

from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.grid.network import Network, network_of
from gridtokenx.modules.grid.topology import Step, Topology, feeder_step
from gridtokenx.modules.market.halted import halted_zones
from gridtokenx.modules.market.messages import Scope
from gridtokenx.modules.market.state import HALTS, ORDERS, Halted, Order

Entry = tuple[int, bytes]
"""(place, key of the order). Places are unique on the chain, so entries sort by time."""

Level = list[Entry]
"""The entries of one price, rising by place."""

_HALTS, _ORDERS = HALTS.prefix, ORDERS.prefix
_SELLERS = 1 << 7
_SCOPE_BIT = 8
_FEEDER_BIT = 10
_SCOPE_FEEDER = int(Scope.FEEDER)
_NOTHING = -(2**63)
"""A rank below all."""

Item = TypeVar("Item", "Queue", "Front")


class Queue:
    """Open orders of one side, feeder, source (buyers: mask of sources) and scope.

    A `rank` is a limit as the other side ranks it, higher is better: a buyer's limit, or minus a seller's. So matching
    is written once: an order meets a rank while wheeling - rank <= bound, its own limit (buyer) or minus it (seller).
    """

    __slots__ = ("feeder", "front", "head", "levels", "listed", "number", "ranks", "side", "sources", "step")

    def __init__(self, order: Order, number: int, front: "Front | None") -> None:
        self.side = order.side
        self.number = number
        self.feeder = order.feeder
        self.step: Step = feeder_step(order.feeder, out=order.side != 0)
        """Over which its energy leaves the feeder, or comes to it."""
        self.sources = _mask_of(order)
        self.front = front
        """None if none of its orders goes beyond the feeder."""
        self.head: First | None = None
        """How it stands among the first of its front, if it stands there."""
        self.listed: int | None = None
        """The rank under which its feeder lists it."""
        self.ranks: list[int] = []
        """Rising: the best is the last."""
        self.levels: dict[int, Level] = {}


First = tuple[int, int, Queue]
"""(rank, minus place) of a queue's first order, and the queue: the better, the greater."""


class Front:
    """The queues of one zone, side, source (or mask) and scope, as they look from other feeders."""

    __slots__ = ("firsts", "listed", "number", "queues", "scope", "side", "sources", "zone")

    def __init__(self, order: Order, number: int, zone: int) -> None:
        self.number = number
        self.side = order.side
        self.zone = zone
        self.scope = order.scope
        self.sources = _mask_of(order)
        self.queues: list[Queue] = []
        """In no particular order."""
        self.firsts: list[First] = []
        """Rising: the best is the last. Kept while there are several queues."""
        self.listed: int | None = None
        """The rank under which its side lists it; None while it does not."""

    def best(self) -> int:
        """The rank of its first order; the lowest of all while what was in its one queue has been met."""
        if self.firsts:
            return self.firsts[-1][0]
        ranks = self.queues[0].ranks
        return ranks[-1] if ranks else _NOTHING


class Listing(Generic[Item]):
    """Queues or fronts by rank and number, rising. One whose best orders are gone is listed too high until an incoming
    order looks at it, never too low."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[tuple[int, int, Item]] = []

    def put(self, item: Item, rank: int | None) -> None:
        """List an item under a rank, or not any more."""
        if item.listed is not None:
            del self.items[bisect_left(self.items, (item.listed, item.number))]
        if rank is not None:
            insort(self.items, (rank, item.number, item))
        item.listed = rank


class Half:
    """One side of a book."""

    __slots__ = ("at", "count", "fronts")

    def __init__(self) -> None:
        self.at: dict[int, Listing[Queue]] = {}
        """Queues by feeder."""
        self.count = 0
        """Of queues."""
        self.fronts: Listing[Front] = Listing()


class Book:
    """The open orders of one interval. It is among `books` while it has any."""

    __slots__ = ("books", "buyers", "fronts", "halts", "interval", "network", "orders", "queues", "sellers", "topology")

    def __init__(self, state: State, books: "dict[int, Book]", interval: int) -> None:
        self.books = books
        self.interval = interval
        self.orders: dict[bytes, Order] = state.rows[_ORDERS]
        self.halts: dict[bytes, Halted] = state.rows[_HALTS]
        self.network: Network = network_of(state, interval)
        self.topology: Topology = self.network.topology
        self.queues: dict[int, Queue] = {}
        """By `number_of` their orders."""
        self.fronts: dict[int, Front] = {}
        """By the number of their queues, with the zone in the feeder's place."""
        self.buyers = Half()
        self.sellers = Half()

    def halted(self) -> frozenset[int]:
        """The zones of which nothing trades now."""
        return halted_zones(self.halts, self.interval, self.topology.neighbours)

    def half(self, side: int) -> Half:
        """Of an order's side."""
        return self.sellers if side else self.buyers

    def open_level(self, order: Order) -> Level:
        """The level on which an order stands, made when there is none; `tidy` its queue afterwards. KeyError for an
        unknown feeder."""
        number = number_of(order)
        queue = self.queues.get(number)
        if queue is None:
            queue = self._open_queue(order, number)
        rank = rank_of(order)
        level = queue.levels.get(rank)
        if level is None:
            level = queue.levels[rank] = []
            insort(queue.ranks, rank)
        return level

    def _open_queue(self, order: Order, number: int) -> Queue:
        zone = self.topology.zone_of[order.feeder]
        front = None
        if order.scope != _SCOPE_FEEDER:
            place = number & (1 << _FEEDER_BIT) - 1 | zone << _FEEDER_BIT
            front = self.fronts.get(place)
            if front is None:
                front = self.fronts[place] = Front(order, place, zone)
        queue = self.queues[number] = Queue(order, number, front)
        if front is not None:
            front.queues.append(queue)
            if len(front.queues) == 2:
                self.tidy(front.queues[0])
        half = self.half(order.side)
        if order.feeder not in half.at:
            half.at[order.feeder] = Listing()
        half.count += 1
        self.books[self.interval] = self
        return queue

    def tidy(self, queue: Queue) -> None:
        """After a queue's first order changed: let its front know, or forget the queue if nothing is left in it; its
        front, if it was the last one; and the book with its last queue."""
        if not queue.ranks:
            self._close_queue(queue)
            return
        front, rank, half = queue.front, queue.ranks[-1], self.half(queue.side)
        if queue.listed is None or rank > queue.listed:
            half.at[queue.feeder].put(queue, rank)
        if front is None:
            return
        if len(front.queues) > 1:
            firsts = front.firsts
            if queue.head is not None:
                del firsts[bisect_left(firsts, queue.head)]
            queue.head = rank, -queue.levels[rank][0][0], queue
            insort(firsts, queue.head)
        if front.listed is None or rank > front.listed:
            half.fronts.put(front, rank)

    def _close_queue(self, queue: Queue) -> None:
        if self.queues.get(queue.number) is not queue:
            return
        del self.queues[queue.number]
        half = self.half(queue.side)
        half.count -= 1
        beside = half.at[queue.feeder]
        beside.put(queue, None)
        if not beside.items:
            del half.at[queue.feeder]
        front = queue.front
        if front is not None:
            _drop(front.queues, queue)
            if queue.head is not None:
                del front.firsts[bisect_left(front.firsts, queue.head)]
            if len(front.queues) == 1:
                front.firsts.clear()
                front.queues[0].head = None
            elif not front.queues:
                del self.fronts[front.number]
                half.fronts.put(front, None)
        if not self.queues:
            del self.books[self.interval]

    def enter(self, key: bytes, order: Order) -> None:
        """Put an order into ORDERS and, by its place, into its queue."""
        self.orders[key] = order
        insort(self.open_level(order), (order.place, key))
        self.tidy(self.queues[number_of(order)])

    def leave(self, key: bytes, order: Order) -> None:
        """Take an order out of ORDERS and out of its queue."""
        del self.orders[key]
        queue = self.queues[number_of(order)]
        rank = rank_of(order)
        level = queue.levels[rank]
        first = bisect_left(level, (order.place, key))
        del level[first]
        if not level:
            del queue.levels[rank]
            del queue.ranks[bisect_left(queue.ranks, rank)]
        if not first:
            self.tidy(queue)


def _drop(items: list[Any], item: object) -> None:
    """Take an item out of a list whose order does not count."""
    items[items.index(item)] = items[-1]
    items.pop()


def _mask_of(order: Order) -> int:
    """Bit mask: what a buyer accepts, or the one source that a seller has."""
    return 1 << order.source if order.side else order.source


def number_of(order: Order) -> int:
    """The number of an order's queue, made of feeder, scope, side and source; a buyer's mask has seven bits."""
    return order.feeder << _FEEDER_BIT | order.scope << _SCOPE_BIT | order.side << 7 | order.source


def rank_of(order: Order) -> int:
    """An order's limit as the other side ranks it."""
    return -order.price_micro if order.side else order.price_micro


def _build_books(state: State) -> dict[int, Book]:
    books: dict[int, Book] = {}
    for key, order in sorted(state.rows[_ORDERS].items(), key=lambda item: item[1].place):
        book = books.get(order.interval) or Book(state, books, order.interval)
        book.open_level(order).append((order.place, key))
    for book in books.values():
        for queue in book.queues.values():
            book.tidy(queue)
    return books


BOOKS: Index[dict[int, Book]] = Index("books", _build_books)
"""The books that have orders, by interval. Built after TOPOLOGY and NETWORKS."""


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
    place, beside = order.place, order.feeder << _FEEDER_BIT | order.scope << _SCOPE_BIT
    if order.side:
        rank, queue = -order.price_micro, book.queues.get(beside | _SELLERS | order.source)
    else:
        rank, queue = order.price_micro, book.queues.get(beside | order.source)
    state.undo.append((_undo_rest, book, key))
    state.dirty[_ORDERS][key] = None
    book.orders[key] = order
    if queue is None:
        book.open_level(order).append((place, key))
        book.tidy(book.queues[number_of(order)])
    elif (level := queue.levels.get(rank)) is not None:
        level.append((place, key))
    else:
        queue.levels[rank] = [(place, key)]
        insort(queue.ranks, rank)
        if queue.ranks[-1] == rank:
            book.tidy(queue)


def _undo_rest(book: Book, key: bytes) -> None:
    book.leave(key, book.orders[key])


def put_back(state: State, book: Book, key: bytes, order: Order) -> None:
    """Like `rest`, for an order that keeps the place that it had."""
    state.undo.append((_undo_rest, book, key))
    state.dirty[_ORDERS][key] = None
    book.enter(key, order)


def remove(state: State, book: Book, key: bytes, order: Order) -> None:
    """Take an open order, as it stands in ORDERS, out of the table and the book."""
    state.undo.append((book.enter, key, order))
    state.dirty[_ORDERS][key] = None
    book.leave(key, order)
