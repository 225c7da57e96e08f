"""What anybody may ask about the coupled market: zones and borders, and auctions as they build up."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.gateway import coupled_documents, documents, views
from gridtokenx.gateway.auctions import auction_view
from gridtokenx.gateway.calls import curves_view, history_view
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.prices import prices_view
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.public import NOT_FOUND, Limit, NoQuery, gateway_of, require_interval
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.gateway.web import answer, describe, read_number, read_query
from gridtokenx.gateway.zones import feeders_view, network_view

FEEDERS_PAGE = 200

router = APIRouter()


class FeedersQuery(documents.Request):
    """After which feeder, how many."""

    after: Annotated[int, msgspec.Meta(ge=0, le=65_535)] | None = None
    limit: Limit = FEEDERS_PAGE


@router.get(
    "/v1/auctions/{interval}",
    summary="The auction of an interval: indicative in its call phase, final after it",
    **describe(documents.AuctionView, query=NoQuery, refuses=NOT_FOUND),
)
async def get_auction(request: Request) -> Response:
    """`state` says which; with too many orders to tell what it would be now, `too_many_orders` says so."""
    read_query(request, NoQuery)
    model, number = gateway_of(request).model, read_number(request, "interval")
    return answer(auction_view(model, require_interval(model.intervals, number)))


@router.get(
    "/v1/auctions/{interval}/history",
    summary="How the indicative outcome of an auction changed in its call phase",
    **describe(coupled_documents.CallHistory, query=NoQuery, refuses=NOT_FOUND),
)
async def get_history(request: Request) -> Response:
    """Block by block while this gateway followed; empty before the call phase."""
    read_query(request, NoQuery)
    model, number = gateway_of(request).model, read_number(request, "interval")
    return answer(history_view(model, require_interval(model.intervals, number)))


@router.get(
    "/v1/auctions/{interval}/curves/{zone}",
    summary="Supply and demand of a zone in an auction",
    **describe(coupled_documents.CallCurves, query=NoQuery, refuses=NOT_FOUND),
)
async def get_curves(request: Request) -> Response:
    """While orders collect those of now, later the last that this gateway saw."""
    read_query(request, NoQuery)
    model, number = gateway_of(request).model, read_number(request, "interval")
    require_interval(model.intervals, number)
    return answer(curves_view(model, number, _require_zone(model, read_number(request, "zone"))))


@router.get(
    "/v1/prices/{interval}",
    summary="Reference prices of an interval by zone, with their parts, bands and halts",
    **describe(documents.PricesView, query=NoQuery, refuses=NOT_FOUND),
)
async def get_prices(request: Request) -> Response:
    """Each price says of which parts it is made, and which block changed it last; and why a zone does not trade."""
    read_query(request, NoQuery)
    model, number = gateway_of(request).model, read_number(request, "interval")
    return answer(prices_view(model, require_interval(model.intervals, number)))


@router.get(
    "/v1/block-orders",
    summary="Block orders that wait beside the books",
    **describe(documents.BlockOrders, query=NoQuery),
)
async def get_block_orders(request: Request) -> Response:
    """In the order in which they are tried again, once a minute; nobody can meet a part of one."""
    read_query(request, NoQuery)
    model = gateway_of(request).model
    waiting = sorted(model.block_orders.values(), key=lambda block: block.place)
    return answer(documents.BlockOrders(model.head.height, [views.block_order_view(block) for block in waiting]))


@router.get(
    "/v1/network/{interval}",
    summary="Zones and borders of an interval: prices, flows, what is free",
    **describe(coupled_documents.NetworkView, query=NoQuery, refuses=NOT_FOUND),
)
async def get_network(request: Request) -> Response:
    """As trades have used them up."""
    read_query(request, NoQuery)
    model, number = gateway_of(request).model, read_number(request, "interval")
    return answer(network_view(model, require_interval(model.intervals, number)))


@router.get(
    "/v1/network/{interval}/zones/{zone}",
    summary="The feeders of a zone in an interval",
    **describe(coupled_documents.ZoneFeeders, query=FeedersQuery, refuses=NOT_FOUND),
)
async def get_feeders(request: Request) -> Response:
    """With their links, where those have a limit."""
    query, model = read_query(request, FeedersQuery), gateway_of(request).model
    number = require_interval(model.intervals, read_number(request, "interval"))
    zone = _require_zone(model, read_number(request, "zone"))
    return answer(feeders_view(model, number, zone, query.after, query.limit))


def _require_zone(model: ReadModel, zone: int) -> int:
    if zone not in model.topology.neighbours:
        raise Refused(GatewayCode.NOT_FOUND, "zone", "there is no such zone")
    return zone
