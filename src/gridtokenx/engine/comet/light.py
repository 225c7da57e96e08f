"""The rules of a light client: which header follows from one that is trusted, without running a node.

Pure functions: the caller says what time it is. The rules are CometBFT's (`light/verifier.go`), with two differences,
both on the strict side: every vote of a commit is judged, also those beyond two thirds and those for no block; and a
validator set or header that CometBFT's own records could not hold is refused by name. Signatures are judged by
`ledger.crypto` (ZIP-215), as CometBFT judges them.

    next header        its validators are those that the trusted header named as the next ones
    a later header     more than the trust level (a third) of the power that is trusted signed it
    each of them       more than two thirds of its own validators' power signed it
    an earlier header  the trusted one names it as the one before
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from gridtokenx.engine.comet.headers import (
    ConsensusHeader,
    LightBlock,
    ValidatorSet,
    VoteFlag,
    check_light_block,
    vote_bytes,
)
from gridtokenx.engine.comet.light_errors import (
    FromTheFuture,
    HeightNotLater,
    LinkBroken,
    OverlapTooLow,
    PowerTooLow,
    RulesInvalid,
    SignatureFalse,
    TimeNotLater,
    TrustExpired,
    ValidatorsMismatch,
)
from gridtokenx.ledger.crypto import signature_is_valid

TRUST_MS: Final = 7 * 86_400_000
"""A week: half of the time for which a validator can be made to answer for what it signed."""
DRIFT_MS: Final = 10_000
"""How far this machine's clock may be behind the validators'."""
TRUST_LEVEL: Final = Fraction(1, 3)
"""More than a third of the power: at least one honest validator, as long as fewer than a third are not."""

_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Rules:
    """What a light client insists on. `trust_ms`: how long a header is believed after its time; it must end before
    validators can no longer be made to answer for it. RulesInvalid for a level outside one third to one."""

    trust_ms: int = TRUST_MS
    drift_ms: int = DRIFT_MS
    level: Fraction = TRUST_LEVEL

    def __post_init__(self) -> None:
        if not TRUST_LEVEL <= self.level <= 1:
            raise RulesInvalid(f"the trust level is from 1/3 to 1, not {self.level}")
        if self.trust_ms <= 0 or self.drift_ms < 0:
            raise RulesInvalid("the trust period must be above 0, and the clocks' difference not below")


def check_block(block: LightBlock, chain: str) -> None:
    """Whether the block is one at all, and its own validators made it final. This alone is no reason to believe it:
    anybody can invent validators. Raises BlockInvalid and its kinds."""
    check_light_block(block, chain)
    check_commit(block)


def check_commit(block: LightBlock) -> None:
    """Every vote is signed by its validator, and more than two thirds of the power are for the block. The block is one
    that `check_light_block` passed. Raises SignatureFalse, PowerTooLow."""
    chain, commit = block.header.chain, block.commit
    votes = list(zip(commit.votes, block.validators.members, strict=True))
    power = sum(validator.power for vote, validator in votes if vote.flag is VoteFlag.COMMIT)
    if 3 * power <= 2 * block.validators.power:
        raise PowerTooLow(f"{power} of {block.validators.power} signed block {block.height}: two thirds are too few")
    for vote, validator in votes:
        if vote.flag is not VoteFlag.ABSENT and not signature_is_valid(
            vote.signature, vote_bytes(chain, commit, vote), validator.public_key
        ):
            raise SignatureFalse(f"validator {validator.address.hex()} did not sign its vote on block {block.height}")


def check_overlap(trusted: ValidatorSet, block: LightBlock, level: Fraction) -> None:
    """More than this part of the trusted power voted for the block. Raises OverlapTooLow."""
    voted = {
        validator.public_key
        for vote, validator in zip(block.commit.votes, block.validators.members, strict=True)
        if vote.flag is VoteFlag.COMMIT
    }
    power = sum(validator.power for validator in trusted.members if validator.public_key in voted)
    if power * level.denominator <= trusted.power * level.numerator:
        raise OverlapTooLow(f"{power} of the {trusted.power} that are trusted signed block {block.height}")


def verify(trusted: LightBlock, block: LightBlock, now_ms: int, rules: Rules) -> None:
    """Whether the later block follows from the trusted one. Raises TrustExpired, HeightNotLater, TimeNotLater,
    FromTheFuture, ValidatorsMismatch, OverlapTooLow (a block between the two may show it), BlockInvalid and its kinds.

    Cheapest first: only a block that could follow has its signatures judged.
    """
    check_light_block(block, trusted.header.chain)
    check_trust(trusted.header, now_ms, rules)
    if block.height <= trusted.height:
        raise HeightNotLater(f"block {block.height} is not later than block {trusted.height}, which is trusted")
    if block.header.time_ns <= trusted.header.time_ns:
        raise TimeNotLater(f"block {block.height} has no later time than block {trusted.height}, which is trusted")
    if block.header.time_ns >= (now_ms + rules.drift_ms) * _NS_PER_MS:
        raise FromTheFuture(f"the time of block {block.height} lies in the future: is this machine's clock right?")
    if block.height == trusted.height + 1:
        if block.header.validators_hash != trusted.header.next_validators_hash:
            raise ValidatorsMismatch(f"block {block.height} has not the validators that the block before it named")
    else:
        check_overlap(trusted.validators, block, rules.level)
    check_commit(block)


def verify_before(trusted: ConsensusHeader, block: LightBlock) -> None:
    """Whether this is the block before the trusted one: its header's hash stands in it. Raises TimeNotLater,
    LinkBroken, BlockInvalid and its kinds."""
    check_light_block(block, trusted.chain)
    if block.height != trusted.height - 1 or block.hash != trusted.last_block.hash:
        raise LinkBroken(f"block {trusted.height} names another one as the block before it")
    if block.header.time_ns >= trusted.time_ns:
        raise TimeNotLater(f"block {trusted.height} has no later time than the block before it")
    check_commit(block)


def check_trust(trusted: ConsensusHeader, now_ms: int, rules: Rules) -> None:
    """Whether the header may still be the reason to believe another. Raises TrustExpired."""
    if trusted.time_ns + rules.trust_ms * _NS_PER_MS <= now_ms * _NS_PER_MS:
        raise TrustExpired(f"block {trusted.height} is older than the trust period: start anew from one you can trust")
