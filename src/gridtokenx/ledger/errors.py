"""The three kinds of failure, and the kernel's codes.

*Rejected*: the rules say no; one exception, a numbered code, the transaction is rolled back and its
nonce is used up. *A bug*: an exception of the closed list `HANDLER_BUGS` inside a handler becomes the
code `INTERNAL`, is rolled back, counted and alarmed. *Everything else* (memory, recursion, disk)
leaves `apply_block`, and the node stops before it commits.

Codes are consensus: append only, never renumber (`tests/vectors/codes.json` pins them). Words about
them live in `docs/codes.md` and in the clients.
"""

from enum import IntEnum


class KernelCode(IntEnum):
    """Outcomes that the kernel itself decides."""

    OK = 0
    INTERNAL = 1
    MALFORMED = 2
    TOO_LARGE = 3
    SIGNATURE_INVALID = 4
    ALGORITHM_UNKNOWN = 5
    UNAUTHENTICATED = 6
    ACCOUNT_UNKNOWN = 7
    CHAIN_WRONG = 8
    EXPIRED = 9
    EXPIRY_TOO_FAR = 10
    NONCE_USED = 11
    NONCE_TOO_OLD = 12
    NONCE_JUMP = 13
    QUOTA_EXCEEDED = 14
    BATCH_AUTHOR_UNKNOWN = 15
    BATCH_REPEATED = 16
    BATCH_SIGNATURE_INVALID = 17
    BATCH_TRANSACTION_INVALID = 18
    BLOCK_SIGNATURES_EXCEEDED = 19
    AMOUNT_OUT_OF_RANGE = 20
    BATCH_ROOT_WRONG = 21
    FROZEN = 22


class Rejected(Exception):
    """The rules say no. `code` is consensus; `field` helps the sender and is not hashed."""

    def __init__(self, code: IntEnum, field: str = "") -> None:
        super().__init__(f"{code.name} ({int(code)})" + (f" at {field}" if field else ""))
        self.code = code
        self.field = field


HANDLER_BUGS = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError)
"""Exceptions that a bug in a handler raises and that leave the process sound. Memory, recursion and
operating-system errors are not here: after them the process is not to be trusted."""
