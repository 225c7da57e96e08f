"""Kinds of nodes: what each does in a network."""

from enum import StrEnum


class NodeKind(StrEnum):
    """Every kind but `BOOT` follows the chain, has the whole state and checks every block."""

    VALIDATOR = "validator"
    """Votes."""
    OBSERVER = "observer"
    """Follows, and does not vote."""
    ARCHIVE = "archive"
    """An observer that keeps every version of every record, and all blocks."""
    GATEWAY = "gateway"
    """An observer for the public: it may sign batches, with a licence, so it takes orders in without a vote."""
    RPC = "rpc"
    """An observer whose gateway answers questions and takes nothing in."""
    BACKUP = "backup"
    """Stands in for a validator: it follows, and has the same signer, which gives it the vote when the validator's node
    is gone. It signs no batches in its name."""
    BOOT = "boot"
    """Tells nodes of each other: no chain, no state, no application."""

    @property
    def votes(self) -> bool:
        """Whether the network gives it a vote of its own."""
        return self is NodeKind.VALIDATOR

    @property
    def signs_batches(self) -> bool:
        """Whether a network licenses it from the beginning to take transactions in."""
        return self in {NodeKind.VALIDATOR, NodeKind.GATEWAY}

    @property
    def follows(self) -> bool:
        """Whether it has the chain."""
        return self is not NodeKind.BOOT

    @property
    def is_served(self) -> bool:
        """Whether it is of no use without a gateway beside it."""
        return self in {NodeKind.ARCHIVE, NodeKind.GATEWAY, NodeKind.RPC}

    def node_options(self) -> tuple[str, ...]:
        """What its node is started with besides what all are."""
        return ("--history",) if self is NodeKind.ARCHIVE else ()

    def gateway_options(self) -> tuple[str, ...]:
        """What its gateway is started with besides what all are."""
        return ("--read-only",) if self is NodeKind.RPC else ()
