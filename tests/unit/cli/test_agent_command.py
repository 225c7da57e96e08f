"""`gridtokenx agent`: what a file may say, what is planned, done and told."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.unit.cli.market_thread import MarketThread, market_thread
from typer.testing import CliRunner

from gridtokenx.cli import agent
from gridtokenx.cli.agent_file import read_instructions
from gridtokenx.cli.main import app
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore
from gridtokenx.client.standing.instructions import BuyDaily, SellSurplus, When

HOME = """
[[sell]]
name = "roof"
from = "09:00"
to = "15:00"
price = "3.00"
share = 80

[[buy]]
name = "lunch"
from = "12:00"
to = "13:00"
tariff = "on-peak"
energy = "2"
price = "3.00"
"""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketThread]:
    with market_thread(tmp_path_factory.mktemp("market")) as running:
        yield running


@pytest.fixture
def run(market: MarketThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    keystore = Keystore(tmp_path / "keys")
    keystore.add_development_key("bob", PrivateKey(sha256(b"bob/0").digest()))
    monkeypatch.setattr(agent, "open_client", market.client)
    monkeypatch.setenv("GRIDTOKENX_KEYS", str(keystore.folder))
    file = tmp_path / "home.toml"

    def invoke(*words: str, says: str = HOME, code: int = 0) -> Result:
        file.write_text(says, encoding="utf-8")
        command, *rest = words
        result = CliRunner().invoke(app, ["agent", command, str(file), *rest])
        assert result.exit_code == code, result.output
        return result

    return invoke


def test_planned_then_done_then_told(run: Any, tmp_path: Path) -> None:
    planned = json.loads(run("plan", "--key", "bob", "--json").stdout)
    assert [(line["instruction"], line["side"], line["kwh"]) for line in planned] == [("lunch", "buy", "0.500")] * 4
    assert planned[0]["delivery"].endswith("12:00")
    assert "buy 0.500 kWh at 3.00  (lunch)" in run("plan", "--key", "bob").stdout
    assert not (tmp_path / "home.memory").exists()
    assert "last round  never" in run("status").stdout
    done = run("run", "--once", "--key", "bob").stdout
    assert done.count("placed, 0 Wh filled, 500 Wh resting") == 4
    again = run("run", "--once", "--key", "bob").stdout
    assert "placed" not in again
    told = json.loads(run("status", "--json").stdout)
    assert told["looked_ms"] > 0
    (lunch,) = [line for line in told["instructions"] if line["name"] == "lunch"]
    assert (lunch["placed"], lunch["placed_wh"], lunch["open"]) == (4, 2_000, 0)
    assert "4 orders placed for 2.000 kWh" in run("status").stdout
    assert "nothing" in run("plan", "--key", "bob").stdout


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('name = "lunch"', 'name = "roof"'), "its own name"),
        (('from = "09:00"', 'from = "09:10"'), "instruction 'roof'"),
        (('to = "15:00"', 'to = "25:00"'), "quarter of an hour"),
        (('to = "15:00"', 'to = "09:00"'), "are the same"),
        (("share = 80", "share = 0"), "share"),
        (("share = 80", "shore = 80"), "shore"),
        (('tariff = "on-peak"', 'tariff = "peak"'), "peak"),
        (('energy = "2"', 'energy = "2,0"'), "instruction 'lunch'"),
        (('energy = "2"\n', ""), "energy"),
        (('price = "3.00"', 'price = "cheap"'), "cheap"),
        ((HOME, ""), "says nothing"),
        (("[[sell]]", "[[sell"), "no TOML"),
    ],
)
def test_a_file_is_told_what_is_wrong(run: Any, change: tuple[str, str], sentence: str) -> None:
    result = run("run", "--once", "--key", "bob", says=HOME.replace(*change, 1), code=2)
    words = " ".join(result.stderr.replace("│", " ").split())
    assert sentence in words, words


def test_another_memory_is_refused(run: Any, tmp_path: Path) -> None:
    memory = tmp_path / "elsewhere"
    memory.mkdir()
    (memory / "journal.jsonl").write_text('{"type":"began","chain":"c","account":"a","portfolio":"p"}\n', "utf-8")
    refused = run("run", "--once", "--key", "bob", "--memory", str(memory), code=1)
    assert "name another folder" in " ".join(refused.stderr.split())


def test_the_instructions_of_the_docs_are_understood(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "standing.md").read_text(encoding="utf-8")
    file = tmp_path / "docs.toml"
    file.write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    roof, night = read_instructions(file)[0]
    assert roof == SellSurplus("roof", 3_000_000, When(36, 60), 80)
    assert night == BuyDaily("night", 2_400_000, When(on_peak=False), 5_000)
