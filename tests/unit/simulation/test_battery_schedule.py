"""The best use of a battery: as good as trying everything, and possible."""

from itertools import product
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gridtokenx.simulation.battery import Battery
from gridtokenx.simulation.battery_schedule import LEVELS, BatterySchedule
from gridtokenx.simulation.observation import MarketTerms
from gridtokenx.simulation.scenario import load_scenario

SCENARIO = load_scenario(Path(__file__).parents[3] / "scenarios" / "community-week")
MONDAY = SCENARIO.first_interval
TERMS = MarketTerms(SCENARIO.tariff)
DEVICE = Battery(2_400, 1_200, 900)
SCHEDULE = BatterySchedule(DEVICE, TERMS)


def money_micro(exports: list[int], start: int, left_wh: int) -> int:
    """By the hour, as the schedule counts it."""
    total = 0
    for offset in range(0, len(exports), 4):
        tariff = TERMS.tariff.price_micro(start + offset)
        export_wh = sum(exports[offset : offset + 4])
        price = SCHEDULE.sale_micro(tariff) if export_wh > 0 else tariff
        total += export_wh * price // 1000
    last = min(TERMS.tariff.off_peak_micro * 1000 // 900 - 1_000, SCHEDULE.sale_micro(TERMS.tariff.on_peak_micro))
    return total + left_wh * last // 1000


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(-400, 300), min_size=3, max_size=3), st.integers(0, 3), st.integers(0, LEVELS))
def test_nothing_that_one_could_try_is_better(hours: list[int], begin: int, level: int) -> None:
    """One course, three hours around 09:00, every path of levels."""
    start = MONDAY + 32 - 4 * begin + 4
    course = [quarter for hour in hours for quarter in [hour] * 4]
    step_wh = DEVICE.capacity_wh // LEVELS
    exports = SCHEDULE.exports([course], start, [level * step_wh])[0]
    drawn_wh = [sum(course[hour * 4 : hour * 4 + 4]) - sum(exports[hour * 4 : hour * 4 + 4]) for hour in range(3)]
    charge_wh = level * step_wh
    for taken_wh in drawn_wh:
        assert abs(taken_wh) <= DEVICE.power_w
        charge_wh += taken_wh * 900 // 1000 if taken_wh > 0 else taken_wh
        assert 0 <= charge_wh <= DEVICE.capacity_wh
    found = money_micro(exports, start, charge_wh)
    for path in product(range(LEVELS + 1), repeat=3):
        before, tried = level, []
        for hour, after in zip(hours, path, strict=True):
            move_wh = (after - before) * step_wh
            taken_wh = -(-move_wh * 1000 // 900) if move_wh > 0 else move_wh
            if abs(taken_wh) > DEVICE.power_w:
                break
            tried += [hour * 4 - taken_wh, 0, 0, 0]
            before = after
        else:
            assert money_micro(tried, start, before * step_wh) <= found + 10  # rounding of each step


def test_it_fills_late_at_night_and_keeps_the_evenings_need() -> None:
    course = [-50] * 36 + [0] * 40 + [-300] * 8 + [-50] * 12
    exports = SCHEDULE.exports([course] * 3, MONDAY, [0, 0, 0])[0]
    drawn_wh = [surplus - export for surplus, export in zip(course, exports, strict=True)]
    assert sum(drawn_wh[:20]) == 0 and sum(drawn_wh[20:36]) >= 2_400
    assert all(wh <= 0 for wh in drawn_wh[36:88])
    assert sum(exports[76:84]) == 0  # two hours of 300 Wh a quarter out of the store


def test_part_of_an_hour_is_planned_as_what_it_is() -> None:
    exports = SCHEDULE.exports([[0] * 7], MONDAY + 85, [1_200])[0]  # 21:15 to 23:00: on-peak ends at 22:00
    assert sum(exports[:3]) == 900 and sum(exports[3:]) == 0  # 1,200 W for three quarters, then it is kept
