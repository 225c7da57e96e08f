"""Puts a run's figures together, and checks each sum of money by a second way."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.state import State
from gridtokenx.modules.market.state import NOBODY
from gridtokenx.modules.settlement.state import PAYABLES, Statement
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.genesis import ScenarioGenesis, terms_of_scenario
from gridtokenx.simulation.report.anatomy import (
    BillParts,
    disagreement,
    parts_of_interval,
    parts_of_trades,
    vat_of_days,
)
from gridtokenx.simulation.report.dues import dues_of_trades
from gridtokenx.simulation.report.figures import Check, HomeReport, Party, Report
from gridtokenx.simulation.report.recorder import Recorder, balances_micro
from gridtokenx.simulation.report.without import WithoutMarket
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.tariff_view import INTERVAL_MS, bangkok_day

HOMES, SUPPLIER = "homes", "residual-supplier"
DISAGREEMENTS_MAX = 5
"""More of the same help nobody."""


class Line(NamedTuple):
    """One site and interval: the statement, and its bill taken apart."""

    statement: Statement
    parts: BillParts


class Lines(NamedTuple):
    """By site and interval, in order; the statements of dealers, and what they got as makers; and what trades brought
    others besides the sellers, by organisation."""

    sites: dict[str, dict[int, Line]]
    dealers: dict[str, list[Statement]]
    rebates_micro: dict[str, int]
    dues_micro: dict[str, int]
    findings: list[str]


class Ended(NamedTuple):
    """How a run ended: the chain's last state, balances before the first block, what batteries hold."""

    state: State
    app_hash: bytes
    before_micro: dict[bytes, int]
    stored_wh: dict[str, int]


class RunRecord(NamedTuple):
    """What a report was made of."""

    genesis: ScenarioGenesis
    recorder: Recorder
    lines: Lines
    without: WithoutMarket


def lines_of_run(scenario: Scenario, genesis: ScenarioGenesis, recorder: Recorder, end_interval: int) -> Lines:
    """Every statement from the scenario's start to `end_interval` with its trades; what does not agree is said."""
    terms = terms_of_scenario(scenario)
    traded = parts_of_trades(terms, (trade for _, trade in recorder.trades))
    connections = {connection.portfolio: (name, connection) for name, connection in genesis.connections.items()}
    sites: dict[str, dict[int, Line]] = {name: {} for name in genesis.connections}
    makers = {dealer.portfolio: name for name, dealer in genesis.dealers.items()}
    dealers: dict[str, list[Statement]] = {name: [] for name in genesis.dealers}
    rebates_micro = dict.fromkeys(genesis.dealers, 0)
    findings: list[str] = []
    for key, statement in sorted(recorder.statements.items()):
        interval = int.from_bytes(key[:4], "big")
        if key[4:] in makers:
            dealers[makers[key[4:]]].append(statement)
            rebates_micro[makers[key[4:]]] += recorder.rebates_micro.get(key, 0)
        elif scenario.first_interval <= interval < end_interval:
            name, connection = connections[key[4:]]
            own = traded.get((interval, connection.owner.account))
            parts = parts_of_interval(scenario.tariff.price_micro(interval), terms, statement, own)
            sites[name][interval] = Line(statement, parts)
            finding = disagreement(name, interval, statement, own)
            if finding and len(findings) < DISAGREEMENTS_MAX:
                findings.append(finding)
    zones = {connection.portfolio: scenario.place_of(connection.site).zone for _, connection in connections.values()}
    zones |= dict.fromkeys(makers, scenario.zone)
    dues_micro = dues_of_trades(terms, (trade for _, trade in recorder.trades), recorder.clearings, zones)
    if rebates_micro:
        dues_micro["fee-pool"] = dues_micro.get("fee-pool", 0) - sum(rebates_micro.values())
    return Lines(sites, dealers, rebates_micro, dues_micro, findings)


def make_report(
    scenario: Scenario,
    genesis: ScenarioGenesis,
    recorder: Recorder,
    lines: Lines,
    without: WithoutMarket,
    ended: Ended,
    seed: int,
    end_interval: int,
    breaches: list[str],
) -> Report:
    """The figures of a run up to `end_interval`; `without` has gone as far. `breaches` were found on the way; adds one
    for each sum that does not agree."""
    without_stored_wh = without.stored_wh()
    loads_wh, pvs_wh = recorded_energy_wh(scenario, end_interval)
    homes = tuple(
        _home(
            scenario,
            name,
            lines.sites[name],
            without,
            debt_micro=ended.state.rows[ACCOUNTS.prefix][connection.owner.account].debt_micro,
            stored_wh=(ended.stored_wh[name], without_stored_wh[name]),
            recorded_wh=(sum(loads_wh[name]), sum(pvs_wh[name])),
        )
        for name, connection in genesis.connections.items()
    )
    changes = _balance_changes(genesis, ended.before_micro, balances_micro(ended.state))
    parties = _parties(genesis, homes, lines, changes)
    checks = _checks(genesis, homes, parties, lines, changes, ended.state)
    intervals = end_interval - scenario.first_interval
    breaches = breaches + lines.findings
    breaches += [
        f"{each.name}: {each.found} instead of {each.expected}" for each in checks if each.expected != each.found
    ]
    breaches += [
        f"{name}: {len(own)} of {intervals} statements" for name, own in lines.sites.items() if len(own) != intervals
    ]
    load_wh, pv_wh = sum(home.load_wh for home in homes), sum(home.pv_wh for home in homes)
    export_wh = sum(home.export_wh for home in homes)
    feeder_import_wh, feeder_export_wh = _feeder_wh(lines)
    statements = [line.statement for own in lines.sites.values() for line in own.values()]
    sold_wh = sum(min(statement.sold_wh, statement.export_wh) for statement in statements)
    return Report(
        scenario=scenario.name,
        chain=genesis.chain,
        seed=seed,
        first_interval=scenario.first_interval,
        intervals=intervals,
        homes=homes,
        losers=tuple(home.name for home in homes if home.saved_micro < 0),
        saved_micro=sum(home.saved_micro for home in homes),
        trades=sum(trade.buyer != NOBODY for _, trade in recorder.trades),
        traded_wh=recorder.traded_wh,
        traded_micro=recorder.traded_micro,
        average_price_micro=recorder.traded_micro * 1_000 // recorder.traded_wh if recorder.traded_wh else 0,
        own_use_permille=_rest_permille(feeder_export_wh, pv_wh),
        own_use_without_permille=_rest_permille(without.feeder_export_wh, pv_wh),
        sold_permille=sold_wh * 1_000 // export_wh if export_wh else 0,
        imbalance_wh=sum(home.undelivered_wh + home.unused_wh for home in homes),
        arrears_micro=sum(home.debt_micro for home in homes),
        balance_changes_micro=changes,
        refused={CONSORTIUM.codes[code]: count for code, count in sorted(recorder.refused.items())},
        alarms=tuple(recorder.alarms),
        breaches=tuple(breaches),
        app_hash=ended.app_hash.hex(),
        blocks=recorder.blocks,
        transactions=recorder.transactions,
        losers_with_vat=tuple(home.name for home in homes if home.saved_with_vat_micro < 0),
        saved_with_vat_micro=sum(home.saved_with_vat_micro for home in homes),
        vat_micro=sum(home.vat_micro for home in homes),
        vat_without_micro=sum(home.vat_without_micro for home in homes),
        parties=parties,
        checks=checks,
        self_sufficiency_permille=_rest_permille(feeder_import_wh, load_wh),
        self_sufficiency_without_permille=_rest_permille(without.feeder_import_wh, load_wh),
        load_wh=load_wh,
        pv_wh=pv_wh,
    )


def recorded_energy_wh(
    scenario: Scenario, end_interval: int
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Load and PV of every site, from the scenario's start to `end_interval`, as recorded."""
    community = Community(scenario)
    kept = slice(scenario.history_intervals, scenario.history_intervals + end_interval - scenario.first_interval)
    rows = {site.name: community.history(site.name, scenario.end_interval * INTERVAL_MS) for site in scenario.sites}
    return (
        {name: history.load_wh[kept] for name, history in rows.items()},
        {name: history.pv_wh[kept] for name, history in rows.items()},
    )


def _home(
    scenario: Scenario,
    name: str,
    lines: dict[int, Line],
    without: WithoutMarket,
    debt_micro: int,
    stored_wh: tuple[int, int],
    recorded_wh: tuple[int, int],
) -> HomeReport:
    parts, paid_by_day = BillParts(), Counter[int]()
    for interval, line in lines.items():
        parts.add(line.parts)
        paid_by_day[bangkok_day(interval)] += line.parts.paid_micro
    import_micro, export_micro = Counter[int](), 0
    import_wh = export_wh = 0
    for interval, row in without.intervals.items():
        net_wh = row.readings[name].net_export_wh
        import_wh += max(0, -net_wh)
        export_wh += max(0, net_wh)
        import_micro[bangkok_day(interval)] += max(0, -net_wh) * scenario.tariff.price_micro(interval) // 1_000
        export_micro += max(0, net_wh) * scenario.tariff.buy_back_micro // 1_000
    statements = [line.statement for line in lines.values()]
    bill_with_micro = sum(statement.bill_micro() for statement in statements)
    saved_micro = without.bills_micro[name] - bill_with_micro
    vat_micro, vat_without_micro = vat_of_days(paid_by_day.values()), vat_of_days(import_micro.values())
    site = next(each for each in scenario.sites if each.name == name)
    return HomeReport(
        name=name,
        bill_without_micro=without.bills_micro[name],
        bill_with_micro=bill_with_micro,
        saved_micro=saved_micro,
        import_wh=sum(each.import_wh for each in statements),
        export_wh=sum(each.export_wh for each in statements),
        sold_wh=sum(each.sold_wh for each in statements),
        bought_wh=sum(each.bought_wh for each in statements),
        undelivered_wh=sum(each.undelivered_wh for each in statements),
        unused_wh=sum(each.unused_wh for each in statements),
        debt_micro=debt_micro,
        stored_wh=stored_wh[0],
        stored_without_wh=stored_wh[1],
        participant=site.participant,
        load_wh=recorded_wh[0],
        pv_wh=recorded_wh[1],
        import_without_wh=import_wh,
        export_without_wh=export_wh,
        purchases_micro=parts.purchases_micro,
        wheeling_micro=parts.wheeling_micro,
        grid_fee_micro=parts.grid_fee_micro,
        trading_fee_micro=parts.trading_fee_micro,
        supplied_micro=parts.supplied_micro,
        undelivered_micro=parts.undelivered_micro,
        sales_micro=parts.sales_micro,
        returned_micro=parts.returned_micro,
        unused_micro=parts.unused_micro,
        import_without_micro=import_micro.total(),
        export_without_micro=export_micro,
        vat_micro=vat_micro,
        vat_without_micro=vat_without_micro,
        saved_with_vat_micro=saved_micro + vat_without_micro - vat_micro,
    )


def _parties(
    genesis: ScenarioGenesis, homes: tuple[HomeReport, ...], lines: Lines, changes: Mapping[str, int]
) -> tuple[Party, ...]:
    """Homes and residual supplier by what is due (a debt is theirs to pay, and the supplier's to get), everyone else by
    what their accounts got. Organisations that nothing came to are left out."""
    without_micro = sum(home.bill_without_micro for home in homes)
    statements = [line.statement for own in lines.sites.values() for line in own.values()]
    statements += [statement for own in lines.dealers.values() for statement in own]
    supplied_micro = sum(statement.charge_micro - statement.credit_micro for statement in statements)
    parties = [_party(HOMES, -without_micro, -sum(home.bill_with_micro for home in homes))]
    parties.append(_party(SUPPLIER, without_micro, supplied_micro))
    parties += [_party(name, 0, -_dealer_micro(lines, name)) for name in lines.dealers]
    others = [name for name in genesis.organisations if name != SUPPLIER and changes.get(name)]
    return (*parties, *(_party(name, 0, changes[name]) for name in others))


def _dealer_micro(lines: Lines, name: str) -> int:
    """What a dealer paid in all, less its rebates."""
    return sum(statement.bill_micro() for statement in lines.dealers[name]) - lines.rebates_micro[name]


def _party(name: str, without_micro: int, with_micro: int) -> Party:
    return Party(name, without_micro, with_micro, with_micro - without_micro)


def _checks(
    genesis: ScenarioGenesis,
    homes: tuple[HomeReport, ...],
    parties: tuple[Party, ...],
    lines: Lines,
    changes: Mapping[str, int],
    state: State,
) -> tuple[Check, ...]:
    """Money neither appears nor goes, and each account moved by what statements and trades say."""
    checks = [
        Check("changes of all parties", 0, sum(party.change_micro for party in parties)),
        Check("changes of all balances", 0, sum(changes.values())),
    ]
    owed_micro = 0
    for home in homes:
        payable = state.get(PAYABLES, genesis.connections[home.name].owner.account)
        open_micro = home.debt_micro - (payable.amount_micro if payable else 0)
        owed_micro += open_micro
        checks.append(Check(f"balance of {home.name}", open_micro - home.bill_with_micro, changes[home.name]))
        checks.append(Check(f"parts of the bill of {home.name}", home.bill_with_micro, _sum_of_parts(home)))
        before = home.import_without_micro - home.export_without_micro
        checks.append(Check(f"parts of the bill of {home.name} without the market", home.bill_without_micro, before))
    for name, dealer in genesis.dealers.items():
        debt_micro = state.rows[ACCOUNTS.prefix][dealer.owner.account].debt_micro
        payable = state.get(PAYABLES, dealer.owner.account)
        open_micro = debt_micro - (payable.amount_micro if payable else 0)
        owed_micro += open_micro
        checks.append(Check(f"balance of {name}", open_micro - _dealer_micro(lines, name), changes[name]))
    supplier = next(party for party in parties if party.name == SUPPLIER)
    checks.append(Check(f"balance of {SUPPLIER}", supplier.with_micro - owed_micro, changes[SUPPLIER]))
    checks += [Check(f"balance of {name}", due, changes.get(name, 0)) for name, due in sorted(lines.dues_micro.items())]
    return tuple(checks)


def _sum_of_parts(home: HomeReport) -> int:
    paid = home.purchases_micro + home.wheeling_micro + home.grid_fee_micro + home.trading_fee_micro
    paid += home.supplied_micro + home.undelivered_micro
    return paid - home.sales_micro - home.returned_micro - home.unused_micro


def _feeder_wh(lines: Lines) -> tuple[int, int]:
    """What the community as a whole took from and sent up the feeder, interval by interval."""
    net_wh: Counter[int] = Counter()
    for own in lines.sites.values():
        for interval, line in own.items():
            net_wh[interval] += line.statement.export_wh - line.statement.import_wh
    return sum(max(0, -net) for net in net_wh.values()), sum(max(0, net) for net in net_wh.values())


def _rest_permille(part_wh: int, whole_wh: int) -> int:
    return 1_000 - part_wh * 1_000 // whole_wh if whole_wh else 0


def _balance_changes(
    genesis: ScenarioGenesis, before_micro: dict[bytes, int], after_micro: dict[bytes, int]
) -> dict[str, int]:
    """By site and organisation; an account that is neither is named by its id."""
    names = {owner.account: name for name, owner in genesis.organisations.items()}
    names |= {trader.owner.account: name for name, trader in (genesis.connections | genesis.dealers).items()}
    return {
        names.get(account, account.hex()): balance - before_micro.get(account, 0)
        for account, balance in after_micro.items()
    }
