"""The way from files to a scenario: `understand` the files, `draft` the scenario, then `folder.write` it."""

from collections.abc import Sequence
from datetime import date
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from gridtokenx.simulation.genesis import ZONES
from gridtokenx.simulation.recordings.clock import FileClock, place_rows, read_clock
from gridtokenx.simulation.recordings.devices import Needs, check_keys, site_names, site_table, told_capacities
from gridtokenx.simulation.recordings.findings import Finding, RecordingError, Trouble
from gridtokenx.simulation.recordings.layout import Table, read_table
from gridtokenx.simulation.recordings.meaning import Meaning, is_register, read_meanings
from gridtokenx.simulation.recordings.options import Options, told
from gridtokenx.simulation.recordings.repair import Line, day_text, first_of, lines_of, peak_w, repair, whole_days
from gridtokenx.simulation.recordings.series import Quarters, Recording, record
from gridtokenx.simulation.recordings.sites import build_sites, pairing_questions
from gridtokenx.simulation.recordings.tariff import clock_table, tariff_table
from gridtokenx.simulation.recordings.text import read_source
from gridtokenx.simulation.recordings.times import read_times
from gridtokenx.simulation.recordings.window import Window, choose_window
from gridtokenx.simulation.scenario import SkyTable
from gridtokenx.simulation.tariff_view import bangkok_day

FILES_MAX = 400


class Understanding(NamedTuple):
    """What was understood of the files. Nothing may be drafted while a finding is unsure."""

    tables: list[Table]
    clocks: list[FileClock]
    meanings: list[Meaning]
    findings: list[Finding]

    @property
    def unsure(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.sure]


class Draft(NamedTuple):
    """A scenario that is not written yet: `document` is its TOML, `columns` its meter rows in whole Wh."""

    document: dict[str, Any]
    window: Window
    names: dict[str, str]
    columns: dict[str, list[int]]
    recordings: list[Recording]
    findings: list[Finding]
    troubles: list[Trouble]
    notes: list[str]


def understand(paths: Sequence[Path], options: Options) -> Understanding:
    """Look at every file. Raises `RecordingError` for what no flag can settle."""
    if not 1 <= len(paths) <= FILES_MAX:
        raise RecordingError(f"give 1 to {FILES_MAX} files")
    if len({path.name for path in paths}) < len(paths):
        raise RecordingError("two files have the same name; rename one: flags and reports name files")
    tables: list[Table] = []
    clocks: list[FileClock] = []
    meanings: list[Meaning] = []
    findings: list[Finding] = []
    for number, path in enumerate(paths, start=1):
        encoding, delimiter = told(options.encoding, path.name), told(options.delimiter, path.name)
        source = read_source(path, f"file-{number}", encoding, delimiter)
        times = read_times(source, options)
        table = read_table(source, times, options)
        found, of_channels = read_meanings(table, options)
        clock = read_clock(table, options, bool(found) and all(is_register(meaning.unit) for meaning in found))
        tables.append(table)
        clocks.append(clock)
        meanings += found
        findings += [*source.findings, *times.findings, *table.findings, *clock.findings, *of_channels]
    if not any(finding.what == "role" and not finding.sure for finding in findings):
        findings += pairing_questions(meanings, options)
    return Understanding(tables, clocks, meanings, findings)


def draft(
    understood: Understanding, options: Options, name: str, sky: SkyTable, like: dict[str, Any] | None = None
) -> Draft:
    """The scenario of what was understood. `like` is the TOML of a scenario whose tariff, clock and sites of the same
    names are taken over. Raises `RecordingError`, and ValueError while findings are unsure.
    """
    if understood.unsure:
        raise ValueError("findings are not sure")
    recordings, troubles = _record(understood, options)
    sites, findings, of_sites = build_sites(recordings, options)
    troubles += of_sites
    names = site_names([site.key for site in sites], options)
    check_keys(options, names)
    lines: dict[tuple[str, str], Line] = {}
    for site in sites:
        for line in lines_of(site, told_capacities(options, names[site.key], site.key)):
            lines[site.key, line.kind], mended = repair(line, sky, options)
            troubles += mended
    days_of = {
        site.key: set.intersection(*(whole_days(line.quarters) for line in lines.values() if line.site == site.key))
        for site in sites
    }
    seen = {bangkok_day(quarter) for line in lines.values() for quarter in line.quarters.energy_uwh}
    window, of_window = choose_window(days_of, seen, options)
    troubles += of_window
    kept = {key: fixed for key, fixed in names.items() if key in window.sites}
    if not (options.keep_names or options.sites):
        kept = site_names(list(kept), options)  # pseudonyms without holes
    columns = _columns(lines, window, kept)
    tariff, notes = tariff_table(window, options, like)
    tables, of_devices = _site_tables(lines, window, kept, understood.meanings, options, tariff, like)
    document = _document(name, options, window, tariff, tables, like)
    troubles = list(dict.fromkeys(troubles))  # a plant without load has its gaps twice
    return Draft(document, window, kept, columns, recordings, [*findings, *of_devices], troubles, notes)


def _record(understood: Understanding, options: Options) -> tuple[list[Recording], list[Trouble]]:
    """Every used channel; troubles of a file's times are told once, not for each of its columns."""
    troubles: list[Trouble] = [trouble for table in understood.tables for trouble in table.troubles]
    clocks = {table.source.name: clock for table, clock in zip(understood.tables, understood.clocks, strict=True)}
    recordings: list[Recording] = []
    placed: dict[int, list[int | None]] = {}  # by the identity of the times, which the columns of a table share
    for meaning in understood.meanings:
        channel, file = meaning.channel, meaning.table.source.name
        if id(channel.walls) not in placed:
            placed[id(channel.walls)], found = place_rows(clocks[file], channel, file)
            troubles += found
        recording, found = record(meaning, clocks[file], placed[id(channel.walls)], options.duplicates)
        recordings.append(recording)
        troubles += found
    return recordings, list(dict.fromkeys(troubles))


def _columns(lines: dict[tuple[str, str], Line], window: Window, names: dict[str, str]) -> dict[str, list[int]]:
    """Whole Wh of each quarter of the window. What is below a Wh goes to the quarters after, so sums stay."""
    quarters = range(first_of(window.first_day), first_of(window.end_day))
    columns: dict[str, list[int]] = {}
    for key, name in names.items():
        for kind in ("load", "pv"):
            line = lines.get((key, kind))
            if line is not None:
                sums = [0, *accumulate(line.quarters.energy_uwh[quarter] for quarter in quarters)]
                whole = [total // 1_000_000 for total in sums]
                columns[f"{name}.{kind}_wh"] = [b - a for a, b in pairwise(whole)]
    return columns


def _within(quarters: Quarters, first_day: int, end_day: int) -> Quarters:
    reach = range(first_of(first_day), first_of(end_day))
    return Quarters({quarter: quarters.energy_uwh[quarter] for quarter in reach}, {})


def _site_tables(
    lines: dict[tuple[str, str], Line],
    window: Window,
    names: dict[str, str],
    meanings: list[Meaning],
    options: Options,
    tariff: dict[str, Any],
    like: dict[str, Any] | None,
) -> tuple[list[dict[str, Any]], list[Finding]]:
    known = {site["name"]: site for site in (like or {}).get("site", [])}
    tables: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for number, (key, name) in enumerate(names.items(), start=1):
        if name in known:
            tables.append(known[name])
            findings.append(Finding("site", "", name, "as in the other scenario", "--like has a site of this name"))
            continue
        load = _within(lines[key, "load"].quarters, window.first_day, window.end_day)
        sold = _within(lines[key, "load"].quarters, window.start_day, window.end_day)
        pv = lines.get((key, "pv"))
        pv_peak = peak_w(_within(pv.quarters, window.first_day, window.end_day)) if pv is not None else None
        rated = sum(m.rated_w or 0 for m in meanings if m.site.casefold() == key and m.role == "pv")
        days = window.end_day - window.start_day
        needs = Needs(peak_w(load), pv_peak, sum(sold.energy_uwh.values()) // 1_000_000, days)
        table, found = site_table(name, number, key, needs, options, rated or None, tariff["on_peak_micro"])
        tables.append(table)
        findings += found
    return tables, findings


def _document(
    name: str,
    options: Options,
    window: Window,
    tariff: dict[str, Any],
    sites: list[dict[str, Any]],
    like: dict[str, Any] | None,
) -> dict[str, Any]:
    days = window.end_day - window.start_day
    before = window.start_day - window.first_day
    other = like or {}
    zone = options.zone or other.get("zone", "Bangkok")
    if zone not in ZONES:
        raise RecordingError(f"--zone: '{zone}' is no zone; give one of {', '.join(ZONES)}")
    return {
        "name": name,
        "description": f"{len(sites)} metered sites from {day_text(window.start_day)}, {days} days. See NOTICE.",
        "zone": zone,
        "feeder": options.feeder or other.get("feeder", f"{zone.casefold()}-1"),
        "start": date.fromisoformat(day_text(window.start_day)),
        "days": days,
        "history_days": before,
        "meters": "meters.csv",
        "sky": "sky.csv",
        "development_seed": other.get("development_seed") or other.get("name") or name,
        "clock": clock_table(like),
        "tariff": tariff,
        "site": sites,
    }
