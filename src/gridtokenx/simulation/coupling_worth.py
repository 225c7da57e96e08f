"""The same community three times: with its borders, with all of them closed, and as if wires carried anything."""

from collections.abc import Callable
from itertools import combinations

from msgspec.structs import replace

from gridtokenx.ledger.quantities import INTERVALS_PER_DAY
from gridtokenx.simulation.genesis import NEIGHBOURS
from gridtokenx.simulation.report.coupling import CoupledRun, coupled_run
from gridtokenx.simulation.scenario import BorderTable, Scenario
from gridtokenx.simulation.simulate import Result, run_simulation

COUPLED, APART, UNLIMITED = "coupled", "apart", "unlimited"

Progress = Callable[[str, int, int], None]
"""Told from time to time: which run, how much of it, of how much."""


def has_zones(scenario: Scenario) -> bool:
    """Whether there is anything to couple."""
    return len({place.zone for place in scenario.places}) > 1


def apart(scenario: Scenario) -> Scenario:
    """Every border closed, so that each zone is alone; feeders as they are."""
    pairs = (pair for pair in combinations(NEIGHBOURS, 2) if pair[1] in NEIGHBOURS[pair[0]])
    return replace(scenario, borders=tuple(BorderTable(from_zone=one, to_zone=other) for one, other in pairs))


def unlimited(scenario: Scenario) -> Scenario:
    """No border and no feeder has a limit; wheeling is paid as ever."""
    return replace(scenario, borders=(), feeder_limits=())


def coupling_worth(
    scenario: Scenario, result: Result, progress: Progress = lambda name, done_ms, total_ms: None
) -> tuple[CoupledRun, ...]:
    """The given run of the scenario, and two more of the same days and seed. Each takes as long as that one did."""
    report = result.report
    runs = [coupled_run(COUPLED, scenario, report, result.record)]
    for name, other in ((APART, apart(scenario)), (UNLIMITED, unlimited(scenario))):

        def told(done_ms: int, total_ms: int, _: int, name: str = name) -> None:
            progress(name, done_ms, total_ms)

        run = run_simulation(other, report.intervals // INTERVALS_PER_DAY, seed=report.seed, progress=told)
        runs.append(coupled_run(name, other, run.report, run.record))
    return tuple(runs)
