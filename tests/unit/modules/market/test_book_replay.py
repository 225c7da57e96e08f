"""A real session replayed order by order: the book as it is kept, with matching off.

CME E-mini S&P 500 future, 25 December 2023, market by order: 8,725 resting orders and 35,646 messages from 22:00 to
23:30 UTC. Before 23:00 the book is crossed (pre-opening), which is why nothing is matched here; from then on the best
prices and sizes of each second are known.
"""

import csv
import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.modules.market.trading_floor import INTERVAL, TICK, Floor, book_content, key_of, order

from gridtokenx.modules.market.book import BOOKS, remove, rest
from gridtokenx.modules.market.messages import Side
from gridtokenx.modules.market.state import ORDERS

SHARED = Path(os.environ.get("GRIDTOKENX_SHARED") or Path(__file__).parents[5] / "shared")
FOLDER = SHARED / "data" / "orders"
SIDES = {"B": Side.BUY, "A": Side.SELL}

Top = tuple[int, int] | None
"""Limit in ticks and open quantity at it."""


def read(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(FOLDER / f"es_2023-12-25_{name}.csv.gz", "rt", encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


class Session(Floor):
    """The recorded messages as what they do to a book. One contract is one Wh, one cent one tick."""

    def add(self, name: int, side: Side, price_ticks: int, size: int) -> None:
        self.place += 1
        rest(self.state, self.book, key_of(name), order(side, size, price_ticks, place=self.place))

    def reduce(self, name: int, size: int) -> None:
        """Take so much off an order, or the order out."""
        resting = self.open_order(name)
        if size == resting.remaining_wh:
            remove(self.state, self.book, key_of(name), resting)
        else:
            self.state.put(ORDERS, key_of(name), replace(resting, remaining_wh=resting.remaining_wh - size))

    def modify(self, name: int, side: Side, price_ticks: int, size: int) -> None:
        """A new price or a larger size costs the place."""
        resting = self.open_order(name)
        if price_ticks * TICK == resting.price_micro and size <= resting.remaining_wh:
            self.state.put(ORDERS, key_of(name), replace(resting, remaining_wh=size))
        else:
            remove(self.state, self.book, key_of(name), resting)
            self.add(name, side, price_ticks, size)

    def apply(self, message: dict[str, str]) -> None:
        name, size = int(message["order_id"]), int(message["size"])
        match message["action"]:
            case "A":
                self.add(name, SIDES[message["side"]], int(message["price_cents"]), size)
            case "C":
                self.reduce(name, size)
            case "M":
                self.modify(name, SIDES[message["side"]], int(message["price_cents"]), size)
            case action:
                # The trade itself and the fills it made: the cancel or modification after them says what is left.
                assert action in {"T", "F"}

    def top(self, side: Side) -> Top:
        (queue,) = (queue for queue in self.book.queues.values() if queue.side == side)
        rank = queue.ranks[-1]
        size = sum(self.state.rows[ORDERS.prefix][key].remaining_wh for _, key in queue.levels[rank])
        return abs(rank) // TICK, size


def expected_tops() -> Iterator[tuple[int, Top, Top]]:
    for row in read("expected_top_1s"):
        bid = int(row["bid_price_cents"]), int(row["bid_size"])
        ask = int(row["ask_price_cents"]), int(row["ask_size"])
        yield int(row["ts_event_ns"]), bid, ask


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded session is not on this machine")
def test_a_recorded_session_ends_each_second_at_the_recorded_best_prices() -> None:
    session = Session()
    for row in read("snapshot_0"):
        session.add(int(row["order_id"]), SIDES[row["side"]], int(row["price_cents"]), int(row["size"]))
    session.state.keep()
    messages = list(read("messages_2200_2330"))
    tops = expected_tops()
    time_ns, bid, ask = next(tops)
    seconds = 0
    for number, message in enumerate(messages):
        place = session.place
        session.apply(message)
        if number % 1_000 == 0:
            # Taken back and done again, it is as if nothing had been.
            done = book_content(session.state.index(BOOKS))
            session.state.roll_back(0)
            session.place = place
            session.check()
            session.apply(message)
            assert book_content(session.state.index(BOOKS)) == done
        session.state.keep()
        last_of_its_time = number + 1 == len(messages) or int(messages[number + 1]["ts_event_ns"]) > time_ns
        if int(message["ts_event_ns"]) == time_ns and last_of_its_time:
            assert (session.top(Side.BUY), session.top(Side.SELL)) == (bid, ask), f"second {seconds}"
            seconds += 1
            time_ns, bid, ask = next(tops, (0, None, None))
    assert seconds == len(list(expected_tops()))
    assert list(session.state.index(BOOKS)) == [INTERVAL]
    session.check()
