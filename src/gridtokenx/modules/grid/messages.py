"""What can be asked of the grid, and its codes. Tags 0x50 to 0x5f, codes 600 to 699."""

from enum import IntEnum
from typing import Annotated

import msgspec

from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.transaction import Small
from gridtokenx.modules.identity.messages import Power


class LinkKind(IntEnum):
    """What joins two places of the market."""

    BORDER = 0
    """Two zones."""
    FEEDER = 1
    """A feeder and its zone."""


class GridCode(IntEnum):
    """Why the grid says no."""

    LINK_UNKNOWN = 600
    INTERVALS_INVALID = 601
    INTERVAL_PASSED = 602
    LINK_WITHOUT_LIMIT = 603


class SetLimit(Message, frozen=True, tag=0x50):
    """What a link carries from its one end to the other (`forward_w`) and back, in intervals that open from now on.

    A border's ends are two zones, `first` and `second`, as the sender names them; it is the transmission operator's. A
    feeder's link leads from feeder `first` into its zone (`second` is 0); it is the distributor's of that zone.
    Receipt: the first interval for which it counts.
    """

    link: Small
    first: Annotated[int, msgspec.Meta(ge=0, le=2**16 - 1)]
    second: Small
    forward_w: Power
    backward_w: Power


class SetCapacity(Message, frozen=True, tag=0x51):
    """What a link carries in some intervals that are open, from `interval` on: an outage, or more than usual. Ends and
    senders as for a limit. What is traded already stays traded. Receipt: how many intervals changed."""

    link: Small
    first: Annotated[int, msgspec.Meta(ge=0, le=2**16 - 1)]
    second: Small
    interval: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
    intervals: Small
    forward_w: Power
    backward_w: Power
