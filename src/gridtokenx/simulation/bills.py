"""The bill at the residual supplier's tariff, as if there were no market: what every site compares with."""

from typing import NamedTuple

from gridtokenx.simulation.battery import BatteryInstruction
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.tariff_view import TimeOfUse


class BillWithoutMarket(NamedTuple):
    """What a site would pay, and what its battery would hold in the end.

    A bill with the market compares fairly only when the difference in stored energy is shown beside it.
    """

    bill_micro: int
    charge_wh: int


def own_use(tariff: TimeOfUse, interval: int) -> BatteryInstruction:
    """How a battery runs without a market: keep own surplus, spend it on own load in on-peak hours."""
    return BatteryInstruction(0, tariff.is_on_peak(interval))


def interval_bill_micro(tariff: TimeOfUse, interval: int, net_export_wh: int) -> int:
    """What a site pays for one interval: import at the tariff; export earns the buy-back and is negative.

    Without VAT and service charge. Amounts are rounded down in magnitude: the payer keeps the rest.
    """
    if net_export_wh < 0:
        return -net_export_wh * tariff.price_micro(interval) // 1000
    return -(net_export_wh * tariff.buy_back_micro // 1000)


def bills_without_market(scenario: Scenario, end_interval: int | None = None) -> dict[str, BillWithoutMarket]:
    """Bill and stored energy of each site, from the scenario's start to `end_interval` (else its end)."""
    community = Community(scenario)
    tariff = scenario.tariff
    bills = {site.name: 0 for site in scenario.sites}
    batteries = [site.name for site in scenario.sites if site.battery]
    for interval in range(scenario.first_interval, end_interval or scenario.end_interval):
        instruction = own_use(tariff, interval)
        readings = community.meter(interval, dict.fromkeys(batteries, instruction))
        for name, reading in readings.items():
            bills[name] += interval_bill_micro(tariff, interval, reading.net_export_wh)
    state = community.state()
    return {name: BillWithoutMarket(bill, state.charge_wh(name)) for name, bill in bills.items()}
