"""A UDP link, for QUIC: datagrams of the dialler go to the dialled node from a port of our own, and answers back."""

import asyncio
import socket
from collections import OrderedDict
from typing import cast

from gridtokenx.operations.network.links import CONNECTIONS_MAX, Address, Direction, Flow, Link

SOCKET_BYTES = 4 * 1024 * 1024
"""Asked for in the kernel, each way: a full block comes in a burst."""


def carry(direction: Direction, send: asyncio.DatagramTransport, data: bytes, address: Address | None) -> None:
    """Send a datagram on, now or after the delay, or lose it."""
    if direction.flow is not Flow.OPEN or send.is_closing():
        return
    if direction.delay_ms:
        loop = asyncio.get_running_loop()
        loop.call_later(direction.delay_ms / 1_000, _deliver, direction, send, data, address)
    else:
        _deliver(direction, send, data, address)


def _deliver(direction: Direction, send: asyncio.DatagramTransport, data: bytes, address: Address | None) -> None:
    if direction.flow is Flow.OPEN and not send.is_closing():
        direction.bytes_carried += len(data)
        send.sendto(data, address)


class Far(asyncio.DatagramProtocol):
    """Our port towards the dialled node, for one port of the dialler."""

    def __init__(self, relay: "UdpRelay", dialler: Address) -> None:
        self._relay, self._dialler = relay, dialler
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The port is there."""
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, _: tuple[object, ...]) -> None:
        """The dialled node answers."""
        self._relay.answer(data, self._dialler)

    def error_received(self, _: Exception) -> None:
        """Nobody listens there at the moment: datagrams get lost."""


class UdpRelay(asyncio.DatagramProtocol):
    """Listens for the dialler of one link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._near: asyncio.DatagramTransport | None = None
        self._far: OrderedDict[Address, Far] = OrderedDict()
        self._opening: dict[Address, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        near = _bound(self._link.listen)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=near)

    async def close(self) -> None:
        """Carry no more."""
        for task in self._opening.values():
            task.cancel()
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        for far in self._far.values():
            if far.transport is not None:
                far.transport.close()
        if self._near is not None:
            self._near.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """We listen."""
        self._near = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: Address) -> None:
        """The dialler speaks. Its first datagrams are lost until we have a port for it, as if they had met a busy
        router: QUIC sends them again."""
        far = self._far.get(address)
        if far is not None and far.transport is not None:
            self._far.move_to_end(address)
            carry(self._link.forward, far.transport, data, None)
        elif address not in self._opening:
            self._opening[address] = asyncio.get_running_loop().create_task(self._open_far(address, data))

    def answer(self, data: bytes, dialler: Address) -> None:
        """Bring the dialler what it is told."""
        if self._near is not None:
            carry(self._link.back, self._near, data, dialler)

    async def _open_far(self, address: Address, first: bytes) -> None:
        far = Far(self, address)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_datagram_endpoint(lambda: far, sock=_bound(None, self._link.target))
        finally:
            del self._opening[address]
        self._far[address] = far
        self._link.connections = len(self._far)
        if far.transport is not None:
            carry(self._link.forward, far.transport, first, None)
        if len(self._far) > CONNECTIONS_MAX:
            _, oldest = self._far.popitem(last=False)
            if oldest.transport is not None:
                oldest.transport.close()


def _bound(local: Address | None, remote: Address | None = None) -> socket.socket:
    """A UDP socket with room for a burst."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.settimeout(0)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        opened.setsockopt(socket.SOL_SOCKET, option, SOCKET_BYTES)
    if local is not None:
        opened.bind(local)
    if remote is not None:
        opened.connect(remote)
    return opened
