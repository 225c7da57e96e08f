"""What a network is: how many nodes, which links, which blocks, which market. A TOML file in the network's folder."""

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

from gridtokenx.engine.comet.home import FAST, NORMAL, Pace
from gridtokenx.engine.comet.toml import toml_document
from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.operations.network.kinds import NodeKind

NODES_MAX = 64
"""More links than ports for them; and more than one machine should carry."""

SPARE_NODES = 8
"""How many may join while a network runs: their ports are kept for them."""

GATEWAYS_OF_A_CROWD = 4
"""How many nodes of a network have a gateway, if nobody says how many and there are more than seven."""

DELAY_MS_MAX = 10_000

MARKET_KINDS = ("archives", "gateway_nodes", "rpcs", "boots")
"""Nodes that there are only where there is a market."""


class NetworkPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A network on one machine. Nodes are numbered from 1: first the validators, then the observers, archives, nodes
    of the kind gateway, RPC and boot nodes, backups, last the `joined`: those that were added while it ran, which
    follow. All `backups` are of one validator, the one with the number `backed`; a signer has its key.

    `market`: a scenario's market runs on it; else consensus alone runs, with CometBFT's own example application.
    `delay_ms`: of each link, each way. `direct`: no proxy between the nodes, so no faults of links, and nothing that
    costs. `gateways`: so many validators and observers have one, from the first on; archives, gateway and RPC nodes
    have one in any case. `processors`: threads of Go code for each CometBFT (0: as many as there are).
    `snapshot_blocks`: blocks between two snapshots of a node. `first_port`: where the ports of the last run began
    (0: anywhere).
    """

    validators: int
    observers: int = 0
    links: Literal["tcp", "quic"] = "tcp"
    blocks: Literal["normal", "fast"] = "normal"
    market: bool = True
    direct: bool = False
    delay_ms: int = 0
    gateways: int = 0
    workers: int = 1
    processors: int = 0
    snapshot_blocks: int = 1_000
    first_port: int = 0
    archives: int = 0
    gateway_nodes: int = 0
    rpcs: int = 0
    boots: int = 0
    backups: int = 0
    backed: int = 1
    joined: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be."""
        for name, value, lowest, highest in (
            ("validators", self.validators, 1, NODES_MAX),
            ("observers", self.observers, 0, NODES_MAX - self.validators),
            *((name, getattr(self, name), 0, NODES_MAX if self.market else 0) for name in MARKET_KINDS),
            ("backups", self.backups, 0, NODES_MAX),
            ("backed", self.backed, 1, self.validators),
            ("nodes", self.nodes, 1, NODES_MAX),
            ("delay_ms", self.delay_ms, 0, 0 if self.direct else DELAY_MS_MAX),
            ("gateways", self.gateways, 0, len(self._ordinary)),
            ("workers", self.workers, 1, 64),
            ("processors", self.processors, 0, 1_024),
            ("snapshot_blocks", self.snapshot_blocks, 0, 1_000_000),
        ):
            if not lowest <= value <= highest:
                raise ValueError(f"{name} is {value}: give {lowest} to {highest}")
        if self.boots and (self.quic or not self.direct):
            raise ValueError("nodes hear of each other from a boot node on direct TCP links only: give --direct --tcp")

    @property
    def nodes(self) -> int:
        """How many there are."""
        return len(self.kinds)

    @property
    def kinds(self) -> list[NodeKind]:
        """Of all nodes, in the order of their numbers."""
        counts = (
            (NodeKind.VALIDATOR, self.validators),
            (NodeKind.OBSERVER, self.observers),
            (NodeKind.ARCHIVE, self.archives),
            (NodeKind.GATEWAY, self.gateway_nodes),
            (NodeKind.RPC, self.rpcs),
            (NodeKind.BOOT, self.boots),
            (NodeKind.BACKUP, self.backups),
            (NodeKind.OBSERVER, self.joined),
        )
        return [kind for kind, count in counts for _ in range(count)]

    def kind_of(self, number: int) -> NodeKind:
        """What the node with this number is."""
        return self.kinds[number - 1]

    @property
    def pace(self) -> Pace:
        """How fast blocks follow each other."""
        return FAST if self.blocks == "fast" else NORMAL

    @property
    def quic(self) -> bool:
        """Which links."""
        return self.links == "quic"

    @property
    def numbers(self) -> range:
        """Of all nodes."""
        return range(1, self.nodes + 1)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """A link for each; the lower number dials."""
        return [(one, other) for one in self.numbers for other in range(one + 1, self.nodes + 1)]

    @property
    def ports(self) -> int:
        """How many it needs, with those for nodes that join."""
        return 2 * (self.nodes + SPARE_NODES) + (0 if self.direct else len(self.pairs))

    @property
    def with_gateway(self) -> list[int]:
        """The nodes that have one."""
        if not self.market:
            return []
        wanted = self.gateways or (len(self._ordinary) if self.nodes <= 7 else GATEWAYS_OF_A_CROWD)
        served = [number for number, kind in enumerate(self.kinds, 1) if kind.is_served]
        return sorted([*self._ordinary[:wanted], *served])

    @property
    def taking_orders(self) -> list[int]:
        """The nodes whose gateways take transactions in."""
        return [number for number in self.with_gateway if self.kind_of(number) is not NodeKind.RPC]

    @property
    def boot_nodes(self) -> list[int]:
        """Those that only tell of others."""
        return [number for number, kind in enumerate(self.kinds, 1) if kind is NodeKind.BOOT]

    @property
    def sharing(self) -> list[int]:
        """The nodes of one validator that share its signer, first its own; none if it has no backups."""
        backups = [number for number, kind in enumerate(self.kinds, 1) if kind is NodeKind.BACKUP]
        return [self.backed, *backups] if backups else []

    @property
    def _ordinary(self) -> list[int]:
        """Nodes that can do with a gateway or without."""
        kinds = enumerate(self.kinds, 1)
        return [number for number, kind in kinds if kind in {NodeKind.VALIDATOR, NodeKind.OBSERVER}]


def write_plan(file: Path, plan: NetworkPlan) -> None:
    """Whole or not at all."""
    draft = file.with_suffix(".draft")
    values: dict[str, Any] = msgspec.structs.asdict(plan)
    draft.write_bytes(
        toml_document({"": values}, "A network of gridtokenx: docs/network.md says what each line means.")
    )
    draft.replace(file)


def read_plan(file: Path) -> NetworkPlan:
    """Raises `FolderUnusable` if there is none, or it does not fit."""
    try:
        return msgspec.convert(tomllib.loads(file.read_text()), NetworkPlan)
    except FileNotFoundError:
        raise FolderUnusable(f"there is no network in {file.parent}") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, ValueError) as error:
        raise FolderUnusable(f"{file}: {error}") from None


def parse_groups(text: str) -> list[list[int]]:
    """`1,2/3,4` as groups of nodes; `1-3/4` is short for `1,2,3/4`. Raises ValueError."""
    if not re.fullmatch(r"\d+(-\d+)?([,/]\d+(-\d+)?)*", text):
        raise ValueError(f"'{text}' names no groups: write them as 1,2/3,4")
    groups = []
    for group in text.split("/"):
        nodes: list[int] = []
        for part in group.split(","):
            first, _, last = part.partition("-")
            nodes.extend(range(int(first), int(last or first) + 1))
        groups.append(nodes)
    return groups
