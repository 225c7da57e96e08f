"""Scenario files: a community, its place, tariff and clock as TOML, read strictly.

`load_scenario` gives everything that may be known before the first interval; the recorded rows are not part
of a `Scenario`, so whoever holds one cannot see the future (`community.Community` reads them).
"""

import csv
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from gridtokenx.simulation.battery import Battery
from gridtokenx.simulation.tariff_view import (
    INTERVAL_MS,
    INTERVALS_PER_DAY,
    TimeOfUse,
    bangkok_day,
    first_interval,
)

SkyTable = tuple[tuple[int, ...], ...]
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MONEY_WATT_MAX = 1_000_000_000
_POWER_W_MAX = 1_000_000_000


class ScenarioError(ValueError):
    """A scenario cannot be used. The text names the file, the place in it and what to do."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class PatientSettings(_Table, tag_field="kind", tag="patient", frozen=True):
    """How the rule-based agent trades; `agents.PatientAgent` says what each number does."""

    horizon_intervals: int = 8
    caution_permille: int = 50
    requote_price_permille: int = 150
    requote_energy_permille: int = 250


class RandomSettings(_Table, tag_field="kind", tag="random", frozen=True):
    """The zero-intelligence agent; its randomness comes from the caller."""

    horizon_intervals: int = 8


class SourceTable(_Table, frozen=True):
    kind: Literal["solar", "storage"]
    export_capacity_w: int


class BatteryTable(_Table, frozen=True):
    capacity_wh: int
    power_w: int
    round_trip_permille: int
    charge_at_start_wh: int


class Site(_Table, frozen=True):
    """A connection point under a pseudonym, with what its owner knows of it."""

    name: str
    participant: str
    import_capacity_w: int
    money_watt: int
    agent: PatientSettings | RandomSettings
    sources: tuple[SourceTable, ...] = ()
    battery: BatteryTable | None = None

    def export_capacity_w(self, kind: str) -> int:
        """Capacity of one source, 0 where the site has none."""
        return sum(source.export_capacity_w for source in self.sources if source.kind == kind)

    @property
    def device(self) -> Battery | None:
        if self.battery is None:
            return None
        return Battery(self.battery.capacity_wh, self.battery.power_w, self.battery.round_trip_permille)


class ClockTable(_Table, frozen=True):
    lead_in_minutes: int
    speed: int
    play_at_once_minutes: int = 0


class TariffTable(_Table, frozen=True):
    on_peak_micro: int
    off_peak_micro: int
    buy_back_micro: int
    on_peak_from_hour: int
    on_peak_to_hour: int
    holidays: tuple[date, ...]


class _ScenarioTable(_Table, frozen=True):
    name: str
    description: str
    zone: str
    feeder: str
    start: date
    days: int
    history_days: int
    meters: str
    sky: str
    clock: ClockTable
    tariff: TariffTable
    site: tuple[Site, ...]
    development_seed: str = ""


class Scenario(msgspec.Struct, frozen=True):
    """A community ready to run. Deliveries lie in [first_interval, end_interval); `sky[month - 1][quarter]`
    per mille.
    """

    name: str
    description: str
    zone: str
    feeder: str
    first_interval: int
    end_interval: int
    history_intervals: int
    clock_start_ms: int
    speed: int
    play_at_once_ms: int
    tariff: TimeOfUse
    sky: SkyTable
    sites: tuple[Site, ...]
    meters_path: Path
    development_seed: str


def load_scenario(path: Path) -> Scenario:
    """Read a scenario from its folder or its TOML file. Raises `ScenarioError` for anything that does not
    fit.
    """
    file = path / "scenario.toml" if path.is_dir() else path
    table = _decode(file)
    _check(file, table)
    first = first_interval(table.start)
    tariff = table.tariff
    return Scenario(
        name=table.name,
        description=table.description,
        zone=table.zone,
        feeder=table.feeder,
        first_interval=first,
        end_interval=first + table.days * INTERVALS_PER_DAY,
        history_intervals=table.history_days * INTERVALS_PER_DAY,
        clock_start_ms=first * INTERVAL_MS - table.clock.lead_in_minutes * 60_000,
        speed=table.clock.speed,
        play_at_once_ms=table.clock.play_at_once_minutes * 60_000,
        tariff=TimeOfUse(
            tariff.on_peak_micro,
            tariff.off_peak_micro,
            tariff.buy_back_micro,
            tariff.on_peak_from_hour,
            tariff.on_peak_to_hour,
            frozenset(bangkok_day(first_interval(day)) for day in tariff.holidays),
        ),
        sky=load_sky(_beside(file, "sky", table.sky)),
        sites=table.site,
        meters_path=_beside(file, "meters", table.meters),
        development_seed=table.development_seed or table.name,
    )


def load_sky(path: Path) -> SkyTable:
    """Read a sky table: twelve rows `month, 96 values`, each 0..1000 (per mille of a PV plant's capacity)."""
    rows = read_csv(path)[1:]
    if len(rows) != 12:
        raise ScenarioError(f"{path}: has {len(rows)} rows below the header; give one for each month, 1 to 12")
    table = []
    for number, row in enumerate(rows, start=1):
        values = tuple(int(cell) if cell.isascii() and cell.isdigit() else -1 for cell in row)
        if len(values) != 1 + INTERVALS_PER_DAY or values[0] != number:
            raise ScenarioError(f"{path}: line {number + 1}: give month {number} and 96 values")
        if not all(0 <= value <= 1000 for value in values[1:]):
            raise ScenarioError(f"{path}: line {number + 1}: a value is not a whole number from 0 to 1000; correct it")
        table.append(values[1:])
    return tuple(table)


def read_csv(path: Path) -> list[list[str]]:
    """All rows of a CSV file, header included."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read ({error}); put the file there as UTF-8 text") from error


def _decode(file: Path) -> _ScenarioTable:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file}: cannot be read ({error}); name a folder that holds scenario.toml") from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{file}: is not TOML: {error}; correct that line") from error
    try:
        return msgspec.convert(raw, _ScenarioTable, strict=True)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        where = place.strip("`").removeprefix("$.") or "top level"
        raise ScenarioError(f"{file}: {where}: {reason}; {_remedy(reason)}") from error


def _remedy(reason: str) -> str:
    if "missing required field" in reason:
        return "add that key"
    if "unknown field" in reason:
        return "remove that key or correct its spelling"
    if "Expected" in reason:
        return "give a value of that type (whole numbers without quotes or decimals)"
    return "use one of the values that scenarios/README.md lists"


def _beside(file: Path, key: str, name: str) -> Path:
    """A data file stands in the scenario's own folder, so that a folder can be copied whole."""
    if Path(name).name != name:
        raise ScenarioError(f"{file}: {key}: '{name}' is not a plain file name; put the file beside scenario.toml")
    return file.parent / name


def _check(file: Path, table: _ScenarioTable) -> None:
    """Everything that types cannot say."""

    def within(place: str, value: int, lowest: int, highest: int) -> None:
        if not lowest <= value <= highest:
            raise ScenarioError(f"{file}: {place}: {value} is out of range; give {lowest} to {highest}")

    within("days", table.days, 1, 366)
    within("history_days", table.history_days, 0, 366)
    within("clock.lead_in_minutes", table.clock.lead_in_minutes, 15, 1440)
    within("clock.speed", table.clock.speed, 1, 1_000_000)
    within("clock.play_at_once_minutes", table.clock.play_at_once_minutes, 0, 10_080)
    tariff = table.tariff
    within("tariff.buy_back_micro", tariff.buy_back_micro, 0, 1_000_000_000)
    within("tariff.off_peak_micro", tariff.off_peak_micro, tariff.buy_back_micro, 1_000_000_000)
    within("tariff.on_peak_micro", tariff.on_peak_micro, tariff.off_peak_micro, 1_000_000_000)
    within("tariff.on_peak_to_hour", tariff.on_peak_to_hour, 0, 24)
    within("tariff.on_peak_from_hour", tariff.on_peak_from_hour, 0, tariff.on_peak_to_hour)
    if not table.site:
        raise ScenarioError(f"{file}: site: there is none; add at least one [[site]]")

    names: set[str] = set()
    for number, site in enumerate(table.site):
        place = f"site[{number}]"
        for key, name in (("name", site.name), ("participant", site.participant)):
            if not _NAME.fullmatch(name):
                raise ScenarioError(f"{file}: {place}.{key}: '{name}'; use small letters, digits and single hyphens")
        if site.name in names:
            raise ScenarioError(f"{file}: {place}.name: '{site.name}' is taken; give each site its own name")
        names.add(site.name)
        within(f"{place}.import_capacity_w", site.import_capacity_w, 1, _POWER_W_MAX)
        within(f"{place}.money_watt", site.money_watt, 0, _MONEY_WATT_MAX)
        _check_devices(file, place, site)
        within(f"{place}.agent.horizon_intervals", site.agent.horizon_intervals, 1, INTERVALS_PER_DAY)
        if isinstance(site.agent, PatientSettings):
            for key in ("caution_permille", "requote_price_permille", "requote_energy_permille"):
                within(f"{place}.agent.{key}", getattr(site.agent, key), 0, 1000)


def _check_devices(file: Path, place: str, site: Site) -> None:
    kinds = [source.kind for source in site.sources]
    if len(kinds) != len(set(kinds)):
        raise ScenarioError(f"{file}: {place}.sources: a kind stands twice; add up their capacities")
    for source in site.sources:
        if not 1 <= source.export_capacity_w <= _POWER_W_MAX:
            raise ScenarioError(
                f"{file}: {place}.sources: {source.kind} has {source.export_capacity_w} W; give 1 to {_POWER_W_MAX}"
            )
    if (site.battery is not None) != ("storage" in kinds):
        raise ScenarioError(
            f"{file}: {place}: a battery needs both `battery` and a source of kind storage; add the other"
        )
    if site.battery is not None:
        battery = site.battery
        fits = (
            1 <= battery.capacity_wh <= _POWER_W_MAX
            and 4 <= battery.power_w <= _POWER_W_MAX
            and 1 <= battery.round_trip_permille <= 1000
            and 0 <= battery.charge_at_start_wh <= battery.capacity_wh
        )
        if not fits:
            raise ScenarioError(
                f"{file}: {place}.battery: does not fit; give a capacity and power above 0, "
                "a round trip of 1 to 1000 per mille and a charge from 0 to the capacity"
            )
