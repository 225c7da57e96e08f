"""Topics and those who listen: sequence numbers, bounded buffers, bounded queues.

The sequence of a message is the height of the block it tells of, in every topic: it is the same at every gateway and
after every restart. A message also names the sequence before it in its topic, so a listener knows at once whether it
has missed one: `previous` must not be greater than what it has. Who comes back says what it has and gets what followed
from the buffer, or, if that does not reach so far, a snapshot.

A message is encoded once, however many hear it. A listener has a queue that is bounded in messages and in characters.
Nobody waits for a slow one: it is dropped, with a code.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.documents import Document
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.sentences import LANGUAGES, Language
from gridtokenx.gateway.stream_documents import StreamMessage, StreamProblem

QUEUE_MESSAGES_MAX = 1_024
"""A quarter of an hour of blocks, or a burst of books."""
BUFFER_MESSAGES_MAX = 1_000
BUFFER_CHARACTERS_MAX = 4_194_304
"""Of one topic."""
QUEUE_CHARACTERS_MAX = 4 * BUFFER_CHARACTERS_MAX
"""Of one listener: most of it is the same text in memory that others wait for too."""

_encode = msgspec.json.Encoder().encode


def encode(document: Document) -> str:
    """As it is sent."""
    return _encode(document).decode()


@dataclass(frozen=True, slots=True)
class Buffered:
    """A message as it is sent, and where it stands in its topic."""

    sequence: int
    previous: int
    text: str


class Listener:
    """One connection: what is still to be sent to it."""

    __slots__ = ("dropped", "_characters", "_language", "_messages_max", "_queue", "_waiting")

    def __init__(self, language: Language = LANGUAGES[0], messages_max: int = QUEUE_MESSAGES_MAX) -> None:
        self._language = language
        self.dropped: asyncio.Future[GatewayCode] = asyncio.get_running_loop().create_future()
        self._messages_max = messages_max
        self._queue: deque[str] = deque()
        self._characters = 0
        self._waiting: asyncio.Future[None] | None = None

    def put(self, text: str) -> None:
        """Send in order; one whose queue is full is dropped as too slow."""
        self._characters += len(text)
        if len(self._queue) >= self._messages_max or self._characters > QUEUE_CHARACTERS_MAX:
            self.drop(GatewayCode.STREAM_TOO_SLOW)
            return
        self._queue.append(text)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def refuse(self, topic: str, refused: Refused) -> None:
        """Say that something is not done, and why."""
        self.put(encode(StreamProblem(topic, "problem", refused.problem(self._language))))

    async def next(self) -> str:
        """What is to be sent next; waits for it. One caller at a time."""
        while not self._queue:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        text = self._queue.popleft()
        self._characters -= len(text)
        return text

    def drop(self, code: GatewayCode) -> None:
        """Its connection is to be closed with this code; nothing more is sent."""
        self._queue.clear()
        if not self.dropped.done():
            self.dropped.set_result(code)


@dataclass(slots=True)
class Topic:
    """One stream of messages. `complete_since`: the buffer has every message with a sequence greater than this."""

    name: str
    complete_since: int
    listeners: dict[Listener, None] = field(default_factory=dict)
    buffer: deque[Buffered] = field(default_factory=deque)
    characters: int = 0
    _snapshot: tuple[int, str] = (-1, "")
    """The last one that was made, and its sequence."""

    @property
    def last(self) -> int:
        """The sequence of the last message, or where the topic began."""
        return self.buffer[-1].sequence if self.buffer else self.complete_since

    def publish(self, sequence: int, document: Document) -> None:
        """To all who listen, and into the buffer."""
        text = encode(StreamMessage(self.name, "update", sequence, self.last, document))
        self.buffer.append(Buffered(sequence, self.last, text))
        self.characters += len(text)
        while len(self.buffer) > BUFFER_MESSAGES_MAX or self.characters > BUFFER_CHARACTERS_MAX:
            gone = self.buffer.popleft()
            self.characters -= len(gone.text)
            self.complete_since = gone.sequence
        for listener in self.listeners:
            listener.put(text)

    def join(self, listener: Listener, after: int | None, sequence: int, snapshot: Callable[[], Document]) -> None:
        """Listen from now on. First comes what followed `after`, if the buffer reaches so far; else a snapshot as of
        `sequence`."""
        if not self._resumes(listener, after, sequence):
            listener.put(self._encode_snapshot(sequence, snapshot()))
        self.listeners[listener] = None

    def join_shared(
        self, listener: Listener, after: int | None, sequence: int, snapshot: Callable[[], Document]
    ) -> None:
        """The same where the snapshot depends on the sequence alone: it is made once, however many join."""
        if not self._resumes(listener, after, sequence):
            if self._snapshot[0] != sequence:
                self._snapshot = sequence, self._encode_snapshot(sequence, snapshot())
            listener.put(self._snapshot[1])
        self.listeners[listener] = None

    def _resumes(self, listener: Listener, after: int | None, sequence: int) -> bool:
        """Whether the buffer reaches back to `after`; then what followed is sent."""
        if after is None or not self.complete_since <= after <= sequence:
            return False
        for buffered in self.buffer:
            if buffered.sequence > after:
                listener.put(buffered.text)
        return True

    def _encode_snapshot(self, sequence: int, document: Document) -> str:
        return encode(StreamMessage(self.name, "snapshot", sequence, 0, document))

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

    def end(self, name: str, why: Refused) -> None:
        """The topic is over, and those who listen are told why."""
        topic = self.topics.pop(name)
        for listener in topic.listeners:
            listener.refuse(topic.name, why)

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
