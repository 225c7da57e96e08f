"""How scenarios and recordings look on a screen: tables, one line of blocks for a day, what was understood."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gridtokenx.cli.values import delivery

if TYPE_CHECKING:
    from pathlib import Path

    from gridtokenx.simulation.meter_rows import MeterRows
    from gridtokenx.simulation.recordings.convert import Draft, Understanding
    from gridtokenx.simulation.recordings.findings import Finding, Trouble
    from gridtokenx.simulation.scenario import Scenario, Site

BLOCKS = " ▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = " .:-=+*#@"
INTERVALS_PER_DAY = 96
DAYS_SHOWN = 31
TROUBLES_SHOWN = 14
SERIES_SHOWN = 30


def day_line(values: Sequence[int], highest: int, blocks: str) -> str:
    """One character for each half hour, by its mean against the highest quarter."""
    halves = [sum(values[at : at + 2]) for at in range(0, len(values), 2)]
    top = len(blocks) - 1
    return "".join(blocks[min(top, -(-half * top // (2 * highest)))] if highest and half else " " for half in halves)


def site_facts(scenario: "Scenario", site: "Site", rows: "MeterRows") -> dict[str, Any]:
    """What `scenario show` says of a site, energies in Wh of the days of delivery."""
    week = slice(scenario.history_intervals, None)
    load, sun = rows.load_wh[week], rows.pv_wh[week]
    return {
        "site": site.name,
        "zone": scenario.place_of(site).zone,
        "feeder": scenario.place_of(site).feeder,
        "agent": type(site.agent).__struct_config__.tag,
        "import_capacity_w": site.import_capacity_w,
        "pv_capacity_w": site.export_capacity_w("solar"),
        "battery_wh": site.battery.capacity_wh if site.battery is not None else 0,
        "load_wh": sum(load),
        "pv_wh": sum(sun),
        "surplus_wh": sum(max(0, made - used) for made, used in zip(sun, load, strict=True)),
        "load_peak_w": max(load, default=0) * 4,
        "pv_peak_w": max(sun, default=0) * 4,
    }


def scenario_facts(scenario: "Scenario", folder: "Path", rows: "dict[str, MeterRows]") -> dict[str, Any]:
    """A scenario as plain data; days are those of delivery."""
    sites = [site_facts(scenario, site, rows[site.name]) for site in scenario.sites]
    days = (scenario.end_interval - scenario.first_interval) // INTERVALS_PER_DAY
    daily = []
    for number in range(days):
        at = scenario.history_intervals + number * INTERVALS_PER_DAY
        span = slice(at, at + INTERVALS_PER_DAY)
        daily.append(
            {
                "date": delivery(scenario.first_interval + number * INTERVALS_PER_DAY)[:10],
                "load_wh": sum(sum(row.load_wh[span]) for row in rows.values()),
                "pv_wh": sum(sum(row.pv_wh[span]) for row in rows.values()),
            }
        )
    return {
        "name": scenario.name,
        "description": " ".join(scenario.description.split()),
        "folder": str(folder),
        "zone": scenario.zone,
        "feeder": scenario.feeder,
        "zones": list(dict.fromkeys(place.zone for place in scenario.places)),
        "borders": [to_builtins(border) for border in scenario.borders],
        "feeder_limits": [to_builtins(limit) for limit in scenario.feeder_limits],
        "start": delivery(scenario.first_interval)[:10],
        "days": days,
        "history_days": scenario.history_intervals // INTERVALS_PER_DAY,
        "sites": sites,
        "daily": daily,
    }


def print_scenario(console: Console, facts: dict[str, Any], rows: "dict[str, MeterRows]") -> None:
    zones = ", ".join(facts["zones"])
    where = f"zone {zones}" if len(facts["zones"]) == 1 else f"zones {zones}"
    console.print(f"[bold]{facts['name']}[/]  {facts['start']}, {facts['days']} days, {where}", soft_wrap=True)
    console.print(facts["description"], markup=False, highlight=False)
    table = Table(title="Energies of all days in kWh", title_justify="left")
    table.add_column("site", no_wrap=True)
    for heading in ("load", "PV", "surplus", "peak kW", "PV kW", "battery"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("agent")
    for site in facts["sites"]:
        table.add_row(site["site"], *_site_cells(site), site["agent"])
    table.add_section()
    names = ("load_wh", "pv_wh", "surplus_wh", "load_peak_w", "pv_capacity_w", "battery_wh")
    summed = {name: sum(site[name] for site in facts["sites"]) for name in names}
    table.add_row("all", *_site_cells(summed), "", style="bold")
    console.print(table)
    for border in facts["borders"]:
        ways = f"{border['forward_w'] / 1_000:g} kW, back {border['backward_w'] / 1_000:g} kW"
        console.print(f"{border['from_zone']} to {border['to_zone']}: {ways}", highlight=False)
    for limit in facts["feeder_limits"]:
        ways = f"out {limit['out_w'] / 1_000:g} kW, in {limit['in_w'] / 1_000:g} kW"
        console.print(f"feeder {limit['feeder']} ({limit['zone']}): {ways}", highlight=False)
    _print_days(console, facts, rows)


def _site_cells(site: dict[str, Any]) -> tuple[str, ...]:
    names = ("load_wh", "pv_wh", "surplus_wh", "load_peak_w", "pv_capacity_w", "battery_wh")
    return tuple(f"{site[name] / 1_000:,.1f}" if site[name] else "" for name in names)


def _print_days(console: Console, facts: dict[str, Any], rows: "dict[str, MeterRows]") -> None:
    """Load and PV of all sites, a line each and a character for each half hour."""
    utf = "utf" in (console.encoding or "").casefold()
    blocks = BLOCKS if utf else PLAIN_BLOCKS
    load = [sum(values) for values in zip(*(row.load_wh for row in rows.values()), strict=True)]
    sun = [sum(values) for values in zip(*(row.pv_wh for row in rows.values()), strict=True)]
    begin = facts["history_days"] * INTERVALS_PER_DAY
    highest = max((*load[begin:], *sun[begin:]), default=0)
    for number, day in enumerate(islice(facts["daily"], DAYS_SHOWN)):
        span = slice(begin + number * INTERVALS_PER_DAY, begin + (number + 1) * INTERVALS_PER_DAY)
        for name, values, energy, style in (
            ("load", load, day["load_wh"], "cyan"),
            ("PV", sun, day["pv_wh"], "yellow"),
        ):
            if name == "PV" and not any(sun[begin:]):
                continue
            label = day["date"] if name == "load" else ""
            line = Text(f"{label:<10} {name:<4} ")
            line.append(day_line(values[span], highest, blocks), style)
            line.append(f" {energy / 1_000:>9,.1f} kWh")
            console.print(line, no_wrap=True, overflow="crop")
    if facts["days"] > DAYS_SHOWN:
        console.print(f"… and {facts['days'] - DAYS_SHOWN} more days; --json has them all.")
    console.print(f"A character is half an hour; the highest one is {highest * 4 / 1_000:,.1f} kW.", highlight=False)


def print_understanding(console: Console, understood: "Understanding") -> None:
    """What was understood of each file, and why."""
    per_column = {"role", "unit", "not used"}
    for table in understood.tables:
        name = table.source.name
        console.print(Text(name, "bold"))
        for finding in understood.findings:
            if finding.file == name and finding.what not in per_column and finding.sure:
                _print_finding(console, finding)
        unused = [finding for finding in understood.findings if finding.file == name and finding.what == "not used"]
        for finding in islice(unused, 6):
            console.print(f"  column '{finding.place}' is not used: {finding.evidence}", markup=False, highlight=False)
        if len(unused) > 6:
            console.print(f"  … and {len(unused) - 6} more columns are not used")
    view = Table("column", "is", "of site", "in", "because", title="Series", title_justify="left")
    why = {(f.file, f.place, f.what): f.evidence for f in understood.findings if f.what in per_column}
    for meaning in understood.meanings[:SERIES_SHOWN]:
        key = meaning.table.source.name, meaning.channel.name
        reasons = dict.fromkeys(filter(None, (why.get((*key, "role")), why.get((*key, "unit")))))
        cells = (meaning.channel.name, meaning.role, meaning.site, meaning.unit, "; ".join(reasons))
        view.add_row(*(Text(cell) for cell in cells))
    console.print(view)
    if len(understood.meanings) > SERIES_SHOWN:
        console.print(f"… and {len(understood.meanings) - SERIES_SHOWN} more series")


def _print_finding(console: Console, finding: "Finding") -> None:
    column = f" of '{finding.place}'" if finding.place else ""
    line = f"  {finding.what}{column}: {finding.value} ({finding.evidence})"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_troubles(console: Console, troubles: "Sequence[Trouble]", everything: bool) -> None:
    """How often each kind, and its first places; with `everything` each line of the report."""
    groups: defaultdict[str, list[Trouble]] = defaultdict(list)
    for trouble in troubles:
        groups[trouble.kind].append(trouble)
    if not groups:
        console.print("Nothing is missing, doubled or impossible.")
        return
    console.print("[bold]Quality[/]")
    each = len(troubles) if everything else max(1, TROUBLES_SHOWN // len(groups))
    for kind, found in groups.items():
        console.print(f"  {kind}: {sum(trouble.times for trouble in found):,}", highlight=False)
        for trouble in found[:each]:
            console.print(f"    {trouble}".rstrip(), markup=False, highlight=False, soft_wrap=True)
        if len(found) > each:
            console.print(f"    … and {len(found) - each} more places", highlight=False)


def print_draft(console: Console, draft: "Draft") -> None:
    """The scenario as it will be, with the first rows that hold something."""
    document = draft.document
    start, days = document["start"], document["days"]
    last = start + timedelta(days=days - 1)
    console.print(
        f"[bold]{document['name']}[/]: {len(draft.names)} sites, deliveries on {days} days from {start} to {last}, "
        f"{document['history_days']} days of history before, zone {document['zone']}",
        highlight=False,
    )
    table = Table("site", "load kWh", "PV kWh", "connection kW", "PV kW", "battery kWh", "money")
    for column in table.columns[1:]:
        column.justify = "right"
    before = document["history_days"] * INTERVALS_PER_DAY
    for site in document["site"]:
        solar = sum(s["export_capacity_w"] for s in site.get("sources", []) if s["kind"] == "solar")
        energies = (sum(draft.columns.get(f"{site['name']}.{kind}_wh", [])[before:]) for kind in ("load", "pv"))
        battery = site["battery"]["capacity_wh"] if "battery" in site else 0
        cells = [*energies, site["import_capacity_w"], solar, battery]
        table.add_row(
            site["name"], *(f"{cell / 1_000:,.1f}" if cell else "" for cell in cells), f"{site['money_watt']:,}"
        )
    console.print(table)
    for finding in islice(draft.findings, 12):
        _print_finding(console, finding)
    if len(draft.findings) > 12:
        console.print(f"  … and {len(draft.findings) - 12} more")
    for note in draft.notes:
        console.print(note, style="yellow", highlight=False)


def print_first_rows(console: Console, draft: "Draft", rows: int = 3) -> None:
    """The first quarters of each series as they were read, with their lines."""
    console.print("[bold]First rows as read[/] (Bangkok time of their begin)")
    for recording in draft.recordings[:8]:
        quarters, source = recording.quarters, recording.meaning.table.source
        shown = _first(quarters.energy_uwh, rows)
        readings = ", ".join(
            f"line {quarters.lines[quarter]}: {delivery(quarter)} {quarters.energy_uwh[quarter] / 1e6:g} Wh"
            for quarter in shown
        )
        line = f"  {source.name} '{recording.meaning.channel.name}': {readings or 'no whole quarter'}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _first(energy_uwh: dict[int, int], rows: int) -> Iterable[int]:
    """From the first quarter that holds something on; PV begins at night."""
    ordered = sorted(energy_uwh)
    begin = next((at for at, quarter in enumerate(ordered) if energy_uwh[quarter]), 0)
    return ordered[begin : begin + rows]
