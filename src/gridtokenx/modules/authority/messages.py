"""What can be asked of the authorities, and their codes. Tags 0x30 to 0x3f, codes 500 to 599."""

from enum import IntEnum
from typing import Annotated

import msgspec

from gridtokenx.ledger.batch import Hash, NodeId, signed_batch
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.limits import BATCH_HEADER_BYTES_MAX, BATCH_PATH_STEPS_MAX, TRANSACTION_BYTES_MAX
from gridtokenx.ledger.transaction import PublicKey, Signature, SignedMessage
from gridtokenx.ledger.validator import Power


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


class SetNode(Message, frozen=True, tag=0x30):
    """The authority admits a node, gives it another key, or takes its licence to sign batches."""

    node: NodeId
    public_key: PublicKey
    licensed: bool


class SetValidator(Message, frozen=True, tag=0x31):
    """The authority lets a key vote with this power on behalf of a node; power 0 removes it."""

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

    def signed_parts(self) -> list[tuple[bytes, bytes, bytes]]:
        """The node's signature under the header: one that is false is refused without looking at state."""
        return [(self.public_key, signed_batch(self.header), self.signature)]
