"""What each tier may do, as one table: who says something of a candidate, who proposes what, and who decides it.

Primary members (the utilities and their regulator) carry the market: they vouch for documents, propose who comes and
who goes, and set the terms. Secondary members (licensed producers and traders, banks) bring candidates and vote on
people. Technical members (operators) judge machines: they endorse, license nodes, vote on people, and propose nobody.
The emergency tier (crisis coordinators) stops the market, lets it go on, and replaces keys that are lost; it decides
nothing else, and nobody else decides these; but where no member of it is left, the others let the market go on.
"""

from dataclasses import dataclass
from typing import Final

from gridtokenx.modules.authority.messages import Act, Tier

ALL_BUT_EMERGENCY: Final = frozenset({Tier.PRIMARY, Tier.SECONDARY, Tier.TECHNICAL})

ATTESTS: Final = frozenset({Tier.PRIMARY})
"""Who says that a candidate's documents were seen and are what their hashes name."""

ENDORSES: Final = ALL_BUT_EMERGENCY
"""Who says that a candidate should come."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who proposes, who votes (a member each, one vote each), and what share of those who may vote must say yes: more
    than `over`, where given, else at least `at_least`; shares are (numerator, denominator)."""

    proposers: frozenset[Tier]
    voters: frozenset[Tier]
    over: tuple[int, int] | None = None
    at_least: tuple[int, int] | None = None

    def needs(self, electorate: int) -> int:
        """Votes for it that carry it, of so many who may vote: at least one."""
        if self.over is not None:
            numerator, denominator = self.over
            return electorate * numerator // denominator + 1
        assert self.at_least is not None, "a rule has a share"
        numerator, denominator = self.at_least
        return max(1, -(-electorate * numerator // denominator))


HALF: Final = (1, 2)
TWO_THIRDS: Final = (2, 3)

RULES: Final[dict[Act, Rule]] = {
    Act.ADMIT: Rule(frozenset({Tier.PRIMARY, Tier.SECONDARY}), ALL_BUT_EMERGENCY, over=HALF),
    Act.REMOVE: Rule(frozenset({Tier.PRIMARY}), ALL_BUT_EMERGENCY, at_least=TWO_THIRDS),
    Act.REINSTATE: Rule(ALL_BUT_EMERGENCY, ALL_BUT_EMERGENCY, at_least=TWO_THIRDS),
    Act.SET_TERMS: Rule(frozenset({Tier.PRIMARY}), frozenset({Tier.PRIMARY}), at_least=TWO_THIRDS),
    Act.LICENSE: Rule(frozenset({Tier.PRIMARY, Tier.TECHNICAL}), frozenset({Tier.PRIMARY, Tier.TECHNICAL}), over=HALF),
    Act.FREEZE: Rule(frozenset({Tier.EMERGENCY}), frozenset({Tier.EMERGENCY}), over=HALF),
    Act.RESUME: Rule(frozenset({Tier.EMERGENCY}), frozenset({Tier.EMERGENCY}), at_least=TWO_THIRDS),
    Act.REPLACE: Rule(frozenset({Tier.EMERGENCY}), frozenset({Tier.EMERGENCY}), at_least=TWO_THIRDS),
}

WITHOUT_EMERGENCY: Final = Rule(ALL_BUT_EMERGENCY, ALL_BUT_EMERGENCY, at_least=TWO_THIRDS)
"""Who lets the market go on where nobody of the emergency tier is admitted any more: else it would stand for ever."""

WHILE_FROZEN: Final = frozenset({Act.FREEZE, Act.RESUME, Act.REPLACE, Act.REMOVE, Act.REINSTATE})
"""What can be proposed and voted while the market is stopped: also who goes and who comes back, so that nobody keeps it
stopped against the others, and no appeal runs out for a stop. The end of every other vote is put off."""
