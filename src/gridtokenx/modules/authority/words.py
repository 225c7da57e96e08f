"""What a member's node says with its own keys, made and signed. Anybody may carry an observation; a new key is sent by
the member's account.
"""

from typing import Protocol

from gridtokenx.modules.authority.messages import (
    Observed,
    RotatedKey,
    RotateKey,
    signed_observation,
    signed_rotation,
)


class Signs(Protocol):
    """A key, wherever it is."""

    @property
    def public_key(self) -> bytes:
        """Its 32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature."""


def observation(member: bytes, height: int, header_hash: bytes, node_key: Signs) -> Observed:
    """The member's node has this block as the checkpoint at `height`."""
    signature = node_key.sign(signed_observation(member, height, header_hash))
    return Observed(member, height, header_hash, node_key.public_key, signature)


def rotation(member: bytes, kind: RotatedKey, key: Signs) -> RotateKey:
    """The member's next key shows that it is there."""
    return RotateKey(member, int(kind), key.public_key, key.sign(signed_rotation(member, kind, key.public_key)))
