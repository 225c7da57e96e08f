"""The four things one can do with money, and what they never do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.ledger import schedule
from gridtokenx.ledger.account import ACCOUNTS, Account
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.limits import AMOUNT_MAX
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import ROLES, Role, role_key
from gridtokenx.modules.tokens.messages import TokensCode
from gridtokenx.modules.tokens.state import (
    PAY_PAYABLE,
    account_of,
    capture,
    change_debt,
    hold,
    owe,
    pay,
    release,
)

ANN, BOB = b"a" * 32, b"b" * 32


def state_with(balance: int, held: int, other: int = 0) -> State:
    state = State()
    state.put(ACCOUNTS, ANN, Account(b"p", ANN, 0, b"", balance, held, 0))
    state.put(ACCOUNTS, BOB, Account(b"q", BOB, 0, b"", other, 0, 0))
    return state


def money(state: State) -> tuple[int, int, int, int]:
    ann, bob = account_of(state, ANN), account_of(state, BOB)
    return ann.balance_micro, ann.held_micro, bob.balance_micro, bob.held_micro


amounts = st.integers(0, 1_000)


@given(amounts, amounts, amounts, st.integers(0, 3))
def test_nothing_is_lost_and_nothing_falls_below_zero(balance: int, held: int, amount: int, what: int) -> None:
    held = min(held, balance)
    state = state_with(balance, held)
    try:
        if what == 0:
            hold(state, ANN, amount)
        elif what == 1:
            release(state, ANN, amount)
        elif what == 2:
            capture(state, ANN, BOB, amount)
        else:
            pay(state, ANN, BOB, amount)
        allowed = True
    except Rejected:
        state.roll_back(2)
        allowed = False
    mine, mine_held, theirs, theirs_held = money(state)
    assert mine + theirs == balance
    assert 0 <= mine_held <= mine and theirs_held == 0
    assert allowed == (amount <= (balance - held if what in (0, 3) else held))


def test_codes() -> None:
    state = state_with(10, 4)
    for call, code in (
        (lambda: pay(state, ANN, BOB, 7), TokensCode.BALANCE_TOO_LOW),
        (lambda: hold(state, ANN, 7), TokensCode.BALANCE_TOO_LOW),
        (lambda: release(state, ANN, 5), KernelCode.AMOUNT_OUT_OF_RANGE),
        (lambda: capture(state, ANN, BOB, 5), KernelCode.AMOUNT_OUT_OF_RANGE),
        (lambda: pay(state, ANN, b"c" * 32, 1), TokensCode.RECIPIENT_UNKNOWN),
        (lambda: change_debt(state, ANN, -1), KernelCode.AMOUNT_OUT_OF_RANGE),
        (lambda: change_debt(state, ANN, AMOUNT_MAX + 1), KernelCode.AMOUNT_OUT_OF_RANGE),
    ):
        with pytest.raises(Rejected) as caught:
            call()
        assert caught.value.code == code


def test_a_balance_has_an_upper_end() -> None:
    state = state_with(1, 0, AMOUNT_MAX)
    with pytest.raises(Rejected) as caught:
        pay(state, ANN, BOB, 1)
    assert caught.value.code == KernelCode.AMOUNT_OUT_OF_RANGE


def test_paying_oneself_or_nothing_changes_nothing() -> None:
    state = state_with(10, 10)
    state.keep()
    pay(state, ANN, ANN, 99)
    pay(state, ANN, BOB, 0)
    capture(state, ANN, BOB, 0)
    assert state.undo == []


def test_an_account_may_pay_while_its_hold_exceeds_nothing_else() -> None:
    """An incoming payment always succeeds, also for an account whose balance is all held."""
    state = state_with(5, 5, 5)
    pay(state, BOB, ANN, 5)
    assert money(state) == (10, 5, 0, 0)


SUPPLIER = b"s" * 32


def indebted(balance: int, held: int, debt: int, supplier_debt: int = 0) -> State:
    """Ann owes; so may the residual supplier."""
    state = state_with(balance, held, 1_000)
    state.indexes["due"] = []
    state.put(ROLES, role_key(RoleName.RESIDUAL_SUPPLIER), Role(SUPPLIER))
    state.put(ACCOUNTS, ANN, Account(b"p", ANN, 0, b"", balance, held, debt))
    state.put(ACCOUNTS, SUPPLIER, Account(b"r", SUPPLIER, 0, b"", 0, 0, supplier_debt))
    return state


@given(amounts, amounts, amounts, st.integers(0, 2))
def test_what_becomes_free_of_one_who_owes_is_paid_at_once(held: int, debt: int, amount: int, what: int) -> None:
    """By a payment, a release, or a new debt that meets free money."""
    state = indebted(held, held, debt) if what < 2 else indebted(held + amount, held, 0)
    amount = min(amount, held) if what == 1 else amount
    if what == 0:
        pay(state, BOB, ANN, amount)
    elif what == 1:
        release(state, ANN, amount)
    else:
        owe(state, ANN, debt)
    ann, supplier = account_of(state, ANN), account_of(state, SUPPLIER)
    paid = min(amount, debt)
    assert supplier.balance_micro == paid
    assert ann.debt_micro == debt - paid
    assert ann.balance_micro - ann.held_micro == amount - paid
    assert not ann.debt_micro or ann.balance_micro == ann.held_micro
    assert schedule.next_due_ms(state) is None


@pytest.mark.parametrize("by", ["a payment", "a debt that is paid"])
def test_a_supplier_that_owes_and_gets_money_is_told_to_pay(by: str) -> None:
    state = indebted(5, 5, 3, supplier_debt=7)
    if by == "a payment":
        pay(state, BOB, SUPPLIER, 1)
    else:
        pay(state, BOB, ANN, 1)
    assert [key[8] for key in state.keys(schedule.SCHEDULE)] == [PAY_PAYABLE]


def test_holding_and_paying_of_one_who_owes_asks_nobody() -> None:
    """The residual supplier is looked up only when something became free: there is none here."""
    state = state_with(10, 4)
    state.put(ACCOUNTS, ANN, Account(b"p", ANN, 0, b"", 10, 4, 3))
    hold(state, ANN, 2)
    capture(state, ANN, BOB, 6)
    pay(state, ANN, BOB, 4)
    assert account_of(state, ANN).debt_micro == 3
