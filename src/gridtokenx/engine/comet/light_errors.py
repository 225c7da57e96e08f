"""Why a light client does not believe a block: one tree, each reason with a name of its own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridtokenx.engine.comet.headers import LightBlock


class LightError(Exception):
    """Everything that a light client raises on purpose. `detail` says what is wrong."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class BlockInvalid(LightError):
    """This is no light block: a field is out of bounds, or its parts do not belong together."""


class ChainUnknown(BlockInvalid):
    """The header is of another chain."""


class ValidatorsMismatch(BlockInvalid):
    """The validators are not those that a header names."""


class KeyUnknown(BlockInvalid):
    """A validator's key is of a kind that this program does not judge; it knows Ed25519."""


class SignatureFalse(BlockInvalid):
    """A vote was not signed by its validator."""


class PowerTooLow(BlockInvalid):
    """Not more than two thirds of the block's own validators signed it."""


class OverlapTooLow(LightError):
    """Not enough of the validators that are trusted signed the block: there may have been too many changes between the
    two. A block in the middle will show."""


class TrustExpired(LightError):
    """What is trusted is older than the trust period: take a newer height and hash from somebody you trust."""


class FromTheFuture(LightError):
    """The header's time lies ahead of the clock, by more than clocks may differ."""


class HeightNotLater(LightError):
    """The header does not come after the one that is trusted."""


class TimeNotLater(LightError):
    """Later height, but not a later time."""


class LinkBroken(LightError):
    """The later header does not name this one as the one before."""


class TooFarBack(LightError):
    """So many blocks are not followed back, one by one."""


class RulesInvalid(LightError):
    """A trust level outside one third to one, or a period that is none."""


class StartRefused(LightError):
    """The block of the height that was to be trusted has another hash."""


class NothingTrusted(LightError):
    """The store is empty: start from a height and a hash that somebody you trust gave you."""


class StoreUnusable(LightError):
    """The file of trusted blocks is not what this program wrote for this chain."""


class SourceFailed(LightError):
    """A source gave no answer, or none that is a light block."""


class BlockMissing(SourceFailed):
    """A source does not have this height: not yet, or not any more."""


class NotConfirmed(LightError):
    """The source's block verifies, but no witness could be heard on it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two blocks of one height, both of which follow from `common` by the rules: more than a third of the validators
    signed what they must not. `witness` is the number of the source that gave `other`."""

    common: "LightBlock"
    block: "LightBlock"
    other: "LightBlock"
    witness: int


class Conflict(LightError):
    """A witness has another block of the same height (or of a lower height and no earlier time) that verifies just as
    well. `evidence` holds both. Believe neither: somebody is being attacked."""

    def __init__(self, evidence: Evidence) -> None:
        block, other = evidence.block, evidence.other
        super().__init__(
            f"two chains after block {evidence.common.height}: {block.height} {block.hash.hex()} "
            f"and {other.height} {other.hash.hex()}"
        )
        self.evidence = evidence
