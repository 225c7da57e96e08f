"""What in CometBFT's log must stop a node, and what must not."""

import json
from pathlib import Path

from gridtokenx.engine.comet.complaints import Complaints

APP_HASH = "wrong Block.Header.AppHash.  Expected 01, got 02"


def line(what: str, why: str) -> bytes:
    return json.dumps({"_msg": what, "err": why, "level": "error"}).encode() + b"\n"


def look(log: Path, *said: bytes) -> str | None:
    log.write_bytes(b"")
    complaints = Complaints(log)
    with log.open("ab") as file:
        file.writelines(said)
    return complaints.look()


def test_a_failed_consensus_must_stop_the_node(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert look(log, line("all is well", ""), line("CONSENSUS FAILURE!!!", "runtime error")) == (
        "consensus failed on this node (runtime error)"
    )
    for what in ("CONSENSUS FAILURE!!!", "Error in validation"):
        assert look(log, line(what, f"precommit step; {APP_HASH}")) == (
            f"the state of this node is not that of the others, its app hash is wrong (precommit step; {APP_HASH})"
        )


def test_what_others_do_wrong_must_not(tmp_path: Path) -> None:
    log = tmp_path / "log"
    # A proposer may say any app hash, and a peer may send blocks that nobody signed.
    assert look(log, line("prevote step: consensus deems this block invalid; prevoting nil", APP_HASH)) is None
    assert look(log, line("Error in validation", "wrong signature")) is None
    assert look(log, line("a peer says", "CONSENSUS FAILURE!!!")) is None
    assert look(log, b"CONSENSUS FAILURE!!!\n") is None


def test_only_what_is_new_and_whole_counts(tmp_path: Path) -> None:
    log, failed = tmp_path / "log", line("CONSENSUS FAILURE!!!", "first")
    assert Complaints(log).look() is None
    log.write_bytes(failed)
    complaints = Complaints(log)
    assert complaints.look() is None
    with log.open("ab") as file:
        file.write(failed[:10])
    assert complaints.look() is None
    with log.open("ab") as file:
        file.write(failed[10:])
    assert complaints.look() is not None
    assert complaints.look() is None


def test_a_log_that_was_cut_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(line("all is well", "") * 100)
    complaints = Complaints(log)
    log.write_bytes(line("CONSENSUS FAILURE!!!", "after the cut"))
    assert complaints.look() == "consensus failed on this node (after the cut)"
