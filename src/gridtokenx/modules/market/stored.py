"""What a battery can sell: no more than could be in it, over all intervals that are open.

Of one that stands alone the chain knows how full it is by its meter; from there on it holds what it bought, less
losses and what it sold. Behind a meter that sees other things too nobody can know that: then it holds at most what it
can hold, and charges as fast as it can in every interval in which the portfolio sells nothing of it.
"""

from collections.abc import Iterator

from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.quantities import INTERVALS_PER_DAY, energy_wh_of, interval_of
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.identity.rosters import first_unopened
from gridtokenx.modules.identity.state import Portfolio
from gridtokenx.modules.identity.storage import STORAGE_LEVELS, Storage, storage_of, stored_wh
from gridtokenx.modules.market.checks import source_wh
from gridtokenx.modules.market.messages import SELL, MarketCode
from gridtokenx.modules.market.state import EMPTY_POSITION, POSITIONS, Order, Position

INTERVALS_MAX = 4 * INTERVALS_PER_DAY
"""How far back a level may lie that still counts: a chain whose meters have been silent for longer starts there."""

# The member of an enum costs several times a global name to look up, and this is asked for each order.
_STORAGE, _POSITIONS = int(Source.STORAGE), POSITIONS.prefix


def check_stored(state: State, context: Context, order: Order, portfolio: Portfolio, intervals: int = 1) -> None:
    """`POSITION_LIMIT`. Nothing for a portfolio without storage; else a step for each interval from the last known
    level to the last open one. `portfolio`: with its powers of the order's interval.

    Several `intervals`: of a block order, whose energy counts in its positions already; `order` is its first leg, with
    nothing remaining."""
    if not portfolio.export_w[_STORAGE]:
        return
    selling = order.side == SELL
    if not portfolio.site and not selling:
        return
    storage = storage_of(state, order.portfolio, order.interval)
    if storage is not None and storage.alone:
        _check_alone(state, context, order, storage)
    elif storage is not None and selling:
        _check_behind_a_meter(state, context, order, portfolio, storage, intervals)


def _check_alone(state: State, context: Context, order: Order, storage: Storage) -> None:
    """Sales: if all of them fill and no open purchase does, the battery never runs empty. Purchases: if all of them
    fill and no open sale does, all of it fits."""
    known = state.rows[STORAGE_LEVELS.prefix][order.portfolio]
    level_wh, selling, capacity_wh = known.level_wh, order.side == SELL, storage.capacity_wh
    first = max(known.interval + 1, order.interval - INTERVALS_MAX)
    for interval, position in _positions(state, context, order, first):
        if position is None:
            continue
        net_wh = position.bought_wh - position.sold_wh
        net_wh += -position.open_sell_wh if selling else position.open_buy_wh
        if interval == order.interval:
            net_wh += -order.remaining_wh if selling else order.remaining_wh
        level_wh += stored_wh(storage, net_wh) if net_wh > 0 else net_wh
        if interval >= order.interval and (level_wh < 0 if selling else level_wh > capacity_wh):
            raise Rejected(MarketCode.POSITION_LIMIT, "storage")
        level_wh = min(max(level_wh, 0), capacity_wh)


def _check_behind_a_meter(
    state: State, context: Context, order: Order, portfolio: Portfolio, storage: Storage, intervals: int
) -> None:
    """What the portfolio sells beyond its other sources comes out of the battery, which was full a day ago at most."""
    last, draws = order.interval + intervals - 1, False
    others = [(source, power_w) for source, power_w in enumerate(portfolio.export_w) if power_w and source != _STORAGE]
    capacity_wh, charged_wh = storage.capacity_wh, stored_wh(storage, energy_wh_of(storage.charge_w))
    level_wh = capacity_wh
    first = min(interval_of(context.time_ms) - INTERVALS_PER_DAY, order.interval)
    for interval, position in _positions(state, context, order, first):
        needed_wh = 0
        if position is not None:
            needed_wh = position.sold_wh + position.open_sell_wh - position.bought_wh
            if interval == order.interval:
                needed_wh += order.remaining_wh
            if needed_wh > 0:
                feeder = portfolio.feeder
                needed_wh -= sum(source_wh(state, interval, feeder, source, power_w) for source, power_w in others)
        draws = draws or (needed_wh > 0 and order.interval <= interval <= last)
        if needed_wh <= 0:
            if interval == last and not draws:
                return
            level_wh = min(level_wh + charged_wh, capacity_wh)
            continue
        level_wh -= needed_wh
        if level_wh < 0 and draws:
            raise Rejected(MarketCode.POSITION_LIMIT, "storage")
        level_wh = max(level_wh, 0)


def _positions(state: State, context: Context, order: Order, first: int) -> Iterator[tuple[int, Position | None]]:
    """What the order's portfolio did in each interval from `first` to the last open one; None where nothing, but for
    the order's own."""
    get, portfolio, own = state.rows[_POSITIONS].get, order.portfolio, order.interval
    for interval in range(first, first_unopened(context.time_ms)):
        yield interval, get(interval.to_bytes(4, "big") + portfolio, EMPTY_POSITION if interval == own else None)
