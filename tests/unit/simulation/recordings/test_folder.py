"""What is written: whole or nothing, without names, and the same market as the scenario that it was cut from."""

import csv
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from gridtokenx.cli.main import app
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.recordings.convert import Draft, Understanding, draft, understand
from gridtokenx.simulation.recordings.findings import RecordingError
from gridtokenx.simulation.recordings.folder import FILES, private_map, toml_text, write_scenario
from gridtokenx.simulation.recordings.options import Options, RoleSetting, Setting
from gridtokenx.simulation.scenario import load_scenario, load_sky, read_toml
from gridtokenx.simulation.scenario_check import scenario_faults
from gridtokenx.simulation.simulate import run_simulation

ROOT = Path(__file__).parents[4]
WEEK = ROOT / "scenarios" / "community-week"
SKY = load_sky(WEEK / "sky.csv")
DRAWER = ROOT / "tests" / "fixtures" / "drawer"


def drafted(files: list[Path], options: Options, like: Path | None = None) -> tuple[Draft, Understanding]:
    understood = understand(files, options)
    assert understood.unsure == []
    model = read_toml(like / "scenario.toml") if like else None
    return draft(understood, options, like.name if like else "mine", SKY, model), understood


def told(value: str) -> tuple[Setting, ...]:
    return (Setting("", value),)


def home() -> tuple[Draft, Understanding]:
    return drafted([DRAWER / "import-export-pv.csv"], Options(timezone=told("Asia/Bangkok")))


def tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_what_was_cut_from_the_week_is_the_week(tmp_path: Path) -> None:
    options = Options(timezone=told("Asia/Bangkok"), keep_names=True)
    made, understood = drafted([WEEK / "meters.csv"], options, WEEK)
    write_scenario(tmp_path / "mine", made, understood, SKY, force=False)
    for name in ("meters.csv", "sky.csv"):
        assert (tmp_path / "mine" / name).read_bytes() == (WEEK / name).read_bytes()
    mine, week = load_scenario(tmp_path / "mine"), load_scenario(WEEK)
    differ = {name for name in week.__struct_fields__ if getattr(mine, name) != getattr(week, name)}
    assert differ == {"description", "meters_path"}


@pytest.mark.slow
def test_what_was_cut_from_two_neighbours_has_their_report(tmp_path: Path) -> None:
    source = ROOT / "scenarios" / "two-neighbours"
    options = Options(timezone=told("Asia/Bangkok"), keep_names=True)
    made, understood = drafted([source / "meters.csv"], options, source)
    write_scenario(tmp_path / "mine", made, understood, SKY, force=False)
    folders = (tmp_path / "mine", source)
    reports = [msgspec.json.encode(run_simulation(load_scenario(folder)).report) for folder in folders]
    assert reports[0] == reports[1]


def test_a_folder_is_complete_and_without_faults(tmp_path: Path) -> None:
    made, understood = home()
    write_scenario(tmp_path / "mine", made, understood, SKY, force=False)
    assert {path.name for path in (tmp_path / "mine").iterdir()} == set(FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert scenario_faults(tmp_path / "mine") == []
    Community(load_scenario(tmp_path / "mine"))
    assert tomllib.loads((tmp_path / "mine" / "scenario.toml").read_text()) == made.document
    report = json.loads((tmp_path / "mine" / "quality.json").read_text())
    assert report["sites"] == [{"site": "home-01", "load_wh": 11_400, "pv_wh": 25_621}]


def test_nothing_is_overwritten_unless_told_and_then_only_a_scenario(tmp_path: Path) -> None:
    made, understood = home()
    target = tmp_path / "mine"
    write_scenario(target, made, understood, SKY, force=False)
    before = tree(tmp_path)
    with pytest.raises(RecordingError, match=r"exists already.*--force"):
        write_scenario(target, made, understood, SKY, force=False)
    assert tree(tmp_path) == before
    (target / "meters.csv").write_text("old")
    write_scenario(target, made, understood, SKY, force=True)
    assert tree(tmp_path) == before
    (target / "diary.txt").write_text("mine")
    with pytest.raises(RecordingError, match=r"'diary.txt'.*not replaced"):
        write_scenario(target, made, understood, SKY, force=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    (tmp_path / "file").write_text("")
    for name in ("other", "link", "file"):
        with pytest.raises(RecordingError, match="not replaced"):
            write_scenario(tmp_path / name, made, understood, SKY, force=True)
    with pytest.raises(RecordingError, match="make it first"):
        write_scenario(tmp_path / "no" / "mine", made, understood, SKY, force=True)


def test_what_does_not_load_is_not_left_behind(tmp_path: Path) -> None:
    made, understood = home()
    write_scenario(tmp_path / "mine", made, understood, SKY, force=False)
    before = tree(tmp_path)
    broken = made._replace(document={**made.document, "days": 0})
    for name in ("mine", "new"):
        with pytest.raises(ValueError, match="give 1 to 366"):
            write_scenario(tmp_path / name, broken, understood, SKY, force=True)
    assert tree(tmp_path) == before


class Interrupted(tuple[tuple[int, ...], ...]):
    """A sky at which somebody presses Ctrl-C."""

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        raise KeyboardInterrupt


def test_an_interruption_leaves_nothing_half(tmp_path: Path) -> None:
    made, understood = home()
    with pytest.raises(KeyboardInterrupt):
        write_scenario(tmp_path / "mine", made, understood, Interrupted(SKY), force=False)
    assert list(tmp_path.iterdir()) == []


def test_names_of_people_stay_in_the_private_map(tmp_path: Path) -> None:
    source = tmp_path / "somchai-street-7.csv"
    rows = (
        (DRAWER / "not-a-number.csv").read_text().replace("load_kw", "load Somchai kW").replace("Err 7", "Somchai out")
    )
    source.write_text(rows)
    made, understood = drafted([source], Options(timezone=told("Asia/Bangkok")))
    write_scenario(tmp_path / "mine", made, understood, SKY, force=False)
    written = b"".join(tree(tmp_path / "mine").values()).lower()
    assert b"somchai" not in written and b"street" not in written and b"home-01" in written
    (row,) = csv.DictReader(private_map(made).splitlines())
    assert row == {
        "site": "home-01",
        "role": "load",
        "key": "somchai",
        "file": "somchai-street-7.csv",
        "column": "load Somchai kW",
    }
    reasons = list(csv.DictReader((tmp_path / "mine" / "quality.csv").read_text().splitlines()))
    assert [(row["kind"], row["file"], row["line"]) for row in reasons] == [
        ("not-a-number", "file-1", "35"),
        ("gap", "file-1", "34"),
    ]


def test_devices_are_told_or_derived(tmp_path: Path) -> None:
    options = Options(
        timezone=told("Asia/Bangkok"),
        battery=(Setting("home-02", "10kWh/5kW/95.5%/2kWh"),),
        import_capacity=(Setting("home-01", "9.5kW"),),
        money=(Setting("home-01", "77"),),
        agent=(Setting("home-02", "random"),),
        zone="North",
    )
    made, understood = drafted([DRAWER / "long.csv"], options)
    write_scenario(tmp_path / "mine", made, understood, SKY, force=False)
    scenario = load_scenario(tmp_path / "mine")
    first, second = scenario.sites
    assert (first.import_capacity_w, first.money_watt, scenario.zone, scenario.feeder) == (
        9_500,
        77,
        "North",
        "north-1",
    )
    assert second.battery is not None
    assert msgspec.structs.astuple(second.battery) == (10_000, 5_000, 955, 2_000, False)
    assert second.import_capacity_w == 10_350  # 2.4 kW and the battery's 5 kW
    assert second.export_capacity_w("storage") == 5_000
    assert type(second.agent).__name__ == "RandomSettings"
    assert second.money_watt == 1_500
    assert made.notes == [] and len(scenario.tariff.holidays) == 18


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"battery": told("10kWh")}, "no battery"),
        ({"battery": told("10kWh/5kWh")}, "no power"),
        ({"battery": told("10kWh/5kW/120%")}, "no share"),
        ({"battery": told("1kWh/5kW/90%/2kWh")}, "charge that fits"),
        ({"battery": (Setting("home-09", "10kWh/5kW"),)}, "no site 'home-09'; the sites are home-01, home-02"),
        ({"pv_capacity": (Setting("home-09", "5kW"),)}, "--pv-capacity"),
        ({"import_capacity": told("lots")}, "no power"),
        ({"money": told("1.5")}, "whole number"),
        ({"zone": "Atlantis"}, "no zone; give one of Bangkok"),
        ({"sites": told("700003")}, "the sites are 700001, 700002"),
        ({"sites": (Setting("700001", "Home 1"),)}, "small letters"),
        ({"sites": (Setting("700001", "a"), Setting("700002", "a"))}, "two sites would be called 'a'"),
        ({"history_days": 1}, "no more than the 1 of --history-days"),
        ({"roles": (RoleSetting("export", "", "*"),)}, "no load or import"),
        ({"import_capacity": told("1W")}, "no site has one whole day"),
    ],
)
def test_flags_that_do_not_fit_are_named(fields: dict[str, object], words: str) -> None:
    options = Options(timezone=told("Asia/Bangkok"), **fields)  # type: ignore[arg-type]
    with pytest.raises(RecordingError) as caught:
        drafted([DRAWER / "long.csv"], options)
    assert words in str(caught.value)


def test_only_the_sites_that_are_named_are_taken_under_their_names() -> None:
    options = Options(timezone=told("Asia/Bangkok"), sites=(Setting("700002", "bakery"),))
    made, _ = drafted([DRAWER / "long.csv"], options)
    assert list(made.columns) == ["bakery.load_wh"] and sum(made.columns["bakery.load_wh"]) == 22_800


def test_files_of_one_meter_follow_one_another() -> None:
    """Two months in two files, a day of which both have."""
    files = [DRAWER / "gap-long.csv", DRAWER / "plain.csv"]
    options = Options(timezone=told("Asia/Bangkok"), roles=(RoleSetting("load", "home", "load_kw"),))
    made, _ = drafted(files, options)
    assert made.document["days"] == 3  # the second file has what the first one lacks
    kinds = {trouble.kind for trouble in made.troubles}
    assert kinds == {"duplicate-same"}


def test_toml_survives_any_text() -> None:
    made, _ = home()
    for text in ('a "quoted" name', "back\\slash", "ไทย", "new\nline", "\x7f\x1f"):
        document = {**made.document, "description": text}
        assert tomllib.loads(toml_text(document)) == document


def test_a_private_file_is_private(tmp_path: Path) -> None:
    arguments = ["scenario", "from-csv", str(DRAWER / "offsets.csv"), "-o", str(tmp_path / "mine"), "--yes"]
    result = CliRunner().invoke(app, [*arguments, "--map", str(tmp_path / "map.csv")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "map.csv").stat().st_mode & 0o777 == 0o600
