"""`gridtokenx light`: beginning to trust, following, and what is said when something does not hold."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from msgspec.structs import replace
from tests.unit.client.light_gateway import gateway_with
from tests.unit.engine.comet.light_chain import NS, hash_of, header_at, signed
from typer.testing import CliRunner

from gridtokenx.cli import light
from gridtokenx.cli.main import app
from gridtokenx.engine.comet.headers import LightBlock

FOUR = {1: 10, 2: 10, 3: 10, 4: 10}


def chain_of_today(fork: str = "") -> list[LightBlock]:
    """Nine blocks of the last seconds: the command's clock is this machine's."""
    blocks: list[LightBlock] = []
    now = (int(time.time()) - 20) * 1_000 * NS
    for height in range(1, 10):
        header = header_at(height, FOUR, FOUR, blocks[-1] if blocks else None, fork if height > 4 else "")
        blocks.append(signed(replace(header, time_ns=now + height * 1_000 * NS), FOUR))
    return blocks


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[LightBlock]:
    """What the gateway has; `http://other` has the same, `http://fork` another chain, `http://short` less."""
    whole = chain_of_today()
    forked = [*whole[:4], *chain_of_today("b")[4:]]
    gateways = {"http://other": whole, "http://fork": forked, "http://short": whole[:3]}
    monkeypatch.setattr(light, "open_client", lambda url: gateway_with(gateways.get(url, whole)))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.chdir(tmp_path)
    return whole


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["light", *words])
    assert result.exit_code == code, result.output
    return result


def document(result: Result) -> Any:
    return json.loads(result.stdout)


def test_begin_follow_and_go_on_later(blocks: list[LightBlock]) -> None:
    assert "light start" in run("block", code=1).stderr
    started = run("start", "--height", "2", "--hash", blocks[1].hash.hex().upper(), "--json")
    assert document(started)["hash"] == blocks[1].hash.hex()
    newest = document(run("block", "--json", "--witness", "http://other"))
    assert (newest["height"], newest["hash"]) == (9, blocks[8].hash.hex())
    assert newest["app_hash_before"] == blocks[8].header.app_hash.hex() and newest["validators"] == 4
    shown = run("block", "4").stdout
    assert blocks[3].hash.hex() in shown and "two thirds of 4 validators" in shown


def test_what_does_not_hold(blocks: list[LightBlock], tmp_path: Path) -> None:
    assert "Compare height" in run("start", "--height", "2", "--hash", hash_of("x").hex(), code=1).stderr
    assert "hash" in run("start", "--height", "2", "--hash", "xyz", code=2).stderr
    run("start", "--height", "2", "--hash", blocks[1].hash.hex())
    assert "believe neither" in run("block", "--witness", "http://fork", code=1).stderr
    assert "--witness" in run("block", "--witness", "http://short", code=1).stderr
    assert "not there yet" in run("block", "99", code=1).stderr
    (tmp_path / "trusted").write_bytes(b"no")
    assert "begin anew" in run("block", code=1).stderr
