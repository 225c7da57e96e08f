"""What travels about zones, the links between them, and how an auction builds up. Habits as in `documents`."""

from gridtokenx.gateway.documents import Document


class LinkView(Document):
    """A border between two zones, or (`second` null) the link of a feeder to its zone, in one interval. What it carries
    each way, what trades send over it on balance (`net_wh`, above zero from `first` to `second`, or from the feeder
    into its zone), and what is still free each way: never below zero, also where capacity was lowered. Null
    capacities: nobody has limited it."""

    first: int
    second: int | None
    forward_wh: int | None
    backward_wh: int | None
    net_wh: int
    forward_free_wh: int | None
    backward_free_wh: int | None


class ZoneState(Document):
    """A zone in one interval: what waits there (of icebergs what shows), what its portfolios sold and bought, and the
    best limits of its own orders. `last_price_micro`: what the energy of the last trade was worth in the zone, which is
    the seller's price, and the wheeling of borders on top where it came over some. `price_micro` is the auction's, once
    there is one. `limited_feeders` counts those whose links have a limit."""

    zone: int
    orders: int
    wanted_wh: int
    offered_wh: int
    best_bid_micro: int | None
    best_ask_micro: int | None
    last_price_micro: int | None
    price_micro: int | None
    sold_wh: int
    bought_wh: int
    feeders: int
    limited_feeders: int


class NetworkView(Document):
    """Zones and borders of one interval, as trades have used them up. `closed`: the gate has closed, nothing new is
    heard of it."""

    interval: int
    height: int
    time_ms: int
    closed: bool
    zones: list[ZoneState]
    borders: list[LinkView]


class FeederState(Document):
    """A feeder in one interval: what waits there, and its link to the zone, null where it has no limit."""

    feeder: int
    name: str
    orders: int
    wanted_wh: int
    offered_wh: int
    best_bid_micro: int | None
    best_ask_micro: int | None
    link: LinkView | None


class ZoneFeeders(Document):
    """The feeders of one zone, rising. `next` is the `after` of the following page, null when there is none."""

    interval: int
    height: int
    time_ms: int
    zone: int
    feeders: list[FeederState]
    next: int | None


class ZoneMoment(Document):
    """What a zone's price and quantities would have been, or are."""

    zone: int
    price_micro: int
    sold_wh: int
    bought_wh: int


class CallMoment(Document):
    """What the auction would have been after one block; zones that are not listed had no price."""

    height: int
    time_ms: int
    orders: int
    zones: list[ZoneMoment]


class CallHistory(Document):
    """How the indicative outcome changed block by block while this gateway followed, oldest first; of a long call not
    every block. Blocks that changed nothing are left out."""

    interval: int
    height: int
    moments: list[CallMoment]


class CurveStep(Document):
    """What is offered and wanted at one price of the place: a sale's limit; a purchase's limit less the wheeling that
    it pays in any case."""

    price_micro: int
    offered_wh: int
    wanted_wh: int


class PlaceCurves(Document):
    """Supply and demand of a zone, or of a feeder in it whose link has a limit: steps rise by price. `thinned`: so many
    prices that neighbours are added up under the higher one."""

    zone: int
    feeder: int | None
    thinned: bool
    steps: list[CurveStep]


class CallCurves(Document):
    """The orders of an auction as curves, after the block `as_of` (0: this gateway has seen none): while orders collect
    those of now, later the last that were seen."""

    interval: int
    height: int
    as_of: int
    places: list[PlaceCurves]
