"""What a battery's owner can expect to export, course by course of the forecast."""

from typing import NamedTuple

from gridtokenx.simulation.battery import Battery, BatteryInstruction
from gridtokenx.simulation.observation import MarketTerms, Observation
from gridtokenx.simulation.tariff_view import INTERVALS_PER_HOUR


class BatteryPlan(NamedTuple):
    """What a battery makes of one course of surplus: own use first, and what is left of it sold before
    on-peak ends.
    """

    device: Battery
    terms: MarketTerms
    export_capacity_w: int
    first_open: int
    peak_end: int | None

    def exports(self, course: list[int], observation: Observation) -> list[int]:
        """Net export in each interval of a course that begins at the history's end."""
        start = observation.history.end_interval
        charge_wh = observation.history.charge_wh
        tariff = self.terms.tariff
        exports: list[int] = []
        left_wh = 0
        for interval, surplus_wh in enumerate(course, start=start):
            committed_wh = observation.positions_wh.get(interval, 0) if interval < self.first_open else 0
            instruction = BatteryInstruction(committed_wh, tariff.is_on_peak(interval))
            charge_wh, export_wh = self.device.step(charge_wh, surplus_wh, instruction)
            exports.append(export_wh)
            if interval + 1 == self.peak_end:
                left_wh = charge_wh
        if left_wh and self.peak_end is not None:
            self._spread(exports, course, left_wh, start, self.peak_end)
        return exports

    def _spread(self, exports: list[int], course: list[int], left_wh: int, start: int, peak_end: int) -> None:
        """Share what own use leaves in the store evenly over the on-peak intervals after the last sun."""
        begin = peak_end
        while begin > self.first_open and course[begin - 1 - start] <= 0 and self.terms.tariff.is_on_peak(begin - 1):
            begin -= 1
        most_wh = min(self.device.power_w, self.export_capacity_w) // INTERVALS_PER_HOUR
        for interval in range(begin, peak_end):
            offset = interval - start
            discharged_wh = exports[offset] - course[offset]
            share_wh = min(left_wh // (peak_end - interval), most_wh - discharged_wh)
            exports[offset] += max(0, share_wh)
            left_wh -= max(0, share_wh)
