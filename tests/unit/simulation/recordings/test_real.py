"""Recordings of real meters, against energies that are computed here straight from the files.

The recordings stand beside the checkout where they may be read; they are not part of it.
"""

import csv
import gzip
import os
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gridtokenx.simulation.recordings.convert import Draft, draft, understand
from gridtokenx.simulation.recordings.options import Options, RoleSetting, Setting
from gridtokenx.simulation.scenario import load_sky

SHARED = Path(os.environ.get("GRIDTOKENX_SHARED") or Path(__file__).parents[5] / "shared")
DATA = SHARED / "data"
SKY = load_sky(Path(__file__).parents[4] / "scenarios" / "community-week" / "sky.csv")
BERLIN = ZoneInfo("Europe/Berlin")

D3A = "households/d3a_28homes_2016-10-06_week_15min.csv.gz"
LEMLAB = "households/lemlab_load_2021_15min.csv.gz"
FONTANA = "households/fontana_homes_1-12_hourly.csv.gz"
ROOF = "solar-bangkok/cuee_pv8kw_15min_2023.csv.gz"
FLOORS = "buildings-bangkok/cubems_hourly_2018-07_2019-03.csv.gz"
SIMBENCH = "grid/simbench_profiles_2016_15min.csv.gz"

pytestmark = pytest.mark.skipif(not (DATA / "households").is_dir(), reason="the recordings are not on this machine")


def told(value: str) -> tuple[Setting, ...]:
    return (Setting("", value),)


BANGKOK = {"timezone": told("Asia/Bangkok"), "stamp": told("begin")}


def rows_of(name: str) -> list[dict[str, str]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def asked(name: str, options: Options | None = None) -> dict[str, str]:
    """What is not sure, with the proposals."""
    found = understand([DATA / name], options or Options())
    return {finding.what: finding.value for finding in found.unsure}


def made(name: str, options: Options) -> Draft:
    understood = understand([DATA / name], options)
    assert understood.unsure == []
    return draft(understood, options, "real", SKY)


def days_wh(rows: list[tuple[datetime, str, Decimal]]) -> dict[tuple[str, str], Decimal]:
    """Energy by series and date on the clock of the rows: (begin, series, Wh)."""
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for begin, series, energy_wh in rows:
        sums[series, begin.date().isoformat()] += energy_wh
    return sums


def check_days(result: Draft, expected: dict[tuple[str, str], Decimal], column: Callable[[str], str]) -> int:
    """Every whole day of every column within a Wh; returns how many were compared."""
    first = datetime.fromisoformat("1970-01-01") + timedelta(days=result.window.first_day)
    keys = {name: key for key, name in result.names.items()}
    compared = 0
    for name, values in result.columns.items():
        site, _, kind = name.partition(".")
        for number in range(len(values) // 96):
            day = (first + timedelta(days=number)).date().isoformat()
            energy_wh = sum(values[number * 96 : number * 96 + 96])
            assert abs(energy_wh - expected[column(f"{kind[:-3]} {keys[site]}"), day]) < 1, (name, day)
            compared += 1
    return compared


def test_a_community_in_watts_whose_zone_and_unit_the_file_does_not_say() -> None:
    assert asked(D3A) == {"time zone": "Asia/Bangkok", "stamp": "begin", "unit": "W"}
    result = made(D3A, Options(unit=told("W"), **BANGKOK))
    assert (len(result.names), result.document["days"], len(result.columns)) == (28, 7, 45)
    rows = [
        (datetime.fromisoformat(row["source_time"]), series, Decimal(value) / 4)
        for row in rows_of(D3A)
        for series, value in row.items()
        if series != "source_time"
    ]
    assert check_days(result, days_wh(rows), lambda name: name.replace(" ", "_")) == 45 * 7
    kinds = {trouble.kind for trouble in result.troubles}
    assert kinds == {"pv-noon", "pv-at-night"}  # its sun stands highest at half past three: another place's clock


def test_homes_in_utc_moved_to_bangkok_by_their_own_clock() -> None:
    homes = ("h2468", "h3594", "h5027")
    roles = tuple(RoleSetting("load", "", home) for home in homes)
    assert asked(LEMLAB, Options(roles=roles)) == {"stamp": "begin", "unit": "W"}
    options = Options(
        roles=roles,
        unit=told("W"),
        stamp=told("begin"),
        clock=told("Europe/Berlin"),
        gaps="zero",
        first_day=date(2021, 1, 2),  # a year in UTC begins and ends within a day in Germany
    )
    result = made(LEMLAB, options)
    rows, seen = [], set()
    for row in rows_of(LEMLAB):
        local = datetime.fromisoformat(row["utc"]).astimezone(BERLIN).replace(tzinfo=None)
        if local not in seen:
            rows += [(local, home, Decimal(row[home]) / 4) for home in homes]
        seen.add(local)
    assert check_days(result, days_wh(rows), lambda name: name.removeprefix("load ")) == 3 * 364
    assert result.document["history_days"] == 7
    repeated = [trouble for trouble in result.troubles if trouble.kind == "clock-repeated"]
    assert [(trouble.line, trouble.times) for trouble in repeated] == [(29_094, 4)]
    gaps = [trouble for trouble in result.troubles if trouble.kind == "gap"]
    assert [trouble.reason[:16] for trouble in gaps] == ["2021-01-01 00:00", "2021-03-28 02:00"] * 3


def result_days(result: Draft) -> int:
    return result.window.end_day - result.window.first_day


def test_homes_without_dates_whose_hours_count_to_24() -> None:
    options = Options(
        start=told("2022-08-01T00:00"),
        interval=told("60min"),
        timezone=told("Asia/Bangkok"),
        rated=told("4kW"),
        keep_names=True,
    )
    result = made(FONTANA, options)
    begin = datetime(2022, 8, 1)  # noqa: DTZ001 - the clock of the recording
    rows = []
    for number, row in enumerate(rows_of(FONTANA)):
        hour = begin + timedelta(hours=number)
        for home in range(1, 13):
            rows.append((hour, f"load b{home}", Decimal(row[f"load_kwh_b{home}"]) * 1000))
            rows.append((hour, f"pv b{home}", Decimal(row[f"pv_w_per_kw_b{home}"]) * 4))
    assert check_days(result, days_wh(rows), str) == 24 * 365
    for values in result.columns.values():  # hours become equal parts, but for what is below a Wh
        assert all(max(part) - min(part) <= 1 for part in zip(*[iter(values)] * 4, strict=True))
    wrong = Options(start=told("2022-08-01T05:00"), interval=told("60min"))
    with pytest.raises(ValueError, match="hours ahead; correct --start"):
        understand([DATA / FONTANA], wrong)


def test_a_roof_in_bangkok_with_its_real_gaps() -> None:
    assert asked(ROOF) == {"time zone": "Asia/Bangkok", "stamp": "begin", "site of PV": "pv_kw"}
    options = Options(roles=(RoleSetting("pv", "roof", "pv_kw"),), **BANGKOK)
    result = made(ROOF, options)
    source = rows_of(ROOF)
    rows = [
        (datetime.fromisoformat(row["local_time"]), "pv roof", max(Decimal(0), Decimal(row["pv_kw"])) * 250)
        for row in source
        if row["pv_kw"]
    ]
    expected = days_wh(rows)
    expected.update({("load roof", date): Decimal(0) for _, date in list(expected)})
    assert check_days(result, expected, str) == 2 * result_days(result)
    # the longest run of days without a gap, counted here
    known = {row["local_time"] for row in source if row["pv_kw"]}
    day, longest, run = datetime(2023, 1, 1), 0, 0  # noqa: DTZ001
    while day.year == 2023:
        whole = all((day + timedelta(minutes=15 * at)).isoformat(timespec="minutes") in known for at in range(96))
        run = run + 1 if whole else 0
        longest = max(longest, run)
        day += timedelta(days=1)
    assert result_days(result) == longest > 200
    empty = sum(trouble.times for trouble in result.troubles if trouble.kind == "empty")
    assert empty == sum(not row["pv_kw"] for row in source) > 7_000
    open_gaps = [trouble for trouble in result.troubles if trouble.kind == "gap"]
    assert open_gaps and all(trouble.done.startswith("left open") for trouble in open_gaps)


def test_floors_of_an_office_two_of_them_with_holes() -> None:
    found = understand([DATA / FLOORS], Options(**BANGKOK)).unsure
    assert [(finding.what, finding.place, finding.value.rpartition(":")[2]) for finding in found] == [
        ("role", "cham1_kw and 11 more", "*")
    ]
    options = Options(roles=(RoleSetting("load", "", "cham5_floor*"),), **BANGKOK)
    result = made(FLOORS, options)
    assert set(result.names) == {f"cham5-floor{number}" for number in (1, 2, 3, 6, 7)}
    left = {trouble.column for trouble in result.troubles if trouble.kind == "site-left-out"}
    assert left == {"cham5-floor4", "cham5-floor5"}
    source = rows_of(FLOORS)
    rows = [
        (datetime.fromisoformat(row["local_time"]), column, Decimal(row[column]) * 1000)
        for row in source
        for column in row
        if "floor" in column and row[column]
    ]
    assert check_days(result, days_wh(rows), lambda name: f"{name[5:].replace('-', '_')}_kw") == 5 * result_days(result)
    assert result_days(result) == len(source) // 24 == 274
    assert (len(result.notes) == 1 and "2018" in result.notes[0] and "2019" not in result.notes[0]) or result.notes
    every = made(FLOORS, Options(roles=options.roles, gaps="like-day", **BANGKOK))
    assert len(every.names) == 7 and result_days(every) == 274


def test_german_clocks_go_forward_and_back() -> None:
    """The recording has one jump and four stamps twice; the hour that stands twice proposes the zone."""
    roles = (RoleSetting("load", "home", "H0-A_pload"), RoleSetting("pv", "home", "PV1"))
    shares = Options(roles=roles, ignore=("PV[2-8]",), unit=told("share"), rated=told("3kW"), stamp=told("begin"))
    assert asked(SIMBENCH, shares) == {"time zone": "Europe/Berlin"}
    zone = told("Europe/Berlin")
    instant = Options(
        **{name: getattr(shares, name) for name in ("roles", "ignore", "unit", "rated", "stamp")},
        timezone=zone,
        clock=told("instant"),
    )
    result = made(SIMBENCH, instant)
    rows, seen = [], set()
    for row in rows_of(SIMBENCH):
        wall = datetime.fromisoformat(row["source_time"])
        moment = wall.replace(tzinfo=BERLIN, fold=int(wall in seen)).astimezone(UTC) + timedelta(hours=7)
        seen.add(wall)
        rows += [
            (moment, "load home", Decimal(row["H0-A_pload"]) * 750),
            (moment, "pv home", Decimal(row["PV1"]) * 750),
        ]
    assert check_days(result, days_wh(rows), str) == 2 * result_days(result)
    assert result_days(result) == 365  # 366 days in Germany, six hours of which are another day in Bangkok
    repeated = [trouble for trouble in result.troubles if trouble.kind == "clock-repeated"]
    assert [trouble.times for trouble in repeated] == [4] and not [t for t in result.troubles if t.kind == "gap"]
