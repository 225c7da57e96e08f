"""Restoring: chunk by chunk into a new database, which takes the place of the old one at once or not at all."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.snapshots import adopt, begin, chunks_of, live, new_folder, proved, restore, resume, take
from tests.traffic import Traffic, founded
from tests.world import CHAIN, DAY_MS, MINUTE_MS, NODE_ID, batch_of, signed, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import LAST_BLOCK_STATE_KEY, Application, StateDamaged
from gridtokenx.engine.folder import DataFolder, settle_databases
from gridtokenx.engine.restoration import Restoration
from gridtokenx.engine.snapshots import ChunkRejected, ProvedSnapshot, SnapshotStore
from gridtokenx.engine.storage import NONCE_UNUSED, Reader, Storage
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import open_batch
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.commitment import Proof, verify
from gridtokenx.ledger.crypto import hash_bytes, merkle_root
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.genesis import GatheredState, export_state
from gridtokenx.ledger.transaction import Body
from gridtokenx.modules.market.messages import CancelOrder

BLOCKS = 60


class Source:
    """A node with a snapshot."""

    def __init__(self, folder: DataFolder) -> None:
        world = founded()
        traffic = Traffic(world, 11)
        outcome: BlockOutcome = traffic.step()
        while len(world.blocks) < BLOCKS or not outcome.trades:
            outcome = traffic.step()
        self.genesis, self.blocks, self.outcome = world.genesis, world.blocks, outcome
        self.application = begin(CONSORTIUM, world.genesis, folder)
        live(self.application, world.blocks)
        snapshot = take(self.application, folder, range_bytes=2_200)
        self.proved: ProvedSnapshot = proved(self.application, snapshot, world.genesis)
        self.chunks = chunks_of(SnapshotStore(folder.snapshots), snapshot)
        self.head = self.application.storage.head()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    source = Source(new_folder(tmp_path_factory.mktemp("source") / "node"))
    yield source
    source.application.storage.close()


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return new_folder(tmp_path / "joins")


def names(folder: DataFolder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir())


def apply_all(restoration: Restoration, chunks: list[bytes]) -> None:
    for index, chunk in enumerate(chunks):
        restoration.apply(index, chunk)


def test_a_restored_node_stands_where_the_other_does(source: Source, folder: DataFolder) -> None:
    restore(folder, source.proved, source.chunks, seed=1)
    assert names(folder) == ["db", "snapshots"]
    application = resume(CONSORTIUM, folder)
    assert application.info() == source.application.info()
    assert application.storage.head() == source.head
    assert export_state(CONSORTIUM, application.state) == export_state(CONSORTIUM, source.application.state)
    assert list(application.storage.scan()) == list(source.application.storage.scan())
    application.storage.close()


def test_what_is_gathered_on_the_way_need_not_be_read_again(source: Source, folder: DataFolder) -> None:
    gathered = GatheredState(CONSORTIUM)
    restore(folder, source.proved, source.chunks, seed=2, gathered=gathered)
    application = adopt(CONSORTIUM, folder, gathered)
    assert application.info() == source.application.info()
    assert application.last_trades() == source.outcome.trades
    assert export_state(CONSORTIUM, application.state) == export_state(CONSORTIUM, source.application.state)
    assert application.prove(LAST_BLOCK_STATE_KEY) == source.application.prove(LAST_BLOCK_STATE_KEY)
    application.storage.close()


def test_nothing_else_is_adopted(source: Source, folder: DataFolder, tmp_path: Path) -> None:
    restore(folder, source.proved, source.chunks)
    with pytest.raises(Rejected) as rejected:
        adopt(CONSORTIUM, folder, GatheredState(CONSORTIUM))
    assert rejected.value.code == KernelCode.MALFORMED
    gathered = GatheredState(CONSORTIUM)
    restore(new_folder(tmp_path / "another"), source.proved, source.chunks, gathered=gathered)
    present = begin(CONSORTIUM, source.genesis, new_folder(tmp_path / "present"))
    live(present, source.blocks[:7])
    with pytest.raises(StateDamaged, match="block 7"):
        Application(CONSORTIUM).adopt(present.storage, gathered)
    with pytest.raises(StateDamaged, match="empty"):
        Application(CONSORTIUM).adopt(Storage(tmp_path / "empty"), gathered)
    present.storage.close()


def test_its_history_begins_there(source: Source, folder: DataFolder) -> None:
    restore(folder, source.proved, source.chunks)
    application = resume(CONSORTIUM, folder)
    storage, height = application.storage, source.head.height
    assert storage.beginning() == source.head
    assert source.application.storage.beginning() is None
    assert [storage.block(number) for number in (1, height)] == [None, None]
    assert storage.results(height - 1) is None
    assert storage.feed(height) is None
    (place,) = [
        source.application.storage.place_of(receipt[3:35]) for receipt in source.outcome.batches[0].receipts[:1]
    ]
    assert place is not None
    assert storage.place_of(source.outcome.batches[0].receipts[0][3:35]) is None
    results = storage.results(height)
    assert results is not None
    assert (results.app_hash, results.batches) == (source.head.app_hash, ())
    assert results.trades == source.outcome.trades
    assert merkle_root(list(results.trades)) == application.last_block().trades_root
    proof = Proof(results.proof_items, results.proof_path)
    assert verify(results.app_hash, LAST_BLOCK_STATE_KEY, results.last_block, proof)
    storage.close()


def test_it_keeps_the_snapshot_that_it_began_with(source: Source, folder: DataFolder) -> None:
    restore(folder, source.proved, source.chunks)
    kept = folder.beginning
    assert (kept / "snapshot").is_file()
    assert [path.read_bytes() for path in sorted(kept.glob("0*"))] == source.chunks


def test_a_snapshot_of_a_restored_node_is_that_of_the_other(source: Source, folder: DataFolder) -> None:
    restore(folder, source.proved, source.chunks)
    application = resume(CONSORTIUM, folder)
    assert take(application, folder, range_bytes=2_200) == source.proved.snapshot
    application.storage.close()


def test_chunks_may_come_again_and_wrong_ones_between(source: Source, folder: DataFolder) -> None:
    restoration = Restoration(folder, source.proved)
    draw = random.Random(3)
    order = list(range(len(source.chunks))) * 2
    draw.shuffle(order)
    for index in order:
        if index in restoration.missing:
            wrong = source.chunks[index - 1]
            with pytest.raises(ChunkRejected) as rejected:
                restoration.apply(index, wrong)
            assert rejected.value.index == index
            assert index in restoration.missing
        restoration.apply(index, source.chunks[index])
        assert index not in restoration.missing
    restoration.finish()
    application = resume(CONSORTIUM, folder)
    assert application.info() == source.application.info()
    application.storage.close()


def test_nothing_is_finished_before_the_last_chunk(source: Source, folder: DataFolder) -> None:
    restoration = Restoration(folder, source.proved)
    for index, chunk in enumerate(source.chunks[:-1]):
        with pytest.raises(ValueError, match=f"{len(source.chunks) - index} chunks are missing"):
            restoration.finish()
        restoration.apply(index, chunk)
    restoration.abandon()
    assert names(folder) == ["db", "snapshots"]
    assert list(folder.database.iterdir()) == []


def test_the_present_database_stays_until_the_new_one_is_whole(source: Source, folder: DataFolder) -> None:
    present = begin(CONSORTIUM, source.genesis, folder)
    live(present, source.blocks[:7])
    present.storage.close()
    restoration = Restoration(folder, source.proved)
    apply_all(restoration, source.chunks)
    again = resume(CONSORTIUM, folder)
    assert again.info().height == 7
    again.storage.close()
    restoration.finish()
    restored = resume(CONSORTIUM, folder)
    assert restored.info() == source.application.info()
    restored.storage.close()


def test_an_attempt_that_was_left_goes_when_the_next_begins(source: Source, folder: DataFolder) -> None:
    first = Restoration(folder, source.proved)
    first.apply(0, source.chunks[0])
    first._storage.close()
    restore(folder, source.proved, source.chunks)
    assert names(folder) == ["db", "snapshots"]


@pytest.mark.parametrize(
    ("there", "left"),
    [
        ({"db": "present"}, "present"),
        ({"db": "present", "db.new": "unfinished"}, "present"),
        ({"db.old": "present", "db.new": "restored"}, "restored"),
        ({"db": "restored", "db.old": "present"}, "restored"),
        ({"db.new": "unfinished"}, None),
        ({}, None),
    ],
)
def test_a_start_settles_what_a_stop_left(tmp_path: Path, there: dict[str, str], left: str | None) -> None:
    folder = DataFolder(tmp_path)
    for name, content in there.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text(content)
    for _ in range(2):
        settle_databases(folder)
        assert names(folder) == ([] if left is None else ["db"])
        assert left is None or (folder.database / "content").read_text() == left


def test_a_follower_reads_a_restored_database(source: Source, folder: DataFolder, tmp_path: Path) -> None:
    restore(folder, source.proved, source.chunks)
    reader = Reader(folder.database, tmp_path / "own")
    assert reader.beginning() == reader.head() == source.head
    assert reader.receipt_of(hash_bytes(b"a transaction")) is None
    reader.close()


def repeated(source: Source, time_ms: int, number: int) -> Block:
    """A block with a transaction of the last block in a new batch."""
    wire = open_batch(source.blocks[-1].batches[0])[0].transactions[0]
    height = source.head.height + number
    return Block(height, time_ms, NODE_ID, (batch_of([wire], 10**6 + number, time_ms + MINUTE_MS),))


def test_what_an_earlier_block_may_have_seen_is_not_told_otherwise(source: Source, folder: DataFolder) -> None:
    """The transaction succeeded before the snapshot; its repetition does nothing, here as everywhere."""
    restore(folder, source.proved, source.chunks)
    application = resume(CONSORTIUM, folder)
    first = source.outcome.batches[0].receipts[0]
    begin_ms = source.head.time_ms
    again = application.storage
    for number, time_ms in enumerate((begin_ms + 1_000, begin_ms + 5 * MINUTE_MS + 1, begin_ms + DAY_MS), 1):
        (outcome,) = live(application, [repeated(source, time_ms, number)])
        (receipt,) = outcome.batches[0].receipts
        assert receipt[3:35] == first[3:35]
        assert receipt[35] in NONCE_UNUSED
        assert again.place_of(receipt[3:35]) is None
    again.close()


def test_what_is_new_is_told(source: Source, folder: DataFolder) -> None:
    restore(folder, source.proved, source.chunks)
    application = resume(CONSORTIUM, folder)
    time_ms = source.head.time_ms + limits.TRANSACTION_LIFETIME_MS_MAX + 1
    stranger = Body(CHAIN, hash_bytes(b"nobody"), 1, time_ms + MINUTE_MS, (CancelOrder(bytes(8)),))
    wire = signed(signer("nobody"), stranger)
    height = source.head.height + 1
    block = Block(height, time_ms, NODE_ID, (batch_of([wire], 10**6, time_ms + MINUTE_MS),))
    (outcome,) = live(application, [block])
    (receipt,) = outcome.batches[0].receipts
    assert receipt[35] in NONCE_UNUSED
    assert application.storage.place_of(receipt[3:35]) == (height, 0, 0, receipt[35], False)
    application.storage.close()
