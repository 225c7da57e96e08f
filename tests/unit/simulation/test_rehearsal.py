"""What the agents achieve together on the shipped scenarios, in a market in memory."""

from pathlib import Path

import pytest
from tests.unit.simulation.rehearsal import Rehearsal, report

from gridtokenx.simulation.bills import bills_without_market
from gridtokenx.simulation.scenario import load_scenario

SCENARIOS = Path(__file__).parents[3] / "scenarios"
MILLION = 1_000_000


@pytest.fixture(scope="module")
def two_days() -> Rehearsal:
    scenario = load_scenario(SCENARIOS / "community-week")
    return Rehearsal(scenario).run(scenario.first_interval + 192)


@pytest.mark.slow
def test_money_only_leaves_for_fees_wheeling_and_the_residual_supplier(two_days: Rehearsal) -> None:
    terms = two_days.terms
    leaving = 0
    for trade in two_days.trades:
        value = trade.price_micro * trade.energy_wh // 1000
        leaving += value * terms.grid_fee_millionths // MILLION
        leaving += 2 * (value * terms.trading_fee_millionths // MILLION)
        leaving += terms.wheeling_micro * trade.energy_wh // 1000
    bills = two_days.bills_micro()
    assert sum(bills.values()) == leaving + sum(two_days.residual_micro.values())
    sold = sum(sum(positions.values()) for positions in two_days.positions.values())
    assert sold == 0


@pytest.mark.slow
def test_the_market_is_worth_it_for_nearly_everyone(two_days: Rehearsal) -> None:
    scenario = two_days.scenario
    without = bills_without_market(scenario, scenario.first_interval + 192)
    gains = {name: without[name].bill_micro - bill for name, bill in two_days.bills_micro().items()}
    assert sum(gains.values()) > 200 * MILLION
    assert sum(gain > 0 for gain in gains.values()) >= 11
    assert min(gains, key=lambda name: gains[name]) == "home-12"  # whose meter misleads every forecast: NOTICE
    traded_wh = sum(trade.energy_wh for trade in two_days.trades)
    assert two_days.imbalance_wh * 2 < traded_wh


def test_a_day_of_two_neighbours_without_history_trades() -> None:
    scenario = load_scenario(SCENARIOS / "two-neighbours")
    rehearsal = Rehearsal(scenario).run()
    assert {trade.seller for trade in rehearsal.trades} >= {"home-06"}
    assert "home-10" in report(rehearsal)
    without = sum(bill.bill_micro for bill in bills_without_market(scenario).values())
    gain = without - sum(rehearsal.bills_micro().values())
    assert gain > 0
