"""How wrong the forecasts are, by lead: what was seen yesterday, like days, and what is learned.

At each whole hour of a scenario's delivery each forecast is asked for the day ahead, with the history that agents had
at that moment, and compared with what was recorded. The error is the mean of the absolute differences over the hours,
in per cent of the site's mean hour (of its load; of its PV where PV is the target), then the mean over the sites.
"""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import NamedTuple

import msgspec

from gridtokenx.simulation.agents import CourseForecaster
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.forecast import Forecaster
from gridtokenx.simulation.forecast_learned import LearnedForecaster
from gridtokenx.simulation.observation import MeterHistory
from gridtokenx.simulation.processes import in_processes
from gridtokenx.simulation.scenario import Scenario, Site
from gridtokenx.simulation.tariff_view import INTERVAL_MS, INTERVALS_PER_DAY, INTERVALS_PER_HOUR

LEADS_HOURS = (1, 2, 3, 6, 12, 24)
"""The hour that begins with the moment of the forecast has lead 1."""

TARGETS = ("load", "pv", "surplus")


class LeadError(msgspec.Struct, frozen=True):
    """Mean absolute error in per cent of the mean hour, of one target at one lead, over all sites that have it."""

    target: str
    lead_hours: int
    yesterday_percent: float
    like_days_percent: float
    learned_percent: float


class ForecastErrors(msgspec.Struct, frozen=True):
    """`learned_share_percent`: of all forecasts of the learning kind, how many came from trees; the others from like
    days, which had done better on the days before."""

    scenario: str
    hours: int
    errors: tuple[LeadError, ...]
    learned_share_percent: float


class _Task(NamedTuple):
    scenario: Scenario
    site: Site
    target: str


class _Found(NamedTuple):
    target: str
    errors_percent: tuple[tuple[float, float, float], ...]
    learned_share: float


def forecast_errors(
    scenario: Scenario, processes: int = 2, progress: Callable[[int, int], None] = lambda done, total: None
) -> ForecastErrors:
    """Every whole hour of delivery that has a day after it.

    Raises `ScenarioError` if rows cannot be read or LightGBM cannot be loaded, ValueError below two days of delivery.
    """
    hours = (scenario.end_interval - scenario.first_interval - INTERVALS_PER_DAY) // INTERVALS_PER_HOUR
    if hours <= 0:
        raise ValueError("give a scenario of two days at least: a forecast looks a day ahead")
    tasks = [
        _Task(scenario, site, target)
        for site in scenario.sites
        for target in TARGETS
        if target == "load" or site.export_capacity_w("solar")
    ]
    found = in_processes(_measure, tasks, processes, progress)
    errors = []
    for target in TARGETS:
        of_target = [each.errors_percent for each in found if each.target == target]
        for number, lead in enumerate(LEADS_HOURS if of_target else ()):
            means = [fmean(site[number][kind] for site in of_target) for kind in range(3)]
            errors.append(LeadError(target, lead, *means))
    share = fmean(each.learned_share for each in found) * 100
    return ForecastErrors(scenario.name, hours, tuple(errors), share)


def _measure(task: _Task) -> _Found:
    scenario, site, target = task
    community = Community(scenario)
    truth = _only(community.history(site.name, scenario.end_interval * INTERVAL_MS), target)
    surplus_wh = [pv - load for pv, load in zip(truth.pv_wh, truth.load_wh, strict=True)]
    capacity_w = 0 if target == "load" else site.export_capacity_w("solar")
    like_days = Forecaster(scenario.tariff, capacity_w, scenario.sky)
    learned = LearnedForecaster(scenario.tariff, capacity_w, scenario.sky)
    sums = [[0, 0, 0] for _ in LEADS_HOURS]
    origins = range(scenario.first_interval, scenario.end_interval - INTERVALS_PER_DAY, INTERVALS_PER_HOUR)
    learned_calls = 0
    for interval in origins:
        history = _only(community.history(site.name, interval * INTERVAL_MS), target)
        at = interval - history.first_interval
        medians = [_medians(forecaster, history) for forecaster in (like_days, learned)]
        learned_calls += learned.is_learned
        for number, lead in enumerate(LEADS_HOURS):
            hour = slice((lead - 1) * INTERVALS_PER_HOUR, lead * INTERVALS_PER_HOUR)
            happened_wh = sum(surplus_wh[at + hour.start : at + hour.stop])
            day_before = at - INTERVALS_PER_DAY
            yesterday_wh = sum(surplus_wh[max(0, day_before + hour.start) : max(0, day_before + hour.stop)])
            for kind, expected_wh in enumerate((yesterday_wh, *(sum(median[hour]) for median in medians))):
                sums[number][kind] += abs(expected_wh - happened_wh)
    begin = scenario.history_intervals
    whole_wh = sum(truth.pv_wh[begin:] if target == "pv" else truth.load_wh[begin:])
    mean_wh = max(1.0, whole_wh * INTERVALS_PER_HOUR / (scenario.end_interval - scenario.first_interval))
    percent = tuple(
        (
            yesterday * 100 / len(origins) / mean_wh,
            like * 100 / len(origins) / mean_wh,
            own * 100 / len(origins) / mean_wh,
        )
        for yesterday, like, own in sums
    )
    return _Found(target, percent, learned_calls / len(origins))


def _only(history: MeterHistory, target: str) -> MeterHistory:
    """The history of a site that has nothing but the target."""
    nothing = (0,) * len(history.load_wh)
    if target == "load":
        return history._replace(pv_wh=nothing)
    return history._replace(load_wh=nothing) if target == "pv" else history


def _medians(forecaster: CourseForecaster, history: MeterHistory) -> Sequence[int]:
    courses = forecaster.courses(history, INTERVALS_PER_DAY)
    if not courses:
        return [0] * INTERVALS_PER_DAY
    return [sorted(column)[len(column) // 2] for column in zip(*courses, strict=True)]
