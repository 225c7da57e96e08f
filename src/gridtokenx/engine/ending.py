"""When a process has to end: on a signal, or when whoever started it is gone."""

import asyncio
import os
import signal
import sys


def told_to_end(*, with_input: bool = True) -> asyncio.Event:
    """Set on SIGTERM and SIGINT, and when standard input closes, if that is a pipe that our supervisor holds."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if with_input:
        loop.add_reader(sys.stdin.fileno(), _read_until_end, loop, stopping)
    return stopping


def _read_until_end(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4_096):
        loop.remove_reader(sys.stdin.fileno())
        stopping.set()
