"""Whether a maker is there: a purchase and a sale of the size asked for, no further apart than asked for, in the time
that counts. It is measured in the time of blocks, and looked at only when something of that maker changes.

- Orders count that rest and that everybody can meet: not those for their own feeder, purchases of any source, of an
  iceberg what it shows. Of each side the best `MAKER_LEVELS_MAX` prices: the size is reached at the last one needed.
- A purchase stands at the maker's feeder with its limit less the base of wheeling: what a seller beside it gets.
- What is taken back (cancelled, expired, its owner may not trade) counts until the block before: nobody met it since,
  for cancels come first in a block. What others took, or an amendment changed, counts until now.
- Time in which nobody could trade (a halt, the market was frozen, or the chain stood still) does not exist.

For others this costs one look into a dictionary wherever a position changes: a duty has the key of its position.
"""

from bisect import bisect_left, insort
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from gridtokenx.ledger.context import Context
from gridtokenx.ledger.freeze import FREEZE, FREEZE_KEY, PAST_FREEZES
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.limits import MAKER_LEVELS_MAX
from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK
from gridtokenx.modules.identity.state import PORTFOLIOS, zone_key, zone_of
from gridtokenx.modules.market.checks import terms_of
from gridtokenx.modules.market.halted import halted_since_ms
from gridtokenx.modules.market.messages import SELL, MakerTerms, Scope
from gridtokenx.modules.market.state import (
    HALTS,
    INTERVALS,
    MAKER_DUTIES,
    MAKER_PROGRAMMES,
    ORDERS,
    Halted,
    MakerDuty,
    MakerProgramme,
    Order,
    position_key,
)

_DUTIES, _ORDERS = MAKER_DUTIES.prefix, ORDERS.prefix
_SCOPE_FEEDER = int(Scope.FEEDER)
_replace = msgspec.structs.replace

Period = tuple[int, int]
"""From, until."""


class Shown(NamedTuple):
    """What an order shows: `rank` is minus a purchase's limit, or a sale's, so that the lowest is the best."""

    side: int
    rank: int
    energy_wh: int


class Ladder:
    """What one side of a maker shows, by price."""

    __slots__ = ("ranks", "sums")

    def __init__(self) -> None:
        self.ranks: list[int] = []
        """Rising: the best is the first."""
        self.sums: dict[int, int] = {}

    def add(self, rank: int, energy_wh: int) -> None:
        """Of a rank so much more; below zero less."""
        before = self.sums.get(rank, 0)
        if before + energy_wh:
            self.sums[rank] = before + energy_wh
            if not before:
                insort(self.ranks, rank)
        else:
            del self.sums[rank]
            del self.ranks[bisect_left(self.ranks, rank)]

    def shown_wh(self) -> int:
        """What counts."""
        return sum(self.sums[rank] for rank in self.ranks[:MAKER_LEVELS_MAX])

    def reaches(self, size_wh: int) -> int | None:
        """The rank at which the best ones together show the size; None if those that count do not."""
        for rank in self.ranks[:MAKER_LEVELS_MAX]:
            size_wh -= self.sums[rank]
            if size_wh <= 0:
                return rank
        return None


class Quotes:
    """What a maker shows in one interval."""

    __slots__ = ("orders", "sides")

    def __init__(self) -> None:
        self.orders: dict[bytes, Shown] = {}
        """By order key."""
        self.sides = Ladder(), Ladder()

    def are_enough(self, asked: MakerTerms, base_micro: int) -> bool:
        """Whether the size stands on both sides, and no further apart than asked. `base_micro`: the base of wheeling
        per kWh."""
        spread_micro = self.spread_micro(asked, base_micro)
        return spread_micro is not None and spread_micro <= asked.spread_micro

    def spread_micro(self, asked: MakerTerms, base_micro: int) -> int | None:
        """How far apart the size stands; None if a side does not show it."""
        buys, sells = (side.reaches(asked.size_wh) for side in self.sides)
        return None if buys is None or sells is None else sells + buys + base_micro


QuotesByDuty = dict[bytes, Quotes]


def _build_quotes(state: State) -> QuotesByDuty:
    quotes: QuotesByDuty = {}
    duties = state.rows[_DUTIES]
    if duties:
        for key, order in state.rows[_ORDERS].items():
            own = position_key(order.interval, order.portfolio)
            if own in duties and not duties[own].verdict:
                put_shown(quotes, (own, key), shown_by(duties[own], order))
    return quotes


QUOTES: Index[QuotesByDuty] = Index("maker_quotes", _build_quotes)
"""Those of all duties without a verdict, as far as they show anything, by the keys of the duties."""


def shown_by(duty: MakerDuty, order: Order) -> Shown | None:
    """What of an open order counts; None if nothing does."""
    if order.place < duty.place or order.scope == _SCOPE_FEEDER:
        return None
    if order.side == SELL:
        return Shown(order.side, order.price_micro, order.shown_wh or order.remaining_wh)
    if order.source != ANY_SOURCE_MASK:
        return None
    return Shown(order.side, -order.price_micro, order.shown_wh or order.remaining_wh)


def put_shown(quotes: QuotesByDuty, names: tuple[bytes, bytes], shown: Shown | None) -> None:
    """Remember what an order (duty, order) shows, or forget it; a step of the journal too."""
    own, key = names
    held = quotes.get(own)
    if held is None:
        if shown is None:
            return
        held = quotes[own] = Quotes()
    before = held.orders.pop(key, None)
    if before is not None:
        held.sides[before.side].add(before.rank, -before.energy_wh)
    if shown is not None:
        held.orders[key] = shown
        held.sides[shown.side].add(shown.rank, shown.energy_wh)
    elif not held.orders:
        del quotes[own]


def changed(state: State, context: Context, own: bytes, key: bytes, *, withdrawn: bool = False) -> None:
    """Something happened to an order of a maker, whose duty `own` is: it rests, was met, amended or (`withdrawn`) taken
    back. ORDERS must have it as it is now."""
    duty: MakerDuty = state.rows[_DUTIES][own]
    if duty.verdict:
        return
    _note(state, own, key, duty)
    is_present = context.time_ms < duty.until_ms and _shows_enough(state, own, duty)
    if is_present == (duty.since_ms > 0):
        return
    if is_present:
        state.put(MAKER_DUTIES, own, _replace(duty, since_ms=context.time_ms))
    else:
        until_ms = context.time_ms
        if withdrawn and until_ms < duty.until_ms:
            until_ms = last_block(state).time_ms
        held_ms = duty.held_ms + present_ms(standstills(state, own, until_ms), duty, until_ms)
        state.put(MAKER_DUTIES, own, _replace(duty, since_ms=0, held_ms=held_ms))


def earned(state: State, own: bytes, fees_micro: int) -> None:
    """A trade in which an order of this maker rested had such trading fees; below zero: it is void."""
    duty: MakerDuty = state.rows[_DUTIES][own]
    # Trades of a block in which it enrolled may be void that were never counted; then none of the block's stands.
    state.put(MAKER_DUTIES, own, _replace(duty, fees_micro=max(duty.fees_micro + fees_micro, 0)))


def forget(state: State, own: bytes) -> None:
    """The duty has its verdict: what it shows counts no more."""
    quotes = state.index(QUOTES)
    held = quotes.pop(own, None)
    if held is not None:
        state.undo.append((_undo_forget, quotes, (own, held)))


def _note(state: State, own: bytes, key: bytes, duty: MakerDuty) -> None:
    order: Order | None = state.rows[_ORDERS].get(key)
    # The name may be another order's by now, of another interval.
    is_own = order is not None and position_key(order.interval, order.portfolio) == own
    _put(state, own, key, shown_by(duty, order) if order is not None and is_own else None)


def _put(state: State, own: bytes, key: bytes, shown: Shown | None) -> None:
    quotes = state.index(QUOTES)
    before = quotes[own].orders.get(key) if own in quotes else None
    if before != shown:
        state.undo.append((_undo_put, quotes, (own, key, before)))
        put_shown(quotes, (own, key), shown)


def _undo_put(quotes: QuotesByDuty, entry: tuple[bytes, bytes, Shown | None]) -> None:
    put_shown(quotes, entry[:2], entry[2])


def _undo_forget(quotes: QuotesByDuty, entry: tuple[bytes, Quotes]) -> None:
    quotes[entry[0]] = entry[1]


def _shows_enough(state: State, own: bytes, duty: MakerDuty) -> bool:
    quotes = state.index(QUOTES).get(own)
    terms = terms_of(state, state.rows[INTERVALS.prefix][own[:4]])
    return quotes is not None and quotes.are_enough(duty.asked, terms.wheeling_base_micro)


# --- time that counts


def standstills(state: State, own: bytes, until_ms: int) -> list[Period]:
    """When nobody could trade in a duty's zone and interval, as far as is known then, the earliest first; they may
    overlap."""
    zone = zone_of(state, state.rows[PORTFOLIOS.prefix][own[4:]].feeder)
    programme = state.rows[MAKER_PROGRAMMES.prefix][zone_key(zone)]
    halted = halts_of(
        state.rows[_DUTIES][own], state.rows[HALTS.prefix], int.from_bytes(own[:4], "big"), zone, until_ms
    )
    return sorted(all_standstills(state, programme, until_ms) + halted)


def halts_of(duty: MakerDuty, halts: Mapping[bytes, Halted], number: int, zone: int, until_ms: int) -> list[Period]:
    """Halts of a duty's zone and interval: those that are over, and the one that holds."""
    since_ms = halted_since_ms(halts, number, zone)
    return [*duty.halted, *([] if since_ms is None else [(since_ms, until_ms)])]


def all_standstills(state: State, programme: MakerProgramme, until_ms: int) -> list[Period]:
    """Those of the chain and of the zone, and the freezes of the market that `state` knows."""
    found = [(int.from_bytes(key, "big"), past.until_ms) for key, past in state.items(PAST_FREEZES)]
    found += programme.still
    frozen = state.get(FREEZE, FREEZE_KEY)
    if frozen is not None:
        found.append((frozen.since_ms, until_ms))
    return found


def present_ms(still: list[Period], duty: MakerDuty, time_ms: int) -> int:
    """For how long it has been present since it last came, by then; 0 if it is not."""
    if not duty.since_ms:
        return 0
    return counted_ms(still, max(duty.since_ms, duty.from_ms), min(time_ms, duty.until_ms))


def counted_ms(still: list[Period], from_ms: int, until_ms: int) -> int:
    """How much time there was between, without that in which nobody could trade; 0 if the end comes first."""
    left_ms = until_ms - from_ms
    for since_ms, ended_ms in still:
        begin_ms, end_ms = max(since_ms, from_ms), min(ended_ms, until_ms)
        if begin_ms < end_ms:
            left_ms -= end_ms - begin_ms
            from_ms = end_ms
    return max(left_ms, 0)
