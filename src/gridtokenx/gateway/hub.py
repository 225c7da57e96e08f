"""Topics and those who listen: sequence numbers, bounded buffers, bounded queues.

The sequence of a message is the height of the block it tells of, in every topic: it is the same at every gateway and
after every restart. A message also names the sequence before it in its topic, so a listener knows at once whether it
has missed one: `previous` must not be greater than what it has. Who comes back says what it has and gets what followed
from the buffer, or, if that does not reach so far, a snapshot.

A listener has a queue of bounded length. Nobody waits for a slow one: it is dropped, with a code.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.documents import Document
from gridtokenx.gateway.stream_documents import StreamMessage

QUEUE_MESSAGES_MAX = 1_024
"""A quarter of an hour of blocks, or a burst of books."""
BUFFER_MESSAGES_MAX = 1_000
BUFFER_BYTES_MAX = 4_194_304
"""Of one topic."""

encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Buffered:
    """A message as it is sent, and where it stands in its topic."""

    sequence: int
    previous: int
    data: bytes


class Listener:
    """One connection: what is still to be sent to it."""

    __slots__ = ("dropped", "queue")

    def __init__(self, messages_max: int = QUEUE_MESSAGES_MAX) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue(messages_max)
        self.dropped: asyncio.Future[GatewayCode] = asyncio.get_running_loop().create_future()

    def put(self, data: bytes) -> None:
        """Send in order; one whose queue is full is dropped as too slow."""
        try:
            self.queue.put_nowait(data)
        except asyncio.QueueFull:
            self.drop(GatewayCode.STREAM_TOO_SLOW)

    def drop(self, code: GatewayCode) -> None:
        """Its connection is to be closed with this code; nothing more is sent."""
        if not self.dropped.done():
            self.dropped.set_result(code)


@dataclass(slots=True)
class Topic:
    """One stream of messages. `complete_since`: the buffer has every message with a sequence greater than this."""

    name: str
    complete_since: int
    listeners: dict[Listener, None] = field(default_factory=dict)
    buffer: deque[Buffered] = field(default_factory=deque)
    bytes_held: int = 0

    @property
    def last(self) -> int:
        """The sequence of the last message, or where the topic began."""
        return self.buffer[-1].sequence if self.buffer else self.complete_since

    def publish(self, sequence: int, document: Document) -> None:
        """To all who listen, and into the buffer."""
        message = StreamMessage(self.name, "update", sequence, self.last, document)
        data = encode(message)
        self.buffer.append(Buffered(sequence, self.last, data))
        self.bytes_held += len(data)
        while len(self.buffer) > BUFFER_MESSAGES_MAX or self.bytes_held > BUFFER_BYTES_MAX:
            gone = self.buffer.popleft()
            self.bytes_held -= len(gone.data)
            self.complete_since = gone.sequence
        for listener in self.listeners:
            listener.put(data)

    def join(self, listener: Listener, after: int | None, sequence: int, snapshot: Callable[[], Document]) -> None:
        """Listen from now on. First comes what followed `after`, if the buffer reaches so far; else a snapshot as of
        `sequence`."""
        if after is not None and self.complete_since <= after <= sequence:
            for buffered in self.buffer:
                if buffered.sequence > after:
                    listener.put(buffered.data)
        else:
            listener.put(encode(StreamMessage(self.name, "snapshot", sequence, 0, snapshot())))
        self.listeners[listener] = None

    def leave(self, listener: Listener) -> None:
        """Listen no longer."""
        self.listeners.pop(listener, None)


class Hub:
    """All topics. A topic that comes into being only when somebody asks for it begins there."""

    def __init__(self) -> None:
        self.topics: dict[str, Topic] = {}

    def topic(self, name: str, begins: int, shown_as: str | None = None) -> Topic:
        """The topic, begun at this sequence if it is new; listeners know it by another name if one is given."""
        found = self.topics.get(name)
        if found is None:
            found = self.topics[name] = Topic(shown_as or name, begins)
        return found

    def drop(self, name: str) -> None:
        """The topic is over: those who listen hear no more of it."""
        self.topics.pop(name, None)

    def leave_all(self, listener: Listener) -> None:
        """The listener is gone."""
        for topic in self.topics.values():
            topic.leave(listener)

    def drop_all(self, code: GatewayCode) -> None:
        """Everybody is dropped, and may come back: the gateway stops, or had to build its model again."""
        for topic in self.topics.values():
            for listener in topic.listeners:
                listener.drop(code)
        self.topics.clear()
