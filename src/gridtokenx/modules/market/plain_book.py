"""Stands in for `book` while that file is being worked on: the same functions, plainly written."""

from enum import IntEnum
from typing import Any

import msgspec

from gridtokenx.ledger.limits import MATCH_STEPS_PER_ORDER_MAX
from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.identity.state import are_related
from gridtokenx.modules.market.messages import BUY, SELL
from gridtokenx.modules.market.state import ORDERS, Order
from gridtokenx.modules.market.topology import TOPOLOGY


class Stopped(IntEnum):
    NO = 0
    RELATED = 1
    STEP_LIMIT = 2


class Fill(msgspec.Struct, frozen=True, gc=False):
    key: bytes
    maker: Order
    quantity_wh: int
    price_micro: int
    wheeling_micro: int


class Matched(msgspec.Struct, frozen=True, gc=False):
    fills: list[Fill]
    expired: list[tuple[bytes, Order]]
    filled_wh: int
    stopped: int


class Book:
    def __init__(self) -> None:
        self.keys: dict[bytes, None] = {}


def _build(state: State) -> dict[int, Book]:
    books: dict[int, Book] = {}
    for key, order in state.rows[ORDERS.prefix].items():
        books.setdefault(order.interval, Book()).keys[key] = None
    return books


BOOKS: Index[dict[int, Book]] = Index("books", _build)


def book_of(state: State, interval: int) -> Book:
    return state.index(BOOKS).setdefault(interval, Book())


def _met(state: State, live: Book, wheeling: tuple[int, ...], taker: Order) -> list[Any]:
    found: list[Any] = []
    rows = state.rows[ORDERS.prefix]
    topology = state.index(TOPOLOGY)
    for key in live.keys:
        order = rows[key]
        if order.side == taker.side:
            continue
        buy, sell = (taker, order) if taker.side == BUY else (order, taker)
        near = topology.nearness(buy.feeder, sell.feeder)
        if near is None or not buy.source >> sell.source & 1:
            continue
        wheel = wheeling[near]
        if sell.price_micro + wheel <= buy.price_micro:
            rank = order.price_micro + wheel if taker.side == BUY else wheel - order.price_micro
            found.append((rank, near, order.place, key, order, wheel))
    found.sort()
    return found


def match(state: State, live: Book, wheeling: tuple[int, ...], taker: Order, time_ms: int) -> Matched:
    fills: list[Fill] = []
    expired: list[tuple[bytes, Order]] = []
    left, stopped = taker.remaining_wh, 0
    for step, (_, _, _, key, order, wheel) in enumerate(_met(state, live, wheeling, taker)):
        if not left:
            break
        if step >= MATCH_STEPS_PER_ORDER_MAX:
            stopped = 2
            break
        if order.expires_ms <= time_ms:
            remove(state, live, key, order)
            expired.append((key, order))
            continue
        if are_related(state, taker.participant, order.participant):
            stopped = 1
            break
        quantity = min(left, order.remaining_wh)
        left -= quantity
        price = order.price_micro if order.side == SELL else order.price_micro - wheel
        fills.append(Fill(key, order, quantity, price, wheel))
        if quantity == order.remaining_wh:
            remove(state, live, key, order)
        else:
            smaller = msgspec.structs.replace(order, remaining_wh=order.remaining_wh - quantity)
            state.put(ORDERS, key, smaller)
    return Matched(fills, expired, taker.remaining_wh - left, stopped)


def _add(live: Book, key: bytes) -> None:
    live.keys[key] = None


def _drop(live: Book, key: bytes) -> None:
    del live.keys[key]


def rest(state: State, live: Book, key: bytes, order: Order) -> None:
    state.put(ORDERS, key, order)
    state.undo.append((_drop, live, key))
    _add(live, key)


def remove(state: State, live: Book, key: bytes, order: Order) -> None:
    state.delete(ORDERS, key)
    state.undo.append((_add, live, key))
    _drop(live, key)


def keys_of(live: Book) -> list[bytes]:
    return sorted(live.keys)
