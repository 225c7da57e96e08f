"""The planner's linear program against every plan there is, on communities small enough to try them all."""

from itertools import product
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridtokenx.simulation.genesis import terms_of_scenario
from gridtokenx.simulation.planner.formulation import MARKET_RULES, Rules, Stage, solve_plan
from gridtokenx.simulation.planner.linear import PlannerError
from gridtokenx.simulation.planner.model import CommunityModel
from gridtokenx.simulation.planner.rolling import settle
from gridtokenx.simulation.scenario import BatteryTable, PatientSettings, Scenario, Site, SourceTable, load_scenario

SCENARIOS = Path(__file__).parents[4] / "scenarios"
SHIPPED = load_scenario(SCENARIOS / "two-neighbours")
NOON = SHIPPED.first_interval + 48
"""Thursday, on-peak, the sky table above nothing."""
EARLY_EVENING = SHIPPED.first_interval + 86
"""21:30: two quarters on-peak, then off-peak."""
MORNING = SHIPPED.first_interval + 34
"""08:30: two quarters off-peak, then on-peak."""

ON_PEAK, OFF_PEAK, BACK, SPREAD = 5.7982, 2.6369, 2.2, 0.25
FLOOR = 2.202
"""2.20 / (1 - 0.0005) = 2.20110..., on the tick."""
FEE = 0.2 + FLOOR * (0.01 + 2 * 0.0005)


def home(name: str, **changes: object) -> Site:
    site = Site(
        name=name,
        participant=name,
        import_capacity_w=10_000,
        money_watt=0,
        agent=PatientSettings(),
        sources=(SourceTable(kind="solar", export_capacity_w=100_000),),
    )
    return msgspec.structs.replace(site, **changes)


def with_battery(name: str, efficiency_permille: int = 1000, power_w: int = 2_000, capacity_wh: int = 1_000) -> Site:
    battery = BatteryTable(
        capacity_wh=capacity_wh, power_w=power_w, round_trip_permille=efficiency_permille, charge_at_start_wh=0
    )
    sources = (
        SourceTable(kind="solar", export_capacity_w=100_000),
        SourceTable(kind="storage", export_capacity_w=power_w),
    )
    return home(name, sources=sources, battery=battery)


def community(*sites: Site) -> CommunityModel:
    scenario: Scenario = msgspec.structs.replace(SHIPPED, sites=sites, sky=((1000,) * 96,) * 12)
    return CommunityModel(scenario)


def stage(first_interval: int, *surplus_wh: tuple[int, ...]) -> Stage:
    """One course; a row for each site."""
    return Stage(first_interval, np.array([surplus_wh], float), np.zeros((len(surplus_wh), 0)))


def least_bill_watt(
    model: CommunityModel, stages: list[Stage], charge_wh: float = 0, rules: Rules = MARKET_RULES
) -> float:
    charges = np.full(len(model.batteries), charge_wh, float)
    return solve_plan(model, stages, charges, rules=rules)[0]


def bill_of_exports(model: CommunityModel, first_interval: int, exports_wh: list[list[int]]) -> float:
    """The least that sites with these meters pay: what one exports its neighbours import, while that pays."""
    bill = 0.0
    for offset, nets_wh in enumerate(exports_wh):
        tariff = model.scenario.tariff.price_micro(first_interval + offset) / 1e6
        given, taken = sum(max(0, net) for net in nets_wh), sum(max(0, -net) for net in nets_wh)
        traded = min(given, taken) if tariff - BACK > FEE else 0
        bill += (taken - traded) * tariff - (given - traded) * BACK + traded * FEE
    return bill / 1_000


def brute_force_watt(
    model: CommunityModel, first_interval: int, surplus_wh: list[list[int]], step_wh: int, charge_wh: int
) -> float:
    """Tries every course of every battery in steps of `step_wh` at the store; `surplus_wh` is [interval][site]."""
    power_wh, capacity_wh = model.power_wh.astype(int).tolist(), model.capacity_wh.astype(int).tolist()
    moves = [range(-power // step_wh * step_wh, power + 1, step_wh) for power in power_wh]
    best = float("inf")
    for courses in product(*[product(each, repeat=len(surplus_wh)) for each in moves]):
        exports_wh = [list(row) for row in surplus_wh]
        fits = True
        for battery, course in enumerate(courses):
            charge = charge_wh
            efficiency = model.efficiency[battery]
            for offset, move in enumerate(course):
                charge += move
                taken = move / efficiency if move > 0 else move
                fits = fits and 0 <= charge <= capacity_wh[battery] and taken <= power_wh[battery]
                exports_wh[offset][model.batteries[battery]] -= taken
        if fits:
            best = min(best, bill_of_exports(model, first_interval, exports_wh))
    return best


energies = st.integers(-8, 8).map(lambda hundreds: 100 * hundreds)


@settings(max_examples=25, deadline=None)
@given(
    surplus=st.lists(st.tuples(energies, energies, energies), min_size=3, max_size=3), start=st.sampled_from([0, 200])
)
@pytest.mark.parametrize("first_interval", [EARLY_EVENING, MORNING])
def test_one_battery_and_two_neighbours_equal_the_best_of_all_plans(
    first_interval: int, surplus: list[tuple[int, int, int]], start: int
) -> None:
    model = community(with_battery("stores"), home("roof"), home("flat"))
    rows = [list(row) for row in surplus]
    tried = brute_force_watt(model, first_interval, rows, 100, start)
    planned = least_bill_watt(model, [stage(first_interval, *zip(*rows, strict=True))], start)
    assert planned == pytest.approx(tried, abs=1e-7)


@settings(max_examples=15, deadline=None)
@given(surplus=st.lists(st.tuples(energies, energies), min_size=3, max_size=3))
def test_two_lossy_batteries_are_within_a_step_of_the_best_plan_on_the_grid(surplus: list[tuple[int, int]]) -> None:
    model = community(with_battery("one", 800, 800, 300), with_battery("two", 900, 800, 300))
    rows = [list(row) for row in surplus]
    step_wh = 100
    tried = brute_force_watt(model, MORNING, rows, step_wh, 0)
    planned = least_bill_watt(model, [stage(MORNING, *zip(*rows, strict=True))])
    bound = 2 * len(rows) * step_wh / 1_000 * ON_PEAK / 0.8
    assert planned - 1e-7 <= tried <= planned + bound


def test_by_hand_a_roof_sells_to_its_neighbour() -> None:
    model = community(home("roof"), home("flat"))
    # 300 Wh traded, 100 Wh go back to the supplier; on-peak.
    assert least_bill_watt(model, [stage(NOON, (400,), (-300,))]) == pytest.approx(0.3 * FEE - 0.1 * BACK)
    alone = Rules(trade=False)
    assert least_bill_watt(model, [stage(NOON, (400,), (-300,))], rules=alone) == pytest.approx(
        0.3 * ON_PEAK - 0.4 * BACK
    )


def test_by_hand_a_battery_stores_the_night_for_the_neighbour() -> None:
    model = community(with_battery("stores", 800), home("flat"))
    # 08:45 off-peak, 09:00 on-peak: 500 Wh of power fill 400 Wh, which the neighbour needs.
    surplus = stage(MORNING + 1, (0, 0), (0, -1_000))
    assert least_bill_watt(model, [surplus]) == pytest.approx(0.5 * OFF_PEAK + 0.4 * FEE + 0.6 * ON_PEAK)
    barred = Rules(supplier_charging=False)
    assert least_bill_watt(model, [surplus], rules=barred) == pytest.approx(1.0 * ON_PEAK)


def test_position_limits_bind() -> None:
    sources = (SourceTable(kind="solar", export_capacity_w=800),)
    model = community(home("roof", sources=sources), home("flat", import_capacity_w=400))
    # The roof may sell 200 Wh, the flat buy 100 Wh.
    assert least_bill_watt(model, [stage(NOON, (200,), (-100,))]) == pytest.approx(0.1 * FEE - 0.1 * BACK)
    assert least_bill_watt(model, [stage(NOON, (300,), (-100,))]) == pytest.approx(0.1 * FEE - 0.2 * BACK)


def test_sites_of_one_participant_do_not_trade_with_each_other() -> None:
    apart = community(home("roof"), home("flat"))
    related = community(home("roof", participant="one"), home("flat", participant="one"))
    third = community(home("roof", participant="one"), home("flat", participant="one"), home("other"))
    assert least_bill_watt(apart, [stage(NOON, (300,), (-300,))]) == pytest.approx(0.3 * FEE)
    assert least_bill_watt(related, [stage(NOON, (300,), (-300,))]) == pytest.approx(0.3 * (ON_PEAK - BACK))
    # A stranger in between buys all, keeps 100 Wh and sells on the rest: two fees, but the market lets it.
    assert least_bill_watt(third, [stage(NOON, (300,), (-300,), (-100,))]) == pytest.approx(0.5 * FEE + 0.1 * ON_PEAK)


courses_of_two = st.lists(st.tuples(energies, energies), min_size=3, max_size=3)


@settings(max_examples=40, deadline=None)
@given(courses=courses_of_two)
@pytest.mark.parametrize("first_interval", [NOON, MORNING])
def test_one_contract_for_all_courses_is_the_best_of_all_contracts_as_the_ledger_settles_them(
    first_interval: int, courses: list[tuple[int, int]]
) -> None:
    model = community(home("left"), home("right"))
    terms = terms_of_scenario(model.scenario)
    tariff_micro = model.scenario.tariff.price_micro(first_interval)
    bills = [
        sum(
            settle(terms, tariff_micro, model.price_micro, contract_wh, net_wh).bill_micro
            for nets_wh in courses
            for contract_wh, net_wh in zip((sold_wh, -sold_wh), nets_wh, strict=True)
        )
        for sold_wh in range(-800, 801, 100)  # by the left one
    ]
    surplus_wh = np.array(courses, float)[:, :, None]
    planned = least_bill_watt(model, [Stage(first_interval, surplus_wh, np.zeros((2, 0)))])
    rounding = 0.000_01
    assert planned == pytest.approx(min(bills) / 1e6 / len(courses), abs=rounding)


def test_a_contract_that_is_made_stays_made() -> None:
    model = community(home("roof"), home("flat"))
    made = Stage(NOON, np.array([[[400.0], [-300.0]]]), np.array([[500.0], [-500.0]]))
    # 100 Wh undelivered at tariff + spread, 200 Wh unused at buy-back - spread.
    expected = 0.5 * FEE + 0.1 * (ON_PEAK + SPREAD) - 0.2 * (BACK - SPREAD)
    assert least_bill_watt(model, [made]) == pytest.approx(expected)


def test_the_next_stage_starts_from_the_mean_charge() -> None:
    model = community(with_battery("stores"))
    surplus = np.array([[[400.0]], [[0.0]]])
    stages = [Stage(MORNING + 1, surplus, np.zeros((1, 0))), stage(MORNING + 2, (-500,))]
    # Course one stores its 400 Wh, course two charges as much as it may: all that the second stage needs is 500 Wh.
    cost = least_bill_watt(model, stages)
    # Mean charge of 500: course one takes 400 of PV + 100 bought, course two 500 bought (power 500 a quarter).
    assert cost == pytest.approx((0.1 + 0.5) / 2 * OFF_PEAK)


@settings(max_examples=25, deadline=None)
@given(surplus=st.lists(st.tuples(energies, energies), min_size=4, max_size=4), factor=st.integers(1, 4))
def test_more_battery_and_more_rights_are_never_worse(surplus: list[tuple[int, int]], factor: int) -> None:
    plan = [stage(MORNING, *zip(*surplus, strict=True))]
    small = community(with_battery("stores", 900, 800, 400), home("flat"))
    least = least_bill_watt(small, plan)
    for larger in (
        community(with_battery("stores", 900, 800, 400 * factor), home("flat")),
        community(with_battery("stores", 900, 800 * factor, 400), home("flat")),
        community(with_battery("stores", 900 + 25 * factor, 800, 400), home("flat")),
    ):
        assert least_bill_watt(larger, plan) <= least + 1e-7
    assert least_bill_watt(small, plan, 100) <= least + 1e-7
    for fewer in (Rules(supplier_charging=False), Rules(trade=False)):
        assert least <= least_bill_watt(small, plan, rules=fewer) + 1e-7


def test_a_charge_that_cannot_be_reached_is_an_error() -> None:
    model = community(with_battery("stores", power_w=400))
    with pytest.raises(PlannerError, match="no plan satisfies every rule"):
        solve_plan(model, [stage(MORNING, (0, 0))], np.zeros(1), end_charge_wh=np.array([201.0]))
