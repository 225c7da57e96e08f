"""The planner that knows every row: the most that the market could ever save this community."""

import numpy as np

from gridtokenx.simulation.bills import bills_without_market
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.planner.formulation import MARKET_RULES, Rules, Stage, solve_plan
from gridtokenx.simulation.planner.linear import Numbers
from gridtokenx.simulation.planner.model import CommunityModel
from gridtokenx.simulation.planner.planned import Planned, PlannedInterval
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.tariff_view import INTERVAL_MS

SATANG_MICRO = 10_000
"""A linear program's optimum is a floating-point number: it is told to the hundredth of a WATT."""


def perfect_foresight(
    scenario: Scenario,
    end_interval: int | None = None,
    rules: Rules = MARKET_RULES,
) -> Planned:
    """The least sum of bills from the scenario's start to `end_interval` (else its end), to the satang.

    Every battery ends with at least what it holds without a market, so no stored energy is sold off at the end.
    Raises `ScenarioError` for rows that cannot be read.
    """
    end = end_interval or scenario.end_interval
    intervals = end - scenario.first_interval
    model = CommunityModel(scenario)
    without = bills_without_market(scenario, end)
    surplus_wh = recorded_surplus_wh(scenario, end)[None]
    start_wh = {site.name: site.battery.charge_at_start_wh if site.battery else 0 for site in scenario.sites}
    cost_watt, (plan,) = solve_plan(
        model,
        [Stage(scenario.first_interval, surplus_wh, np.zeros((len(scenario.sites), 0)))],
        model.by_battery(start_wh),
        model.by_battery({name: each.charge_wh for name, each in without.items()}),
        rules=rules,
    )
    bill_micro = round(cost_watt * 100) * SATANG_MICRO
    bill_without_micro = sum(each.bill_micro for each in without.values())
    rows = [
        PlannedInterval(
            scenario.first_interval + offset,
            round(plan.sold_wh[:, offset].sum()),
            round(plan.import_wh[0, :, offset].sum()),
            round(plan.export_wh[0, :, offset].sum()),
            round(plan.stored_wh[0, :, offset].sum()),
        )
        for offset in range(intervals)
    ]
    return Planned(
        bill_micro=bill_micro,
        stored_value_micro=0,
        gain_micro=bill_without_micro - bill_micro,
        intervals=tuple(rows),
    )


def recorded_surplus_wh(scenario: Scenario, end_interval: int) -> Numbers:
    """PV minus load of every site, from the scenario's start to `end_interval`."""
    community = Community(scenario)
    skipped, count = scenario.history_intervals, end_interval - scenario.first_interval
    rows = []
    for site in scenario.sites:
        history = community.history(site.name, scenario.end_interval * INTERVAL_MS)
        pv_wh, load_wh = np.array(history.pv_wh, float), np.array(history.load_wh, float)
        rows.append((pv_wh - load_wh)[skipped : skipped + count])
    return np.array(rows)
