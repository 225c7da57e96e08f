"""One's own bill: the statements of a day or a month, line by line, as JSON and as a table for spreadsheets."""

import asyncio
import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.gateway import documents
from gridtokenx.gateway.bills import (
    VAT_PERMILLE,
    TradeSum,
    add_lines,
    add_purchase,
    add_sale,
    add_vat,
    empty_lines,
    interval_lines,
    without_meters,
)
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.local_time import day_text, days_of, read_day, read_month
from gridtokenx.gateway.page_documents import Bill, BillDay, BillLines, PurchaseSplit, SaleSplit
from gridtokenx.gateway.personal import own_portfolio, require_owner
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.public import gateway_of
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.gateway.web import describe, private, read_query
from gridtokenx.ledger.quantities import interval_of, value_micro
from gridtokenx.modules.market import calendar
from gridtokenx.modules.market.messages import Terms
from gridtokenx.modules.market.state import account_of_order
from gridtokenx.modules.settlement.state import Statement

CSV_TYPE = "text/csv; charset=utf-8"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a text that begins so for a formula."""

router = APIRouter()


class BillQuery(documents.Request):
    """Which `day` (YYYY-MM-DD) or `month` (YYYY-MM) in Bangkok time, by default the chain's present day; of one
    portfolio or of all one's own."""

    day: str | None = None
    month: str | None = None
    portfolio: documents.ShortName | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """Days since the epoch, both included."""

    first: int
    last: int


@router.get(
    "/v1/accounts/{id}/bill",
    summary="One's own bill of a day or a month",
    **describe(Bill, query=BillQuery, personal=True),
)
async def get_bill(request: Request) -> Response:
    """The sum of the statements that this gateway knows: to the last unit what the ledger moved. VAT is shown beside
    it, no WATT moves for it."""
    return private(await _bill(request))


_csv_route: dict[str, Any] = describe(Bill, query=BillQuery, personal=True)
_csv_route["responses"] = _csv_route["responses"] | {
    200: {"description": "The bill as a table", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get("/v1/accounts/{id}/bill.csv", summary="The same as a table for spreadsheets", **_csv_route)
async def get_bill_table(request: Request) -> Response:
    """A header, a row for each day and one for their sum; columns are named as the fields, splits as
    `purchases.energy_micro`. What is not known is empty."""
    bill = await _bill(request)
    name = f"bill-{bill.first_day}-{bill.last_day}.csv"
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(bill_table(bill), 200, headers, CSV_TYPE)


def bill_table(bill: Bill) -> str:
    """The bill as comma-separated values, as RFC 4180 has them."""
    names = [name for name in BillLines.__struct_fields__ if name not in _SPLITS]
    split_names = [f"{split}.{name}" for split, kind in _SPLITS.items() for name in kind.__struct_fields__]
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["day", *names, *split_names])
    for day, lines in (*((line.day, line) for line in bill.days), ("total", bill.total)):
        cells = [getattr(lines, name) for name in names]
        for split, kind in _SPLITS.items():
            known = getattr(lines, split)
            cells += [None if known is None else getattr(known, name) for name in kind.__struct_fields__]
        table.writerow([safe_text(day), *cells])
    return text.getvalue()


def safe_text(text: str) -> str:
    """A text that no spreadsheet computes: after an apostrophe if it would."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


_SPLITS = {"purchases": PurchaseSplit, "sales": SaleSplit}


async def _bill(request: Request) -> Bill:
    """Day by day, so that nobody waits for a whole month: one that is corrected meanwhile is seen before or after."""
    own = require_owner(request)
    query, model = read_query(request, BillQuery), gateway_of(request).model
    period = _period(query, calendar.day_of(interval_of(model.head.time_ms)))
    portfolios = list(model.portfolios_of.get(own, ()))
    if query.portfolio is not None:
        portfolios = [own_portfolio(model, own, query.portfolio)]
    days: list[BillDay] = []
    left_out, total = 0, empty_lines()
    for day in range(period.first, period.last + 1):
        lines, unknown = _day_lines(model, own, portfolios, day)
        left_out += unknown
        if lines.intervals:
            add_vat(lines)
            add_lines(total, lines)
            named = {name: getattr(lines, name) for name in lines.__struct_fields__}
            days.append(BillDay(**named, day=day_text(day)))
            await asyncio.sleep(0)
    return Bill(
        own.hex(),
        model.head.height,
        day_text(period.first),
        day_text(period.last),
        VAT_PERMILLE,
        left_out,
        days,
        total,
    )


def _period(query: BillQuery, today: int) -> Period:
    if query.day is not None and query.month is not None:
        raise Refused(GatewayCode.REQUEST_MALFORMED, "month", "a day or a month, not both")
    if query.month is not None:
        month = read_month(query.month)
        if month is None:
            raise Refused(GatewayCode.REQUEST_MALFORMED, "month", "a month is written YYYY-MM")
        return Period(*month)
    day = today if query.day is None else read_day(query.day)
    if day is None:
        raise Refused(GatewayCode.REQUEST_MALFORMED, "day", "a day is written YYYY-MM-DD")
    return Period(day, day)


def _day_lines(model: ReadModel, own: bytes, portfolios: list[bytes], day: int) -> tuple[BillLines, int]:
    """A day's lines without VAT, and how many statements are left out because their prices are forgotten."""
    total, left_out = empty_lines(), 0
    known = [(portfolio, model.statements.of(portfolio)) for portfolio in portfolios]
    for interval in days_of(day, day):
        statements = [
            without_meters(rows[interval]) if model.has_members(portfolio) else rows[interval]
            for portfolio, rows in known
            if interval in rows
        ]
        prices = model.prices_of(interval)
        if prices is None:
            left_out += len(statements)
        elif statements:
            trades = _trades(model, own, interval, prices.terms) if _traded(statements) else TradeSum()
            rebate_micro = sum(model.statements.rebate_micro(interval, portfolio) for portfolio in portfolios)
            add_lines(total, interval_lines(statements, prices, trades, rebate_micro))
    return total, left_out


def _traded(statements: Iterable[Statement]) -> bool:
    return any(statement.bought_wh or statement.sold_wh for statement in statements)


def _trades(model: ReadModel, own: bytes, interval: int, terms: Terms) -> TradeSum:
    """What memory still has of the account's trades in an interval, without those that are void."""
    total = TradeSum()
    trades = model.trades_of.get(interval, ())
    void = {trade.view.voids for trade in trades}
    for trade in trades:
        view = trade.view
        if view.voids is not None or view.sequence in void:
            continue
        value = value_micro(view.price_micro, view.quantity_wh)
        if account_of_order(trade.buyer_order) == own:
            total = add_purchase(total, terms, value, view.quantity_wh, view.wheeling_micro)
        if account_of_order(trade.seller_order) == own:
            total = add_sale(total, terms, value, view.quantity_wh)
    return total
