"""The market frozen by the chain's emergency rules: consensus goes on, most transactions are refused.

While it is frozen only those messages are taken that a module's card names (`Module.while_frozen`), and the kinds of
scheduled work that it names (`Module.waits`) wait. A deadline that counts time in which one could act (`falls_due_ms`)
is later by as much as the market was frozen since it began to run.
"""

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.state import State, Table
from gridtokenx.ledger.transaction import Whole


class Freeze(Record, frozen=True):
    """The market is frozen since then."""

    since_ms: Whole


class PastFreeze(Record, frozen=True):
    """It was frozen until then. Key: since when (8 bytes)."""

    until_ms: Whole


FREEZE: Table[Freeze] = Table(0x0C, "freeze", Freeze)
FREEZE_KEY = b""

PAST_FREEZES: Table[PastFreeze] = Table(0x0D, "past_freezes", PastFreeze)

FORGET_FREEZE = 0x0D
"""Kind of scheduled work."""


def is_frozen(state: State) -> bool:
    """Whether the market is frozen now."""
    return FREEZE_KEY in state.rows[FREEZE.prefix]


def begin(state: State, context: Context) -> None:
    """Freeze it, from the next transaction on."""
    state.put(FREEZE, FREEZE_KEY, Freeze(context.time_ms))
    context.alarms.append("the market is frozen")


def end(state: State, context: Context) -> None:
    """It goes on, from the next transaction on."""
    freeze = state.get(FREEZE, FREEZE_KEY)
    assert freeze is not None, "asked for before"
    key = freeze.since_ms.to_bytes(8, "big")
    state.delete(FREEZE, FREEZE_KEY)
    # Two that begin in one block are one: the first of them ended at the instant at which it began.
    state.put(PAST_FREEZES, key, PastFreeze(context.time_ms))
    schedule.add(state, context.time_ms + limits.FREEZES_KEPT_MS, FORGET_FREEZE, key)
    context.alarms.append("the market goes on")


def was_frozen(state: State, time_ms: int) -> bool:
    """Whether what fell due then found the market frozen: due work comes first in a block."""
    freeze = state.get(FREEZE, FREEZE_KEY)
    if freeze is not None and freeze.since_ms < time_ms:
        return True
    return any(int.from_bytes(key, "big") < time_ms <= past.until_ms for key, past in state.items(PAST_FREEZES))


def falls_due_ms(state: State, from_ms: int, wait_ms: int) -> int | None:
    """When so much time has passed since then in which the market was not frozen, as far as is known now; None if that
    is before the end of a freeze that lasts."""
    due_ms = from_ms + wait_ms
    for key, past in state.items(PAST_FREEZES):
        since_ms = max(int.from_bytes(key, "big"), from_ms)
        if since_ms < min(due_ms, past.until_ms):
            due_ms += past.until_ms - since_ms
    freeze = state.get(FREEZE, FREEZE_KEY)
    return None if freeze is not None and freeze.since_ms < due_ms else due_ms


def is_in_time(state: State, time_ms: int, from_ms: int, wait_ms: int) -> bool:
    """Whether a deadline that began to run then has not come yet."""
    due_ms = falls_due_ms(state, from_ms, wait_ms)
    return due_ms is None or time_ms < due_ms


def _forget_freeze(state: State, context: Context, key: bytes) -> int:
    """Scheduled when no deadline can count from before its end any more; later freezes put that off as they do with
    deadlines."""
    past = state.get(PAST_FREEZES, key)
    if past is None:
        return 1
    due_ms = falls_due_ms(state, past.until_ms, limits.FREEZES_KEPT_MS)
    if due_ms is None or due_ms > context.time_ms:
        again_ms = context.time_ms + limits.FREEZE_RETRY_MS if due_ms is None else due_ms
        schedule.add(state, again_ms, FORGET_FREEZE, key)
    else:
        state.delete(PAST_FREEZES, key)
    return 1


SCHEDULED: dict[int, schedule.ScheduledHandler] = {FORGET_FREEZE: _forget_freeze}
