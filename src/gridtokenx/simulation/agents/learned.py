"""The agent that learns: a trained forecast, and a battery that follows the best use of it."""

from gridtokenx.simulation.agents.bidding import ForesightAgent
from gridtokenx.simulation.battery import BatteryInstruction
from gridtokenx.simulation.battery_schedule import BatterySchedule
from gridtokenx.simulation.forecast_learned import LearnedForecaster
from gridtokenx.simulation.observation import MarketTerms, Observation
from gridtokenx.simulation.scenario import LearnedSettings, Site, SkyTable
from gridtokenx.simulation.tariff_view import INTERVALS_PER_DAY, INTERVALS_PER_HOUR


class LearnedAgent(ForesightAgent):
    """Foresees by `forecast_learned.LearnedForecaster`, plans its battery by `battery_schedule.BatterySchedule`."""

    def __init__(self, site: Site, terms: MarketTerms, sky: SkyTable, settings: LearnedSettings) -> None:
        forecaster = LearnedForecaster(terms.tariff, site.export_capacity_w("solar"), sky)
        super().__init__(site, terms, sky, settings, forecaster)
        self._filling: frozenset[int] = frozenset()
        """Off-peak intervals in which the battery draws more than the roof gives."""

    def instruct(self, interval: int, position_wh: int) -> BatteryInstruction:
        """Keep to what is sold minus bought; when filling, draw what the connection gives."""
        if interval in self._filling:
            return BatteryInstruction(-self._site.import_capacity_w // INTERVALS_PER_HOUR, may_discharge=False)
        return super().instruct(interval, position_wh)

    def _foresee(self, observation: Observation) -> None:
        history = observation.history
        start = history.end_interval
        first_open = self._terms.first_open_interval(observation.time_ms)
        device = self._site.device
        count = INTERVALS_PER_DAY
        if device is None:
            count = first_open + INTERVALS_PER_HOUR + self._horizon - start
        courses = self._forecaster.courses(history, min(count, INTERVALS_PER_DAY))
        exports = courses
        if device is not None and courses:
            committed = range(start, min(first_open, start + len(courses[0])))
            positions = observation.positions_wh
            exports, charges = [], []
            for course in courses:
                charge_wh, early = history.charge_wh, []
                for interval in committed:
                    instruction = self.instruct(interval, positions.get(interval, 0))
                    charge_wh, export_wh = device.step(charge_wh, course[interval - start], instruction)
                    early.append(export_wh)
                charges.append(charge_wh)
                exports.append(early)
            later = [course[len(committed) :] for course in courses]
            plans = BatterySchedule(device, self._terms).exports(later, committed.stop, charges)
            exports = [early + plan for early, plan in zip(exports, plans, strict=True)]
            middle = len(courses) // 2
            plan = list(zip(range(start, start + len(courses[0])), exports[middle], courses[middle], strict=True))
            most_wh = device.power_w // INTERVALS_PER_HOUR
            self._stored = frozenset(interval for interval, export_wh, surplus_wh in plan if export_wh > 2 * surplus_wh)
            self._filling = frozenset(
                interval
                for interval, export_wh, surplus_wh in plan
                if 2 * (min(surplus_wh, 0) - export_wh) > most_wh and not self._terms.tariff.is_on_peak(interval)
            )
        columns = [sorted(column) for column in zip(*exports, strict=True)]
        self._samples = {start + offset: column for offset, column in enumerate(columns)}
