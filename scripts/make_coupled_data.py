"""Cut the meter and sky tables of the scenario with seven zones out of the recorded data sets.

    python scripts/make_coupled_data.py --source DATA_FOLDER --output scenarios

As `make_scenario_data.py` does it for one feeder, and with its placement on dates: load of homes (Fontana) and of
floors of one office building (Bangkok), some of them as a stated part. What panels give is made of the radiation that
satellites saw over a place of the zone on that day (CAMS, 15 minutes): global horizontal irradiance x rated power x
PERFORMANCE. So each zone has its own weather, of the same days.
"""

import argparse
import hashlib
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import NamedTuple

from make_scenario_data import (
    FULL_SUN_W_M2,
    HOMES,
    OFFICE,
    Column,
    Cut,
    home_columns,
    office_column,
    quarters,
    read_table,
    sky_table,
    write_table,
)

FOLDER = "seven-zones"
CUT = Cut(FOLDER, date(2023, 3, 15), 10, tuple(range(1, 13)), None)
PERFORMANCE = Decimal("0.8")
"""Of rated power at full sun: heat, dust, wires and inverter take the rest. An assumption."""

PLACES = {
    "bangkok": "bangkok-chula",
    "central": "pathum-thani",
    "north": "chiang-mai",
    "northeast": "nakhon-ratchasima",
    "east": "chon-buri",
    "west": "kanchanaburi",
    "south": "surat-thani",
}
HOMES_OF = {
    "bangkok": (1, 10),
    "central": (2, 11),
    "north": (3, 8),
    "northeast": (4, 12),
    "east": (5, 7),
    "west": (6,),
    "south": (9,),
}


class Shop(NamedTuple):
    """A floor of the office building, or a part of it, as somebody's load."""

    name: str
    floor: int
    part: Decimal


SHOPS = (
    Shop("bangkok-office", 6, Decimal(1)),
    Shop("bangkok-store", 3, Decimal(1)),
    Shop("central-office", 5, Decimal("0.3")),
    Shop("north-shop", 2, Decimal("0.2")),
    Shop("northeast-shop", 7, Decimal("0.2")),
    Shop("east-works", 4, Decimal("0.5")),
    Shop("west-shop", 1, Decimal(1)),
)
ROOF_KW = Decimal(4)
FARMS_KW = {"central": 60, "north": 40, "northeast": 150, "west": 80, "south": 60}


class Table(NamedTuple):
    """One column of `meters.csv`: whole Wh a quarter, and what `sources.csv` says of it."""

    name: str
    quarters_wh: list[int]
    file: str
    column: str
    sum_kwh: Decimal


def radiation_file(zone: str) -> str:
    return f"weather-thailand/cams_radiation_15min_2023_{PLACES[zone]}.csv.gz"


def sun_of(source: Path, zone: str) -> list[Decimal]:
    """Irradiance in W/m2 of each quarter of the cut; the source stamps a quarter with its end."""
    seen = {row["local_time"]: Decimal(row["ghi_w_m2"]) for row in read_table(source / radiation_file(zone))}
    first = datetime.combine(CUT.first_day, datetime.min.time())
    ends = (first + timedelta(minutes=15 * number) for number in range(1, CUT.days * 96 + 1))
    return [seen[end.isoformat(timespec="minutes")] for end in ends]


def panels(name: str, zone: str, sun: list[Decimal], rated_kw: Decimal) -> Table:
    """What panels of that rated power give under that sun, at most their rating."""
    exact = [min(rated_kw, rated_kw * PERFORMANCE * value / FULL_SUN_W_M2) / 4 for value in sun]
    whole = [int((value * 1000).quantize(Decimal(1), ROUND_HALF_EVEN)) for value in exact]
    column = f"ghi_w_m2 x {rated_kw} kW x {PERFORMANCE}"
    return Table(f"{name}.pv_wh", whole, radiation_file(zone), column, sum(exact, Decimal(0)))


def load(name: str, column: Column, part: Decimal = Decimal(1)) -> Table:
    hours = [int((Decimal(wh) * part).quantize(Decimal(1), ROUND_HALF_EVEN)) for wh in column.hours_wh]
    whole = [wh for hour in hours for wh in quarters(hour)]
    source = column.source_columns if part == 1 else f"{column.source_columns} x {part}"
    return Table(f"{name}.load_wh", whole, column.source_file, source, column.source_sum_kwh * part)


def tables(source: Path) -> list[Table]:
    """All columns: homes with their roofs, then shops, then farms."""
    loads = {column.name.partition(".")[0]: column for column in home_columns(source, CUT) if ".load" in column.name}
    sun = {zone: sun_of(source, zone) for zone in PLACES}
    found = []
    for zone, homes in HOMES_OF.items():
        for number, home in enumerate(homes, start=1):
            name = f"{zone}-home-{number}"
            found += [load(name, loads[f"home-{home:02d}"]), panels(name, zone, sun[zone], ROOF_KW)]
    found += [load(shop.name, office_column(source, CUT, shop.floor), shop.part) for shop in SHOPS]
    nothing = [0] * (CUT.days * 96)
    for zone, rated_kw in FARMS_KW.items():
        found.append(Table(f"{zone}-farm.load_wh", nothing, radiation_file(zone), "none: no load", Decimal(0)))
        found.append(panels(f"{zone}-farm", zone, sun[zone], Decimal(rated_kw)))
    return found


def write(source: Path, output: Path) -> None:
    folder = output / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    columns = tables(source)
    start = datetime.combine(CUT.first_day, datetime.min.time())
    stamps = [(start + timedelta(minutes=15 * number)).isoformat(timespec="minutes") for number in range(CUT.days * 96)]
    rows = [[stamp, *values] for stamp, *values in zip(stamps, *(each.quarters_wh for each in columns), strict=True)]
    write_table(folder / "meters.csv", ["interval_start", *(each.name for each in columns)], rows)
    # One sky for all: the highest of the places, since noon comes half an hour apart.
    skies = [sky_table(source, radiation_file(zone)) for zone in PLACES]
    highest = [[max(values) for values in zip(*months, strict=True)] for months in zip(*skies, strict=True)]
    names = [f"{quarter // 4:02d}:{quarter % 4 * 15:02d}" for quarter in range(96)]
    sky_rows: list[list[object]] = [[month, *values] for month, values in enumerate(highest, start=1)]
    write_table(folder / "sky.csv", ["month", *names], sky_rows)
    files = {HOMES, OFFICE, *map(radiation_file, PLACES)}
    digests = {name: hashlib.sha256((source / name).read_bytes()).hexdigest() for name in files}
    write_table(
        folder / "sources.csv",
        ["column", "source_file", "source_column", "source_sum_kwh", "source_sha256"],
        [[each.name, each.file, each.column, f"{each.sum_kwh:.4f}", digests[each.file]] for each in columns],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="cut the tables of the scenario with seven zones")
    parser.add_argument("--source", type=Path, required=True, help="folder of the recorded data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder of the scenarios")
    arguments = parser.parse_args()
    write(arguments.source, arguments.output)


if __name__ == "__main__":
    main()
