"""State in and out: a genesis is a dump of all tables, and an export is a genesis.

Two forms with the same content: canonical bytes (one MessagePack array; its hash names the genesis) and
JSON for people. Export, import, export gives equal bytes, and the app hash does not change.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from gridtokenx.ledger.codec import Decoder, Record, encode
from gridtokenx.ledger.commitment import Commitment
from gridtokenx.ledger.context import Summary
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY, LastBlock
from gridtokenx.ledger.module import Chain
from gridtokenx.ledger.state import TABLES_MAX, State, Table

FORMAT = "gridtokenx-genesis-1"


class Genesis(Record, frozen=True):
    """`rows` are (prefixed key, encoded record), keys ascending."""

    format: str
    kind: str
    rows: tuple[tuple[bytes, bytes], ...]


decode_genesis: Decoder[Genesis] = Decoder(Genesis)


def new_state(chain: Chain, chain_name: str, time_ms: int) -> State:
    """An empty state with block 0 of the given name and time, to be filled by a chain's genesis."""
    state = State()
    state.rebuild_indexes(chain.indexes)
    zero = bytes(32)
    first = LastBlock(chain_name, chain.protocol, 0, time_ms, zero, zero, zero, Summary())
    state.put(LAST_BLOCK, LAST_BLOCK_KEY, first)
    return state


def export_state(chain: Chain, state: State) -> bytes:
    """The whole state as canonical bytes."""
    rows = tuple(
        (bytes([prefix]) + key, encode(record))
        for prefix, table in sorted(chain.tables.items())
        for key, record in state.items(table)
    )
    return encode(Genesis(FORMAT, chain.kind, rows))


def import_state(chain: Chain, data: bytes) -> tuple[State, Commitment]:
    """The state of an export, with indexes and commitment built.

    Raises `Rejected(MALFORMED)` naming the place if bytes, a prefix, a record or the order is wrong.
    """
    genesis = decode_genesis(data, "genesis")
    if genesis.format != FORMAT or genesis.kind != chain.kind:
        raise Rejected(KernelCode.MALFORMED, f"genesis is {genesis.format} {genesis.kind}")
    last = b""
    for key, _ in genesis.rows:
        if key <= last:
            raise Rejected(KernelCode.MALFORMED, f"genesis key {key.hex()} out of order")
        last = key
    return load_state(chain, genesis.rows)


def load_state(chain: Chain, rows: Iterable[tuple[bytes, bytes]]) -> tuple[State, Commitment]:
    """State and commitment from (prefixed key, encoded record): from a genesis or from a database.

    Raises `Rejected(MALFORMED)` naming the key whose table or record is wrong.
    """
    state = State()
    commitment = Commitment.build(_fill(chain, state, rows))
    if LAST_BLOCK_KEY not in state.rows[LAST_BLOCK.prefix]:
        raise Rejected(KernelCode.MALFORMED, "the state has no last block")
    state.rebuild_indexes(chain.indexes)
    return state, commitment


def _fill(chain: Chain, state: State, rows: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Decode each row into its table on its way to the commitment."""
    tables: list[Table[Any] | None] = [chain.tables.get(prefix) for prefix in range(TABLES_MAX)]
    for key, data in rows:
        table = tables[key[0]] if key else None
        if table is None:
            raise Rejected(KernelCode.MALFORMED, f"no table for key {key.hex()}")
        try:
            state.rows[key[0]][key[1:]] = table.decode(data)
        except Rejected as rejection:
            raise Rejected(rejection.code, f"{table.name} {key[1:].hex()}: {rejection.field}") from None
        yield key, data


def to_json(chain: Chain, data: bytes) -> bytes:
    """An export for people: table name → {key in hex: record with its field names}."""
    genesis = decode_genesis(data, "genesis")
    tables: dict[str, dict[str, Any]] = {}
    for key, value in genesis.rows:
        table = chain.tables[key[0]]
        record = table.decode.trusted(value)
        tables.setdefault(table.name, {})[key[1:].hex()] = readable(record)
    document = {"format": genesis.format, "kind": genesis.kind, "tables": tables}
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
