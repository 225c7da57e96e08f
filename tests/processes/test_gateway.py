"""Node and gateway as processes: started, killed, restarted, spoken to over real sockets."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.processes.processes import free_port, gateway_process, node_process
from tests.unit.gateway.market import NODE_SEED, founding, wallet_of
from tests.world import buy, pseudonym, sell

from gridtokenx.client.async_client import AsyncClient
from gridtokenx.client.client import Client
from gridtokenx.client.errors import TransportError
from gridtokenx.client.livebook import LiveBook
from gridtokenx.client.proofs import check_receipt
from gridtokenx.client.stream import Heard, Stream
from gridtokenx.engine.folder import create_data_folder
from gridtokenx.gateway.documents import BlockLine
from gridtokenx.gateway.server import pid_file
from gridtokenx.gateway.stream_documents import BookEvent
from gridtokenx.modules.market.messages import CancelOrder

SPEED = 60
"""Chain time per real time: the founding lies at a fixed date, so the chain's clock is its own."""

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    create_data_folder(folder, founding().builder.finish(), NODE_SEED)
    return folder


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def far_interval(client: Client) -> int:
    """One that stays open for the whole test."""
    return client.intervals().intervals[-1].interval


def test_a_trade_from_the_first_order_to_the_proof(data: Path) -> None:
    port = free_port()
    with node_process(data, SPEED), gateway_process(data, port), Client(url(port)) as client:
        number = far_interval(client)
        seller, buyer = wallet_of("ann"), wallet_of("cat")
        placed = client.execute(seller, sell("ann", 1_000, number, 3_000_000))
        assert placed.code == 0
        bought = client.execute(buyer, buy("cat", 400, number, 3_400_000))
        assert bought.results[0][1:] == [400, 0]
        order = client.order(seller, pseudonym("order"))
        assert (order.state, order.filled_wh, order.remaining_wh) == ("open", 400, 600)
        transaction_id = bytes.fromhex(bought.id)
        assert bought.height is not None
        proof = client.receipt_proof(transaction_id)
        app_hash = bytes.fromhex(client.block(bought.height).app_hash)
        assert check_receipt(app_hash, transaction_id, proof).code == 0
        assert client.health().ready
        assert pid_file(data).is_file()


def test_a_gateway_starts_before_its_node_and_says_what_it_waits_for(data: Path) -> None:
    port = free_port()
    with gateway_process(data, port, ready="") as gateway, Client(url(port)) as client:
        with contextlib.suppress(TransportError):
            health = client.health()
            assert health.live and not health.ready and "database" in health.reasons[0]
        with node_process(data, SPEED):
            gateway.wait_for("follows the node")
            assert client.health().ready


def test_when_the_node_is_killed_the_gateway_goes_on_telling_and_finds_it_again(data: Path) -> None:
    port = free_port()
    with contextlib.ExitStack() as stack:
        node = stack.enter_context(node_process(data, SPEED))
        gateway = stack.enter_context(gateway_process(data, port))
        client = stack.enter_context(Client(url(port)))
        number, seller = far_interval(client), wallet_of("ann")
        client.execute(seller, sell("ann", 1_000, number, 3_000_000))
        node.kill()
        while client.health().ready:
            pass
        assert client.book(number).asks[0].quantity_wh == 1_000
        stack.enter_context(node_process(data, SPEED))
        gateway.wait_for("follows the node")
        client.execute(seller, CancelOrder(pseudonym("order")))
        assert client.order(seller, pseudonym("order")).state == "cancelled"


def test_a_killed_gateway_knows_the_same_again(data: Path) -> None:
    port = free_port()
    seller = wallet_of("ann")
    with node_process(data, SPEED), Client(url(port)) as client:
        with gateway_process(data, port) as gateway:
            number = far_interval(client)
            client.execute(seller, sell("ann", 1_000, number, 3_000_000))
            client.execute(wallet_of("cat"), buy("cat", 1_000, number, 3_400_000))
            before = client.order(seller, pseudonym("order"))
            gateway.kill()
        with gateway_process(data, port):
            assert client.order(seller, pseudonym("order")) == before
            assert client.interval(number).traded_wh == 1_000


async def hear_until(stream: Stream, topic: str, enough: int) -> list[Heard]:
    heard = []
    async with asyncio.timeout(60):
        async for message in stream:
            if message.topic == topic:
                heard.append(message)
                if len(heard) == enough:
                    break
    return heard


def test_a_stream_survives_a_gateway_that_is_killed_and_misses_no_block(data: Path) -> None:
    port = free_port()

    async def listen(gateways: Iterator[object]) -> None:
        async with AsyncClient(url(port)) as client, client.stream(["blocks", "trades"]) as stream:
            first = await hear_until(stream, "blocks", 3)
            next(gateways)
            second = await hear_until(stream, "blocks", 20)
            heights = [message.event.height for message in first + second if isinstance(message.event, BlockLine)]
            assert heights == list(range(heights[0], heights[0] + 23))
            assert [message.is_snapshot for message in first + second] == [True] + [False] * 22

    def killed_and_started() -> Generator[object, None, None]:
        with gateway_process(data, port) as gateway:
            yield gateway
            gateway.kill()
        with gateway_process(data, port) as again:
            yield again

    with node_process(data, SPEED), contextlib.closing(killed_and_started()) as gateways:
        next(gateways)
        asyncio.run(listen(gateways))


def test_a_book_that_is_followed_over_a_restart_is_the_book(data: Path) -> None:
    port = free_port()

    async def follow() -> None:
        async with AsyncClient(url(port)) as client:
            number = (await client.intervals()).intervals[-1].interval
            seller = wallet_of("ann")
            await client.execute(seller, sell("ann", 500, number, 3_000_000, "o0"))
            book = LiveBook(number)
            async with client.stream([f"book:{number}", "account"], seller) as stream:
                for price in range(1, 5):
                    await client.execute(seller, sell("ann", 500, number, 3_000_000 + price * 1_000, f"o{price}"))
                async for message in stream:
                    if isinstance(message.event, BookEvent):
                        book.apply(message.event, message.is_snapshot)
                        if len(book.asks()) == 5:
                            break
            shown = await client.book(number)
            assert [level.price_micro for level in book.asks()] == [level.price_micro for level in shown.asks]

    with node_process(data, SPEED), gateway_process(data, port):
        asyncio.run(follow())


def test_a_listener_that_never_reads_harms_nobody(data: Path) -> None:
    port = free_port()
    with node_process(data, SPEED, interval_ms=20), gateway_process(data, port), Client(url(port)) as client:
        deaf = []
        for _ in range(20):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            sock.sendall(
                b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            assert sock.recv(12).startswith(b"HTTP/1.1 101")
            wish = b'{"subscribe": [{"topic": "blocks"}]}'
            sock.sendall(bytes([0x81, 0x80 | len(wish)]) + bytes(4) + wish)  # a text frame, masked with zeros
            deaf.append(sock)
        height = client.status().height
        while client.status().height < height + 20:
            pass
        assert client.health().ready
        for sock in deaf:
            sock.close()
        client.execute(wallet_of("ann"), sell("ann", 500, far_interval(client), 3_000_000))


def test_it_ends_when_asked_also_with_open_streams(data: Path) -> None:
    port = free_port()

    async def listen_and_stop(stop: Callable[[], int]) -> int:
        async with AsyncClient(url(port)) as client, client.stream(["blocks"]) as stream:
            await hear_until(stream, "blocks", 2)
            return await asyncio.to_thread(stop)

    with node_process(data, SPEED) as node, gateway_process(data, port) as gateway:
        assert asyncio.run(listen_and_stop(gateway.stop)) == 0
        assert not pid_file(data).exists()
        assert node.process.poll() is None


def test_it_ends_with_its_input_when_told_to(data: Path) -> None:
    with node_process(data, SPEED), gateway_process(data, free_port(), "--end-with-input") as gateway:
        assert gateway.process.stdin is not None
        gateway.process.stdin.close()
        assert gateway.process.wait(30) == 0


def test_a_port_that_is_taken(data: Path) -> None:
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with gateway_process(data, port, ready="") as gateway:
            assert "cannot listen on 127.0.0.1 port" in gateway.wait_for("cannot start")
            assert gateway.process.wait(30) == 2


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with gateway_process(tmp_path / "nothing", free_port(), ready="") as gateway:
        assert "no data folder" in gateway.wait_for("cannot start")
        assert gateway.process.wait(30) == 2


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed one for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return certificate_path, key_path


def test_tls_is_1_3_and_nothing_older(data: Path, tmp_path: Path) -> None:
    port = free_port()
    certificate_path, key_path = certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(certificate_path))
    options = ("--certificate", str(certificate_path), "--key", str(key_path))
    secure = f"https://127.0.0.1:{port}"

    async def hear() -> None:
        async with AsyncClient(secure, tls=trust) as client, client.stream(["blocks"]) as stream:
            await hear_until(stream, "blocks", 2)

    with node_process(data, SPEED), gateway_process(data, port, *options):
        with Client(secure, tls=trust) as client:
            assert client.health().ready
        asyncio.run(hear())
        old = ssl.create_default_context(cafile=str(certificate_path))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(httpx.ConnectError), httpx.Client(verify=old) as http:
            http.get(f"{secure}/health")
        with pytest.raises(httpx.HTTPError), httpx.Client() as http:
            http.get(f"http://127.0.0.1:{port}/health")


def test_a_certificate_that_cannot_be_used(data: Path, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nothing")
    for options in (("--certificate", str(nonsense), "--key", str(nonsense)), ("--certificate", str(nonsense))):
        with gateway_process(data, free_port(), *options, ready="") as gateway:
            gateway.wait_for("cannot start")
            assert gateway.process.wait(30) == 2
