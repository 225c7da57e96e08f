"""Keys and records of settlement."""

from collections.abc import Iterator
from enum import IntEnum
from heapq import heapify

from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.by_interval import KeysByInterval
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import Index, State, Table
from gridtokenx.ledger.transaction import Small, Whole
from gridtokenx.modules.authority.state import staked_micro
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import PORTFOLIOS, holder_of
from gridtokenx.modules.market.holds import order_hold_micro
from gridtokenx.modules.market.state import (
    INTERVALS,
    POSITIONS,
    TERMS,
    account_of_order,
    open_orders,
    terms_key,
)
from gridtokenx.modules.tokens.state import REDEMPTIONS, free_micro


class Quality(IntEnum):
    """Where a register value comes from."""

    MEASURED = 0
    ESTIMATED = 1
    CORRECTED = 2


class Stage(IntEnum):
    """How far an interval's settlement is. Each stage is a queue over blocks; `HELD` waits for people."""

    METERING = 0
    COMPUTING = 1
    SPLITTING = 2
    COLLECTING = 3
    PAYING = 4
    SETTLED = 5
    HELD = 6


class Registers(Record, frozen=True):
    """A meter's cumulative registers at the end of an interval, as measured (of an estimate: as last measured before),
    and how far the import that was settled by then stands above them (`lift_wh`). It never falls: an overestimate
    stands until consumption has caught up. Export is never estimated. Key: interval ‖ meter."""

    import_wh: Whole
    export_wh: Whole
    lift_wh: Whole
    quality: Small


class LastMeasured(Record, frozen=True):
    """The newest registers that a meter itself reported. Key: meter."""

    interval: Whole
    import_wh: Whole
    export_wh: Whole


class SameQuarter(Record, frozen=True):
    """Import in the same quarter-hour of the last days, for estimates. Key: meter ‖ quarter (one byte).
    `energies_wh` ends with that of `last_day` (days since the epoch) and has at most seven."""

    last_day: Whole
    energies_wh: tuple[Whole, ...]


class Settlement(Record, frozen=True):
    """Progress of one interval. Key: interval. `cursor` is the last portfolio done in this stage. The sums are what
    buyers pay in and what sellers get out."""

    stage: Small
    readings: Whole
    cursor: bytes
    paid_in_micro: Whole
    paid_out_micro: Whole


class Statement(Record, frozen=True):
    """The result for one portfolio and interval. Key: interval ‖ portfolio. `purchase_cost_micro` and
    `sale_proceeds_micro` are the trades; charge and credit are with the residual supplier. So are those of a split: a
    member's part of its portfolio's loss or gain; of a portfolio with members, what it takes over of their statements
    and passes on to them."""

    import_wh: Whole
    export_wh: Whole
    sold_wh: Whole
    bought_wh: Whole
    undelivered_wh: Whole
    unused_wh: Whole
    other_import_wh: Whole
    other_export_wh: Whole
    purchase_cost_micro: Whole
    sale_proceeds_micro: Whole
    charge_micro: Whole
    credit_micro: Whole
    quality: Small
    split_charge_micro: Whole = 0
    split_credit_micro: Whole = 0

    def owed_micro(self) -> int:
        """What is owed to the residual supplier in all; below zero what it owes."""
        return self.charge_micro - self.credit_micro + self.split_charge_micro - self.split_credit_micro

    def bill_micro(self) -> int:
        """What the portfolio pays for the interval, trades with their fees and wheeling, and what the meter differs;
        below zero what it earns."""
        return self.purchase_cost_micro - self.sale_proceeds_micro + self.owed_micro()


class Split(Record, frozen=True):
    """How the result of a portfolio with members was split in one interval. Key: interval ‖ portfolio.

    `old_charge_micro` and `old_credit_micro` are the sums of its members' own statements: what they owe and get as if
    nothing had been traded, which the portfolio gets back. What it has beyond them is its gain, or its loss. Of it
    `shared_micro` goes to the members, in the ratio of their weights to `weight`; `commission_micro` is the
    aggregator's of a gain, and its own part of a loss. What rounding leaves is the aggregator's too."""

    old_charge_micro: Whole
    old_credit_micro: Whole
    gain_micro: Whole
    loss_micro: Whole
    commission_micro: Whole
    weight: Whole
    shared_micro: Whole


class Payable(Record, frozen=True):
    """What the residual supplier could not pay yet, and since when it owes. Key: account."""

    amount_micro: Whole
    since_ms: Whole


REGISTERS: Table[Registers] = Table(0x70, "registers", Registers)
LAST_MEASURED: Table[LastMeasured] = Table(0x71, "last_measured", LastMeasured)
SAME_QUARTER: Table[SameQuarter] = Table(0x72, "same_quarter", SameQuarter)
SETTLEMENTS: Table[Settlement] = Table(0x73, "settlements", Settlement)
STATEMENTS: Table[Statement] = Table(0x74, "statements", Statement)
PAYABLES: Table[Payable] = Table(0x75, "payables", Payable)
SPLITS: Table[Split] = Table(0x76, "splits", Split)

SETTLE = 0x70
"""Kind of scheduled work: one step of an interval's settlement."""

RECALCULATE = 0x71
"""Kind of scheduled work: the registers before or in an interval were corrected. Payload: interval ‖ portfolio."""

SPLIT_AGAIN = 0x72
"""Kind of scheduled work: a member's statement changed after the split. Payload: interval ‖ portfolio."""

NEW_SETTLEMENT = Settlement(Stage.METERING, 0, b"", 0, 0)

REGISTERS_BY_INTERVAL: Index[KeysByInterval] = Index(
    "registers_by_interval", lambda state: KeysByInterval(REGISTERS, state)
)
STATEMENTS_BY_INTERVAL: Index[KeysByInterval] = Index(
    "statements_by_interval", lambda state: KeysByInterval(STATEMENTS, state)
)
SPLITS_BY_INTERVAL: Index[KeysByInterval] = Index("splits_by_interval", lambda state: KeysByInterval(SPLITS, state))


class PortfolioList:
    """All portfolios in key order. They are never deleted, and hooks read the list only between transactions, so
    their number tells whether it is current."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []

    def current(self, state: State) -> list[bytes]:
        """Sorted anew only after a registration."""
        rows = state.rows[PORTFOLIOS.prefix]
        if len(self.keys) != len(rows):
            self.keys = sorted(rows)
        return self.keys


PORTFOLIO_LIST: Index[PortfolioList] = Index("portfolio_list", lambda state: PortfolioList())


def _build_payable_heap(state: State) -> list[bytes]:
    heap = [payable_age(account, payable) for account, payable in state.rows[PAYABLES.prefix].items()]
    heapify(heap)
    return heap


PAYABLES_BY_AGE: Index[list[bytes]] = Index("payables_by_age", _build_payable_heap)
"""A heap of since ‖ account; it may hold what is no longer in the table, never the reverse."""


def payable_age(account: bytes, payable: Payable) -> bytes:
    """The older is less; of one block the lower account."""
    return payable.since_ms.to_bytes(8, "big") + account


def settlement_of(state: State, interval: int) -> Settlement:
    """The progress record, or that of an interval of which nothing has been heard."""
    return state.get(SETTLEMENTS, interval_key(interval)) or NEW_SETTLEMENT


def invariants(state: State) -> Iterator[str]:
    """Each account's hold is the sum of its open orders, unsettled trades, collateral, redemptions and stakes; who owes
    has nothing free, and the residual supplier owes its payables; contract, residual and imbalance add up to the
    meter."""
    held: dict[bytes, int] = {}
    for key, order in open_orders(state):
        interval = state.rows[INTERVALS.prefix][interval_key(order.interval)]
        terms = state.rows[TERMS.prefix][terms_key(interval.terms)]
        amount = order_hold_micro(terms, interval, order, order.remaining_wh)
        account = account_of_order(key)
        held[account] = held.get(account, 0) + amount
    for key, position in state.items(POSITIONS):
        account = state.rows[PORTFOLIOS.prefix][key[4:]].account
        if not is_done(state, Stage.COLLECTING, key):
            held[account] = held.get(account, 0) + position.purchase_cost_micro + position.collateral_micro
    for key, redemption in state.items(REDEMPTIONS):
        held[key[:32]] = held.get(key[:32], 0) + redemption.amount_micro
    for account, amount in staked_micro(state):
        held[account] = held.get(account, 0) + amount
    supplier = holder_of(state, RoleName.RESIDUAL_SUPPLIER)
    for key, record in state.items(ACCOUNTS):
        if record.held_micro != held.get(key, 0):
            needed = held.get(key, 0)
            yield f"account {key.hex()} holds {record.held_micro}, its orders, trades and stakes need {needed}"
        if key == supplier:
            payable_micro = sum(payable.amount_micro for _, payable in state.items(PAYABLES))
            if record.debt_micro != payable_micro:
                yield f"the residual supplier owes {record.debt_micro}, its payables are {payable_micro}"
        elif record.debt_micro and free_micro(record):
            yield f"account {key.hex()} owes {record.debt_micro} and has {free_micro(record)} free"
    for key, line in state.items(STATEMENTS):
        explained = line.sold_wh - line.bought_wh - line.undelivered_wh + line.unused_wh
        explained += line.other_export_wh - line.other_import_wh
        if explained != line.export_wh - line.import_wh:
            yield f"statement {key.hex()} does not add up to its meter"


def is_done(state: State, stage: Stage, item: bytes) -> bool:
    """Whether a stage is behind the portfolio in the interval (item: interval ‖ portfolio). What is held has been
    computed and split, and no more."""
    settlement = state.get(SETTLEMENTS, item[:4]) or NEW_SETTLEMENT
    if settlement.stage == Stage.HELD:
        return stage <= Stage.SPLITTING
    return settlement.stage > stage or (settlement.stage == stage and item[4:] <= settlement.cursor)
