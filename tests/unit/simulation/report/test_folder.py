"""The folder of a report: whole or not at all, never over somebody's files, the same bytes for the same run."""

import csv
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.simulation.report.sample import SCENARIOS, TEMPLATE

from gridtokenx.simulation.report.folder import FILES, ReportError, check_folder, page, table, tables, write_report
from gridtokenx.simulation.report.study import Study, make_study
from gridtokenx.simulation.scenario import load_scenario
from gridtokenx.simulation.simulate import run_simulation

RUN = """
import sys
from pathlib import Path
from gridtokenx.simulation.report.folder import write_report
from gridtokenx.simulation.report.study import make_study
from gridtokenx.simulation.scenario import load_scenario
from gridtokenx.simulation.simulate import run_simulation
scenario = load_scenario(Path(sys.argv[1]))
write_report(Path(sys.argv[2]), make_study(scenario, run_simulation(scenario)), sys.argv[3])
"""


@pytest.fixture(scope="module")
def study() -> Study:
    scenario = load_scenario(SCENARIOS / "two-neighbours")
    return make_study(scenario, run_simulation(scenario))


def data_of(html: bytes) -> dict[str, Any]:
    inside = html.decode().split('id="report">')[1].split("</script>")[0]
    data: dict[str, Any] = json.loads(inside)
    return data


def test_everything_is_written_and_agrees(study: Study, tmp_path: Path) -> None:
    write_report(tmp_path / "report", study, TEMPLATE)
    assert {path.name for path in (tmp_path / "report").iterdir()} == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
    document = json.loads((tmp_path / "report" / "report.json").read_bytes())
    assert document["report"] == json.loads(msgspec.json.encode(study.report))
    shown = data_of((tmp_path / "report" / "index.html").read_bytes())
    assert shown["report"] == document["report"]
    assert shown["intervals"]["traded_wh"] == [row["traded_wh"] for row in document["intervals"]]
    assert shown["planner"]["equal"]["gain_micro"] == document["planner"]["equal"]["gain_micro"]
    assert "trades" not in shown and len(document["trades"]) == study.report.trades
    with (tmp_path / "report" / "homes.csv").open(newline="") as file:
        homes = list(csv.DictReader(file))
    for row, home in zip(homes, study.report.homes, strict=True):
        assert row["name"] == home.name
        assert Decimal(row["saved_with_vat_watt"]) * 1_000_000 == home.saved_with_vat_micro
        assert Decimal(row["sold_kwh"]) * 1_000 == home.sold_wh


def test_the_same_scenario_and_seed_give_the_same_bytes_whatever_the_hash_seed(study: Study, tmp_path: Path) -> None:
    write_report(tmp_path / "0", study, TEMPLATE)
    command = [sys.executable, "-c", RUN, str(SCENARIOS / "two-neighbours"), str(tmp_path / "1"), TEMPLATE]
    subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": "4242"}, check=True)
    for name in sorted(FILES):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "0" / name).read_bytes(), name


def test_an_earlier_report_is_replaced_and_nothing_else(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    write_report(folder, study, TEMPLATE)
    (folder / "trades.csv").unlink()
    (folder / "homes.csv").write_text("old")
    write_report(folder, study, TEMPLATE)
    assert {path.name for path in folder.iterdir()} == FILES
    assert (folder / "homes.csv").read_text() != "old"

    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ReportError, match=r"notes\.txt, which is not part of a report"):
        write_report(folder, study, TEMPLATE)
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("document", [None, "{}", '{"format": "something else"}', '{"format": 1}', "[", "not json"])
def test_a_folder_with_files_of_another_is_refused(tmp_path: Path, document: str | None) -> None:
    (tmp_path / "index.html").write_text("my home page")
    if document is not None:
        (tmp_path / "report.json").write_text(document)
    with pytest.raises(ReportError, match="is not an earlier report"):
        check_folder(tmp_path)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("file", "link"):
        with pytest.raises(ReportError, match="is not a folder"):
            check_folder(tmp_path / name)
    with pytest.raises(ReportError, match="There is no folder"):
        check_folder(tmp_path / "nowhere" / "report")
    check_folder(tmp_path / "real")
    check_folder(tmp_path / "new")


def test_without_the_page_there_are_still_document_and_tables(study: Study, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="its template is not built"):
        write_report(tmp_path / "report", study, None)
    assert {path.name for path in (tmp_path / "report").iterdir()} == FILES - {"index.html"}
    write_report(tmp_path / "report", study, TEMPLATE)


def test_when_writing_fails_the_earlier_report_stays(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write_report(folder, study, TEMPLATE)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ReportError, match="no place for data"):
        write_report(folder, study, "<p>a template of another time</p>")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_nothing_in_the_data_can_end_the_script_it_stands_in(study: Study) -> None:
    hostile = "</script><script>alert(1)</script><!--\u2028"
    scenario = msgspec.structs.replace(study.scenario, description=hostile)
    html = page(TEMPLATE, msgspec.structs.replace(study, scenario=scenario)).decode()
    assert html.count("<script") == 1 and html.count("</script") == 1 and "<!--" not in html
    assert "\u2028" not in html
    assert data_of(html.encode())["scenario"]["description"] == hostile


def test_tables_are_exact_and_no_text_is_a_formula() -> None:
    text = table(
        [
            {"name": "=1+1", "saved_micro": -1_500_000, "sold_wh": -7, "price_micro": 2_202_000, "samples": -3},
            {"name": "@cmd", "saved_micro": 5, "sold_wh": 1_234, "price_micro": 0, "samples": 0},
        ]
    )
    assert text.splitlines() == [
        "name,saved_watt,sold_kwh,price_watt_per_kwh,samples",
        "'=1+1,-1.500000,-0.007,2.202000,-3",
        "'@cmd,0.000005,1.234,0.000000,0",
    ]
    assert table([]) == ""


def test_tables_have_a_line_for_everything(study: Study) -> None:
    lines = {name: len(text.splitlines()) - 1 for name, text in tables(study).items()}
    assert lines == {
        "homes.csv": 2,
        "intervals.csv": 96,
        "trades.csv": study.report.trades,
        "forecast_errors.csv": len(study.forecast_errors),
        "planner.csv": 96,
    }
    first = tables(study)["intervals.csv"].splitlines()[1].split(",")
    assert first[0] == "2023-03-23T00:00"
