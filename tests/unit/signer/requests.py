"""Votes and proposals that CometBFT could ask a signature for."""

from hashlib import sha256

from gridtokenx.engine.comet.privval_pb2 import BlockID, Proposal, Timestamp, Vote
from gridtokenx.signer.sign_bytes import PROPOSAL


def block(name: str) -> BlockID:
    """The id of a block."""
    parts = {"total": 1, "hash": sha256(f"parts of {name}".encode()).digest()}
    return BlockID(hash=sha256(name.encode()).digest(), part_set_header=parts)


BLOCK = block("a block")


def vote(
    height: int,
    round_: int,
    kind: int,
    for_: BlockID | None = BLOCK,
    time_ns: int = 0,
    address: bytes = b"",
    extension: bytes = b"",
) -> Vote:
    """As CometBFT sends it: block id and time are always there."""
    return Vote(
        type=kind,
        height=height,
        round=round_,
        block_id=for_ or BlockID(part_set_header={}),
        timestamp=time(time_ns),
        validator_address=address,
        extension=extension,
    )


def proposal(height: int, round_: int, for_: BlockID | None = BLOCK, time_ns: int = 0, locked: int = -1) -> Proposal:
    """As CometBFT sends it."""
    return Proposal(
        type=PROPOSAL,
        height=height,
        round=round_,
        pol_round=locked,
        block_id=for_ or BlockID(part_set_header={}),
        timestamp=time(time_ns),
    )


def time(time_ns: int) -> Timestamp:
    """Of nanoseconds since 1970."""
    seconds, nanos = divmod(time_ns, 10**9)
    return Timestamp(seconds=seconds, nanos=nanos)
