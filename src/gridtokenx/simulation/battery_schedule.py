"""The best use of a battery over the day ahead, by dynamic programming over the courses of a forecast.

Backwards, hour by hour, each level of charge gets the money that is still to be had from it: the mean over the courses
of the best move in each. Forwards, each course follows its best moves. What is imported costs the tariff, what is
exported brings the middle of the price window; what is left at the end is worth what it saves to refill, or to sell.
Of moves that bring the same the one is taken that leaves less in the store: it sells early and fills late.

Integers throughout: energy in Wh, money in millionths.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridtokenx.simulation.battery import Battery
from gridtokenx.simulation.observation import MarketTerms
from gridtokenx.simulation.tariff_view import INTERVALS_PER_HOUR

Whole = NDArray[np.int64]

LEVELS = 24
"""Steps between empty and full."""

_NEVER = -(10**15)


class _Step(NamedTuple):
    """Some intervals of one hour, at one price for import and one for export (micro per kWh)."""

    offset: int
    length: int
    import_micro: int
    export_micro: int


class BatterySchedule(NamedTuple):
    """One site's battery. `sale_micro` and the tariff say what exchanged energy is worth."""

    device: Battery
    terms: MarketTerms

    def exports(self, courses: Sequence[Sequence[int]], start: int, charges_wh: Sequence[int]) -> list[list[int]]:
        """Net export in each interval from `start` on, by course; each course begins with a charge of its own."""
        steps = self._steps(start, len(courses[0]))
        surplus = np.array(
            [[sum(course[step.offset : step.offset + step.length]) for step in steps] for course in courses]
        )
        levels = np.arange(LEVELS + 1) * self.device.capacity_wh // LEVELS
        policy = self._policy(steps, surplus, levels)
        answers = []
        for number, course in enumerate(courses):
            level = int(np.searchsorted(levels, charges_wh[number], side="right")) - 1
            exports: list[int] = []
            for step, best in zip(steps, policy, strict=True):
                after = int(best[number, level])
                taken_wh = int(self._taken_wh(levels[after] - levels[level]))
                for part in range(step.length):
                    share_wh = taken_wh * (part + 1) // step.length - taken_wh * part // step.length
                    exports.append(course[step.offset + part] - share_wh)
                level = after
            answers.append(exports)
        return answers

    def _policy(self, steps: list[_Step], surplus: Whole, levels: Whole) -> list[Whole]:
        """For each step, course and level: the best level after it."""
        moves = levels[None, :] - levels[:, None]
        taken_wh = self._taken_wh(moves)
        value = levels * self._last_micro() // 1000
        policy = []
        for number in range(len(steps) - 1, -1, -1):
            step = steps[number]
            most_wh = self.device.power_w * step.length // INTERVALS_PER_HOUR
            exported = surplus[:, number, None, None] - taken_wh
            money = exported * np.where(exported > 0, step.export_micro, step.import_micro) // 1000
            money = np.where(np.abs(taken_wh) <= most_wh, money, _NEVER) + value
            policy.append(money.argmax(axis=2))
            value = money.max(axis=2).sum(axis=0) // len(surplus)
        return policy[::-1]

    def _taken_wh(self, moves_wh: Whole) -> Whole:
        """What a change of charge draws from the connection: losses when it rises, negative when it falls."""
        return np.where(moves_wh > 0, -(-moves_wh * 1000 // self.device.round_trip_permille), moves_wh)

    def _steps(self, start: int, count: int) -> list[_Step]:
        """The intervals by the hour; the first and the last may have fewer than four."""
        steps = []
        offset = 0
        while offset < count:
            length = min(INTERVALS_PER_HOUR - (start + offset) % INTERVALS_PER_HOUR, count - offset)
            tariff_micro = self.terms.tariff.price_micro(start + offset)
            steps.append(_Step(offset, length, tariff_micro, self.sale_micro(tariff_micro)))
            offset += length
        return steps

    def sale_micro(self, tariff_micro: int) -> int:
        """What a kWh may bring: the middle between buy-back and tariff less wheeling, at least the buy-back."""
        buy_back_micro = self.terms.tariff.buy_back_micro
        return max(buy_back_micro, (buy_back_micro + tariff_micro - self.terms.wheeling_micro) // 2)

    def _last_micro(self) -> int:
        """A kWh left at the end: a little less than to refill it off-peak, not more than it would sell for on-peak."""
        tariff = self.terms.tariff
        refill_micro = tariff.off_peak_micro * 1000 // self.device.round_trip_permille
        return min(refill_micro - self.terms.tick_micro, self.sale_micro(tariff.on_peak_micro))
