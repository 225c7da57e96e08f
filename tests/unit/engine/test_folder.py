"""A data folder is whole or not there, secret keys are secret, and one node has it at a time."""

import socket
import stat

import pytest
from coin_chain import genesis

from gridtokenx.engine.folder import (
    DataFolder,
    FolderLock,
    FolderUnusable,
    NodeKey,
    create_data_folder,
    load_or_create_node_key,
    socket_address,
)
from gridtokenx.ledger.crypto import signature_is_valid

SEED = bytes(range(32))


def test_a_new_folder_has_genesis_key_and_room(tmp_path) -> None:
    folder = create_data_folder(tmp_path / "deep" / "node", genesis(), SEED)
    folder.require()
    assert folder.genesis.read_bytes() == genesis()
    assert load_or_create_node_key(folder.key).public_key == NodeKey(SEED).public_key
    assert folder.database.is_dir() and folder.journal.is_dir() and folder.run.is_dir()
    assert stat.S_IMODE(folder.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert list(folder.path.parent.iterdir()) == [folder.path], "no draft is left"


def test_an_existing_folder_is_never_overwritten(tmp_path) -> None:
    (tmp_path / "node").mkdir()
    with pytest.raises(FolderUnusable, match="exists already"):
        create_data_folder(tmp_path / "node", genesis(), SEED)


def test_what_an_earlier_attempt_left_is_no_hindrance(tmp_path) -> None:
    (tmp_path / ".node.draft" / "db").mkdir(parents=True)
    create_data_folder(tmp_path / "node", genesis(), SEED).require()


def test_a_folder_without_genesis_is_refused(tmp_path) -> None:
    with pytest.raises(FolderUnusable, match="no data folder"):
        DataFolder(tmp_path).require()


def test_a_random_key_is_made_once(tmp_path) -> None:
    first = load_or_create_node_key(tmp_path / "node.key")
    assert load_or_create_node_key(tmp_path / "node.key").public_key == first.public_key
    assert signature_is_valid(first.sign(b"text"), b"text", first.public_key)


def test_a_key_that_others_may_read_or_that_is_cut_is_refused(tmp_path) -> None:
    path = tmp_path / "node.key"
    load_or_create_node_key(path, SEED)
    path.chmod(0o640)
    with pytest.raises(FolderUnusable, match="others may read"):
        load_or_create_node_key(path)
    path.chmod(0o600)
    path.write_bytes(SEED[:31])
    with pytest.raises(FolderUnusable, match="31 bytes"):
        load_or_create_node_key(path)


def test_a_folder_has_one_node_at_a_time(tmp_path) -> None:
    folder = DataFolder(tmp_path)
    lock = FolderLock(folder)
    with pytest.raises(FolderUnusable, match="another node runs"):
        FolderLock(folder)
    lock.release()
    FolderLock(folder).release()


def test_a_socket_in_a_deep_folder_can_be_reached(tmp_path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    deep.mkdir(parents=True)
    for path in (tmp_path / "s", deep / "node.sock"):
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
            listener.bind(socket_address(path))
            listener.listen()
            assert path.is_socket()
            caller.connect(socket_address(path))
