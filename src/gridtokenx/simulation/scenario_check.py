"""All faults of a scenario folder at once, for `gridtokenx scenario check`."""

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec

from gridtokenx.simulation.meter_rows import meter_faults
from gridtokenx.simulation.scenario import (
    Fault,
    ScenarioError,
    ScenarioTable,
    Site,
    load_scenario,
    read_csv,
    read_toml,
    site_faults,
    sky_faults,
    table_faults,
    toml_of,
    type_fault,
)


def scenario_faults(path: Path) -> list[Fault]:
    """Everything wrong with a scenario, in the order of its files.

    Raises `ScenarioError` when its TOML cannot be read at all. With keys of a wrong type the meter rows are not
    looked at: which columns they need is not known then.
    """
    file = toml_of(path)
    raw = read_toml(file)
    faults = list(_type_faults(file, "", raw, ScenarioTable))
    table = None if faults else msgspec.convert(raw, ScenarioTable, strict=True)
    if table is not None:
        faults += table_faults(file, table)
    else:
        faults += _sound_sites(file, raw)
    sky = raw.get("sky")
    if isinstance(sky, str) and Path(sky).name == sky:
        faults += _of_sky(file.parent / sky)
    if not faults:
        faults += _of_meters(path)
    return faults


def _type_faults(file: Path, place: str, raw: dict[str, Any], kind: type[msgspec.Struct]) -> Iterator[Fault]:
    """Each key that is missing, unknown or of another type, in tables within tables too."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    dot = "." if place else ""
    for name in raw.keys() - fields.keys():
        error = msgspec.ValidationError(f"Object contains unknown field `{name}`")
        yield type_fault(file, place, error)
    for name, field in fields.items():
        where = f"{place}{dot}{name}"
        if name not in raw:
            if field.required:
                yield type_fault(file, place, msgspec.ValidationError(f"Object missing required field `{name}`"))
            continue
        yield from _value_faults(file, where, raw[name], field.type)


def _value_faults(file: Path, where: str, value: Any, kind: Any) -> Iterator[Fault]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
        yield from _type_faults(file, where, value, kind)
        return
    arguments = get_args(kind)
    if get_origin(kind) is tuple and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _value_faults(file, f"{where}[{number}]", item, arguments[0])
        return
    if isinstance(kind, UnionType) and type(None) in arguments and len(arguments) == 2:
        yield from _value_faults(file, where, value, next(kind for kind in arguments if kind is not type(None)))
        return
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        yield type_fault(file, where, error)


def _sound_sites(file: Path, raw: dict[str, Any]) -> Iterator[Fault]:
    """Faults of the sites whose types are right, when something else's are not."""
    sites = raw.get("site")
    for number, site in enumerate(sites if isinstance(sites, list) else []):
        try:
            sound = msgspec.convert(site, Site, strict=True)
        except msgspec.ValidationError:
            continue
        yield from site_faults(file, f"site[{number}]", sound)


def _of_sky(path: Path) -> Iterator[Fault]:
    try:
        yield from sky_faults(path, read_csv(path)[1:])
    except ScenarioError as error:
        yield _plain(path, error)


def _of_meters(path: Path) -> Iterator[Fault]:
    scenario = load_scenario(path)
    try:
        yield from meter_faults(scenario, read_csv(scenario.meters_path))
    except ScenarioError as error:
        yield _plain(scenario.meters_path, error)


def _plain(path: Path, error: ScenarioError) -> Fault:
    reason, _, remedy = str(error).removeprefix(f"{path}: ").rpartition("; ")
    return Fault(path, "", reason, remedy)
