"""Makers, and nodes that are being restored, are killed at every place there is: a snapshot is whole or not there, a
database is the old one or the new one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from coin_chain import IMPORT_FOLDERS
from coin_engine import open_engine
from tests.snapshots import begin, checkpoint, chunks_of, live, new_folder, resume
from tests.traffic import Traffic, founded

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.faultpoints import EXIT_STATUS, POINTS, VARIABLE
from gridtokenx.engine.folder import DataFolder, settle_databases
from gridtokenx.engine.snapshot_schedule import SnapshotSchedule
from gridtokenx.engine.snapshots import ProvedSnapshot, SnapshotStore
from gridtokenx.ledger.crypto import hash_bytes

ROOT = Path(__file__).parents[2]
HEIGHT = 30
BEFORE = 20

MAKE = """
from pathlib import Path
from coin_engine import open_engine
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.snapshot_schedule import SnapshotSchedule
from gridtokenx.engine.snapshots import SnapshotStore
folder = DataFolder(Path({path!r}))
engine = open_engine(folder.path, start=False)
schedule = SnapshotSchedule(engine.storage, SnapshotStore(folder.snapshots), {every}, print)
schedule.after_commit(engine.application.info().height)
"""

MAKER = """
from pathlib import Path
from tests.snapshots import make
from gridtokenx.engine.snapshots import SnapshotStore
make(Path({checkpoint!r}), SnapshotStore(Path({store!r}), 1), 1_000)
"""

RESTORE = """
from pathlib import Path
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.snapshots import ProvedSnapshot, SnapshotStore
from tests.snapshots import chunks_of, restore
store = SnapshotStore(Path({store!r}))
(snapshot,) = store.newest()
proved = ProvedSnapshot(snapshot, bytes.fromhex({app_hash!r}), "consortium")
restore(DataFolder(Path({path!r})), proved, chunks_of(store, snapshot))
"""


def run(program: str, crash_at: str = "") -> int:
    folders = os.pathsep.join([IMPORT_FOLDERS, str(ROOT)])
    environment = os.environ | {"PYTHONPATH": folders}
    environment.pop(VARIABLE, None)
    if crash_at:
        environment[VARIABLE] = crash_at
    return subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode


class Maker:
    """Checkpoints of two blocks of one chain, and a store for their snapshots that keeps one."""

    def __init__(self, path: Path) -> None:
        world = founded()
        for _ in Traffic(world, 4).steps(HEIGHT):
            pass
        self.genesis = world.genesis
        self.folder = new_folder(path)
        self.store = SnapshotStore(self.folder.snapshots, 1)
        application = begin(CONSORTIUM, world.genesis, self.folder)
        live(application, world.blocks[:BEFORE])
        self.hashes = {BEFORE: application.info().app_hash}
        checkpoint(application, self.checkpoint(BEFORE))
        live(application, world.blocks[BEFORE:])
        self.hashes[HEIGHT] = application.info().app_hash
        checkpoint(application, self.checkpoint(HEIGHT))
        application.storage.close()

    def checkpoint(self, height: int) -> Path:
        return self.folder.path / f"checkpoint-{height}"

    def make(self, height: int, crash_at: str = "") -> int:
        program = MAKER.format(checkpoint=str(self.checkpoint(height)), store=str(self.store.path))
        return run(program, crash_at)

    def whole_height(self) -> int:
        """Of the newest snapshot, after every chunk of all was checked."""
        for snapshot in self.store.newest():
            proved = ProvedSnapshot(snapshot, self.hashes[snapshot.height], "consortium", hash_bytes(self.genesis))
            chunks = chunks_of(self.store, snapshot)
            assert len(chunks) > 3
            for index, chunk in enumerate(chunks):
                read = proved.rows if proved.is_rows(index) else proved.trades
                read(index, chunk)
        return self.store.newest()[0].height


SNAPSHOT_POINTS = [point for point in POINTS if point.startswith("snapshot.") and point != "snapshot.checkpoint_made"]
RESTORE_POINTS = [point for point in POINTS if point.startswith("restore.")]
TIMES = {"snapshot.chunk_written": (1, 2), "restore.chunk_kept": (1, 2), "restore.chunk_applied": (1, 2)}


def cases(points: list[str]) -> list[tuple[str, int]]:
    # Each chunk, and the description, is a file: these are the writes between the other places.
    files = [("folder.file_written", times) for times in (1, 2, 3)]
    return files + [(point, times) for point in points for times in TIMES.get(point, (1,))]


@pytest.mark.parametrize(("point", "times"), cases(SNAPSHOT_POINTS))
def test_a_killed_maker_leaves_whole_snapshots(tmp_path, point, times) -> None:
    maker = Maker(tmp_path / "node")
    assert maker.make(BEFORE) == 0
    assert maker.make(HEIGHT, f"{point}:{times}") == EXIT_STATUS
    published = point in {"snapshot.renamed", "snapshot.older_removed"}
    assert maker.whole_height() == (HEIGHT if published else BEFORE)
    maker.store.clean()
    assert maker.make(HEIGHT) == 0
    assert maker.store.heights() == [HEIGHT]
    assert [path.name for path in maker.store.path.iterdir()] == [str(HEIGHT)]


def test_a_node_killed_after_its_checkpoint_goes_on(tmp_path) -> None:
    folder = DataFolder(tmp_path / "node")
    engine = open_engine(folder.path, start=False)
    for _ in range(3):
        engine.block()
    engine.close()
    assert run(MAKE.format(path=str(folder.path), every=3), "snapshot.checkpoint_made:1") == EXIT_STATUS
    assert [path.name for path in folder.snapshots.iterdir()] == [".checkpoint"]
    engine = open_engine(folder.path, start=False)
    store = SnapshotStore(folder.snapshots)
    schedule = SnapshotSchedule(engine.storage, store, 3, print)
    assert list(folder.snapshots.iterdir()) == []
    schedule.after_commit(engine.application.info().height)
    schedule.wait()
    assert store.heights() == [3]
    engine.close()


@pytest.mark.parametrize(("point", "times"), cases(RESTORE_POINTS))
def test_a_kill_while_restoring_leaves_the_old_or_the_new_database(tmp_path, point, times) -> None:
    maker = Maker(tmp_path / "node")
    assert maker.make(HEIGHT) == 0
    folder = new_folder(tmp_path / "joins")
    application = begin(CONSORTIUM, maker.genesis, folder)
    old = application.info()
    application.storage.close()
    program = RESTORE.format(store=str(maker.store.path), path=str(folder.path), app_hash=maker.hashes[HEIGHT].hex())
    assert run(program, f"{point}:{times}") == EXIT_STATUS
    settle_databases(folder)
    application = resume(CONSORTIUM, folder)
    if point in {"restore.old_set_aside", "restore.swapped"}:
        assert (application.info().height, application.info().app_hash) == (HEIGHT, maker.hashes[HEIGHT])
    else:
        assert application.info() == old
    application.storage.close()
    assert run(program) == 0
    application = resume(CONSORTIUM, folder)
    assert (application.info().height, application.info().app_hash) == (HEIGHT, maker.hashes[HEIGHT])
    assert not folder.new_database.exists()
    assert not folder.old_database.exists()
    application.storage.close()
