"""The processes of a network on one machine."""

import dataclasses
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from gridtokenx.engine.folder import socket_address
from gridtokenx.gateway.readmodel import FOLLOWED
from gridtokenx.operations.network.addresses import Addresses
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.operations.network.kinds import NodeKind
from gridtokenx.operations.network.proxy import control_socket
from gridtokenx.operations.supervisor import Program
from gridtokenx.simulation.market_folder import MarketFolder

CHAIN = "gridtokenx.chains.consortium:CONSORTIUM"
PROXY, SIGNER, AGENTS = "proxy", "signer", "agents"

_MODULE = (sys.executable, "-m")


def node_name(number: int) -> str:
    """Of a node's process."""
    return f"node-{number}"


def gateway_name(number: int) -> str:
    """Of its gateway's."""
    return f"gateway-{number}"


def programs(folder: NetworkFolder, addresses: Addresses) -> list[Program]:
    """The proxy, the signer, all nodes at once, all gateways at once, then those who trade."""
    plan = addresses.plan
    found = [] if plan.direct else [_proxy(folder)]
    if plan.sharing:
        found.append(Program(SIGNER, signer_command(folder, [folder.signs(number) for number in plan.sharing])))
    found += [_node(folder, addresses, number) for number in plan.numbers]
    found += [_gateway(folder, addresses, number) for number in plan.with_gateway]
    if plan.market:
        ports = [text for number in plan.taking_orders for text in ("--port", str(addresses.gateway_port(number)))]
        command = (*_MODULE, "gridtokenx.simulation.live", "--data", str(folder.path.resolve()), *ports)
        found.append(Program(AGENTS, command))
    return found


def joined_programs(folder: NetworkFolder, addresses: Addresses, number: int) -> list[Program]:
    """Those of a node that joins. Its gateway waits until the node has its state: it reads the same database."""
    if not addresses.plan.market:
        return [_bare_node(folder, addresses, number)]
    node = dataclasses.replace(
        _market_node(folder, addresses, number), is_up=lambda: listens(folder.node(number).socket), stage=None
    )
    return [node, dataclasses.replace(_gateway(folder, addresses, number), stage=None)]


def without_showcase(gateway: Program) -> Program:
    """The gateway of a network that was made without a scenario: there is nothing to show besides the market."""
    return dataclasses.replace(gateway, command=gateway.command[: gateway.command.index("--showcase")])


def listens(path: Path) -> bool:
    """Whether somebody answers at this socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(socket_address(path))
        except OSError:
            return False
    return True


def _proxy(folder: NetworkFolder) -> Program:
    command = (*_MODULE, "gridtokenx.operations.network.proxy", "--data", str(folder.path.resolve()))
    return Program(PROXY, command, lambda: control_socket(folder.path).exists())


def signer_command(folder: NetworkFolder, sockets: Sequence[Path]) -> tuple[str, ...]:
    """The process that signs for the nodes at these sockets."""
    nodes = [word for socket in sockets for word in ("--node", str(socket.absolute()))]
    data = str(folder.signer.path.resolve())
    return (*_MODULE, "gridtokenx.operations.network.signing", "--data", data, *nodes)


def _node(folder: NetworkFolder, addresses: Addresses, number: int) -> Program:
    if not addresses.plan.market:
        return _bare_node(folder, addresses, number)
    if addresses.plan.kind_of(number) is NodeKind.BOOT:
        return Program(node_name(number), boot_command(folder.node(number).path), stage="nodes")
    return _market_node(folder, addresses, number)


def boot_command(data: Path) -> tuple[str, ...]:
    """The process of a boot node."""
    return (*_MODULE, "gridtokenx.operations.network.boot", "--data", str(data.resolve()))


def _bare_node(folder: NetworkFolder, addresses: Addresses, number: int) -> Program:
    processors = addresses.plan.processors
    return Program(
        node_name(number),
        (*_MODULE, "gridtokenx.operations.network.bare", "--data", str(folder.node(number).path.resolve())),
        stage="nodes",
        environment=(("GOMAXPROCS", str(processors)),) if processors else (),
    )


def _market_node(folder: NetworkFolder, addresses: Addresses, number: int) -> Program:
    plan = addresses.plan
    processors = ("--processors", str(plan.processors)) if plan.processors else ()
    return Program(
        node_name(number),
        (
            *(*_MODULE, "gridtokenx.engine.node", "--data", str(folder.node(number).path.resolve())),
            *("--chain", CHAIN, "--consensus", "--workers", str(plan.workers), *processors),
            *("--snapshot-blocks", str(plan.snapshot_blocks), *plan.kind_of(number).node_options()),
            *("--feed", ",".join(str(prefix) for prefix in sorted(FOLLOWED)), "--end-with-input"),
        ),
        stage="nodes",
    )


def _gateway(folder: NetworkFolder, addresses: Addresses, number: int) -> Program:
    market = MarketFolder(folder.path.resolve())
    return Program(
        gateway_name(number),
        (
            *(*_MODULE, "gridtokenx.gateway", "--data", str(folder.node(number).path.resolve())),
            *("--port", str(addresses.gateway_port(number)), "--end-with-input"),
            *addresses.plan.kind_of(number).gateway_options(),
            *("--showcase", str(market.showcase), "--faucet", str(market.faucet)),
        ),
        stage="gateways",
    )
