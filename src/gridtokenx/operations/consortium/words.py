"""What an organisation's node says to the chain, from what lies in its folder: that it asks to come, that it
follows.
"""

from pathlib import Path
from typing import Final

from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.storage import Reader
from gridtokenx.modules.authority import words
from gridtokenx.modules.authority.messages import Apply, Observed, signed_application
from gridtokenx.modules.authority.state import CHECKPOINTS
from gridtokenx.operations.consortium.node_keys import node_keys
from gridtokenx.operations.consortium.organisation import GROUPS, TIERS, Description, member_id
from gridtokenx.simulation.genesis import ZONES

READERS: Final = "words"
"""Folder of who reads a node's database here."""


def application(description: Description, node: Path) -> Apply:
    """An organisation asks to become a member with this node. Raises `FolderUnusable` if there is none."""
    batch_key, _, voting_key = node_keys(node)
    member, card = member_id(description.tax_id), description.node
    signed = signed_application(member, description.tax_id, card.node_id, batch_key.public_key, voting_key.public_key)
    return Apply(
        member=member,
        name=description.legal_name,
        tax_id=description.tax_id,
        group=int(GROUPS[description.group]),
        tier=int(TIERS[description.tier]),
        zone=ZONES.index(description.zone) + 1,
        node=card.node_id,
        node_key=batch_key.public_key,
        consensus_key=voting_key.public_key,
        documents=tuple(bytes.fromhex(each.sha256) for each in description.documents),
        stake_micro=description.stake_micro,
        node_signature=batch_key.sign(signed),
        consensus_signature=voting_key.sign(signed),
    )


def observation(node: Path, member: bytes) -> Observed | None:
    """What the node, which may be running, has as the last checkpoint; None before there is one. Raises
    FileNotFoundError if it never ran, `DatabaseFailed`."""
    folder = DataFolder(node)
    reader = Reader(folder.database, folder.run / READERS)
    try:
        reader.refresh()
        found = list(reader.scan(bytes([CHECKPOINTS.prefix])))
    finally:
        reader.close()
    if not found:
        return None
    ((key, value),) = found
    height, header_hash = int.from_bytes(key[1:], "big"), CHECKPOINTS.decode.trusted(value).header_hash
    own, *_ = node_keys(node)
    return words.observation(member, height, header_hash, own)
