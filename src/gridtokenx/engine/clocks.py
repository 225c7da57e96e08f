"""Clocks: which time the chain has. Rules know chain time only.

`RealClock`: the wall's. `ScenarioClock`: runs faster, and blocks stand exactly at every gate and deadline.
`VirtualClock`: stands where it is put. `ChainClock`: goes on from the last block of consensus.
`Pace` says when a block is made and which time it carries.
"""

import time
from typing import Final, Protocol

SECOND_MS: Final = 1_000


class Clock(Protocol):
    """What an engine asks of a clock."""

    speed: int
    """Chain time per real time; 0 for a clock that does not run."""

    stops_at_due_times: bool
    """Whether work that falls due gets a block of its own, of exactly that time."""

    def start(self, last_ms: int) -> None:
        """Begin after a block of that time."""

    def now_ms(self) -> int:
        """Chain time, in milliseconds since the epoch."""


class RealClock:
    """Chain time is UTC, but never before the last block at the start: if the machine's clock was set back, the chain
    stands until it has caught up."""

    speed = 1
    stops_at_due_times = False

    def __init__(self) -> None:
        self._not_before_ms = 0

    def start(self, last_ms: int) -> None:
        """Begin after a block of that time."""
        self._not_before_ms = last_ms

    def now_ms(self) -> int:
        """UTC."""
        return max(time.time_ns() // 1_000_000, self._not_before_ms)


class ScenarioClock:
    """Chain time goes on from the last block, `speed` times as fast as the wall's. It stands still while the node is
    off."""

    stops_at_due_times = True

    def __init__(self, speed: int) -> None:
        self.speed = speed
        self._started_ms = 0
        self._started = 0.0

    def start(self, last_ms: int) -> None:
        """Chain time begins to run from the last block's."""
        self._started_ms = last_ms
        self._started = time.monotonic()

    def now_ms(self) -> int:
        """Chain time."""
        return self._started_ms + int((time.monotonic() - self._started) * SECOND_MS * self.speed)


class VirtualClock:
    """Chain time stands where it is put."""

    speed = 0
    stops_at_due_times = True

    def __init__(self) -> None:
        self.time_ms = 0

    def start(self, last_ms: int) -> None:
        """Stand at the last block."""
        self.time_ms = last_ms

    def now_ms(self) -> int:
        """Where it was put."""
        return self.time_ms


class ChainClock:
    """Chain time is the last block's and what has gone by since, by this machine's own steady clock: what a node under
    consensus can know. A machine whose wall clock is wrong still has the chain's time."""

    speed = 1
    stops_at_due_times = False

    def __init__(self) -> None:
        self._last: tuple[int, float] = (0, time.monotonic())

    def start(self, last_ms: int) -> None:
        """A block of that time was committed now."""
        self._last = last_ms, time.monotonic()

    def now_ms(self) -> int:
        """Chain time."""
        last_ms, at = self._last
        return last_ms + int((time.monotonic() - at) * SECOND_MS)


class Pace:
    """One block each `interval_ms` of real time, and where the clock stops at due times, one at each of them: such a
    clock rather falls behind than miss a gate."""

    def __init__(self, clock: Clock, interval_ms: int) -> None:
        self._clock = clock
        self._interval_seconds = interval_ms / SECOND_MS
        self._next_tick = time.monotonic() + self._interval_seconds

    def wait_seconds(self, last_ms: int, due_ms: int | None) -> float:
        """Real time until the next block. `last_ms` is the last block's time, `due_ms` when the earliest work of the
        ledger falls due."""
        seconds = self._next_tick - time.monotonic()
        stop_ms = stop_at(self._clock, last_ms, due_ms)
        if stop_ms is not None:
            seconds = min(seconds, (stop_ms - self._clock.now_ms()) / (SECOND_MS * self._clock.speed))
        return max(seconds, 0.0)

    def block_time_ms(self, last_ms: int, due_ms: int | None) -> int:
        """The time of a block made now: later than the last, not beyond the next due time."""
        now_ms, stop_ms = max(self._clock.now_ms(), last_ms + 1), stop_at(self._clock, last_ms, due_ms)
        if stop_ms is not None and stop_ms <= now_ms:
            return stop_ms
        # A tick that was missed is not made up for.
        self._next_tick = max(self._next_tick + self._interval_seconds, time.monotonic())
        return now_ms


def stop_at(clock: Clock, last_ms: int, due_ms: int | None) -> int | None:
    """The due time that needs a block of its own, or None.

    Gates and deadlines are whole seconds. What falls due between two seconds waits for the next: nobody can make
    thousands of blocks by giving thousands of orders a millisecond of their own to end at. Work left over from an
    earlier time waits for whatever block comes next.
    """
    if not clock.stops_at_due_times or due_ms is None or due_ms <= last_ms:
        return None
    return -(-due_ms // SECOND_MS) * SECOND_MS
