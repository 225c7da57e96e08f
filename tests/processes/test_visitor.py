"""A visitor in a real market: joins, buys, is metered and settled, and gets a bill; processes are killed around it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.processes.processes import free_port, gateway_process, node_process
from tests.processes.test_up import SCENARIO, Up, check_whole, gridtokenx
from tests.unit.gateway.market import NODE_SEED, auth_document, founding

from gridtokenx.client.client import Client
from gridtokenx.client.errors import ApiError, ClientError, NotFound
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.wallet import Wallet
from gridtokenx.engine.folder import create_data_folder
from gridtokenx.gateway.documents import StatementView
from gridtokenx.gateway.page_documents import FaucetAnswer
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK
from gridtokenx.modules.market.messages import PlaceOrder, Side, TimeInForce
from gridtokenx.simulation.market_folder import MarketFolder, running_pid

pytestmark = pytest.mark.slow

ENERGY_WH = 200
SECRET = bytes([16]) * 32
"""Of a key whose flat repeats a home that always uses something: which home it is follows from the account, and one of
the twelve stands empty for hours."""


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "market"
    pid = running_pid(MarketFolder(tmp_path / "market"))
    if pid is not None:
        os.kill(pid, signal.SIGTERM)


def child_of(up_pid: int, module: str) -> int:
    """The process id of a child of `up`, by the module that it runs."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == up_pid and module.encode() in command:
            return int(process.name)
    raise AssertionError(f"{module} does not run")


def kill_and_wait(up: Up, name: str, module: str) -> None:
    """As a power cut would; until the supervisor has started it again."""
    os.kill(child_of(up.process.pid, module), signal.SIGKILL)
    up.read_until(lambda line: f"{name} was ended by SIGKILL" in line)
    up.read_until(lambda line: f"{name} started" in line)


def buy_now(client: Client, wallet: Wallet, answer: FaucetAnswer) -> int:
    """Take what the best seller offers, in the first interval that has an offer; returns the interval."""
    for view in client.intervals().intervals:
        if view.phase != "trading" or view.best_ask_micro is None:
            continue
        order = PlaceOrder(
            bytes.fromhex(answer.portfolio),
            view.interval.to_bytes(8, "big"),
            view.interval,
            Side.BUY,
            0,
            ENERGY_WH,
            ANY_SOURCE_MASK,
            TimeInForce.IMMEDIATE_OR_CANCEL,
            0,
            0,
            post_only=False,
            market=True,
        )
        try:
            if client.execute(wallet, order).results[0][1]:
                return view.interval
        except ApiError:
            continue
    raise AssertionError("nobody sells")


def statements_of(client: Client, wallet: Wallet) -> list[StatementView]:
    found: list[StatementView] = []
    after = None
    while True:
        page = client.statements(wallet, after)
        found += page.statements
        if not page.next:
            return found
        after = page.next


def test_a_visitor_from_the_first_key_to_the_verified_bill(data: Path) -> None:
    up = Up(data, 600, "--scenario", str(SCENARIO), "--speed", "240")
    up.read_until(lambda line: "Market at http://127.0.0.1:" in line)
    up.read_until(lambda line: "agents started" in line)
    wallet = Wallet([PrivateKey(SECRET)])
    with Client(f"http://127.0.0.1:{up.port}") as client:
        up.read_until(lambda _: faucet_is_open(client))
        offered = client.faucet()
        assert offered.profiles == ["solar-home", "flat"] and offered.money_micro == 500_000_000
        answer = client.join(wallet, "flat")
        registration, gift = (client.wait(bytes.fromhex(name)) for name in answer.transactions)
        assert (registration.code, gift.code) == (0, 0)
        assert registration.kinds == ["RegisterParticipant", "RegisterAccount", "RegisterSite"]
        account = client.account(wallet)
        assert (account.balance_micro, account.portfolios) == (offered.money_micro, [answer.portfolio])
        up.read_until(lambda _: client.join(wallet, "flat").joined)
        again = client.join(wallet, "solar-home")
        assert (again.account, again.profile, again.portfolio) == (answer.account, "flat", answer.portfolio)
        assert client.public_account(wallet.account).licence == "sandbox"
        refuse_nonsense(client, wallet, up.port)

        bought = buy_now(client, wallet, answer)
        kill_and_wait(up, "agents", "gridtokenx.simulation.live")
        kill_and_wait(up, "gateway", "gridtokenx.gateway")
        kill_and_wait(up, "node", "gridtokenx.engine.node")

        def settled(_: str) -> bool:
            try:
                return any(line.interval > bought for line in statements_of(client, wallet))
            except ClientError:
                return False

        up.read_until(settled)
        assert client.join(wallet, "flat").account == answer.account
        first = client.join(wallet, "flat").first_interval
        lines = {line.interval: line for line in statements_of(client, wallet)}
        assert sorted(lines) == list(range(first or 0, max(lines) + 1))
        assert lines[bought].bought_wh == ENERGY_WH and lines[bought].purchase_cost_micro > 0
        assert sum(line.import_wh for line in lines.values()) > 0
        bill = client.bill(wallet, month="2023-03")
        while bill.total.intervals != len(lines):
            lines = {line.interval: line for line in statements_of(client, wallet)}
            bill = client.bill(wallet, month="2023-03")
        total = bill.total
        assert total.bill_micro == sum(
            line.purchase_cost_micro - line.sale_proceeds_micro + line.charge_micro - line.credit_micro
            for line in lines.values()
        )
        assert total.purchases is not None and total.purchases.energy_micro > 0
        assert "total," in client.bill_table(wallet, month="2023-03")
        savings = client.savings()
        assert savings.sums is not None and {home.name for home in savings.showcase} >= {"home-01", "office-floor"}
        assert savings.portfolios == len(savings.showcase) + 1

    assert gridtokenx("down", "--data", str(data)).returncode == 0
    assert "Stopped" in up.rest()
    verified = gridtokenx("verify", "--data", str(data))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    check_whole(data)


def faucet_is_open(client: Client) -> bool:
    try:
        return client.faucet().open
    except ClientError:
        return False


def refuse_nonsense(client: Client, wallet: Wallet, port: int) -> None:
    """Each with its code: a challenge that was used, one signed by others, a site that there is not, no keys."""
    other = Wallet([PrivateKey.generate()])
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:

        def challenge(own: Wallet) -> str:
            answer = http.post("/v1/challenges", json={"account": own.account.hex()}).json()
            text: str = answer["challenge"]
            return text

        def ask(text: str, signer: Wallet, profile: str = "flat") -> tuple[int, str]:
            auth = auth_document(signer.sign_challenge(bytes.fromhex(text)))
            answer = http.post("/v1/faucet", json={"challenge": text, "auth": auth, "profile": profile})
            return answer.status_code, answer.json().get("name", "")

        used = challenge(other)
        assert ask(used, other, "castle") == (400, "REQUEST_MALFORMED")
        assert ask(used, other) == (401, "CHALLENGE_INVALID")
        assert ask(challenge(wallet), other) == (401, "CHALLENGE_NOT_SIGNED")
        assert ask("00" * 50, other) == (401, "CHALLENGE_INVALID")
        for body in ({}, {"challenge": "x"}, {"challenge": used, "auth": {}, "profile": 1}, []):
            assert http.post("/v1/faucet", json=body).status_code == 400


def test_a_market_with_keys_of_its_own_has_no_faucet(tmp_path: Path) -> None:
    """A genesis that no scenario made: there is no seed to derive the offices' keys from."""
    folder, port = tmp_path / "data", free_port()
    create_data_folder(folder, founding().builder.finish(), NODE_SEED)
    with node_process(folder), gateway_process(folder, port), Client(f"http://127.0.0.1:{port}") as client:
        assert not client.faucet().exists
        with pytest.raises(NotFound):
            client.join(Wallet([PrivateKey.generate()]))
    # Not even where somebody names one that is not there.
    with node_process(folder), gateway_process(folder, port, "--faucet", str(tmp_path / "no.sock")):
        answer = httpx.get(f"http://127.0.0.1:{port}/v1/faucet")
        assert (answer.status_code, answer.json()["name"]) == (503, "FAUCET_UNREACHABLE")
