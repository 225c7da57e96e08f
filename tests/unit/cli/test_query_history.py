"""`query record`, `versions`, `balance` and `account --height`, on an archive's gateway and in a data folder."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.market_thread import MarketThread, market_thread
from tests.world import buy, interval_at
from typer.testing import CliRunner, Result

from gridtokenx.cli import query, query_history, tx
from gridtokenx.cli.main import app
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore

NOON = interval_at(12)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[MarketThread]:
    with market_thread(tmp_path, history=True) as running:
        yield running


@pytest.fixture
def run(archive: MarketThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    keystore = Keystore(tmp_path / "keys")
    keystore.add_development_key("cat", PrivateKey(sha256(b"cat/0").digest()))
    for module in (query, query_history, tx):
        monkeypatch.setattr(module, "open_client", archive.client)
    monkeypatch.setenv("GRIDTOKENX_KEYS", str(keystore.folder))

    def invoke(*words: object, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == code, result.output
        return result

    return invoke


def document(result: Result) -> Any:
    return json.loads(result.stdout)


def test_what_an_account_had_is_told_at_every_height(archive: MarketThread, run: Any, tmp_path: Path) -> None:
    with archive.client() as client:
        wallet = archive.market.wallet("cat")
        before = client.account(wallet)
        client.execute(wallet, buy("cat", 400, NOON, 3_000_000))
        after = client.account(wallet)
    assert before.held_micro == 0 < after.held_micro
    for view in (before, after):
        told = document(run("query", "account", "--key", "cat", "--height", view.height, "--json"))
        assert told["held_micro"] == view.held_micro
        words = ("query", "balance", view.account, "--data", tmp_path / "data", "--height", view.height)
        found = document(run(*words, "--json"))
        assert (found["held_micro"], found["height"]) == (view.held_micro, view.height)
    assert "WATT" in run("query", "balance", before.account, "--data", tmp_path / "data").stdout
    assert "no account" in run("query", "balance", "00" * 32, "--data", tmp_path / "data", code=1).stderr
    versions = document(run("query", "versions", "accounts", before.account, "--data", tmp_path / "data", "--json"))
    assert [one["record"]["held_micro"] for one in versions["versions"]] == [0, after.held_micro]


def test_a_folder_and_a_gateway_tell_the_same(archive: MarketThread, run: Any, tmp_path: Path) -> None:
    height = archive.block()
    archive.block()
    data = ("--data", tmp_path / "data")
    words = ("query", "record", "last_block", "-", "--height", height)
    assert document(run(*words, "--json")) == document(run(*words, *data, "--json"))
    assert document(run(*words, "--json"))["record"]["height"] == height
    assert f"height         {height}" in run(*words).stdout
    words = ("query", "versions", "last_block", "-", "--first", 1, "--limit", 2)
    assert document(run(*words, "--json")) == document(run(*words, *data, "--json"))
    assert "--first 3" in run(*words).stderr
    assert run(*words, *data).stdout.count("block") >= 2


def test_what_is_not_known_is_said(archive: MarketThread, run: Any, tmp_path: Path) -> None:
    data = ("--data", tmp_path / "data")
    assert "not there yet" in run("query", "record", "terms", "00", "--height", 99_999, *data, code=2).stderr
    assert "There are:" in run("query", "record", "nothing", "00", code=2).stderr
    assert "hexadecimal" in run("query", "record", "terms", "xyz", *data, code=2).stderr
    assert "no such record" in run("query", "record", "terms", "00", *data).stdout
    assert "sign in" in run("query", "record", "accounts", "00", code=1).stderr.lower()
    assert "no data folder" in run("query", "record", "terms", "00", "--data", tmp_path / "other", code=2).stderr
