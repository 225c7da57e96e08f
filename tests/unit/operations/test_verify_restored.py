"""`verify` of a node that was restored: from its snapshot on, which is checked too (A9, K5)."""

import shutil
from pathlib import Path

import pytest
from tests.snapshots import begin, chunks_of, live, new_folder, proved, restore, resume, take
from tests.traffic import Traffic, founded
from tests.world import NODE

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.folder import DataFolder, create_data_folder
from gridtokenx.engine.snapshots import SnapshotStore, pack, unpack
from gridtokenx.operations.verify import Verification, verify_folder

CHAIN = "gridtokenx.chains.consortium:CONSORTIUM"
PAUSES_MS = (1_000, 20_000, 60_000, 1_200_000)
BLOCKS = 120


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Restored in a halt: the next block voids trades of the snapshot's."""
    path = tmp_path_factory.mktemp("restored")
    world = founded(1_000)
    outcomes = list(Traffic(world, 23, PAUSES_MS).steps(BLOCKS))
    height = next(number for number, outcome in enumerate(outcomes) if number > 30 and outcome.summary.voided_wh)
    source = new_folder(path / "source")
    application = begin(CONSORTIUM, world.genesis, source)
    live(application, world.blocks[:height])
    snapshot = take(application, source, range_bytes=1_500)
    chunks = chunks_of(SnapshotStore(source.snapshots), snapshot)
    joins = create_data_folder(path / "joins", world.genesis, NODE.secrets[0])
    restore(joins, proved(application, snapshot, world.genesis), chunks)
    application.storage.close()
    joined = resume(CONSORTIUM, joins)
    live(joined, world.blocks[height:])
    joined.storage.close()
    return joins


@pytest.fixture
def folder(restored: DataFolder, tmp_path: Path) -> DataFolder:
    """A copy to spoil."""
    shutil.copytree(restored.path, tmp_path / "data")
    return DataFolder(tmp_path / "data")


def verified(folder: DataFolder) -> Verification:
    return verify_folder(folder, CHAIN, 0)


def test_it_begins_at_the_snapshot_and_says_so(folder: DataFolder) -> None:
    found = verified(folder)
    assert found.findings == []
    (note,) = found.notes
    height = BLOCKS - found.blocks
    assert note.startswith(f"this node was restored from the snapshot of block {height}: all after it was verified")
    assert "ask another node whether that block left app hash" in note
    assert found.height == BLOCKS


def test_a_chunk_that_was_changed_is_named(folder: DataFolder) -> None:
    file = folder.beginning / "00003"
    content = bytearray(unpack(file.read_bytes()))
    content[-1] ^= 1
    file.write_bytes(pack(bytes(content)))
    (finding,) = verified(folder).findings
    assert finding.place == "db/beginning"
    assert "chunk 3 (records 03…): a record is missing, of another state, or made up" in finding.what


@pytest.mark.parametrize(("name", "said"), [("00002", "chunk 2 is missing"), ("", "was restored from is missing")])
def test_what_is_missing_is_said(folder: DataFolder, name: str, said: str) -> None:
    path = folder.beginning / name
    path.unlink() if name else shutil.rmtree(path)
    (finding,) = verified(folder).findings
    assert finding.place == "db/beginning"
    assert said in finding.what


def test_trades_of_the_snapshots_block_are_compared(folder: DataFolder) -> None:
    application = resume(CONSORTIUM, folder)
    storage = application.storage
    height = storage.beginning().height
    storage._columns["results"].delete(height.to_bytes(8, "big"))
    storage.close()
    findings = [str(finding) for finding in verified(folder).findings]
    assert findings == [f"results of block {height}: they are missing or cannot be read"]
