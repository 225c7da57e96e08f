"""One node on a machine of its own: how it is told of the others, and its processes."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gridtokenx.engine.comet.home import HomeSettings, StateSync, write_config
from gridtokenx.engine.folder import DataFolder, FolderUnusable
from gridtokenx.gateway.readmodel import FOLLOWED
from gridtokenx.operations.network.bundle import Bundle, read_bundle
from gridtokenx.operations.network.card import CardUnusable, NodeCard, read_card
from gridtokenx.operations.network.join_file import read_join_file
from gridtokenx.operations.network.node_folder import BUNDLE, CARD, consensus_home
from gridtokenx.operations.network.programs import AGENTS, CHAIN, listens
from gridtokenx.operations.supervisor import Program
from gridtokenx.simulation.market_folder import MarketFolder

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
    """Links to all others, both ways: on real machines either side may have been away. Raises `CardUnusable`."""
    others = {other.name: other for other in bundle.cards if other.link_key != card.link_key}
    unknown = sorted(set(machine.addresses) - set(others))
    if unknown:
        raise CardUnusable(f"there is no node {unknown[0]} in this network: {', '.join(sorted(others))}")
    quic = bundle.profile.links == "quic"
    port = card.address.rpartition(":")[2]
    return HomeSettings(
        name=card.name,
        listen=machine.listen or f"{EVERYWHERE}:{port}",
        external=card.address,
        dials=tuple(other.peer(machine.addresses.get(name, "")) for name, other in others.items()),
        quic=quic,
        pace=bundle.profile.pace,
        peer_exchange=not quic,
        state_sync=state_sync,
    )


def machine_programs(machine: Machine) -> list[Program]:
    """The node, its gateway, and the simulated sites if they play here; first who helps it join, if it does."""
    data, port = str(machine.data.resolve()), str(machine.port)
    module = (sys.executable, "-m")
    gateway = (*module, "gridtokenx.gateway", "--data", data, "--port", port, "--end-with-input")
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
                *("--workers", str(machine.workers), "--end-with-input"),
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
