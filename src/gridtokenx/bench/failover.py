"""`bench failover`: how a network takes it when those who run it go away, and others come in their place.

A validator's node is killed, again and again, and one of its three backups votes in its stead (`takeover`).
"""

from typing import Final

from gridtokenx.bench.takeover import measure_takeover

DRILLS: Final = 100
DRILLS_QUICK: Final = 3


def run(quick: bool, drills: int | None = None) -> dict[str, object]:
    """A hundred drills, three when quick. Raises `CometMissing`, `DrillFailed`."""
    return measure_takeover(drills or (DRILLS_QUICK if quick else DRILLS))
