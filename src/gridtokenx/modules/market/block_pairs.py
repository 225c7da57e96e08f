"""Two block orders that fit each other: opposite sides, the same intervals, the same energy.

They trade as wholes, the later one at the limit of the earlier (a buyer's less wheeling), over the same ways as any
other energy. Nothing is written here: this only finds the earlier one.
"""

from collections.abc import Iterator, Mapping
from heapq import nsmallest
from typing import NamedTuple

from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.network import Network
from gridtokenx.modules.grid.topology import SAME_FEEDER, Step, feeder_step
from gridtokenx.modules.identity.state import are_related, zone_of
from gridtokenx.modules.market.book import book_of
from gridtokenx.modules.market.checks import terms_of
from gridtokenx.modules.market.halted import is_halted
from gridtokenx.modules.market.matching import Fill
from gridtokenx.modules.market.messages import SELL, Scope
from gridtokenx.modules.market.prices import is_within_band
from gridtokenx.modules.market.state import INTERVALS, BlockOrder, Order
from gridtokenx.modules.market.wheeling import wheeling_of

Shape = tuple[int, int, int]
"""What two that meet have in common: first interval, number of intervals, Wh in each."""

Shapes = Mapping[tuple[Shape, int], list[bytes]]
"""Keys of those that wait, by shape and side, rising by place."""

PAIRS_TRIED_MAX = 16
"""Of those that fit by shape and limit: each is a look at the links of up to 96 intervals."""

PAIRS_PER_STEP = 20
"""That are no more than compared."""


class Meeting(NamedTuple):
    """One leg of the later order meets its counterpart, over these steps of counted links."""

    fill: Fill
    steps: tuple[Step, ...]


class Opposite(NamedTuple):
    """An earlier block order that the later one can trade with: what one kWh costs the later one on average (what it
    gets, with a minus), times the number of intervals; place and key; one meeting for each leg."""

    cost_micro: int
    place: int
    key: bytes
    meetings: list[Meeting]


def shape_of(block: BlockOrder) -> Shape:
    """What the other one must have too."""
    return block.interval, block.intervals, block.quantity_wh


def by_shape(waiting: Mapping[bytes, BlockOrder]) -> Shapes:
    """All that wait."""
    found: dict[tuple[Shape, int], list[bytes]] = {}
    for _, key in sorted((block.place, key) for key, block in waiting.items()):
        block = waiting[key]
        found.setdefault((shape_of(block), block.side), []).append(key)
    return found


def has_opposite(block: BlockOrder, waiting: Mapping[bytes, BlockOrder], shapes: Shapes) -> bool:
    """Whether an earlier one of the other side may have the same shape."""
    first = next(_others(block, waiting, shapes), None)
    return first is not None and waiting[first].place < block.place


def find_opposite(
    state: State, block: BlockOrder, waiting: Mapping[bytes, BlockOrder], shapes: Shapes, time_ms: int
) -> tuple[Opposite | None, int]:
    """The best earlier block order that it can trade with as a whole, and the steps that it took: by delivered price
    over all intervals, then place, of the PAIRS_TRIED_MAX with the best limits. None if there is none."""
    selling = block.side == SELL
    fitting: list[tuple[int, int, bytes]] = []
    compared = 0
    for key in _others(block, waiting, shapes):
        other = waiting[key]
        if other.place >= block.place:
            break
        compared += 1
        good = other.price_micro >= block.price_micro if selling else other.price_micro <= block.price_micro
        if good and other.expires_ms > time_ms and not are_related(state, block.participant, other.participant):
            fitting.append((-other.price_micro if selling else other.price_micro, other.place, key))
    best: Opposite | None = None
    tried = nsmallest(PAIRS_TRIED_MAX, fitting)
    for _, _, key in tried:
        found = _opposite(state, block, key, waiting[key])
        if found is not None and (best is None or found[:2] < best[:2]):
            best = found
    return best, compared // PAIRS_PER_STEP + len(tried) * block.intervals


def _others(block: BlockOrder, waiting: Mapping[bytes, BlockOrder], shapes: Shapes) -> Iterator[bytes]:
    """Of the other side and the same shape, rising by place; some may have traded in this round."""
    return (key for key in shapes.get((shape_of(block), not block.side), ()) if key in waiting)


def _opposite(state: State, block: BlockOrder, key: bytes, other: BlockOrder) -> Opposite | None:
    sale, purchase = (block, other) if block.side == SELL else (other, block)
    if not purchase.source >> sale.source & 1:
        return None
    cost_micro, meetings = 0, []
    for leg, own in zip(block.legs(), other.legs(), strict=True):
        way = _way(state, leg, own)
        if way is None:
            return None
        steps, zones, charge_micro = way
        if sale.price_micro + charge_micro > purchase.price_micro:
            return None
        price_micro = own.price_micro - (charge_micro if block.side == SELL else 0)
        if not _is_allowed(state, leg.interval, own.feeder, leg if block.side == SELL else own, price_micro):
            return None
        cost_micro += -price_micro if block.side == SELL else price_micro + charge_micro
        meetings.append(Meeting(Fill(key, own, own.remaining_wh, price_micro, charge_micro, zones), steps))
    return Opposite(cost_micro, other.place, key, meetings)


def _is_allowed(state: State, number: int, feeder: int, sale: Order, price_micro: int) -> bool:
    """Whether the counterpart's zone is not halted, and the price lies in the band of the seller's."""
    interval = state.rows[INTERVALS.prefix][interval_key(number)]
    if is_halted(state, number, zone_of(state, feeder)):
        return False
    return is_within_band(state, interval, terms_of(state, interval), number, zone_of(state, sale.feeder), price_micro)


def _way(state: State, taker: Order, maker: Order) -> tuple[tuple[Step, ...], tuple[int, ...], int] | None:
    """How all of a leg's energy gets from seller to buyer, as matching would send it: steps, zones, wheeling."""
    interval = state.rows[INTERVALS.prefix][interval_key(taker.interval)]
    wheeling = wheeling_of(state, interval.terms, terms_of(state, interval))
    if taker.feeder == maker.feeder:
        return (), (), wheeling[SAME_FEEDER]
    network = book_of(state, taker.interval).network
    zones, selling = network.topology.zone_of, taker.side == SELL
    scope = max(taker.scope, maker.scope)
    route = network.topology.ways(zones[taker.feeder], selling, network.full).to(zones[maker.feeder])
    if route is None or scope == Scope.FEEDER or (route.zones and scope):
        return None
    ends = feeder_step(taker.feeder, out=selling), feeder_step(maker.feeder, out=not selling)
    steps = (*route.steps, *_counted(network, ends))
    if network.free_wh(steps, taker.remaining_wh) < taker.remaining_wh:
        return None
    return steps, route.zones, wheeling[route.nearness]


def _counted(network: Network, ends: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(step for step in ends if step >> 1 in network.keys)
