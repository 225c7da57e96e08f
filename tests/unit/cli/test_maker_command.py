"""`gridtokenx maker` against a running market: the programme, the way in and out, and what is missing (B6)."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.unit.cli.market_thread import MarketThread, market_thread
from tests.unit.gateway.market import NODE_SEED
from tests.unit.gateway.test_makers import DORA, NOON, community
from tests.world import World, buy, pseudonym, sell
from typer.testing import CliRunner

from gridtokenx.cli import maker, sending
from gridtokenx.cli.main import app
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore
from gridtokenx.engine.folder import create_data_folder
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.messages import EnrolMaker


def quoting() -> World:
    """Dora is a maker; her sale of 12:00 shows 400 Wh."""
    world = community().start()
    world.do("dora", EnrolMaker(pseudonym("dora")))
    world.do("dora", buy("dora", 1_000, NOON, 3_200_000, "bid"))
    world.do("dora", sell("dora", 400, NOON, 3_500_000, "ask", source=Source.CONVENTIONAL))
    return world


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketThread]:
    folder = tmp_path_factory.mktemp("market")
    create_data_folder(folder / "data", quoting().export(), NODE_SEED)
    with market_thread(folder, folder / "data") as running:
        yield running


@pytest.fixture
def run(market: MarketThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    keystore = Keystore(tmp_path / "keys")
    for name in ("dora", "ann", "operator"):
        keystore.add_development_key(name, PrivateKey(sha256(f"{name}/0".encode()).digest()))
    monkeypatch.setattr(maker, "open_client", market.client)
    monkeypatch.setattr(sending, "open_client", market.client)
    monkeypatch.setenv("GRIDTOKENX_KEYS", str(keystore.folder))

    def invoke(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, ["maker", *words])
        assert result.exit_code == code, result.output
        return result

    return invoke


def test_the_list_tells_programmes_and_makers(run: Any) -> None:
    text = run("list").output
    assert "zone 1: 1,000 Wh each side, 0.50 apart, 90 % of the last 60 minutes; rebate 50 %, 2 makers" in text
    assert f"{DORA} on feeder 11 from 2026-06-01 12:00: kept 0, missed 0" in text
    assert json.loads(run("list", "--json").output)["makers"][0]["portfolio"] == DORA


def test_status_says_what_is_missing(run: Any) -> None:
    text = " ".join(run("status", "--key", "dora").output.split())
    assert "your sale shows 400 Wh of 1,000" in text
    assert "your purchase shows 0 Wh of 1,000; your sale shows 0 Wh of 1,000" in text
    assert json.loads(run("status", "--key", "dora", "--json").output)["duties"][0]["missing"] == ["sell_size"]
    assert "a maker in no interval" in run("status", "--key", "ann").output


def test_the_operator_sets_a_programme_and_ends_makers(run: Any) -> None:
    terms = ("--spread", "0.4", "--size", "0.5", "--presence", "80", "--rebate", "25", "--makers", "3")
    assert "NOT_AUTHORISED" in run("programme", "2", *terms, "--key", "dora", code=1).output
    assert '"committed"' in run("programme", "2", *terms, "--key", "operator", "--json").output
    assert "zone 2: 500 Wh each side, 0.40 apart, 80 % of the last 240 minutes; rebate 25 %" in run("list").output
    bad = run("programme", "2", *terms[:2], "--size", "much", *terms[4:], "--key", "operator", code=2)
    assert "is no energy" in bad.output
    assert "MAKER_ALREADY" in run("enrol", DORA, "--key", "dora", code=1).output
    assert "2026-06-03 00:00" in run("leave", DORA, "--key", "operator").output
    assert "(ended)" in run("list").output
    assert "NOT_A_MAKER" in run("leave", DORA, "--key", "dora", code=1).output
