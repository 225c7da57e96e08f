"""Cuts the weeks out of a scenario: each becomes a scenario of its own, with what came before it as its history."""

import csv
from pathlib import Path

import msgspec

from gridtokenx.simulation.scenario import Scenario, read_csv
from gridtokenx.simulation.tariff_view import INTERVAL_MS, INTERVALS_PER_DAY

WEEK = 7 * INTERVALS_PER_DAY

HISTORY_DAYS_MAX = 56
"""What lies further back is left out: agents do not look there either."""


def cut_weeks(scenario: Scenario, count: int, folder: Path) -> list[Scenario]:
    """`count` whole weeks of delivery, spread evenly over the scenario, or all that there are if there are fewer.

    One that is shorter than a week is taken as it is. The tables are written into `folder`. Raises `ScenarioError`
    when the scenario's rows cannot be read.
    """
    whole = (scenario.end_interval - scenario.first_interval) // WEEK
    if whole == 0:
        return [scenario]
    count = min(count, whole)
    numbers = [step * (whole - 1) // max(1, count - 1) for step in range(count)]
    table = read_csv(scenario.meters_path)
    return [_cut(scenario, number, table, folder / f"week-{number + 1}.csv") for number in numbers]


def _cut(scenario: Scenario, number: int, table: list[list[str]], path: Path) -> Scenario:
    first = scenario.first_interval + number * WEEK
    history = min(scenario.history_intervals + number * WEEK, HISTORY_DAYS_MAX * INTERVALS_PER_DAY)
    row = 1 + scenario.history_intervals + number * WEEK
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([table[0], *table[row - history : row + WEEK]])
    return msgspec.structs.replace(
        scenario,
        first_interval=first,
        end_interval=first + WEEK,
        history_intervals=history,
        clock_start_ms=scenario.clock_start_ms + number * WEEK * INTERVAL_MS,
        meters_path=path,
    )
