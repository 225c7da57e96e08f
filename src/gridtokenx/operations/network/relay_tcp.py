"""A TCP link: each connection of the dialler is carried to the dialled node."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from gridtokenx.operations.network.links import CONNECTIONS_MAX, HELD_BYTES_MAX, Direction, Flow, Link


class End(asyncio.Protocol):
    """One end of a carried connection: takes what its node says and puts it to the other end."""

    def __init__(self, direction: Direction, made: "Callable[[End], None]" = lambda end: None) -> None:
        """`direction` is what this end's node says; `made` is told when the connection is there."""
        self._direction = direction
        self._made = made
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._held = 0
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self._finished = False
        self._other_is_full = False
        self.transport: asyncio.Transport | None = None
        self.other: End | None = None
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is read before there is another end to put it to."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.pause_reading()
        self._made(self)

    def data_received(self, data: bytes) -> None:
        """Pass it on, now or after the delay."""
        self._waiting.append((self._loop.time() + self._direction.delay_ms / 1_000, data))
        self._held += len(data)
        self.carry()

    def eof_received(self) -> bool:
        """This node has said all; the other may go on."""
        self._ended = True
        self.carry()
        return True

    def connection_lost(self, _: Exception | None) -> None:
        """What waits still goes to the other end, unless this one was broken off."""
        self._ended = True
        self.lost.set()
        self.carry()

    def pause_writing(self) -> None:
        """This node is slow to read: what the other says has to wait."""
        assert self.other is not None
        self.other.hold_back(full=True)

    def resume_writing(self) -> None:
        """It has caught up."""
        assert self.other is not None
        self.other.hold_back(full=False)

    def hold_back(self, *, full: bool) -> None:
        """Told by the other end whether it can take more."""
        self._other_is_full = full
        self.carry()

    def carry(self) -> None:
        """Put to the other end whatever is due; read on if there is room. May be called at any time."""
        if self.other is None or self.other.transport is None or self.transport is None:
            return
        now = self._loop.time()
        target = self.other.transport
        if self._direction.flow is Flow.OPEN:
            while self._waiting and self._waiting[0][0] <= now and not self._other_is_full:
                _, data = self._waiting.popleft()
                self._held -= len(data)
                self._direction.bytes_carried += len(data)
                target.write(data)
            if self._ended and not self._waiting:
                self._end_other(target)
            if self._waiting and not self._other_is_full and self._timer is None:
                self._timer = self._loop.call_at(self._waiting[0][0], self._timer_ran)
        self._read_or_not()

    def _end_other(self, target: asyncio.Transport) -> None:
        """All that this node said has been carried: tell the other, and close what both have ended."""
        assert self.other is not None and self.transport is not None
        if not self._finished and not target.is_closing():
            with suppress(OSError):  # it was broken off, and nobody has told us yet
                target.write_eof()
        self._finished = True
        if self.lost.is_set() or self.other.has_finished:
            target.close()
            self.transport.close()

    @property
    def has_finished(self) -> bool:
        """Whether everything that this node said has been carried, to the end."""
        return self._finished

    def _timer_ran(self) -> None:
        self._timer = None
        self.carry()

    def _read_or_not(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if self._direction.flow is Flow.OPEN and self._held < HELD_BYTES_MAX:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def break_off(self) -> None:
        """End the connection at once, whatever is under way."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self.transport is not None:
            self.transport.abort()


class TcpRelay:
    """Listens for the dialler of one link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._server: asyncio.Server | None = None
        self._pairs: set[tuple[End, End]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        link.on_change.append(self._switched)

    async def open(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        loop = asyncio.get_running_loop()
        host, port = self._link.listen
        self._server = await loop.create_server(lambda: End(self._link.forward, self._begin), host, port)

    async def close(self) -> None:
        """End all connections and listen no more."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, near: End) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(near))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, near: End) -> None:
        far = End(self._link.back)
        pair = (near, far)
        if self._link.is_cut or len(self._pairs) >= CONNECTIONS_MAX:
            near.break_off()
            return
        self._pairs.add(pair)
        self._link.connections += 1
        try:
            await asyncio.get_running_loop().create_connection(lambda: far, *self._link.target)
            near.other, far.other = far, near
            near.carry()
            far.carry()
            await near.lost.wait()
            await far.lost.wait()
        except OSError:
            pass  # nobody listens there: the dialler is told in the same way
        finally:
            near.break_off()
            far.break_off()
            self._pairs.discard(pair)
            self._link.connections -= 1

    def _switched(self) -> None:
        for near, far in list(self._pairs):
            if self._link.is_cut:
                near.break_off()
                far.break_off()
            else:
                near.carry()
                far.carry()
