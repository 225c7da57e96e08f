"""When a deadline falls due that a freeze has put off: against time counted millisecond by millisecond."""

from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import freeze, limits, schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.state import State

LAST_MS = 120

Freezes = list[tuple[int, int | None]]
"""Since and until; the last may go on."""


def state_of(freezes: Freezes) -> State:
    state = State()
    state.rebuild_indexes(CONSORTIUM.indexes)
    for since_ms, until_ms in freezes:
        freeze.begin(state, Context("test", 1, since_ms))
        if until_ms is not None:
            freeze.end(state, Context("test", 1, until_ms))
    return state


@st.composite
def histories(draw: st.DrawFn) -> Freezes:
    """Freezes one after the other; some begin where one ends, some last no time at all."""
    times = sorted(draw(st.lists(st.integers(0, LAST_MS), max_size=8)))
    pairs: Freezes = list(zip(times[::2], times[1::2], strict=False))
    return [*pairs, (times[-1], None)] if len(times) % 2 else pairs


def counted(freezes: Freezes, from_ms: int, wait_ms: int) -> int | None:
    """Every millisecond that begins outside a freeze counts."""
    time_ms, left_ms = from_ms, wait_ms
    while left_ms:
        now = [(since, until) for since, until in freezes if since <= time_ms and (until is None or time_ms < until)]
        if any(until is None for _, until in now):
            return None
        time_ms, left_ms = time_ms + 1, left_ms - (not now)
    return time_ms


@given(histories(), st.integers(0, LAST_MS), st.integers(1, LAST_MS), st.integers(0, 3 * LAST_MS))
def test_a_deadline_counts_the_time_outside_of_freezes(
    freezes: Freezes, from_ms: int, wait_ms: int, time_ms: int
) -> None:
    state, due_ms = state_of(freezes), counted(freezes, from_ms, wait_ms)
    assert freeze.falls_due_ms(state, from_ms, wait_ms) == due_ms
    assert freeze.is_in_time(state, time_ms, from_ms, wait_ms) == (due_ms is None or time_ms < due_ms)


def test_a_freeze_that_begins_at_the_deadline_or_later_moves_nothing() -> None:
    for since_ms in (30, 31):
        assert freeze.falls_due_ms(state_of([(since_ms, 90)]), 10, 20) == 30
        assert freeze.falls_due_ms(state_of([(since_ms, None)]), 10, 20) == 30
    assert freeze.falls_due_ms(state_of([(29, 90)]), 10, 20) == 91


def test_two_freezes_in_one_millisecond_are_as_long_as_the_longer() -> None:
    assert freeze.falls_due_ms(state_of([(20, 20), (20, 60)]), 10, 20) == 70
    assert freeze.falls_due_ms(state_of([(20, 60), (60, 60)]), 10, 20) == 70
    assert freeze.falls_due_ms(state_of([(20, 60), (60, 80)]), 10, 20) == 90


def forget(state: State, time_ms: int) -> None:
    schedule.run_due(state, Context("test", 1, time_ms), CONSORTIUM.scheduled, 100)


def test_a_freeze_is_forgotten_when_nothing_counts_from_before_it() -> None:
    state = state_of([(100, 200)])
    forget(state, 200 + limits.FREEZES_KEPT_MS - 1)
    assert state.rows[freeze.PAST_FREEZES.prefix]
    forget(state, 200 + limits.FREEZES_KEPT_MS)
    assert not state.rows[freeze.PAST_FREEZES.prefix] and schedule.next_due_ms(state) is None


def test_as_long_as_a_later_freeze_stops_the_deadlines_the_earlier_is_known() -> None:
    """A correction window that both put off needs both, however long the second lasts."""
    kept_ms = limits.FREEZES_KEPT_MS
    state = state_of([(100, 200), (300, None)])
    forget(state, 200 + 2 * kept_ms)
    assert len(state.rows[freeze.PAST_FREEZES.prefix]) == 1
    until_ms = 300 + 3 * kept_ms
    freeze.end(state, Context("test", 1, until_ms))
    assert freeze.falls_due_ms(state, 50, kept_ms) == 50 + kept_ms + 100 + 3 * kept_ms
    for time_ms, left in ((until_ms + kept_ms - 101, 2), (until_ms + kept_ms - 100, 1), (until_ms + kept_ms, 0)):
        forget(state, time_ms)
        assert len(state.rows[freeze.PAST_FREEZES.prefix]) == left
