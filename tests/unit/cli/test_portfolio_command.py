"""`gridtokenx portfolio` against a running market: the way in, the way out, and what each side sees."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.unit.cli.market_thread import MarketThread, market_thread
from tests.unit.gateway.market import NODE_SEED
from tests.unit.gateway.test_portfolios import POOL, settled
from tests.world import pseudonym
from typer.testing import CliRunner

from gridtokenx.cli import portfolio, sending
from gridtokenx.cli.main import app
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore
from gridtokenx.engine.folder import create_data_folder

BOB = pseudonym("bob").hex()


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketThread]:
    folder = tmp_path_factory.mktemp("market")
    create_data_folder(folder / "data", settled().export(), NODE_SEED)
    with market_thread(folder, folder / "data") as running:
        yield running


@pytest.fixture
def run(market: MarketThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    keystore = Keystore(tmp_path / "keys")
    for name in ("hub", "bob", "flat"):
        keystore.add_development_key(name, PrivateKey(sha256(f"{name}/0".encode()).digest()))
    monkeypatch.setattr(portfolio, "open_client", market.client)
    monkeypatch.setattr(sending, "open_client", market.client)
    monkeypatch.setenv("GRIDTOKENX_KEYS", str(keystore.folder))

    def invoke(*words: str, code: int = 0, text: str = "") -> Result:
        result = CliRunner().invoke(app, ["portfolio", *words], input=text)
        assert result.exit_code == code, result.output
        return result

    return invoke


def test_the_list_tells_the_rule_and_from_when_on(run: Any) -> None:
    text = run("list").output
    assert POOL in text
    assert "by metered energy, 10 % of a gain is commission, the aggregator bears 50 % of a loss" in text
    assert "2026-06-05 00:00" in text
    assert json.loads(run("list", "--json").output)["aggregators"][0]["members"] == 3


def test_joining_says_what_one_agrees_to_and_the_way_out_is_one_s_own(run: Any) -> None:
    refused = run("join", BOB, POOL, "--key", "bob", text="n\n", code=1)
    assert "by metered energy" in refused.output
    assert '"committed"' in run("join", BOB, POOL, "--key", "bob", "--json", "--yes").output
    assert f"{BOB} in {POOL}: asked" in run("show", "--key", "hub").output
    assert "2026-06-05 00:00" in run("accept", BOB, "--key", "hub").output
    assert "never was one" in run("leave", BOB, "--key", "bob").output
    assert "NOT_IN_PORTFOLIO" in run("exclude", BOB, "--key", "hub", code=1).output


def test_a_portfolio_is_opened_with_a_rule(run: Any) -> None:
    opened = run(
        *("open", "11", "--share", "export", "--commission", "2.5", "--loss", "100", "--key", "hub", "--json"),
        *("--portfolio", "00112233aabbccdd"),
    )
    assert json.loads(opened.stdout)["portfolio"] == "00112233aabbccdd"
    assert "by export, 2.5 % of a gain" in run("list").output


def test_splits_show_the_share(run: Any) -> None:
    shown = json.loads(run("splits", "--key", "flat", "--json").output)["splits"]
    assert [one["weight"] for one in shown] == [1_234]
    assert "1234 of 3634" in run("splits", "--key", "flat").output
    assert f"portfolio {POOL}" in run("splits", "--key", "hub").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("open", "11", "--share", "export", "--commission", "101", "--loss", "0", "--key", "hub"), "at most 100"),
        (("open", "11", "--share", "beauty", "--commission", "1", "--loss", "0", "--key", "hub"), "beauty"),
        (("join", BOB, "ff" * 8, "--key", "bob", "--yes"), "portfolio list"),
        (("accept", "alice", "--key", "hub"), "16 hexadecimal digits"),
    ],
)
def test_bad_words_are_answered_with_what_to_do(run: Any, words: tuple[str, ...], said: str) -> None:
    assert said in " ".join(run(*words, code=2).output.replace("│", " ").split())
