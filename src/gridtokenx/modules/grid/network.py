"""What the links of an interval still carry. Trades use it up, and trades the other way give it back.

The tables LIMITS and LINKS alone say it; what is kept here beside them (which steps are full) is derived, and put on
the same journal. Borders are always counted, a feeder's link from the first interval that opens after it got a limit.
"""

from collections.abc import Iterable

from gridtokenx.ledger import schedule
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import Index, State
from gridtokenx.modules.grid.state import (
    LIMITS,
    LINK_REOPENED,
    LINKS,
    REOPENED,
    UNLIMITED_WH,
    Limit,
    Link,
    Reopened,
    interval_link_key,
    limit_at,
)
from gridtokenx.modules.grid.topology import TOPOLOGY, Step, Topology


def counted_links(state: State, interval: int) -> dict[int, bytes]:
    """Of each link that an interval counts its key in LINKS: all borders, and feeders that had a limit when it
    opened."""
    borders = {step >> 1: interval_link_key(interval, step >> 1) for step in state.index(TOPOLOGY).bits}
    limited = {
        int.from_bytes(key, "big"): interval_key(interval) + key
        for key, limit in state.items(LIMITS)
        if limit_at(limit, interval) is not None
    }
    return borders | limited


class Network:
    """The links of one interval."""

    __slots__ = ("closed", "full", "key", "keys", "limits", "links", "topology")

    def __init__(self, state: State, interval: int) -> None:
        self.limits: dict[bytes, Limit] = state.rows[LIMITS.prefix]
        self.links: dict[bytes, Link] = state.rows[LINKS.prefix]
        self.topology: Topology = state.index(TOPOLOGY)
        self.key = interval_key(interval)
        self.keys = counted_links(state, interval)
        """Of each link that is counted its key in LINKS."""
        self.closed: set[Step] = set()
        """Steps over which no more can go."""
        self.full = 0
        """Those of them that cross borders, as `Topology.ways` takes them."""
        for number in self.keys:
            self._look_again(number, None)

    def link(self, number: int) -> Link | None:
        """A link as it is now; None if it is not counted."""
        key = self.keys.get(number)
        if key is None:
            return None
        found = self.links.get(key)
        if found is None:
            limit = self.limits.get(key[len(self.key) :])
            carries = None if limit is None else limit_at(limit, int.from_bytes(self.key, "big"))
            found = Link(*(carries or (UNLIMITED_WH, UNLIMITED_WH)), 0)
        return found

    def free_wh(self, steps: Iterable[Step], most_wh: int) -> int:
        """What can still go over all of these steps, at most `most_wh`; below zero where capacity was lowered."""
        for step in steps:
            link = self.link(step >> 1)
            if link is not None:
                most_wh = min(most_wh, link.free_wh(step))
        return most_wh

    def use(self, state: State, steps: Iterable[Step], quantity_wh: int) -> None:
        """Send energy over these steps, or below zero take it back."""
        for step in steps:
            number = step >> 1
            link = self.link(number)
            if link is not None:
                change_wh = -quantity_wh if step & 1 else quantity_wh
                self.put(state, number, Link(link.forward_wh, link.backward_wh, link.net_wh + change_wh))

    def put(self, state: State, number: int, link: Link) -> None:
        """Write a link of this interval; KeyError if it is not counted. If a step over it was full and is not any more,
        the interval is noted in REOPENED."""
        state.undo.append((self._look_again, number, None))
        state.put(LINKS, self.keys[number], link)
        if self._look_again(number, link) and self.key not in state.rows[REOPENED.prefix]:
            state.put(REOPENED, self.key, Reopened())
            schedule.add(state, schedule.RIGHT_AFTER_MS, LINK_REOPENED, self.key)

    def _look_again(self, number: int, link: Link | None) -> bool:
        """Derive anew which steps over a link are full. Whether one was that is not any more. A step of the journal
        too, hence its shape."""
        link = link or self.link(number)
        assert link is not None, "it is counted"
        reopened = False
        for step in (number << 1, number << 1 | 1):
            full = link.free_wh(step) <= 0
            if full != (step in self.closed):
                self._turn(step)
                reopened = reopened or not full
        return reopened

    def _turn(self, step: Step) -> None:
        """What was closed is open, what was open is closed."""
        self.closed ^= {step}
        self.full ^= self.topology.bits.get(step, 0)


NETWORKS: Index[dict[int, Network]] = Index("networks", lambda state: {})
"""Links by interval; an interval's are looked up when they are first asked for. Built after TOPOLOGY."""


def network_of(state: State, interval: int) -> Network:
    """The links of an interval."""
    networks = state.index(NETWORKS)
    found = networks.get(interval)
    if found is None:
        found = networks[interval] = Network(state, interval)
    return found


def settled(state: State, key: bytes) -> None:
    """All orders of an interval have met that could since its links had capacity again."""
    if key in state.rows[REOPENED.prefix]:
        state.delete(REOPENED, key)
        schedule.remove(state, schedule.RIGHT_AFTER_MS, LINK_REOPENED, key)


def forget(state: State, interval: int) -> int:
    """The interval is over and settled: nobody asks for its links any more. How many were there."""
    used = [key for key in counted_links(state, interval).values() if key in state.rows[LINKS.prefix]]
    for key in used:
        state.delete(LINKS, key)
    settled(state, interval_key(interval))
    state.index(NETWORKS).pop(interval, None)
    return len(used)
