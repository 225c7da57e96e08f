"""The result of a portfolio with members, and how it is split: pure formulas, after `market-rules.md` ("Aggregators").

Each member is first settled as if nothing had been traded, by its own meter. The portfolio as a whole is settled by its
trades and the sum of its meters. What it has beyond the sum of its members' old bills is its gain, or its loss.
"""

from collections.abc import Sequence

import msgspec

from gridtokenx.ledger.quantities import PARTS_PER_MILLION
from gridtokenx.modules.identity.messages import SplitKind, SplitRule
from gridtokenx.modules.settlement.netting import Energy
from gridtokenx.modules.settlement.state import Quality, Statement


class Sharing(msgspec.Struct, frozen=True, gc=False):
    """A gain, or a loss below zero, in its parts, which have its sign: what goes to the members, in the order of their
    weights, and the aggregator's part before the rest of rounding, which is its too."""

    commission_micro: int
    shares_micro: tuple[int, ...]
    weight: int
    weights: tuple[int, ...]


def split_energy_of_many(sold_wh: int, bought_wh: int, import_wh: int, export_wh: int) -> Energy:
    """Where many meters differ from the contract, from the sums of what they took and gave.

    What one site exports is not what another imports: sales are delivered by export, purchases used by import. Only
    what is left over of both contracts is set off, as trades that closed each other: so no member's import makes
    another's sale undelivered, and nothing is netted that no trade explains.
    """
    short_wh, left_wh = max(0, sold_wh - export_wh), max(0, bought_wh - import_wh)
    closed_wh = min(short_wh, left_wh)
    return Energy(
        short_wh - closed_wh,
        left_wh - closed_wh,
        max(0, import_wh - bought_wh),
        max(0, export_wh - sold_wh),
    )


def share_out(rule: SplitRule, gain_micro: int, members: Sequence[Statement]) -> Sharing:
    """Of a gain the commission, of a loss (below zero) what the aggregator bears of it; the rest by weight. All parts
    are rounded towards zero: what that leaves over is the aggregator's."""
    own_ppm = rule.commission_ppm if gain_micro >= 0 else PARTS_PER_MILLION - rule.loss_ppm
    sign, amount_micro = (1, gain_micro) if gain_micro >= 0 else (-1, -gain_micro)
    part_micro = amount_micro * own_ppm // PARTS_PER_MILLION
    commission_micro = part_micro if sign > 0 else amount_micro - part_micro
    weights = weights_of(rule, members, gaining=sign > 0)
    weight, shared_micro = sum(weights), amount_micro - commission_micro
    shares = tuple(sign * (shared_micro * own // weight) for own in weights)
    return Sharing(sign * commission_micro, shares, weight, weights)


def weights_of(rule: SplitRule, members: Sequence[Statement], *, gaining: bool) -> tuple[int, ...]:
    """What each member's part is counted by. Where nobody has any weight all have the same."""
    weights = tuple(weight_of(rule, member, gaining=gaining) for member in members)
    return weights if any(weights) else (1,) * len(members)


def weight_of(rule: SplitRule, member: Statement, *, gaining: bool) -> int:
    """What a member's part is counted by. An estimate earns no part in a gain, so that nobody gains by silence; it
    counts in a loss."""
    if gaining and member.quality == Quality.ESTIMATED:
        return 0
    if rule.kind == SplitKind.EQUAL:
        return 1
    return member.export_wh + (member.import_wh if rule.kind == SplitKind.METERED else 0)
