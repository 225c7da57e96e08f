"""The battery's rules: full when on-peak begins, own load first, the rest sold in equal parts."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.simulation.battery import Battery, BatteryInstruction
from gridtokenx.simulation.battery_plan import BatteryPlan
from gridtokenx.simulation.observation import MarketTerms
from gridtokenx.simulation.scenario import load_scenario
from gridtokenx.simulation.tariff_view import TimeOfUse

SCENARIO = load_scenario(Path(__file__).parents[3] / "scenarios" / "community-week")
MONDAY = SCENARIO.first_interval  # 00:00; on-peak from 09:00 (36) to 22:00 (88)
TERMS = MarketTerms(SCENARIO.tariff)
DEVICE = Battery(10_000, 5_000, 900)
PLAN = BatteryPlan(DEVICE, TERMS, 5_000, 14_490)
NIGHT = [-150] * 36


def test_the_battery_is_full_when_on_peak_begins_and_fills_as_late_as_it_can() -> None:
    filling = PLAN.filling(NIGHT, MONDAY, 1_000)
    assert filling == range(MONDAY + 28, MONDAY + 36)  # 9 kWh at 1,125 Wh stored a quarter
    charge_wh = 1_000
    for interval in range(MONDAY, MONDAY + 36):
        instruction = PLAN.instruction(interval, 0, filling)
        charge_wh, net_wh = DEVICE.step(charge_wh, -150, instruction)
        assert net_wh == (-1_400 if interval in filling else -150)
    assert charge_wh == 10_000


def test_morning_sun_is_counted_before_the_grid_is_asked() -> None:
    sunny = [-150] * 28 + [1_250] * 8
    assert len(PLAN.filling(sunny, MONDAY, 1_000)) == 0
    assert len(PLAN.filling(sunny[:-4] + [-150] * 4, MONDAY, 1_000)) == 4


def test_nobody_fills_on_peak_at_the_weekend_or_for_a_flat_tariff() -> None:
    assert len(PLAN.filling([-150] * 52, MONDAY + 36, 0)) == 0
    saturday = MONDAY + 5 * 96
    assert len(PLAN.filling([-150] * 96, saturday, 0)) == 0
    flat = TimeOfUse(4_000_000, 4_000_000, 2_200_000, 9, 22, frozenset())
    assert len(BatteryPlan(DEVICE, MarketTerms(flat), 5_000, 14_490).filling(NIGHT, MONDAY, 0)) == 0


def test_what_the_evening_does_not_need_is_sold_in_equal_parts() -> None:
    course = [0] * 48 + [-500] * 4  # 09:00 to 22:00, 2 kWh used in the last hour
    exports = PLAN.exports(course, MONDAY + 36, 8_000, {}, MONDAY + 36, range(0))
    assert sum(exports) == 6_000 and max(exports) - min(exports) <= 1


def test_what_is_committed_is_kept_before_anything_is_planned() -> None:
    course = [0] * 52
    exports = PLAN.exports(course, MONDAY + 36, 3_000, {MONDAY + 36: 1_000}, MONDAY + 38, range(0))
    assert exports[:2] == [1_000, 0] and sum(exports) == 3_000


@given(
    st.lists(st.integers(-3_000, 1_000), min_size=1, max_size=96),
    st.integers(0, 95),
    st.integers(0, 10_000),
    st.integers(0, 8),
)
def test_every_plan_can_be_carried_out(course: list[int], begin: int, charge_wh: int, committed: int) -> None:
    start = MONDAY + begin
    filling = PLAN.filling(course, start, charge_wh)
    assert all(not TERMS.tariff.is_on_peak(interval) for interval in filling)
    exports = PLAN.exports(course, start, charge_wh, {}, start + committed, filling)
    assert len(exports) == len(course)
    for interval, (surplus_wh, export_wh) in enumerate(zip(course, exports, strict=True), start=start):
        on_peak = TERMS.tariff.is_on_peak(interval)
        instruction = PLAN.instruction(interval, export_wh if on_peak else 0, filling)
        if interval not in filling:
            instruction = BatteryInstruction(export_wh, on_peak)
        charge_wh, met_wh = DEVICE.step(charge_wh, surplus_wh, instruction)
        assert 0 <= charge_wh <= DEVICE.capacity_wh and met_wh == export_wh
