"""What a running node has in its database, read beside it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from tests.network.live import LiveNetwork

from gridtokenx.engine.storage import Reader
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.state import Table

R = TypeVar("R", bound=Record)


@contextmanager
def reading(network: LiveNetwork, number: int) -> Iterator[Reader]:
    """The blocks that a node has committed by now."""
    folder = network.folder.node(number)
    own_files = folder.run / "records"
    reader = Reader(folder.database, own_files)
    try:
        reader.refresh()
        yield reader
    finally:
        reader.close()
        shutil.rmtree(own_files, ignore_errors=True)


def table_of(network: LiveNetwork, number: int, table: Table[R]) -> dict[bytes, R]:
    """All records of a table, by their keys without its prefix."""
    with reading(network, number) as reader:
        return {key[1:]: table.decode.trusted(value) for key, value in reader.scan(bytes([table.prefix]))}
