"""Ports of a network: a block of them, held by a lock for as long as the network runs.

The locks lie in one folder for each user of the machine, so two networks never take the same ports, whatever starts
first. Blocks lie below the range from which systems take ports for outgoing connections.
"""

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import Final

FIRST: Final = 18_000
END: Final = 32_000
BLOCK: Final = 100
"""Ports in one block; a network takes as many neighbouring blocks as it needs."""


class PortsTaken(Exception):
    """There are not that many free ports side by side."""


class PortBlock:
    """Neighbouring ports, ours until `release`."""

    def __init__(self, count: int, preferred: int | None = None) -> None:
        """Take `count` free ports; those from `preferred` on if they can be had, such as those of the last run.

        Raises `PortsTaken`.
        """
        self._files: list[int] = []
        self.count = count
        blocks = -(-count // BLOCK)
        firsts = range(FIRST, END - blocks * BLOCK + 1, BLOCK)
        for first in [*([preferred] if preferred in firsts else []), *firsts]:
            assert first is not None
            if self._lock(first, blocks):
                if all(map(_is_free, range(first, first + count))):
                    self.first = first
                    return
                self.release()
        raise PortsTaken(f"no {count} free ports side by side between {FIRST} and {END}: stop another network")

    def release(self) -> None:
        """Let others have them."""
        for file in self._files:
            os.close(file)
        self._files.clear()

    def _lock(self, first: int, blocks: int) -> bool:
        folder = lock_folder()
        for block in range(first, first + blocks * BLOCK, BLOCK):
            self._files.append(os.open(folder / f"{block}.lock", os.O_RDWR | os.O_CREAT, 0o600))
            try:
                fcntl.flock(self._files[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.release()
                return False
        return True


def lock_folder() -> Path:
    """Where this user's locks lie: gone after a restart of the machine, as the ports are."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    folder = Path(base) / f"gridtokenx-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PortsTaken(f"{folder} belongs to somebody else: delete it")
    return folder


def _is_free(port: int) -> bool:
    """Whether both TCP and UDP can be listened on."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # A port that was listened on a moment ago is free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
