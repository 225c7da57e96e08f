"""Moves a scenario to another day: a network of many nodes runs in real time, and its homes play what was recorded.

The first recorded day of delivery becomes the day that is asked for, so weekdays move with it: what people did on a
Monday they may do on a Saturday. Holidays of the tariff stay on their dates.
"""

import csv
import re
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

from gridtokenx.ledger.quantities import INTERVAL_MS
from gridtokenx.simulation.community import CommunityState
from gridtokenx.simulation.driver import DriverState
from gridtokenx.simulation.genesis import ScenarioGenesis
from gridtokenx.simulation.scenario import Scenario, ScenarioError, load_scenario, read_csv, toml_of
from gridtokenx.simulation.tariff_view import bangkok_day

_START = re.compile(r"^start *= *\d{4}-\d{2}-\d{2}", re.MULTILINE)
_CLOCK = re.compile(r"^\[clock\][^\n]*$", re.MULTILINE)
_CHAIN = re.compile(r"^chain *=[^\n]*\n", re.MULTILINE)
_TIME = "interval_start"


def move_scenario(source: Path, target: Path, begins_ms: int, chain: str = "") -> Scenario:
    """Copy a scenario into a new folder, moved so that its first day of delivery is the day of `begins_ms` in Bangkok,
    and its chain begins in that very interval; it is called `chain`, if that is given. Raises `ScenarioError`."""
    scenario = load_scenario(source)
    file = toml_of(source)
    today = _date_of(begins_ms // INTERVAL_MS)
    moved = today - _date_of(scenario.first_interval)
    shutil.copytree(file.parent, target)
    text, starts = _START.subn(f"start = {today.isoformat()}", file.read_text(encoding="utf-8"), count=1)
    text, clocks = _CLOCK.subn(f"[clock]\nbegins_ms = {begins_ms // INTERVAL_MS * INTERVAL_MS}", text, count=1)
    if not starts or not clocks:
        raise ScenarioError(f"{file}: `start` and `[clock]` have to stand on lines of their own to be moved")
    if chain:
        text = f'chain = "{chain}"\n' + _CHAIN.sub("", text)
    (target / "scenario.toml").write_text(text, encoding="utf-8")
    meters = target / scenario.meters_path.name
    header, *rows = read_csv(scenario.meters_path)
    column = header.index(_TIME)
    for row in rows:
        stamp = datetime.fromisoformat(row[column]) + moved
        row[column] = stamp.isoformat(timespec="minutes")
    with meters.open("w", encoding="utf-8", newline="") as table:
        csv.writer(table, lineterminator="\n").writerows([header, *rows])
    return load_scenario(target)


def first_state(scenario: Scenario, genesis: ScenarioGenesis) -> DriverState:
    """What the sites' side has to remember when the chain begins in the middle of the deliveries: the meters stand at
    zero, and count from the first interval that opens."""
    first = max(genesis.first_metered, scenario.first_interval)
    charges = {site.name: {first: site.battery.charge_at_start_wh} for site in scenario.sites if site.battery}
    registers = {site.name: (0, 0) for site in scenario.sites}
    return DriverState(genesis.first_metered, CommunityState(first, registers, charges), ())


def _date_of(interval: int) -> date:
    """The day in Bangkok."""
    return date(1970, 1, 1) + timedelta(days=bangkok_day(interval))
