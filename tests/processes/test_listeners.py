"""Many listeners on real sockets: whoever reads slowly, not at all, or talks nonsense harms nobody else."""

import asyncio
import json
import resource
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.processes.processes import free_port, gateway_process, node_process
from tests.unit.gateway.market import NODE_SEED, founding
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gridtokenx.client.async_client import AsyncClient
from gridtokenx.engine.folder import create_data_folder

pytestmark = pytest.mark.slow

NORMAL = 200
UPDATES = 100
MEMORY_GROWTH_MAX = 64 * 1024 * 1024
HANDSHAKE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    create_data_folder(folder, founding().builder.finish(), NODE_SEED)
    return folder


def memory_bytes(pid: int) -> int:
    """Of a process, now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def frame(opcode: int, payload: bytes, *, is_masked: bool = True, is_last: bool = True) -> bytes:
    """One frame of a client (RFC 6455, 5.2), with a mask of zeros."""
    first = bytes([(0x80 if is_last else 0) | opcode])
    mask = 0x80 if is_masked else 0
    is_short = len(payload) < 126
    length = bytes([mask | (len(payload) if is_short else 127)]) + (
        b"" if is_short else len(payload).to_bytes(8, "big")
    )
    return first + length + (bytes(4) if is_masked else b"") + payload


def raw(port: int, buffer_bytes: int = 65_536) -> socket.socket:
    """A connection whose handshake is done."""
    connection = socket.create_connection(("127.0.0.1", port), 30)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    connection.sendall(HANDSHAKE)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1)
    assert received.startswith(b"HTTP/1.1 101")
    return connection


async def listen(connection: ClientConnection, updates: int) -> list[int]:
    """Sequences of the next updates of blocks."""
    found: list[int] = []
    while len(found) < updates:
        message: dict[str, Any] = json.loads(await connection.recv())
        if message["kind"] == "ping":
            await connection.send('{"pong": true}')
        elif message["kind"] == "update":
            found.append(message["sequence"])
    return found


def test_a_deaf_and_a_slow_listener_among_two_hundred(data: Path) -> None:
    port = free_port()
    url = f"ws://127.0.0.1:{port}/v1/stream"

    async def life(pid: int) -> None:
        wish = json.dumps({"subscribe": [{"topic": "blocks"}, {"topic": "trades"}]})
        deaf, slow = raw(port, 4_096), raw(port, 4_096)
        for connection in (deaf, slow):
            connection.sendall(frame(1, wish.encode()))
        normal = [await connect(url) for _ in range(NORMAL)]
        for connection in normal:
            await connection.send(wish)
        before = memory_bytes(pid)
        hearing = [asyncio.create_task(listen(connection, UPDATES)) for connection in normal]
        heard_slowly = 0
        async with AsyncClient(f"http://127.0.0.1:{port}") as client:
            while not all(task.done() for task in hearing):
                heard_slowly += len(slow.recv(16))
                assert (await client.health()).ready
        for task in hearing:
            sequences = task.result()
            assert sequences == list(range(sequences[0], sequences[0] + UPDATES))
        assert heard_slowly > 0
        assert memory_bytes(pid) - before < MEMORY_GROWTH_MAX
        for connection in normal:
            await connection.close()
        deaf.close()
        slow.close()

    with node_process(data, 60, interval_ms=50), gateway_process(data, port) as gateway:
        asyncio.run(life(gateway.process.pid))


ODD = {
    "not masked": frame(1, b"{}", is_masked=False),
    "no such kind": frame(3, b"{}"),
    "a continuation of nothing": frame(0, b"{}"),
    "a ping in pieces": frame(9, b"x", is_last=False),
    "a long ping": frame(9, b"x" * 126),
    "not UTF-8": frame(1, b"\xff\xfe"),
    "reserved bits": bytes([0xF1, 0x80]) + bytes(4),
    "no frame": b"GET / HTTP/1.1\r\n\r\n",
}

CLOSED_BY_US = {
    "binary": (frame(2, b"{}"), 4_905),
    "large": (frame(1, b" " * 70_000), 4_901),
    "large in pieces": (frame(1, b" " * 40_000, is_last=False) + frame(0, b" " * 40_000), 4_901),
}


def test_odd_frames_end_their_own_connection_only(data: Path) -> None:
    port = free_port()

    async def life() -> None:
        async with connect(f"ws://127.0.0.1:{port}/v1/stream") as polite:
            await polite.send('{"subscribe": [{"topic": "blocks"}]}')
            for sent in ODD.values():
                connection = raw(port)
                connection.sendall(sent)
                while connection.recv(4_096):
                    pass
                connection.close()
            for sent, code in CLOSED_BY_US.values():
                connection = raw(port)
                connection.sendall(sent)
                assert connection.recv(4)[2:4] == code.to_bytes(2, "big")
                connection.close()
            await listen(polite, 3)

    with node_process(data, 60, interval_ms=50), gateway_process(data, port):
        asyncio.run(life())


def test_a_protocol_ping_is_answered_and_a_foreign_host_is_not(data: Path) -> None:
    port = free_port()

    async def life() -> None:
        async with connect(f"ws://127.0.0.1:{port}/v1/stream") as connection:
            await (await connection.ping())
            await connection.send('{"subscribe": [{"topic": "blocks"}]}' + " " * 65_600)
            with pytest.raises(ConnectionClosed) as closed:
                await listen(connection, 1)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 4_901
        with socket.create_connection(("127.0.0.1", port), 30) as foreign:
            foreign.sendall(HANDSHAKE.replace(b"localhost", b"evil.example"))
            assert foreign.recv(64).startswith(b"HTTP/1.1 403")

    with node_process(data, 60), gateway_process(data, port):
        asyncio.run(life())
