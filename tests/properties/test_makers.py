"""Makers against a slow obvious model (B6): presence from the list of all that happened, fees from the list of trades.

Worlds of makers and others who place, cancel, amend and trade at random, on a chain that stands still now and then. The
model knows the book before and after each block and what was taken back in it, and adds up spans of time. In each block
there is one transaction, so that what happened before what is never in doubt. Beside it the auditor and, at each block,
a node that was restored from the block before.
"""

import random
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from tests.invariants import Watch
from tests.world import MINUTE_MS, TRADED_TO_THE_GATE, WATT, Founding, World, at, interval_at, order, pseudonym

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import schedule
from gridtokenx.ledger.block import Block, BlockOutcome, apply_block
from gridtokenx.ledger.codec import Decoder, Message
from gridtokenx.ledger.genesis import genesis_rows, import_state
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.modules.identity.messages import RoleName, Source
from gridtokenx.modules.identity.state import holder_of
from gridtokenx.modules.market.messages import (
    AmendOrder,
    CancelOrder,
    EnrolMaker,
    MakerTerms,
    Scope,
    Side,
    TimeInForce,
)
from gridtokenx.modules.market.state import DUES, MAKER_DUTIES, ORDERS, Order, Trade, Verdict
from gridtokenx.simulation.auditor import Auditor

MAKERS = {"dora": 11, "mike": 12, "paul": 21}
OTHERS = {"alice": 11, "bob": 12, "carol": 21}
INTERVALS = tuple(interval_at(12, minute) for minute in (0, 15, 30))
PROGRAMME = MakerTerms(600_000, 500, 600, 40 * MINUTE_MS, 700_000, 4, 255)
BASE_MICRO = 200_000
FEE_PPM = 500
SEEDS = tuple(range(6))
SOAK_SEEDS = tuple(range(6, 100))
RESTORED_EACH = 7
"""Blocks."""

decode_trade: Decoder[Trade] = Decoder(Trade)


def founded(seed: int, *, has_consensus: bool) -> World:
    founding = Founding(TRADED_TO_THE_GATE, at(10, 30))
    if has_consensus:
        founding.builder.set_consensus(1_000)
    for name, feeder in MAKERS.items():
        founding.add_dealer(name, feeder, 40_000, 40_000, 5_000 * WATT)
    for name, feeder in OTHERS.items():
        founding.add_home(name, feeder, {Source.STORAGE: 80_000}, 160_000, 5_000 * WATT)
    for zone in (1, 2):
        founding.builder.add_maker_programme(zone, PROGRAMME)
    if seed % 3 == 0:
        founding.builder.limit_border(1, 2, 4_000, 4_000)
    return founding.start()


class Model:
    """What the rule book says, span by span."""

    def __init__(self, world: World, *, has_consensus: bool) -> None:
        self.world = world
        self.has_consensus = has_consensus
        self.held_ms: dict[tuple[int, str], int] = {}
        self.counted_ms: dict[tuple[int, str], int] = {}
        self.fees: dict[tuple[int, str], int] = {}
        self.all_fees: dict[int, int] = {}
        self.from_ms: dict[tuple[int, str], int] = {}
        self.book: dict[bytes, Order] = {}
        self.time_ms = world.time_ms
        self.standstills = 0
        self.amended = b""
        """The order that the next block amends: it counts until then, also if it meets its owner's and is cancelled."""

    def enrolled(self, name: str) -> None:
        for number in INTERVALS:
            until_ms = number * 900_000 - 5 * MINUTE_MS
            self.from_ms[number, name] = until_ms - PROGRAMME.window_ms
            for sums in (self.held_ms, self.counted_ms, self.fees):
                sums[number, name] = 0

    def look(self, block: Block, outcome: BlockOutcome) -> None:
        trades = [decode_trade(trade) for trade in outcome.trades]
        now = dict(self.world.state.rows[ORDERS.prefix])
        traded = {key for t in trades for key in (t.buyer + t.buyer_order, t.seller + t.seller_order)}
        gone = {key for key in self.book if key not in now and key not in traded and key != self.amended}
        is_still = self.has_consensus and block.time_ms - self.time_ms > MINUTE_MS
        self.standstills += is_still
        for own, begins_ms in self.from_ms.items():
            until_ms = own[0] * 900_000 - 5 * MINUTE_MS
            span_ms = min(block.time_ms, until_ms) - max(self.time_ms, begins_ms)
            if span_ms <= 0 or is_still:
                continue
            self.counted_ms[own] += span_ms
            stood = [
                one
                for key, one in self.book.items()
                if (one.interval, one.portfolio) == (own[0], pseudonym(own[1]))
                and (block.time_ms >= until_ms or key not in gone)
            ]
            if enough(stood):
                self.held_ms[own] += span_ms
        for trade in trades:
            fee = trade.price_micro * trade.quantity_wh // 1_000 * FEE_PPM // 10**6
            both = -2 * fee if trade.voids else 2 * fee
            self.all_fees[trade.interval] = self.all_fees.get(trade.interval, 0) + both
            rested = trade.seller_portfolio if trade.taker_side == Side.BUY else trade.buyer_portfolio
            for name in MAKERS:
                if rested == pseudonym(name) and (trade.interval, name) in self.fees:
                    self.fees[trade.interval, name] += both
        self.book, self.time_ms = now, block.time_ms

    def check(self) -> set[Verdict]:
        """The duties of all intervals, after the last gate."""
        verdicts = set()
        for (number, name), held_ms in self.held_ms.items():
            duty = self.world.state.rows[MAKER_DUTIES.prefix][interval_key(number) + pseudonym(name)]
            counted_ms, fees = self.counted_ms[number, name], self.fees[number, name]
            assert (duty.held_ms, duty.fees_micro) == (held_ms, fees), (number, name)
            verdict = Verdict.EXCUSED
            if counted_ms:
                share = Fraction(held_ms, counted_ms)
                verdict = Verdict.KEPT if share >= Fraction(PROGRAMME.presence_per_mille, 1_000) else Verdict.MISSED
            assert duty.verdict == verdict, (number, name, held_ms, counted_ms)
            rebate = int(Fraction(fees * PROGRAMME.rebate_ppm, 10**6)) if verdict == Verdict.KEPT else 0
            assert duty.rebate_micro == rebate <= fees
            verdicts.add(verdict)
        pool = holder_of(self.world.state, RoleName.FEE_POOL)
        for number in INTERVALS:
            rebates = sum(
                self.world.state.rows[MAKER_DUTIES.prefix][interval_key(number) + pseudonym(name)].rebate_micro
                for name in MAKERS
            )
            due = self.world.state.get(DUES, interval_key(number) + pool)
            assert (due.amount_micro if due else 0) == self.all_fees.get(number, 0) - rebates
        return verdicts


def enough(orders: list[Order]) -> bool:
    """Whether they show the size on both sides, at most the spread apart."""
    reached: dict[int, int] = {}
    for side in Side:
        counting = [
            one for one in orders if one.side == side and one.scope != Scope.FEEDER and (side or one.source == 127)
        ]
        prices = sorted({one.price_micro for one in counting}, reverse=side == Side.BUY)[:5]
        shown = 0
        for price in prices:
            shown += sum(one.shown_wh or one.remaining_wh for one in counting if one.price_micro == price)
            if shown >= PROGRAMME.size_wh:
                reached[side] = price
                break
    return len(reached) == 2 and reached[Side.SELL] - (reached[Side.BUY] - BASE_MICRO) <= PROGRAMME.spread_micro


class Life:
    """One random life."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        has_consensus = seed % 2 == 1
        self.world = founded(seed, has_consensus=has_consensus)
        self.placed: dict[str, list[str]] = {name: [] for name in (*MAKERS, *OTHERS)}
        self.count = 0
        Watch(self.world)
        self.model = Model(self.world, has_consensus=has_consensus)
        for name in MAKERS:
            self.world.do(name, EnrolMaker(pseudonym(name)))
            self.model.enrolled(name)
        self.model.time_ms = self.world.time_ms
        self.world.watchers.append(self.model.look)
        Restored(self.world)

    def live(self) -> None:
        draw = self.random
        while self.world.time_ms < at(12, 26):
            name = draw.choice([*MAKERS, *MAKERS, *OTHERS])
            message = draw.choices([self.place, self.cancel, self.amend], [5, 2, 2])[0](name)
            # Mostly seconds, now and then minutes: with a consensus those are standstills.
            steps = [draw.randint(1, 50_000), draw.randint(1, 1_000), draw.randint(61_000, 500_000)]
            time_ms = self.world.time_ms + draw.choices(steps, [6, 3, 1])[0]
            due_ms = schedule.next_due_ms(self.world.state)
            if due_ms is not None and draw.randrange(8) == 0:
                time_ms = max(min(due_ms, time_ms), self.world.time_ms + 1)
            is_amended = isinstance(message, AmendOrder)
            self.model.amended = self.world.accounts[name] + message.client_id if is_amended else b""
            if message is None:
                self.world.block(time_ms=time_ms)
            elif draw.randrange(10):
                self.world.do(name, message, time_ms=time_ms, expires_ms=time_ms + MINUTE_MS)
            else:  # refused as a whole
                spoilt = CancelOrder(bytes(8))
                self.world.do(name, message, spoilt, time_ms=time_ms, expires_ms=time_ms + MINUTE_MS)

    def place(self, name: str) -> Message:
        draw = self.random
        self.count += 1
        label = f"{name} {self.count}"
        self.placed[name].append(label)
        side = draw.choice(list(Side))
        middle = 3_000 + (200 if side == Side.BUY else 0)
        away = draw.randint(-20, 30) * 10 if name in MAKERS else draw.randint(-70, 30) * 10
        more: dict[str, Any] = {}
        if side == Side.SELL:
            more["source"] = int(Source.CONVENTIONAL if name in MAKERS else Source.STORAGE)
        elif draw.randrange(10) == 0:
            more["source"] = 1 << Source.STORAGE | 1 << Source.CONVENTIONAL
        if draw.randrange(6) == 0:
            more["scope"] = draw.choice(list(Scope))
        if draw.randrange(8) == 0:
            more |= {"force": TimeInForce.GOOD_TILL_TIME, "good_till_ms": self.world.time_ms + draw.randint(1, 300_000)}
        if not more and draw.randrange(6) == 0:  # refused, mostly: what it met is put back
            more["force"] = TimeInForce.FILL_OR_KILL
        quantity = draw.choice([100, 200, 500, 500, 700, 1_000])
        if quantity > 200 and "force" not in more and draw.randrange(5) == 0:
            more["display_wh"] = 100
        price = (middle + away * (1 if side == Side.SELL else -1)) * 1_000
        return order(name, side, quantity, draw.choice(INTERVALS), price, label, **more)

    def cancel(self, name: str) -> Message | None:
        own = self.placed[name]
        return CancelOrder(pseudonym(own.pop(self.random.randrange(len(own))))) if own else None

    def amend(self, name: str) -> Message | None:
        own = self.placed[name]
        if not own:
            return None
        draw, label = self.random, self.random.choice(own)
        before = self.world.state.rows[ORDERS.prefix].get(self.world.accounts[name] + pseudonym(label))
        if before is None:
            return None
        price = before.price_micro + draw.choice([0, 0, -10, 10, 50]) * 1_000
        return AmendOrder(pseudonym(label), price, draw.choice([100, 400, 600, 1_000]))


class Restored:
    """Beside some blocks a node and an auditor that were restored from the block before."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.before, self.trades = world.export(), world.trades
        world.watchers.append(self.look)

    def look(self, block: Block, outcome: BlockOutcome) -> None:
        if block.height % RESTORED_EACH == RESTORED_EACH - 1:
            self.before, self.trades = self.world.export(), outcome.trades
        if block.height % RESTORED_EACH:
            return
        state, commitment = import_state(CONSORTIUM, self.before)
        again = apply_block(CONSORTIUM, state, commitment, block, trades_before=lambda: self.trades)
        assert again == outcome
        auditor = Auditor(CONSORTIUM, tuple(genesis_rows("consortium", self.before)), self.trades)
        assert not auditor.check_block(block, outcome)


@cache
def lived(seed: int) -> tuple[Life, set[Verdict]]:
    """A life, compared with the model."""
    life = Life(seed)
    life.live()
    return life, life.model.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_presence_fees_and_rebates_are_those_of_the_model(seed: int) -> None:
    lived(seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", SOAK_SEEDS)
def test_in_many_lives_too(seed: int) -> None:
    lived(seed)


def test_what_is_compared_happens() -> None:
    lives = [lived(seed) for seed in SEEDS]
    assert {Verdict.KEPT, Verdict.MISSED} <= set.union(*(verdicts for _, verdicts in lives))
    duties = [duty for life, _ in lives for duty in life.world.state.rows[MAKER_DUTIES.prefix].values()]
    assert any(duty.rebate_micro for duty in duties)
    assert any(life.model.standstills for life, _ in lives)
