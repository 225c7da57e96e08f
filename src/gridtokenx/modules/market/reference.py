"""The reference price of a zone in an interval: a pure formula of integers, and the band around it.

Prices are millionths of a WATT per kWh. The price is a sum of parts, each of which says why:

- *anchor*: the middle of the interval's tariff and the buy-back, which is what a buyer and a seller have elsewhere;
- *called*: by how much the last call, or the auction, was away from it. Both together are the *base*;
- *trades*: what trades of other than renewable sources change. Their energy-weighted mean counts against the base as so
  much energy as was traded, against `reference_wh`; older energy fades as newer comes;
- *renewable*: what trades of renewable sources add to that or take off;
- *book*: a part of how far the middle between the best purchase and the best sale of the zone, each weighted with what
  the other side shows, is away from that; bounded, since resting orders cost nothing;
- *congestion*: what borders that are nearly full add where energy comes in, and take off where it goes out.

The sum is kept within tariff and buy-back: nothing that anybody trades or shows puts it beyond what both sides have
elsewhere. What it costs to move each part: docs/reference-prices.md.
"""

from collections.abc import Iterable

import msgspec

from gridtokenx.ledger.quantities import PARTS_PER_MILLION, WH_PER_KWH
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.messages import Terms
from gridtokenx.modules.market.state import Interval, Reference

MEMORY = 4
"""Energy that counts at most, in `reference_wh`: what was traded before fades."""

BOOK_SHARE = 4
"""A quarter of the distance to the book's middle counts."""

BOOK_PPM_MAX = 50_000
"""The book moves the price by a twentieth of its base at most."""

_NOT_RENEWABLE = (int(Source.STORAGE), int(Source.CONVENTIONAL))
_replace = msgspec.structs.replace

Best = tuple[int, int]
"""Of a zone's best purchases or sales: what they are worth in the zone, and how much energy they show."""

Border = tuple[int, int, int]
"""Of a border: what flows into the zone (below zero: out of it) and could at most that way, in Wh; the neighbour's
price without congestion."""


def bounds(terms: Terms, interval: Interval) -> tuple[int, int]:
    """The lowest and the highest reference price: buy-back and tariff, on the tick."""
    tick = terms.tick_micro
    low = max(-(-terms.buy_back_micro // tick) * tick, tick)
    return low, max(interval.tariff_micro // tick * tick, low)


def opening(terms: Terms, interval: Interval) -> Reference:
    """What counts before anything has been traded."""
    low, high = bounds(terms, interval)
    anchor = (interval.tariff_micro + terms.buy_back_micro) // 2 // terms.tick_micro * terms.tick_micro
    anchor = min(max(anchor, low), high)
    return Reference(0, anchor, anchor, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def with_trade(known: Reference, terms: Terms, quantity_wh: int, price_micro: int, source: int) -> Reference:
    """One trade more in its memory; the price stays as it is until the next update."""
    traded_wh = known.traded_wh + quantity_wh
    value = price_micro * quantity_wh // WH_PER_KWH
    traded_micro, other_wh, other_micro = known.traded_micro + value, known.other_wh, known.other_micro
    if source in _NOT_RENEWABLE:
        other_wh += quantity_wh
        other_micro += value
    most_wh = MEMORY * terms.reference_wh
    if traded_wh > most_wh:
        traded_micro = traded_micro * most_wh // traded_wh
        kept_wh = other_wh * most_wh // traded_wh
        other_micro = other_micro * kept_wh // (other_wh or 1)
        other_wh = kept_wh
        traded_wh = most_wh
    return _replace(known, traded_wh=traded_wh, traded_micro=traded_micro, other_wh=other_wh, other_micro=other_micro)


def with_call(known: Reference, terms: Terms, interval: Interval, price_micro: int, height: int) -> Reference:
    """A call or an auction made the price; what was traded before does not count any more."""
    low, high = bounds(terms, interval)
    price_micro = min(max(price_micro, low), high)
    called_micro = price_micro - known.anchor_micro
    return Reference(height, price_micro, known.anchor_micro, called_micro, 0, 0, 0, 0, 0, 0, 0, 0, known.halts)


def uncongested_micro(known: Reference, terms: Terms) -> int:
    """What neighbours compare with: all trades so far and the book of the last update, without congestion."""
    base = known.anchor_micro + known.called_micro
    return _mean(base, terms.reference_wh, known.traded_wh, known.traded_micro) + known.book_micro


def updated(
    known: Reference,
    terms: Terms,
    interval: Interval,
    bid: Best | None,
    ask: Best | None,
    borders: Iterable[Border],
    height: int,
) -> Reference:
    """The price anew, from its memory of trades, the book's best and the borders; `known` itself if nothing changed."""
    base = known.anchor_micro + known.called_micro
    others = _mean(base, terms.reference_wh, known.other_wh, known.other_micro)
    traded = _mean(base, terms.reference_wh, known.traded_wh, known.traded_micro)
    book_micro = _book_part(traded, base * BOOK_PPM_MAX // PARTS_PER_MILLION, bid, ask)
    congestion_micro = _congestion_part(traded + book_micro, terms.wheeling_border_micro, borders)
    low, high = bounds(terms, interval)
    price_micro = (traded + book_micro + congestion_micro) // terms.tick_micro * terms.tick_micro
    now = _replace(
        known,
        price_micro=min(max(price_micro, low), high),
        trades_micro=others - base,
        renewable_micro=traded - others,
        book_micro=book_micro,
        congestion_micro=congestion_micro,
    )
    return known if now == known else _replace(now, height=height)


def _mean(base: int, base_wh: int, traded_wh: int, traded_micro: int) -> int:
    """The base, weighted as so much energy, together with what was traded."""
    return (base * base_wh + traded_micro * WH_PER_KWH) // (base_wh + traded_wh)


def _book_part(traded: int, most: int, bid: Best | None, ask: Best | None) -> int:
    """Nothing unless both sides stand there and have not crossed."""
    if bid is None or ask is None or bid[0] > ask[0]:
        return 0
    middle = (bid[0] * ask[1] + ask[0] * bid[1]) // (bid[1] + ask[1])
    return min(max((middle - traded) // BOOK_SHARE, -most), most)


def _congestion_part(own: int, wheeling_micro: int, borders: Iterable[Border]) -> int:
    """A border counts by how much more than half of it is used: where energy comes in from a zone that is cheaper, it
    adds so much of the difference, where it goes out to one that is dearer, it takes off so much; wheeling at most."""
    found = 0
    for flow_wh, able_wh, neighbour in borders:
        used_wh = abs(flow_wh)
        over_wh = min(2 * used_wh - able_wh, able_wh)
        difference = own - neighbour if flow_wh > 0 else neighbour - own
        if over_wh > 0 and difference > 0:
            part = min(difference, wheeling_micro) * over_wh // able_wh
            found += part if flow_wh > 0 else -part
    return min(max(found, -wheeling_micro), wheeling_micro)


def band(terms: Terms, price_micro: int) -> tuple[int, int]:
    """The lowest and the highest price of a trade, on the tick."""
    tick, width = terms.tick_micro, price_micro * terms.band_ppm // PARTS_PER_MILLION
    return max(-(-(price_micro - width) // tick) * tick, tick), (price_micro + width) // tick * tick


def inside(low: int, high: int, least: int, most: int, price_micro: int) -> int | None:
    """The price nearest to `price_micro` that lies in the band, if that suits the seller (at least `least`) and the
    buyer (at most `most`); None if no price does."""
    nearest = min(max(price_micro, low), high)
    return nearest if least <= nearest <= most else None
