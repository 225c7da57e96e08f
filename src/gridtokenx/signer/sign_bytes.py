"""What CometBFT signs: canonical votes, proposals and vote extensions, each behind its length.

Height and round have fixed lengths, a vote for no block has no block id at all, and the timestamp is always there
(types/canonical.go of CometBFT 0.40). Validator address and index are not signed.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from google.protobuf.message import DecodeError

from gridtokenx.engine.comet.privval_pb2 import (
    BlockID,
    CanonicalProposal,
    CanonicalVote,
    CanonicalVoteExtension,
    Proposal,
    Timestamp,
    Vote,
)
from gridtokenx.engine.comet.wire import framed, varint

PREVOTE: Final = 1
PRECOMMIT: Final = 2
PROPOSAL: Final = 32
"""How CometBFT names the kinds of signed messages."""

HASH_BYTES: Final = 32
HEIGHT_MAX: Final = 2**63 - 1
ROUND_MAX: Final = 2**31 - 1
EXTENSION_BYTES_MAX: Final = 1_024 * 1_024

Canonical: TypeAlias = CanonicalVote | CanonicalProposal


class RequestInvalid(Exception):
    """What is to be signed makes no sense. Says what is wrong."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in the chain something is signed, in the order in which a validator comes by: a proposal is step 1, a
    prevote 2, a precommit 3."""

    height: int
    round: int
    step: int

    def __str__(self) -> str:
        name = {0: "nothing", 1: "proposal", 2: "prevote", 3: "precommit"}[self.step]
        return f"height {self.height}, round {self.round}, {name}"


NOWHERE: Final = Place(0, 0, 0)
PROPOSAL_STEP: Final = 1
STEP_OF_VOTE: Final = {PREVOTE: 2, PRECOMMIT: 3}
STEP_OF_KIND: Final = {PROPOSAL: PROPOSAL_STEP} | STEP_OF_VOTE


def vote_place(vote: Vote) -> Place:
    """Of a vote, all of whose fields are looked at. Raises `RequestInvalid`."""
    step = STEP_OF_VOTE.get(vote.type)
    if step is None:
        raise RequestInvalid(f"a vote of the type {vote.type}: there are prevotes (1) and precommits (2)")
    _check_place(vote.height, vote.round)
    if not is_nil(vote.block_id):
        _check_block(vote.block_id)
    if vote.extension and (vote.type != PRECOMMIT or is_nil(vote.block_id)):
        raise RequestInvalid("a vote extension, which only the precommit for a block may have")
    if len(vote.extension) > EXTENSION_BYTES_MAX:
        raise RequestInvalid(f"a vote extension of {len(vote.extension)} bytes, there may be {EXTENSION_BYTES_MAX}")
    return Place(vote.height, vote.round, step)


def proposal_place(proposal: Proposal) -> Place:
    """Of a proposal, all of whose fields are looked at. Raises `RequestInvalid`."""
    if proposal.type != PROPOSAL:
        raise RequestInvalid(f"a proposal of the type {proposal.type}: it is {PROPOSAL}")
    _check_place(proposal.height, proposal.round)
    if not -1 <= proposal.pol_round < proposal.round:
        raise RequestInvalid(f"a proposal of round {proposal.round} that was locked in round {proposal.pol_round}")
    _check_block(proposal.block_id)
    return Place(proposal.height, proposal.round, PROPOSAL_STEP)


def is_nil(block: BlockID) -> bool:
    """Whether a vote with this block id is for no block."""
    parts = block.part_set_header
    return not block.hash and not parts.total and not parts.hash


def vote_bytes(chain: str, vote: Vote) -> bytes:
    """What the validator signs for a vote."""
    canonical = CanonicalVote(type=vote.type, height=vote.height, round=vote.round, chain_id=chain)
    if not is_nil(vote.block_id):
        _set_block(canonical.block_id, vote.block_id)
    _set_time(canonical.timestamp, vote.timestamp)
    return framed(canonical.SerializeToString())


def proposal_bytes(chain: str, proposal: Proposal) -> bytes:
    """What the validator signs for a proposal."""
    canonical = CanonicalProposal(
        type=PROPOSAL, height=proposal.height, round=proposal.round, pol_round=proposal.pol_round, chain_id=chain
    )
    if not is_nil(proposal.block_id):
        _set_block(canonical.block_id, proposal.block_id)
    _set_time(canonical.timestamp, proposal.timestamp)
    return framed(canonical.SerializeToString())


def extension_bytes(chain: str, vote: Vote) -> bytes:
    """What the validator signs for what its application added to a precommit, also if that is nothing."""
    canonical = CanonicalVoteExtension(extension=vote.extension, height=vote.height, round=vote.round, chain_id=chain)
    return framed(canonical.SerializeToString())


def read_canonical(step: int, signed: bytes) -> Canonical:
    """What these sign bytes of a step say. Raises ValueError."""
    kind: type[CanonicalVote] | type[CanonicalProposal] = CanonicalProposal if step == PROPOSAL_STEP else CanonicalVote
    # The content has fewer than 2^14 bytes: its length takes one byte or two.
    for length_bytes in (1, 2):
        content = signed[length_bytes:]
        if signed[:length_bytes] == varint(len(content)):
            try:
                return kind.FromString(content)
            except DecodeError as error:
                raise ValueError(f"no sign bytes: {error}") from error
    raise ValueError("no sign bytes: the length before them is wrong")


def differ_in_time_only(one: Canonical, other: Canonical) -> bool:
    """Whether two things of one kind say the same, but for their timestamps."""
    left, right = type(one).FromString(one.SerializeToString()), type(other).FromString(other.SerializeToString())
    left.ClearField("timestamp")
    right.ClearField("timestamp")
    return left.SerializeToString(deterministic=True) == right.SerializeToString(deterministic=True)


def _check_place(height: int, round_: int) -> None:
    if height < 1 or round_ < 0:
        raise RequestInvalid(f"height {height}, round {round_}: heights begin with 1, rounds with 0")


def _check_block(block: BlockID) -> None:
    parts = block.part_set_header
    if len(block.hash) != HASH_BYTES or len(parts.hash) != HASH_BYTES or not parts.total:
        raise RequestInvalid(f"a block id that names no block: hashes have {HASH_BYTES} bytes, and there are parts")


def _set_block(target: BlockID, source: BlockID) -> None:
    target.hash = source.hash
    # Of a message in a message CometBFT writes also the empty one.
    target.part_set_header.SetInParent()
    target.part_set_header.total = source.part_set_header.total
    target.part_set_header.hash = source.part_set_header.hash


def _set_time(target: Timestamp, source: Timestamp) -> None:
    target.SetInParent()
    target.seconds = source.seconds
    target.nanos = source.nanos
