"""The rule-based agent: like days tell it what to expect, rules that a person can read what to do."""

from gridtokenx.simulation.agents.bidding import ForesightAgent
from gridtokenx.simulation.battery import BatteryInstruction
from gridtokenx.simulation.battery_plan import BatteryPlan
from gridtokenx.simulation.forecast import Forecaster
from gridtokenx.simulation.observation import MarketTerms, Observation
from gridtokenx.simulation.scenario import PatientSettings, Site, SkyTable
from gridtokenx.simulation.tariff_view import INTERVALS_PER_DAY, INTERVALS_PER_HOUR


class PatientAgent(ForesightAgent):
    """Foresees by like days (`forecast.Forecaster`), runs its battery by rule (`battery_plan.BatteryPlan`)."""

    def __init__(self, site: Site, terms: MarketTerms, sky: SkyTable, settings: PatientSettings) -> None:
        forecaster = Forecaster(terms.tariff, site.export_capacity_w("solar"), sky)
        super().__init__(site, terms, sky, settings, forecaster)
        self._plan: BatteryPlan | None = None
        if site.device is not None:
            self._plan = BatteryPlan(site.device, terms, site.export_capacity_w("storage"), site.import_capacity_w)
        self._filling = range(0)

    def instruct(self, interval: int, position_wh: int) -> BatteryInstruction:
        """As planned when the last hour became known."""
        if self._plan is None:
            return super().instruct(interval, position_wh)
        return self._plan.instruction(interval, position_wh, self._filling)

    def _foresee(self, observation: Observation) -> None:
        history = observation.history
        start = history.end_interval
        first_open = self._terms.first_open_interval(observation.time_ms)
        count = INTERVALS_PER_DAY
        if self._plan is None:
            count = min(count, first_open + INTERVALS_PER_HOUR + self._horizon - start)
        courses = self._forecaster.courses(history, count)
        columns = [sorted(column) for column in zip(*courses, strict=True)]
        if self._plan is not None and columns:
            middle = [column[len(column) // 2] for column in columns]
            charge_wh = history.charge_wh
            self._filling = self._plan.filling(middle, start, charge_wh)
            exports = [
                self._plan.exports(course, start, charge_wh, observation.positions_wh, first_open, self._filling)
                for course in courses
            ]
            columns = [sorted(column) for column in zip(*exports, strict=True)]
            self._stored = frozenset(
                start + offset for offset, column in enumerate(columns) if column[len(column) // 2] > 2 * middle[offset]
            )
        self._samples = {start + offset: column for offset, column in enumerate(columns)}
