"""What every kind of agent shares: a window of sensible prices, limits, money, and keeping a contract.

An agent never signs, sends or waits. It proposes at most one resting order for each interval, on the tick,
of at least the smallest order, within its position limits and its free money.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

from gridtokenx.simulation.battery import BatteryInstruction
from gridtokenx.simulation.forecast import pv_limit_wh
from gridtokenx.simulation.observation import (
    AmendIntent,
    BookView,
    CancelIntent,
    Intent,
    MarketTerms,
    Observation,
    OpenOrder,
    OrderKind,
    PlaceIntent,
    Side,
    Source,
)
from gridtokenx.simulation.scenario import Site, SkyTable
from gridtokenx.simulation.tariff_view import (
    INTERVALS_PER_HOUR,
)

MILLION = 1_000_000
EMPTY_BOOK = BookView(0, 0)

TRAVEL_MS = 60_000
"""How long an order may take into a block: nearer to its gate it is not worth sending."""


class Wish(NamedTuple):
    """The order that an agent would like to have in an interval's book."""

    side: Side
    source: Source
    price_micro: int
    quantity_wh: int


class PriceWindow(NamedTuple):
    """Trade prices at which both sides gain: from what a seller needs to what a buyer can give."""

    floor_micro: int
    ceiling_micro: int
    tariff_micro: int
    wheeling_micro: int

    @classmethod
    def of(cls, terms: MarketTerms, tariff_micro: int, wheeling_micro: int) -> "PriceWindow":
        """Fees and wheeling counted; floor rounded up to the tick, ceiling down. It may be empty."""
        tick = terms.tick_micro
        kept = MILLION - terms.trading_fee_millionths
        floor = -(-terms.tariff.buy_back_micro * MILLION // kept)
        paid = MILLION + terms.grid_fee_millionths + terms.trading_fee_millionths
        ceiling = (tariff_micro - wheeling_micro) * MILLION // paid
        return cls(-(-floor // tick) * tick, ceiling // tick * tick, tariff_micro, wheeling_micro)


class Agent(ABC):
    """What every kind of agent shares: limits, money, and the way a battery keeps a contract."""

    def __init__(
        self,
        site: Site,
        terms: MarketTerms,
        sky: SkyTable,
        horizon_intervals: int,
        requote_price_permille: int = 0,
        requote_energy_permille: int = 0,
    ) -> None:
        self._site = site
        self._terms = terms
        self._horizon = horizon_intervals
        self._requote_price_permille = requote_price_permille
        self._requote_energy_permille = requote_energy_permille
        self._sky = sky
        self._windows: dict[tuple[int, bool], PriceWindow] = {}

    def decide(self, observation: Observation) -> list[Intent]:
        """Intents for the open intervals ahead, cancels first; empty when nothing changed noticeably."""
        orders: dict[int, OpenOrder] = {}
        cancels: list[Intent] = []
        others: list[Intent] = []
        for order in observation.open_orders:
            if order.interval in orders:
                cancels.append(CancelIntent(order.order_id))
            else:
                orders[order.interval] = order
        money_micro = observation.free_micro
        first = self._terms.first_open_interval(observation.time_ms + TRAVEL_MS)
        for interval in range(first, min(first + self._horizon, observation.open_until_interval)):
            wish = self._limited(self._wish(observation, interval), observation, interval)
            present = orders.get(interval)
            if present is not None and (wish is None or (wish.side, wish.source) != (present.side, present.source)):
                cancels.append(CancelIntent(present.order_id))
                money_micro += self._hold_micro(present.side, present.price_micro, present.open_wh, interval)
                present = None
            if wish is None or (present is not None and not self._differs(wish, present, observation.time_ms)):
                continue
            hold_micro = self._hold_micro(wish.side, wish.price_micro, wish.quantity_wh, interval)
            if present is not None:
                hold_micro -= self._hold_micro(present.side, present.price_micro, present.open_wh, interval)
            if hold_micro > money_micro:
                continue
            money_micro -= hold_micro
            if present is None:
                others.append(
                    PlaceIntent(interval, wish.side, wish.source, OrderKind.LIMIT, wish.price_micro, wish.quantity_wh)
                )
            else:
                others.append(AmendIntent(present.order_id, wish.price_micro, wish.quantity_wh))
        return cancels + others

    def instruct(self, interval: int, position_wh: int) -> BatteryInstruction:
        """Keep to what is sold minus bought; stored energy is for on-peak hours, when it is worth most."""
        return BatteryInstruction(position_wh, self._terms.tariff.is_on_peak(interval))

    @abstractmethod
    def _wish(self, observation: Observation, interval: int) -> Wish | None:
        """What the agent would like to have in the book, before limits; None for nothing."""

    def _differs(self, wish: Wish, present: OpenOrder, time_ms: int) -> bool:
        """Whether a resting order of the same side and source is worth changing: that costs its place."""
        window = self._window(present.interval, time_ms)
        price_step = (window.ceiling_micro - window.floor_micro) * self._requote_price_permille // 1000
        energy_step = max(self._terms.order_wh_min, present.open_wh * self._requote_energy_permille // 1000)
        return (
            abs(wish.price_micro - present.price_micro) > price_step
            or abs(wish.quantity_wh - present.open_wh) > energy_step
        )

    def _window(self, interval: int, time_ms: int) -> PriceWindow:
        """Of an order that is sent now: in the call phase with the wheeling of the auction."""
        terms = self._terms
        in_call = time_ms + TRAVEL_MS >= terms.call_ms(interval)
        window = self._windows.get((interval, in_call))
        if window is None:
            wheeling_micro = terms.wheeling_in_auction_micro if in_call else terms.wheeling_micro
            window = PriceWindow.of(terms, terms.tariff.price_micro(interval), wheeling_micro)
            self._windows[interval, in_call] = window
        return window

    def _limited(self, wish: Wish | None, observation: Observation, interval: int) -> Wish | None:
        """Cut a wish to the position limits; None when too little is left for an order."""
        if wish is None:
            return None
        position_wh = observation.positions_wh.get(interval, 0)
        if wish.side is Side.SELL:
            room_wh = self._export_limit_wh(wish.source, interval) - max(0, position_wh)
        else:
            room_wh = self._site.import_capacity_w // INTERVALS_PER_HOUR + position_wh
        quantity_wh = min(wish.quantity_wh, room_wh)
        return wish._replace(quantity_wh=quantity_wh) if quantity_wh >= self._terms.order_wh_min else None

    def _export_limit_wh(self, source: Source, interval: int) -> int:
        if source is Source.SOLAR:
            return pv_limit_wh(self._site.export_capacity_w("solar"), self._sky, interval)
        return self._site.export_capacity_w("storage") // INTERVALS_PER_HOUR

    def _hold_micro(self, side: Side, price_micro: int, quantity_wh: int, interval: int) -> int:
        """What the market holds for an order, rounded up: worst cost of a buyer, collateral of a seller."""
        terms = self._terms
        value_micro = price_micro * quantity_wh // 1000
        if side is Side.BUY:
            fees = terms.grid_fee_millionths + terms.trading_fee_millionths
            return value_micro + value_micro * fees // MILLION + 1
        short_micro = max(0, terms.tariff.price_micro(interval) - price_micro) + terms.imbalance_spread_micro
        return short_micro * quantity_wh // 1000 + value_micro * terms.trading_fee_millionths // MILLION + 2
