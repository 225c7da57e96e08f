"""`gridtokenx league`: kinds of agents against each other. `gridtokenx forecasts`: how wrong their forecasts are."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.table import Table

from gridtokenx.cli.console import err, folder_failures, out, refuse
from gridtokenx.ledger.quantities import MICRO_PER_WATT

if TYPE_CHECKING:
    from gridtokenx.simulation.forecast_errors import ForecastErrors
    from gridtokenx.simulation.league import League, Mean

JsonFile = Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")]
Processes = Annotated[int, typer.Option(min=1, help="How many run side by side.")]


def league(
    scenario: Annotated[str, typer.Argument(help="Name or folder of a scenario.")] = "community-season",
    agents: Annotated[str, typer.Option(help="Kinds, with commas between.")] = "random,patient,learned",
    seeds: Annotated[int, typer.Option(min=1, help="In how many ways the homes are dealt.")] = 2,
    weeks: Annotated[int, typer.Option(min=1, help="How many of the scenario's weeks, spread evenly.")] = 3,
    processes: Processes = 2,
    json_file: JsonFile = None,
) -> None:
    """Play a league: each kind of agent in each home, among neighbours of all kinds; who saves most?

    A week with one seed is a round of as many games as there are kinds. Besides, each kind plays each week alone, and
    the planner says how much there was to be had.
    """
    from gridtokenx.cli.scenarios import find_scenario
    from gridtokenx.simulation.league import KINDS, play_league
    from gridtokenx.simulation.scenario import load_scenario
    from gridtokenx.simulation.weeks import cut_weeks

    kinds = agents.split(",")
    for kind in kinds:
        if kind not in KINDS or kinds.count(kind) > 1:
            raise typer.BadParameter(f"'{kind}': name each of {', '.join(KINDS)} once at most", param_hint="--agents")
    _check_json(json_file)
    with folder_failures(), tempfile.TemporaryDirectory(prefix="gridtokenx-league-") as folder, _bar("games") as tell:
        loaded = load_scenario(find_scenario(scenario))
        played = play_league(loaded.name, cut_weeks(loaded, weeks, Path(folder)), kinds, seeds, processes, tell)
    _print_league(played)
    _write_json(json_file, played)


def forecasts(
    scenario: Annotated[str, typer.Argument(help="Name or folder of a scenario.")] = "community-season",
    weeks: Annotated[int, typer.Option(min=1, help="How many of the scenario's weeks, spread evenly.")] = 1,
    processes: Processes = 2,
    json_file: JsonFile = None,
) -> None:
    """Measure the forecasts: what was seen yesterday, like days, and what is learned, by lead."""
    from gridtokenx.cli.scenarios import find_scenario
    from gridtokenx.simulation.scenario import load_scenario
    from gridtokenx.simulation.weeks import cut_weeks

    _check_json(json_file)
    with folder_failures(), tempfile.TemporaryDirectory(prefix="gridtokenx-forecasts-") as folder:
        from gridtokenx.simulation.forecast_errors import forecast_errors

        cuts = cut_weeks(load_scenario(find_scenario(scenario)), weeks, Path(folder))
        measured = []
        for number, cut in enumerate(cuts, start=1):
            with _bar(f"week {number} of {len(cuts)}") as tell:
                try:
                    measured.append(forecast_errors(cut, processes, tell))
                except ValueError as error:
                    refuse(str(error), code=2)
            _print_errors(measured[-1], number)
    _write_json(json_file, measured)


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _check_json(json_file: Path | None) -> None:
    if json_file is not None and not json_file.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {json_file.parent}: make it first", param_hint="--json")


def _write_json(json_file: Path | None, found: object) -> None:
    if json_file is not None:
        with folder_failures():
            json_file.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")


def _print_league(played: "League") -> None:
    table = Table(
        title=f"{played.scenario}: {played.games} games, weeks {played.weeks}, seeds {played.seeds}",
        title_justify="left",
    )
    table.add_column("agent", no_wrap=True)
    for heading in ("satang per kWh", "behind", "WATT a home, week", "won %", "alone, of planner %"):
        table.add_column(heading, justify="right")
    for standing in played.standings:
        alone = standing.alone_permille
        table.add_row(
            standing.kind,
            _mean_cell(standing.saved_satang_per_kwh),
            "" if standing is played.standings[0] else _mean_cell(standing.behind_satang_per_kwh),
            _mean_cell(standing.saved_watt_per_home),
            f"{standing.won_permille / 10:.1f}",
            "" if alone is None else f"{alone / 10:.1f}",
        )
    out.print(table)
    gain = sum(played.planner_gains_micro) / MICRO_PER_WATT / len(played.planner_gains_micro)
    out.print(
        "Saved against the bill without a market, of each kWh of load and PV, without VAT; ± is the 95 % confidence "
        f"interval over rounds.\nThe planner with equal foresight saves {gain:,.2f} WATT a week for all homes.",
        highlight=False,
        soft_wrap=True,
    )


def _mean_cell(mean: "Mean") -> str:
    spread = "" if mean.half_width is None else f" ± {mean.half_width:.2f}"
    return f"{mean.value:.2f}{spread}"


def _print_errors(measured: "ForecastErrors", number: int) -> None:
    table = Table(
        title=f"{measured.scenario}, week {number}: mean absolute error of {measured.hours} hours, % of the mean hour",
        title_justify="left",
    )
    for heading in ("target", "lead h"):
        table.add_column(heading)
    for heading in ("yesterday", "like days", "learned"):
        table.add_column(heading, justify="right")
    for each in measured.errors:
        figures = (each.yesterday_percent, each.like_days_percent, each.learned_percent)
        table.add_row(each.target, str(each.lead_hours), *(f"{figure:.1f}" for figure in figures))
    out.print(table)
    out.print(f"Trees gave {measured.learned_share_percent:.0f} % of the learned forecasts.", highlight=False)
