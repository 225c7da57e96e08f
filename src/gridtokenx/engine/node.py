"""The node process: ledger, engine and intake of one data folder.

    python -m gridtokenx.engine.node --data DIR --chain gridtokenx.chains.consortium:CONSORTIUM

One thread makes blocks, one writes the journal, and the event loop talks to callers over `run/node.sock`; verify
workers are processes of their own. SIGTERM and SIGINT end it cleanly. It exits with 2 if it cannot start and with 3
if it had to stop before a commit: the last line on standard error says why, and the next start loses nothing.
"""

import argparse
import asyncio
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from gridtokenx.engine.application import Application, StateDamaged, tame_garbage_collector
from gridtokenx.engine.clocks import ChainClock, Clock, RealClock, ScenarioClock
from gridtokenx.engine.comet.binary import CometMissing
from gridtokenx.engine.comet.consensus import Consensus, ConsensusSettings
from gridtokenx.engine.comet.engine import CometEngine
from gridtokenx.engine.comet.home import FOLDER, ConsensusHome, read_beginning
from gridtokenx.engine.database import DatabaseFailed
from gridtokenx.engine.ending import told_to_end
from gridtokenx.engine.engine import LostBlocks, NotLicensed, node_id_of, require_whole
from gridtokenx.engine.folder import (
    DataFolder,
    FolderLock,
    FolderUnusable,
    load_or_create_node_key,
    settle_databases,
)
from gridtokenx.engine.intake import PAUSE_SECONDS_CONSENSUS, Intake
from gridtokenx.engine.journal import SEGMENT_BYTES_MAX, Journal, JournalDamaged
from gridtokenx.engine.mempool import BatchAuthor, Mempool
from gridtokenx.engine.metrics import Metrics
from gridtokenx.engine.restoration import Restoration
from gridtokenx.engine.server import Server
from gridtokenx.engine.snapshot_schedule import BLOCKS_BETWEEN_SNAPSHOTS
from gridtokenx.engine.solo import BLOCK_INTERVAL_MS, SoloEngine
from gridtokenx.engine.storage import Place, Storage
from gridtokenx.engine.verifier import Verifier
from gridtokenx.engine.worker import load_chain
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.freeze import FREEZE
from gridtokenx.ledger.validator import UNKNOWN_NODE

EXIT_CANNOT_START: Final = 2
EXIT_STOPPED: Final = 3

FEED_PREFIXES: Final = (
    *(0x06, 0x0A, 0x0C, 0x0D, 0x21, 0x22, 0x24, 0x27, 0x28, 0x29, 0x2A),
    *(0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x3A, 0x3B),
    *(0x50, 0x51, 0x60, 0x62, 0x63, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x73, 0x74, 0x76),
)
"""Tables whose changes are kept for followers: what a gateway follows (`gateway.readmodel.FOLLOWED`)."""

SWITCH_SECONDS: Final = 0.002
"""How long the thread that makes blocks may keep the event loop waiting."""

CANNOT_START = (
    FolderUnusable, JournalDamaged, StateDamaged, LostBlocks, NotLicensed, DatabaseFailed, Rejected, CometMissing,
    OSError,
)  # fmt: skip

WORKERS: Final = min(os.cpu_count() or 1, 8)

log = logging.getLogger("gridtokenx.node")


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What a node is started with. `speed` 0: real time; else a scenario clock that runs so many times faster. With
    `consensus` it makes its blocks with others, in their time. With `history` it keeps all versions of all records.
    With `end_with_input` it ends when its standard input does: for a supervisor that may die."""

    data: Path
    chain: str
    speed: int = 0
    workers: int = WORKERS
    interval_ms: int = BLOCK_INTERVAL_MS
    feed_prefixes: tuple[int, ...] = FEED_PREFIXES
    journal_segment_bytes: int = SEGMENT_BYTES_MAX
    end_with_input: bool = False
    consensus: ConsensusSettings | None = None
    history: bool = False


class Node:
    """One node, from its folder to its end."""

    def __init__(self, settings: NodeSettings) -> None:
        """Open everything and go on where the last run ended. Raises one of `CANNOT_START`."""
        self.settings = settings
        self.folder = DataFolder(settings.data)
        self.folder.require()
        self._lock = FolderLock(self.folder)
        # First, while this process has no threads and no database that a child could inherit.
        self.verifier = Verifier(settings.chain, settings.workers)
        settle_databases(self.folder)
        self.storage = self._open_storage()
        self.application = Application(load_chain(settings.chain), self.storage)
        if not self.application.load():
            self._begin()
        self.journal = Journal(self.folder.journal, segment_bytes_max=settings.journal_segment_bytes)
        require_whole(self.application, self.journal, blocks_return=settings.consensus is not None)
        self.metrics = Metrics()
        self._key = load_or_create_node_key(self.folder.key)
        self.engine = self._make_engine()
        self._consensus: Consensus | None = None
        if isinstance(self.engine, CometEngine) and settings.consensus is not None:
            self._consensus = Consensus(self.folder, self.engine, self.storage, self._adopt, settings.consensus)
        if self.journal.torn is not None:
            self.metrics.alarm(f"cut an unfinished entry off the journal: {self.journal.torn}")
        self.engine.restore(self.journal.recovered)
        self.journal.recovered.clear()

    def _begin(self) -> None:
        if self.settings.consensus is not None:
            # Consensus says with what: with the genesis, or with a snapshot.
            beginning = read_beginning(ConsensusHome(self.folder.path / FOLDER))
            self.application.expect(beginning.chain_id, beginning.time_ms)
            return
        with self.folder.genesis.open("rb") as genesis:
            self.application.init_chain(genesis)

    def _open_storage(self) -> Storage:
        return Storage(self.folder.database, feed_prefixes=self.settings.feed_prefixes, history=self.settings.history)

    def _make_engine(self) -> SoloEngine | CometEngine:
        key = self._key
        state, chain = self.application.state, self.application.info().chain
        # With consensus a node may follow the chain before it is admitted: it takes nothing in until then.
        node_id = UNKNOWN_NODE if self.settings.consensus is not None else node_id_of(state, key.public_key)
        author = BatchAuthor(chain, node_id, key, self.journal.next_number)
        rows = state.rows
        mempool = Mempool(chain, author, rows[ACCOUNTS.prefix], self._place_of, rows[FREEZE.prefix])
        parts = self.application, mempool, self._make_clock(), node_id
        if self.settings.consensus is not None:
            return CometEngine(*parts, journal=self.journal, verifier=self.verifier, metrics=self.metrics)
        return SoloEngine(*parts, journal=self.journal, verifier=self.verifier, metrics=self.metrics)

    def _place_of(self, transaction_id: bytes) -> Place | None:
        return self.storage.place_of(transaction_id)  # of the present database: another may take its place

    def _make_clock(self) -> Clock:
        if self.settings.consensus is not None:
            return ChainClock()
        return ScenarioClock(self.settings.speed) if self.settings.speed else RealClock()

    def _adopt(self, restoration: Restoration) -> Storage:
        """A snapshot takes the place of what this node had."""
        self.storage.close()
        restoration.finish()
        self.storage = self._open_storage()
        assert isinstance(self.engine, CometEngine), "only consensus offers snapshots"
        assert restoration.gathered is not None, "it was asked to"
        self.application.adopt(self.storage, restoration.gathered)
        self.engine.adopted()
        return self.storage

    async def serve(self) -> None:
        """Take transactions and make blocks until a signal says stop; then close everything. Whatever must stop the
        node at once ends the process here."""
        stopping, stop_blocks = told_to_end(with_input=self.settings.end_with_input), threading.Event()
        pause_seconds = 0.0 if self._consensus is None else PAUSE_SECONDS_CONSENSUS
        intake = Intake(self.engine, self.verifier, pause_seconds)
        server = Server(self.engine, intake, self.verifier)
        blocks = await self._begin_blocks(server, intake, stop_blocks, stopping)
        await _first_of(blocks, server.listen(self.folder.socket))
        self.folder.pid.write_text(f"{os.getpid()}\n")
        log.info("node %s listens on %s", self.engine.node_id.hex(), self.folder.socket)
        journaling = asyncio.create_task(intake.run())
        await _first_of(blocks, journaling, server.failure(), stopping.wait())
        log.info("node %s stops", self.engine.node_id.hex())
        await _first_of(blocks, journaling, server.close())
        stop_blocks.set()
        if self._consensus is not None:
            blocks.cancel()
            await self._consensus.stop()
        else:
            await _first_of(blocks)
        journaling.cancel()
        self.close()

    async def _begin_blocks(
        self, server: Server, intake: Intake, stop: threading.Event, stopping: asyncio.Event
    ) -> "asyncio.Future[None]":
        """Returns when there is a block, or when the node is to stop before: then what has no end but a failure."""
        loop, started = asyncio.get_running_loop(), asyncio.Event()
        block_thread = ThreadPoolExecutor(1, "blocks")

        def announce(outcome: BlockOutcome) -> None:
            server.announce(outcome)
            loop.call_soon_threadsafe(started.set)

        self.engine.on_block = announce
        if self._consensus is not None:
            await self._consensus.start(block_thread, intake.submit)
            if self.engine.head.height:
                started.set()
            blocks: asyncio.Future[None] = asyncio.ensure_future(self._consensus.failure())
        else:
            blocks = loop.run_in_executor(block_thread, self._make_blocks, stop)
        await _first_of(blocks, started.wait(), stopping.wait())
        return blocks

    def _make_blocks(self, stop: threading.Event) -> None:
        assert isinstance(self.engine, SoloEngine), "consensus asks for its blocks"
        self.engine.start()
        self.engine.run(stop, self.settings.interval_ms)

    def close(self) -> None:
        """Let go of everything, after the last block."""
        if self._consensus is not None:
            self._consensus.close()
        self.verifier.close()
        self.journal.close()
        self.storage.close()
        self.folder.socket.unlink(missing_ok=True)
        self.folder.pid.unlink(missing_ok=True)
        self._lock.release()


async def _first_of(*work: Awaitable[object]) -> None:
    """Wait until one of them is done. If it failed, the node ends, without any clean-up: what is open may be what is
    broken, and everything that was promised is on the disk."""
    tasks = [asyncio.ensure_future(one) for one in work]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        error = task.exception()
        if error is not None:
            stop_now(error)


def stop_now(error: BaseException) -> NoReturn:
    """End the process before it commits anything more."""
    log.error("stopped before the next commit: %r", error, exc_info=error)
    print(f"node stopped, nothing is lost, start it again when this is mended: {error!r}", file=sys.stderr)
    sys.stderr.flush()
    os._exit(EXIT_STOPPED)


def run_node(settings: NodeSettings) -> int:
    """Run a node until it is told to stop; returns its exit status."""
    try:
        node = Node(settings)
    except CANNOT_START as error:
        print(f"node cannot start: {error}", file=sys.stderr)
        return EXIT_CANNOT_START
    tame_garbage_collector()
    sys.setswitchinterval(SWITCH_SECONDS)
    asyncio.run(node.serve())
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of the node process."""
    parser = argparse.ArgumentParser(prog="gridtokenx.engine.node", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--chain", required=True, help="import path, such as package.module:NAME")
    parser.add_argument("--speed", type=int, default=0, help="0: real time; else how much faster than it")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--interval-ms", type=int, default=BLOCK_INTERVAL_MS)
    parser.add_argument(
        "--feed",
        type=lambda text: tuple(int(prefix) for prefix in text.split(",")),
        default=FEED_PREFIXES,
        help="prefixes of the tables whose changes the feed keeps, such as 98,99",
    )
    parser.add_argument("--journal-segment-bytes", type=int, default=SEGMENT_BYTES_MAX)
    parser.add_argument("--end-with-input", action="store_true")
    parser.add_argument("--consensus", action="store_true", help="make blocks with others, by CometBFT")
    parser.add_argument("--snapshot-blocks", type=int, default=BLOCKS_BETWEEN_SNAPSHOTS, help="0: no snapshots")
    parser.add_argument("--blocks-kept", type=int, default=0, help="for others, by CometBFT; 0: all")
    parser.add_argument("--processors", type=int, default=None, help="threads of CometBFT that run at once")
    parser.add_argument("--history", action="store_true", help="keep all versions of all records: an archive")
    given = parser.parse_args(arguments)
    if given.history and given.blocks_kept:
        parser.error("an archive keeps all blocks: leave out --blocks-kept")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    settings = NodeSettings(
        given.data,
        given.chain,
        given.speed,
        given.workers,
        given.interval_ms,
        given.feed,
        given.journal_segment_bytes,
        given.end_with_input,
        ConsensusSettings(given.snapshot_blocks, given.blocks_kept, given.processors) if given.consensus else None,
        given.history,
    )
    return run_node(settings)


if __name__ == "__main__":
    sys.exit(main())
