"""State: typed tables of immutable records, with an undo journal.

A table maps key bytes to a frozen `Record`. A write replaces the record; the journal keeps what stood
there before, so a rejected transaction is taken back exactly. Indexes (books, heaps) are derived from
the tables; they put their own undo steps on the same journal, and `rebuild_indexes` makes them anew.

The key in the commitment and in the database is the table's prefix byte followed by the key.
"""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from gridtokenx.ledger.codec import Decoder, Record, encode

R = TypeVar("R", bound=Record)
D = TypeVar("D")

TABLES_MAX = 256


class Table(Generic[R]):
    """The name, prefix and record type of one table. Prefixes are never reused.

    `common` names fields whose values few records have for themselves: a state that is loaded keeps each once.
    """

    __slots__ = ("common", "decode", "name", "prefix", "record_type")

    def __init__(self, prefix: int, name: str, record_type: type[R], common: tuple[str, ...] = ()) -> None:
        self.prefix = prefix
        self.name = name
        self.record_type = record_type
        self.common = common
        self.decode: Decoder[R] = Decoder(record_type)


class Index(Generic[D]):
    """Something derived from the tables: `build` makes it from state alone."""

    __slots__ = ("build", "name")

    def __init__(self, name: str, build: "Callable[[State], D]") -> None:
        self.name = name
        self.build = build


class State:
    """The rows of all tables, what changed since the last commit, and how to take it back."""

    __slots__ = ("dirty", "indexes", "rows", "undo")

    def __init__(self) -> None:
        self.rows: list[dict[bytes, Any]] = [{} for _ in range(TABLES_MAX)]
        self.dirty: list[dict[bytes, None]] = [{} for _ in range(TABLES_MAX)]
        self.indexes: dict[str, Any] = {}
        self.undo: list[tuple[Any, Any, Any]] = []
        """Entries (rows, key, old record) or (function, first, second)."""

    def get(self, table: Table[R], key: bytes) -> R | None:
        """The record, or None."""
        return self.rows[table.prefix].get(key)

    def put(self, table: Table[R], key: bytes, record: R) -> None:
        """Insert or replace."""
        prefix = table.prefix
        rows = self.rows[prefix]
        self.undo.append((rows, key, rows.get(key)))
        rows[key] = record
        self.dirty[prefix][key] = None

    def delete(self, table: Table[R], key: bytes) -> None:
        """Remove; KeyError if it is not there."""
        prefix = table.prefix
        rows = self.rows[prefix]
        self.undo.append((rows, key, rows.pop(key)))
        self.dirty[prefix][key] = None

    def index(self, index: Index[D]) -> D:
        """The live derived structure."""
        found: D = self.indexes[index.name]
        return found

    def keys(self, table: Table[R]) -> list[bytes]:
        """All keys in key order: dictionaries remember history, and rules must not."""
        return sorted(self.rows[table.prefix])

    def items(self, table: Table[R]) -> Iterator[tuple[bytes, R]]:
        """All (key, record) in key order."""
        rows = self.rows[table.prefix]
        return ((key, rows[key]) for key in sorted(rows))

    def roll_back(self, mark: int) -> None:
        """Take back everything since the journal had `mark` entries."""
        undo = self.undo
        while len(undo) > mark:
            target, key, old = undo.pop()
            if type(target) is not dict:
                target(key, old)
            elif old is None:
                del target[key]
            else:
                target[key] = old

    def keep(self) -> None:
        """Make everything since the last call final within this block."""
        self.undo.clear()

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """(prefixed key, encoded record or None if gone) of each record touched since the last call,
        and forget them."""
        changes: list[tuple[bytes, bytes | None]] = []
        for prefix, dirty in enumerate(self.dirty):
            if not dirty:
                continue
            head = bytes([prefix])
            get = self.rows[prefix].get
            for key in dirty:
                record = get(key)
                changes.append((head + key, None if record is None else encode(record)))
            self.dirty[prefix] = {}
        return changes

    def rebuild_indexes(self, indexes: tuple[Index[Any], ...]) -> None:
        """Derive every index from the tables, as after a restart."""
        for index in indexes:
            self.indexes[index.name] = index.build(self)
