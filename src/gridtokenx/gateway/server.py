"""Running a gateway: one process, one event loop.

    python -m gridtokenx.gateway --data DIR --port N

It listens on loopback unless told otherwise; with a certificate it speaks TLS 1.3 only. Whoever reaches it by a host
name needs `--name`, a reverse proxy in front of it `--trusted-proxy` (`entrance` says why). Its process id stands in
`run/gateway.pid` while it runs. SIGTERM and SIGINT end it cleanly. It exits with 2 if it cannot start and with 3 if it
had to stop: the last line on standard error says why.
"""

import argparse
import asyncio
import logging
import os
import resource
import socket
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from gridtokenx.engine.ending import told_to_end
from gridtokenx.engine.folder import DataFolder, FolderUnusable
from gridtokenx.gateway.app import make_app
from gridtokenx.gateway.community import ShowcaseUnusable, load_showcase
from gridtokenx.gateway.core import Gateway
from gridtokenx.gateway.entrance import Network, Surroundings

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8_545
EXIT_CANNOT_START: Final = 2
EXIT_STOPPED: Final = 3
CONNECTIONS_WAITING_MAX: Final = 1_024
OPEN_FILES: Final = 32_768
HEAD_MS_MAX: Final = 30_000
"""How long the head of a request may take; a connection that is idle for so long between two requests ends too, so a
proxy that keeps connections must let go of them earlier."""
HEAD_BYTES_MAX: Final = 32_768
"""Of a request's first line and headers: the server answers 431 to larger ones, and to more than a hundred headers."""

log = logging.getLogger("gridtokenx.gateway")


class CannotStart(Exception):
    """The port is taken, or a certificate or another file cannot be used. Says which."""


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What a gateway is started with. With `certificate` and `key` (PEM files) it speaks TLS 1.3. With
    `end_with_input` it ends when its standard input does: for a supervisor that may die. `showcase` is a file of those
    who agreed to be shown (`community.load_showcase`), `faucet` the socket of a development market's faucet. With
    `read_only` no transactions are taken in."""

    data: Path
    host: str = LOOPBACK
    port: int = DEFAULT_PORT
    certificate: Path | None = None
    key: Path | None = None
    end_with_input: bool = False
    showcase: Path | None = None
    faucet: Path | None = None
    names: tuple[str, ...] = ()
    proxies: tuple[Network, ...] = ()
    limit_loopback: bool = False
    read_only: bool = False

    def surroundings(self) -> Surroundings:
        """`names`, `proxies` and `limit_loopback`; the host to listen on is a name of the gateway too."""
        names = frozenset(name.lower().removesuffix(".") for name in (*self.names, self.host))
        return Surroundings(names, self.proxies, self.limit_loopback, has_tls=self.certificate is not None)


def pid_file(data: Path) -> Path:
    """Where the process id of the running gateway stands."""
    return DataFolder(data).run / "gateway.pid"


def allow_many_connections() -> None:
    """Raise this process's limit of open files as far as its owner may, up to `OPEN_FILES`: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def serve(settings: GatewaySettings) -> None:
    """Serve until a signal says stop. Raises CannotStart, FolderUnusable, and whatever must stop the gateway."""
    folder = DataFolder(settings.data)
    folder.require()
    _require_certificate(settings)
    _require_free(settings.host, settings.port)
    showcase = _read_showcase(settings.showcase)
    gateway = Gateway(settings.data, showcase=showcase, faucet=settings.faucet, read_only=settings.read_only)
    server = Server(
        make_app(gateway, settings.surroundings()),
        settings.host,
        settings.port,
        interface=Interfaces.ASGINL,
        backlog=CONNECTIONS_WAITING_MAX,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_MS_MAX, max_buffer_size=HEAD_BYTES_MAX),
        ssl_cert=settings.certificate,
        ssl_key=settings.key,
        log_enabled=False,
    )
    stopping = told_to_end(with_input=settings.end_with_input)
    folder.run.mkdir(mode=0o700, exist_ok=True)
    pid = pid_file(settings.data)
    pid.write_text(f"{os.getpid()}\n")
    following, serving = asyncio.create_task(gateway.run()), asyncio.create_task(server.serve())
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((following, serving, stopped), return_when=asyncio.FIRST_COMPLETED)
    finally:
        # First whoever follows and listens, then the server: it waits for open streams.
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.gather(serving, return_exceptions=True)
        stopped.cancel()
        pid.unlink(missing_ok=True)
    for task in (following, serving):
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


def run_gateway(settings: GatewaySettings) -> int:
    """Run a gateway until it is told to stop; returns its exit status."""
    allow_many_connections()
    try:
        asyncio.run(serve(settings))
    except (CannotStart, FolderUnusable) as error:
        print(f"gateway cannot start: {error}", file=sys.stderr)
        return EXIT_CANNOT_START
    except Exception as error:
        log.exception("stopped")
        print(f"gateway stopped: {error!r}", file=sys.stderr)
        return EXIT_STOPPED
    return 0


def _require_free(host: str, port: int) -> None:
    """The server itself would share a port that is taken, and answers would come from either."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CannotStart(f"cannot listen on {host} port {port}: {error.strerror}") from error


def _read_showcase(file: Path | None) -> dict[bytes, str]:
    try:
        return {} if file is None else load_showcase(file)
    except ShowcaseUnusable as error:
        raise CannotStart(str(error)) from error


def _require_certificate(settings: GatewaySettings) -> None:
    if settings.certificate is None and settings.key is None:
        return
    if settings.certificate is None or settings.key is None:
        raise CannotStart("TLS needs both a certificate and its key")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise CannotStart(f"certificate {settings.certificate} and key cannot be used: {error}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the gateway process."""
    parser = argparse.ArgumentParser(prog="gridtokenx.gateway", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--end-with-input", action="store_true")
    parser.add_argument("--showcase", type=Path)
    parser.add_argument("--faucet", type=Path)
    parser.add_argument("--name", dest="names", action="append", default=[], help="a host name that leads here")
    parser.add_argument("--trusted-proxy", dest="proxies", action="append", default=[], type=ip_network)
    parser.add_argument("--limit-loopback", action="store_true", help="limits for callers on this machine too")
    parser.add_argument("--read-only", action="store_true", help="answer questions, take no transactions in")
    given = parser.parse_args(arguments)
    given.names, given.proxies = tuple(given.names), tuple(given.proxies)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    return run_gateway(GatewaySettings(**vars(given)))
