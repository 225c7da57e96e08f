"""`gridtokenx up`, `down` and `reset`: a market on this machine, from its first block to its last."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.console import folder_failures, out, refuse
from gridtokenx.cli.options import CHAIN, DEFAULT_DATA, DEFAULT_PORT, Data, Port

if TYPE_CHECKING:
    from gridtokenx.cli.top import Lines, Screen
    from gridtokenx.operations.supervisor import Program, Supervisor
    from gridtokenx.simulation.market_folder import MarketFolder

DEFAULT_SCENARIO = "community-week"
SECONDS_VARIABLE = "GRIDTOKENX_UP_SECONDS"
"""Real seconds after which `up` stops by itself: for tests and for trying out."""

TEND_S = 0.25
DOWN_S_MAX = 60.0
CHAIN_MS_PER_BLOCK_MAX = 60_000
"""However fast the clock, blocks stand no further apart than this: transactions live for minutes of chain time."""

BLOCK_MS_MAX, BLOCK_MS_MIN = 1_000, 50


def up(
    scenario: Annotated[
        str | None, typer.Option(help=f"Name or folder of a scenario; the first start takes {DEFAULT_SCENARIO}.")
    ] = None,
    speed: Annotated[
        int | None, typer.Option(min=1, max=1_200, help="Chain seconds in one second; the scenario says how many.")
    ] = None,
    data: Data = DEFAULT_DATA,
    port: Port = DEFAULT_PORT,
) -> None:
    """Start the market, or go on where it was, and show it live. Ctrl-C stops it; nothing is lost."""
    from gridtokenx.cli.scenarios import find_scenario
    from gridtokenx.cli.top import display_for
    from gridtokenx.cli.top_data import MarketSource
    from gridtokenx.cli.top_view import ProcessLine
    from gridtokenx.gateway.readmodel import FOLLOWED
    from gridtokenx.operations.supervisor import Supervisor
    from gridtokenx.simulation.market_folder import MarketFolder, UpLock
    from gridtokenx.simulation.simulate import play_at_once

    folder = MarketFolder(data)
    with folder_failures():
        wanted = find_scenario(scenario) if scenario else None
        loaded, genesis = folder.prepare(wanted, find_scenario(DEFAULT_SCENARIO))
        lock = UpLock(folder)
    try:
        if _port_is_taken(port):
            refuse(f"port {port} is in use: choose another with --port", code=2)
        with folder_failures(), out.status(f"playing the first hours of {loaded.name}"):
            play_at_once(loaded, genesis, folder, FOLLOWED)
        programs = _programs(folder, port, speed or loaded.speed)
        supervisor = Supervisor(programs, folder.logs)
        stop = _stop_on_signals()
        out.print(f"Market at http://127.0.0.1:{port}, Ctrl-C stops it.", highlight=False)

        def processes() -> list[ProcessLine]:
            return [ProcessLine(each.program.name, each.state, each.restarts) for each in supervisor.children]

        try:
            with (
                contextlib.closing(MarketSource(port, data)) as source,
                display_for(out, source, processes) as display,
            ):
                _watch(supervisor, display, stop)
        finally:
            out.print("Stopping.")
            supervisor.stop()
    finally:
        lock.release()
    out.print(f"Stopped. The market is kept in {data}; `gridtokenx up` goes on with it.", highlight=False)


def _programs(folder: "MarketFolder", port: int, speed: int) -> "list[Program]":
    """Node, gateway, agents: each needs the one before."""
    from gridtokenx.cli.top import api_is_ready
    from gridtokenx.gateway.readmodel import FOLLOWED
    from gridtokenx.operations.supervisor import Program

    data = str(folder.path.resolve())
    block_ms = max(BLOCK_MS_MIN, min(BLOCK_MS_MAX, CHAIN_MS_PER_BLOCK_MAX // speed))
    python = sys.executable
    return [
        Program(
            "node",
            (
                *(python, "-m", "gridtokenx.engine.node", "--data", data, "--chain", CHAIN),
                *("--speed", str(speed), "--interval-ms", str(block_ms), "--workers", "1"),
                *("--feed", ",".join(str(prefix) for prefix in sorted(FOLLOWED)), "--end-with-input"),
            ),
            lambda: _socket_answers(folder),
        ),
        Program(
            "gateway",
            (
                *(python, "-m", "gridtokenx.gateway", "--data", data, "--port", str(port), "--end-with-input"),
                *("--showcase", str(folder.showcase.resolve()), "--faucet", str(folder.faucet.resolve())),
            ),
            lambda: api_is_ready(port),
        ),
        Program("agents", (python, "-m", "gridtokenx.simulation.live", "--data", data, "--port", str(port))),
    ]


def _watch(supervisor: "Supervisor", display: "Screen | Lines", stop: threading.Event) -> None:
    """Tend the processes and show the market until told to stop."""
    ends_s = time.monotonic() + float(os.environ.get(SECONDS_VARIABLE, "inf"))
    while not stop.wait(TEND_S) and time.monotonic() < ends_s:
        for sentence in supervisor.tend():
            display.say(sentence)
        display.refresh()


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _socket_answers(folder: "MarketFolder") -> bool:
    from gridtokenx.engine.folder import socket_address

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(socket_address(folder.node.socket))
        except OSError:
            return False
    return True


def _port_is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def down(data: Data = DEFAULT_DATA) -> None:
    """Stop a running market cleanly."""
    from gridtokenx.simulation.market_folder import MarketFolder, running_pid

    folder = MarketFolder(data)
    with folder_failures():
        pid = running_pid(folder)
    if pid is None:
        out.print(f"No market is running in {data}.", highlight=False)
        return
    os.kill(pid, signal.SIGTERM)
    ends_s = time.monotonic() + DOWN_S_MAX
    while running_pid(folder) is not None:
        if time.monotonic() > ends_s:
            sentence = f"process {pid} has not stopped in {DOWN_S_MAX:g} s"
            refuse(sentence, f"Look into {folder.logs}; `kill -9 {pid}` ends it, and the next start repairs.", code=2)
        time.sleep(TEND_S)
    out.print(f"Stopped. The market is kept in {data}.", highlight=False)


def reset(
    data: Data = DEFAULT_DATA,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the state of a market that is not running."""
    from gridtokenx.engine.folder import FolderLock
    from gridtokenx.simulation.market_folder import MarketFolder, UpLock

    folder = MarketFolder(data)
    if not data.exists():
        out.print(f"There is nothing in {data}.", highlight=False)
        return
    if not folder.exists:
        refuse(f"{data} is no data folder of GridTokenX: nothing was deleted", "Name another with --data.", code=2)
    with folder_failures():
        UpLock(folder).release()
        FolderLock(folder.node).release()
    if not yes and not typer.confirm(f"Delete the market in {data}, with all its blocks and keys?"):
        raise typer.Exit(1)
    with folder_failures():
        left = folder.delete()
    if left:
        out.print(f"Deleted; {data} stays, because it holds {', '.join(left)} too.", highlight=False)
    else:
        out.print(f"Deleted {data}.", highlight=False)
