"""Zero intelligence: random within its limits and its budget.

The kind is the ZI-C trader of Gode and Sunder (Allocative efficiency of markets with zero-intelligence traders,
Journal of Political Economy 101, 1993): prices are drawn evenly between the own limit and the market's bound, never
beyond the limit, and are drawn again while nobody takes them. The bounds here are the other side's limit, which is
public: the tariff for one, the buy-back for the other.
"""

from random import Random

from gridtokenx.simulation.agents.agent import Agent, PriceWindow, Wish
from gridtokenx.simulation.observation import MarketTerms, Observation, Side, Source
from gridtokenx.simulation.scenario import RandomSettings, Site, SkyTable
from gridtokenx.simulation.tariff_view import INTERVALS_PER_DAY

_TURNS_PER_DRAW = 8
"""A resting order is drawn anew once in so many turns on average."""


class RandomAgent(Agent):
    """Yesterday's side, a random share of yesterday's energy, a random price that loses nothing."""

    def __init__(self, site: Site, terms: MarketTerms, sky: SkyTable, settings: RandomSettings, random: Random) -> None:
        super().__init__(site, terms, sky, settings.horizon_intervals)
        self._random = random

    def _wish(self, observation: Observation, interval: int) -> Wish | None:
        window = self._window(interval, observation.time_ms)
        if window.floor_micro > window.ceiling_micro:
            return None
        for order in observation.open_orders:
            if order.interval == interval:
                price_micro = order.price_micro
                if self._random.randrange(_TURNS_PER_DRAW) == 0:
                    price_micro = self._price_micro(order.side, window)
                return Wish(order.side, order.source, price_micro, order.open_wh)
        history = observation.history
        index = interval - INTERVALS_PER_DAY - history.first_interval
        if not 0 <= index < len(history.load_wh):
            return None
        position_wh = observation.positions_wh.get(interval, 0)
        surplus_wh = (history.pv_wh[index] - history.load_wh[index]) * self._random.randint(20, 100) // 100
        side = Side.SELL if surplus_wh > 0 else Side.BUY
        price_micro = self._price_micro(side, window)
        if side is Side.SELL:
            return Wish(side, Source.SOLAR, price_micro, surplus_wh - max(0, position_wh))
        return Wish(side, Source.ANY, price_micro, -surplus_wh - max(0, -position_wh))

    def _price_micro(self, side: Side, window: PriceWindow) -> int:
        """As an order's limit: a buyer's is per kWh delivered."""
        tick = self._terms.tick_micro
        price_micro = self._random.randrange(window.floor_micro, window.ceiling_micro + tick, tick)
        return price_micro + window.wheeling_micro if side is Side.BUY else price_micro
