"""Places where a test may kill the node, to show that nothing is lost.

`GRIDTOKENX_CRASH_AT=journal.synced:2` ends the process, without any clean-up, the second time it comes by that
place. Without the variable a place costs one comparison.
"""

import os
from typing import Final

VARIABLE: Final = "GRIDTOKENX_CRASH_AT"

EXIT_STATUS: Final = 137
"""As after SIGKILL."""

POINTS: Final = (
    "folder.file_written",
    "folder.renamed",
    "genesis.rows_written",
    "genesis.head_written",
    "history.rows_written",
    "history.begun",
    "journal.segment_created",
    "journal.batches_written",
    "journal.batches_synced",
    "journal.marker_written",
    "journal.segment_dropped",
    "intake.verified",
    "intake.packed",
    "intake.journaled",
    "block.collected",
    "block.finalized",
    "storage.batch_built",
    "storage.batch_written",
    "storage.batch_synced",
    "block.committed",
    "block.settled",
    "consensus.info",
    "consensus.init_chain",
    "consensus.reap_txs",
    "consensus.prepare_proposal",
    "consensus.process_proposal",
    "consensus.finalize_block",
    "consensus.commit",
    "snapshot.checkpoint_made",
    "snapshot.rows_spooled",
    "snapshot.chunk_written",
    "snapshot.described",
    "snapshot.renamed",
    "snapshot.older_removed",
    "restore.chunk_kept",
    "restore.chunk_applied",
    "restore.database_whole",
    "restore.old_set_aside",
    "restore.swapped",
    "signer.signed",
    "signer.state_written",
    "signer.state_synced",
)
"""Every place, in the order in which a node comes by: after each write of a file, between any two engine calls.
Those of consensus are where a call of CometBFT's has done its work, and is not answered yet."""


class _Trap:
    """Counts down at one place."""

    def __init__(self, setting: str) -> None:
        self.point, _, times = setting.partition(":")
        self.times_left = int(times or "1")
        if self.point not in POINTS:
            raise ValueError(f"{VARIABLE} names no place: {self.point}")

    def come_by(self, point: str) -> None:
        """End the process if this is the place and the time."""
        if point != self.point:
            return
        self.times_left -= 1
        if self.times_left == 0:
            os._exit(EXIT_STATUS)


_setting = os.environ.get(VARIABLE)
_trap = _Trap(_setting) if _setting else None


def reached(point: str) -> None:
    """The process has come to this place."""
    if _trap is not None:
        _trap.come_by(point)
