"""The three keys of a node, for its proof that it has them. They stay where they are."""

from pathlib import Path

from gridtokenx.client.errors import KeystoreError
from gridtokenx.client.keys import PrivateKey
from gridtokenx.engine.comet.keys import load_seed
from gridtokenx.engine.folder import DataFolder, FolderUnusable
from gridtokenx.operations.network.node_folder import consensus_home


def node_keys(path: Path) -> list[PrivateKey]:
    """Of the node in this folder: for batches, for links, and, if it is there and not with a signer, for votes.

    Raises `FolderUnusable` if there is no node, or others may read its keys.
    """
    folder = DataFolder(path)
    home = consensus_home(folder)
    try:
        if folder.key.stat().st_mode & 0o077:
            raise FolderUnusable(f"others may read {folder.key}: `chmod 600` it, and consider the key known to them")
        batch_key = PrivateKey(folder.key.read_bytes())
    except (OSError, KeystoreError):
        raise FolderUnusable(f"there is no node in {path}: `gridtokenx node init` makes one") from None
    files = [file for file in (home.node_key, home.validator_key) if file.is_file()]
    return [batch_key, *map(consensus_key, files)]


def consensus_key(file: Path) -> PrivateKey:
    """The key in a file of CometBFT's. Raises `FolderUnusable`."""
    return PrivateKey(load_seed(file))
