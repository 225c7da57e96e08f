"""`verify` finds a single flipped byte wherever it stands, and names the place (A9, K5)."""

import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rocksdict import AccessType
from tests.traffic import Traffic, founded
from tests.world import NODE, NODE_ID, at, signer
from typer.testing import CliRunner

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.cli.main import app
from gridtokenx.engine.application import Application
from gridtokenx.engine.database import open_database
from gridtokenx.engine.folder import DataFolder, create_data_folder
from gridtokenx.engine.journal import Entry, Journal, read_journal
from gridtokenx.engine.storage import Storage, height_key
from gridtokenx.ledger.batch import decode_batch
from gridtokenx.operations.verify import Finding, Verification, verify_folder
from gridtokenx.operations.verify_journal import check_journal

CHAIN = "gridtokenx.chains.consortium:CONSORTIUM"
BLOCKS = 30
FEED = (0x62, 0x63)


def make_folder(path: Path, journal_segment_bytes: int = 1 << 20, resolving: bool = True) -> DataFolder:
    """A node's folder after some blocks, as a stopped node leaves it."""
    folder, application, journal = _grow(path, journal_segment_bytes, resolving)
    journal.close()
    assert application.storage is not None
    application.storage.close()
    return folder


def _grow(
    path: Path, journal_segment_bytes: int = 1 << 20, resolving: bool = True, *, history: bool = False
) -> tuple[DataFolder, Application, Journal]:
    world = founded()
    folder = create_data_folder(path, world.genesis, NODE.secrets[0])
    application = Application(CONSORTIUM, Storage(folder.database, feed_prefixes=FEED, history=history))
    application.init_chain(world.genesis)
    journal = Journal(folder.journal, segment_bytes_max=journal_segment_bytes)
    world.skip_to(at(9, 55))
    for _ in Traffic(world, 11).steps(BLOCKS):
        pass
    for block in world.blocks:
        numbers = journal.append(block.batches) if block.batches else []
        outcome = application.finalize_block(block)
        application.commit()
        journal.mark(block.height, outcome.app_hash)
        if resolving and block.height < len(world.blocks) - 5:
            journal.resolve(numbers)
    return folder, application, journal


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return make_folder(tmp_path_factory.mktemp("origin") / "data")


@pytest.fixture
def folder(origin: DataFolder, tmp_path: Path) -> DataFolder:
    """A copy to spoil."""
    shutil.copytree(origin.path, tmp_path / "data")
    return DataFolder(tmp_path / "data")


def verified(folder: DataFolder, workers: int = 0) -> Verification:
    return verify_folder(folder, CHAIN, workers)


def flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << position % 8
    return bytes(changed)


def spoil(folder: DataFolder, column: str, key: bytes, position: int) -> None:
    """Flip one bit of a value, through RocksDB."""
    database = open_database(folder.database, AccessType.read_write(), writing=True)
    rows = database.get_column_family(column)
    value = rows.get(key)
    assert value is not None
    rows.put(key, flipped(value, position % len(value)))
    rows.flush()
    rows.close()
    database.close()


def rows_of(folder: DataFolder, column: str) -> list[tuple[bytes, int]]:
    """Keys and lengths of the values of a column family that may be read in order."""
    database = open_database(folder.database, AccessType.read_only(False), writing=False)
    family = database.get_column_family(column)
    found = [(bytes(key), len(value)) for key, value in family.items()]
    family.close()
    database.close()
    return found


def places(found: Verification) -> str:
    return "; ".join(map(str, found.findings))


def test_what_a_node_leaves_is_sound(origin: DataFolder) -> None:
    found = verified(origin, workers=2)
    assert found.is_sound, places(found)
    assert found.blocks == found.height >= BLOCKS
    assert found.transactions > BLOCKS
    assert found.signatures >= found.transactions
    assert found.records > 500
    assert found.journal_entries > BLOCKS
    assert found.notes == []
    assert list(origin.run.iterdir()) == []
    assert found.to_json()["sound"] is True


def positions(length: int, count: int, seed: int) -> Iterator[int]:
    """The first and the last byte, and some between."""
    draw = random.Random(seed)
    yield from {0, length - 1, *(draw.randrange(length) for _ in range(count))}


@pytest.mark.slow
def test_a_byte_of_a_block(folder: DataFolder, origin: DataFolder) -> None:
    for key, length in rows_of(origin, "blocks")[::9]:
        for position in positions(length, 3, length):
            spoil(folder, "blocks", key, position)
            found = verified(folder)
            assert len(found.findings) == 1, places(found)
            assert found.findings[0].place.partition(",")[0] == f"block {int.from_bytes(key, 'big')}", places(found)
            spoil(folder, "blocks", key, position)
    assert verified(folder).is_sound


def test_a_byte_of_a_transaction_names_its_batch(folder: DataFolder) -> None:
    reader = Storage(folder.database)
    height, number, wire = next(
        (height, number, wire)
        for height in range(5, 40)
        if (stored := reader.block(height)) is not None
        for number, wire in enumerate(stored.block.batches)
    )
    data = reader._get("blocks", height_key(height))
    reader.close()
    assert data is not None
    transaction = decode_batch.trusted(wire).transactions[0]
    spoil(folder, "blocks", height_key(height), data.index(transaction) + len(transaction) // 2)
    (finding,) = verified(folder).findings
    place = f"block {height}, batch {number}"
    assert finding == Finding(place, "its transactions are not those that its author signed")


@pytest.mark.slow
def test_a_byte_of_the_results(folder: DataFolder, origin: DataFolder) -> None:
    for key, length in rows_of(origin, "results")[::9]:
        for position in positions(length, 3, length):
            spoil(folder, "results", key, position)
            found = verified(folder)
            assert not found.is_sound
            height = int.from_bytes(key, "big")
            assert all(re.search(rf"\bblock {height}\b", finding.place) for finding in found.findings), places(found)
            spoil(folder, "results", key, position)


def test_a_byte_of_a_receipt_names_the_receipt(folder: DataFolder) -> None:
    reader = Storage(folder.database)
    height, receipts = next(
        (height, results.batches[0].receipts)
        for height in range(1, 40)
        if (results := reader.results(height)) is not None and results.batches and len(results.batches[0].receipts) > 1
    )
    data = reader._get("results", height_key(height))
    reader.close()
    assert data is not None
    spoil(folder, "results", height_key(height), data.index(receipts[1]) + 10)
    (finding,) = verified(folder).findings
    assert finding == Finding(
        f"receipt 1 of block {height}, batch 0", "it differs from what the block gave, from byte 10 on"
    )


@pytest.mark.slow
def test_a_byte_of_a_state_record(folder: DataFolder, origin: DataFolder) -> None:
    rows = rows_of(origin, "state")
    by_table = {key[0]: (key, length) for key, length in rows}
    assert len(by_table) > 15
    for key, length in by_table.values():
        if not length:
            continue
        spoil(folder, "state", key, length // 2)
        found = verified(folder)
        assert [finding.place for finding in found.findings] == [
            f"record {key.hex()} ({CONSORTIUM.tables[key[0]].name})"
        ]
        spoil(folder, "state", key, length // 2)


def test_a_record_too_few_and_one_too_many(folder: DataFolder, origin: DataFolder) -> None:
    key = rows_of(origin, "state")[50][0]
    database = open_database(folder.database, AccessType.read_write(), writing=True)
    rows = database.get_column_family("state")
    value = rows.get(key)
    rows.delete(key)
    rows.put(key + b"\x00", value)
    rows.flush()
    rows.close()
    database.close()
    what = {finding.what for finding in verified(folder).findings}
    assert what == {"it is missing", "no block left such a record"}


def test_a_byte_of_the_head(folder: DataFolder) -> None:
    spoil(folder, "meta", b"head", 30)
    found = verified(folder)
    assert [finding.place for finding in found.findings] == ["database, head"], places(found)


def test_a_byte_of_the_feed(folder: DataFolder, origin: DataFolder) -> None:
    key, length = max(rows_of(origin, "feed"), key=lambda row: row[1])
    spoil(folder, "feed", key, length // 2)
    found = verified(folder)
    assert [finding.place for finding in found.findings] == [f"feed of block {int.from_bytes(key, 'big')}"]


def test_a_byte_of_the_index(folder: DataFolder) -> None:
    reader = Storage(folder.database)
    receipt = next(
        receipt
        for height in range(1, 40)
        if (results := reader.results(height)) is not None
        for batch in results.batches
        for receipt in batch.receipts
    )
    reader.close()
    spoil(folder, "index", receipt[3:35], 9)
    found = verified(folder)
    assert [finding.place for finding in found.findings] == [f"index of transaction {receipt[3:35].hex()}"]


def test_a_byte_of_the_genesis(folder: DataFolder) -> None:
    data = folder.genesis.read_bytes()
    for position in positions(len(data), 3, 1):
        folder.genesis.chmod(0o600)
        folder.genesis.write_bytes(flipped(data, position))
        (finding,) = verified(folder).findings
        assert finding.place == "genesis.bin"


def test_a_byte_of_a_journal_entry(folder: DataFolder) -> None:
    """Every third position of the first entries, so that kinds, lengths, check sums and hashes are among them."""
    (path,) = folder.journal.glob("*.journal")
    data = path.read_bytes()
    entries = [entry for entry in read_journal(folder.journal) if isinstance(entry, Entry)]
    starts = [entry.offset for entry in entries]
    for position in [*range(0, 130, 3), *positions(len(data), 20, 2)]:
        path.write_bytes(flipped(data, position))
        found = Verification()
        check_journal(folder, 0, {}, {NODE_ID: {NODE.keys[0]}}, found)
        (finding,) = found.findings
        start = max(offset for offset in starts if offset <= position)
        assert finding.place == f"{path.name} at byte {start}"
    path.write_bytes(flipped(data, len(data) // 2))
    (finding,) = verified(folder).findings
    assert finding.place.startswith(path.name)


def test_a_journal_may_be_older_than_its_nodes_key(folder: DataFolder) -> None:
    newer, found = signer("newer").keys[0], Verification()
    check_journal(folder, 1_000, {}, {NODE_ID: {newer, NODE.keys[0]}}, found)
    assert found.is_sound and found.journal_entries > 1
    check_journal(folder, 1_000, {}, {NODE_ID: {newer}}, found)
    assert found.findings[0].what.endswith("is not signed by the node that it names")


def test_an_unfinished_entry_at_the_end_is_a_note(folder: DataFolder) -> None:
    (path,) = folder.journal.glob("*.journal")
    path.write_bytes(path.read_bytes()[:-5])
    found = verified(folder)
    assert found.is_sound
    assert "unfinished" in found.notes[0]


def test_a_segment_that_is_missing(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data", journal_segment_bytes=2_000, resolving=False)
    paths = sorted(folder.journal.glob("*.journal"))
    assert len(paths) >= 3
    paths[-2].unlink()
    assert "missing" in places(verified(folder))


def test_a_database_that_lost_its_tail_is_noticed_by_the_journal(folder: DataFolder) -> None:
    journal = Journal(folder.journal)
    journal.mark(1_000, bytes(32))
    journal.close()
    (finding,) = verified(folder).findings
    assert finding.place == "database, head"


@pytest.mark.slow
def test_bytes_of_the_databases_own_files(origin: DataFolder, tmp_path: Path) -> None:
    """In data, wherever RocksDB keeps it: found, or it held nothing of the chain (verify has read all that does)."""
    files = sorted(path for path in origin.database.iterdir() if path.suffix == ".sst")
    assert files
    found_count = tried = 0
    for file in files:
        data = file.read_bytes()
        for position in positions(len(data), 5, len(data)):
            path = tmp_path / "data"
            shutil.copytree(origin.path, path)
            (path / "db" / file.name).write_bytes(flipped(data, position))
            found_count += not verified(DataFolder(path)).is_sound
            tried += 1
            shutil.rmtree(path)
    assert found_count >= tried * 0.3, f"{found_count} of {tried}"


@pytest.mark.slow
def test_bytes_of_the_write_ahead_log_of_a_killed_node(tmp_path: Path) -> None:
    """What a killed node leaves is in the log alone; the journal's marker tells if its end is lost."""
    folder, application, journal = _grow(tmp_path / "running")
    shutil.copytree(folder.path, tmp_path / "killed")
    journal.close()
    assert application.storage is not None
    application.storage.close()
    killed = DataFolder(tmp_path / "killed")
    assert verified(killed).is_sound
    (log,) = killed.database.glob("*.log")
    data = log.read_bytes()
    for position in positions(len(data), 25, 5):
        log.write_bytes(flipped(data, position))
        assert not verified(killed).is_sound, position
    log.write_bytes(data)
    assert verified(killed).is_sound


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no data folder"):
        verified(DataFolder(tmp_path))


def test_the_command_says_the_place_and_ends_with_one(origin: DataFolder, folder: DataFolder) -> None:
    run = CliRunner().invoke(app, ["verify", "--data", str(origin.path), "--workers", "0"])
    assert run.exit_code == 0, run.output
    assert "Everything is what it was" in run.output
    spoil(folder, "blocks", height_key(7), 20)
    run = CliRunner().invoke(app, ["verify", "--data", str(folder.path), "--workers", "0", "--json"])
    assert run.exit_code == 1
    document = json.loads(run.stdout)
    assert not document["sound"]
    assert document["findings"][0]["place"].startswith("block 7")
    run = CliRunner().invoke(app, ["verify", "--data", str(folder.path / "nothing")])
    assert run.exit_code == 2


def test_a_version_that_the_block_did_not_make_is_found(tmp_path: Path) -> None:
    folder, application, journal = _grow(tmp_path / "data", history=True)
    journal.close()
    storage = application.storage
    assert storage is not None
    storage.close()
    assert verified(folder).is_sound
    database = open_database(folder.database, AccessType.read_write(), writing=True)
    column = database.get_column_family("history")
    rows = column.iter()
    rows.seek_to_last()
    key = rows.key()
    column[key] = b"other"
    database.close()
    (finding,) = verified(folder).findings
    assert finding.place == f"history of block {int.from_bytes(key[-8:], 'big')}"
