"""Portfolios with members: the split against a model in fractions, and whole communities of members."""

import random
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.aggregator import RULE, SITES, WEDNESDAY_NOON, go_on, monday, report, trade, wednesday
from tests.invariants import Watch, check_indexes, check_modules
from tests.world import MONDAY_MS, World, at, interval_at, pseudonym

from gridtokenx.ledger import limits
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.modules.identity.messages import (
    LeavePortfolio,
    SplitKind,
    SplitRule,
)
from gridtokenx.modules.identity.rosters import (
    FIRST_INTERVALS,
    MEMBERSHIPS,
    ROSTERS,
    first_unopened,
    membership_at,
    roster_at,
)
from gridtokenx.modules.market import calendar
from gridtokenx.modules.settlement import handlers
from gridtokenx.modules.settlement.split import share_out, split_energy_of_many
from gridtokenx.modules.settlement.state import SPLITS, STATEMENTS, Quality, Split, Stage, Statement, settlement_of

EMPTY = Statement(*(0,) * len(Statement.__struct_fields__))

energies = st.integers(0, 10**6)
shares_ppm = st.integers(0, 10**6) | st.sampled_from([0, 10**6])
rules = st.builds(SplitRule, st.sampled_from([int(kind) for kind in SplitKind]), shares_ppm, shares_ppm)


@st.composite
def lines(draw: st.DrawFn) -> Statement:
    """What a member metered."""
    return msgspec.structs.replace(
        EMPTY,
        import_wh=draw(st.just(0) | energies),
        export_wh=draw(st.just(0) | energies),
        quality=int(draw(st.sampled_from(list(Quality)))),
    )


def model(rule: SplitRule, gain: int, members: list[Statement]) -> list[Fraction]:
    """Each member's exact part, written from the market rules."""
    if rule.kind == SplitKind.METERED:
        counts = [Fraction(one.import_wh + one.export_wh) for one in members]
    elif rule.kind == SplitKind.EXPORT:
        counts = [Fraction(one.export_wh) for one in members]
    else:
        counts = [Fraction(1) for _ in members]
    if gain >= 0:
        counts = [
            Fraction(0) if one.quality == Quality.ESTIMATED else n for n, one in zip(counts, members, strict=True)
        ]
    if sum(counts) == 0:
        counts = [Fraction(1) for _ in members]
    kept = Fraction(rule.commission_ppm if gain >= 0 else rule.loss_ppm, 10**6)
    return [gain * (1 - kept) * count / sum(counts) for count in counts]


@given(rules, st.integers(-(10**12), 10**12), st.lists(lines(), min_size=1, max_size=8))
def test_shares_follow_the_rule_to_the_last_unit(rule: SplitRule, gain: int, members: list[Statement]) -> None:
    sharing = share_out(rule, gain, members)
    for share, exact in zip(sharing.shares_micro, model(rule, gain, members), strict=True):
        assert share * (1 if gain >= 0 else -1) >= 0
        assert -1 < abs(exact) - abs(share) < 2, "the commission is cut, and the share"
    own = gain - sum(sharing.shares_micro)
    assert abs(own) <= abs(gain)
    assert abs(own) - abs(sharing.commission_micro) in range(len(members) + 1)


@given(energies, energies, energies, energies)
def test_the_kinds_of_many_explain_their_meters(sold: int, bought: int, import_wh: int, export_wh: int) -> None:
    energy = split_energy_of_many(sold, bought, import_wh, export_wh)
    assert min(energy.undelivered_wh, energy.unused_wh, energy.other_import_wh, energy.other_export_wh) >= 0
    explained = sold - bought - energy.undelivered_wh + energy.unused_wh
    assert explained + energy.other_export_wh - energy.other_import_wh == export_wh - import_wh
    assert energy.undelivered_wh == 0 or energy.unused_wh == 0
    assert energy.undelivered_wh <= sold
    assert energy.unused_wh <= bought


@given(st.lists(st.tuples(energies, energies), min_size=1, max_size=6))
def test_the_portfolio_of_one_kind_of_member_is_settled_as_its_members_would_be_together(
    members: list[tuple[int, int]],
) -> None:
    """Sellers that export and buyers that import: a portfolio is short by what is missing in sum, never by more than
    its members alone would be."""
    sold, exported = (sum(column) for column in zip(*members, strict=True))
    energy = split_energy_of_many(sold, 0, 0, exported)
    assert energy.undelivered_wh == max(0, sold - exported)
    assert energy.undelivered_wh <= sum(max(0, one - given) for one, given in members)
    mirrored = split_energy_of_many(0, sold, exported, 0)
    assert mirrored.unused_wh == energy.undelivered_wh
    assert mirrored.other_import_wh == energy.other_export_wh


# --- on the chain


def founded(rule: SplitRule = RULE) -> tuple[World, Watch]:
    """Wednesday before noon, watched from now on."""
    world = go_on(wednesday(), rule)
    return world, Watch(world)


def statement(world: World, name: str, interval: int) -> Statement:
    found: Statement = world.state.rows[STATEMENTS.prefix][interval_key(interval) + pseudonym(name)]
    return found


def split_of(world: World, interval: int) -> Split:
    found: Split = world.state.rows[SPLITS.prefix][interval_key(interval) + pseudonym("pool")]
    return found


def test_each_member_has_its_old_bill_and_its_share() -> None:
    """A mixed portfolio: what everybody has in the end is the old bill and a share, to the last unit."""
    world, watch = founded()
    trade(world, WEDNESDAY_NOON, 2_500, 1_100)
    before = {name: world.account(name).balance_micro for name in (*SITES, "hub")}
    metered = {"sun": (100, 1_700), "roof": (0, 600), "flat": (1_234, 0), "bob": (2_500, 1_100)}
    report(world, WEDNESDAY_NOON, metered)
    world.skip_to(at(13, 5, day=2))
    assert settlement_of(world.state, WEDNESDAY_NOON).stage == Stage.SETTLED
    made, own = split_of(world, WEDNESDAY_NOON), statement(world, "pool", WEDNESDAY_NOON)
    assert (own.import_wh, own.export_wh) == (1_334, 2_300)
    assert (own.undelivered_wh, own.other_import_wh) == (200, 234)
    total = 0
    for name in SITES:
        line, (import_wh, export_wh) = statement(world, name, WEDNESDAY_NOON), metered[name]
        assert line.charge_micro == 5_798_200 * import_wh // 1_000
        assert line.credit_micro == 2_200_000 * export_wh // 1_000
        share = line.split_credit_micro - line.split_charge_micro
        total += share
        account = world.account(name)
        assert account.balance_micro - account.debt_micro == (
            before[name] - line.charge_micro + line.credit_micro + share
        )
    assert made.gain_micro > 0
    assert total == made.shared_micro
    # What the hub's trades cost was held of a balance that still had it.
    assert world.account("hub").balance_micro == before["hub"] + made.gain_micro - total
    watch.finish()


def test_a_correction_is_as_if_it_had_come_at_once() -> None:
    """Late readings of two members, in either order: statements, split and worth are those of a market in which all
    came in time."""
    metered = {"sun": (0, 1_700), "roof": (50, 600), "flat": (1_234, 0), "bob": (2_000, 1_100)}
    results = []
    for silent in ((), ("sun",), ("sun", "flat"), ("flat", "sun")):
        world, watch = founded()
        trade(world, WEDNESDAY_NOON, 2_000, 1_100)
        report(world, WEDNESDAY_NOON, metered, *silent)
        world.skip_to(at(13, 5, day=2))
        for name in silent:
            if name != "flat":
                assert statement(world, name, WEDNESDAY_NOON).split_credit_micro == 0
            assert world.code("operator", world.submit(world.reading(name, WEDNESDAY_NOON, *metered[name]))) == "OK"
        world.skip_to(at(13, 20, day=2))
        worth = {name: world.account(name).balance_micro - world.account(name).debt_micro for name in (*SITES, "hub")}
        results.append((worth, split_of(world, WEDNESDAY_NOON)))
        watch.finish()
    assert all(result == results[0] for result in results)


def test_corrections_fall_between_the_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """One item a step and few steps a block: late readings come while others are computed, split and paid."""
    monkeypatch.setattr(handlers, "ITEMS_PER_STEP", 1)
    monkeypatch.setattr(handlers, "SPLITS_PER_STEP", 1)
    monkeypatch.setattr(limits, "SCHEDULED_STEPS_PER_BLOCK_MAX", 3)
    world, watch = founded()
    trade(world, WEDNESDAY_NOON, 2_000, 1_100)
    metered = {"sun": (0, 1_700), "roof": (50, 600), "flat": (1_234, 0), "bob": (2_000, 1_100)}
    report(world, WEDNESDAY_NOON, metered, "sun", "flat")
    world.skip_to(at(12, 45, day=2) - 1)
    late, draw = ["sun", "flat"], random.Random(7)
    while late or settlement_of(world.state, WEDNESDAY_NOON).stage != Stage.SETTLED:
        world.block()
        if late and draw.random() < 0.3:
            reading = world.reading(late[-1], WEDNESDAY_NOON, *metered[late[-1]])
            if world.code("operator", world.submit(reading)) == "OK":
                late.pop()
        assert world.time_ms < at(14, day=2)
    world.skip_to(world.time_ms + 60_000)
    assert split_of(world, WEDNESDAY_NOON).gain_micro > 0
    watch.finish()


def test_a_day_that_has_opened_keeps_its_roster() -> None:
    """By the market's own calendar, at any instant."""
    for time_ms in (MONDAY_MS - 1, MONDAY_MS, MONDAY_MS + 1, MONDAY_MS + 50_000_000, MONDAY_MS + 86_399_999):
        first = first_unopened(time_ms)
        assert calendar.opens_ms(first) > time_ms >= calendar.opens_ms(first - 1)
        assert calendar.quarter_of(first) == 0


def test_rosters_and_memberships_are_forgotten_with_the_intervals_that_need_them() -> None:
    world = go_on(monday(), RULE)
    world.skip_to(at(10, day=1))
    assert world.code("sun", LeavePortfolio(pseudonym("sun"))) == "OK"
    pool, sun = pseudonym("pool"), pseudonym("sun")
    assert len(world.state.index(FIRST_INTERVALS)[pool]) == 2
    last_wednesday = interval_at(23, 45, day=2)
    world.skip_to(at(23, day=3))
    assert membership_at(world.state, sun, last_wednesday) is not None
    assert len(roster_at(world.state, pool, last_wednesday).members) == 3
    world.skip_to(at(12, day=5))
    assert sun not in world.state.index(FIRST_INTERVALS)
    assert len(world.state.index(FIRST_INTERVALS)[pool]) == 1
    assert len(world.state.rows[MEMBERSHIPS.prefix]) == 2
    assert len(world.state.rows[ROSTERS.prefix]) == 1
    check_modules(world.state)
    check_indexes(world.state)


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_whatever_members_do_money_and_energy_add_up(data: st.DataObject) -> None:
    """Any rule, any trades within the limits, any readings and silences: the auditor has nothing to say."""
    world, watch = founded(data.draw(rules))
    amounts = st.just(0) | st.integers(100, 2_900)
    trade(world, WEDNESDAY_NOON, data.draw(amounts), data.draw(amounts))
    meters = {"sun": 2_000, "roof": 1_000, "flat": 0, "bob": 10_000}
    metered = {
        name: (data.draw(st.integers(0, 2_000)), data.draw(st.integers(0, able))) for name, able in meters.items()
    }
    silent = data.draw(st.sets(st.sampled_from(SITES)))
    report(world, WEDNESDAY_NOON, metered, *silent)
    world.skip_to(at(13, 5, day=2))
    for name in silent:
        assert world.code("operator", world.submit(world.reading(name, WEDNESDAY_NOON, *metered[name]))) == "OK"
    world.skip_to(at(13, 10, day=2))
    watch.finish()
