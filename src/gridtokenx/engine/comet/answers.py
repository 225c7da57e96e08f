"""How CometBFT writes a commit and its validators as JSON, and how that becomes records.

These are the shapes of the `result` of CometBFT's `/commit` and `/validators`: hashes in upper-case hexadecimal, keys
and signatures in base 64, numbers of 64 bits as text, times to the nanosecond. Our gateway passes them on, so that any
light client for CometBFT can read them. Every length is bounded; what is not exactly this shape is refused by name.
"""

import base64
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

import msgspec

from gridtokenx.engine.comet.headers import (
    ABSENT,
    PARTS_MAX,
    ROUND_MAX,
    TIME_NS_MAX,
    VALIDATORS_MAX,
    BlockId,
    Commit,
    ConsensusHeader,
    LightBlock,
    Validator,
    ValidatorSet,
    Vote,
    VoteFlag,
)
from gridtokenx.engine.comet.light_errors import BlockInvalid, KeyUnknown

ANSWER_BYTES_MAX: Final = 1_048_576
"""A commit of 200 validators takes 60 KB."""
ED25519: Final = "tendermint/PubKeyEd25519"

OptionalHash = Annotated[str, msgspec.Meta(pattern="^([0-9A-F]{64})?$", max_length=64)]
AppHash = Annotated[str, msgspec.Meta(pattern="^([0-9A-F]{2})*$", max_length=128)]
Address = Annotated[str, msgspec.Meta(pattern="^([0-9A-F]{40})?$", max_length=40)]
Whole = Annotated[str, msgspec.Meta(pattern="^(0|[1-9][0-9]{0,19})$", max_length=20)]
Signed = Annotated[str, msgspec.Meta(pattern="^-?(0|[1-9][0-9]{0,18})$", max_length=20)]
Time = Annotated[
    str,
    msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$", max_length=30),
]
Base64 = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9+/]+={0,2}$", max_length=5_000)]
"""Room for signatures of other kinds, so that they are refused for what they are."""
Chain = Annotated[str, msgspec.Meta(max_length=50)]

A = TypeVar("A", bound="Answer")

_NO_TIME: Final = "0001-01-01T00:00:00Z"
"""Of a vote that is absent."""


class Answer(msgspec.Struct):
    """Part of what CometBFT says; further fields are ignored."""


class CometVersion(Answer):
    """Of the block's form, and of the application."""

    block: Whole
    app: Whole = "0"


class CometParts(Answer):
    """In how many parts a block is sent, and their root."""

    total: Annotated[int, msgspec.Meta(ge=0, le=PARTS_MAX)]
    hash: OptionalHash


class CometBlockId(Answer):
    """A block as votes name it."""

    hash: OptionalHash
    parts: CometParts


class CometHeader(Answer):
    """A header of the consensus engine."""

    version: CometVersion
    chain_id: Chain
    height: Whole
    time: Time
    last_block_id: CometBlockId
    last_commit_hash: OptionalHash
    data_hash: OptionalHash
    validators_hash: OptionalHash
    next_validators_hash: OptionalHash
    consensus_hash: OptionalHash
    app_hash: AppHash
    last_results_hash: OptionalHash
    evidence_hash: OptionalHash
    proposer_address: Address


class CometVote(Answer):
    """One validator's place in a commit; flag 1: absent, 2: for the block, 3: for none."""

    block_id_flag: Annotated[int, msgspec.Meta(ge=1, le=3)]
    validator_address: Address
    timestamp: Time
    signature: Base64 | None = None


class CometCommit(Answer):
    """The votes that made a block final."""

    height: Whole
    round: Annotated[int, msgspec.Meta(ge=0, le=ROUND_MAX)]
    block_id: CometBlockId
    signatures: Annotated[list[CometVote], msgspec.Meta(max_length=VALIDATORS_MAX)]


class CometSignedHeader(Answer):
    """A header with its commit."""

    header: CometHeader
    commit: CometCommit


class CommitAnswer(Answer):
    """What CometBFT's `/commit` answers: a header and the votes that made it final. `canonical`: these very votes stand
    in the next block."""

    signed_header: CometSignedHeader
    canonical: bool


class CometKey(Answer):
    """A public key and its kind."""

    type: Annotated[str, msgspec.Meta(max_length=100)]
    value: Base64


class CometValidator(Answer):
    """Who votes, and with which weight."""

    address: Address
    pub_key: CometKey
    voting_power: Whole
    proposer_priority: Signed = "0"


class ValidatorsAnswer(Answer):
    """What CometBFT's `/validators` answers: `count` of a height's `total` validators, in CometBFT's order."""

    block_height: Whole
    validators: Annotated[list[CometValidator], msgspec.Meta(max_length=VALIDATORS_MAX)]
    count: Whole
    total: Whole


def read_answer(content: bytes, kind: type[A]) -> A:
    """The answer in these bytes. Raises BlockInvalid naming the place."""
    if len(content) > ANSWER_BYTES_MAX:
        raise BlockInvalid(f"an answer has at most {ANSWER_BYTES_MAX} bytes")
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BlockInvalid(f"no {kind.__name__}: {error}") from None


def light_block(commit: CommitAnswer, validators: ValidatorsAnswer) -> LightBlock:
    """The records. Raises BlockInvalid, KeyUnknown; whether they belong together is for `check_light_block` to say."""
    signed = commit.signed_header
    return LightBlock(_header(signed.header), _commit(signed.commit), validator_set(validators))


def validator_set(answer: ValidatorsAnswer) -> ValidatorSet:
    """All validators of one height. Raises BlockInvalid, KeyUnknown."""
    if not answer.count == answer.total == str(len(answer.validators)):
        raise BlockInvalid(f"{len(answer.validators)} of {answer.total} validators: all are needed")
    return ValidatorSet(tuple(_validator(own) for own in answer.validators))


def time_ns(text: str) -> int:
    """Nanoseconds since the epoch. Raises BlockInvalid for a time before it, or one that is none."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    try:
        moment = datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
        rest = int(fraction.ljust(9, "0"))
    except ValueError:
        raise BlockInvalid(f"{text!r} is no time") from None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    number = (since.days * 86_400 + since.seconds) * 1_000_000_000 + rest
    if not 0 <= number <= TIME_NS_MAX:
        raise BlockInvalid(f"{text!r} lies outside the years 1970 to 2262")
    return number


def _header(header: CometHeader) -> ConsensusHeader:
    return ConsensusHeader(
        _number(header.version.block),
        _number(header.version.app),
        header.chain_id,
        _number(header.height),
        time_ns(header.time),
        _block_id(header.last_block_id),
        bytes.fromhex(header.last_commit_hash),
        bytes.fromhex(header.data_hash),
        bytes.fromhex(header.validators_hash),
        bytes.fromhex(header.next_validators_hash),
        bytes.fromhex(header.consensus_hash),
        bytes.fromhex(header.app_hash),
        bytes.fromhex(header.last_results_hash),
        bytes.fromhex(header.evidence_hash),
        bytes.fromhex(header.proposer_address),
    )


def _commit(commit: CometCommit) -> Commit:
    votes = tuple(_vote(vote) for vote in commit.signatures)
    return Commit(_number(commit.height), commit.round, _block_id(commit.block_id), votes)


def _vote(vote: CometVote) -> Vote:
    if vote.block_id_flag == VoteFlag.ABSENT:
        if vote.validator_address or vote.signature or vote.timestamp != _NO_TIME:
            raise BlockInvalid("an absent vote says something")
        return ABSENT
    signature = _from_base64(vote.signature or "")
    return Vote(VoteFlag(vote.block_id_flag), bytes.fromhex(vote.validator_address), time_ns(vote.timestamp), signature)


def _validator(validator: CometValidator) -> Validator:
    if validator.pub_key.type != ED25519:
        raise KeyUnknown(f"a validator has a key of the kind {validator.pub_key.type!r}: {ED25519!r} is expected")
    own = Validator(_from_base64(validator.pub_key.value), _number(validator.voting_power))
    if own.address.hex().upper() != validator.address:
        raise BlockInvalid("a validator's address is not that of its key")
    return own


def _block_id(block: CometBlockId) -> BlockId:
    return BlockId(bytes.fromhex(block.hash), block.parts.total, bytes.fromhex(block.parts.hash))


def _number(text: str) -> int:
    number = int(text)
    if number >= 2**64:
        raise BlockInvalid(f"{text} has more than 64 bits")
    return number


def _from_base64(text: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        raise BlockInvalid("not base 64") from None
    if base64.b64encode(content).decode() != text:
        raise BlockInvalid("not the one spelling of these bytes in base 64")
    return content
