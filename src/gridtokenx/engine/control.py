"""Asking a process something: one line of JSON there, one back, over a socket in a folder of its owner.

A question is `{"do": NAME, ...}`; an answer has `"error"` with a sentence, or what was asked for.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gridtokenx.engine.folder import socket_address

LINE_BYTES_MAX = 1024 * 1024
ANSWER_SECONDS_MAX = 60.0

Document = dict[str, Any]
Answering = Callable[[Document], Awaitable[Document]]


class NobodyThere(Exception):
    """No process answers at this socket."""


class Refused(Exception):
    """The process says why not."""


def ask(path: Path, question: Document, seconds_max: float = ANSWER_SECONDS_MAX) -> Document:
    """Ask, and wait for the answer. Raises `NobodyThere` and `Refused`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(seconds_max)
        try:
            client.connect(socket_address(path))
            client.sendall(json.dumps(question).encode() + b"\n")
            with client.makefile("rb") as stream:
                line = stream.readline(LINE_BYTES_MAX)
        except OSError as error:
            raise NobodyThere(f"nobody answers at {path}: {error}") from error
    if not line.endswith(b"\n"):
        raise NobodyThere(f"whoever answered at {path} has gone")
    answer: Document = json.loads(line)
    if "error" in answer:
        raise Refused(answer["error"])
    return answer


async def serve(path: Path, answer: Answering) -> asyncio.Server:
    """Answer at this socket, in a folder that only its owner can enter. `answer` raises ValueError for what it will
    not do. What an earlier process left there is removed."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await _answer(answer, line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # gone, or a line that is longer than any question
        finally:
            writer.close()

    return await asyncio.start_unix_server(converse, _fresh(path), limit=LINE_BYTES_MAX)


def _fresh(path: Path) -> str:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    return socket_address(path)


async def _answer(answer: Answering, line: bytes) -> Document:
    try:
        question = json.loads(line)
        if not isinstance(question, dict):
            return {"error": "a question is an object"}
        return await answer(question)
    except (ValueError, KeyError, TypeError) as error:
        return {"error": str(error)}
