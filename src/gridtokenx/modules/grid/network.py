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
from gridtokenx.modules.grid.topology import TOPOLOGY, Routes, Step, Topology


class Network:
    """The links of one interval."""

    __slots__ = ("closed", "full", "key", "keys", "limits", "links", "topology", "ways")

    def __init__(self, state: State, interval: int) -> None:
        self.limits: dict[bytes, Limit] = state.rows[LIMITS.prefix]
        self.links: dict[bytes, Link] = state.rows[LINKS.prefix]
        self.topology: Topology = state.index(TOPOLOGY)
        self.key = interval_key(interval)
        borders = {step >> 1: interval_link_key(interval, step >> 1) for step in self.topology.bits}
        limited = {
            int.from_bytes(key, "big"): self.key + key
            for key, limit in sorted(self.limits.items())
            if limit_at(limit, interval) is not None
        }
        self.keys = borders | limited
        """Of each link that is counted its key in LINKS."""
        self.closed: set[Step] = set()
        """Steps over which no more can go."""
        self.full = 0
        """Those of them that cross borders, as `Topology.routes` takes them."""
        self.ways: dict[int, Routes] = {}
        """Of each zone (twice its number, and one more for ways from it), as far as they have been asked for."""
        for number in self.keys:
            self.look_again(number)

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

    def routes(self, zone: int, outward: bool) -> Routes:
        """The ways from a zone to others (`outward`) or from them to it, that are free now."""
        found = self.ways.get(zone << 1 | outward)
        if found is None:
            found = self.ways[zone << 1 | outward] = self.topology.routes(zone, outward, self.full)
        return found

    def free_wh(self, steps: Iterable[Step], most_wh: int) -> int:
        """What can still go over all of these steps, at most `most_wh`; below zero where capacity was lowered."""
        for step in steps:
            link = self.link(step >> 1)
            if link is not None:
                free_wh = link.backward_wh + link.net_wh if step & 1 else link.forward_wh - link.net_wh
                most_wh = min(most_wh, free_wh)
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
        state.undo.append((self._undo_put, number, None))
        state.put(LINKS, self.keys[number], link)
        if self.look_again(number) and state.get(REOPENED, self.key) is None:
            state.put(REOPENED, self.key, Reopened())
            schedule.add(state, schedule.RIGHT_AFTER_MS, LINK_REOPENED, self.key)

    def look_again(self, number: int) -> bool:
        """Derive anew which steps over a link are full. Whether one was that is not any more."""
        link = self.link(number)
        if link is None:
            return False
        reopened = self._set(number << 1, link.forward_wh <= link.net_wh)
        return self._set(number << 1 | 1, link.backward_wh <= -link.net_wh) or reopened

    def _set(self, step: Step, full: bool) -> bool:
        if full == (step in self.closed):
            return False
        bit = self.topology.bits.get(step)
        if bit:
            self.full ^= bit
            self.ways = {}
        if full:
            self.closed.add(step)
        else:
            self.closed.discard(step)
        return not full

    def _undo_put(self, number: int, _: None) -> None:
        self.look_again(number)


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
    network = network_of(state, interval)
    used = [key for key in network.keys.values() if key in network.links]
    for key in used:
        state.delete(LINKS, key)
    settled(state, network.key)
    del state.index(NETWORKS)[interval]
    return len(used)
