"""Scenario files: a community, its place, tariff and clock as TOML, read strictly.

`load_scenario` gives everything that may be known before the first interval; the recorded rows are not part
of a `Scenario`, so whoever holds one cannot see the future (`community.Community` reads them). It raises the first
fault; `scenario_check.scenario_faults` lists all of them.
"""

import csv
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from gridtokenx.ledger.limits import MAKERS_PER_ZONE_MAX
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


class Fault(NamedTuple):
    """What is wrong in a scenario: the file, the place in it (perhaps none), the reason, and what to do."""

    file: Path
    place: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (str(self.file), self.place, self.reason))) + f"; {self.remedy}"


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class PatientSettings(_Table, tag_field="kind", tag="patient", frozen=True):
    """How the rule-based agent trades; `agents.PatientAgent` says what each number does."""

    horizon_intervals: int = 8
    caution_permille: int = 50
    requote_price_permille: int = 100
    requote_energy_permille: int = 250


class LearnedSettings(_Table, tag_field="kind", tag="learned", frozen=True):
    """How the learning agent trades: the patient agent's numbers; needs LightGBM."""

    horizon_intervals: int = 8
    caution_permille: int = 50
    requote_price_permille: int = 100
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
    alone: bool = False


class Place(NamedTuple):
    """A feeder, by its name and that of its zone."""

    zone: str
    feeder: str

    def __str__(self) -> str:
        return f"{self.zone}/{self.feeder}"


class BorderTable(_Table, frozen=True):
    """What a border carries from one zone to another, and back. Borders that are not named carry anything."""

    from_zone: str
    to_zone: str
    forward_w: int = 0
    backward_w: int = 0


class FeederTable(_Table, frozen=True):
    """What a feeder sends into its zone and takes from there at most. One that is not named carries anything."""

    zone: str
    feeder: str
    out_w: int = 0
    in_w: int = 0


class Site(_Table, frozen=True):
    """A connection point under a pseudonym, with what its owner knows of it. Without a zone or a feeder of its own it
    is where the scenario says."""

    name: str
    participant: str
    import_capacity_w: int
    money_watt: int
    agent: PatientSettings | LearnedSettings | RandomSettings
    sources: tuple[SourceTable, ...] = ()
    battery: BatteryTable | None = None
    zone: str = ""
    feeder: str = ""

    def export_capacity_w(self, kind: str) -> int:
        """Capacity of one source, 0 where the site has none."""
        return sum(source.export_capacity_w for source in self.sources if source.kind == kind)

    @property
    def device(self) -> Battery | None:
        if self.battery is None:
            return None
        return Battery(self.battery.capacity_wh, self.battery.power_w, self.battery.round_trip_permille)


class MakerProgrammeTable(_Table, frozen=True):
    """What the ledger's `MakerTerms` say, for the scenario's zone."""

    spread_micro: int
    size_wh: int
    presence_permille: int
    window_minutes: int
    rebate_permille: int
    misses_max: int = 8


class MakerTable(_Table, frozen=True):
    """A dealer without a site that enrols as a maker; `agents.MakerAgent` says what each number does."""

    name: str
    licence_wh: int
    money_watt: int
    quote_wh: int
    spread_micro: int
    horizon_intervals: int = 16


class ClockTable(_Table, frozen=True):
    lead_in_minutes: int
    speed: int
    play_at_once_minutes: int = 0
    begins_ms: int = 0


class TariffTable(_Table, frozen=True):
    on_peak_micro: int
    off_peak_micro: int
    buy_back_micro: int
    on_peak_from_hour: int
    on_peak_to_hour: int
    holidays: tuple[date, ...]


class ScenarioTable(_Table, frozen=True):
    """A scenario file as it is written."""

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
    maker: tuple[MakerTable, ...] = ()
    maker_programme: MakerProgrammeTable | None = None
    development_seed: str = ""
    chain: str = ""
    border: tuple[BorderTable, ...] = ()
    feeder_limit: tuple[FeederTable, ...] = ()


class Scenario(msgspec.Struct, frozen=True):
    """A community ready to run. Deliveries lie in [first_interval, end_interval); `sky[month - 1][quarter]`
    per mille. The chain begins at `clock_start_ms`, normally before the first of them; `chain` is its name where it
    does not follow from the scenario's.
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
    chain: str = ""
    makers: tuple[MakerTable, ...] = ()
    maker_programme: MakerProgrammeTable | None = None
    borders: tuple[BorderTable, ...] = ()
    feeder_limits: tuple[FeederTable, ...] = ()

    def place_of(self, site: Site) -> Place:
        """Where a site is connected."""
        return Place(site.zone or self.zone, site.feeder or self.feeder)

    @property
    def places(self) -> tuple[Place, ...]:
        """All feeders, the scenario's own first: a feeder's number is its place here, from 1."""
        own = Place(self.zone, self.feeder)
        limited = (Place(each.zone, each.feeder) for each in self.feeder_limits)
        return tuple(dict.fromkeys((own, *map(self.place_of, self.sites), *limited)))


def load_scenario(path: Path) -> Scenario:
    """Read a scenario from its folder or its TOML file. Raises `ScenarioError` for anything that does not
    fit.
    """
    file = toml_of(path)
    table = _decode(file)
    _refuse(table_faults(file, table))
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
        clock_start_ms=table.clock.begins_ms or first * INTERVAL_MS - table.clock.lead_in_minutes * 60_000,
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
        sky=load_sky(file.parent / table.sky),
        sites=table.site,
        meters_path=file.parent / table.meters,
        development_seed=table.development_seed or table.name,
        chain=table.chain,
        makers=table.maker,
        maker_programme=table.maker_programme,
        borders=table.border,
        feeder_limits=table.feeder_limit,
    )


def toml_of(path: Path) -> Path:
    """The TOML file of a scenario that is named by its folder or by that file."""
    return path / "scenario.toml" if path.is_dir() else path


def _refuse(faults: Iterator[Fault]) -> None:
    for fault in faults:
        raise ScenarioError(str(fault))


def load_sky(path: Path) -> SkyTable:
    """Read a sky table: twelve rows `month, 96 values`, each 0..1000 (per mille of a PV plant's capacity)."""
    rows = read_csv(path)[1:]
    _refuse(sky_faults(path, rows))
    return tuple(tuple(map(int, row[1:])) for row in rows)


def sky_faults(path: Path, rows: list[list[str]]) -> Iterator[Fault]:
    """What is wrong with the rows of a sky table."""
    if len(rows) != 12:
        reason = f"has {len(rows)} rows below the header"
        yield Fault(path, "", reason, "give one for each month, 1 to 12")
    for number, row in enumerate(rows[:12], start=1):
        values = tuple(int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 10 else -1 for cell in row)
        if len(values) != 1 + INTERVALS_PER_DAY or values[0] != number:
            yield Fault(path, f"line {number + 1}", "is no row of the month", f"give month {number} and 96 values")
        elif not all(0 <= value <= 1000 for value in values[1:]):
            reason = "a value is not a whole number from 0 to 1000"
            yield Fault(path, f"line {number + 1}", reason, "correct it")


def read_csv(path: Path) -> list[list[str]]:
    """All rows of a CSV file, header included."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScenarioError(f"{path}: cannot be read ({error}); put the file there as UTF-8 text") from error


def read_toml(file: Path) -> dict[str, Any]:
    """A TOML file as plain data."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file}: cannot be read ({error}); name a folder that holds scenario.toml") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{file}: is not TOML: {error}; correct that line") from error


def _decode(file: Path) -> ScenarioTable:
    try:
        return msgspec.convert(read_toml(file), ScenarioTable, strict=True)
    except msgspec.ValidationError as error:
        raise ScenarioError(str(type_fault(file, "", error))) from error


def type_fault(file: Path, inside: str, error: msgspec.ValidationError) -> Fault:
    """A value of another type or spelling, in `inside` of the file."""
    reason, _, place = str(error).partition(" - at ")
    where = inside + place.strip("`").removeprefix("$").removeprefix("." if not inside else "")
    return Fault(file, where or "top level", reason, _remedy(reason))


def _remedy(reason: str) -> str:
    if "missing required field" in reason:
        return "add that key"
    if "unknown field" in reason:
        return "remove that key or correct its spelling"
    if "Expected" in reason:
        return "give a value of that type (whole numbers without quotes or decimals)"
    return "use one of the values that scenarios/README.md lists"


def table_faults(file: Path, table: ScenarioTable) -> Iterator[Fault]:
    """Everything that types cannot say."""
    tariff = table.tariff
    for place, value, lowest, highest in (
        ("days", table.days, 1, 366),
        ("history_days", table.history_days, 0, 366),
        ("clock.lead_in_minutes", table.clock.lead_in_minutes, 15, 1440),
        ("clock.speed", table.clock.speed, 1, 1_000_000),
        ("clock.play_at_once_minutes", table.clock.play_at_once_minutes, 0, 10_080),
        ("clock.begins_ms", table.clock.begins_ms, 0, _end_ms(table)),
        ("tariff.buy_back_micro", tariff.buy_back_micro, 0, 1_000_000_000),
        ("tariff.off_peak_micro", tariff.off_peak_micro, tariff.buy_back_micro, 1_000_000_000),
        ("tariff.on_peak_micro", tariff.on_peak_micro, tariff.off_peak_micro, 1_000_000_000),
        ("tariff.on_peak_to_hour", tariff.on_peak_to_hour, 0, 24),
        ("tariff.on_peak_from_hour", tariff.on_peak_from_hour, 0, tariff.on_peak_to_hour),
    ):
        yield from _outside(file, place, value, lowest, highest)
    for place, name in (("meters", table.meters), ("sky", table.sky)):
        if Path(name).name != name:  # so that a folder can be copied whole
            yield Fault(file, place, f"'{name}' is not a plain file name", "put the file beside scenario.toml")
    yield from _link_faults(file, table)
    if not table.site:
        yield Fault(file, "site", "there is none", "add at least one [[site]]")
    names: set[str] = set()
    for number, site in enumerate(table.site):
        if site.name in names:
            yield Fault(file, f"site[{number}].name", f"'{site.name}' is taken", "give each site its own name")
        names.add(site.name)
        yield from site_faults(file, f"site[{number}]", site)
    yield from _maker_faults(file, table, names)


def _maker_faults(file: Path, table: ScenarioTable, names: set[str]) -> Iterator[Fault]:
    programme = table.maker_programme
    if programme is not None:
        for key, value, lowest, highest in (
            ("spread_micro", programme.spread_micro, 1, 100_000_000),
            ("size_wh", programme.size_wh, 1, 1_000_000_000),
            ("presence_permille", programme.presence_permille, 1, 1_000),
            ("window_minutes", programme.window_minutes, 0, 2_880),
            ("rebate_permille", programme.rebate_permille, 0, 1_000),
            ("misses_max", programme.misses_max, 1, 255),
        ):
            yield from _outside(file, f"maker_programme.{key}", value, lowest, highest)
    elif table.maker:
        yield Fault(file, "maker_programme", "there is none", "say what makers do, or leave [[maker]] out")
    yield from _outside(file, "maker", len(table.maker), 0, MAKERS_PER_ZONE_MAX)
    for number, maker in enumerate(table.maker):
        place = f"maker[{number}]"
        if not _NAME.fullmatch(maker.name) or maker.name in names:
            yield Fault(file, f"{place}.name", f"'{maker.name}'", "give it a name of its own in small letters")
        names.add(maker.name)
        yield from _outside(file, f"{place}.licence_wh", maker.licence_wh, 1, 1_000_000_000)
        yield from _outside(file, f"{place}.money_watt", maker.money_watt, 0, _MONEY_WATT_MAX)
        yield from _outside(file, f"{place}.quote_wh", maker.quote_wh, 1, maker.licence_wh)
        yield from _outside(file, f"{place}.spread_micro", maker.spread_micro, 1, 100_000_000)
        yield from _outside(file, f"{place}.horizon_intervals", maker.horizon_intervals, 1, INTERVALS_PER_DAY)


def _link_faults(file: Path, table: ScenarioTable) -> Iterator[Fault]:
    """What is wrong with borders and limits of feeders, apart from places that do not exist."""
    seen: set[frozenset[str]] = set()
    for number, border in enumerate(table.border):
        place, ends = f"border[{number}]", frozenset((border.from_zone, border.to_zone))
        if ends in seen:
            yield Fault(file, place, f"{border.from_zone} and {border.to_zone} stand twice", "give both ways in one")
        seen.add(ends)
        yield from _outside(file, f"{place}.forward_w", border.forward_w, 0, _POWER_W_MAX)
        yield from _outside(file, f"{place}.backward_w", border.backward_w, 0, _POWER_W_MAX)
    for number, limit in enumerate(table.feeder_limit):
        yield from _outside(file, f"feeder_limit[{number}].out_w", limit.out_w, 0, _POWER_W_MAX)
        yield from _outside(file, f"feeder_limit[{number}].in_w", limit.in_w, 0, _POWER_W_MAX)


def _end_ms(table: ScenarioTable) -> int:
    return (first_interval(table.start) + table.days * INTERVALS_PER_DAY) * INTERVAL_MS


def _outside(file: Path, place: str, value: int, lowest: int, highest: int) -> Iterator[Fault]:
    if not lowest <= value <= highest:
        yield Fault(file, place, f"{value} is out of range", f"give {lowest} to {highest}")


def site_faults(file: Path, place: str, site: Site) -> Iterator[Fault]:
    """What is wrong with one site, apart from the others."""
    for key, name in (("name", site.name), ("participant", site.participant), ("feeder", site.feeder)):
        if (name or key != "feeder") and not _NAME.fullmatch(name):
            yield Fault(file, f"{place}.{key}", f"'{name}'", "use small letters, digits and single hyphens")
    yield from _outside(file, f"{place}.import_capacity_w", site.import_capacity_w, 1, _POWER_W_MAX)
    yield from _outside(file, f"{place}.money_watt", site.money_watt, 0, _MONEY_WATT_MAX)
    yield from _device_faults(file, place, site)
    yield from _outside(file, f"{place}.agent.horizon_intervals", site.agent.horizon_intervals, 1, INTERVALS_PER_DAY)
    if not isinstance(site.agent, RandomSettings):
        for key in ("caution_permille", "requote_price_permille", "requote_energy_permille"):
            yield from _outside(file, f"{place}.agent.{key}", getattr(site.agent, key), 0, 1000)


def _device_faults(file: Path, place: str, site: Site) -> Iterator[Fault]:
    kinds = [source.kind for source in site.sources]
    if len(kinds) != len(set(kinds)):
        yield Fault(file, f"{place}.sources", "a kind stands twice", "add up their capacities")
    for source in site.sources:
        if not 1 <= source.export_capacity_w <= _POWER_W_MAX:
            reason = f"{source.kind} has {source.export_capacity_w} W"
            yield Fault(file, f"{place}.sources", reason, f"give 1 to {_POWER_W_MAX}")
    if (site.battery is not None) != ("storage" in kinds):
        yield Fault(file, place, "a battery needs both `battery` and a source of kind storage", "add the other")
    if site.battery is not None:
        battery = site.battery
        fits = (
            1 <= battery.capacity_wh <= _POWER_W_MAX
            and 4 <= battery.power_w <= _POWER_W_MAX
            and 1 <= battery.round_trip_permille <= 1000
            and 0 <= battery.charge_at_start_wh <= battery.capacity_wh
        )
        if not fits:
            remedy = (
                "give a capacity and power above 0, a round trip of 1 to 1000 per mille and a charge from 0 to the "
                "capacity"
            )
            yield Fault(file, f"{place}.battery", "does not fit", remedy)
        if battery.alone and "solar" in kinds:
            yield Fault(file, f"{place}.battery.alone", "there are panels too", "leave `alone` or the panels out")
