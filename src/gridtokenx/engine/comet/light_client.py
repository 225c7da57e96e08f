"""Following a chain from block to block without running a node, and noticing when somebody is being deceived.

A flow is a generator: it yields a `Fetch` and gets a light block back, or a `LightError` thrown in; or a `Wait`. It
knows no network and no clock, so the same flow serves `LightClient`, `AsyncLightClient` and the client of the gateway.
Source 0 is the one that is followed, 1 and on are witnesses: other nodes, best of other owners.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from gridtokenx.engine.comet.headers import LightBlock
from gridtokenx.engine.comet.light import Rules, check_block, check_trust, verify, verify_before
from gridtokenx.engine.comet.light_errors import (
    BlockMissing,
    Conflict,
    Evidence,
    LightError,
    NotConfirmed,
    NothingTrusted,
    OverlapTooLow,
    SourceFailed,
    StartRefused,
    TooFarBack,
    TrustExpired,
)
from gridtokenx.engine.comet.light_store import LightStore

T = TypeVar("T")

NEWEST: Final = 0
"""As a height: whatever the source has last."""
WITNESS_PAUSES_SECONDS: Final = (0.5, 1.0, 2.0)
"""A witness that is a block behind is given so long to come after."""
BACK_MAX: Final = 10_000
"""Blocks followed back one by one: at a thousand a second, some seconds."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask the source of this number for the block of this height."""

    source: int
    height: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on after so long."""

    seconds: float


Step = Fetch | Wait
Flow = Generator[Step, Any, T]

Source = Callable[[int], LightBlock]
"""The block of a height, or of the newest for `NEWEST`. Raises BlockMissing, SourceFailed or BlockInvalid; nothing of
what it gives is believed unseen."""
AsyncSource = Callable[[int], Awaitable[LightBlock]]


def start(store: LightStore, height: int, block_hash: bytes, now_ms: int, rules: Rules) -> Flow[LightBlock]:
    """Trust the block of this height, whose hash somebody you trust gave you. Raises StartRefused when the source has
    another one, TrustExpired, BlockInvalid and its kinds, SourceFailed."""
    block = yield from _fetch(0, height)
    check_block(block, store.chain)
    if block.hash != block_hash:
        raise StartRefused(f"block {height} is {block.hash.hex()} there, not {block_hash.hex()}")
    check_trust(block.header, now_ms, rules)
    store.add(block)
    return block


def trusted_block(store: LightStore, height: int, witnesses: int, now_ms: int, rules: Rules) -> Flow[LightBlock]:
    """The block of this height (or `NEWEST`), verified, confirmed by a witness if there are any, and kept in the store.

    Raises NothingTrusted, TrustExpired, Conflict (with evidence), NotConfirmed, TooFarBack, BlockMissing, SourceFailed,
    and whatever `light.verify` says of the source's blocks. Nothing is trusted then that was not before.
    """
    if (held := store.get(height)) is not None:
        return held
    if not len(store):
        raise NothingTrusted("start from a height and a hash that somebody you trust gave you")
    block = yield from _fetch(0, height)
    if (held := store.get(block.height)) is not None:
        if held.hash != block.hash:
            raise SourceFailed(f"the source has another block {block.height} than the one that is trusted")
        return held
    base, later = store.below(block.height), store.above(block.height)
    try:
        if base is None:
            raise TrustExpired("nothing earlier is trusted")
        check_trust(base.header, now_ms, rules)
    except TrustExpired:
        # A hash that stands in a trusted header does not age.
        if later is None:
            raise
        yield from _follow_back(later, block)
    else:
        trace = yield from follow(base, block, 0, now_ms, rules)
        yield from _confirm(trace, witnesses, now_ms, rules)
    store.add(block)
    return block


def follow(trusted: LightBlock, target: LightBlock, source: int, now_ms: int, rules: Rules) -> Flow[list[LightBlock]]:
    """The blocks by which the target follows from the trusted one, both included; those between come from the source.
    Where too many validators changed, a block in the middle is asked for. Raises as `light.verify`, and SourceFailed.

    There are never more than 64 blocks waiting; each step forward is one that real validators signed.
    """
    trace, waiting = [trusted], [target]
    while waiting:
        try:
            verify(trace[-1], waiting[-1], now_ms, rules)
        except OverlapTooLow:
            middle = (trace[-1].height + waiting[-1].height) // 2
            waiting.append((yield from _fetch(source, middle)))
        else:
            trace.append(waiting.pop())
    return trace


def _follow_back(trusted: LightBlock, target: LightBlock) -> Flow[None]:
    """From the trusted block down to the target, by the hashes in the headers."""
    if trusted.height - target.height > BACK_MAX:
        raise TooFarBack(f"block {target.height} lies more than {BACK_MAX} before block {trusted.height}")
    header = trusted.header
    for height in range(trusted.height - 1, target.height - 1, -1):
        block = target if height == target.height else (yield from _fetch(0, height))
        verify_before(header, block)
        header = block.header


def _confirm(trace: list[LightBlock], witnesses: int, now_ms: int, rules: Rules) -> Flow[None]:
    """At least one witness has the same block, and none has another that holds. Raises Conflict, NotConfirmed."""
    confirmed = 0
    for witness in range(1, witnesses + 1):
        other = yield from _witnessed(witness, trace[-1])
        if other is None:
            continue
        if other.hash == trace[-1].hash:
            confirmed += 1
        else:
            yield from _examine(witness, trace, other, now_ms, rules)
    if witnesses and not confirmed:
        raise NotConfirmed(f"no witness has block {trace[-1].height} to show: it may be attacked, late or away")


def _witnessed(witness: int, target: LightBlock) -> Flow[LightBlock | None]:
    """What the witness has at the target's height; its newest block if that is lower and not earlier (then the target's
    time, or its own, is made up); None if it has nothing to say."""
    pauses = list(WITNESS_PAUSES_SECONDS)
    while True:
        try:
            return (yield from _fetch(witness, target.height))
        except BlockMissing:
            pass
        except LightError:
            return None
        try:
            newest = yield from _fetch(witness, NEWEST)
        except LightError:
            return None
        if newest.height < target.height and newest.header.time_ns >= target.header.time_ns:
            return newest
        if not pauses:
            return None
        yield Wait(pauses.pop(0))


def _examine(witness: int, trace: list[LightBlock], other: LightBlock, now_ms: int, rules: Rules) -> Flow[None]:
    """Find where the witness's chain leaves the trace. Raises Conflict if what it has there verifies; a witness that
    cannot show that is not heard."""
    common = trace[0]
    for own in trace[1:]:
        try:
            theirs = other if own.height >= other.height else (yield from _fetch(witness, own.height))
            if theirs.hash == own.hash:
                common = own
                continue
            yield from follow(common, theirs, witness, now_ms, rules)
        except LightError:
            return
        raise Conflict(Evidence(common, own, theirs, witness))


def _fetch(source: int, height: int) -> Flow[LightBlock]:
    block: LightBlock = yield Fetch(source, height)
    if height not in {NEWEST, block.height}:
        raise SourceFailed(f"source {source} was asked for block {height} and gave block {block.height}")
    return block


class LightClient:
    """Follows one chain through sources that are plain functions. Of one thread at a time."""

    def __init__(
        self,
        store: LightStore,
        source: Source,
        witnesses: Sequence[Source] = (),
        rules: Rules | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Without witnesses one source alone can deceive, if a third of the validators help it."""
        self.store = store
        self.rules = rules or Rules()
        self._sources = (source, *witnesses)
        self._pause = pause

    def start(self, height: int, block_hash: bytes, now_ms: int) -> LightBlock:
        """As `light_client.start`."""
        return self._run(start(self.store, height, block_hash, now_ms, self.rules))

    def verify(self, height: int, now_ms: int) -> LightBlock:
        """As `light_client.trusted_block`."""
        return self._run(trusted_block(self.store, height, len(self._sources) - 1, now_ms, self.rules))

    def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._do(step)
                except LightError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _do(self, step: Step) -> LightBlock | None:
        if isinstance(step, Wait):
            self._pause(step.seconds)
            return None
        return self._sources[step.source](step.height)


class AsyncLightClient:
    """The twin of `LightClient` whose sources are awaited. Of one event loop, one call at a time."""

    def __init__(
        self,
        store: LightStore,
        source: AsyncSource,
        witnesses: Sequence[AsyncSource] = (),
        rules: Rules | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """As for `LightClient`."""
        self.store = store
        self.rules = rules or Rules()
        self._sources = (source, *witnesses)
        self._pause = pause

    async def start(self, height: int, block_hash: bytes, now_ms: int) -> LightBlock:
        """As `light_client.start`."""
        return await self._run(start(self.store, height, block_hash, now_ms, self.rules))

    async def verify(self, height: int, now_ms: int) -> LightBlock:
        """As `light_client.trusted_block`."""
        return await self._run(trusted_block(self.store, height, len(self._sources) - 1, now_ms, self.rules))

    async def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._do(step)
                except LightError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _do(self, step: Step) -> LightBlock | None:
        if isinstance(step, Wait):
            await self._pause(step.seconds)
            return None
        return await self._sources[step.source](step.height)
