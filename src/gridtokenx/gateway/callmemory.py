"""What the read model keeps of auctions that are still to come, or were."""

import msgspec

from gridtokenx.gateway.coupled_documents import CallMoment
from gridtokenx.gateway.documents import AuctionView

PriceLevels = dict[int, dict[int, tuple[int, int]]]
"""Of each place of an auction (a zone's number, or that of a feeder's link), by price: Wh offered and wanted."""


class Indication(msgspec.Struct):
    """What an auction would be now, or was; and while orders collect, what stands behind it."""

    view: AuctionView
    levels: PriceLevels | None = None


class CallMemory(msgspec.Struct):
    """How the auction of one interval built up: what it would have been, and the last orders, seen after block
    `as_of`."""

    moments: list[CallMoment] = []
    levels: PriceLevels = {}
    as_of: int = 0
