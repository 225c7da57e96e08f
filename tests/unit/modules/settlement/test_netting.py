"""From contract and meter to money: properties that hold for all numbers."""

from hypothesis import given
from hypothesis import strategies as st
from tests.world import DEFAULT_TERMS, WATT

from gridtokenx.modules.market.state import EMPTY_POSITION, Position
from gridtokenx.modules.settlement.netting import (
    average_micro,
    estimate_import_wh,
    residual_money,
    split_energy,
)

energies = st.integers(0, 10**6)
tariffs = st.sampled_from([DEFAULT_TERMS.on_peak_micro, DEFAULT_TERMS.off_peak_micro])
prices = st.integers(1, 12_000).map(lambda tick: tick * 1_000)


def position(sold_wh: int, bought_wh: int, price_micro: int) -> Position:
    """All at one price."""
    value, cost = sold_wh * price_micro // 1_000, bought_wh * price_micro // 1_000
    return Position(sold_wh, bought_wh, 0, 0, value, 0, cost, cost, 0)


@given(st.integers(-(10**6), 10**6), energies, energies)
def test_the_four_parts_explain_the_meter(net_sold: int, import_wh: int, export_wh: int) -> None:
    energy = split_energy(net_sold, import_wh, export_wh)
    assert min(energy.undelivered_wh, energy.unused_wh, energy.other_import_wh, energy.other_export_wh) >= 0
    explained = net_sold - energy.undelivered_wh + energy.unused_wh
    explained += energy.other_export_wh - energy.other_import_wh
    assert explained == export_wh - import_wh
    assert energy.undelivered_wh == 0 or energy.unused_wh == 0
    assert energy.undelivered_wh <= max(net_sold, 0)
    assert energy.unused_wh <= max(-net_sold, 0)


@given(tariffs, energies, energies)
def test_without_trades_the_old_bill_stands(tariff: int, import_wh: int, export_wh: int) -> None:
    energy = split_energy(0, import_wh, export_wh)
    charge, credit = residual_money(DEFAULT_TERMS, tariff, EMPTY_POSITION, energy)
    assert charge == tariff * import_wh // 1_000
    assert credit == DEFAULT_TERMS.buy_back_micro * export_wh // 1_000


@given(tariffs, energies, prices)
def test_who_does_as_contracted_owes_and_earns_nothing_more(tariff: int, wh: int, price: int) -> None:
    sale = residual_money(DEFAULT_TERMS, tariff, position(wh, 0, price), split_energy(wh, 0, wh))
    purchase = residual_money(DEFAULT_TERMS, tariff, position(0, wh, price), split_energy(-wh, wh, 0))
    assert sale == purchase == (0, 0)


@given(tariffs, st.integers(1, 10**6), prices, st.data())
def test_selling_what_is_not_delivered_never_pays(tariff: int, sold_wh: int, price: int, data: st.DataObject) -> None:
    """Each kWh that is missing costs at least the spread more than it brought, and more than the tariff."""
    delivered_wh = data.draw(st.integers(0, sold_wh))
    energy = split_energy(sold_wh, 0, delivered_wh)
    charge, credit = residual_money(DEFAULT_TERMS, tariff, position(sold_wh, 0, price), energy)
    missing_wh = sold_wh - delivered_wh
    brought = price * missing_wh // 1_000
    spread = DEFAULT_TERMS.undelivered_spread_micro * missing_wh // 1_000
    assert credit == 0
    assert charge >= max(brought, tariff * missing_wh // 1_000) + spread - 1


@given(tariffs, st.integers(1, 10**6), prices, st.data())
def test_buying_what_is_not_used_never_pays(tariff: int, bought_wh: int, price: int, data: st.DataObject) -> None:
    """What is left over earns less than it cost, and less than the buy-back, by the spread where there is room."""
    used_wh = data.draw(st.integers(0, bought_wh))
    energy = split_energy(-bought_wh, used_wh, 0)
    charge, credit = residual_money(DEFAULT_TERMS, tariff, position(0, bought_wh, price), energy)
    left_wh = bought_wh - used_wh
    each = max(0, min(DEFAULT_TERMS.buy_back_micro, price) - DEFAULT_TERMS.unused_spread_micro)
    assert charge == 0
    assert credit == each * left_wh // 1_000 <= min(price, DEFAULT_TERMS.buy_back_micro) * left_wh // 1_000


@given(tariffs, st.integers(0, 10**5), st.integers(0, 10**5), st.integers(0, 10**5), prices)
def test_a_first_traded_watt_hour_is_no_discount_on_the_rest(
    tariff: int, import_wh: int, export_wh: int, sold_wh: int, price: int
) -> None:
    """Selling some of what one exports leaves the bill for what one takes as it was."""
    sold_wh = min(sold_wh, max(export_wh - import_wh, 0))
    energy = split_energy(sold_wh, import_wh, export_wh)
    assert energy.other_import_wh == import_wh
    assert energy.other_export_wh == export_wh - sold_wh


@given(st.integers(0, 10**12), st.integers(1, 10**6))
def test_averages_round_down(value: int, wh: int) -> None:
    average = average_micro(value, wh)
    assert average * wh <= value * 1_000 < (average + 1) * wh
    assert average_micro(value, 0) == 0


@given(st.integers(-5_000, 5_000), st.lists(st.integers(0, 5_000), max_size=7), st.integers(0, 9_000))
def test_an_estimate_is_the_larger_of_purchase_and_past(purchase: int, past: list[int], capacity: int) -> None:
    estimate = estimate_import_wh(purchase, tuple(past), capacity)
    assert estimate == max([purchase, *past] if past else [purchase, capacity])
    assert estimate >= 0


def test_the_example_of_an_average_above_the_tariff() -> None:
    mixed = Position(2_000, 0, 0, 0, 12 * WATT + 101_000, 0, 0, 0, 0)
    charge, _ = residual_money(DEFAULT_TERMS, DEFAULT_TERMS.on_peak_micro, mixed, split_energy(2_000, 0, 0))
    assert charge == 2 * (6_050_500 + 250_000)
