"""Work that falls due: order, limits, and what happens to an item that fails."""

from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.ledger import schedule
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.schedule import DUE, SCHEDULE, SET_ASIDE
from gridtokenx.ledger.state import State, Table

KIND = 200


class Mark(Record):
    """Left by a handler."""


MARKS: Table[Mark] = Table(0xF0, "marks", Mark)


def new_state() -> State:
    state = State()
    state.rebuild_indexes((DUE,))
    return state


def context(time_ms: int) -> Context:
    return Context("test-chain", 7, time_ms)


items = st.tuples(st.integers(0, 50), st.integers(KIND, KIND + 2), st.binary(max_size=2))


@given(st.lists(items, max_size=30), st.lists(items, max_size=10), st.integers(0, 60))
def test_what_is_due_runs_once_in_key_order(
    added: list[tuple[int, int, bytes]], removed: list[tuple[int, int, bytes]], now: int
) -> None:
    state, ran = new_state(), []
    for item in added:
        schedule.add(state, *item)
    for item in removed:
        schedule.remove(state, *item)
    wanted = set(added) - set(removed)

    def handler(kind: int) -> schedule.ScheduledHandler:
        def run(state: State, context: Context, payload: bytes) -> int:
            ran.append((kind, payload))
            return 1

        return run

    handlers = {kind: handler(kind) for kind in range(KIND, KIND + 3)}
    assert schedule.next_due_ms(state) == min((item[0] for item in wanted), default=None)
    used = schedule.run_due(state, context(now), handlers, 1_000)
    due = sorted(item for item in wanted if item[0] <= now)
    assert ran == [(kind, payload) for _, kind, payload in due]
    assert used == len(due)
    assert len(state.rows[SCHEDULE.prefix]) == len(wanted) - len(due)


def test_steps_bound_the_work_of_a_block() -> None:
    state = new_state()
    for number in range(10):
        schedule.add(state, number, KIND, b"")
    handlers = {KIND: lambda state, context, payload: 3}
    assert schedule.run_due(state, context(100), handlers, 10) == 12
    assert len(state.rows[SCHEDULE.prefix]) == 6
    assert schedule.run_due(state, context(100), handlers, 100) == 18


def test_work_may_schedule_itself_again() -> None:
    state = new_state()

    def again(state: State, context: Context, payload: bytes) -> int:
        if payload[0] > 1:
            schedule.add(state, context.time_ms, KIND, bytes([payload[0] - 1]))
        return 0

    schedule.add(state, 5, KIND, b"\x04")
    assert schedule.run_due(state, context(9), {KIND: again}, 100) == 4
    assert schedule.next_due_ms(state) is None


def test_an_item_that_fails_is_rolled_back_and_set_aside_and_the_rest_goes_on() -> None:
    state, now = new_state(), context(9)

    def work(state: State, context: Context, payload: bytes) -> int:
        state.put(MARKS, payload, Mark())
        if payload == b"no":
            raise Rejected(KernelCode.AMOUNT_OUT_OF_RANGE)
        if payload == b"bug":
            raise KeyError("bug")
        return 1

    for payload in (b"no", b"bug", b"yes"):
        schedule.add(state, 5, KIND, payload)
    assert schedule.run_due(state, now, {KIND: work}, 100) == 3
    assert state.keys(MARKS) == [b"yes"]
    aside = {key[9:]: (record.code, record.height) for key, record in state.items(SET_ASIDE)}
    assert aside == {b"no": (KernelCode.AMOUNT_OUT_OF_RANGE, 7), b"bug": (KernelCode.INTERNAL, 7)}
    assert len(now.alarms) == 2


def test_a_part_that_fails_is_set_aside_alone() -> None:
    state, now = new_state(), context(9)

    def part(state: State, context: Context, payload: bytes) -> None:
        state.put(MARKS, payload, Mark())
        if payload == b"b":
            raise ValueError("bug")

    for payload in (b"a", b"b", b"c"):
        schedule.guard(state, now, KIND, payload, part)
    assert state.keys(MARKS) == [b"a", b"c"]
    assert [key[9:] for key, _ in state.items(SET_ASIDE)] == [b"b"]


def test_what_is_rolled_back_leaves_only_stale_entries_in_the_heap() -> None:
    state = new_state()
    schedule.add(state, 5, KIND, b"kept")
    state.keep()
    schedule.add(state, 3, KIND, b"undone")
    schedule.remove(state, 5, KIND, b"kept")
    state.roll_back(0)
    assert schedule.next_due_ms(state) == 5
    ran: list[bytes] = []
    schedule.run_due(state, context(9), {KIND: lambda s, c, payload: ran.append(payload) or 1}, 10)
    assert ran == [b"kept"]


def test_an_item_removed_and_added_again_runs_once() -> None:
    state, ran = new_state(), []
    schedule.add(state, 5, KIND, b"x")
    schedule.remove(state, 5, KIND, b"x")
    schedule.add(state, 5, KIND, b"x")
    schedule.run_due(state, context(9), {KIND: lambda s, c, payload: ran.append(payload) or 1}, 10)
    assert ran == [b"x"]


def test_what_was_taken_back_does_not_pile_up_in_memory() -> None:
    state = new_state()
    schedule.add(state, 5_000, KIND, b"stays")
    for number in range(10 * schedule.FORGOTTEN_KEPT):
        schedule.add(state, 9_000, KIND, b"comes and goes")
        schedule.remove(state, 9_000, KIND, b"comes and goes")
        if number % 100 == 0:
            state.keep()
            schedule.run_due(state, context(1), {}, 1_000)
    assert len(state.index(DUE)) <= schedule.FORGOTTEN_KEPT + 200
    assert schedule.next_due_ms(state) == 5_000
