"""Next is whoever has had the least; nobody waits for the whole of another's heap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.engine.fair_queue import FairQueue


def drained(queue: FairQueue[str]) -> list[str]:
    return [queue.take() for _ in range(len(queue))]


def test_one_partys_items_keep_their_order() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in "abc":
        queue.put(b"one", item, 5)
    assert queue.next() == "a"
    assert drained(queue) == ["a", "b", "c"]
    assert not queue and len(queue) == 0
    for asked in (queue.next, queue.take):
        with pytest.raises(IndexError):
            asked()


def test_whoever_comes_late_to_a_flood_is_served_next() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(60):
        queue.put(b"flood", f"flood {number}", 500)
    assert [queue.take() for _ in range(20)] == [f"flood {number}" for number in range(20)]
    queue.put(b"late", "late", 1)
    queue.put(b"later", "later", 1)
    assert sorted(queue.take() for _ in range(3)) == ["flood 20", "late", "later"]


def test_many_small_items_get_as_much_as_few_large_ones() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(10):
        queue.put(b"large", "L", 100)
    for _ in range(1_000):
        queue.put(b"small", "s", 1)
    first = [queue.take() for _ in range(404)]
    assert first.count("L") in {4, 5}


def test_going_and_coming_back_gains_nothing() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(100):
        queue.put(b"steady", "steady", 10)
    served = []
    for _ in range(50):
        queue.put(b"often back", "back", 10)
        served += [queue.take(), queue.take()]
    assert served.count("steady") == served.count("back") == 50


def test_what_is_first_comes_before_all_and_what_is_wanted_now_too() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "a3"):
        queue.put(b"a", item, 1)
    queue.put(b"b", "b1", 1)
    queue.put_first("block", 9)
    queue.hasten(lambda item: item in {"a2", "b1"})
    assert drained(queue) == ["block", "a2", "b1", "a1", "a3"]


ITEMS = st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.integers(1, 50)), max_size=60)


@given(ITEMS)
def test_nothing_is_lost_and_nobody_who_waits_falls_behind_by_more_than_one_item(items) -> None:
    queue: FairQueue[tuple[bytes, int]] = FairQueue()
    for party, size in items:
        queue.put(party, (party, size), size)
    had = dict.fromkeys({party for party, _ in items}, 0)
    left = dict.fromkeys(had, 0)
    for party, _ in items:
        left[party] += 1
    taken = []
    while queue:
        expected, one = queue.next(), queue.take()
        assert one == expected
        taken.append(one)
        had[one[0]] += one[1]
        left[one[0]] -= 1
        waiting = [had[party] for party in had if left[party]]
        assert not waiting or max(waiting) - min(waiting) <= 50
    assert sorted(taken) == sorted(items)
