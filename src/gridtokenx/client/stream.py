"""Listening: one connection, several topics, and nothing missed without notice.

A stream that breaks is opened again, by itself, with growing pauses, from the last sequence that was heard. A gap, or a
gateway that no longer has what was missed, shows as a new snapshot, never as silence.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from gridtokenx.client.errors import AnswerNotUnderstood, ApiError, NotAuthorised, TransportError, Unavailable
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.coupled_documents import NetworkView
from gridtokenx.gateway.documents import AuctionView, BlockLine, PricesView, Problem
from gridtokenx.gateway.stream_documents import AccountEvent, BookEvent, StreamRequest, Subscription, TradesEvent

MESSAGE_BYTES_MAX = 16 * 1024 * 1024
PAUSES_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
OPEN_SECONDS_MAX = 10.0

Event = BlockLine | TradesEvent | BookEvent | AuctionView | NetworkView | PricesView | AccountEvent


class _Frame(msgspec.Struct):
    """Anything that a gateway sends."""

    kind: str
    topic: str = ""
    sequence: int = 0
    previous: int = 0
    data: msgspec.Raw = msgspec.Raw(b"null")
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """One message. After a `snapshot` (`is_snapshot`) what was known of the topic before is to be forgotten."""

    topic: str
    sequence: int
    is_snapshot: bool
    event: Event


class Stream:
    """Messages of some topics: `async with client.stream([...]) as stream: async for heard in stream: ...`

    Raises ApiError when a topic is refused, and TransportError when a gateway cannot be reached at the beginning; later
    interruptions are waited out, for ever.
    """

    def __init__(
        self,
        url: str,
        topics: Sequence[str],
        token: Callable[[], Awaitable[str]] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`url` is that of the gateway; `token` is asked for one each time the stream opens, for `account`."""
        self._url = "ws" + url.removeprefix("http").rstrip("/") + "/v1/stream"
        self._token = token
        self._tls = tls
        self._after: dict[str, int | None] = dict.fromkeys(topics)
        self._connection: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def __aiter__(self) -> AsyncIterator[Heard]:
        while True:
            assert self._connection is not None, "a stream is used with `async with`"
            try:
                text = await self._connection.recv()
            except ConnectionClosed:
                await self._open_again()
                continue
            heard = await self._understand(text)
            if heard is not None:
                yield heard

    async def _understand(self, text: str | bytes) -> Heard | None:
        """What to hand on; None for what is not for the listener."""
        try:
            frame = msgspec.json.decode(text, type=_Frame)
            if frame.kind == "ping":
                await self._say(StreamRequest(pong=True))
                return None
            if frame.problem is not None:
                raise _refusal(frame.problem)
            if frame.topic not in self._after:
                return None
            event: Event = msgspec.json.decode(frame.data, type=_event_type(frame.topic))
        except msgspec.DecodeError as error:
            raise AnswerNotUnderstood(f"not what a gateway says: {error}") from None
        last = self._after[frame.topic]
        if frame.kind == "update":
            if last is None or frame.previous > last:
                await self.start_over(frame.topic)
                return None
            if frame.sequence <= last:
                return None
        self._after[frame.topic] = frame.sequence
        return Heard(frame.topic, frame.sequence, frame.kind == "snapshot", event)

    async def start_over(self, topic: str) -> None:
        """Something was missed (or a `LiveBook` is out of step): ask for a snapshot, and hear no update before it."""
        self._after[topic] = None
        await self._say(StreamRequest([Subscription(topic)], [topic]))

    async def _say(self, request: StreamRequest) -> None:
        assert self._connection is not None
        # A connection that has just broken is noticed where it is read.
        try:
            await self._connection.send(msgspec.json.encode(request).decode())
        except ConnectionClosed:
            return

    async def _open(self) -> None:
        try:
            self._connection = await connect(
                self._url, ssl=self._tls, max_size=MESSAGE_BYTES_MAX, open_timeout=OPEN_SECONDS_MAX
            )
        except (OSError, InvalidHandshake, TimeoutError) as error:
            raise TransportError(f"no stream from {self._url}: {error}") from error
        token = None if self._token is None else await self._token()
        subscriptions = [Subscription(topic, after) for topic, after in self._after.items()]
        await self._say(StreamRequest(subscriptions, token=token))

    async def _open_again(self) -> None:
        attempt = 0
        while True:
            await asyncio.sleep(PAUSES_SECONDS[min(attempt, len(PAUSES_SECONDS) - 1)])
            attempt += 1
            try:
                await self._open()
            except (TransportError, Unavailable):
                continue
            return


def _event_type(topic: str) -> type[Event]:
    kinds: dict[str, type[Event]] = {"blocks": BlockLine, "trades": TradesEvent, "account": AccountEvent}
    of_interval: dict[str, type[Event]] = {
        "book": BookEvent,
        "auction": AuctionView,
        "network": NetworkView,
        "prices": PricesView,
    }
    return kinds.get(topic) or of_interval[topic.partition(":")[0]]


def _refusal(problem: Problem) -> ApiError:
    signed_out = problem.code in {GatewayCode.SESSION_MISSING, GatewayCode.SESSION_ENDED}
    kind = NotAuthorised if signed_out else ApiError
    return kind(problem.detail, status=400, code=problem.code, name=problem.name, field=problem.field)
