"""What CometBFT's validators sign, as records: header, commit, validator set; with their hashes and sign bytes.

The encodings are those of CometBFT v0.40 (`types/block.go`, `types/canonical.go`, `types/validator_set.go`): protocol
buffers in field order, fields that are zero left out. They are so few that they are written out here; recorded chains
(`tests/vectors/light.json`) hold them to the letter. Only Ed25519 validators are known.
"""

from enum import IntEnum
from hashlib import sha256
from typing import Final

from gridtokenx.engine.comet.light_errors import BlockInvalid, ChainUnknown, ValidatorsMismatch
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.crypto import HASH_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES, merkle_root

BLOCK_PROTOCOL: Final = 11
ADDRESS_BYTES: Final = 20
CHAIN_BYTES_MAX: Final = 50
APP_HASH_BYTES_MAX: Final = 64
"""The application chooses what its hash is; ours has 32."""
VALIDATORS_MAX: Final = 200
"""Twice what this ledger elects at most; a commit of so many is judged in 15 ms."""
HEIGHT_MAX: Final = 2**63 - 1
TIME_NS_MAX: Final = 2**63 - 1
"""In the year 2262."""
ROUND_MAX: Final = 2**31 - 1
PARTS_MAX: Final = 2**32 - 1
POWER_SUM_MAX: Final = (2**63 - 1) // 8
"""CometBFT's own bound: three times the sum still fits into its integers."""

_PRECOMMIT: Final = 2
_SECOND_NS: Final = 1_000_000_000


class BlockId(Record, frozen=True):
    """A block as votes name it: hash of its header, and number and root of the parts in which it was sent."""

    hash: bytes
    parts: int
    parts_hash: bytes


NO_BLOCK: Final = BlockId(b"", 0, b"")
"""What stands before the first block."""


class ConsensusHeader(Record, frozen=True):
    """CometBFT's header. `app_hash` is the state before the block: what block H did stands in header H + 1."""

    block_protocol: int
    app_protocol: int
    chain: str
    height: int
    time_ns: int
    last_block: BlockId
    last_commit_hash: bytes
    data_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    consensus_hash: bytes
    app_hash: bytes
    last_results_hash: bytes
    evidence_hash: bytes
    proposer: bytes


class VoteFlag(IntEnum):
    """What became of a validator's vote."""

    ABSENT = 1
    COMMIT = 2
    NIL = 3


class Vote(Record, frozen=True):
    """A validator's place in a commit; when absent all but the flag is empty. `validator` is an address."""

    flag: VoteFlag
    validator: bytes
    time_ns: int
    signature: bytes


ABSENT: Final = Vote(VoteFlag.ABSENT, b"", 0, b"")


class Commit(Record, frozen=True):
    """The votes that made a block final, in the order of the validator set."""

    height: int
    round: int
    block: BlockId
    votes: tuple[Vote, ...]


class Validator(Record, frozen=True):
    """A key of Ed25519, and its weight."""

    public_key: bytes
    power: int

    @property
    def address(self) -> bytes:
        """How votes name it."""
        return address_of(self.public_key)


class ValidatorSet(Record, frozen=True):
    """Who decides about a block, in CometBFT's order."""

    members: tuple[Validator, ...]

    @property
    def power(self) -> int:
        """Of all together."""
        return sum(validator.power for validator in self.members)


class LightBlock(Record, frozen=True):
    """All that a light client needs to judge a block."""

    header: ConsensusHeader
    commit: Commit
    validators: ValidatorSet

    @property
    def height(self) -> int:
        """Of its header."""
        return self.header.height

    @property
    def hash(self) -> bytes:
        """The name of the block: the hash of its header, as its commit says it."""
        return self.commit.block.hash


def address_of(public_key: bytes) -> bytes:
    """A validator's address."""
    return sha256(public_key).digest()[:ADDRESS_BYTES]


def header_hash(header: ConsensusHeader) -> bytes:
    """The root over the header's fields, each encoded on its own."""
    version = _number(1, header.block_protocol) + _number(2, header.app_protocol)
    return merkle_root(
        [
            version,
            _bytes(1, header.chain.encode()),
            _number(1, header.height),
            _time(header.time_ns),
            _block_id(header.last_block),
            _bytes(1, header.last_commit_hash),
            _bytes(1, header.data_hash),
            _bytes(1, header.validators_hash),
            _bytes(1, header.next_validators_hash),
            _bytes(1, header.consensus_hash),
            _bytes(1, header.app_hash),
            _bytes(1, header.last_results_hash),
            _bytes(1, header.evidence_hash),
            _bytes(1, header.proposer),
        ]
    )


def validators_hash(validators: ValidatorSet) -> bytes:
    """The root over keys and weights. ValueError for an empty set, which has none."""
    if not validators.members:
        raise ValueError("a chain has validators")
    return merkle_root(
        [_part(1, _bytes(1, member.public_key)) + _number(2, member.power) for member in validators.members]
    )


def vote_bytes(chain: str, commit: Commit, vote: Vote) -> bytes:
    """What the validator signed: its precommit for the commit's block or, with the flag NIL, for none."""
    block = _part(4, _block_id(commit.block)) if vote.flag is VoteFlag.COMMIT else b""
    canonical = (
        _number(1, _PRECOMMIT)
        + _fixed(2, commit.height)
        + _fixed(3, commit.round)
        + block
        + _part(5, _time(vote.time_ns))
        + _bytes(6, chain.encode())
    )
    return _varint(len(canonical)) + canonical


def check_light_block(block: LightBlock, chain: str) -> None:
    """Everything about a light block that needs no signature and nothing else trusted: bounds, and that header, commit
    and validators belong together. Raises ChainUnknown, ValidatorsMismatch, BlockInvalid saying what is wrong."""
    header, commit = block.header, block.commit
    check_header(header, chain)
    check_validators(block.validators)
    if validators_hash(block.validators) != header.validators_hash:
        raise ValidatorsMismatch(f"the validators of block {header.height} are not those that its header names")
    if commit.height != header.height or not 0 <= commit.round <= ROUND_MAX:
        raise BlockInvalid(f"the commit of block {header.height} is for another height, or has no valid round")
    if not _is_complete(commit.block) or commit.block.hash != header_hash(header):
        raise BlockInvalid(f"the commit of block {header.height} is for another block")
    if len(commit.votes) != len(block.validators.members):
        raise BlockInvalid(f"the commit of block {header.height} has not one vote for each validator")
    for vote, validator in zip(commit.votes, block.validators.members, strict=True):
        _check_vote(vote, validator)


def check_header(header: ConsensusHeader, chain: str) -> None:
    """Bounds of every field. Raises ChainUnknown, BlockInvalid."""
    if header.chain != chain or len(chain.encode()) > CHAIN_BYTES_MAX:
        raise ChainUnknown(f"the header is of the chain {header.chain!r}, not of {chain!r}")
    if header.block_protocol != BLOCK_PROTOCOL or not 0 <= header.app_protocol < 2**64:
        raise BlockInvalid(f"block protocol {header.block_protocol}: this program knows {BLOCK_PROTOCOL}")
    if not 1 <= header.height <= HEIGHT_MAX or not 0 <= header.time_ns <= TIME_NS_MAX:
        raise BlockInvalid("height or time of the header is out of bounds")
    if header.last_block != NO_BLOCK and not _is_complete(header.last_block):
        raise BlockInvalid("the header's last block is neither a block nor none")
    full = (header.validators_hash, header.next_validators_hash, header.consensus_hash)
    other = (header.last_commit_hash, header.data_hash, header.last_results_hash, header.evidence_hash)
    if any(len(one) != HASH_BYTES for one in full) or any(len(one) not in {0, HASH_BYTES} for one in other):
        raise BlockInvalid(f"a hash in the header has not {HASH_BYTES} bytes")
    if len(header.app_hash) > APP_HASH_BYTES_MAX or len(header.proposer) != ADDRESS_BYTES:
        raise BlockInvalid("the header's app hash or proposer has a wrong length")


def check_validators(validators: ValidatorSet) -> None:
    """Bounds, and that nobody is in it twice. Raises BlockInvalid."""
    members = validators.members
    if not 1 <= len(members) <= VALIDATORS_MAX:
        raise BlockInvalid(f"a validator set has 1 to {VALIDATORS_MAX} members")
    if any(len(member.public_key) != PUBLIC_KEY_BYTES or member.power < 1 for member in members):
        raise BlockInvalid("a validator has a key of another length, or no power")
    if len({member.public_key for member in members}) != len(members):
        raise BlockInvalid("a validator stands in the set twice")
    if validators.power > POWER_SUM_MAX:
        raise BlockInvalid(f"the validators' power is above {POWER_SUM_MAX} together")


def _check_vote(vote: Vote, validator: Validator) -> None:
    if vote.flag is VoteFlag.ABSENT:
        if vote != ABSENT:
            raise BlockInvalid("an absent vote says something")
    elif vote.validator != validator.address:
        raise BlockInvalid("a vote stands in another validator's place")
    elif len(vote.signature) != SIGNATURE_BYTES or not 0 <= vote.time_ns <= TIME_NS_MAX:
        raise BlockInvalid("a vote's signature or time is out of bounds")


def _is_complete(block: BlockId) -> bool:
    hashes = (block.hash, block.parts_hash)
    return 1 <= block.parts <= PARTS_MAX and all(len(one) == HASH_BYTES for one in hashes)


def _varint(number: int) -> bytes:
    """Seven bits a byte, lowest first; `number` is not negative."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _number(field: int, number: int) -> bytes:
    """A field of a variable-length integer; zero is left out, as in the following."""
    return _varint(field << 3) + _varint(number) if number else b""


def _fixed(field: int, number: int) -> bytes:
    """A field of eight bytes, little-endian."""
    return _varint(field << 3 | 1) + number.to_bytes(8, "little") if number else b""


def _bytes(field: int, content: bytes) -> bytes:
    """A field of bytes or text."""
    return _part(field, content) if content else b""


def _part(field: int, content: bytes) -> bytes:
    """A message within a message: it stands there also when it is empty."""
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _time(time_ns: int) -> bytes:
    seconds, rest_ns = divmod(time_ns, _SECOND_NS)
    return _number(1, seconds) + _number(2, rest_ns)


def _block_id(block: BlockId) -> bytes:
    return _bytes(1, block.hash) + _part(2, _number(1, block.parts) + _bytes(2, block.parts_hash))
