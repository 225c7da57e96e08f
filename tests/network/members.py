"""The members of a consortium whose chain a network of the tests runs: organisations of the shipped example."""

from pathlib import Path

import msgspec

from gridtokenx.operations.consortium.at_hand import PlayedConsortium, play_consortium
from gridtokenx.operations.network.folder import NetworkFolder

THAILAND = Path(__file__).parents[2] / "consortia" / "thailand"
CHAIN = "fault-suite"
TERMS: dict[str, int] = {
    "epoch_blocks": 10,
    "epoch_changes": 5,
    "checkpoint_blocks": 5,
    "observed_blocks": 5,
    "endorsements": 2,
}
"""Short epochs; seats as in the example."""


class ConsortiumFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose nodes they are: those of `members` vote from the beginning, then come those of `candidates`, which follow.
    `terms`: of the consortium, where they differ from `TERMS`."""

    members: tuple[str, ...]
    candidates: tuple[str, ...] = ()
    terms: dict[str, int] = {}

    def play(self, folder: NetworkFolder, begins_ms: int) -> PlayedConsortium:
        """Make keys and nodes for all of them."""
        names = (*self.members, *self.candidates)
        return play_consortium(THAILAND, folder, CHAIN, names, begins_ms, TERMS | self.terms)
