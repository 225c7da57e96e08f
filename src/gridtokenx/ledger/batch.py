"""A batch: what one node took in, signed by it, so that spam has an author.

A batch is used once: its hash is kept in state until it expires.
"""

from typing import Annotated, Any

import msgspec

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.codec import Decoder, Record
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.crypto import BATCH_DOMAIN, hash_bytes, signature_is_valid
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.schedule import ScheduledHandler
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.transaction import Body, PublicKey, Signature, Whole, check_transaction

NODE_ID_BYTES = 8

NodeId = Annotated[bytes, msgspec.Meta(min_length=NODE_ID_BYTES, max_length=NODE_ID_BYTES)]


class Node(Record, frozen=True):
    """A node that may sign batches."""

    public_key: PublicKey
    licensed: bool


NODES: Table[Node] = Table(0x06, "nodes", Node)
"""Key: node id, 8 bytes."""


class SeenBatch(Record, frozen=True):
    """A batch that was in a block."""

    expires_ms: int


BATCHES: Table[SeenBatch] = Table(0x07, "batches", SeenBatch)
"""Key: hash of the batch's bytes."""


class BatchBody(Record, frozen=True):
    """What the node signs. `transactions` are their exact bytes."""

    chain: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    author: NodeId
    sequence: Whole
    expires_ms: Whole
    transactions: Annotated[tuple[bytes, ...], msgspec.Meta(min_length=1, max_length=limits.TRANSACTIONS_PER_BATCH_MAX)]


class Batch(Record, frozen=True):
    """What travels."""

    body: bytes
    signature: Signature


decode_batch: Decoder[Batch] = Decoder(Batch)
decode_batch_body: Decoder[BatchBody] = Decoder(BatchBody)


def signed_batch(body: bytes) -> bytes:
    """The bytes that a node signs for a batch: of a fixed length, because Ed25519 goes over what it signs twice."""
    return BATCH_DOMAIN + hash_bytes(body)


def check_batch(wire: bytes, decode_body: Decoder[Body[Any]]) -> int:
    """Check everything that needs no state; returns the number of transaction signatures.

    Raises `TOO_LARGE`, `MALFORMED`, or `BATCH_TRANSACTION_INVALID` if any transaction is not canonical
    or not signed: an honest author never lets one through.
    """
    if len(wire) > limits.BATCH_BYTES_MAX:
        raise Rejected(KernelCode.TOO_LARGE, "batch")
    body = decode_batch_body(decode_batch(wire, "batch").body, "batch.body")
    count = 0
    for position, transaction in enumerate(body.transactions):
        try:
            count += check_transaction(transaction, decode_body)
        except Rejected as rejection:
            field = f"transactions[{position}].{rejection.field}"
            raise Rejected(KernelCode.BATCH_TRANSACTION_INVALID, field) from rejection
    return count


def process_batch(state: State, context: Context, wire: bytes, batch: Batch, body: BatchBody) -> None:
    """Refuse another chain, an unknown author, a false signature, an expired or repeated batch;
    remember the batch."""
    if body.chain != context.chain:
        raise Rejected(KernelCode.CHAIN_WRONG, "batch.chain")
    node = state.get(NODES, body.author)
    if node is None or not node.licensed:
        raise Rejected(KernelCode.BATCH_AUTHOR_UNKNOWN, "batch.author")
    if not signature_is_valid(batch.signature, signed_batch(batch.body), node.public_key):
        raise Rejected(KernelCode.BATCH_SIGNATURE_INVALID, "batch.signature")
    if body.expires_ms < context.time_ms:
        raise Rejected(KernelCode.EXPIRED, "batch.expires_ms")
    if body.expires_ms > context.time_ms + limits.TRANSACTION_LIFETIME_MS_MAX:
        raise Rejected(KernelCode.EXPIRY_TOO_FAR, "batch.expires_ms")
    batch_hash = hash_bytes(wire)
    if state.get(BATCHES, batch_hash) is not None:
        raise Rejected(KernelCode.BATCH_REPEATED, "batch")
    state.put(BATCHES, batch_hash, SeenBatch(body.expires_ms))
    schedule.add(state, body.expires_ms + 1, FORGET_BATCH, batch_hash)
    state.keep()


FORGET_BATCH = 2
"""Kind of scheduled work."""


def _forget_batch(state: State, context: Context, batch_hash: bytes) -> int:
    state.delete(BATCHES, batch_hash)
    return 1


SCHEDULED: dict[int, ScheduledHandler] = {FORGET_BATCH: _forget_batch}
