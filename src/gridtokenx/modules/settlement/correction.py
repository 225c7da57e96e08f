"""What a correction changes: only the difference with the residual supplier moves.

An interval's energy lies between two registers, and estimates lift what was settled above what was measured. So a
corrected register moves its own interval and the next, and further ones until the lift no longer changes. That is a
consequence of the one correction, not a second one. Each interval is a piece of scheduled work of its own.
"""

from msgspec.structs import replace

from gridtokenx.ledger import schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.state import PORTFOLIOS
from gridtokenx.modules.settlement.compute import follow, make_statement, meter_of_portfolio
from gridtokenx.modules.settlement.members import member_corrected
from gridtokenx.modules.settlement.money import settle_residual
from gridtokenx.modules.settlement.state import (
    RECALCULATE,
    REGISTERS,
    REGISTERS_BY_INTERVAL,
    STATEMENTS,
    STATEMENTS_BY_INTERVAL,
    Registers,
    Stage,
    is_done,
)


def correct(state: State, context: Context, interval: int, meter: bytes, portfolio: bytes, measured: Registers) -> None:
    """Put corrected registers, and have their interval and the next calculated anew. Those with which a meter was
    connected follow no others."""
    before = state.get(REGISTERS, interval_key(interval - 1) + meter)
    corrected = measured if before is None else follow(before, measured, 0)
    state.index(REGISTERS_BY_INTERVAL).put(state, interval_key(interval) + meter, corrected)
    for number in (interval, interval + 1):
        schedule.add(state, context.time_ms, RECALCULATE, interval_key(number) + portfolio)


def recalculate(state: State, context: Context, item: bytes) -> int:
    """Scheduled when registers before or in the interval changed: set its registers on those before, its statement on
    both, pay the difference if the first statement was paid, and go on to the next interval if its registers changed.
    Nothing for an interval that has no statement yet: it will start from the changed registers."""
    interval, portfolio_id = int.from_bytes(item[:4], "big"), item[4:]
    old = state.get(STATEMENTS, item)
    portfolio = state.rows[PORTFOLIOS.prefix][portfolio_id]
    meter = meter_of_portfolio(state, portfolio)
    before = state.get(REGISTERS, interval_key(interval - 1) + meter)
    now = state.get(REGISTERS, interval_key(interval) + meter)
    if old is None or before is None or now is None:
        return 1
    # The energy of an estimated interval is its estimate, and stays it.
    changed = follow(before, now, old.import_wh)
    if changed != now:
        state.index(REGISTERS_BY_INTERVAL).put(state, interval_key(interval) + meter, changed)
        schedule.add(state, context.time_ms, RECALCULATE, interval_key(interval + 1) + portfolio_id)
    made = make_statement(state, interval, portfolio_id)
    if made is None:
        return 1
    new = replace(made, split_charge_micro=old.split_charge_micro, split_credit_micro=old.split_credit_micro)
    if new == old:
        return 1
    state.index(STATEMENTS_BY_INTERVAL).put(state, item, new)
    if is_done(state, Stage.PAYING, item):
        owed_micro = new.owed_micro() - old.owed_micro()
        settle_residual(state, context, portfolio.account, max(owed_micro, 0), max(-owed_micro, 0))
    member_corrected(state, context, item)
    if item in context.computed:
        context.metered_import_wh += new.import_wh - old.import_wh
        context.metered_export_wh += new.export_wh - old.export_wh
    return 1
