"""A market of several nodes, and somebody who runs none of them: receipt and balance, proved to its validators."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gridtokenx.client.client import Client
from gridtokenx.client.errors import NotProved
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore
from gridtokenx.client.light import ProvingClient
from gridtokenx.client.wallet import Wallet
from gridtokenx.engine.comet.light_store import LightStore

COMMAND_SECONDS_MAX = 120
FAUCET_MICRO = 500_000_000


def gridtokenx(*arguments: str) -> str:
    """The command, and what it says."""
    command = [sys.executable, "-c", "from gridtokenx.cli.main import app; app()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Of two validators."""
    # The system limits the length of a socket's path.
    folder = str(tmp_path_factory.mktemp("n") / "n")
    try:
        gridtokenx("network", "up", "--validators", "2", "--fast", "--detach", "--data", folder)
        status: dict[str, Any] = json.loads(gridtokenx("network", "status", "--json", "--data", folder))
        yield [node["gateway"] for node in status["nodes"]]
    finally:
        gridtokenx("network", "down", "--data", folder)


def ready(url: str) -> Client:
    """A client of a gateway, once that has its read model."""
    client = Client(url)
    end = time.monotonic() + COMMAND_SECONDS_MAX
    while not client.health().ready:
        assert time.monotonic() < end
        time.sleep(0.2)
    reach(client, 3)
    return client


def reach(client: Client, height: int) -> None:
    """Until its gateway has this block."""
    end = time.monotonic() + COMMAND_SECONDS_MAX
    while client.status().height < height:
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_stranger_proves_what_it_owns(gateways: list[str], tmp_path: Path) -> None:
    with ready(gateways[0]) as client, ready(gateways[1]) as witness:
        chain = client.status().chain
        proving = ProvingClient(client, LightStore(chain, tmp_path / "trusted"), [witness])
        trusted = witness.light_block(2)
        with pytest.raises(NotProved):
            proving.start(2, bytes(32))
        proving.start(2, trusted.hash)
        key = PrivateKey.generate()
        wallet = Wallet([key])
        joined = client.join(wallet)
        for transaction in map(bytes.fromhex, joined.transactions):
            assert client.wait(transaction).code == 0
            receipt = proving.receipt(transaction)
            assert (receipt.transaction, receipt.code) == (transaction, 0)
        own = proving.account(wallet)
        assert own.account is not None and own.account.balance_micro == FAUCET_MICRO
        newest = proving.block()
        reach(witness, newest.height)
        assert proving.app_hash(newest.height - 2).hex() == witness.block(newest.height - 2).app_hash
        # Over a restart, with the witness in the other place.
        again = ProvingClient(witness, LightStore(chain, tmp_path / "trusted"), [client])
        assert again.block(newest.height) == newest
        assert again.account(wallet).account == own.account
        # And from the command line.
        Keystore(tmp_path / "keys").add_development_key("own", key)
        how = ("--json", "--trusted", str(tmp_path / "trusted"), "--url", gateways[0], "--witness", gateways[1])
        said = json.loads(gridtokenx("light", "account", "--key", "own", "--keys", str(tmp_path / "keys"), *how))
        assert (said["account"], said["balance_micro"]) == (wallet.account.hex(), FAUCET_MICRO)
        assert json.loads(gridtokenx("light", "receipt", joined.transactions[0], *how))["code"] == 0
