"""The options about hosts, proxies and limits, on a real gateway."""

from pathlib import Path

import httpx
import pytest
from tests.processes.processes import free_port, gateway_process, node_process
from tests.unit.gateway.market import NODE_SEED, founding

from gridtokenx.engine.folder import create_data_folder
from gridtokenx.gateway.limits import SIGN_INS
from gridtokenx.gateway.sentences import SENTENCES

pytestmark = pytest.mark.slow

CHALLENGE = {"account": "00" * 32}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    create_data_folder(folder, founding().builder.finish(), NODE_SEED)
    return folder


def asked_until_refused(web: httpx.Client, **headers: str) -> tuple[int, httpx.Response]:
    """How many challenges are given, and the refusal."""
    for number in range(10 * SIGN_INS.burst):
        response = web.post("/v1/challenges", json=CHALLENGE, headers=headers)
        if response.status_code != 200:
            return number, response
    raise AssertionError("never refused")


def test_behind_a_proxy_that_is_named_everybody_has_limits_of_ones_own(data: Path) -> None:
    port = free_port()
    options = ("--trusted-proxy", "127.0.0.1", "--name", "market.example")
    with (
        node_process(data, 60),
        gateway_process(data, port, *options),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Host": "market.example"}) as web,
    ):
        given, refused = asked_until_refused(web, **{"X-Forwarded-For": "198.51.100.1", "Accept-Language": "th"})
        assert given >= SIGN_INS.burst
        assert (refused.status_code, refused.json()["name"]) == (429, "TOO_MANY")
        assert refused.json()["title"] == SENTENCES["th"]["TOO_MANY"]
        assert int(refused.headers["retry-after"]) == 1
        other = {"X-Forwarded-For": "198.51.100.1, 198.51.100.2"}
        assert web.post("/v1/challenges", json=CHALLENGE, headers=other).status_code == 200
        assert web.get("/v1/status", headers={"Host": "evil.example"}).json()["name"] == "HOST_UNKNOWN"


def test_a_proxy_that_is_not_named_is_one_caller_and_the_machine_itself_has_no_limits(data: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with node_process(data, 60), gateway_process(data, port), httpx.Client(base_url=url) as web:
        asked_until_refused(web, **{"X-Forwarded-For": "198.51.100.1"})
        refused = web.post("/v1/challenges", json=CHALLENGE, headers={"X-Forwarded-For": "198.51.100.2"})
        assert refused.status_code == 429
        for _ in range(2 * SIGN_INS.burst):
            assert web.post("/v1/challenges", json=CHALLENGE).status_code == 200


def test_loopback_has_limits_when_it_should(data: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        node_process(data, 60),
        gateway_process(data, port, "--limit-loopback"),
        httpx.Client(base_url=url) as web,
    ):
        given, _ = asked_until_refused(web)
        assert given >= SIGN_INS.burst
        assert web.get("/v1/status").status_code == 200


def test_a_proxy_that_is_no_address_is_refused_at_the_start(data: Path) -> None:
    with gateway_process(data, free_port(), "--trusted-proxy", "everywhere", ready="") as gateway:
        gateway.wait_for("invalid ip_network value: 'everywhere'")
        assert gateway.process.wait(30) == 2
