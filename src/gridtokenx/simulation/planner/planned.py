"""What a planner achieved, and what the charge of the batteries is worth in the end."""

from collections.abc import Mapping

import msgspec

from gridtokenx.simulation.scenario import Scenario


class PlannedInterval(msgspec.Struct, frozen=True):
    """Sums over the community. `supplied_wh` comes from the residual supplier, `returned_wh` goes to it (imbalance
    included); `stored_wh` is what the batteries hold at the end of the interval."""

    interval: int
    traded_wh: int
    supplied_wh: int
    returned_wh: int
    stored_wh: int


class Planned(msgspec.Struct, frozen=True):
    """`gain_micro` = sum of the bills without a market - `bill_micro` + `stored_value_micro`; the last is what the
    charge is worth that the batteries hold in the end beyond (or below) that without a market."""

    bill_micro: int
    stored_value_micro: int
    gain_micro: int
    intervals: tuple[PlannedInterval, ...]

    @property
    def traded_wh(self) -> int:
        return sum(each.traded_wh for each in self.intervals)


def stored_value_micro(scenario: Scenario, differences_wh: Mapping[str, int]) -> int:
    """What it is worth that each site's battery holds so much more (or, negative, less) in the end.

    A surplus earns the buy-back at least; a lack costs the off-peak tariff, and the loss of charging, to refill. Both
    are chosen against the side that profits. Rounded down.
    """
    value_micro = 0
    for site in scenario.sites:
        difference_wh = differences_wh.get(site.name, 0)
        if difference_wh > 0:
            value_micro += difference_wh * scenario.tariff.buy_back_micro // 1_000
        elif difference_wh < 0 and site.battery is not None:
            value_micro += difference_wh * scenario.tariff.off_peak_micro // site.battery.round_trip_permille
    return value_micro
