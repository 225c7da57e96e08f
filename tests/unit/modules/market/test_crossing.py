"""Who may meet when links have capacity again: looked up by fronts, against every pair tried by a slow market."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.coupled_model import BASE, BORDER, FEEDER, Resting, SlowMarket
from tests.unit.modules.market.trading_floor import INTERVAL, ZONE_OF, empty_state, key_of, order

from gridtokenx.modules.grid.network import NETWORKS, network_of
from gridtokenx.modules.grid.state import LIMITS, Limit, Link, link_key
from gridtokenx.modules.grid.topology import FEEDER_LINK, border_step
from gridtokenx.modules.market.book import book_of, rest
from gridtokenx.modules.market.crossing import find_crossed
from gridtokenx.modules.market.messages import Side

WHEELING = (BASE, BASE + FEEDER, BASE + FEEDER + BORDER, BASE + FEEDER + 2 * BORDER)
BORDERS = ((0, 1), (1, 2))
LIMITED = (0, 2)
"""Feeders whose links are counted."""

orders = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.integers(1, 12),
        st.sampled_from(sorted(ZONE_OF)),
        st.sampled_from([1, 2, 3, 64, 127]),
        st.sampled_from([0, 0, 1, 2]),
    ),
    max_size=14,
)
is_open = st.tuples(st.booleans(), st.booleans())


@given(orders, st.tuples(is_open, is_open), st.tuples(is_open, is_open))
@settings(max_examples=400)
def test_the_first_to_meet_is_found_whatever_is_closed(
    resting: list[tuple[Side, int, int, int, int]],
    borders: tuple[tuple[bool, bool], ...],
    feeders: tuple[tuple[bool, bool], ...],
) -> None:
    state = empty_state()
    for feeder in LIMITED:
        state.put(LIMITS, link_key(FEEDER_LINK | feeder), Limit(((0, 10**6, 10**6),)))
    state.rebuild_indexes((NETWORKS,))
    network, free = network_of(state, INTERVAL), {}
    for (zone, other), (there, back) in zip(BORDERS, borders, strict=True):
        network.put(state, border_step(zone, other) >> 1, Link(there, back, 0))
        free[zone, other], free[other, zone] = int(there), int(back)
    for feeder, (out, into) in zip(LIMITED, feeders, strict=True):
        network.put(state, FEEDER_LINK | feeder, Link(out, into, 0))
        free[("feeder", feeder), "zone"], free["zone", ("feeder", feeder)] = int(out), int(into)
    slow = SlowMarket(ZONE_OF, {*BORDERS, *((other, zone) for zone, other in BORDERS)}, free)
    for place, (side, price, feeder, mask, scope) in enumerate(resting, 1):
        source = mask if side == Side.BUY else mask.bit_length() - 1
        placed = replace(order(side, 100, 250 * price, place=place, source=source, feeder=feeder), scope=scope)
        rest(state, book_of(state, INTERVAL), key_of(place), placed)
        slow.orders[str(place)] = Resting(
            str(place), str(place), side, placed.price_micro, 100, source, feeder, scope, 0, 100, place
        )
    wanted, found = slow.first_to_meet(), find_crossed(book_of(state, INTERVAL), WHEELING)
    assert (found and found[1].place) == (wanted and wanted.place)
