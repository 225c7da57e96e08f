"""Payments with the residual supplier, which cannot fail: what is missing becomes a debt or a payable."""

from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import holder_of
from gridtokenx.modules.settlement.state import PAYABLES, Payable
from gridtokenx.modules.tokens.state import account_of, change_debt, free_micro, pay


def settle_residual(state: State, account_id: bytes, charge_micro: int, credit_micro: int) -> None:
    """Charge, credit, then pay off what either side still owes, as far as free balances go."""
    supplier_id = holder_of(state, RoleName.RESIDUAL_SUPPLIER)
    if account_id == supplier_id:
        return
    net_micro = charge_micro - credit_micro
    if net_micro > 0:
        change_debt(state, account_id, net_micro)
    elif net_micro < 0:
        _change_payable(state, account_id, -net_micro)
    _set_off(state, account_id)
    _pay_payable(state, supplier_id, account_id)
    _pay_debt(state, supplier_id, account_id)


def _set_off(state: State, account_id: bytes) -> None:
    """A debt and a payable of the same two cancel out without money."""
    payable = state.get(PAYABLES, account_id)
    amount_micro = min(account_of(state, account_id).debt_micro, payable.amount_micro if payable else 0)
    if amount_micro:
        change_debt(state, account_id, -amount_micro)
        _change_payable(state, account_id, -amount_micro)


def _pay_debt(state: State, supplier_id: bytes, account_id: bytes) -> None:
    account = account_of(state, account_id)
    amount_micro = min(account.debt_micro, free_micro(account))
    if amount_micro > 0:
        pay(state, account_id, supplier_id, amount_micro)
        change_debt(state, account_id, -amount_micro)


def _pay_payable(state: State, supplier_id: bytes, account_id: bytes) -> None:
    payable = state.get(PAYABLES, account_id)
    if payable is None:
        return
    amount_micro = min(payable.amount_micro, free_micro(account_of(state, supplier_id)))
    if amount_micro > 0:
        pay(state, supplier_id, account_id, amount_micro)
        _change_payable(state, account_id, -amount_micro)


def _change_payable(state: State, account_id: bytes, change_micro: int) -> None:
    payable = state.get(PAYABLES, account_id)
    amount_micro = (payable.amount_micro if payable else 0) + change_micro
    if amount_micro:
        state.put(PAYABLES, account_id, Payable(amount_micro))
    elif payable is not None:
        state.delete(PAYABLES, account_id)
