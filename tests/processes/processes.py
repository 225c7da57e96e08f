"""Real processes for tests: a node and a gateway, started as a user starts them, on loopback.

Nothing here waits for time: a start is over when the process says so on its standard error.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

from gridtokenx.gateway.readmodel import FOLLOWED

CHAIN_PATH = "gridtokenx.chains.consortium:CONSORTIUM"
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30


class Process:
    """One process with its standard error: lines can be waited for."""

    def __init__(self, command: list[str], **settings: object) -> None:
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            **settings,  # type: ignore[call-overload]
        )
        self.lines: list[str] = []
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._queue.put(line)
        self._queue.put(None)

    def wait_for(self, text: str) -> str:
        """The next line with this text; AssertionError, with all that was said, when the process ends before."""
        while (line := self._queue.get(timeout=START_SECONDS_MAX)) is not None:
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"the process ended without {text!r}:\n{''.join(self.lines)}")

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        self.process.terminate()
        status: int = self.process.wait(STOP_SECONDS_MAX)
        return status

    def end(self) -> None:
        """Whatever it takes."""
        if self.process.poll() is None:
            self.kill()
        for stream in (self.process.stdin, self.process.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self._reader.join()


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def node_process(data: Path, speed: int = 0, interval_ms: int = 100) -> Iterator[Process]:
    """A node that listens."""
    feed = ",".join(str(prefix) for prefix in sorted(FOLLOWED))
    options = ["--speed", str(speed), "--interval-ms", str(interval_ms), "--workers", "1", "--feed", feed]
    process = Process(
        [sys.executable, "-m", "gridtokenx.engine.node", "--data", str(data), "--chain", CHAIN_PATH, *options]
    )
    try:
        process.wait_for("listens on")
        yield process
    finally:
        process.end()


@contextlib.contextmanager
def gateway_process(data: Path, port: int, *options: str, ready: str = "follows the node") -> Iterator[Process]:
    """A gateway that has its read model and follows the node."""
    command = [sys.executable, "-m", "gridtokenx.gateway", "--data", str(data), "--port", str(port), *options]
    process = Process(command, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        if ready:
            process.wait_for(ready)
        yield process
    finally:
        process.end()
