"""What the consortium may decide about itself: the bounds of its terms, and the values of genesis."""

from typing import Final

from gridtokenx.ledger import limits
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.quantities import MICRO_PER_WATT
from gridtokenx.modules.authority.messages import AuthorityCode
from gridtokenx.modules.authority.state import PPM, ConsortiumTerms

DAY_MS: Final = 86_400_000

DEFAULT_TERMS: Final = ConsortiumTerms(
    seat_power=10,
    seats_min=4,
    seats_max=21,
    group_seats=(6, 6, 4, 3, 2),
    zone_seats=6,
    epoch_blocks=3_600,
    epoch_changes=3,
    checkpoint_blocks=60,
    observed_blocks=86_400,
    endorsements=3,
    stake_micro=1_000_000 * MICRO_PER_WATT,
    slash_ppm=50_000,
    appeal_ms=14 * DAY_MS,
    vote_ms=7 * DAY_MS,
    demote_below_ppm=600_000,
    promote_from_ppm=900_000,
)
"""With blocks of a second: epochs of an hour, a candidate observes for a day."""

CENSORED_PPM_MAX: Final = 666_666
"""Fewer than a third of the proposers can leave a validator's votes out of fewer than a third of the blocks: down to
here its score may fall without its doing (`reputation`)."""

SEATS_MIN: Final = 3
"""Of fewer each would have so much of the power that nobody could come or go within the caps (`seats`)."""

DEADLINE_MS_MAX: Final = 45 * DAY_MS
"""Freezes put the end of a vote off: it comes before they are forgotten (`limits.FREEZES_KEPT_MS`)."""

_BOUNDS: Final[dict[str, tuple[int, int]]] = {
    "seat_power": (1, limits.VALIDATOR_POWER_MAX),
    "seats_min": (SEATS_MIN, limits.VALIDATORS_MAX - 1),
    "seats_max": (SEATS_MIN, limits.VALIDATORS_MAX),
    "zone_seats": (1, limits.VALIDATORS_MAX),
    "epoch_blocks": (10, 1_000_000),
    "epoch_changes": (1, limits.VALIDATORS_MAX),
    "checkpoint_blocks": (5, 100_000),
    "observed_blocks": (0, 10_000_000),
    "endorsements": (0, limits.VALIDATORS_MAX),
    "stake_micro": (0, limits.AMOUNT_MAX),
    "slash_ppm": (0, PPM),
    "appeal_ms": (1_000, 365 * DAY_MS),
    "vote_ms": (1_000, DEADLINE_MS_MAX),
    "demote_below_ppm": (0, CENSORED_PPM_MAX),
    "promote_from_ppm": (0, PPM),
}


def check_terms(terms: ConsortiumTerms) -> None:
    """`TERMS_OUT_OF_BOUNDS`, with the name of the term."""
    for name, (lowest, highest) in _BOUNDS.items():
        if not lowest <= getattr(terms, name) <= highest:
            raise Rejected(AuthorityCode.TERMS_OUT_OF_BOUNDS, name)
    if terms.seats_min > terms.seats_max:
        raise Rejected(AuthorityCode.TERMS_OUT_OF_BOUNDS, "seats_min")
    if terms.checkpoint_blocks > terms.epoch_blocks:
        raise Rejected(AuthorityCode.TERMS_OUT_OF_BOUNDS, "checkpoint_blocks")
    if terms.promote_from_ppm <= terms.demote_below_ppm:
        raise Rejected(AuthorityCode.TERMS_OUT_OF_BOUNDS, "promote_from_ppm")
