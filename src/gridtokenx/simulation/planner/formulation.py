"""The planner's linear program: the least that a community can pay, under the market's own rules.

A plan is made for *stages*, one after the other. Within a stage the surplus (PV minus load) of every site may take
one of several equally likely *courses*; contracts of a stage hold for all of its courses, batteries and the residual
supplier answer to each. With one stage of one course, the recorded rows, this is perfect foresight.

Sets: sites s, intervals t of the stage, courses k (K of them), batteries: the sites that have one.

Data (Wh unless said otherwise)
    u[k,s,t]          surplus: PV minus load
    sale[s,t]         what the site's sources can export: PV by the sky factor, plus storage (position limit)
    purchase[s]       what its connection can import (position limit)
    power, room, eff  of a battery: energy per interval each way, capacity, round-trip efficiency (taken at charging)
    tariff[t], back   the residual supplier's prices; spread: its charge for imbalance
    fee               wheeling, grid fee and both trading fees of a kWh traded

Variables, all at least 0
    q[s,t], b[s,t]    sold and bought: the contract N = q - b
    i[k,s,t]          what the residual supplier brings, e[k,s,t] what it takes: M = N + e - i
    c, d, x[k,s,t]    battery: taken in, given, charge at the end of the interval
    z, w[k,s,t]       undelivered sale, unused purchase

Objective: least  sum fee b  +  1/K sum (tariff i - back e + spread z + min(spread, back) w)  -  value of the charge
that is left at the end, where the caller gives one.

Constraints
    q - b <= sale, b - q <= purchase                                  position limits
    sum_s q = sum_s b                                                 every sale is a purchase
    sum_{s in g} (q + b) <= sum_s q    for a participant g of several sites: related parties do not trade
    u - c + d = q - b + e - i                                         the meter: M on both sides
    x = x before + eff c - d, x <= room, c <= power, d <= power       the battery
    c <= import capacity + u, d <= export capacity - u                what a connection can carry (where that is >= 0)
    z >= q - b - (u+ + d), w >= b - q - (u- + c)                      imbalance
    sum_s c <= sum_s u+                                               only where charging from the supplier is barred

Why it is a bound. Orders are divisible here (the market: whole Wh, at least 100 Wh an order), and everybody knows of
everybody. A trade's fees depend on its price, which cancels between neighbours otherwise; `fee` counts them at the
lowest price at which a seller does not lose against the buy-back, so no real trade has lower ones. Nothing forbids a
plan to buy and sell, import and export, or charge and discharge at once; each of these costs and gains nothing while
tariff >= back >= 0. `z` and `w` are what imbalance must at least be (a site that charges from PV it has sold would pay
a spread that the plan does not see), so the plan is never dearer than the market would make it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gridtokenx.simulation.planner.linear import Indices, LinearProgram, Numbers, Term
from gridtokenx.simulation.planner.model import CommunityModel

COST = 1e-6
"""Makes a price in millionths of a WATT per kWh the cost of one Wh, in thousandths of a WATT."""


class Stage(NamedTuple):
    """Consecutive intervals. `surplus_wh[k, s, t]`; `committed_wh[s, t]` are contracts (sold minus bought) that are
    already made for the first intervals."""

    first_interval: int
    surplus_wh: Numbers
    committed_wh: Numbers


class Rules(NamedTuple):
    """What a plan may do beside what sites do alone."""

    trade: bool = True
    supplier_charging: bool = True


MARKET_RULES = Rules()
"""All that the market allows."""


class StagePlan(NamedTuple):
    """Energy in Wh. Contracts [s, t] hold for every course; the rest is [k, s, t], of batteries 0 where is none."""

    sold_wh: Numbers
    bought_wh: Numbers
    import_wh: Numbers
    export_wh: Numbers
    charged_wh: Numbers
    discharged_wh: Numbers
    stored_wh: Numbers


class _Variables(NamedTuple):
    sold: Indices
    bought: Indices
    imported: Indices
    exported: Indices
    charged: Indices
    discharged: Indices
    stored: Indices


def solve_plan(
    model: CommunityModel,
    stages: Sequence[Stage],
    charge_wh: Numbers,
    end_charge_wh: Numbers | None = None,
    end_value_micro: Numbers | None = None,
    rules: Rules = MARKET_RULES,
) -> tuple[float, list[StagePlan]]:
    """The least sum of all bills in WATT (less what the final charge is worth) and the plan of each stage.

    `charge_wh`, `end_charge_wh` (the least at the end) and `end_value_micro` (per kWh left) are by battery. Where a
    stage has several courses, the next one starts from the mean of their charges. Raises `PlannerError` when no plan
    exists, which needs an end charge that cannot be reached.
    """
    program = LinearProgram()
    placed = []
    before: tuple[Indices, Numbers] = (np.zeros((len(model.batteries), 0), np.int64), charge_wh)
    for number, stage in enumerate(stages):
        last = number == len(stages) - 1
        ends = _EndOfStage(end_charge_wh if last else None, end_value_micro if last else None)
        variables = _add_stage(program, model, stage, before, ends, rules)
        placed.append(variables)
        before = variables.stored[:, :, -1].T, np.zeros(len(model.batteries))
    cost, values = program.solve()
    return cost / 1_000, [_plan_of(model, variables, values) for variables in placed]


class _EndOfStage(NamedTuple):
    charge_wh: Numbers | None
    value_micro: Numbers | None


def _add_stage(
    program: LinearProgram,
    model: CommunityModel,
    stage: Stage,
    before: tuple[Indices, Numbers],
    ends: _EndOfStage,
    rules: Rules,
) -> _Variables:
    sold, bought = _add_contracts(program, model, stage, rules)
    courses = stage.surplus_wh.shape[0]
    tariff = model.tariff_micro(stage.first_interval, stage.surplus_wh.shape[2])
    shape = stage.surplus_wh.shape
    imported = program.variables(shape, tariff * COST / courses)
    exported = program.variables(shape, -model.buy_back_micro * COST / courses)
    charged, discharged, stored = _add_batteries(program, model, stage, before, ends)
    undelivered = program.variables(shape, model.spread_micro * COST / courses)
    unused = program.variables(shape, min(model.spread_micro, model.buy_back_micro) * COST / courses)

    for sites, battery in ((model.without_battery, False), (model.batteries, True)):
        surplus = stage.surplus_wh[:, sites]
        q, b = (np.broadcast_to(each[sites], surplus.shape) for each in (sold, bought))
        own = [(1.0, q), (-1.0, b), (1.0, exported[:, sites]), (-1.0, imported[:, sites])]
        short = [(1.0, q), (-1.0, b), (-1.0, undelivered[:, sites])]
        over = [(1.0, b), (-1.0, q), (-1.0, unused[:, sites])]
        if battery:
            own += [(1.0, charged), (-1.0, discharged)]
            short.append((-1.0, discharged))
            over.append((-1.0, charged))
        program.equal(surplus, *own)
        program.at_most(np.maximum(surplus, 0), *short)
        program.at_most(np.maximum(-surplus, 0), *over)
    if not rules.supplier_charging and len(model.batteries):
        program.at_most(np.maximum(stage.surplus_wh, 0).sum(axis=1), (1.0, charged.transpose(0, 2, 1)))
    return _Variables(sold, bought, imported, exported, charged, discharged, stored)


def _add_contracts(
    program: LinearProgram, model: CommunityModel, stage: Stage, rules: Rules
) -> tuple[Indices, Indices]:
    """What is sold and bought, within position limits; past decisions are fixed."""
    _, sites, intervals = stage.surplus_wh.shape
    made = stage.committed_wh.shape[1]
    lowest_wh = np.zeros((2, sites, intervals))
    highest_wh = np.full_like(lowest_wh, np.inf if rules.trade else 0.0)
    lowest_wh[:, :, :made] = highest_wh[:, :, :made] = np.maximum([stage.committed_wh, -stage.committed_wh], 0)
    sold = program.variables((sites, intervals), 0.0, lowest_wh[0], highest_wh[0])
    bought = program.variables((sites, intervals), model.fee_micro * COST, lowest_wh[1], highest_wh[1])
    program.equal(np.zeros(intervals), (1.0, sold.T), (-1.0, bought.T))
    sale_wh = model.sale_limits_wh(stage.first_interval, intervals)[:, made:]
    purchase_wh = np.broadcast_to(model.import_wh[:, None], sale_wh.shape)
    program.at_most(sale_wh, (1.0, sold[:, made:]), (-1.0, bought[:, made:]))
    program.at_most(purchase_wh, (1.0, bought[:, made:]), (-1.0, sold[:, made:]))
    for group in model.related:
        program.at_most(
            np.zeros(intervals - made),
            (1.0, sold[group, made:].T),
            (1.0, bought[group, made:].T),
            (-1.0, sold[:, made:].T),
        )
    return sold, bought


def _add_batteries(
    program: LinearProgram, model: CommunityModel, stage: Stage, before: tuple[Indices, Numbers], ends: _EndOfStage
) -> tuple[Indices, Indices, Indices]:
    """Charge, discharge and store of every course, from the charge before: an average of variables, plus a number."""
    batteries = model.batteries
    courses, _, intervals = stage.surplus_wh.shape
    shape = (courses, len(batteries), intervals)
    surplus = stage.surplus_wh[:, batteries]
    power_wh = model.power_wh[:, None]
    import_wh = np.clip(model.import_wh[batteries, None] + surplus, 0, power_wh)
    export_wh = np.clip(model.export_wh[batteries, None] - surplus, 0, power_wh)
    lowest_wh, value = np.zeros(shape), np.zeros(shape)
    if ends.charge_wh is not None:
        lowest_wh[:, :, -1] = ends.charge_wh
    if ends.value_micro is not None:
        value[:, :, -1] = -ends.value_micro * COST / courses
    charged = program.variables(shape, 0.0, 0.0, import_wh)
    discharged = program.variables(shape, 0.0, 0.0, export_wh)
    stored = program.variables(shape, value, lowest_wh, model.capacity_wh[:, None])
    kept = np.broadcast_to(model.efficiency[:, None], shape)
    program.equal(
        np.zeros((courses, len(batteries), intervals - 1)),
        (1.0, stored[:, :, 1:]),
        (-1.0, stored[:, :, :-1]),
        (-kept[:, :, 1:], charged[:, :, 1:]),
        (1.0, discharged[:, :, 1:]),
    )
    sources, given_wh = before
    first: list[Term] = [(1.0, stored[:, :, 0]), (-kept[:, :, 0], charged[:, :, 0]), (1.0, discharged[:, :, 0])]
    if sources.shape[1]:
        first.append((-1.0 / sources.shape[1], np.broadcast_to(sources, (courses, *sources.shape))))
    program.equal(np.broadcast_to(given_wh, (courses, len(batteries))), *first)
    return charged, discharged, stored


def _plan_of(model: CommunityModel, variables: _Variables, values: Numbers) -> StagePlan:
    def spread(battery: Indices) -> Numbers:
        whole = np.zeros(variables.imported.shape)
        whole[:, model.batteries] = values[battery]
        return whole

    return StagePlan(
        values[variables.sold],
        values[variables.bought],
        values[variables.imported],
        values[variables.exported],
        spread(variables.charged),
        spread(variables.discharged),
        spread(variables.stored),
    )
