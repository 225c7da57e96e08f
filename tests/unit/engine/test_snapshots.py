"""Snapshots: what proves them, what is no chunk, and what lies on the disk."""

import os
import random
import zlib
from collections.abc import Iterator

import msgspec
import pytest
from tests.snapshots import begin, chunks_of, live, new_folder, proved, put, take
from tests.traffic import Traffic, founded

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine import snapshots
from gridtokenx.engine.application import Application
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.snapshot_maker import SnapshotImpossible
from gridtokenx.engine.snapshots import (
    ASKED,
    CONTENT_BYTES_MAX,
    SNAPSHOTS_KEPT_MAX,
    TAKEN_WITHIN_S,
    ChunkDamaged,
    ChunkRejected,
    FormatUnknown,
    Metadata,
    ProvedSnapshot,
    Snapshot,
    SnapshotRejected,
    SnapshotStore,
    pack,
    unpack,
)
from gridtokenx.engine.storage import Reader
from gridtokenx.ledger.codec import Decoder, encode
from gridtokenx.ledger.commitment import Commitment
from gridtokenx.ledger.crypto import hash_bytes, merkle_root
from gridtokenx.ledger.ranges import range_hash

BLOCKS = 150
RANGE_BYTES = 2_200
decode_metadata: Decoder[Metadata] = Decoder(Metadata)
decode_rows: Decoder[list[tuple[bytes, bytes]]] = Decoder(list[tuple[bytes, bytes]])


class Taken:
    """A chain after some traffic, its last block one with trades, and a snapshot of it with many small chunks."""

    def __init__(self, folder: DataFolder) -> None:
        world = founded()
        traffic = Traffic(world, 3)
        outcome = traffic.step()
        while len(world.blocks) < BLOCKS or not outcome.trades:
            outcome = traffic.step()
        self.folder = folder
        self.genesis = world.genesis
        self.blocks = world.blocks
        self.application = begin(CONSORTIUM, world.genesis, folder)
        self.outcome = live(self.application, world.blocks)[-1]
        self.snapshot = take(self.application, folder, range_bytes=RANGE_BYTES)
        self.store = SnapshotStore(folder.snapshots)
        self.chunks = chunks_of(self.store, self.snapshot)
        self.proved = proved(self.application, self.snapshot, self.genesis)
        self.metadata = decode_metadata(self.snapshot.metadata)


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    taken = Taken(new_folder(tmp_path_factory.mktemp("taken") / "node"))
    yield taken
    assert taken.application.storage is not None
    taken.application.storage.close()


def with_metadata(taken: Taken, **changes: object) -> Snapshot:
    """The snapshot with other metadata, named by their hash."""
    metadata = encode(msgspec.structs.replace(taken.metadata, **changes))
    return msgspec.structs.replace(taken.snapshot, metadata=metadata, hash=hash_bytes(metadata))


# What is in a snapshot


def test_a_snapshot_holds_every_record_once(taken: Taken) -> None:
    ranges = taken.metadata.ranges
    assert len(ranges) > 16
    assert {len(prefix) for prefix, _ in ranges} >= {1, 2}, "ranges of several depths"
    rows = [row for index in range(len(ranges)) for row in taken.proved.rows(index, taken.chunks[index])]
    assert Commitment.build(rows).root() == taken.application.info().app_hash
    assert taken.application.storage is not None
    assert sorted(rows) == list(taken.application.storage.scan())


def test_and_the_trades_of_the_last_block(taken: Taken) -> None:
    last = len(taken.chunks) - 1
    assert not taken.proved.is_rows(last)
    assert taken.proved.trades(last, taken.chunks[last]) == taken.outcome.trades


def test_many_trades_are_several_chunks(taken: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    trades = tuple(b"trade %d" % number for number in range(77))
    runs = [trades[start : start + 16] for start in range(0, 77, 16)]
    roots = tuple(merkle_root(list(run)) for run in runs)
    snapshot = with_metadata(taken, trades=roots)
    last = msgspec.structs.replace(taken.proved.last_block, trades_root=merkle_root(list(trades)))
    monkeypatch.setattr(ProvedSnapshot, "_proved_last_block", lambda self: last)
    chunks = len(taken.metadata.ranges) + len(runs)
    snapshot = msgspec.structs.replace(snapshot, chunks=chunks)
    many = ProvedSnapshot(snapshot, taken.proved.app_hash, "consortium")
    for number, run in enumerate(runs):
        index = len(taken.metadata.ranges) + number
        assert many.trades(index, pack(encode(run))) == run
        for other in ((), run[:-1], (*run, b"more"), run[1:] + run[:1], runs[number - 1]):
            with pytest.raises(ChunkRejected, match="not those of the last block"):
                many.trades(index, pack(encode(other)))


def test_one_state_makes_one_snapshot(taken: Taken, tmp_path) -> None:
    folder = new_folder(tmp_path / "node")
    application = begin(CONSORTIUM, taken.genesis, folder)
    live(application, taken.blocks)
    assert take(application, folder, range_bytes=RANGE_BYTES) == taken.snapshot
    assert take(application, folder, range_bytes=10**6).chunks == 2
    application.storage.close()


def test_of_a_genesis_there_is_none(taken: Taken, tmp_path) -> None:
    folder = new_folder(tmp_path / "node")
    application = begin(CONSORTIUM, taken.genesis, folder)
    with pytest.raises(SnapshotImpossible, match="no block yet"):
        take(application, folder)
    application.storage.close()


def test_of_damaged_records_there_is_none(taken: Taken, tmp_path) -> None:
    folder = new_folder(tmp_path / "node")
    application = begin(CONSORTIUM, taken.genesis, folder)
    live(application, taken.blocks[:3])
    application.storage.write_rows([(b"\x22 a stray", b"record")])
    with pytest.raises(SnapshotImpossible, match="do not lead to the app hash of block 3"):
        take(application, folder)
    assert list(folder.snapshots.iterdir()) == []
    application.storage.close()


# What proves a snapshot


def test_another_format_is_another_matter(taken: Taken) -> None:
    with pytest.raises(FormatUnknown, match="its format is 2, this node reads 1"):
        proved(taken.application, msgspec.structs.replace(taken.snapshot, format=2), taken.genesis)


def offers(taken: Taken) -> Iterator[tuple[Snapshot, str]]:
    """Snapshots that are none, and why."""
    replace = msgspec.structs.replace
    snapshot, metadata = taken.snapshot, taken.metadata
    ranges, trades = metadata.ranges, metadata.trades
    yield replace(snapshot, hash=bytes(32)), "its hash is not that of its metadata"
    yield replace(snapshot, metadata=snapshot.metadata + b"\x00"), "its hash is not"
    yield replace(snapshot, height=snapshot.height + 1), "its state is of height"
    yield replace(snapshot, chunks=snapshot.chunks + 1), "it says it has"
    yield replace(snapshot, chunks=0), "it says it has"
    large = bytes(snapshots.METADATA_BYTES_MAX + 1)
    yield replace(snapshot, metadata=large, hash=hash_bytes(large)), "more than 2097152 bytes"
    for nonsense in (b"", b"\x00", snapshot.metadata[:-1], b"\x97" * 1_000):
        yield replace(snapshot, metadata=nonsense, hash=hash_bytes(nonsense)), "cannot be read"
    yield with_metadata(taken, kind="public"), "of a public chain"
    yield with_metadata(taken, genesis_hash=bytes(32)), "began with genesis 0000"
    yield with_metadata(taken, last_block=metadata.last_block + b"\x00"), "record of the last block"
    yield with_metadata(taken, proof_items=metadata.proof_items[:-64]), "record of the last block"
    yield with_metadata(taken, proof_path=()), "record of the last block"
    yield with_metadata(taken, ranges=ranges[1:]), "not all there"
    yield with_metadata(taken, ranges=(*ranges, ranges[-1])), "not all there"
    yield with_metadata(taken, ranges=((ranges[0][0], bytes(32)), *ranges[1:])), "do not lead to the app hash"
    yield with_metadata(taken, ranges=(("", bytes(32)),)), "do not lead to the app hash"
    yield with_metadata(taken, trades=()), "its trades are not"
    yield with_metadata(taken, trades=(trades[0][:-1],)), "its trades are not"
    yield with_metadata(taken, trades=(*trades, trades[0])), "its trades are not"


def test_what_does_not_lead_to_the_app_hash_is_rejected_before_the_first_chunk(taken: Taken) -> None:
    for offer, reason in offers(taken):
        with pytest.raises(SnapshotRejected, match=reason) as rejected:
            proved(taken.application, offer, taken.genesis)
        assert not isinstance(rejected.value, FormatUnknown)


def test_a_snapshot_of_another_block_is_rejected(taken: Taken) -> None:
    with pytest.raises(SnapshotRejected, match="does not lead to the app hash"):
        ProvedSnapshot(taken.snapshot, hash_bytes(b"another block"), "consortium")


# What is no chunk


def smallest(taken: Taken) -> int:
    """Index of the chunk with the fewest bytes that holds more than one record."""
    return min(
        range(len(taken.metadata.ranges)), key=lambda index: (len(taken.chunks[index]) < 200, len(taken.chunks[index]))
    )


def test_every_flipped_byte_of_a_chunk_is_noticed(taken: Taken) -> None:
    draw = random.Random(5)
    for index in (smallest(taken), len(taken.chunks) - 1):
        read = taken.proved.rows if taken.proved.is_rows(index) else taken.proved.trades
        chunk = taken.chunks[index]
        for place in range(len(chunk)):
            flipped = bytearray(chunk)
            flipped[place] ^= draw.randrange(1, 256)
            with pytest.raises(ChunkRejected, match=rf"chunk {index} \(.*damaged on its way"):
                read(index, bytes(flipped))


def test_every_flipped_byte_of_what_it_holds_is_noticed(taken: Taken) -> None:
    draw = random.Random(6)
    for index in (smallest(taken), len(taken.chunks) - 1):
        read = taken.proved.rows if taken.proved.is_rows(index) else taken.proved.trades
        content = unpack(taken.chunks[index])
        for place in range(len(content)):
            flipped = bytearray(content)
            flipped[place] ^= draw.randrange(1, 256)
            with pytest.raises(ChunkRejected, match=f"^chunk {index} "):
                read(index, pack(bytes(flipped)))


def test_every_beginning_of_a_chunk_is_noticed(taken: Taken) -> None:
    index = smallest(taken)
    chunk, content = taken.chunks[index], unpack(taken.chunks[index])
    for length in range(len(chunk)):
        cut = chunk[:length]
        with pytest.raises(ChunkRejected):
            taken.proved.rows(index, cut)
        stream = cut[4:]
        with pytest.raises(ChunkRejected):
            taken.proved.rows(index, zlib.crc32(stream).to_bytes(4, "big") + stream)
    for length in range(0, len(content), 7):
        with pytest.raises(ChunkRejected):
            taken.proved.rows(index, pack(content[:length]))


def wrong_rows(
    rows: list[tuple[bytes, bytes]], others: list[tuple[bytes, bytes]]
) -> Iterator[list[tuple[bytes, bytes]]]:
    yield []
    yield rows[1:]
    yield rows[:-1]
    yield rows[:3] + rows[4:]
    yield [*rows[:2], rows[2], *rows[2:]]
    yield [rows[1], rows[0], *rows[2:]]
    yield rows[::-1]
    yield [*rows, others[0]]
    yield [*others, *rows]
    yield others
    yield [(rows[0][0], rows[1][1]), *rows[1:]]
    yield [(rows[0][0], rows[0][1] + b"\x00"), *rows[1:]]
    yield [(rows[0][0] + b"\x00", rows[0][1]), *rows[1:]]


def test_wrong_records_are_noticed(taken: Taken) -> None:
    count = len(taken.metadata.ranges)
    for index in range(count):
        rows = decode_rows(unpack(taken.chunks[index]))
        others = decode_rows(unpack(taken.chunks[(index + 1) % count]))
        if len(rows) < 5 or not others:
            continue
        for wrong in (wrong for wrong in wrong_rows(rows, others) if wrong != rows):
            with pytest.raises(ChunkRejected, match=rf"^chunk {index} \(records {taken.metadata.ranges[index][0]}…\)"):
                taken.proved.rows(index, pack(encode(wrong)))


def test_a_record_that_would_belong_there_is_noticed(taken: Taken) -> None:
    prefix, digest = max(taken.metadata.ranges, key=lambda each: len(each[0]) == 1)
    index = taken.metadata.ranges.index((prefix, digest))
    rows = decode_rows(unpack(taken.chunks[index]))
    number = next(n for n in range(10_000) if hash_bytes(b"\x22%d" % n).hex().startswith(prefix))
    more = sorted([*rows, (b"\x22%d" % number, b"record")], key=lambda row: hash_bytes(row[0]))
    assert range_hash(prefix, more) != digest
    with pytest.raises(ChunkRejected, match="missing, of another state, or made up"):
        taken.proved.rows(index, pack(encode(more)))


def test_chunks_of_a_neighbour_or_of_an_earlier_state_are_noticed(taken: Taken, tmp_path) -> None:
    folder = new_folder(tmp_path / "node")
    earlier = begin(CONSORTIUM, taken.genesis, folder)
    live(earlier, taken.blocks[:-5])
    snapshot = take(earlier, folder, range_bytes=RANGE_BYTES)
    old = chunks_of(SnapshotStore(folder.snapshots), snapshot)
    earlier.storage.close()
    refused = 0
    for index in range(len(taken.metadata.ranges)):
        for other, chunk in enumerate(taken.chunks):
            if other != index and chunk != taken.chunks[index]:
                with pytest.raises(ChunkRejected):
                    taken.proved.rows(index, chunk)
        for chunk in old:
            if chunk not in taken.chunks:
                refused += 1
                with pytest.raises(ChunkRejected):
                    taken.proved.rows(index, chunk)
    assert refused


def test_what_grows_without_end_is_noticed() -> None:
    assert unpack(pack(bytes(CONTENT_BYTES_MAX))) == bytes(CONTENT_BYTES_MAX)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = b"".join(deflate.compress(bytes(1_000_000)) for _ in range(200)) + deflate.flush()
    bomb = zlib.crc32(stream).to_bytes(4, "big") + stream
    assert len(bomb) < 400_000
    with pytest.raises(ChunkDamaged, match="more than"):
        unpack(bomb)
    with pytest.raises(ChunkDamaged):
        unpack(pack(bytes(CONTENT_BYTES_MAX + 1)))


def test_what_follows_the_stream_is_noticed() -> None:
    stream = pack(b"content")[4:] + b"\x00"
    with pytest.raises(ChunkDamaged, match="followed by more"):
        unpack(zlib.crc32(stream).to_bytes(4, "big") + stream)
    for short in (b"", b"\x00", bytes(3)):
        with pytest.raises(ChunkDamaged):
            unpack(short)


# On the disk


def test_the_newest_are_kept(taken: Taken, tmp_path) -> None:
    store = SnapshotStore(tmp_path / "snapshots", keep=2)
    assert store.newest() == []
    for height in (8, 9, 10, 100, 99):
        put(store, named(taken.snapshot, height))
    assert [snapshot.height for snapshot in store.newest()] == [100, 99]
    assert store.chunk(100, 1, 0) == b"chunk 100"
    assert (store.chunk(100, 2, 0), store.chunk(100, 1, 1), store.chunk(100, 1, -1), store.chunk(10, 1, 0)) == (
        None,
    ) * 4
    assert sorted(path.name for path in store.path.iterdir()) == ["100", "99"]


def named(snapshot: Snapshot, height: int) -> Snapshot:
    return msgspec.structs.replace(snapshot, height=height)


def age(store: SnapshotStore, height: int, seconds: float) -> None:
    asked = store.path / str(height) / ASKED
    then = asked.stat().st_mtime - seconds
    os.utime(asked, (then, then))


def test_one_that_somebody_takes_stays_until_a_while_after(taken: Taken, tmp_path) -> None:
    store = SnapshotStore(tmp_path / "snapshots", keep=2)
    put(store, named(taken.snapshot, 1))
    assert [snapshot.height for snapshot in store.offered()] == [1]
    for height in (2, 3, 4):
        put(store, named(taken.snapshot, height))
    assert store.heights() == [4, 3, 1], "2 was never asked for"
    age(store, 1, TAKEN_WITHIN_S + 1)
    assert store.chunk(1, 1, 0) == b"chunk 1", "asked for again, just before it would go"
    put(store, named(taken.snapshot, 5))
    assert store.heights() == [5, 4, 1]
    age(store, 1, TAKEN_WITHIN_S + 1)
    put(store, named(taken.snapshot, 6))
    assert store.heights() == [6, 5]


def test_who_asks_for_all_for_ever_fills_no_disk(taken: Taken, tmp_path) -> None:
    store = SnapshotStore(tmp_path / "snapshots", keep=2)
    for height in range(1, SNAPSHOTS_KEPT_MAX + 4):
        put(store, named(taken.snapshot, height))
        store.offered()
    assert store.heights() == list(range(SNAPSHOTS_KEPT_MAX + 3, 3, -1))


def test_to_ask_for_one_that_is_not_there_makes_none(tmp_path) -> None:
    store = SnapshotStore(tmp_path / "snapshots")
    assert store.chunk(7, 1, 0) is None and store.offered() == []
    assert not store.path.exists()


def test_another_of_the_same_height_takes_its_place(taken: Taken, tmp_path) -> None:
    store = SnapshotStore(tmp_path / "snapshots")
    for content in (b"first", b"second"):
        draft = store.draft(7)
        draft.write_chunk(0, content)
        draft.write_description(encode(taken.snapshot))
        store.publish(7, draft)
    assert store.chunk(7, 1, 0) == b"second"
    assert store.heights() == [7]


def test_what_is_unfinished_or_damaged_is_not_offered(taken: Taken, tmp_path) -> None:
    store = SnapshotStore(tmp_path / "snapshots")
    store.draft(5).write_chunk(0, b"chunk")
    (store.path / "6").mkdir()
    (store.path / "7").mkdir()
    (store.path / "7" / "snapshot").write_bytes(encode(taken.snapshot)[:-1])
    assert store.newest() == []
    store.clean()
    assert sorted(path.name for path in store.path.iterdir()) == ["6", "7"]


def test_a_reader_sees_what_a_maker_would(taken: Taken, tmp_path) -> None:
    application = taken.application
    assert isinstance(application, Application)
    application.storage.checkpoint(tmp_path / "checkpoint")
    reader = Reader(tmp_path / "checkpoint", None)
    assert list(reader.scan()) == list(application.storage.scan())
    assert reader.head() == application.storage.head()
    assert reader.beginning() is None
    reader.close()
