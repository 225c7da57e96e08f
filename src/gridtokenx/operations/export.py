"""The whole state out of a node's database, while the node may be running."""

from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.worker import load_chain
from gridtokenx.ledger.genesis import genesis_bytes, to_json
from gridtokenx.operations.reading import beside_node


def read_state(folder: DataFolder, chain_import_path: str, *, as_json: bool = False) -> bytes:
    """The state after the last block that is committed: canonical bytes, whose import gives the same app hash, or
    JSON for people. Raises as `beside_node`."""
    chain = load_chain(chain_import_path)
    with beside_node(folder, "export") as reader:
        canonical = genesis_bytes(chain.kind, reader.scan())
    return to_json(chain, canonical) if as_json else canonical
