"""What the ledger knows of the consensus that times its blocks: how far apart they normally are.

A consensus takes a block's time from votes on the block before. So after a halt the first block still carries the time
before the halt, and trades although a gate may have passed meanwhile. The block after that one shows it, by how much
later it is. A chain without consensus has no such blocks: then there is no record, and no clock is stale.
"""

from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.transaction import Whole


class ConsensusTerms(Record, frozen=True):
    """`block_ms`: the interval at which blocks follow each other when nothing is wrong."""

    block_ms: Whole


CONSENSUS: Table[ConsensusTerms] = Table(0x09, "consensus", ConsensusTerms)
CONSENSUS_KEY = b""

STALE_BLOCKS = 10
STALE_MS_MIN = 60_000
"""A clock was stale when the next block is later by more than so many block intervals and by more than a minute."""

VOID_STALE = 0x09
"""Kind of guarded work; it is never scheduled, only set aside under this name."""


def is_stale(state: State, before_ms: int, time_ms: int) -> bool:
    """Whether the block at `before_ms` traded on a stale clock, as its successor at `time_ms` shows."""
    terms = state.get(CONSENSUS, CONSENSUS_KEY)
    return terms is not None and time_ms - before_ms > max(STALE_BLOCKS * terms.block_ms, STALE_MS_MIN)
