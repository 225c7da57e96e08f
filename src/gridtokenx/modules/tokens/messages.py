"""What can be asked of tokens, and its codes. Tags 0x10 to 0x1f, codes 100 to 199."""

from enum import IntEnum
from typing import Annotated

import msgspec

from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.transaction import AccountId, Whole

Reference = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
"""Sixteen bytes by which a bank finds its own booking; random, never a name or an account number."""


class TokensCode(IntEnum):
    """Why tokens says no."""

    AMOUNT_ZERO = 100
    BALANCE_TOO_LOW = 101
    RECIPIENT_UNKNOWN = 102
    RESERVES_TOO_LOW = 103
    REFERENCE_USED = 104
    REDEMPTION_UNKNOWN = 105
    SUPPLY_TOO_LARGE = 106
    ATTESTATION_OLD = 107
    BANK_UNKNOWN = 108
    NOT_THE_BANK = 109
    NOT_THE_ATTESTER = 110
    TRANSFER_TO_SELF = 111
    DEBT_FIRST = 112


class Transfer(Message, frozen=True, tag=0x10):
    """Pay from the free balance."""

    recipient: AccountId
    amount_micro: Whole


class Mint(Message, frozen=True, tag=0x11):
    """The bank makes WATT for baht that it received; never above the attested reserves."""

    recipient: AccountId
    amount_micro: Whole
    reference: Reference


class RequestRedemption(Message, frozen=True, tag=0x12):
    """The sender wants baht for WATT: the amount is held until the bank answers."""

    amount_micro: Whole
    reference: Reference


class ConfirmRedemption(Message, frozen=True, tag=0x13):
    """The bank has paid the baht: the held WATT is burnt."""

    account: AccountId
    reference: Reference


class RefuseRedemption(Message, frozen=True, tag=0x14):
    """The bank does not pay: the hold is released."""

    account: AccountId
    reference: Reference


class AttestReserves(Message, frozen=True, tag=0x15):
    """The attester states the baht in the segregated account, as of an instant (chain time)."""

    reserves_micro: Whole
    as_of_ms: Whole
