"""What stands at a site beside its meter rows: name, connection, PV, battery, money, agent. Told, else derived.

Sizes of connections are those of MEA's and PEA's meters (rated and highest current, one or three phases at 230 V).
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gridtokenx.simulation.recordings.findings import Finding, RecordingError
from gridtokenx.simulation.recordings.meaning import watt_hours, watts
from gridtokenx.simulation.recordings.options import Options, Setting, told

_METERS = (
    ("5(15) A, one phase", 3_450),
    ("15(45) A, one phase", 10_350),
    ("30(100) A, one phase", 23_000),
    ("15(45) A, three phases", 31_050),
    ("30(100) A, three phases", 69_000),
    ("50(150) A, three phases", 103_500),
)
_BEYOND_STEP_W = 10_000
_PV_STEP_W = 100
_ROUND_TRIP_PERMILLE = 900
_MONEY_WATT_MIN = 1_500
_MONEY_STEP_WATT = 500
_HELD_DAYS = 2  # trading opens a day ahead, and escrow waits for the meter
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Battery(NamedTuple):
    capacity_wh: int
    power_w: int
    round_trip_permille: int
    charge_at_start_wh: int


class Needs(NamedTuple):
    """What the rows say of a site: highest quarters as W, and load in the days of delivery."""

    load_peak_w: int
    pv_peak_w: int | None
    load_wh: int
    days: int


def site_names(keys: list[str], options: Options) -> dict[str, str]:
    """The name in the scenario of each key: told, kept, or a pseudonym by number. Raises `RecordingError`."""
    width = max(2, len(str(len(keys))))
    names: dict[str, str] = {}
    for number, key in enumerate(keys, start=1):
        name = told(tuple(Setting(s.key.casefold(), s.value) for s in options.sites if s.key), key)
        if name is None:
            name = re.sub(r"[^a-z0-9]+", "-", key.casefold()).strip("-") if options.keep_names else ""
            name = name or f"home-{number:0{width}d}"
        if not _NAME.fullmatch(name):
            raise RecordingError(f"--site: '{name}' is no name; use small letters, digits and single hyphens")
        if name in names.values():
            raise RecordingError(f"two sites would be called '{name}'; give other names with --site KEY=NAME")
        names[key] = name
    return names


def check_keys(options: Options, names: Mapping[str, str]) -> None:
    """Settings that name a site which is not there are mistakes. Raises `RecordingError`."""
    for flag, settings in (
        ("--battery", options.battery),
        ("--pv-capacity", options.pv_capacity),
        ("--import-capacity", options.import_capacity),
        ("--money", options.money),
        ("--agent", options.agent),
    ):
        for setting in settings:
            known = [*names.values(), *names]
            if setting.key and all(told((setting,), name) is None for name in known):
                sites = ", ".join(names.values())
                raise RecordingError(f"{flag}: there is no site '{setting.key}'; the sites are {sites}")


def told_capacities(options: Options, name: str, key: str) -> dict[str, int | None]:
    """Limits that the owner told, by kind of line."""
    pv, load = told(options.pv_capacity, name, key), told(options.import_capacity, name, key)
    return {
        "pv": watts(pv, "--pv-capacity") if pv is not None else None,
        "load": watts(load, "--import-capacity") if load is not None else None,
    }


def battery_of(text: str) -> Battery:
    """`10kWh/5kW`, then perhaps `/90%` for there and back and `/2kWh` for the charge at the start."""
    parts = [part.strip() for part in text.split("/")]
    if not 2 <= len(parts) <= 4:
        raise RecordingError(
            f"--battery: '{text}' is no battery; write home-03=10kWh/5kW or home-03=10kWh/5kW/90%/2kWh"
        )
    round_trip, charge_wh = _ROUND_TRIP_PERMILLE, 0
    for part in parts[2:]:
        if part.endswith("%"):
            digits = re.fullmatch(r"(\d{1,3})(?:\.(\d))?%", part)
            round_trip = int(digits[1]) * 10 + int(digits[2] or 0) if digits else 0
            if not 1 <= round_trip <= 1000:
                raise RecordingError(f"--battery: '{part}' is no share; write 90%")
        else:
            charge_wh = watt_hours(part, "--battery")
    capacity_wh, power_w = watt_hours(parts[0], "--battery"), watts(parts[1], "--battery")
    if capacity_wh < 1 or charge_wh > capacity_wh:
        raise RecordingError(f"--battery: '{text}': give a capacity above 0, and a charge that fits into it")
    return Battery(capacity_wh, power_w, round_trip, charge_wh)


def site_table(
    name: str, number: int, key: str, needs: Needs, options: Options, rated_w: int | None, on_peak_micro: int
) -> tuple[dict[str, Any], list[Finding]]:
    """The site as `scenario.toml` holds it, and what was derived."""
    findings: list[Finding] = []
    text = told(options.battery, name, key)
    battery = battery_of(text) if text is not None else None
    capacities = told_capacities(options, name, key)
    sources = []
    if needs.pv_peak_w is not None:
        pv_w = capacities["pv"] or max(-(-needs.pv_peak_w // _PV_STEP_W) * _PV_STEP_W, rated_w or 0, _PV_STEP_W)
        if capacities["pv"] is None:
            evidence = "its rated power" if rated_w else f"its highest quarter is {needs.pv_peak_w} W"
            findings.append(Finding("PV capacity", "", name, f"{pv_w} W", evidence, flag="--pv-capacity", key=name))
        sources.append({"kind": "solar", "export_capacity_w": pv_w})
    if battery is not None:
        sources.append({"kind": "storage", "export_capacity_w": battery.power_w})
    import_w = capacities["load"]
    if import_w is None:
        import_w, meter = connection(needs.load_peak_w + (battery.power_w if battery is not None else 0))
        evidence = f"{meter}: the next size above {needs.load_peak_w} W" + (" and the battery" if battery else "")
        found = Finding("connection", "", name, f"{import_w} W", evidence, flag="--import-capacity", key=name)
        findings.append(found)
    table: dict[str, Any] = {
        "name": name,
        "participant": f"resident-{number:02d}",
        "import_capacity_w": import_w,
        "money_watt": _money(told(options.money, name, key), needs, on_peak_micro),
    }
    if sources:
        table["sources"] = sources
    if battery is not None:
        table["battery"] = battery._asdict()
    table["agent"] = {"kind": told(options.agent, name, key) or "patient"}
    return table, findings


def connection(peak_w: int) -> tuple[int, str]:
    """Capacity and name of the smallest meter that carries a peak."""
    for meter, capacity_w in _METERS:
        if peak_w <= capacity_w:
            return capacity_w, meter
    return -(-peak_w // _BEYOND_STEP_W) * _BEYOND_STEP_W, "a meter with current transformers"


def _money(text: str | None, needs: Needs, on_peak_micro: int) -> int:
    """Enough to buy all of the load on-peak, and what two days hold back; so arrears tell of trade, not of a purse."""
    if text is not None:
        if not text.isdecimal() or len(text) > 9:
            raise RecordingError(f"--money: '{text}' is no whole number of WATT; write home-03=1500")
        return int(text)
    bill_watt = needs.load_wh * (needs.days + _HELD_DAYS) // max(1, needs.days) * on_peak_micro // 1_000 // 1_000_000
    return max(_MONEY_WATT_MIN, -(-bill_watt // _MONEY_STEP_WATT) * _MONEY_STEP_WATT)
