"""Accounts: who may sign, which nonces are used, and the balance in the chain's own currency.

Only `transaction` changes keys and nonces, and only the `tokens` module changes balances. They share a
record because each order touches both, and each record touched costs a place in the Merkle tree.
"""

from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.limits import NONCE_WINDOW
from gridtokenx.ledger.state import Table

ACCOUNT_BYTES = 32


class Account(Record, frozen=True):
    """`nonce_gaps` has bit k set when nonce `nonce_highest - 1 - k` is still unused (big-endian bytes
    without leading zeros: an account that counts up has none). Free balance = balance - held."""

    participant: bytes
    keys_hash: bytes
    nonce_highest: int
    nonce_gaps: bytes
    balance_micro: int
    held_micro: int
    debt_micro: int


ACCOUNTS: Table[Account] = Table(0x01, "accounts", Account)


class RotatedKeys(Record, frozen=True):
    """Keys that an account gave up; until then they excuse the batch author who let them through."""

    until_ms: int


ROTATED_KEYS: Table[RotatedKeys] = Table(0x02, "rotated_keys", RotatedKeys)
"""Key: account ‖ keys hash."""


class PendingKeys(Record, frozen=True):
    """Keys that count from the next block."""

    keys_hash: bytes


PENDING_KEYS: Table[PendingKeys] = Table(0x03, "pending_keys", PendingKeys)
"""Key: account."""


def use_nonce(highest: int, gaps: bytes, nonce: int) -> tuple[int, bytes]:
    """The (highest, gaps) after using `nonce`.

    Raises `NONCE_USED`, `NONCE_TOO_OLD` (below the window) or `NONCE_JUMP` (too far ahead).
    """
    if nonce == highest + 1 and not gaps:
        return nonce, gaps
    if nonce > highest:
        jump = nonce - highest
        if jump > NONCE_WINDOW:
            raise Rejected(KernelCode.NONCE_JUMP, "nonce")
        bits = int.from_bytes(gaps, "big") << jump | (1 << (jump - 1)) - 1
        return nonce, _bits_to_bytes(bits & (1 << NONCE_WINDOW) - 1)
    distance = highest - 1 - nonce
    if distance >= NONCE_WINDOW:
        raise Rejected(KernelCode.NONCE_TOO_OLD, "nonce")
    bits = int.from_bytes(gaps, "big")
    if nonce < 1 or distance < 0 or not bits >> distance & 1:
        raise Rejected(KernelCode.NONCE_USED, "nonce")
    return highest, _bits_to_bytes(bits ^ 1 << distance)


def _bits_to_bytes(bits: int) -> bytes:
    return bits.to_bytes((bits.bit_length() + 7) // 8, "big")
