"""How wrong the agents' own forecasts were, by site and by hours ahead.

Once an hour each site's forecaster is shown what it was shown during the run and nothing else; the median of its
courses is held against what was recorded.
"""

from collections.abc import Callable, Iterable
from statistics import median_low

import msgspec

from gridtokenx.simulation.community import Community
from gridtokenx.simulation.planner.model import own_forecasters
from gridtokenx.simulation.report.make import recorded_energy_wh
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.tariff_view import INTERVAL_MS, INTERVALS_PER_DAY, INTERVALS_PER_HOUR

LEADS_HOURS = INTERVALS_PER_DAY // INTERVALS_PER_HOUR

Progress = Callable[[int, int], None]
"""Told after each site: sites done, sites in all."""


class ForecastError(msgspec.Struct, frozen=True):
    """Of one site's surplus (PV minus load) per quarter of an hour, `lead_hours` (1 to 24) after the last known row: a
    lead of 1 is the hour that follows it. Bias is forecast less recorded; `actual` is the mean size of what was to be
    forecast, to judge by. Wh, rounded down in magnitude."""

    site: str
    lead_hours: int
    samples: int
    mean_absolute_wh: int
    bias_wh: int
    actual_absolute_wh: int


class LeadError(msgspec.Struct, frozen=True):
    """All sites together, by lead: the mean error of one site's quarter of an hour, and all errors as a share of all
    that was to be forecast; bias as such a share too (above 0: forecasts were too high)."""

    lead_hours: int
    samples: int
    mean_absolute_wh: int
    error_permille: int
    bias_permille: int


def lead_errors(errors: Iterable[ForecastError]) -> tuple[LeadError, ...]:
    """Sums over the sites, each by its number of samples."""
    by_lead: dict[int, list[ForecastError]] = {}
    for error in errors:
        by_lead.setdefault(error.lead_hours, []).append(error)
    found = []
    for lead_hours, rows in sorted(by_lead.items()):
        samples = sum(row.samples for row in rows)
        absolute_wh = sum(row.mean_absolute_wh * row.samples for row in rows)
        actual_wh = sum(row.actual_absolute_wh * row.samples for row in rows) or 1
        bias_wh = sum(row.bias_wh * row.samples for row in rows)
        found.append(
            LeadError(
                lead_hours,
                samples,
                absolute_wh // samples,
                absolute_wh * 1_000 // actual_wh,
                bias_wh * 1_000 // actual_wh,
            )
        )
    return tuple(found)


def forecast_errors(
    scenario: Scenario, end_interval: int, progress: Progress = lambda done, total: None
) -> tuple[ForecastError, ...]:
    """By site in the scenario's order, then by lead. A lead without a sample (nothing known yet) is left out."""
    community = Community(scenario)
    loads_wh, pvs_wh = recorded_energy_wh(scenario, end_interval)
    first = scenario.first_interval
    found: list[ForecastError] = []
    for number, (site, forecaster) in enumerate(zip(scenario.sites, own_forecasters(scenario), strict=True)):
        actual_wh = [pv - load for pv, load in zip(pvs_wh[site.name], loads_wh[site.name], strict=True)]
        errors: list[list[int]] = [[] for _ in range(LEADS_HOURS)]
        sizes: list[list[int]] = [[] for _ in range(LEADS_HOURS)]
        for hour in range(first, end_interval, INTERVALS_PER_HOUR):
            courses = forecaster.courses(
                community.history(site.name, hour * INTERVAL_MS), min(INTERVALS_PER_DAY, end_interval - hour)
            )
            for ahead, values in enumerate(zip(*courses, strict=True)):
                recorded_wh = actual_wh[hour - first + ahead]
                errors[ahead // INTERVALS_PER_HOUR].append(median_low(values) - recorded_wh)
                sizes[ahead // INTERVALS_PER_HOUR].append(abs(recorded_wh))
        found += [
            ForecastError(
                site.name,
                lead + 1,
                len(own),
                sum(map(abs, own)) // len(own),
                int(sum(own) / len(own)),
                sum(sizes[lead]) // len(own),
            )
            for lead, own in enumerate(errors)
            if own
        ]
        progress(number + 1, len(scenario.sites))
    return tuple(found)
