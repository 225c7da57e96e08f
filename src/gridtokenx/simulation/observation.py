"""What an agent is shown and what it may ask for: plain data, without a way back to whoever made it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from gridtokenx.simulation.tariff_view import INTERVAL_MS, TimeOfUse

OrderId = int | str | bytes


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class Source(StrEnum):
    """Where sold energy comes from; buyers here take any."""

    SOLAR = "solar"
    STORAGE = "storage"
    CONVENTIONAL = "conventional"
    ANY = "any"


class OrderKind(StrEnum):
    LIMIT = "limit"  # rests until the interval's gate


class MarketTerms(NamedTuple):
    """Public numbers of the market, by default those of genesis. Fees are millionths of energy value."""

    tariff: TimeOfUse
    tick_micro: int = 1_000
    order_wh_min: int = 100
    gate_before_delivery_ms: int = 300_000
    wheeling_micro: int = 200_000
    grid_fee_millionths: int = 10_000
    trading_fee_millionths: int = 500
    imbalance_spread_micro: int = 250_000
    call_phase_ms: int = 300_000
    wheeling_in_auction_micro: int = 450_000
    """What a buyer pays in an auction, wherever the energy comes from."""

    def call_ms(self, interval: int) -> int:
        """From when on orders collect for the auction at the gate; the gate itself without a call phase."""
        return self.gate_ms(interval) - self.call_phase_ms

    def gate_ms(self, interval: int) -> int:
        """The first moment at which the interval takes no more orders."""
        return interval * INTERVAL_MS - self.gate_before_delivery_ms

    def first_open_interval(self, time_ms: int) -> int:
        """The earliest interval whose gate lies after this moment."""
        return (time_ms + self.gate_before_delivery_ms) // INTERVAL_MS + 1


class MeterHistory(NamedTuple):
    """Rows whose time is over, oldest first: entry i belongs to interval `first_interval + i`.

    `charge_wh` is the battery's charge at the start of `charge_interval`: at most `end_interval`, or the
    scenario's first interval before that.
    """

    first_interval: int
    load_wh: tuple[int, ...]
    pv_wh: tuple[int, ...]
    charge_wh: int
    charge_interval: int

    @property
    def end_interval(self) -> int:
        """The first interval that is not known yet."""
        return self.first_interval + len(self.load_wh)


class OpenOrder(NamedTuple):
    """An own order that rests in the book. A buyer's price is per kWh delivered: trade price and wheeling."""

    order_id: OrderId
    interval: int
    side: Side
    source: Source
    price_micro: int
    open_wh: int


class BookView(NamedTuple):
    """Energy that rests on both sides of one interval's book, everyone's orders counted."""

    bid_wh: int
    ask_wh: int


class BestPrices(NamedTuple):
    """The best limits in a book, a purchase's delivered; None for a side without orders."""

    bid_micro: int | None
    ask_micro: int | None


class Observation(NamedTuple):
    """Everything an agent may know at `time_ms`.

    `positions_wh` is sold minus bought per interval, for every interval from `history.end_interval` on that
    has a trade; intervals in [first open, `open_until_interval`) take orders; `free_micro` is money not
    held. `best` is for dealers: the best limits of others.
    """

    time_ms: int
    history: MeterHistory
    open_orders: tuple[OpenOrder, ...]
    positions_wh: Mapping[int, int]
    book: Mapping[int, BookView]
    open_until_interval: int
    free_micro: int
    best: Mapping[int, BestPrices] = MappingProxyType({})


class PlaceIntent(NamedTuple):
    interval: int
    side: Side
    source: Source
    kind: OrderKind
    price_micro: int
    quantity_wh: int


class AmendIntent(NamedTuple):
    """New limit and new open quantity of a resting order."""

    order_id: OrderId
    price_micro: int
    quantity_wh: int


class CancelIntent(NamedTuple):
    order_id: OrderId


class EnrolIntent(NamedTuple):
    """Be a maker with one's portfolio."""


Intent = PlaceIntent | AmendIntent | CancelIntent | EnrolIntent
