"""Forecast courses: from the past alone, within the plant's limits, better than knowing nothing of today."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.simulation.community import Community
from gridtokenx.simulation.forecast import COURSES_MAX, Forecaster
from gridtokenx.simulation.observation import MeterHistory
from gridtokenx.simulation.scenario import load_scenario
from gridtokenx.simulation.tariff_view import INTERVAL_MS, quarter_of_day

SCENARIO = load_scenario(Path(__file__).parents[3] / "scenarios" / "community-week")
COMMUNITY = Community(SCENARIO)
HOUR_MS = 4 * INTERVAL_MS
START = SCENARIO.first_interval - SCENARIO.history_intervals


def forecaster(capacity_w: int) -> Forecaster:
    return Forecaster(SCENARIO.tariff, capacity_w, SCENARIO.sky)


def history_of(load_wh: list[int], pv_wh: list[int]) -> MeterHistory:
    return MeterHistory(START, tuple(load_wh), tuple(pv_wh), 0, START)


@given(
    st.integers(0, 40).flatmap(
        lambda hours: st.tuples(
            st.lists(st.integers(0, 5_000), min_size=hours, max_size=hours),
            st.lists(st.integers(0, 1_000), min_size=hours, max_size=hours),
        )
    ),
    st.integers(1, 96),
)
def test_any_past_gives_courses_within_bounds(rows: tuple[list[int], list[int]], count: int) -> None:
    load_wh = [wh for hour in rows[0] for wh in [hour] * 4]
    pv_wh = [wh for hour in rows[1] for wh in [hour] * 4]
    courses = forecaster(4_000).courses(history_of(load_wh, pv_wh), count)
    assert len(courses) <= 2 * COURSES_MAX and bool(courses) == bool(load_wh)
    for course in courses:
        assert len(course) == count and max(course) <= 1_000


def test_a_repeating_past_is_continued_exactly() -> None:
    day_load = [200 + quarter // 4 * 10 for quarter in range(96)]
    day_pv = [0] * 32 + [400] * 36 + [0] * 28
    history = history_of(day_load * 5, day_pv * 5)
    later = [pv - load for pv, load in zip(day_pv, day_load, strict=True)]
    weekend = forecaster(4_000).courses(history, 96)  # Saturday after five working days: no like day yet
    assert all(course != later for course in weekend)
    monday = forecaster(4_000).courses(history_of(day_load * 7, day_pv * 7), 96)
    assert monday == [later] * 5


def test_todays_difference_carries_on_and_fades() -> None:
    usual = [300] * 96 * 7
    higher = usual + [700] * 4
    (course, *_) = forecaster(0).courses(history_of(higher, [0] * len(higher)), 40)
    assert -700 < course[0] < -500
    assert course[0] < course[8] < course[20] < course[39] < -299


def test_on_the_first_day_the_sky_shapes_the_sun() -> None:
    load_wh, pv_wh = [100] * 40, [0] * 28 + [300] * 12  # until 10:00
    courses = forecaster(4_000).courses(history_of(load_wh, pv_wh), 56)
    for course in courses:
        assert max(course[:16]) > 0 > course[40]
    assert quarter_of_day(START + 40 + 40) == 80
    assert len({course[8] for course in courses}) > 1


def test_forecasts_beat_yesterday_and_spread_around_what_happened() -> None:
    error_wh = yesterday_error_wh = inside = total = 0
    for site in SCENARIO.sites:
        maker = forecaster(site.export_capacity_w("solar"))
        truth = COMMUNITY.history(site.name, SCENARIO.end_interval * INTERVAL_MS)
        net_wh = [pv - load for pv, load in zip(truth.pv_wh, truth.load_wh, strict=True)]
        for hour in range(0, 160, 5):
            time_ms = SCENARIO.first_interval * INTERVAL_MS + hour * HOUR_MS
            history = COMMUNITY.history(site.name, time_ms)
            columns = [sorted(column) for column in zip(*maker.courses(history, 8), strict=True)]
            for offset in (4, 7):
                index = len(history.load_wh) + offset
                column = columns[offset]
                error_wh += abs(column[len(column) // 2] - net_wh[index])
                yesterday_error_wh += abs(net_wh[index - 96] - net_wh[index])
                inside += column[0] <= net_wh[index] <= column[-1]
                total += 1
    assert error_wh * 10 < yesterday_error_wh * 7
    assert inside * 100 > total * 60
