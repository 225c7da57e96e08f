"""State in and out: a genesis is a dump of all tables, and an export is a genesis.

Canonical bytes: frames, each behind its length (four bytes, big-endian). The first frame names format and kind of
chain; each other one is an array of `ROWS_PER_FRAME` rows (the last may have fewer), keys ascending, so that a state
of any size is read and written piece by piece. The hash of the bytes names the genesis. Export, import, export gives
equal bytes, and the app hash does not change. JSON for people has the same content.
"""

from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice
from typing import Any, BinaryIO

import msgspec

from gridtokenx.ledger.codec import Decoder, Record, encode
from gridtokenx.ledger.commitment import Commitment, Subtree
from gridtokenx.ledger.context import Summary
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY, LastBlock
from gridtokenx.ledger.module import Chain
from gridtokenx.ledger.state import TABLES_MAX, State, Table

FORMAT = "gridtokenx-genesis-1"


ROWS_PER_FRAME = 4_096

Row = tuple[bytes, bytes]
"""(prefixed key, encoded record)."""


class GenesisHead(Record, frozen=True):
    """The first frame."""

    format: str
    kind: str


_decode_head: Decoder[GenesisHead] = Decoder(GenesisHead)
_decode_rows: Decoder[tuple[Row, ...]] = Decoder(tuple[Row, ...])


def new_state(chain: Chain, chain_name: str, time_ms: int) -> State:
    """An empty state with block 0 of the given name and time, to be filled by a chain's genesis."""
    state = State()
    state.rebuild_indexes(chain.indexes)
    zero = bytes(32)
    first = LastBlock(chain_name, chain.protocol, 0, time_ms, zero, zero, zero, Summary())
    state.put(LAST_BLOCK, LAST_BLOCK_KEY, first)
    return state


def genesis_bytes(kind: str, rows: Iterable[Row]) -> bytes:
    """Rows, keys ascending, as canonical bytes."""
    parts = [_frame(encode(GenesisHead(FORMAT, kind)))]
    ordered = iter(rows)
    while piece := tuple(islice(ordered, ROWS_PER_FRAME)):
        parts.append(_frame(encode(piece)))
    return b"".join(parts)


def genesis_rows(kind: str, data: bytes | BinaryIO) -> Iterator[Row]:
    """The rows of canonical bytes, or of a file that holds them, a frame at a time.

    Raises `Rejected(MALFORMED)` naming the place on the way: the format or kind is another, a frame is not canonical
    or not full, keys do not ascend.
    """
    frames = _frames(BytesIO(data) if isinstance(data, bytes) else data)
    head = _decode_head(next(frames, b""), "genesis")
    if (head.format, head.kind) != (FORMAT, kind):
        raise Rejected(KernelCode.MALFORMED, f"genesis is {head.format} {head.kind}")
    last, full = b"", True
    for frame in frames:
        rows = _decode_rows(frame, "genesis")
        if not full or not 0 < len(rows) <= ROWS_PER_FRAME:
            raise Rejected(KernelCode.MALFORMED, f"genesis frame after key {last.hex()}")
        full = len(rows) == ROWS_PER_FRAME
        for row in rows:
            if row[0] <= last:
                raise Rejected(KernelCode.MALFORMED, f"genesis key {row[0].hex()} out of order")
            last = row[0]
            yield row


def _frame(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def _frames(stream: BinaryIO) -> Iterator[bytes]:
    while length := stream.read(4):
        content = stream.read(int.from_bytes(length, "big"))
        if len(length) < 4 or len(content) < int.from_bytes(length, "big"):
            raise Rejected(KernelCode.MALFORMED, f"genesis ends inside a frame, after {stream.tell()} bytes")
        yield content


def export_state(chain: Chain, state: State) -> bytes:
    """The whole state as canonical bytes."""
    return genesis_bytes(chain.kind, rows_of(chain, state))


def rows_of(chain: Chain, state: State) -> Iterator[Row]:
    """All rows of a state, keys ascending."""
    for prefix, table in sorted(chain.tables.items()):
        head = bytes([prefix])
        for key, record in state.items(table):
            yield head + key, encode(record)


def import_state(chain: Chain, data: bytes | BinaryIO) -> tuple[State, Commitment]:
    """The state of an export, with indexes and commitment built. Raises as `genesis_rows` and `load_state` do."""
    return load_state(chain, genesis_rows(chain.kind, data))


def load_state(chain: Chain, rows: Iterable[Row]) -> tuple[State, Commitment]:
    """State and commitment from (prefixed key, encoded record): from a genesis or from a database.

    Raises `Rejected(MALFORMED)` naming the key whose table or record is wrong.
    """
    state = State()
    commitment = Commitment.build(_fill(chain, state, rows, {}))
    _complete(chain, state)
    return state, commitment


class GatheredState:
    """A state that comes in ranges (`ledger.ranges`), in any order. What is in them is the caller's to prove."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._state = State()
        self._known: dict[Any, Any] = {}
        self._subtrees: list[tuple[str, Subtree]] = []

    def add(self, prefix: str, rows: Iterable[Row], subtree: Subtree) -> None:
        """One range, each once. Raises `Rejected(MALFORMED)` as `load_state`."""
        for _ in _fill(self._chain, self._state, rows, self._known):
            pass
        self._subtrees.append((prefix, subtree))

    def finish(self) -> tuple[State, Commitment]:
        """State and commitment, with all ranges there. Raises `Rejected(MALFORMED)` as `load_state`."""
        _complete(self._chain, self._state)
        return self._state, Commitment.join(self._subtrees)


def _complete(chain: Chain, state: State) -> None:
    if LAST_BLOCK_KEY not in state.rows[LAST_BLOCK.prefix]:
        raise Rejected(KernelCode.MALFORMED, "the state has no last block")
    state.rebuild_indexes(chain.indexes)


def _fill(chain: Chain, state: State, rows: Iterable[Row], known: dict[Any, Any]) -> Iterator[Row]:
    """Decode each row into its table on its way to the commitment; `known` holds common values."""
    tables: list[Table[Any] | None] = [chain.tables.get(prefix) for prefix in range(TABLES_MAX)]
    for key, data in rows:
        table = tables[key[0]] if key else None
        if table is None:
            raise Rejected(KernelCode.MALFORMED, f"no table for key {key.hex()}")
        try:
            record = table.decode(data)
        except Rejected as rejection:
            raise Rejected(rejection.code, f"{table.name} {key[1:].hex()}: {rejection.field}") from None
        for name in table.common:
            value = getattr(record, name)
            msgspec.structs.force_setattr(record, name, known.setdefault(value, value))
        state.rows[key[0]][key[1:]] = record
        yield key, data


def to_json(chain: Chain, data: bytes) -> bytes:
    """An export for people: table name → {key in hex: record with its field names}."""
    tables: dict[str, dict[str, Any]] = {}
    for key, value in genesis_rows(chain.kind, data):
        table = chain.tables[key[0]]
        record = table.decode.trusted(value)
        tables.setdefault(table.name, {})[key[1:].hex()] = readable(record)
    document = {"format": FORMAT, "kind": chain.kind, "tables": tables}
    return msgspec.json.format(msgspec.json.encode(document))


def readable(value: Any) -> Any:
    """A record as plain data: field names, and bytes in hex."""
    if isinstance(value, msgspec.Struct):
        return {name: readable(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (tuple, list)):
        return [readable(item) for item in value]
    return value
