"""Work that falls due: gates, deadlines, expiries, settlement steps.

One queue for all modules. An item is a key: due time (8 bytes), kind (1 byte), payload. Items run in
key order before and after the transactions of a block, each on its own: an item that fails is rolled
back and set aside with an alarm, and the block goes on. Steps are counted, so that a thousand gates
passed during a halt are worked off over many blocks. A clock that runs faster than real time asks
`next_due_ms` where its next block must stand.
"""

from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush

from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import HANDLER_BUGS, KernelCode, Rejected
from gridtokenx.ledger.state import Index, State, Table

AT_ONCE_MS = 0
"""Due before everything else that is due."""
RIGHT_AFTER_MS = 1
"""Due next."""

ScheduledHandler = Callable[[State, Context, bytes], int]
"""Does one bounded piece of work for the payload and returns the steps used, at least 1. To go on
later it schedules itself again."""


class Scheduled(Record, frozen=True):
    """The key says everything."""


class SetAside(Record, frozen=True):
    """An item that failed, for people to look at: it never runs again by itself."""

    code: int
    height: int


SCHEDULE: Table[Scheduled] = Table(0x04, "schedule", Scheduled)
SET_ASIDE: Table[SetAside] = Table(0x05, "set_aside", SetAside)

_SCHEDULED = Scheduled()


def _build_heap(state: State) -> list[bytes]:
    heap = list(state.rows[SCHEDULE.prefix])
    heapify(heap)
    return heap


DUE: Index[list[bytes]] = Index("due", _build_heap)
"""A heap of keys; it may hold keys that are no longer in the table, never the reverse."""

FORGOTTEN_KEPT = 1_024
"""How many keys more than twice those in the table the heap may hold: who places and cancels all day, with ends far
away, must not fill a node's memory."""


def add(state: State, due_ms: int, kind: int, payload: bytes) -> None:
    """Schedule; the same item twice is one item."""
    key = due_ms.to_bytes(8, "big") + bytes([kind]) + payload
    if state.get(SCHEDULE, key) is None:
        state.put(SCHEDULE, key, _SCHEDULED)
        heappush(state.index(DUE), key)


def remove(state: State, due_ms: int, kind: int, payload: bytes) -> None:
    """Forget an item, if it is there."""
    key = due_ms.to_bytes(8, "big") + bytes([kind]) + payload
    if state.get(SCHEDULE, key) is not None:
        state.delete(SCHEDULE, key)


def next_due_ms(state: State) -> int | None:
    """When the earliest item falls due."""
    heap = state.index(DUE)
    while heap and state.get(SCHEDULE, heap[0]) is None:
        heappop(heap)
    return int.from_bytes(heap[0][:8], "big") if heap else None


def run_due(state: State, context: Context, handlers: Mapping[int, ScheduledHandler], steps_max: int) -> int:
    """Run what is due at the block's time, up to `steps_max` steps; returns the steps used. Nothing may be open on the
    journal: keys that are not in the table are forgotten now and then."""
    if len(state.index(DUE)) > 2 * len(state.rows[SCHEDULE.prefix]) + FORGOTTEN_KEPT:
        state.index(DUE)[:] = _build_heap(state)
    used = 0
    while used < steps_max:
        due_ms = next_due_ms(state)
        if due_ms is None or due_ms > context.time_ms:
            break
        used += _run_item(state, context, handlers, heappop(state.index(DUE)))
    return used


def _run_item(state: State, context: Context, handlers: Mapping[int, ScheduledHandler], key: bytes) -> int:
    state.delete(SCHEDULE, key)
    mark = len(state.undo)
    used = 1
    try:
        used = max(handlers[key[8]](state, context, key[9:]), 1)
    except (Rejected, *HANDLER_BUGS) as error:
        _set_aside(state, context, mark, key, error)
    state.keep()
    return used


def guard(
    state: State,
    context: Context,
    kind: int,
    payload: bytes,
    work: Callable[[State, Context, bytes], None],
) -> None:
    """Do one item of a longer piece of scheduled work; if it fails, only this item is set aside."""
    mark = len(state.undo)
    try:
        work(state, context, payload)
    except (Rejected, *HANDLER_BUGS) as error:
        _set_aside(state, context, mark, context.time_ms.to_bytes(8, "big") + bytes([kind]) + payload, error)


def _set_aside(state: State, context: Context, mark: int, key: bytes, error: Exception) -> None:
    state.roll_back(mark)
    code = int(error.code) if isinstance(error, Rejected) else int(KernelCode.INTERNAL)
    state.put(SET_ASIDE, key, SetAside(code, context.height))
    context.alarms.append(f"set aside kind {key[8]} payload {key[9:].hex()}: {error!r}")
