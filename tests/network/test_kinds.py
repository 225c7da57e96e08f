"""Kinds of nodes in a running network: four validators, an archive, an RPC node, a boot node."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.network.running import RunningNetwork, running_network

from gridtokenx.client.client import Client
from gridtokenx.client.errors import ClientError
from gridtokenx.client.keystore import Keystore
from gridtokenx.client.wallet import Wallet
from gridtokenx.engine.control import ask
from gridtokenx.engine.storage import Reader
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY
from gridtokenx.operations.network.plan import NetworkPlan

pytestmark = pytest.mark.slow

SCENARIO = Path(__file__).parents[2] / "scenarios" / "two-neighbours"
PLAN = NetworkPlan(
    4,
    blocks="fast",
    direct=True,
    gateways=1,
    processors=1,
    snapshot_blocks=5,
    archives=1,
    rpcs=1,
    boots=1,
)
VALIDATOR, ARCHIVE, RPC, BOOT, JOINED = 1, 5, 6, 7, 8
CHAIN = (1, 2, 3, 4, ARCHIVE, RPC)
"""All but the boot node, which has none."""

States = dict[int, dict[bytes, bytes]]
"""What a validator had after a block: all its records."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNetwork]:
    with running_network(tmp_path_factory.mktemp("kinds") / "n", PLAN, SCENARIO) as running:
        running.reach(3, *CHAIN)
        yield running


def states(network: RunningNetwork, folder: Path, blocks: int) -> States:
    """Of so many different blocks, as a validator has them while they are the last."""
    reader, found = Reader(network.folder.node(VALIDATOR).database, folder / "validator"), States()

    def look() -> bool:
        reader.refresh()
        head = reader.head()
        assert head is not None
        found[head.height] = dict(reader.scan())
        return len(found) >= blocks

    network.until(look, f"{blocks} blocks")
    reader.close()
    return found


def check(network: RunningNetwork, folder: Path, expected: States) -> None:
    """The archive has every record of these blocks, and none that was not there."""
    network.reach(max(expected), ARCHIVE)
    reader = Reader(network.folder.node(ARCHIVE).database, folder / "archive")
    history, keys = reader.history(), {key for state in expected.values() for key in state}
    assert history.since == 0
    for height, state in expected.items():
        for key in keys:
            version = history.at(key, height)
            assert (version.record if version else None) == state.get(key), (height, key.hex())
    reader.close()


def gateway(network: RunningNetwork, number: int) -> Client:
    client = Client(network.status()[number]["gateway"])
    network.until(lambda: is_ready(client), f"the gateway of node {number}")
    return client


def is_ready(client: Client) -> bool:
    try:
        return client.health().ready
    except ClientError:  # it has not begun to listen
        return False


def somebody(network: RunningNetwork) -> Wallet:
    """A home of the scenario that trades."""
    keystore = Keystore(network.folder.path / "keys")
    return Wallet([keystore.open(keystore.names()[0])])


def test_everybody_is_what_it_was_made(network: RunningNetwork) -> None:
    told = network.status()
    assert [told[number]["kind"] for number in sorted(told)] == [*4 * ["validator"], "archive", "rpc", "boot"]
    assert [number for number, node in told.items() if node["gateway"]] == [VALIDATOR, ARCHIVE, RPC]
    assert told[BOOT]["state"] == "running" and told[BOOT]["height"] is None
    assert not (network.folder.node(BOOT).database / "CURRENT").exists()


def test_an_archive_answers_as_a_validator_answered_then(network: RunningNetwork, tmp_path: Path) -> None:
    wallet = somebody(network)
    with gateway(network, VALIDATOR) as validator, gateway(network, ARCHIVE) as archive:
        told = validator.account(wallet)
        earlier = states(network, tmp_path, 3)
        network.reach(max(earlier) + 2, *CHAIN)
        network.until(lambda: archive.status().height > told.height, "the archive's gateway")
        assert archive.account(wallet, told.height) == told
        height = min(earlier)
        record = earlier[height][bytes([LAST_BLOCK.prefix]) + LAST_BLOCK_KEY]
        assert archive.past_record(LAST_BLOCK.name, LAST_BLOCK_KEY, height).value == record.hex()
    check(network, tmp_path, earlier)


def test_history_has_no_gap_after_a_kill(network: RunningNetwork, tmp_path: Path) -> None:
    before = states(network, tmp_path, 2)
    network.do("kill", ARCHIVE)
    network.until(lambda: network.status()[ARCHIVE]["state"] == "stopped", "the archive to be gone")
    meanwhile = states(network, tmp_path, 3)
    network.do("restart", ARCHIVE)
    network.reach(max(meanwhile) + 2, *CHAIN)
    check(network, tmp_path, before | meanwhile | states(network, tmp_path, 2))


def test_an_rpc_node_answers_and_takes_nothing_in(network: RunningNetwork) -> None:
    with gateway(network, RPC) as client:
        assert client.status().height > 0
        url = network.status()[RPC]["gateway"]
        refused = httpx.post(f"{url}/v1/transactions", json={"transactions": ["00"]}, trust_env=False)
        assert (refused.status_code, refused.json()["name"]) == (403, "READ_ONLY")


def test_who_joins_finds_the_others_by_the_boot_node_alone(network: RunningNetwork) -> None:
    network.until(lambda: any(network.folder.node(VALIDATOR).snapshots.glob("*")), "a snapshot")
    assert ask(network.folder.control, {"do": "join"})["node"] == JOINED
    links: dict[str, Any] = tomllib.loads(network.folder.home(JOINED).config.read_text())["p2p"]
    boot = network.folder.home(BOOT).keys().node_id
    assert links["persistent_peers"] == "" and links["seeds"].partition("@")[0] == boot
    network.reach(max(network.heights().values()) + 3, *CHAIN, JOINED)
    network.until(lambda: (network.status()[JOINED]["peers"] or 0) >= 2, "its peers")
    network.do("kill", BOOT)
    network.goes_on(*CHAIN, JOINED)
