"""Portfolios with members: whose sites an aggregator trades, from which interval on.

A roster counts from the first interval of a day that had not opened when it was made: what could be traded already
keeps who was in it. So a portfolio has a few rosters, and a site a few memberships, one for each change; they stay
while an interval lives that needs them.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from gridtokenx.ledger import schedule
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.quantities import (
    DAY_MS,
    bangkok_day_start_ms,
    interval_key,
    interval_of,
    interval_start_ms,
)
from gridtokenx.ledger.state import Index, State, Table
from gridtokenx.ledger.transaction import Whole
from gridtokenx.modules.identity.messages import SOURCES, IdentityCode, Pseudonym, SplitRule
from gridtokenx.modules.identity.state import PORTFOLIOS, Portfolio

Powers = tuple[Whole, Whole, Whole, Whole, Whole, Whole, Whole]
"""Sums of export powers in W, one number for each source."""


class JoinRequest(Record, frozen=True):
    """A site whose owner asked an aggregator to trade it, and waits. Key: the site's own portfolio."""

    portfolio: Pseudonym


class Membership(Record, frozen=True):
    """A site that an aggregator's portfolio trades. Key: the site's own portfolio ‖ first interval. `until` is the
    first interval in which it is not, 0 while none is known."""

    portfolio: Pseudonym
    until: Whole


class Roster(Record, frozen=True):
    """Who is in a portfolio, ascending, and the sums of their powers in W. Key: portfolio ‖ first interval; it counts
    until the next one does."""

    members: tuple[Pseudonym, ...]
    import_w: Whole
    export_w: Powers


SPLIT_RULES: Table[SplitRule] = Table(0x27, "split_rules", SplitRule)
"""The portfolios that are made for members. Key: portfolio."""
JOIN_REQUESTS: Table[JoinRequest] = Table(0x28, "join_requests", JoinRequest)
MEMBERSHIPS: Table[Membership] = Table(0x29, "memberships", Membership)
ROSTERS: Table[Roster] = Table(0x2A, "rosters", Roster)

ROSTER_ENDED = 0x22
"""Kind of scheduled work: a roster or a membership counts no longer; settlement answers it by forgetting it when no
interval is left that needs it. Payload: portfolio ‖ first interval ‖ the interval in which it counts no longer."""

EMPTY_ROSTER = Roster((), 0, (0,) * SOURCES)  # type: ignore[arg-type]


def _build_first_intervals(state: State) -> dict[bytes, tuple[int, ...]]:
    found: dict[bytes, list[int]] = {}
    for table in (ROSTERS, MEMBERSHIPS):
        for key in sorted(state.rows[table.prefix]):
            found.setdefault(key[:8], []).append(int.from_bytes(key[8:], "big"))
    return {portfolio: tuple(firsts) for portfolio, firsts in found.items()}


FIRST_INTERVALS: Index[dict[bytes, tuple[int, ...]]] = Index("first_intervals", _build_first_intervals)
"""From which intervals on each portfolio's rosters count, or each site's memberships, ascending. No portfolio has both:
one with members has no site."""


def first_unopened(time_ms: int) -> int:
    """The first interval of the first day that has not opened: a day opens at 00:00 Bangkok time of the day before."""
    return interval_of(bangkok_day_start_ms(time_ms) + 2 * DAY_MS)


def version_key(portfolio: bytes, first: int) -> bytes:
    """Portfolio ‖ first interval."""
    return portfolio + interval_key(first)


def first_at(state: State, portfolio: bytes, interval: int) -> int | None:
    """The first interval of what counts in this one."""
    firsts = state.index(FIRST_INTERVALS).get(portfolio, ())
    place = bisect_right(firsts, interval)
    return firsts[place - 1] if place else None


def roster_at(state: State, portfolio: bytes, interval: int) -> Roster:
    """Who is in the portfolio in an interval."""
    first = first_at(state, portfolio, interval)
    return EMPTY_ROSTER if first is None else state.get(ROSTERS, version_key(portfolio, first)) or EMPTY_ROSTER


def membership_at(state: State, member: bytes, interval: int) -> Membership | None:
    """The membership of a site in an interval."""
    first = first_at(state, member, interval)
    found = None if first is None else state.get(MEMBERSHIPS, version_key(member, first))
    return found if found is not None and (found.until == 0 or interval < found.until) else None


def powers_at(state: State, portfolio_id: bytes, portfolio: Portfolio, interval: int) -> Portfolio:
    """The portfolio with what it can do in an interval: of one with members, what they can together. A site that an
    aggregator trades then is refused: `TRADED_BY_AGGREGATOR`."""
    if portfolio_id not in state.index(FIRST_INTERVALS):
        return portfolio
    if membership_at(state, portfolio_id, interval) is not None:
        raise Rejected(IdentityCode.TRADED_BY_AGGREGATOR, "portfolio")
    if portfolio.site:
        return portfolio
    roster = roster_at(state, portfolio_id, interval)
    return Portfolio(portfolio.account, portfolio.participant, portfolio.feeder, roster.import_w, roster.export_w, b"")


def put_version(state: State, table: Table[Any], key: bytes, record: Roster | Membership) -> None:
    """Write a roster or membership, and remember from when on it counts."""
    portfolio, first = key[:8], int.from_bytes(key[8:], "big")
    index = state.index(FIRST_INTERVALS)
    before = index.get(portfolio)
    if before is None or first not in before:
        state.undo.append((index, portfolio, before))
        index[portfolio] = tuple(sorted((*(before or ()), first)))
    state.put(table, key, record)


def delete_version(state: State, table: Table[Any], key: bytes) -> None:
    """Forget a roster or membership."""
    portfolio, first = key[:8], int.from_bytes(key[8:], "big")
    index = state.index(FIRST_INTERVALS)
    before = index[portfolio]
    rest = tuple(number for number in before if number != first)
    state.undo.append((index, portfolio, before))
    if rest:
        index[portfolio] = rest
    else:
        del index[portfolio]
    state.delete(table, key)


def version_ends(state: State, key: bytes, until: int, from_ms: int = 0) -> None:
    """Have a roster or membership looked at a day after its last interval, or after `from_ms` if that is later."""
    due_ms = max(interval_start_ms(until), from_ms) + DAY_MS
    schedule.add(state, due_ms, ROSTER_ENDED, key + interval_key(until))


def roster_of(state: State, members: tuple[bytes, ...]) -> Roster:
    """The members with the sums of what their sites can do."""
    rows = state.rows[PORTFOLIOS.prefix]
    sites = [rows[member] for member in members]
    export_w = tuple(sum(powers) for powers in zip(*(site.export_w for site in sites), strict=True))
    return Roster(members, sum(site.import_w for site in sites), export_w or EMPTY_ROSTER.export_w)


def invariants(state: State) -> Iterator[str]:
    """A roster's sums are those of its members, who hang on its feeder; rosters and memberships say the same."""
    rows = state.rows[PORTFOLIOS.prefix]
    for key, roster in state.items(ROSTERS):
        portfolio, first = key[:8], int.from_bytes(key[8:], "big")
        if roster != roster_of(state, roster.members):
            yield f"roster {key.hex()} has other powers than its members"
        for member in roster.members:
            if rows[member].feeder != rows[portfolio].feeder:
                yield f"member {member.hex()} of {portfolio.hex()} hangs on another feeder"
            membership = membership_at(state, member, first)
            if membership is None or membership.portfolio != portfolio:
                yield f"roster {key.hex()} names {member.hex()}, which is no member then"
    for key, membership in state.items(MEMBERSHIPS):
        # Of a long membership the roster in which it began is forgotten before it is.
        first = max(int.from_bytes(key[8:], "big"), state.index(FIRST_INTERVALS)[membership.portfolio][0])
        if (membership.until == 0 or first < membership.until) and key[:8] not in roster_at(
            state, membership.portfolio, first
        ).members:
            yield f"membership {key.hex()} stands in no roster"
    for portfolio in state.keys(SPLIT_RULES):
        if rows[portfolio].site:
            yield f"portfolio {portfolio.hex()} has members and a site"
