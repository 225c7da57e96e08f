import json
from pathlib import Path

from typer.testing import CliRunner

from gridtokenx.cli.main import app
from gridtokenx.simulation.report.folder import FILES, load_template

SCENARIO = str(Path(__file__).parents[3] / "scenarios" / "two-neighbours")
runner = CliRunner()


def test_a_report_is_written_and_the_planner_told(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    result = runner.invoke(app, ["simulate", SCENARIO, "--report", str(folder)])
    words = " ".join(result.output.split())
    document = json.loads((folder / "report.json").read_bytes())
    planner = document["planner"]
    assert (
        f"{planner['share_of_equal_permille'] / 10:.1f} % of the {planner['equal']['gain_micro'] / 1e6:,.2f}" in words
    )
    present = {path.name for path in folder.iterdir()}
    if load_template() is None:
        assert (result.exit_code, present) == (2, FILES - {"index.html"})
        assert "its template is not built" in words and "`make web`" in words
    else:
        assert (result.exit_code, present) == (0, FILES)
        assert f"Report in {folder}" in words


def test_a_folder_of_another_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    result = runner.invoke(app, ["simulate", SCENARIO, "--report", str(tmp_path)])
    assert result.exit_code == 2
    assert "letters.txt, which is not part of a report" in " ".join(result.output.split())
    assert "bills in WATT" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]
