"""Stands between a signer and the nodes that share it, passes everything on, and writes down what was signed.

What it says of signing twice rests on nothing of the signer's: a key of Ed25519 gives the same bytes one signature, so
two signatures for one height, round and step are two different things that were signed there.
"""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from gridtokenx.engine.comet.privval import MESSAGE_BYTES_MAX, message_frame, read_message
from gridtokenx.engine.comet.privval_pb2 import Message
from gridtokenx.engine.comet.wire import MessageInvalid
from gridtokenx.engine.folder import FolderUnusable, listening_socket, socket_address

PROPOSAL, PREVOTE, PRECOMMIT = "proposal", "prevote", "precommit"
Meet = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_VOTES: Final = {1: PREVOTE, 2: PRECOMMIT}
_GONE: Final = (OSError, asyncio.IncompleteReadError, MessageInvalid, FolderUnusable)


class Place(NamedTuple):
    """Where a validator signs at most one thing."""

    height: int
    round: int
    step: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node got: a signature, or none, and then why not. `at_s`: of the monotonic clock; `took_ms`: from the
    node's question to the signer's answer. `for_block`: the vote is for a block, not for none."""

    node: int
    at_s: float
    took_ms: float
    place: Place | None
    signature: bytes
    for_block: bool
    refusal: str


class SignatureTap:
    """For as long as it is entered the signer that dials `sockets` reaches the nodes. It works in a thread of its own,
    so that it does not wait for whatever else is done meanwhile."""

    def __init__(self, nodes: Mapping[int, Path], folder: Path) -> None:
        """`nodes`: where they wait for their signer; `folder`: for sockets, it has to exist."""
        self._nodes = dict(nodes)
        self.sockets = {number: folder / f"tap-{number}.sock" for number in nodes}
        self.answers: list[Answer] = []
        """All of them so far; it only grows."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tap", daemon=True)
        self._talks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._servers = [
            await asyncio.start_unix_server(self._meet(number), sock=listening_socket(path), limit=MESSAGE_BYTES_MAX)
            for number, path in self.sockets.items()
        ]

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def _meet(self, number: int) -> Meet:
        async def meet(signer_reads: asyncio.StreamReader, signer_writes: asyncio.StreamWriter) -> None:
            talk = asyncio.current_task()
            assert talk is not None
            self._talks.add(talk)
            try:
                with suppress(*_GONE):
                    node_reads, node_writes = await asyncio.open_unix_connection(
                        socket_address(self._nodes[number]), limit=MESSAGE_BYTES_MAX
                    )
                    try:
                        await _Talk(number, self.answers).run(node_reads, node_writes, signer_reads, signer_writes)
                    finally:
                        node_writes.close()
            finally:
                signer_writes.close()
                self._talks.discard(talk)

        return meet


class _Talk:
    """One connection of the signer to one node. The node asks, the signer answers, one thing after the other."""

    def __init__(self, number: int, answers: list[Answer]) -> None:
        self._number = number
        self._answers = answers
        self._asked_s = 0.0

    async def run(
        self,
        node_reads: asyncio.StreamReader,
        node_writes: asyncio.StreamWriter,
        signer_reads: asyncio.StreamReader,
        signer_writes: asyncio.StreamWriter,
    ) -> None:
        """Until either has gone."""
        ways = [
            asyncio.create_task(self._ask(node_reads, signer_writes)),
            asyncio.create_task(self._answer(signer_reads, node_writes)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _ask(self, node: asyncio.StreamReader, signer: asyncio.StreamWriter) -> None:
        while True:
            question = await read_message(node)
            self._asked_s = time.monotonic()
            signer.write(message_frame(question))
            await signer.drain()

    async def _answer(self, signer: asyncio.StreamReader, node: asyncio.StreamWriter) -> None:
        while True:
            answer = await read_message(signer)
            now_s = time.monotonic()
            # Before the node has it: what it has not heard, it cannot tell.
            if (noted := _read(self._number, now_s, (now_s - self._asked_s) * 1_000, answer)) is not None:
                self._answers.append(noted)
            node.write(message_frame(answer))
            await node.drain()


def _read(node: int, at_s: float, took_ms: float, message: Message) -> Answer | None:
    """What this answer says of a signature; None if it is about something else."""
    kind = message.WhichOneof("sum")
    if kind == "signed_vote_response":
        if message.signed_vote_response.HasField("error"):
            return Answer(node, at_s, took_ms, None, b"", False, message.signed_vote_response.error.description)
        vote = message.signed_vote_response.vote
        place = Place(vote.height, vote.round, _VOTES[vote.type])
        return Answer(node, at_s, took_ms, place, vote.signature, bool(vote.block_id.hash), "")
    if kind == "signed_proposal_response":
        if message.signed_proposal_response.HasField("error"):
            return Answer(node, at_s, took_ms, None, b"", False, message.signed_proposal_response.error.description)
        proposal = message.signed_proposal_response.proposal
        return Answer(
            node, at_s, took_ms, Place(proposal.height, proposal.round, PROPOSAL), proposal.signature, True, ""
        )
    return None


def double_signs(answers: Iterable[Answer]) -> int:
    """At how many places more than one thing was signed."""
    signed: dict[Place, set[bytes]] = defaultdict(set)
    for answer in answers:
        if answer.place is not None:
            signed[answer.place].add(answer.signature)
    return sum(len(signatures) > 1 for signatures in signed.values())
