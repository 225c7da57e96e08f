"""How the nodes of a network are: what people want to see at a glance, and programs as plain data."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from gridtokenx.engine.comet.rpc import RpcFailed
from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.engine.link import NodeLink, RequestFailed
from gridtokenx.engine.wire import NodeInfo
from gridtokenx.operations.network.addresses import Addresses
from gridtokenx.operations.network.consensus_view import ConsensusView, look
from gridtokenx.operations.network.folder import NetworkFolder

ANSWER_SECONDS_MAX = 5.0
"""A busy machine is slow to answer; one that is paused is not asked."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node. None: it does not answer, or is a boot node. `state` is its process's; `app_hash` that after block
    `height`; `pending` transactions wait in its pool; `time_ms` is the last block's. `lease`: of nodes that share a
    signer, whether this one is served now."""

    number: int
    kind: str
    votes: bool
    state: str
    height: int | None = None
    app_hash: str | None = None
    time_ms: int | None = None
    peers: int | None = None
    round: int | None = None
    catching_up: bool | None = None
    pending: int | None = None
    gateway: str | None = None
    alarms: tuple[str, ...] = ()
    lease: bool | None = None

    def document(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


async def look_around(
    folder: NetworkFolder, addresses: Addresses, states: Mapping[int, str], signer: Mapping[str, Any] | None = None
) -> list[NodeStatus]:
    """All nodes, asked at once. `states`: of their processes, by number. `signer`: what the signer that some of them
    share says of itself."""
    numbers, sharing = addresses.plan.numbers, addresses.plan.sharing if signer is not None else []
    found = await asyncio.gather(*(_look_at(folder, addresses, number, states[number]) for number in numbers))
    holder = signer["lease"] if signer is not None else None
    there = [number for number in sharing if states[number] in {"running", "paused"}]
    served = {number: str(folder.signs(number).absolute()) == holder for number in there}
    return [replace(node, lease=served.get(node.number)) for node in found]


def disagreements(nodes: list[NodeStatus]) -> list[str]:
    """A sentence for each height at which nodes have different app hashes: that must never be."""
    found: dict[int, dict[str, list[int]]] = {}
    for node in nodes:
        if node.height is not None and node.app_hash is not None:
            found.setdefault(node.height, {}).setdefault(node.app_hash, []).append(node.number)
    return [
        f"block {height}: nodes disagree: "
        + ", ".join(f"{app_hash[:12]} on {', '.join(map(str, numbers))}" for app_hash, numbers in hashes.items())
        for height, hashes in sorted(found.items())
        if len(hashes) > 1
    ]


async def _look_at(folder: NetworkFolder, addresses: Addresses, number: int, state: str) -> NodeStatus:
    plan = addresses.plan
    has_gateway = plan.market and (number in plan.with_gateway or number > addresses.base)
    gateway = f"http://127.0.0.1:{addresses.gateway_port(number)}" if has_gateway else None
    kind = plan.kind_of(number)
    if state != "running" or not kind.follows:
        return NodeStatus(number, kind, kind.votes, state, gateway=gateway)
    consensus, ledger = await asyncio.gather(_consensus(folder, number), _ledger(folder, number, market=plan.market))
    height = app_hash = time_ms = pending = None
    if ledger is not None:
        height, app_hash, time_ms, pending = ledger.height, ledger.app_hash.hex(), ledger.time_ms, ledger.pending
    elif consensus is not None and not plan.market:
        height = consensus.height
    return NodeStatus(
        number,
        kind,
        kind.votes,
        state,
        height,
        app_hash,
        time_ms,
        consensus.peers if consensus else None,
        consensus.round if consensus else None,
        consensus.catching_up if consensus else None,
        pending,
        gateway,
        tuple(ledger.alarms) if ledger else (),
    )


async def _consensus(folder: NetworkFolder, number: int) -> ConsensusView | None:
    try:
        return await asyncio.wait_for(look(folder.rpc(number)), ANSWER_SECONDS_MAX)
    except (RpcFailed, TimeoutError, OSError):
        return None


async def _ledger(folder: NetworkFolder, number: int, *, market: bool) -> NodeInfo | None:
    if not market:
        return None
    try:
        return await asyncio.wait_for(_ask(folder, number), ANSWER_SECONDS_MAX)
    except (OSError, TimeoutError, RequestFailed, FolderUnusable):
        return None


async def _ask(folder: NetworkFolder, number: int) -> NodeInfo:
    link = await NodeLink.connect(folder.node(number).socket)
    try:
        return await link.info()
    finally:
        await link.close()
