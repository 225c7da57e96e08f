"""Keys and records of tokens, and the four things one can do with money."""

from collections.abc import Iterator

from gridtokenx.ledger import schedule
from gridtokenx.ledger.account import ACCOUNTS, Account
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.limits import AMOUNT_MAX
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.transaction import AccountId, Whole
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import holder_of
from gridtokenx.modules.tokens.messages import TokensCode


class Money(Record, frozen=True):
    """Supply, what vouches for it, and the two accounts (of several signers each) that may change it."""

    bank: AccountId
    attester: AccountId
    supply_micro: Whole
    reserves_micro: Whole
    attested_ms: Whole


class Redemption(Record, frozen=True):
    """A request that waits for the bank. Key: account ‖ reference."""

    amount_micro: Whole


class UsedReference(Record, frozen=True):
    """A minting that was done. Key: reference."""

    amount_micro: Whole


MONEY: Table[Money] = Table(0x10, "money", Money)
REDEMPTIONS: Table[Redemption] = Table(0x11, "redemptions", Redemption)
USED_REFERENCES: Table[UsedReference] = Table(0x12, "used_references", UsedReference)

MONEY_KEY = b""

PAY_PAYABLE = 0x10
"""Kind of scheduled work: the residual supplier, which owes, has money; settlement answers it by paying the oldest."""


def account_of(state: State, account_id: bytes, code: TokensCode = TokensCode.RECIPIENT_UNKNOWN) -> Account:
    """The account, or `Rejected`."""
    account = state.get(ACCOUNTS, account_id)
    if account is None:
        raise Rejected(code, "account")
    return account


def change_balance(
    state: State, account_id: bytes, account: Account, balance_change_micro: int, held_change_micro: int
) -> None:
    """Write the account with both changes; refuse what would leave a negative free balance or hold.

    All money comes and goes through here, and through `pay_debt`: what becomes free of one who owes is paid at once. A
    change that lowers neither free balance nor hold always succeeds.
    """
    balance_micro = account.balance_micro + balance_change_micro
    held_micro = account.held_micro + held_change_micro
    if balance_micro < held_micro and balance_change_micro - held_change_micro < 0:
        raise Rejected(TokensCode.BALANCE_TOO_LOW, "balance")
    if held_micro < 0 or balance_micro < 0 or balance_micro > AMOUNT_MAX:
        raise Rejected(KernelCode.AMOUNT_OUT_OF_RANGE, "balance")
    changed = Account(
        account.participant,
        account.keys_hash,
        account.nonce_highest,
        account.nonce_gaps,
        balance_micro,
        held_micro,
        account.debt_micro,
    )
    state.put(ACCOUNTS, account_id, changed)
    if account.debt_micro and balance_change_micro > held_change_micro:
        pay_debt(state, account_id, changed)


def hold(state: State, account_id: bytes, amount_micro: int) -> None:
    """Set free balance aside; `BALANCE_TOO_LOW`."""
    change_balance(state, account_id, account_of(state, account_id), 0, amount_micro)


def release(state: State, account_id: bytes, amount_micro: int) -> None:
    """Give back what was set aside."""
    change_balance(state, account_id, account_of(state, account_id), 0, -amount_micro)


def capture(state: State, payer_id: bytes, payee_id: bytes, amount_micro: int) -> None:
    """Pay out of a hold."""
    if amount_micro == 0:
        return
    change_balance(state, payer_id, account_of(state, payer_id), -amount_micro, -amount_micro)
    change_balance(state, payee_id, account_of(state, payee_id), amount_micro, 0)


def pay(state: State, payer_id: bytes, payee_id: bytes, amount_micro: int) -> None:
    """Pay out of the free balance; `BALANCE_TOO_LOW`."""
    if amount_micro == 0 or payer_id == payee_id:
        return
    change_balance(state, payer_id, account_of(state, payer_id), -amount_micro, 0)
    change_balance(state, payee_id, account_of(state, payee_id), amount_micro, 0)


def free_micro(account: Account) -> int:
    """Balance that nothing is held of."""
    return account.balance_micro - account.held_micro


def owe(state: State, account_id: bytes, amount_micro: int) -> None:
    """The account owes this to the residual supplier, and pays it at once as far as its free balance goes."""
    change_debt(state, account_id, amount_micro)
    pay_debt(state, account_id, account_of(state, account_id))


def pay_debt(state: State, account_id: bytes, account: Account) -> None:
    """Pay what is free to the residual supplier, as far as the account owes. The supplier itself owes its payables:
    these are paid one by one, oldest first, as scheduled work."""
    supplier_id = holder_of(state, RoleName.RESIDUAL_SUPPLIER)
    supplier = account
    if account_id != supplier_id:
        amount_micro = min(account.debt_micro, free_micro(account))
        if amount_micro == 0:
            return
        supplier = account_of(state, supplier_id)
        _put_money(state, account_id, account, -amount_micro, -amount_micro)
        _put_money(state, supplier_id, supplier, amount_micro, 0)
    if supplier.debt_micro:
        schedule.add(state, schedule.AT_ONCE_MS, PAY_PAYABLE, b"")


def change_debt(state: State, account_id: bytes, change_micro: int) -> None:
    """What the account owes: to the residual supplier, or as the residual supplier; never below zero."""
    _put_money(state, account_id, account_of(state, account_id), 0, change_micro)


def _put_money(
    state: State, account_id: bytes, account: Account, balance_change_micro: int, debt_change_micro: int
) -> None:
    debt_micro = account.debt_micro + debt_change_micro
    if debt_micro < 0 or debt_micro > AMOUNT_MAX:
        raise Rejected(KernelCode.AMOUNT_OUT_OF_RANGE, "debt")
    changed = Account(
        account.participant,
        account.keys_hash,
        account.nonce_highest,
        account.nonce_gaps,
        account.balance_micro + balance_change_micro,
        account.held_micro,
        debt_micro,
    )
    state.put(ACCOUNTS, account_id, changed)


def money(state: State) -> Money:
    """Supply and reserves; every genesis sets the record."""
    record = state.get(MONEY, MONEY_KEY)
    if record is None:
        raise Rejected(TokensCode.BANK_UNKNOWN, "money")
    return record


def invariants(state: State) -> Iterator[str]:
    """Balances sum to the supply, and no account holds more than it has."""
    total_micro = 0
    for key, account in state.items(ACCOUNTS):
        total_micro += account.balance_micro
        if not 0 <= account.held_micro <= account.balance_micro:
            yield f"account {key.hex()} holds {account.held_micro} of {account.balance_micro}"
    supply_micro = money(state).supply_micro
    if total_micro != supply_micro:
        yield f"balances sum to {total_micro}, the supply is {supply_micro}"
