"""Whatever comes in one block, beside changes of capacity and with limits of steps that end everything soon: when the
block is over no two orders are left that could meet (B3), as a slow market sees it that tries every way and pair."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.coupled_model import Resting, SlowMarket
from tests.invariants import Watch
from tests.properties.test_coupled import GROUPS, LIMITED_FEEDER, OWNERS, RING, ZONE_OF, founded
from tests.world import NOON, World, order, pseudonym

from gridtokenx.modules.grid.messages import LinkKind, SetCapacity
from gridtokenx.modules.grid.network import network_of
from gridtokenx.modules.grid.state import REOPENED
from gridtokenx.modules.grid.topology import border_step, feeder_step
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market import crossing, matching
from gridtokenx.modules.market.messages import Side
from gridtokenx.modules.market.state import ORDERS

few = st.sampled_from([0, 100, 10_000])
NEAR = sorted(name for name, feeder in OWNERS.items() if feeder in (11, 12, 51))
placed = st.tuples(
    st.sampled_from(NEAR),
    st.sampled_from(Side),
    st.integers(-3, 3),
    st.sampled_from([100, 200, 300, 600]),
    st.sampled_from([127, 127, 127, 32]),
    st.sampled_from([0, 0, 1, 2, 2]),
)
changed = st.tuples(st.sampled_from([(1, 5), (1, 5), (1, 2), LIMITED_FEEDER]), few, few)
blocks = st.lists(st.lists(st.one_of(placed, placed, changed), min_size=1, max_size=8), min_size=1, max_size=3)


def slow_market(world: World) -> SlowMarket:
    """All that rests, and what links have left, as state says it."""
    network, free = network_of(world.state, NOON), {}
    for zone, other in RING:
        link = network.link(border_step(zone, other) >> 1)
        assert link is not None
        forward, backward = link.forward_wh - link.net_wh, link.backward_wh + link.net_wh
        free[zone, other], free[other, zone] = (forward, backward) if zone < other else (backward, forward)
    link = network.link(feeder_step(LIMITED_FEEDER, out=True) >> 1)
    assert link is not None
    own = ("feeder", LIMITED_FEEDER)
    free[own, "zone"], free["zone", own] = link.forward_wh - link.net_wh, link.backward_wh + link.net_wh
    slow = SlowMarket(ZONE_OF, {*RING, *((other, zone) for zone, other in RING)}, free, GROUPS)
    owners = {pseudonym(name): name for name in OWNERS}
    for key, resting in world.state.rows[ORDERS.prefix].items():
        slow.orders[key.hex()] = Resting(
            key.hex(), owners[resting.portfolio], Side(resting.side), resting.price_micro, resting.remaining_wh,
            resting.source, resting.feeder, resting.scope, resting.display_wh, resting.shown_wh, resting.place,
        )  # fmt: skip
    return slow


@given(blocks)
@settings(max_examples=60)
def test_when_a_block_is_over_no_two_orders_are_left_that_could_meet(story: list[list[tuple[object, ...]]]) -> None:
    world = founded([0] * 6, [0] * 6)
    Watch(world)
    first, *_, last = sorted(OWNERS, key=lambda name: OWNERS[name])
    for number in range(6):  # they wait apart
        world.do(first, order(first, Side.SELL, 100, NOON, 3_000_000, f"w{number}", int(Source.STORAGE)))
        world.do(last, order(last, Side.BUY, 100, NOON, 6_000_000, f"w{number}"))
    count = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossing, "MATCH_STEPS_PER_ORDER_MAX", 2)
        patch.setattr(matching, "MATCH_STEPS_PER_ORDER_MAX", 3)
        for block in story:
            wires = []
            for what, *how in block:
                count += 1
                if isinstance(what, str):
                    side, price, quantity_wh, mask, scope = how
                    middle = 4_000_000 if side == Side.SELL else 4_600_000
                    source = mask if side == Side.BUY else int(Source.WIND if mask == 2 else Source.STORAGE)
                    message = order(
                        what, side, quantity_wh, NOON, middle + price * 150_000, f"o{count}", source, scope=scope
                    )
                    wires.append(world.sign(what, message))
                elif isinstance(what, tuple):
                    wires.append(
                        world.sign("egat", SetCapacity(LinkKind.BORDER, *what, NOON, 1, *(4 * wh for wh in how)))
                    )
                else:
                    wires.append(
                        world.sign("mea", SetCapacity(LinkKind.FEEDER, what, 0, NOON, 1, *(4 * wh for wh in how)))
                    )
            world.run(*wires)
            assert not world.state.rows[REOPENED.prefix]
            assert slow_market(world).first_to_meet() is None
