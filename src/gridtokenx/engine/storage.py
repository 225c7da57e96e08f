"""The database: everything a node knows, one atomic write a block.

RocksDB with a column family for each kind of thing:

    state     prefixed key → encoded record
    blocks    height → `StoredBlock`
    results   height → `Results`
    index     transaction id → `Place`
    feed      height → changed records of a few tables, for those who follow; the last 10,000 blocks
              height ‖ "seen" → which batches came before that block (`engine.sightings`); as many
    history   all versions of all records, in the database of an archive (`engine.history`)
    meta      "head" → `Head`: which block all of this is the state after
              "beginning" → `Head`: the block whose snapshot this was restored from, if it was
              "history" → height from which on there is history, if there is

A database that was restored from a snapshot knows nothing of the blocks up to there but the results of that last one,
without its receipts: no blocks, no places of transactions, no feed. So of a transaction that does nothing in a later
block (its nonce is used, say) it does not tell, where an earlier block may have seen the same one succeed.

`Storage` is the node's own. `Reader` is for other processes: it follows the node's files (`engine.follower`) and never
asks the node. Heights are 8 bytes, big-endian. Every call raises `DatabaseFailed` when RocksDB cannot open, read or
write its files; a node that meets that stops.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import rocksdict
from rocksdict import Rdict, WriteBatch

from gridtokenx.engine.database import HISTORY, DatabaseFailed, attempt, columns_of, open_database
from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.follower import Follower
from gridtokenx.engine.history import History, HistoryMissing, write_versions
from gridtokenx.engine.sightings import Sightings, decode_sightings
from gridtokenx.ledger.batch import decode_batch
from gridtokenx.ledger.block import BatchOutcome, Block, BlockOutcome
from gridtokenx.ledger.codec import Decoder, Record, encode
from gridtokenx.ledger.commitment import Proof
from gridtokenx.ledger.context import Summary
from gridtokenx.ledger.crypto import HASH_BYTES, hash_bytes
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY, Header
from gridtokenx.ledger.limits import TRANSACTION_LIFETIME_MS_MAX, TRANSACTIONS_PER_BATCH_MAX
from gridtokenx.ledger.transaction import decode_envelope

FEED_BLOCKS_KEPT: Final = 10_000
"""Who was away for longer reads the state instead."""

ROWS_PER_WRITE: Final = 50_000

_HEAD: Final = b"head"
_BEGINNING: Final = b"beginning"
_HISTORY_SINCE: Final = b"history"
_SEEN: Final = b"seen"
_LAST_BLOCK: Final = bytes([LAST_BLOCK.prefix]) + LAST_BLOCK_KEY


class StoredBlock(Record, frozen=True):
    """A block, and the header that its execution gave it."""

    header: Header
    block: Block


class Results(Record, frozen=True):
    """What a block did, and what proves it: `last_block` is the record that stands under `app_hash` by the proof
    (`proof_items`, `proof_path`), and it holds the root over the roots of the batches' receipts."""

    app_hash: bytes
    batches: tuple[BatchOutcome, ...]
    trades: tuple[bytes, ...]
    summary: Summary
    last_block: bytes
    proof_items: bytes
    proof_path: tuple[bytes, ...]


class Head(Record, frozen=True):
    """The block that the database is the state after."""

    kind: str
    chain: str
    height: int
    time_ms: int
    app_hash: bytes
    genesis_hash: bytes


class Place(NamedTuple):
    """What became of a transaction. `expired`: its batch was in no block in time, `height` says when that was
    noticed; else it has the receipt at this place, or (`refused_batch`) its whole batch was refused with `code`."""

    height: int
    batch: int
    position: int
    code: int
    expired: bool = False


Change = tuple[bytes, bytes | None]
"""Prefixed key, and the encoded record or None if it is gone."""

_decode_block: Decoder[StoredBlock] = Decoder(StoredBlock)
_decode_results: Decoder[Results] = Decoder(Results)
_decode_head: Decoder[Head] = Decoder(Head)
_decode_feed: Decoder[list[Change]] = Decoder(list[Change])

_EXPIRED: Final = b"\xff\xff\xff\xff"
"""Batch and position of a transaction that is in no block."""
_CODE_EXPIRED: Final = int(KernelCode.EXPIRED).to_bytes(2, "big")

_POSITIONS: Final = tuple(position.to_bytes(2, "big") for position in range(TRANSACTIONS_PER_BATCH_MAX))
_POSITIONS_OK: Final = tuple(position + b"\x00\x00" for position in _POSITIONS)

_RECEIPT_ID: Final = slice(3, 35)
"""Where the transaction's id stands in an encoded receipt; its code follows."""
_RECEIPT_CODE: Final = 35

NONCE_UNUSED: Final = frozenset(
    {
        KernelCode.UNAUTHENTICATED,
        KernelCode.ACCOUNT_UNKNOWN,
        KernelCode.CHAIN_WRONG,
        KernelCode.EXPIRED,
        KernelCode.EXPIRY_TOO_FAR,
        KernelCode.NONCE_USED,
        KernelCode.NONCE_TOO_OLD,
        KernelCode.NONCE_JUMP,
        KernelCode.QUOTA_EXCEEDED,
    }
)
"""A receipt with one of these says that the transaction did nothing, not even use its nonce: it never takes the
place of another receipt."""


def height_key(height: int) -> bytes:
    """Eight bytes, so that keys sort as heights do."""
    return height.to_bytes(8, "big")


class Reader:
    """What the database says, for a process that is not the node.

    It sees the node's blocks as of the last `refresh`; everything read between two refreshes is of one height.
    """

    def __init__(self, path: Path, own_files: Path | None) -> None:
        """Follow the database at `path`; `own_files` is a folder for this reader's own log, emptied now. None is for
        a database that nobody writes, such as a checkpoint: it cannot be refreshed.

        Raises FileNotFoundError if there is no database yet, `DatabaseFailed` if it cannot be read.
        """
        if not (path / "CURRENT").is_file():
            raise FileNotFoundError(f"there is no database in {path} yet: the node makes it when it first starts")
        self._follower = None if own_files is None else Follower(path, own_files)
        read_only = rocksdict.AccessType.read_only
        self._use(self._follower.database if self._follower else open_database(path, read_only(), writing=False))

    def _use(self, database: Rdict) -> None:
        self._database = database
        self._columns = columns_of(database)

    def refresh(self) -> None:
        """See the blocks that were committed since. Raises `DatabaseFailed`."""
        assert self._follower is not None, "nobody writes this database"
        self._follower.refresh()
        if self._follower.database is not self._database:
            self._use(self._follower.database)

    def close(self) -> None:
        """Free files and memory."""
        self._columns.clear()
        self._database.close()

    def head(self) -> Head | None:
        """Which block everything here is the state after; None before there is a genesis."""
        data = self._get("meta", _HEAD)
        return None if data is None else _decode_head(data)

    def beginning(self) -> Head | None:
        """The block whose snapshot this database was restored from: history begins with the next. None if it has
        the whole history, from the genesis on."""
        data = self._get("meta", _BEGINNING)
        return None if data is None else _decode_head(data)

    def block(self, height: int) -> StoredBlock | None:
        """The block, from 1 on, or from the one after the `beginning`."""
        data = self._get("blocks", height_key(height))
        return None if data is None else _decode_block(data)

    def results(self, height: int) -> Results | None:
        """What the block did."""
        data = self._get("results", height_key(height))
        return None if data is None else _decode_results(data)

    def record(self, key: bytes) -> bytes | None:
        """The encoded record under a prefixed key."""
        return self._get("state", key)

    def scan(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All records whose prefixed keys begin so, in key order: of a table, or of all tables.

        If a part of it is damaged this raises `DatabaseFailed`: it never just ends earlier.
        """
        reading = rocksdict.ReadOptions()
        beyond = _successor(prefix)
        if beyond:
            reading.set_iterate_upper_bound(beyond)
        rows = self._columns["state"].iter(reading)
        rows.seek(prefix) if prefix else rows.seek_to_first()
        valid, key, value, forward = rows.valid, rows.key, rows.value, rows.next
        while valid():
            yield key(), value()
            forward()
        attempt("read the state from the database", rows.status)

    def history(self) -> History:
        """All versions of all records, from some height on. Raises `HistoryMissing` if none are kept here."""
        since, head = self._get("meta", _HISTORY_SINCE), self.head()
        if since is None or head is None or HISTORY not in self._columns:
            raise HistoryMissing("this node keeps no history, only the last state: ask an archive", None)
        return History(self._columns[HISTORY], int.from_bytes(since, "big"), head.height)

    def feed(self, height: int) -> list[Change] | None:
        """Records of the followed tables that the block changed; None if it is not known, or too long ago."""
        data = self._get("feed", height_key(height))
        return None if data is None else _decode_feed(data)

    def sightings(self, height: int) -> Sightings | None:
        """What the node saw before this block; None if it did not look, or too long ago."""
        data = self._get("feed", height_key(height) + _SEEN)
        return None if data is None else decode_sightings(data)

    def place_of(self, transaction_id: bytes) -> Place | None:
        """What became of the transaction; None if it is in no block and has not expired."""
        # The index is laid out by the first bytes of its keys: it must never be asked for a shorter one.
        data = self._get("index", transaction_id) if len(transaction_id) == HASH_BYTES else None
        return None if data is None else _decode_place(data)

    def receipt_of(self, transaction_id: bytes) -> bytes | None:
        """Its encoded receipt; None too if it expired, or if its whole batch was refused."""
        place = self.place_of(transaction_id)
        results = None if place is None or place.expired else self.results(place.height)
        if place is None or results is None:
            return None
        receipts = results.batches[place.batch].receipts
        return receipts[place.position] if receipts else None

    def _get(self, column: str, key: bytes) -> bytes | None:
        try:
            found: bytes | None = self._columns[column].get(key)
        except Exception as error:  # the library raises nothing narrower; a lambda for `attempt` costs too much here
            raise DatabaseFailed(f"cannot read {column} from the database: {error}") from error
        return found


class Storage(Reader):
    """The node's own database. One thread writes; others may read."""

    def __init__(
        self,
        path: Path,
        *,
        sync: bool = True,
        feed_prefixes: Iterable[int] = (),
        feed_blocks_kept: int = FEED_BLOCKS_KEPT,
        history: bool = False,
    ) -> None:
        """Open or create. With `sync` a block is on the disk when `write_block` returns. `feed_prefixes` are the
        tables whose changes the feed keeps, for so many blocks. With `history` all versions are kept from now on; a
        database that has a history goes on with it in any case, until `end_history`. Raises `DatabaseFailed`."""
        path.mkdir(parents=True, exist_ok=True)
        self._sync = sync
        self._feed_prefixes = frozenset(feed_prefixes)
        self._feed_blocks_kept = feed_blocks_kept
        self._kept_head: Head | None = None
        self._follower = None
        self._use(open_database(path, rocksdict.AccessType.read_write(), writing=True, history=history))
        self._handles = {name: self._database.get_column_family_handle(name) for name in self._columns}
        self._kept_beginning = self.beginning()
        self._wants_history = history
        self._keeps_history = self._get("meta", _HISTORY_SINCE) is not None
        if not self._keeps_history and HISTORY in self._handles:
            self._begin_history() if history else self._drop_history()

    def refresh(self) -> None:
        """Nothing to do: this is the database itself."""

    def write_genesis(self, head: Head, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Write the state a chain begins with, its head last: without a head there is no genesis yet, and what a
        stopped attempt left behind goes first."""
        remaining = iter(rows)
        self._write_rows(islice(remaining, ROWS_PER_WRITE), first=True)
        while piece := tuple(islice(remaining, ROWS_PER_WRITE)):
            self.write_rows(piece)
        reached("genesis.rows_written")
        batch = WriteBatch(raw_mode=True)
        batch.put(_HEAD, encode(head), self._handles["meta"])
        self._write(batch)
        self._kept_head = head
        reached("genesis.head_written")
        if self._wants_history:
            self._begin_history()

    def write_rows(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Add some records to a state that is to be: it is none until a head stands beside it."""
        self._write_rows(rows, first=False)

    def _write_rows(self, rows: Iterable[tuple[bytes, bytes]], *, first: bool) -> None:
        batch = WriteBatch(raw_mode=True)
        put, state = batch.put, self._handles["state"]
        if first:
            batch.delete_range(b"", b"\xff" * 64, state)
        for key, value in rows:
            put(key, value, state)
        self._write(batch)

    def write_beginning(self, head: Head, results: Results) -> None:
        """Make the rows that were written the state after the block of `head`, restored from its snapshot. `results`
        are what is known of that block: not its receipts."""
        batch = WriteBatch(raw_mode=True)
        meta = self._handles["meta"]
        batch.put(height_key(head.height), encode(results), self._handles["results"])
        batch.put(_BEGINNING, encode(head), meta)
        batch.put(_HEAD, encode(head), meta)
        self._write(batch)
        self._kept_head = self._kept_beginning = head
        if self._wants_history:
            self._begin_history()

    def _begin_history(self) -> None:
        """With a version of each record that there is; the mark comes last. What a stopped attempt left goes first."""
        head = self.head()
        if head is None:
            return  # it begins with the first state
        history, rows = self._handles[HISTORY], self.scan()
        batch = WriteBatch(raw_mode=True)
        batch.delete_range(b"", b"\xff" * 64, history)
        while piece := tuple(islice(rows, ROWS_PER_WRITE)):
            write_versions(batch, history, piece, head.height)
            self._write(batch)
            batch = WriteBatch(raw_mode=True)
        reached("history.rows_written")
        batch.put(_HISTORY_SINCE, height_key(head.height), self._handles["meta"])
        self._write(batch)
        self._keeps_history = True
        reached("history.begun")

    def end_history(self) -> None:
        """Keep none from now on, and give its space back."""
        batch = WriteBatch(raw_mode=True)
        batch.delete(_HISTORY_SINCE, self._handles["meta"])
        self._write(batch)
        self._keeps_history = False
        if HISTORY in self._handles:
            self._drop_history()

    def _drop_history(self) -> None:
        del self._handles[HISTORY], self._columns[HISTORY]
        attempt("write to the database", lambda: self._database.drop_column_family(HISTORY))

    def begin_flush(self) -> None:
        """Let threads of RocksDB write what is in memory only to files, and do not wait: soon before a checkpoint."""
        for column in self._columns.values():
            attempt("write to the database", lambda: column.flush(wait=False))  # noqa: B023 - called at once

    def checkpoint(self, path: Path) -> None:
        """The database as it is after the last block, at a `path` where nothing is yet: links to the same files, if
        `path` is on the same disk. For another process to read. Raises `DatabaseFailed`.

        What is in memory only goes to files first, and all Python threads stand still meanwhile: half a second for
        64 MB, some milliseconds soon after `begin_flush`."""
        attempt(
            "make a checkpoint of the database",
            lambda: rocksdict.Checkpoint(self._database).create_checkpoint(str(path)),
        )

    def write_block(self, block: Block, outcome: BlockOutcome, proof: Proof, expired: Sequence[bytes]) -> None:
        """Write a block and all that it did, at once or not at all. `proof` is that of the last block's record;
        `expired` are ids of transactions that were in no block in time. Raises `DatabaseFailed`."""
        batch = WriteBatch(raw_mode=True)
        handles = self._handles
        key = height_key(block.height)
        put, state = batch.put, handles["state"]
        for changed, record in outcome.changes:
            if record is None:
                batch.delete(changed, state)
            else:
                put(changed, record, state)
        if self._keeps_history:
            write_versions(batch, handles[HISTORY], outcome.changes, block.height)
        last_block = next(record for changed, record in outcome.changes if changed == _LAST_BLOCK)
        assert last_block is not None, "every block writes its own record"
        put(key, encode(StoredBlock(outcome.header, block)), handles["blocks"])
        put(key, encode(_results(outcome, proof, last_block)), handles["results"])
        self._index(batch, block, outcome.batches, expired)
        self._feed(batch, block.height, outcome.changes)
        put(_HEAD, encode(self._next_head(outcome)), handles["meta"])
        reached("storage.batch_built")
        self._write(batch)

    def write_sightings(self, height: int, sightings: Sightings) -> None:
        """Beside a block that was written. Nobody was promised these: the disk is not waited for."""
        batch = WriteBatch(raw_mode=True)
        batch.put(height_key(height) + _SEEN, encode(sightings), self._handles["feed"])
        if height > self._feed_blocks_kept:
            batch.delete(height_key(height - self._feed_blocks_kept) + _SEEN, self._handles["feed"])
        attempt("write to the database", lambda: self._database.write(batch))

    def close(self) -> None:
        """Write everything to its place, so that the next start is quick, and free the files."""
        for column in self._columns.values():
            column.flush()
        self._handles.clear()
        super().close()

    def _write(self, batch: WriteBatch) -> None:
        # `write` with its own sync would hold Python's lock while the disk works; `flush_wal` lets others run.
        attempt("write to the database", lambda: self._database.write(batch))
        reached("storage.batch_written")
        if self._sync:
            attempt("write to the database", lambda: self._database.flush_wal(sync=True))
        reached("storage.batch_synced")

    def _next_head(self, outcome: BlockOutcome) -> Head:
        head = self._kept_head or self.head()
        assert head is not None, "a genesis comes before any block"
        header = outcome.header
        self._kept_head = Head(
            head.kind, header.chain, header.height, header.time_ms, outcome.app_hash, head.genesis_hash
        )
        return self._kept_head

    def _feed(self, batch: WriteBatch, height: int, changes: Iterable[Change]) -> None:
        prefixes, feed = self._feed_prefixes, self._handles["feed"]
        if prefixes:
            batch.put(height_key(height), encode([change for change in changes if change[0][0] in prefixes]), feed)
        if height > self._feed_blocks_kept:
            batch.delete(height_key(height - self._feed_blocks_kept), feed)

    def _index(
        self, batch: WriteBatch, block: Block, outcomes: Sequence[BatchOutcome], expired: Sequence[bytes]
    ) -> None:
        """Where each transaction is found. Receipts of transactions that did something are written without
        looking: an id has one such receipt at most, ever. They come last, so that they win within the block."""
        put, index = batch.put, self._handles["index"]
        quiet: dict[bytes, bytes] = {}
        loud: list[tuple[bytes, bytes]] = []
        for number, outcome in enumerate(outcomes):
            place = height_key(block.height) + number.to_bytes(2, "big")
            if not outcome.receipts:
                _index_refused_batch(quiet, block.batches[number], place, outcome.code)
            for position, receipt in enumerate(outcome.receipts):
                code = receipt[_RECEIPT_CODE]
                if code == 0:
                    loud.append((receipt[_RECEIPT_ID], place + _POSITIONS_OK[position]))
                elif code in NONCE_UNUSED:
                    quiet.setdefault(receipt[_RECEIPT_ID], place + _POSITIONS[position] + _code_bytes(receipt))
                else:
                    loud.append((receipt[_RECEIPT_ID], place + _POSITIONS[position] + _code_bytes(receipt)))
        gone = height_key(block.height) + _EXPIRED + b"\x00\x00"
        for transaction_id in expired:
            quiet.setdefault(transaction_id, gone)
        for transaction_id, value in quiet.items():
            if self._get("index", transaction_id) is None and not self._may_be_older(value, block.time_ms):
                put(transaction_id, value, index)
        for transaction_id, value in loud:
            put(transaction_id, value, index)

    def _may_be_older(self, place: bytes, time_ms: int) -> bool:
        """Whether a transaction that did nothing at this place may have done something in a block before the
        beginning. One that could go into a block of a later time than these is too new for that."""
        beginning = self._kept_beginning
        if beginning is None:
            return False
        return place[12:] == _CODE_EXPIRED or time_ms <= beginning.time_ms + TRANSACTION_LIFETIME_MS_MAX


def _results(outcome: BlockOutcome, proof: Proof, last_block: bytes) -> Results:
    return Results(
        outcome.app_hash, outcome.batches, outcome.trades, outcome.summary, last_block, proof.items, proof.path
    )


def _index_refused_batch(quiet: dict[bytes, bytes], wire: bytes, place: bytes, code: int) -> None:
    """The transactions of a batch that executed as nothing, as far as its bytes can be read."""
    try:
        for position, transaction in enumerate(decode_batch(wire).transactions):
            transaction_id = hash_bytes(decode_envelope(transaction).body)
            quiet.setdefault(transaction_id, place + _POSITIONS[position] + code.to_bytes(2, "big"))
    except Rejected:
        return


def _code_bytes(receipt: bytes) -> bytes:
    """Two bytes of the code in an encoded receipt (MessagePack: up to 127 in itself, else behind its length)."""
    first = receipt[_RECEIPT_CODE]
    if first < 0x80:
        return bytes((0, first))
    if first == 0xCC:
        return bytes((0, receipt[_RECEIPT_CODE + 1]))
    return receipt[_RECEIPT_CODE + 1 : _RECEIPT_CODE + 3]


def _decode_place(data: bytes) -> Place:
    height, code = int.from_bytes(data[:8], "big"), int.from_bytes(data[12:14], "big")
    if data[8:12] == _EXPIRED:
        return Place(height, 0, 0, code, expired=True)
    return Place(height, int.from_bytes(data[8:10], "big"), int.from_bytes(data[10:12], "big"), code)


def _successor(prefix: bytes) -> bytes:
    """The first key after all that begin with the prefix; nothing if there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else b""
