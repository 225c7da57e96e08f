"""A network that began with a ceremony: its members make blocks, and a node's page shows the market."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.network.running import RunningNetwork, started
from tests.unit.operations.consortium.played import FOUR

from gridtokenx.engine.comet.binary import CometMissing, find_cometbft
from gridtokenx.operations.consortium.ceremony import CeremonyRefused
from gridtokenx.operations.consortium.example import files_in, play
from gridtokenx.operations.consortium.manifest import examine
from gridtokenx.operations.network.bundle import read_bundle
from gridtokenx.operations.network.card import read_card
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.operations.network.founding import found_network
from gridtokenx.operations.network.kinds import NodeKind
from gridtokenx.operations.network.node_folder import BUNDLE, CARD
from gridtokenx.operations.network.plan import NetworkPlan

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
THAILAND, SCENARIO = ROOT / "consortia" / "thailand", ROOT / "scenarios" / "community-week"
GRIDTOKENX = str(Path(sys.executable).with_name("gridtokenx"))


def ready(network: RunningNetwork) -> bool:
    try:
        gateways = [node["gateway"] for node in network.status().values() if node["gateway"]]
        answers = [httpx.get(f"{each}/health", timeout=10, trust_env=False) for each in gateways]
        return bool(answers) and all(answer.raise_for_status().json()["ready"] for answer in answers)
    except httpx.HTTPError:
        return False


def orders_open(gateway: str) -> int:
    return int(httpx.get(f"{gateway}/v1/status", timeout=10, trust_env=False).raise_for_status().json()["orders_open"])


def test_the_members_of_a_ceremony_run_the_market(tmp_path: Path) -> None:
    try:
        find_cometbft()
    except CometMissing as missing:
        pytest.skip(str(missing))
    data = tmp_path / "network"
    words = ["network", "up", "--consortium", "thailand", "--members", ",".join(FOUR), "--data", str(data)]
    options = ["--fast", "--processors", "1", "--gateways", "2", "--detach"]
    began = subprocess.run([GRIDTOKENX, *words, *options], capture_output=True, text=True, check=False)
    stopped = subprocess.run([GRIDTOKENX, "network", "down", "--data", str(data)], capture_output=True, check=False)
    assert began.returncode == 0, began.stderr
    assert stopped.returncode == 0
    folder = NetworkFolder(data)
    bundle = read_bundle(folder.node(1).path / BUNDLE)
    examined = examine(bundle)
    assert examined.problems == () and [card.name for card in bundle.cards] == sorted(FOUR)
    with started(folder) as network:
        network.goes_on()
        network.until(lambda: ready(network), "its gateways")
        gateway = network.status()[1]["gateway"]
        assert httpx.get(gateway, trust_env=False).text.startswith("<!doctype")
        network.until(lambda: orders_open(gateway) > 0, "an order by a home")
        status = httpx.get(f"{gateway}/v1/status", trust_env=False).json()
        assert status["chain"] == examined.manifest.chain == "gridtokenx-thailand"
        # A third of the members may be away.
        network.do("kill", 4)
        network.goes_on(1, 2, 3)
    verified = subprocess.run(
        [GRIDTOKENX, "verify", "--data", str(folder.node(1).path)], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_folder_that_signed_is_taken_as_it_is(tmp_path: Path) -> None:
    play(THAILAND, tmp_path / "four", "gridtokenx-four", FOUR)
    signed = {file.parent.name: file.read_bytes() for file in files_in(tmp_path / "four")}
    folder = found_network(tmp_path / "network", NetworkPlan(4, observers=1), SCENARIO, tmp_path / "four")
    assert read_card(folder.node(5).path / CARD).kind is NodeKind.OBSERVER
    bundle = read_bundle(folder.node(1).path / BUNDLE)
    papers = {name.removeprefix("organisations/").removesuffix(".toml"): data for name, data in bundle.papers.items()}
    assert signed.items() <= papers.items()
    assert json.loads(bundle.consensus_genesis)["genesis_time"] == "2027-01-03T17:00:00.000Z"
    (tmp_path / "four" / "mea" / "organisation.toml").unlink()
    with pytest.raises(CeremonyRefused, match="at least 4"):
        found_network(tmp_path / "other", NetworkPlan(3), SCENARIO, tmp_path / "four")
    assert not (tmp_path / "other").exists()
