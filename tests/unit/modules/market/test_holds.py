"""Holds: whatever an order meets, the parts never need more than the whole held."""

from fractions import Fraction
from math import floor

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.world import DEFAULT_TERMS, WATT

from gridtokenx.modules.market.holds import buyer_hold_micro, seller_hold_micro, trade_cost
from gridtokenx.modules.market.messages import Terms

prices = st.integers(1, 12_000).map(lambda tick: tick * 1_000)
energies = st.integers(1, 10**7)
terms = st.builds(
    lambda grid, trading, base, feeder, border: msgspec.structs.replace(
        DEFAULT_TERMS,
        grid_fee_ppm=grid,
        trading_fee_ppm=trading,
        wheeling_base_micro=base * 1_000,
        wheeling_feeder_micro=feeder * 1_000,
        wheeling_border_micro=border * 1_000,
    ),
    st.integers(0, 200_000),
    st.integers(0, 50_000),
    *[st.integers(0, 2_000)] * 3,
)


@given(terms, prices, energies, st.data())
def test_a_buyers_fills_and_rest_need_no_more_than_its_order_held(
    terms: Terms, limit: int, energy: int, data: st.DataObject
) -> None:
    """Each fill at any price that keeps the delivered limit, over any distance."""
    held, left, needed = buyer_hold_micro(terms, limit, energy), energy, 0
    while left and data.draw(st.booleans()):
        nearness = data.draw(st.integers(0, 4))
        way = terms.wheeling_base_micro
        way += terms.wheeling_feeder_micro + (nearness - 1) * terms.wheeling_border_micro if nearness else 0
        if limit <= way:
            break
        price = data.draw(st.integers(0, (limit - way) // 1_000)) * 1_000
        part = data.draw(st.integers(1, left))
        needed += trade_cost(terms, price, part, way).buyer
        left -= part
        assert needed + buyer_hold_micro(terms, limit, left) <= held


@given(terms, st.integers(0, 20 * WATT), prices, energies, st.data())
def test_a_sellers_parts_need_no_more_than_its_order_held(
    terms: Terms, tariff: int, limit: int, energy: int, data: st.DataObject
) -> None:
    """What is kept for each part is what the order held for it, so the sum is at most the whole."""
    whole = seller_hold_micro(terms, tariff, limit, energy)
    left, kept = energy, 0
    while left:
        part = data.draw(st.integers(1, left)) if data.draw(st.booleans()) else left
        before, after = (seller_hold_micro(terms, tariff, limit, wh) if wh else 0 for wh in (left, left - part))
        assert before >= after
        kept += before - after
        left -= part
    assert kept == whole


@given(terms, prices, energies, st.integers(0, 5))
def test_a_trade_costs_what_the_table_says(terms: Terms, price: int, energy: int, nearness: int) -> None:
    """Each part by its own line of the table, and every millionth that the buyer pays goes to somebody."""
    feeder_micro = terms.wheeling_feeder_micro if nearness else 0
    border_micro = terms.wheeling_border_micro * max(nearness - 1, 0)
    cost = trade_cost(terms, price, energy, terms.wheeling_base_micro + feeder_micro + border_micro)
    value = Fraction(price * energy, 1_000)
    grid_fee = floor(value * Fraction(terms.grid_fee_ppm, 10**6))
    base, feeder, border = (
        Fraction(micro * energy, 1_000) for micro in (terms.wheeling_base_micro, feeder_micro, border_micro)
    )
    assert cost.value == value
    assert cost.trading_fee == floor(value * Fraction(terms.trading_fee_ppm, 10**6))
    assert cost.wheeling == base + feeder + border
    assert cost.border == border
    assert cost.far == floor(feeder / 2)
    assert cost.near == grid_fee + base + feeder - cost.far
    assert cost.buyer == cost.value + cost.trading_fee + cost.near + cost.far + cost.border


@given(st.integers(0, 20 * WATT), prices, energies)
def test_collateral_covers_the_loss_of_delivering_nothing(tariff: int, price: int, energy: int) -> None:
    """Proceeds and collateral together pay for buying all of it back from the residual supplier."""
    hold = seller_hold_micro(DEFAULT_TERMS, tariff, price, energy)
    proceeds = price * energy // 1_000 - (price * energy // 1_000) * DEFAULT_TERMS.trading_fee_ppm // 10**6
    charge = energy * (max(tariff, price) + DEFAULT_TERMS.undelivered_spread_micro) // 1_000
    assert proceeds + hold >= charge
