"""Prices, bands and halts in wild trade (B10, A11): every price checked against a slow reckoning from nothing but the
trades, no trade beyond a band or in a halted zone, no two orders left that could meet, and a node that was restored
anywhere lives on as the one that lived."""

import random
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.invariants import Watch
from tests.world import NOON, WATT, Founding, World, at, order, pseudonym

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.ledger import schedule
from gridtokenx.ledger.block import Block, apply_block
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.genesis import import_state
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.messages import AmendOrder, CancelOrder, Halt, Resume, Side, TimeInForce
from gridtokenx.modules.market.state import (
    HALTS,
    INTERVALS,
    ORDERS,
    REFERENCES,
    Halted,
    Order,
    Reference,
    Trade,
    zone_interval_key,
)

ZONE_OF = {11: 1, 12: 1, 21: 2, 31: 3}
HOMES = {f"home{number}": feeder for number, feeder in enumerate((11, 12, 21, 31, 11, 12, 11, 12, 21))}
INTERVALS_TRADED = (NOON, NOON + 1)
ANCHOR = 3_999_000
LOW, HIGH = 2_200_000, 5_798_000
NOT_RENEWABLE = (Source.STORAGE, Source.CONVENTIONAL)
TERMS = msgspec.structs.replace(DEFAULT_TERMS, halt_ms=20_000)
decode_trade: Decoder[Trade] = Decoder(Trade)


class Seen(NamedTuple):
    """A trade as a zone saw it."""

    quantity_wh: int
    price_micro: int
    source: int


class SlowPrice:
    """The reference of one zone and interval, in fractions, from all that it saw since its base."""

    def __init__(self) -> None:
        self.base = Fraction(ANCHOR)
        self.seen: list[tuple[Fraction, Seen]] = []

    def add(self, seen: Seen) -> None:
        """Newer energy pushes older energy out, in equal parts, beyond 20 kWh."""
        self.seen.append((Fraction(seen.quantity_wh), seen))
        total = sum(weight for weight, _ in self.seen)
        if total > 20_000:
            self.seen = [(weight * 20_000 / total, each) for weight, each in self.seen]

    def mean(self, sources: tuple[int, ...] = tuple(Source)) -> Fraction:
        """With the base as 5 kWh."""
        kept = [(weight, each.price_micro) for weight, each in self.seen if each.source in sources]
        return (self.base * 5_000 + sum(weight * price for weight, price in kept)) / (
            5_000 + sum(weight for weight, _ in kept)
        )


def suffixes(seen: list[tuple[Fraction, Seen]]) -> list[list[tuple[Fraction, Seen]]]:
    """What may have come after a call: nothing, the last trade, the last two, and so on; faded as far as it is much."""
    found = []
    for count in range(len(seen) + 1):
        price = SlowPrice()
        for _, each in seen[len(seen) - count :]:
            price.add(each)
        found.append(price.seen)
    return found


def difference(seen: list[tuple[Fraction, Seen]], record: Reference) -> tuple[Fraction, Fraction]:
    """Between what was traded and what a record remembers: energy in steps of 100 Wh, then money."""
    energy_wh = abs(sum((weight for weight, _ in seen), Fraction()) - record.traded_wh)
    money = sum((weight * each.price_micro / 1_000 for weight, each in seen), Fraction())
    return energy_wh // 100, abs(money - record.traded_micro)


class Game:
    """A seeded stream of orders, cancels, halts and pauses; one block each."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        founding = Founding(TERMS, at(9, 30))
        for name, feeder in HOMES.items():
            sources = {Source.SOLAR: 400_000, Source.STORAGE: 400_000}
            founding.add_home(
                name, feeder, sources, 800_000, 10_000 * WATT, group=7 if name in ("home0", "home4") else 0
            )
        founding.builder.limit_border(1, 2, 12_000, 8_000)
        founding.builder.limit_feeder(12, 40_000, 40_000)
        self.world = founding.start()
        self.watch = Watch(self.world)
        self.slow = {(number, zone): SlowPrice() for number in INTERVALS_TRADED for zone in (1, 2, 3)}
        self.names: dict[str, str] = {}
        self.halted_before: dict[bytes, Halted] = {}
        self.interrupted = self.called = 0
        self.mood = 43
        """Where most limits lie, in tenths of a WATT."""

    def step(self) -> None:
        """One block, and a look at what it did."""
        world, draw = self.world, self.draw
        self.halted_before = dict(world.state.rows[HALTS.prefix])
        bands = {key: self.band(*key) for key in self.slow}
        bases = {key: record.called_micro for key, record in world.state.items(REFERENCES)}
        time_ms = world.time_ms + draw.choice((500, 1_000, 2_000, 5_000))
        if draw.random() < 0.08:
            world.run(world.sign("operator", self.of_operator(time_ms)), time_ms=time_ms)
        elif draw.random() < 0.1:
            world.block(time_ms=time_ms)
        else:
            who, message = self.of_home()
            world.run(world.sign(who, message), time_ms=time_ms)
        trades = [decode_trade.trusted(wire) for wire in world.trades]
        for trade in trades:
            self.look_at(trade, bands, time_ms)
        self.rebase(bases)
        self.check_prices()
        self.check_book()

    def of_home(self) -> tuple[str, Any]:
        draw = self.draw
        if self.names and draw.random() < 0.2:
            name = draw.choice(sorted(self.names))
            if draw.random() < 0.7:
                return self.names[name], CancelOrder(pseudonym(name))
            return self.names[name], AmendOrder(pseudonym(name), draw.randrange(15, 90) * 100_000, 1_000)
        who, side = draw.choice(sorted(HOMES)), draw.choice(list(Side))
        name = f"o{len(self.names)}"
        self.names[name] = who
        source: int = draw.choice((Source.SOLAR, Source.STORAGE)) if side == Side.SELL else draw.choice((127, 127, 1))
        options: dict[str, Any] = {"scope": draw.choice((0, 0, 0, 0, 1, 2))}
        kind = draw.random()
        quantity_wh = draw.randrange(1, 60) * 100
        if kind < 0.1:
            options["force"] = draw.choice((TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL))
        elif kind < 0.2 and quantity_wh > 1_000:
            options["display_wh"] = quantity_wh // 200 * 100
        elif kind < 0.25:
            options |= {"market": True, "force": TimeInForce.IMMEDIATE_OR_CANCEL}
        if draw.random() < 0.04:
            self.mood = draw.choice((20, 43, 43, 75))
        wild = draw.randrange(15, 90) if draw.random() < 0.3 else self.mood + draw.randrange(-8, 9)
        limit = 0 if "market" in options else wild * 100_000
        return who, order(
            who, side, quantity_wh, draw.choice((NOON, *INTERVALS_TRADED)), limit, name, source, **options
        )

    def of_operator(self, time_ms: int) -> Any:
        draw = self.draw
        place = draw.choice((0, *INTERVALS_TRADED)), draw.choice((0, 1, 2, 3))
        if draw.random() < 0.5:
            halts = sorted(self.halted_before)
            if halts:
                key = draw.choice(halts)
                place = int.from_bytes(key[:4], "big"), key[4]
            return Resume(*place)
        return Halt(*place, time_ms + draw.choice((10_000, 90_000)), 5)

    # --- what must hold

    def band(self, number: int, zone: int) -> tuple[int, int]:
        """From the record's price alone; `check_prices` says whether that is right."""
        known = self.world.state.rows[REFERENCES.prefix].get(zone_interval_key(number, zone))
        price = ANCHOR if known is None else known.price_micro
        return -(-price // 2 // 1_000) * 1_000, price * 3 // 2 // 1_000 * 1_000

    def halts_of(self, halts: dict[bytes, Halted], number: int, zone: int) -> list[Halted]:
        keys = ((number, zone), (0, zone), (number, 0), (0, 0))
        return [halts[zone_interval_key(*key)] for key in keys if zone_interval_key(*key) in halts]

    def look_at(self, trade: Trade, bands: dict[tuple[int, int], tuple[int, int]], time_ms: int) -> None:
        """Not in a halt; within the band, unless a halt of the seller's zone ends in this block. Where others end,
        calls make references between this block's and the next."""
        ends = [self.zone_of(trade.seller), self.zone_of(trade.buyer)]
        for zone in ends:
            for halt in self.halts_of(self.halted_before, trade.interval, zone):
                assert halt.until_ms and halt.until_ms <= time_ms, (trade, halt)
        if not self.halts_of(self.halted_before, trade.interval, ends[0]):
            low, high = bands[trade.interval, ends[0]]
            if any(self.ends(halt, trade.interval, time_ms) for halt in self.halted_before.items()):
                low, high = min(low, LOW // 2), max(high, HIGH * 3 // 2)
            assert low <= trade.price_micro <= high, (trade, low, high)
        self.slow[trade.interval, ends[0]].add(Seen(trade.quantity_wh, trade.price_micro, trade.source))
        if ends[0] != ends[1]:
            arrived = trade.price_micro + (len(trade.zones) - 1) * TERMS.wheeling_border_micro
            self.slow[trade.interval, ends[1]].add(Seen(trade.quantity_wh, arrived, trade.source))

    def ends(self, halt: tuple[bytes, Halted], number: int, time_ms: int) -> bool:
        """Whether it ends now, in this interval or in all."""
        key, record = halt
        return key[:4] in (number.to_bytes(4, "big"), bytes(4)) and 0 < record.until_ms <= time_ms

    def zone_of(self, account: bytes) -> int:
        (name,) = [name for name, own in self.world.accounts.items() if own == account and name in HOMES]
        return ZONE_OF[HOMES[name]]

    def rebase(self, before: dict[bytes, int]) -> None:
        """Where a call made the price, that is the base; what else was traded in its block comes after it, or was the
        call's."""
        for key, record in self.world.state.items(REFERENCES):
            slow = self.slow[int.from_bytes(key[:4], "big"), key[4]]
            forgot = record.traded_wh + 50 < sum(weight for weight, _ in slow.seen)
            if forgot or record.called_micro != before.get(key, 0):
                slow.base = Fraction(record.anchor_micro + record.called_micro)
                slow.seen = min(suffixes(slow.seen), key=lambda seen: difference(seen, record))
                self.called += 1

    def check_prices(self) -> None:
        """Each record that is not halted is the slow one's, to three ticks: old energy fades in whole
        Wh."""
        for (number, zone), slow in self.slow.items():
            known = self.world.state.get(REFERENCES, zone_interval_key(number, zone))
            if known is None:
                assert not slow.seen
                continue
            self.interrupted = max(self.interrupted, known.halts)
            if self.halts_of(self.world.state.rows[HALTS.prefix], number, zone):
                continue
            others, traded = slow.mean(NOT_RENEWABLE), slow.mean()
            assert abs(known.trades_micro - (others - slow.base)) < 3_000, (known, slow.seen)
            assert abs(known.renewable_micro - (traded - others)) < 3_000, (known, slow.seen)
            assert abs(known.book_micro) <= slow.base / 20
            assert abs(known.congestion_micro) <= TERMS.wheeling_border_micro
            assert zone != 3 or known.congestion_micro == 0, "its border is never full"
            total = traded + known.book_micro + known.congestion_micro
            assert abs(min(max(total, LOW), HIGH) - known.price_micro) <= 4_000
            assert known.price_micro % 1_000 == 0

    def check_book(self) -> None:
        """Nobody is passed over: of orders that are not in a halt no purchase and sale are left that could meet over
        ways without a full link."""
        state = self.world.state
        orders = [record for _, record in state.items(ORDERS) if record.expires_ms > self.world.time_ms]
        free = [
            each for each in orders if not self.halts_of(state.rows[HALTS.prefix], each.interval, ZONE_OF[each.feeder])
        ]
        for bid in free:
            for ask in free:
                if bid.side == Side.BUY and ask.side == Side.SELL and bid.interval == ask.interval:
                    assert not could_meet(bid, ask), (bid, ask)


def could_meet(bid: Order, ask: Order) -> bool:
    """Inside one zone and over no limited link, where nothing but the limits can be in the way."""
    if ZONE_OF[bid.feeder] != ZONE_OF[ask.feeder] or not bid.source >> ask.source & 1:
        return False
    if bid.feeder != ask.feeder and (max(bid.scope, ask.scope) == 2 or 12 in (bid.feeder, ask.feeder)):
        return False
    wheeling = 200_000 if bid.feeder == ask.feeder else 450_000
    return ask.price_micro + wheeling <= bid.price_micro


def play(seed: int, blocks: int) -> Game:
    game = Game(seed)
    for _ in range(blocks):
        game.step()
    game.watch.finish()
    assert not game.world.state.rows[schedule.SET_ASIDE.prefix]
    return game


def test_wild_trade_keeps_to_the_bands() -> None:
    games = [play(seed, 200) for seed in range(4)]
    assert any(game.interrupted for game in games)
    assert any(game.called for game in games)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 160))
def test_wild_trade_keeps_to_the_bands_for_long(seed: int) -> None:
    play(seed, 600)


def test_a_node_restored_anywhere_in_a_halt_or_a_call_lives_on_the_same() -> None:
    game, exports, hashes = Game(7), {}, {}
    for _ in range(120):
        game.step()
        height = game.world.blocks[-1].height
        hashes[height] = game.world.commitment.root()
        if game.world.state.rows[HALTS.prefix]:
            exports[height] = game.world.export()
    assert len(exports) > 10
    for height, exported in list(exports.items())[::5]:
        check_lives_on(game.world, height, exported, hashes)


def check_lives_on(world: World, height: int, exported: bytes, hashes: dict[int, bytes]) -> None:
    state, commitment = import_state(CONSORTIUM, exported)
    assert commitment.root() == hashes[height]
    block: Block
    for block in world.blocks[height:]:
        apply_block(CONSORTIUM, state, commitment, block)
        assert commitment.root() == hashes[block.height], f"block {block.height} after a restore at {height}"


def test_nothing_of_prices_is_left_of_an_interval_that_is_over() -> None:
    game = play(3, 60)
    world = game.world
    world.run(world.sign("operator", Halt(NOON, 1, 0, 5)))
    assert world.state.rows[REFERENCES.prefix]
    for hours in range(1, 60):
        world.skip_to(at(10) + hours * 3_600_000)
    left = {key[:4] for table in (REFERENCES, HALTS) for key in world.state.rows[table.prefix]}
    assert not [key for key in left if key not in world.state.rows[INTERVALS.prefix] and any(key)]
    assert not any(number.to_bytes(4, "big") in left for number in INTERVALS_TRADED)
