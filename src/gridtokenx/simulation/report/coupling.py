"""What coupling is worth: the figures by which runs of one community with different borders are compared."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from gridtokenx.modules.market.state import NOBODY, Trade
from gridtokenx.simulation.planner import stored_value_micro
from gridtokenx.simulation.report.dues import CONGESTION, TRANSMISSION
from gridtokenx.simulation.report.figures import Report
from gridtokenx.simulation.report.make import RunRecord
from gridtokenx.simulation.scenario import Scenario


class ZonePrices(msgspec.Struct, frozen=True):
    """One zone. What its buyers paid for a kWh delivered (price and wheeling, without fees) and what its sellers got,
    both by traded energy; 0 where nothing was."""

    zone: str
    load_wh: int
    pv_wh: int
    bought_wh: int
    sold_wh: int
    delivered_price_micro: int
    sold_price_micro: int


class CoupledRun(msgspec.Struct, frozen=True):
    """One run. `welfare` is what the sites gained (bills and stored energy) and congestion rent: wheeling and fees
    count as costs, as in the auction. `crossed`: traded energy that left its zone. Consumers are the sites that took in
    more than they gave without a market, producers the others; bills before VAT."""

    name: str
    welfare_micro: int
    gained_micro: int
    rent_micro: int
    wires_micro: int
    traded_wh: int
    crossed_wh: int
    auctioned_wh: int
    consumers_bill_micro: int
    consumers_without_micro: int
    producers_bill_micro: int
    producers_without_micro: int
    zones: tuple[ZonePrices, ...]


def coupled_run(name: str, scenario: Scenario, report: Report, record: RunRecord) -> CoupledRun:
    """The figures of a run of this scenario."""
    changes = {party.name: party.change_micro for party in report.parties}
    differences_wh = {home.name: home.stored_wh - home.stored_without_wh for home in report.homes}
    gained_micro = report.saved_micro + stored_value_micro(scenario, differences_wh)
    rent_micro = changes.get(CONGESTION, 0)
    consumers = [home for home in report.homes if home.import_without_wh > home.export_without_wh]
    producers = [home for home in report.homes if home.import_without_wh <= home.export_without_wh]
    trades = [trade for _, trade in record.recorder.trades]
    zone_of = _zones(scenario, record)
    crossed_wh = sum(
        trade.quantity_wh
        for trade in trades
        if NOBODY not in (trade.buyer, trade.seller)
        and zone_of[trade.buyer_portfolio] != zone_of[trade.seller_portfolio]
    )
    auctioned = [trade for trade in trades if trade.seller == NOBODY]
    return CoupledRun(
        name=name,
        welfare_micro=gained_micro + rent_micro,
        gained_micro=gained_micro,
        rent_micro=rent_micro,
        wires_micro=sum(changes.get(each, 0) for each in ("mea", "pea", TRANSMISSION)),
        traded_wh=report.traded_wh,
        crossed_wh=crossed_wh + _exported_wh(trades, zone_of),
        auctioned_wh=sum(trade.quantity_wh for trade in auctioned),
        consumers_bill_micro=sum(home.bill_with_micro for home in consumers),
        consumers_without_micro=sum(home.bill_without_micro for home in consumers),
        producers_bill_micro=sum(home.bill_with_micro for home in producers),
        producers_without_micro=sum(home.bill_without_micro for home in producers),
        zones=_zone_prices(scenario, report, trades, zone_of),
    )


def _zones(scenario: Scenario, record: RunRecord) -> dict[bytes, str]:
    """By portfolio."""
    connections = record.genesis.connections.values()
    return {connection.portfolio: scenario.place_of(connection.site).zone for connection in connections}


def _exported_wh(trades: Iterable[Trade], zone_of: Mapping[bytes, str]) -> int:
    """What zones sold in auctions beyond what they bought there."""
    net_wh = Counter[tuple[int, str]]()
    for trade in trades:
        if trade.buyer == NOBODY:
            net_wh[trade.interval, zone_of[trade.seller_portfolio]] += trade.quantity_wh
        elif trade.seller == NOBODY:
            net_wh[trade.interval, zone_of[trade.buyer_portfolio]] -= trade.quantity_wh
    return sum(max(0, each) for each in net_wh.values())


def _zone_prices(
    scenario: Scenario, report: Report, trades: Iterable[Trade], zone_of: Mapping[bytes, str]
) -> tuple[ZonePrices, ...]:
    bought_wh, sold_wh, paid_micro, got_micro = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for trade in trades:
        value_micro = trade.price_micro * trade.quantity_wh // 1_000
        if trade.buyer != NOBODY:
            zone = zone_of[trade.buyer_portfolio]
            bought_wh[zone] += trade.quantity_wh
            paid_micro[zone] += value_micro + trade.wheeling_micro
        if trade.seller != NOBODY:
            zone = zone_of[trade.seller_portfolio]
            sold_wh[zone] += trade.quantity_wh
            got_micro[zone] += value_micro
    homes = {home.name: home for home in report.homes}
    own: dict[str, list[str]] = {place.zone: [] for place in scenario.places}
    for site in scenario.sites:
        own[scenario.place_of(site).zone].append(site.name)
    return tuple(
        ZonePrices(
            zone,
            sum(homes[name].load_wh for name in names),
            sum(homes[name].pv_wh for name in names),
            bought_wh[zone],
            sold_wh[zone],
            paid_micro[zone] * 1_000 // bought_wh[zone] if bought_wh[zone] else 0,
            got_micro[zone] * 1_000 // sold_wh[zone] if sold_wh[zone] else 0,
        )
        for zone, names in own.items()
    )
