"""A node's card: what it shows the others before there is a network. Public keys only; a TOML file.

name = "egat"
address = "10.0.0.1:26656"     where the others reach it, over links of their own
batch_key = "..."              signs batches
validator_key = "..."          signs votes
link_key = "..."               proves who is at the other end of a link
"""

import re
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import msgspec

from gridtokenx.engine.comet.home import Peer
from gridtokenx.engine.comet.keys import node_id_of_key, peer_id_of_key
from gridtokenx.engine.comet.toml import toml_document
from gridtokenx.ledger.batch import NODE_ID_BYTES

Key = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})")


class CardUnusable(Exception):
    """A card does not fit. Says which, and what to do."""


class NodeCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public side of one node. `votes`: a validator, or one that only follows."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
    address: str
    batch_key: Key
    validator_key: Key
    link_key: Key
    votes: bool = True

    def __post_init__(self) -> None:
        """Raises ValueError for an address that is none."""
        check_address(self.address)

    @property
    def node_id(self) -> bytes:
        """Under which it signs batches: the first bytes of its key's hash."""
        return sha256(bytes.fromhex(self.batch_key)).digest()[:NODE_ID_BYTES]

    @property
    def link_id(self) -> str:
        """Its name on TCP links."""
        return node_id_of_key(bytes.fromhex(self.link_key))

    def peer(self, address: str = "") -> Peer:
        """How CometBFT is told of it; at another address, if one is given."""
        return Peer(self.link_id, peer_id_of_key(bytes.fromhex(self.link_key)), address or self.address)

    def toml(self) -> bytes:
        """The file's content."""
        return toml_document({"": msgspec.structs.asdict(self)}, "A node of gridtokenx: public, for the others.")


def make_card(**values: str | bool) -> NodeCard:
    """A card of these values. Raises `CardUnusable` for a name, an address or a key that is none."""
    try:
        return msgspec.convert(values, NodeCard)
    except ValueError as error:
        hint = "; a name has small letters, digits and single hyphens" if "$.name" in str(error) else ""
        raise CardUnusable(f"no card can say that: {error}{hint}") from None


def check_address(text: str) -> None:
    """Raises ValueError unless this is HOST:PORT."""
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match[2]) < 65_536:
        raise ValueError(f"'{text}' is no address: write HOST:PORT")


def read_card(file: Path) -> NodeCard:
    """Raises `CardUnusable`."""
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), NodeCard)
    except (OSError, ValueError) as error:
        raise CardUnusable(f"{file} is no card of a node: {error}") from None


def check_cards(cards: list[NodeCard]) -> None:
    """Raises `CardUnusable` if two say they are the same, or nobody votes."""
    for kind in ("name", "address", "batch_key", "validator_key", "link_key"):
        values = [getattr(card, kind) for card in cards]
        doubled = next((value for value in values if values.count(value) > 1), None)
        if doubled is not None:
            raise CardUnusable(f"two cards have the {kind} {doubled}: every node has its own")
    if not any(card.votes for card in cards):
        raise CardUnusable("nobody votes: at least one card needs `votes = true`")
