"""Matching: an incoming order meets what rests in a book (`book.py`). It moves no money.

Orders are met in the order of delivered price (seller's limit + wheeling; for an incoming seller the buyer's limit -
wheeling, highest first), then nearness, then place. Energy goes from feeder to feeder as far as the links between have
capacity (`modules/grid`). When one is used up, the ways that are left count: farther, dearer, or none.

Costs: an incoming order looks at the queues of its own feeder, and at fronts from the best one on, as long as they
could be as good as what it has found; then each order that it meets costs O(log queues).
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from enum import IntEnum
from heapq import heapify, heappop, heappush, heappushpop

import msgspec

from gridtokenx.ledger.limits import MATCH_STEPS_PER_ORDER_MAX
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.topology import SAME_FEEDER, SAME_ZONE, Route, Step, feeder_step
from gridtokenx.modules.identity.state import PARTICIPANTS, are_related
from gridtokenx.modules.market.book import Book, Entry, Front, Level, Listing, Queue, number_of, rank_of
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


Head = tuple[int, int, int, Queue, Front | None, int, Route | None]
"""Priority of a queue's first order for an incoming one, lowest first (wheeling - rank, nearness, place); its queue;
the front that it stands for and its position there, if the next one behind it has not had its turn; the way to it."""

# Names that matching would otherwise look up for each order.
_ORDERS = ORDERS.prefix
_PARTICIPANTS = PARTICIPANTS.prefix
_SCOPE_FEEDER = int(Scope.FEEDER)
_NO, _RELATED, _STEP_LIMIT, _ = Stopped
_NOWHERE: tuple[int, ...] = ()
MET_NOTHING = Matched((), (), 0, _NO)
_replace = msgspec.structs.replace


class Search:
    """What an incoming order can meet beyond its feeder. `heads` is a heap of first orders of queues, its own feeder's
    and those behind fronts at which it has looked; it looks at the others when their turn may have come."""

    __slots__ = ("book", "bound", "heads", "listed", "position", "routes", "sources", "taker", "too_high", "wheeling")

    def __init__(
        self,
        book: Book,
        wheeling: tuple[int, ...],
        taker: Order,
        bound: int,
        sources: int,
        listed: list[tuple[int, int, Front]],
        heads: list[Head],
    ) -> None:
        self.book = book
        self.wheeling = wheeling
        self.taker = taker
        self.bound = bound
        self.sources = sources
        self.listed = listed
        self.heads = heads
        self.position = len(listed)
        """Fronts below this have not been looked at."""
        self.too_high: list[Front] = []
        """Fronts that are listed under a rank which they do not have any more."""
        self.routes = book.network.routes(book.topology.zone_of[taker.feeder], taker.side != 0)
        if book.halts:
            halted = book.halted()
            self.routes = {zone: route for zone, route in self.routes.items() if zone not in halted}

    def look(self) -> None:
        """Look at fronts until none that is left can be as good as the best head, or is good enough."""
        heads, listed, position = self.heads, self.listed, self.position
        charge, sources = self.wheeling[SAME_ZONE], self.sources
        limit = heads[0][0] if heads else self.bound
        while position:
            rank, _, front = listed[position - 1]
            if charge - rank > limit:
                break
            position -= 1
            if front.sources & sources:
                if front.best() != rank:
                    self.too_high.append(front)
                route = self.routes.get(front.zone)
                if route is not None and not (route.zones and (self.taker.scope or front.scope)):
                    self.let_come(front, len(front.queues), route)
                    if heads:
                        limit = heads[0][0]
        self.position = position

    def let_come(self, front: Front, position: int, route: Route) -> None:
        """Let the best first order behind a front, of those below a position, join the heads, if there is one that an
        order of another feeder can meet."""
        firsts, feeder, closed = front.firsts, self.taker.feeder, self.book.network.closed
        charge, bound = self.wheeling[route.nearness], self.bound
        if not firsts:
            queue = front.queues[0]
            if queue.feeder != feeder and queue.step not in closed and charge - (rank := queue.ranks[-1]) <= bound:
                place = queue.levels[rank][0][0]
                heappush(self.heads, (charge - rank, route.nearness, place, queue, None, 0, route))
            return
        while position:
            position -= 1
            rank, minus_place, queue = firsts[position]
            cost = charge - rank
            if cost > bound:
                return
            if queue.feeder != feeder and queue.step not in closed:
                heappush(self.heads, (cost, route.nearness, -minus_place, queue, front, position, route))
                return

    def end(self) -> None:
        """List again the fronts that were listed too high, once all queues are tidy."""
        for front in self.too_high:
            if front.listed is not None:
                self.book.half(front.side).fronts.put(front, front.best())


def match(
    state: State, book: Book, wheeling: tuple[int, ...], taker: Order, time_ms: int, take_place: TakePlace
) -> Matched:
    """Let an incoming order, which is not in the book, meet what rests there.

    `wheeling`: per kWh, by nearness. Each order met is one step: it trades at its own limit (a buyer's less wheeling),
    or, expired, is taken out without trading, or, a related party's, stops the matching; so does the limit of steps.
    Orders that trade in full or have expired leave ORDERS and the book, one that trades in part stays with less; one
    that shows a part of itself only goes to the back of its level with the next part. The energy is counted on the
    links that it goes over. What is left of the taker is the caller's, to rest or to drop.
    """
    heads, search = _begin(book, wheeling, taker)
    if not heads:
        return MET_NOTHING
    met: list[Fill] = []
    expired: list[tuple[bytes, Order]] = []
    state.undo.append((_undo_match, book, met))
    left_wh, stopped = _meet(state, book, wheeling, taker, time_ms, take_place, heads, search, met, expired)
    fills = [fill for fill in met if fill.quantity_wh] if expired else met
    return Matched(fills, expired, taker.remaining_wh - left_wh, stopped)


def _begin(book: Book, wheeling: tuple[int, ...], taker: Order) -> tuple[list[Head], Search | None]:
    """A heap of the first orders of queues that the taker may meet first; and the search that finds more of them, if
    it can meet any beyond its feeder."""
    feeder, selling = taker.feeder, taker.side
    if selling:
        bound, sources, half = -taker.price_micro, 1 << taker.source, book.buyers
    else:
        bound, sources, half = taker.price_micro, taker.source, book.sellers
    heads: list[Head] = []
    beside = half.at.get(feeder)
    if beside is not None:
        if wheeling[SAME_FEEDER] - beside.items[-1][0] <= bound:
            _look_beside(beside, wheeling[SAME_FEEDER], bound, sources, heads)
        if len(beside.items) == half.count:
            return heads, None
    listed, closed = half.fronts.items, book.network.closed
    if taker.scope == _SCOPE_FEEDER or not listed or wheeling[SAME_ZONE] - listed[-1][0] > bound:
        return heads, None
    if closed and feeder_step(feeder, out=selling != 0) in closed:
        return heads, None
    search = Search(book, wheeling, taker, bound, sources, listed, heads)
    search.look()
    if not heads:
        search.end()
    return heads, search


def _look_beside(beside: Listing[Queue], charge: int, bound: int, sources: int, heads: list[Head]) -> None:
    """Put the first orders of queues of the taker's own feeder that it can meet into a heap."""
    too_high: list[Queue] = []
    for listed, _, queue in reversed(beside.items):
        if charge - listed > bound:
            break
        if queue.sources & sources:
            rank = queue.ranks[-1]
            if rank != listed:
                too_high.append(queue)
            if charge - rank <= bound:
                heads.append((charge - rank, SAME_FEEDER, queue.levels[rank][0][0], queue, None, 0, None))
    heapify(heads)
    for queue in too_high:
        beside.put(queue, queue.ranks[-1])


def _meet(  # noqa: C901, PLR0912, PLR0915  a call for each level or order would cost a quarter of the book's speed
    state: State,
    book: Book,
    wheeling: tuple[int, ...],
    taker: Order,
    time_ms: int,
    take_place: TakePlace,
    heads: list[Head],
    search: Search | None,
    met: list[Fill],
    expired: list[tuple[bytes, Order]],
) -> tuple[int, Stopped]:
    """`match` for an order that meets something. `met` also gets the orders that turn out to have expired. What is left
    of the taker, why it stopped."""
    selling, own, left_wh = taker.side, taker.participant, taker.remaining_wh
    bound = -taker.price_micro if selling else taker.price_micro
    participant = state.rows[_PARTICIPANTS].get(own)
    has_group = participant is not None and participant.group != 0
    orders, dirty = book.orders, state.dirty[_ORDERS]
    steps, stopped = MATCH_STEPS_PER_ORDER_MAX, _NO
    touched: list[Queue] = []
    again: list[Entry] = []
    head: Head | None = heappop(heads)
    while head is not None:
        if not steps:
            stopped = _STEP_LIMIT
            break
        cost, nearness, _, queue, _, _, route = head
        charge = wheeling[nearness]
        rank = queue.ranks[-1]
        unused_wh = budget_wh = left_wh
        zones = path = _NOWHERE
        if route is not None:
            path, zones = _set_out(book, search, head, taker), route.zones
            unused_wh = budget_wh = book.network.free_wh(path, left_wh)
        portion = level = queue.levels[rank]
        if heads or len(level) > steps:
            portion = _portion(level, steps, heads, cost, nearness)
        price_micro = rank - charge if selling else -rank
        entry = None
        for entry in portion:
            if not unused_wh:
                break
            key = entry[1]
            maker = orders[key]
            if maker.expires_ms <= time_ms:
                met.append(Fill(key, maker, 0, 0, 0, ()))
                expired.append((key, maker))
            elif maker.participant == own or (has_group and are_related(state, own, maker.participant)):
                stopped = _RELATED
                break
            elif (open_wh := maker.shown_wh or maker.remaining_wh) <= unused_wh:
                met.append(Fill(key, maker, open_wh, price_micro, charge, zones))
                unused_wh -= open_wh
                if open_wh < maker.remaining_wh:
                    again.append(_show_next(state, key, maker, take_place()))
                    continue
            else:
                met.append(Fill(key, maker, unused_wh, price_micro, charge, zones))
                shown_wh = maker.shown_wh and open_wh - unused_wh
                orders[key] = _replace(maker, remaining_wh=maker.remaining_wh - unused_wh, shown_wh=shown_wh)
                dirty[key] = None
                unused_wh = 0
                break
            del orders[key]
            dirty[key] = None
        else:
            entry = None
        if entry is None and portion is level and not again:
            queue.ranks.pop()
            del queue.levels[rank]
            steps -= len(level)
        else:
            steps -= _leave(queue, rank, level, portion, entry, again)
        left_wh -= budget_wh - unused_wh
        if queue.head is not None or not queue.ranks:
            touched.append(queue)
        if path:
            book.network.use(state, path, budget_wh - unused_wh)
        if not left_wh or stopped:
            break
        if unused_wh:
            head = _next(heads, search, bound, nearness, charge, queue, route)
        else:  # a link is full now, and no way any more
            _end(book, search, touched)
            touched.clear()
            heads, search = _begin(book, wheeling, taker)
            head = heappop(heads) if heads else None
    if touched or search is not None:
        _end(book, search, touched)
    return left_wh, stopped


def _show_next(state: State, key: bytes, maker: Order, place: int) -> Entry:
    """All has traded that an order shows: it comes again with its next part, behind the others."""
    left_wh = maker.remaining_wh - maker.shown_wh
    anew = _replace(maker, remaining_wh=left_wh, shown_wh=min(maker.display_wh, left_wh), place=place)
    state.rows[_ORDERS][key] = anew
    state.dirty[_ORDERS][key] = None
    return place, key


def _set_out(book: Book, search: Search | None, head: Head, taker: Order) -> tuple[Step, ...]:
    """The best queue behind a front has its turn: the next one there may be the best of all after it. The steps of the
    way to the queue, of those that are counted."""
    _, _, _, queue, front, position, route = head
    assert route is not None and search is not None, "it is not on the taker's feeder"
    if front is not None:
        search.let_come(front, position, route)
    counted, step = book.network.keys, feeder_step(taker.feeder, out=taker.side != 0)
    path = route.steps
    if step >> 1 in counted:
        path = (*path, step)
    if queue.step >> 1 in counted:
        path = (*path, queue.step)
    return path


def _next(
    heads: list[Head],
    search: Search | None,
    bound: int,
    nearness: int,
    charge: int,
    queue: Queue,
    route: Route | None,
) -> Head | None:
    """Whose turn it is after a portion of `queue`: the best of the heads, or `queue` again, or nobody's."""
    own: Head | None = None
    if queue.ranks and (cost := charge - queue.ranks[-1]) <= bound:
        own = cost, nearness, queue.levels[queue.ranks[-1]][0][0], queue, None, 0, route
        if search is None:
            return heappushpop(heads, own) if heads else own
        heappush(heads, own)
    if search is not None and search.position:
        search.look()
    return heappop(heads) if heads else None


def _end(book: Book, search: Search | None, touched: list[Queue]) -> None:
    """Put in order what matching left behind in the book."""
    for queue in touched:
        book.tidy(queue)
    if search is not None:
        search.end()


def _leave(queue: Queue, rank: int, level: Level, portion: Level, entry: Entry | None, again: list[Entry]) -> int:
    """Take what is used up of a portion, until an entry that stays, out of a queue's best level; what comes again goes
    to its end. How many were met."""
    used = len(portion) if entry is None else level.index(entry)
    if used == len(level) and not again:
        queue.ranks.pop()
        del queue.levels[rank]
    else:
        del level[:used]
        if again:
            level += again
            again.clear()
    return used


def _portion(level: Level, steps: int, heads: list[Head], cost: int, nearness: int) -> Level:
    """What may be met of a level now: at most `steps`, and until another queue offers an earlier order that is as
    good. The level itself if that is all of it."""
    end = steps
    if heads and heads[0][:2] == (cost, nearness):
        end = min(end, bisect_left(level, (heads[0][2], b"")))
    return level[:end] if end < len(level) else level


def _undo_match(book: Book, met: list[Fill]) -> None:
    """Put back all that was met, level by level, so that it costs no more than the match did. What a bug that broke
    the match off left in its level stays there."""
    levels: dict[tuple[int, int], dict[Entry, None]] = {}
    for fill in reversed(met):
        maker, key = fill.maker, fill.key
        now = book.orders.get(key)
        if now is not None and now.place != maker.place:  # its next part
            later = book.open_level(now)
            entry = now.place, key
            found = bisect_left(later, entry)
            if later[found : found + 1] == [entry]:
                del later[found]
            levels.setdefault((number_of(now), rank_of(now)), {}).pop(entry, None)
        book.orders[key] = maker
        if fill.quantity_wh in (0, maker.shown_wh or maker.remaining_wh):
            levels.setdefault((number_of(maker), rank_of(maker)), {})[maker.place, key] = None
    for (number, _), gone in levels.items():
        entries = sorted(gone)
        if entries:
            level = book.open_level(book.orders[entries[0][1]])
            level[:0] = [entry for entry in entries if entry < level[0]] if level else entries
            book.tidy(book.queues[number])


def meets_somebody(book: Book, wheeling: tuple[int, ...], taker: Order) -> bool:
    """Whether there is anything at all that an incoming order would meet."""
    return bool(_begin(book, wheeling, taker)[0])


def first_met(book: Book, wheeling: tuple[int, ...], taker: Order) -> bytes:
    """The key of the resting order that an order would meet first; ValueError if there is none."""
    heads, _ = _begin(book, wheeling, taker)
    if not heads:
        raise ValueError("it meets nobody")
    queue = heads[0][3]
    return queue.levels[queue.ranks[-1]][0][1]
