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
from collections import deque
from collections.abc import Iterator
from enum import IntEnum
from heapq import heapify, heappop, heappush

import msgspec

from gridtokenx.ledger.limits import MATCH_STEPS_PER_ORDER_MAX
from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.identity.state import PARTICIPANTS, are_related
from gridtokenx.modules.market.messages import Side
from gridtokenx.modules.market.state import ORDERS, Order
from gridtokenx.modules.market.topology import SAME_FEEDER, TOPOLOGY, Topology

Entry = tuple[int, bytes]
"""(place, key of the order). Places are unique on the chain, so entries sort by time."""

Level = deque[Entry]
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
    remaining_wh: int
    stopped: Stopped


class Queue:
    """Open orders of one side, feeder and source (buyers: mask of sources).

    A `rank` is a limit seen from the other side, higher is better: a buyer's limit, or minus a seller's. So all of
    matching is written once: an order meets a rank while wheeling - rank <= bound, where its bound is its own limit
    (buyer) or minus it (seller).
    """

    __slots__ = ("feeder", "levels", "ranks", "sources", "tombstones", "zone")

    def __init__(self, feeder: int, zone: int, sources: int) -> None:
        self.feeder = feeder
        self.zone = zone
        self.sources = sources
        """Bit mask: what the buyers accept, or the one source that the sellers have."""
        self.ranks: list[int] = []
        """Rising: the best is the last."""
        self.levels: dict[int, Level] = {}
        self.tombstones: dict[int, dict[int, None]] = {}
        """Places of entries that are not live, by rank; no empty ones."""

    def live(self, rank: int) -> Iterator[Entry]:
        """The entries of a level without tombstones, in order of place."""
        dead = self.tombstones.get(rank, {})
        return (entry for entry in self.levels[rank] if entry[0] not in dead)

    def head_left(self, rank: int, level: Level) -> bool:
        """Put a level in order after its head has left; False if it is used up and gone."""
        dead = self.tombstones.get(rank)
        if dead is not None:
            while level and level[0][0] in dead:
                del dead[level.popleft()[0]]
            if dead:
                self.sweep(rank, level, dead)
            else:
                del self.tombstones[rank]
        if level:
            return True
        del self.levels[rank]
        del self.ranks[bisect_left(self.ranks, rank)]
        return False

    def sweep(self, rank: int, level: Level, dead: dict[int, None]) -> None:
        """Clear tombstones away when they outnumber live orders: so each costs O(1), whatever is rolled back."""
        if len(dead) > TOMBSTONES_ALLOWED and 2 * len(dead) > len(level):
            kept = [entry for entry in level if entry[0] not in dead]
            level.clear()
            level.extend(kept)
            del self.tombstones[rank]


class Book:
    """The open orders of one interval. It is among `books` while it has any."""

    __slots__ = ("books", "interval", "orders", "queues", "topology")

    def __init__(self, state: State, books: "dict[int, Book]", interval: int) -> None:
        self.books = books
        self.interval = interval
        self.orders: dict[bytes, Order] = state.rows[ORDERS.prefix]
        self.topology: Topology = state.index(TOPOLOGY)
        self.queues: tuple[dict[int, Queue], dict[int, Queue]] = ({}, {})
        """Of buyers and of sellers, by `feeder << 8 | source`; no empty ones."""

    def enqueue(self, entry: Entry, order: Order) -> None:
        """Put an order, new or brought back by a roll-back, at its place in its queue. It may be there as a
        tombstone."""
        queues = self.queues[order.side]
        number = order.feeder << 8 | order.source
        queue = queues.get(number)
        if queue is None:
            sources = 1 << order.source if order.side else order.source
            queue = queues[number] = Queue(order.feeder, self.topology.zone_of[order.feeder], sources)
            self.books[self.interval] = self
        rank = -order.price_micro if order.side else order.price_micro
        level = queue.levels.get(rank)
        if level is None:
            queue.levels[rank] = deque((entry,))
            insort(queue.ranks, rank)
            return
        dead = queue.tombstones.get(rank, {})
        if entry[0] in dead:
            del dead[entry[0]]
            if not dead:
                del queue.tombstones[rank]
        elif entry > level[-1]:
            level.append(entry)
        else:
            level.insert(bisect_left(level, entry), entry)

    def dequeue(self, entry: Entry, order: Order) -> None:
        """Take an order out of its queue, wherever it stands there."""
        queues = self.queues[order.side]
        number = order.feeder << 8 | order.source
        queue = queues[number]
        rank = -order.price_micro if order.side else order.price_micro
        level = queue.levels[rank]
        if level[0] == entry:
            level.popleft()
            if not queue.head_left(rank, level) and not queue.ranks:
                self.close_queue(order)
        elif level[-1] == entry:
            level.pop()
        else:
            dead = queue.tombstones.setdefault(rank, {})
            dead[entry[0]] = None
            queue.sweep(rank, level, dead)

    def close_queue(self, order: Order) -> None:
        """Forget the empty queue in which `order` was, and the book with the last one."""
        del self.queues[order.side][order.feeder << 8 | order.source]
        if not self.queues[0] and not self.queues[1]:
            del self.books[self.interval]

    # The journal calls these: one step takes back a record and its place in the queue.

    def take_back(self, entry: Entry, order: Order) -> None:
        """Undo a removal."""
        self.orders[entry[1]] = order
        self.enqueue(entry, order)

    def take_out(self, entry: Entry, order: Order) -> None:
        """Undo an arrival."""
        del self.orders[entry[1]]
        self.dequeue(entry, order)
