"""The learned forecast: the past alone, repeatable, better where there is something to learn, else like days."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

from gridtokenx.simulation.community import Community
from gridtokenx.simulation.forecast import Forecaster
from gridtokenx.simulation.forecast_learned import LearnedForecaster
from gridtokenx.simulation.observation import MeterHistory
from gridtokenx.simulation.scenario import load_scenario
from gridtokenx.simulation.tariff_view import INTERVAL_MS

SCENARIOS = Path(__file__).parents[3] / "scenarios"
SEASON = load_scenario(SCENARIOS / "community-season")
START = SEASON.first_interval - SEASON.history_intervals
RUN = """
import sys
from pathlib import Path
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.forecast_learned import LearnedForecaster
from gridtokenx.simulation.scenario import load_scenario
scenario = load_scenario(Path(sys.argv[1]))
forecaster = LearnedForecaster(scenario.tariff, 4000, scenario.sky)
history = Community(scenario).history("home-01", scenario.first_interval * 900_000)
print(forecaster.courses(history, 96), forecaster.is_learned)
"""


def learned(capacity_w: int = 0) -> LearnedForecaster:
    return LearnedForecaster(SEASON.tariff, capacity_w, SEASON.sky)


def history_of(load_wh: list[int], pv_wh: list[int] | None = None) -> MeterHistory:
    return MeterHistory(START, tuple(load_wh), tuple(pv_wh or [0] * len(load_wh)), 0, START)


def wave(days: int) -> list[int]:
    """Each day of the week has a level of its own; like days alone see their mean."""
    return [quarter for day in range(days) for quarter in [200 + day % 7 * 100] * 96]


def test_it_learns_what_like_days_cannot_see() -> None:
    history = history_of(wave(28))
    forecaster = learned()
    courses = forecaster.courses(history, 96)
    assert forecaster.is_learned
    tomorrow = courses[len(courses) // 2][40]
    like_days = Forecaster(SEASON.tariff, 0, SEASON.sky).courses(history, 96)
    median = sorted(course[40] for course in like_days)[len(like_days) // 2]
    truth = -200  # a Monday
    assert abs(tomorrow - truth) < 60 < abs(median - truth)


def test_courses_ascend_and_keep_to_what_the_roof_can_give() -> None:
    community = Community(SEASON)
    used = []
    for name in ("home-02", "home-03", "home-06", "home-08"):
        forecaster = learned(4_000)
        history = community.history(name, (SEASON.first_interval + 48) * INTERVAL_MS)
        courses = forecaster.courses(history, 50)
        used.append(forecaster.is_learned)
        for column in zip(*courses, strict=True):
            assert max(column) <= 1_000
            assert list(column) == sorted(column) or not forecaster.is_learned
        assert {len(course) for course in courses} == {50}
    assert any(used)


def test_noise_is_left_to_like_days() -> None:
    chance = Random(1)
    load_wh = [chance.randrange(100, 200) for _ in range(96 * 6)]
    forecaster = learned()
    history = history_of(load_wh)
    courses = forecaster.courses(history, 8)
    if not forecaster.is_learned:
        assert courses == Forecaster(SEASON.tariff, 0, SEASON.sky).courses(history, 8)
    few = learned()
    short = history_of(load_wh[: 96 * 2])
    assert few.courses(short, 8) == Forecaster(SEASON.tariff, 0, SEASON.sky).courses(short, 8)
    assert not few.is_learned


def test_growing_hour_by_hour_knows_no_more_than_growing_at_once() -> None:
    """What was asked before does not change what is known; only the trees are of the day's first question."""
    load_wh = wave(15)
    midnight = 96 * 14
    at_once, by_hour = learned(), learned()
    for end in range(midnight - 24, midnight + 1, 4):
        answer = by_hour.courses(history_of(load_wh[:end]), 24)
    assert answer == at_once.courses(history_of(load_wh[:midnight]), 24)


def test_a_history_may_begin_in_the_middle_of_a_day_or_not_at_all() -> None:
    assert learned().courses(MeterHistory(START, (), (), 0, START), 8) == []
    load_wh = wave(20)
    later = MeterHistory(START + 40, tuple(load_wh[40:]), (0,) * (len(load_wh) - 40), 0, START + 40)
    forecaster = learned()
    courses = forecaster.courses(later, 96)
    assert forecaster.is_learned and len(courses[0]) == 96


def test_the_same_whatever_the_hash_seed() -> None:
    answers = []
    for seed in ("1", "77"):
        command = [sys.executable, "-c", RUN, str(SCENARIOS / "community-season")]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        answers.append(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert answers[0] == answers[1] and answers[0].endswith(b"True\n")
