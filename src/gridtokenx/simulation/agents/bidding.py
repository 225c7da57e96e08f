"""How an agent that foresees prices its orders, and how much it dares to promise."""

from abc import abstractmethod
from typing import Protocol

from gridtokenx.simulation.agents.agent import EMPTY_BOOK, MILLION, Agent, PriceWindow, Wish
from gridtokenx.simulation.observation import MarketTerms, MeterHistory, Observation, Side, Source
from gridtokenx.simulation.scenario import LearnedSettings, PatientSettings, Site, SkyTable
from gridtokenx.simulation.tariff_view import INTERVAL_MS


class CourseForecaster(Protocol):
    """Anything that tells what may come: see `forecast.Forecaster.courses`."""

    def courses(self, history: MeterHistory, count: int) -> list[list[int]]:
        """Surplus in Wh of the `count` intervals from the history's end on, by course."""


class ForesightAgent(Agent):
    """Sells what it expects to be left over, buys what it expects to lack, if the price is right.

    Price: it starts where the other side can just agree and concedes towards its own limit as the gate
    nears; the side with more energy in the book concedes faster. Quantity: the quantile of what may come at
    which one more unit gains as much as it risks, given what an undelivered sale or an unused purchase costs
    (the newsvendor's rule). Both look at the public book and the own forecast alone.

    Settings: how many intervals ahead it trades; by how much it trades less than wanted (caution); from
    which change of price (share of the window) or of energy (share of the open order) on it changes a
    resting order.
    """

    def __init__(
        self,
        site: Site,
        terms: MarketTerms,
        sky: SkyTable,
        settings: PatientSettings | LearnedSettings,
        forecaster: CourseForecaster,
    ) -> None:
        super().__init__(
            site,
            terms,
            sky,
            settings.horizon_intervals,
            settings.requote_price_permille,
            settings.requote_energy_permille,
        )
        self._forecaster = forecaster
        self._caution_permille = settings.caution_permille
        self._known_end = -1
        self._samples: dict[int, list[int]] = {}
        """Per interval: net exports that are as likely as each other, ascending."""
        self._stored: frozenset[int] = frozenset()
        """Intervals in which most of what may be sold comes out of the battery."""

    @abstractmethod
    def _foresee(self, observation: Observation) -> None:
        """Renew `_samples` and `_stored`; called once for each hour that becomes known."""

    def _wish(self, observation: Observation, interval: int) -> Wish | None:
        if observation.history.end_interval != self._known_end:
            self._known_end = observation.history.end_interval
            self._foresee(observation)
        sample = self._samples.get(interval)
        window = self._window(interval, observation.time_ms)
        if sample is None or window.floor_micro > window.ceiling_micro:
            return None
        position_wh = observation.positions_wh.get(interval, 0)
        least_wh = self._terms.order_wh_min

        if self._site.sources:
            ask_micro = window.ceiling_micro - self._concession_micro(Side.SELL, observation, interval, window)
            spare_wh = self._worth_selling_wh(sample, ask_micro, position_wh, window) - position_wh
            if spare_wh >= least_wh:
                source = Source.STORAGE if interval in self._stored else Source.SOLAR
                return Wish(Side.SELL, source, ask_micro, self._cautious_wh(spare_wh))
        if position_wh > 0 and self._site.device is not None:
            return None  # where the sun fails a sale, the battery keeps it cheaper than buying back would
        bid_micro = window.floor_micro + self._concession_micro(Side.BUY, observation, interval, window)
        lack_wh = position_wh - self._worth_buying_wh(sample, bid_micro, position_wh, window)
        if lack_wh >= least_wh:
            return Wish(Side.BUY, Source.ANY, bid_micro + window.wheeling_micro, self._cautious_wh(lack_wh))
        return None

    def _cautious_wh(self, quantity_wh: int) -> int:
        return max(self._terms.order_wh_min, quantity_wh * (1000 - self._caution_permille) // 1000)

    def _concession_micro(self, side: Side, observation: Observation, interval: int, window: PriceWindow) -> int:
        """How far to move from the opening price towards the own limit, on the tick.

        By the share of the time that has passed, times twice the own side's share of the energy in the book.
        With both sides alike they meet in the middle of the window at half time; they always meet then, the
        nearer to the limit of the side that has plenty the scarcer the other is.
        """
        left_ms = max(0, self._terms.call_ms(interval) - observation.time_ms)
        elapsed_permille = 1000 - left_ms * 1000 // (self._horizon * INTERVAL_MS)
        book = observation.book.get(interval, EMPTY_BOOK)
        total_wh = book.bid_wh + book.ask_wh
        own_wh = book.bid_wh if side is Side.BUY else book.ask_wh
        share_permille = own_wh * 1000 // total_wh if total_wh else 500
        conceded_permille = min(1000, max(0, elapsed_permille * 2 * share_permille // 1000))
        room_micro = window.ceiling_micro - window.floor_micro
        return room_micro * conceded_permille // 1000 // self._terms.tick_micro * self._terms.tick_micro

    def _worth_selling_wh(self, sample: list[int], price_micro: int, position_wh: int, window: PriceWindow) -> int:
        """The position up to which a sale at this price gains on average.

        One more unit sold gains `price - buy-back` where the meter exceeds the position, and loses
        `tariff + spread - price` where it does not; selling back an unused purchase saves the spread besides.
        """
        terms = self._terms
        kept_micro = price_micro * (MILLION - terms.trading_fee_millionths) // MILLION
        gain_micro = kept_micro - terms.tariff.buy_back_micro
        worth_wh = self._quantile(sample, gain_micro, window)
        if position_wh < 0:
            worth_wh = max(worth_wh, min(0, self._quantile(sample, gain_micro + terms.imbalance_spread_micro, window)))
        return worth_wh

    def _worth_buying_wh(self, sample: list[int], price_micro: int, position_wh: int, window: PriceWindow) -> int:
        """The position down to which a purchase at this trade price gains on average: selling's mirror."""
        terms = self._terms
        fees = terms.grid_fee_millionths + terms.trading_fee_millionths
        paid_micro = price_micro * (MILLION + fees) // MILLION + window.wheeling_micro
        cost_micro = paid_micro - terms.tariff.buy_back_micro
        worth_wh = self._quantile(sample, cost_micro + terms.imbalance_spread_micro, window)
        if position_wh > 0:
            worth_wh = min(worth_wh, max(0, self._quantile(sample, cost_micro, window)))
        return worth_wh

    def _quantile(self, sample: list[int], numerator_micro: int, window: PriceWindow) -> int:
        """The sample's value at the share `numerator / (tariff + spread - buy-back)`: the newsvendor's."""
        terms = self._terms
        whole_micro = window.tariff_micro + terms.imbalance_spread_micro - terms.tariff.buy_back_micro
        return sample[min(len(sample) - 1, max(0, numerator_micro) * len(sample) // whole_micro)]
