"""The same homes without a market, interval by interval."""

from typing import NamedTuple

from gridtokenx.simulation.bills import interval_bill_micro, own_use
from gridtokenx.simulation.community import Community, Reading
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.tariff_view import INTERVAL_MS


class IntervalWithout(NamedTuple):
    """Readings by site, and what all batteries together hold at the end of the interval."""

    readings: dict[str, Reading]
    stored_wh: int


class WithoutMarket:
    """Goes on as far as it is asked to: bills, and what flows over the feeder's head."""

    def __init__(self, scenario: Scenario) -> None:
        self._tariff = scenario.tariff
        self._community = Community(scenario)
        self._batteries = [site.name for site in scenario.sites if site.battery]
        self._first = self.next_interval = scenario.first_interval
        self.bills_micro = {site.name: 0 for site in scenario.sites}
        self.feeder_export_wh = 0
        self.feeder_import_wh = 0
        self.intervals: dict[int, IntervalWithout] = {}

    def advance(self, end_interval: int) -> None:
        """Go on to the start of `end_interval`."""
        for interval in range(self.next_interval, end_interval):
            instruction = own_use(self._tariff, interval)
            readings = self._community.meter(interval, dict.fromkeys(self._batteries, instruction))
            for name, reading in readings.items():
                self.bills_micro[name] += interval_bill_micro(self._tariff, interval, reading.net_export_wh)
            net_wh = sum(reading.net_export_wh for reading in readings.values())
            self.feeder_export_wh += max(0, net_wh)
            self.feeder_import_wh += max(0, -net_wh)
            self.intervals[interval] = IntervalWithout(readings, sum(self.stored_wh().values()))
            self.next_interval = interval + 1

    def stored_wh(self) -> dict[str, int]:
        """What each site's battery holds now."""
        state = self._community.state()
        return {name: state.charge_wh(name) for name in self.bills_micro}

    def pv_wh(self) -> int:
        """What the roofs made from the scenario's start up to now, by the whole hour."""
        return sum(self._pv_before(self.next_interval)) - sum(self._pv_before(self._first))

    def _pv_before(self, interval: int) -> list[int]:
        return [sum(self._community.history(name, interval * INTERVAL_MS).pv_wh) for name in self.bills_micro]
