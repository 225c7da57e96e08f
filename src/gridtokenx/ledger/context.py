"""What a handler may know besides state: the block, the sender, and where to leave its traces."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gridtokenx.ledger.codec import Record

PLACES_PER_BLOCK_BITS = 24
"""Bits of a place that count inside a block: 16 million orders a block."""


class Summary(Record, frozen=True):
    """What the block did, in the world's own units."""

    traded_wh: int = 0
    traded_micro: int = 0
    metered_import_wh: int = 0
    metered_export_wh: int = 0
    settled_wh: int = 0
    settled_micro: int = 0
    voided_wh: int = 0
    voided_micro: int = 0


def _no_check(wire: bytes) -> int:
    raise AssertionError("only a block knows the messages of its chain")


@dataclass(slots=True)
class Context:
    """One block in the making. `sender`, `participant` change with each transaction."""

    chain: str
    height: int
    time_ms: int
    sender: bytes = b""
    place_next: int = 0
    trades: list[bytes] = field(default_factory=list)
    """Encoded trades, and what says that earlier ones are void, in order; their Merkle root stands in the block
    record."""
    cancelled: set[bytes] = field(default_factory=set)
    """Order keys cancelled in this block: a placement of the same name in the same block is refused."""
    transactions_of: dict[bytes, int] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    """For operators; not part of consensus."""
    check: Callable[[bytes], int] = _no_check
    """The chain's own check of a transaction without state: the number of its signatures, or `Rejected`."""
    reporters: set[bytes] = field(default_factory=set)
    """Participants who reported a bad batch in this block, rightly or not."""
    computed: set[bytes] = field(default_factory=set)
    """What was metered for the first time in this block: corrected in the same block, it changes the sums below."""
    orders_of: tuple[int, dict[bytes, list[bytes]]] = field(default_factory=lambda: (-1, {}))
    """Keys of open orders by participant, as they were when `place_next` was the first of the two. Replaced, not
    changed."""
    traded_wh: int = 0
    traded_micro: int = 0
    metered_import_wh: int = 0
    metered_export_wh: int = 0
    settled_wh: int = 0
    settled_micro: int = 0
    voided_wh: int = 0
    voided_micro: int = 0

    def take_place(self) -> int:
        """The next place: unique on the chain, rising, made of height and position in the block."""
        place = self.height << PLACES_PER_BLOCK_BITS | self.place_next
        self.place_next += 1
        return place

    def summary(self) -> Summary:
        """The running sums as a record."""
        return Summary(
            self.traded_wh,
            self.traded_micro,
            self.metered_import_wh,
            self.metered_export_wh,
            self.settled_wh,
            self.settled_micro,
            self.voided_wh,
            self.voided_micro,
        )
