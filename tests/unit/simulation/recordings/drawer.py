"""The drawer of troubled files: what each of them is, and what has to be found in it.

All files hold the same home, whose mean power follows `load_kw` and `pv_kw` below, so that energies are computed here
without the code under test. Nothing but the time zone is told unless `told` says so.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

NOON = datetime(2023, 3, 20, 12)  # noqa: DTZ001 - the clock of the files
DRAWER = Path(__file__).parents[3] / "fixtures" / "drawer"


def load_kw(moment: datetime) -> float:
    hour = moment.hour + moment.minute / 60
    return round(0.2 + 0.05 * (hour % 6) + (0.9 if 18 <= hour < 22 else 0), 3)


def pv_kw(moment: datetime) -> float:
    hour = moment.hour + moment.minute / 60
    return round(max(0.0, 3.2 * (1 - ((hour - 12.25) / 6) ** 2)), 3)


def day_wh(minutes: int, of: str = "load", begin: int = 0) -> float:
    """Energy of a day that is recorded every so many minutes, `begin` minutes behind the hour."""
    power = load_kw if of == "load" else pv_kw
    moments = (NOON - timedelta(hours=12) + timedelta(minutes=begin + minutes * at) for at in range(1440 // minutes))
    return sum(power(moment) for moment in moments) * 1000 * minutes / 60


NONE: Mapping[str, str] = MappingProxyType({})


class Case(NamedTuple):
    file: str
    found: Mapping[str, str] = NONE
    """Findings that have to be sure."""
    unsure: tuple[str, ...] = ()
    """What is asked; then nothing is drafted."""
    troubles: Mapping[str, str] = NONE
    """Kind to lines, all of them."""
    load_wh: float | None = None
    pv_wh: float | None = None
    error: tuple[str, ...] = ()
    told: Mapping[str, str] = NONE


HOUR, QUARTER = day_wh(60), day_wh(15)
PV = {"pv": "roof=pv*"}

CASES = [
    # encodings and tables
    Case("plain.csv", {"encoding": "utf-8", "delimiter": "comma", "interval": "15min", "unit": "kW"}, load_wh=QUARTER),
    Case("bom.csv", {"encoding": "utf-8-sig"}, load_wh=QUARTER),
    Case("utf16.csv", {"encoding": "utf-16"}, load_wh=HOUR),
    Case("utf16-no-mark.csv", {"encoding": "utf-16-le"}, load_wh=HOUR),
    Case(
        "thai-cp874.csv", {"encoding": "cp874", "role": "load", "unit": "kW", "day and month": "day first"}, ("stamp",)
    ),
    Case("thai-cp874.csv", told={"stamp": "begin", "timezone": ""}, found={"time zone": "Asia/Bangkok"}, load_wh=HOUR),
    Case("latin.csv", {"encoding": "latin-1"}, load_wh=HOUR),
    Case("packed.csv", load_wh=HOUR),
    Case(
        "semicolon-comma.csv",
        {"delimiter": "semicolon", "decimal mark": "comma", "day and month": "day first"},
        load_wh=HOUR,
    ),
    Case("tabs.tsv", {"delimiter": "tab"}, load_wh=HOUR),
    Case("quoted.csv", {"unit": "kW"}, load_wh=HOUR),
    Case("sep-line.csv", {"delimiter": "semicolon"}, load_wh=HOUR),
    Case("preamble.csv", {"header": "line 4"}, load_wh=HOUR),
    Case("units-row.csv", {"header": "line 1 to 2", "unit": "kW"}, load_wh=HOUR),
    Case("no-header.csv", {"header": "none"}, ("stamp", "unit", "role")),
    Case("no-header.csv", told={"stamp": "begin", "unit": "kW", "load": "#2"}, load_wh=HOUR),
    Case("totals-row.csv", troubles={"no-time": "26"}, load_wh=HOUR),
    Case("crlf.csv", load_wh=HOUR),
    # times
    Case("us-dates.csv", {"day and month": "month first", "stamp": "begin"}, load_wh=HOUR),
    Case("either-date.csv", unsure=("day and month",)),
    Case("either-date.csv", told={"date_order": "mdy"}, load_wh=HOUR),
    Case("two-digit-thai-year.csv", {"time column": "Buddhist years and times"}, load_wh=HOUR),
    Case("thai-months.csv", {"time column": "Buddhist years and times", "stamp": "begin"}, load_wh=HOUR),
    Case("excel-days.csv", {"time column": "Excel days"}, load_wh=HOUR),
    Case("unix-seconds.csv", {"time column": "Unix seconds", "time zone": "in each stamp"}, load_wh=HOUR),
    Case("unix-milliseconds.csv", {"time column": "Unix milliseconds"}, load_wh=HOUR),
    Case("hours-1-24.csv", {"stamp": "end"}, load_wh=HOUR),
    Case("hours-0-23.csv", {"stamp": "begin"}, load_wh=HOUR),
    Case("half-hours-1-48.csv", {"stamp": "begin", "interval": "30min"}, load_wh=day_wh(30)),
    Case("date-and-time.csv", {"stamp": "begin"}, load_wh=HOUR),
    Case("end-of-day-24.csv", {"stamp": "end"}, load_wh=HOUR),
    Case("end-stamps.csv", {"stamp": "end"}, load_wh=QUARTER),
    Case("from-to.csv", {"stamp": "begin", "interval": "30min"}, load_wh=day_wh(30)),
    Case("offsets.csv", {"time zone": "in each stamp"}, load_wh=HOUR),
    Case("utc.csv", {"time zone": "in each stamp"}, load_wh=HOUR),
    Case("drifting.csv", {"interval": "5min"}, troubles={"off-grid": "3-291", "frozen": "2-287"}, load_wh=14_400),
    Case("five-minutes.csv", {"interval": "5min"}, load_wh=day_wh(5)),
    Case("daily.csv", error=("steps are 1440min", "load profile")),
    Case("dates-only.csv", error=("dates without times", "load profile")),
    Case("no-times.csv", error=("no column holds dates with times", "--start")),
    Case("no-times.csv", told={"start": "2023-03-20T00:00", "interval": "60min"}, load_wh=HOUR),
    Case("irregular.csv", unsure=("interval",)),
    Case(
        "off-the-grid.csv",
        troubles={"off-grid": "2-301", "gap": "2", "days-left-out": ""},
        load_wh=3 * day_wh(15, begin=7),
    ),
    # layouts
    Case("long.csv", {"layout": "one row for each meter and time", "unit": "kWh"}, load_wh=3 * HOUR),
    Case("long-kinds.csv", {"layout": "one row for each meter and time"}, load_wh=HOUR, pv_wh=day_wh(60, "pv")),
    Case("two-meters-unnamed.csv", unsure=("meter column",)),
    Case("twin-columns.csv", error=("would all be load of one site", "--ignore")),
    Case("twin-columns.csv", told={"load": "home=load*"}, load_wh=2 * HOUR),
    # quantities
    Case("no-unit.csv", unsure=("unit",)),
    Case("no-unit.csv", told={"unit": "W"}, load_wh=HOUR),
    Case("kw-that-are-watts.csv", unsure=("unit",)),
    Case("register.csv", {"unit": "kWh-register"}, load_wh=QUARTER),
    Case(
        "register-new-meter.csv",
        {"unit": "kWh-register"},
        troubles={"register-reset": "51"},
        load_wh=QUARTER - load_kw(NOON) * 250,
    ),
    Case("daily-yield.csv", {"unit": "kWh-register"}, ("site of PV",)),
    Case("daily-yield.csv", told=PV, troubles={"register-reset": "98 194"}, pv_wh=2 * day_wh(15, "pv")),
    Case("cells-with-units.csv", troubles={"mixed-units": "3-25"}, load_wh=HOUR),
    Case("thousands.csv", unsure=("decimal mark",)),
    Case("thousands.csv", told={"decimal": "point"}, load_wh=sum(range(1000, 1024))),
    Case("two-marks.csv", unsure=("decimal mark",)),
    Case("per-rated.csv", unsure=("rated power", "site of PV")),
    Case("per-rated.csv", told={**PV, "rated": "4kW"}, pv_wh=day_wh(60, "pv")),
    Case("net-meter.csv", unsure=("role",)),
    Case("import-export-pv.csv", load_wh=HOUR, pv_wh=day_wh(60, "pv")),
    Case("import-and-pv.csv", unsure=("role",)),
    Case("no-role.csv", unsure=("role",)),
    # quality
    Case("gap-short.csv", troubles={"gap": "41"}, load_wh=3 * QUARTER),
    Case("gap-long.csv", troubles={"gap": "41", "days-left-out": ""}, load_wh=2 * QUARTER),
    Case("gap-long.csv", told={"gaps": "like-day"}, troubles={"gap": "41"}, load_wh=3 * QUARTER),
    Case("gap-long.csv", told={"gaps": "reject"}, error=("gap-long.csv:41", "2 h 30 min", "--gaps reject")),
    Case("empty-cells.csv", troubles={"empty": "10-11", "gap": "9"}, load_wh=2 * QUARTER),
    Case("twice-the-same.csv", troubles={"duplicate-same": "23"}, load_wh=QUARTER),
    Case("twice-different.csv", troubles={"duplicate-different": "22-23", "gap": "21"}, load_wh=2 * QUARTER),
    Case(
        "twice-different.csv",
        told={"duplicates": "last"},
        troubles={"duplicate-different": "22-23"},
        load_wh=2 * QUARTER + (0.999 - load_kw(NOON.replace(hour=5))) * 250,
    ),
    Case("out-of-order.csv", troubles={"out-of-order": "33"}, load_wh=QUARTER),
    Case("newest-first.csv", troubles={"out-of-order": "3-97"}, load_wh=QUARTER),
    Case("not-a-number.csv", troubles={"not-a-number": "35", "gap": "34"}, load_wh=2 * QUARTER),
    Case("below-zero.csv", troubles={"negative": "35", "gap": "34"}, load_wh=2 * QUARTER),
    Case("standby.csv", told=PV, troubles={"negative": "2-27 75-97"}, pv_wh=day_wh(15, "pv")),
    Case("spike.csv", troubles={"spike": "35"}),
    Case("spike.csv", told={"suspect": "leave-out"}, troubles={"spike": "35", "gap": "35"}, load_wh=2 * QUARTER),
    Case("frozen.csv", troubles={"frozen": "22-61"}),
    Case("pv-at-night.csv", told=PV, troubles={"pv-at-night": "6-8"}, pv_wh=day_wh(15, "pv") + 3 * 375),
    Case("pv-wrong-zone.csv", told=PV, troubles={"pv-noon": "2-97", "pv-at-night": "2 80-97"}),
    Case("short-line.csv", troubles={"cells": "32", "gap": "31 31"}, load_wh=2 * QUARTER),
    Case("bad-time.csv", troubles={"no-time": "32", "gap": "31"}, load_wh=2 * QUARTER),
    Case("lost-quote.csv", load_wh=2 * QUARTER),
    Case(
        "clock-forward.csv",
        told={"timezone": "Europe/Berlin", "clock": "local"},
        troubles={"gap": "141 53", "days-left-out": ""},  # a Monday after a weekend has no like day
        load_wh=2 * day_wh(30),
    ),
    Case("clock-forward.csv", told={"timezone": "Europe/Berlin"}, unsure=("clock",)),
    Case(
        "clock-back.csv",
        told={"timezone": "Europe/Berlin", "clock": "local"},
        troubles={"clock-repeated": "56-57", "days-left-out": ""},
        load_wh=3 * day_wh(30),
    ),
    Case(
        "clock-back.csv",
        told={"timezone": "Europe/Berlin", "clock": "instant"},
        troubles={"clock-repeated": "56-57", "days-left-out": ""},
    ),
    Case("clock-back.csv", told={"timezone": ""}, unsure=("time zone",)),
    Case(
        "clock-that-never-was.csv",
        told={"timezone": "Europe/Berlin", "clock": "local"},
        troubles={"clock-skipped": "54-55", "gap": "53"},
        load_wh=3 * day_wh(30),
    ),
    # no tables
    Case("empty.csv", error=("is empty",)),
    Case("blank-lines.csv", error=("is empty",)),
    Case("header-only.csv", error=("holds numbers in a row",)),
    Case("words.csv", error=("holds numbers in a row",)),
    Case("binary.csv", error=("zero bytes",)),
    Case("workbook.csv", error=("Excel workbook", "save the sheet as CSV")),
    Case("broken-gzip.csv", error=("broken gzip", "download it again")),
]
