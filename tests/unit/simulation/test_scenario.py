"""Scenario files: what is shipped loads and may be shipped; what does not fit is named with its remedy."""

import csv
import re
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gridtokenx.simulation.community import Community
from gridtokenx.simulation.scenario import PatientSettings, Scenario, ScenarioError, load_scenario

SCENARIOS = Path(__file__).parents[3] / "scenarios"
SHIPPED = ("community-week", "two-neighbours")


def read_columns(path: Path) -> dict[str, list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return {name: [row[position] for row in rows[1:]] for position, name in enumerate(rows[0])}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SCENARIOS / "two-neighbours", tmp_path / "copy"))


def test_the_week_is_the_one_described() -> None:
    scenario = load_scenario(SCENARIOS / "community-week")
    assert len(scenario.sites) == 13
    assert sum(site.battery is not None for site in scenario.sites) == 5
    assert scenario.end_interval - scenario.first_interval == 7 * 96
    start = datetime.fromtimestamp(scenario.first_interval * 900, UTC)
    assert start.isoformat() == "2023-03-19T17:00:00+00:00"  # Monday 20 March, 00:00 in Bangkok
    assert scenario.clock_start_ms == scenario.first_interval * 900_000 - 7_200_000
    assert (scenario.zone, scenario.feeder, scenario.speed) == ("Bangkok", "bangkok-1", 60)
    assert scenario.tariff.price_micro(scenario.first_interval + 40) == 5_798_200
    assert scenario.sites[0].export_capacity_w("solar") == 4_000
    assert scenario.sites[12].export_capacity_w("solar") == 0
    assert isinstance(scenario.sites[12].agent, PatientSettings)


def test_a_scenario_has_no_way_to_the_rows_but_their_file_name() -> None:
    scenario = load_scenario(SCENARIOS / "two-neighbours")
    kinds = {type(getattr(scenario, name)).__name__ for name in Scenario.__struct_fields__}
    assert kinds <= {"str", "int", "TimeOfUse", "tuple", "NoneType", "PosixPath", "WindowsPath"}
    assert "load" not in repr(scenario)


@pytest.mark.parametrize("name", SHIPPED)
def test_energy_equals_the_sums_of_the_recordings(name: str) -> None:
    columns = read_columns(SCENARIOS / name / "meters.csv")
    sources = read_columns(SCENARIOS / name / "sources.csv")
    assert ["interval_start", *sources["column"]] == list(columns)
    for column, source_sum in zip(sources["column"], sources["source_sum_kwh"], strict=True):
        energy_wh = sum(map(int, columns[column]))
        hours = len(columns[column]) // 4
        assert abs(energy_wh - Decimal(source_sum) * 1000) <= Decimal("0.5") * hours + 1, column


@pytest.mark.parametrize("name", SHIPPED)
def test_quarters_are_equal_parts_of_their_hour(name: str) -> None:
    for column, cells in read_columns(SCENARIOS / name / "meters.csv").items():
        if column == "interval_start":
            continue
        values = list(map(int, cells))
        assert all(max(values[i : i + 4]) - min(values[i : i + 4]) <= 1 for i in range(0, len(values), 4))


def test_the_two_neighbours_are_the_same_homes_on_the_same_day() -> None:
    week = read_columns(SCENARIOS / "community-week" / "meters.csv")
    day = read_columns(SCENARIOS / "two-neighbours" / "meters.csv")
    begin = week["interval_start"].index(day["interval_start"][0])
    for column, cells in day.items():
        assert week[column][begin : begin + 96] == cells


@pytest.mark.parametrize("name", [*SHIPPED, "seven-zones"])
def test_what_is_shipped_is_small_licensed_and_says_where_it_comes_from(name: str) -> None:
    folder = SCENARIOS / name
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1_000_000
    notice = (folder / "NOTICE").read_text(encoding="utf-8")
    for words in (
        "MIT License",
        "Vazquez-Canteli",
        "Copernicus",
        "CC BY 4.0",
        "not Thai homes",
        "equal parts",
    ):
        assert words in notice
    assert ("CU-BEMS" in notice) == any("office" in name for name in read_columns(folder / "meters.csv"))


def test_the_sky_covers_the_day_and_nearly_all_that_the_roofs_gave() -> None:
    scenario = load_scenario(SCENARIOS / "community-week")
    assert len(scenario.sky) == 12 and all(len(month) == 96 for month in scenario.sky)
    assert all(month[0] == month[16] == month[84] == 0 and month[49] == 1000 for month in scenario.sky)
    community = Community(scenario)
    beyond_wh = total_wh = 0
    for site in scenario.sites:
        history = community.history(site.name, scenario.end_interval * 900_000)
        for offset, pv_wh in enumerate(history.pv_wh):
            limit_wh = site.export_capacity_w("solar") * scenario.sky[2][offset % 96] // 4000
            beyond_wh += max(0, pv_wh - limit_wh)
            total_wh += pv_wh
    # The sun's noon of the recording is half an hour later than Bangkok's, hours are cut into equal parts:
    # a little of the last hour of light lies beyond the table.
    assert total_wh > 3_000_000 and beyond_wh * 40 < total_wh


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("days = 1", "", ["`days`", "add that key"]),
        ("days = 1", "days = 0", ["days: 0", "give 1 to 366"]),
        ("days = 1", 'days = "one"', ["days: Expected `int`, got `str`"]),
        ("days = 1", "days = 1\ndayz = 1", ["`dayz`", "spelling"]),
        ("days = 1", "days = 2", ["meters.csv", "96 rows", "the 192 of"]),
        ("days = 1", "days = = 1", ["not TOML", "line 9"]),
        ("speed = 60", "speed = 0", ["clock.speed"]),
        ("lead_in_minutes = 120", "lead_in_minutes = 7", ["clock.lead_in_minutes"]),
        ("on_peak_micro = 5_798_200", "on_peak_micro = 5.7982", ["tariff.on_peak_micro", "whole numbers"]),
        ("on_peak_micro = 5_798_200", "on_peak_micro = 1_000", ["tariff.on_peak_micro", "2636900"]),
        ("off_peak_micro = 2_636_900", "off_peak_micro = 1", ["tariff.off_peak_micro"]),
        ('name = "home-06"', 'name = "Home 06"', ["site[0].name", "small letters"]),
        ('name = "home-06"', 'name = "home-10"', ["site[1].name", "taken"]),
        ('participant = "resident-06"', 'participant = ""', ["site[0].participant"]),
        ('kind = "patient"', 'kind = "clever"', ["site[0].agent.kind", "clever"]),
        ('kind = "patient"', 'kind = "patient", caution_permille = 1001', ["site[0].agent.caution_permille"]),
        ('kind = "patient"', 'kind = "random", horizon_intervals = 0', ["site[0].agent.horizon_intervals"]),
        ('kind = "solar"', 'kind = "wind"', ["site[0].sources[0].kind", "wind"]),
        ('kind = "solar"', 'kind = "storage"', ["site[0].sources", "stands twice"]),
        ("export_capacity_w = 2_500", "export_capacity_w = 0", ["site[0].sources: storage has 0 W"]),
        ("export_capacity_w = 4_000", "export_capacity_w = 3_000", ["home-06.pv_wh", "3000 W"]),
        ("import_capacity_w = 14_490", "import_capacity_w = 100", ["home-06.load_wh", "100 W"]),
        ("money_watt = 1_500", "money_watt = -1", ["site[0].money_watt"]),
        ("charge_at_start_wh = 1_000", "charge_at_start_wh = 5_001", ["site[0].battery"]),
        ("round_trip_permille = 900", "round_trip_permille = 1001", ["site[0].battery"]),
        ("battery = {", "# battery = {", ["site[0]: a battery needs both"]),
        ('meters = "meters.csv"', 'meters = "../meters.csv"', ["meters", "plain file name"]),
        ('meters = "meters.csv"', 'meters = "absent.csv"', ["absent.csv", "cannot be read"]),
        ('sky = "sky.csv"', 'sky = "meters.csv"', ["meters.csv", "96 rows", "each month"]),
    ],
)
def test_what_does_not_fit_is_named_with_its_remedy(copy: Path, old: str, new: str, words: list[str]) -> None:
    file = copy / "scenario.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        Community(load_scenario(copy))
    message = str(caught.value)
    assert str(copy) in message and ";" in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("meters.csv", "home-10.load_wh", "home-11.load_wh", ["home-10.load_wh"]),
        ("meters.csv", "T00:15,", "T00:16,", ["interval_start", "T00:16"]),
        ("meters.csv", "T00:15,", "T00:30,", ["interval_start", "each once"]),
        ("meters.csv", "T00:00,", "T00:00,x", ["home-06.load_wh", "invalid literal"]),
        ("meters.csv", "T00:00,", "T00:00,-", ["home-06.load_wh", "below 0"]),
        ("meters.csv", "T23:45,", "T23:45\n", ["rows", "the 96"]),
        ("sky.csv", "\n1,0", "\n1,1001", ["line 2", "0 to 1000"]),
        ("sky.csv", "\n1,0", "\n1,-1", ["line 2", "0 to 1000"]),
        ("sky.csv", "\n2,0", "\n3,0", ["line 3", "month 2"]),
        ("sky.csv", "\n2,0,", "\n2,", ["line 3", "96 values"]),
    ],
)
def test_a_faulty_table_is_named(copy: Path, file: str, old: str, new: str, words: list[str]) -> None:
    text = (copy / file).read_text(encoding="utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        Community(load_scenario(copy))
    for word in [file, *words]:
        assert word in str(caught.value)


def test_an_absent_scenario_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=re.escape(str(tmp_path / "no-such")) + ".*name a folder"):
        load_scenario(tmp_path / "no-such")
