import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.alive import is_alive

from gridtokenx.engine.control import Document, NobodyThere, Refused, ask, serve
from gridtokenx.operations.network.tree import descendants, signal_tree


async def answer(question: Document) -> Document:
    if question == {"do": "greet"}:
        return {"said": "สวัสดี"}
    raise ValueError("not that")


def test_questions_are_answered_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "run" / "network.sock"

    async def run() -> None:
        server = await serve(path, answer)
        assert await asyncio.to_thread(ask, path, {"do": "greet"}) == {"said": "สวัสดี"}
        with pytest.raises(Refused, match="not that"):
            await asyncio.to_thread(ask, path, {"do": "dance"})
        server.close()
        again = await serve(path, answer)  # in the place of what the last one left
        assert await asyncio.to_thread(ask, path, {"do": "greet"}) == {"said": "สวัสดี"}
        again.close()

    asyncio.run(run())
    assert path.parent.stat().st_mode & 0o077 == 0


def test_nobody_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NobodyThere, match=r"network\.sock"):
        ask(tmp_path / "network.sock", {"do": "greet"})


PARENT = (
    "import subprocess, sys; child = subprocess.Popen(['sleep', '600']); print(child.pid, flush=True); child.wait()"
)


def test_a_tree_of_processes_is_signalled_as_one() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert descendants(os.getpid()).count(child) == 1
        assert descendants(parent.pid) == [child]
        signal_tree(parent.pid, signal.SIGKILL)
    assert parent.returncode == -signal.SIGKILL
    while is_alive(child):
        os.sched_yield()
