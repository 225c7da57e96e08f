"""A forecast that learns: gradient-boosted trees for load and PV, beside the forecast by like days.

What is learned is how much an hour will differ from the forecast by like days, from what is known beforehand: lead,
hour, calendar, clear sky, the same hour yesterday and a week ago, and how the last hour has differed. Three quantiles
are learned for each (pinball loss, LightGBM's objective `quantile`); between them a normal distribution's shape stands
in. Load and PV are taken as independent, so their spreads add up by squares.

Once a day of the history the trees grow anew on the last weeks. Before that they are tried: trees that have not seen
the last days forecast them, and if their errors are not smaller than those of the forecast by like days, that one is
used for the day. So this forecast is never much worse than the one it is compared with.

Guarantees: only rows of the history given are read. The same history and the same calls before give the same integers
on the same machine: one thread, fixed seed, deterministic mode.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridtokenx.simulation.forecast import COURSES_MAX, LOAD_WEIGHTS_PERMILLE, PV_WEIGHTS_PERMILLE, Forecaster
from gridtokenx.simulation.observation import MeterHistory
from gridtokenx.simulation.scenario import ScenarioError, SkyTable
from gridtokenx.simulation.tariff_view import (
    INTERVALS_PER_HOUR,
    TimeOfUse,
    quarter_of_day,
)

try:
    import lightgbm
except (ImportError, OSError) as error:
    raise ScenarioError(
        f"agents of kind 'learned' need LightGBM, which cannot be loaded ({error}): install the Python package "
        "`lightgbm`, and the system's OpenMP library (Debian: `apt-get install libgomp1`)"
    ) from error

Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]

HOURS = 24
LOAD_WEIGHTS, PV_WEIGHTS = np.array(LOAD_WEIGHTS_PERMILLE) / 1000, np.array(PV_WEIGHTS_PERMILLE) / 1000
WINDOW_DAYS = 56
"""How far back training looks."""

TRIAL_DAYS = 3
"""How many last days a forecast is tried on."""

TRIAL_LEADS = 3
"""Up to which lead in hours: those at which orders are placed."""

ROWS_MIN = 300
_SUNNY, _RATIO_MAX = 0.05, 3.0
"""As in `Forecaster`: below this share of the clearest hour a ratio is noise, and no ratio counts for more."""

_TRAINED_LEADS = np.array((0, 1, 2, 4, 8, 15, 23))
_QUANTILES = (0.1, 0.5, 0.9)
_SPREAD_PERMILLE = (-1000, -657, -409, -198, 0, 198, 409, 657, 1000)
"""Courses: the quantiles 0.1 to 0.9 of a normal distribution, as shares of the distance of its outermost to its
middle."""

_PARAMETERS = {
    "objective": "quantile",
    "num_leaves": 8,
    "min_data_in_leaf": 20,
    "learning_rate": 0.1,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": 1,
    "verbosity": -1,
}
_ROUNDS = 60


class _Hours:
    """A history by the hour, and the calendar up to a day beyond it. Hour 0 is midnight of the first day."""

    def __init__(self, tariff: TimeOfUse, seasonal: Forecaster, history: MeterHistory) -> None:
        self._tariff, self._seasonal = tariff, seasonal
        self._first = history.first_interval - quarter_of_day(history.first_interval)
        self._padding = (history.first_interval - self._first) // INTERVALS_PER_HOUR
        self.known = 0
        self.load_wh, self.pv_wh = np.full(self._padding, np.nan), np.full(self._padding, np.nan)
        self.working, self.sky_wh = np.zeros(0, bool), np.zeros(0)
        self.back = np.zeros((0, COURSES_MAX), np.int64)
        """By day: how many hours back its like days lie, the last one first, 0 where there is none."""

    def learn(self, history: MeterHistory) -> None:
        """Take in the rows that have become known."""
        read = (len(self.load_wh) - self._padding) * INTERVALS_PER_HOUR
        self.load_wh = np.concatenate((self.load_wh, _hourly(history.load_wh[read:])))
        self.pv_wh = np.concatenate((self.pv_wh, _hourly(history.pv_wh[read:])))
        self.known = len(self.load_wh)
        self._extend_calendar()

    def _extend_calendar(self) -> None:
        """Up to the end of tomorrow."""
        begin, end = len(self.working), (self.known // HOURS + 2) * HOURS
        starts = [self._first + hour * INTERVALS_PER_HOUR for hour in range(begin, end)]
        limit = self._seasonal.pv_limit_wh
        working = np.array([self._tariff.is_working_day(start) for start in starts], bool)
        sky_wh = np.array([sum(limit(start + part) for part in range(INTERVALS_PER_HOUR)) for start in starts])
        self.working = np.concatenate((self.working, working))
        self.sky_wh = np.concatenate((self.sky_wh, sky_wh))
        days = self.working[::HOURS]
        rows = [self.back]
        for day in range(begin // HOURS, end // HOURS):
            like = np.flatnonzero(days[:day] == days[day])[::-1][:COURSES_MAX]
            rows.append(np.zeros((1, COURSES_MAX), np.int64))
            rows[-1][0, : len(like)] = (day - like) * HOURS
        self.back = np.concatenate(rows)


def _hourly(quarters_wh: Sequence[int]) -> Numbers:
    hours: Numbers = np.array(quarters_wh, np.float64).reshape(-1, INTERVALS_PER_HOUR).sum(axis=1)
    return hours


class _Known(NamedTuple):
    """What is known at the start of hours `origins` of hours `targets`, at most 23 hours later.

    `base` is the mean of the like days, each moved by how the last hour has differed from it, as `Forecaster` moves
    them: what the trees are to improve. NaN without any like day, which is never taken for a known value.
    """

    base: Numbers
    features: Numbers

    @classmethod
    def of(cls, values: Numbers, hours: _Hours, origins: Whole, targets: Whole, is_pv: bool) -> "_Known":
        last, leads = origins - 1, targets - origins
        back = hours.back[targets // HOURS]
        there = (back > 0) & (last[:, None] >= back)
        like = np.where(there, values[np.maximum(targets[:, None] - back, 0) * there], np.nan)
        usual = np.where(there, values[np.maximum(last[:, None] - back, 0)], np.nan)
        now = values[last][:, None]
        if is_pv:
            sunny = usual > np.max(hours.sky_wh) * _SUNNY
            ratio = np.where(sunny, np.minimum(_RATIO_MAX, now / np.where(sunny, usual, 1.0)), 1.0)
            moved = like * (1.0 + (ratio - 1.0) * PV_WEIGHTS[leads][:, None])
        else:
            moved = np.maximum(like + (now - usual) * LOAD_WEIGHTS[leads][:, None], 0.0)
        base = _mean_by_row(moved)
        mean = _mean_by_row(like)
        week = targets - 7 * HOURS
        features = np.column_stack(
            (
                leads,
                targets % HOURS,
                hours.working[targets],
                hours.sky_wh[targets],
                base,
                mean - base,
                values[np.maximum(targets - HOURS, 0)] - base,
                np.where(week >= 0, values[np.maximum(week, 0)], np.nan) - base,
                values[last] - _mean_by_row(usual),
                values[last],
                hours.pv_wh[last] / np.maximum(hours.sky_wh[last], 1.0),
            )
        )
        return cls(base, features)


def _mean_by_row(rows: Numbers) -> Numbers:
    """Of what is known; NaN for a row of nothing but NaN."""
    empty: NDArray[np.bool_] = np.asarray(np.isnan(rows).all(axis=1))
    return np.where(empty, np.nan, np.nanmean(np.where(empty[:, None], 0.0, rows), axis=1))


class LearnedForecaster:
    """Courses for one site, as `Forecaster` gives them; `is_learned` says which forecast the present day uses."""

    def __init__(self, tariff: TimeOfUse, pv_capacity_w: int, sky: SkyTable) -> None:
        self._seasonal = Forecaster(tariff, pv_capacity_w, sky)
        self._tariff = tariff
        self._pv_capacity_w = pv_capacity_w
        self._hours: _Hours | None = None
        self._day = -1
        self._load_trees: list[lightgbm.Booster] = []
        self._pv_trees: list[lightgbm.Booster] = []

    @property
    def is_learned(self) -> bool:
        """Whether the trees did better than the like days when they were tried."""
        return bool(self._load_trees)

    def courses(self, history: MeterHistory, count: int) -> list[list[int]]:
        """Surplus in Wh of the `count` intervals (at most a day) from the history's end on, by course.

        Histories must not become shorter from call to call. Empty when not one hour is known.
        """
        if self._hours is None:
            self._hours = _Hours(self._tariff, self._seasonal, history)
        hours = self._hours
        hours.learn(history)
        if hours.known // HOURS != self._day:
            self._day = hours.known // HOURS
            self._train(hours, history)
        last = (hours.known + -(-count // INTERVALS_PER_HOUR) - 1) // HOURS
        if not self._load_trees or (hours.back[hours.known // HOURS : last + 1, 0] == 0).any():
            return self._seasonal.courses(history, count)
        return self._learned_courses(hours, count)

    def _learned_courses(self, hours: _Hours, count: int) -> list[list[int]]:
        targets = hours.known + np.arange(-(-count // INTERVALS_PER_HOUR))
        origins = np.full(len(targets), hours.known)
        load = _predict(self._load_trees, _Known.of(hours.load_wh, hours, origins, targets, is_pv=False))
        pv = np.zeros_like(load)
        if self._pv_trees:
            pv = _predict(self._pv_trees, _Known.of(hours.pv_wh, hours, origins, targets, is_pv=True))
            pv = np.minimum(pv, self._pv_capacity_w)
        middle = pv[1] - load[1]
        below = np.hypot(pv[1] - pv[0], load[2] - load[1])
        above = np.hypot(pv[2] - pv[1], load[1] - load[0])
        courses = []
        for permille in _SPREAD_PERMILLE:
            hourly = middle + (below if permille < 0 else above) * permille / 1000
            quarters = np.repeat(np.rint(hourly / INTERVALS_PER_HOUR).astype(np.int64), INTERVALS_PER_HOUR)
            courses.append(quarters[:count].tolist())
        return courses

    def _train(self, hours: _Hours, history: MeterHistory) -> None:
        """Try, then grow; no trees when there is too little to learn from or when the trial was lost."""
        self._load_trees, self._pv_trees = [], []
        begin = hours.known - TRIAL_DAYS * HOURS
        if begin < HOURS or not self._wins_trial(hours, history, begin):
            return
        self._load_trees = _grow(hours.load_wh, hours, hours.known, _QUANTILES, is_pv=False)
        if self._pv_capacity_w:
            self._pv_trees = _grow(hours.pv_wh, hours, hours.known, _QUANTILES, is_pv=True)

    def _wins_trial(self, hours: _Hours, history: MeterHistory, begin: int) -> bool:
        """Whether trees grown on the hours before `begin` err less from there on than the like days' median does."""
        tried = np.arange(begin, hours.known - TRIAL_LEADS + 1)
        origins = np.repeat(tried, TRIAL_LEADS)
        targets = origins + np.tile(np.arange(TRIAL_LEADS), len(tried))
        surplus = np.zeros(len(targets))
        for values, sign in ((hours.load_wh, -1), (hours.pv_wh, 1)):
            is_pv = values is hours.pv_wh
            if is_pv and not self._pv_capacity_w:
                continue
            trees = _grow(values, hours, begin, (0.5,), is_pv)
            known = _Known.of(values, hours, origins, targets, is_pv)
            if not trees or np.isnan(known.base).any():
                return False
            surplus += sign * _predict(trees, known)[0]
        truth = hours.pv_wh[targets] - hours.load_wh[targets]
        skipped = hours.known * INTERVALS_PER_HOUR - len(history.load_wh)
        seasonal = []
        for origin in tried.tolist():
            end = origin * INTERVALS_PER_HOUR - skipped
            past = history._replace(load_wh=history.load_wh[:end], pv_wh=history.pv_wh[:end])
            courses = self._seasonal.courses(past, TRIAL_LEADS * INTERVALS_PER_HOUR)
            medians = [sorted(column)[len(column) // 2] for column in zip(*courses, strict=True)]
            seasonal += [
                sum(medians[part : part + INTERVALS_PER_HOUR]) for part in range(0, len(medians), INTERVALS_PER_HOUR)
            ]
        errors = np.abs(surplus - truth), np.abs(np.array(seasonal) - truth)
        return bool(errors[0].sum() < errors[1].sum())


def _predict(trees: list[lightgbm.Booster], known: _Known) -> Numbers:
    """A row for each of the trees' quantiles, ascending in each column, at least 0."""
    rows = np.array([each.predict(known.features, num_threads=1) for each in trees])
    return np.sort(np.maximum(rows + known.base, 0.0), axis=0)


def _grow(values: Numbers, hours: _Hours, end: int, quantiles: Sequence[float], is_pv: bool) -> list[lightgbm.Booster]:
    """Trees for each quantile, from hours before `end` alone; none when there are too few."""
    first = max(HOURS, end - WINDOW_DAYS * HOURS)
    origins = np.repeat(np.arange(first, end), len(_TRAINED_LEADS))
    targets = origins + np.tile(_TRAINED_LEADS, end - first)
    origins, targets = origins[targets < end], targets[targets < end]
    known = _Known.of(values, hours, origins, targets, is_pv)
    errors = values[targets] - known.base
    usable = ~np.isnan(errors)
    if usable.sum() < ROWS_MIN:
        return []
    weights = 1.0 / (1 + targets - origins)[usable]
    data = lightgbm.Dataset(
        known.features[usable], errors[usable], weight=weights, params=_PARAMETERS, free_raw_data=False
    )
    return [lightgbm.train(_PARAMETERS | {"alpha": alpha}, data, num_boost_round=_ROUNDS) for alpha in quantiles]
