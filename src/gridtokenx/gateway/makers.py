"""Makers: programmes and who keeps them, for anybody; what is missing of one's own duties, for their owners."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec.structs import astuple

from gridtokenx.gateway import documents
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.maker_documents import (
    MakerDuties,
    MakerDutyView,
    MakerProgrammeView,
    Makers,
    MakerTermsView,
    MakerView,
    OwnDuties,
    OwnDutyView,
)
from gridtokenx.gateway.personal import PORTFOLIO_BYTES, Interval, require_owner, whole_intervals
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.public import NOT_FOUND, Limit, NoQuery, gateway_of
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.gateway.web import answer, describe, private, read_hex, read_query
from gridtokenx.modules.identity.state import zone_key
from gridtokenx.modules.market import presence
from gridtokenx.modules.market.messages import BUY, SELL, MakerTerms
from gridtokenx.modules.market.presence import Quotes, QuotesByDuty
from gridtokenx.modules.market.state import (
    MAKER_PROGRAMMES,
    Maker,
    MakerDuty,
    MakerEnd,
    MakerProgramme,
    Verdict,
    position_key,
)

router = APIRouter()


class OwnDutiesQuery(documents.Request):
    """After which interval."""

    after: Interval = 0
    limit: Limit = 100


@router.get("/v1/makers", summary="Programmes for makers, and who keeps them how", **describe(Makers, query=NoQuery))
async def get_makers(request: Request) -> Response:
    """With the score of about a day: the intervals that are not final yet."""
    read_query(request, NoQuery)
    model = gateway_of(request).model
    programmes, makers = [], []
    for key, programme in model.members.items(MAKER_PROGRAMMES):
        programmes.append(MakerProgrammeView(key[0], _terms(programme.terms)))
        makers += [_maker(model, key[0], maker) for maker in programme.makers]
    return answer(Makers(model.head.height, programmes, makers))


@router.get(
    "/v1/makers/{portfolio}",
    summary="A maker's presence, interval by interval",
    **describe(MakerDuties, query=NoQuery, refuses=NOT_FOUND),
)
async def get_maker(request: Request) -> Response:
    """Of intervals that are not final yet. 404 for a portfolio that is no maker and was none in any of them."""
    read_query(request, NoQuery)
    model = gateway_of(request).model
    portfolio = read_hex(request.path_params["portfolio"], PORTFOLIO_BYTES, "portfolio")
    duties = model.duties_of.get(portfolio, {})
    if not duties and not any(one.portfolio == portfolio for one in _all_makers(model)):
        raise Refused(GatewayCode.NOT_FOUND, "portfolio", "this portfolio is no maker, and was none lately")
    shown = [_duty(model, portfolio, interval, duties[interval]) for interval in sorted(duties)]
    return answer(MakerDuties(model.head.height, portfolio.hex(), _zone_of(model, portfolio), shown))


@router.get(
    "/v1/accounts/{id}/duties",
    summary="What is missing of one's own duties as a maker",
    **describe(OwnDuties, query=OwnDutiesQuery, personal=True),
)
async def get_duties(request: Request) -> Response:
    """Of open intervals: what one's orders show, and what the programme asks for."""
    own = require_owner(request)
    query, model = read_query(request, OwnDutiesQuery), gateway_of(request).model
    open_duties = sorted(
        (interval, portfolio)
        for portfolio in model.portfolios_of.get(own, ())
        for interval, duty in model.duties_of.get(portfolio, {}).items()
        if not duty.verdict and interval > query.after
    )
    page = whole_intervals(open_duties, query.limit)
    quotes = _quotes(model, own, page)
    shown = [_own_duty(model, interval, portfolio, quotes) for interval, portfolio in page]
    following = page[-1][0] if len(page) < len(open_duties) else 0
    return private(OwnDuties(model.head.height, shown, following))


def _all_makers(model: ReadModel) -> list[Maker]:
    return [maker for _, programme in model.members.items(MAKER_PROGRAMMES) for maker in programme.makers]


def _zone_of(model: ReadModel, portfolio: bytes) -> int:
    return model.feeders[model.portfolios[portfolio].feeder].zone


def _terms(terms: MakerTerms) -> MakerTermsView:
    return MakerTermsView(*astuple(terms))


def _maker(model: ReadModel, zone: int, maker: Maker) -> MakerView:
    duties, now_ms = model.duties_of.get(maker.portfolio, {}).values(), model.head.time_ms
    counting = [one for one in duties if not one.verdict and one.from_ms <= now_ms < one.until_ms]
    verdicts = [one.verdict for one in duties]
    return MakerView(
        maker.portfolio.hex(),
        zone,
        model.portfolios[maker.portfolio].feeder,
        maker.first,
        maker.until,
        MakerEnd(maker.end).name.lower(),
        maker.missed_in_a_row,
        verdicts.count(Verdict.KEPT),
        verdicts.count(Verdict.MISSED),
        verdicts.count(Verdict.EXCUSED),
        sum(one.fees_micro for one in duties if one.verdict),
        sum(one.rebate_micro for one in duties),
        len(counting),
        sum(one.since_ms > 0 for one in counting),
    )


def _times(model: ReadModel, portfolio: bytes, interval: int, duty: MakerDuty) -> tuple[int, int]:
    """How much time has counted so far, and for how much of it the maker was there."""
    now_ms = min(model.head.time_ms, duty.until_ms)
    zone = _zone_of(model, portfolio)
    programme: MakerProgramme = model.members.rows[MAKER_PROGRAMMES.prefix][zone_key(zone)]
    halted = presence.halts_of(duty, model.halts, interval, zone, now_ms)
    still = sorted(presence.all_standstills(model.authority, programme, now_ms) + halted)
    return (
        presence.counted_ms(still, duty.from_ms, now_ms),
        duty.held_ms + presence.present_ms(still, duty, now_ms),
    )


def _duty(model: ReadModel, portfolio: bytes, interval: int, duty: MakerDuty) -> MakerDutyView:
    counted_ms, present_ms = _times(model, portfolio, interval, duty)
    return MakerDutyView(
        interval,
        Verdict(duty.verdict).name.lower(),
        duty.from_ms,
        duty.until_ms,
        counted_ms,
        present_ms,
        duty.since_ms > 0,
        _terms(duty.asked),
        duty.fees_micro,
        duty.rebate_micro,
    )


def _quotes(model: ReadModel, own: bytes, page: list[tuple[int, bytes]]) -> QuotesByDuty:
    """What the account's open orders show, of these duties."""
    duties = {position_key(*names): model.duties_of[names[1]][names[0]] for names in page}
    quotes: QuotesByDuty = {}
    for key in model.orders_of.get(own, ()) if duties else ():
        order = model.orders[key]
        name = position_key(order.interval, order.portfolio)
        if name in duties:
            presence.put_shown(quotes, (name, key), presence.shown_by(duties[name], order))
    return quotes


def _own_duty(model: ReadModel, interval: int, portfolio: bytes, quotes: QuotesByDuty) -> OwnDutyView:
    duty = model.duties_of[portfolio][interval]
    shown, asked = quotes.get(position_key(interval, portfolio), Quotes()), duty.asked
    spread_micro = shown.spread_micro(asked, model.terms[model.intervals[interval].terms].wheeling_base_micro)
    energies = shown.sides[BUY].shown_wh(), shown.sides[SELL].shown_wh()
    missing = {
        "buy_size": energies[BUY] < asked.size_wh,
        "sell_size": energies[SELL] < asked.size_wh,
        "spread": spread_micro is not None and spread_micro > asked.spread_micro,
    }
    counted_ms, present_ms = _times(model, portfolio, interval, duty)
    return OwnDutyView(
        interval,
        portfolio.hex(),
        duty.since_ms > 0,
        counted_ms,
        present_ms,
        duty.until_ms,
        _terms(asked),
        *energies,
        spread_micro,
        [name for name, is_missing in missing.items() if is_missing],
    )
