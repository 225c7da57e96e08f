"""The gateway's middle: the node's connection, the read model that follows it, and those who listen.

Everything here runs in one event loop. Only building a model is done in a thread: until it is there, and while the
node is away, `reasons` says why this gateway is not ready. A node that comes back is followed again by itself.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from gridtokenx.engine.comet.home import FOLDER as CONSENSUS_FOLDER
from gridtokenx.engine.comet.home import RPC_SOCKET
from gridtokenx.engine.comet.rpc import CometRpc, HeightMissing, RpcFailed
from gridtokenx.engine.database import DatabaseFailed
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.link import NodeLink, RequestFailed
from gridtokenx.engine.mempool import Answer
from gridtokenx.engine.storage import Reader
from gridtokenx.engine.wire import Proven
from gridtokenx.gateway import feeds, views
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.documents import BlockLine, HealthView
from gridtokenx.gateway.facts import block_line, genesis_line
from gridtokenx.gateway.hub import Hub
from gridtokenx.gateway.metrics import Metrics
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.readmodel import Advance, FeedMissing, ReadModel
from gridtokenx.gateway.sessions import Sessions

T = TypeVar("T")

NODE_SECONDS_MAX = 10.0
"""How long the node may take for an answer; a submission waits for its disk."""
RETRY_SECONDS = 0.5
LOOK_SECONDS = 1.0
BLOCK_SECONDS_MAX = 2.0
"""For a block that the node has already."""
SILENT_SECONDS = 30.0
"""A node makes a block a second: after so long without one something is wrong with it."""
BLOCK_LINES_MAX = 2_000

log = logging.getLogger("gridtokenx.gateway")


def wall_clock_ms() -> int:
    """This machine's time, for challenges and tokens."""
    return time.time_ns() // 1_000_000


class Gateway:
    """One gateway beside one node. `run` is its life; everything else may be called while it runs."""

    def __init__(
        self,
        data: Path,
        clock: Callable[[], int] = wall_clock_ms,
        showcase: Mapping[bytes, str] = MappingProxyType({}),
        faucet: Path | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        """`showcase`: portfolios whose owners agreed to be shown, and under which name. `faucet`: the socket at which
        a development market's faucet listens. `read_only`: nothing is taken in."""
        self.read_only = read_only
        self.folder = DataFolder(data)
        self.showcase = showcase
        self.faucet = faucet
        self.metrics = Metrics()
        self.hub = Hub()
        self.lines: dict[int, BlockLine] = {}
        """Newest blocks by height."""
        self.listeners = 0
        """Open streams."""
        self._clock = clock
        self._model: ReadModel | None = None
        self._sessions: Sessions | None = None
        self._link: NodeLink | None = None
        self._consensus: CometRpc | None = None
        self._trouble = "the gateway has just started"
        self._advanced = asyncio.Event()
        self._followed = time.monotonic()
        self._following = asyncio.Lock()

    @property
    def model(self) -> ReadModel:
        """The read model. Refuses with `NOT_READY` while there is none."""
        if self._model is None:
            raise Refused(GatewayCode.NOT_READY, "", self._trouble)
        return self._model

    @property
    def sessions(self) -> Sessions:
        """Who is let in. Refuses with `NOT_READY` while the chain is not known."""
        if self._sessions is None:
            raise Refused(GatewayCode.NOT_READY, "", self._trouble)
        return self._sessions

    def require_intake(self) -> None:
        """Refuses with `READ_ONLY` where nothing is taken in."""
        if self.read_only:
            raise Refused(GatewayCode.READ_ONLY, "", "this node only answers: send it through another's gateway")

    def reasons(self) -> list[str]:
        """Why this gateway cannot do all its work; nothing when it can."""
        if self._model is None:
            return [self._trouble]
        if self._link is None:
            return [f"the node does not answer: {self._trouble}"]
        silent_seconds = time.monotonic() - self._followed
        return [] if silent_seconds < SILENT_SECONDS else [f"no block for {int(silent_seconds)} seconds"]

    def health(self) -> HealthView:
        """How this gateway is."""
        reasons = self.reasons()
        height = 0 if self._model is None else self._model.head.height
        return HealthView(live=True, ready=not reasons, reasons=reasons, height=height)

    def block_line(self, height: int) -> BlockLine | None:
        """One block in a list; None if it is not stored."""
        if height in self.lines:
            return self.lines[height]
        stored, results = self.model.reader.block(height), self.model.reader.results(height)
        return None if stored is None or results is None else block_line(stored, results)

    def newest_block(self) -> BlockLine:
        """The block at which the model stands."""
        head = self.model.head
        return self.block_line(head.height) or genesis_line(head)

    async def submit(self, transactions: Sequence[bytes], *, acceptance: bool = False) -> list[Answer]:
        """To the node; with `acceptance` it is asked for its promises. Refuses with `NODE_UNREACHABLE`: whether it was
        taken is then open, and sending the same again is harmless."""
        async with self._asking() as link:
            return await link.submit(transactions, acceptance=acceptance)

    async def standing(self, transaction_id: bytes) -> Answer:
        """What the node says of a transaction. Refuses with `NODE_UNREACHABLE`."""
        async with self._asking() as link:
            return (await link.status([transaction_id]))[0]

    async def prove(self, key: bytes) -> Proven:
        """What state says under a key, with proof, once its block can be asked for here too: the node is a moment
        ahead. Refuses with `NODE_UNREACHABLE`."""
        async with self._asking() as link:
            proven = await link.prove(key)
        await self.reach(proven.height)
        return proven

    async def ask_consensus(self, question: Callable[[CometRpc], Awaitable[T]]) -> T:
        """What the node's consensus engine says. Refuses with `NO_CONSENSUS` where there is none, with `NOT_FOUND` for
        a height that it does not have, with `NODE_UNREACHABLE`."""
        if self._consensus is None:
            if not (self.folder.path / CONSENSUS_FOLDER).is_dir():
                raise Refused(GatewayCode.NO_CONSENSUS)
            self._consensus = CometRpc(self.folder.run / RPC_SOCKET)
        try:
            return await question(self._consensus)
        except HeightMissing as error:
            raise Refused(GatewayCode.NOT_FOUND, "height", "the node has no such block, or not any more") from error
        except RpcFailed as error:
            raise Refused(GatewayCode.NODE_UNREACHABLE, "", str(error)) from error

    async def node_metrics(self) -> bytes:
        """The node's own metrics. Refuses with `NODE_UNREACHABLE`."""
        async with self._asking() as link:
            return await link.metrics()

    async def next_block(self, seconds: float) -> bool:
        """Wait until a block was followed, or so long; whether one was."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._advanced.wait()
                return True
        return False

    async def reach(self, height: int) -> None:
        """Wait until this block was followed, but not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BLOCK_SECONDS_MAX):
                while self.model.head.height < height:
                    await self._advanced.wait()

    async def catch_up(self) -> None:
        """Follow every block that the node has committed by now, and let others have their turn between two blocks and
        between the pieces of a large one."""
        async with self._following:
            model, started = self._model, time.perf_counter()
            if model is None:
                return
            advances: list[Advance] = []
            for advance in model.advance():
                if advance is None:
                    await asyncio.sleep(0)
                    continue
                self._note_line(advance.facts.line)
                feeds.publish(self.hub, model, advance)
                advances.append(advance)
                await asyncio.sleep(0)
            if not advances:
                return
            feeds.publish_accounts(self.hub, model, advances)
            self._followed = time.monotonic()
            self.metrics.followed(model, len(advances), time.perf_counter() - started)
        self._advanced.set()
        self._advanced = asyncio.Event()

    async def run(self) -> None:
        """Follow the node for ever."""
        try:
            while True:
                await self._follow_until_trouble()
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            await self._leave_node()
            if self._consensus is not None:
                await self._consensus.close()
            self.hub.drop_all(GatewayCode.STREAM_RESTARTED)
            if self._model is not None:
                self._model.reader.close()
                self._model = None

    async def _follow_until_trouble(self) -> None:
        try:
            if self._model is None:
                await self._build_model()
            await self.catch_up()
            self._link = await self._join_node()
            log.info("follows the node from height %d", self.model.head.height)
            await self._follow(self._link)
            self._trouble = "it closed the connection"
        except (OSError, RequestFailed) as error:
            self._trouble = str(error)
        except (FeedMissing, DatabaseFailed) as error:
            self._trouble = f"the read model is being built anew: {error}"
            log.warning("%s", self._trouble)
            self._drop_model()
        finally:
            await self._leave_node()

    async def _join_node(self) -> NodeLink:
        """A connection on which the node has answered: one that hangs takes connections too. Raises OSError and
        RequestFailed."""
        link = await NodeLink.connect(self.folder.socket)
        try:
            async with asyncio.timeout(NODE_SECONDS_MAX):
                await link.info()
        except BaseException as error:
            await link.close()
            if isinstance(error, TimeoutError):
                raise TimeoutError(f"it takes connections, and says nothing for {NODE_SECONDS_MAX:g} seconds") from None
            raise
        return link

    async def _follow(self, link: NodeLink) -> None:
        """Until the connection ends. Also looks by itself from time to time: no news must not mean no blocks."""
        blocks = link.blocks()
        news = asyncio.ensure_future(anext(blocks, None))
        try:
            while True:
                await asyncio.wait((news,), timeout=LOOK_SECONDS)
                await self.catch_up()
                if news.done():
                    if news.result() is None:
                        return
                    news = asyncio.ensure_future(anext(blocks, None))
        finally:
            news.cancel()
            await asyncio.gather(news, return_exceptions=True)

    async def _build_model(self) -> None:
        self._trouble = "the read model is being built"
        model = await asyncio.to_thread(self._read_model)
        self._model = model
        self.lines.clear()
        for advance in model.history[-BLOCK_LINES_MAX:]:
            self._note_line(advance.facts.line)
        feeds.begin(self.hub, model, self.lines)
        model.history.clear()
        if self._sessions is None or self._sessions.chain != model.head.chain:
            self._sessions = Sessions(model.head.chain, self._keys_of, self._clock)
        self._trouble = "it has not been asked yet"
        log.info("read model at height %d", model.head.height)

    def _read_model(self) -> ReadModel:
        reader = Reader(self.folder.database, self.folder.run / "gateway-reader")
        try:
            return ReadModel(reader)
        except BaseException:
            reader.close()
            raise

    def _drop_model(self) -> None:
        self.hub.drop_all(GatewayCode.STREAM_RESTARTED)
        if self._model is not None:
            self._model.reader.close()
            self._model = None

    async def _leave_node(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[NodeLink]:
        if self._link is None:
            raise Refused(GatewayCode.NODE_UNREACHABLE, "", f"the node does not answer: {self._trouble}")
        try:
            async with asyncio.timeout(NODE_SECONDS_MAX):
                yield self._link
        except (ConnectionError, TimeoutError, RequestFailed) as error:
            detail = f"the node did not answer: {str(error) or type(error).__name__}"
            raise Refused(GatewayCode.NODE_UNREACHABLE, "", detail) from error

    def _note_line(self, line: BlockLine) -> None:
        self.lines[line.height] = line
        if len(self.lines) > BLOCK_LINES_MAX:
            del self.lines[next(iter(self.lines))]

    def _keys_of(self, account_id: bytes) -> bytes | None:
        account = views.account_of(self.model, account_id)
        return None if account is None else account.keys_hash
