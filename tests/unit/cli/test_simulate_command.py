import json
from pathlib import Path

from typer.testing import CliRunner

from gridtokenx.cli.main import app
from gridtokenx.engine.folder import DataFolder

SCENARIOS = Path(__file__).parents[3] / "scenarios"
runner = CliRunner()


def test_a_day_of_two_neighbours_is_reported_to_people_and_programs(tmp_path: Path) -> None:
    report, chain = tmp_path / "report.json", tmp_path / "chain"
    options = ["--days", "1", "--json", str(report), "--data", str(chain), "--check"]
    result = runner.invoke(app, ["simulate", str(SCENARIOS / "two-neighbours"), *options])
    assert result.exit_code == 0, result.output
    figures = json.loads(report.read_text())
    assert [home["name"] for home in figures["homes"]] == ["home-06", "home-10"]
    assert figures["breaches"] == [] and sum(figures["balance_changes_micro"].values()) == 0
    assert figures["times_real_time"] > 0
    words = " ".join(result.output.split())
    for wanted in ("home-06", "home-10", figures["app_hash"], "times real time", "all changes sum to 0"):
        assert wanted in words, wanted
    losers = ", ".join(figures["losers"])
    assert (f"Worse off with the market: {losers}." if losers else "Nobody is worse off") in words
    DataFolder(chain).require()


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "chain").mkdir()
    result = runner.invoke(app, ["simulate", "two-neighbours", "--data", str(tmp_path / "chain")])
    assert result.exit_code == 2
    assert "exists already" in result.output
    assert list((tmp_path / "chain").iterdir()) == []


def test_an_unknown_scenario_is_answered_with_the_known_ones() -> None:
    result = runner.invoke(app, ["simulate", "atlantis"])
    assert result.exit_code == 2
    assert "community-week, seven-zones, two-neighbours" in " ".join(result.output.split())


def test_version_and_help() -> None:
    assert runner.invoke(app, ["--version"]).output.startswith("gridtokenx ")
    commands = runner.invoke(app, ["--help"]).output
    assert all(name in commands for name in ("up", "down", "reset", "top", "simulate", "doctor"))
