"""`gridtokenx up` as a visitor starts it: real processes, a real clock, and a node that is killed in the middle."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.processes.processes import free_port

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.client.client import Client
from gridtokenx.client.errors import ClientError
from gridtokenx.engine.application import Application
from gridtokenx.engine.storage import Storage
from gridtokenx.simulation.genesis import make_genesis
from gridtokenx.simulation.market_folder import MarketFolder, running_pid
from gridtokenx.simulation.report import invariant_breaches
from gridtokenx.simulation.scenario import load_scenario

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-c", "from gridtokenx.cli.main import app; app()")
SCENARIO = Path(__file__).parents[2] / "scenarios" / "community-week"
LINES_MAX = 60
"""A status line comes every five seconds: who has not seen what it waits for by then never will."""


def gridtokenx(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=120)


class Up:
    """A running `up` and what it prints."""

    def __init__(self, data: Path, seconds: int, *options: str) -> None:
        self.data, self.port = data, free_port()
        command = [*COMMAND, "up", "--data", str(data), "--port", str(self.port), *options]
        settings = os.environ | {"GRIDTOKENX_UP_SECONDS": str(seconds), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=settings)
        self.lines: list[str] = []

    def read_until(self, condition: Callable[[str], bool]) -> str:
        """The next line for which it holds."""
        assert self.process.stdout is not None
        for _ in range(LINES_MAX):
            line = self.process.stdout.readline()
            assert line, "it ended:\n" + "".join(self.lines)
            self.lines.append(line)
            if condition(line):
                return line
        raise AssertionError("it never happened:\n" + "".join(self.lines))

    def rest(self) -> str:
        """What it prints until it ends by itself."""
        assert self.process.stdout is not None
        text = self.process.stdout.read()
        self.process.stdout.close()
        assert self.process.wait(60) == 0
        return text


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "market"
    pid = running_pid(MarketFolder(tmp_path / "market"))
    if pid is not None:
        os.kill(pid, signal.SIGTERM)


def test_orders_trade_and_settle_and_a_killed_node_goes_on(data: Path) -> None:
    up = Up(data, 600, "--scenario", str(SCENARIO), "--speed", "480")
    up.read_until(lambda line: "agents started" in line)
    genesis = make_genesis(load_scenario(data / "scenario"))
    wallets = [connection.owner.wallet() for connection in genesis.connections.values()]
    with Client(f"http://127.0.0.1:{up.port}") as client:
        begun = client.status()

        def settled_since(interval: int) -> bool:
            """Whether something that was delivered after this interval was sold, and is settled."""
            lines = [line for wallet in wallets for line in client.statements(wallet, interval).statements]
            return any(line.sold_wh > 0 for line in lines)

        up.read_until(lambda _: settled_since(begun.interval))
        assert client.trades().trades
        known = client.blocks().blocks[0]

        picture = gridtokenx("top", "--once", "--data", str(data), "--port", str(up.port))
        assert picture.returncode == 0
        assert all(word in picture.stdout for word in ("community-week", "tariff", "buy-back", "home-01", "saved"))

        killed = int((data / "run" / "node.pid").read_text())
        os.kill(killed, signal.SIGKILL)
        up.read_until(lambda line: "node was ended by SIGKILL" in line)
        up.read_until(lambda line: "node started" in line)

        def goes_on(_: str) -> bool:
            try:
                status = client.status()
                return client.health().ready and status.time_ms > known.time_ms + 3_600_000
            except ClientError:
                return False

        up.read_until(goes_on)
        assert int((data / "run" / "node.pid").read_text()) != killed
        assert client.block(known.height).app_hash == known.app_hash
        up.read_until(lambda _: settled_since(known.time_ms // 900_000 + 1))

    assert gridtokenx("reset", "--yes", "--data", str(data)).returncode == 2
    stopped = gridtokenx("down", "--data", str(data))
    assert stopped.returncode == 0 and "Stopped" in stopped.stdout
    assert "Stopped" in up.rest()
    check_whole(data)


def test_the_next_start_goes_on_and_reset_begins_anew(data: Path) -> None:
    first = Up(data, 600, "--scenario", "two-neighbours")
    first.read_until(lambda line: "agents started" in line)
    assert gridtokenx("down", "--data", str(data)).returncode == 0
    assert "Stopped" in first.rest()
    height = check_whole(data)
    second = Up(data, 600)
    second.read_until(lambda line: "agents started" in line)
    with Client(f"http://127.0.0.1:{second.port}") as client:
        assert client.status().height > height
        assert client.status().chain == "gridtokenx-two-neighbours"
    other = gridtokenx("up", "--data", str(data), "--scenario", str(SCENARIO))
    assert other.returncode == 2 and "two-neighbours" in other.stderr
    assert gridtokenx("down", "--data", str(data)).returncode == 0
    assert "Stopped" in second.rest()
    (data / "notes.txt").write_text("mine")
    assert "notes.txt" in gridtokenx("reset", "--yes", "--data", str(data)).stdout
    assert [path.name for path in data.iterdir()] == ["notes.txt"]


def test_children_do_not_outlive_an_up_that_is_killed(data: Path) -> None:
    up = Up(data, 600, "--scenario", "two-neighbours")
    up.read_until(lambda line: "agents started" in line)
    up.process.kill()
    up.process.wait()
    assert up.process.stdout is not None
    up.process.stdout.close()
    again = Up(data, 600)
    again.read_until(lambda line: "agents started" in line)
    again.process.terminate()
    assert "Stopped" in again.rest()
    check_whole(data)


def check_whole(data: Path) -> int:
    """Every invariant holds in what was left on the disk; returns the height."""
    storage = Storage(data / "db")
    try:
        application = Application(CONSORTIUM, storage)
        assert application.load()
        assert invariant_breaches(application.state) == []
        return application.info().height
    finally:
        storage.close()


def test_only_a_folder_of_ours_is_ever_deleted(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("you")
    refused = gridtokenx("reset", "--yes", "--data", str(tmp_path / "letters"))
    assert refused.returncode == 2 and "nothing was deleted" in refused.stderr
    assert (tmp_path / "letters" / "dear.txt").read_text() == "you"
    refused = gridtokenx("up", "--data", str(tmp_path / "letters"))
    assert refused.returncode == 2
    assert sorted(path.name for path in (tmp_path / "letters").iterdir()) == ["dear.txt"]
    assert gridtokenx("down", "--data", str(tmp_path / "nothing")).returncode == 0
