"""`gridtokenx scenario`: from CSV files to a simulated day, and what it says where it cannot."""

import json
import os
import pty
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gridtokenx.cli.main import app

ROOT = Path(__file__).parents[3]
DRAWER = ROOT / "tests" / "fixtures" / "drawer"
runner = CliRunner()


def scenario(*arguments: object) -> tuple[int, str]:
    result = runner.invoke(app, ["scenario", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def test_from_meters_to_a_simulated_day(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    files = [DRAWER / "import-export-pv.csv", DRAWER / "long.csv"]
    code, words = scenario(
        "from-csv", *files, "-o", mine, "--timezone", "Asia/Bangkok", "--battery", "home-02=5kWh/2kW"
    )
    assert code == 0, words
    assert "import + PV - export" in words and "gridtokenx simulate" in words
    assert scenario("check", mine) == (0, f"{mine}: no faults")
    code, words = scenario("show", mine)
    assert code == 0 and "home-03" in words and "2023-03-20 load" in words
    result = runner.invoke(app, ["simulate", str(mine), "--check", "--json", str(tmp_path / "report.json")])
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert [home["name"] for home in report["homes"]] == ["home-01", "home-02", "home-03"]
    assert report["breaches"] == []


def test_what_is_not_said_stops_with_the_flags_that_say_it(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    for more in ([], ["--yes"]):
        code, words = scenario("from-csv", DRAWER / "no-header.csv", "-o", mine, *more)
        assert code == 1 and not mine.exists()
        wanted = "add: --timezone Asia/Bangkok --stamp begin --unit '#2=kW' --load '#2'"
        assert wanted in words and "nothing is guessed" in words
    code, words = scenario(
        "from-csv", DRAWER / "no-header.csv", "-o", mine, *wanted.removeprefix("add: ").replace("'", "").split()
    )
    assert code == 0, words


def test_a_dry_run_shows_and_writes_nothing(tmp_path: Path) -> None:
    code, words = scenario(
        "from-csv", DRAWER / "gap-short.csv", "-o", tmp_path / "mine", "--timezone", "+07:00", "--dry-run"
    )
    assert code == 0 and list(tmp_path.iterdir()) == []
    for wanted in (
        "line 2: 2023-03-20 00:00 50 Wh",
        "line 3: 2023-03-20 00:15 53.25 Wh",
        "gap: 3",
        "Nothing was written",
    ):
        assert wanted in words, words


@pytest.mark.parametrize(
    ("arguments", "code", "wanted"),
    [
        (["workbook.csv"], 2, "save the sheet as CSV"),
        (["absent.csv"], 2, "cannot be read"),
        (["plain.csv", "--gaps", "guess"], 2, "give one of short, reject"),
        (["plain.csv", "--timezone", "Bangkok"], 2, "is no time zone"),
        (["plain.csv", "--interval", "2h"], 2, "not between a second and an hour"),
        (["plain.csv", "--timezone", "UTC", "--interval", "5min"], 2, "100% of its steps are 15min"),
        (["plain.csv", "--day-first", "--month-first"], 2, "only one of"),
        (["plain.csv", "--holiday", "soon"], 2, "is no date"),
        (["plain.csv", "--like", "atlantis"], 2, "the shipped ones are"),
        (["plain.csv", "--unit", "horsepower"], 2, "give one of W, kW"),
        (["plain.csv", "--encoding", "klingon"], 2, "give its --encoding"),
        (["plain.csv", "--time", "when"], 2, "there is no column 'when'"),
        (["plain.csv", "--first-day", "2023-05-01", "--timezone", "Asia/Bangkok"], 2, "no site has that whole day"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_remedy(
    arguments: list[str], code: int, wanted: str, tmp_path: Path
) -> None:
    file, *more = arguments
    found = scenario("from-csv", DRAWER / file, "-o", tmp_path / "mine", *more)
    assert found[0] == code and wanted in found[1], found
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    arguments = ("from-csv", DRAWER / "offsets.csv", "-o", mine)
    assert scenario(*arguments)[0] == 0
    code, words = scenario(*arguments)
    assert code == 2 and "--force" in words
    assert scenario(*arguments, "--force")[0] == 0


ANSWERS = [
    (b"day and month (", b"whichever\n"),  # is asked again
    (b"day and month (", b"month first\n"),
    (b"time zone [", b"Bangkok\n"),  # is no zone: both are asked again
    (b"day and month (", b"Month First\n"),
    (b"time zone [Asia/Bangkok]", b"\n"),
    (b"Write ", b"y\n"),
]


def test_questions_on_a_terminal_are_answered_there(tmp_path: Path) -> None:
    """A real terminal: the order of the date is answered, the zone's proposal accepted, the writing confirmed."""
    mine = tmp_path / "mine"
    start = "from gridtokenx.cli.main import app; app()"
    words = ["scenario", "from-csv", str(DRAWER / "either-date.csv"), "-o", str(mine)]
    child, terminal = pty.fork()
    if child == 0:  # another process
        os.execv(sys.executable, [sys.executable, "-c", start, *words])
    shown, open_ = b"", list(ANSWERS)
    try:
        while chunk := os.read(terminal, 4096):
            shown += chunk
            asked = shown.rstrip().rpartition(b"\n")[2]
            if asked.endswith(b":"):
                question, answer = open_.pop(0)
                assert question in asked
                os.write(terminal, answer)
                shown = b""
    except OSError:  # the terminal of a process that has ended cannot be read
        pass
    finally:
        os.close(terminal)  # whoever still waits for an answer ends with it
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0 and open_ == [], shown
    assert "start = 2023-03-04" in (mine / "scenario.toml").read_text()


def test_shipped_scenarios_and_those_of_a_folder_are_listed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scenarios" / "two-neighbours", tmp_path / "mine")
    shutil.copytree(ROOT / "scenarios" / "two-neighbours", tmp_path / "broken")
    (tmp_path / "broken" / "scenario.toml").write_text("days = 1")
    code, words = scenario("list", tmp_path, "--json")
    found = json.loads(words[: words.rindex("}") + 1])
    assert code == 0
    names = [row["name"] for row in found["scenarios"]]
    assert names.count("two-neighbours") == 2 and len(found["broken"]) == 1
    assert found["scenarios"][names.index("community-week")]["batteries"] == 5
    code, words = scenario("list")
    assert code == 0 and "community-week" in words


def test_show_and_check_speak_to_programs_too(tmp_path: Path) -> None:
    code, words = scenario("show", "two-neighbours", "--json")
    facts = json.loads(words)
    assert code == 0 and facts["days"] == 1 and [site["site"] for site in facts["sites"]] == ["home-06", "home-10"]
    assert facts["daily"][0]["load_wh"] == sum(site["load_wh"] for site in facts["sites"])
    copy = shutil.copytree(ROOT / "scenarios" / "two-neighbours", tmp_path / "copy")
    text = (copy / "scenario.toml").read_text().replace("days = 1", "days = 0").replace("speed = 60", "speed = 0")
    (copy / "scenario.toml").write_text(text)
    code, words = scenario("check", copy, "--json")
    assert code == 1 and [fault["place"] for fault in json.loads(words)] == ["days", "clock.speed"]
    code, words = scenario("check", copy)
    assert code == 1 and "2 faults" in words and "give 1 to 366" in words
    assert scenario("check", tmp_path / "nothing")[0] == 2
