"""The maker: a dealer without a site that stands on both sides of each interval, and earns the spread and the rebate.

It quotes around the middle of the others' best purchase and best sale; where a side has none, around what that side
has elsewhere: a seller the buy-back, a buyer the tariff, fees and wheeling counted (`PriceWindow`). What it has sold
and not bought back costs more than the tariff in the end, what it has bought and not sold brings less than the
buy-back: so its position shifts both its prices towards an end of that window, and where the licence ends it stands on
the other side alone. In a call phase, which counts for no maker's presence, its orders stay as they are.
"""

from gridtokenx.simulation.agents.agent import TRAVEL_MS, PriceWindow
from gridtokenx.simulation.observation import (
    AmendIntent,
    BestPrices,
    CancelIntent,
    EnrolIntent,
    Intent,
    MarketTerms,
    Observation,
    OpenOrder,
    OrderKind,
    PlaceIntent,
    Side,
    Source,
)
from gridtokenx.simulation.scenario import MakerTable

NOBODY_ELSE = BestPrices(None, None)


class MakerAgent:
    """One purchase and one sale in each open interval ahead. It enrols with its first decision; the ledger refuses
    that of one who is a maker already."""

    def __init__(self, settings: MakerTable, terms: MarketTerms) -> None:
        self._settings, self._terms = settings, terms
        self._is_enrolled = False

    def decide(self, observation: Observation) -> list[Intent]:
        """Amendments rather than cancellations: presence does not end with them."""
        intents: list[Intent] = [] if self._is_enrolled else [EnrolIntent()]
        self._is_enrolled = True
        resting = {(order.interval, order.side): order for order in observation.open_orders}
        first = self._terms.first_open_interval(observation.time_ms + TRAVEL_MS)
        money_micro = observation.free_micro
        for interval in range(first, min(first + self._settings.horizon_intervals, observation.open_until_interval)):
            if observation.time_ms + TRAVEL_MS >= self._terms.call_ms(interval):
                continue
            sold_wh = observation.positions_wh.get(interval, 0)
            for side, price_micro in self._quotes(observation, interval, sold_wh).items():
                present = resting.get((interval, side))
                room_wh = self._settings.licence_wh + (sold_wh if side is Side.BUY else -sold_wh)
                quantity_wh = min(self._settings.quote_wh, room_wh)
                hold_micro = self._hold_micro(side, price_micro, quantity_wh, interval)
                held_micro = 0
                if present is not None:
                    held_micro = self._hold_micro(side, present.price_micro, present.open_wh, interval)
                intent = self._intent(interval, side, price_micro, quantity_wh, present)
                if intent is not None and hold_micro - held_micro <= money_micro:
                    money_micro -= hold_micro - held_micro
                    intents.append(intent)
        return intents

    def _quotes(self, observation: Observation, interval: int, sold_wh: int) -> dict[Side, int]:
        """Limits, the purchase's delivered: half the spread below and above the middle."""
        terms, tick = self._terms, self._terms.tick_micro
        window = PriceWindow.of(terms, terms.tariff.price_micro(interval), terms.wheeling_micro)
        best = observation.best.get(interval, NOBODY_ELSE)
        low_micro = window.floor_micro if best.bid_micro is None else best.bid_micro - terms.wheeling_micro
        high_micro = window.ceiling_micro if best.ask_micro is None else best.ask_micro
        middle_micro = (low_micro + high_micro) // 2
        used_permille = abs(sold_wh) * 1_000 // self._settings.licence_wh
        end_micro = window.ceiling_micro if sold_wh > 0 else window.floor_micro
        middle_micro += (end_micro - middle_micro) * used_permille // 1_000
        half_micro = min(self._settings.spread_micro, max(window.ceiling_micro - window.floor_micro, 0)) // 2
        bid_micro = (middle_micro - half_micro) // tick * tick
        return {
            Side.BUY: bid_micro + terms.wheeling_micro,
            Side.SELL: max((middle_micro + half_micro) // tick * tick, bid_micro + tick),
        }

    def _intent(
        self, interval: int, side: Side, price_micro: int, quantity_wh: int, present: OpenOrder | None
    ) -> Intent | None:
        """What brings the order of this side there; None if it is."""
        if quantity_wh < self._terms.order_wh_min:
            return None if present is None else CancelIntent(present.order_id)
        if present is None:
            source = Source.ANY if side is Side.BUY else Source.CONVENTIONAL
            return PlaceIntent(interval, side, source, OrderKind.LIMIT, price_micro, quantity_wh)
        if (present.price_micro, present.open_wh) == (price_micro, quantity_wh):
            return None
        return AmendIntent(present.order_id, price_micro, quantity_wh)

    def _hold_micro(self, side: Side, price_micro: int, quantity_wh: int, interval: int) -> int:
        """What the ledger holds for the order, rounded up."""
        terms = self._terms
        value = -(-price_micro * quantity_wh // 1_000)
        if side is Side.BUY:
            return value + value * (terms.grid_fee_millionths + terms.trading_fee_millionths) // 1_000_000 + 1
        risk_micro = max(terms.tariff.price_micro(interval) - price_micro, 0) + terms.imbalance_spread_micro
        return -(-risk_micro * quantity_wh // 1_000) + value * terms.trading_fee_millionths // 1_000_000 + 1
