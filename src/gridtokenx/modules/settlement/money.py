"""Payments with the residual supplier, which cannot fail: what is missing becomes a debt or a payable.

The residual supplier's own debt is the sum of its payables, so that like everybody else it pays that first.
"""

from heapq import heappop, heappush

from gridtokenx.ledger import schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import holder_of
from gridtokenx.modules.settlement.state import PAYABLES, PAYABLES_BY_AGE, Payable, payable_age
from gridtokenx.modules.tokens.state import PAY_PAYABLE, account_of, change_debt, free_micro, owe, pay


def settle_residual(state: State, context: Context, account_id: bytes, charge_micro: int, credit_micro: int) -> None:
    """Charge or credit the difference: first against what the other side owes, then in money as far as it goes."""
    supplier_id = holder_of(state, RoleName.RESIDUAL_SUPPLIER)
    if account_id == supplier_id:
        return
    owed_micro = charge_micro - credit_micro
    if owed_micro > 0:
        payable = state.get(PAYABLES, account_id)
        set_off_micro = min(owed_micro, payable.amount_micro if payable else 0)
        _change_payable(state, context, supplier_id, account_id, -set_off_micro)
        owe(state, account_id, owed_micro - set_off_micro)
    elif owed_micro < 0:
        set_off_micro = min(-owed_micro, account_of(state, account_id).debt_micro)
        change_debt(state, account_id, -set_off_micro)
        _credit(state, context, supplier_id, account_id, -owed_micro - set_off_micro)


def _credit(state: State, context: Context, supplier_id: bytes, account_id: bytes, amount_micro: int) -> None:
    """Pay, unless older payables wait: then, and for what is missing, this is one more."""
    supplier = account_of(state, supplier_id)
    paid_micro = 0 if supplier.debt_micro else min(amount_micro, free_micro(supplier))
    pay(state, supplier_id, account_id, paid_micro)
    _change_payable(state, context, supplier_id, account_id, amount_micro - paid_micro)


def pay_payable(state: State, context: Context, _: bytes) -> int:
    """Scheduled when the residual supplier got money and owes: pay the oldest payable as far as the money goes, and
    come back for the next one, behind what is due already."""
    oldest = _oldest(state)
    supplier_id = holder_of(state, RoleName.RESIDUAL_SUPPLIER)
    free = free_micro(account_of(state, supplier_id))
    if oldest is None or free == 0:
        return 1
    account_id, payable = oldest
    amount_micro = min(payable.amount_micro, free)
    _change_payable(state, context, supplier_id, account_id, -amount_micro)
    pay(state, supplier_id, account_id, amount_micro)
    if free > amount_micro:
        schedule.add(state, context.time_ms, PAY_PAYABLE, b"")
    return 1


def _oldest(state: State) -> tuple[bytes, Payable] | None:
    """The account that has waited longest, and for how much."""
    heap = state.index(PAYABLES_BY_AGE)
    while heap:
        account_id = heap[0][8:]
        payable = state.get(PAYABLES, account_id)
        if payable is not None and payable_age(account_id, payable) == heap[0]:
            return account_id, payable
        heappop(heap)
    return None


def _change_payable(state: State, context: Context, supplier_id: bytes, account_id: bytes, change_micro: int) -> None:
    """A payable keeps its age until it is paid in full."""
    if change_micro == 0:
        return
    change_debt(state, supplier_id, change_micro)
    payable = state.get(PAYABLES, account_id)
    if payable is None:
        payable = Payable(0, context.time_ms)
        heappush(state.index(PAYABLES_BY_AGE), payable_age(account_id, payable))
    amount_micro = payable.amount_micro + change_micro
    if amount_micro:
        state.put(PAYABLES, account_id, Payable(amount_micro, payable.since_ms))
    else:
        state.delete(PAYABLES, account_id)
