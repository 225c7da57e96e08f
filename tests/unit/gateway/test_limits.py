"""Buckets: what a caller gets is what the budget says, and memory stays bounded."""

from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.gateway.limits import Buckets, Budget

BUDGET = Budget("things", 2.0, 10)


class Clock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def buckets(callers_max: int = 100) -> tuple[Buckets, Clock]:
    clock = Clock()
    return Buckets(BUDGET, callers_max, clock), clock


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    bucket, clock = buckets()
    assert [bucket.take("ann") for _ in range(10)] == [0.0] * 10
    assert round(bucket.take("ann"), 6) == 0.5
    clock.now += 0.5
    assert bucket.take("ann") == 0.0
    assert round(bucket.take("ann"), 6) == 0.5


def test_the_wait_that_is_named_suffices_and_nothing_less_does() -> None:
    bucket, clock = buckets()
    assert bucket.take("ann", 10) == 0.0
    wait = bucket.take("ann", 7)
    assert round(wait, 6) == 3.5
    clock.now += wait - 0.01
    assert bucket.take("ann", 7) > 0
    clock.now += 0.01
    assert bucket.take("ann", 7) == 0.0


def test_callers_do_not_take_from_each_other() -> None:
    bucket, _ = buckets()
    assert bucket.take("ann", 10) == 0.0
    assert bucket.take("bob", 10) == 0.0
    assert bucket.take("ann") > 0


def test_looking_takes_nothing() -> None:
    bucket, _ = buckets()
    for _ in range(100):
        assert bucket.wait_s("ann", 10) == 0.0
    assert bucket.take("ann", 10) == 0.0
    assert bucket.wait_s("ann") > 0


def test_a_refusal_takes_nothing() -> None:
    bucket, _ = buckets()
    assert bucket.take("ann", 9) == 0.0
    for _ in range(100):
        assert bucket.take("ann", 2) > 0
    assert bucket.take("ann", 1) == 0.0


def test_no_more_callers_are_remembered_than_there_is_room_for() -> None:
    bucket, _ = buckets(callers_max=3)
    assert bucket.take("ann", 10) == 0.0
    for number in range(1_000):
        assert bucket.take(f"stranger {number}") == 0.0
        if number % 2:
            assert bucket.take("ann") > 0 or len(bucket) == 3
    assert len(bucket) == 3


def test_who_is_heard_of_is_not_forgotten_for_strangers() -> None:
    bucket, _ = buckets(callers_max=3)
    for number in range(10):
        assert bucket.take("ann") == 0.0
        assert bucket.take(f"stranger {number}") == 0.0
    assert bucket.take("ann") > 0


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 10)), max_size=60))
def test_nobody_ever_gets_more_than_the_budget(asked: list[tuple[float, int]]) -> None:
    bucket, clock = buckets()
    given_out: list[tuple[float, int]] = []
    for pause, count in asked:
        clock.now += pause
        if bucket.take("ann", count) == 0.0:
            given_out.append((clock.now, count))
    for start, (since, _) in enumerate(given_out):
        total = 0
        for when, count in given_out[start:]:
            total += count
            assert total <= BUDGET.burst + BUDGET.per_second * (when - since) + 1e-3
