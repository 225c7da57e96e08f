"""When a node makes snapshots: every so many blocks, one at a time, in a process of its own.

Between two blocks the node makes a checkpoint of its database (links to files); the rest is the maker's. A maker that
fails is an alarm, and the node goes on.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import IO, Final

from gridtokenx.engine.database import DatabaseFailed
from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.snapshots import SnapshotStore
from gridtokenx.engine.storage import Storage

BLOCKS_BETWEEN_SNAPSHOTS: Final = 1_000
"""A quarter of an hour of blocks of one second: what a node that joins has to run through at most."""

CHECKPOINT: Final = ".checkpoint"

BLOCKS_TO_FLUSH: Final = 5
"""So long before a checkpoint the database begins to write its memory to files, in the background."""


class SnapshotSchedule:
    """To be used by the thread that makes blocks."""

    def __init__(self, storage: Storage, store: SnapshotStore, every_blocks: int, alarm: Callable[[str], None]) -> None:
        """At every height that `every_blocks` divides; never with 0. What a stopped run left unfinished goes now."""
        self._storage = storage
        self._store = store
        self._every_blocks = every_blocks
        self._alarm = alarm
        self._checkpoint = store.path / CHECKPOINT
        self._maker: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        store.clean()

    def after_commit(self, height: int) -> None:
        """Block `height` is committed and the next is not begun. Never raises for want of a snapshot."""
        if self._maker is not None and self._maker.poll() is not None:
            self._finish(self._maker)
        if not self._every_blocks or self._maker is not None:
            return
        try:
            if (height + BLOCKS_TO_FLUSH) % self._every_blocks == 0:
                self._storage.begin_flush()
            if height % self._every_blocks == 0:
                self._start()
        except (DatabaseFailed, OSError) as error:
            self._forget_checkpoint()
            self._alarm(f"no snapshot of block {height}: {error}")

    def wait(self) -> None:
        """Until the maker that is at work has ended."""
        if self._maker is not None:
            self._maker.wait()
            self._finish(self._maker)

    def close(self) -> None:
        """End a maker that is at work; what it did not finish goes."""
        if self._maker is not None and self._maker.stdin is not None:
            self._maker.stdin.close()
            self._maker.wait()
            self._forget_maker()
        self._store.clean()

    def _start(self) -> None:
        self._store.path.mkdir(mode=0o700, exist_ok=True)
        self._forget_checkpoint()
        self._storage.checkpoint(self._checkpoint)
        reached("snapshot.checkpoint_made")
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the maker has ended
        parts = (self._checkpoint, self._store.path, self._store.keep)
        self._maker = subprocess.Popen(
            [sys.executable, "-m", "gridtokenx.engine.snapshot_maker", *map(str, parts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
        )

    def _finish(self, maker: "subprocess.Popen[bytes]") -> None:
        if maker.returncode and self._said is not None:
            self._said.seek(0)
            lines = self._said.read().decode(errors="replace").split("\n")
            last = next((line for line in reversed(lines) if line), f"exit status {maker.returncode}")
            self._alarm(f"no snapshot was made: {last}")
        self._forget_maker()
        self._store.clean()

    def _forget_maker(self) -> None:
        if self._maker is not None and self._maker.stdin is not None:
            self._maker.stdin.close()
        if self._said is not None:
            self._said.close()
        self._maker = self._said = None

    def _forget_checkpoint(self) -> None:
        shutil.rmtree(self._checkpoint, ignore_errors=True)
