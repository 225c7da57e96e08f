"""`gridtokenx simulate`: a whole community as fast as the machine can, with a report at the end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from gridtokenx.simulation.report import Report
    from gridtokenx.simulation.scenario import Scenario
    from gridtokenx.simulation.simulate import Result

MICRO = 1_000_000


def simulate(
    scenario: Annotated[str, typer.Argument(help="Name or folder of a scenario.")] = "community-week",
    days: Annotated[int | None, typer.Option(min=1, help="Days of delivery; all of the scenario by default.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Keep the chain in this new folder, for `query` and `verify`.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of agents that draw lots.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report to this file.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Check every invariant after every block.")] = False,
) -> None:
    """Run a community without waiting: agents decide, meters sign, the ledger settles, the report adds it up."""
    from gridtokenx.cli.scenarios import find_scenario
    from gridtokenx.engine.folder import FolderUnusable
    from gridtokenx.simulation.scenario import ScenarioError, load_scenario

    console = Console(stderr=True)
    try:
        loaded = load_scenario(find_scenario(scenario))
        result = _run_with_progress(console, loaded, days, data, seed, check)
    except (ScenarioError, FolderUnusable) as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        raise typer.Exit(2) from None
    if json_file is not None:
        json_file.write_bytes(result.to_json())
    print_report(Console(), result)
    if result.report.breaches:
        raise typer.Exit(1)


def _run_with_progress(
    console: Console, scenario: "Scenario", days: int | None, data: Path | None, seed: int, check: bool
) -> "Result":
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from gridtokenx.cli.top_view import bangkok
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

        return run_simulation(scenario, days=days, data=data, seed=seed, check=check, progress=advance)


def print_report(console: Console, result: "Result") -> None:
    """The table for people: losers are named, not hidden."""
    report = result.report
    console.print(_homes_table(report))
    days = report.intervals / 96
    price = report.average_price_micro / MICRO
    traded = report.traded_wh / 1_000
    console.print(
        f"{traded:,.1f} kWh in {report.trades:,} trades at {price:.3f} WATT/kWh on average; neighbours had bought "
        f"{report.sold_permille / 10:.1f} % of what the sites exported.\n"
        f"Of the PV energy {report.own_use_permille / 10:.1f} % stayed in the community "
        f"({report.own_use_without_permille / 10:.1f} % without the market). "
        f"Imbalance {report.imbalance_wh / 1_000:,.1f} kWh, arrears {report.arrears_micro / MICRO:,.2f} WATT.",
        highlight=False,
    )
    losers = ", ".join(report.losers)
    console.print(f"Worse off with the market: {losers}." if losers else "Nobody is worse off with the market.")
    money = {name: change for name, change in report.balance_changes_micro.items() if change}
    homes = {home.name for home in report.homes}
    others = ", ".join(f"{name} {change / MICRO:+,.2f}" for name, change in money.items() if name not in homes)
    console.print(f"Money of the others: {others}; all changes sum to {sum(money.values())}.", highlight=False)
    if report.refused:
        refused = ", ".join(f"{name} {count}" for name, count in report.refused.items())
        console.print(f"Refused by the ledger: {refused}.", highlight=False)
    for breach in (*report.breaches, *report.alarms):
        console.print(f"[bold red]{breach}[/bold red]", highlight=False)
    console.print(
        f"{report.blocks:,} blocks, {report.transactions:,} transactions, app hash {report.app_hash}\n"
        f"{days:g} days in {result.real_ms / 1_000:.1f} s: {result.speed:,} times real time.",
        highlight=False,
    )


def _homes_table(report: "Report") -> Table:
    table = Table(title=f"{report.scenario}: bills in WATT, without VAT", title_justify="left")
    table.add_column("site")
    for heading in ("without", "with", "saved", "saved %", "import kWh", "export kWh", "bought", "sold"):
        table.add_column(heading, justify="right")
    for home in report.homes:
        share = home.saved_micro * 100 / abs(home.bill_without_micro) if home.bill_without_micro else 0.0
        style = "red" if home.saved_micro < 0 else "green"
        table.add_row(
            home.name,
            f"{home.bill_without_micro / MICRO:,.2f}",
            f"{home.bill_with_micro / MICRO:,.2f}",
            f"[{style}]{home.saved_micro / MICRO:+,.2f}[/{style}]",
            f"{share:+.1f}",
            *(
                f"{energy_wh / 1_000:,.1f}"
                for energy_wh in (home.import_wh, home.export_wh, home.bought_wh, home.sold_wh)
            ),
        )
    table.add_section()
    table.add_row(
        "all",
        f"{sum(home.bill_without_micro for home in report.homes) / MICRO:,.2f}",
        f"{sum(home.bill_with_micro for home in report.homes) / MICRO:,.2f}",
        f"{report.saved_micro / MICRO:+,.2f}",
        "",
        *(
            f"{sum(getattr(home, name) for home in report.homes) / 1_000:,.1f}"
            for name in ("import_wh", "export_wh", "bought_wh", "sold_wh")
        ),
        style="bold",
    )
    return table
