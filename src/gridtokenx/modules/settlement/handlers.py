"""The rules of settlement: from the last reading, or the deadline, to the last payment.

Stages, each a queue over blocks: *computing* (registers frozen, a statement for each portfolio), *splitting* (those of
portfolios with members, from theirs; then the sum is checked; no money moved so far), *collecting* (holds become
payments into the clearing account), *paying* (out of it to sellers and payees; the difference to the meter with the
residual supplier). An item that fails is set aside: it keeps its holds, the others are paid, and the clearing account
shows the difference.
"""

from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from gridtokenx.ledger import freeze, schedule
from gridtokenx.ledger.by_interval import KeysByInterval
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.module import Module
from gridtokenx.ledger.quantities import interval_end_ms, interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.network import forget
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.rosters import ROSTER_ENDED, SPLIT_RULES, roster_at
from gridtokenx.modules.identity.state import METER_STARTED, PORTFOLIOS, holder_of
from gridtokenx.modules.market import halts, prices
from gridtokenx.modules.market.checks import terms_of
from gridtokenx.modules.market.state import (
    CLEARINGS,
    DUES,
    DUES_BY_INTERVAL,
    DUTIES_BY_INTERVAL,
    INTERVAL_FINAL,
    INTERVALS,
    METERING_DEADLINE,
    POSITIONS,
    POSITIONS_BY_INTERVAL,
)
from gridtokenx.modules.settlement.compute import freeze_registers, make_statement
from gridtokenx.modules.settlement.correction import recalculate
from gridtokenx.modules.settlement.members import (
    roster_ended,
    split,
    split_again,
    split_invariants,
    to_split,
)
from gridtokenx.modules.settlement.messages import CorrectReading, SettlementCode, SubmitReadings
from gridtokenx.modules.settlement.money import pay_payable, settle_residual
from gridtokenx.modules.settlement.readings import (
    correct_reading,
    is_complete,
    may_settle,
    meter_started,
    submit_readings,
)
from gridtokenx.modules.settlement.state import (
    LAST_MEASURED,
    PAYABLES,
    PAYABLES_BY_AGE,
    PORTFOLIO_LIST,
    RECALCULATE,
    REGISTERS,
    REGISTERS_BY_INTERVAL,
    SAME_QUARTER,
    SETTLE,
    SETTLEMENTS,
    SPLIT_AGAIN,
    SPLITS,
    SPLITS_BY_INTERVAL,
    STATEMENTS,
    STATEMENTS_BY_INTERVAL,
    Stage,
    invariants,
    settlement_of,
)
from gridtokenx.modules.tokens.state import PAY_PAYABLE, capture, pay, release

ITEMS_PER_STEP = 500
"""Portfolios that one scheduled step settles."""

SPLITS_PER_STEP = 4
"""Portfolios with members that one scheduled step splits: at most 4,000 shares."""


def metering_deadline(state: State, context: Context, key: bytes) -> int:
    """Scheduled 30 minutes after delivery: settle with what came, if it has not begun. While the interval before
    is still computing it waits its turn; a freeze of the market puts it off."""
    interval = int.from_bytes(key, "big")
    if settlement_of(state, interval).stage != Stage.METERING or _is_later(state, context, METERING_DEADLINE, key):
        return 1
    if not may_settle(state, interval):
        schedule.add(state, context.time_ms + 1, METERING_DEADLINE, key)
        return 1
    schedule.add(state, context.time_ms, SETTLE, key)
    return 1


def settle(state: State, context: Context, key: bytes) -> int:
    """One step of the interval's present stage; schedules the next step."""
    interval = int.from_bytes(key, "big")
    stage = settlement_of(state, interval).stage
    if stage == Stage.METERING:
        _advance(state, interval, Stage.COMPUTING)
    elif stage >= Stage.SETTLED:
        return 1
    stage = Stage(settlement_of(state, interval).stage)
    work, queue = _WORK[stage], _queue(state, interval, stage)
    cursor = settlement_of(state, interval).cursor
    start = bisect_right(queue, cursor)
    count_max = ITEMS_PER_STEP if stage != Stage.SPLITTING else SPLITS_PER_STEP
    todo = queue[start : start + count_max]
    if stage == Stage.COMPUTING:
        _add_to_sums(state, interval, todo)
    for item in todo:
        schedule.guard(state, context, SETTLE, key + item, work)
    if len(todo) == count_max:
        changed = msgspec.structs.replace(settlement_of(state, interval), cursor=todo[-1])
        state.put(SETTLEMENTS, key, changed)
    else:
        _finish_stage(state, context, interval, stage)
    schedule.add(state, context.time_ms, SETTLE, key)
    return sum(_weight(state, interval, stage, item) for item in todo) + 1


def _weight(state: State, interval: int, stage: Stage, item: bytes) -> int:
    """Steps that an item of a stage counts as: a split one for each member."""
    return 1 if stage != Stage.SPLITTING else 1 + len(roster_at(state, item, interval).members)


def _advance(state: State, interval: int, stage: Stage) -> None:
    changed = msgspec.structs.replace(settlement_of(state, interval), stage=stage, cursor=b"")
    state.put(SETTLEMENTS, interval_key(interval), changed)


def _queue(state: State, interval: int, stage: int) -> list[bytes]:
    """What the stage works off, in key order."""
    if stage == Stage.COMPUTING:
        return state.index(PORTFOLIO_LIST).current(state)
    if stage == Stage.SPLITTING:
        return to_split(state, interval)
    if stage == Stage.COLLECTING:
        return state.index(POSITIONS_BY_INTERVAL).of(interval)
    return state.index(STATEMENTS_BY_INTERVAL).of(interval)


def _add_to_sums(state: State, interval: int, portfolios: list[bytes]) -> None:
    """What the portfolios' trades pay in and get out, from their positions: it counts also for one whose statement
    fails, so that one failure does not make the sum wrong for all."""
    key = interval_key(interval)
    rows = state.rows[POSITIONS.prefix]
    positions = [rows[key + portfolio] for portfolio in portfolios if key + portfolio in rows]
    current = settlement_of(state, interval)
    changed = msgspec.structs.replace(
        current,
        paid_in_micro=current.paid_in_micro + sum(one.purchase_cost_micro for one in positions),
        paid_out_micro=current.paid_out_micro + sum(one.sale_value_micro - one.sale_fee_micro for one in positions),
    )
    state.put(SETTLEMENTS, key, changed)


def _compute(state: State, context: Context, item: bytes) -> None:
    """Freeze the registers, write the statement; that of a portfolio with members comes after theirs."""
    interval, portfolio = _parts(item)
    if portfolio in state.rows[SPLIT_RULES.prefix]:
        return
    freeze_registers(state, interval, portfolio)
    statement = make_statement(state, interval, portfolio)
    if statement is not None:
        state.index(STATEMENTS_BY_INTERVAL).put(state, item, statement)
        context.computed.add(item)
        context.metered_import_wh += statement.import_wh
        context.metered_export_wh += statement.export_wh


def _collect(state: State, context: Context, item: bytes) -> None:
    """The buyer's hold becomes a payment into the clearing account, the seller's collateral is released."""
    _, portfolio = _parts(item)
    position = state.rows[POSITIONS.prefix][item]
    account_id = state.rows[PORTFOLIOS.prefix][portfolio].account
    capture(state, account_id, holder_of(state, RoleName.CLEARING), position.purchase_cost_micro)
    release(state, account_id, position.collateral_micro)


def _pay(state: State, context: Context, item: bytes) -> None:
    """Proceeds out of the clearing account; then the difference to the meter with the residual supplier, and what a
    split gave or took."""
    _, portfolio = _parts(item)
    statement = state.rows[STATEMENTS.prefix][item]
    account_id = state.rows[PORTFOLIOS.prefix][portfolio].account
    pay(state, holder_of(state, RoleName.CLEARING), account_id, statement.sale_proceeds_micro)
    owed = statement.owed_micro()
    settle_residual(state, context, account_id, max(owed, 0), max(-owed, 0))
    context.settled_wh += statement.sold_wh
    context.settled_micro += statement.purchase_cost_micro


def _pay_due(state: State, context: Context, item: bytes) -> None:
    """Fees and wheeling out of the clearing account."""
    due = state.rows[DUES.prefix][item]
    pay(state, holder_of(state, RoleName.CLEARING), item[4:], due.amount_micro)


_WORK = {Stage.COMPUTING: _compute, Stage.SPLITTING: split, Stage.COLLECTING: _collect, Stage.PAYING: _pay}


def _finish_stage(state: State, context: Context, interval: int, stage: int) -> None:
    if stage == Stage.COMPUTING:
        _advance(state, interval, Stage.SPLITTING)
        if not to_split(state, interval):
            _check_sum(state, context, interval)
        following = settlement_of(state, interval + 1).stage
        if following == Stage.METERING and is_complete(state, interval + 1):
            schedule.add(state, context.time_ms, SETTLE, interval_key(interval + 1))
    elif stage == Stage.SPLITTING:
        _check_sum(state, context, interval)
    elif stage == Stage.COLLECTING:
        _advance(state, interval, Stage.PAYING)
    else:
        key = interval_key(interval)
        for payee in state.index(DUES_BY_INTERVAL).of(interval):
            schedule.guard(state, context, SETTLE, key + payee, _pay_due)
        _advance(state, interval, Stage.SETTLED)


def _check_sum(state: State, context: Context, interval: int) -> None:
    """The gate before money moves."""
    balanced = is_sum_zero(state, interval)
    _advance(state, interval, Stage.COLLECTING if balanced else Stage.HELD)
    if not balanced:
        context.alarms.append(f"interval {interval} is held: payments in and out differ")


def is_sum_zero(state: State, interval: int) -> bool:
    """Whether what buyers pay in is what sellers and payees get out, to the last unit. If not, the interval is held
    for people to look at, with all its holds in place; later intervals go on."""
    settlement = settlement_of(state, interval)
    dues = state.rows[DUES.prefix]
    key = interval_key(interval)
    owed_micro: int = sum(dues[key + payee].amount_micro for payee in state.index(DUES_BY_INTERVAL).of(interval))
    paid_micro: int = settlement.paid_in_micro - settlement.paid_out_micro
    return paid_micro == owed_micro


def _parts(item: bytes) -> tuple[int, bytes]:
    return int.from_bytes(item[:4], "big"), item[4:]


def interval_final(state: State, context: Context, key: bytes) -> int:
    """Scheduled at the end of the correction window: forget the interval, some hundred records a step. Its
    registers stay until the next interval has ended too, whose energy starts there."""
    interval = int.from_bytes(key, "big")
    if _is_later(state, context, INTERVAL_FINAL, key):
        return 1
    if settlement_of(state, interval).stage != Stage.SETTLED:
        schedule.add(state, context.time_ms + RETRY_MS, INTERVAL_FINAL, key)
        return 1
    used = 0
    for index, number in (
        (state.index(SPLITS_BY_INTERVAL), interval),
        (state.index(STATEMENTS_BY_INTERVAL), interval),
        (state.index(POSITIONS_BY_INTERVAL), interval),
        (state.index(DUES_BY_INTERVAL), interval),
        (state.index(DUTIES_BY_INTERVAL), interval),
        (state.index(REGISTERS_BY_INTERVAL), interval - 1),
    ):
        used += _delete_some(state, index, number, ITEMS_PER_STEP - used)
        if used >= ITEMS_PER_STEP:
            schedule.add(state, context.time_ms, INTERVAL_FINAL, key)
            return used
    if state.get(SETTLEMENTS, key) is not None:
        state.delete(SETTLEMENTS, key)
    if state.get(CLEARINGS, key) is not None:
        state.delete(CLEARINGS, key)
    state.delete(INTERVALS, key)
    used += halts.forget(state, interval) + prices.forget(state, interval)
    return used + forget(state, interval) + 1


def _is_later(state: State, context: Context, kind: int, key: bytes) -> bool:
    """Whether a freeze of the market has put a deadline of the interval off; then it is scheduled anew."""
    number = int.from_bytes(key, "big")
    interval = state.get(INTERVALS, key)
    if interval is None:
        return False
    terms = terms_of(state, interval)
    wait_ms = terms.metering_deadline_ms if kind == METERING_DEADLINE else terms.correction_ms
    due_ms = freeze.falls_due_ms(state, interval_end_ms(number), wait_ms)
    assert due_ms is not None, "it waits while the market is frozen"
    if due_ms > context.time_ms:
        schedule.add(state, due_ms, kind, key)
    return due_ms > context.time_ms


RETRY_MS = 60_000
"""How long a final step waits for a settlement that is behind."""


def _delete_some(state: State, index: KeysByInterval, interval: int, count_max: int) -> int:
    doomed = index.of(interval)[:count_max]
    for rest in doomed:
        index.delete(state, interval_key(interval) + rest)
    return len(doomed)


def all_invariants(state: State) -> Iterator[str]:
    """Those of holds, debts and statements, and of splits."""
    yield from invariants(state)
    yield from split_invariants(state)


MODULE = Module(
    name="settlement",
    codes=SettlementCode,
    tables=(REGISTERS, LAST_MEASURED, SAME_QUARTER, SETTLEMENTS, STATEMENTS, PAYABLES, SPLITS),
    handlers={SubmitReadings: submit_readings, CorrectReading: correct_reading},
    scheduled={
        METER_STARTED: meter_started,
        METERING_DEADLINE: metering_deadline,
        SETTLE: settle,
        RECALCULATE: recalculate,
        SPLIT_AGAIN: split_again,
        ROSTER_ENDED: roster_ended,
        PAY_PAYABLE: pay_payable,
        INTERVAL_FINAL: interval_final,
    },
    waits=frozenset({METERING_DEADLINE, SETTLE, RECALCULATE, SPLIT_AGAIN, PAY_PAYABLE, INTERVAL_FINAL}),
    while_frozen=frozenset({SubmitReadings, CorrectReading}),
    indexes=(
        *(REGISTERS_BY_INTERVAL, STATEMENTS_BY_INTERVAL, SPLITS_BY_INTERVAL),
        *(PORTFOLIO_LIST, PAYABLES_BY_AGE),
    ),
    invariants=all_invariants,
)
