"""Portfolios: what aggregators offer, for anybody; one's own, with members and splits, for their owners."""

from collections.abc import Iterator

from fastapi import APIRouter, Request
from fastapi.responses import Response

from gridtokenx.gateway import documents
from gridtokenx.gateway.personal import PORTFOLIO_BYTES, Interval, require_owner
from gridtokenx.gateway.portfolio_documents import (
    Aggregator,
    Aggregators,
    MembershipView,
    OwnPortfolio,
    OwnPortfolios,
    RosterView,
    SplitRuleView,
    SplitsOfAccount,
    SplitView,
)
from gridtokenx.gateway.public import Limit, NoQuery, gateway_of
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.gateway.web import answer, describe, private, read_query
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.modules.identity.messages import SplitKind, SplitRule
from gridtokenx.modules.identity.rosters import (
    FIRST_INTERVALS,
    JOIN_REQUESTS,
    MEMBERSHIPS,
    ROSTERS,
    SPLIT_RULES,
    first_unopened,
    membership_at,
    roster_at,
    version_key,
)
from gridtokenx.modules.settlement.split import weight_of
from gridtokenx.modules.settlement.state import SPLITS, Split

LAST_INTERVAL = 2**32 - 1

router = APIRouter()


class SplitsQuery(documents.Request):
    """After which interval."""

    after: Interval = 0
    limit: Limit = 300


@router.get("/v1/aggregators", summary="Portfolios that sites can join", **describe(Aggregators, query=NoQuery))
async def get_aggregators(request: Request) -> Response:
    """With the rule that a member consents to."""
    read_query(request, NoQuery)
    model = gateway_of(request).model
    shown = [_aggregator(model, key, rule) for key, rule in model.members.items(SPLIT_RULES)]
    return answer(Aggregators(model.head.height, first_unopened(model.head.time_ms), shown))


@router.get(
    "/v1/accounts/{id}/portfolios",
    summary="One's own portfolios, their members and memberships",
    **describe(OwnPortfolios, query=NoQuery, personal=True),
)
async def get_portfolios(request: Request) -> Response:
    """An aggregator sees the memberships of all its members, a site's owner its own."""
    own = require_owner(request)
    read_query(request, NoQuery)
    model = gateway_of(request).model
    shown = [_own_portfolio(model, portfolio) for portfolio in sorted(model.portfolios_of.get(own, ()))]
    return private(OwnPortfolios(model.head.height, shown))


@router.get(
    "/v1/accounts/{id}/splits",
    summary="How results of portfolios with members were split",
    **describe(SplitsOfAccount, query=SplitsQuery, personal=True),
)
async def get_splits(request: Request) -> Response:
    """A line for each of one's own portfolios with members, and for each of one's own sites in one."""
    own = require_owner(request)
    query, model = read_query(request, SplitsQuery), gateway_of(request).model
    portfolios = sorted(model.portfolios_of.get(own, ()))
    shown: list[SplitView] = []
    following = 0
    for interval in sorted({int.from_bytes(key[:4], "big") for key in model.members.rows[SPLITS.prefix]}):
        if interval <= query.after:
            continue
        if len(shown) >= query.limit:
            following = shown[-1].interval
            break
        shown += [view for portfolio in portfolios for view in _splits(model, interval, portfolio)]
    return private(SplitsOfAccount(model.head.height, shown, following))


def _aggregator(model: ReadModel, portfolio: bytes, rule: SplitRule) -> Aggregator:
    feeder = model.portfolios[portfolio].feeder
    members = roster_at(model.members, portfolio, LAST_INTERVAL).members
    return Aggregator(portfolio.hex(), feeder, model.feeders[feeder].zone, _rule(rule), len(members))


def _rule(rule: SplitRule) -> SplitRuleView:
    return SplitRuleView(SplitKind(rule.kind).name.lower(), rule.commission_ppm, rule.loss_ppm)


def _own_portfolio(model: ReadModel, portfolio: bytes) -> OwnPortfolio:
    record, rule = model.portfolios[portfolio], model.members.get(SPLIT_RULES, portfolio)
    firsts = model.members.index(FIRST_INTERVALS).get(portfolio, ())
    rosters = [model.members.rows[ROSTERS.prefix][version_key(portfolio, first)] for first in firsts if rule]
    return OwnPortfolio(
        portfolio.hex(),
        record.feeder,
        bool(record.site),
        record.import_w,
        list(record.export_w),
        None if rule is None else _rule(rule),
        [
            RosterView(first, len(roster.members), roster.import_w, list(roster.export_w))
            for first, roster in zip(firsts, rosters, strict=False)
        ],
        list(_memberships(model, portfolio)),
    )


def _memberships(model: ReadModel, portfolio: bytes) -> Iterator[MembershipView]:
    """Where it is the site or the portfolio."""
    for member, request in model.members.items(JOIN_REQUESTS):
        if portfolio in (member, request.portfolio):
            yield MembershipView(member.hex(), request.portfolio.hex(), "asked", 0, 0)
    for key, found in model.members.items(MEMBERSHIPS):
        if portfolio in (key[:PORTFOLIO_BYTES], found.portfolio):
            first = int.from_bytes(key[PORTFOLIO_BYTES:], "big")
            yield MembershipView(key[:PORTFOLIO_BYTES].hex(), found.portfolio.hex(), "member", first, found.until)


def _splits(model: ReadModel, interval: int, portfolio: bytes) -> Iterator[SplitView]:
    """The portfolio's own line as an aggregator's, and as a site's that is a member."""
    splits, key = model.members.rows[SPLITS.prefix], interval_key(interval)
    made: Split | None = splits.get(key + portfolio)
    if made is not None:
        gain, old = made.gain_micro - made.loss_micro, made.old_charge_micro - made.old_credit_micro
        yield _split_view(interval, portfolio, b"", made, made.weight, old, gain - _signed(made, made.shared_micro))
    membership = membership_at(model.members, portfolio, interval)
    line = model.statements.of(portfolio).get(interval)
    if membership is None or line is None or key + membership.portfolio not in splits:
        return
    made = splits[key + membership.portfolio]
    rule = model.members.rows[SPLIT_RULES.prefix][membership.portfolio]
    old, share = line.charge_micro - line.credit_micro, line.split_credit_micro - line.split_charge_micro
    weight = weight_of(rule, line, gaining=not made.loss_micro) or int(share != 0)
    yield _split_view(interval, membership.portfolio, portfolio, made, weight, old, share)


def _split_view(
    interval: int, portfolio: bytes, member: bytes, made: Split, weight: int, old_bill_micro: int, share_micro: int
) -> SplitView:
    return SplitView(
        interval,
        portfolio.hex(),
        member.hex(),
        made.gain_micro - made.loss_micro,
        _signed(made, made.commission_micro),
        _signed(made, made.shared_micro),
        made.weight,
        weight,
        old_bill_micro,
        share_micro,
    )


def _signed(made: Split, amount_micro: int) -> int:
    return -amount_micro if made.loss_micro else amount_micro
