"""The TypeScript SDK against a node and a gateway that run: trading, proofs, and a stream that outlives its gateway."""

from hashlib import sha256
from pathlib import Path

import pytest
from tests.processes.processes import free_port, gateway_process, node_process
from tests.sdk.scripts import lines_of, run
from tests.unit.gateway.market import NODE_SEED, founding, wallet_of
from tests.world import sell

from gridtokenx.client.client import Client
from gridtokenx.engine.folder import create_data_folder

pytestmark = pytest.mark.slow

SPEED = 60


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    create_data_folder(folder, founding().builder.finish(), NODE_SEED)
    return folder


def secret_of(name: str) -> str:
    """Of a home of the founding."""
    return sha256(f"{name}/0".encode()).hexdigest()


def test_a_trade_from_the_first_order_to_the_proofs(node: list[str], data: Path) -> None:
    port = free_port()
    with node_process(data, SPEED), gateway_process(data, port):
        answer = run(node, "market.mjs", f"http://127.0.0.1:{port}", secret_of("ann"), secret_of("cat"))
    assert answer == {
        "filled": [400, 0],
        "order": ["open", 400, 600],
        "receipt": ["0", True],
        "record": ["600", True],
        "codes": ["ORDER_UNKNOWN", "PRICE_OFF_TICK"],
        "many": [0],
        "again": ["committed"],
        "book": [20, True],
        "stranger": "CHALLENGE_NOT_SIGNED",
        "cost": [True, True],
        "ready": True,
        "pages": [3, 20],
        "gone": "cancelled",
        "statements": 0,
        "absent": None,
    }


def test_a_stream_goes_on_where_it_was_when_the_gateway_is_killed(node: list[str], data: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with node_process(data, SPEED), gateway_process(data, port) as gateway, Client(address) as client:
        number = client.intervals().intervals[-1].interval
        seller = wallet_of("ann")
        client.execute(seller, sell("ann", 500, number, 3_000_000, "o0"))
        with lines_of(node, "listen.mjs", address, secret_of("ann"), str(number)) as lines:
            heard = [next(lines) for _ in range(8)]
            gateway.kill()
            with gateway_process(data, port), Client(address) as again:
                for place in range(1, 5):
                    again.execute(seller, sell("ann", 500, number, 3_000_000 + place * 1_000, f"o{place}"))
                heard += list(lines)
    blocks = [each for each in heard if each["topic"] == "blocks"]
    heights = [each["sequence"] for each in blocks]
    assert heights == list(range(heights[0], heights[0] + len(heights)))
    assert [each["is_snapshot"] for each in blocks] == [True] + [False] * (len(blocks) - 1)
    assert heard[-1]["prices"] == [3_000_000 + place * 1_000 for place in range(5)]
    assert heard[-1]["states"][:3] == ["open", "connecting", "open"]
    assert {each["topic"] for each in heard} == {"blocks", "account", f"book:{number}"}
