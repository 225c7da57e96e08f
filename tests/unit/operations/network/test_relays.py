"""Links with real sockets on loopback: what goes in comes out, whatever is done to the switches in between."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridtokenx.operations.network.links import CONNECTIONS_MAX, Flow, Link, heal, partition
from gridtokenx.operations.network.relay_tcp import TcpRelay
from gridtokenx.operations.network.relay_udp import UdpRelay

HOST = "127.0.0.1"
DIALLER, DIALLED = 1, 2

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def tcp_link(delay_ms: int = 0) -> AsyncIterator[tuple[Link, asyncio.Queue[Stream]]]:
    """A link, and the connections that arrive at its far end."""
    arrived: asyncio.Queue[Stream] = asyncio.Queue()
    server = await asyncio.start_server(lambda *stream: arrived.put_nowait(stream), HOST, 0)
    link = Link(DIALLER, DIALLED, (HOST, free_port(socket.SOCK_STREAM)), server.sockets[0].getsockname())
    link.forward.delay_ms = link.back.delay_ms = delay_ms
    relay = TcpRelay(link)
    await relay.open()
    try:
        yield link, arrived
    finally:
        await relay.close()
        server.close()


CHUNKS = st.lists(st.binary(max_size=3_000), max_size=12)
SWITCHES = st.lists(st.sampled_from([Flow.OPEN, Flow.SILENT]), max_size=12)


@settings(max_examples=25)
@given(CHUNKS, CHUNKS, SWITCHES, st.sampled_from([0, 3]))
def test_bytes_arrive_as_they_were_sent_in_both_directions(
    there: list[bytes], back: list[bytes], switches: list[Flow], delay_ms: int
) -> None:
    """Also when the link is silent from time to time: TCP brings it later."""

    async def run() -> None:
        async with tcp_link(delay_ms) as (link, arrived):
            near = await asyncio.open_connection(*link.listen)
            far = await arrived.get()

            async def say(writer: asyncio.StreamWriter, chunks: list[bytes]) -> None:
                for chunk in chunks:
                    writer.write(chunk)
                    await writer.drain()
                writer.write_eof()

            async def switch() -> None:
                for number, flow in enumerate(switches):
                    link.set_flow(DIALLER if number % 2 else DIALLED, flow)
                    await asyncio.sleep(0)
                heal([link])

            _, _, _, heard_there, heard_back = await asyncio.gather(
                say(near[1], there), say(far[1], back), switch(), far[0].read(), near[0].read()
            )
            assert (heard_there, heard_back) == (b"".join(there), b"".join(back))
            assert link.forward.bytes_carried == len(heard_there)
            assert link.back.bytes_carried == len(heard_back)
            for _, writer in (near, far):
                writer.close()

    asyncio.run(run())


def test_more_than_fits_waits_for_a_slow_reader() -> None:
    async def run() -> None:
        payload = bytes(range(256)) * 100_000
        async with tcp_link() as (link, arrived):
            _, near = await asyncio.open_connection(*link.listen)
            far, writer = await arrived.get()
            near.write(payload)
            near.write_eof()
            assert await far.read() == payload
            near.close()
            writer.close()

    asyncio.run(run())


def test_one_side_may_end_and_still_listen() -> None:
    async def run() -> None:
        async with tcp_link() as (link, arrived):
            near_reader, near = await asyncio.open_connection(*link.listen)
            far_reader, far = await arrived.get()
            near.write(b"question")
            near.write_eof()
            assert await far_reader.read() == b"question"
            far.write(b"answer")
            far.close()
            assert await near_reader.read() == b"answer"
            near.close()
            await none_left(link)

    asyncio.run(run())


def test_a_cut_ends_connections_and_refuses_new_ones_until_it_is_healed() -> None:
    async def run() -> None:
        async with tcp_link() as (link, arrived):
            near_reader, near = await asyncio.open_connection(*link.listen)
            far_reader, far = await arrived.get()
            partition([link], {DIALLER: 0, DIALLED: 1}, Flow.CUT)
            for reader in (near_reader, far_reader):
                assert await ended(reader)
            again_reader, again = await asyncio.open_connection(*link.listen)
            assert await ended(again_reader)
            assert arrived.empty()
            await none_left(link)
            heal([link])
            healed_reader, healed = await asyncio.open_connection(*link.listen)
            _, writer = await arrived.get()
            writer.write(b"back")
            assert await healed_reader.readexactly(4) == b"back"
            for each in (near, far, again, healed, writer):
                each.close()

    asyncio.run(run())


def test_one_way_silence_holds_one_direction_back() -> None:
    async def run() -> None:
        async with tcp_link() as (link, arrived):
            near_reader, near = await asyncio.open_connection(*link.listen)
            far_reader, far = await arrived.get()
            partition([link], {DIALLER: 0, DIALLED: 1}, Flow.SILENT, one_way=True)
            near.write(b"lost?")
            far.write(b"heard")
            assert await near_reader.readexactly(5) == b"heard"
            assert link.forward.bytes_carried == 0
            heal([link])
            assert await far_reader.readexactly(5) == b"lost?"
            near.close()
            far.close()

    asyncio.run(run())


def test_a_dial_into_silence_gets_no_answer_and_is_not_told() -> None:
    async def run() -> None:
        async with tcp_link() as (link, arrived):
            partition([link], {DIALLER: 0, DIALLED: 1}, Flow.SILENT)
            _, near = await asyncio.open_connection(*link.listen)
            near.write(b"hello")
            far_reader, far = await arrived.get()
            assert link.forward.bytes_carried == 0
            heal([link])
            assert await far_reader.readexactly(5) == b"hello"
            near.close()
            far.close()

    asyncio.run(run())


def test_dials_into_silence_do_not_pile_up() -> None:
    async def run() -> None:
        async with tcp_link() as (link, arrived):
            partition([link], {DIALLER: 0, DIALLED: 1}, Flow.SILENT)
            held = [await asyncio.open_connection(*link.listen) for _ in range(CONNECTIONS_MAX)]
            for _ in held:
                await arrived.get()
            reader, writer = await asyncio.open_connection(*link.listen)
            assert await ended(reader)
            assert link.connections == CONNECTIONS_MAX
            for _, each in (*held, (reader, writer)):
                each.close()

    asyncio.run(run())


def test_a_dial_to_nobody_ends() -> None:
    async def run() -> None:
        link = Link(DIALLER, DIALLED, (HOST, free_port(socket.SOCK_STREAM)), (HOST, free_port(socket.SOCK_STREAM)))
        relay = TcpRelay(link)
        await relay.open()
        reader, writer = await asyncio.open_connection(*link.listen)
        assert await ended(reader)
        writer.close()
        await relay.close()

    asyncio.run(run())


def test_a_delay_is_waited_for_each_way() -> None:
    async def run() -> None:
        async with tcp_link(delay_ms=40) as (link, arrived):
            near_reader, near = await asyncio.open_connection(*link.listen)
            far_reader, far = await arrived.get()
            loop = asyncio.get_running_loop()
            began = loop.time()
            near.write(b"?")
            far.write(await far_reader.readexactly(1))
            await near_reader.readexactly(1)
            assert loop.time() - began >= 0.08
            near.close()
            far.close()

    asyncio.run(run())


class Mailbox(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.received.put_nowait((data, address))


@asynccontextmanager
async def udp_link() -> AsyncIterator[
    tuple[Link, asyncio.DatagramTransport, Mailbox, asyncio.DatagramTransport, Mailbox]
]:
    """A link, with the dialler's and the dialled node's ends."""
    loop = asyncio.get_running_loop()
    far, far_box = await loop.create_datagram_endpoint(Mailbox, (HOST, 0))
    link = Link(DIALLER, DIALLED, (HOST, free_port(socket.SOCK_DGRAM)), far.get_extra_info("sockname"))
    relay = UdpRelay(link)
    await relay.open()
    near, near_box = await loop.create_datagram_endpoint(Mailbox, remote_addr=link.listen)
    try:
        yield link, near, near_box, far, far_box
    finally:
        near.close()
        far.close()
        await relay.close()


@settings(max_examples=20)
@given(st.lists(st.binary(min_size=1, max_size=1_400), min_size=1, max_size=20))
def test_datagrams_arrive_whole_and_answers_come_back(datagrams: list[bytes]) -> None:
    async def run() -> None:
        async with udp_link() as (link, near, near_box, far, far_box):
            for datagram in datagrams:
                near.sendto(datagram)
                data, address = await far_box.received.get()
                assert data == datagram
                far.sendto(data[::-1], address)
                assert (await near_box.received.get())[0] == datagram[::-1]
            size = sum(map(len, datagrams))
            assert (link.forward.bytes_carried, link.back.bytes_carried) == (size, size)
            assert link.connections == 1

    asyncio.run(run())


@pytest.mark.parametrize("flow", [Flow.CUT, Flow.SILENT])
def test_datagrams_into_a_partition_are_lost_for_good(flow: Flow) -> None:
    async def run() -> None:
        async with udp_link() as (link, near, _, _, far_box):
            near.sendto(b"before")
            assert (await far_box.received.get())[0] == b"before"
            partition([link], {DIALLER: 0, DIALLED: 1}, flow)
            near.sendto(b"lost")
            # On the way through the same loop: what was sent has been read when a later event has come by.
            while link.forward.bytes_carried == len(b"before") and not await quiet():
                pass
            heal([link])
            near.sendto(b"after")
            assert (await far_box.received.get())[0] == b"after"

    asyncio.run(run())


async def quiet() -> bool:
    """A datagram of our own has made its way through this loop, so one that was sent before has too."""
    loop = asyncio.get_running_loop()
    transport, box = await loop.create_datagram_endpoint(Mailbox, (HOST, 0))
    transport.sendto(b"x", transport.get_extra_info("sockname"))
    await box.received.get()
    transport.close()
    return True


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the other end closes, however it does."""
    try:
        return await reader.read(1) == b""
    except ConnectionError:
        return True


async def none_left(link: Link) -> None:
    """Until the relay has let go of every connection."""
    while link.connections:
        await quiet()
