"""Which batches may stand in a block: the one rule for who proposes and for who judges a proposal.

Whether a block is right depends on its bytes and on the state after the block before, on nothing else: no pool, no
clock, no luck. So every honest node accepts what an honest proposer made.
"""

from collections.abc import Iterable, Sequence

from gridtokenx.engine.comet.known import Known
from gridtokenx.engine.pool import BLOCK_BYTES_MAX, PendingBatch
from gridtokenx.engine.verifier import BatchRefused
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import check_admissible
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.state import State


def block_time_ms(state: State, seconds: int, nanoseconds: int) -> int:
    """The time of the next block: that of consensus in whole milliseconds, but later than the last block's."""
    return max(seconds * 1_000 + nanoseconds // 1_000_000, last_block(state).time_ms + 1)


def is_admissible(state: State, time_ms: int, batch: PendingBatch) -> bool:
    """Whether the batch may stand in a block of this time after this state."""
    try:
        check_admissible(state, last_block(state).chain, time_ms, batch.batch, batch.header)
    except Rejected:
        return False
    return True


def check_proposal(state: State, time_ms: int, wires: Sequence[bytes], known: Iterable[Known]) -> None:
    """Raises `Rejected`, naming the batch, unless every one of a block's batches is right in itself, may stand in a
    block of this time after this state, and all of them together keep the limits of a block. `known` says what each
    is; it is asked no further than the first that is wrong."""
    if len(wires) > limits.BATCHES_PER_BLOCK_MAX or sum(map(len, wires)) > BLOCK_BYTES_MAX:
        raise Rejected(KernelCode.TOO_LARGE, "batches")
    chain = last_block(state).chain
    signatures = 0
    seen: set[bytes] = set()
    for number, batch in enumerate(known):
        if isinstance(batch, BatchRefused):
            raise Rejected(batch.code, f"batches[{number}].{batch.field}")
        signatures += batch.signatures
        if signatures > limits.SIGNATURES_PER_BLOCK_MAX:
            raise Rejected(KernelCode.BLOCK_SIGNATURES_EXCEEDED, f"batches[{number}]")
        if batch.id in seen:
            raise Rejected(KernelCode.BATCH_REPEATED, f"batches[{number}]")
        seen.add(batch.id)
        try:
            check_admissible(state, chain, time_ms, batch.batch, batch.header)
        except Rejected as rejection:
            raise Rejected(rejection.code, f"batches[{number}].{rejection.field}") from None
