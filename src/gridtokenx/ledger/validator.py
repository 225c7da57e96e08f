"""Validators: who votes in the consensus that orders this chain's batches, and what consensus says against them.

The table is what the ledger wants; an engine with consensus hands on what changed in it. A chain without consensus has
no validators.
"""

from enum import IntEnum
from itertools import pairwise
from typing import Annotated

import msgspec

from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import NODE_ID_BYTES, NodeId
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.transaction import PublicKey, Small, Whole

ADDRESS_BYTES = 20

Address = Annotated[bytes, msgspec.Meta(min_length=ADDRESS_BYTES, max_length=ADDRESS_BYTES)]
"""What consensus calls a validator: the first 20 bytes of the hash of its public key."""

Power = Annotated[int, msgspec.Meta(ge=0, le=limits.VALIDATOR_POWER_MAX)]


class Validator(Record, frozen=True):
    """One that votes with this power. `node` signs the batches of the same organisation."""

    public_key: PublicKey
    power: Power
    node: NodeId


VALIDATORS: Table[Validator] = Table(0x0A, "validators", Validator)
"""Key: address, 20 bytes."""

UNKNOWN_NODE = bytes(NODE_ID_BYTES)
"""Stands for the node of a validator that is none any more."""


class MisbehaviourKind(IntEnum):
    """What consensus can prove of a validator."""

    DUPLICATE_VOTE = 1
    LIGHT_CLIENT_ATTACK = 2


class Misbehaviour(Record, frozen=True):
    """Evidence that consensus has checked: who, when, and with how much of the power that voted then."""

    kind: Small
    address: Address
    height: Whole
    time_ms: Whole
    total_power: Whole
    power: Whole


class LastCommit(Record, frozen=True):
    """What a block carries about how the one before it was agreed: in which round, and whose votes it does not hold
    (addresses ascending). A vote for no block is a vote."""

    round: Whole
    absent: tuple[Address, ...]


MISBEHAVIOUR = 0x0A
"""Kind of guarded work; it is never scheduled, only set aside under this name."""

Powers = dict[bytes, Validator]


def address_of(public_key: bytes) -> bytes:
    """The address of a validator with this key."""
    return hash_bytes(public_key)[:ADDRESS_BYTES]


def check_last_commit(commit: LastCommit) -> None:
    """ValueError unless it has the form that every engine gives it: no more than can vote, addresses ascending."""
    absent = commit.absent
    if len(absent) > limits.VALIDATORS_MAX or any(low >= high for low, high in pairwise(absent)):
        raise ValueError(f"{len(absent)} absent validators, at most {limits.VALIDATORS_MAX} in the order of addresses")


def node_of(state: State, address: bytes) -> bytes:
    """The node of a validator: what stands in a block as its proposer. `UNKNOWN_NODE` if there is no such validator."""
    validator = state.get(VALIDATORS, address)
    return UNKNOWN_NODE if validator is None else validator.node


def validators_of(state: State) -> Powers:
    """All of them, as they stand now."""
    return dict(state.rows[VALIDATORS.prefix])


def validator_updates(state: State, before: Powers) -> tuple[tuple[bytes, int], ...]:
    """(public key, power, 0 for one that is gone) of each validator whose power is not what it was `before` this block,
    in the order of addresses."""
    updates: list[tuple[bytes, int]] = []
    for address in sorted(state.dirty[VALIDATORS.prefix]):
        old, new = before.get(address), state.get(VALIDATORS, address)
        if (old and old.power) != (new and new.power):
            validator = new or old
            assert validator is not None
            updates.append((validator.public_key, new.power if new else 0))
    return tuple(updates)
