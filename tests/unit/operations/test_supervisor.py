import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gridtokenx.operations.supervisor import RESTART_DELAY_S_MAX, STABLE_S, Program, Supervisor

STAY = (sys.executable, "-c", "import sys; sys.stdin.read()")
"""Ends when its standard input closes."""
FAIL = (sys.executable, "-c", "import sys; print('what was wrong'); sys.exit(7)")
WRITE_END = (
    sys.executable,
    "-c",
    (
        "import signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "open(sys.argv[2], 'w').close()\n"
        "signal.sigwait([signal.SIGTERM])\n"
        "print(sys.argv[1], file=open(sys.argv[3], 'a'))"
    ),
)
"""Says in one file that it is up, in the other that it was told to end."""


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_each_starts_when_the_one_before_is_up(tmp_path: Path, clock: Clock) -> None:
    first_is_up = False
    programs = [Program("node", STAY, lambda: first_is_up), Program("gateway", STAY)]
    supervisor = Supervisor(programs, tmp_path, clock)
    assert supervisor.tend() == ["node started"]
    assert supervisor.tend() == []
    first_is_up = True
    assert supervisor.tend() == ["gateway started"]
    assert supervisor.all_up
    supervisor.stop()
    assert [child.process for child in supervisor.children] == [None, None]


def test_one_that_is_killed_starts_again_and_the_others_stay(tmp_path: Path, clock: Clock) -> None:
    supervisor = Supervisor([Program("node", STAY), Program("gateway", STAY)], tmp_path, clock)
    supervisor.tend()
    node, gateway = (child.process for child in supervisor.children)
    assert node is not None
    os.kill(node.pid, signal.SIGKILL)
    node.wait()
    (sentence,) = supervisor.tend()
    assert sentence.startswith("node was ended by SIGKILL, again in 0.5 s")
    assert supervisor.children[0].state == "restarting" and not supervisor.all_up
    clock.now_s += 0.5
    assert supervisor.tend() == ["node started"]
    assert supervisor.children[0].restarts == 1
    assert supervisor.children[1].process is gateway
    supervisor.stop()


def test_delays_double_up_to_a_limit_and_start_over_after_a_stable_run(tmp_path: Path, clock: Clock) -> None:
    supervisor = Supervisor([Program("node", FAIL)], tmp_path, clock)
    (child,) = supervisor.children
    delays = []
    for _ in range(9):
        clock.now_s = child.next_start_s
        supervisor.tend()
        assert child.process is not None
        child.process.wait()
        supervisor.tend()
        delays.append(child.next_start_s - clock.now_s)
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30, RESTART_DELAY_S_MAX]
    assert child.last_exit == 7
    assert "what was wrong" in child.log.read_text()
    clock.now_s = child.next_start_s
    supervisor.tend()
    assert child.process is not None
    child.process.wait()
    clock.now_s += STABLE_S
    supervisor.tend()
    assert child.next_start_s - clock.now_s == 0.5


def test_the_last_started_is_stopped_first(tmp_path: Path, clock: Clock) -> None:
    order, names = tmp_path / "order", ("node", "gateway", "agents")
    programs = [
        Program(
            name,
            (*WRITE_END, name, str(tmp_path / f"{name}.up"), str(order)),
            (tmp_path / f"{name}.up").exists,
        )
        for name in names
    ]
    supervisor = Supervisor(programs, tmp_path / "logs", clock)
    while not supervisor.all_up:
        supervisor.tend()
    supervisor.stop()
    assert order.read_text().split() == ["agents", "gateway", "node"]


def test_children_end_when_the_supervisor_dies(tmp_path: Path) -> None:
    fifo = tmp_path / "held-open-by-the-child"
    os.mkfifo(fifo)
    child = (sys.executable, "-c", "import sys; held = open(sys.argv[1], 'w'); sys.stdin.read()", str(fifo))
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from gridtokenx.operations.supervisor import Program, Supervisor\n"
        f"Supervisor([Program('node', {child!r})], Path(sys.argv[1])).tend()\n"
        "sys.stdin.read()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "logs")]
    supervisor = subprocess.Popen(command, stdin=subprocess.PIPE)
    with fifo.open() as held:  # the child has opened its end
        supervisor.communicate()
        assert supervisor.returncode == -signal.SIGKILL
        assert held.read() == ""  # ends only when the child has


def test_those_of_one_stage_start_side_by_side_and_the_next_waits_for_all(tmp_path: Path, clock: Clock) -> None:
    up: set[str] = set()
    programs = [Program(name, STAY, lambda name=name: name in up, stage="nodes") for name in ("one", "two")]
    supervisor = Supervisor([*programs, Program("gateway", STAY)], tmp_path, clock)
    assert supervisor.tend() == ["one started", "two started"]
    up.add("two")
    assert supervisor.tend() == []
    up.add("one")
    assert supervisor.tend() == ["gateway started"]
    supervisor.stop()


def test_one_that_is_held_stays_off_until_it_is_released(tmp_path: Path, clock: Clock) -> None:
    supervisor = Supervisor([Program("node", STAY), Program("gateway", STAY)], tmp_path, clock)
    supervisor.tend()
    node = supervisor.child("node")
    assert node.process is not None
    supervisor.hold(node)
    node.process.kill()
    node.process.wait()
    assert supervisor.tend() == [f"node was ended by SIGKILL, stays so: see {node.log}"]
    clock.now_s += RESTART_DELAY_S_MAX
    assert supervisor.tend() == [] and node.state == "stopped"
    supervisor.release(node)
    assert supervisor.tend() == ["node started"]
    supervisor.stop()


def test_a_restart_that_was_asked_for_is_no_failure(tmp_path: Path, clock: Clock) -> None:
    supervisor = Supervisor([Program("node", STAY)], tmp_path, clock)
    supervisor.tend()
    node = supervisor.child("node")
    assert node.process is not None
    before = node.process
    supervisor.restart(node)
    before.wait()
    assert supervisor.tend() == ["node was ended by SIGTERM, as it was asked to", "node started"]
    assert node.restarts == 0
    supervisor.stop()


def test_a_program_gets_its_environment(tmp_path: Path, clock: Clock) -> None:
    tell = (sys.executable, "-c", "import os; print(os.environ['GOMAXPROCS'], flush=True)")
    supervisor = Supervisor([Program("node", tell, environment=(("GOMAXPROCS", "1"),))], tmp_path, clock)
    supervisor.tend()
    process = supervisor.child("node").process
    assert process is not None
    process.wait()
    assert supervisor.child("node").log.read_text() == "1\n"
    supervisor.stop()
