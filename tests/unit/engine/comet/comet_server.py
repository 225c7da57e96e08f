"""A CometBFT for tests: listens on a socket file and answers what it is told to."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

Reply = Callable[[str, dict[str, Any]], bytes]
"""Method and parameters → the answer's bytes."""


def result(document: object) -> bytes:
    """An answer that is none of an error."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": document}).encode()


def status_answer(height: int, *, catching_up: bool = False) -> bytes:
    """Where a node stands."""
    info = {"id": "00", "network": "test", "version": "0.40.0", "moniker": "n", "listen_addr": ""}
    sync: dict[str, Any] = {"latest_block_hash": "AB", "latest_app_hash": "CD", "latest_block_height": str(height)}
    sync |= {"latest_block_time": "2026-01-01T00:00:00Z", "earliest_block_height": "1", "catching_up": catching_up}
    validator = {"address": "", "pub_key": {"type": "x", "value": "AA=="}, "voting_power": "0"}
    return result({"node_info": info, "sync_info": sync, "validator_info": validator})


@contextlib.asynccontextmanager
async def comet_server(socket: Path, reply: Reply) -> AsyncIterator[None]:
    """It listens."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        request = json.loads(await reader.readexactly(length))
        content = reply(request["method"], request["params"])
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(content) + content)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(serve, socket):
        yield
