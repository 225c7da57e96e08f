"""The WebSocket: one connection, many topics, nobody waits for anybody.

Two tasks a connection: one reads what the listener asks, one sends from its bounded queue. A listener that is too slow,
or silent for long, is closed with a code of its own (4000 + the gateway's code).
"""

import asyncio
import contextlib
import re

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from gridtokenx.gateway import feeds
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.core import Gateway
from gridtokenx.gateway.hub import Listener, encode
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.stream_documents import StreamPing, StreamProblem, StreamRequest, Subscription
from gridtokenx.gateway.web import BODY_BYTES_MAX, read_json

PING_SECONDS = 20.0
SILENT_SECONDS_MAX = 60.0
"""Without a word, not even an answer to pings, for so long: nobody is there."""
CLOSE_SECONDS_MAX = 1.0
LISTENERS_MAX = 10_000
"""Of one gateway. The topics that one may hear are as many as there are open intervals, and three."""
CLOSE_CODE_BASE = 4_000

_BOOK = re.compile(re.escape(feeds.BOOK_PREFIX) + r"(0|[1-9][0-9]{0,9})")

router = APIRouter()


class Connection:
    """One listener and what it may hear."""

    def __init__(self, gateway: Gateway, socket: WebSocket, listener: Listener) -> None:
        self._gateway = gateway
        self._socket = socket
        self._listener = listener
        self._account: bytes | None = None
        self._topics: set[str] = set()
        self._heard = asyncio.get_running_loop().time()

    async def read(self) -> None:
        """Do what the listener asks until it goes; a request that is refused is answered, and reading goes on."""
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            self._heard = asyncio.get_running_loop().time()
            try:
                self._do(message.get("text"))
            except Refused as refused:
                self._say("", refused)

    async def send(self) -> None:
        """Send what is queued, and a ping when there is nothing; ends when the listener does not speak any more."""
        loop = asyncio.get_running_loop()
        while loop.time() - self._heard < SILENT_SECONDS_MAX:
            try:
                async with asyncio.timeout(PING_SECONDS):
                    data = await self._listener.queue.get()
            except TimeoutError:
                data = encode(StreamPing("ping", self._gateway.health().height))
            await self._socket.send_text(data.decode())
        self._listener.drop(GatewayCode.STREAM_SILENT)

    def leave(self) -> None:
        """Hear nothing more."""
        self._gateway.hub.leave_all(self._listener)

    def _do(self, text: str | None) -> None:
        if text is None:
            raise Refused(GatewayCode.REQUEST_MALFORMED, "", "text in JSON is expected")
        if len(text) > BODY_BYTES_MAX:
            raise Refused(GatewayCode.BODY_TOO_LARGE, "", f"at most {BODY_BYTES_MAX} characters are taken")
        wanted = read_json(text, StreamRequest)
        if wanted.token is not None:
            self._account = self._gateway.sessions.find(wanted.token).account
        for name in wanted.unsubscribe:
            self._unsubscribe(name)
        for subscription in wanted.subscribe:
            try:
                self._subscribe(subscription)
            except Refused as refused:
                self._say(subscription.topic[:64], refused)

    def _subscribe(self, wanted: Subscription) -> None:
        model, hub = self._gateway.model, self._gateway.hub
        height = model.head.height
        if wanted.topic == feeds.ACCOUNT:
            if self._account is None:
                raise Refused(GatewayCode.SESSION_MISSING, "token", "this topic needs the token of a session")
            account = self._account
            name = feeds.account_topic(account)
            topic = hub.topic(name, height, feeds.ACCOUNT)
            topic.join(self._listener, wanted.after, height, lambda: feeds.account_snapshot(model, account))
        else:
            name = self._public_topic(wanted.topic)
            document = feeds.snapshot
            topic = hub.topic(name, height)
            topic.join(self._listener, wanted.after, height, lambda: document(model, name, self._gateway.lines))
        self._topics.add(name)

    def _public_topic(self, name: str) -> str:
        if name in {feeds.BLOCKS, feeds.TRADES}:
            return name
        match = _BOOK.fullmatch(name)
        if match is None:
            detail = f"topics are {feeds.BLOCKS}, {feeds.TRADES}, {feeds.BOOK_PREFIX}(interval), {feeds.ACCOUNT}"
            raise Refused(GatewayCode.STREAM_TOPIC_UNKNOWN, "topic", detail)
        if int(match[1]) not in self._gateway.model.trading:
            raise Refused(GatewayCode.STREAM_TOPIC_UNKNOWN, "topic", "the book of this interval is not open")
        return name

    def _unsubscribe(self, name: str) -> None:
        if name == feeds.ACCOUNT and self._account is not None:
            name = feeds.account_topic(self._account)
        topic = self._gateway.hub.topics.get(name)
        if topic is not None and name in self._topics:
            topic.leave(self._listener)
        self._topics.discard(name)

    def _say(self, topic: str, refused: Refused) -> None:
        self._listener.put(encode(StreamProblem(topic, "problem", refused.problem())))


@router.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Serve one listener until it goes or is dropped."""
    gateway: Gateway = socket.app.state.gateway
    await socket.accept()
    listener = Listener()
    connection = Connection(gateway, socket, listener)
    gateway.listeners += 1
    gateway.metrics.listeners.set(gateway.listeners)
    reading, sending = asyncio.create_task(connection.read()), asyncio.create_task(connection.send())
    dropped = asyncio.create_task(_wait_for(listener.dropped))
    try:
        if gateway.listeners > LISTENERS_MAX:
            listener.drop(GatewayCode.TOO_MANY)
        await asyncio.wait((reading, sending, dropped), return_when=asyncio.FIRST_COMPLETED)
        if listener.dropped.done():  # also when the sender has just ended
            await _close(socket, gateway, listener.dropped.result())
    finally:
        connection.leave()
        for task in (reading, sending, dropped):
            task.cancel()
        await asyncio.gather(reading, sending, dropped, return_exceptions=True)
        gateway.listeners -= 1
        gateway.metrics.listeners.set(gateway.listeners)


async def _close(socket: WebSocket, gateway: Gateway, code: GatewayCode) -> None:
    """Say why, but do not wait long for somebody who does not read."""
    gateway.metrics.dropped.labels(code.name).inc()
    with contextlib.suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
        async with asyncio.timeout(CLOSE_SECONDS_MAX):
            if socket.application_state is WebSocketState.CONNECTED:
                await socket.close(CLOSE_CODE_BASE + code, code.name)


async def _wait_for(dropped: asyncio.Future[GatewayCode]) -> None:
    await dropped
