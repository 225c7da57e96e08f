"""The sites in the flesh: recorded rows, batteries, meter registers. The only place that knows the future.

Guarantee: what leaves this file about load, PV and charge is the past. `history` hands out copies of rows
up to a moment, never a reader; a quarter that was cut from an hourly recording is shown when its whole hour
is over, because the first quarter would give the other three away. Readings are the exception that a market
needs: they leave when their interval is over, go to the ledger, and must not be shown to agents.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gridtokenx.simulation.battery import BatteryInstruction
from gridtokenx.simulation.meter_rows import read_meter_rows
from gridtokenx.simulation.observation import MeterHistory
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.tariff_view import INTERVAL_MS, INTERVALS_PER_HOUR

_CHARGES_KEPT = 2 * INTERVALS_PER_HOUR  # enough to know the charge at the end of the last shown hour


class Reading(NamedTuple):
    """A meter's cumulative registers at the end of an interval, and the net export of the interval itself."""

    interval: int
    import_wh: int
    export_wh: int
    net_export_wh: int


class CommunityState(NamedTuple):
    """What has to be kept so that a community goes on after a restart; plain numbers, by site name."""

    next_interval: int
    registers_wh: dict[str, tuple[int, int]]
    charges_wh: dict[str, dict[int, int]]

    def charge_wh(self, site_name: str) -> int:
        """What a site's battery holds now, 0 without one. For reports: agents see it with the rows."""
        return self.charges_wh.get(site_name, {}).get(self.next_interval, 0)


class Community:
    """One scenario's sites. `meter` is called once for each interval, in order."""

    def __init__(self, scenario: Scenario, state: CommunityState | None = None) -> None:
        """Read the meter rows; raises `ScenarioError`. With a `state`, go on where that one was taken."""
        self.__first = scenario.first_interval - scenario.history_intervals
        self.__end = scenario.end_interval
        self.__sites = {site.name: site for site in scenario.sites}
        self.__rows = read_meter_rows(scenario)
        self.__histories: dict[str, MeterHistory] = {}
        if state is None:
            start = scenario.first_interval
            charges = {s.name: {start: s.battery.charge_at_start_wh} for s in scenario.sites if s.battery}
            state = CommunityState(start, dict.fromkeys(self.__sites, (0, 0)), charges)
        self.__next = state.next_interval
        self.__registers = dict(state.registers_wh)
        self.__charges = {name: dict(charges) for name, charges in state.charges_wh.items()}

    def state(self) -> CommunityState:
        """A copy of what changes; see `CommunityState`."""
        charges = {name: dict(charges) for name, charges in self.__charges.items()}
        return CommunityState(self.__next, dict(self.__registers), charges)

    def history(self, site_name: str, time_ms: int) -> MeterHistory:
        """The rows of a site whose whole hour is over at `time_ms`."""
        hour_end = time_ms // (INTERVAL_MS * INTERVALS_PER_HOUR) * INTERVALS_PER_HOUR
        end = min(max(hour_end, self.__first), self.__end)
        charges = self.__charges.get(site_name) or {end: 0}
        # before the first hour is over the charge at the start is all there is, and it is no secret
        charge_interval = max((interval for interval in charges if interval <= end), default=min(charges))
        known = self.__histories.get(site_name)
        if known is None or known.end_interval != end or known.charge_interval != charge_interval:
            rows = self.__rows[site_name]
            load_wh, pv_wh = rows.load_wh[: end - self.__first], rows.pv_wh[: end - self.__first]
            known = MeterHistory(self.__first, load_wh, pv_wh, charges[charge_interval], charge_interval)
            self.__histories[site_name] = known
        return known

    def recorded_wh(self, site_name: str, interval: int) -> tuple[int, int]:
        """(load, PV) of an interval that has happened, without what a battery does; (0, 0) before the first recorded
        one. For meters that repeat a recording. Raises ValueError for an interval that is still to come."""
        if interval >= self.__next:
            raise ValueError(f"interval {interval} has not happened yet, the next one is {self.__next}")
        rows, index = self.__rows[site_name], interval - self.__first
        return (rows.load_wh[index], rows.pv_wh[index]) if index >= 0 else (0, 0)

    def meter(self, interval: int, instructions: Mapping[str, BatteryInstruction]) -> dict[str, Reading]:
        """Let an interval happen and read every meter; a site with a battery needs its instruction.

        Registers start at zero and never fall; in a quarter a meter counts either import or export. Raises
        ValueError when intervals are not taken in order.
        """
        if interval != self.__next or interval >= self.__end:
            raise ValueError(f"interval {interval} cannot be metered, the next one is {self.__next} of {self.__end}")
        readings = {}
        index = interval - self.__first
        for name, site in self.__sites.items():
            rows = self.__rows[name]
            net_wh = rows.pv_wh[index] - rows.load_wh[index]
            if site.device is not None:
                charges = self.__charges[name]
                charge_wh, net_wh = site.device.step(charges[interval], net_wh, instructions[name])
                charges[interval + 1] = charge_wh
                charges.pop(interval + 1 - _CHARGES_KEPT, None)
            import_wh, export_wh = self.__registers[name]
            import_wh += max(0, -net_wh)
            export_wh += max(0, net_wh)
            self.__registers[name] = import_wh, export_wh
            readings[name] = Reading(interval, import_wh, export_wh, net_wh)
        self.__next = interval + 1
        return readings
