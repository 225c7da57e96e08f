"""The same figures by delivery interval, by day and by hour of the day: what plots are made of."""

from collections.abc import Iterable, Sequence

import msgspec

from gridtokenx.modules.market.state import NOBODY, Trade
from gridtokenx.simulation.bills import interval_bill_micro
from gridtokenx.simulation.report.make import Line, RunRecord, recorded_energy_wh
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.tariff_view import INTERVALS_PER_HOUR, bangkok_day, quarter_of_day


class IntervalFigures(msgspec.Struct, frozen=True):
    """One delivery interval, summed over the sites.

    Import of a meter is what neighbours delivered (`from_neighbours`) and what the residual supplier did (`supplied`);
    export is what neighbours took under contract (`to_neighbours`) and what the supplier did (`returned`). The two
    sides differ by imbalance. `stored` is what batteries hold at the end.
    """

    interval: int
    tariff_micro: int
    trades: int
    traded_wh: int
    traded_micro: int
    lowest_price_micro: int
    highest_price_micro: int
    load_wh: int
    pv_wh: int
    import_wh: int
    export_wh: int
    from_neighbours_wh: int
    supplied_wh: int
    to_neighbours_wh: int
    returned_wh: int
    undelivered_wh: int
    unused_wh: int
    stored_wh: int
    bill_micro: int
    import_without_wh: int
    export_without_wh: int
    stored_without_wh: int
    bill_without_micro: int


class GroupFigures(msgspec.Struct, frozen=True):
    """The sums of some intervals: of one day (`first_interval` is its first), or of one hour of all days. Both averages
    are by traded energy: what it cost, and what it would have cost of the supplier."""

    first_interval: int
    intervals: int
    trades: int
    traded_wh: int
    traded_micro: int
    average_price_micro: int
    average_tariff_micro: int
    load_wh: int
    pv_wh: int
    from_neighbours_wh: int
    supplied_wh: int
    to_neighbours_wh: int
    returned_wh: int
    undelivered_wh: int
    unused_wh: int
    bill_micro: int
    bill_without_micro: int
    import_without_wh: int
    export_without_wh: int


def intervals_of_run(scenario: Scenario, record: RunRecord, end_interval: int) -> tuple[IntervalFigures, ...]:
    """Every delivery interval of the run, in order."""
    loads_wh, pvs_wh = recorded_energy_wh(scenario, end_interval)
    trades: dict[int, list[Trade]] = {}
    for _, trade in record.recorder.trades:
        trades.setdefault(trade.interval, []).append(trade)
    rows = []
    for offset, interval in enumerate(range(scenario.first_interval, end_interval)):
        lines = [own[interval] for own in record.lines.sites.values() if interval in own]
        energy_wh = sum(load[offset] for load in loads_wh.values()), sum(pv[offset] for pv in pvs_wh.values())
        rows.append(_interval(scenario, record, interval, trades.get(interval, []), lines, energy_wh))
    return tuple(rows)


def days_of(intervals: Sequence[IntervalFigures]) -> tuple[GroupFigures, ...]:
    """The days in Bangkok, in order."""
    days: dict[int, list[IntervalFigures]] = {}
    for row in intervals:
        days.setdefault(bangkok_day(row.interval), []).append(row)
    return tuple(_group(rows) for rows in days.values())


def hours_of(intervals: Sequence[IntervalFigures]) -> tuple[GroupFigures, ...]:
    """The hours of the day in Bangkok from 0 to 23, each over all days; fewer where a run has fewer."""
    hours: dict[int, list[IntervalFigures]] = {}
    for row in intervals:
        hours.setdefault(quarter_of_day(row.interval) // INTERVALS_PER_HOUR, []).append(row)
    return tuple(_group(hours[hour]) for hour in sorted(hours))


def _interval(
    scenario: Scenario,
    record: RunRecord,
    interval: int,
    trades: Sequence[Trade],
    lines: Sequence[Line],
    energy_wh: tuple[int, int],
) -> IntervalFigures:
    statements = [line.statement for line in lines]
    # Of an auction's trades purchases count.
    trades = [trade for trade in trades if trade.buyer != NOBODY]
    prices = [trade.price_micro for trade in trades]
    other = record.without.intervals[interval]
    nets_wh = [reading.net_export_wh for reading in other.readings.values()]
    import_wh, export_wh = sum(each.import_wh for each in statements), sum(each.export_wh for each in statements)
    other_import_wh = sum(each.other_import_wh for each in statements)
    other_export_wh = sum(each.other_export_wh for each in statements)
    return IntervalFigures(
        interval=interval,
        tariff_micro=scenario.tariff.price_micro(interval),
        trades=len(trades),
        traded_wh=sum(trade.quantity_wh for trade in trades),
        traded_micro=sum(trade.quantity_wh * trade.price_micro // 1_000 for trade in trades),
        lowest_price_micro=min(prices, default=0),
        highest_price_micro=max(prices, default=0),
        load_wh=energy_wh[0],
        pv_wh=energy_wh[1],
        import_wh=import_wh,
        export_wh=export_wh,
        from_neighbours_wh=import_wh - other_import_wh,
        supplied_wh=other_import_wh,
        to_neighbours_wh=export_wh - other_export_wh,
        returned_wh=other_export_wh,
        undelivered_wh=sum(each.undelivered_wh for each in statements),
        unused_wh=sum(each.unused_wh for each in statements),
        stored_wh=sum(record.recorder.stored_wh.get(interval, {}).values()),
        bill_micro=sum(line.parts.bill_micro for line in lines),
        import_without_wh=sum(max(0, -net) for net in nets_wh),
        export_without_wh=sum(max(0, net) for net in nets_wh),
        stored_without_wh=other.stored_wh,
        bill_without_micro=sum(interval_bill_micro(scenario.tariff, interval, net) for net in nets_wh),
    )


def _group(rows: Sequence[IntervalFigures]) -> GroupFigures:
    traded_wh, traded_micro = sum(row.traded_wh for row in rows), sum(row.traded_micro for row in rows)
    sums = {name: sum(getattr(row, name) for row in rows) for name in _SUMMED}
    return GroupFigures(
        first_interval=rows[0].interval,
        intervals=len(rows),
        average_price_micro=traded_micro * 1_000 // traded_wh if traded_wh else 0,
        average_tariff_micro=_average_tariff_micro(rows, traded_wh),
        **sums,
    )


def _average_tariff_micro(rows: Sequence[IntervalFigures], traded_wh: int) -> int:
    """What the traded energy would have cost of the supplier; where nothing was traded, the plain mean."""
    if not traded_wh:
        return sum(row.tariff_micro for row in rows) // len(rows)
    return sum(row.tariff_micro * row.traded_wh for row in rows) // traded_wh


def _names(shape: type[msgspec.Struct]) -> Iterable[str]:
    return shape.__struct_fields__


_SUMMED = [name for name in _names(GroupFigures) if name in set(_names(IntervalFigures))]
