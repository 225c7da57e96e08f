"""The CometBFT process of a node: started, watched, and ended with it."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gridtokenx.engine.comet.complaints import Complaints
from gridtokenx.engine.comet.home import RPC_SOCKET, SIGNER_SOCKET
from gridtokenx.engine.comet.peers import keep_peers, persistent_peers

STOP_SECONDS_MAX: Final = 10.0
"""With QUIC links it may hang when it is asked to end; being killed costs nothing but a moment at the next start."""

LOG_BYTES_MAX: Final = 4 * 1024 * 1024
LOG_CHECK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class LaunchSettings:
    """How to run CometBFT. `data` is the node's data folder and its working directory; `home` and `log` are paths.
    `processors`: threads that run Go code at once (all there are); `collect_percent`: how much the heap may grow
    between two garbage collections (Go's 100). `proxy_app` stands for the setting of that name in `config.toml`."""

    data: Path
    home: Path
    log: Path
    program: Path
    processors: int | None = None
    collect_percent: int | None = None
    proxy_app: str | None = None

    def command(self) -> tuple[str, ...]:
        """The command line of CometBFT itself."""
        given = () if self.proxy_app is None else ("--proxy_app", self.proxy_app)
        return (str(self.program.resolve()), "start", "--home", str(self.home.resolve()), *given)

    def environment(self) -> dict[str, str]:
        """Ours, with what the Go runtime is to be told."""
        told = {"GOMAXPROCS": self.processors, "GOGC": self.collect_percent}
        return os.environ | {name: str(value) for name, value in told.items() if value is not None}


class Cometbft:
    """One CometBFT process, from `start` to its end. To be used in one event loop, in the main thread: the process
    dies with the thread that started it."""

    def __init__(self, settings: LaunchSettings) -> None:
        self.settings = settings
        self.failure: str | None = None
        """Why it had to be killed, though it ran, in a sentence."""
        self._process: asyncio.subprocess.Process | None = None
        self._tending: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    async def start(self) -> None:
        """Start it, in a session of its own: Ctrl-C reaches us alone. Sockets of a run that was killed are removed.
        Raises OSError."""
        settings = self.settings
        (settings.data / "run").mkdir(mode=0o700, exist_ok=True)
        for socket in (RPC_SOCKET, SIGNER_SOCKET):
            (settings.data / "run" / socket).unlink(missing_ok=True)
        _rotate(settings.log, in_use=False)
        complaints = Complaints(settings.log)
        tether = str(Path(__file__).with_name("tether.py"))
        with settings.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", tether, str(os.getpid()), *settings.command()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=settings.data,
                env=settings.environment(),
                start_new_session=True,
            )
        keeping = keep_peers(settings.data / "run" / RPC_SOCKET, persistent_peers(settings.home))
        self._tending = [asyncio.create_task(self._watch_log(complaints)), asyncio.create_task(keeping)]

    async def wait(self) -> int:
        """Wait until it has ended, however that came; its status, negative for a signal."""
        assert self._process is not None
        status = await self._process.wait()
        for task in self._tending:
            task.cancel()
        return status

    async def stop(self) -> int:
        """Ask it to end; kill it when it does not within `STOP_SECONDS_MAX`. Returns its status."""
        self._signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(asyncio.shield(self.wait()), STOP_SECONDS_MAX)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            return await self.wait()

    def last_words(self, lines: int = 5) -> str:
        """The end of its log, for whoever has to say why it ended."""
        with contextlib.suppress(FileNotFoundError), self.settings.log.open("rb") as log:
            log.seek(max(0, self.settings.log.stat().st_size - 8_192))
            return b"\n".join(log.read().splitlines()[-lines:]).decode(errors="replace")
        return ""

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            # The group: where the tether stays, the program is its child.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def _watch_log(self, complaints: Complaints) -> None:
        while True:
            await asyncio.sleep(LOG_CHECK_SECONDS)
            self.failure = complaints.look()
            if self.failure is not None:
                self._signal(signal.SIGKILL)
                return
            _rotate(self.settings.log, in_use=True)


def _rotate(log: Path, *, in_use: bool) -> None:
    """Keep the log below `LOG_BYTES_MAX`, and one old one. A log in use is copied and cut: the process appends to the
    same file, wherever its end is."""
    if not log.exists() or log.stat().st_size <= LOG_BYTES_MAX:
        return
    old = log.with_suffix(".log.old")
    if in_use:
        shutil.copyfile(log, old)
        os.truncate(log, 0)
    else:
        log.replace(old)
