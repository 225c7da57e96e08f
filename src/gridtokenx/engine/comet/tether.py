"""Becomes another program that ends when its parent does.

    python -I -S tether.py PARENT_PID PROGRAM ARGUMENT...

On Linux the kernel is asked to kill this process when the parent's thread that started it ends, and then the program
takes this process over: same process id, nothing stays behind. Elsewhere this process stays, starts the program as
its child, passes signals on, and ends it when the parent is gone. A file of its own and run in a fresh interpreter,
because what happens between fork and exec in a process with threads may wait for ever.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
ORPHANED = 70
POLL_S = 0.5


def main() -> int:
    """Become the program, or wait for it."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return ORPHANED  # it died before the kernel was asked
        os.execv(command[0], command)  # noqa: S606 (no shell is meant)
    return _accompany(parent, command)


def _accompany(parent: int, command: list[str]) -> int:
    child = subprocess.Popen(command)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: child.terminate())
    while child.poll() is None:
        if os.getppid() != parent:
            child.kill()
        time.sleep(POLL_S)
    return child.returncode


if __name__ == "__main__":
    sys.exit(main())
