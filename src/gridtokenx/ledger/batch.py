"""A batch: what one node took in, signed by it, so that spam has an author.

What the node signs is the batch's header, and the header holds the Merkle root over the transactions: header,
signature and a path of hashes prove to anybody that this node took in this transaction. If it is malformed or badly
signed, that is evidence against the node (`modules/authority`).

A batch is used once: its id is kept in state until it expires.
"""

from functools import lru_cache
from typing import Annotated, Any

import msgspec

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.codec import Decoder, Record
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.crypto import (
    BATCH_DOMAIN,
    HASH_BYTES,
    PUBLIC_KEY_BYTES,
    hash_bytes,
    merkle_root,
    signature_is_valid,
)
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.schedule import ScheduledHandler
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.transaction import Body, PublicKey, Signature, Whole, check_transaction

NODE_ID_BYTES = 8

NodeId = Annotated[bytes, msgspec.Meta(min_length=NODE_ID_BYTES, max_length=NODE_ID_BYTES)]


class Node(Record, frozen=True):
    """A node that may sign batches. The key that it gave up last still counts for batches that expire by then, so that
    none that was on its way is lost."""

    public_key: PublicKey
    licensed: bool
    former_key: Annotated[bytes, msgspec.Meta(max_length=PUBLIC_KEY_BYTES)] = b""
    former_until_ms: Whole = 0


NODES: Table[Node] = Table(0x06, "nodes", Node)
"""Key: node id, 8 bytes."""


class SeenBatch(Record, frozen=True):
    """A batch that was in a block."""

    expires_ms: int


BATCHES: Table[SeenBatch] = Table(0x07, "batches", SeenBatch)
"""Key: batch id."""


Hash = Annotated[bytes, msgspec.Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]


class BatchHeader(Record, frozen=True):
    """What the node signs. `root` is the Merkle root over the transactions' exact bytes."""

    chain: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    author: NodeId
    sequence: Whole
    expires_ms: Whole
    root: Hash


class Batch(Record, frozen=True):
    """What travels: the exact bytes of the header, and of the transactions under its root."""

    header: bytes
    signature: Signature
    transactions: Annotated[tuple[bytes, ...], msgspec.Meta(min_length=1, max_length=limits.TRANSACTIONS_PER_BATCH_MAX)]


decode_batch: Decoder[Batch] = Decoder(Batch)
decode_batch_header: Decoder[BatchHeader] = Decoder(BatchHeader)


def batch_id(header: bytes) -> bytes:
    """The batch's name: the hash of its header. A second signature of the same header makes no second batch."""
    return hash_bytes(header)


def signed_batch(header: bytes) -> bytes:
    """The bytes that a node signs for a batch."""
    return BATCH_DOMAIN + batch_id(header)


def is_signed(batch: Batch, public_key: bytes) -> bool:
    """Whether the holder of this key signed the batch. The same is asked when it comes, when it is proposed, when it is
    judged and when it is executed: the last answers are at hand."""
    return _is_signed(batch.signature, signed_batch(batch.header), public_key)


def signing_key(batch: Batch, header: BatchHeader, node: Node) -> bytes | None:
    """The key of the node that signed the batch: its present one, or, of one that was made before it was replaced, the
    one before. None: neither did."""
    if is_signed(batch, node.public_key):
        return node.public_key
    if header.expires_ms <= node.former_until_ms and is_signed(batch, node.former_key):
        return node.former_key
    return None


_is_signed = lru_cache(4 * limits.BATCHES_PER_BLOCK_MAX)(signature_is_valid)


def open_batch(wire: bytes) -> tuple[Batch, BatchHeader]:
    """The parts, if the bytes are canonical; `TOO_LARGE`, `MALFORMED`. Root, transactions and signature are not looked
    at yet."""
    if len(wire) > limits.BATCH_BYTES_MAX:
        raise Rejected(KernelCode.TOO_LARGE, "batch")
    batch = decode_batch(wire, "batch")
    return batch, decode_batch_header(batch.header, "batch.header")


def check_batch(wire: bytes, decode_body: Decoder[Body[Any]]) -> int:
    """Check everything that needs no state; returns the number of transaction signatures.

    Raises `TOO_LARGE`, `MALFORMED`, `BATCH_ROOT_WRONG` if these are not the transactions under the header's root
    (anybody can put others beside a signed header), or `BATCH_TRANSACTION_INVALID` if any transaction is not canonical
    or not signed: an honest author never lets one through.
    """
    batch, header = open_batch(wire)
    if merkle_root(list(batch.transactions)) != header.root:
        raise Rejected(KernelCode.BATCH_ROOT_WRONG, "batch.header.root")
    count = 0
    for position, transaction in enumerate(batch.transactions):
        try:
            count += check_transaction(transaction, decode_body)
        except Rejected as rejection:
            field = f"transactions[{position}].{rejection.field}"
            raise Rejected(KernelCode.BATCH_TRANSACTION_INVALID, field) from rejection
    return count


def check_admissible(state: State, chain: str, time_ms: int, batch: Batch, header: BatchHeader) -> None:
    """Refuse another chain, an unknown author, a false signature, a batch that has expired in a block of this time, and
    one that was in a block already. Changes nothing: whoever proposes or judges a block asks this too."""
    if header.chain != chain:
        raise Rejected(KernelCode.CHAIN_WRONG, "batch.chain")
    node = state.get(NODES, header.author)
    if node is None or not node.licensed:
        raise Rejected(KernelCode.BATCH_AUTHOR_UNKNOWN, "batch.author")
    if signing_key(batch, header, node) is None:
        raise Rejected(KernelCode.BATCH_SIGNATURE_INVALID, "batch.signature")
    if header.expires_ms < time_ms:
        raise Rejected(KernelCode.EXPIRED, "batch.expires_ms")
    if header.expires_ms > time_ms + limits.TRANSACTION_LIFETIME_MS_MAX:
        raise Rejected(KernelCode.EXPIRY_TOO_FAR, "batch.expires_ms")
    if state.get(BATCHES, batch_id(batch.header)) is not None:
        raise Rejected(KernelCode.BATCH_REPEATED, "batch")


def process_batch(state: State, context: Context, batch: Batch, header: BatchHeader) -> None:
    """Admit a batch, or refuse it as `check_admissible` does; remember it until it expires."""
    check_admissible(state, context.chain, context.time_ms, batch, header)
    name = batch_id(batch.header)
    state.put(BATCHES, name, SeenBatch(header.expires_ms))
    schedule.add(state, header.expires_ms + 1, FORGET_BATCH, name)
    state.keep()


FORGET_BATCH = 2
"""Kind of scheduled work."""


def _forget_batch(state: State, context: Context, name: bytes) -> int:
    state.delete(BATCHES, name)
    return 1


SCHEDULED: dict[int, ScheduledHandler] = {FORGET_BATCH: _forget_batch}
