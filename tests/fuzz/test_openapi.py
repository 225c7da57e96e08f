"""The OpenAPI document against the gateway of a running market: nothing in it is untrue, nothing that happens is
missing from it. Schemathesis makes up requests, good ones and bad ones, for each operation."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from tests.processes.processes import free_port, gateway_process, node_process
from tests.unit.gateway.market import NODE_SEED, founding, wallet_of
from tests.world import buy, sell

from gridtokenx.client.async_client import AsyncClient
from gridtokenx.client.client import Client
from gridtokenx.client.wallet import Wallet
from gridtokenx.engine.folder import create_data_folder
from gridtokenx.gateway.app import ROUTERS
from gridtokenx.gateway.openapi import make_document
from gridtokenx.gateway.transactions import WAIT_MS_MAX

pytestmark = pytest.mark.slow

SPEED = 60
WAIT_MS = 20
EXAMPLES = 25
"""Of made-up requests for each operation; besides them come all that follow from the document's own bounds."""

PLAIN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

EXCLUDED = {
    # OpenAPI cannot say that one parameter needs another (`record=order` its `client_id`), or that the 31st is not in
    # every month.
    "GET /v1/accounts/{id}/proof": ["positive_data_acceptance"],
    "GET /v1/accounts/{id}/history": ["positive_data_acceptance"],
    "GET /v1/accounts/{id}/bill": ["positive_data_acceptance"],
    "GET /v1/accounts/{id}/bill.csv": ["positive_data_acceptance"],
}
"""Checks that an operation cannot pass, each with its reason."""


class Market:
    """A running market, and somebody who has an account there."""

    def __init__(self) -> None:
        self.url = ""
        self.token = ""
        self.values: dict[str, Any] = {}
        """By names of paths and parameters: what exists."""


MARKET = Market()


async def token_of(wallet: Wallet) -> str:
    async with AsyncClient(MARKET.url) as client:
        return await client.token(wallet)


@pytest.fixture(scope="module", autouse=True)
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    data: Path = tmp_path_factory.mktemp("openapi") / "data"
    create_data_folder(data, founding().builder.finish(), NODE_SEED)
    port = free_port()
    MARKET.url = f"http://127.0.0.1:{port}"
    with node_process(data, SPEED), gateway_process(data, port), Client(MARKET.url) as client:
        seller = wallet_of("ann")
        interval = client.intervals().intervals[-1].interval
        sold = client.execute(seller, sell("ann", 1_000, interval, 3_000_000))
        client.execute(wallet_of("cat"), buy("cat", 400, interval, 3_400_000))
        MARKET.token = asyncio.run(token_of(seller))
        MARKET.values = {
            "interval": interval,
            "height": sold.height,
            "account": seller.account.hex(),
            "transaction": sold.id,
            "client_id": client.orders(seller).orders[0].client_id,
            "portfolio": client.account(seller).portfolios[0],
            "name": "NOT_FOUND",
        }
        yield MARKET


api = schemathesis.openapi.from_dict(
    make_document(ROUTERS), config=SchemathesisConfig.from_dict({"generation": {"max-examples": EXAMPLES}})
)


@api.auth()
class Token:
    """Of the session of somebody who has an account."""

    def get(self, case: Any, context: Any) -> str:
        return MARKET.token

    def set(self, case: Any, token: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}


@api.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """What is drawn is rarely there: good names are mostly replaced by such that are."""
    if path_parameters:
        known = MARKET.values
        kind = "transaction" if "/transactions/" in context.operation.path else "account"
        for name in path_parameters:
            value = known.get(kind if name == "id" else name)
            if value is not None and sum(str(path_parameters[name]).encode()) % 4:
                path_parameters[name] = value
    return path_parameters


def prepare(case: Any) -> None:
    """Nobody waits half a minute for a transaction that will never come; and a whole number with a point (`1.0`), which
    JSON Schema takes for an integer, is none here: no writer of JSON makes one of an integer."""
    query = case.query if isinstance(case.query, dict) else {}
    if str(query.get("wait_ms", "")).isdecimal() and WAIT_MS < int(query["wait_ms"]) <= WAIT_MS_MAX:
        query["wait_ms"] = WAIT_MS
    if case.meta is not None and case.meta.generation.mode.is_positive:
        case.body = without_points(case.body)


def without_points(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_points(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_points(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_all_checks_are_made() -> None:
    load_all_checks()
    assert {name for names in EXCLUDED.values() for name in names} <= set(CHECKS.get_all_names())
    labels = {operation.ok().label for operation in api.get_all_operations()}
    assert set(EXCLUDED) <= labels and len(labels) > 30


@api.parametrize()
@PLAIN
def test_the_document_is_true(case: Any) -> None:
    load_all_checks()
    excluded = [check for check in CHECKS.get_all() if check.__name__ in EXCLUDED.get(case.operation.label, ())]
    prepare(case)
    case.call_and_validate(base_url=MARKET.url, excluded_checks=excluded)
