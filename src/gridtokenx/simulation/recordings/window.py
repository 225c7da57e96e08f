"""Which days and which sites: the run of whole days that keeps most site-days."""

from datetime import date
from typing import NamedTuple

from gridtokenx.simulation.recordings.findings import Kind, RecordingError, Trouble
from gridtokenx.simulation.recordings.options import Options
from gridtokenx.simulation.recordings.repair import day_text

DAYS_MAX = 366
HISTORY_DAYS = 7
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


class Window(NamedTuple):
    """Days counted from the epoch: history in [first_day, start_day), deliveries in [start_day, end_day)."""

    first_day: int
    start_day: int
    end_day: int
    sites: tuple[str, ...]


def choose_window(days_of: dict[str, set[int]], seen: set[int], options: Options) -> tuple[Window, list[Trouble]]:
    """The window of whole days (`days_of`, by site), and which of the days `seen` it leaves out.

    Raises `RecordingError` when no site has a whole day in reach.
    """
    every = sorted(set().union(*days_of.values()))
    if not every:
        raise RecordingError(
            "no site has one whole day: days count from 00:00 to 24:00 in Bangkok, and gaps of more than an hour break "
            "them; --gaps like-day fills longer ones"
        )
    told_first = options.first_day.toordinal() - _EPOCH_ORDINAL if options.first_day is not None else None
    first, end, sites = _best(days_of, every, told_first, _wanted(options))
    history = options.history_days
    if history is None:
        history = HISTORY_DAYS if end - first >= 2 * HISTORY_DAYS and options.days is None else 0
        if options.days is not None:
            history = min(HISTORY_DAYS, max(0, end - first - options.days))
    start = first + history
    if start >= end:
        raise RecordingError(
            f"{end - first} whole days from {day_text(first)} are no more than the {history} of --history-days; "
            "take fewer, or fill gaps with --gaps like-day"
        )
    end = min(end, start + (options.days or DAYS_MAX))
    return Window(first, start, end, sites), _left_out(days_of, seen, first, end, sites)


def _wanted(options: Options) -> int:
    """Days that are looked for; as many as there are, when not told."""
    if options.days is None:
        return DAYS_MAX + (options.history_days if options.history_days is not None else HISTORY_DAYS)
    return options.days + (options.history_days if options.history_days is not None else HISTORY_DAYS)


def _best(
    days_of: dict[str, set[int]], every: list[int], told_first: int | None, wanted: int
) -> tuple[int, int, tuple[str, ...]]:
    """Begin, end and sites of most site-days; of equals the longer, then the earlier."""
    names = list(days_of)
    present = {day: sum(1 << at for at, name in enumerate(names) if day in days_of[name]) for day in every}
    best = (0, 0, 0, 0)
    for first in every if told_first is None else [told_first]:
        here, day = present.get(first, 0), first
        while here and day - first < wanted:
            day += 1
            best = max(best, (here.bit_count() * (day - first), day - first, -first, here))
            here &= present.get(day, 0)
    if not best[3]:
        raise RecordingError(
            f"--first-day {day_text(told_first or 0)}: no site has that whole day; whole days are between "
            f"{day_text(every[0])} and {day_text(every[-1])}"
        )
    _, length, minus_first, mask = best
    return -minus_first, -minus_first + length, tuple(name for at, name in enumerate(names) if mask >> at & 1)


def _left_out(
    days_of: dict[str, set[int]], seen: set[int], first: int, end: int, sites: tuple[str, ...]
) -> list[Trouble]:
    troubles = []
    for name, days in days_of.items():
        if name in sites:
            continue
        reason = f"has {len(days & set(range(first, end)))} whole days of the {end - first} from {day_text(first)}"
        done = "left out of the scenario: --gaps like-day fills long gaps, --first-day and --days choose others"
        troubles.append(Trouble(Kind.SITE_LEFT_OUT, "", 0, 0, name, len(days), reason, done))
    outside = {day for day in seen if not first <= day < end}
    if outside:
        whole = set.intersection(*(days_of[name] for name in sites))
        reason = f"{len(outside)} days lie before {day_text(first)} or from {day_text(end)} on"
        done = f"left out of the scenario: {len(outside - whole)} are not whole for every site"
        troubles.append(Trouble(Kind.DAYS_LEFT_OUT, "", 0, 0, "", len(outside), reason, done))
    return troubles
