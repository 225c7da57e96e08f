"""The node is killed at every place there is, then started again: nothing accepted is lost, no hash changes."""

import os
import subprocess
import sys

import pytest
from coin_chain import IMPORT_FOLDERS
from coin_process import NodeProcess, Traffic, new_folder, recover_and_check

from gridtokenx.engine.faultpoints import EXIT_STATUS, POINTS, VARIABLE
from gridtokenx.engine.folder import DataFolder

CALLS = 16

FOLDER_POINTS = [point for point in POINTS if point.startswith("folder.")]
ONCE_POINTS = [point for point in POINTS if point.startswith("genesis.")]
# These have tests of their own (`test_snapshot_crashes.py`, `test_signer_crashes.py`, `test_history_crashes.py`,
# `tests/network`).
OTHERS = ("snapshot.", "restore.", "consensus.", "signer.", "history.")
OTHER_POINTS = [point for point in POINTS if point.startswith(OTHERS)]
NODE_POINTS = [point for point in POINTS if point not in {*FOLDER_POINTS, *ONCE_POINTS, *OTHER_POINTS}]

# The first three writes of a database are those of the genesis (rows, head) and of the empty first block.
TIMES = {"storage.batch_written": (1, 2, 3, 4), "storage.batch_synced": (1, 2, 3, 4)}
CASES = [(point, 1) for point in ONCE_POINTS] + [
    (point, times) for point in NODE_POINTS for times in TIMES.get(point, (1, 2))
]


def run_until_killed(folder: DataFolder, traffic: Traffic, crash_at: str) -> None:
    node = NodeProcess(folder, crash_at=crash_at)
    try:
        if node.wait_until_it_listens() and not traffic(folder, CALLS):
            node.stop()
        assert node.wait() == EXIT_STATUS, f"the node was not killed at {crash_at}: {node.said}"
    finally:
        node.kill()


@pytest.mark.slow
@pytest.mark.parametrize(("point", "times"), CASES)
def test_a_kill_loses_nothing(tmp_path, point, times) -> None:
    folder, traffic = new_folder(tmp_path / "node"), Traffic()
    run_until_killed(folder, traffic, f"{point}:{times}")
    recover_and_check(folder, traffic.accepted)


@pytest.mark.slow
@pytest.mark.parametrize("point", NODE_POINTS)
def test_a_kill_while_recovering_from_a_kill_loses_nothing(tmp_path, point) -> None:
    folder, traffic = new_folder(tmp_path / "node"), Traffic()
    for crash_at in ("block.finalized:3", f"{point}:1"):
        run_until_killed(folder, traffic, crash_at)
    recover_and_check(folder, traffic.accepted)


@pytest.mark.parametrize(
    ("point", "times", "whole"),
    [("folder.file_written", 1, False), ("folder.file_written", 2, False), ("folder.renamed", 1, True)],
)
def test_a_folder_is_whole_or_not_there(tmp_path, point, times, whole) -> None:
    assert point in FOLDER_POINTS
    program = f"from coin_process import *\nnew_folder(Path({str(tmp_path / 'node')!r}))"
    environment = os.environ | {"PYTHONPATH": IMPORT_FOLDERS, VARIABLE: f"{point}:{times}"}
    run = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert run.returncode == EXIT_STATUS
    folder = DataFolder(tmp_path / "node") if whole else new_folder(tmp_path / "node")
    recover_and_check(folder, [])
