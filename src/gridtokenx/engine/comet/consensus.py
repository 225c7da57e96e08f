"""CometBFT beside a node: its process runs, its calls are answered, snapshots are made for others."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gridtokenx.engine.comet.binary import find_cometbft
from gridtokenx.engine.comet.calls import Calls
from gridtokenx.engine.comet.engine import CometEngine
from gridtokenx.engine.comet.evidence import Evidence, Submit
from gridtokenx.engine.comet.home import FOLDER, SIGNER_SOCKET, ConsensusHome, read_beginning
from gridtokenx.engine.comet.joining import Joining
from gridtokenx.engine.comet.launcher import Cometbft, LaunchSettings
from gridtokenx.engine.comet.observing import Observing
from gridtokenx.engine.comet.own_account import OwnAccount
from gridtokenx.engine.comet.privval import wait_for_signer
from gridtokenx.engine.comet.server import AbciServer
from gridtokenx.engine.engine import known_node
from gridtokenx.engine.folder import DataFolder, load_or_create_node_key, take_next_node_key
from gridtokenx.engine.restoration import Restoration
from gridtokenx.engine.snapshot_schedule import BLOCKS_BETWEEN_SNAPSHOTS, SnapshotSchedule
from gridtokenx.engine.snapshots import SnapshotStore
from gridtokenx.engine.storage import Storage
from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.block import BlockOutcome

LOG: Final = "cometbft.log"

log = logging.getLogger("gridtokenx.consensus")


class ConsensusEnded(Exception):
    """CometBFT ended by itself, or had to be ended: without it this node takes part in nothing. Says why."""


@dataclass(frozen=True, slots=True)
class ConsensusSettings:
    """`snapshot_blocks`: a snapshot at every height that this divides, 0: none. `blocks_kept`: for how many blocks
    CometBFT answers others, 0: all. `processors`: threads of CometBFT that run at once."""

    snapshot_blocks: int = BLOCKS_BETWEEN_SNAPSHOTS
    blocks_kept: int = 0
    processors: int | None = None


class Consensus:
    """Of one node and one event loop, in the main thread."""

    def __init__(
        self,
        folder: DataFolder,
        engine: CometEngine,
        storage: Storage,
        adopt: Callable[[Restoration], Storage],
        settings: ConsensusSettings,
    ) -> None:
        """`adopt` puts a restored database in the place of the present one, and returns it. Raises `CometMissing`."""
        self._engine = engine
        self._folder = folder
        self._adopt = adopt
        self._settings = settings
        self._store = SnapshotStore(folder.snapshots)
        self._schedule = self._make_schedule(storage)
        data = folder.path.resolve()
        self._home = ConsensusHome(data / FOLDER)
        self._beginning = read_beginning(self._home)
        self._joining = Joining(folder, engine.application.chain, self._beginning.genesis_hash, self._restored)
        self._process = Cometbft(
            LaunchSettings(data, data / FOLDER, data / LOG, find_cometbft(), processors=settings.processors)
        )
        account = OwnAccount(engine)
        self._evidence = Evidence(folder.evidence, engine, account)
        engine.on_bad_batch = self._evidence.found
        self._observing = Observing(engine, account)
        self._speaking: asyncio.Future[tuple[None, None]] | None = None
        """What the node itself tells the chain."""
        self._server: AbciServer | None = None
        self._running: asyncio.Task[int] | None = None
        self._announce = engine.on_block

    async def start(self, block_thread: Executor, submit: Submit) -> None:
        """Answer calls, then run CometBFT, as soon as its signer is there if it has one. `submit` takes in transactions
        of the node itself."""
        self._speaking = asyncio.gather(self._evidence.run(submit), self._observing.run(submit))
        calls = Calls(self._engine, self._folder, self._store, self._joining, self._settings.blocks_kept)
        self._server = AbciServer(calls.by_kind(), block_thread)
        self._announce, self._engine.on_block = self._engine.on_block, self._committed
        await self._server.listen(self._folder.abci_socket)
        self._running = asyncio.create_task(self._run())

    async def failure(self) -> None:
        """Waits for ever, or raises what must stop the node."""
        assert self._server is not None and self._speaking is not None and self._running is not None
        broken, ended = asyncio.ensure_future(self._server.failure()), self._running
        lasting: set[asyncio.Future[Any]] = {broken, ended, self._speaking}
        done, _ = await asyncio.wait(lasting, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {ended}:
            task.result()
        why = self._process.failure or f"CometBFT ended with status {ended.result()}"
        raise ConsensusEnded(f"{why}: see {self._log_path()}")

    async def stop(self) -> None:
        """End CometBFT, then answer no more. When this returns no call is under way."""
        if self._running is not None and self._process.pid is None:
            self._running.cancel()  # it waits for its signer, or has ended
            await asyncio.wait({self._running})
        if self._process.pid is not None:
            await self._process.stop()
        if self._speaking is not None:
            self._speaking.cancel()
        if self._server is not None:
            await self._server.close()
        self._engine.close()

    async def _run(self) -> int:
        """CometBFT, from its signer's first sign of life to its end; its status."""
        if self._home.has_signer:
            try:
                await wait_for_signer(
                    self._folder.run.resolve() / SIGNER_SOCKET,
                    self._beginning.chain_id,
                    self._home.signers_key(),
                    self._say_what_it_waits_for,
                )
            finally:
                self._folder.waits.unlink(missing_ok=True)
        await self._process.start()
        return await self._process.wait()

    def _say_what_it_waits_for(self, sentence: str) -> None:
        log.warning("%s", sentence)
        self._folder.waits.write_text(f"{sentence}\n", encoding="utf-8")

    def close(self) -> None:
        """After the last block, before the database is closed."""
        self._schedule.close()

    def _committed(self, outcome: BlockOutcome) -> None:
        self._announce(outcome)
        self._follow_key()
        self._evidence.look()
        self._observing.look()
        self._schedule.after_commit(outcome.header.height)

    def _follow_key(self) -> None:
        """Once the chain knows this node by its next key, that is its key. What it signed before counts until it
        expires."""
        state, author = self._engine.application.state, self._engine.mempool.author
        node = state.get(NODES, self._engine.node_id)
        is_known = node is not None and node.public_key == author.public_key
        if is_known or not self._folder.next_key.exists():
            return
        key = load_or_create_node_key(self._folder.next_key)
        if known_node(state, key.public_key) is not None:
            take_next_node_key(self._folder)
            author.key = key
            self._engine.recognise()
            log.info("this node has a new key: %s", key.public_key.hex())

    def _restored(self, restoration: Restoration) -> None:
        self._schedule.close()
        self._schedule = self._make_schedule(self._adopt(restoration))
        log.info("goes on from the snapshot of block %d", self._engine.head.height)

    def _make_schedule(self, storage: Storage) -> SnapshotSchedule:
        return SnapshotSchedule(storage, self._store, self._settings.snapshot_blocks, self._engine.metrics.alarm)

    def _log_path(self) -> Path:
        return self._folder.path / LOG
