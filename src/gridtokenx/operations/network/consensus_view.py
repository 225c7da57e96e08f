"""What the CometBFT of a node on this machine says of itself, for people who look at a network."""

from dataclasses import dataclass
from pathlib import Path

from gridtokenx.engine.comet.rpc import CometRpc


@dataclass(frozen=True, slots=True)
class ConsensusView:
    """Where the node's consensus stands: its last block, the app hash in it (of the state before it), whether it is
    still catching up, how many peers it has, and which attempt at the next block it is in (0 while it catches up)."""

    height: int
    block_hash: str
    app_hash: str
    time: str
    catching_up: bool
    peers: int
    round: int


async def look(socket: Path) -> ConsensusView:
    """Ask the CometBFT at this socket. Raises `RpcFailed` if it does not answer."""
    async with CometRpc(socket) as comet:
        sync, links = (await comet.status()).sync_info, await comet.net_info()
        # CometBFT 0.40 has no rounds while it takes a snapshot, and panics when it is asked for one.
        round_ = 0 if sync.catching_up else await comet.round()
    return ConsensusView(
        height=int(sync.latest_block_height),
        block_hash=sync.latest_block_hash,
        app_hash=sync.latest_app_hash,
        time=str(sync.latest_block_time),
        catching_up=sync.catching_up,
        peers=int(links.n_peers),
        round=round_,
    )
