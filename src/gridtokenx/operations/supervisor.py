"""Keeps child processes running: started in order, started again with back-off when one dies, stopped in reverse.
Those of one stage are started and stopped side by side.

Each child is a fresh interpreter in a session of its own, so that Ctrl-C reaches the supervisor alone and it ends
its children in order. A child's standard input is a pipe that the supervisor holds: it closes when the
supervisor dies, however that happens. What a child prints goes to a file of its own.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

RESTART_DELAY_S_FIRST = 0.5
RESTART_DELAY_S_MAX = 30.0
STABLE_S = 60.0
"""A child that ran this long is healthy: the next back-off starts from the first delay again."""

STOP_S_MAX = 15.0
"""How long a child may take to end by itself before it is killed."""

LOG_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, under which name. `is_up` says whether it can do its work, so that the next may start. Programs of
    one `stage` stand next to each other; one without is a stage of its own. `environment` is added to ours."""

    name: str
    command: tuple[str, ...]
    is_up: Callable[[], bool] = lambda: True
    stage: str | None = None
    environment: tuple[tuple[str, str], ...] = ()

    def shares_stage(self, other: "Program") -> bool:
        """Whether both start and stop side by side."""
        return self.stage is not None and self.stage == other.stage


@dataclass(slots=True)
class Child:
    """One program and what became of it."""

    program: Program
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    restarts: int = 0
    delay_s: float = RESTART_DELAY_S_FIRST
    next_start_s: float = 0.0
    last_exit: int | None = None
    is_up: bool = False
    is_held: bool = False
    is_paused: bool = False
    is_restarting: bool = False

    @property
    def state(self) -> str:
        """For people: running or paused, ended and held, waiting for its next start, or not started yet."""
        if self.process is not None:
            return "paused" if self.is_paused else "running"
        if self.is_held:
            return "stopped"
        return "restarting" if self.last_exit is not None else "starting"


class Supervisor:
    """Runs programs. `tend` is to be called a few times a second; nothing happens between calls."""

    def __init__(self, programs: Sequence[Program], logs: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._logs = logs
        logs.mkdir(parents=True, exist_ok=True)
        self.children: list[Child] = []
        for program in programs:
            self.add(program)

    def add(self, program: Program) -> None:
        """One more, after all others."""
        self.children.append(Child(program, self._logs / f"{program.name}.log"))

    def tend(self) -> list[str]:
        """Notice who died, start who should run and may. Returns a sentence for each thing that happened.

        A program starts for the first time once every one before it is up.
        """
        now_s = self._clock()
        news = []
        ready = stage_ready = True
        before: Child | None = None
        for child in self.children:
            if before is None or not child.program.shares_stage(before.program):
                ready = stage_ready
            before = child
            if child.process is not None and child.process.poll() is not None:
                news.append(self._buried(child, now_s))
            may_start = not child.is_held and now_s >= child.next_start_s and (ready or child.last_exit is not None)
            if child.process is None and may_start:
                self._start(child, now_s)
                news.append(f"{child.program.name} started")
            if child.process is not None and not child.is_up:
                child.is_up = child.program.is_up()
            stage_ready = stage_ready and (child.is_up or child.is_held)
        return news

    @property
    def all_up(self) -> bool:
        """Whether every program runs and can do its work."""
        return all(child.is_up for child in self.children)

    def child(self, name: str) -> Child:
        """The one of this name; KeyError if there is none."""
        return {child.program.name: child for child in self.children}[name]

    def hold(self, child: Child) -> None:
        """Do not start it again when it ends."""
        child.is_held = True

    def release(self, child: Child) -> None:
        """Start it at the next `tend`, if it does not run, and again whenever it ends."""
        child.is_held = False
        child.next_start_s, child.delay_s = 0.0, RESTART_DELAY_S_FIRST

    def restart(self, child: Child) -> None:
        """Ask it to end, if it runs, and start it as soon as it has."""
        self.release(child)
        if child.process is not None:
            child.is_restarting = True
            child.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """End all, the last started first; kill what does not end in time."""
        stages: list[list[Child]] = []
        for child in self.children:
            if stages and child.program.shares_stage(stages[-1][-1].program):
                stages[-1].append(child)
            else:
                stages.append([child])
        for stage in reversed(stages):
            self.end(stage)

    def end(self, children: Sequence[Child]) -> None:
        """End these, all at once; kill what does not end in time."""
        running = [(child, child.process) for child in children if child.process is not None]
        for child, process in running:
            process.send_signal(signal.SIGTERM)
            if child.is_paused:
                process.send_signal(signal.SIGCONT)
        ends_s = time.monotonic() + STOP_S_MAX
        for child, process in running:
            try:
                process.wait(max(0.0, ends_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._forget(child)

    def _start(self, child: Child, now_s: float) -> None:
        if child.log.exists() and child.log.stat().st_size > LOG_BYTES_MAX:
            child.log.replace(child.log.with_suffix(".log.old"))
        with child.log.open("ab") as log:
            child.process = subprocess.Popen(
                child.program.command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | dict(child.program.environment),
            )
        child.started_s = now_s

    def _buried(self, child: Child, now_s: float) -> str:
        """Note the death of a child and when it may start again."""
        assert child.process is not None
        child.last_exit = child.process.returncode
        if child.is_restarting:
            child.is_restarting = False
            self._forget(child)
            return f"{child.program.name} {_ending(child.last_exit)}, as it was asked to"
        if now_s - child.started_s >= STABLE_S:
            child.delay_s = RESTART_DELAY_S_FIRST
        child.next_start_s = now_s + child.delay_s
        child.restarts += 1
        again = "stays so" if child.is_held else f"again in {child.delay_s:g} s"
        sentence = f"{child.program.name} {_ending(child.last_exit)}, {again}: see {child.log}"
        child.delay_s = min(child.delay_s * 2, RESTART_DELAY_S_MAX)
        self._forget(child)
        return sentence

    def _forget(self, child: Child) -> None:
        assert child.process is not None and child.process.stdin is not None
        child.process.stdin.close()
        child.process, child.is_up, child.is_paused = None, False, False


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
