"""One node on a machine of its own: how it is told of the others, and its processes."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gridtokenx.engine.comet.home import FOUND_MAX, PEERS_MAX, HomeSettings, Peer, StateSync, write_config
from gridtokenx.engine.folder import DataFolder, FolderUnusable
from gridtokenx.gateway.readmodel import FOLLOWED
from gridtokenx.operations.network.bundle import Bundle, read_bundle
from gridtokenx.operations.network.card import CardUnusable, NodeCard, read_card
from gridtokenx.operations.network.join_file import read_join_file
from gridtokenx.operations.network.kinds import NodeKind
from gridtokenx.operations.network.node_folder import BUNDLE, CARD, consensus_home
from gridtokenx.operations.network.programs import AGENTS, CHAIN, boot_command, listens
from gridtokenx.operations.supervisor import Program
from gridtokenx.simulation.market_folder import MarketFolder

BOOT = "boot"
"""Name of a boot node's only process."""

EVERYWHERE = "0.0.0.0"  # noqa: S104 - peers come from other machines; links prove who is there


@dataclass(frozen=True, slots=True)
class Machine:
    """A node that is to run here. `listen`: HOST:PORT for links. `addresses`: of peers that are not where their cards
    say, by name. `sites`: folder of the simulated sites, if they play here."""

    data: Path
    listen: str = ""
    port: int = 8_545
    workers: int = 1
    addresses: Mapping[str, str] = field(default_factory=dict)
    sites: Path | None = None


def prepare(machine: Machine) -> Bundle:
    """Write the settings of this start. Raises `FolderUnusable` if the node has no network yet, `CardUnusable` for
    addresses of nodes that are not in it, `BundleUnusable`."""
    if not (machine.data / CARD).is_file():
        raise FolderUnusable(f"there is no node in {machine.data}: `gridtokenx node init` makes one")
    home = consensus_home(DataFolder(machine.data))
    if not home.genesis.is_file():
        raise FolderUnusable(f"the node in {machine.data} belongs to no network yet: give its file with --network")
    bundle, card = read_bundle(machine.data / BUNDLE), read_card(machine.data / CARD)
    join = read_join_file(machine.data)
    write_config(home, settings(machine, bundle, card, join.state_sync() if join else None))
    return bundle


def settings(machine: Machine, bundle: Bundle, card: NodeCard, state_sync: StateSync | None = None) -> HomeSettings:
    """Links to all others, both ways: on real machines either side may have been away. In a network with boot nodes
    who is not among its cards has links to those only that it is told of. Raises `CardUnusable`."""
    others = {other.name: other for other in bundle.cards if other.link_key != card.link_key}
    unknown = sorted(set(machine.addresses) - set(others))
    if unknown:
        raise CardUnusable(f"there is no node {unknown[0]} in this network: {', '.join(sorted(others))}")
    quic, is_boot = bundle.profile.links == "quic", card.kind is NodeKind.BOOT
    if is_boot and quic:
        raise CardUnusable("nodes on QUIC links cannot hear of each other: this network has no use for a boot node")
    peers = {name: other.peer(machine.addresses.get(name, "")) for name, other in others.items()}
    boots = [name for name, other in others.items() if other.kind is NodeKind.BOOT and not quic]
    seeds: tuple[Peer, ...] = ()
    found_max = 0 if boots else PEERS_MAX
    dialled = set(others) - set(boots)
    is_new = len(others) == len(bundle.cards)
    if boots and is_new:
        # Who comes later asks the boot nodes: a card may be years old.
        seeds, found_max = tuple(peers[boot] for boot in boots), min(len(dialled), FOUND_MAX)
        dialled &= set(machine.addresses)
    port = card.address.rpartition(":")[2]
    return HomeSettings(
        name=card.name,
        listen=machine.listen or f"{EVERYWHERE}:{port}",
        external=card.address,
        dials=tuple(peer for name, peer in peers.items() if name in dialled),
        quic=quic,
        pace=bundle.profile.pace,
        peer_exchange=not quic,
        state_sync=state_sync,
        seeds=seeds,
        is_boot=is_boot,
        found_max=found_max,
    )


def machine_programs(machine: Machine) -> list[Program]:
    """The node, its gateway, and the simulated sites if they play here; first who helps it join, if it does. Of a boot
    node one program. Raises `CardUnusable`."""
    data, port, kind = str(machine.data.resolve()), str(machine.port), read_card(machine.data / CARD).kind
    if machine.sites is not None and kind in {NodeKind.BOOT, NodeKind.RPC}:
        raise CardUnusable(f"a node of the kind {kind} takes no orders in: let the sites play at another")
    if kind is NodeKind.BOOT:
        return [Program(BOOT, boot_command(machine.data))]
    module = (sys.executable, "-m")
    gateway = (
        *(*module, "gridtokenx.gateway", "--data", data, "--port", port, "--end-with-input"),
        *kind.gateway_options(),
    )
    found: list[Program] = []
    if (join := read_join_file(machine.data)) is not None:
        sockets = [machine.data / each for each in join.sockets]
        witness = (*module, "gridtokenx.operations.network.witness", "--data", data)
        found.append(Program("witness", witness, lambda: all(map(listens, sockets))))
    found.append(
        Program(
            "node",
            (
                *(*module, "gridtokenx.engine.node", "--data", data, "--chain", CHAIN, "--consensus"),
                *("--workers", str(machine.workers), "--end-with-input", *kind.node_options()),
                *("--feed", ",".join(str(prefix) for prefix in sorted(FOLLOWED))),
            ),
            # One that takes its state from a snapshot has none for its gateway before.
            lambda: listens(DataFolder(machine.data).socket),
        )
    )
    if machine.sites is None:
        return [*found, Program("gateway", gateway)]
    market = MarketFolder(machine.sites.resolve())
    shown = ("--showcase", str(market.showcase), "--faucet", str(market.faucet))
    sites = (*module, "gridtokenx.simulation.live", "--data", str(market.path), "--port", port)
    return [*found, Program("gateway", (*gateway, *shown)), Program(AGENTS, sites)]
