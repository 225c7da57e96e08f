"""`gridtokenx simulate`: a whole community as fast as the machine can, with a report at the end."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gridtokenx.cli.console import err, folder_failures, out, refuse
from gridtokenx.ledger.quantities import MICRO_PER_WATT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.progress import TaskID

    from gridtokenx.simulation.report import HomeReport, Report
    from gridtokenx.simulation.report.coupling import CoupledRun
    from gridtokenx.simulation.report.study import PlannerFigures, Study
    from gridtokenx.simulation.scenario import Scenario
    from gridtokenx.simulation.simulate import Result

WIDE_COLUMNS = 116

BORDERS = {"coupled": "as they are", "apart": "closed", "unlimited": "without limits"}
"""What was done to them in each of the runs that show what coupling is worth."""


def simulate(
    scenario: Annotated[str, typer.Argument(help="Name or folder of a scenario.")] = "community-week",
    days: Annotated[int | None, typer.Option(min=1, help="Days of delivery; all of the scenario by default.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Keep the chain in this new folder, for `query` and `verify`.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of agents that draw lots.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report to this file.")] = None,
    report_folder: Annotated[
        Path | None,
        typer.Option(
            "--report", help="Write a page with plots, JSON and CSV into this folder, new or an earlier report."
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Check every invariant after every block.")] = False,
) -> None:
    """Run a community without waiting: agents decide, meters sign, the ledger settles, the report adds it up."""
    from gridtokenx.cli.scenarios import find_scenario
    from gridtokenx.simulation.report.folder import check_folder, load_template, write_report
    from gridtokenx.simulation.scenario import load_scenario

    if json_file is not None and not json_file.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {json_file.parent}: make it first", param_hint="--json")
    if report_folder is not None:
        with _report_failures():
            check_folder(report_folder)
    with folder_failures():
        loaded = load_scenario(find_scenario(scenario))
        result = _run_with_progress(err, loaded, days, data, seed, check)
    print_report(out, result)
    if json_file is not None:
        with folder_failures():
            json_file.write_bytes(result.to_json())
    if report_folder is not None:
        study = _study_with_progress(err, loaded, result)
        print_planner(out, study.planner)
        if study.coupling:
            print_coupling(out, study.coupling)
        with folder_failures(), _report_failures():
            write_report(report_folder, study, load_template())
        out.print(f"Report in {report_folder}.", markup=False, highlight=False, soft_wrap=True)
    if result.report.breaches:
        raise typer.Exit(1)


def _run_with_progress(
    console: Console, scenario: "Scenario", days: int | None, data: Path | None, seed: int, check: bool
) -> "Result":
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from gridtokenx.cli.values import bangkok
    from gridtokenx.gateway.readmodel import FOLLOWED
    from gridtokenx.simulation.simulate import run_simulation

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TextColumn("{task.fields[day]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(scenario.name, total=None, day="")

        def advance(done_ms: int, total_ms: int, time_ms: int) -> None:
            progress.update(task, completed=done_ms, total=total_ms, day=bangkok(time_ms, "%a %d %b %H:%M"))

        return run_simulation(
            scenario, days=days, data=data, feed_prefixes=FOLLOWED, seed=seed, check=check, progress=advance
        )


def _study_with_progress(console: Console, scenario: "Scenario", result: "Result") -> "Study":
    """The planner takes as long as the run itself, and so does each of the two runs with other borders."""
    from rich.progress import BarColumn, Progress, TextColumn

    from gridtokenx.simulation.coupling_worth import coupling_worth, has_zones
    from gridtokenx.simulation.report.study import make_study

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def advance(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        coupling = coupling_worth(scenario, result, advance) if has_zones(scenario) else ()
        return make_study(scenario, result, advance, coupling)


@contextmanager
def _report_failures() -> "Iterator[None]":
    from gridtokenx.simulation.report.folder import ReportError

    try:
        yield
    except ReportError as error:
        refuse(str(error), code=2)


def print_planner(console: Console, planner: "PlannerFigures") -> None:
    """How much of the possible gain the market found."""

    def watt(amount_micro: int) -> str:
        return f"{amount_micro / MICRO_PER_WATT:,.2f}"

    console.print(
        f"The market found {watt(planner.found_micro)} WATT: {planner.share_of_equal_permille / 10:.1f} % of the "
        f"{watt(planner.equal.gain_micro)} that a planner finds with the agents' own forecasts, "
        f"{planner.share_of_perfect_permille / 10:.1f} % of the {watt(planner.perfect.gain_micro)} with "
        "perfect foresight.",
        highlight=False,
        soft_wrap=True,
    )


def print_coupling(console: Console, runs: "Sequence[CoupledRun]") -> None:
    """The same days with the borders as they are, closed, and without limits."""
    table = Table(title="What coupling is worth, in WATT before VAT", title_justify="left")
    table.add_column("borders", no_wrap=True)
    for heading in ("welfare", "rent", "traded kWh", "over borders", "consumers pay", "producers earn"):
        table.add_column(heading, justify="right")
    for run in runs:
        money = (run.welfare_micro, run.rent_micro), (run.consumers_bill_micro, -run.producers_bill_micro)
        before, after = ([f"{each / MICRO_PER_WATT:,.0f}" for each in pair] for pair in money)
        energy = [f"{each / 1_000:,.0f}" for each in (run.traded_wh, run.crossed_wh)]
        table.add_row(BORDERS[run.name], *before, *energy, *after)
    console.print(table)


def print_report(console: Console, result: "Result") -> None:
    """The table for people: losers are named, not hidden."""
    report = result.report
    console.print(_homes_table(report, console.width))
    days = report.intervals / 96
    price = report.average_price_micro / MICRO_PER_WATT
    traded = report.traded_wh / 1_000
    console.print(
        f"{traded:,.1f} kWh in {report.trades:,} trades at {price:.3f} WATT/kWh on average; neighbours had bought "
        f"{report.sold_permille / 10:.1f} % of what the sites exported.\n"
        f"Of the PV energy {report.own_use_permille / 10:.1f} % stayed in the community "
        f"({report.own_use_without_permille / 10:.1f} % without the market). "
        f"Imbalance {report.imbalance_wh / 1_000:,.1f} kWh, arrears {report.arrears_micro / MICRO_PER_WATT:,.2f} WATT.",
        highlight=False,
        soft_wrap=True,
    )
    losers = ", ".join(report.losers)
    console.print(f"Worse off with the market: {losers}." if losers else "Nobody is worse off with the market.")
    money = {name: change for name, change in report.balance_changes_micro.items() if change}
    homes = {home.name for home in report.homes}
    others = ", ".join(f"{name} {change / MICRO_PER_WATT:+,.2f}" for name, change in money.items() if name not in homes)
    summed = f"all changes sum to {sum(money.values())}"
    console.print(f"Money of the others: {others}; {summed}.", highlight=False, soft_wrap=True)
    if report.refused:
        refused = ", ".join(f"{name} {count}" for name, count in report.refused.items())
        console.print(f"Refused by the ledger: {refused}.", highlight=False, soft_wrap=True)
    for breach in (*report.breaches, *report.alarms):
        console.print(breach, style="bold red", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{report.blocks:,} blocks, {report.transactions:,} transactions, app hash {report.app_hash}\n"
        f"{days:g} days in {result.real_ms / 1_000:.1f} s: {result.speed:,} times real time.",
        highlight=False,
        soft_wrap=True,
    )


def _homes_table(report: "Report", columns: int) -> Table:
    """Money always, energy where there is room."""
    wide = columns >= WIDE_COLUMNS
    table = Table(title=f"{report.scenario}: bills in WATT, without VAT", title_justify="left")
    table.add_column("site", no_wrap=True)
    for heading in ("without", "with", "saved", "saved %"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("import kWh", "export kWh", "bought", "sold", "stored") if wide else ():
        table.add_column(heading, justify="right", no_wrap=True)
    for home in report.homes:
        style = "red" if home.saved_micro < 0 else "green"
        table.add_row(home.name, *_money_cells((home,), style), *(_energy_cells((home,)) if wide else ()))
    table.add_section()
    cells = (*_money_cells(report.homes, ""), *(_energy_cells(report.homes) if wide else ()))
    table.add_row("all", *cells, style="bold")
    return table


def _money_cells(homes: "Sequence[HomeReport]", style: str) -> tuple[str | Text, ...]:
    without, with_market, saved = (
        sum(getattr(home, name) for home in homes) for name in ("bill_without_micro", "bill_with_micro", "saved_micro")
    )
    share = saved * 100 / abs(without) if without else 0.0
    return (
        f"{without / MICRO_PER_WATT:,.2f}",
        f"{with_market / MICRO_PER_WATT:,.2f}",
        Text(f"{saved / MICRO_PER_WATT:+,.2f}", style),
        f"{share:+.1f}",
    )


def _energy_cells(homes: "Sequence[HomeReport]") -> tuple[str, ...]:
    """The last: more or less in the batteries at the end than without the market."""
    names = ("import_wh", "export_wh", "bought_wh", "sold_wh")
    stored_wh = sum(home.stored_wh - home.stored_without_wh for home in homes)
    return (
        *(f"{sum(getattr(home, name) for home in homes) / 1_000:,.1f}" for name in names),
        f"{stored_wh / 1_000:+,.1f}" if stored_wh else "",
    )
