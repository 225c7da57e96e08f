"""Who listens where in a network on one machine, and how each node is told of the others."""

from collections.abc import Mapping
from dataclasses import dataclass

from gridtokenx.engine.comet.home import FOUND_MAX, PEERS_MAX, HomeSettings, Peer, StateSync
from gridtokenx.engine.comet.keys import LinkKey
from gridtokenx.operations.network.kinds import NodeKind
from gridtokenx.operations.network.links import Link
from gridtokenx.operations.network.plan import NetworkPlan

LOOPBACK = "127.0.0.1"
NOWHERE = "127.0.0.1:1"
"""What nodes behind the proxy tell others to be their address: nobody may find a way around the proxy."""

GOSSIP_SLEEPS_PER_SECOND = 10_000
"""Of all nodes together, so that many nodes on few cores do not only look whether there is something to say."""
GOSSIP_SLEEP_MS = (10, 100)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Ports of a network, from the first one of its block on: links of nodes, gateways, links of the proxy, then two
    for each node that joins. `joined`: how many of the nodes have joined since the network was started; they dial all
    others directly."""

    plan: NetworkPlan
    first: int
    joined: int = 0

    @property
    def base(self) -> int:
        """Nodes that have been here since the start."""
        return self.plan.nodes - self.joined

    def node(self, number: int) -> str:
        """Where a node listens for its peers."""
        return f"{LOOPBACK}:{self._node_port(number)}"

    def _node_port(self, number: int) -> int:
        if number <= self.base:
            return self.first + number - 1
        links = 0 if self.plan.direct else self.base * (self.base - 1) // 2
        return self.first + 2 * self.base + links + 2 * (number - self.base - 1)

    def gateway_port(self, number: int) -> int:
        """Where the node's gateway listens."""
        if number <= self.base:
            return self.first + self.base + number - 1
        return self._node_port(number) + 1

    def links(self) -> list[Link]:
        """What the proxy has to carry; nothing where nodes talk directly."""
        if self.plan.direct:
            return []
        links = []
        pairs = [(one, other) for one, other in self.plan.pairs if other <= self.base]
        for at, (dialler, dialled) in enumerate(pairs):
            listen = (LOOPBACK, self.first + 2 * self.base + at)
            link = Link(dialler, dialled, listen, (LOOPBACK, self._node_port(dialled)))
            link.forward.delay_ms = link.back.delay_ms = self.plan.delay_ms
            links.append(link)
        return links

    def settings(self, number: int, keys: Mapping[int, LinkKey], state_sync: StateSync | None = None) -> HomeSettings:
        """The settings of a node's CometBFT; `keys` of all nodes."""
        plan, kind, boots = self.plan, self.plan.kind_of(number), self.plan.boot_nodes
        has_joined = number > self.base
        by_link = {(link.dialler, link.dialled): f"{LOOPBACK}:{link.listen[1]}" for link in self.links()}
        dials = [
            Peer(keys[other].node_id, keys[other].peer_id, by_link.get((number, other), self.node(other)))
            for other in plan.numbers
            if other not in boots and (other > number or kind is NodeKind.BOOT or (has_joined and other < number))
        ]
        dialled_by = tuple(keys[other].node_id for other in plan.numbers if other < number)
        seeds: tuple[Peer, ...] = ()
        found_max = 0 if boots else PEERS_MAX
        if has_joined and boots:
            # Who comes later is told of the boot nodes alone: they know who else there is, and where.
            seeds = tuple(Peer(keys[boot].node_id, keys[boot].peer_id, self.node(boot)) for boot in boots)
            dials, dialled_by, found_max = [], (), min(self.base - len(boots), FOUND_MAX)
        return HomeSettings(
            name=f"node-{number}",
            listen=self.node(number),
            external="" if plan.direct else NOWHERE,
            dials=tuple(dials),
            dialled_by=dialled_by,
            quic=plan.quic,
            pace=plan.pace,
            gossip_sleep_ms=gossip_sleep_ms(plan.nodes),
            peer_exchange=bool(boots),
            state_sync=state_sync,
            seeds=seeds,
            is_boot=kind is NodeKind.BOOT,
            found_max=found_max,
        )


def gossip_sleep_ms(nodes: int) -> int:
    """How long a node waits before it looks again for something to tell a peer: each has two such loops for each of
    the others."""
    shortest, longest = GOSSIP_SLEEP_MS
    loops = 2 * nodes * (nodes - 1)
    return max(shortest, min(longest, 1_000 * loops // GOSSIP_SLEEPS_PER_SECOND))
