"""The rules of tokens."""

import msgspec

from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import AMOUNT_MAX
from gridtokenx.ledger.module import Module
from gridtokenx.ledger.state import State
from gridtokenx.modules.tokens.messages import (
    AttestReserves,
    ConfirmRedemption,
    Mint,
    RefuseRedemption,
    RequestRedemption,
    TokensCode,
    Transfer,
)
from gridtokenx.modules.tokens.state import (
    MONEY,
    MONEY_KEY,
    REDEMPTIONS,
    USED_REFERENCES,
    Money,
    Redemption,
    UsedReference,
    account_of,
    change_balance,
    hold,
    invariants,
    money,
    pay,
    release,
)


def transfer(state: State, context: Context, message: Transfer) -> tuple[int, ...]:
    """`AMOUNT_ZERO`, `TRANSFER_TO_SELF`, `RECIPIENT_UNKNOWN`, `DEBT_FIRST` (an account that owes for energy
    pays that first), `BALANCE_TOO_LOW`."""
    check_amount(message.amount_micro)
    if message.recipient == context.sender:
        raise Rejected(TokensCode.TRANSFER_TO_SELF, "recipient")
    account_of(state, message.recipient)
    if account_of(state, context.sender).debt_micro > 0:
        raise Rejected(TokensCode.DEBT_FIRST, "amount_micro")
    pay(state, context.sender, message.recipient, message.amount_micro)
    return ()


def mint(state: State, context: Context, message: Mint) -> tuple[int, ...]:
    """`NOT_THE_BANK`, `REFERENCE_USED`, `RESERVES_TOO_LOW`, `SUPPLY_TOO_LARGE`, `RECIPIENT_UNKNOWN`."""
    check_amount(message.amount_micro)
    current = require_bank(state, context)
    if state.get(USED_REFERENCES, message.reference) is not None:
        raise Rejected(TokensCode.REFERENCE_USED, "reference")
    supply_micro = current.supply_micro + message.amount_micro
    if supply_micro > AMOUNT_MAX:
        raise Rejected(TokensCode.SUPPLY_TOO_LARGE, "amount_micro")
    if supply_micro > current.reserves_micro:
        raise Rejected(TokensCode.RESERVES_TOO_LOW, "amount_micro")
    recipient = account_of(state, message.recipient)
    state.put(USED_REFERENCES, message.reference, UsedReference(message.amount_micro))
    state.put(MONEY, MONEY_KEY, msgspec.structs.replace(current, supply_micro=supply_micro))
    change_balance(state, message.recipient, recipient, message.amount_micro, 0)
    return ()


def request_redemption(state: State, context: Context, message: RequestRedemption) -> tuple[int, ...]:
    """`AMOUNT_ZERO`, `REFERENCE_USED`, `DEBT_FIRST`, `BALANCE_TOO_LOW`."""
    check_amount(message.amount_micro)
    key = context.sender + message.reference
    if state.get(REDEMPTIONS, key) is not None:
        raise Rejected(TokensCode.REFERENCE_USED, "reference")
    if account_of(state, context.sender).debt_micro > 0:
        raise Rejected(TokensCode.DEBT_FIRST, "amount_micro")
    hold(state, context.sender, message.amount_micro)
    state.put(REDEMPTIONS, key, Redemption(message.amount_micro))
    return ()


def confirm_redemption(state: State, context: Context, message: ConfirmRedemption) -> tuple[int, ...]:
    """`NOT_THE_BANK`, `REDEMPTION_UNKNOWN`. The baht has left the bank, so the reserves fall with the supply
    until the next attestation."""
    current = require_bank(state, context)
    amount_micro = _take_redemption(state, message.account + message.reference)
    account = account_of(state, message.account)
    change_balance(state, message.account, account, -amount_micro, -amount_micro)
    changed = msgspec.structs.replace(
        current,
        supply_micro=current.supply_micro - amount_micro,
        reserves_micro=max(current.reserves_micro - amount_micro, 0),
    )
    state.put(MONEY, MONEY_KEY, changed)
    return ()


def refuse_redemption(state: State, context: Context, message: RefuseRedemption) -> tuple[int, ...]:
    """`NOT_THE_BANK`, `REDEMPTION_UNKNOWN`."""
    require_bank(state, context)
    release(state, message.account, _take_redemption(state, message.account + message.reference))
    return ()


def attest_reserves(state: State, context: Context, message: AttestReserves) -> tuple[int, ...]:
    """`NOT_THE_ATTESTER`, `ATTESTATION_OLD` (not newer than the last, or from the future). Reserves below the
    supply are a fact to be recorded: minting stops, and operators are alarmed."""
    current = money(state)
    if context.sender != current.attester:
        raise Rejected(TokensCode.NOT_THE_ATTESTER, "sender")
    if not current.attested_ms < message.as_of_ms <= context.time_ms:
        raise Rejected(TokensCode.ATTESTATION_OLD, "as_of_ms")
    changed = msgspec.structs.replace(current, reserves_micro=message.reserves_micro, attested_ms=message.as_of_ms)
    state.put(MONEY, MONEY_KEY, changed)
    if message.reserves_micro < current.supply_micro:
        context.alarms.append(f"reserves {message.reserves_micro} below supply {current.supply_micro}")
    return ()


def check_amount(amount_micro: int) -> None:
    """`AMOUNT_ZERO`."""
    if amount_micro == 0:
        raise Rejected(TokensCode.AMOUNT_ZERO, "amount_micro")


def require_bank(state: State, context: Context) -> Money:
    """The money record, if the sender is the bank; else `NOT_THE_BANK`."""
    current = money(state)
    if context.sender != current.bank:
        raise Rejected(TokensCode.NOT_THE_BANK, "sender")
    return current


def _take_redemption(state: State, key: bytes) -> int:
    redemption = state.get(REDEMPTIONS, key)
    if redemption is None:
        raise Rejected(TokensCode.REDEMPTION_UNKNOWN, "reference")
    state.delete(REDEMPTIONS, key)
    return redemption.amount_micro


MODULE = Module(
    name="tokens",
    codes=TokensCode,
    tables=(MONEY, REDEMPTIONS, USED_REFERENCES),
    handlers={
        Transfer: transfer,
        Mint: mint,
        RequestRedemption: request_redemption,
        ConfirmRedemption: confirm_redemption,
        RefuseRedemption: refuse_redemption,
        AttestReserves: attest_reserves,
    },
    invariants=invariants,
)
