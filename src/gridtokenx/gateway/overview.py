"""What anybody may ask about the market as a whole: the community's sums and savings, its terms, its places."""

from collections.abc import Iterable
from itertools import islice

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.gateway import documents, page_documents
from gridtokenx.gateway.bills import VAT_PERMILLE
from gridtokenx.gateway.community import SITES_MIN, SettledInterval, Sums
from gridtokenx.gateway.core import Gateway
from gridtokenx.gateway.local_time import day_text
from gridtokenx.gateway.public import Limit, NoQuery, Number, gateway_of
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.gateway.web import answer, describe, read_query
from gridtokenx.ledger.quantities import interval_of, interval_start_ms
from gridtokenx.modules.market import calendar
from gridtokenx.modules.market.state import HOLIDAYS

MINUTES_PER_QUARTER = 15
INTERVALS_SHOWN = 96

router = APIRouter()


class CommunityQuery(documents.Request):
    """From which interval on, how many; without `start` the newest."""

    start: Number | None = None
    limit: Limit = INTERVALS_SHOWN


@router.get(
    "/v1/community",
    summary="Settled intervals, summed over all portfolios",
    **describe(page_documents.Community, query=CommunityQuery),
)
async def get_community(request: Request) -> Response:
    """Sums of at least three metered sites; an interval with fewer is withheld. As far as this gateway's memory
    reaches, a hundred days at most."""
    query, model = read_query(request, CommunityQuery), gateway_of(request).model
    numbers = sorted(model.community.intervals)
    if query.start is None:
        page, following = numbers[-query.limit :], 0
    else:
        rest = [number for number in numbers if number >= query.start]
        page, following = rest[: query.limit], rest[query.limit] if len(rest) > query.limit else 0
    settled = [(number, model.community.intervals[number]) for number in page]
    shown = [_interval(number, one) for number, one in settled if one.sites >= SITES_MIN]
    oldest = numbers[0] if numbers else 0
    head, withheld = model.head, len(page) - len(shown)
    view = page_documents.Community(head.height, head.time_ms, SITES_MIN, oldest, withheld, shown, following)
    return answer(view)


@router.get(
    "/v1/community/savings",
    summary="What the market was worth to its homes",
    **describe(page_documents.Savings, query=NoQuery),
)
async def get_savings(request: Request) -> Response:
    """Sums over all portfolios, of at least three metered sites; by name only those whose owners agreed."""
    read_query(request, NoQuery)
    return answer(_savings(gateway_of(request)))


@router.get(
    "/v1/terms",
    summary="The market's terms: fees, wheeling, spreads, tariff",
    **describe(page_documents.TermsInForce, query=NoQuery),
)
async def get_terms(request: Request) -> Response:
    """Those of the interval that is running, and the next ones if others are to come."""
    read_query(request, NoQuery)
    model = gateway_of(request).model
    newest = max(model.terms)
    running = model.intervals.get(interval_of(model.head.time_ms))
    current = newest if running is None else running.terms
    opened = {interval.terms for interval in model.intervals.values()}
    later = sorted(version for version in opened | {newest} if version > current)
    view = page_documents.TermsInForce(
        model.head.height,
        model.head.time_ms,
        _terms(model, current),
        _terms(model, later[0]) if later else None,
        _calendar(model),
        VAT_PERMILLE,
    )
    return answer(view)


@router.get("/v1/places", summary="Bidding zones and feeders", **describe(page_documents.Places, query=NoQuery))
async def get_places(request: Request) -> Response:
    """Where orders and sites are."""
    read_query(request, NoQuery)
    model = gateway_of(request).model
    zones = [
        page_documents.ZoneView(number, zone.name, zone.distributor.hex(), list(zone.neighbours))
        for number, zone in model.zones.items()
    ]
    feeders = [page_documents.FeederView(number, feeder.zone, feeder.name) for number, feeder in model.feeders.items()]
    return answer(page_documents.Places(zones, feeders))


def _interval(number: int, settled: SettledInterval) -> page_documents.CommunityInterval:
    return page_documents.CommunityInterval(
        **msgspec.structs.asdict(settled.sums),
        interval=number,
        delivery_ms=interval_start_ms(number),
        sites=settled.sites,
        tariff_micro=settled.prices.tariff_micro,
        buy_back_micro=settled.prices.terms.buy_back_micro,
        mean_price_micro=settled.mean_price_micro,
    )


def _savings(gateway: Gateway) -> page_documents.Savings:
    model, memory = gateway.model, gateway.model.community
    view = page_documents.Savings(
        model.head.height,
        model.head.time_ms,
        memory.since,
        memory.until,
        SITES_MIN,
        len(memory.portfolios),
        *(None, None, None, None),
        showcase=[],
    )
    if _count(portfolio for portfolio in memory.portfolios if model.portfolios[portfolio].site) < SITES_MIN:
        return view
    view.saved, view.lost, view.even = memory.outcomes()
    view.sums = page_documents.CommunitySums(**msgspec.structs.asdict(memory.total))
    hidden = _count(
        portfolio
        for portfolio in memory.portfolios
        if portfolio not in gateway.showcase and model.portfolios[portfolio].site
    )
    if hidden in {0, SITES_MIN} or gateway.faucet is not None:
        shown = [(name, key) for key, name in gateway.showcase.items() if key in memory.portfolios]
        view.showcase = [_home(name, key, memory.portfolios[key]) for name, key in sorted(shown)]
    return view


def _count(portfolios: Iterable[bytes]) -> int:
    """How many there are, up to the least that may be published."""
    return sum(1 for _ in islice(portfolios, SITES_MIN))


def _home(name: str, portfolio: bytes, sums: Sums) -> page_documents.ShownHome:
    return page_documents.ShownHome(
        name,
        portfolio.hex(),
        sums.statements,
        sums.import_wh,
        sums.export_wh,
        sums.sold_wh,
        sums.bought_wh,
        sums.bill_micro,
        sums.old_bill_micro,
        sums.old_bill_micro - sums.bill_micro,
    )


def _terms(model: ReadModel, version: int) -> page_documents.TermsView:
    numbers = [number for number, interval in model.intervals.items() if interval.terms == version]
    return page_documents.TermsView(
        version=version,
        first_interval=min(numbers, default=None),
        last_interval=max(numbers, default=None),
        **msgspec.structs.asdict(model.terms[version]),
    )


def _calendar(model: ReadModel) -> page_documents.TariffCalendar:
    """On-peak hours are the ledger's, holidays state."""
    days = [int.from_bytes(key[1:], "big") for key, _ in model.reader.scan(bytes([HOLIDAYS.prefix]))]
    return page_documents.TariffCalendar(
        list(range(1, calendar.SATURDAY + 1)),
        calendar.ON_PEAK_FIRST_QUARTER * MINUTES_PER_QUARTER,
        (calendar.ON_PEAK_LAST_QUARTER + 1) * MINUTES_PER_QUARTER,
        [day_text(day) for day in days],
    )
