"""Keys and records of the grid."""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.limits import ENERGY_WH_MAX
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.transaction import Whole

Signed = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]


class Limit(Record, frozen=True):
    """What a link carries by default: (first interval, forward Wh, backward Wh) of each change that an open interval
    may have opened with, the earliest first. Key: link."""

    changes: tuple[tuple[Whole, Whole, Whole], ...]


class Link(Record, frozen=True):
    """A link in one interval, from its first use on: what it carries each way, and what trades send over it on
    balance, forward above zero. Key: interval ‖ link.

    On balance it may be more than it carries: capacity was lowered after the trades.
    """

    forward_wh: Whole
    backward_wh: Whole
    net_wh: Signed

    def free_wh(self, step: int) -> int:
        """What can still go over it along a step (`topology.py`); below zero where capacity was lowered."""
        return self.backward_wh + self.net_wh if step & 1 else self.forward_wh - self.net_wh


class Reopened(Record, frozen=True):
    """Links of this interval have capacity again that were full: orders that rested apart may meet. Until the market
    has seen to it, what comes in waits behind them. Key: interval."""


LIMITS: Table[Limit] = Table(0x50, "limits", Limit)
LINKS: Table[Link] = Table(0x51, "links", Link)
REOPENED: Table[Reopened] = Table(0x52, "reopened", Reopened)

LINK_REOPENED = 0x50
"""Kind of scheduled work, with each record of REOPENED, whose key is its payload; the market answers it."""

UNLIMITED_WH = ENERGY_WH_MAX
"""What a border carries that nobody has limited."""


def link_key(link: int) -> bytes:
    """Three bytes, big-endian."""
    return link.to_bytes(3, "big")


def interval_link_key(interval: int, link: int) -> bytes:
    """Interval ‖ link."""
    return interval_key(interval) + link_key(link)


def limit_at(limit: Limit, interval: int) -> tuple[int, int] | None:
    """(forward, backward) with which an interval opens; None if it opened before the first limit."""
    found = None
    for first, forward_wh, backward_wh in limit.changes:
        if first <= interval:
            found = forward_wh, backward_wh
    return found


def invariants(state: State) -> Iterator[str]:
    """Limits have changes, the earliest first, and links are of an interval."""
    for key, limit in state.items(LIMITS):
        first = [change[0] for change in limit.changes]
        if not first or first != sorted(set(first)):
            yield f"the limits of link {key.hex()} are out of order"
