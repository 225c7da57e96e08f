"""Keys and records of the authorities. Nodes and validators themselves are the kernel's tables."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Annotated

import msgspec

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.account import ACCOUNT_BYTES
from gridtokenx.ledger.batch import NODE_ID_BYTES, NODES
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.transaction import Small, Whole
from gridtokenx.ledger.validator import VALIDATORS, MisbehaviourKind, address_of


class FormerKey(Record, frozen=True):
    """A key that a node gave up: it still answers for batches that expire by then."""

    until_ms: Whole


class MisdeedKind(IntEnum):
    """What was proved. The first two are consensus' own."""

    DUPLICATE_VOTE = MisbehaviourKind.DUPLICATE_VOTE
    LIGHT_CLIENT_ATTACK = MisbehaviourKind.LIGHT_CLIENT_ATTACK
    BAD_BATCH = 3


class Misdeed(Record, frozen=True):
    """What is proved against a node. `height` is where it happened; of a batch, which need not be in a block, where it
    was reported. `reporter` is an account; empty if consensus found it."""

    kind: Small
    height: Whole
    reported_ms: Whole
    reporter: Annotated[bytes, msgspec.Meta(max_length=ACCOUNT_BYTES)]


FORMER_KEYS: Table[FormerKey] = Table(0x30, "former_keys", FormerKey)
"""Key: node id ‖ public key."""

MISDEEDS: Table[Misdeed] = Table(0x31, "misdeeds", Misdeed)
"""Key: node id ‖ kind (1 byte) ‖ batch id, or, of what consensus found, validator's address ‖ height (8 bytes)."""

FORGET_FORMER_KEY = 0x30
FORGET_MISDEED = 0x31
"""Kinds of scheduled work."""


def misdeed_key(node: bytes, kind: int, proof: bytes) -> bytes:
    """`proof` names the evidence: a batch, or a validator and a height."""
    return node + bytes([kind]) + proof


def add_misdeed(state: State, context: Context, key: bytes, misdeed: Misdeed) -> None:
    """Write it down, to be forgotten when its time has come, and alarm the operators."""
    state.put(MISDEEDS, key, misdeed)
    schedule.add(state, context.time_ms + limits.MISDEED_KEPT_MS, FORGET_MISDEED, key)
    name = MisdeedKind(misdeed.kind).name.lower().replace("_", " ")
    context.alarms.append(f"{name} by node {key[:NODE_ID_BYTES].hex()}, proved by {key[NODE_ID_BYTES + 1 :].hex()}")


def keep_former_key(state: State, context: Context, node: bytes, public_key: bytes) -> None:
    """A key that is being replaced answers for what it signed as long as evidence counts."""
    until_ms = context.time_ms + limits.TRANSACTION_LIFETIME_MS_MAX
    state.put(FORMER_KEYS, node + public_key, FormerKey(until_ms))
    schedule.add(state, until_ms + limits.EVIDENCE_MS + 1, FORGET_FORMER_KEY, node + public_key)


def key_answers(state: State, node: bytes, public_key: bytes, expires_ms: int) -> bool:
    """Whether a batch of the node that expires then may be signed with this key: its present one, or one of before."""
    record = state.get(NODES, node)
    if record is not None and record.public_key == public_key:
        return True
    former = state.get(FORMER_KEYS, node + public_key)
    return former is not None and expires_ms <= former.until_ms


def invariants(state: State) -> Iterator[str]:
    """Every reference leads somewhere, and the limits hold."""
    if len(state.rows[NODES.prefix]) > limits.NODES_MAX:
        yield "there are more nodes than may be"
    if len(state.rows[VALIDATORS.prefix]) > limits.VALIDATORS_MAX:
        yield "there are more validators than may be"
    for address, validator in state.items(VALIDATORS):
        if validator.power == 0 or address != address_of(validator.public_key):
            yield f"validator {address.hex()} has no power, or another's address"
        if state.get(NODES, validator.node) is None:
            yield f"validator {address.hex()} names an unknown node"
    for key, _ in state.items(FORMER_KEYS):
        if state.get(NODES, key[:NODE_ID_BYTES]) is None:
            yield f"former key {key.hex()} names an unknown node"
    for key, misdeed in state.items(MISDEEDS):
        if key[NODE_ID_BYTES] != misdeed.kind:
            yield f"misdeed {key.hex()} is of another kind"
