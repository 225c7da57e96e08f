"""Zones and the links between them in one interval: what waits, what was traded, what still can flow."""

from collections.abc import Iterable

from gridtokenx.gateway.coupled_documents import FeederState, LinkView, NetworkView, ZoneFeeders, ZoneState
from gridtokenx.gateway.depth import Waiting
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.gateway.volumes import Volume, ZoneVolume
from gridtokenx.modules.grid.network import Network
from gridtokenx.modules.grid.state import UNLIMITED_WH
from gridtokenx.modules.grid.topology import FEEDER_LINK
from gridtokenx.modules.market.messages import Side, Terms


def network_view(model: ReadModel, number: int) -> NetworkView:
    """At the model's height; computed once for it. KeyError for an interval that is not known."""
    height, known = model.networks
    if height != model.head.height:
        model.networks = model.head.height, {}
        known = model.networks[1]
    if number not in known:
        known[number] = _network_view(model, number)
    return known[number]


def _network_view(model: ReadModel, number: int) -> NetworkView:
    network, topology, clearing = model.network(number), model.topology, model.clearings.get(number)
    terms, volume = model.terms[model.intervals[number].terms], model.volumes.get(number, Volume())
    by_feeder = model.depth(number).by_feeder()
    waiting: dict[int, list[Waiting]] = {}
    for feeder, found in by_feeder.items():
        waiting.setdefault(topology.zone_of[feeder], []).append(found)
    feeders, limited = dict.fromkeys(topology.neighbours, 0), dict.fromkeys(topology.neighbours, 0)
    for feeder, zone in topology.zone_of.items():
        feeders[zone] += 1
        limited[zone] += FEEDER_LINK | feeder in network.keys
    prices = {} if clearing is None else {node.place: node.price_micro for node in clearing.nodes}
    zones = [
        _zone_state(
            zone,
            together(waiting.get(zone, ())),
            volume.zones.get(zone, ZoneVolume()),
            terms,
            prices.get(zone),
            (feeders[zone], limited[zone]),
        )
        for zone in topology.neighbours
    ]
    borders = [_link_view(network, link) for link in sorted(network.keys) if link < FEEDER_LINK]
    closed = number not in model.trading
    return NetworkView(number, model.head.height, model.head.time_ms, closed, zones, borders)


def together(parts: Iterable[Waiting]) -> Waiting:
    """What waits in all of them."""
    whole = Waiting()
    for part in parts:
        for side, limit_micro, quantity_wh in (
            (Side.BUY, part.best_bid_micro, part.wanted_wh),
            (Side.SELL, part.best_ask_micro, part.offered_wh),
        ):
            if limit_micro is not None:
                whole.add(side, limit_micro, quantity_wh, 0)
        whole.orders += part.orders
    return whole


def feeders_view(model: ReadModel, number: int, zone: int, after: int | None, limit: int) -> ZoneFeeders:
    """KeyError for an interval that is not known."""
    network, by_feeder = model.network(number), model.depth(number).by_feeder()
    names = model.feeders
    own = sorted(feeder for feeder, where in model.topology.zone_of.items() if where == zone)
    rest = [feeder for feeder in own if after is None or feeder > after]
    shown = [
        _feeder_state(feeder, names[feeder].name, by_feeder.get(feeder, Waiting()), network) for feeder in rest[:limit]
    ]
    following = shown[-1].feeder if len(rest) > limit else None
    return ZoneFeeders(number, model.head.height, model.head.time_ms, zone, shown, following)


def _zone_state(
    zone: int, waiting: Waiting, volume: ZoneVolume, terms: Terms, price_micro: int | None, feeders: tuple[int, int]
) -> ZoneState:
    last_micro = volume.last_price_micro
    return ZoneState(
        zone,
        waiting.orders,
        waiting.wanted_wh,
        waiting.offered_wh,
        waiting.best_bid_micro,
        waiting.best_ask_micro,
        None if last_micro is None else last_micro + volume.last_borders * terms.wheeling_border_micro,
        price_micro,
        volume.sold_wh,
        volume.bought_wh,
        *feeders,
    )


def _feeder_state(feeder: int, name: str, waiting: Waiting, network: Network) -> FeederState:
    link = FEEDER_LINK | feeder
    return FeederState(
        feeder,
        name,
        waiting.orders,
        waiting.wanted_wh,
        waiting.offered_wh,
        waiting.best_bid_micro,
        waiting.best_ask_micro,
        _link_view(network, link) if link in network.keys else None,
    )


def _link_view(network: Network, number: int) -> LinkView:
    link = network.link(number)
    assert link is not None, "it is counted"
    ends: tuple[int, int | None] = (number - FEEDER_LINK, None) if number >= FEEDER_LINK else divmod(number, 256)
    forward_wh, forward_free_wh = _limited(link.forward_wh, link.forward_wh - link.net_wh)
    backward_wh, backward_free_wh = _limited(link.backward_wh, link.backward_wh + link.net_wh)
    return LinkView(*ends, forward_wh, backward_wh, link.net_wh, forward_free_wh, backward_free_wh)


def _limited(carries_wh: int, free_wh: int) -> tuple[int | None, int | None]:
    """What a link carries one way and what is free; None twice where nobody has limited it."""
    return (None, None) if carries_wh >= UNLIMITED_WH else (carries_wh, max(free_wh, 0))
