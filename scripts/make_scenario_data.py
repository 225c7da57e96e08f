"""Cut the scenarios' meter and sky tables out of the recorded data sets.

    python scripts/make_scenario_data.py --source DATA_FOLDER --output scenarios

DATA_FOLDER holds `households/`, `buildings-bangkok/` and `weather-thailand/` as the project's data README
describes them. The cut is reproducible: the same sources give the same bytes. Each scenario folder gets

- `meters.csv`: one row per quarter of an hour (Bangkok time of its start), load and PV of each site in
  whole Wh;
- `sky.csv`: per month and quarter of the day, the most that a PV plant can give, in thousandths of its
  capacity;
- `sources.csv`: for each meter column, where it came from and what it sums to in the source's own unit.

Placement on dates. The Fontana homes have no year, but month, hour and day of the week; that calendar
equals the one of 2023 for January to July, so a row keeps its month, day, weekday and hour. The office
floor was recorded in 2018 and 2019; a row moves by 209 whole weeks, so it keeps weekday and hour. Hours
become quarters by equal parts.
"""

import argparse
import csv
import gzip
import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from pathlib import Path

HOMES = "households/fontana_homes_1-12_hourly.csv.gz"
HOMES_NOMINAL = "households/fontana_pv_nominal_kw.json"
OFFICE = "buildings-bangkok/cubems_hourly_2018-07_2019-03.csv.gz"
SKY = "weather-thailand/cams_radiation_15min_2023_bangkok-chula.csv.gz"

HOMES_FIRST_DAY = date(2022, 8, 1)  # a year whose weekdays are those of the recording
OFFICE_SHIFT = timedelta(weeks=209)
SKY_ALLOWANCE = Decimal("1.2")  # the limit is the clear sky and a fifth more: cloud edges exceed a clear sky
FULL_SUN_W_M2 = Decimal(1000)  # irradiance at which a PV plant is rated


@dataclass(frozen=True)
class Column:
    """One column of `meters.csv`: whole Wh for each hour, and the sum in the source's own unit."""

    name: str
    hours_wh: list[int]
    source_file: str
    source_columns: str
    source_sum_kwh: Decimal


@dataclass(frozen=True)
class Cut:
    """What one scenario takes: which sites, from which day (history included), how many days."""

    folder: str
    first_day: date
    days: int
    homes: tuple[int, ...]
    office_floor: int | None


CUTS = (
    Cut("community-week", date(2023, 3, 13), 14, tuple(range(1, 13)), 6),
    Cut("community-season", date(2023, 1, 9), 77, tuple(range(1, 13)), 6),
    Cut("two-neighbours", date(2023, 3, 23), 1, (6, 10), None),
)


def read_table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def whole_wh(energy_kwh: Decimal) -> int:
    return int((energy_kwh * 1000).quantize(Decimal(1), ROUND_HALF_EVEN))


def quarters(hour_wh: int) -> list[int]:
    """Four equal parts of an hour's energy; what does not divide goes to the later quarters; the sum is
    exact.
    """
    return [hour_wh * (part + 1) // 4 - hour_wh * part // 4 for part in range(4)]


def home_columns(source: Path, cut: Cut) -> list[Column]:
    """Load and PV of the homes. Row number h of the source is the hour that starts h hours after 1 August
    00:00.
    """
    rows = read_table(source / HOMES)
    nominal_kw = json.loads((source / HOMES_NOMINAL).read_text(encoding="utf-8"), parse_float=Decimal)
    first = (cut.first_day - HOMES_FIRST_DAY).days * 24
    rows = rows[first : first + cut.days * 24]
    for number, row in enumerate(rows):
        day = cut.first_day + timedelta(days=number // 24)
        # the source files midnight's hour under the day before, as hour 24
        if number % 24 and (int(row["month"]), int(row["day_type"])) != (day.month, day.isoweekday()):
            raise SystemExit(f"{HOMES}: row {first + number} is not {day}: the calendars do not agree")
    columns = []
    for home in cut.homes:
        load = [Decimal(row[f"load_kwh_b{home}"]) for row in rows]
        size = Decimal(nominal_kw[f"b{home}"])
        pv = [Decimal(row[f"pv_w_per_kw_b{home}"]) * size / 1000 for row in rows]
        name = f"home-{home:02d}"
        for kind, values, column in (
            ("load", load, f"load_kwh_b{home}"),
            ("pv", pv, f"pv_w_per_kw_b{home} x {size} kW"),
        ):
            hours = [whole_wh(value) for value in values]
            columns.append(Column(f"{name}.{kind}_wh", hours, HOMES, column, sum(values, Decimal(0))))
    return columns


def office_column(source: Path, cut: Cut, floor: int) -> Column:
    """Load of one floor; the source gives the mean power of the hour that starts at the stamp."""
    column = f"cham5_floor{floor}_kw"
    power_kw = {row["local_time"]: row[column] for row in read_table(source / OFFICE)}
    start = datetime.combine(cut.first_day, datetime.min.time()) - OFFICE_SHIFT
    stamps = [(start + timedelta(hours=hour)).isoformat(timespec="minutes") for hour in range(cut.days * 24)]
    missing = [stamp for stamp in stamps if not power_kw.get(stamp)]
    if missing:
        raise SystemExit(f"{OFFICE}: {column} has no value at {missing[0]}")
    values = [Decimal(power_kw[stamp]) for stamp in stamps]
    hours = [whole_wh(value) for value in values]
    return Column("office-floor.load_wh", hours, OFFICE, column, sum(values, Decimal(0)))


def sky_table(source: Path, file: str = SKY) -> list[list[int]]:
    """The envelope of the year's clear sky by month and quarter of the day, per mille of full sun, and a
    fifth more.

    The source stamps a quarter with its end (its clear-sky noon fits the place's solar noon only so), and
    the plant's capacity is the cap, because an inverter gives no more than its rating.
    """
    highest = [[Decimal(0)] * 96 for _ in range(12)]
    for row in read_table(source / file):
        start = datetime.fromisoformat(row["local_time"]) - timedelta(minutes=15)
        quarter = start.hour * 4 + start.minute // 15
        month = highest[start.month - 1]
        month[quarter] = max(month[quarter], Decimal(row["clear_ghi_w_m2"]))

    def permille(clear_w_m2: Decimal) -> int:
        share = clear_w_m2 * SKY_ALLOWANCE * 1000 / FULL_SUN_W_M2
        return min(1000, int(share.to_integral_value(ROUND_CEILING)))

    return [[permille(value) for value in month] for month in highest]


def write_table(path: Path, header: list[str], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_cut(source: Path, output: Path, cut: Cut) -> None:
    folder = output / cut.folder
    folder.mkdir(parents=True, exist_ok=True)
    columns = home_columns(source, cut)
    if cut.office_floor is not None:
        columns.append(office_column(source, cut, cut.office_floor))

    by_quarter = [[wh for hour in column.hours_wh for wh in quarters(hour)] for column in columns]
    start = datetime.combine(cut.first_day, datetime.min.time())
    stamps = [(start + timedelta(minutes=15 * number)).isoformat(timespec="minutes") for number in range(cut.days * 96)]
    write_table(
        folder / "meters.csv",
        ["interval_start", *(column.name for column in columns)],
        [[stamp, *values] for stamp, *values in zip(stamps, *by_quarter, strict=True)],
    )

    quarter_names = [f"{quarter // 4:02d}:{quarter % 4 * 15:02d}" for quarter in range(96)]
    sky_rows: list[list[object]] = [[month + 1, *values] for month, values in enumerate(sky_table(source))]
    write_table(folder / "sky.csv", ["month", *quarter_names], sky_rows)

    digests = {name: hashlib.sha256((source / name).read_bytes()).hexdigest() for name in (HOMES, OFFICE)}
    write_table(
        folder / "sources.csv",
        ["column", "source_file", "source_column", "source_sum_kwh", "source_sha256"],
        [[c.name, c.source_file, c.source_columns, f"{c.source_sum_kwh:.4f}", digests[c.source_file]] for c in columns],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="cut the scenarios' tables out of the recorded data sets")
    parser.add_argument("--source", type=Path, required=True, help="folder of the recorded data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder of the scenarios")
    arguments = parser.parse_args()
    for cut in CUTS:
        write_cut(arguments.source, arguments.output, cut)


if __name__ == "__main__":
    main()
