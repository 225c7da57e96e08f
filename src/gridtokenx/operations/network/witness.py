"""Shows CometBFT what gateways on other machines say, so that a node can join by state sync.

    python -m gridtokenx.operations.network.witness --data DIR

CometBFT asks two servers of its own kind for headers and validators, and compares them. Ours listen for their owner
alone; what outsiders need of them stands behind every gateway. So for each gateway there is a socket here,
`run/witness-N.sock`, that answers as a CometBFT would. Nothing has to be believed: CometBFT checks every header
against the one that the operator trusts. It ends on SIGTERM, and when its standard input closes.
"""

import argparse
import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any, TypeVar

import httpx
import msgspec

from gridtokenx.engine.comet.answers import Answer, CommitAnswer, ValidatorsAnswer, read_answer
from gridtokenx.engine.comet.light_errors import BlockInvalid
from gridtokenx.engine.ending import told_to_end
from gridtokenx.engine.folder import DataFolder, socket_address
from gridtokenx.operations.network.join_file import JoinFile, read_join_file
from gridtokenx.operations.network.node_folder import consensus_home

A = TypeVar("A", bound=Answer)

TIMEOUT_SECONDS = 15.0
QUESTION_BYTES_MAX = 65_536
ERROR = -32_603
"""JSON-RPC: internal error, as CometBFT calls what it cannot do."""


class Silent(Exception):
    """The gateway does not answer, or not as one of ours."""


class Missing(Exception):
    """The gateway has no such block. Says so in CometBFT's words, which CometBFT reads."""


class Gateway:
    """One gateway, asked for headers and validators."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS)

    def height(self) -> int:
        """The last block it can give a commit of. Raises `Silent`."""
        try:
            # The votes for the last block stand in the one that is being made.
            return max(0, int(json.loads(self._get("/v1/status"))["height"]) - 1)
        except (ValueError, KeyError, TypeError) as error:
            raise Silent(f"{self.url} gives no height: {error!r}") from None

    def commit(self, height: int) -> CommitAnswer:
        """Header and votes. Raises `Silent` and `Missing`."""
        return self._ask(f"/v1/consensus/commits/{height}", height, CommitAnswer)

    def validators(self, height: int) -> ValidatorsAnswer:
        """All of them. Raises `Silent` and `Missing`."""
        return self._ask(f"/v1/consensus/validators/{height}", height, ValidatorsAnswer)

    def _ask(self, path: str, height: int, kind: type[A]) -> A:
        try:
            return read_answer(self._get(path), kind)
        except BlockInvalid as error:
            raise Silent(f"{self.url}{path} is not understood: {error}") from None
        except LookupError:
            newest = self.height()
            if height > newest:
                raise Missing(
                    f"height {height} must be less than or equal to the current blockchain height {newest}"
                ) from None
            raise Missing(f"height {height} is not available, lowest height is {height + 1}") from None

    def _get(self, path: str) -> bytes:
        """Raises `Silent`, and LookupError for what is not there."""
        try:
            answer = self._http.get(path)
        except httpx.HTTPError as error:
            raise Silent(f"{self.url} does not answer: {error}") from None
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise LookupError(path)
        if answer.status_code != httpx.codes.OK:
            raise Silent(f"{self.url}{path} answers with status {answer.status_code}")
        return answer.content


class Witness:
    """Answers CometBFT's questions by a gateway."""

    def __init__(self, gateway: Gateway, parameters: dict[str, Any]) -> None:
        """`parameters`: the consensus parameters of the genesis, which do not change."""
        self._gateway = gateway
        self._parameters = parameters

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """A JSON-RPC reply."""
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": question.get("id")}
        try:
            given = question.get("params") or {}
            height = int(given.get("height") or 0) or self._gateway.height()
            return reply | {"result": self._result(question.get("method"), height, given)}
        except (Silent, Missing, ValueError) as error:
            return reply | {"error": {"code": ERROR, "message": "Internal error", "data": str(error)}}

    def _result(self, method: object, height: int, given: dict[str, Any]) -> Any:
        match method:
            case "commit":
                return msgspec.to_builtins(self._gateway.commit(height))
            case "validators":
                found = msgspec.to_builtins(self._gateway.validators(height))
                page, per_page = int(given.get("page") or 1), int(given.get("per_page") or 30)
                found["validators"] = found["validators"][(page - 1) * per_page : page * per_page]
                return found | {"count": str(len(found["validators"]))}
            case "consensus_params":
                return {"block_height": str(height), "consensus_params": self._parameters}
        raise ValueError(f"a witness does not answer {method}")


class _Server(ThreadingMixIn, UnixStreamServer):
    """HTTP on a socket in the file system; a thread for each connection."""

    daemon_threads = True
    request_queue_size = 16


def listen(path: Path, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> _Server:
    """Answer at this socket, in threads of its own, until `shutdown`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """One question."""
            length = int(self.headers.get("Content-Length") or 0)
            if not 0 < length <= QUESTION_BYTES_MAX:
                self.send_error(413)
                return
            content = json.dumps(answer(json.loads(self.rfile.read(length)))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def address_string(self) -> str:
            """Whoever owns the socket."""
            return "cometbft"

        def log_message(self, *_: object) -> None:
            """Nothing: there is a question for every header."""

    path.unlink(missing_ok=True)
    server = _Server(socket_address(path), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


async def run(data: Path, join: JoinFile) -> None:
    """Answer for each gateway until told to end."""
    folder = DataFolder(data)
    parameters = json.loads(consensus_home(folder).genesis.read_bytes())["consensus_params"]
    folder.run.mkdir(mode=0o700, exist_ok=True)
    servers = [
        listen(folder.path / socket, Witness(Gateway(url), parameters).answer)
        for socket, url in zip(join.sockets, join.gateways, strict=True)
    ]
    await told_to_end().wait()
    for server in servers:
        server.shutdown()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line of the process."""
    parser = argparse.ArgumentParser(prog="gridtokenx.operations.network.witness", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args(arguments).data
    join = read_join_file(data)
    assert join is not None, "whoever starts this has looked"
    asyncio.run(run(data, join))


if __name__ == "__main__":
    main()
