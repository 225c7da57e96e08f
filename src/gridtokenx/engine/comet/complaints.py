"""What CometBFT writes into its log and only there: that its consensus has stopped for good.

When its part of the machine comes upon what must not be, CometBFT stops consensus, says so in its log, and otherwise
goes on: it answers, keeps its links, and makes no block ever again. And one whose application has another state than
the others' blames every peer for its next block, one after another. A node must not stay in either.
"""

import json
from pathlib import Path
from typing import Final

FAILED: Final = "CONSENSUS FAILURE!!!"
REFUSED: Final = "Error in validation"
"""Of a block that it fetched. Two thirds have signed it, wherever the complaint is about the app hash."""

WRONG_APP_HASH: Final = "wrong Block.Header.AppHash"


class Complaints:
    """Reads a log as it grows."""

    def __init__(self, log: Path) -> None:
        """From its present end on."""
        self._log = log
        self._read = log.stat().st_size if log.exists() else 0

    def look(self) -> str | None:
        """What was written since the last look that must stop the node, as a sentence; None if there is nothing."""
        if not self._log.exists():
            return None
        with self._log.open("rb") as log:
            if log.seek(0, 2) < self._read:
                self._read = 0  # it was cut meanwhile
            log.seek(self._read)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        return next(filter(None, map(complaint, whole.splitlines())), None)


def complaint(line: bytes) -> str | None:
    """What this line of the log says, if the node must stop for it."""
    if FAILED.encode() not in line and WRONG_APP_HASH.encode() not in line:
        return None
    try:
        said = json.loads(line)
    except ValueError:
        return None
    what, why = said.get("_msg"), str(said.get("err", ""))
    if what == FAILED or (what == REFUSED and WRONG_APP_HASH in why):
        if WRONG_APP_HASH in why:
            return f"the state of this node is not that of the others, its app hash is wrong ({why})"
        return f"consensus failed on this node ({why})"
    return None
