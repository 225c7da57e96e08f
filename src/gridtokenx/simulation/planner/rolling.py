"""The planner that knows what agents know when they must decide, and meets what really happened.

Once an hour, when the rows of the hour before become known, it makes the same forecasts as the agents do (each site's
own forecaster, on each site's own history), plans a day ahead and decides the four intervals whose gates close within
the hour: contracts, and how each battery runs. The recorded rows then decide what is delivered, and every difference is
settled as the ledger would (`settlement.netting`), at the planner's price.

The plan has two stages. In the first, up to the last interval decided now, all courses of the forecast count alike:
course k of all sites together is one possible day, because it comes from the same day of the past. In the second, up
to a day ahead, each site follows its median course. What a battery holds at the end of the plan is worth what a trade
on-peak would bring if the plan ends on-peak, else what charging it anew off-peak would cost.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from gridtokenx.modules.market.holds import trade_cost
from gridtokenx.modules.market.messages import Terms
from gridtokenx.modules.market.state import EMPTY_POSITION
from gridtokenx.modules.settlement.netting import residual_money, split_energy
from gridtokenx.simulation.agents import CourseForecaster
from gridtokenx.simulation.battery import BatteryInstruction
from gridtokenx.simulation.bills import bills_without_market, own_use
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.genesis import terms_of_scenario
from gridtokenx.simulation.planner.formulation import Stage, StagePlan, solve_plan
from gridtokenx.simulation.planner.linear import Numbers
from gridtokenx.simulation.planner.model import CommunityModel, own_forecasters
from gridtokenx.simulation.planner.planned import Planned, PlannedInterval, stored_value_micro
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.tariff_view import INTERVAL_MS, INTERVALS_PER_DAY, INTERVALS_PER_HOUR

Progress = Callable[[int, int], None]
"""Told after each hour: intervals done, intervals in all."""


class Decision(NamedTuple):
    """One interval, by site: the contract (sold minus bought) and, where there is a battery, its instruction."""

    contracts_wh: tuple[int, ...]
    instructions: dict[str, BatteryInstruction]


class Settled(NamedTuple):
    """What a site pays for an interval, and what it had of the residual supplier and gave to it."""

    bill_micro: int
    supplied_wh: int
    returned_wh: int


def equal_foresight(
    scenario: Scenario,
    end_interval: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Planned:
    """The sum of bills that the planner really gets, from the scenario's start to `end_interval` (else its end)."""
    end = end_interval or scenario.end_interval
    first = scenario.first_interval
    model, terms, community = CommunityModel(scenario), terms_of_scenario(scenario), Community(scenario)
    forecasters = own_forecasters(scenario)
    decisions: dict[int, Decision] = {}
    bill_micro = 0
    rows = []
    for hour in range(first - INTERVALS_PER_HOUR, end, INTERVALS_PER_HOUR):
        decisions |= decide_hour(model, forecasters, community, hour, end, decisions)
        for interval in range(max(hour, first), min(hour + INTERVALS_PER_HOUR, end)):
            decision = decisions.pop(interval)
            readings = community.meter(interval, decision.instructions)
            tariff_micro = scenario.tariff.price_micro(interval)
            settled = [
                settle(terms, tariff_micro, model.price_micro, contract_wh, reading.net_export_wh)
                for contract_wh, reading in zip(decision.contracts_wh, readings.values(), strict=True)
            ]
            bill_micro += sum(each.bill_micro for each in settled)
            stored = community.state()
            rows.append(
                PlannedInterval(
                    interval,
                    sum(max(0, contract_wh) for contract_wh in decision.contracts_wh),
                    sum(each.supplied_wh for each in settled),
                    sum(each.returned_wh for each in settled),
                    sum(stored.charge_wh(site.name) for site in scenario.sites),
                )
            )
        progress(min(hour + INTERVALS_PER_HOUR, end) - first, end - first)
    without = bills_without_market(scenario, end)
    held = community.state()
    value_micro = stored_value_micro(
        scenario, {name: held.charge_wh(name) - each.charge_wh for name, each in without.items()}
    )
    bill_without_micro = sum(each.bill_micro for each in without.values())
    return Planned(bill_micro, value_micro, bill_without_micro - bill_micro + value_micro, tuple(rows))


def decide_hour(
    model: CommunityModel,
    forecasters: Sequence[CourseForecaster],
    community: Community,
    hour: int,
    end_interval: int,
    made: Mapping[int, Decision],
) -> dict[int, Decision]:
    """Decide the intervals whose gates close in the hour that begins with interval `hour`, knowing the rows before
    it; `made` holds the decision for `hour` itself. Deliveries end with `end_interval`.
    """
    scenario = model.scenario
    start = max(hour, scenario.first_interval)
    decided_end = min(hour + INTERVALS_PER_HOUR + 1, end_interval)
    histories = [community.history(site.name, hour * INTERVAL_MS) for site in scenario.sites]
    count = min(INTERVALS_PER_DAY, end_interval - hour)
    courses = [forecaster.courses(history, count) for forecaster, history in zip(forecasters, histories, strict=True)]
    open_intervals = range(max(hour + 1, start), decided_end)
    if not all(courses):
        return {interval: _rest(model, interval) for interval in open_intervals}
    surplus_wh = _days_of(courses)[:, :, start - hour :]
    near = decided_end - start
    committed = [made[interval].contracts_wh for interval in (hour,) if interval in made]
    sites = len(scenario.sites)
    stages = [Stage(start, surplus_wh[:, :, :near], np.array(committed, float).reshape(-1, sites).T)]
    if surplus_wh.shape[2] > near:
        median_wh = np.median(surplus_wh[:, :, near:], axis=0)[None]
        stages.append(Stage(decided_end, median_wh, np.zeros((sites, 0))))
    charge_wh = model.by_battery(
        {site.name: history.charge_wh for site, history in zip(scenario.sites, histories, strict=True)}
    )
    plan_end = start + surplus_wh.shape[2]
    _, plans = solve_plan(model, stages, charge_wh, end_value_micro=_end_value_micro(model, plan_end))
    return {
        interval: _decision(model, plans[0], surplus_wh[:, :, interval - start], interval - start, interval)
        for interval in open_intervals
    }


def settle(terms: Terms, tariff_micro: int, price_micro: int, contract_wh: int, net_export_wh: int) -> Settled:
    """One site and interval by the market's rules, on one feeder, as if the contract were one trade at this price."""
    cost = trade_cost(terms, price_micro, abs(contract_wh), terms.wheeling_base_micro)
    if contract_wh >= 0:
        paid_micro = cost.trading_fee - cost.value
        position = msgspec.structs.replace(EMPTY_POSITION, sold_wh=contract_wh, sale_value_micro=cost.value)
    else:
        paid_micro = cost.buyer
        position = msgspec.structs.replace(EMPTY_POSITION, bought_wh=-contract_wh, purchase_value_micro=cost.value)
    energy = split_energy(contract_wh, max(0, -net_export_wh), max(0, net_export_wh))
    charge_micro, credit_micro = residual_money(terms, tariff_micro, position, energy)
    return Settled(
        paid_micro + charge_micro - credit_micro,
        energy.undelivered_wh + energy.other_import_wh,
        energy.unused_wh + energy.other_export_wh,
    )


def _days_of(courses: Sequence[Sequence[Sequence[int]]]) -> Numbers:
    """Courses of each site as [course, site, interval]; where one forecaster gives fewer, they count several times."""
    number = max(map(len, courses))
    days = [[own[course * len(own) // number] for own in courses] for course in range(number)]
    return np.array(days, float)


def _end_value_micro(model: CommunityModel, end_interval: int) -> Numbers:
    """By battery, per kWh that is stored when a plan ends."""
    tariff = model.scenario.tariff
    if tariff.is_on_peak(end_interval):
        return np.full(len(model.batteries), tariff.on_peak_micro - model.fee_micro)
    return tariff.off_peak_micro / model.efficiency


def _rest(model: CommunityModel, interval: int) -> Decision:
    """Without a forecast: no contract, and batteries for own use."""
    own = own_use(model.scenario.tariff, interval)
    sites = model.scenario.sites
    return Decision((0,) * len(sites), {site.name: own for site in sites if site.battery})


def _decision(model: CommunityModel, plan: StagePlan, surplus_wh: Numbers, offset: int, interval: int) -> Decision:
    """A plan's interval in whole Wh. `surplus_wh` is [course, site].

    A battery follows its own connection as things happen: it takes what exceeds the contract and, on-peak, gives what
    lacks. What it is to take beyond its site's surplus (night charging) is added to the import that it aims at.
    """
    contracts_wh = _whole_contracts(plan.sold_wh[:, offset], plan.bought_wh[:, offset])
    on_peak = model.scenario.tariff.is_on_peak(interval)
    instructions = {}
    for number in model.batteries:
        beyond_wh = plan.charged_wh[:, number, offset] - np.maximum(surplus_wh[:, number] - contracts_wh[number], 0)
        drawn_wh = int(np.maximum(beyond_wh, 0).mean())
        name = model.scenario.sites[number].name
        instructions[name] = BatteryInstruction(contracts_wh[number] - drawn_wh, on_peak)
    return Decision(contracts_wh, instructions)


def _whole_contracts(sold_wh: Numbers, bought_wh: Numbers) -> tuple[int, ...]:
    """Sold minus bought in whole Wh, summing to zero: the side that rounding made larger gives up the difference, its
    largest contracts first."""
    net = np.rint(sold_wh - bought_wh).astype(int).tolist()
    excess = sum(net)
    sign = 1 if excess > 0 else -1
    for number in sorted(range(len(net)), key=lambda each: (-sign * net[each], each)):
        cut = min(abs(excess), max(0, sign * net[number]))
        net[number] -= sign * cut
        excess -= sign * cut
    return tuple(net)
