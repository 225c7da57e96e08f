"""`bench coupled-book`: matching with intervals, zones, capacity, filters and scopes all in use, beside the plain book.

As in `bench book` there is no money, no signature and no block: what is measured is `modules/market/book.py` with its
records, links and undo journal, and the orders that meet because a link has capacity again. The plain book is the same
code with one feeder and one source. Runs alternate; costs are medians, in seconds of CPU of one thread an order.

Three markets stand beside the plain one: with borders that are often full (`meets_full_border`: the share of orders
that, when they come, find a border of their zone full in the direction of their energy); with borders that never are;
and *apart*, with the same intervals and feeders, but no order looks beyond its feeder or minds a source: so many plain
books, of which each has few orders at a price. What lies between the last and the others is what coupling costs.
"""

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

from msgspec.structs import replace

from gridtokenx.bench.book import FREE, NEVER_MS, Arrival, no_place, random_orders, rate, trade
from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.schedule import DUE
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.handlers import limit_link
from gridtokenx.modules.grid.network import NETWORKS, settled
from gridtokenx.modules.grid.state import REOPENED
from gridtokenx.modules.grid.topology import TOPOLOGY, border_step, feeder_step
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source
from gridtokenx.modules.identity.state import FEEDERS, ZONES, Feeder, Zone, feeder_key, zone_key
from gridtokenx.modules.market.book import BOOKS, Book, book_of, put_back, remove, rest
from gridtokenx.modules.market.crossing import find_crossed
from gridtokenx.modules.market.matching import Matched, match
from gridtokenx.modules.market.messages import Scope, Side
from gridtokenx.modules.market.state import Order

ORDERS_COUNT = 100_000
FIRST_INTERVAL = 2_000_000
INTERVALS = 8
LEVELS = 150
TICK = 1_000
LOWEST_MICRO = 3_500_000
QUANTITIES_WH = range(100, 10_001)
NEIGHBOURS = {1: (2, 5, 6), 2: (3, 4, 5, 6), 3: (4, 6), 4: (5,), 5: (), 6: (7,), 7: ()}
"""Of the seven zones of Thailand, each border once."""
WHEELING = tuple(TICK * ticks for ticks in (20, 45, 75, 105, 135, 165, 195, 225))
"""A tenth of the default terms', so that it is as wide as the book."""
BORDER_W = 40_000
FEEDER_W = 80_000
"""So little that links fill and empty all the time."""
AMPLE_W = 10**9
MASKS = (ANY_SOURCE_MASK, ANY_SOURCE_MASK, 1 << Source.SOLAR, 1 << Source.SOLAR | 1 << Source.WIND)
SCOPES = (Scope.ANYWHERE,) * 8 + (Scope.ZONE, Scope.FEEDER)

Meant = tuple[int, Arrival, int]
"""Interval, order, scope."""


def run(quick: bool) -> dict[str, object]:
    """The figures of `bench coupled-book`."""
    plain = random_orders(feeders=1, sources=1)[:ORDERS_COUNT]
    seven, hundred = coupled_orders(7), coupled_orders(100)
    seven_apart, hundred_apart = apart(seven), apart(hundred)
    thousand, million = full_book(1_000), full_book(1_000_000)
    ways: dict[str, Callable[[], int]] = {
        "plain": lambda: trade(plain, FREE),
        "seven": lambda: trade_coupled(seven, 7, BORDER_W),
        "seven_free": lambda: trade_coupled(seven, 7, AMPLE_W),
        "seven_apart": lambda: trade_coupled(seven_apart, 7, BORDER_W),
        "hundred": lambda: trade_coupled(hundred, 100, BORDER_W),
        "hundred_apart": lambda: trade_coupled(hundred_apart, 100, BORDER_W),
        "thousand": lambda: come_and_go(*thousand),
        "million": lambda: come_and_go(*million),
    }
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(3 if quick else 9):
        for name, work in ways.items():
            costs[name].append(1 / rate(work))
    middle = {name: statistics.median(values) for name, values in costs.items()}
    tally = Tally()
    trade_coupled(seven, 7, BORDER_W, tally)
    over_plain = {name: round(middle[name] / middle["plain"], 2) for name in ways}
    return {
        "plain_orders_per_second": round(1 / middle["plain"]),
        "seven_zones_orders_per_second": round(1 / middle["seven"]),
        "hundred_feeders_orders_per_second": round(1 / middle["hundred"]),
        "cost_over_plain": over_plain["seven"],
        "cost_over_plain_free_borders": over_plain["seven_free"],
        "cost_over_plain_apart": over_plain["seven_apart"],
        "cost_over_plain_hundred_feeders": over_plain["hundred"],
        "cost_over_plain_hundred_feeders_apart": over_plain["hundred_apart"],
        "million_over_thousand": round(middle["million"] / middle["thousand"], 2),
        "trades": tally.trades,
        "trades_over_borders": tally.crossing,
        "reopened": tally.reopened,
        "meets_full_border": round(tally.meets_full / len(seven), 2),
        "rounds": len(costs["plain"]),
        "signature_us": signature_us(),
        "file_system": file_system(Path(gettempdir())),
    }


@dataclass
class Tally:
    """What happened in a market."""

    trades: int = 0
    crossing: int = 0
    """Trades over borders."""
    reopened: int = 0
    """How often a link had capacity again."""
    meets_full: int = 0
    """Orders that found a border of their zone full."""

    def add(self, matched: Matched, is_reopened: bool) -> None:
        """It met others."""
        self.reopened += is_reopened
        self.trades += len(matched.fills)
        self.crossing += sum(1 for fill in matched.fills if fill.zones)

    def look(self, book: Book, order: Order) -> None:
        """An order comes."""
        network, topology = book.network, book.topology
        steps = topology.steps_from if order.side else topology.steps_to
        self.meets_full += any(bit & network.full for _, _, bit in steps[topology.zone_of[order.feeder]])


def apart(orders: Sequence[Meant]) -> list[Meant]:
    """The same orders, if each keeps to its feeder, and the source does not matter."""
    found = []
    for interval, (key, who, side, price_micro, quantity_wh, _, feeder), _ in orders:
        source = 0 if side == Side.SELL else ANY_SOURCE_MASK
        found.append((interval, (key, who, side, price_micro, quantity_wh, source, feeder), int(Scope.FEEDER)))
    return found


def coupled_orders(feeders: int) -> list[Meant]:
    """Orders of distinct participants, even over intervals, feeders, sides, limits, quantities; the same each time."""
    chance = random.Random(f"coupled {feeders}")
    orders: list[Meant] = []
    for number in range(ORDERS_COUNT):
        name = number.to_bytes(8, "big")
        side = chance.choice((Side.BUY, Side.SELL))
        # A purchase is worth some wheeling more.
        price_micro = LOWEST_MICRO + (chance.randrange(LEVELS) + 45 * (side == Side.BUY)) * TICK
        source = chance.randrange(3) if side == Side.SELL else chance.choice(MASKS)
        arrival = (
            bytes(32) + name,
            name,
            int(side),
            price_micro,
            chance.choice(QUANTITIES_WH),
            source,
            chance.randrange(feeders),
        )
        orders.append((FIRST_INTERVAL + chance.randrange(INTERVALS), arrival, int(chance.choice(SCOPES))))
    return orders


def coupled_state(feeders: int, border_w: int) -> State:
    """Seven zones with borders that carry so much, and feeders dealt over them; of many every fourth is limited."""
    state = State()
    for zone, neighbours in NEIGHBOURS.items():
        state.put(ZONES, zone_key(zone), Zone(f"zone {zone}", bytes(32), neighbours))
        for other in neighbours:
            limit_link(state, border_step(zone, other), 0, border_w, border_w)
    for feeder in range(feeders):
        state.put(FEEDERS, feeder_key(feeder), Feeder(1 + feeder % 7, f"feeder {feeder}"))
        if feeders > 7 and feeder % 4 == 0:
            limit_link(state, feeder_step(feeder, out=True), 0, FEEDER_W, FEEDER_W)
    state.rebuild_indexes((DUE, TOPOLOGY, NETWORKS, BOOKS))
    state.keep()
    return state


def trade_coupled(orders: Sequence[Meant], feeders: int, border_w: int, tally: Tally | None = None) -> int:
    """Match each order, let its rest wait, and let orders meet where a link has capacity again."""
    state = coupled_state(feeders, border_w)
    reopened, keep = state.rows[REOPENED.prefix], state.keep
    for place, (interval, (key, who, side, price_micro, quantity_wh, source, feeder), scope) in enumerate(orders):
        order = Order(
            who, who, interval, side, price_micro, quantity_wh, source, feeder, place, NEVER_MS, quantity_wh, scope
        )
        book = book_of(state, interval)
        if tally is not None:
            tally.look(book, order)
        matched = match(state, book, WHEELING, order, 0, no_place)
        filled_wh = matched.filled_wh
        if filled_wh != quantity_wh and not matched.stopped:
            rest(state, book, key, replace(order, remaining_wh=quantity_wh - filled_wh) if filled_wh else order)
        if tally is not None:
            tally.add(matched, bool(reopened))
        if reopened and interval_key(interval) in reopened:
            let_meet(state, book)
        keep()
    return len(orders)


def let_meet(state: State, book: Book) -> None:
    """What `modules/market/crossing.py` does, without money."""
    while (found := find_crossed(book, WHEELING)) is not None:
        key, order = found
        remove(state, book, key, order)
        matched = match(state, book, WHEELING, order, 0, no_place)
        if matched.filled_wh != order.remaining_wh:
            put_back(state, book, key, replace(order, remaining_wh=order.remaining_wh - matched.filled_wh))
    settled(state, book.network.key)


def full_book(count: int) -> tuple[State, list[Meant]]:
    """Resting orders of seven zones that do not meet, and others to come and go among them."""
    state = coupled_state(7, BORDER_W)
    book = book_of(state, FIRST_INTERVAL)
    chance = random.Random(f"full {count}")
    for number in range(count):
        side = number % 2
        level = 1 + chance.randrange(LEVELS)
        price_micro = LOWEST_MICRO + 10 * LEVELS * TICK * side + level * TICK
        name = number.to_bytes(8, "big")
        source = chance.randrange(3) if side else ANY_SOURCE_MASK
        order = Order(
            name, name, FIRST_INTERVAL, side, price_micro, 1_000, source, chance.randrange(7), number, NEVER_MS, 1_000
        )
        rest(state, book, bytes(32) + name, order)
    state.keep()
    return state, coupled_orders(7)[:20_000]


def come_and_go(state: State, orders: Sequence[Meant]) -> int:
    """Each order takes one that rests, and another like that one comes; or it rests and is cancelled."""
    book, undo = book_of(state, FIRST_INTERVAL), state.undo
    for place, (_, (key, who, side, _, quantity_wh, source, feeder), _) in enumerate(orders):
        meets = place % 2
        price_micro = LOWEST_MICRO + (20 * LEVELS * TICK if meets != side else 5 * LEVELS * TICK)
        if meets and side:
            price_micro = TICK
        order = Order(
            who, who, FIRST_INTERVAL, side, price_micro, quantity_wh, source, feeder, 2**40 + place, NEVER_MS, 1_000
        )
        match(state, book, WHEELING, order, 0, no_place)
        rest(state, book, b"\x01" + key[1:], order)
        state.roll_back(0)
        assert not undo
    return len(orders)
