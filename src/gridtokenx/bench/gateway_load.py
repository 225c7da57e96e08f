"""The load of `bench gateway`, as a process of its own: `python -m gridtokenx.bench.gateway_load`.

It says that it is ready, takes one job (a JSON document) on standard input, and prints what it measured, in
milliseconds: all on standard output.
Requests and frames are bytes before the clock starts, and answers are looked at no further than is needed to know that
they are good: what is measured is the gateway, not its client.

Load is open: a request is due at its time whether or not earlier ones are answered, and its latency counts from then.
"""

import asyncio
import json
import math
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gridtokenx.engine.link import NodeLink
from gridtokenx.gateway.server import allow_many_connections

WARM_UP_SECONDS = 1.0
"""What is due in this time at the start is sent, and not counted."""
ANSWER_SECONDS_MAX = 30.0
DRAIN_SECONDS = 0.01
OPENING_MAX = 100
"""Handshakes at once."""
IN_TIME_MS = 500.0
"""An update that a listener has after so long is in time."""


class Job(msgspec.Struct):
    """`requests` (whole requests as text) are sent in turn at `per_second`, over `connections`; each answer must have
    `expected` in it. Without requests: `connections` listeners hear `updates` blocks."""

    port: int
    connections: int
    requests: list[str] = []
    per_second: int = 0
    seconds: float = 0.0
    expected: str = ""
    node_socket: str = ""
    updates: int = 0


class Lane(asyncio.Protocol):
    """A connection with at most one request under way."""

    def __init__(self, load: "Requests") -> None:
        self._load = load
        self._received = b""
        self._due = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._load.idle.append(self)

    def send(self, request: bytes, due: float) -> None:
        """One request that was due at a time of the loop's clock."""
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        head, separator, body = received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._received = b""
        self._load.answered(self, received, self._due)

    def connection_lost(self, _: Exception | None) -> None:
        self._load.lost += 1


class Requests:
    """Requests at a fixed rate over some connections."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._expected = job.expected.encode()
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._counts_from = math.inf
        self.idle: deque[Lane] = deque()
        self.milliseconds: list[float] = []
        self.late_ms = 0.0
        self.failed = 0
        self.lost = 0

    async def run(self) -> dict[str, float]:
        """Send them all; latencies of those that count."""
        job = self._job
        for _ in range(job.connections):
            await self._loop.create_connection(lambda: Lane(self), "127.0.0.1", job.port)
        requests = [text.encode() for text in job.requests]
        count = int(job.per_second * (job.seconds + WARM_UP_SECONDS))
        started = self._loop.time() + 0.1
        self._counts_from = started + WARM_UP_SECONDS
        number = 0
        while number < count:
            due = started + number / job.per_second
            if (wait := due - self._loop.time()) > 0:
                await asyncio.sleep(wait)
            now = self._loop.time()
            while number < count and due <= now:
                self.late_ms = max(self.late_ms, (now - due) * 1_000)
                self._send(requests[number % len(requests)], due)
                number += 1
                due = started + number / job.per_second
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while len(self.idle) < job.connections - self.lost or self._waiting:  # noqa: ASYNC110 - a lane says it
                await asyncio.sleep(DRAIN_SECONDS)
        failed = self.failed + self.lost
        return summary(self.milliseconds) | {"failed": failed, "sent_late_ms": self.late_ms, "sent": count}

    def _send(self, request: bytes, due: float) -> None:
        if self.idle:
            self.idle.popleft().send(request, due)
        else:
            self._waiting.append((request, due))

    def answered(self, lane: Lane, answer: bytes, due: float) -> None:
        """The lane is free for what waits."""
        if due >= self._counts_from:
            self.milliseconds.append((self._loop.time() - due) * 1_000)
        if not answer.startswith(b"HTTP/1.1 20") or self._expected not in answer:
            if not self.failed:
                print(f"the first answer that is not as it should be: {answer.decode()}", file=sys.stderr)
            self.failed += 1
        if self._waiting:
            lane.send(*self._waiting.popleft())
        else:
            self.idle.append(lane)


class Ear(asyncio.Protocol):
    """A listener to `blocks`. It answers no pings: the gateway waits longer for that than a benchmark lasts."""

    HANDSHAKE = (
        b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    WISH = b'{"subscribe":[{"topic":"blocks"}]}'
    SEQUENCE = b'"kind":"update","sequence":'

    def __init__(self, arrivals: dict[int, list[float]]) -> None:
        self._arrivals = arrivals
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self.listens = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self.HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        received = self._received + data if self._received else data
        if not self.listens.done():
            head, separator, received = received.partition(b"\r\n\r\n")
            if not separator:
                self._received = head
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            assert self._transport is not None
            self._transport.write(bytes([0x81, 0x80 | len(self.WISH)]) + bytes(4) + self.WISH)
            self.listens.set_result(None)
        self._received = self._frames(received, now)

    def _frames(self, received: bytes, now: float) -> bytes:
        """Note each whole message; what is left over."""
        start = 0
        while len(received) - start >= 4:
            length, body = received[start + 1], start + 2
            if length == 126:
                length, body = int.from_bytes(received[start + 2 : start + 4], "big"), start + 4
            if len(received) < body + length:
                break
            place = received.find(self.SEQUENCE, body, body + length)
            if place >= 0:
                number = received[place + len(self.SEQUENCE) : place + len(self.SEQUENCE) + 20].partition(b",")[0]
                self._arrivals.setdefault(int(number), []).append(now)
            start = body + length
        return received[start:] if start else received

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = True

    def close(self) -> None:
        """Go."""
        assert self._transport is not None
        self._transport.close()


async def listen(job: Job) -> dict[str, float]:
    """Milliseconds from the node's word that there is a block until each listener has heard of it."""
    arrivals: dict[int, list[float]] = {}
    loop = asyncio.get_running_loop()
    ears: list[Ear] = []
    while len(ears) < job.connections:
        some = min(OPENING_MAX, job.connections - len(ears))
        made = [await loop.create_connection(lambda: Ear(arrivals), "127.0.0.1", job.port) for _ in range(some)]
        opened = [ear for _, ear in made]
        await asyncio.gather(*(ear.listens for ear in opened))
        ears += opened
    link = await NodeLink.connect(Path(job.node_socket))
    announced: dict[int, float] = {}
    blocks = link.blocks()
    for _ in range(job.updates + 2):
        block = await anext(blocks)
        announced[block.height] = time.monotonic()
    counted = sorted(announced)[1:-1]  # the first may have been under way; the last has not arrived
    await asyncio.sleep(IN_TIME_MS / 1_000)
    for ear in ears:
        ear.close()
    await link.close()
    waited = [(when - announced[height]) * 1_000 for height in counted for when in arrivals.get(height, ())]
    expected = len(counted) * len(ears)
    met = sum(one <= IN_TIME_MS for one in waited) / expected
    return summary(waited) | {"missed": expected - len(waited), "met": met, "updates": len(counted), "sent": expected}


def summary(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile (the smallest that 99 of 100 do not exceed), the largest, and how many."""
    ordered = sorted(milliseconds)
    return {
        "p50_ms": ordered[math.ceil(len(ordered) * 0.50) - 1],
        "p99_ms": ordered[math.ceil(len(ordered) * 0.99) - 1],
        "max_ms": ordered[-1],
        "count": len(ordered),
    }


async def work(job: Job) -> dict[str, float]:
    """Do the job."""
    return await (Requests(job).run() if job.requests else listen(job))


if __name__ == "__main__":
    allow_many_connections()
    print("ready", flush=True)
    print(json.dumps(asyncio.run(work(msgspec.json.decode(sys.stdin.buffer.read(), type=Job)))))
