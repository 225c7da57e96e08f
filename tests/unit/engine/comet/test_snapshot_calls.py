"""What CometBFT asks of snapshots for others: who is told of one, or is given a part of it, has time to take it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from coin_comet import CoinNode, make_folder, open_node
from tests.snapshots import put

from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.snapshots import FORMAT, SNAPSHOTS_KEPT, Snapshot, SnapshotStore


class Offering:
    """A node, and the store that the maker beside it fills."""

    def __init__(self, path: Path) -> None:
        make_folder(path)
        self.node: CoinNode = open_node(0, path)
        self.store = SnapshotStore(DataFolder(path).snapshots)

    def make(self, *heights: int) -> None:
        for height in heights:
            put(self.store, Snapshot(height, FORMAT, 1, b"", b""))

    def told(self) -> list[int]:
        return [snapshot.height for snapshot in self.node.call("list_snapshots").snapshots]

    def chunk(self, height: int) -> bytes:
        return bytes(self.node.call("load_snapshot_chunk", height=height, format=FORMAT, chunk=0).chunk)


@pytest.fixture
def offering(tmp_path: Path) -> Iterator[Offering]:
    made = Offering(tmp_path / "n")
    yield made
    made.node.crash()


def test_what_somebody_was_told_of_is_there_when_it_asks(offering: Offering) -> None:
    offering.make(1, 2)
    assert offering.told() == [2, 1]
    offering.make(*range(3, 3 + SNAPSHOTS_KEPT + 1))
    assert [offering.chunk(height) for height in (1, 2, 3)] == [b"chunk 1", b"chunk 2", b""], "nobody was told of 3"


def test_what_somebody_takes_chunk_by_chunk_stays(offering: Offering) -> None:
    offering.make(1)
    assert offering.chunk(1) == b"chunk 1"
    offering.make(2, 3, 4)
    assert offering.chunk(1) == b"chunk 1" and offering.told() == [4, 3, 1]
