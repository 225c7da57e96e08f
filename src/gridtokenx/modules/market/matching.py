"""Matching: an incoming order meets what rests in a book (`book.py`). It moves no money.

Orders are met in the order of delivered price (seller's limit + wheeling; for an incoming seller the buyer's limit -
wheeling, highest first), then nearness, then place. Energy goes from feeder to feeder as far as the links between have
capacity (`modules/grid`). When one is used up, the ways that are left count: farther, dearer, or none.

Costs: an incoming order looks at the queues of its own feeder, the best first, then at zones as long as one of them
could be better; then each order that it meets costs O(log queues).
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from enum import IntEnum

import msgspec

from gridtokenx.ledger.limits import MATCH_STEPS_PER_ORDER_MAX
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.topology import SAME_FEEDER, SAME_ZONE, Route, Step, feeder_step
from gridtokenx.modules.identity.state import PARTICIPANTS, are_related
from gridtokenx.modules.market.book import Book, Entry, Half, Head, Level, Queue, number_of, rank_of
from gridtokenx.modules.market.messages import Scope
from gridtokenx.modules.market.state import ORDERS, Order

TakePlace = Callable[[], int]
"""Gives the next place of the chain."""


class Stopped(IntEnum):
    """Why matching ended although there was more to meet: then the rest of the order must not rest."""

    NO = 0
    RELATED = 1
    STEP_LIMIT = 2
    BAND = 3
    """It would trade beyond a price band (`bands.py`)."""


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One trade with a resting order, `maker`, as it was before. The seller gets the price, the buyer pays price and
    wheeling (millionths of a WATT per kWh). `zones`: all that the energy passes, if it crosses borders."""

    key: bytes
    maker: Order
    quantity_wh: int
    price_micro: int
    wheeling_micro: int
    zones: tuple[int, ...]


class Matched(msgspec.Struct, frozen=True, gc=False):
    """What an incoming order met, in the order in which it met it; `expired` are orders that did not trade."""

    fills: Sequence[Fill]
    expired: Sequence[tuple[bytes, Order]]
    filled_wh: int
    stopped: Stopped


Turn = tuple[Queue, Route | None, int | None]
"""A queue whose first order is the best that an incoming one can meet; the way to it, if it is on another feeder; and
the place of the first order that is as good in another queue, if there is one: it comes before later ones."""

# Names that matching would otherwise look up for each order.
_ORDERS = ORDERS.prefix
_PARTICIPANTS = PARTICIPANTS.prefix
_SCOPE_FEEDER = int(Scope.FEEDER)
_NO, _RELATED, _STEP_LIMIT, _ = Stopped
_NOWHERE: tuple[int, ...] = ()
MET_NOTHING = Matched((), (), 0, _NO)
_replace = msgspec.structs.replace


def match(  # noqa: C901, PLR0912, PLR0915  a call for each turn or order would cost a quarter of the book's speed
    state: State, book: Book, wheeling: tuple[int, ...], taker: Order, time_ms: int, take_place: TakePlace
) -> Matched:
    """Let an incoming order, which is not in the book, meet what rests there.

    `wheeling`: per kWh, by nearness. Each order met is one step: it trades at its own limit (a buyer's less wheeling),
    or, expired, is taken out without trading, or, a related party's, stops the matching; so does the limit of steps.
    Orders that trade in full or have expired leave ORDERS and the book, one that trades in part stays with less; one
    that shows a part of itself only goes to the back of its level with the next part. The energy is counted on the
    links that it goes over. What is left of the taker is the caller's, to rest or to drop.
    """
    if selling := taker.side:
        bound, sources, half = -taker.price_micro, 1 << taker.source, book.buyers
    else:
        bound, sources, half = taker.price_micro, taker.source, book.sellers
    turn = _first(book, half, wheeling, taker, bound, sources)
    if turn is None:
        return MET_NOTHING
    met: list[Fill] = []
    expired: list[tuple[bytes, Order]] = []
    again: list[Entry] = []
    state.undo.append((_undo_match, book, met))
    orders, dirty = book.orders, state.dirty[_ORDERS]
    left_wh, own = taker.remaining_wh, taker.participant
    participant = state.rows[_PARTICIPANTS].get(own)
    has_group = participant is not None and participant.group != 0
    steps, stopped = MATCH_STEPS_PER_ORDER_MAX, _NO
    while turn is not None:
        if not steps:
            stopped = _STEP_LIMIT
            break
        queue, route, rival = turn
        # It has its turn with one level, as far as links, steps and rivals let it.
        if route is None:
            charge, zones, path, budget_wh = wheeling[SAME_FEEDER], _NOWHERE, _NOWHERE, left_wh
        else:
            budget_wh = left_wh
            charge, zones, path = wheeling[route.nearness], route.zones, _path(book, route, queue, taker)
            if path:
                budget_wh = book.network.free_wh(path, left_wh)
        rank = queue.ranks[-1]
        portion = level = queue.levels[rank]
        if rival is not None or len(level) > steps:
            portion = _portion(level, steps, rival)
        price_micro = rank - charge if selling else -rank
        unused_wh, used = budget_wh, 0
        for _, key in portion:
            maker = orders[key]
            if maker.expires_ms <= time_ms:
                met.append(Fill(key, maker, 0, 0, 0, ()))
                expired.append((key, maker))
                del orders[key]
            elif maker.participant == own or (has_group and are_related(state, own, maker.participant)):
                stopped = _RELATED
                break
            else:
                open_wh = maker.shown_wh or maker.remaining_wh
                if open_wh > unused_wh:
                    met.append(Fill(key, maker, unused_wh, price_micro, charge, zones))
                    orders[key] = _reduced(maker, unused_wh)
                    dirty[key] = None
                    unused_wh = 0
                    break
                met.append(Fill(key, maker, open_wh, price_micro, charge, zones))
                unused_wh -= open_wh
                if open_wh == maker.remaining_wh:
                    del orders[key]
                else:
                    again.append(_show_next(state, key, maker, take_place()))
            dirty[key] = None
            used += 1
            if not unused_wh:
                break
        if used:
            steps -= used
            if used == len(level) and not again:
                queue.ranks.pop()
                del queue.levels[rank]
            else:
                del level[:used]
                level += again
                again.clear()
            if half.only is None or not queue.ranks:
                book.tidy(queue)
        if path:
            book.network.use(state, path, budget_wh - unused_wh)
        left_wh -= budget_wh - unused_wh
        if not left_wh or stopped:
            break
        turn = _first(book, half, wheeling, taker, bound, sources)
    fills = [fill for fill in met if fill.quantity_wh] if expired else met
    return Matched(fills, expired, taker.remaining_wh - left_wh, stopped)


def _reduced(order: Order, met_wh: int) -> Order:
    """An order that traded in part."""
    left_wh = order.remaining_wh - met_wh
    if order.shown_wh:
        return _replace(order, remaining_wh=left_wh, shown_wh=order.shown_wh - met_wh)
    return _replace(order, remaining_wh=left_wh)


def _first(book: Book, half: Half, wheeling: tuple[int, ...], taker: Order, bound: int, sources: int) -> Turn | None:
    """Whose turn it is of those that cost (wheeling - rank) at most `bound`; None if there are none."""
    near, alone = wheeling[SAME_FEEDER], half.only
    if alone is not None:
        if alone.feeder == taker.feeder:
            return (alone, None, None) if near - alone.ranks[-1] <= bound and alone.sources & sources else None
        half.list_again(alone)
    found = rival = None
    for minus_rank, place, theirs, queue in half.at.get(taker.feeder, ()):
        if near + minus_rank > bound:
            break
        if theirs & sources:
            if found is not None:
                rival = place
                break
            found, bound = queue, near + minus_rank
    if found is not None:
        bound -= 1  # of two that are as good the nearer comes first
    if wheeling[SAME_ZONE] + half.best <= bound and taker.scope != _SCOPE_FEEDER:
        better = _beyond(book, half, wheeling, taker, bound, sources)
        if better is not None:
            return better
    return None if found is None else (found, None, rival)


def _beyond(book: Book, half: Half, wheeling: tuple[int, ...], taker: Order, limit: int, sources: int) -> Turn | None:
    """The best on other feeders, if it costs (wheeling - rank) at most `limit`: zone by zone, the nearest first, as
    long as a better one may be farther away."""
    feeder, selling, closed = taker.feeder, taker.side != 0, book.network.closed
    if closed and feeder_step(feeder, out=selling) in closed:
        return None
    topology, zones, best = book.topology, half.zones, half.best
    zone = topology.zone_of[feeder]
    layer: Sequence[Route] = topology.inside[zone]
    nearness, turn, ways = SAME_ZONE, None, None
    halted = book.halted() if book.halts else None
    while layer:
        if halted:
            layer = [route for route in layer if route.zone not in halted]
        most = limit - wheeling[nearness]
        found: list[Head] = []
        for route in layer:
            tops = zones.get(route.zone)
            if tops is not None and tops[0][0] <= most:
                most = _look(tops, most, nearness, feeder, sources, closed, found)
        if found:
            turn = _best_of(found, layer)
            limit = most + wheeling[nearness] - 1
        nearness += 1
        if taker.scope or nearness == len(wheeling) or wheeling[nearness] + best > limit:
            break
        if ways is None:
            ways = topology.ways(zone, selling, book.network.full)
        layer = ways.layer(nearness)
    return turn


def _look(
    tops: list[Head], most: int, nearness: int, feeder: int, sources: int, closed: set[Step], found: list[Head]
) -> int:
    """Look behind the fronts of a zone for first orders that are not above `most` (minus rank), and add them to
    `found`, each with the one that is next to it. The most that is of any use after that."""
    for minus_rank, _, theirs, at_top in tops:
        if minus_rank > most:
            break
        front = at_top.front
        if theirs & sources and front is not None and (nearness == SAME_ZONE or not front.scope):
            is_next = False
            for head in front.heads:
                if head[0] > most:
                    break
                queue = head[3]
                if queue.feeder != feeder and queue.step not in closed:
                    found.append(head)
                    most = head[0]
                    if is_next:
                        break
                    is_next = True
    return most


def _best_of(found: list[Head], layer: Sequence[Route]) -> Turn:
    """The best of first orders in zones that are equally near."""
    best = min(found)
    minus_rank, _, _, queue = best
    rival, front = None, queue.front
    if len(found) > 1:
        rival = min((other[1] for other in found if other[0] == minus_rank and other is not best), default=None)
    return queue, next(route for route in layer if front is not None and route.zone == front.zone), rival


def _show_next(state: State, key: bytes, maker: Order, place: int) -> Entry:
    """All has traded that an order shows: it comes again with its next part, behind the others."""
    left_wh = maker.remaining_wh - maker.shown_wh
    anew = _replace(maker, remaining_wh=left_wh, shown_wh=min(maker.display_wh, left_wh), place=place)
    state.rows[_ORDERS][key] = anew
    state.dirty[_ORDERS][key] = None
    return place, key


def _path(book: Book, route: Route, queue: Queue, taker: Order) -> tuple[Step, ...]:
    """The steps of the way to a queue, of those that are counted."""
    counted, step = book.network.keys, feeder_step(taker.feeder, out=taker.side != 0)
    path = route.steps
    if step >> 1 in counted:
        path = (*path, step)
    if queue.step >> 1 in counted:
        path = (*path, queue.step)
    return path


def _portion(level: Level, steps: int, rival: int | None) -> Level:
    """What may be met of a level now: at most `steps`, and until another queue offers an earlier order that is as
    good. The level itself if that is all of it."""
    end = steps if rival is None else min(steps, bisect_left(level, (rival, b"")))
    return level[:end] if end < len(level) else level


def _undo_match(book: Book, met: list[Fill]) -> None:
    """Put back all that was met, level by level, so that it costs no more than the match did, and no level is empty
    when another one is opened. What a bug that broke the match off left in its level stays there."""
    # Of each level what comes back (True), and what goes: next parts of icebergs.
    levels: dict[tuple[int, int], dict[Entry, bool]] = {}
    for fill in reversed(met):
        maker, key = fill.maker, fill.key
        own = number_of(maker), rank_of(maker)
        now = book.orders.get(key)
        if now is not None and now.place != maker.place:
            levels.setdefault(own, {})[now.place, key] = False
        book.orders[key] = maker
        if fill.quantity_wh in (0, maker.shown_wh or maker.remaining_wh):
            levels.setdefault(own, {})[maker.place, key] = True
    for (number, _), entries in levels.items():
        back = sorted(entry for entry, comes_back in entries.items() if comes_back)
        level = book.open_level(book.orders[back[0][1]])
        for entry in [entry for entry, comes_back in entries.items() if not comes_back]:
            found = bisect_left(level, entry)
            if level[found : found + 1] == [entry]:
                del level[found]
        level[:0] = [entry for entry in back if entry < level[0]] if level else back
        book.tidy(book.queues[number])


def meets_somebody(book: Book, wheeling: tuple[int, ...], taker: Order) -> bool:
    """Whether there is anything at all that an incoming order would meet."""
    return _first_of(book, wheeling, taker) is not None


def first_met(book: Book, wheeling: tuple[int, ...], taker: Order) -> bytes:
    """The key of the resting order that an order would meet first; ValueError if there is none."""
    turn = _first_of(book, wheeling, taker)
    if turn is None:
        raise ValueError("it meets nobody")
    queue = turn[0]
    return queue.levels[queue.ranks[-1]][0][1]


def _first_of(book: Book, wheeling: tuple[int, ...], taker: Order) -> Turn | None:
    if taker.side:
        return _first(book, book.buyers, wheeling, taker, -taker.price_micro, 1 << taker.source)
    return _first(book, book.sellers, wheeling, taker, taker.price_micro, taker.source)
