"""The table of forecast errors: what repeats is foreseen, and figures are shares of the mean hour."""

import csv
from pathlib import Path

import msgspec
import pytest

from gridtokenx.simulation.forecast_errors import LEADS_HOURS, forecast_errors
from gridtokenx.simulation.scenario import Scenario, load_scenario

SCENARIOS = Path(__file__).parents[3] / "scenarios"


def two_sites(tmp_path: Path, repeating: bool) -> Scenario:
    """Home 2 and the office for two days after a week; repeating: every day is alike."""
    week = load_scenario(SCENARIOS / "community-week")
    with week.meters_path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    kept = [
        rows[0].index(name) for name in ("interval_start", "home-02.load_wh", "home-02.pv_wh", "office-floor.load_wh")
    ]
    table = [[row[at] for at in kept] for row in rows[: 1 + 9 * 96]]
    if repeating:
        table = [
            table[0],
            *([row[0], "100", "40" if "08" <= row[0][11:13] < "16" else "0", "900"] for row in table[1:]),
        ]
    with (tmp_path / "meters.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(table)
    sites = (week.sites[1], week.sites[12])
    end = week.first_interval + 192
    return msgspec.structs.replace(week, sites=sites, end_interval=end, meters_path=tmp_path / "meters.csv")


def test_what_repeats_is_foreseen_by_all(tmp_path: Path) -> None:
    found = forecast_errors(two_sites(tmp_path, repeating=True), processes=1)
    assert found.hours == 24
    assert [(each.target, each.lead_hours) for each in found.errors] == [
        (target, lead) for target in ("load", "pv", "surplus") for lead in LEADS_HOURS
    ]
    for each in found.errors:
        assert each.yesterday_percent == each.like_days_percent == 0
        assert each.learned_percent < 1


def test_real_rows_are_foreseen_in_part(tmp_path: Path) -> None:
    scenario = two_sites(tmp_path, repeating=False)
    found = forecast_errors(scenario, processes=1)
    for each in found.errors:
        assert 0 < each.like_days_percent < 150
    near, far = found.errors[0], found.errors[5]
    assert near.like_days_percent < far.like_days_percent


def test_a_single_day_has_no_day_after_it() -> None:
    with pytest.raises(ValueError, match="two days"):
        forecast_errors(load_scenario(SCENARIOS / "two-neighbours"), processes=1)
