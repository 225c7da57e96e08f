"""The table of meter rows beside a scenario: read strictly, every fault with its line.

Only `community.Community` may hold what this file reads: the rows are the future.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from gridtokenx.simulation.scenario import Fault, Scenario, ScenarioError, read_csv
from gridtokenx.simulation.tariff_view import INTERVALS_PER_HOUR, first_interval

_TIME = "interval_start"


class MeterRows(NamedTuple):
    """Whole Wh of each quarter, from the first one of history to the last one."""

    load_wh: tuple[int, ...]
    pv_wh: tuple[int, ...]


def read_meter_rows(scenario: Scenario) -> dict[str, MeterRows]:
    """The rows by site name. Raises `ScenarioError` for the first fault."""
    table = read_csv(scenario.meters_path)
    for fault in meter_faults(scenario, table):
        raise ScenarioError(str(fault))
    header = table[0]
    columns = {name: tuple(int(row[at]) for row in table[1:]) for at, name in enumerate(header) if name != _TIME}
    return {
        site.name: MeterRows(
            columns[f"{site.name}.load_wh"], columns.get(f"{site.name}.pv_wh", (0,) * (len(table) - 1))
        )
        for site in scenario.sites
    }


def meter_faults(scenario: Scenario, table: list[list[str]]) -> Iterator[Fault]:
    """What is wrong with the rows of a table; for each column its first bad cell, and how many more there are."""
    path = scenario.meters_path
    header = table[0] if table else []
    wanted = {_TIME, *_limits_wh(scenario)}
    odd = sorted(wanted ^ set(header)) or ([] if len(header) == len(wanted) else sorted(header)[:1])
    for name in odd:
        reason = f"column '{name}' is missing, doubled or unknown"
        yield Fault(path, "line 1", reason, "give exactly those of the sites")
    first = scenario.first_interval - scenario.history_intervals
    needed = scenario.end_interval - first
    if len(table) - 1 != needed:
        reason = f"has {max(0, len(table) - 1)} rows below the header"
        yield Fault(path, "", reason, f"give the {needed} of history and days")
    for line, row in enumerate(table[1:], start=2):
        if len(row) != len(header):
            remedy = "complete that row"
            yield Fault(path, f"line {line}", f"has {len(row)} cells, the header has {len(header)}", remedy)
            return
    if odd:
        return
    yield from _time_faults(scenario, table, header.index(_TIME), first)
    for name, (limit_wh, capacity_w) in _limits_wh(scenario).items():
        yield from _cell_faults(scenario, table, name, limit_wh, capacity_w)


def _limits_wh(scenario: Scenario) -> dict[str, tuple[int, int]]:
    """For each column the most that a quarter may hold, and the capacity that says so."""
    limits = {}
    for site in scenario.sites:
        # A battery that stands alone has no load beside it.
        load_w = 0 if site.battery and site.battery.alone else site.import_capacity_w
        limits[f"{site.name}.load_wh"] = (load_w // INTERVALS_PER_HOUR, load_w)
        pv_w = site.export_capacity_w("solar")
        if pv_w:
            limits[f"{site.name}.pv_wh"] = (pv_w // INTERVALS_PER_HOUR, pv_w)
    return limits


def _time_faults(scenario: Scenario, table: list[list[str]], position: int, first: int) -> Iterator[Fault]:
    path = scenario.meters_path
    for number, row in enumerate(table[1:]):
        place = f"line {number + 2}: column '{_TIME}'"
        try:
            interval = _interval_of_stamp(row[position])
        except ValueError as error:
            yield Fault(path, place, str(error), "correct that cell")
            return
        if interval != first + number:
            reason = f"'{row[position]}' is not the next quarter from history to the last day"
            yield Fault(path, place, reason, "give each once, in order")
            return


def _interval_of_stamp(stamp: str) -> int:
    moment = datetime.fromisoformat(stamp)
    if moment.minute % 15 or moment.second or moment.microsecond or moment.tzinfo is not None:
        raise ValueError(f"'{stamp}' does not start a quarter of an hour of Bangkok time")
    return first_interval(moment.date()) + moment.hour * INTERVALS_PER_HOUR + moment.minute // 15


def _cell_faults(
    scenario: Scenario, table: list[list[str]], name: str, limit_wh: int, capacity_w: int
) -> Iterator[Fault]:
    position = table[0].index(name)
    bad: list[tuple[int, str]] = []
    for line, row in enumerate(table[1:], start=2):
        try:
            value = int(row[position]) if len(row[position]) < 20 else -1
        except ValueError as error:
            bad.append((line, str(error)))
            continue
        if not 0 <= value <= limit_wh:
            reason = f"{row[position][:20]} is below 0 or above the {limit_wh} Wh that {capacity_w} W give in a quarter"
            bad.append((line, reason))
    if bad:
        line, reason = bad[0]
        more = f" (and {len(bad) - 1} more in this column)" if len(bad) > 1 else ""
        remedy = "correct it or the site's capacity"
        yield Fault(scenario.meters_path, f"line {line}: column '{name}'", reason + more, remedy)
