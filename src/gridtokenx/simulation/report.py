"""What a simulated community achieved: bills with and without the market, energy, money, and whether it adds up.

Figures of the market come from the ledger's own blocks (statements, trades, receipts) and accounts; figures
without a market from the recorded rows with the same batteries run for own use alone.
"""

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.state import State
from gridtokenx.ledger.transaction import Receipt
from gridtokenx.modules.market.state import Trade
from gridtokenx.modules.settlement.state import PAYABLES, STATEMENTS, Statement
from gridtokenx.simulation.bills import interval_bill_micro, own_use
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.genesis import ScenarioGenesis
from gridtokenx.simulation.scenario import Scenario
from gridtokenx.simulation.tariff_view import INTERVAL_MS

_decode_receipt: Decoder[Receipt] = Decoder(Receipt)
_decode_trade: Decoder[Trade] = Decoder(Trade)

OUTSIDE_SHARE_PERMILLE = 1000


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
    alarms: list[str] = field(default_factory=list)

    def record(self, outcome: BlockOutcome) -> None:
        """Take note of one block."""
        self.blocks += 1
        self.traded_wh += outcome.summary.traded_wh
        self.traded_micro += outcome.summary.traded_micro
        self.trades += len(outcome.trades)
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
    """One site. Bills in millionths of a WATT, without VAT and service charge; negative means it earned."""

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


class Report(msgspec.Struct, frozen=True):
    """The whole community. `balance_changes_micro` sums to zero; shares are per mille.

    `own_use`: PV energy that was used inside the community at the hour it could be, the same with batteries
    run for own use alone in `own_use_without`. `matched`: of what sites exported, what neighbours had bought.
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
    matched_permille: int
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
        self.next_interval = scenario.first_interval
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

    def pv_wh(self) -> int:
        """What the roofs made up to now."""
        time_ms = self.next_interval * INTERVAL_MS
        histories = [self._community.history(name, time_ms) for name in self.bills_micro]
        first = self.next_interval  # histories begin before the scenario does
        return sum(sum(history.pv_wh[-(first - history.first_interval) :]) for history in histories)


def bill_micro(statement: Statement) -> int:
    """What the site pays for the interval: trades with their fees and wheeling, and residual energy."""
    return (
        statement.purchase_cost_micro
        - statement.sale_proceeds_micro
        + statement.charge_micro
        - statement.credit_micro
    )
