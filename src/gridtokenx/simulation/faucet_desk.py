"""The faucet's desk: a socket in the market's folder, at which the gateway asks for visitors.

One connection carries one question and one answer, each a line of JSON (`gateway.faucet`). Whoever may open the socket
may ask: it lies in a folder that is its owner's alone, and the gateway has checked the visitor's signature.
"""

import contextlib
import logging
import socket
from pathlib import Path

import msgspec

from gridtokenx.client.errors import ClientError, NotAuthorised
from gridtokenx.engine.folder import socket_address
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.faucet import LINE_BYTES_MAX, FaucetQuestion, FaucetReply
from gridtokenx.simulation.faucet import Faucet, FaucetRefused, Keys

QUESTION_SECONDS_MAX = 1.0
"""A gateway writes its question at once."""

WAITING_MAX = 16

log = logging.getLogger("gridtokenx.faucet")


class FaucetDesk:
    """Listens from the beginning to `close`. Nothing happens but in `serve`, so it needs no thread of its own."""

    def __init__(self, path: Path, faucet: Faucet) -> None:
        """What another desk left at this path goes."""
        self._path, self._faucet = path, faucet
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(socket_address(path))
        self._listener.listen(WAITING_MAX)
        self._listener.settimeout(0)

    def fileno(self) -> int:
        """For `select`: readable when somebody waits."""
        return self._listener.fileno()

    def serve(self) -> None:
        """Answer whoever waits, one after the other."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(QUESTION_SECONDS_MAX)
                line = _read_line(connection)
                connection.sendall(msgspec.json.encode(self._reply(line)) + b"\n")

    def close(self) -> None:
        """Listen no longer."""
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _reply(self, line: bytes) -> FaucetReply:
        try:
            question = msgspec.json.decode(line, type=FaucetQuestion)
            if question.kind == "view":
                return FaucetReply(view=self._faucet.view())
            keys = tuple(bytes.fromhex(key) for key in question.keys)
            return FaucetReply(
                joined=self._faucet.join(Keys(question.algorithm, question.threshold, keys), question.profile)
            )
        except FaucetRefused as refused:
            return FaucetReply(code=refused.code, field=refused.field, detail=refused.detail)
        except ValueError as error:
            return FaucetReply(code=GatewayCode.REQUEST_MALFORMED, detail=str(error))
        except NotAuthorised:
            return FaucetReply(code=GatewayCode.FAUCET_CLOSED, detail="this chain's offices have other keys")
        except ClientError as error:
            log.warning("%s", error)
            return FaucetReply(code=GatewayCode.FAUCET_UNREACHABLE, detail="the market does not answer the faucet")


def _read_line(connection: socket.socket) -> bytes:
    """Up to the line feed; what is longer than a question is cut, and so is none."""
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < LINE_BYTES_MAX:
        piece = connection.recv(4_096)
        if not piece:
            break
        line += piece
    return bytes(line)
