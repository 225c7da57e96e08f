"""The order book of a delivery interval: what rests, and where. Orders meet in `matching.py`.

Orders rest in queues: sellers' by (feeder, source, scope), buyers' by (feeder, mask of sources, scope). Each feeder
lists its queues by their first orders. Queues of one zone that differ in the feeder alone stand behind one front, and
each zone lists its fronts by the first order behind them. So an incoming order looks at the best of its own feeder,
then zone by zone, the nearest first, at fronts that could be better: what its filter refuses, what is out of its scope
or behind a full border costs it one look at a front at most, however much there is of it.

The book is derived: the ORDERS table alone says what is open and how much of it, a queue holds (place, key) only. Each
change puts one step on the journal that takes back records and queues together, so after any roll-back the book holds
what one built anew from the table holds. Nothing empty stays: no level, no queue, no front, no book.

Levels, the prices of a queue and the lists of first orders are sorted lists: what is taken out moves the
entries behind it, eight bytes each, which for 100,000 of them takes less time than one signature check.
"""

from bisect import bisect_left, insort

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
NO_RANK = 2**63
"""Minus a rank below all."""


class Queue:
    """Open orders of one side, feeder, source (buyers: mask of sources) and scope.

    A `rank` is a limit as the other side ranks it, higher is better: a buyer's limit, or minus a seller's. So matching
    is written once: an order meets a rank while wheeling - rank <= bound, its own limit (buyer) or minus it (seller).
    """

    __slots__ = ("beside", "feeder", "front", "half", "head", "levels", "number", "ranks", "side", "sources", "step")

    def __init__(self, order: Order, number: int, half: "Half") -> None:
        feeder, side = order.feeder, order.side
        self.number = number
        self.side = side
        self.half = half
        self.feeder = feeder
        self.step: Step = feeder_step(feeder, out=side != 0)
        """Over which its energy leaves the feeder, or comes to it."""
        self.sources = 1 << order.source if side else order.source
        """Bit mask: what a buyer accepts, or the one source that a seller has."""
        self.head: Head | None = None
        """Its first order, as it is listed; None before it is."""
        self.beside: list[Head] = []
        """The list of its feeder, once it is listed."""
        self.front: Front | None = None
        """Behind which it stands then; None if none of its orders goes beyond the feeder."""
        self.ranks: list[int] = []
        """Rising: the best is the last."""
        self.levels: dict[int, Level] = {}


Head = tuple[int, int, int, Queue]
"""A queue's first order: minus its rank and its place, so that the better is the smaller; sources; and the queue."""


class Front:
    """The queues of one zone, side, source (or mask) and scope, as they look from other feeders."""

    __slots__ = ("heads", "number", "scope", "tops", "zone")

    def __init__(self, number: int, zone: int, scope: int, tops: list[Head]) -> None:
        self.number = number
        self.zone = zone
        self.scope = scope
        self.tops = tops
        """The list of its zone."""
        self.heads: list[Head] = []
        """Of its queues, the best first."""


class Half:
    """One side of a book. What it lists is exact, but for a queue that stands alone on its side: nobody else can have
    its turn, so it is listed as it came, until somebody needs to know better."""

    __slots__ = ("at", "best", "count", "fronts", "only", "zones")

    def __init__(self) -> None:
        self.count = 0
        """Of queues."""
        self.only: Queue | None = None
        """The one that stands alone."""
        self.fronts: dict[int, Front] = {}
        """By the number of their queues, with the zone in the feeder's place."""
        self.at: dict[int, list[Head]] = {}
        """Of the queues of each feeder, the best first."""
        self.zones: dict[int, list[Head]] = {}
        """Of each zone the best behind each front, the best first."""
        self.best = NO_RANK
        """Minus the best rank in all zones."""

    def list(self, queue: Queue, zone: int, scope: int) -> None:
        """List a queue for the first time."""
        rank = queue.ranks[-1]
        head = queue.head = -rank, queue.levels[rank][0][0], queue.sources, queue
        queue.beside = self.at.setdefault(queue.feeder, [])
        insort(queue.beside, head)
        if scope == _SCOPE_FEEDER:
            return
        number = queue.number & (1 << _FEEDER_BIT) - 1 | zone << _FEEDER_BIT
        front = self.fronts.get(number)
        if front is None:
            front = self.fronts[number] = Front(number, zone, scope, self.zones.setdefault(zone, []))
        queue.front = front
        before = front.heads[0] if front.heads else None
        insort(front.heads, head)
        if front.heads[0] is head:
            if before is not None:
                del front.tops[bisect_left(front.tops, before)]
            insort(front.tops, head)
            self.best = min(self.best, -rank)

    def list_again(self, queue: Queue) -> None:
        """List a queue by the first order that it has now. (The lists are short, and most have one entry.)"""
        old, rank, heads = queue.head, queue.ranks[-1], queue.beside
        assert old is not None, "it is listed"
        head = queue.head = -rank, queue.levels[rank][0][0], queue.sources, queue
        if len(heads) == 1:
            heads[0] = head
        else:
            del heads[bisect_left(heads, old)]
            insort(heads, head)
        front = queue.front
        if front is None:
            return
        heads = front.heads
        before = heads[0]
        if len(heads) == 1:
            heads[0] = head
        else:
            del heads[bisect_left(heads, old)]
            insort(heads, head)
        top = heads[0]
        if top is not before:
            tops = front.tops
            if len(tops) == 1:
                tops[0] = top
            else:
                del tops[bisect_left(tops, before)]
                insort(tops, top)
            if top[0] <= self.best:
                self.best = top[0]
            elif before[0] == self.best:
                self.best = self._best()

    def drop(self, queue: Queue) -> None:
        """List a queue, in which nothing is left, no more. No list stays empty."""
        head, front = queue.head, queue.front
        assert head is not None, "it is listed"
        del queue.beside[bisect_left(queue.beside, head)]
        if not queue.beside:
            del self.at[queue.feeder]
        if front is None:
            return
        is_top = front.heads[0] is head
        del front.heads[bisect_left(front.heads, head)]
        if not front.heads:
            del self.fronts[front.number]
        if is_top:
            del front.tops[bisect_left(front.tops, head)]
            if front.heads:
                insort(front.tops, front.heads[0])
            elif not front.tops:
                del self.zones[front.zone]
            if head[0] == self.best:
                self.best = self._best()

    def first_in(self, zone: int) -> Head | None:
        """The first order of a zone, of those that go beyond their feeders."""
        if self.only is not None:
            self.list_again(self.only)
        tops = self.zones.get(zone)
        return tops[0] if tops else None

    def _best(self) -> int:
        return min([tops[0][0] for tops in self.zones.values()], default=NO_RANK)


class Book:
    """The open orders of one interval. It is among `books` while it has any."""

    __slots__ = ("books", "buyers", "halts", "interval", "network", "orders", "queues", "sellers", "topology")

    def __init__(self, state: State, books: "dict[int, Book]", interval: int) -> None:
        self.books = books
        self.interval = interval
        self.orders: dict[bytes, Order] = state.rows[_ORDERS]
        self.halts: dict[bytes, Halted] = state.rows[_HALTS]
        self.network: Network = network_of(state, interval)
        self.topology: Topology = self.network.topology
        self.queues: dict[int, Queue] = {}
        """By `number_of` their orders."""
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
        half = self.half(order.side)
        queue = self.queues[number] = Queue(order, number, half)
        half.count += 1
        alone, half.only = half.only, queue if half.count == 1 else None
        if alone is not None:
            self.tidy(alone)
        self.books[self.interval] = self
        return queue

    def tidy(self, queue: Queue) -> None:
        """After a queue's first order changed: list it, or forget the queue if nothing is left in it, and the book with
        its last queue."""
        if not queue.ranks:
            self._close_queue(queue)
        elif queue.head is None:
            scope = queue.number >> _SCOPE_BIT & (1 << _FEEDER_BIT - _SCOPE_BIT) - 1
            queue.half.list(queue, self.topology.zone_of[queue.feeder], scope)
        elif queue.half.only is None:
            queue.half.list_again(queue)

    def _close_queue(self, queue: Queue) -> None:
        half = queue.half
        del self.queues[queue.number]
        half.drop(queue)
        half.count -= 1
        if half.count < 2:
            half.only = next((heads[0][3] for heads in half.at.values()), None)
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
        if queue.half.only is None and queue.ranks[-1] == rank:
            queue.half.list_again(queue)


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
