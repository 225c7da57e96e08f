"""The rules by which a home runs its battery with a market, applied to one course of the forecast.

1. Off-peak, keep surplus, and fill up from the grid as late as possible before on-peak begins, if energy is then
   worth more than it costs now, losses counted.
2. On-peak, cover the own load, and sell what it will not need until on-peak ends, in equal parts.

Sun that is left over on-peak is sold at once: to store it first would lose a part of it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gridtokenx.simulation.battery import Battery, BatteryInstruction
from gridtokenx.simulation.observation import MarketTerms
from gridtokenx.simulation.tariff_view import INTERVALS_PER_DAY, INTERVALS_PER_HOUR


class BatteryPlan(NamedTuple):
    """One site's battery and connection. Courses begin with the interval `start`, at which the charge is known."""

    device: Battery
    terms: MarketTerms
    export_capacity_w: int
    import_capacity_w: int

    def filling(self, course: list[int], start: int, charge_wh: int) -> range:
        """The intervals before on-peak begins in which the battery fills up from the grid."""
        begins = self._next_on_peak(start)
        if begins is None or begins - start > len(course) or not self._pays(begins):
            return range(0)
        for interval in range(start, begins):
            charge_wh, _ = self.device.step(
                charge_wh, course[interval - start], BatteryInstruction(0, may_discharge=False)
            )
        need_wh = (self.device.capacity_wh - charge_wh) * 1000 // self.device.round_trip_permille
        return range(begins + -need_wh // (self.device.power_w // INTERVALS_PER_HOUR), begins)

    def instruction(self, interval: int, position_wh: int, filling: range) -> BatteryInstruction:
        """Keep to what is sold minus bought; when filling, draw what the connection gives."""
        if interval in filling:
            return BatteryInstruction(-self.import_capacity_w // INTERVALS_PER_HOUR, may_discharge=False)
        return BatteryInstruction(position_wh, self.terms.tariff.is_on_peak(interval))

    def exports(
        self,
        course: list[int],
        start: int,
        charge_wh: int,
        committed_wh: Mapping[int, int],
        first_open: int,
        filling: range,
    ) -> list[int]:
        """Net export in each interval; what is `committed_wh` before `first_open` is kept."""
        exports = []
        most_wh = self.device.power_w // INTERVALS_PER_HOUR
        spare_wh, ends = 0, start
        for interval, surplus_wh in enumerate(course, start=start):
            on_peak = self.terms.tariff.is_on_peak(interval)
            if interval < first_open or not on_peak:
                position_wh = committed_wh.get(interval, 0) if interval < first_open else 0
                instruction = self.instruction(interval, position_wh, filling)
                charge_wh, export_wh = self.device.step(charge_wh, surplus_wh, instruction)
                exports.append(export_wh)
                continue
            if interval >= ends:
                ends = self._on_peak_end(interval)
                need_wh = sum(max(0, -later_wh) for later_wh in course[interval - start : ends - start])
                spare_wh = max(0, charge_wh - need_wh)
            own_wh = min(max(0, -surplus_wh), most_wh, charge_wh)
            sold_wh = min(spare_wh // (ends - interval), most_wh - own_wh, self.export_capacity_w // INTERVALS_PER_HOUR)
            spare_wh -= sold_wh
            charge_wh -= own_wh + sold_wh
            exports.append(surplus_wh + own_wh + sold_wh)
        return exports

    def _pays(self, begins: int) -> bool:
        """Whether a kWh bought now sells on-peak with a gain: at the middle between buy-back and tariff."""
        tariff = self.terms.tariff
        sold_micro = (tariff.buy_back_micro + tariff.price_micro(begins) - self.terms.wheeling_micro) // 2
        return sold_micro * self.device.round_trip_permille // 1000 > tariff.off_peak_micro

    def _next_on_peak(self, start: int) -> int | None:
        """Where the next on-peak hours begin within a day, None when they have begun already or there are none."""
        tariff = self.terms.tariff
        if tariff.is_on_peak(start):
            return None
        return next((i for i in range(start, start + INTERVALS_PER_DAY) if tariff.is_on_peak(i)), None)

    def _on_peak_end(self, interval: int) -> int:
        while self.terms.tariff.is_on_peak(interval):
            interval += 1
        return interval
