"""The book against a slow, obvious one: a list of orders, sorted anew for each order that comes in.

Transactions of some operations are kept or taken back; after each the two agree, and the lived book is the one that
the table makes.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace
from tests.unit.modules.market.trading_floor import (
    NEVER_MS,
    TICK,
    Floor,
    add_participant,
    book_content,
    key_of,
    order,
    with_left,
)

from gridtokenx.modules.market import matching
from gridtokenx.modules.market.book import BOOKS
from gridtokenx.modules.market.matching import Matched, Stopped
from gridtokenx.modules.market.messages import Side
from gridtokenx.modules.market.state import ORDERS, Order

GROUPS = {1: 0, 2: 0, 3: 7, 4: 7, 5: 8}
UNREGISTERED = [6, 7, 8, 9, 10]
"""Participants and their groups, and some of whom nothing is known."""

WHEELINGS = [(0, 0, 0, 0), (TICK, TICK, 2 * TICK, 2 * TICK), (TICK, 2 * TICK, 4 * TICK, 6 * TICK)]

NEARNESS = {
    frozenset({0}): 0, frozenset({1}): 0, frozenset({2}): 0, frozenset({3}): 0, frozenset({4}): 0,
    frozenset({0, 1}): 1, frozenset({0, 2}): 2, frozenset({1, 2}): 2, frozenset({2, 3}): 2,
    frozenset({0, 3}): 3, frozenset({1, 3}): 3,
}  # fmt: skip
"""Of two feeders, written down by hand from the map of the trading floor."""


@dataclass
class Model:
    """All open orders; `steps_max` orders may be met by one."""

    wheeling: tuple[int, ...]
    steps_max: int
    open: dict[int, Order] = field(default_factory=dict)

    def meets(self, taker: Order) -> list[tuple[tuple[int, int, int], int]]:
        """(priority, name) of whatever the order can trade with, best first."""
        found = []
        for name, maker in self.open.items():
            buyer, seller = (taker, maker) if taker.side == Side.BUY else (maker, taker)
            nearness = NEARNESS.get(frozenset({buyer.feeder, seller.feeder}))
            accepted = buyer.source & 2**seller.source
            if maker.side == taker.side or nearness is None or not accepted:
                continue
            delivered = seller.price_micro + self.wheeling[nearness]
            if delivered <= buyer.price_micro:
                worse = delivered if taker.side == Side.BUY else self.wheeling[nearness] - buyer.price_micro
                found.append(((worse, nearness, maker.place), name))
        return sorted(found)

    def match(self, taker: Order, time_ms: int) -> dict[str, Any]:
        """What `Matched` should say, in names."""
        fills, expired = [], []
        left_wh, steps, stopped, place = taker.remaining_wh, 0, Stopped.NO, taker.place
        while left_wh and (waiting := self.meets(taker)):
            (_, nearness, _), name = waiting[0]
            maker, wheeling = self.open[name], self.wheeling[nearness]
            if steps == self.steps_max:
                stopped = Stopped.STEP_LIMIT
                break
            steps += 1
            if maker.expires_ms <= time_ms:
                expired.append(name)
                del self.open[name]
                continue
            if related(taker.participant, maker.participant):
                stopped = Stopped.RELATED
                break
            quantity_wh = min(left_wh, maker.shown_wh or maker.remaining_wh)
            left_wh -= quantity_wh
            price = maker.price_micro if maker.side == Side.SELL else maker.price_micro - wheeling
            fills.append((name, maker, quantity_wh, price, wheeling))
            remaining_wh, shown_wh = maker.remaining_wh - quantity_wh, maker.shown_wh - quantity_wh
            if not remaining_wh:
                del self.open[name]
            elif maker.display_wh and not shown_wh:
                place += 1
                self.open[name] = replace(with_left(maker, remaining_wh), place=place)
            else:
                self.open[name] = replace(maker, remaining_wh=remaining_wh, shown_wh=max(shown_wh, 0))
        filled_wh = taker.remaining_wh - left_wh
        return {"fills": fills, "expired": expired, "filled_wh": filled_wh, "stopped": stopped}

    def enter(self, name: int, taker: Order, time_ms: int) -> dict[str, Any]:
        matched = self.match(taker, time_ms)
        left_wh = taker.remaining_wh - matched["filled_wh"]
        if left_wh and not matched["stopped"]:
            self.open[name] = with_left(taker, left_wh)
        return matched


def related(first: bytes, second: bytes) -> bool:
    groups = [GROUPS.get(int.from_bytes(one, "big"), 0) for one in (first, second)]
    return first == second or (groups[0] == groups[1] != 0)


def in_names(matched: Matched) -> dict[str, Any]:
    """The book's answer, to be compared with the model's."""

    def name(key: bytes) -> int:
        return int.from_bytes(key, "big")

    return {
        "fills": [(name(f.key), f.maker, f.quantity_wh, f.price_micro, f.wheeling_micro) for f in matched.fills],
        "expired": [name(key) for key, _ in matched.expired],
        "filled_wh": matched.filled_wh,
        "stopped": matched.stopped,
    }


def check_fills(taker: Order, matched: Matched) -> None:
    """What holds for any trade, without knowing who should have been first."""
    for fill in matched.fills:
        buyer, seller = (taker, fill.maker) if taker.side == Side.BUY else (fill.maker, taker)
        assert (taker.side, fill.maker.side) in {(Side.BUY, Side.SELL), (Side.SELL, Side.BUY)}
        assert seller.price_micro <= fill.price_micro <= buyer.price_micro - fill.wheeling_micro
        assert buyer.source >> seller.source & 1
        assert 0 < fill.quantity_wh <= fill.maker.remaining_wh
        assert not related(buyer.participant, seller.participant)
    assert sum(fill.quantity_wh for fill in matched.fills) == matched.filled_wh <= taker.remaining_wh


Operation = Callable[["BookMachine"], None]

names = st.integers(0, 60)
quantities = st.sampled_from([1, 2, 3, 5])


@st.composite
def entering(draw: st.DrawFn, *, crosses: bool) -> Operation:
    """A small order that waits on its side of the middle, or a large one that crosses it."""
    side = draw(st.sampled_from(Side))
    beyond_ticks = draw(st.integers(0, 7)) if crosses else -draw(st.integers(0, 1))
    price = 20 + beyond_ticks if side == Side.BUY else 20 - beyond_ticks
    quantity = draw(quantities) * (5 if crosses else 1)
    seller_sources, buyer_masks = st.sampled_from([0, 0, 1, 5]), st.sampled_from([127, 127, 127, 2, 33])
    options = {
        "source": draw(seller_sources if side == Side.SELL else buyer_masks),
        "feeder": draw(st.sampled_from([0, 0, 1, 2, 2, 3, 4])),
        "participant": draw(st.sampled_from(sorted(GROUPS) + UNREGISTERED)),
        "expires_ms": draw(st.sampled_from([NEVER_MS, NEVER_MS, NEVER_MS, 10, 30])),
        "display_wh": draw(st.sampled_from([0, 0, 1, 2])),
    }
    name = draw(names)
    return lambda machine: machine.enter(name, side, quantity, price, options)


@st.composite
def amending(draw: st.DrawFn) -> Operation:
    name, quantity, price = draw(names), draw(quantities), 20 + draw(st.integers(-1, 1))
    return lambda machine: machine.amend(name, quantity, price)


@st.composite
def cancelling(draw: st.DrawFn) -> Operation:
    name = draw(names)
    return lambda machine: machine.cancel(name)


waiting = entering(crosses=False)
operations = st.one_of(waiting, waiting, waiting, entering(crosses=True), amending(), cancelling())


class BookMachine(RuleBasedStateMachine):
    """Each rule is one transaction."""

    @initialize(
        wheeling=st.sampled_from(WHEELINGS),
        steps_max=st.sampled_from([3, 6, 256]),
        crowd=st.lists(waiting, min_size=20, max_size=40),
    )
    def open(self, wheeling: tuple[int, ...], steps_max: int, crowd: list[Operation]) -> None:
        self.usual_steps_max = matching.MATCH_STEPS_PER_ORDER_MAX
        matching.MATCH_STEPS_PER_ORDER_MAX = steps_max
        self.floor = Floor(wheeling)
        for number, group in GROUPS.items():
            add_participant(self.floor.state, number, group)
        self.floor.state.keep()
        self.model = Model(wheeling, steps_max)
        self.transaction(crowd)

    def teardown(self) -> None:
        matching.MATCH_STEPS_PER_ORDER_MAX = self.usual_steps_max

    @rule(steps=st.lists(operations, min_size=1, max_size=8))
    def transaction(self, steps: list[Operation]) -> None:
        before = dict(self.floor.state.rows[ORDERS.prefix])
        for step in steps:
            step(self)
        self.floor.state.keep()
        after = self.floor.state.rows[ORDERS.prefix]
        changed = {key[1:] for key, _ in self.floor.state.take_changes()}
        assert {key for key in before | after if before.get(key) != after.get(key)} <= changed

    @rule(steps=st.lists(operations, min_size=1, max_size=8))
    def rejected_transaction(self, steps: list[Operation]) -> None:
        model, content = self.model, book_content(self.floor.state.index(BOOKS))
        self.model = copy(model)
        self.model.open = dict(model.open)
        for step in steps:
            step(self)
        self.floor.state.roll_back(0)
        self.model = model
        assert book_content(self.floor.state.index(BOOKS)) == content

    @rule(milliseconds=st.sampled_from([1, 10]))
    def wait(self, milliseconds: int) -> None:
        self.floor.time_ms += milliseconds

    @invariant()
    def the_same_orders_are_open(self) -> None:
        if hasattr(self, "floor"):
            expected = {key_of(name): record for name, record in self.model.open.items()}
            assert self.floor.state.rows[ORDERS.prefix] == expected
            self.floor.check()

    def enter(self, name: int, side: Side, quantity_wh: int, price_ticks: int, options: dict[str, Any]) -> None:
        if name not in self.model.open:
            self.floor.place += 1
            taker = order(side, quantity_wh, price_ticks, place=self.floor.place, **options)
            self.enter_order(name, taker)

    def enter_order(self, name: int, taker: Order) -> None:
        expected = self.model.enter(name, taker, self.floor.time_ms)
        matched = self.floor.enter_order(name, taker)
        check_fills(taker, matched)
        assert in_names(matched) == expected

    def amend(self, name: int, quantity_wh: int, price_ticks: int) -> None:
        """Less at the same limit keeps the place, anything else comes in anew."""
        resting = self.model.open.get(name)
        if resting is None:
            return
        amended = replace(with_left(resting, quantity_wh), price_micro=price_ticks * TICK)
        if amended.price_micro == resting.price_micro and quantity_wh < resting.remaining_wh:
            self.model.open[name] = amended
            self.floor.state.put(ORDERS, key_of(name), amended)
        else:
            self.cancel(name)
            self.floor.place += 1
            self.enter_order(name, replace(amended, place=self.floor.place))

    def cancel(self, name: int) -> None:
        if self.model.open.pop(name, None) is not None:
            self.floor.cancel(name)


BookMachine.TestCase.settings = settings(stateful_step_count=25)
TestBookAgainstModel = pytest.mark.slow(BookMachine.TestCase)
