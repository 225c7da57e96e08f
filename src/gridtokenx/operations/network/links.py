"""Links between nodes that can be cut, silenced and slowed: what a `Link` carries, and the switches on it.

A link leads from the node that dials to the node that is dialled. *Forward* is what the dialler says. Bytes arrive
as they were sent, in order, or not at all; what passed is counted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Address = tuple[str, int]

HELD_BYTES_MAX = 4 * 1024 * 1024
"""Of one direction of one connection: what is on its way when the link is slow; then the sender has to wait."""

CONNECTIONS_MAX = 64
"""Of one link; a node has one. What is more than this are dials that went into silence."""


class Flow(Enum):
    """What happens to one direction of a link. OPEN: all passes. CUT: connections end at once, new ones are refused.
    SILENT: nothing passes and nobody is told; TCP brings it later, as networks do, UDP loses it."""

    OPEN = "open"
    CUT = "cut"
    SILENT = "silent"


@dataclass(slots=True)
class Direction:
    """One direction of a link: its switch, its delay, and what it has carried."""

    flow: Flow = Flow.OPEN
    delay_ms: int = 0
    bytes_carried: int = 0


@dataclass(slots=True)
class Link:
    """Two nodes and the way between them. The dialler connects to `listen`; we connect to `target`."""

    dialler: int
    dialled: int
    listen: Address
    target: Address
    forward: Direction = field(default_factory=Direction)
    back: Direction = field(default_factory=Direction)
    connections: int = 0
    on_change: list[Callable[[], None]] = field(default_factory=list)
    """Told when a switch has been set."""

    def direction(self, sender: int) -> Direction:
        """What this one of the two says to the other."""
        return self.forward if sender == self.dialler else self.back

    def set_flow(self, sender: int, flow: Flow) -> None:
        """Set the switch of one direction. One direction cut is the whole link cut: no connection has half of it."""
        self.direction(sender).flow = flow
        for changed in list(self.on_change):
            changed()

    @property
    def is_cut(self) -> bool:
        """Whether no connection can be."""
        return Flow.CUT in (self.forward.flow, self.back.flow)

    def describe(self) -> dict[str, Any]:
        """For whoever asks: plain data."""
        return {
            "nodes": [self.dialler, self.dialled],
            "flows": [self.forward.flow.value, self.back.flow.value],
            "delay_ms": [self.forward.delay_ms, self.back.delay_ms],
            "bytes": [self.forward.bytes_carried, self.back.bytes_carried],
            "connections": self.connections,
        }


def groups_of(named: list[list[int]], nodes: set[int]) -> dict[int, int]:
    """Which group each node is in. Those that are not named are one more group.

    Raises ValueError for a node that does not exist or stands in two groups.
    """
    found: dict[int, int] = {}
    for number, group in enumerate(named):
        for node in group:
            if node not in nodes:
                raise ValueError(f"there is no node {node}: they are numbered 1 to {len(nodes)}")
            if node in found:
                raise ValueError(f"node {node} stands twice")
            found[node] = number
    return {node: found.get(node, len(named)) for node in sorted(nodes)}


def partition(links: list[Link], groups: dict[int, int], flow: Flow, *, one_way: bool = False) -> None:
    """Open what is inside a group, and set this flow between groups; with `one_way` only from an earlier group to a
    later one, so that the later ones still reach the earlier ones."""
    for link in links:
        for sender, receiver in ((link.dialler, link.dialled), (link.dialled, link.dialler)):
            apart = groups[sender] != groups[receiver]
            if one_way:
                apart = groups[sender] < groups[receiver]
            link.set_flow(sender, flow if apart else Flow.OPEN)


def heal(links: list[Link]) -> None:
    """Open everything; delays stay."""
    for link in links:
        for sender in (link.dialler, link.dialled):
            link.set_flow(sender, Flow.OPEN)
