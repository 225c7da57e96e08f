"""A node's data folder before its first start: first its keys, then the chain that it belongs to."""

import shutil
from pathlib import Path
from secrets import token_bytes

import msgspec

from gridtokenx.engine.comet.home import FOLDER, ConsensusHome, HomeSettings, create_home
from gridtokenx.engine.comet.keys import NodeKeys, public_key
from gridtokenx.engine.folder import (
    SEED_BYTES,
    DataFolder,
    FolderLock,
    FolderUnusable,
    load_or_create_node_key,
    sync_folder,
    write_durably,
)
from gridtokenx.engine.storage import Storage
from gridtokenx.operations.network.bundle import Bundle, bundle_bytes
from gridtokenx.operations.network.card import CardUnusable, NodeCard, make_card, read_card
from gridtokenx.operations.network.kinds import NodeKind

CARD = "card.toml"
BUNDLE = "network.zip"


def consensus_home(folder: DataFolder) -> ConsensusHome:
    """The node's CometBFT home."""
    return ConsensusHome(folder.path / FOLDER)


def create_node(
    path: Path, name: str, address: str, kind: NodeKind = NodeKind.VALIDATOR, *, signer_key: bytes | None = None
) -> NodeCard:
    """Make keys and a card in a new folder; with the public key of a signer no key that signs votes. Raises
    `FolderUnusable` if there is something, `CardUnusable` for a name or an address that is none, and for a backup
    without a signer."""
    if kind is NodeKind.BACKUP and signer_key is None:
        raise CardUnusable("a backup has the signer of its validator: give its public key (`--signer`)")
    keys, batch_seed = NodeKeys.generate(), token_bytes(SEED_BYTES)
    card = make_card(
        name=name,
        address=address,
        batch_key=public_key(batch_seed).hex(),
        validator_key=(keys.validator_key if signer_key is None else signer_key).hex(),
        link_key=public_key(keys.node_seed).hex(),
        kind=kind,
    )
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FolderUnusable(f"there is something in {path} already: choose another folder")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = DataFolder(path)
    load_or_create_node_key(folder.key, batch_seed)
    create_home(path / FOLDER, keys, HomeSettings(name), signer_key=signer_key)
    write_durably(path / CARD, card.toml())
    return card


def install_bundle(path: Path, bundle: Bundle) -> None:
    """Give a node the chain it belongs to. Raises `FolderUnusable` if it has one already."""
    folder, home = DataFolder(path), ConsensusHome(path / FOLDER)
    if not home.node_key.is_file():
        raise FolderUnusable(f"there is no node in {path}: `gridtokenx node init` makes one")
    if home.genesis.exists():
        raise FolderUnusable(f"the node in {path} belongs to a network already")
    for inner in (folder.database, folder.journal, folder.run):
        inner.mkdir(mode=0o700, exist_ok=True)
    (path / BUNDLE).unlink(missing_ok=True)
    write_durably(path / BUNDLE, bundle_bytes(bundle))
    if bundle.genesis is not None:
        folder.genesis.unlink(missing_ok=True)
        write_durably(folder.genesis, bundle.genesis)
    # Last: whoever finds it finds all.
    write_durably(home.genesis, bundle.consensus_genesis)
    sync_folder(path)


def change_kind(path: Path, kind: NodeKind) -> NodeCard:
    """Make a node that is off one of another kind that follows. An archive that is none any more forgets its history;
    a node that becomes one keeps all versions from its next start on. Raises `FolderUnusable` if the node runs,
    `CardUnusable` for what it cannot become, `DatabaseFailed`."""
    card, folder = read_card(path / CARD), DataFolder(path)
    fixed = {NodeKind.VALIDATOR, NodeKind.BACKUP, NodeKind.BOOT}
    if card.kind != kind and fixed & {card.kind, kind}:
        raise CardUnusable(f"a node that is {card.kind} cannot become {kind}: make another with `gridtokenx node init`")
    changed = msgspec.structs.replace(card, kind=kind)
    lock = FolderLock(folder)
    try:
        if kind is not NodeKind.ARCHIVE and (folder.database / "CURRENT").is_file():
            storage = Storage(folder.database)
            try:
                storage.end_history()
            finally:
                storage.close()
        draft = path / f".{CARD}.draft"
        draft.unlink(missing_ok=True)
        write_durably(draft, changed.toml())
        draft.replace(path / CARD)
        sync_folder(path)
    finally:
        lock.release()
    return changed


def forget_state(path: Path) -> None:
    """Let a node that is off, or of which only card, keys and chain are left, take its state anew from the others, from
    the first block or from a snapshot. What it is (keys, chain), what its validator signed last and what it promised
    (the journal) stay. Stopped at any moment, it can be done again. Raises `FolderUnusable` if there is no node, or if
    it runs."""
    folder, home = DataFolder(path), ConsensusHome(path / FOLDER)
    if not home.genesis.is_file():
        raise FolderUnusable(f"there is no node of a network in {path}")
    lock = FolderLock(folder)
    try:
        for old in (folder.database, folder.new_database, folder.old_database, folder.snapshots):
            shutil.rmtree(old, ignore_errors=True)
        home.validator_state.parent.mkdir(mode=0o700, exist_ok=True)
        # A validator that forgot what it signed could sign the same height again.
        for old in home.validator_state.parent.iterdir():
            if old != home.validator_state:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        for inner in (folder.database, folder.journal, folder.run):
            inner.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path)
    finally:
        lock.release()
