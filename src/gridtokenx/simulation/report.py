"""What a simulated community achieved: bills with and without the market, energy, money, and whether it adds up.

Figures of the market come from the ledger's own blocks (statements, trades, receipts) and accounts; figures
without a market from the recorded rows with the same batteries run for own use alone.
"""

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.account import ACCOUNTS, Account
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.state import State
from gridtokenx.ledger.transaction import Receipt
from gridtokenx.modules.settlement.state import PAYABLES, STATEMENTS, Statement
from gridtokenx.simulation.bills import interval_bill_micro, own_use
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.genesis import ScenarioGenesis
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.tariff_view import INTERVAL_MS

_decode_receipt: Decoder[Receipt] = Decoder(Receipt)

ALARMS_MAX = 20
"""A sound run has none; more of the same help nobody."""


def invariant_breaches(state: State) -> list[str]:
    """What the chain's modules find wrong with a state; nothing when all is well."""
    return [f"{module.name}: {breach}" for module in CONSORTIUM.modules for breach in module.invariants(state)]


@dataclass(slots=True)
class Recorder:
    """Remembers of each block what the report needs."""

    blocks: int = 0
    transactions: int = 0
    trades: int = 0
    traded_wh: int = 0
    traded_micro: int = 0
    statements: dict[bytes, Statement] = field(default_factory=dict)
    """Key: interval ‖ portfolio; a correction takes the place of what it corrects."""
    refused: Counter[int] = field(default_factory=Counter)
    """How often each code came, of transactions and of whole batches."""
    alarms: list[str] = field(default_factory=list)
    """The first of them."""

    def record(self, outcome: BlockOutcome) -> None:
        """Take note of one block."""
        self.blocks += 1
        self.traded_wh += outcome.summary.traded_wh
        self.traded_micro += outcome.summary.traded_micro
        self.trades += len(outcome.trades)
        if len(self.alarms) < ALARMS_MAX:
            self.alarms += outcome.alarms
        for batch in outcome.batches:
            if batch.code:
                self.refused[batch.code] += 1
            for receipt in batch.receipts:
                self.transactions += 1
                code = _decode_receipt.trusted(receipt).code
                if code:
                    self.refused[code] += 1
        for key, value in outcome.changes:
            # Statements leave the state when their interval is final; what they said stays true.
            if key[0] == STATEMENTS.prefix and value is not None:
                self.statements[key[1:]] = STATEMENTS.decode.trusted(value)


class HomeReport(msgspec.Struct, frozen=True):
    """One site. Bills in millionths of a WATT, without VAT and service charge; negative means it earned. What its
    battery holds in the end belongs to a fair comparison."""

    name: str
    bill_without_micro: int
    bill_with_micro: int
    saved_micro: int
    import_wh: int
    export_wh: int
    sold_wh: int
    bought_wh: int
    undelivered_wh: int
    unused_wh: int
    debt_micro: int
    stored_wh: int
    stored_without_wh: int


class Report(msgspec.Struct, frozen=True):
    """The whole community. `balance_changes_micro` sums to zero; shares are per mille.

    `own_use`: of the PV energy, what did not leave the community's feeder (battery losses included); `without`
    is the same with batteries run for each home alone. `sold`: of what sites exported, what neighbours had
    bought.
    """

    scenario: str
    chain: str
    seed: int
    first_interval: int
    intervals: int
    homes: tuple[HomeReport, ...]
    losers: tuple[str, ...]
    saved_micro: int
    trades: int
    traded_wh: int
    traded_micro: int
    average_price_micro: int
    own_use_permille: int
    own_use_without_permille: int
    sold_permille: int
    imbalance_wh: int
    arrears_micro: int
    balance_changes_micro: dict[str, int]
    refused: dict[str, int]
    alarms: tuple[str, ...]
    breaches: tuple[str, ...]
    app_hash: str
    blocks: int
    transactions: int


class WithoutMarket:
    """The same homes without a market, interval by interval: bills, and what flows over the feeder's head."""

    def __init__(self, scenario: Scenario) -> None:
        self._tariff = scenario.tariff
        self._community = Community(scenario)
        self._batteries = [site.name for site in scenario.sites if site.battery]
        self._first = self.next_interval = scenario.first_interval
        self.bills_micro = {site.name: 0 for site in scenario.sites}
        self.feeder_export_wh = 0

    def advance(self, end_interval: int) -> None:
        """Go on to the start of `end_interval`."""
        for interval in range(self.next_interval, end_interval):
            instruction = own_use(self._tariff, interval)
            readings = self._community.meter(interval, dict.fromkeys(self._batteries, instruction))
            for name, reading in readings.items():
                self.bills_micro[name] += interval_bill_micro(self._tariff, interval, reading.net_export_wh)
            self.feeder_export_wh += max(0, sum(reading.net_export_wh for reading in readings.values()))
            self.next_interval = interval + 1

    def stored_wh(self) -> dict[str, int]:
        """What each site's battery holds now."""
        state = self._community.state()
        return {name: state.charge_wh(name) for name in self.bills_micro}

    def pv_wh(self) -> int:
        """What the roofs made from the scenario's start up to now, by the whole hour."""
        return sum(self._pv_before(self.next_interval)) - sum(self._pv_before(self._first))

    def _pv_before(self, interval: int) -> list[int]:
        return [sum(self._community.history(name, interval * INTERVAL_MS).pv_wh) for name in self.bills_micro]


def bill_micro(statement: Statement) -> int:
    """What the site pays for the interval: trades with their fees and wheeling, and residual energy."""
    return (
        statement.purchase_cost_micro - statement.sale_proceeds_micro + statement.charge_micro - statement.credit_micro
    )


def balances_micro(state: State) -> dict[bytes, int]:
    """Every account's balance."""
    return {key: account.balance_micro for key, account in state.items(ACCOUNTS)}


def make_report(
    scenario: Scenario,
    genesis: ScenarioGenesis,
    recorder: Recorder,
    before_micro: dict[bytes, int],
    state: State,
    stored_wh: dict[str, int],
    app_hash: bytes,
    seed: int,
    end_interval: int,
    breaches: list[str],
) -> Report:
    """Put the figures together; `before_micro` are the balances of the genesis, `stored_wh` what batteries hold in
    the end, `breaches` what was found on the way. Adds one for each site whose account and statements disagree."""
    without = WithoutMarket(scenario)
    without.advance(end_interval)
    lines = _lines_by_site(genesis, recorder, scenario.first_interval, end_interval)
    stored_without_wh = without.stored_wh()
    homes = tuple(
        _home(
            name,
            lines[name],
            without.bills_micro[name],
            state.rows[ACCOUNTS.prefix][connection.owner.account],
            (stored_wh[name], stored_without_wh[name]),
        )
        for name, connection in genesis.connections.items()
    )
    changes = _balance_changes(genesis, before_micro, balances_micro(state))
    breaches = breaches + _audit(genesis, homes, changes, state)
    intervals = end_interval - scenario.first_interval
    breaches += [
        f"{name}: {len(own)} of {intervals} statements" for name, own in lines.items() if len(own) != intervals
    ]
    pv_wh = without.pv_wh()
    export_wh = sum(home.export_wh for home in homes)
    every_line = [line for own in lines.values() for line in own.values()]
    sold_wh = sum(min(line.sold_wh, line.export_wh) for line in every_line)
    return Report(
        scenario=scenario.name,
        chain=genesis.chain,
        seed=seed,
        first_interval=scenario.first_interval,
        intervals=intervals,
        homes=homes,
        losers=tuple(home.name for home in homes if home.saved_micro < 0),
        saved_micro=sum(home.saved_micro for home in homes),
        trades=recorder.trades,
        traded_wh=recorder.traded_wh,
        traded_micro=recorder.traded_micro,
        average_price_micro=recorder.traded_micro * 1_000 // recorder.traded_wh if recorder.traded_wh else 0,
        own_use_permille=_kept_permille(_feeder_export_wh(lines), pv_wh),
        own_use_without_permille=_kept_permille(without.feeder_export_wh, pv_wh),
        sold_permille=sold_wh * 1_000 // export_wh if export_wh else 0,
        imbalance_wh=sum(home.undelivered_wh + home.unused_wh for home in homes),
        arrears_micro=sum(home.debt_micro for home in homes),
        balance_changes_micro=changes,
        refused={CONSORTIUM.codes[code]: count for code, count in sorted(recorder.refused.items())},
        alarms=tuple(recorder.alarms),
        breaches=tuple(breaches),
        app_hash=app_hash.hex(),
        blocks=recorder.blocks,
        transactions=recorder.transactions,
    )


def _lines_by_site(
    genesis: ScenarioGenesis, recorder: Recorder, first_interval: int, end_interval: int
) -> dict[str, dict[int, Statement]]:
    """Each site's statements by interval, in order."""
    names = {connection.portfolio: name for name, connection in genesis.connections.items()}
    lines: dict[str, dict[int, Statement]] = {name: {} for name in genesis.connections}
    for key, statement in sorted(recorder.statements.items()):
        interval = int.from_bytes(key[:4], "big")
        if first_interval <= interval < end_interval:
            lines[names[key[4:]]][interval] = statement
    return lines


def _home(
    name: str,
    lines: dict[int, Statement],
    bill_without_micro: int,
    account: Account,
    stored_wh: tuple[int, int],
) -> HomeReport:
    bill_with_micro = sum(map(bill_micro, lines.values()))
    return HomeReport(
        name=name,
        bill_without_micro=bill_without_micro,
        bill_with_micro=bill_with_micro,
        saved_micro=bill_without_micro - bill_with_micro,
        import_wh=sum(line.import_wh for line in lines.values()),
        export_wh=sum(line.export_wh for line in lines.values()),
        sold_wh=sum(line.sold_wh for line in lines.values()),
        bought_wh=sum(line.bought_wh for line in lines.values()),
        undelivered_wh=sum(line.undelivered_wh for line in lines.values()),
        unused_wh=sum(line.unused_wh for line in lines.values()),
        debt_micro=account.debt_micro,
        stored_wh=stored_wh[0],
        stored_without_wh=stored_wh[1],
    )


def _feeder_export_wh(lines: dict[str, dict[int, Statement]]) -> int:
    """What the community as a whole sent up the feeder, interval by interval."""
    net_wh: Counter[int] = Counter()
    for own in lines.values():
        for interval, line in own.items():
            net_wh[interval] += line.export_wh - line.import_wh
    return sum(max(0, energy_wh) for energy_wh in net_wh.values())


def _kept_permille(left_wh: int, made_wh: int) -> int:
    return 1_000 - left_wh * 1_000 // made_wh if made_wh else 0


def _balance_changes(
    genesis: ScenarioGenesis, before_micro: dict[bytes, int], after_micro: dict[bytes, int]
) -> dict[str, int]:
    """By site and organisation; an account that is neither is named by its id."""
    names = {owner.account: name for name, owner in genesis.organisations.items()}
    names |= {connection.owner.account: name for name, connection in genesis.connections.items()}
    return {
        names.get(account, account.hex()): balance - before_micro.get(account, 0)
        for account, balance in after_micro.items()
    }


def _audit(genesis: ScenarioGenesis, homes: tuple[HomeReport, ...], changes: dict[str, int], state: State) -> list[str]:
    """Money neither appears nor goes, and each account moved by what its statements say."""
    breaches = []
    if sum(changes.values()):
        breaches.append(f"balances changed by {sum(changes.values())} in sum")
    for home in homes:
        payable = state.get(PAYABLES, genesis.connections[home.name].owner.account)
        paid_micro = home.bill_with_micro - home.debt_micro + (payable.amount_micro if payable else 0)
        if changes[home.name] != -paid_micro:
            fell_micro = -changes[home.name]
            breaches.append(f"{home.name}: statements say it paid {paid_micro}, its balance fell by {fell_micro}")
    return breaches
