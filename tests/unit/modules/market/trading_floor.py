"""A state with zones, feeders and participants, on which tests rest, cancel and match orders by themselves.

The map: zones 0 - 1 - 2 in a row, zone 3 without a border. Feeders 0 and 1 lie in zone 0, feeder 2 in zone 1, feeder 3
in zone 2, feeder 4 in zone 3.
"""

from typing import Any

from msgspec.structs import replace

from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.network import NETWORKS
from gridtokenx.modules.grid.topology import TOPOLOGY
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Kyc, Licence
from gridtokenx.modules.identity.state import (
    FEEDERS,
    PARTICIPANTS,
    ZONES,
    Feeder,
    Participant,
    Zone,
    feeder_key,
    zone_key,
)
from gridtokenx.modules.market.book import BOOKS, NO_RANK, Book, Half, Head, Level, Queue, book_of, remove, rest
from gridtokenx.modules.market.matching import Matched, match
from gridtokenx.modules.market.messages import Scope, Side
from gridtokenx.modules.market.state import ORDERS, Order

TICK = 1_000
INTERVAL = 2_000_000
NEVER_MS = 2**60
NEIGHBOURS: dict[int, tuple[int, ...]] = {0: (1,), 1: (2,), 2: (), 3: ()}
ZONE_OF = {0: 0, 1: 0, 2: 1, 3: 2, 4: 3}
FREE = (0, 0, 0, 0)
"""Wheeling that costs nothing however far; the farthest feeders that trade are two borders apart."""
FOREVER_MS = 2**60


BookContent = dict[int, dict[int, list[tuple[int, Level]]]]


def book_content(books: dict[int, Book]) -> BookContent:
    """All that books hold, to compare a lived book with one built anew: interval, queue number, rising ranks with
    their levels."""
    return {
        interval: {
            number: [(rank, list(queue.levels[rank])) for rank in queue.ranks]
            for number, queue in sorted(books[interval].queues.items())
        }
        for interval in sorted(books)
    }


def pseudonym(number: int) -> bytes:
    return number.to_bytes(8, "big")


def key_of(name: int) -> bytes:
    return bytes(32) + name.to_bytes(8, "big")


def add_participant(state: State, number: int, group: int) -> None:
    record = Participant(Licence.PROSUMER, FOREVER_MS, Kyc.VERIFIED, FOREVER_MS, False, group, 0, 0)
    state.put(PARTICIPANTS, pseudonym(number), record)


def empty_state() -> State:
    state = State()
    for zone, neighbours in NEIGHBOURS.items():
        state.put(ZONES, zone_key(zone), Zone(f"zone {zone}", bytes(32), neighbours))
    for feeder, zone in ZONE_OF.items():
        state.put(FEEDERS, feeder_key(feeder), Feeder(zone, f"feeder {feeder}"))
    state.rebuild_indexes((TOPOLOGY, NETWORKS, BOOKS))
    state.keep()
    return state


def order(
    side: Side,
    quantity_wh: int,
    price_ticks: int,
    *,
    place: int,
    source: int | None = None,
    feeder: int = 0,
    participant: int = 0,
    expires_ms: int = NEVER_MS,
    interval: int = INTERVAL,
    display_wh: int = 0,
) -> Order:
    """A buyer takes any source and a seller sells solar, unless told otherwise; each participant is its place, unless
    told otherwise."""
    if source is None:
        source = 0 if side == Side.SELL else ANY_SOURCE_MASK
    who = pseudonym(participant or 1_000_000 + place)
    price_micro = price_ticks * TICK
    plain = Order(who, who, interval, side, price_micro, quantity_wh, source, feeder, place, expires_ms, quantity_wh)
    return replace(plain, display_wh=display_wh)


def with_left(taker: Order, left_wh: int) -> Order:
    """What rests of an order that came in."""
    return replace(taker, remaining_wh=left_wh, shown_wh=min(taker.display_wh, left_wh))


class Floor:
    """Orders by number; places rise by themselves."""

    def __init__(self, wheeling: tuple[int, ...] = FREE) -> None:
        self.state = empty_state()
        self.wheeling = wheeling
        self.time_ms = 0
        self.place = 0

    @property
    def book(self) -> Book:
        return book_of(self.state, INTERVAL)

    def take_place(self) -> int:
        self.place += 1
        return self.place

    def enter(self, name: int, side: Side, quantity_wh: int, price_ticks: int, **options: Any) -> Matched:
        """Match, then let the rest wait unless matching was stopped: what a handler does with a plain order."""
        return self.enter_order(name, order(side, quantity_wh, price_ticks, place=self.take_place(), **options))

    def enter_order(self, name: int, taker: Order) -> Matched:
        matched = match(self.state, self.book, self.wheeling, taker, self.time_ms, self.take_place)
        left_wh = taker.remaining_wh - matched.filled_wh
        if left_wh and not matched.stopped:
            rest(self.state, self.book, key_of(name), with_left(taker, left_wh))
        return matched

    def buy(self, name: int, quantity_wh: int, price_ticks: int, **options: Any) -> Matched:
        return self.enter(name, Side.BUY, quantity_wh, price_ticks, **options)

    def sell(self, name: int, quantity_wh: int, price_ticks: int, **options: Any) -> Matched:
        return self.enter(name, Side.SELL, quantity_wh, price_ticks, **options)

    def cancel(self, name: int) -> None:
        remove(self.state, self.book, key_of(name), self.open_order(name))

    def open_order(self, name: int) -> Order:
        found = self.state.get(ORDERS, key_of(name))
        assert found is not None
        return found

    def open_wh(self) -> dict[int, int]:
        """Open quantity of each order that is in the table."""
        items = self.state.items(ORDERS)
        return {int.from_bytes(key, "big"): record.remaining_wh for key, record in items}

    def check(self) -> None:
        check_books(self.state)


def trades(matched: Matched) -> list[tuple[int, int, int]]:
    """(name, Wh, ticks) of each fill."""
    return [(int.from_bytes(fill.key, "big"), fill.quantity_wh, fill.price_micro // TICK) for fill in matched.fills]


def check_books(state: State) -> None:
    """The lived books are those that the table makes, and nothing empty is left in them."""
    lived = state.index(BOOKS)
    assert book_content(lived) == book_content(BOOKS.build(state))
    for book in lived.values():
        assert book.queues
        for side, half in enumerate((book.buyers, book.sellers)):
            own = [queue for queue in book.queues.values() if queue.side == side]
            assert half.count == len(own)
            assert [half.only] == (own if len(own) == 1 else [None])
            for queue in own:
                check_queue(book, queue)
            check_lists(half, own)


def check_queue(book: Book, queue: Queue) -> None:
    """Nothing in a queue is empty, and it is listed with its first order, unless it stands alone on its side."""
    assert queue is book.queues[queue.number]
    assert queue.half is book.half(queue.side)
    assert queue.ranks == sorted(queue.levels)
    assert all(queue.levels.values())
    assert queue.head is not None
    best = queue.ranks[-1]
    assert queue.head[2:] == (queue.sources, queue)
    assert queue.half.only is queue or queue.head[:2] == (-best, queue.levels[best][0][0])
    assert (queue.front is None) == (queue.number >> 8 & 3 == Scope.FEEDER)


def check_lists(half: Half, queues: list[Queue]) -> None:
    """Each feeder, front and zone lists what it should, the best first, and no more."""
    beside: dict[int, list[Head]] = {}
    fronts: dict[int, list[Head]] = {}
    zones: dict[int, list[Head]] = {}
    for head in sorted(queue.head for queue in queues if queue.head is not None):
        queue = head[3]
        beside.setdefault(queue.feeder, []).append(head)
        assert queue.beside is half.at[queue.feeder]
        if queue.front is not None:
            behind = fronts.setdefault(queue.front.number, [])
            behind.append(head)
            if behind == [head]:
                zones.setdefault(queue.front.zone, []).append(head)
            assert queue.front is half.fronts[queue.front.number]
            assert queue.front.tops is half.zones[queue.front.zone]
    assert half.at == beside
    assert {number: front.heads for number, front in half.fronts.items()} == fronts
    assert half.zones == zones
    assert half.best == min((heads[0][0] for heads in zones.values()), default=NO_RANK)
