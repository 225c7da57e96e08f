"""The league deals fairly, counts right, and gives the same table always."""

from collections import Counter
from pathlib import Path

import pytest

from gridtokenx.simulation.community import Community
from gridtokenx.simulation.league import KINDS, League, Mean, deal, play_league
from gridtokenx.simulation.scenario import Scenario, load_scenario
from gridtokenx.simulation.tariff_view import INTERVAL_MS
from gridtokenx.simulation.weeks import HISTORY_DAYS_MAX, WEEK, cut_weeks

SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.fixture(scope="module")
def tiny() -> Scenario:
    return load_scenario(SCENARIOS / "two-neighbours")


@pytest.fixture(scope="module")
def league(tiny: Scenario) -> League:
    return play_league(tiny.name, [tiny], ("random", "patient"), seeds=2, processes=1)


def test_in_each_round_every_home_is_played_by_every_kind_once() -> None:
    scenario = load_scenario(SCENARIOS / "community-week")
    for kinds in (tuple(KINDS), ("patient", "learned")):
        first, second = (deal(0, scenario, kinds, seed) for seed in (1, 2))
        assert first == deal(0, scenario, kinds, 1) != second
        assert len(first) == len(kinds)
        for site in range(len(scenario.sites)):
            assert sorted(game.kinds[site] for game in first) == sorted(kinds)
        for game in first:
            assert max(Counter(game.kinds).values()) - min(Counter(game.kinds).values()) <= 1


def test_the_table_adds_up(league: League, tiny: Scenario) -> None:
    assert (league.weeks, league.seeds, league.games) == (1, 2, 4)
    assert len(league.plays) == 8 and len(league.alone) == 4
    assert sum(standing.won_permille for standing in league.standings) == 1000
    values = [standing.saved_satang_per_kwh.value for standing in league.standings]
    assert values == sorted(values, reverse=True)
    community = Community(tiny)
    for play in league.plays:
        rows = community.history(play.site, tiny.end_interval * INTERVAL_MS)
        assert play.energy_wh == sum(rows.load_wh) + sum(rows.pv_wh)
    first, last = league.standings
    assert first.behind_satang_per_kwh == Mean(0.0, 0.0)
    assert last.behind_satang_per_kwh.value == pytest.approx(values[0] - values[1])
    (patient,) = (standing for standing in league.standings if standing.kind == "patient")
    plays = [play for play in league.plays if play.kind == "patient"]
    rounds = [[play for play in plays if play.seed == seed] for seed in (1, 2)]
    means = [sum(play.saved_micro for play in each) / len(each) / 1e6 for each in rounds]
    assert patient.saved_watt_per_home.value == pytest.approx(sum(means) / 2)
    found_micro = sum(play.saved_micro for play in league.alone if play.kind == "patient")
    assert patient.alone_permille == found_micro * 1000 // sum(league.planner_gains_micro)


def test_the_same_league_whatever_the_number_of_processes(league: League, tiny: Scenario) -> None:
    heard: list[tuple[int, int]] = []
    again = play_league(
        tiny.name, [tiny], ("random", "patient"), 2, processes=2, progress=lambda *done: heard.append(done)
    )
    assert again == league
    assert heard == [(number, 7) for number in range(1, 8)]


def test_a_kind_that_is_none_is_refused(tiny: Scenario) -> None:
    with pytest.raises(KeyError, match="clever"):
        play_league(tiny.name, [tiny], ("clever",), 1)


def test_an_interval_of_confidence_is_students() -> None:
    assert Mean.of([3.0]) == Mean(3.0, None)
    mean = Mean.of([1.0, 2.0, 3.0])
    assert mean.value == 2 and mean.half_width == pytest.approx(2.484, abs=0.001)  # 4.303 / sqrt(3)


def test_weeks_are_cut_with_what_came_before_as_history(tmp_path: Path) -> None:
    season = load_scenario(SCENARIOS / "community-season")
    whole = Community(season)
    weeks = cut_weeks(season, 3, tmp_path)
    assert [week.first_interval - season.first_interval for week in weeks] == [0, 3 * WEEK, 6 * WEEK]
    assert [week.history_intervals // 96 for week in weeks] == [28, 49, HISTORY_DAYS_MAX]
    for week in weeks:
        assert week.end_interval - week.first_interval == WEEK
        assert week.clock_start_ms - week.first_interval * INTERVAL_MS == -7_200_000
        for name in ("home-07", "office-floor"):
            rows = Community(week).history(name, week.end_interval * INTERVAL_MS)
            known = whole.history(name, week.end_interval * INTERVAL_MS)
            assert rows.load_wh == known.load_wh[-len(rows.load_wh) :]
            assert rows.pv_wh == known.pv_wh[-len(rows.pv_wh) :]
    assert len(cut_weeks(season, 99, tmp_path)) == 7


def test_what_is_shorter_than_a_week_stays_whole(tiny: Scenario, tmp_path: Path) -> None:
    assert cut_weeks(tiny, 4, tmp_path) == [tiny]
