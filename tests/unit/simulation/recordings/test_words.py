"""What the words of headers say, and how numbers and stamps are read."""

from decimal import Decimal

import pytest

from gridtokenx.simulation.recordings.numbers import read_quantity
from gridtokenx.simulation.recordings.stamps import read_parts, read_time, wall_seconds
from gridtokenx.simulation.recordings.words import is_other_quantity, role_in, site_in, unit_in_header


@pytest.mark.parametrize(
    ("header", "unit", "role", "site"),
    [
        ("load_kwh_b1", "kWh", "load", "b1"),
        ("pv_w_per_kw_b12", "W/kW", "pv", "b12"),
        ("home-01.load_wh", "Wh", "load", "home-01"),
        ("home-01.pv_wh", "Wh", "pv", "home-01"),
        ("h2468", "", "", "h2468"),
        ("Grid import [kWh]", "kWh", "import", "grid"),
        ("Energy to grid (kWh)", "kWh", "export", "to-grid"),
        ("House consumption kW", "kW", "load", "house"),
        ("House PV (kW)", "kW", "pv", "house"),
        ("Inverter Power(W)", "W", "pv", ""),
        ("Total yield (kilowatt hours)", "kWh", "pv", "hours"),
        ("Current consumption (W)", "W", "load", "current"),
        ("พลังงานไฟฟ้า (หน่วย)", "kWh", "", ""),
        ("ผลิต PV (กิโลวัตต์)", "kW", "pv", ""),
        ("โหลด บ้าน 2 กิโลวัตต์ชั่วโมง", "kWh", "load", "บ้าน-2"),
        ("net kW", "kW", "net", ""),
        ("load or pv", "", "", "or"),
        ("share of rated (p.u.)", "share", "", "share-rated-p-u"),
    ],
)
def test_headers(header: str, unit: str, role: str, site: str) -> None:
    assert (unit_in_header(header), role_in(header), site_in(header)) == (unit, role, site)
    assert is_other_quantity(header) == ""


@pytest.mark.parametrize(
    "header", ["temp_c", "ghi_w_m2", "Grid voltage(V)", "Current (A)", "kVAr", "ราคา", "Battery charge kWh", "SoC"]
)
def test_other_quantities_are_neither_load_nor_pv(header: str) -> None:
    assert is_other_quantity(header)


@pytest.mark.parametrize(
    ("cell", "mark", "value", "unit"),
    [
        ("1.5", ".", "1.5", ""),
        ("1,5", ",", "1.5", ""),
        ("1.234,5", ",", "1234.5", ""),
        ("1,234.5", ".", "1234.5", ""),
        ("1 234,5", ",", "1234.5", ""),
        ("1'234.5", ".", "1234.5", ""),
        ("12 kWh", ".", "12", "kWh"),
        ("3.2kW", ".", "3.2", "kW"),
        ("\u22120.5", ".", "-0.5", ""),
        ("1e5", ".", "100000", ""),
        ("๑๒.๕", ".", "12.5", ""),
        (".5", ".", "0.5", ""),
    ],
)
def test_quantities(cell: str, mark: str, value: str, unit: str) -> None:
    assert read_quantity(cell, mark) == (Decimal(value), unit)


@pytest.mark.parametrize(
    "cell", ["", "abc", "1.2.3", "12 apples", "1,23,4", "nan", "inf", "1e99", "9" * 60, "1-2", "0x1"]
)
def test_what_is_no_quantity(cell: str) -> None:
    assert read_quantity(cell, ".") is None


QUARTER_PAST = 1_679_271_300  # 2023-03-20 00:15 on the clock of the file


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("2023-03-20T00:15", "dmy"),
        ("2023-03-20 00:15:00.000+07:00", "dmy"),
        ("20/03/2566 00:15", "dmy"),
        ("20/3/66 0.15 น.", "dmy"),
        ("20 มี.ค. 2566 00:15", "dmy"),
        ("20 มีนาคม 2566 00:15", "dmy"),
        ("20-Mar-2023 00:15", "mdy"),
        ("3/20/2023 12:15 AM", "mdy"),
        ("20.03.2023, 00:15", "dmy"),
        ("202303200015", "dmy"),
        ("๒๐/๐๓/๒๕๖๖ ๐๐:๑๕", "dmy"),  # noqa: RUF001 - Thai digits are the point
        ("2566-03-20 00:15", "dmy"),
    ],
)
def test_stamps(text: str, order: str) -> None:
    parts = read_parts(text)
    assert parts is not None and parts.has_time
    assert wall_seconds(parts, order) == QUARTER_PAST


def test_the_end_of_a_day_is_the_begin_of_the_next() -> None:
    last, first = read_parts("2023-02-28 24:00"), read_parts("2023-03-01 00:00")
    assert last is not None and first is not None
    assert wall_seconds(last, "dmy") == wall_seconds(first, "dmy")


@pytest.mark.parametrize("text", ["2023-03-20T24:01", "2023-03-20 25:00", "1.5", "1,234", "20/03", "a/b/c", "12345678"])
def test_what_is_no_stamp(text: str) -> None:
    assert read_parts(text) is None


@pytest.mark.parametrize("text", ["31/02/2023", "2023-13-01", "00/00/0000", "29/02/2566", "15/06/40"])
def test_dates_that_no_calendar_has(text: str) -> None:
    parts = read_parts(text)
    assert parts is not None and wall_seconds(parts, "dmy") is None


def test_times_of_day() -> None:
    assert [read_time(text) for text in ("7:15", "24:00", "07.15 น.", "12:00 AM", "0:60", "noon", "1.5")] == [
        26_100,
        86_400,
        26_100,
        0,
        None,
        None,
        None,
    ]
