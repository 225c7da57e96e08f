"""Agents: rules that turn an observation into intents. They hold no meter data but what observations
brought.

An agent never signs, sends or waits. It proposes at most one resting order for each interval, on the tick,
of at least the smallest order, within its position limits and its free money.
"""

from abc import ABC, abstractmethod
from random import Random
from typing import NamedTuple

from gridtokenx.simulation.battery import BatteryInstruction
from gridtokenx.simulation.battery_plan import BatteryPlan
from gridtokenx.simulation.forecast import Forecaster
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
from gridtokenx.simulation.scenario import PatientSettings, RandomSettings, Site, SkyTable
from gridtokenx.simulation.tariff_view import (
    INTERVAL_MS,
    INTERVALS_PER_DAY,
    INTERVALS_PER_HOUR,
    quarter_of_day,
)

_MILLION = 1_000_000
_EMPTY_BOOK = BookView(0, 0)


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

    @classmethod
    def of(cls, terms: MarketTerms, tariff_micro: int) -> "PriceWindow":
        """Fees and wheeling counted; floor rounded up to the tick, ceiling down. It may be empty."""
        tick = terms.tick_micro
        kept = _MILLION - terms.trading_fee_millionths
        floor = -(-terms.tariff.buy_back_micro * _MILLION // kept)
        paid = _MILLION + terms.grid_fee_millionths + terms.trading_fee_millionths
        ceiling = (tariff_micro - terms.wheeling_micro) * _MILLION // paid
        return cls(-(-floor // tick) * tick, ceiling // tick * tick, tariff_micro)


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
        self._forecaster = Forecaster(terms.tariff, site.export_capacity_w("solar"), sky)
        self._windows: dict[int, PriceWindow] = {}

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
        first = self._terms.first_open_interval(observation.time_ms)
        for interval in range(first, min(first + self._horizon, observation.open_until_interval)):
            wish = self._limited(self._wish(observation, interval), observation, interval)
            present = orders.get(interval)
            if present is not None and (wish is None or (wish.side, wish.source) != (present.side, present.source)):
                cancels.append(CancelIntent(present.order_id))
                money_micro += self._hold_micro(present.side, present.price_micro, present.open_wh, interval)
                present = None
            if wish is None or (present is not None and not self._differs(wish, present)):
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

    def _differs(self, wish: Wish, present: OpenOrder) -> bool:
        """Whether a resting order of the same side and source is worth changing: that costs its place."""
        window = self._window(present.interval)
        price_step = (window.ceiling_micro - window.floor_micro) * self._requote_price_permille // 1000
        energy_step = max(self._terms.order_wh_min, present.open_wh * self._requote_energy_permille // 1000)
        return (
            abs(wish.price_micro - present.price_micro) > price_step
            or abs(wish.quantity_wh - present.open_wh) > energy_step
        )

    def _window(self, interval: int) -> PriceWindow:
        window = self._windows.get(interval)
        if window is None:
            tariff_micro = self._terms.tariff.price_micro(interval)
            window = self._windows[interval] = PriceWindow.of(self._terms, tariff_micro)
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
            return self._forecaster.pv_limit_wh(interval)
        return self._site.export_capacity_w("storage") // INTERVALS_PER_HOUR

    def _hold_micro(self, side: Side, price_micro: int, quantity_wh: int, interval: int) -> int:
        """What the market holds for an order, rounded up: worst cost of a buyer, collateral of a seller."""
        terms = self._terms
        value_micro = price_micro * quantity_wh // 1000
        if side is Side.BUY:
            fees = terms.grid_fee_millionths + terms.trading_fee_millionths
            return value_micro + value_micro * fees // _MILLION + 1
        short_micro = max(0, self._window(interval).tariff_micro - price_micro) + terms.imbalance_spread_micro
        return short_micro * quantity_wh // 1000 + value_micro * terms.trading_fee_millionths // _MILLION + 2


class PatientAgent(Agent):
    """Sells what the forecast expects to be left over, buys what it expects to lack, if the price is right.

    Price: it starts where the other side can just agree and concedes towards its own limit as the gate
    nears; the side with more energy in the book concedes faster. Quantity: the quantile of the forecast's
    courses at which one more unit gains as much as it risks, given what an undelivered sale or an unused
    purchase costs.

    Settings: how many intervals ahead it trades; by how much it trades less than wanted (caution); from
    which change of price (share of the window) or of energy (share of the open order) on it changes a
    resting order.
    """

    def __init__(self, site: Site, terms: MarketTerms, sky: SkyTable, settings: PatientSettings) -> None:
        super().__init__(
            site,
            terms,
            sky,
            settings.horizon_intervals,
            settings.requote_price_permille,
            settings.requote_energy_permille,
        )
        self._caution_permille = settings.caution_permille
        self._device = site.device
        self._known_end = -1
        self._samples: dict[int, list[int]] = {}  # per interval: net export of each course, ascending
        self._sunny: frozenset[int] = frozenset()  # intervals in which PV is expected to exceed load

    def _wish(self, observation: Observation, interval: int) -> Wish | None:
        if observation.history.end_interval != self._known_end:
            self._foresee(observation)
        sample = self._samples.get(interval)
        window = self._window(interval)
        if sample is None or window.floor_micro > window.ceiling_micro:
            return None
        position_wh = observation.positions_wh.get(interval, 0)
        least_wh = self._terms.order_wh_min

        if self._site.sources:
            ask_micro = window.ceiling_micro - self._concession_micro(Side.SELL, observation, interval, window)
            spare_wh = self._worth_selling_wh(sample, ask_micro, position_wh, window) - position_wh
            if spare_wh >= least_wh:
                source = Source.SOLAR if interval in self._sunny or self._device is None else Source.STORAGE
                return Wish(Side.SELL, source, ask_micro, self._cautious_wh(spare_wh))
        if position_wh > 0 and self._device is not None:
            return None  # where the sun fails a sale, the battery keeps it cheaper than buying back would
        bid_micro = window.floor_micro + self._concession_micro(Side.BUY, observation, interval, window)
        lack_wh = position_wh - self._worth_buying_wh(sample, bid_micro, position_wh, window)
        if lack_wh >= least_wh:
            return Wish(Side.BUY, Source.ANY, bid_micro + self._terms.wheeling_micro, self._cautious_wh(lack_wh))
        return None

    def _cautious_wh(self, quantity_wh: int) -> int:
        return max(self._terms.order_wh_min, quantity_wh * (1000 - self._caution_permille) // 1000)

    def _concession_micro(self, side: Side, observation: Observation, interval: int, window: PriceWindow) -> int:
        """How far to move from the opening price towards the own limit, on the tick.

        With both books alike the two sides meet in the middle of the window at half time; the scarcer side
        concedes half as fast at most, the other up to one and a half times, so they still meet then, nearer
        to the limit of the side that has plenty.
        """
        left_ms = self._terms.gate_ms(interval) - observation.time_ms
        elapsed_permille = 1000 - left_ms * 1000 // (self._horizon * INTERVAL_MS)
        book = observation.book.get(interval, _EMPTY_BOOK)
        total_wh = book.bid_wh + book.ask_wh
        own_wh = book.bid_wh if side is Side.BUY else book.ask_wh
        share_permille = own_wh * 1000 // total_wh if total_wh else 500
        conceded_permille = min(1000, max(0, elapsed_permille * (500 + share_permille) // 1000))
        room_micro = window.ceiling_micro - window.floor_micro
        return room_micro * conceded_permille // 1000 // self._terms.tick_micro * self._terms.tick_micro

    def _worth_selling_wh(self, sample: list[int], price_micro: int, position_wh: int, window: PriceWindow) -> int:
        """The position up to which a sale at this price gains on average.

        One more unit sold gains `price - buy-back` where the meter exceeds the position, and loses
        `tariff + spread - price` where it does not; selling back an unused purchase saves the spread besides.
        """
        terms = self._terms
        kept_micro = price_micro * (_MILLION - terms.trading_fee_millionths) // _MILLION
        gain_micro = kept_micro - terms.tariff.buy_back_micro
        worth_wh = self._quantile(sample, gain_micro, window)
        if position_wh < 0:
            worth_wh = max(worth_wh, min(0, self._quantile(sample, gain_micro + terms.imbalance_spread_micro, window)))
        return worth_wh

    def _worth_buying_wh(self, sample: list[int], price_micro: int, position_wh: int, window: PriceWindow) -> int:
        """The position down to which a purchase at this trade price gains on average: selling's mirror."""
        terms = self._terms
        fees = terms.grid_fee_millionths + terms.trading_fee_millionths
        paid_micro = price_micro * (_MILLION + fees) // _MILLION + terms.wheeling_micro
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

    def _foresee(self, observation: Observation) -> None:
        """Renew the samples; done once for each hour that becomes known."""
        history = observation.history
        start = self._known_end = history.end_interval
        first_open = self._terms.first_open_interval(observation.time_ms)
        end = first_open + INTERVALS_PER_HOUR + self._horizon
        evening = self._peak_end(first_open)
        if self._device is not None and evening is not None:
            end = max(end, evening)
        courses = self._forecaster.courses(history, min(end - start, INTERVALS_PER_DAY))
        middle = len(courses) // 2
        columns = [sorted(column) for column in zip(*courses, strict=True)]
        self._sunny = frozenset(start + offset for offset, column in enumerate(columns) if column[middle] > 0)
        if self._device is not None:
            ends = evening if evening is not None and evening - start <= INTERVALS_PER_DAY else None
            plan = BatteryPlan(self._device, self._terms, self._site.export_capacity_w("storage"), first_open, ends)
            exports = [plan.exports(course, observation) for course in courses]
            columns = [sorted(column) for column in zip(*exports, strict=True)]
        self._samples = {start + offset: column for offset, column in enumerate(columns)}

    def _peak_end(self, interval: int) -> int | None:
        """The end of the on-peak hours on the interval's day, None when they are over or there are none."""
        tariff = self._terms.tariff
        end = interval - quarter_of_day(interval) + tariff.on_peak_to_hour * INTERVALS_PER_HOUR
        return end if interval < end and tariff.is_working_day(interval) else None


class RandomAgent(Agent):
    """Zero intelligence: yesterday's side, a random share of it, a random price that loses nothing."""

    def __init__(self, site: Site, terms: MarketTerms, sky: SkyTable, settings: RandomSettings, random: Random) -> None:
        super().__init__(site, terms, sky, settings.horizon_intervals)
        self._random = random

    def _wish(self, observation: Observation, interval: int) -> Wish | None:
        for order in observation.open_orders:
            if order.interval == interval:
                return Wish(order.side, order.source, order.price_micro, order.open_wh)
        history = observation.history
        index = interval - INTERVALS_PER_DAY - history.first_interval
        window = self._window(interval)
        if not 0 <= index < len(history.load_wh) or window.floor_micro > window.ceiling_micro:
            return None
        tick = self._terms.tick_micro
        price_micro = self._random.randrange(window.floor_micro, window.ceiling_micro + tick, tick)
        percent = self._random.randint(20, 100)
        surplus_wh = (history.pv_wh[index] - history.load_wh[index]) * percent // 100
        lack_wh = -surplus_wh - max(0, -observation.positions_wh.get(interval, 0))
        spare_wh = surplus_wh - max(0, observation.positions_wh.get(interval, 0))
        if spare_wh > 0:
            return Wish(Side.SELL, Source.SOLAR, price_micro, spare_wh)
        if lack_wh > 0:
            return Wish(Side.BUY, Source.ANY, price_micro + self._terms.wheeling_micro, lack_wh)
        return None


def make_agent(site: Site, terms: MarketTerms, sky: SkyTable, seed: int) -> Agent:
    """The agent that the scenario names for a site; `seed` matters to the random kind only."""
    if isinstance(site.agent, RandomSettings):
        return RandomAgent(site, terms, sky, site.agent, Random(f"{seed} {site.name}"))
    return PatientAgent(site, terms, sky, site.agent)
