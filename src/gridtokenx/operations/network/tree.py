"""A process with everything it has started, as one: a node with its workers and its CometBFT is one machine."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path


def signal_tree(root: int, number: signal.Signals) -> None:
    """Send the signal to the process and all its descendants, the process itself first."""
    for process in [root, *descendants(root)]:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def descendants(root: int) -> list[int]:
    """All that the process has started, and what those have, as far as it still runs."""
    children: dict[int, list[int]] = {}
    for process, parent in _parents():
        children.setdefault(parent, []).append(process)
    found, waiting = [], [root]
    while waiting:
        born = children.get(waiting.pop(), [])
        found.extend(born)
        waiting.extend(born)
    return found


def _parents() -> list[tuple[int, int]]:
    """(process, its parent) for every process."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
        return [(int(process), int(parent)) for process, parent in (line.split() for line in listed.splitlines())]
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                # After the name, which may hold anything but ends with the last bracket: state, parent.
                parent = (folder / "stat").read_bytes().rpartition(b")")[2].split()[1]
                found.append((int(folder.name), int(parent)))
    return found
