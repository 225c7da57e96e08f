"""The one correction of a settled interval: only the difference with the residual supplier moves."""

from gridtokenx.ledger.context import Context
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.state import PORTFOLIOS
from gridtokenx.modules.settlement.compute import make_statement
from gridtokenx.modules.settlement.money import settle_residual
from gridtokenx.modules.settlement.state import STATEMENTS, STATEMENTS_BY_INTERVAL, Stage, settlement_of


def correct(state: State, context: Context, interval: int, portfolio: bytes) -> None:
    """Compute the interval anew, and the next one, whose energy starts where this one's ends."""
    for number in (interval, interval + 1):
        if settlement_of(state, number).stage == Stage.SETTLED:
            _correct_one(state, number, portfolio)


def _correct_one(state: State, interval: int, portfolio: bytes) -> None:
    old = state.get(STATEMENTS, interval_key(interval) + portfolio)
    new = make_statement(state, interval, portfolio)
    if old is None or new is None:
        return
    state.index(STATEMENTS_BY_INTERVAL).put(state, interval, portfolio, new)
    owed_micro = (new.charge_micro - new.credit_micro) - (old.charge_micro - old.credit_micro)
    account_id = state.rows[PORTFOLIOS.prefix][portfolio].account
    settle_residual(state, account_id, max(owed_micro, 0), max(-owed_micro, 0))
