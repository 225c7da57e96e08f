"""`gridtokenx league` and `gridtokenx forecasts`: a table, a JSON file, refusals with what to do."""

import json
from pathlib import Path

from typer.testing import CliRunner

from gridtokenx.cli.main import app

RUNNER = CliRunner()


def test_a_league_of_two_kinds_on_the_smallest_scenario(tmp_path: Path) -> None:
    file = tmp_path / "league.json"
    options = ["--agents", "patient,random", "--seeds", "1", "--weeks", "1", "--processes", "1", "--json", str(file)]
    done = RUNNER.invoke(app, ["league", "two-neighbours", *options])
    assert done.exit_code == 0, done.output
    assert "patient" in done.output and "random" in done.output and "planner" in done.output
    document = json.loads(file.read_text())
    assert {standing["kind"] for standing in document["standings"]} == {"patient", "random"}
    assert len(document["plays"]) == 4


def test_kinds_that_are_none_or_doubled_are_refused() -> None:
    for kinds in ("patient,clever", "patient,patient", ""):
        done = RUNNER.invoke(app, ["league", "two-neighbours", "--agents", kinds])
        assert done.exit_code == 2 and "random, patient, learned" in done.output


def test_what_cannot_be_measured_or_written_is_said() -> None:
    done = RUNNER.invoke(app, ["forecasts", "two-neighbours"])
    assert done.exit_code == 2 and "two days" in done.output
    done = RUNNER.invoke(app, ["forecasts", "nowhere"])
    assert done.exit_code == 2 and "nowhere" in done.output
    done = RUNNER.invoke(app, ["league", "two-neighbours", "--json", "/no/such/folder/league.json"])
    assert done.exit_code == 2 and "make it first" in done.output
