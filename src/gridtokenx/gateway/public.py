"""What anybody may ask: intervals, books, trades, blocks, codes, and how the gateway is."""

from collections import deque
from collections.abc import Container
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.gateway import documents, views
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.core import Gateway
from gridtokenx.gateway.entrance import Entrance
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.readmodel import after_sequence, newest
from gridtokenx.gateway.web import answer, describe, read_number, read_query

PAGE = 100
PAGE_MAX = 1_000
BLOCKS_PAGE_MAX = 50
"""Blocks that are no longer in memory are read one by one."""

Number = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)]

NOT_FOUND = (GatewayCode.NOT_FOUND,)
"""What routes refuse with that name one thing."""

router = APIRouter()


class NoQuery(documents.Request):
    """No parameters."""


class IntervalsQuery(documents.Request):
    """From which interval on, how many."""

    start: Number = 0
    limit: Limit = PAGE_MAX


class BookQuery(documents.Request):
    """For a trader on which feeder; how many levels of each side."""

    feeder: Annotated[int, msgspec.Meta(ge=0, le=65_535)] | None = None
    levels: Limit = views.LEVELS_SHOWN


class TradesQuery(documents.Request):
    """After which sequence; without it the newest."""

    after: Number | None = None
    limit: Limit = PAGE


class BlocksQuery(documents.Request):
    """Before which height; without it the newest."""

    before: Number | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=BLOCKS_PAGE_MAX)] = BLOCKS_PAGE_MAX


def gateway_of(request: Request) -> Gateway:
    """The gateway that answers."""
    gateway: Gateway = request.app.state.gateway
    return gateway


def entrance_of(request: Request) -> Entrance:
    """Where its limits are kept."""
    entrance: Entrance = request.app.state.entrance
    return entrance


@router.get("/v1/status", summary="Where the chain is, and its time", **describe(documents.StatusView))
async def get_status(request: Request) -> Response:
    """Chain time is what expiries are counted from; this machine's clock is not asked."""
    read_query(request, NoQuery)
    return answer(views.status_view(gateway_of(request).model))


@router.get(
    "/v1/intervals",
    summary="Delivery intervals that are open or not final yet",
    **describe(documents.Intervals, query=IntervalsQuery),
)
async def get_intervals(request: Request) -> Response:
    """In the order of delivery."""
    query, model = read_query(request, IntervalsQuery), gateway_of(request).model
    numbers = sorted(number for number in model.intervals if number >= query.start)
    shown = [views.interval_view(model, number) for number in numbers[: query.limit]]
    following = numbers[query.limit] if len(numbers) > query.limit else 0
    return answer(documents.Intervals(model.head.height, model.head.time_ms, shown, following))


@router.get(
    "/v1/intervals/{interval}",
    summary="One delivery interval",
    **describe(documents.IntervalView, query=NoQuery, refuses=NOT_FOUND),
)
async def get_interval(request: Request) -> Response:
    """404 for one that is not open yet, or final and forgotten."""
    read_query(request, NoQuery)
    model, number = gateway_of(request).model, read_number(request, "interval")
    return answer(views.interval_view(model, require_interval(model.intervals, number)))


@router.get(
    "/v1/intervals/{interval}/book",
    summary="Depth: by limit, and with a feeder by delivered price",
    **describe(documents.BookView, query=BookQuery, refuses=NOT_FOUND),
)
async def get_book(request: Request) -> Response:
    """Best first; the checksum is over all levels."""
    query, model = read_query(request, BookQuery), gateway_of(request).model
    number = require_interval(model.intervals, read_number(request, "interval"))
    if query.feeder is not None and query.feeder not in model.topology.zone_of:
        raise Refused(GatewayCode.NOT_FOUND, "feeder", "there is no such feeder")
    return answer(views.book_view(model, number, query.feeder, query.levels))


@router.get(
    "/v1/intervals/{interval}/trades",
    summary="Trades of one interval, as far as memory reaches",
    **describe(documents.Trades, query=TradesQuery, refuses=NOT_FOUND),
)
async def get_interval_trades(request: Request) -> Response:
    """Rising sequences; `oldest` says how far memory reaches."""
    query, model = read_query(request, TradesQuery), gateway_of(request).model
    number = require_interval(model.intervals, read_number(request, "interval"))
    trades = model.trades_of.get(number) or deque()
    page = newest(trades, query.limit) if query.after is None else after_sequence(trades, query.after, query.limit)
    following = page[-1].view.sequence if page else query.after or 0
    return answer(documents.Trades([trade.view for trade in page], following, model.trades_since))


@router.get("/v1/trades", summary="Trades of all intervals", **describe(documents.Trades, query=TradesQuery))
async def get_trades(request: Request) -> Response:
    """Rising sequences; those that memory has lost are read from their blocks."""
    query, model = read_query(request, TradesQuery), gateway_of(request).model
    if query.after is None:
        page = newest(model.trades, query.limit)
        following = page[-1].view.sequence if page else 0
    else:
        page, following = model.trades_after(query.after, query.limit)
    return answer(documents.Trades([trade.view for trade in page], following, model.trades_since))


@router.get("/v1/blocks", summary="Blocks, newest first", **describe(documents.Blocks, query=BlocksQuery))
async def get_blocks(request: Request) -> Response:
    """With what each did in Wh and WATT."""
    query, gateway = read_query(request, BlocksQuery), gateway_of(request)
    height = gateway.model.head.height
    if query.before is not None:
        height = min(height, query.before - 1)
    lines: list[documents.BlockLine] = []
    while height >= 1 and len(lines) < query.limit:
        line = gateway.block_line(height)
        if line is None:
            break
        lines.append(line)
        height -= 1
    return answer(documents.Blocks(lines, height + 1 if height >= 1 and lines else 0))


@router.get(
    "/v1/blocks/{height}", summary="One block", **describe(documents.BlockView, query=NoQuery, refuses=NOT_FOUND)
)
async def get_block(request: Request) -> Response:
    """Header, summary, and each batch with the ids and codes of its transactions."""
    read_query(request, NoQuery)
    model, height = gateway_of(request).model, read_number(request, "height")
    if not 1 <= height <= model.head.height:
        raise Refused(GatewayCode.NOT_FOUND, "height", f"there are blocks 1 to {model.head.height}")
    stored, results = model.reader.block(height), model.reader.results(height)
    if stored is None or results is None:
        raise Refused(
            GatewayCode.NOT_FOUND, "height", "this node does not have the block: it is older than what it keeps"
        )
    return answer(views.block_view(stored, results))


@router.get(
    "/health",
    summary="Ready, or why not (503)",
    **describe(documents.HealthView, query=NoQuery, also={503: documents.HealthView}),
)
async def get_health(request: Request) -> Response:
    """Ready means: it has a read model and the node answers."""
    read_query(request, NoQuery)
    view = gateway_of(request).health()
    return answer(view, 200 if view.ready else 503)


@router.get("/health/live", summary="The process answers", **describe(documents.HealthView, query=NoQuery))
async def get_live(request: Request) -> Response:
    """For supervisors: restart what does not answer this, and only that."""
    read_query(request, NoQuery)
    return answer(gateway_of(request).health())


@router.get("/metrics", summary="Metrics of gateway and node, for Prometheus", response_class=Response)
async def get_metrics(request: Request) -> Response:
    """The node's own come last; without the node they are missing."""
    gateway = gateway_of(request)
    try:
        theirs = await gateway.node_metrics()
        gateway.metrics.node_up.set(1)
    except Refused:
        theirs = b""
        gateway.metrics.node_up.set(0)
    return Response(gateway.metrics.text() + theirs, media_type="text/plain; version=0.0.4; charset=utf-8")


def require_interval(intervals: Container[int], number: int) -> int:
    """The number, if such an interval is known. Refuses with `NOT_FOUND`."""
    if number not in intervals:
        raise Refused(GatewayCode.NOT_FOUND, "interval", "this interval is not open, or final and forgotten")
    return number
