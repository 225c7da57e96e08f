"""`gridtokenx scenario`: a community out of one's own meters; list, show and check what there is."""

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.console import err, folder_failures, out, print_json, refuse, write_new
from gridtokenx.cli.options import AsJson

if TYPE_CHECKING:
    from gridtokenx.simulation.recordings.convert import Draft, Understanding
    from gridtokenx.simulation.recordings.options import Options, RoleSetting, Setting

app = typer.Typer(
    help="Communities to simulate: make one of your own meters, list, show and check.", no_args_is_help=True
)

Texts = list[str] | None
_FILE = "[FILE=]VALUE"
_COLUMN = "[SITE=]COLUMN"
_SITE = "[SITE=]VALUE"


def _reading(text: str, form: str, help_text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        text, metavar=form, help=help_text, rich_help_panel="Reading the files"
    )
    return option


def _making(text: str, form: str, help_text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(text, metavar=form, help=help_text, rich_help_panel="Sites")
    return option


@app.command("from-csv")
def from_csv(
    files: Annotated[list[Path], typer.Argument(help="CSV exports of meters and inverters; also gzipped.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new folder.")] = Path("my-community"),
    force: Annotated[bool, typer.Option("--force", help="Replace a scenario that is there.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; accepts what is sure, and nothing else.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written; write nothing.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show every line of the report of quality.")] = False,
    load: Annotated[Texts, _reading("--load", _COLUMN, "A column that is load; * stands for anything.")] = None,
    pv: Annotated[Texts, _reading("--pv", _COLUMN, "A column that is PV.")] = None,
    imported: Annotated[Texts, _reading("--import", _COLUMN, "What a meter took from the grid.")] = None,
    exported: Annotated[Texts, _reading("--export", _COLUMN, "What a meter gave to the grid.")] = None,
    net: Annotated[Texts, _reading("--net", _COLUMN, "Import less export in one column.")] = None,
    ignore: Annotated[Texts, _reading("--ignore", "COLUMN", "A column to leave out.")] = None,
    unit: Annotated[
        Texts, _reading("--unit", "[COLUMN=]UNIT", "W kW MW Wh kWh MWh, kWh-register (counts up), share, W/kW.")
    ] = None,
    rated: Annotated[Texts, _reading("--rated", "[COLUMN=]4kW", "Rated power behind share and W/kW.")] = None,
    interval: Annotated[Texts, _reading("--interval", _FILE, "5min, 15min, 30min, 60min.")] = None,
    timezone: Annotated[Texts, _reading("--timezone", _FILE, "Asia/Bangkok, UTC, +07:00, Europe/Berlin.")] = None,
    stamp: Annotated[Texts, _reading("--stamp", _FILE, "Whether times name the begin or the end.")] = None,
    clock: Annotated[
        Texts, _reading("--clock", _FILE, "Elsewhere's times: local keeps the hour, instant the moment; or a zone.")
    ] = None,
    day_first: Annotated[bool, typer.Option("--day-first", help="03/04 is 3 April.")] = False,
    month_first: Annotated[bool, typer.Option("--month-first", help="03/04 is 4 March.")] = False,
    start: Annotated[Texts, _reading("--start", _FILE, "Rows have no dates: begin of the first one.")] = None,
    time: Annotated[Texts, _reading("--time", "[FILE=]COLUMN", "The column of the times.")] = None,
    meter: Annotated[Texts, _reading("--meter", "[FILE=]COLUMN", "The column that says whose a row is.")] = None,
    encoding: Annotated[Texts, _reading("--encoding", _FILE, "utf-8, utf-16, cp874, latin-1.")] = None,
    delimiter: Annotated[Texts, _reading("--delimiter", _FILE, "comma, semicolon, tab, pipe.")] = None,
    decimal: Annotated[Texts, _reading("--decimal", _FILE, "point or comma.")] = None,
    gaps: Annotated[
        str, typer.Option("--gaps", help="short (fills up to an hour by like days), reject, zero, hold, like-day.")
    ] = "short",
    duplicates: Annotated[
        str, typer.Option("--duplicates", help="Same time, other value: leave-out, first, last.")
    ] = "leave-out",
    suspect: Annotated[
        str, typer.Option("--suspect", help="Spikes, frozen runs, PV at night: keep or leave-out.")
    ] = "keep",
    first_day: Annotated[str, typer.Option("--first-day", help="First day to take, 2023-03-20.")] = "",
    days: Annotated[int | None, typer.Option("--days", min=1, max=366, help="Days of delivery.")] = None,
    history_days: Annotated[int | None, typer.Option("--history-days", min=0, max=366, help="Days before.")] = None,
    site: Annotated[Texts, _making("--site", "KEY[=NAME]", "Take only these; NAME instead of a pseudonym.")] = None,
    keep_names: Annotated[bool, typer.Option("--keep-names", help="Sites keep the names of the files.")] = False,
    battery: Annotated[Texts, _making("--battery", "[SITE=]10kWh/5kW[/90%]", "A simulated battery.")] = None,
    pv_capacity: Annotated[Texts, _making("--pv-capacity", "[SITE=]5kW", "Else its highest quarter.")] = None,
    import_capacity: Annotated[Texts, _making("--import-capacity", "[SITE=]15kW", "Else the next meter size.")] = None,
    money: Annotated[Texts, _making("--money", _SITE, "WATT at the start; else enough for all of the load.")] = None,
    agent: Annotated[Texts, _making("--agent", _SITE, "Who trades for it: patient, random, ….")] = None,
    zone: Annotated[str, typer.Option("--zone", help="Zone of the market; Bangkok by default.")] = "",
    feeder: Annotated[str, typer.Option("--feeder", help="Name of the feeder.")] = "",
    holiday: Annotated[Texts, typer.Option("--holiday", help="A day that is off-peak all day, 2019-01-01.")] = None,
    like: Annotated[str, typer.Option("--like", help="Take tariff, clock, sky and sites of this scenario.")] = "",
    sky: Annotated[Path | None, typer.Option("--sky", help="Another sky table.")] = None,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="Write which name stands for which meter (private, mode 0600).")
    ] = None,
) -> None:
    """Make a scenario of your own recordings. Nothing is guessed silently: what the files do not say is asked, or
    named with the flag that says it."""
    from gridtokenx.simulation.recordings.folder import check_target
    from gridtokenx.simulation.recordings.options import DUPLICATE_POLICIES, GAP_POLICIES, SUSPECT_POLICIES, Options
    from gridtokenx.simulation.recordings.options import one_of as one

    if day_first and month_first:
        raise typer.BadParameter("give only one of --day-first and --month-first")
    roles = [*_roles("load", load), *_roles("pv", pv), *_roles("import", imported)]
    roles += [*_roles("export", exported), *_roles("net", net)]
    order = _settings(["dmy"] if day_first else ["mdy"] if month_first else None)
    with folder_failures():
        options = Options(
            encoding=_settings(encoding),
            delimiter=_settings(delimiter),
            decimal=_settings(decimal),
            date_order=order,
            time_column=_settings(time),
            meter_column=_settings(meter),
            start=_settings(start),
            interval=_settings(interval),
            stamp=_settings(stamp),
            timezone=_settings(timezone),
            clock=_settings(clock),
            unit=_settings(unit),
            rated=_settings(rated),
            roles=tuple(roles),
            ignore=tuple(ignore or ()),
            sites=_sites(site),
            keep_names=keep_names,
            gaps=one(gaps, GAP_POLICIES, "--gaps"),
            duplicates=one(duplicates, DUPLICATE_POLICIES, "--duplicates"),
            suspect=one(suspect, SUSPECT_POLICIES, "--suspect"),
            first_day=_date(first_day, "--first-day") if first_day else None,
            days=days,
            history_days=history_days,
            pv_capacity=_settings(pv_capacity),
            import_capacity=_settings(import_capacity),
            battery=_settings(battery),
            money=_settings(money),
            agent=_settings(agent),
            zone=zone,
            feeder=feeder,
            holidays=tuple(_date(text, "--holiday") for text in holiday or ()),
        )
        if not dry_run:
            check_target(output, force)
            if map_file is not None and (map_file.exists() or not map_file.parent.is_dir()):
                raise typer.BadParameter(f"{map_file} exists, or its folder does not", param_hint="--map")
        _convert(
            files, output, options, (like, sky), yes=yes, dry_run=dry_run, verbose=verbose, force=force, to=map_file
        )


def _convert(
    files: list[Path],
    output: Path,
    options: "Options",
    models: tuple[str, Path | None],
    *,
    yes: bool,
    dry_run: bool,
    verbose: bool,
    force: bool,
    to: Path | None,
) -> None:
    """Understand, ask, draft, show, write."""
    from gridtokenx.cli.scenario_view import print_draft, print_first_rows, print_troubles, print_understanding
    from gridtokenx.cli.scenarios import find_scenario
    from gridtokenx.simulation.recordings.convert import draft
    from gridtokenx.simulation.recordings.folder import private_map, write_scenario
    from gridtokenx.simulation.scenario import load_scenario, load_sky, read_toml, toml_of

    like, sky_file = models
    table = None
    if like:
        folder = find_scenario(like)
        load_scenario(folder)  # what this one is made like has no fault
        table = read_toml(toml_of(folder))
    sky = load_sky(sky_file) if sky_file is not None else load_scenario(find_scenario(like or "community-week")).sky
    understood, options = _settled(files, options, yes=yes)
    print_understanding(out, understood)
    made = draft(understood, options, output.resolve().name, sky, table)
    if dry_run:
        print_first_rows(out, made)
    print_troubles(out, made.troubles, everything=verbose)
    print_draft(out, made)
    if dry_run:
        out.print("Nothing was written (--dry-run).")
        return
    if not yes and _is_terminal() and not typer.confirm(f"Write {output}?", default=True):
        refuse("Nothing was written.", code=1)
    write_scenario(output, made, understood, sky, force)
    if to is not None:
        write_new(to, private_map(made).encode(), 0o600)
    _print_written(output, made, to)


def _print_written(output: Path, made: "Draft", to: Path | None) -> None:
    import shlex

    folder = output if output.is_absolute() or str(output).startswith(".") else Path(output)
    name = shlex.quote(str(folder) if folder.is_absolute() else f"./{folder}")
    out.print(f"Written: {name}; quality.csv has all {len(made.troubles)} places of the report.", highlight=False)
    if to is not None:
        out.print(f"{to} says which site is whose: keep it to yourself.", highlight=False)
    out.print(f"gridtokenx simulate {name}\ngridtokenx up --scenario {name}", highlight=False, soft_wrap=True)


def _settled(files: list[Path], options: "Options", *, yes: bool) -> "tuple[Understanding, Options]":
    """Understand the files, and ask what they do not say. Ends with 1 where nobody can be asked."""
    from gridtokenx.cli.scenario_ask import ask, missing_options, proposed
    from gridtokenx.simulation.recordings.convert import understand
    from gridtokenx.simulation.recordings.findings import RecordingError

    understood = understand(files, options)
    while True:
        if not understood.unsure:
            return understood, options
        if yes or not _is_terminal():
            names = [table.source.name for table in understood.tables]
            for finding in understood.unsure:
                where = f" of '{finding.place}'" if finding.place else ""
                proposal = f" (perhaps {proposed(finding)})" if proposed(finding) else ""
                line = f"{finding.file}: {finding.what}{where} is not sure{proposal}: {finding.evidence}"
                err.print(line, markup=False, highlight=False, soft_wrap=True)
            more = " ".join(missing_options(understood.unsure, names))
            refuse(
                "The files do not say all of it, and nothing is guessed.", f"If these are right, add: {more}", code=1
            )
        answers = options
        for finding in understood.unsure:
            answers = ask(finding, answers)
        try:
            understood, options = understand(files, answers), answers
        except RecordingError as error:  # an answer that does not fit: the same questions again
            err.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _settings(texts: Texts) -> "tuple[Setting, ...]":
    """`KEY=VALUE`, cut at the last `=`, because names of columns may hold one."""
    from gridtokenx.simulation.recordings.options import Setting

    cut = (text.rpartition("=") for text in texts or ())
    return tuple(Setting(key, value.strip()) for key, _, value in cut)


def _sites(texts: Texts) -> "tuple[Setting, ...]":
    from gridtokenx.simulation.recordings.options import Setting

    cut = (text.partition("=") for text in texts or ())
    return tuple(Setting(key if name else "", name or key) for key, _, name in cut)


def _roles(role: str, texts: Texts) -> "list[RoleSetting]":
    from gridtokenx.simulation.recordings.options import RoleSetting

    cut = (text.partition("=") for text in texts or ())
    return [RoleSetting(role, first if rest else "", rest or first) for first, _, rest in cut]


def _date(text: str, flag: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date: write 2023-03-20", param_hint=flag) from None


@app.command("list")
def list_scenarios(
    folder: Annotated[Path, typer.Argument(help="Where to look beside the shipped ones.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """The shipped scenarios, and those in a folder."""
    from rich.table import Table

    from gridtokenx.cli.scenarios import SHIPPED, scenarios_in
    from gridtokenx.cli.values import delivery
    from gridtokenx.simulation.scenario import ScenarioError, load_scenario

    rows, broken = [], []
    for path in scenarios_in([SHIPPED, Path("scenarios"), folder]):
        try:
            scenario = load_scenario(path)
        except ScenarioError as error:
            broken.append({"folder": str(path), "error": str(error)})
            continue
        rows.append(
            {
                "name": scenario.name,
                "folder": str(path),
                "start": delivery(scenario.first_interval)[:10],
                "days": (scenario.end_interval - scenario.first_interval) // 96,
                "sites": len(scenario.sites),
                "batteries": sum(site.battery is not None for site in scenario.sites),
                "description": " ".join(scenario.description.split()),
            }
        )
    if as_json:
        print_json({"scenarios": rows, "broken": broken})
    else:
        table = Table("name", "start", "days", "sites", "batteries")
        table.add_column("what", no_wrap=True, overflow="ellipsis")
        for row in rows:
            facts = (row[key] for key in ("name", "start", "days", "sites", "batteries"))
            table.add_row(*map(str, facts), str(row["description"]).partition(". ")[0])
        out.print(table)
    for fault in broken:
        err.print(fault["error"], style="red", markup=False, highlight=False, soft_wrap=True)


@app.command()
def show(
    scenario: Annotated[str, typer.Argument(help="Name or folder of a scenario.")], as_json: AsJson = False
) -> None:
    """Sites, energies, and each day's load and PV as a line."""
    from gridtokenx.cli.scenario_view import print_scenario, scenario_facts
    from gridtokenx.cli.scenarios import find_scenario
    from gridtokenx.simulation.meter_rows import read_meter_rows
    from gridtokenx.simulation.scenario import load_scenario

    with folder_failures():
        folder = find_scenario(scenario)
        loaded = load_scenario(folder)
        rows = read_meter_rows(loaded)
    facts = scenario_facts(loaded, folder, rows)
    if as_json:
        print_json(facts)
    else:
        print_scenario(out, facts, rows)


@app.command()
def check(
    folder: Annotated[str, typer.Argument(help="Name or folder of a scenario.")], as_json: AsJson = False
) -> None:
    """Every fault at once, with file, place and remedy. Ends with 0 without faults, 1 with, 2 if there is nothing to
    read."""
    from gridtokenx.cli.scenarios import find_scenario
    from gridtokenx.simulation.scenario_check import scenario_faults

    with folder_failures():
        faults = scenario_faults(find_scenario(folder))
    if as_json:
        print_json([{**fault._asdict(), "file": str(fault.file)} for fault in faults])
    else:
        for fault in faults:
            err.print(str(fault), style="red", markup=False, highlight=False, soft_wrap=True)
        out.print(f"{folder}: {len(faults)} faults" if faults else f"{folder}: no faults", highlight=False)
    if faults:
        raise typer.Exit(1)
