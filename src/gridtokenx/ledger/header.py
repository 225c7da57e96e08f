"""What links blocks: the header, and the record of the last block in state.

The record stands in the commitment, so one app hash vouches for the whole history, for the receipts
and the trades of its block, and for the summary of energy and money.
"""

from gridtokenx.ledger.codec import Record, encode
from gridtokenx.ledger.context import Summary
from gridtokenx.ledger.crypto import BLOCK_DOMAIN, hash_bytes
from gridtokenx.ledger.state import State, Table


class Header(Record, frozen=True):
    """What a block says before it is executed. `app_hash_before` is the state it builds on, `commit_hash` the hash of
    what it carries about how the block before was agreed, of zeros if nothing."""

    chain: str
    height: int
    time_ms: int
    proposer: bytes
    previous: bytes
    app_hash_before: bytes
    batches_root: bytes
    misbehaviour_root: bytes
    commit_hash: bytes


class LastBlock(Record, frozen=True):
    """What the state says of the block that made it."""

    chain: str
    protocol: int
    height: int
    time_ms: int
    header_hash: bytes
    receipts_root: bytes
    trades_root: bytes
    summary: Summary


LAST_BLOCK: Table[LastBlock] = Table(0x08, "last_block", LastBlock)
LAST_BLOCK_KEY = b""


def header_hash(header: Header) -> bytes:
    """The block's name."""
    return hash_bytes(BLOCK_DOMAIN + encode(header))


def last_block(state: State) -> LastBlock:
    """The record of the block that made this state (genesis counts as block 0)."""
    record = state.get(LAST_BLOCK, LAST_BLOCK_KEY)
    if record is None:
        raise ValueError("this state has no last block: it was not made by a genesis")
    return record
