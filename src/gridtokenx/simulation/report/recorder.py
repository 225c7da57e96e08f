"""What a run leaves behind for its report, block by block and interval by interval."""

from collections import Counter
from dataclasses import dataclass, field

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.state import State
from gridtokenx.ledger.transaction import Receipt
from gridtokenx.modules.market.state import CLEARINGS, MAKER_DUTIES, Clearing, Trade
from gridtokenx.modules.settlement.state import STATEMENTS, Statement

_decode_receipt: Decoder[Receipt] = Decoder(Receipt)
_decode_trade: Decoder[Trade] = Decoder(Trade)

ALARMS_MAX = 20
"""A sound run has none; more of the same help nobody."""


def invariant_breaches(state: State) -> list[str]:
    """What the chain's modules find wrong with a state; nothing when all is well."""
    return [f"{module.name}: {breach}" for module in CONSORTIUM.modules for breach in module.invariants(state)]


def balances_micro(state: State) -> dict[bytes, int]:
    """Every account's balance."""
    return {key: account.balance_micro for key, account in state.items(ACCOUNTS)}


@dataclass(slots=True)
class Recorder:
    """Remembers of each block what the report needs."""

    blocks: int = 0
    transactions: int = 0
    traded_wh: int = 0
    traded_micro: int = 0
    trades: list[tuple[int, Trade]] = field(default_factory=list)
    """Each with the time of its block, in the order of the chain."""
    statements: dict[bytes, Statement] = field(default_factory=dict)
    """Key: interval ‖ portfolio; a correction takes the place of what it corrects."""
    rebates_micro: dict[bytes, int] = field(default_factory=dict)
    """What makers got of trading fees. Key: interval ‖ portfolio."""
    clearings: dict[int, Clearing] = field(default_factory=dict)
    """What auctions decided, by interval."""
    stored_wh: dict[int, dict[str, int]] = field(default_factory=dict)
    """What each site's battery held at the end of an interval."""
    refused: Counter[int] = field(default_factory=Counter)
    """How often each code came, of transactions and of whole batches."""
    alarms: list[str] = field(default_factory=list)
    """The first of them."""

    def record(self, outcome: BlockOutcome) -> None:
        """Take note of one block."""
        self.blocks += 1
        self.traded_wh += outcome.summary.traded_wh
        self.traded_micro += outcome.summary.traded_micro
        time_ms = outcome.header.time_ms
        self.trades += [(time_ms, _decode_trade.trusted(trade)) for trade in outcome.trades]
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
            # Both leave the state when their interval is final; what they said stays true.
            if value is None:
                continue
            if key[0] == STATEMENTS.prefix:
                self.statements[key[1:]] = STATEMENTS.decode.trusted(value)
            elif key[0] == MAKER_DUTIES.prefix and value is not None:
                rebate_micro = MAKER_DUTIES.decode.trusted(value).rebate_micro
                if rebate_micro:
                    self.rebates_micro[key[1:]] = rebate_micro
            elif key[0] == CLEARINGS.prefix:
                self.clearings[int.from_bytes(key[1:], "big")] = CLEARINGS.decode.trusted(value)
