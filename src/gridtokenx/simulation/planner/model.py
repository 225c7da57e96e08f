"""A scenario's community as the planner sees it: limits and prices as arrays, nothing that was recorded."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from gridtokenx.simulation.agents import CourseForecaster, make_forecaster
from gridtokenx.simulation.forecast import Forecaster
from gridtokenx.simulation.genesis import market_terms
from gridtokenx.simulation.observation import MarketTerms
from gridtokenx.simulation.planner.linear import Indices, Numbers
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.tariff_view import INTERVALS_PER_HOUR

MILLION = 1_000_000


def floor_price_micro(terms: MarketTerms) -> int:
    """The lowest price on the tick at which a seller, its trading fee paid, does not lose against the buy-back."""
    kept = MILLION - terms.trading_fee_millionths
    least_micro = -(-terms.tariff.buy_back_micro * MILLION // kept)
    return -(-least_micro // terms.tick_micro) * terms.tick_micro


def own_forecasters(scenario: Scenario) -> list[CourseForecaster]:
    """New ones, in the order of the sites: each the forecast that the site's agent decides by. Raises `ScenarioError`
    where a library for it is missing."""
    terms = market_terms(scenario)
    return [make_forecaster(site, terms, scenario.sky) for site in scenario.sites]


class CommunityModel:
    """Energy in Wh per interval, prices in millionths of a WATT per kWh.

    Sites are numbered as in the scenario; `batteries` and `without_battery` hold such numbers, and everything about
    batteries is in the order of `batteries`.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.terms = market_terms(scenario)
        sites = scenario.sites
        devices = {number: site.device for number, site in enumerate(sites) if site.device is not None}
        self.batteries: Indices = np.array(list(devices), np.int64)
        self.without_battery: Indices = np.array([n for n in range(len(sites)) if n not in devices], np.int64)
        self.capacity_wh = _array(device.capacity_wh for device in devices.values())
        self.power_wh = _array(device.power_w // INTERVALS_PER_HOUR for device in devices.values())
        self.efficiency = _array(device.round_trip_permille / 1000 for device in devices.values())
        self.import_wh = _array(site.import_capacity_w // INTERVALS_PER_HOUR for site in sites)
        self.export_wh = _array(
            sum(source.export_capacity_w for source in site.sources) // INTERVALS_PER_HOUR for site in sites
        )
        self._limits = [Forecaster(scenario.tariff, site.export_capacity_w("solar"), scenario.sky) for site in sites]
        self.related = _related(scenario)
        self.buy_back_micro = scenario.tariff.buy_back_micro
        self.spread_micro = self.terms.imbalance_spread_micro
        self.price_micro = floor_price_micro(self.terms)
        fees = self.terms.grid_fee_millionths + 2 * self.terms.trading_fee_millionths
        self.fee_micro = self.terms.wheeling_micro + self.price_micro * fees / MILLION
        """What the community loses to wires and fee pool with each kWh traded at the floor price."""

    def tariff_micro(self, first_interval: int, intervals: int) -> Numbers:
        tariff = self.scenario.tariff
        return _array(tariff.price_micro(first_interval + offset) for offset in range(intervals))

    def sale_limits_wh(self, first_interval: int, intervals: int) -> Numbers:
        """The position limit of sellers, by site and interval."""
        return np.array(
            [
                [
                    limit.pv_limit_wh(interval) + site.export_capacity_w("storage") // INTERVALS_PER_HOUR
                    for interval in range(first_interval, first_interval + intervals)
                ]
                for site, limit in zip(self.scenario.sites, self._limits, strict=True)
            ],
            float,
        )

    def by_battery(self, energies_wh: Mapping[str, int]) -> Numbers:
        """Energies by site name, in the order of `batteries`."""
        return _array(energies_wh[self.scenario.sites[number].name] for number in self.batteries)


def _array(values: Iterable[float]) -> Numbers:
    return np.array(list(values), float)


def _related(scenario: Scenario) -> list[Indices]:
    """The sites of each participant that has several."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for number, site in enumerate(scenario.sites):
        groups[site.participant].append(number)
    return [np.array(numbers, np.int64) for numbers in groups.values() if len(numbers) > 1]
