"""Possible courses of a site's surplus (PV minus load) for the hours ahead, from past rows and the clear
sky alone.

A forecast here is not one number but a handful of equally likely courses, one for each like day of the past
(working days for working days, other days for other days), each moved by how today has differed from that
day in the last hour that is known. Load differs by an amount, PV by a ratio (the clouds), and both
differences fade with the lead. An agent takes quantiles across the courses. Where no like day is known yet,
the courses are a fan around the last known hour's load and around the clear sky times the plant's capacity.

Integers throughout; divisions round down.
"""

from gridtokenx.simulation.observation import MeterHistory
from gridtokenx.simulation.scenario import SkyTable
from gridtokenx.simulation.tariff_view import (
    INTERVALS_PER_DAY,
    INTERVALS_PER_HOUR,
    TimeOfUse,
    bangkok_day,
    month_of_day,
    quarter_of_day,
)

COURSES_MAX = 8
_LIKE_DAYS_MIN = 3  # with fewer, each like day is also shown smaller and larger
_FEW_DAYS_PERCENT = (70, 100, 130)
_NO_DAY_PERCENT = (50, 75, 100, 130, 170)
_NO_DAY_SUN_PERCENT = (125, 115, 100, 80, 45)
_NO_DAY_CLEARNESS_PERCENT = 75  # of the sky table, which stands a fifth above the clear sky
_RATIO_PERMILLE_MAX = 3000


def _fade(first_permille: int, factor_permille: int) -> tuple[int, ...]:
    weights = [first_permille]
    while len(weights) < 48:
        weights.append(weights[-1] * factor_permille // 1000)
    return tuple(weights)


# By hours of lead. Chosen on weeks of January and February of the same recordings, which no scenario ships.
LOAD_WEIGHTS_PERMILLE = _fade(600, 700)
PV_WEIGHTS_PERMILLE = _fade(900, 900)


def pv_limit_wh(pv_capacity_w: int, sky: SkyTable, interval: int) -> int:
    """The most that PV can give in an interval: capacity times the sky factor."""
    factor = sky[month_of_day(bangkok_day(interval)) - 1][quarter_of_day(interval)]
    return pv_capacity_w // INTERVALS_PER_HOUR * factor // 1000


class Forecaster:
    """Courses for one site: its calendar, PV capacity (0 for none) and sky are known beforehand."""

    def __init__(self, tariff: TimeOfUse, pv_capacity_w: int, sky: SkyTable) -> None:
        self._tariff = tariff
        self._pv_capacity_w = pv_capacity_w
        self._sky = sky

    def pv_limit_wh(self, interval: int) -> int:
        """The most that the site's PV can give in an interval."""
        return pv_limit_wh(self._pv_capacity_w, self._sky, interval)

    def courses(self, history: MeterHistory, count: int) -> list[list[int]]:
        """Surplus in Wh of the `count` intervals (at most a day) from the history's end on, by course.

        Empty when not one hour is known: then there is nothing to go by.
        """
        if len(history.load_wh) < INTERVALS_PER_HOUR:
            return []
        start = history.end_interval
        days = range(bangkok_day(start - INTERVALS_PER_HOUR), bangkok_day(start + count - 1) + 1)
        variants = {day: self._variants(history, day) for day in days}
        number = len(variants[bangkok_day(start)])
        return [self._course(history, count, variants, course) for course in range(number)]

    def _variants(self, history: MeterHistory, day: int) -> list[tuple[int, int, int]]:
        """For a day: how many days back a like day lies (0: there is none), percents of load and PV."""
        noon = INTERVALS_PER_DAY // 2
        target = day * INTERVALS_PER_DAY + noon
        working = self._tariff.is_working_day(target)
        known_days = day - bangkok_day(history.first_interval)
        back = [
            days
            for days in range(1, known_days + 1)
            if self._tariff.is_working_day(target - days * INTERVALS_PER_DAY) == working
        ][:COURSES_MAX]
        if len(back) >= _LIKE_DAYS_MIN:
            return [(days, 100, 100) for days in back]
        if back:
            return [(days, percent, 200 - percent) for days in back for percent in _FEW_DAYS_PERCENT]
        return [(0, *percents) for percents in zip(_NO_DAY_PERCENT, _NO_DAY_SUN_PERCENT, strict=True)]

    def _course(
        self, history: MeterHistory, count: int, variants: dict[int, list[tuple[int, int, int]]], number: int
    ) -> list[int]:
        first, start = history.first_interval, history.end_interval
        loads, pvs = history.load_wh, history.pv_wh
        last_hour = range(start - INTERVALS_PER_HOUR, start)
        last_load_wh = sum(loads[-INTERVALS_PER_HOUR:]) // INTERVALS_PER_HOUR
        last_pv_wh = sum(pvs[-INTERVALS_PER_HOUR:])

        def variant(interval: int) -> tuple[int, int, int]:
            choices = variants[bangkok_day(interval)]
            return choices[number % len(choices)]

        def like(interval: int) -> tuple[int, int]:
            """Load and PV as they were on this course's like day, or what stands for them without one."""
            days = variant(interval)[0]
            index = interval - days * INTERVALS_PER_DAY - first
            if days and index >= 0:
                return loads[index], pvs[index]
            return last_load_wh, self.pv_limit_wh(interval) * _NO_DAY_CLEARNESS_PERCENT // 100

        like_load_wh, like_pv_wh = (sum(values) for values in zip(*map(like, last_hour), strict=True))
        news_wh = last_load_wh - like_load_wh // INTERVALS_PER_HOUR
        ratio_permille = 1000
        if like_pv_wh * 20 > self._pv_capacity_w:  # above 5 % of capacity; below, a ratio is noise
            ratio_permille = min(_RATIO_PERMILLE_MAX, last_pv_wh * 1000 // like_pv_wh)

        course = []
        for offset in range(count):
            interval = start + offset
            lead = offset // INTERVALS_PER_HOUR
            days, load_percent, pv_percent = variant(interval)
            load_wh, pv_wh = like(interval)
            if days:
                load_wh = max(0, load_wh + news_wh * LOAD_WEIGHTS_PERMILLE[lead] // 1000)
            load_wh = load_wh * load_percent // 100
            if pv_wh:
                pv_wh = pv_wh * (1_000_000 + (ratio_permille - 1000) * PV_WEIGHTS_PERMILLE[lead]) // 1_000_000
                pv_wh = min(pv_wh * pv_percent // 100, self._pv_capacity_w // INTERVALS_PER_HOUR)
            course.append(pv_wh - load_wh)
        return course
