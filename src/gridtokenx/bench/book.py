"""`bench book`: the ledger's own matching against an order book from PyPI, on the same orders in the same process.

No money, signatures or blocks: what is measured is `modules/market/book.py` as transactions use it, with records in
the table of orders, and the undo journal kept after each order. The rival keeps no records and takes nothing back.
Runs alternate; figures are medians, in orders per second of CPU time of one thread.
"""

import gc
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from gridtokenx.bench.report import file_system, signature_us
from gridtokenx.ledger.quantities import value_micro
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.network import NETWORKS
from gridtokenx.modules.grid.topology import TOPOLOGY
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source
from gridtokenx.modules.identity.state import FEEDERS, ZONES, Feeder, Zone, feeder_key, zone_key
from gridtokenx.modules.market.book import BOOKS, book_of, remove, rest
from gridtokenx.modules.market.matching import Matched, match
from gridtokenx.modules.market.messages import Side
from gridtokenx.modules.market.state import ORDERS, Order

ORDERS_COUNT = 200_000
LEVELS = 150
TICK = 1_000
LOWEST_MICRO = 3_500_000
QUANTITIES_WH = range(100, 10_001)
INTERVAL = 2_000_000
NEVER_MS = 2**60
CANCELLED = 0.3
"""Share of operations in `churn` that cancel an order that came before, whether it is still open or not."""

FREE = (0, 0)
WHEELING = (200_000, 450_000, 750_000)
"""For the book of many queues: same feeder, same zone, one border."""

Arrival = tuple[bytes, bytes, int, int, int, int, int]
"""Key, participant, side, limit, Wh, source (or mask), feeder."""

Totals = tuple[int, int, int]
"""Trades, Wh, value."""


def run(quick: bool) -> dict[str, object]:
    """The figures of `bench book`."""
    plain, spread = random_orders(feeders=1, sources=1), random_orders(feeders=8, sources=3)
    totals = totals_of_ledger(plain)
    if totals != totals_of_rival(plain):
        raise AssertionError("the two books disagree on trades, quantity or notional")
    ours, rivals, churned, queued = [], [], [], []
    for _ in range(3 if quick else 9):
        ours.append(rate(lambda: trade(plain, FREE)))
        rivals.append(rate(lambda: trade_at_rival(plain)))
        churned.append(rate(lambda: churn(plain)))
        queued.append(rate(lambda: trade(spread, WHEELING)))
    mine, rival = statistics.median(ours), statistics.median(rivals)
    return {
        "orders_per_second": round(mine),
        "rival_orders_per_second": round(rival),
        "ratio": round(mine / rival, 2),
        "trades": totals[0],
        "quantity": totals[1],
        "notional": totals[2],
        "churn_orders_per_second": round(statistics.median(churned)),
        "many_queues_orders_per_second": round(statistics.median(queued)),
        "rounds": len(ours),
        "signature_us": signature_us(),
        "file_system": file_system(Path(tempfile.gettempdir())),
    }


def no_place() -> int:
    """Only icebergs take another place."""
    raise AssertionError("no order here shows a part of itself only")


def rate(work: Callable[[], int]) -> float:
    """Operations per second of CPU time. As in a node, no garbage is collected while orders are at work."""
    gc.collect()
    gc.disable()
    try:
        start = time.process_time()
        count = work()
        return count / (time.process_time() - start)
    finally:
        gc.enable()


def random_orders(feeders: int, sources: int) -> list[Arrival]:
    """Limit orders of distinct participants, even over sides, price levels and quantities; the same each time."""
    chance = random.Random(f"book {feeders} {sources}")
    masks = [ANY_SOURCE_MASK, 1 << Source.SOLAR, 1 << Source.SOLAR | 1 << Source.WIND][:sources]
    orders: list[Arrival] = []
    for number in range(ORDERS_COUNT):
        name = number.to_bytes(8, "big")
        side = chance.choice((Side.BUY, Side.SELL))
        price_micro = LOWEST_MICRO + chance.randrange(LEVELS) * TICK
        source = chance.randrange(sources) if side == Side.SELL else chance.choice(masks)
        quantity_wh, feeder = chance.choice(QUANTITIES_WH), chance.randrange(feeders)
        orders.append((bytes(32) + name, name, int(side), price_micro, quantity_wh, source, feeder))
    return orders


def empty_state() -> State:
    """Two zones with four feeders each, and no orders."""
    state = State()
    for zone in range(2):
        state.put(ZONES, zone_key(zone), Zone(f"zone {zone}", bytes(32), (1 - zone,)))
    for feeder in range(8):
        state.put(FEEDERS, feeder_key(feeder), Feeder(feeder // 4, f"feeder {feeder}"))
    state.rebuild_indexes((TOPOLOGY, NETWORKS, BOOKS))
    state.keep()
    return state


def trade(arrivals: list[Arrival], wheeling: tuple[int, ...], seen: Callable[[Matched], None] | None = None) -> int:
    """Match each order and let its rest wait, as a handler does; `seen` gets what each met."""
    state = empty_state()
    book, keep = book_of(state, INTERVAL), state.keep
    for place, (key, who, side, price_micro, quantity_wh, source, feeder) in enumerate(arrivals):
        order = Order(who, who, INTERVAL, side, price_micro, quantity_wh, source, feeder, place, NEVER_MS, quantity_wh)
        matched = match(state, book, wheeling, order, 0, no_place)
        filled_wh = matched.filled_wh
        if filled_wh != quantity_wh:
            rest(state, book, key, replace(order, remaining_wh=quantity_wh - filled_wh) if filled_wh else order)
        keep()
        if seen is not None:
            seen(matched)
    return len(arrivals)


def churn(arrivals: list[Arrival]) -> int:
    """Like `trade`, but three operations of ten cancel."""
    chance = random.Random("churn")
    state = empty_state()
    book, keep, rows = book_of(state, INTERVAL), state.keep, state.rows[ORDERS.prefix]
    for place, (key, who, side, price_micro, quantity_wh, source, feeder) in enumerate(arrivals):
        if place and chance.random() < CANCELLED:
            earlier = arrivals[chance.randrange(max(0, place - 1_000), place)][0]
            if earlier in rows:
                remove(state, book, earlier, rows[earlier])
        else:
            order = Order(
                who, who, INTERVAL, side, price_micro, quantity_wh, source, feeder, place, NEVER_MS, quantity_wh
            )
            filled_wh = match(state, book, FREE, order, 0, no_place).filled_wh
            if filled_wh != quantity_wh:
                rest(state, book, key, replace(order, remaining_wh=quantity_wh - filled_wh))
        keep()
    return len(arrivals)


def totals_of_ledger(arrivals: list[Arrival]) -> Totals:
    """What the ledger's book trades in all."""
    fills: list[Totals] = []

    def add(matched: Matched) -> None:
        fills.extend((1, fill.quantity_wh, value_micro(fill.price_micro, fill.quantity_wh)) for fill in matched.fills)

    trade(arrivals, FREE, add)
    return total(fills)


def rival_engine() -> Any:
    """An empty book of lightmatchingengine; it comes with the development packages."""
    return import_module("lightmatchingengine.lightmatchingengine").LightMatchingEngine()


def trade_at_rival(arrivals: list[Arrival]) -> int:
    """The same orders."""
    add_order = rival_engine().add_order
    for _, _, side, price_micro, quantity_wh, _, _ in arrivals:
        add_order("interval", price_micro, quantity_wh, side + 1)
    return len(arrivals)


def totals_of_rival(arrivals: list[Arrival]) -> Totals:
    """What the rival trades in all. It reports each trade on the resting side, and their sum on the incoming one."""
    engine = rival_engine()
    fills: list[Totals] = []
    for _, _, side, price_micro, quantity_wh, _, _ in arrivals:
        order, reports = engine.add_order("interval", price_micro, quantity_wh, side + 1)
        fills.extend(
            (1, report.trade_qty, value_micro(report.trade_price, report.trade_qty))
            for report in reports
            if report.order_id != order.order_id
        )
    return total(fills)


def total(fills: list[Totals]) -> Totals:
    """The sums of each column."""
    trades, quantity_wh, value = (sum(column) for column in zip(*fills, strict=True))
    return trades, quantity_wh, value
