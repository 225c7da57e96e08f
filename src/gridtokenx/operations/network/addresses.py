"""Who listens where in a network on one machine, and how each node is told of the others."""

from collections.abc import Mapping
from dataclasses import dataclass

from gridtokenx.engine.comet.home import HomeSettings, Peer
from gridtokenx.engine.comet.keys import NodeKeys
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
    """Ports of a network, from the first one of its block on: links of nodes, gateways, links of the proxy."""

    plan: NetworkPlan
    first: int

    def node(self, number: int) -> str:
        """Where a node listens for its peers."""
        return f"{LOOPBACK}:{self.first + number - 1}"

    def gateway_port(self, number: int) -> int:
        """Where the node's gateway listens."""
        return self.first + self.plan.nodes + number - 1

    def links(self) -> list[Link]:
        """What the proxy has to carry; nothing where nodes talk directly."""
        if self.plan.direct:
            return []
        links = []
        for at, (dialler, dialled) in enumerate(self.plan.pairs):
            listen = (LOOPBACK, self.first + 2 * self.plan.nodes + at)
            link = Link(dialler, dialled, listen, (LOOPBACK, self.first + dialled - 1))
            link.forward.delay_ms = link.back.delay_ms = self.plan.delay_ms
            links.append(link)
        return links

    def settings(self, number: int, keys: Mapping[int, NodeKeys]) -> HomeSettings:
        """The settings of a node's CometBFT; `keys` of all nodes."""
        plan = self.plan
        by_link = {(link.dialler, link.dialled): f"{LOOPBACK}:{link.listen[1]}" for link in self.links()}
        dials = [
            Peer(keys[other].node_id, keys[other].peer_id, by_link.get((number, other), self.node(other)))
            for other in plan.numbers
            if other > number
        ]
        return HomeSettings(
            name=f"node-{number}",
            listen=self.node(number),
            external="" if plan.direct else NOWHERE,
            dials=tuple(dials),
            dialled_by=tuple(keys[other].node_id for other in plan.numbers if other < number),
            quic=plan.quic,
            pace=plan.pace,
            gossip_sleep_ms=gossip_sleep_ms(plan.nodes),
        )


def gossip_sleep_ms(nodes: int) -> int:
    """How long a node waits before it looks again for something to tell a peer: each has two such loops for each of
    the others."""
    shortest, longest = GOSSIP_SLEEP_MS
    loops = 2 * nodes * (nodes - 1)
    return max(shortest, min(longest, 1_000 * loops // GOSSIP_SLEEPS_PER_SECOND))
