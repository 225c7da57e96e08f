"""Whole auctions in the ledger (B8, C3): random orders, borders and feeders, from the first order to the last payment.

After each block the auditor, which builds its own bounds from the trades, must have nothing to say; welfare is that of
a linear program; and a node that is restored at any block of an auction does what one does that lived.
"""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from tests.invariants import Watch
from tests.world import NOON, WATT, Founding, World, at, order

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.chains.genesis import DEFAULT_TERMS, TPA_DRAFT_2026
from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.block import Block, BlockOutcome, apply_block
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.genesis import genesis_rows, import_state
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market import gate
from gridtokenx.modules.market.messages import Side
from gridtokenx.modules.market.state import AUCTIONS, CLEARINGS, INTERVALS, ORDERS, Clearing, Order, Phase
from gridtokenx.modules.settlement.state import Stage, settlement_of
from gridtokenx.simulation.auditor import Auditor

FEEDERS = {11: 1, 12: 1, 21: 2, 31: 3, 41: 4}
LIMITED = 12
RING = [(1, 2), (2, 3), (3, 4), (1, 4)]
OWNERS = {f"home{number}": feeder for number, feeder in enumerate(sorted(FEEDERS) * 2)}
WAYS = {"default": (450_000, 300_000), "tpa": (1_070_000, 0)}
"""Wheeling that a buyer pays, and that of a border."""

capacities = st.sampled_from([0, 100, 300, 700, 2_000, 100_000])
orders = st.tuples(
    st.sampled_from(sorted(OWNERS)),
    st.sampled_from(Side),
    st.integers(-12, 12),
    st.integers(1, 8).map((100).__mul__),
    st.sampled_from([40, 50, 50, 50]),  # the minute in which it comes: before the call, or in it
    st.sampled_from(["", "", "", "", "", "", "zone", "iceberg", "source"]),
)


class Restored:
    """Beside each block of a world a node, and an auditor, that were restored from the block before."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.before = world.export()
        self.trades: tuple[bytes, ...] = ()
        self.stages: set[int] = set()
        world.watchers.append(self.look)

    def look(self, block: Block, outcome: BlockOutcome) -> None:
        state, commitment = import_state(CONSORTIUM, self.before)
        again = apply_block(CONSORTIUM, state, commitment, block, trades_before=lambda: self.trades)
        assert again == outcome
        auditor = Auditor(CONSORTIUM, tuple(genesis_rows("consortium", self.before)), self.trades)
        assert not auditor.check_block(block, outcome)
        self.before, self.trades = self.world.export(), outcome.trades
        self.stages |= {auction.stage for auction in self.world.state.rows[AUCTIONS.prefix].values()}


def founded(able: list[int], profile: str) -> World:
    terms = msgspec.structs.replace(DEFAULT_TERMS, call_phase_ms=300_000)
    if profile == "tpa":
        terms = msgspec.structs.replace(terms, **TPA_DRAFT_2026)
    founding = Founding(terms, at(11, 35))
    founding.builder.add_zone(4, "South", founding.accounts["pea"], (3, 1))
    founding.builder.add_feeder(41, 4, "feeder 41")
    for name, feeder in OWNERS.items():
        founding.add_home(name, feeder, {Source.STORAGE: 400_000}, 800_000, 10_000 * WATT, group=7)
    for (zone, other), there, back in zip(RING, able[::2], able[1::2], strict=False):
        founding.builder.limit_border(zone, other, there * 4, back * 4)
    founding.builder.limit_feeder(LIMITED, able[-2] * 4, able[-1] * 4)
    return founding.start()


def play(world: World, wanted: list[tuple[str, Side, int, int, int, str]]) -> None:
    """Place the orders that come before the gate."""
    for number, (owner, side, price, wh, minute, kind) in enumerate(sorted(wanted, key=lambda each: each[4])):
        if minute == 50 and world.time_ms < at(11, 50):
            world.block(time_ms=at(11, 50))
        middle = 4_000_000 if side == Side.SELL else 4_600_000
        more = {"scope": 1} if kind == "zone" else {"display_wh": 100} if kind == "iceberg" and wh > 100 else {}
        source = int(Source.STORAGE) if side == Side.SELL else 32 if kind == "source" else 127
        message = order(owner, side, wh, NOON, middle + price * 50_000, f"o{number}", source, **more)
        code = world.code(owner, message)
        is_plain = not more and source != 32
        assert code == (KernelCode.OK.name if minute < 50 or is_plain else "CALL_TAKES_PLAIN"), (code, minute, kind)


def in_the_auction(world: World) -> list[Order]:
    """Plain ones; as long as none was booked."""
    found = [each for _, each in world.state.items(ORDERS) if each.interval == NOON]
    return [each for each in found if not each.scope and not each.display_wh and each.source in (127, 5)]


def welfare_of(clearing: Clearing, taking: list[Order], way: int, border: int) -> int:
    """What the best linear combination gains, in millionths."""
    places = [1, 2, 3, 4, *(link.link for link in clearing.links if link.link >= 65_536)]

    def place_of(each: Order) -> int:
        own = 65_536 + each.feeder
        return places.index(own if own in places else FEEDERS[each.feeder])

    costs = [each.price_micro if each.side else way - each.price_micro for each in taking]
    most = [each.remaining_wh for each in taking]
    columns = [(place_of(each), -1 if each.side else 1) for each in taking]
    ends = []
    for link in clearing.links:
        low, high = (link.link, FEEDERS[link.link - 65_536]) if link.link >= 65_536 else divmod(link.link, 256)
        ends.append((places.index(low), places.index(high), link.link < 65_536))
    rows = [[sign if place == own else 0 for own, sign in columns] for place in range(len(places))]
    for link, (a, b, is_border) in zip(clearing.links, ends, strict=True):
        for start, end, free in ((a, b, link.forward_free_wh), (b, a, link.backward_free_wh)):
            costs.append(border if is_border else 0)
            most.append(min(free, 10**7))
            for place, row in enumerate(rows):
                row.append((place == start) - (place == end))
    found = linprog(costs, A_eq=rows, b_eq=[0] * len(places), bounds=[(0, each) for each in most], method="highs")
    assert found.status == 0
    return -round(found.fun / 1_000)


def close(world: World, steps_max: int) -> None:
    """Blocks until the gate is closed; with few steps a block, so that they end in all stages."""
    with pytest.MonkeyPatch.context() as patch:
        if steps_max:
            patch.setattr(limits, "SCHEDULED_STEPS_PER_BLOCK_MAX", steps_max)
            patch.setattr(gate, "ORDERS_PER_STEP", 3)
            patch.setattr(gate, "AUCTION_STEPS_PER_SLICE", 60)
        world.block(time_ms=at(11, 55))
        while world.state.rows[INTERVALS.prefix][interval_key(NOON)].phase != Phase.CLOSED:
            world.block()


@settings(max_examples=60, deadline=None)
@given(
    steps_max=st.sampled_from([0, 0, 8]),
    able=st.lists(capacities, min_size=10, max_size=10),
    wanted=st.lists(orders, max_size=16),
    profile=st.sampled_from(["default", "default", "tpa"]),
)
def test_an_auction_from_the_first_order_to_the_last_payment(
    steps_max: int, able: list[int], wanted: list[tuple[str, Side, int, int, int, str]], profile: str
) -> None:
    world = founded(able, profile)
    watch = Watch(world)
    play(world, wanted)
    world.block(time_ms=at(11, 54))
    taking = in_the_auction(world)
    restored = Restored(world)
    close(world, steps_max)
    clearing = world.state.get(CLEARINGS, interval_key(NOON))
    assert (clearing is not None) == bool(taking)
    if clearing is not None:
        assert abs(clearing.welfare_micro - welfare_of(clearing, taking, *WAYS[profile])) <= 1
    world.watchers.remove(restored.look)
    while settlement_of(world.state, NOON).stage != Stage.SETTLED:
        world.skip_to(world.time_ms + 600_000)
    watch.finish()
    assert not world.state.rows[schedule.SET_ASIDE.prefix]


def test_small_steps_stop_in_every_stage() -> None:
    world = founded([300] * 10, "default")
    Watch(world)
    play(world, [(owner, Side(number % 2), 0, 300, 50, "") for number, owner in enumerate(OWNERS)] * 2)
    restored = Restored(world)
    close(world, 8)
    assert restored.stages == {gate.GateStage.SORTING, gate.GateStage.SOLVING, gate.GateStage.BOOKING}
