"""RocksDB as a node uses it: which column families there are, with which options, and how they are opened."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import rocksdict
from rocksdict import Rdict

T = TypeVar("T")

COLUMN_FAMILIES: Final = ("state", "blocks", "results", "index", "feed", "meta")
"""Those that every database has."""

HISTORY: Final = "history"
"""The one that only an archive's has: a family that is not there costs nothing."""

WAL_BYTES_MAX: Final = 256 * 1024 * 1024
"""How much a restart may have to read again."""

INDEX_PREFIX_BYTES: Final = 3
INDEX_BUCKETS: Final = 1 << 18


class DatabaseFailed(Exception):
    """RocksDB cannot open, read or write its files: they are damaged, or the disk is full, or gone."""


def attempt(doing: str, work: Callable[[], T]) -> T:
    """What `work` gives. Raises `DatabaseFailed`, which says that one cannot be `doing` it."""
    try:
        return work()
    except Exception as error:  # the library raises nothing narrower
        raise DatabaseFailed(f"cannot {doing}: {error}") from error


def open_database(path: Path, access: rocksdict.AccessType, *, writing: bool, history: bool = False) -> Rdict:
    """Open the families that there are; with `history` that one is made too. Raises `DatabaseFailed`."""

    def work() -> Rdict:
        # Who writes has to open every family; who reads cannot open one that there is not.
        found = set(Rdict.list_cf(str(path))) if (path / "CURRENT").is_file() else set()
        names = (*COLUMN_FAMILIES, HISTORY) if history or HISTORY in found else COLUMN_FAMILIES
        families = {name: _options(name, writing=writing) for name in names}
        return Rdict(str(path), _database_options(writing=writing), families, access)

    return attempt(f"open the database in {path}", work)


def columns_of(database: Rdict) -> dict[str, Rdict]:
    """Its families by name."""
    named = dict.fromkeys(COLUMN_FAMILIES) | ({HISTORY: None} if has_history(database) else {})
    return {name: database.get_column_family(name) for name in named}


def has_history(database: Rdict) -> bool:
    """Whether this opened database has the family of an archive."""
    try:
        attempt("find the history", lambda: database.get_column_family(HISTORY))
    except DatabaseFailed:
        return False
    return True


def _options(name: str, *, writing: bool) -> rocksdict.Options:
    """Options of one column family (those of the database are taken from the default one)."""
    options = rocksdict.Options(raw_mode=True)
    options.set_compression_type(rocksdict.DBCompressionType.lz4())
    if name in {"blocks", "results", HISTORY}:
        options.set_bottommost_compression_type(rocksdict.DBCompressionType.zstd())
    if name in {"state", "index"}:
        table = rocksdict.BlockBasedOptions()
        table.set_bloom_filter(10, block_based=False)
        options.set_block_based_table_factory(table)
    if name == "index":
        # Never read in order: hash lists take a third of the time of a skip list. The stubs forget the argument.
        options.set_prefix_extractor(rocksdict.SliceTransform.create_fixed_prefix(INDEX_PREFIX_BYTES))
        lists = rocksdict.MemtableFactory.hash_link_list(INDEX_BUCKETS)  # type: ignore[call-arg]
        options.set_memtable_factory(lists)
    if name in {"state", HISTORY} and writing:
        # The node reads state at its start only, from files, and history never: what is new may wait unsorted until
        # it goes to one.
        options.set_memtable_factory(rocksdict.MemtableFactory.vector())
    return options


def _database_options(*, writing: bool) -> rocksdict.Options:
    options = _options("default", writing=writing)
    options.create_if_missing(writing)
    options.create_missing_column_families(writing)
    options.set_allow_concurrent_memtable_write(False)
    options.set_max_open_files(-1)
    options.set_max_total_wal_size(WAL_BYTES_MAX)
    options.set_keep_log_file_num(4)
    # An unfinished write at the end is what a killed process leaves; anything else that is wrong is an error.
    options.set_wal_recovery_mode(rocksdict.DBRecoveryMode.tolerate_corrupted_tail_records())
    return options
