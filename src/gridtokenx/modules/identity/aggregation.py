"""Aggregators: open a portfolio, join it, accept, leave, exclude. All counts from the first day that has not opened."""

import msgspec

from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import PORTFOLIO_MEMBERS_MAX, PORTFOLIOS_OF_AGGREGATOR_MAX
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.messages import (
    NO_CAPACITY,
    AcceptMember,
    ExcludeMember,
    IdentityCode,
    JoinPortfolio,
    LeavePortfolio,
    Licence,
    OpenPortfolio,
    RoleName,
    SplitKind,
)
from gridtokenx.modules.identity.rosters import (
    FIRST_INTERVALS,
    JOIN_REQUESTS,
    MEMBERSHIPS,
    ROSTERS,
    SPLIT_RULES,
    JoinRequest,
    Membership,
    delete_version,
    first_unopened,
    membership_at,
    put_version,
    roster_at,
    roster_of,
    version_ends,
    version_key,
)
from gridtokenx.modules.identity.state import (
    PARTICIPANTS,
    PORTFOLIOS,
    Portfolio,
    add_portfolio,
    owner_of,
    require_role,
)


def open_portfolio(state: State, context: Context, message: OpenPortfolio) -> tuple[int, ...]:
    """`NOT_AN_AGGREGATOR` (no such licence, or none that counts now), `SPLIT_INVALID`, `PORTFOLIOS_EXCEEDED`, and as
    for a portfolio."""
    participant_id = owner_of(state, context.sender)
    participant = state.get(PARTICIPANTS, participant_id)
    if participant is None or participant.licence != Licence.AGGREGATOR:
        raise Rejected(IdentityCode.NOT_AN_AGGREGATOR, "sender")
    if participant.trades_until_ms() <= context.time_ms:
        raise Rejected(IdentityCode.NOT_AN_AGGREGATOR, "sender")
    if message.rule.kind not in list(SplitKind):
        raise Rejected(IdentityCode.SPLIT_INVALID, "rule.kind")
    rows = state.rows[PORTFOLIOS.prefix]
    opened = sum(rows[portfolio].participant == participant_id for portfolio in state.rows[SPLIT_RULES.prefix])
    if opened >= PORTFOLIOS_OF_AGGREGATOR_MAX:
        raise Rejected(IdentityCode.PORTFOLIOS_EXCEEDED, "sender")
    add_portfolio(state, message.portfolio, context.sender, message.feeder, 0, NO_CAPACITY, b"")
    state.put(SPLIT_RULES, message.portfolio, message.rule)
    return ()


def join_portfolio(state: State, context: Context, message: JoinPortfolio) -> tuple[int, ...]:
    """`NOT_YOUR_SITE`, `PORTFOLIO_UNKNOWN`, `SPLIT_DIFFERS`, `FEEDER_DIFFERS`, `MEMBER_ALREADY`."""
    member = own_site(state, context, message.member)
    rule = state.get(SPLIT_RULES, message.portfolio)
    if rule is None:
        raise Rejected(IdentityCode.PORTFOLIO_UNKNOWN, "portfolio")
    if message.rule != rule:
        raise Rejected(IdentityCode.SPLIT_DIFFERS, "rule")
    if member.feeder != state.rows[PORTFOLIOS.prefix][message.portfolio].feeder:
        raise Rejected(IdentityCode.FEEDER_DIFFERS, "portfolio")
    if membership_at(state, message.member, first_unopened(context.time_ms)) is not None:
        raise Rejected(IdentityCode.MEMBER_ALREADY, "member")
    state.put(JOIN_REQUESTS, message.member, JoinRequest(message.portfolio))
    return ()


def accept_member(state: State, context: Context, message: AcceptMember) -> tuple[int, ...]:
    """`NOT_IN_PORTFOLIO` (nobody asked), `NOT_AUTHORISED` (another's portfolio), `PORTFOLIO_FULL`. Receipt: the first
    interval in which it is a member."""
    request = state.get(JOIN_REQUESTS, message.member)
    if request is None:
        raise Rejected(IdentityCode.NOT_IN_PORTFOLIO, "member")
    portfolio = request.portfolio
    if state.rows[PORTFOLIOS.prefix][portfolio].account != context.sender:
        raise Rejected(IdentityCode.NOT_AUTHORISED, "member")
    first = first_unopened(context.time_ms)
    members = roster_at(state, portfolio, first).members
    if len(members) >= PORTFOLIO_MEMBERS_MAX:
        raise Rejected(IdentityCode.PORTFOLIO_FULL, "member")
    state.delete(JOIN_REQUESTS, message.member)
    put_version(state, MEMBERSHIPS, version_key(message.member, first), Membership(portfolio, 0))
    _put_roster(state, portfolio, first, (*members, message.member))
    return (first,)


def leave_portfolio(state: State, context: Context, message: LeavePortfolio) -> tuple[int, ...]:
    """`NOT_YOUR_SITE`, `NOT_IN_PORTFOLIO`. Receipt: the first interval in which it is no member; 0 if it never was."""
    own_site(state, context, message.member)
    return _take_out(state, context, message.member)


def exclude_member(state: State, context: Context, message: ExcludeMember) -> tuple[int, ...]:
    """`NOT_IN_PORTFOLIO`, `NOT_AUTHORISED`. Receipt as for leaving."""
    request = state.get(JOIN_REQUESTS, message.member)
    found = request or membership_at(state, message.member, first_unopened(context.time_ms))
    if found is None:
        raise Rejected(IdentityCode.NOT_IN_PORTFOLIO, "member")
    if state.rows[PORTFOLIOS.prefix][found.portfolio].account != context.sender:
        require_role(state, context.sender, RoleName.REGISTRAR)
    return _take_out(state, context, message.member)


def own_site(state: State, context: Context, member: bytes) -> Portfolio:
    """The sender's portfolio that has a site; else `NOT_YOUR_SITE`."""
    portfolio = state.get(PORTFOLIOS, member)
    if portfolio is None or portfolio.account != context.sender or not portfolio.site:
        raise Rejected(IdentityCode.NOT_YOUR_SITE, "member")
    return portfolio


def _take_out(state: State, context: Context, member: bytes) -> tuple[int, ...]:
    """End a membership with the last day that has opened, or take a request back: `NOT_IN_PORTFOLIO`."""
    if state.get(JOIN_REQUESTS, member) is not None:
        state.delete(JOIN_REQUESTS, member)
        return (0,)
    until = first_unopened(context.time_ms)
    membership = membership_at(state, member, until)
    if membership is None:
        raise Rejected(IdentityCode.NOT_IN_PORTFOLIO, "member")
    first = state.index(FIRST_INTERVALS)[member][-1]
    if first == until:
        delete_version(state, MEMBERSHIPS, version_key(member, first))
    else:
        ended = msgspec.structs.replace(membership, until=until)
        put_version(state, MEMBERSHIPS, version_key(member, first), ended)
        version_ends(state, version_key(member, first), until)
    members = roster_at(state, membership.portfolio, until).members
    _put_roster(state, membership.portfolio, until, tuple(one for one in members if one != member))
    return (0 if first == until else until,)


def _put_roster(state: State, portfolio: bytes, first: int, members: tuple[bytes, ...]) -> None:
    """From `first` on these are the members; the roster before it ends there."""
    before = [number for number in state.index(FIRST_INTERVALS).get(portfolio, ()) if number < first]
    if before:
        version_ends(state, version_key(portfolio, before[-1]), first)
    put_version(state, ROSTERS, version_key(portfolio, first), roster_of(state, tuple(sorted(members))))
