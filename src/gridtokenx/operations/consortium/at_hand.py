"""A consortium of which all organisations are at hand, with the keys of all their officers and nodes: for drills and
for measuring, on one machine. Its ceremony is played, then members speak for themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from gridtokenx.chains.genesis import GenesisBuilder
from gridtokenx.client.keystore import Keystore
from gridtokenx.client.transactions import KeyList
from gridtokenx.client.wallet import Wallet
from gridtokenx.ledger.quantities import INTERVAL_MS
from gridtokenx.ledger.validator import address_of
from gridtokenx.modules.authority.messages import Tier
from gridtokenx.modules.identity.state import ZONES as ZONE_RECORDS
from gridtokenx.modules.identity.state import zone_key
from gridtokenx.operations.consortium import organisation, terms
from gridtokenx.operations.consortium.ceremony import add_members, add_organisation
from gridtokenx.operations.consortium.example import KEYS, NODE, play
from gridtokenx.operations.consortium.organisation import TIERS, Description, member_id, parse_organisation
from gridtokenx.operations.consortium.terms import CeremonyTerms, parse_terms
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.simulation.genesis import ZONES

CANDIDATES_STAKES = 2
"""What a candidate has, in stakes."""


@dataclass(frozen=True, slots=True)
class AtHand:
    """One organisation and the keys of its officers. `number` is its node's."""

    number: int
    description: Description
    wallet: Wallet

    @property
    def name(self) -> str:
        """Its short name."""
        return self.description.name

    @property
    def id(self) -> bytes:
        """How the ledger calls it."""
        return member_id(self.description.tax_id)

    @property
    def node(self) -> bytes:
        """How the ledger calls its node."""
        return self.description.node.node_id

    @property
    def voting_key(self) -> bytes:
        """The public key that votes for it first."""
        return bytes.fromhex(self.description.node.validator_key)

    @property
    def address(self) -> bytes:
        """How votes with that key call it."""
        return address_of(self.voting_key)

    @property
    def decides(self) -> bool:
        """Whether it votes on who comes and goes."""
        return TIERS[self.description.tier] != Tier.EMERGENCY


class PlayedConsortium(NamedTuple):
    """Organisations by their short names, in the order of their nodes, and what they agreed on."""

    each: dict[str, AtHand]
    terms: CeremonyTerms

    @property
    def descriptions(self) -> list[Description]:
        """What all of them say of themselves."""
        return [each.description for each in self.each.values()]

    def found(self, builder: GenesisBuilder, founders: int) -> None:
        """The first ones are members from the beginning; the others have an account with money, and may apply. Zones
        that are not there yet are added, with the wires of the first one's distributor."""
        wires = builder.state.rows[ZONE_RECORDS.prefix][zone_key(1)].distributor
        for number, zone in enumerate(ZONES, 1):
            if builder.state.get(ZONE_RECORDS, zone_key(number)) is None:
                builder.add_zone(number, zone, wires)
        add_members(builder, self.descriptions[:founders], self.terms)
        for description in self.descriptions[founders:]:
            add_organisation(builder, description, CANDIDATES_STAKES * description.stake_micro)


def play_consortium(
    source: Path,
    folder: NetworkFolder,
    chain: str,
    names: Sequence[str],
    begins_ms: int,
    changes: Mapping[str, int | tuple[int, ...]],
) -> PlayedConsortium:
    """These organisations of a shipped consortium make their keys, and their nodes in the folder of a network, in this
    order. `changes`: terms of the chain that differ from its defaults. Raises as `example.play`."""
    played = folder.path / "consortium"
    begins = datetime.fromtimestamp(begins_ms // INTERVAL_MS * INTERVAL_MS // 1_000, UTC)
    play(source, played, chain, names, {"begins": begins, "consortium": dict(changes)})
    each = {}
    for number, name in enumerate(names, 1):
        (played / name / NODE).rename(folder.node(number).path)
        description = parse_organisation((played / name / organisation.FILE).read_bytes()).description
        keystore = Keystore(played / name / KEYS)
        keys = KeyList.of(description.officers, description.threshold)
        wallet = Wallet([keystore.open(officer) for officer in keystore.names()], keys)
        wallet.nonces.learn(0)
        each[name] = AtHand(number, description, wallet)
    return PlayedConsortium(each, parse_terms((played / terms.FILE).read_bytes()))
