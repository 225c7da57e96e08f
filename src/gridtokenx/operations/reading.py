"""Reading a node's database beside the node, which may be running."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.storage import Reader, StoredBlock
from gridtokenx.ledger.batch import Batch, BatchHeader, batch_id, open_batch
from gridtokenx.ledger.errors import Rejected


@contextmanager
def beside_node(folder: DataFolder, purpose: str) -> Iterator[Reader]:
    """What is committed by now. Raises FolderUnusable if the folder is none, FileNotFoundError if its node has never
    started, and DatabaseFailed for damage. `purpose` names the reader's own files, which are gone afterwards."""
    folder.require()
    folder.run.mkdir(exist_ok=True)
    own_files = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=folder.run))
    try:
        reader = Reader(folder.database, own_files)
        try:
            yield reader
        finally:
            reader.close()
    finally:
        shutil.rmtree(own_files, ignore_errors=True)


def batches_in(stored: StoredBlock) -> Iterator[tuple[bytes, Batch, BatchHeader, int]]:
    """(id, batch, header, bytes) of each batch in a block; what is no batch executed as nothing and is passed over."""
    for wire in stored.block.batches:
        try:
            batch, header = open_batch(wire)
        except Rejected:
            continue
        yield batch_id(batch.header), batch, header, len(wire)
