"""Verification: replay a chain from its genesis and compare everything that a node has stored.

Nothing stored is believed but the genesis, and that only because its hash stands in the database's head. Each block is
read as bytes, its header computed anew, every signature checked (in worker processes, some blocks ahead), and executed
by the ledger; what comes out is compared with the stored results, receipt by receipt, and read by the auditor. At the
end stand the state records, one by one, the invariants in full, and the journal.

A finding names the place. Where a block is not what it was there is nothing to replay after it, so that is the end of
the search; whatever else is wrong is listed, up to `FINDINGS_MAX`.
"""

import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from gridtokenx.engine.application import LAST_BLOCK_STATE_KEY
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.storage import Head, Reader, Results, StoredBlock
from gridtokenx.engine.verifier import Verifier
from gridtokenx.engine.worker import load_chain
from gridtokenx.ledger.batch import NODES, open_batch, signed_batch
from gridtokenx.ledger.block import BatchOutcome, apply_block, header_of
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.commitment import Commitment, verify
from gridtokenx.ledger.crypto import hash_bytes, merkle_root, signature_is_valid
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.genesis import load_state, rows_of
from gridtokenx.ledger.header import Header, last_block
from gridtokenx.ledger.module import Chain
from gridtokenx.ledger.state import State
from gridtokenx.operations.verify_beginning import read_beginning
from gridtokenx.operations.verify_index import Unreadable, attempt, check_feed, check_history, check_index
from gridtokenx.operations.verify_journal import check_journal
from gridtokenx.simulation.auditor import Auditor

T = TypeVar("T")

FINDINGS_MAX: Final = 100
"""Of a database that is broken all over, the first are enough."""

BLOCKS_AHEAD: Final = 16
"""Blocks whose signatures are being checked while one is executed."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done and how much there is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not what it should be. `place` is as exact as the damage allows."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(slots=True)
class Verification:
    """What was looked at, and what was found."""

    chain: str = ""
    height: int = 0
    blocks: int = 0
    transactions: int = 0
    signatures: int = 0
    records: int = 0
    journal_entries: int = 0
    app_hash: str = ""
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is worth knowing and no damage: an unfinished entry at the journal's end."""

    @property
    def is_sound(self) -> bool:
        """Whether everything is what it should be."""
        return not self.findings

    def find(self, place: str, what: str) -> None:
        """Add a finding, unless there are enough."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(place, what))

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "sound": self.is_sound,
            "chain": self.chain,
            "height": self.height,
            "app_hash": self.app_hash,
            "blocks": self.blocks,
            "transactions": self.transactions,
            "signatures": self.signatures,
            "records": self.records,
            "journal_entries": self.journal_entries,
            "seconds": round(self.seconds, 3),
            "transactions_per_second": round(self.transactions / self.seconds) if self.seconds else 0,
            "findings": [{"place": finding.place, "what": finding.what} for finding in self.findings],
            "notes": self.notes,
        }


class _Stop(Exception):
    """There is nothing to go on with after this finding."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}")
        self.place = place
        self.what = what


def verify_folder(
    folder: DataFolder,
    chain_import_path: str,
    workers: int = 2,
    progress: Progress = lambda doing, done, total: None,
) -> Verification:
    """Verify all that lies in a node's data folder. It may be running: what it had committed at the start counts.

    Raises `FolderUnusable` if it is none, FileNotFoundError if its node has never started, and what `load_chain`
    raises; every damage is a finding.
    """
    folder.require()
    begun = time.monotonic()
    found = Verification()
    # Before this process has threads or a database that the workers could inherit.
    verifier = Verifier(chain_import_path, workers, by_library=True)
    folder.run.mkdir(exist_ok=True)
    own_files = Path(tempfile.mkdtemp(prefix="verify-", dir=folder.run))
    try:
        _Run(folder, load_chain(chain_import_path), verifier, found, progress).run(own_files)
    except _Stop as stop:
        found.find(stop.place, stop.what)
    finally:
        verifier.close()
        shutil.rmtree(own_files, ignore_errors=True)
    found.seconds = time.monotonic() - begun
    return found


class _Signatures:
    """The signatures of batches, checked ahead: each answer is that of `ledger.batch.check_batch`."""

    def __init__(self, verifier: Verifier, threads: ThreadPoolExecutor) -> None:
        self._verifier = verifier
        self._threads = threads
        self._answers: dict[bytes, Future[int]] = {}
        self.counted = 0

    def announce(self, wires: tuple[bytes, ...]) -> None:
        """These will be asked for soon."""
        for wire in wires:
            if wire not in self._answers:
                self._answers[wire] = self._threads.submit(self._verifier.check_batch, wire)

    def count(self, wire: bytes) -> int:
        """The number of signatures; raises `Rejected`."""
        answer = self._answers.pop(wire, None)
        number = self._verifier.check_batch(wire) if answer is None else answer.result()
        self.counted += number
        return number


class _Run:
    """One verification, from the genesis to the journal."""

    def __init__(
        self, folder: DataFolder, chain: Chain, verifier: Verifier, found: Verification, progress: Progress
    ) -> None:
        self.folder = folder
        self.chain = chain
        self.verifier = verifier
        self.found = found
        self.progress = progress
        self.hashes: dict[int, bytes] = {}
        """App hash by height: what the journal's markers must name."""
        self.author_keys: dict[bytes, set[bytes]] = {}
        """Every key that a node ever had, by node id: its journal may be older than its present one."""
        self.trades: tuple[bytes, ...] = ()
        """Of the last block."""

    def run(self, own_files: Path) -> None:
        reader = _guarded("database", lambda: Reader(self.folder.database, own_files))
        try:
            with ThreadPoolExecutor(BLOCKS_AHEAD, "signatures") as threads:
                self._run(reader, _Signatures(self.verifier, threads))
        finally:
            reader.close()

    def _run(self, reader: Reader, signatures: _Signatures) -> None:
        head = _guarded("database, head", reader.head)
        if head is None:
            raise _Stop("database, head", "there is none: no genesis was ever written, or it is lost")
        data = self.folder.genesis.read_bytes()
        if hash_bytes(data) != head.genesis_hash:
            raise _Stop("genesis.bin", "its hash is not the one that the database began with")
        restored = _guarded("database, beginning", reader.beginning)
        first = "genesis.bin" if restored is None else "db/beginning"
        rows, self.trades = _guarded(first, lambda: read_beginning(self.folder, self.chain.kind, data, restored))
        state, commitment = _guarded(first, lambda: load_state(self.chain, rows))
        auditor = Auditor(self.chain, rows, self.trades)
        for finding in auditor.check_state(rows):
            self.found.find(first, finding)
        start = last_block(state)
        if restored is not None:
            self.found.notes.append(
                f"this node was restored from the snapshot of block {restored.height}: all after it was verified; "
                f"ask another node whether that block left app hash {restored.app_hash.hex()}"
            )
            self._check_results(reader, state, commitment, commitment.root(), (), self.trades)
        self._learn_keys(state)
        self.found.chain = start.chain
        self.hashes[start.height] = commitment.root()
        for stored in self._read_ahead(reader, head, start.height, signatures):
            self._check_block(reader, state, commitment, auditor, stored, signatures)
        self.found.signatures = signatures.counted
        self._check_head(head, state, commitment)
        self._check_records(reader, state)
        self._check_invariants(state, auditor)
        check_journal(self.folder, head.height, self.hashes, self.author_keys, self.found)

    def _read_ahead(self, reader: Reader, head: Head, start: int, signatures: _Signatures) -> Iterator[StoredBlock]:
        """All blocks in order, some of them read before they are due, so that workers have something to do."""
        waiting: deque[StoredBlock] = deque()
        for height in range(start + 1, head.height + 1):
            place = f"block {height}"
            stored = _guarded(place, lambda height=height: reader.block(height))  # type: ignore[misc]
            if stored is None:
                yield from waiting
                raise _Stop(place, "it is missing")
            if stored.block.height != height:
                yield from waiting
                raise _Stop(place, f"it says that its height is {stored.block.height}")
            signatures.announce(stored.block.batches)
            waiting.append(stored)
            if len(waiting) > BLOCKS_AHEAD:
                yield waiting.popleft()
            self.progress("blocks", height - len(waiting), head.height)
        yield from waiting

    def _check_block(
        self,
        reader: Reader,
        state: State,
        commitment: Commitment,
        auditor: Auditor,
        stored: StoredBlock,
        signatures: _Signatures,
    ) -> None:
        block, before = stored.block, last_block(state)
        place = f"block {block.height}"
        expected = header_of(before, block, commitment.root())
        if stored.header != expected:
            raise _Stop(*_header_difference(place, state, stored, expected))
        try:
            outcome = apply_block(
                self.chain, state, commitment, block, signatures.count, trades_before=lambda: self.trades
            )
        except ValueError as error:
            raise _Stop(place, str(error)) from error
        self.trades = outcome.trades
        self._learn_keys(state)
        self.hashes[block.height] = outcome.app_hash
        self.found.blocks += 1
        self.found.height = block.height
        self.found.transactions += sum(len(batch.receipts) for batch in outcome.batches)
        for finding in auditor.check_block(block, outcome):
            self.found.find(place, finding.partition(": ")[2])
        self._check_results(reader, state, commitment, outcome.app_hash, outcome.batches, outcome.trades)
        for name, what in check_index(reader, block, outcome):
            self.found.find(name, what)
        feed = _tried(f"feed of block {block.height}", self.found, lambda: reader.feed(block.height))
        if feed is not None and (what := check_feed(feed, outcome.changes)):
            self.found.find(f"feed of block {block.height}", what)
        place = f"history of block {block.height}"
        wrong = _tried(place, self.found, lambda: check_history(reader, block.height, outcome.changes))
        if wrong:
            self.found.find(place, wrong)

    def _learn_keys(self, state: State) -> None:
        for node_id, node in state.items(NODES):
            self.author_keys.setdefault(node_id, set()).add(node.public_key)

    def _check_results(
        self,
        reader: Reader,
        state: State,
        commitment: Commitment,
        app_hash: bytes,
        batches: tuple[BatchOutcome, ...],
        trades: tuple[bytes, ...],
    ) -> None:
        last = last_block(state)
        height = last.height
        place = f"results of block {height}"
        stored = _tried(place, self.found, lambda: reader.results(height))
        if stored is None:
            self.found.find(place, "they are missing or cannot be read")
            return
        proof = commitment.prove(LAST_BLOCK_STATE_KEY)
        record = encode(last)
        expected = Results(app_hash, batches, trades, last.summary, record, proof.items, proof.path)
        if stored == expected:
            if not verify(app_hash, LAST_BLOCK_STATE_KEY, record, proof):
                self.found.find(place, "the proof of the block's record does not lead to its app hash")
            return
        for name, what in _results_differences(height, stored, expected):
            self.found.find(name, what)

    def _check_head(self, head: Head, state: State, commitment: Commitment) -> None:
        last = last_block(state)
        self.found.app_hash = commitment.root().hex()
        expected = Head(self.chain.kind, last.chain, last.height, last.time_ms, commitment.root(), head.genesis_hash)
        for name in Head.__struct_fields__:
            if getattr(head, name) != getattr(expected, name):
                said, real = _shown(getattr(head, name)), _shown(getattr(expected, name))
                self.found.find("database, head", f"{name} is {said}, the chain comes to {real}")

    def _check_records(self, reader: Reader, state: State) -> None:
        """The stored rows against those that the replay came to, both in key order."""
        total = sum(len(state.rows[prefix]) for prefix in self.chain.tables)
        expected = rows_of(self.chain, state)
        wanted = next(expected, None)
        for key, value in self._stored_records(reader):
            while wanted is not None and wanted[0] < key:
                self.found.find(self._record(wanted[0]), "it is missing")
                wanted = next(expected, None)
            if wanted is None or wanted[0] != key:
                self.found.find(self._record(key), "no block left such a record")
                continue
            if wanted[1] != value:
                at = _first_difference(wanted[1], value)
                self.found.find(self._record(key), f"it differs from what the blocks left, from byte {at} on")
            wanted = next(expected, None)
            self.found.records += 1
            if not self.found.records % 1_000:
                self.progress("records", self.found.records, total)
        while wanted is not None:
            self.found.find(self._record(wanted[0]), "it is missing")
            wanted = next(expected, None)

    def _stored_records(self, reader: Reader) -> Iterator[tuple[bytes, bytes]]:
        """All rows of the state; where they cannot be read further there is nothing to compare."""
        rows = reader.scan()
        while (row := _guarded("database, state", lambda: next(rows, None))) is not None:
            yield row

    def _record(self, key: bytes) -> str:
        table = self.chain.tables.get(key[0]) if key else None
        return f"record {key.hex()} ({table.name if table else 'in no table'})"

    def _check_invariants(self, state: State, auditor: Auditor) -> None:
        """In full, by the auditor and by the modules themselves."""
        self.progress("invariants", 0, 1)
        for sentence in auditor.check_state(rows_of(self.chain, state)):
            self.found.find("state", sentence)
        for module in self.chain.modules:
            for sentence in module.invariants(state):
                self.found.find(f"state, {module.name}", sentence)
        self.progress("invariants", 1, 1)


def _header_difference(place: str, state: State, stored: StoredBlock, expected: Header) -> tuple[str, str]:
    """Where exactly the block is not what it was. One of its batches, if its own signature says so; else a field."""
    if stored.header.batches_root != expected.batches_root:
        keys = {node_id: node.public_key for node_id, node in state.items(NODES)}
        for number, wire in enumerate(stored.block.batches):
            if trouble := _batch_trouble(wire, keys):
                return f"{place}, batch {number}", trouble
    for name in Header.__struct_fields__:
        said, real = getattr(stored.header, name), getattr(expected, name)
        if said != real:
            return f"{place}, header", f"{name} is {_shown(said)}, block and chain give {_shown(real)}"
    return place, "its header is not that of the block"


def _batch_trouble(wire: bytes, keys: dict[bytes, bytes]) -> str:
    """Why no node signed these bytes; nothing if one did."""
    try:
        batch, header = open_batch(wire)
    except Rejected as rejection:
        return f"its bytes are not those of a batch: {rejection}"
    key = keys.get(header.author)
    if key is None:
        return f"its author {header.author.hex()} is no node"
    if not signature_is_valid(batch.signature, signed_batch(batch.header), key):
        return "it is not signed by its author"
    if merkle_root(list(batch.transactions)) != header.root:
        return "its transactions are not those that its author signed"
    return ""


def _results_differences(height: int, stored: Results, expected: Results) -> Iterator[tuple[str, str]]:
    """(place, what) of each part of the results that differs."""
    place = f"results of block {height}"
    if len(stored.batches) != len(expected.batches):
        yield place, f"{len(stored.batches)} batches, the block has {len(expected.batches)}"
    for number, (told, real) in enumerate(zip(stored.batches, expected.batches, strict=False)):
        batch = f"block {height}, batch {number}"
        if (told.code, told.root) != (real.code, real.root):
            yield f"outcome of {batch}", "code or root of the receipts differ"
        if len(told.receipts) != len(real.receipts):
            yield f"outcome of {batch}", f"{len(told.receipts)} receipts, {len(real.receipts)} transactions"
        for position, (one, other) in enumerate(zip(told.receipts, real.receipts, strict=False)):
            if one != other:
                at = _first_difference(other, one)
                yield f"receipt {position} of {batch}", f"it differs from what the block gave, from byte {at} on"
    for position in range(max(len(stored.trades), len(expected.trades))):
        if stored.trades[position : position + 1] != expected.trades[position : position + 1]:
            yield f"trade {position} of block {height}", "it is not what the block did"
    for name in ("app_hash", "summary", "last_block", "proof_items", "proof_path"):
        if getattr(stored, name) != getattr(expected, name):
            yield place, f"{name} differs"


def _guarded(place: str, read: Callable[[], T]) -> T:
    """What `read` gives; whatever keeps it from reading ends the search at this place."""
    try:
        return attempt(read)
    except Unreadable as trouble:
        raise _Stop(place, f"it cannot be read: {trouble}") from trouble


def _tried(place: str, found: Verification, read: Callable[[], T]) -> T | None:
    """What `read` gives, or None and a finding."""
    try:
        return attempt(read)
    except Unreadable as trouble:
        found.find(place, f"it cannot be read: {trouble}")
        return None


def _first_difference(one: bytes, other: bytes) -> int:
    """Index of the first byte that differs, or the shorter length."""
    pairs = zip(one, other, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
