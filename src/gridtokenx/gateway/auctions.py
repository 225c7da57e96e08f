"""Auctions as the public sees them: what one would be now while orders collect, and what it decided afterwards.

What it would be now is computed by the ledger's own functions from the open orders, once for each height at which
somebody asks, and only as long as that takes a few hundredths of a second.
"""

from collections.abc import Sequence

from gridtokenx.gateway.callmemory import Indication, PriceLevels
from gridtokenx.gateway.documents import AuctionLink, AuctionPlace, AuctionView
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.gateway.views import interval_phase
from gridtokenx.modules.grid.topology import FEEDER_LINK
from gridtokenx.modules.market.auction.clearing import Method
from gridtokenx.modules.market.auction.work import Work
from gridtokenx.modules.market.checks import is_plain
from gridtokenx.modules.market.coupling import Places, auction_of, clearing_of, free_of, price_at_place
from gridtokenx.modules.market.messages import SELL, Terms
from gridtokenx.modules.market.state import Clearing, Order

ORDERS_MAX = 5_000
"""Of an interval, of which it is still computed at each height what an auction would be."""
OPEN_ORDERS_MAX = 200_000
"""Of all intervals, among which they are looked for."""
STEPS_MAX = 50_000
"""Of the solution, with all orders read."""


def auction_view(model: ReadModel, number: int) -> AuctionView:
    """At the model's height; computed once for it. KeyError for an interval that is not known."""
    return indication(model, number).view


def indication(model: ReadModel, number: int) -> Indication:
    """The same, and in the call phase the orders behind it."""
    height, known = model.auctions
    if height != model.head.height:
        model.auctions = model.head.height, {}
        known = model.auctions[1]
    if number not in known:
        known[number] = _indication(model, number)
    return known[number]


def _indication(model: ReadModel, number: int) -> Indication:
    phase, clearing = interval_phase(model, number), model.clearings.get(number)
    if clearing is not None:
        return Indication(_with_outcome(_view(model, number, "final"), clearing, model))
    if phase != "call":
        # Trading: its call has not begun, or it has none. Closed: it had no orders, or the market was stopped.
        return Indication(_view(model, number, {"clearing": "clearing", "closed": "none"}.get(phase, "open")))
    view, orders = _view(model, number, "indicative"), _plain_orders(model, number)
    if orders is None:
        view.too_many_orders = True
        return Indication(view)
    view.orders = len(orders)
    terms = model.terms[model.intervals[number].terms]
    free = free_of(model.network(number), number, {order.feeder for order in orders})
    places = Places(model.topology, free)
    levels = _levels(places, terms, orders)
    outcome = Work(auction_of(places, free, terms, orders)).advance_to(STEPS_MAX)
    if outcome is None:
        view.too_many_orders = True
        return Indication(view, levels)
    return Indication(_with_outcome(view, clearing_of(outcome, places, free, {}), model), levels)


def _view(model: ReadModel, number: int, state: str) -> AuctionView:
    return AuctionView(number, model.head.height, model.head.time_ms, state)


def _plain_orders(model: ReadModel, number: int) -> list[Order] | None:
    """Those that would take part; None if there are too many."""
    if len(model.orders) > OPEN_ORDERS_MAX or model.depth(number).orders() > ORDERS_MAX:
        return None
    gate_ms = model.intervals[number].gate_ms
    own = [order for order in model.orders.values() if order.interval == number]
    return [order for order in own if order.expires_ms >= gate_ms and is_plain(order)]


def _levels(places: Places, terms: Terms, orders: Sequence[Order]) -> PriceLevels:
    found: PriceLevels = {}
    for order in orders:
        levels = found.setdefault(places.names[places.node_of(order.feeder)], {})
        price_micro = price_at_place(terms, order)
        offered_wh, wanted_wh = levels.get(price_micro, (0, 0))
        if order.side == SELL:
            levels[price_micro] = offered_wh + order.remaining_wh, wanted_wh
        else:
            levels[price_micro] = offered_wh, wanted_wh + order.remaining_wh
    return found


def _with_outcome(view: AuctionView, clearing: Clearing, model: ReadModel) -> AuctionView:
    view.method = Method(clearing.method).name.lower()
    view.welfare_micro = clearing.welfare_micro
    zone_of = model.topology.zone_of
    for node in clearing.nodes:
        feeder = node.place - FEEDER_LINK if node.place >= FEEDER_LINK else None
        zone = node.place if feeder is None else zone_of[feeder]
        view.places.append(AuctionPlace(zone, feeder, node.price_micro, node.sold_wh, node.bought_wh))
    for link in clearing.links:
        ends: tuple[int, int | None] = divmod(link.link, 256)
        if link.link >= FEEDER_LINK:
            ends = link.link - FEEDER_LINK, None
        view.links.append(
            AuctionLink(
                *ends,
                link.forward_free_wh,
                link.backward_free_wh,
                link.flow_wh,
                link.wheeling_micro,
                link.rent_micro,
            )
        )
    return view


def is_over(view: AuctionView) -> bool:
    """Whether nothing new is to be heard of it."""
    return view.state in {"final", "none"}
