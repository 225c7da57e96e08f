"""When snapshots are made: at every so many blocks, by one process at a time; a failure is an alarm."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from coin_chain import COIN, genesis
from coin_engine import CoinEngine, open_engine
from tests.snapshots import chunks_of, restore, resume

from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.snapshot_schedule import SnapshotSchedule
from gridtokenx.engine.snapshots import ProvedSnapshot, SnapshotStore
from gridtokenx.ledger.crypto import hash_bytes


class Scheduled:
    """An engine and what it tells a schedule."""

    def __init__(self, path: Path, every_blocks: int) -> None:
        self.folder = DataFolder(path)
        self.engine: CoinEngine = open_engine(path, start=False, sync=False)
        self.store = SnapshotStore(self.folder.snapshots)
        self.alarms: list[str] = []
        self.schedule = SnapshotSchedule(self.engine.storage, self.store, every_blocks, self.alarms.append)
        self.hashes: dict[int, bytes] = {}

    def block(self) -> None:
        _, outcome = self.engine.block()
        height = outcome.header.height
        self.hashes[height] = outcome.app_hash
        self.schedule.after_commit(height)

    def leftovers(self) -> list[str]:
        return [path.name for path in self.store.path.glob(".*")]


@pytest.fixture
def scheduled(tmp_path: Path) -> Iterator[Scheduled]:
    scheduled = Scheduled(tmp_path / "node", 3)
    yield scheduled
    scheduled.schedule.close()
    scheduled.engine.close()


def test_every_so_many_blocks(scheduled: Scheduled, tmp_path: Path) -> None:
    for _ in range(10):
        scheduled.block()
        scheduled.schedule.wait()
    assert scheduled.alarms == []
    assert scheduled.leftovers() == []
    assert scheduled.store.heights() == [9, 6]
    snapshot = scheduled.store.newest()[0]
    proved = ProvedSnapshot(snapshot, scheduled.hashes[9], "coin", hash_bytes(genesis()))
    folder = DataFolder(tmp_path / "joins")
    folder.database.mkdir(parents=True)
    restore(folder, proved, chunks_of(scheduled.store, snapshot))
    application = resume(COIN, folder)
    assert (application.info().height, application.info().app_hash) == (9, scheduled.hashes[9])
    application.storage.close()


def test_never_two_at_once(scheduled: Scheduled) -> None:
    for _ in range(3):
        scheduled.block()
    maker = scheduled.schedule._maker
    assert maker is not None
    # The first maker cannot have seen these.
    for _ in range(3):
        scheduled.block()
        assert scheduled.schedule._maker in (maker, None) or maker.poll() is not None
    scheduled.schedule.wait()
    assert 3 in scheduled.store.heights() or 6 in scheduled.store.heights()


def test_a_maker_that_fails_is_an_alarm(scheduled: Scheduled) -> None:
    scheduled.engine.storage.write_rows([(b"\x71 a stray", b"record")])
    for _ in range(4):
        scheduled.block()
        scheduled.schedule.wait()
    (alarm,) = scheduled.alarms
    assert alarm.startswith("no snapshot was made: ")
    assert "the records do not lead to the app hash of block 3" in alarm
    assert scheduled.store.heights() == []
    assert scheduled.leftovers() == []


def test_a_checkpoint_that_fails_is_an_alarm(scheduled: Scheduled) -> None:
    scheduled.store.path.write_text("not a folder")
    for _ in range(4):
        scheduled.block()
    (alarm,) = scheduled.alarms
    assert alarm.startswith("no snapshot of block 3: ")
    scheduled.store.path.unlink()


def test_none_if_nobody_wants_any(tmp_path: Path) -> None:
    scheduled = Scheduled(tmp_path / "node", 0)
    for _ in range(4):
        scheduled.block()
    assert scheduled.schedule._maker is None
    assert not scheduled.store.path.exists()
    scheduled.engine.close()


def test_a_maker_ends_with_its_node(scheduled: Scheduled) -> None:
    for _ in range(3):
        scheduled.block()
    maker = scheduled.schedule._maker
    assert maker is not None
    scheduled.schedule.close()
    assert maker.returncode is not None
    assert scheduled.alarms == []
    assert scheduled.leftovers() == []


def test_a_maker_without_a_parent_ends(scheduled: Scheduled, tmp_path: Path) -> None:
    scheduled.block()
    pipe = tmp_path / "never-written"
    subprocess.run(["mkfifo", str(pipe)], check=True)
    # It would read this pipe for ever: only the end of its input ends it.
    program = (
        "import threading; from pathlib import Path; from gridtokenx.engine import snapshot_maker\n"
        f"snapshot_maker.make_snapshot = lambda reader, store: open({str(pipe)!r}).read()\n"
        "snapshot_maker.Reader = lambda path, own: None\n"
        "snapshot_maker.main(Path('.'), None)"
    )
    maker = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    maker.stdin.close()
    assert maker.wait() == 1


def test_what_a_stopped_node_left_goes_at_the_next_start(scheduled: Scheduled) -> None:
    draft = scheduled.store.draft(3)
    draft.write_chunk(0, b"half")
    scheduled.engine.storage.checkpoint(scheduled.store.path / ".checkpoint")
    SnapshotSchedule(scheduled.engine.storage, scheduled.store, 3, scheduled.alarms.append)
    assert scheduled.leftovers() == []
