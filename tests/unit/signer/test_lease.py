"""One node at a time."""

from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.signer.lease import BEHIND_BLOCKS, Lease


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def test_the_first_that_asks_has_it_as_long_as_it_is_heard() -> None:
    clock = Clock()
    lease = Lease(4.0, clock)
    assert lease.ask("primary", 7) and not lease.ask("backup", 7)
    clock.now_s += 3.9
    lease.heard("primary")  # a ping
    clock.now_s += 3.9
    assert not lease.ask("backup", 7)
    clock.now_s += 0.2
    assert lease.ask("backup", 8) and not lease.ask("primary", 8), "silent for four seconds"


def test_a_ping_of_another_is_no_sign_of_the_holder() -> None:
    clock = Clock()
    lease = Lease(4.0, clock)
    lease.ask("primary", 7)
    clock.now_s += 4.1
    lease.heard("backup")
    assert lease.holder == "primary" and lease.ask("backup", 7)


def test_the_end_of_the_connection_ends_it() -> None:
    lease = Lease(4.0, Clock())
    lease.ask("primary", 7)
    lease.ended("backup")
    assert not lease.ask("backup", 7)
    lease.ended("primary")
    assert lease.holder is None and lease.ask("backup", 7)


def test_a_holder_that_pings_and_is_left_behind_loses_it() -> None:
    lease = Lease(4.0, Clock())
    lease.ask("primary", 7)
    assert not lease.ask("backup", 7 + BEHIND_BLOCKS - 1)
    assert lease.ask("backup", 7 + BEHIND_BLOCKS)
    assert not lease.ask("primary", 8)


NAMES = st.sampled_from(["a", "b", "c"])


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("ask"), NAMES, st.integers(1, 9)),
            st.tuples(st.just("heard"), NAMES),
            st.tuples(st.just("ended"), NAMES),
            st.tuples(st.just("wait"), st.floats(0, 3)),
        )
    )
)
def test_it_is_served_who_holds_it(deeds: list[tuple]) -> None:
    clock = Clock()
    lease = Lease(4.0, clock)
    for kind, *given_ in deeds:
        before = lease.holder
        if kind == "ask":
            served = lease.ask(*given_)
            assert served == (lease.holder == given_[0])
            assert served or lease.holder == before is not None
        elif kind == "wait":
            clock.now_s += given_[0]
        else:
            getattr(lease, kind)(*given_)
            assert lease.holder in {before, None}
