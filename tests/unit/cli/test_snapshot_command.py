"""`gridtokenx snapshot`: made, listed, restored; what is not the state of the app hash is refused (N3)."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.unit.operations.test_verify import make_folder
from tests.world import NODE
from typer.testing import CliRunner

from gridtokenx.cli.main import app
from gridtokenx.engine.folder import DataFolder


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["snapshot", *words])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return make_folder(tmp_path_factory.mktemp("origin") / "data")


@pytest.fixture
def made(folder: DataFolder, tmp_path: Path) -> dict[str, Any]:
    """One snapshot of it."""
    (row,) = json.loads(run("make", "--data", str(folder.path), "--to", str(tmp_path / "backup"), "--json").stdout)
    return row


def restore(folder: DataFolder, row: dict[str, Any], target: Path, *more: str, code: int = 0) -> Result:
    words = (row["path"], "--genesis", str(folder.genesis), "--app-hash", row["app_hash"], "--data", str(target))
    return run("restore", *words, *more, code=code)


def test_a_backup_is_a_node_that_goes_on(folder: DataFolder, made: dict[str, Any], tmp_path: Path) -> None:
    said = restore(folder, made, tmp_path / "again", "--node-key", str(folder.key)).output
    assert f"stands at block {made['height']}" in said
    assert "node key is new" not in said
    restored = DataFolder(tmp_path / "again")
    assert restored.key.read_bytes() == NODE.secrets[0]
    verdict = CliRunner().invoke(app, ["verify", "--data", str(restored.path), "--workers", "0", "--json"])
    found = json.loads(verdict.stdout)
    assert found["sound"]
    assert found["app_hash"] == made["app_hash"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "backup"]


def test_without_a_key_it_gets_a_new_one(folder: DataFolder, made: dict[str, Any], tmp_path: Path) -> None:
    assert "Its node key is new" in restore(folder, made, tmp_path / "again").output
    assert (tmp_path / "again" / "node.key").read_bytes() != folder.key.read_bytes()


def test_they_are_listed(folder: DataFolder, made: dict[str, Any], tmp_path: Path) -> None:
    assert json.loads(run("list", "--to", str(tmp_path / "backup"), "--json").stdout) == [made]
    said = run("list", "--to", str(tmp_path / "backup")).output
    assert f"Block {made['height']}: " in said
    assert f"app hash {made['app_hash']}" in said
    assert run("list", "--data", str(tmp_path / "nothing")).output == "No snapshots.\n"


def test_the_default_place_is_the_folder(folder: DataFolder) -> None:
    run("make", "--data", str(folder.path))
    assert [path.name for path in folder.snapshots.iterdir()] != []
    shutil.rmtree(folder.snapshots)


def test_what_is_not_of_the_app_hash_is_refused(folder: DataFolder, made: dict[str, Any], tmp_path: Path) -> None:
    made["app_hash"] = "00" * 32
    said = restore(folder, made, tmp_path / "again", code=1).output
    assert "This snapshot is not the one: its record of the last block does not lead to the app hash" in said
    assert not (tmp_path / "again").exists()


def test_a_damaged_chunk_is_named(folder: DataFolder, made: dict[str, Any], tmp_path: Path) -> None:
    chunk = Path(made["path"]) / "00000"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    said = restore(folder, made, tmp_path / "again", code=1).output
    assert "chunk 0 (all records): it was damaged on its way" in said
    chunk.unlink()
    assert "chunk 0 is missing" in restore(folder, made, tmp_path / "again", code=1).output
    description = Path(made["path"]) / "snapshot"
    description.write_bytes(description.read_bytes()[:-1])
    assert "its description is damaged" in restore(folder, made, tmp_path / "again", code=1).output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup"]


def test_a_folder_that_is_there_stays(folder: DataFolder, made: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    assert "exists already" in restore(folder, made, tmp_path / "again", code=2).output
    assert "no data folder" in run("make", "--data", str(tmp_path / "again"), code=2).output


@pytest.mark.parametrize("text", ["", "00", "g" * 64, "00 " * 32])
def test_what_is_no_app_hash_is_said(made: dict[str, Any], folder: DataFolder, tmp_path: Path, text: str) -> None:
    made["app_hash"] = text
    assert "64 hexadecimal digits" in restore(folder, made, tmp_path / "again", code=2).output
