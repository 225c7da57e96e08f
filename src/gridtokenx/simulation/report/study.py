"""A run with everything that a reader may want beside it: series, forecast errors, and the planner."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from gridtokenx.simulation.genesis import market_terms
from gridtokenx.simulation.planner import (
    Planned,
    Rules,
    equal_foresight,
    perfect_foresight,
    stored_value_micro,
)
from gridtokenx.simulation.planner.model import CommunityModel
from gridtokenx.simulation.report.coupling import CoupledRun
from gridtokenx.simulation.report.figures import Report
from gridtokenx.simulation.report.forecasts import ForecastError, LeadError, forecast_errors, lead_errors
from gridtokenx.simulation.report.make import RunRecord
from gridtokenx.simulation.report.series import (
    GroupFigures,
    IntervalFigures,
    days_of,
    hours_of,
    intervals_of_run,
)
from gridtokenx.simulation.scenario import Scenario

FORMAT = "gridtokenx-report-1"
"""Marks a folder's `report.json` as ours."""

Progress = Callable[[str, int, int], None]
"""Told from time to time: what is being done, how much of it, of how much."""


class Run(Protocol):
    """What a study is made of: `simulate.Result` is one."""

    @property
    def report(self) -> Report: ...
    @property
    def record(self) -> RunRecord: ...


class SiteCard(msgspec.Struct, frozen=True):
    """What a site has; 0 for what it has not."""

    name: str
    pv_w: int
    battery_wh: int
    battery_w: int
    agent: str


class ScenarioCard(msgspec.Struct, frozen=True):
    """What the run was about, and the prices it was under."""

    name: str
    description: str
    zone: str
    feeder: str
    zones: int
    on_peak_micro: int
    off_peak_micro: int
    buy_back_micro: int
    wheeling_micro: int
    grid_fee_millionths: int
    trading_fee_millionths: int
    imbalance_spread_micro: int
    sites: tuple[SiteCard, ...]


class PlannerFigures(msgspec.Struct, frozen=True):
    """What the market found, beside what could be found.

    `found_micro`: the sum of what the homes saved, and what the stored energy at the end is worth (`stored_value`).
    `perfect` knows all rows; `daylight` does so too but may not charge batteries from the residual supplier; `alone`
    may not trade; `equal` knows what the agents knew. Shares are per mille of their gains, rounded down; 0 of none.
    """

    found_micro: int
    stored_value_micro: int
    floor_price_micro: int
    fee_micro: int
    perfect: Planned
    daylight: Planned
    alone: Planned
    equal: Planned
    share_of_perfect_permille: int
    share_of_equal_permille: int


class TradeRow(msgspec.Struct, frozen=True):
    """One trade. `time_ms` is that of its block. In an auction nobody (``) is on the other side."""

    time_ms: int
    interval: int
    seller: str
    buyer: str
    quantity_wh: int
    price_micro: int
    value_micro: int
    wheeling_micro: int


class Study(msgspec.Struct, frozen=True):
    """All of it; the same scenario and seed always give the same."""

    format: str
    scenario: ScenarioCard
    report: Report
    planner: PlannerFigures
    intervals: tuple[IntervalFigures, ...]
    days: tuple[GroupFigures, ...]
    hours: tuple[GroupFigures, ...]
    leads: tuple[LeadError, ...]
    forecast_errors: tuple[ForecastError, ...]
    trades: tuple[TradeRow, ...]
    coupling: tuple[CoupledRun, ...] = ()
    """Of a community in several zones: the same days coupled, apart and without limits."""

    def to_json(self) -> bytes:
        """The document, one key a line at the top so that two of them compare well."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    def to_page_json(self) -> bytes:
        """What the page is given: without the trades, and lists of records as columns, which takes a third."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        del document["trades"]
        for planned in ("perfect", "daylight", "alone", "equal"):
            document["planner"][planned]["intervals"] = _columns(document["planner"][planned]["intervals"])
        for name in ("intervals", "days", "hours", "leads", "forecast_errors"):
            document[name] = _columns(document[name])
        return msgspec.json.encode(document)


def make_study(
    scenario: Scenario,
    run: Run,
    progress: Progress = lambda what, done, total: None,
    coupling: tuple[CoupledRun, ...] = (),
) -> Study:
    """Everything about a run. Takes some seconds a day of delivery, most of them for the planner of equal foresight."""
    report, record = run.report, run.record
    end_interval = report.first_interval + report.intervals
    intervals = intervals_of_run(scenario, record, end_interval)
    errors = forecast_errors(scenario, end_interval, lambda done, total: progress("forecasts", done, total))
    planner = _planner(scenario, report, end_interval, progress)
    traders = record.genesis.connections | record.genesis.dealers
    names = {trader.owner.account: name for name, trader in traders.items()}
    trades = tuple(
        TradeRow(
            time_ms,
            trade.interval,
            names.get(trade.seller, ""),
            names.get(trade.buyer, ""),
            trade.quantity_wh,
            trade.price_micro,
            trade.price_micro * trade.quantity_wh // 1_000,
            trade.wheeling_micro,
        )
        for time_ms, trade in record.recorder.trades
    )
    return Study(
        FORMAT,
        _card(scenario),
        report,
        planner,
        intervals,
        days_of(intervals),
        hours_of(intervals),
        lead_errors(errors),
        errors,
        trades,
        coupling,
    )


def _planner(scenario: Scenario, report: Report, end_interval: int, progress: Progress) -> PlannerFigures:
    progress("perfect foresight", 0, 3)
    perfect = perfect_foresight(scenario, end_interval)
    progress("perfect foresight", 1, 3)
    daylight = perfect_foresight(scenario, end_interval, Rules(supplier_charging=False))
    progress("perfect foresight", 2, 3)
    alone = perfect_foresight(scenario, end_interval, Rules(trade=False))
    progress("perfect foresight", 3, 3)
    equal = equal_foresight(scenario, end_interval, lambda done, total: progress("equal foresight", done, total))
    differences_wh = {home.name: home.stored_wh - home.stored_without_wh for home in report.homes}
    value_micro = stored_value_micro(scenario, differences_wh)
    found_micro = report.saved_micro + value_micro
    model = CommunityModel(scenario)
    return PlannerFigures(
        found_micro=found_micro,
        stored_value_micro=value_micro,
        floor_price_micro=model.price_micro,
        fee_micro=int(model.fee_micro),
        perfect=perfect,
        daylight=daylight,
        alone=alone,
        equal=equal,
        share_of_perfect_permille=_share_permille(found_micro, perfect.gain_micro),
        share_of_equal_permille=_share_permille(found_micro, equal.gain_micro),
    )


def _share_permille(part_micro: int, whole_micro: int) -> int:
    return part_micro * 1_000 // whole_micro if whole_micro > 0 else 0


def _card(scenario: Scenario) -> ScenarioCard:
    terms = market_terms(scenario)
    return ScenarioCard(
        name=scenario.name,
        description=scenario.description.strip(),
        zone=scenario.zone,
        feeder=scenario.feeder,
        zones=len({place.zone for place in scenario.places}),
        on_peak_micro=scenario.tariff.on_peak_micro,
        off_peak_micro=scenario.tariff.off_peak_micro,
        buy_back_micro=scenario.tariff.buy_back_micro,
        wheeling_micro=terms.wheeling_micro,
        grid_fee_millionths=terms.grid_fee_millionths,
        trading_fee_millionths=terms.trading_fee_millionths,
        imbalance_spread_micro=terms.imbalance_spread_micro,
        sites=tuple(
            SiteCard(
                site.name,
                site.export_capacity_w("solar"),
                site.battery.capacity_wh if site.battery else 0,
                site.battery.power_w if site.battery else 0,
                str(site.agent.__struct_config__.tag),
            )
            for site in scenario.sites
        ),
    )


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
