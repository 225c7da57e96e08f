"""Whether a node kept its promise: the transaction whose acceptance it signed is in a block, or it is not.

The header under the signature says until when its batch can be in a block. So the promise is decided by the blocks of
the ten minutes before: whoever has these can show that none of them holds the batch. A chain that stood still meanwhile
excuses everybody: the header does not say when it was signed, so it may have been after the last block.
"""

from bisect import bisect_left
from enum import StrEnum
from operator import sub
from typing import Final

import msgspec

from gridtokenx.client.errors import ProofInvalid
from gridtokenx.client.proofs import check_acceptance
from gridtokenx.engine.storage import Head, Reader
from gridtokenx.gateway.documents import AcceptanceView
from gridtokenx.ledger.batch import NODES, BatchHeader, batch_id, decode_batch_header
from gridtokenx.ledger.consensus import STALE_MS_MIN
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import TRANSACTION_LIFETIME_MS_MAX
from gridtokenx.ledger.transaction import decode_envelope
from gridtokenx.operations.reading import batches_in

PROMISE_BYTES_MAX: Final = 262_144


class PromiseInvalid(Exception):
    """This is no promise of a node of this chain, or these blocks cannot decide it; says why."""


class Promise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user keeps: the exact bytes sent, in hexadecimal, and what the node answered (`?acceptance=true`)."""

    transaction: str
    acceptance: AcceptanceView


class PromiseState(StrEnum):
    """`open`: a block may still hold it. `void`: in no block, but the chain stood still in that time, which excuses."""

    KEPT = "kept"
    OPEN = "open"
    BROKEN = "broken"
    VOID = "void"


class PromiseOutcome(msgspec.Struct, frozen=True):
    """What became of a promise. `height` of one that was kept; `first` and `last`: the blocks that could have held the
    batch of one that was not, none of which does."""

    state: PromiseState
    transaction: str
    node: str
    sequence: int
    expires_ms: int
    height: int | None = None
    first: int | None = None
    last: int | None = None


def read_promise(content: bytes) -> Promise:
    """Raises `PromiseInvalid`."""
    if len(content) > PROMISE_BYTES_MAX:
        raise PromiseInvalid(f"a promise has at most {PROMISE_BYTES_MAX} bytes")
    try:
        return msgspec.json.decode(content, type=Promise)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise PromiseInvalid(
            f'not a promise ({error}): it is {{"transaction": HEX, "acceptance": {{"header", "signature", "path"}}}}'
        ) from None


def check_promise(reader: Reader, promise: Promise, public_key: bytes | None = None) -> PromiseOutcome:
    """What the blocks of this database say of it. `public_key`: the node's, if it has had others since. Raises
    `PromiseInvalid`."""
    head = reader.head()
    if head is None:
        raise PromiseInvalid("this node has no blocks yet")
    header, transaction_id = _checked(reader, head, promise, public_key)
    outcome = PromiseOutcome(
        PromiseState.KEPT, transaction_id.hex(), header.author.hex(), header.sequence, header.expires_ms
    )
    place = reader.place_of(transaction_id)
    if place is not None and not place.expired:
        return msgspec.structs.replace(outcome, height=place.height)
    if head.time_ms <= header.expires_ms:
        return msgspec.structs.replace(outcome, state=PromiseState.OPEN)
    beginning = reader.beginning()
    earliest = 1 if beginning is None else beginning.height + 1
    if beginning is not None and beginning.time_ms > header.expires_ms - TRANSACTION_LIFETIME_MS_MAX:
        raise PromiseInvalid(
            f"this node's blocks begin with block {earliest}, and older ones count too: ask a node that has them"
        )
    first, last, stood_still = _heights(reader, earliest, head.height, header.expires_ms)
    name = batch_id(bytes.fromhex(promise.acceptance.header))
    for height in range(first, last + 1):
        if _holds(reader, height, name):
            # It was in a block, which had no use for it: the whole batch was refused, or this node has no index of it.
            return msgspec.structs.replace(outcome, height=height)
    state = PromiseState.VOID if stood_still else PromiseState.BROKEN
    return msgspec.structs.replace(outcome, state=state, first=first, last=last)


def _checked(reader: Reader, head: Head, promise: Promise, public_key: bytes | None) -> tuple[BatchHeader, bytes]:
    """The header that was signed, and the transaction's id."""
    try:
        wire = bytes.fromhex(promise.transaction)
        said = decode_batch_header(bytes.fromhex(promise.acceptance.header), "header")
        transaction_id = hash_bytes(decode_envelope(wire, "transaction").body)
    except ValueError:
        raise PromiseInvalid("transaction and header are written in hexadecimal digits") from None
    except Rejected as rejection:
        raise PromiseInvalid(f"its {rejection.field} is malformed") from None
    if said.chain != head.chain:
        raise PromiseInvalid(f"it is of chain {said.chain}, these blocks are of {head.chain}")
    record = reader.record(bytes([NODES.prefix]) + said.author)
    if record is None:
        raise PromiseInvalid(f"the chain knows no node {said.author.hex()}")
    node = NODES.decode.trusted(record)
    for key in (public_key,) if public_key is not None else (node.public_key, node.former_key):
        try:
            return check_acceptance(key, wire, promise.acceptance), transaction_id
        except ProofInvalid:
            continue
    raise PromiseInvalid(
        f"node {said.author.hex()} did not sign this: the signature, the path or the transaction differ"
        + ("" if public_key is not None else "; if its key was replaced since, give the old one with --public-key")
    )


def _heights(reader: Reader, earliest: int, latest: int, expires_ms: int) -> tuple[int, int, bool]:
    """The first and the last block in which a batch that expires then can stand (none if the last is before the first),
    and whether there was no block for so long between these, or after them, that the batch may never have had one."""

    def time_ms(height: int) -> int:
        stored = reader.block(height)
        if stored is None:
            raise PromiseInvalid(f"block {height} is missing here: `gridtokenx verify` says what else is")
        return stored.block.time_ms

    heights = range(earliest, latest + 1)
    first = earliest + bisect_left(heights, expires_ms - TRANSACTION_LIFETIME_MS_MAX, key=time_ms)
    after = earliest + bisect_left(heights, expires_ms + 1, key=time_ms)
    times = [time_ms(height) for height in range(first, after + 1)]
    return first, after - 1, len(times) < 2 or max(map(sub, times[1:], times)) > STALE_MS_MIN


def _holds(reader: Reader, height: int, name: bytes) -> bool:
    stored = reader.block(height)
    return stored is not None and any(found == name for found, *_ in batches_in(stored))
