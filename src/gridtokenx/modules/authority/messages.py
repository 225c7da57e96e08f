"""What can be asked of the authorities, and their codes. Tags 0x30 to 0x3f, codes 500 to 599."""

from enum import IntEnum
from typing import Annotated

import msgspec

from gridtokenx.ledger.batch import Hash, NodeId, signed_batch
from gridtokenx.ledger.codec import Message, Record
from gridtokenx.ledger.crypto import APPLICATION_DOMAIN, OBSERVED_DOMAIN, ROTATION_DOMAIN
from gridtokenx.ledger.limits import (
    BATCH_HEADER_BYTES_MAX,
    BATCH_PATH_STEPS_MAX,
    MEMBER_DOCUMENTS_MAX,
    MEMBER_NAME_LENGTH_MAX,
    PROPOSAL_BYTES_MAX,
    TRANSACTION_BYTES_MAX,
)
from gridtokenx.ledger.transaction import AccountId, PublicKey, Signature, SignedMessage, SignedPart, Small, Whole
from gridtokenx.ledger.validator import Power
from gridtokenx.modules.identity.messages import Pseudonym


class AuthorityCode(IntEnum):
    """Why the authorities say no."""

    NODE_UNKNOWN = 500
    NODE_KEY_TAKEN = 501
    NODES_EXCEEDED = 502
    VALIDATOR_UNKNOWN = 503
    VALIDATORS_EXCEEDED = 504
    LAST_VALIDATOR = 505
    NOT_THE_NODES_KEY = 506
    EVIDENCE_MALFORMED = 507
    EVIDENCE_OF_ANOTHER_CHAIN = 508
    EVIDENCE_OUT_OF_TIME = 509
    EVIDENCE_PATH_WRONG = 510
    EVIDENCE_REPEATED = 511
    REPORTS_EXCEEDED = 512
    TRANSACTION_IS_SOUND = 513
    CONSORTIUM_DECIDES = 514
    NO_CONSORTIUM = 515
    NOT_A_MEMBER = 516
    MEMBER_UNKNOWN = 517
    MEMBER_EXISTS = 518
    MEMBERS_EXCEEDED = 519
    TAX_ID_INVALID = 520
    TAX_ID_TAKEN = 521
    GROUP_UNKNOWN = 522
    STAKE_TOO_LOW = 523
    CONSENSUS_KEY_TAKEN = 524
    POWER_MISSING = 525
    STANDING_WRONG = 526
    SAID_ALREADY = 527
    CHECKPOINT_WRONG = 528
    NOT_ATTESTED = 529
    NOT_ENDORSED = 530
    NOT_OBSERVED = 531
    ACT_UNKNOWN = 532
    PROPOSAL_UNKNOWN = 533
    PROPOSAL_CLOSED = 534
    PROPOSAL_MALFORMED = 535
    PROPOSAL_REPEATED = 536
    PROPOSALS_EXCEEDED = 537
    TERMS_OUT_OF_BOUNDS = 538
    ROTATION_TOO_SOON = 539
    MARKET_FROZEN_ALREADY = 540
    MARKET_NOT_FROZEN = 541
    NODE_TAKEN = 542


class Group(IntEnum):
    """What an organisation is in the market: each group has its own number of seats."""

    GRID = 1
    TRADE = 2
    FINANCE = 3
    REGULATION = 4
    TECHNOLOGY = 5


class Tier(IntEnum):
    """Which powers a member has (`powers`)."""

    PRIMARY = 1
    SECONDARY = 2
    TECHNICAL = 3
    EMERGENCY = 4


class Standing(IntEnum):
    """Where a member is on its way in or out. A reserve is admitted and has no vote in consensus; who is suspended or
    has left has no vote anywhere."""

    CANDIDATE = 1
    RESERVE = 2
    SEATED = 3
    SUSPENDED = 4
    LEFT = 5


class Act(IntEnum):
    """What members propose and decide."""

    ADMIT = 1
    REMOVE = 2
    REINSTATE = 3
    SET_TERMS = 4
    LICENSE = 5
    FREEZE = 6
    RESUME = 7
    REPLACE = 8


class RotatedKey(IntEnum):
    """Which of a member's keys is replaced."""

    NODE = 1
    CONSENSUS = 2


_UNSEEN = r"\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
"""Control characters, marks without width and such that turn the direction of writing: names are compared by people, on
terminals too. Written out, since Python's own idea of what can be printed changes from version to version."""

Name = Annotated[
    str, msgspec.Meta(min_length=1, max_length=MEMBER_NAME_LENGTH_MAX, pattern=rf"^(?! )[^{_UNSEEN}]+(?<! )\Z")
]
TaxId = Annotated[str, msgspec.Meta(min_length=13, max_length=13)]
Documents = Annotated[tuple[Hash, ...], msgspec.Meta(min_length=1, max_length=MEMBER_DOCUMENTS_MAX)]
ProposalId = Whole


class SetNode(Message, frozen=True, tag=0x30):
    """The authority admits a node, gives it another key, or takes its licence to sign batches. Only on a chain without
    a consortium."""

    node: NodeId
    public_key: PublicKey
    licensed: bool


class SetValidator(Message, frozen=True, tag=0x31):
    """The authority lets a key vote with this power on behalf of a node; power 0 removes it. Only on a chain without a
    consortium."""

    public_key: PublicKey
    power: Power
    node: NodeId


class ReportBatch(SignedMessage, frozen=True, tag=0x32):
    """Anybody proves that a node signed for a transaction that no honest node takes in: malformed, or badly signed.
    `path` leads from the transaction to the root in the batch's header: (sibling stands on the right, hash)."""

    header: Annotated[bytes, msgspec.Meta(max_length=BATCH_HEADER_BYTES_MAX)]
    signature: Signature
    public_key: PublicKey
    transaction: Annotated[bytes, msgspec.Meta(max_length=TRANSACTION_BYTES_MAX)]
    path: Annotated[tuple[tuple[bool, Hash], ...], msgspec.Meta(max_length=BATCH_PATH_STEPS_MAX)]

    def signed_parts(self) -> list[SignedPart]:
        """The node's signature under the header: one that is false is refused without looking at state."""
        return [(self.public_key, signed_batch(self.header), self.signature)]


class Apply(SignedMessage, frozen=True, tag=0x33):
    """An organisation, the sender's participant `member`, asks to become one; `stake_micro` of the sender's WATT is
    held from now on. The node's key and the key that would vote sign `signed_application`, which names it: nobody
    applies with a key that is another's, nor with a copy of another's signatures."""

    member: Pseudonym
    name: Name
    tax_id: TaxId
    group: Small
    tier: Small
    zone: Small
    node: NodeId
    node_key: PublicKey
    consensus_key: PublicKey
    documents: Documents
    stake_micro: Whole
    node_signature: Signature
    consensus_signature: Signature

    def signed_parts(self) -> list[SignedPart]:
        """Both keys' signatures."""
        signed = signed_application(self.member, self.tax_id, self.node, self.node_key, self.consensus_key)
        return [
            (self.node_key, signed, self.node_signature),
            (self.consensus_key, signed, self.consensus_signature),
        ]


class Attest(Message, frozen=True, tag=0x34):
    """A primary member says that it saw the candidate's documents, and that it is the legal entity it says it is."""

    member: Pseudonym


class Endorse(Message, frozen=True, tag=0x35):
    """A member says that the candidate should come."""

    member: Pseudonym


class Observed(SignedMessage, frozen=True, tag=0x36):
    """The node of a candidate or of a reserve names the block at a checkpoint in time: it follows the chain. Anybody
    may carry it; the node's key signs."""

    member: Pseudonym
    height: Whole
    header_hash: Hash
    node_key: PublicKey
    signature: Signature

    def signed_parts(self) -> list[SignedPart]:
        """The node's signature."""
        return [(self.node_key, signed_observation(self.member, self.height, self.header_hash), self.signature)]


class Propose(Message, frozen=True, tag=0x37):
    """A member proposes an act. `subject` is a member, for `LICENSE` a node, else nothing; `value` is what the act
    needs besides, encoded: `ConsortiumTerms`, `NodeLicence` or `Replacement`. It counts as the proposer's vote, if it
    has one. The receipt shows the proposal's number."""

    act: Small
    subject: Annotated[bytes, msgspec.Meta(max_length=8)]
    value: Annotated[bytes, msgspec.Meta(max_length=PROPOSAL_BYTES_MAX)]


class Vote(Message, frozen=True, tag=0x38):
    """A member votes, once."""

    proposal: ProposalId
    yes: bool


class RotateKey(SignedMessage, frozen=True, tag=0x39):
    """A member's node or consensus key is replaced by one that it shows to have."""

    member: Pseudonym
    key: Small
    public_key: PublicKey
    signature: Signature

    def signed_parts(self) -> list[SignedPart]:
        """The new key's signature."""
        return [(self.public_key, signed_rotation(self.member, self.key, self.public_key), self.signature)]


class Withdraw(Message, frozen=True, tag=0x3A):
    """A candidate takes its application back; a member leaves."""


class NodeLicence(Record, frozen=True):
    """The value of `LICENSE`: the node's key, and whether it may sign batches."""

    public_key: PublicKey
    licensed: bool


class Replacement(Record, frozen=True):
    """The value of `REPLACE`: who speaks for the member from now on, and its keys."""

    account: AccountId
    node_key: PublicKey
    consensus_key: PublicKey


def signed_application(member: bytes, tax_id: str, node: bytes, node_key: bytes, consensus_key: bytes) -> bytes:
    """What both keys of an applicant sign."""
    return APPLICATION_DOMAIN + member + tax_id.encode() + node + node_key + consensus_key


def signed_observation(member: bytes, height: int, header_hash: bytes) -> bytes:
    """What the node of a candidate signs. The header's hash binds it to the chain."""
    return OBSERVED_DOMAIN + member + height.to_bytes(8, "big") + header_hash


def signed_rotation(member: bytes, key: int, public_key: bytes) -> bytes:
    """What a new key signs."""
    return ROTATION_DOMAIN + member + bytes([key]) + public_key
