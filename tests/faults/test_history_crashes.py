"""An archive is killed wherever it writes: its history has every version of every block that it has, and no other."""

import pytest
from coin_chain import IMPORT_PATH
from coin_process import NodeProcess, Traffic, new_folder

from gridtokenx.engine.application import Application
from gridtokenx.engine.faultpoints import EXIT_STATUS, POINTS
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.node import Node, NodeSettings
from gridtokenx.ledger.batch import check_batch

CALLS = 60
"""Enough for six blocks, however many of them one block takes; a node that is killed takes no more."""

BEGINNING = [point for point in POINTS if point.startswith(("genesis.", "history."))]
WRITING = ["storage.batch_built", "storage.batch_written", "storage.batch_synced"]
CASES = [(point, 1) for point in BEGINNING] + [(point, times) for point in WRITING for times in (2, 4, 6)]


def run_until_killed(folder: DataFolder, crash_at: str) -> None:
    node, traffic = NodeProcess(folder, crash_at=crash_at, options=("--history",)), Traffic()
    try:
        if node.wait_until_it_listens() and not traffic(folder, CALLS):
            node.stop()
        assert node.wait() == EXIT_STATUS, f"the node was not killed at {crash_at}: {node.said}"
    finally:
        node.kill()


def check_history(folder: DataFolder) -> None:
    """Against the states that executing every block anew gives."""
    node = Node(NodeSettings(folder.path, IMPORT_PATH, speed=1, workers=0, history=True))
    storage, chain = node.storage, node.application.chain
    node.engine.start()
    node.engine.make_block(node.engine.application.last_block().time_ms + 1)
    again = Application(chain)
    with folder.genesis.open("rb") as genesis:
        again.init_chain(genesis)
    history, first = storage.history(), again.info().height
    assert (history.since, history.until) == (first, storage.head().height)
    present = dict(storage.scan())
    keys: set[bytes] = set(present)
    states = {}
    records: dict[bytes, bytes] = {key: history.at(key, first).record for key in keys if history.at(key, first)}
    for height in range(first + 1, history.until + 1):
        outcome = again.finalize_block(storage.block(height).block, lambda wire: check_batch(wire, chain.body))
        again.commit()
        for key, record in outcome.changes:
            assert history.versions(key, height, height, 2) == [(height, record)]
            if record is None:
                records.pop(key, None)
            else:
                records[key] = record
            keys.add(key)
        states[height] = dict(records)
    assert records == present
    for height, state in states.items():
        for key in keys:
            version = history.at(key, height)
            assert (version.record if version else None) == state.get(key), (height, key.hex())
    node.close()


@pytest.mark.slow
@pytest.mark.parametrize(("point", "times"), CASES)
def test_a_kill_leaves_no_version_out_and_none_too_many(tmp_path, point, times) -> None:
    folder = new_folder(tmp_path / "node")
    run_until_killed(folder, f"{point}:{times}")
    check_history(folder)
