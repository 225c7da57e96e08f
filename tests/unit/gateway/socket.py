"""A WebSocket to an application in this process. It can stop reading, as a slow listener does."""

import asyncio
import json
from collections.abc import MutableMapping, Sequence
from typing import Any, Self

from starlette.applications import Starlette


class Closed(Exception):
    """The application has closed the connection; `code` says why."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


class Socket:
    """`async with Socket(app) as socket: await socket.say(...); await socket.hear()`."""

    def __init__(
        self,
        app: Starlette,
        path: str = "/v1/stream",
        host: str = "localhost",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self._scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", host.encode()), *headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 1),
            "subprotocols": [],
        }
        self._app = app
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reads = asyncio.Event()
        self._reads.set()
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._serving = asyncio.create_task(self._app(self._scope, self._to_app.get, self._send))
        self._to_app.put_nowait({"type": "websocket.connect"})
        accepted = await self._from_app.get()
        if accepted["type"] == "websocket.close":
            raise Closed(accepted["code"])
        assert accepted["type"] == "websocket.accept"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._reads.set()
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1005})
        assert self._serving is not None
        await self._serving

    async def say(self, **document: Any) -> None:
        """Send JSON."""
        self.say_text(json.dumps(document))

    def say_text(self, text: str) -> None:
        """Send text."""
        self._to_app.put_nowait({"type": "websocket.receive", "text": text})

    def say_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        self._to_app.put_nowait({"type": "websocket.receive", "bytes": data})

    async def hear(self) -> dict[str, Any]:
        """The next message. Raises Closed."""
        async with asyncio.timeout(30):
            message = await self._from_app.get()
        if message["type"] == "websocket.close":
            raise Closed(message["code"])
        document: dict[str, Any] = json.loads(message["text"])
        return document

    async def closed(self) -> int:
        """The code with which the application closes the connection, whatever it says before."""
        while True:
            try:
                await self.hear()
            except Closed as error:
                return error.code

    async def ended(self) -> None:
        """Wait until the application has let go of the connection."""
        assert self._serving is not None
        async with asyncio.timeout(30):
            await asyncio.shield(self._serving)

    def stop_reading(self) -> None:
        """From now on the application's sends do not end."""
        self._reads.clear()

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        await self._reads.wait()
        self._from_app.put_nowait(dict(message))
