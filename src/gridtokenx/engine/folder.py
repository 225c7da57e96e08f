"""What lies where in a node's data folder, and who may use it.

    genesis.bin   the state the chain began with (an export; its hash names the chain's beginning)
    node.key      32 secret bytes of the node's signing key, readable by its owner alone
    node.key.next the key that takes its place when the chain knows the node by it (not always there)
    db/           RocksDB; `beginning` in it is the snapshot it was restored from, if it was
    db.new/, db.old/   only while a database is being restored and put in the place of another
    snapshots/    the newest snapshots of the state, for nodes that join
    journal/      batches that are accepted and not yet in a block
    evidence/     bad batches that other nodes signed (`engine.comet.evidence`)
    run/          pid, socket: only while the node runs
    lock          held by the running node: a second one is refused

A folder is made under another name and renamed, so it is whole or it is not there.
"""

import fcntl
import os
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridtokenx.engine.faultpoints import reached

SEED_BYTES: Final = 32
BEGINNING: Final = "beginning"
SOCKET_PATH_BYTES_MAX: Final = 103
"""Of a Unix socket's address: 108 bytes with the final zero on Linux, 104 on other systems."""


class FolderUnusable(Exception):
    """The data folder is not there, not whole, or in use. Says which, and what to do."""


class NodeKey:
    """The key a node signs its batches with."""

    def __init__(self, seed: bytes) -> None:
        """From 32 secret bytes; ValueError for any other length."""
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key: bytes = self._private.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return self._private.sign(data)


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths of one node's data."""

    path: Path

    @property
    def genesis(self) -> Path:
        """Canonical bytes of the genesis."""
        return self.path / "genesis.bin"

    @property
    def key(self) -> Path:
        """The node's secret seed."""
        return self.path / "node.key"

    @property
    def next_key(self) -> Path:
        """The seed of the key that takes the place of `key` when the chain says so."""
        return self.path / "node.key.next"

    @property
    def database(self) -> Path:
        """RocksDB."""
        return self.path / "db"

    @property
    def new_database(self) -> Path:
        """A database in the making: it takes the place of the present one when it is whole."""
        return self.path / "db.new"

    @property
    def old_database(self) -> Path:
        """The one whose place it takes, for a moment."""
        return self.path / "db.old"

    @property
    def beginning(self) -> Path:
        """The snapshot that the database was restored from, inside of it: they come and go together."""
        return self.database / BEGINNING

    @property
    def snapshots(self) -> Path:
        """The newest snapshots."""
        return self.path / "snapshots"

    @property
    def journal(self) -> Path:
        """Segments of the journal."""
        return self.path / "journal"

    @property
    def evidence(self) -> Path:
        """What other nodes did wrong."""
        return self.path / "evidence"

    @property
    def run(self) -> Path:
        """Only while the node runs."""
        return self.path / "run"

    @property
    def pid(self) -> Path:
        """Process id of the running node, in digits."""
        return self.run / "node.pid"

    @property
    def socket(self) -> Path:
        """Where the node listens."""
        return self.run / "node.sock"

    @property
    def abci_socket(self) -> Path:
        """Where the node answers its consensus engine."""
        return self.run / "abci.sock"

    @property
    def waits(self) -> Path:
        """What the node waits for before it takes part in consensus, a sentence; only while it does."""
        return self.run / "waits"

    @property
    def lock(self) -> Path:
        """Held by the running node."""
        return self.path / "lock"

    def require(self) -> None:
        """Raises `FolderUnusable` unless the folder has been made."""
        if not self.genesis.is_file():
            raise FolderUnusable(f"{self.path} is no data folder: there is no {self.genesis.name} in it")


def create_data_folder(path: Path, genesis: bytes, node_seed: bytes) -> DataFolder:
    """Make the folder of a node that starts from this genesis.

    Raises `FolderUnusable` if something is there already. Stopped at any moment, it leaves nothing at `path`.
    """
    if path.exists():
        raise FolderUnusable(f"{path} exists already: choose another folder, or delete it first")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = DataFolder(path.with_name(f".{path.name}.draft"))
    # What an earlier attempt left behind.
    shutil.rmtree(draft.path, ignore_errors=True)
    draft.path.mkdir(mode=0o700)
    for folder in (draft.database, draft.journal, draft.run):
        folder.mkdir(mode=0o700)
    write_durably(draft.genesis, genesis)
    load_or_create_node_key(draft.key, node_seed)
    sync_folder(draft.path)
    draft.path.rename(path)
    reached("folder.renamed")
    sync_folder(path.parent)
    return DataFolder(path)


def swap_databases(folder: DataFolder) -> None:
    """Put the new database, which is whole and closed, in the place of the present one. Stopped at any moment, it
    leaves what `settle_databases` finishes."""
    folder.database.mkdir(mode=0o700, exist_ok=True)
    folder.database.rename(folder.old_database)
    sync_folder(folder.path)
    reached("restore.old_set_aside")
    settle_databases(folder)


def settle_databases(folder: DataFolder) -> None:
    """At a start, before the database is opened: finish a swap that was begun, drop a new database that was not yet
    whole."""
    if folder.old_database.exists() and not folder.database.exists():
        folder.new_database.rename(folder.database)
        sync_folder(folder.path)
        reached("restore.swapped")
    for left in (folder.new_database, folder.old_database):
        shutil.rmtree(left, ignore_errors=True)


def load_or_create_node_key(path: Path, seed: bytes | None = None) -> NodeKey:
    """The key in the file; if there is no file, one is made from `seed`, or from a random one.

    Raises `FolderUnusable` if others may read the file or it does not hold 32 bytes.
    """
    if not path.exists():
        write_durably(path, secrets.token_bytes(SEED_BYTES) if seed is None else seed)
    if path.stat().st_mode & 0o077:
        raise FolderUnusable(f"others may read {path}: `chmod 600` it, and consider the key known to them")
    content = path.read_bytes()
    if len(content) != SEED_BYTES:
        raise FolderUnusable(f"{path} holds {len(content)} bytes, a node key has {SEED_BYTES}")
    return NodeKey(content)


def take_next_node_key(folder: DataFolder) -> None:
    """The next key is the node's from now on."""
    folder.next_key.replace(folder.key)
    sync_folder(folder.path)


def write_durably(path: Path, data: bytes) -> None:
    """Write a new file, for its owner alone, and wait until it is on the disk."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        unwritten = memoryview(data)
        while unwritten:
            unwritten = unwritten[os.write(file, unwritten) :]
        os.fsync(file)
    finally:
        os.close(file)
    reached("folder.file_written")


def replace_durably(path: Path, data: bytes) -> None:
    """Write a file in the place of the present one; stopped at any moment, the one or the other is there, whole. It
    keeps the rights of the present one."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    write_durably(draft, data)
    draft.chmod(path.stat().st_mode & 0o777)
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Wait until names made, changed or removed in the folder are on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


class FolderLock:
    """One process a folder: held from its start to its end, however it ends."""

    def __init__(self, folder: DataFolder, what: str = "node") -> None:
        """Raises `FolderUnusable` if another process holds it; `what` it is."""
        self._file = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise FolderUnusable(f"another {what} runs on {folder.path}: stop that one first") from None

    def release(self) -> None:
        """Let others have it."""
        os.close(self._file)


def socket_address(path: Path) -> str:
    """An address for the socket that the system takes, however deep the folder lies.

    A long path is reached through the open folder (Linux); the descriptor stays open for the process's life.
    Raises `FolderUnusable` where that does not work.
    """
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        return str(path)
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        raise FolderUnusable(f"{path} is too long for a socket: choose a data folder with a shorter path")
    return str(descriptors / str(os.open(path.parent, os.O_RDONLY)) / path.name)


def listening_socket(path: Path) -> socket.socket:
    """A Unix socket at this path, for the folder's owner alone; one that an earlier process left there goes."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(socket_address(path))
    path.chmod(0o600)
    return listener
