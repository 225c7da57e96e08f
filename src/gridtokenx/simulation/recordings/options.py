"""What the owner of the recordings told: each setting for all, or for the files and columns that it names."""

from datetime import date
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from gridtokenx.simulation.recordings.findings import RecordingError

GAP_POLICIES = ("short", "reject", "zero", "hold", "like-day")
DUPLICATE_POLICIES = ("leave-out", "first", "last")
SUSPECT_POLICIES = ("keep", "leave-out")
ROLES = ("load", "pv", "import", "export", "net")
UNITS = ("W", "kW", "MW", "Wh", "kWh", "MWh", "Wh-register", "kWh-register", "MWh-register", "share", "W/kW")
"""Mean power in the interval, energy in the interval, a meter that counts up, parts of the rated power."""


class Setting(NamedTuple):
    """`KEY=VALUE`; without a key it holds for everything."""

    key: str
    value: str


class RoleSetting(NamedTuple):
    """A column is told to be what a site's meter measures; without a site its name says which."""

    role: str
    site: str
    column: str


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that flags can tell. Empty: look at the data, and ask where they do not say."""

    encoding: tuple[Setting, ...] = ()
    delimiter: tuple[Setting, ...] = ()
    decimal: tuple[Setting, ...] = ()
    date_order: tuple[Setting, ...] = ()
    time_column: tuple[Setting, ...] = ()
    meter_column: tuple[Setting, ...] = ()
    start: tuple[Setting, ...] = ()
    interval: tuple[Setting, ...] = ()
    stamp: tuple[Setting, ...] = ()
    timezone: tuple[Setting, ...] = ()
    clock: tuple[Setting, ...] = ()
    unit: tuple[Setting, ...] = ()
    rated: tuple[Setting, ...] = ()
    roles: tuple[RoleSetting, ...] = ()
    ignore: tuple[str, ...] = ()

    sites: tuple[Setting, ...] = ()
    keep_names: bool = False
    gaps: str = "short"
    duplicates: str = "leave-out"
    suspect: str = "keep"
    first_day: date | None = None
    days: int | None = None
    history_days: int | None = None
    pv_capacity: tuple[Setting, ...] = ()
    import_capacity: tuple[Setting, ...] = ()
    battery: tuple[Setting, ...] = ()
    money: tuple[Setting, ...] = ()
    agent: tuple[Setting, ...] = ()
    zone: str = ""
    feeder: str = ""
    holidays: tuple[date, ...] = ()


def told(settings: tuple[Setting, ...], *names: str) -> str | None:
    """The last setting whose key fits one of the names (`*` and `?` stand for anything), else the last without."""
    for setting in reversed(settings):
        if setting.key and any(fnmatchcase(name, setting.key) for name in names):
            return setting.value
    return next((setting.value for setting in reversed(settings) if not setting.key), None)


def one_of(value: str, choices: tuple[str, ...], flag: str) -> str:
    """The choice, in its own spelling. Raises `RecordingError` that lists the choices."""
    for choice in choices:
        if value.casefold() == choice.casefold():
            return choice
    raise RecordingError(f"{flag}: '{value}' is not known; give one of {', '.join(choices)}")
