"""Chain time: which instants get a block of their own, and that time never goes back."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.engine.clocks import Pace, RealClock, ScenarioClock, VirtualClock, stop_at

LAST = 1_800_000_000_000


@pytest.mark.parametrize(
    ("due_ms", "stop_ms"),
    [
        (None, None),
        (LAST - 1, None),
        (LAST, None),
        (LAST + 1, LAST + 1_000),
        (LAST + 1_000, LAST + 1_000),
        (LAST + 1_001, LAST + 2_000),
        (LAST + 300_000, LAST + 300_000),
    ],
)
def test_a_clock_stops_at_due_times_on_whole_seconds(due_ms, stop_ms) -> None:
    assert stop_at(VirtualClock(), LAST, due_ms) == stop_ms
    assert stop_at(ScenarioClock(60), LAST, due_ms) == stop_ms
    assert stop_at(RealClock(), LAST, due_ms) is None


@given(
    last_ms=st.integers(0, 2**50),
    now_ms=st.integers(0, 2**50),
    due_ms=st.none() | st.integers(0, 2**50),
)
def test_block_times_rise_and_never_pass_a_stop(last_ms, now_ms, due_ms) -> None:
    clock = VirtualClock()
    clock.start(now_ms)
    time_ms = Pace(clock, 1_000).block_time_ms(last_ms, due_ms)
    stop_ms = stop_at(clock, last_ms, due_ms)
    assert time_ms > last_ms
    assert stop_ms is None or time_ms <= stop_ms
    assert time_ms == (last_ms + 1 if now_ms <= last_ms else min(now_ms, now_ms if stop_ms is None else stop_ms))


def test_a_late_clock_takes_every_stop_on_its_way() -> None:
    clock, stops, last_ms = VirtualClock(), [LAST + 60_000, LAST + 120_000], LAST
    clock.start(LAST + 500_000)
    pace, times = Pace(clock, 1_000), []
    for _ in range(3):
        last_ms = pace.block_time_ms(last_ms, next((stop for stop in stops if stop > last_ms), None))
        times.append(last_ms)
    assert times == [*stops, LAST + 500_000]


def test_real_time_is_utc_but_never_before_the_chain() -> None:
    clock = RealClock()
    clock.start(0)
    before = time.time_ns() // 1_000_000
    assert before <= clock.now_ms() <= time.time_ns() // 1_000_000
    ahead = before + 10**9
    clock.start(ahead)
    assert clock.now_ms() == ahead
    assert Pace(clock, 1_000).block_time_ms(ahead, None) == ahead + 1


def test_scenario_time_goes_on_from_the_last_block() -> None:
    clock = ScenarioClock(10**6)
    clock.start(LAST)
    readings = [clock.now_ms() for _ in range(1_000)]
    assert readings == sorted(readings)
    assert LAST <= readings[0] < readings[-1]


def test_a_pace_waits_for_the_nearer_of_tick_and_stop() -> None:
    clock = ScenarioClock(60)
    clock.start(LAST)
    pace = Pace(clock, 10**9)
    assert 0 < pace.wait_seconds(LAST, LAST + 60_000) <= 1
    assert 1 < pace.wait_seconds(LAST, LAST + 6_000_000) <= 100
    assert 100 < pace.wait_seconds(LAST, None) <= 10**6
    assert Pace(clock, 0).wait_seconds(LAST, LAST + 6_000_000) == 0
