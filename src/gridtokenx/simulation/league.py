"""A league of agents: which kind saves most, over homes, seeds and weeks.

A *round* is one week with one seed. The homes are put in an order that the seed draws, the kinds are dealt to them in
turn, and the week is played on the ledger once for each kind, with the hands moved on by one: so in each round every
home is played by every kind once, among neighbours of all kinds, and no kind has the better homes.

The measure is what a home saves against its bill without a market, for each kWh of its load and PV, so that no big
site decides; what its battery holds in the end is valued as the planner does. A kind's figure in a round is the mean
over the homes; its spread is over the rounds.

Beside the rounds each kind plays each week alone, among its own kind, and the planner with equal foresight says how
much there was to be had.
"""

from collections.abc import Callable, Sequence
from math import sqrt
from random import Random
from statistics import fmean, stdev
from typing import NamedTuple

import msgspec
from scipy.special import stdtrit

from gridtokenx.ledger.quantities import MICRO_PER_WATT
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.planner import equal_foresight, stored_value_micro
from gridtokenx.simulation.processes import in_processes
from gridtokenx.simulation.scenario import LearnedSettings, PatientSettings, RandomSettings, Scenario
from gridtokenx.simulation.simulate import run_simulation
from gridtokenx.simulation.tariff_view import INTERVAL_MS

KINDS: dict[str, PatientSettings | LearnedSettings | RandomSettings] = {
    "random": RandomSettings(),
    "patient": PatientSettings(),
    "learned": LearnedSettings(),
}
"""The kinds by name, each with its default settings."""

CONFIDENCE = 0.95


class Game(NamedTuple):
    """One week to be played; `kinds` in the order of the scenario's sites, none for the planner."""

    week: int
    seed: int
    scenario: Scenario
    kinds: tuple[str, ...]


class Play(msgspec.Struct, frozen=True):
    """What one home saved in one game. `energy_wh` is its load and PV of that week."""

    week: int
    seed: int
    site: str
    kind: str
    saved_micro: int
    energy_wh: int


class Mean(msgspec.Struct, frozen=True):
    """A mean, and half the width of its confidence interval of 95 % (Student's t); none of a single value."""

    value: float
    half_width: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        if len(values) < 2:
            return cls(fmean(values), None)
        quantile = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2))
        return cls(fmean(values), quantile * stdev(values) / sqrt(len(values)))


class Standing(msgspec.Struct, frozen=True):
    """One kind.

    `behind_satang_per_kwh`: how much less it saved than the first of the table, round by round: weeks differ more than
    kinds, so this tells kinds apart. `won_permille`: in how many of all homes and rounds it saved most of all kinds.
    `alone_permille`: what a community of this kind alone found of the planner's gain with equal foresight, all weeks
    together.
    """

    kind: str
    saved_satang_per_kwh: Mean
    behind_satang_per_kwh: Mean
    saved_watt_per_home: Mean
    won_permille: int
    alone_permille: int | None


class League(msgspec.Struct, frozen=True):
    """The table, best first, and every single figure that it was made of."""

    scenario: str
    weeks: int
    seeds: int
    games: int
    standings: tuple[Standing, ...]
    planner_gains_micro: tuple[int, ...]
    plays: tuple[Play, ...]
    alone: tuple[Play, ...]


def play_league(
    name: str,
    weeks: Sequence[Scenario],
    kinds: Sequence[str],
    seeds: int,
    processes: int = 2,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> League:
    """Play all rounds. The same weeks, kinds and seeds give the same league, whatever the number of processes.

    Raises KeyError for a kind that is none, `ScenarioError` when a kind cannot play.
    """
    for kind in kinds:
        KINDS[kind]
    planned = [Game(week, 0, scenario, ()) for week, scenario in enumerate(weeks)]
    alone = [
        Game(week, 1, scenario, (kind,) * len(scenario.sites)) for week, scenario in enumerate(weeks) for kind in kinds
    ]
    mixed = [
        game
        for week, scenario in enumerate(weeks)
        for seed in range(1, seeds + 1)
        for game in deal(week, scenario, kinds, seed)
    ]
    results = in_processes(_play, [*planned, *alone, *mixed], processes, progress)
    gains_micro = tuple(answer for answer in results if isinstance(answer, int))
    played = [answer for answer in results if not isinstance(answer, int)]
    plays_alone = [play for plays in played[: len(alone)] for play in plays]
    plays = [play for plays in played[len(alone) :] for play in plays]
    by_round = {kind: _by_round(kind, plays) for kind in kinds}
    ranked = sorted(kinds, key=lambda kind: -fmean(by_round[kind]))
    standings = [
        _standing(kind, by_round[ranked[0]], by_round[kind], plays, plays_alone, sum(gains_micro)) for kind in ranked
    ]
    return League(
        scenario=name,
        weeks=len(weeks),
        seeds=seeds,
        games=len(mixed),
        standings=tuple(standings),
        planner_gains_micro=gains_micro,
        plays=tuple(plays),
        alone=tuple(plays_alone),
    )


def deal(week: int, scenario: Scenario, kinds: Sequence[str], seed: int) -> list[Game]:
    """The games of one round: each home gets each kind once."""
    order = list(range(len(scenario.sites)))
    Random(f"league {seed}").shuffle(order)
    games = []
    for moved in range(len(kinds)):
        dealt = {site: kinds[(place + moved) % len(kinds)] for place, site in enumerate(order)}
        games.append(Game(week, seed, scenario, tuple(dealt[site] for site in range(len(order)))))
    return games


def _play(game: Game) -> tuple[Play, ...] | int:
    """What each home saved; of the planner, what all homes could have."""
    if not game.kinds:
        return equal_foresight(game.scenario).gain_micro
    sites = tuple(
        msgspec.structs.replace(site, agent=KINDS[kind])
        for site, kind in zip(game.scenario.sites, game.kinds, strict=True)
    )
    scenario = msgspec.structs.replace(game.scenario, sites=sites)
    report = run_simulation(scenario, seed=game.seed).report
    if report.breaches:
        raise RuntimeError(f"the ledger does not add up: {report.breaches[0]}")
    energy_wh = _energy_wh(scenario)
    plays = []
    for home, kind in zip(report.homes, game.kinds, strict=True):
        stored_micro = stored_value_micro(scenario, {home.name: home.stored_wh - home.stored_without_wh})
        saved_micro = home.saved_micro + stored_micro
        plays.append(Play(game.week, game.seed, home.name, kind, saved_micro, energy_wh[home.name]))
    return tuple(plays)


def _energy_wh(scenario: Scenario) -> dict[str, int]:
    community = Community(scenario)
    energy_wh = {}
    for site in scenario.sites:
        rows = community.history(site.name, scenario.end_interval * INTERVAL_MS)
        begin = scenario.history_intervals
        energy_wh[site.name] = sum(rows.load_wh[begin:]) + sum(rows.pv_wh[begin:])
    return energy_wh


def _by_round(kind: str, plays: Sequence[Play]) -> list[float]:
    """Mean over the homes of what they saved of each kWh, for each round."""
    rounds: dict[tuple[int, int], list[float]] = {}
    for play in plays:
        if play.kind == kind:
            rounds.setdefault((play.week, play.seed), []).append(_satang_per_kwh(play))
    return [fmean(values) for values in rounds.values()]


def _standing(
    kind: str, first: list[float], own: list[float], plays: Sequence[Play], alone: Sequence[Play], gain_micro: int
) -> Standing:
    watts: dict[tuple[int, int], list[float]] = {}
    best: dict[tuple[int, int, str], Play] = {}
    for play in plays:
        if play.kind == kind:
            watts.setdefault((play.week, play.seed), []).append(play.saved_micro / MICRO_PER_WATT)
        at = play.week, play.seed, play.site
        best[at] = max(best.get(at, play), play, key=lambda each: each.saved_micro)
    found_micro = sum(play.saved_micro for play in alone if play.kind == kind)
    return Standing(
        kind=kind,
        saved_satang_per_kwh=Mean.of(own),
        behind_satang_per_kwh=Mean.of([ahead - behind for ahead, behind in zip(first, own, strict=True)]),
        saved_watt_per_home=Mean.of([fmean(values) for values in watts.values()]),
        won_permille=sum(play.kind == kind for play in best.values()) * 1000 // len(best),
        alone_permille=found_micro * 1000 // gain_micro if gain_micro > 0 else None,
    )


def _satang_per_kwh(play: Play) -> float:
    """Hundredths of a WATT per kWh; 0 for a home that neither used nor made anything."""
    return play.saved_micro / 10 / play.energy_wh if play.energy_wh else 0.0
