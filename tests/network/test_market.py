"""A market on four validators: what its people see, and a node that joins."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.network.running import RunningNetwork, running_network, started
from tests.unit.alive import is_alive

from gridtokenx.engine.control import ask
from gridtokenx.operations.network.plan import NetworkPlan
from gridtokenx.operations.network.tree import descendants

pytestmark = pytest.mark.slow

SCENARIO = Path(__file__).parents[2] / "scenarios" / "community-week"
COMMAND = (sys.executable, "-c", "from gridtokenx.cli.main import app; app()")
PLAN = NetworkPlan(4, blocks="fast", processors=1, snapshot_blocks=5)


def get(node: dict[str, Any], path: str) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(node["gateway"] + path, timeout=10, trust_env=False).raise_for_status().json()
    return answer


def gateways_are_ready(network: RunningNetwork) -> bool:
    try:
        return all(get(node, "/health")["ready"] for node in network.status().values())
    except httpx.HTTPError:
        return False


def test_a_market_on_four_nodes_lives_through_faults(tmp_path: Path) -> None:
    with running_network(tmp_path / "network", PLAN, SCENARIO) as network:
        network.reach(2)
        network.until(lambda: gateways_are_ready(network), "every gateway")
        nodes = network.status()
        assert len({node["gateway"] for node in nodes.values()}) == 4
        assert all(httpx.get(node["gateway"], trust_env=False).text.startswith("<!doctype") for node in nodes.values())
        # The first gateway loses its node: the sites go on through the next one.
        network.do("kill", 1)
        network.until(lambda: orders_open(network, 2) > 0, "an order by a site")
        network.do("restart", 1)
        network.goes_on()
        a_node_joins(network)
        processes = descendants(network.process.pid)
    assert not any(is_alive(process) for process in processes)
    with started(network.folder) as again:
        again.goes_on()
        assert set(again.heights()) == {1, 2, 3, 4, 5}


def orders_open(network: RunningNetwork, number: int) -> int:
    """Orders that rest in the books, as a node's gateway sees them."""
    return int(get(network.status()[number], "/v1/status")["orders_open"])


def a_node_joins(network: RunningNetwork) -> None:
    network.reach(PLAN.snapshot_blocks + 3)
    network.until(lambda: any(network.folder.node(1).snapshots.glob("*")), "a snapshot")
    answer = ask(network.folder.control, {"do": "join"})
    assert answer["node"] == 5 and answer["trusted_height"] >= PLAN.snapshot_blocks
    network.goes_on()
    assert not network.status()[5]["votes"]
    network.until(lambda: gateways_are_ready(network), "its gateway")


def test_a_whole_network_ends_with_whoever_runs_it(tmp_path: Path) -> None:
    with running_network(tmp_path / "network", NetworkPlan(2, market=False, processors=1)) as network:
        network.reach(1)
        processes = descendants(network.process.pid)
        assert len(processes) >= 4
        network.process.kill()
        network.process.wait()
        while any(is_alive(process) for process in processes):
            pass


def test_commands_say_what_is_there_and_what_to_do(tmp_path: Path) -> None:
    def said(*words: str, status: int = 0) -> str:
        command = [
            str(Path(sys.executable).with_name("gridtokenx")),
            "network",
            *words,
            "--data",
            str(tmp_path / "network"),
        ]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == status, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    assert "network up" in said("status", status=2)
    with running_network(tmp_path / "network", NetworkPlan(4, market=False, processors=1)) as network:
        network.reach(1)
        assert "running" in said("status")
        assert "restart 2" in said("kill", "2")
        assert "goes on" not in said("pause", "2", status=1)
        said("restart", "2")
        assert "numbered 1 to 4" in said("kill", "9", status=1)
        assert "heal" in said("partition", "1,2/3,4")
        assert "cut" in said("links")
        assert "1,2/3,4" in said("partition", "one", status=2)
        said("heal")
        said("delay", "5")
        assert "was made with validators = 4" in said("up", "--validators", "5", status=2)
        assert "Stopped" in said("down")
        assert "No network is running" in said("down")
