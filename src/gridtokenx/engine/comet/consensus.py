"""CometBFT beside a node: its process runs, its calls are answered, snapshots are made for others."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gridtokenx.engine.comet.binary import find_cometbft
from gridtokenx.engine.comet.calls import Calls
from gridtokenx.engine.comet.engine import CometEngine
from gridtokenx.engine.comet.evidence import Evidence, Submit
from gridtokenx.engine.comet.home import FOLDER, ConsensusHome, read_beginning
from gridtokenx.engine.comet.joining import Joining
from gridtokenx.engine.comet.launcher import Cometbft, LaunchSettings
from gridtokenx.engine.comet.server import AbciServer
from gridtokenx.engine.folder import DataFolder, NodeKey
from gridtokenx.engine.restoration import Restoration
from gridtokenx.engine.snapshot_schedule import BLOCKS_BETWEEN_SNAPSHOTS, SnapshotSchedule
from gridtokenx.engine.snapshots import SnapshotStore
from gridtokenx.engine.storage import Storage
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
        key: NodeKey,
    ) -> None:
        """`adopt` puts a restored database in the place of the present one, and returns it; `key` signs reports of bad
        batches. Raises `CometMissing`."""
        self._engine = engine
        self._folder = folder
        self._adopt = adopt
        self._settings = settings
        self._store = SnapshotStore(folder.snapshots)
        self._schedule = self._make_schedule(storage)
        data = folder.path.resolve()
        genesis_hash = read_beginning(ConsensusHome(data / FOLDER)).genesis_hash
        self._joining = Joining(folder, engine.application.chain, genesis_hash, self._restored)
        self._process = Cometbft(
            LaunchSettings(data, data / FOLDER, data / LOG, find_cometbft(), processors=settings.processors)
        )
        self._evidence = Evidence(folder.evidence, engine, key)
        engine.on_bad_batch = self._evidence.found
        self._reporting: asyncio.Task[None] | None = None
        self._server: AbciServer | None = None
        self._announce = engine.on_block

    async def start(self, block_thread: Executor, submit: Submit) -> None:
        """Answer calls, then run CometBFT. `submit` takes in transactions of the node itself."""
        self._reporting = asyncio.create_task(self._evidence.run(submit))
        calls = Calls(self._engine, self._folder, self._store, self._joining, self._settings.blocks_kept)
        self._server = AbciServer(calls.by_kind(), block_thread)
        self._announce, self._engine.on_block = self._engine.on_block, self._committed
        await self._server.listen(self._folder.abci_socket)
        await self._process.start()

    async def failure(self) -> None:
        """Waits for ever, or raises what must stop the node."""
        assert self._server is not None and self._reporting is not None
        broken, ended = asyncio.ensure_future(self._server.failure()), asyncio.ensure_future(self._process.wait())
        done, _ = await asyncio.wait({broken, ended, self._reporting}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {ended}:
            task.result()
        why = self._process.failure or f"CometBFT ended with status {ended.result()}"
        raise ConsensusEnded(f"{why}: see {self._log_path()}")

    async def stop(self) -> None:
        """End CometBFT, then answer no more. When this returns no call is under way."""
        await self._process.stop()
        if self._reporting is not None:
            self._reporting.cancel()
        if self._server is not None:
            await self._server.close()
        self._engine.close()

    def close(self) -> None:
        """After the last block, before the database is closed."""
        self._schedule.close()

    def _committed(self, outcome: BlockOutcome) -> None:
        self._announce(outcome)
        self._evidence.look()
        self._schedule.after_commit(outcome.header.height)

    def _restored(self, restoration: Restoration) -> None:
        self._schedule.close()
        self._schedule = self._make_schedule(self._adopt(restoration))
        log.info("goes on from the snapshot of block %d", self._engine.head.height)

    def _make_schedule(self, storage: Storage) -> SnapshotSchedule:
        return SnapshotSchedule(storage, self._store, self._settings.snapshot_blocks, self._engine.metrics.alarm)

    def _log_path(self) -> Path:
        return self._folder.path / LOG
