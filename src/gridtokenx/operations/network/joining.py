"""A node that joins a network while it runs: it follows the chain, and takes its state from a snapshot of another."""

from collections.abc import Sequence

from gridtokenx.engine.comet.home import RPC_SOCKET, StateSync, write_config
from gridtokenx.engine.comet.rpc import CometRpc, RpcFailed
from gridtokenx.engine.snapshots import SnapshotStore
from gridtokenx.operations.network.addresses import Addresses
from gridtokenx.operations.network.bundle import read_bundle
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.operations.network.join_file import JoinFile
from gridtokenx.operations.network.kinds import NodeKind
from gridtokenx.operations.network.node_folder import BUNDLE, create_node, install_bundle
from gridtokenx.operations.network.witness import Gateway, Missing, Silent

TRUSTED_BLOCKS_BACK = 1_500
"""How far back the trusted block lies, so that the newest snapshot is later: from there on CometBFT can skip headers,
backwards it reads one by one."""


class CannotJoin(Exception):
    """Nobody can be asked where the chain stands, or those who were asked disagree."""


def find_trust(urls: Sequence[str]) -> JoinFile:
    """A block to trust, that all these gateways have. Two that lie together deceive whoever does not compare the hash
    with somebody's. Raises `CannotJoin`."""
    gateways = [Gateway(url) for url in urls]
    try:
        height = max(1, min(gateway.height() for gateway in gateways) - TRUSTED_BLOCKS_BACK)
        hashes = {gateway.url: gateway.commit(height).signed_header.commit.block_id.hash for gateway in gateways}
    except (Silent, Missing) as error:
        raise CannotJoin(str(error)) from None
    if len(set(hashes.values())) > 1:
        said = ", ".join(f"{url}: {block_hash}" for url, block_hash in hashes.items())
        raise CannotJoin(f"the gateways disagree about block {height}: {said}")
    return JoinFile(tuple(urls), height, hashes[gateways[0].url])


async def make_joiner(folder: NetworkFolder, addresses: Addresses, helpers: list[int]) -> int:
    """Make the folder of the last node of the plan, and its settings; `helpers` are nodes that run. Returns the height
    that it trusts, 0 if there is no snapshot and it takes block after block. Raises `CannotJoin`."""
    number = addresses.plan.nodes
    create_node(folder.node(number).path, f"node-{number}", addresses.node(number), NodeKind.OBSERVER)
    install_bundle(folder.node(number).path, read_bundle(folder.node(1).path / BUNDLE))
    keys = {each: folder.home(each).link_key() for each in addresses.plan.numbers}
    wanted = await _state_sync(folder, helpers)
    write_config(folder.home(number), addresses.settings(number, keys, wanted))
    return wanted.height if wanted else 0


async def _state_sync(folder: NetworkFolder, helpers: list[int]) -> StateSync | None:
    """Trust in the block of the newest snapshot that somebody has. On one machine it needs no more proof."""
    stores = {helper: SnapshotStore(folder.node(helper).snapshots) for helper in helpers}
    newest = [(height, helper) for helper, store in stores.items() for height in store.heights()[:1]]
    if not newest:
        return None
    height, holder = max(newest)
    try:
        async with CometRpc(folder.rpc(holder)) as comet:
            block_hash = (await comet.commit(height)).signed_header.commit.block_id.hash
    except RpcFailed as error:
        raise CannotJoin(f"node {holder} does not say which block {height} is: {error}") from error
    others = [helper for helper in helpers if helper != holder]
    # From its own folder, where CometBFT works: a socket's name has to be short.
    servers = [f"unix://../{folder.node(each).path.name}/run/{RPC_SOCKET}" for each in (holder, *others, holder)[:2]]
    return StateSync(tuple(servers), height, block_hash)
