"""CometBFT's own light client, and a node that lies: for tests of ours."""

import contextlib
import json
import os
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from tests.processes.comet_chain import STOP_SECONDS_MAX, until
from tests.processes.processes import free_port

from gridtokenx.engine.comet.binary import find_cometbft

Alter = Callable[[str, dict[str, Any], dict[str, Any]], None]
"""Told method, parameters and result; may change the result."""


@contextlib.contextmanager
def light_command(
    folder: Path, chain: str, primary: str, witness: str, height: int, block_hash: str
) -> Iterator[Callable[[str, dict[str, str]], Any]]:
    """`cometbft light`, which proves what it passes on. Gives a function that asks it: the result, or LookupError."""
    port = free_port()
    command = [str(find_cometbft()), "light", chain, "--primary", primary, "--witnesses", witness]
    command += ["--height", str(height), "--hash", block_hash, "--home-dir", str(folder)]
    command += ["--laddr", f"tcp://127.0.0.1:{port}"]
    folder.mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"NO_PROXY": "*"})
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as http:

        def ask(method: str, parameters: dict[str, str]) -> Any:
            reply = http.post("/", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).json()
            if "error" in reply:
                raise LookupError(reply["error"])
            return reply["result"]

        def listens() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(httpx.TransportError, LookupError):
                ask("health", {})
                return True
            return False

        try:
            until(listens, "cometbft light")
            yield ask
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def lying_node(truth: str, alter: Alter) -> Iterator[str]:
    """Passes requests on to a node, and what it says after `alter` had it. Gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = httpx.post(truth, json=body, trust_env=False, timeout=30).json()
            for asked, said in zip(*([one] if isinstance(one, dict) else one for one in (body, reply)), strict=True):
                if said.get("result"):
                    alter(asked["method"], asked.get("params") or {}, said["result"])
            content = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            """A WebSocket, which `cometbft light` opens and we alter nothing of."""
            address = httpx.URL(truth)
            with socket.create_connection((address.host, address.port or 80)) as further:
                head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
                further.sendall(f"{self.requestline}\r\n{head}\r\n".encode())
                ends = {self.connection: further, further: self.connection}
                while ready := select.select(list(ends), [], [])[0]:
                    content = ready[0].recv(65_536)
                    if not content:
                        break
                    ends[ready[0]].sendall(content)
            self.close_connection = True

        def log_message(self, *values: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
