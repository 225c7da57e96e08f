"""How auctions build up: what they would have been after each block of their call phase, and their orders as curves.

Noted while the gateway follows, for the few intervals that are in their call phase at one time; a gateway that starts
anew begins anew. Everything is bounded: a long call keeps every second, then every fourth of its moments, and a place
with many prices adds neighbours up.
"""

from collections.abc import Container
from heapq import nsmallest
from itertools import islice

from gridtokenx.gateway.auctions import indication
from gridtokenx.gateway.callmemory import CallMemory
from gridtokenx.gateway.coupled_documents import (
    CallCurves,
    CallHistory,
    CallMoment,
    CurveStep,
    PlaceCurves,
    ZoneMoment,
)
from gridtokenx.gateway.documents import AuctionView
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.gateway.views import interval_phase
from gridtokenx.modules.grid.topology import FEEDER_LINK

MOMENTS_MAX = 240
"""Of one interval: a picture has no more columns. Even, so that thinning keeps the newest."""
INTERVALS_LOOKED_AT = 8
"""The soonest: a call phase takes an hour at most."""
CALLS_KEPT = 16
"""Intervals: the newest."""
STEPS_SHOWN = 200
"""Of one place's curves."""
FEEDERS_SHOWN = 32
"""Places of one zone beside itself."""


def note_calls(model: ReadModel, changed: Container[int]) -> None:
    """To be called while the model stands at a block that changed the books of these intervals."""
    for number in nsmallest(INTERVALS_LOOKED_AT, model.trading):
        if interval_phase(model, number) == "call" and (number in changed or number not in model.calls):
            _note(model, number)


def _note(model: ReadModel, number: int) -> None:
    now = indication(model, number)
    memory = model.calls.setdefault(number, CallMemory())
    while len(model.calls) > CALLS_KEPT:
        del model.calls[min(model.calls)]
    if now.levels is not None:
        memory.levels, memory.as_of = now.levels, now.view.height
    if now.view.too_many_orders:
        return
    moment = moment_of(now.view)
    if memory.moments and _is_same(memory.moments[-1], moment):
        return
    memory.moments.append(moment)
    if len(memory.moments) > MOMENTS_MAX:
        del memory.moments[1::2]


def moment_of(view: AuctionView) -> CallMoment:
    """What it says of zones."""
    zones = [
        ZoneMoment(place.zone, place.price_micro, place.sold_wh, place.bought_wh)
        for place in view.places
        if place.feeder is None
    ]
    return CallMoment(view.height, view.time_ms, view.orders or 0, zones)


def _is_same(one: CallMoment, other: CallMoment) -> bool:
    return (one.orders, one.zones) == (other.orders, other.zones)


def history_view(model: ReadModel, number: int) -> CallHistory:
    """Empty for an interval whose call has not begun, or was before this gateway."""
    memory = model.calls.get(number, CallMemory())
    return CallHistory(number, model.head.height, memory.moments)


def curves_view(model: ReadModel, number: int, zone: int) -> CallCurves:
    """Of the zone, then of those feeders in it that stand apart."""
    memory = model.calls.get(number, CallMemory())
    zone_of = model.topology.zone_of
    apart = [name for name in sorted(memory.levels) if name >= FEEDER_LINK and zone_of[name - FEEDER_LINK] == zone]
    names = [zone, *islice(apart, FEEDERS_SHOWN)]
    places = [_curves(zone, name, memory.levels[name]) for name in names if name in memory.levels]
    return CallCurves(number, model.head.height, memory.as_of, places)


def _curves(zone: int, name: int, levels: dict[int, tuple[int, int]]) -> PlaceCurves:
    prices = sorted(levels)
    together = -(-len(prices) // STEPS_SHOWN)
    steps = []
    for first in range(0, len(prices), together):
        some = prices[first : first + together]
        offered_wh, wanted_wh = (sum(levels[price][side] for price in some) for side in (0, 1))
        steps.append(CurveStep(some[-1], offered_wh, wanted_wh))
    return PlaceCurves(zone, name - FEEDER_LINK if name >= FEEDER_LINK else None, together > 1, steps)
