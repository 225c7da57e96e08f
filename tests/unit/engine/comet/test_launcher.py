"""The launcher with programs of this test in the place of CometBFT."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.alive import is_alive

from gridtokenx.engine.comet import launcher
from gridtokenx.engine.comet.home import HomeSettings, create_home
from gridtokenx.engine.comet.keys import NodeKeys
from gridtokenx.engine.comet.launcher import LOG_BYTES_MAX, Cometbft, LaunchSettings

STAY = 'echo "up in $PWD with GOGC=$GOGC"; exec sleep 600'
DEAF = 'trap "" TERM; echo deaf; while :; do sleep 0.05; done'


def settings(folder: Path, script: str, collect_percent: int | None = None) -> LaunchSettings:
    """A node's folder with a home, and a program that does what the script says."""
    data = folder / "data"
    data.mkdir()
    home = create_home(data / "consensus", NodeKeys.generate(), HomeSettings("node-1"))
    program = folder / "cometbft"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return LaunchSettings(data, home.path, data / "cometbft.log", program, collect_percent=collect_percent)


async def said(comet: Cometbft, text: str) -> None:
    """Until its log has this; it ends with the test's own time limit."""
    while text not in comet.last_words():
        assert comet.pid is not None, f"it ended: {comet.last_words()}"
        await asyncio.sleep(0.01)


def test_it_runs_in_the_data_folder_and_ends_when_asked(tmp_path: Path) -> None:
    async def run() -> None:
        comet = Cometbft(settings(tmp_path, STAY, collect_percent=400))
        await comet.start()
        await said(comet, f"up in {tmp_path / 'data'} with GOGC=400")
        assert comet.pid is not None and os.getpgid(comet.pid) == comet.pid
        assert await comet.stop() == -signal.SIGTERM
        assert comet.pid is None

    asyncio.run(run())


def test_the_command_line_names_home_and_application(tmp_path: Path) -> None:
    given = settings(tmp_path, STAY)
    start = [str(given.program), "start", "--home", str(given.home)]
    assert given.command() == tuple(start)
    with_application = LaunchSettings(given.data, given.home, given.log, given.program, proxy_app="kvstore")
    assert with_application.command() == (*start, "--proxy_app", "kvstore")


def test_its_end_is_noticed_with_its_last_words(tmp_path: Path) -> None:
    async def run() -> None:
        comet = Cometbft(settings(tmp_path, "echo no genesis; exit 7"))
        await comet.start()
        assert await comet.wait() == 7
        assert comet.last_words() == "no genesis"
        assert await comet.stop() == 7, "stopping what has ended is no error"

    asyncio.run(run())


def test_one_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "STOP_SECONDS_MAX", 0.2)

    async def run() -> None:
        comet = Cometbft(settings(tmp_path, DEAF))
        await comet.start()
        await said(comet, "deaf")
        assert await comet.stop() == -signal.SIGKILL

    asyncio.run(run())


def test_a_large_log_makes_room_and_one_old_one_stays(tmp_path: Path) -> None:
    async def run() -> None:
        given = settings(tmp_path, "echo new")
        given.log.write_bytes(b"old" * LOG_BYTES_MAX)
        comet = Cometbft(given)
        await comet.start()
        await comet.wait()
        assert comet.last_words() == "new"
        assert given.log.with_suffix(".log.old").stat().st_size == 3 * LOG_BYTES_MAX

    asyncio.run(run())


def test_a_socket_that_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    async def run() -> None:
        given = settings(tmp_path, "test ! -e run/rpc.sock && echo clean")
        (given.data / "run").mkdir()
        (given.data / "run" / "rpc.sock").touch()
        comet = Cometbft(given)
        await comet.start()
        assert await comet.wait() == 0
        assert comet.last_words() == "clean"

    asyncio.run(run())


PARENT = """
import asyncio, sys
from pathlib import Path
from gridtokenx.engine.comet.launcher import Cometbft, LaunchSettings

async def run():
    data, home, log, program = map(Path, sys.argv[1:])
    comet = Cometbft(LaunchSettings(data, home, log, program))
    await comet.start()
    while "up" not in comet.last_words():
        await asyncio.sleep(0.01)
    print(comet.pid, flush=True)
    await comet.wait()

asyncio.run(run())
"""


def test_it_dies_with_a_node_that_is_killed(tmp_path: Path) -> None:
    given = settings(tmp_path, STAY)
    command = [sys.executable, "-c", PARENT, *map(str, (given.data, given.home, given.log, given.program))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
    while is_alive(child):
        os.sched_yield()
