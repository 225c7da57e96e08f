"""What the use of the wires costs, by nearness, for each version of the terms."""

from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.grid.topology import SAME_FEEDER, SAME_ZONE, TOPOLOGY
from gridtokenx.modules.market.messages import Terms

WHEELING: Index[dict[int, tuple[int, ...]]] = Index("wheeling", lambda state: {})
"""Wheeling per kWh by nearness, for each version of the terms; filled as versions are first used, for they never
change."""


def wheeling_micro(terms: Terms, nearness: int) -> int:
    """Per kWh: a base for each trade, more when it leaves its feeder, and more for each border."""
    if nearness == SAME_FEEDER:
        return terms.wheeling_base_micro
    borders = nearness - SAME_ZONE
    return terms.wheeling_base_micro + terms.wheeling_feeder_micro + borders * terms.wheeling_border_micro


def wheeling_of(state: State, version: int, terms: Terms) -> tuple[int, ...]:
    """What matching looks up, for an interval with this version of the terms."""
    known = state.index(WHEELING)
    found = known.get(version)
    if found is None:
        most = state.index(TOPOLOGY).nearness_max
        found = known[version] = tuple(wheeling_micro(terms, nearness) for nearness in range(most + 1))
    return found
