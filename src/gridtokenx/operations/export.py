"""The whole state out of a node's database, while the node may be running."""

import shutil
import tempfile
from pathlib import Path

from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.storage import Reader
from gridtokenx.engine.worker import load_chain
from gridtokenx.ledger.genesis import genesis_bytes, to_json


def read_state(folder: DataFolder, chain_import_path: str, *, as_json: bool = False) -> bytes:
    """The state after the last block that is committed: canonical bytes, whose import gives the same app hash, or
    JSON for people. Raises FolderUnusable if the folder is none, FileNotFoundError if its node has never started, and
    DatabaseFailed for damage."""
    folder.require()
    chain = load_chain(chain_import_path)
    folder.run.mkdir(exist_ok=True)
    own_files = Path(tempfile.mkdtemp(prefix="export-", dir=folder.run))
    reader = Reader(folder.database, own_files)
    try:
        canonical = genesis_bytes(chain.kind, reader.scan())
    finally:
        reader.close()
        shutil.rmtree(own_files, ignore_errors=True)
    return to_json(chain, canonical) if as_json else canonical
