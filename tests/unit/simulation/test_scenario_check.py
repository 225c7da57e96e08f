"""`scenario check`: every fault at once, each with file, place, reason and remedy."""

import shutil
from pathlib import Path

import pytest

from gridtokenx.simulation.scenario import ScenarioError
from gridtokenx.simulation.scenario_check import scenario_faults

SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SCENARIOS / "two-neighbours", tmp_path / "copy"))


def change(file: Path, *pairs: tuple[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", ["community-week", "two-neighbours"])
def test_what_is_shipped_has_no_fault(name: str) -> None:
    assert scenario_faults(SCENARIOS / name) == []
    assert scenario_faults(SCENARIOS / name / "scenario.toml") == []


def test_all_faults_of_types_are_listed_and_those_of_sound_sites_too(copy: Path) -> None:
    change(
        copy / "scenario.toml",
        ("days = 1", 'days = "one"\nweeks = 3'),
        ('zone = "Bangkok"\n', ""),
        ("speed = 60", "speed = 1.5"),
        ("lead_in_minutes = 120", "lead_minutes = 120"),
        ("2023-03-06", '"March"'),
        ("money_watt = 1_500", "money_watt = true"),
        ('name = "home-10"', 'name = "Home 10"'),
        ('kind = "solar", export_capacity_w = 5_000', 'kind = "wind", export_capacity_w = 5_000'),
    )
    change(copy / "sky.csv", ("\n3,0", "\n3,2000"))
    faults = scenario_faults(copy)
    assert {fault.place for fault in faults} == {
        "top level",
        "days",
        "clock",
        "clock.speed",
        "tariff.holidays[1]",
        "site[0].money_watt",
        "site[1].sources[0].kind",
        "line 4",
    }
    assert sum(fault.place == "top level" for fault in faults) == 2  # a key too many, one too few
    assert sum(fault.place == "clock" for fault in faults) == 2
    assert all(fault.reason and fault.remedy and fault.file.exists() for fault in faults)


def test_all_faults_of_values_are_listed(copy: Path) -> None:
    change(
        copy / "scenario.toml",
        ("speed = 60", "speed = 0"),
        ("on_peak_micro = 5_798_200", "on_peak_micro = 5"),
        ('name = "home-10"', 'name = "home-06"'),
        ("money_watt = 1_500", "money_watt = -1"),
        ('meters = "meters.csv"', 'meters = "../meters.csv"'),
    )
    places = [fault.place for fault in scenario_faults(copy)]
    assert places == ["clock.speed", "tariff.on_peak_micro", "meters", "site[0].money_watt", "site[1].name"]


def test_all_faulty_columns_are_listed_with_their_first_line(copy: Path) -> None:
    change(
        copy / "meters.csv",
        ("2023-03-23T00:15,46,0,", "2023-03-23T00:15,x,0,"),
        ("2023-03-23T00:30,46,0,", "2023-03-23T00:30,-1,99999,"),
        ("2023-03-23T01:00,", "2023-03-23T01:07,"),
    )
    texts = [str(fault) for fault in scenario_faults(copy)]
    assert len(texts) == 3
    assert "line 6: column 'interval_start': '2023-03-23T01:07'" in texts[0]
    assert "line 3: column 'home-06.load_wh'" in texts[1] and "and 1 more" in texts[1]
    assert "line 4: column 'home-06.pv_wh': 99999 is below 0 or above the 1000 Wh" in texts[2]


def test_odd_columns_and_missing_files_are_named(copy: Path) -> None:
    change(copy / "meters.csv", ("home-10.load_wh", "home-11.load_wh"))
    reasons = [fault.reason for fault in scenario_faults(copy)]
    assert [reason.split("'")[1] for reason in reasons] == ["home-10.load_wh", "home-11.load_wh"]
    (copy / "meters.csv").unlink()
    assert "cannot be read" in scenario_faults(copy)[0].reason
    (copy / "sky.csv").unlink()
    assert [fault.file.name for fault in scenario_faults(copy)] == ["sky.csv"]
    (copy / "scenario.toml").unlink()
    with pytest.raises(ScenarioError, match="name a folder"):
        scenario_faults(copy)
