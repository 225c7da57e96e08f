"""Every sum of a report by a second way: from the ledger's own statements, trades and balances."""

from collections import Counter

import pytest
from tests.unit.simulation.report.sample import SCENARIOS

from gridtokenx.modules.settlement.state import Statement
from gridtokenx.simulation.bills import bills_without_market
from gridtokenx.simulation.planner import equal_foresight, perfect_foresight, stored_value_micro
from gridtokenx.simulation.report.series import GroupFigures, IntervalFigures
from gridtokenx.simulation.report.study import Study, make_study
from gridtokenx.simulation.scenario import Scenario, load_scenario
from gridtokenx.simulation.simulate import Result, run_simulation


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(SCENARIOS / "two-neighbours")


@pytest.fixture(scope="module")
def result(scenario: Scenario) -> Result:
    return run_simulation(scenario)


@pytest.fixture(scope="module")
def study(scenario: Scenario, result: Result) -> Study:
    return make_study(scenario, result)


def statements_of(scenario: Scenario, result: Result, name: str) -> dict[int, Statement]:
    portfolio = result.record.genesis.connections[name].portfolio
    return {
        interval: result.record.recorder.statements[interval.to_bytes(4, "big") + portfolio]
        for interval in range(scenario.first_interval, scenario.end_interval)
    }


def test_each_bill_is_the_sum_of_its_parts_as_trades_and_statements_have_them(
    scenario: Scenario, result: Result
) -> None:
    trades = [trade for _, trade in result.record.recorder.trades]
    assert len(trades) > 20
    for home in result.report.homes:
        account = result.record.genesis.connections[home.name].owner.account
        own = statements_of(scenario, result, home.name)
        bought = [(t.price_micro * t.quantity_wh // 1_000, t.quantity_wh) for t in trades if t.buyer == account]
        sold = [t.price_micro * t.quantity_wh // 1_000 for t in trades if t.seller == account]
        assert home.purchases_micro == sum(value for value, _ in bought)
        assert home.wheeling_micro == 200 * sum(energy_wh for _, energy_wh in bought)
        assert home.grid_fee_micro == sum(value // 100 for value, _ in bought)
        assert home.sales_micro == sum(sold)
        assert home.trading_fee_micro == sum(v * 500 // 1_000_000 for v in [*(value for value, _ in bought), *sold])
        supplied = sum(
            scenario.tariff.price_micro(interval) * line.other_import_wh // 1_000 for interval, line in own.items()
        )
        returned = sum(2_200 * line.other_export_wh for line in own.values())
        assert (home.supplied_micro, home.returned_micro) == (supplied, returned)
        assert home.undelivered_micro == sum(line.charge_micro for line in own.values()) - supplied
        assert home.unused_micro == sum(line.credit_micro for line in own.values()) - returned
        ledger_micro = sum(
            line.purchase_cost_micro - line.sale_proceeds_micro + line.charge_micro - line.credit_micro
            for line in own.values()
        )
        assert home.bill_with_micro == ledger_micro
        assert home.bill_with_micro == (
            home.purchases_micro + home.wheeling_micro + home.grid_fee_micro + home.trading_fee_micro
            + home.supplied_micro + home.undelivered_micro - home.sales_micro - home.returned_micro - home.unused_micro
        )  # fmt: skip


def test_vat_is_seven_per_cent_of_what_is_paid_and_not_of_what_is_earned(scenario: Scenario, result: Result) -> None:
    for home in result.report.homes:
        own = statements_of(scenario, result, home.name)
        # The scenario is one day in Bangkok: one rounding.
        paid = sum(line.purchase_cost_micro + line.charge_micro for line in own.values())
        assert home.vat_micro == paid * 7 // 100
        assert home.vat_without_micro == home.import_without_micro * 7 // 100
        with_vat = home.bill_with_micro + home.vat_micro
        assert home.saved_with_vat_micro == home.bill_without_micro + home.vat_without_micro - with_vat
    report = result.report
    assert report.vat_micro == sum(home.vat_micro for home in report.homes) > 0
    assert report.losers_with_vat == tuple(home.name for home in report.homes if home.saved_with_vat_micro < 0)


def test_what_everybody_gains_and_loses_sums_to_zero_and_is_what_their_accounts_say(result: Result) -> None:
    report = result.report
    parties = {party.name: party for party in report.parties}
    assert {"homes", "residual-supplier", "mea", "fee-pool"} <= set(parties)
    assert sum(party.change_micro for party in report.parties) == 0
    assert sum(party.with_micro for party in report.parties) == 0
    homes_paid = sum(home.bill_with_micro for home in report.homes)
    assert parties["homes"].with_micro == -homes_paid
    assert parties["homes"].change_micro == report.saved_micro
    assert report.arrears_micro == 0
    for name in ("residual-supplier", "mea", "fee-pool"):
        assert parties[name].with_micro == report.balance_changes_micro[name]
    assert parties["fee-pool"].with_micro == sum(home.trading_fee_micro for home in report.homes)
    assert parties["mea"].with_micro == sum(home.grid_fee_micro + home.wheeling_micro for home in report.homes)
    assert len(report.checks) > 8
    assert all(check.expected == check.found for check in report.checks)
    assert report.breaches == ()


def test_shares_of_energy_are_what_the_meters_say(scenario: Scenario, result: Result) -> None:
    report = result.report
    nets_wh: Counter[int] = Counter()
    for home in report.homes:
        for interval, line in statements_of(scenario, result, home.name).items():
            nets_wh[interval] += line.export_wh - line.import_wh
    taken_wh = sum(max(0, -net) for net in nets_wh.values())
    left_wh = sum(max(0, net) for net in nets_wh.values())
    assert report.self_sufficiency_permille == 1_000 - taken_wh * 1_000 // report.load_wh
    assert report.own_use_permille == 1_000 - left_wh * 1_000 // report.pv_wh
    rows = scenario.meters_path.read_text().splitlines()
    columns = rows[0].split(",")
    for kind, energy_wh in (("load_wh", report.load_wh), ("pv_wh", report.pv_wh)):
        places = [place for place, name in enumerate(columns) if name.endswith(kind)]
        assert energy_wh == sum(int(row.split(",")[place]) for row in rows[1:] for place in places)


SUMMED = sorted(set(IntervalFigures.__struct_fields__) & set(GroupFigures.__struct_fields__))


def test_intervals_days_and_hours_sum_to_the_whole(scenario: Scenario, study: Study) -> None:
    report = study.report
    assert [row.interval for row in study.intervals] == list(range(scenario.first_interval, scenario.end_interval))
    totals = {name: sum(getattr(row, name) for row in study.intervals) for name in SUMMED}
    for groups in (study.days, study.hours):
        assert {name: sum(getattr(row, name) for row in groups) for name in SUMMED} == totals
    homes = report.homes
    assert (len(study.days), len(study.hours)) == (1, 24)
    assert totals["trades"] == report.trades == len(study.trades)
    assert totals["traded_wh"] == report.traded_wh == sum(trade.quantity_wh for trade in study.trades)
    assert totals["traded_micro"] == report.traded_micro
    assert totals["bill_micro"] == sum(home.bill_with_micro for home in homes)
    assert totals["bill_without_micro"] == sum(home.bill_without_micro for home in homes)
    assert totals["undelivered_wh"] + totals["unused_wh"] == report.imbalance_wh
    assert totals["import_without_wh"] == sum(home.import_without_wh for home in homes)
    assert totals["from_neighbours_wh"] + totals["supplied_wh"] == sum(home.import_wh for home in homes)
    assert totals["to_neighbours_wh"] + totals["returned_wh"] == sum(home.export_wh for home in homes)
    last = study.intervals[-1]
    assert last.stored_wh == sum(home.stored_wh for home in homes)
    assert last.stored_without_wh == sum(home.stored_without_wh for home in homes)
    for row in study.intervals:
        if row.trades:
            assert row.lowest_price_micro * row.traded_wh // 1_000 <= row.traded_micro + row.trades
            assert row.traded_micro <= row.highest_price_micro * row.traded_wh // 1_000


def test_the_planner_is_the_one_that_anybody_can_ask(scenario: Scenario, study: Study) -> None:
    planner, report = study.planner, study.report
    assert planner.perfect == perfect_foresight(scenario)
    assert planner.equal == equal_foresight(scenario)
    without = bills_without_market(scenario)
    differences = {home.name: home.stored_wh - without[home.name].charge_wh for home in report.homes}
    assert planner.found_micro == report.saved_micro + stored_value_micro(scenario, differences)
    assert planner.share_of_perfect_permille == planner.found_micro * 1_000 // planner.perfect.gain_micro
    assert planner.alone.gain_micro <= planner.daylight.gain_micro <= planner.perfect.gain_micro
    assert planner.found_micro <= planner.perfect.gain_micro + 1_000_000


def test_forecast_errors_are_those_of_what_was_known(study: Study) -> None:
    names = [home.name for home in study.report.homes]
    assert sorted({error.site for error in study.forecast_errors}) == sorted(names)
    for error in study.forecast_errors:
        assert abs(error.bias_wh) <= error.mean_absolute_wh
        assert error.samples <= 96
    # The first hour is known at 01:00: 23 of 24 hours can be forecast one hour ahead, one 23 hours ahead.
    samples = {(error.site, error.lead_hours): error.samples for error in study.forecast_errors}
    assert samples[names[0], 1] == 23 * 4 and samples[names[0], 23] == 4
    assert (names[0], 24) not in samples
    assert [lead.lead_hours for lead in study.leads] == list(range(1, 24))
    first = [error for error in study.forecast_errors if error.lead_hours == 1]
    assert study.leads[0].mean_absolute_wh == sum(error.mean_absolute_wh for error in first) // len(first)


def test_a_run_may_be_shorter_than_its_scenario() -> None:
    scenario = load_scenario(SCENARIOS / "community-week")
    result = run_simulation(scenario, days=1)
    assert result.report.breaches == ()
    assert result.report.intervals == 96
    assert len(result.report.homes) == 13
    assert sum(party.change_micro for party in result.report.parties) == 0
