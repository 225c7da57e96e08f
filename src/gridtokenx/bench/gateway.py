"""`bench gateway`: reading, ordering and listening through a real gateway, beside its node and its community.

The shipped week at its normal speed: a node, a gateway and the agents, as `gridtokenx up` runs them, and the load of
`gateway_load` as one more process on the same cores. Latencies count from the moment at which a request was due, or at
which the node said that there is a block.

Those who send the orders are dealers whom the registrar admits through the API. What they sign is signed before the
clock starts, and lives for ten minutes of chain time: seconds, at the market's speed, so orders come in short rounds.
"""

import contextlib
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from gridtokenx.bench.gateway_load import WARM_UP_SECONDS, Job
from gridtokenx.bench.report import cpu_seconds, file_system, signature_us
from gridtokenx.bench.simulate import SCENARIO
from gridtokenx.chains.genesis import FOREVER_MS, WATT
from gridtokenx.client.client import Client
from gridtokenx.client.errors import ClientError
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.wallet import Wallet
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.mempool import Standing
from gridtokenx.gateway.server import pid_file
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.limits import TRANSACTION_LIFETIME_MS_MAX
from gridtokenx.ledger.transaction import ALGORITHM_ED25519
from gridtokenx.modules.identity.messages import (
    ANY_SOURCE_MASK,
    Kyc,
    Licence,
    RegisterAccount,
    RegisterParticipant,
    RegisterPortfolio,
    Source,
)
from gridtokenx.modules.market.messages import PlaceOrder, Side, TimeInForce
from gridtokenx.modules.tokens.messages import AttestReserves, Mint
from gridtokenx.simulation.genesis import FEEDER, OwnedAccount, ScenarioGenesis, make_genesis
from gridtokenx.simulation.scenario import load_scenario

UP: Final = str(Path(sys.executable).with_name("gridtokenx"))
"""The installed command, as a user starts it."""
READS_PER_SECOND = 1_000
ORDERS_PER_SECOND = 500
LISTENERS = 2_000
CONNECTIONS = 64
ORDER_SECONDS = 5.0
"""Of one round, and one second before it that does not count: well within the orders' ten minutes."""
DEALERS = 100
DEALER_MICRO = 1_000_000 * WATT
DEALER_WH = 10**12
START_SECONDS_MAX = 60.0
LIFETIME_MS = TRANSACTION_LIFETIME_MS_MAX - 1_000

MIDDLE_MICRO = 2_800_000
"""Within the price bands of all hours, with all that is traded around it."""
TICK = 1_000
INTERVALS = 48
"""The last ones of those that are open: their gates are half a day away."""


@dataclass(frozen=True)
class Dealer:
    """Somebody who trades without a site."""

    wallet: Wallet
    portfolio: bytes


@dataclass(frozen=True)
class Market:
    """A running market, and who holds its offices."""

    genesis: ScenarioGenesis
    data: DataFolder
    port: int

    def gateway_cpu_seconds(self) -> float:
        """What the gateway's process has used so far."""
        return cpu_seconds(int(pid_file(self.data.path).read_text()))


def run(quick: bool) -> dict[str, object]:
    """The figures of `bench gateway`."""
    with running_market() as market, Client(f"http://127.0.0.1:{market.port}") as client:
        reads = measure_reads(market, client, 8.0 if quick else 30.0)
        dealers = admit_dealers(market, client)
        orders = [measure_orders(market, client, dealers, number) for number in range(1 if quick else 4)]
        heard = measure_stream(market, 8 if quick else 25)
        placed = sum(client.account(dealer.wallet).nonce_highest for dealer in dealers)
    return {
        "read_p99_ms": round(reads["p99_ms"], 2),
        "read_p50_ms": round(reads["p50_ms"], 2),
        "read_cpu_us": round(reads["cpu_us"]),
        "order_p99_ms": round(statistics.median(one["p99_ms"] for one in orders), 2),
        "order_p50_ms": round(statistics.median(one["p50_ms"] for one in orders), 2),
        "order_cpu_us": round(statistics.median(one["cpu_us"] for one in orders)),
        "stream_p99_ms": round(heard["p99_ms"], 2),
        "stream_p50_ms": round(heard["p50_ms"], 2),
        "stream_met": round(heard["met"], 4),
        "reads": int(reads["count"]),
        "orders": sum(int(one["count"]) for one in orders),
        "orders_in_blocks": placed,
        "updates": int(heard["updates"]),
        "listeners": LISTENERS,
        "failed": int(reads["failed"] + sum(one["failed"] for one in orders) + heard["missed"]),
        "sent_late_ms": round(max(one["sent_late_ms"] for one in (reads, *orders)), 2),
        "signature_us": signature_us(),
        "file_system": file_system(Path(tempfile.gettempdir())),
    }


@contextlib.contextmanager
def running_market() -> Iterator[Market]:
    """What `gridtokenx up` runs, in a folder of its own."""
    parent = Path(tempfile.mkdtemp(prefix="gtx-bench-"))
    data, port = parent / "data", free_port()
    command = [UP, "up", "--scenario", str(SCENARIO), "--data", str(data), "--port", str(port)]
    try:
        print("starting a market", flush=True)
        market = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_until_ready(market, port)
            yield Market(make_genesis(load_scenario(SCENARIO)), DataFolder(data), port)
        finally:
            market.terminate()
            market.wait()
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(market: "subprocess.Popen[bytes]", port: int) -> None:
    """RuntimeError if the market ends, or takes more than a minute."""
    ends_s = time.monotonic() + START_SECONDS_MAX
    with Client(f"http://127.0.0.1:{port}") as client:
        while market.poll() is None and time.monotonic() < ends_s:
            with contextlib.suppress(ClientError):
                if client.health().ready:
                    return
            time.sleep(0.2)
    raise RuntimeError("the market does not start")


def measure_reads(market: Market, client: Client, seconds: float) -> dict[str, float]:
    """What a page asks for, in turn."""
    number = client.intervals().intervals[-INTERVALS].interval
    paths = (
        "/v1/status",
        "/v1/intervals?limit=96",
        f"/v1/intervals/{number}",
        f"/v1/intervals/{number}/book",
        f"/v1/intervals/{number}/book?feeder={FEEDER}",
        "/v1/trades?limit=50",
        "/v1/blocks?limit=10",
        "/v1/community/savings",
    )
    requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in paths]
    print(f"reading, {READS_PER_SECOND:,} times a second", flush=True)
    return load(market, lambda: Job(market.port, CONNECTIONS, requests, READS_PER_SECOND, seconds))


def measure_orders(market: Market, client: Client, dealers: Sequence[Dealer], round_: int) -> dict[str, float]:
    """One signed order a request; an answer says that it is on the node's disk."""
    print(f"ordering, {ORDERS_PER_SECOND} times a second", flush=True)
    count = int(ORDERS_PER_SECOND * (ORDER_SECONDS + WARM_UP_SECONDS))
    numbers = [view.interval for view in client.intervals().intervals[-INTERVALS:]]

    def job() -> Job:
        draw, time_ms = random.Random(round_), client.status().time_ms
        requests = []
        for place in range(count):
            dealer = dealers[place % len(dealers)]
            order = draw_order(draw, dealer, round_ * count + place, numbers)
            requests.append(submission(dealer.wallet.sign(market.genesis.chain, time_ms, [order], LIFETIME_MS).wire))
        expected = f'"state":"{Standing.PENDING.name.lower()}"'
        return Job(market.port, CONNECTIONS, requests, ORDERS_PER_SECOND, ORDER_SECONDS, expected)

    return load(market, job)


def draw_order(draw: random.Random, dealer: Dealer, number: int, intervals: Sequence[int]) -> PlaceOrder:
    """A third of them meet another one."""
    selling, crossing = draw.random() < 0.5, draw.random() < 1 / 3
    ticks = draw.randrange(1, 200) * (-1 if selling else 1) * (1 if crossing else -1)
    price_micro = MIDDLE_MICRO + ticks * TICK
    return PlaceOrder(
        dealer.portfolio,
        number.to_bytes(8, "big"),
        draw.choice(intervals),
        Side.SELL if selling else Side.BUY,
        price_micro,
        draw.randrange(100, 2_000),
        Source.CONVENTIONAL if selling else ANY_SOURCE_MASK,
        TimeInForce.GOOD_TILL_GATE,
        0,
        0,
        False,
        False,
    )


def submission(wire: bytes) -> str:
    """A whole request."""
    body = f'{{"transactions":["{wire.hex()}"]}}'
    head = "POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}"


def measure_stream(market: Market, updates: int) -> dict[str, float]:
    """A block a second to all who listen."""
    print(f"listening, {LISTENERS:,} at once", flush=True)
    return load(market, lambda: Job(market.port, LISTENERS, node_socket=str(market.data.socket), updates=updates))


def load(market: Market, job: Callable[[], Job]) -> dict[str, float]:
    """What the load's process measured, and CPU of the gateway for each request. The job is made once the process
    waits for it: what is signed in it should not grow old."""
    command = [sys.executable, "-m", "gridtokenx.bench.gateway_load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = market.gateway_cpu_seconds()
        answer, _ = process.communicate(msgspec.json.encode(job()))
    if process.returncode:
        raise RuntimeError("the load's process failed")
    figures = msgspec.json.decode(answer, type=dict[str, float])
    cpu = market.gateway_cpu_seconds() - before
    return figures | {"cpu_us": cpu * 1e6 / figures["sent"]}


def admit_dealers(market: Market, client: Client) -> list[Dealer]:
    """The registrar admits them, the bank gives them money: all of it through the API."""
    print(f"admitting {DEALERS} dealers", flush=True)
    offices, dealers = market.genesis.organisations, []
    admissions: list[list[Message]] = []
    for number in range(DEALERS):
        key = PrivateKey(sha256(b"bench dealer %d" % number).digest())
        wallet, name = Wallet([key]), sha256(b"bench dealer %d" % number).digest()[:8]
        wallet.nonces.learn(0)
        dealers.append(Dealer(wallet, name))
        admissions.append(
            [
                RegisterParticipant(
                    name, Licence.DEALER, FOREVER_MS, Kyc.VERIFIED, FOREVER_MS, 0, DEALER_WH, DEALER_WH
                ),
                RegisterAccount(name, ALGORITHM_ED25519, 1, (key.public_key,)),
                RegisterPortfolio(name, wallet.account, FEEDER),
            ]
        )
    client_time_ms = client.status().time_ms
    carry_out(client, offices["attester"], [[AttestReserves(DEALERS * 2 * DEALER_MICRO, client_time_ms)]])
    carry_out(client, offices["registrar"], admissions)
    gifts = [[Mint(dealer.wallet.account, DEALER_MICRO, bytes(8) + dealer.portfolio)] for dealer in dealers]
    carry_out(client, offices["bank"], gifts)
    return dealers


def carry_out(client: Client, office: OwnedAccount, groups: Sequence[Sequence[Message]]) -> None:
    """One transaction for each group, in a block when this returns. RuntimeError if one is refused."""
    for sent in client.send_many(office.wallet(), groups):
        if client.wait(sent.transaction).code:
            raise RuntimeError(f"a transaction of the market's offices was refused: {sent}")
