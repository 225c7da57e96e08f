"""A disk that takes no more: the node says so and stops before it commits; with room again it goes on."""

import resource
from pathlib import Path

import pytest
from coin_chain import COIN, genesis
from coin_process import NodeProcess, Traffic, new_folder, recover_and_check

from gridtokenx.engine.journal import Journal
from gridtokenx.engine.node import EXIT_STOPPED
from gridtokenx.ledger.genesis import import_state


def largest(folder: Path, pattern: str) -> int:
    return max(path.stat().st_size for path in folder.glob(pattern))


def let_files_grow_to(node: NodeProcess, size: int) -> None:
    """From now on a write beyond this size fails, as on a full disk (but with another error number)."""
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.slow
def test_a_database_that_cannot_be_written_stops_the_node(tmp_path) -> None:
    folder, traffic = new_folder(tmp_path / "node"), Traffic()
    node = NodeProcess(folder)
    try:
        assert node.wait_until_it_listens()
        traffic(folder, 4)
        before = len(traffic.accepted)
        # The write-ahead log is the largest file by far, and grows with every block.
        let_files_grow_to(node, largest(folder.database, "*.log") + 10_000)
        assert traffic(folder, 1_000)
        assert node.wait() == EXIT_STOPPED
        assert "node stopped, nothing is lost" in node.said
        assert "cannot write to the database" in node.said
        assert "File too large" in node.said
    finally:
        node.kill()
    assert before <= len(traffic.accepted)
    recover_and_check(folder, traffic.accepted)


@pytest.mark.slow
def test_a_journal_that_cannot_be_written_stops_the_node(tmp_path) -> None:
    folder, traffic = new_folder(tmp_path / "node"), Traffic()
    # A journal that is larger than what the database writes, so that it meets the limit first.
    journal, app_hash = Journal(folder.journal), import_state(COIN, genesis())[1].root()
    while largest(folder.journal, "*") < 300_000:
        journal.mark(0, app_hash)
    journal.close()
    node = NodeProcess(folder, segment_bytes=10**9, interval_ms=50)
    try:
        assert node.wait_until_it_listens()
        let_files_grow_to(node, largest(folder.journal, "*") + 2_000)
        assert traffic(folder, 100)
        assert node.wait() == EXIT_STOPPED
        assert "node stopped, nothing is lost" in node.said
        assert "OSError" in node.said
    finally:
        node.kill()
    assert traffic.accepted
    recover_and_check(folder, traffic.accepted)
