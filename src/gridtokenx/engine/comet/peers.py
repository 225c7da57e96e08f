"""Sees to it that links come back.

CometBFT dials a peer that went away every few seconds for two minutes, then 3, 9, 27 … seconds later, and after a
break of ten minutes it would wait for twelve more. So whoever dials is asked to dial again. With QUIC links CometBFT
cannot be asked; there it waits for five minutes at most.
"""

import asyncio
import logging
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from gridtokenx.engine.comet.rpc import CometRpc, RpcFailed

LOOK_SECONDS: Final = 5.0


def persistent_peers(home: Path) -> list[str]:
    """NODE_ID@HOST:PORT of the peers that this home's node dials over TCP, and keeps a link to: a boot node keeps
    none."""
    settings = tomllib.loads((home / "config" / "config.toml").read_text()).get("p2p", {})
    if settings.get("seed_mode", False):
        return []
    return [peer for peer in settings.get("persistent_peers", "").split(",") if peer]


async def keep_peers(rpc: Path, wanted: Sequence[str]) -> None:
    """Dial whoever of `wanted` is not linked, again and again; until it is cancelled. `rpc` is CometBFT's socket."""
    if not wanted:
        return
    # A line for each question would be all that the node's log has.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    async with CometRpc(rpc) as comet:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(RpcFailed):  # it is starting, or ending
                linked = {peer.node_info.id for peer in (await comet.net_info()).peers}
                missing = [peer for peer in wanted if peer.partition("@")[0] not in linked]
                if missing:
                    await comet.dial_peers(missing)
