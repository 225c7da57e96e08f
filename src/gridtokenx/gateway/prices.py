"""Reference prices, bands and halts as the public sees them."""

from gridtokenx.gateway.documents import HaltView, PricesView, ReferenceView
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.modules.market import reference
from gridtokenx.modules.market.halted import keys_over
from gridtokenx.modules.market.messages import HaltReason
from gridtokenx.modules.market.state import Halted, HaltStage, zone_interval_key


def prices_view(model: ReadModel, number: int) -> PricesView:
    """Of all zones, at the model's height. KeyError for an interval that is not known."""
    interval = model.intervals[number]
    terms = model.terms[interval.terms]
    zones = [_reference_view(model, number, zone) for zone in sorted(model.zones)]
    closed = number not in model.trading
    return PricesView(number, model.head.height, model.head.time_ms, terms.band_ppm, terms.reference_wh, closed, zones)


def _reference_view(model: ReadModel, number: int, zone: int) -> ReferenceView:
    interval = model.intervals[number]
    terms = model.terms[interval.terms]
    known = model.references.get(zone_interval_key(number, zone)) or reference.opening(terms, interval)
    low, high = reference.band(terms, known.price_micro) if terms.band_ppm else (None, None)
    return ReferenceView(
        zone,
        known.price_micro,
        low,
        high,
        known.height or None,
        known.anchor_micro,
        known.called_micro,
        known.trades_micro,
        known.renewable_micro,
        known.book_micro,
        known.congestion_micro,
        known.traded_wh,
        known.halts,
        [_halt_view(key, model.halts[key]) for key in keys_over(number, zone) if key in model.halts],
    )


def _halt_view(key: bytes, halted: Halted) -> HaltView:
    return HaltView(
        int.from_bytes(key[:4], "big") or None,
        key[4] or None,
        halted.since_ms,
        halted.until_ms or None,
        HaltReason(halted.reason).name.lower(),
        HaltStage(halted.stage).name.lower(),
        halted.extended,
    )
