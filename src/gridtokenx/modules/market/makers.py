"""Makers: who stands on both sides of a zone, whether they did, and what they get for it.

The operator sets a programme for a zone; who can stand on both sides of it enrols a portfolio. From then on it has a
duty in each interval (`presence.py` measures it). At the gate each duty gets its verdict, and with it a part of the
trading fees that both sides paid in trades in which the maker's orders rested: out of what the interval owes to the fee
pool, so that its sum stays zero, and never more than those fees.
"""

from collections.abc import Iterator

import msgspec

from gridtokenx.ledger import schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import ENERGY_WH_MAX, MAKERS_PER_ZONE_MAX, STANDSTILLS_KEPT
from gridtokenx.ledger.quantities import DAY_MS, PARTS_PER_MILLION, energy_wh_of, interval_key, interval_of
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.state import LIMITS, limit_at, link_key
from gridtokenx.modules.grid.topology import FEEDER_LINK
from gridtokenx.modules.identity.messages import IdentityCode, Licence, RoleName
from gridtokenx.modules.identity.rosters import first_unopened, powers_at
from gridtokenx.modules.identity.state import (
    PORTFOLIOS,
    ZONES,
    Participant,
    Portfolio,
    are_related,
    holder_of,
    require_role,
    zone_key,
    zone_of,
)
from gridtokenx.modules.market import checks, fills, presence
from gridtokenx.modules.market.checks import PER_MILLE
from gridtokenx.modules.market.halted import ALL
from gridtokenx.modules.market.messages import EndMaker, EnrolMaker, MakerTerms, MarketCode, SetMakerProgramme
from gridtokenx.modules.market.state import (
    CLOSE_GATE,
    DUES,
    DUTIES_BY_INTERVAL,
    INTERVALS,
    MAKER_DUTIES,
    MAKER_PROGRAMMES,
    Interval,
    Maker,
    MakerDuty,
    MakerEnd,
    MakerProgramme,
    Verdict,
    position_key,
)

WINDOW_MS_MAX = 2 * DAY_MS
"""An interval is open for so long at most."""

_replace = msgspec.structs.replace


def set_maker_programme(state: State, context: Context, message: SetMakerProgramme) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, `ZONE_UNKNOWN`, `PROGRAMME_INVALID`. One for no makers ends the duties of those there are with
    the last day that has opened."""
    require_role(state, context.sender, RoleName.OPERATOR)
    key, terms = zone_key(message.zone), message.programme
    if state.get(ZONES, key) is None:
        raise Rejected(IdentityCode.ZONE_UNKNOWN, "zone")
    check_programme(terms)
    before = state.get(MAKER_PROGRAMMES, key)
    programme = MakerProgramme(terms, (), ()) if before is None else _replace(before, terms=terms)
    if not terms.makers_max:
        first = first_unopened(context.time_ms)
        programme = _replace(programme, makers=tuple(_ended(one, first, MakerEnd.ENDED) for one in programme.makers))
    _put_programme(state, context, key, programme)
    return ()


def check_programme(terms: MakerTerms) -> None:
    """Bounds within which it can be kept, and paid: `PROGRAMME_INVALID` names the field."""
    bounds = {
        "spread_micro": (1, 100 * 10**6),
        "size_wh": (1, ENERGY_WH_MAX),
        "presence_per_mille": (1, PER_MILLE),
        "window_ms": (0, WINDOW_MS_MAX),
        "rebate_ppm": (0, PARTS_PER_MILLION),
        "makers_max": (0, MAKERS_PER_ZONE_MAX),
        "misses_max": (1, 255),
    }
    for name, (low, high) in bounds.items():
        if not low <= getattr(terms, name) <= high:
            raise Rejected(MarketCode.PROGRAMME_INVALID, name)


def enrol_maker(state: State, context: Context, message: EnrolMaker) -> tuple[int, ...]:
    """`NOT_YOUR_PORTFOLIO`, `NOT_ALLOWED_TO_TRADE`, `NO_MAKER_PROGRAMME`, `MAKER_ALREADY` (it, or one related, is a
    maker of the zone, or was one in an interval that is still open), `MAKERS_EXCEEDED`, `MAKER_TOO_SMALL`.

    Open intervals count too in which the time that counts has not begun. Receipt: the first one that counts."""
    portfolio = checks.own_portfolio(state, context, message.portfolio)
    participant, _ = checks.trader(state, context, portfolio.participant)
    key = zone_key(zone_of(state, portfolio.feeder))
    programme = state.get(MAKER_PROGRAMMES, key)
    if programme is None or not programme.terms.makers_max:
        raise Rejected(MarketCode.NO_MAKER_PROGRAMME, "portfolio")
    makers = _still_makers(programme, context.time_ms)
    rows = state.rows[PORTFOLIOS.prefix]
    if any(are_related(state, portfolio.participant, rows[one.portfolio].participant) for one in makers):
        raise Rejected(MarketCode.MAKER_ALREADY, "portfolio")
    if len(makers) >= programme.terms.makers_max:
        raise Rejected(MarketCode.MAKERS_EXCEEDED, "portfolio")
    counting = list(_open_intervals(state, context, programme.terms))
    first = counting[0] if counting else first_unopened(context.time_ms)
    check_size(programme.terms, participant, powers_at(state, message.portfolio, portfolio, first))
    maker = Maker(message.portfolio, first, 0, 0, MakerEnd.NONE)
    _put_programme(state, context, key, _replace(programme, makers=(*makers, maker)))
    place = context.take_place()
    for number in counting:
        interval = state.rows[INTERVALS.prefix][interval_key(number)]
        _put_duty(state, context, number, interval, programme.terms, message.portfolio, place)
    return (first,)


def check_size(terms: MakerTerms, participant: Participant, portfolio: Portfolio) -> None:
    """Whether the size could stand on both sides at all, by day: `MAKER_TOO_SMALL`."""
    is_dealer = participant.licence == Licence.DEALER
    able_wh = (
        energy_wh_of(portfolio.import_w) + is_dealer * participant.long_wh,
        sum(map(energy_wh_of, portfolio.export_w)) + is_dealer * participant.short_wh,
    )
    if min(able_wh) < terms.size_wh:
        raise Rejected(MarketCode.MAKER_TOO_SMALL, "portfolio")


def end_maker(state: State, context: Context, message: EndMaker) -> tuple[int, ...]:
    """`NOT_A_MAKER`, `NOT_AUTHORISED` (the portfolio's owner may, and the operator). What has opened stays a duty."""
    portfolio = state.get(PORTFOLIOS, message.portfolio)
    key = b"" if portfolio is None else zone_key(zone_of(state, portfolio.feeder))
    programme = state.get(MAKER_PROGRAMMES, key)
    makers = () if programme is None else programme.makers
    maker = next((one for one in makers if one.portfolio == message.portfolio and not one.until), None)
    if portfolio is None or programme is None or maker is None:
        raise Rejected(MarketCode.NOT_A_MAKER, "portfolio")
    reason = MakerEnd.LEFT
    if portfolio.account != context.sender:
        require_role(state, context.sender, RoleName.OPERATOR)
        reason = MakerEnd.ENDED
    ended = _ended(maker, first_unopened(context.time_ms), reason)
    _put_programme(state, context, key, _with(programme, maker, ended))
    return (ended.until if maker.first < ended.until else 0,)


def _ended(maker: Maker, until: int, reason: MakerEnd) -> Maker:
    return maker if maker.until else _replace(maker, until=until, end=reason)


def _with(programme: MakerProgramme, before: Maker, now: Maker) -> MakerProgramme:
    return _replace(programme, makers=tuple(now if one == before else one for one in programme.makers))


def _still_makers(programme: MakerProgramme, time_ms: int) -> tuple[Maker, ...]:
    """Without those whose last interval is over, or who never were makers."""
    now = interval_of(time_ms)
    return tuple(one for one in programme.makers if not one.until or max(one.first, now) < one.until)


def _put_programme(state: State, context: Context, key: bytes, programme: MakerProgramme) -> None:
    makers = _still_makers(programme, context.time_ms)
    state.put(MAKER_PROGRAMMES, key, _replace(programme, makers=makers))


# --- duties


def _open_intervals(state: State, context: Context, asked: MakerTerms) -> Iterator[int]:
    """Open intervals in which the time that counts has not begun; none if all of it counts."""
    for number in range(interval_of(context.time_ms), first_unopened(context.time_ms)):
        interval = state.get(INTERVALS, interval_key(number))
        if interval is not None and asked.window_ms:
            until_ms = interval.gate_ms - checks.terms_of(state, interval).call_phase_ms
            if until_ms - asked.window_ms > context.time_ms:
                yield number


def open_duties(state: State, context: Context, number: int, interval: Interval) -> int:
    """An interval opens: its makers have duties in it. How many."""
    count = 0
    for _, programme in state.items(MAKER_PROGRAMMES):
        for maker in programme.makers:
            if maker.first <= number and (not maker.until or number < maker.until):
                _put_duty(state, context, number, interval, programme.terms, maker.portfolio, 0)
                count += 1
    return count


def _put_duty(
    state: State,
    context: Context,
    number: int,
    interval: Interval,
    asked: MakerTerms,
    portfolio: bytes,
    place: int,
) -> None:
    """Nothing where the maker's feeder has a limit: others might not be able to meet it."""
    limit = state.get(LIMITS, link_key(FEEDER_LINK | state.rows[PORTFOLIOS.prefix][portfolio].feeder))
    if limit is not None and limit_at(limit, number) is not None:
        return
    until_ms = interval.gate_ms - checks.terms_of(state, interval).call_phase_ms
    from_ms = max(until_ms - asked.window_ms, context.time_ms) if asked.window_ms else context.time_ms
    duty = MakerDuty(asked, place, from_ms, until_ms)
    state.index(DUTIES_BY_INTERVAL).put(state, position_key(number, portfolio), duty)


def judge(state: State, context: Context, number: int) -> int:
    """The gate of an interval has passed: each duty in it gets its verdict, once. How many there were."""
    key, rows = interval_key(number), state.rows[MAKER_DUTIES.prefix]
    waiting = [own for own in state.index(DUTIES_BY_INTERVAL).of(number) if not rows[key + own].verdict]
    for portfolio in waiting:
        schedule.guard(state, context, CLOSE_GATE, key + portfolio, _judge_one)
    return len(waiting)


def _judge_one(state: State, context: Context, own: bytes) -> None:
    duty: MakerDuty = state.rows[MAKER_DUTIES.prefix][own]
    still = presence.standstills(state, own, duty.until_ms)
    held_ms = duty.held_ms + presence.present_ms(still, duty, duty.until_ms)
    all_ms = presence.counted_ms(still, duty.from_ms, duty.until_ms)
    verdict, rebate_micro = Verdict.EXCUSED, 0
    if all_ms:
        is_kept = held_ms * PER_MILLE >= duty.asked.presence_per_mille * all_ms
        verdict = Verdict.KEPT if is_kept else Verdict.MISSED
    if verdict == Verdict.KEPT:
        rebate_micro = _pay_rebate(state, own, duty.fees_micro * duty.asked.rebate_ppm // PARTS_PER_MILLION)
    judged = _replace(duty, since_ms=0, held_ms=held_ms, rebate_micro=rebate_micro, verdict=verdict)
    state.put(MAKER_DUTIES, own, judged)
    presence.forget(state, own)
    _note_verdict(state, context, own[4:], duty.asked, verdict)


def _pay_rebate(state: State, own: bytes, rebate_micro: int) -> int:
    """Out of what the interval owes to the fee pool: no more than that, should the office have changed hands since."""
    pool, account = holder_of(state, RoleName.FEE_POOL), state.rows[PORTFOLIOS.prefix][own[4:]].account
    due = state.get(DUES, own[:4] + pool)
    rebate_micro = min(rebate_micro, 0 if due is None else due.amount_micro)
    if rebate_micro:
        fills.change_due(state, own[:4] + pool, -rebate_micro)
        fills.change_due(state, own[:4] + account, rebate_micro)
    return rebate_micro


def _note_verdict(state: State, context: Context, portfolio: bytes, asked: MakerTerms, verdict: Verdict) -> None:
    """Count what was missed in a row; who missed too often is a maker no longer in intervals that open later."""
    key = zone_key(zone_of(state, state.rows[PORTFOLIOS.prefix][portfolio].feeder))
    programme: MakerProgramme = state.rows[MAKER_PROGRAMMES.prefix][key]
    maker = next((one for one in programme.makers if one.portfolio == portfolio), None)
    if maker is None or verdict == Verdict.EXCUSED:
        return
    missed = maker.missed_in_a_row + 1 if verdict == Verdict.MISSED else 0
    now = _replace(maker, missed_in_a_row=missed)
    if missed >= asked.misses_max:
        now = _ended(now, first_unopened(context.time_ms), MakerEnd.DROPPED)
    if now != maker:
        _put_programme(state, context, key, _with(programme, maker, now))


def note_standstill(state: State, from_ms: int, until_ms: int) -> None:
    """The chain stood still between two blocks: nobody could trade."""
    for key in [key for key, _ in state.items(MAKER_PROGRAMMES)]:
        _stood_still(state, key, from_ms, until_ms)


def note_halt(state: State, number: int, zone: int, from_ms: int, until_ms: int) -> None:
    """A halt of a zone's interval is over, or one of the zone, the interval or all (`halted.ALL`)."""
    if number == ALL:
        for key in [key for key, _ in state.items(MAKER_PROGRAMMES) if zone in (ALL, int.from_bytes(key, "big"))]:
            _stood_still(state, key, from_ms, until_ms)
        return
    rows = state.rows[MAKER_DUTIES.prefix]
    for portfolio in state.index(DUTIES_BY_INTERVAL).of(number):
        own = interval_key(number) + portfolio
        if zone in (ALL, zone_of(state, state.rows[PORTFOLIOS.prefix][portfolio].feeder)) and not rows[own].verdict:
            halted = (*rows[own].halted, (from_ms, until_ms))
            state.put(MAKER_DUTIES, own, _replace(rows[own], halted=halted[-STANDSTILLS_KEPT:]))


def _stood_still(state: State, key: bytes, from_ms: int, until_ms: int) -> None:
    programme: MakerProgramme = state.rows[MAKER_PROGRAMMES.prefix][key]
    still = (*programme.still, (from_ms, until_ms))
    needed = [one for one in still if one[1] > until_ms - WINDOW_MS_MAX]
    state.put(MAKER_PROGRAMMES, key, _replace(programme, still=tuple(needed[-STANDSTILLS_KEPT:])))


def invariants(state: State) -> Iterator[str]:
    """Duties are of makers' zones, presence is within the time that counts, a rebate within the fees."""
    for own, duty in state.items(MAKER_DUTIES):
        if duty.rebate_micro > duty.fees_micro or (duty.rebate_micro and duty.verdict != Verdict.KEPT):
            yield f"maker's duty {own.hex()} got {duty.rebate_micro} of {duty.fees_micro}, verdict {duty.verdict}"
        if duty.held_ms > max(duty.until_ms - duty.from_ms, 0):
            yield f"maker's duty {own.hex()} was held longer than there was time"
    for key, programme in state.items(MAKER_PROGRAMMES):
        names = [one.portfolio for one in programme.makers]
        if len(set(names)) != len(names) or len(names) > MAKERS_PER_ZONE_MAX:
            yield f"zone {key.hex()} has {len(names)} makers, {len(set(names))} of them different"
