"""A node's card: what it shows the others before there is a network. Public keys only; a TOML file.

name = "egat"
address = "10.0.0.1:26656"     where the others reach it, over links of their own
batch_key = "..."              signs batches
validator_key = "..."          signs votes
link_key = "..."               proves who is at the other end of a link
kind = "validator"             what it does in the network
"""

import re
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import msgspec

from gridtokenx.engine.comet.home import Peer
from gridtokenx.engine.comet.keys import node_id_of_key, peer_id_of_key
from gridtokenx.engine.comet.toml import toml_document
from gridtokenx.ledger.batch import NODE_ID_BYTES
from gridtokenx.operations.network.kinds import NodeKind

Key = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})")


class CardUnusable(Exception):
    """A card does not fit. Says which, and what to do."""


class NodeCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The public side of one node."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=40)]
    address: str
    batch_key: Key
    validator_key: Key
    link_key: Key
    kind: NodeKind = NodeKind.VALIDATOR

    def __post_init__(self) -> None:
        """Raises ValueError for an address that is none."""
        check_address(self.address)

    @property
    def votes(self) -> bool:
        """Whether it takes part in consensus from the beginning."""
        return self.kind.votes

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


def make_card(**values: str) -> NodeCard:
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
        return parse_card(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CardUnusable(f"{file} is no card of a node: {error}") from None


def parse_card(text: str) -> NodeCard:
    """A card in these words; ones from before there were kinds said whether the node votes. Raises ValueError."""
    values: dict[str, Any] = tomllib.loads(text)
    if "kind" not in values and isinstance(votes := values.pop("votes", True), bool):
        values["kind"] = NodeKind.VALIDATOR if votes else NodeKind.OBSERVER
    return msgspec.convert(values, NodeCard)


def check_cards(cards: list[NodeCard]) -> None:
    """Raises `CardUnusable` if two say they are the same, a backup is nobody's, or nobody votes."""
    own_vote = [card for card in cards if card.kind is not NodeKind.BACKUP]
    for kind in ("name", "address", "batch_key", "validator_key", "link_key"):
        values = [getattr(card, kind) for card in (own_vote if kind == "validator_key" else cards)]
        doubled = next((value for value in values if values.count(value) > 1), None)
        if doubled is not None:
            raise CardUnusable(f"two cards have the {kind} {doubled}: every node has its own")
    voting = {card.validator_key for card in cards if card.votes}
    alone = next((card for card in cards if card.kind is NodeKind.BACKUP and card.validator_key not in voting), None)
    if alone is not None:
        raise CardUnusable(
            f"{alone.name} is a backup of no validator here: make it with the public key of its validator's signer"
        )
    if not voting:
        raise CardUnusable('nobody votes: at least one card needs `kind = "validator"`')
