"""The stale clock: what is void is as if it had never been traded, and nothing else is touched (A2, B4, C3)."""

import random
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.invariants import Watch
from tests.traffic import HOMES, Traffic, founded
from tests.world import (
    DAY_MS,
    MINUTE_MS,
    TRADED_TO_THE_GATE,
    WATT,
    Founding,
    World,
    at,
    buy,
    interval_at,
    pseudonym,
    sell,
)

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.block import Block, BlockOutcome, apply_block
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.genesis import export_state, import_state
from gridtokenx.ledger.quantities import INTERVAL_MS, interval_key
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.messages import CancelOrder, PlaceOrder, Side
from gridtokenx.modules.market.state import (
    DUES,
    INTERVALS,
    ORDERS,
    POSITIONS,
    STALE_TRADES,
    Phase,
    Trade,
    position_key,
    trade_number,
)
from gridtokenx.modules.settlement.state import SETTLEMENTS, STATEMENTS

decode_trade: Decoder[Trade] = Decoder(Trade)
RICH = [name for name in HOMES if name != "home-9"]


def trades_of(outcome: BlockOutcome) -> list[Trade]:
    return [decode_trade(trade) for trade in outcome.trades]


def street(block_ms: int = 1_000) -> World:
    """Two sellers and two buyers on feeder 11 under a consensus, at 11:50."""
    founding = Founding(TRADED_TO_THE_GATE, at(11, 50))
    for name in ("ann", "bob"):
        founding.add_home(name, 11, {Source.SOLAR: 40_000})
    for name in ("cat", "dan"):
        founding.add_home(name, 11)
    if block_ms:
        founding.builder.set_consensus(block_ms)
    return founding.start()


def deal(world: World, time_ms: int, *intervals: int) -> BlockOutcome:
    """One block in which ann sells cat and bob sells dan 1 kWh of each interval."""
    wires = []
    for interval in intervals:
        for seller, buyer in (("ann", "cat"), ("bob", "dan")):
            wires.append(world.sign(seller, sell(seller, 1_000, interval, 4_500_000, f"{seller} {interval}")))
            wires.append(world.sign(buyer, buy(buyer, 1_000, interval, 4_700_000, f"{buyer} {interval}")))
    return world.block(world.batch(*wires), time_ms=time_ms)


# --- against a run that never traded


def random_orders(draw: random.Random, world: World, count: int) -> list[tuple[str, PlaceOrder]]:
    """Fresh orders of the rich homes, crossing often, in the next two hours."""
    found = []
    for number in range(count):
        name = draw.choice(RICH)
        side = draw.choice((Side.BUY, Side.SELL)) if int(name[-1]) % 2 else Side.BUY
        make = sell if side == Side.SELL else buy
        interval = world.time_ms // INTERVAL_MS + draw.randint(1, 8)
        price = draw.randrange(3_000, 4_500) * 1_000 + (WATT if side == Side.BUY else 0)
        found.append((name, make(name, draw.randrange(100, 700), interval, price, f"{world.time_ms} {number}")))
    return found


def money_and_energy(world: World) -> dict[str, Any]:
    """All that trading and settling leave behind, without nonces, places and names of blocks."""
    state = world.state
    tables = (POSITIONS, DUES, INTERVALS, SETTLEMENTS, STATEMENTS, STALE_TRADES, schedule.SET_ASIDE)
    return {
        **{table.name: dict(state.items(table)) for table in tables},
        "orders": {key: (order.remaining_wh, order.price_micro) for key, order in state.items(ORDERS)},
        "accounts": {
            key: (account.balance_micro, account.held_micro, account.debt_micro)
            for key, account in state.items(ACCOUNTS)
        },
    }


def apart(world: World) -> World:
    """The same chain once more, beginning here."""
    twin = World(world.export(), world.signers, world.accounts, world.sites)
    twin.nonces, twin.registers, twin.sequence = dict(world.nonces), dict(world.registers), world.sequence
    twin.trades = world.trades
    return twin


def passed(world: World, number: int, until_ms: int) -> bool:
    """Whether the gate of an interval closes from now until then."""
    gate_ms: int = world.state.rows[INTERVALS.prefix][interval_key(number)].gate_ms
    return world.time_ms < gate_ms <= until_ms


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), halt_ms=st.integers(60_001, 3 * 3_600_000), count=st.integers(1, 40))
def test_what_is_void_is_as_if_it_had_never_been_ordered(seed: int, halt_ms: int, count: int) -> None:
    lived, draw = founded(1_000, terms=TRADED_TO_THE_GATE), random.Random(seed)
    for _ in Traffic(lived, seed, (1_000, 20_000, 60_000)).steps(12):
        pass
    lived.block()
    world, twin = apart(lived), apart(lived)
    watch = Watch(world)
    stale_ms = world.time_ms + 1_000
    until_ms = stale_ms + halt_ms
    all_wires, in_time = [], []
    for name, message in random_orders(draw, world, count):
        wires = [world.sign(name, message)]
        if draw.random() < 0.2:  # fails as a whole, and what it traded with it
            wires.insert(0, world.sign(name, message, CancelOrder(pseudonym("nobody's"))))
        all_wires += wires
        in_time += [] if passed(world, message.interval, until_ms) else wires
    stale = world.block(world.batch(*all_wires), time_ms=stale_ms)
    twin.block(*[twin.batch(*in_time)] if in_time else [], time_ms=stale_ms)
    doomed = [
        trade_number(world.blocks[-1].height, place)
        for place, trade in enumerate(trades_of(stale))
        if passed(world, trade.interval, until_ms)
    ]
    voiding = world.block(time_ms=until_ms)
    later = twin.block(time_ms=until_ms)
    assert [trade.voids for trade in trades_of(voiding) if trade.voids] == doomed
    assert [trade for trade in trades_of(voiding) if not trade.voids] == trades_of(later)
    assert not voiding.alarms
    assert money_and_energy(world) == money_and_energy(twin)
    for each in (world, twin):
        each.skip_to(until_ms + 3_600_000)
    assert money_and_energy(world) == money_and_energy(twin)
    watch.finish()


# --- against a list of all trades


class Ledger:
    """Sums over the trades of a world that are not void, by plain fractions of the rules' text."""

    def __init__(self, world: World) -> None:
        self.trades: dict[int, Trade] = {}
        self.voided = 0
        world.watchers.append(self.look)

    def look(self, block: Block, outcome: BlockOutcome) -> None:
        for place, trade in enumerate(trades_of(outcome)):
            if trade.voids:
                del self.trades[trade.voids]
                self.voided += 1
            else:
                self.trades[block.height << 24 | place] = trade

    def positions(self) -> dict[bytes, tuple[int, ...]]:
        """Sold and bought Wh, value of sales and of purchases, collateral."""
        sums: defaultdict[bytes, list[int]] = defaultdict(lambda: [0] * 5)
        for trade in self.trades.values():
            value = trade.price_micro // 1_000 * trade.quantity_wh
            sale = sums[position_key(trade.interval, trade.seller_portfolio)]
            purchase = sums[position_key(trade.interval, trade.buyer_portfolio)]
            sale[0], sale[2], sale[4] = (
                sale[0] + trade.quantity_wh,
                sale[2] + value,
                sale[4] + trade.collateral_micro,
            )
            purchase[1], purchase[3] = purchase[1] + trade.quantity_wh, purchase[3] + value
        return {key: tuple(numbers) for key, numbers in sums.items()}


@pytest.mark.parametrize("seed", range(4))
def test_traffic_that_stands_still_again_and_again(seed: int) -> None:
    """Halts of a minute to an hour after busy blocks. The auditor looks at every block as well."""
    world, draw = founded(1_000, terms=TRADED_TO_THE_GATE), random.Random(seed)
    watch, ledger = Watch(world), Ledger(world)
    traffic = Traffic(world, seed, (1_000, 20_000, 60_000, 240_000))
    for _ in range(35):
        for _ in traffic.steps(3):
            pass
        orders = random_orders(draw, world, 30)
        world.block(world.batch(*(world.sign(name, message) for name, message in orders)))
        world.block(time_ms=world.time_ms + draw.choice((1_000, 60_000, 60_001, 600_000, 3_600_000)))
    watch.finish()
    assert ledger.voided >= 10 and not world.state.rows[schedule.SET_ASIDE.prefix]
    real = {
        key: (one.sold_wh, one.bought_wh, one.sale_value_micro, one.purchase_value_micro, one.collateral_micro)
        for key, one in world.state.items(POSITIONS)
    }
    expected = ledger.positions()
    assert {key: sums for key, sums in real.items() if any(sums)} == expected
    assert all(one.open_sell_wh or one.open_buy_wh or real[key] for key, one in world.state.items(POSITIONS))


def test_without_a_consensus_nothing_is_stale() -> None:
    world = street(block_ms=0)
    Watch(world)
    deal(world, at(11, 52), interval_at(12))
    for time_ms in (at(11, 56), at(15)):
        assert not world.block(time_ms=time_ms).trades
    assert len(world.state.rows[POSITIONS.prefix]) == 4


# --- bounds and failures


def test_more_than_a_block_can_look_at_is_carried_on_and_no_gate_closes_before() -> None:
    """21,000 trades; looking at 20,000 is all that a block may do."""
    founding = Founding(time_ms=at(11, 30))
    for name in ("ann", "cat"):
        founding.add_home(name, 11, {Source.SOLAR: 40 * 10**6}, 40 * 10**6, 10**6 * WATT)
    founding.builder.set_consensus(1_000)
    world = founding.start()
    noon, sellers = interval_at(12), 21_000
    for first in range(0, sellers, 10_500):
        orders = [sell("ann", 100, noon, 4_500_000, f"sell {number}") for number in range(first, first + 10_500)]
        world.block(world.batch(*(world.sign("ann", *orders[start : start + 50]) for start in range(0, 10_500, 50))))
    watch = Watch(apart(world))
    world = watch.world
    buys = [buy("cat", 25_600, noon, 4_700_000, f"buy {number}") for number in range(83)]
    stale = world.block(world.batch(*(world.sign("cat", *buys[start : start + 50]) for start in range(0, 83, 50))))
    assert len(stale.trades) == sellers > limits.SCHEDULED_STEPS_PER_BLOCK_MAX
    voiding = world.block(time_ms=at(13))
    assert voiding.summary.voided_wh == limits.SCHEDULED_STEPS_PER_BLOCK_MAX * 100
    assert world.state.rows[INTERVALS.prefix][interval_key(noon)].phase == Phase.TRADING
    rest = world.block()
    assert len(voiding.trades) + len(rest.trades) == sellers
    assert world.state.rows[INTERVALS.prefix][interval_key(noon)].phase == Phase.CLOSED
    assert not world.state.rows[STALE_TRADES.prefix] and not world.state.rows[DUES.prefix]
    assert world.account("ann").held_micro == world.account("cat").held_micro == 0
    watch.finish()


def test_a_trade_that_cannot_be_voided_is_set_aside_and_the_others_are_void() -> None:
    world = street()
    noon = interval_at(12)
    deal(world, at(11, 54), noon)
    damaged = position_key(noon, pseudonym("cat"))
    del world.state.rows[POSITIONS.prefix][damaged]
    outcome = world.block(time_ms=at(11, 58))
    (trade,) = trades_of(outcome)
    assert (trade.buyer_portfolio, trade.quantity_wh) == (pseudonym("dan"), 1_000)
    assert len(outcome.alarms) == 1 and "KeyError" in outcome.alarms[0]
    ((key, record),) = world.state.items(schedule.SET_ASIDE)
    assert key[8] == 0x65 and record.height == 2
    assert int.from_bytes(key[9:], "big") in {trade_number(1, 0), trade_number(1, 1)} - {trade.voids}
    assert world.account("cat").held_micro and not world.account("dan").held_micro


def test_only_the_last_blocks_own_trades_will_do() -> None:
    world = street()
    outcome = deal(world, at(11, 54), interval_at(12))
    for wrong in ((), outcome.trades[:1], outcome.trades[::-1]):
        state, commitment = import_state(CONSORTIUM, world.export())
        block = Block(2, at(11, 58), pseudonym("node"), ())
        with pytest.raises(ValueError, match="trades of block 1"):
            apply_block(CONSORTIUM, state, commitment, block, trades_before=lambda wrong=wrong: wrong)


def test_they_are_asked_for_only_when_the_clock_was_stale() -> None:
    world = street()
    deal(world, at(11, 54), interval_at(12))

    def never() -> tuple[bytes, ...]:
        raise AssertionError("nobody needs them")

    state, commitment = import_state(CONSORTIUM, world.export())
    apply_block(CONSORTIUM, state, commitment, Block(2, at(11, 55), pseudonym("node"), ()), trades_before=never)


def test_what_says_that_a_trade_is_void_is_not_voided_itself() -> None:
    """A second halt right after the first: only what was traded between them is looked at."""
    world = street()
    watch = Watch(world)
    deal(world, at(11, 54), interval_at(12))
    second = deal(world, at(11, 58), interval_at(12, 15))
    assert [bool(trade.voids) for trade in trades_of(second)] == [True, True, False, False]
    third = trades_of(world.block(time_ms=at(12, 20)))
    assert [trade.voids for trade in third] == [trade_number(2, 2), trade_number(2, 3)]
    assert not world.state.rows[POSITIONS.prefix]
    watch.finish()


def test_a_state_that_was_carried_elsewhere_goes_on_the_same() -> None:
    """In the middle of the voiding: exported, imported, and given the trades."""
    world = street()
    deal(world, at(11, 54), interval_at(12), interval_at(12, 15))
    other = apart(world)
    assert export_state(CONSORTIUM, other.state) == world.export()
    for each in (world, other):
        each.block(time_ms=at(12, 2))
        each.skip_to(at(12) + DAY_MS + 40 * MINUTE_MS)
    assert world.export() == other.export()
