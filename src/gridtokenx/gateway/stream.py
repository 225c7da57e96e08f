"""The WebSocket: one connection, many topics, nobody waits for anybody.

Two tasks a connection: one reads what the listener asks, one sends from its bounded queue. A listener that is too slow,
silent for long or too loud is closed with a code of its own (4000 + the gateway's code).
"""

import asyncio
import logging
import re
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from gridtokenx.gateway import feeds
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.core import Gateway
from gridtokenx.gateway.entrance import Entrance, values_of
from gridtokenx.gateway.hub import Listener, encode
from gridtokenx.gateway.limits import STREAM_REQUESTS, Buckets
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.sentences import language_for
from gridtokenx.gateway.stream_documents import StreamPing, StreamRequest, Subscription
from gridtokenx.gateway.web import BODY_BYTES_MAX, read_json

PING_SECONDS = 20.0
SILENT_SECONDS_MAX = 60.0
"""Without a word, not even an answer to pings, for so long: nobody is there."""
CLOSE_SECONDS_MAX = 1.0
LISTENERS_MAX = 10_000
"""Of one gateway. The topics that one may hear are three times as many as there are open intervals, and three."""
CLOSE_CODE_BASE = 4_000

_OF_INTERVAL = re.compile(rf"({'|'.join(feeds.OF_INTERVAL)})(0|[1-9][0-9]{{0,9}})")

log = logging.getLogger("gridtokenx.gateway")

router = APIRouter()


class Connection:
    """One listener and what it may hear."""

    def __init__(self, gateway: Gateway, socket: WebSocket, listener: Listener) -> None:
        self._gateway = gateway
        self._socket = socket
        self._listener = listener
        self._token: str | None = None
        self._topics: dict[str, str] = {}
        """What it listens to: as it calls the topic, and where the hub keeps it."""
        self._requests = Buckets(STREAM_REQUESTS, callers_max=1)
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()

    async def read(self) -> None:
        """Do what the listener asks until it goes; a request that is refused is answered, and reading goes on."""
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            self._heard = self._loop.time()
            try:
                self._do(message.get("text"))
            except Refused as refused:
                if refused.code is GatewayCode.NOT_READY:
                    # For a moment: who connects again is served, and keeps its topics meanwhile.
                    self._listener.drop(GatewayCode.STREAM_RESTARTED)
                else:
                    self._listener.refuse("", refused)

    async def send(self) -> None:
        """Send what is queued, until the listener goes."""
        while True:
            text = await self._listener.next()
            try:
                await self._socket.send({"type": "websocket.send", "text": text})
            except RuntimeError:  # how the server says that the listener has gone
                return

    async def watch(self) -> None:
        """Ask now and then whether somebody is there; ends when nobody answers. Does not depend on what is sent: who
        reads nothing does not answer either."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            if self._loop.time() - self._heard >= SILENT_SECONDS_MAX:
                self._listener.drop(GatewayCode.STREAM_SILENT)
                return
            self._listener.put(encode(StreamPing("ping", self._gateway.health().height)))

    def leave(self) -> None:
        """Hear nothing more."""
        self._gateway.hub.leave_all(self._listener)

    def _do(self, text: str | None) -> None:
        """Too large, not text at all, or too much of it: there is no talking with such a listener."""
        if text is None:
            self._listener.drop(GatewayCode.MEDIA_TYPE_UNKNOWN)
            return
        if len(text) > BODY_BYTES_MAX:
            self._listener.drop(GatewayCode.BODY_TOO_LARGE)
            return
        self._count(1)
        wanted = read_json(text, StreamRequest)
        self._count(len(wanted.subscribe) + len(wanted.unsubscribe))
        if wanted.token is not None:
            self._gateway.sessions.find(wanted.token)
            self._token = wanted.token
        for name in wanted.unsubscribe:
            self._unsubscribe(name)
        for subscription in wanted.subscribe:
            try:
                self._subscribe(subscription)
            except Refused as refused:
                if refused.code is GatewayCode.NOT_READY:
                    raise
                self._listener.refuse(subscription.topic[:64], refused)

    def _count(self, requests: int) -> None:
        if self._requests.take("", requests):
            self._listener.drop(GatewayCode.TOO_MANY)

    def _subscribe(self, wanted: Subscription) -> None:
        model, hub = self._gateway.model, self._gateway.hub
        height = model.head.height
        if wanted.topic == feeds.ACCOUNT:
            if self._token is None:
                raise Refused(GatewayCode.SESSION_MISSING, "token", "this topic needs the token of a session")
            session = self._gateway.sessions.find(self._token)
            name = feeds.account_topic(session.account, session.keys_hash)
            topic = hub.topic(name, height, feeds.ACCOUNT)
            topic.join(self._listener, wanted.after, height, lambda: feeds.account_snapshot(model, session.account))
        else:
            name, newest = self._public_topic(wanted.topic), self._gateway.newest_block
            topic = hub.topic(name, height)
            topic.join_shared(self._listener, wanted.after, height, lambda: feeds.snapshot(model, name, newest()))
        self._topics[wanted.topic] = name

    def _public_topic(self, name: str) -> str:
        if name in {feeds.BLOCKS, feeds.TRADES}:
            return name
        match = _OF_INTERVAL.fullmatch(name)
        if match is None:
            of_interval = ", ".join(f"{prefix}(interval)" for prefix in feeds.OF_INTERVAL)
            detail = f"topics are {feeds.BLOCKS}, {feeds.TRADES}, {of_interval}, {feeds.ACCOUNT}"
            raise Refused(GatewayCode.STREAM_TOPIC_UNKNOWN, "topic", detail)
        if int(match[2]) not in self._gateway.model.trading:
            raise Refused(GatewayCode.STREAM_TOPIC_UNKNOWN, "topic", "the book of this interval is not open")
        return name

    def _unsubscribe(self, name: str) -> None:
        topic = self._gateway.hub.topics.get(self._topics.pop(name, ""))
        if topic is not None:
            topic.leave(self._listener)


@router.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Serve one listener until it goes or is dropped."""
    gateway: Gateway = socket.app.state.gateway
    entrance: Entrance = socket.app.state.entrance
    try:
        await socket.accept()
    except RuntimeError:  # how the server says that the listener has gone
        return
    listener = Listener(language_for(",".join(values_of(socket.scope, b"accept-language"))))
    connection = Connection(gateway, socket, listener)
    tasks = [asyncio.create_task(work()) for work in (connection.read, connection.send, connection.watch)]
    gateway.listeners += 1
    gateway.metrics.listeners.set(gateway.listeners)
    caller = None
    try:
        try:
            caller = entrance.open_stream(socket.scope)
        except Refused as refused:
            listener.drop(refused.code)
        if gateway.listeners > LISTENERS_MAX:
            listener.drop(GatewayCode.TOO_MANY)
        waits: list[asyncio.Future[Any]] = [*tasks, listener.dropped]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        _note_faults(tasks, listener)
        if listener.dropped.done():
            await _end(tasks)  # the server closes nothing while somebody still waits to read from it
            await _close(socket, gateway, listener.dropped.result())
    finally:
        connection.leave()
        await _end(tasks)
        entrance.close_stream(caller)
        gateway.listeners -= 1
        gateway.metrics.listeners.set(gateway.listeners)


def _note_faults(tasks: list[asyncio.Task[None]], listener: Listener) -> None:
    """A mistake of ours is logged and closes the connection; that a listener has gone is none."""
    for task in tasks:
        error = task.exception() if task.done() else None
        if error is not None and not isinstance(error, WebSocketDisconnect):
            log.error("a stream failed", exc_info=error)
            listener.drop(GatewayCode.GATEWAY_FAULT)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _close(socket: WebSocket, gateway: Gateway, code: GatewayCode) -> None:
    """Say why, but do not wait long for somebody who does not read."""
    gateway.metrics.dropped.labels(code.name).inc()
    task = asyncio.current_task()
    try:
        async with asyncio.timeout(CLOSE_SECONDS_MAX):
            if socket.application_state is WebSocketState.CONNECTED:
                await socket.close(CLOSE_CODE_BASE + code, code.name)
    except (TimeoutError, RuntimeError, WebSocketDisconnect):
        return
    except asyncio.CancelledError:
        # The server ends its own wait in this way once the connection is closed; nobody has cancelled this task.
        if task is None or task.cancelling():
            raise
