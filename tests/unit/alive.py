"""Whether a process still runs."""

import os
from pathlib import Path


def is_alive(pid: int) -> bool:
    """One that nobody has buried yet is dead all the same (Linux)."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
