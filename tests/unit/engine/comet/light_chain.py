"""A small chain of consensus headers for tests: real keys, real signatures, and validators that change as told."""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from gridtokenx.engine.comet.headers import (
    ABSENT,
    BLOCK_PROTOCOL,
    NO_BLOCK,
    BlockId,
    Commit,
    ConsensusHeader,
    LightBlock,
    Validator,
    ValidatorSet,
    Vote,
    VoteFlag,
    header_hash,
    validators_hash,
    vote_bytes,
)
from gridtokenx.engine.comet.light_errors import BlockMissing

CHAIN = "test-chain"
START_MS = 1_780_000_000_000
STEP_MS = 1_000
NS = 1_000_000

Powers = Mapping[int, int]
"""Number of a key → its power."""


@cache
def key(number: int) -> Ed25519PrivateKey:
    """The key of this number."""
    return Ed25519PrivateKey.from_private_bytes(sha256(b"validator %d" % number).digest())


@cache
def public_key(number: int) -> bytes:
    return key(number).public_key().public_bytes_raw()


def validators_of(powers: Powers) -> ValidatorSet:
    """In CometBFT's order: by power, highest first, then by address."""
    members = [Validator(public_key(number), power) for number, power in powers.items()]
    return ValidatorSet(tuple(sorted(members, key=lambda one: (-one.power, one.address))))


def hash_of(*what: object) -> bytes:
    return sha256(repr(what).encode()).digest()


def header_at(
    height: int, powers: Powers, following: Powers, before: LightBlock | None, fork: str = ""
) -> ConsensusHeader:
    """The header of a chain; `fork` gives it another content."""
    own = validators_of(powers)
    return ConsensusHeader(
        BLOCK_PROTOCOL,
        1,
        CHAIN,
        height,
        (START_MS + height * STEP_MS) * NS + height,
        NO_BLOCK if before is None else before.commit.block,
        hash_of("last commit", height),
        hash_of("data", height, fork),
        validators_hash(own),
        validators_hash(validators_of(following)),
        hash_of("parameters"),
        hash_of("app", height, fork),
        hash_of("results", height),
        hash_of("evidence"),
        own.members[0].address,
    )


def signed(
    header: ConsensusHeader, powers: Powers, flags: Mapping[int, VoteFlag] | None = None, round_: int = 0
) -> LightBlock:
    """The header with the votes of its validators; who is not in `flags` votes for it."""
    own = validators_of(powers)
    block = BlockId(header_hash(header), 1, hash_of("parts", header.height))
    commit = Commit(header.height, round_, block, ())
    numbers = {public_key(number): number for number in powers}
    votes = []
    for place, member in enumerate(own.members):
        number = numbers[member.public_key]
        flag = (flags or {}).get(number, VoteFlag.COMMIT)
        if flag is VoteFlag.ABSENT:
            votes.append(ABSENT)
            continue
        vote = Vote(flag, member.address, header.time_ns + place, bytes(64))
        votes.append(replace(vote, signature=key(number).sign(vote_bytes(header.chain, commit, vote))))
    return LightBlock(header, replace(commit, votes=tuple(votes)), own)


def make_chain(
    sets: Sequence[Powers], flags: Mapping[int, Mapping[int, VoteFlag]] | None = None, fork: str = ""
) -> list[LightBlock]:
    """Blocks 1 and on, one for each set but the last, which only follows."""
    blocks: list[LightBlock] = []
    for place, powers in enumerate(sets[:-1]):
        header = header_at(place + 1, powers, sets[place + 1], blocks[-1] if blocks else None, fork)
        blocks.append(signed(header, powers, (flags or {}).get(place + 1)))
    return blocks


def source_of(blocks: Sequence[LightBlock], asked: list[int] | None = None) -> Callable[[int], LightBlock]:
    """A source that has these blocks."""
    by_height = {block.height: block for block in blocks}

    def source(height: int) -> LightBlock:
        if asked is not None:
            asked.append(height)
        wanted = height or max(by_height)
        if wanted not in by_height:
            raise BlockMissing(f"no block {wanted}")
        return by_height[wanted]

    return source


def now_ms(blocks: Sequence[LightBlock]) -> int:
    """A moment after the last of them."""
    return blocks[-1].header.time_ns // NS + 500


def commit_answer(block: LightBlock) -> dict[str, Any]:
    """What CometBFT says of it: `/commit`."""
    header = block.header
    shown = {
        "version": {"block": str(header.block_protocol), "app": str(header.app_protocol)},
        "chain_id": header.chain,
        "height": str(header.height),
        "time": _time(header.time_ns),
        "last_block_id": _block_id(header.last_block),
        **{
            name: getattr(header, name).hex().upper()
            for name in (
                "last_commit_hash",
                "data_hash",
                "validators_hash",
                "next_validators_hash",
                "consensus_hash",
                "app_hash",
                "last_results_hash",
                "evidence_hash",
            )
        },
        "proposer_address": header.proposer.hex().upper(),
    }
    commit = {
        "height": str(block.commit.height),
        "round": block.commit.round,
        "block_id": _block_id(block.commit.block),
        "signatures": [_vote(vote) for vote in block.commit.votes],
    }
    return {"signed_header": {"header": shown, "commit": commit}, "canonical": True}


def validators_answer(block: LightBlock) -> dict[str, Any]:
    """What CometBFT says of its validators: `/validators`."""
    members = [
        {
            "address": member.address.hex().upper(),
            "pub_key": {"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(member.public_key).decode()},
            "voting_power": str(member.power),
            "proposer_priority": "-1",
        }
        for member in block.validators.members
    ]
    count = str(len(members))
    return {"block_height": str(block.height), "validators": members, "count": count, "total": count}


def _vote(vote: Vote) -> dict[str, Any]:
    if vote.flag is VoteFlag.ABSENT:
        return {
            "block_id_flag": 1,
            "validator_address": "",
            "timestamp": "0001-01-01T00:00:00Z",
            "signature": None,
        }
    return {
        "block_id_flag": int(vote.flag),
        "validator_address": vote.validator.hex().upper(),
        "timestamp": _time(vote.time_ns),
        "signature": base64.b64encode(vote.signature).decode(),
    }


def _block_id(block: BlockId) -> dict[str, Any]:
    parts = {"total": block.parts, "hash": block.parts_hash.hex().upper()}
    return {"hash": block.hash.hex().upper(), "parts": parts}


def _time(time_ns: int) -> str:
    seconds, rest = divmod(time_ns, 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"
