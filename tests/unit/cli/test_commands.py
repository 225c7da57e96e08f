"""`keys`, `tx`, `query` and `export` against a running market: what works, and what is said when it does not."""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.unit.cli.market_thread import MarketThread, market_thread
from tests.unit.gateway.market import wallet_of
from tests.world import pseudonym
from typer.testing import CliRunner

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.cli import console, query, sending, tx
from gridtokenx.cli.main import app
from gridtokenx.client.client import Client
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore
from gridtokenx.gateway.sentences import SENTENCES, Language
from gridtokenx.ledger.genesis import import_state


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketThread]:
    with market_thread(tmp_path_factory.mktemp("market")) as running:
        yield running


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Development keys of two homes, and of a stranger."""
    keystore = Keystore(tmp_path / "keys")
    for name in ("ann", "bob", "cat", "operator"):
        keystore.add_development_key(name, PrivateKey(sha256(f"{name}/0".encode()).digest()))
    keystore.add_development_key("stranger", PrivateKey.generate())
    return keystore.folder


@pytest.fixture
def run(market: MarketThread, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A command, with the keys and the market."""
    monkeypatch.setattr(tx, "open_client", market.client)
    monkeypatch.setattr(sending, "open_client", market.client)
    monkeypatch.setattr(query, "open_client", market.client)
    monkeypatch.setenv("GRIDTOKENX_KEYS", str(keys))

    def invoke(*words: str, code: int = 0, text: str = "") -> Result:
        result = CliRunner().invoke(app, list(words), input=text)
        assert result.exit_code == code, result.output
        return result

    return invoke


def document(result: Result) -> Any:
    return json.loads(result.stdout)


# --- keys


def test_a_key_from_its_making_to_its_words_and_back(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDTOKENX_PASSPHRASE", "correct horse")
    made = run("keys", "new", "roof").stdout
    shown = document(run("keys", "show", "roof", "--json"))
    assert shown["public_key"] in made
    assert shown["protection"] == "passphrase"
    words = run("keys", "phrase", "roof", "--yes").stdout.strip()
    assert len(words.split()) == 24
    file = tmp_path / "words"
    file.write_text(words, encoding="utf-8")
    run("keys", "import", "roof-again", "--phrase-file", str(file))
    assert document(run("keys", "show", "roof-again", "--json"))["account"] == shown["account"]
    listed = {one["name"]: one["account"] for one in document(run("keys", "list", "--json"))}
    assert listed["roof"] == listed["roof-again"] == shown["account"]
    run("keys", "export", "roof", str(tmp_path / "backup"))
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0
    assert "cannot be written" in run("keys", "export", "roof", str(tmp_path / "backup"), code=1).stderr


def test_what_keys_refuses_says_what_to_do(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDTOKENX_PASSPHRASE", "one")
    run("keys", "new", "roof")
    assert "Choose another name" in run("keys", "new", "roof", code=1).stderr
    assert "lower-case letters" in run("keys", "new", "Roof!", code=1).stderr
    assert "keys list" in run("keys", "show", "nothing", code=1).stderr
    monkeypatch.setenv("GRIDTOKENX_PASSPHRASE", "another")
    assert "Type it again" in run("keys", "phrase", "roof", "--yes", code=1).stderr
    file = tmp_path / "words"
    file.write_text("abandon " * 24, encoding="utf-8")
    assert "24 words" in run("keys", "import", "other", "--phrase-file", str(file), code=1).stderr
    assert "keys new" in run("keys", "list", "--keys", str(tmp_path / "empty")).stderr
    run("keys", "phrase", "roof", code=1, text="n\n")


# --- transactions and queries


def test_a_trade_from_the_command_line(run: Any, market: MarketThread) -> None:
    sale = document(
        run("tx", "place", "sell", "2.5", "12:00", "--price", "3.00", "--source", "solar", "--key", "ann", "--json")
    )
    assert sale["resting_kwh"] == "2.500"
    book = document(run("query", "book", "12:00", "--json"))
    assert [level["quantity_wh"] for level in book["asks"]] == [2_500]
    assert "solar" in run("query", "book", "12:00").stdout
    assert "3.20" in run("query", "book", "12:00", "--feeder", "11").stdout
    amended = run("tx", "amend", sale["order"], "--price", "3.00", "--energy", "2", "--key", "ann").stdout
    assert "2.000" in amended
    bought = document(run("tx", "place", "buy", "0.5", "12:00", "--price", "3.20", "--key", "cat", "--json"))
    assert bought["filled_kwh"] == "0.500"
    (trade,) = document(run("query", "trades", "--interval", "12:00", "--json"))["trades"]
    assert (trade["quantity_wh"], trade["price_micro"]) == (500, 3_000_000)
    assert "3.00" in run("query", "trades").stdout
    (order,) = document(run("query", "orders", "--key", "ann", "--json"))["orders"]
    assert (order["client_id"], order["remaining_wh"]) == (sale["order"], 1_500)
    assert sale["order"] in run("query", "orders", "--key", "ann").stdout
    assert "1.500" in run("tx", "cancel", sale["order"], "--key", "ann").stdout
    assert "There are none" in run("query", "orders", "--key", "ann").stderr
    gone = run("query", "orders", "--gone", "--key", "ann").stdout
    assert "cancelled" in gone
    (order,) = document(run("query", "orders", "--gone", "--key", "ann", "--json"))["orders"]
    assert (order["client_id"], order["filled_wh"], order["remaining_wh"]) == (sale["order"], 500, 0)
    assert "WATT" in run("query", "account", "--key", "ann").stdout
    shown = run("query", "block").stdout
    assert market.market.node.application.info().app_hash.hex() in shown


def test_the_operator_halts_trade_and_lets_it_go_on(run: Any) -> None:
    halted = run("market", "halt", "--interval", "12:00", "--zone", "1", "--reason", "exercise", "--key", "operator")
    assert "interval 12:00 in zone 1" in halted.stdout
    (halt,) = document(run("query", "prices", "12:00", "--json"))["zones"][0]["halts"]
    assert (halt["reason"], halt["until_ms"]) == ("exercise", None)
    shown = run("query", "prices", "12:00").stdout
    assert "zone 3: 3.999 WATT/kWh, trades from 2.00 to 5.998" in shown
    assert "halted until the operator resumes: exercise" in shown
    refused = run("market", "halt", "--reason", "exercise", "--key", "ann", code=1)
    assert "NOT_AUTHORISED" in refused.output
    assert "exercise" in run("market", "halt", "--reason", "boredom", "--key", "operator", code=2).stderr
    assert (
        "is no time"
        in run("market", "halt", "--reason", "exercise", "--until", "soon", "--key", "operator", code=2).stderr
    )
    resumed = run("market", "resume", "--interval", "12:00", "--zone", "1", "--key", "operator")
    assert "goes on" in resumed.stdout
    again = run("market", "resume", "--zone", "3", "--key", "operator", code=1)
    assert "HALT_UNKNOWN" in again.output


def test_other_ways_of_ordering(run: Any) -> None:
    placed = run(
        *("tx", "place", "buy", "200Wh", "2026-06-01 13:00", "--price", "1.00", "--source", "solar+wind"),
        *("--until", "12:30", "--post-only", "--client-id", "00" * 8, "--key", "cat"),
    )
    assert "0.200" in placed.stdout
    run("tx", "cancel", "00" * 8, "--key", "cat")
    nothing = run("tx", "place", "buy", "1", "13:00", "--market", "--key", "cat").stdout
    assert "0.000" in nothing


def test_a_call_phase_is_said_and_what_it_does_not_take_is_not_sent(run: Any, market: MarketThread) -> None:
    """The market began at 23:50: the call phase of midnight's quarter."""
    words = ("tx", "place", "buy", "0.5", "2026-06-01 00:00", "--key", "cat")
    height = market.market.height
    for options, field in (
        (("--market",), "market"),
        (("--price", "3.20", "--force", "fok"), "time_in_force"),
        (("--price", "3.20", "--until", "23:54"), "good_till_ms"),
        (("--price", "3.20", "--minimum", "0.1"), "minimum_wh"),
        (("--price", "3.20", "--source", "solar"), "source"),
    ):
        refused = run(*words, *options, code=2)
        assert "The call phase runs until 23:55:00, and" in refused.stderr and f"({field})" in refused.stderr
        assert "no --market" in refused.stderr
    assert market.market.height == height
    placed = run(*words, "--price", "3.20", "--json")
    assert "nothing trades before the auction at 23:55:00" in placed.stderr
    order = document(placed)
    assert (order["filled_kwh"], order["resting_kwh"]) == ("0.000", "0.500")
    run("tx", "cancel", order["order"], "--key", "cat")


def test_a_payment_with_its_receipt_and_proof(run: Any, market: MarketThread) -> None:
    paid = document(run("tx", "transfer", "cat", "1.25", "--key", "ann", "--json"))
    name = paid["id"]
    assert "committed" in run("tx", "status", name).stdout
    assert "committed" in run("query", "receipt", name).stdout
    proved = run("query", "receipt", name, "--proof")
    assert "proved" in proved.stdout
    assert "own word" in proved.stderr
    app_hash = document(run("query", "block", str(paid["height"]), "--json"))["app_hash"]
    checked = document(run("query", "receipt", name, "--app-hash", app_hash, "--json"))
    assert checked["receipt"]["transaction"] == name
    wrong = run("query", "receipt", name, "--app-hash", "00" * 32, code=1)
    assert "another state" in wrong.stderr


def test_refusals_say_code_and_advice(run: Any) -> None:
    poor = run("tx", "transfer", "cat", "100,000,000", "--key", "ann", code=1).stderr
    assert "BALANCE_TOO_LOW (101)" in poor
    assert SENTENCES["en"]["BALANCE_TOO_LOW"] in poor
    assert "ORDER_UNKNOWN" in run("tx", "cancel", "11" * 8, "--key", "ann", code=1).stderr
    stranger = run("query", "account", "--key", "stranger", code=1).stderr
    assert "Sign in with its present keys" in stranger
    assert "Check what you are looking for" in run("query", "receipt", "00" * 32, "--proof", code=1).stderr
    assert "unknown" in run("tx", "status", "00" * 32).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tx", "transfer", "nobody", "1", "--key", "ann"), "nor the name of a key"),
        (("tx", "transfer", "cat", "much", "--key", "ann"), "write 12.50"),
        (("tx", "transfer", "cat", "0.0000001", "--key", "ann"), "at most 6 decimals"),
        (("tx", "transfer", "cat", "1,5", "--key", "ann"), "write 12.50"),
        (("tx", "transfer", "cat", "9" * 13, "--key", "ann"), "at most 12 digits"),
        (("tx", "transfer", "cat", "1", "--key", "ann", "--nonce", "2"), "add --propose"),
        (("tx", "transfer", "cat", "-1", "--key", "ann"), "No such option"),
        (("tx", "transfer", "cat", "1"), "Missing option '--key'"),
        (("tx", "place", "buy", "1", "12:07", "--price", "1", "--key", "ann"), "no delivery interval"),
        (("tx", "place", "buy", "1", "12:00", "--key", "ann"), "--price or --market"),
        (("tx", "place", "buy", "1", "12:00", "--price", "1", "--market", "--key", "ann"), "--price or --market"),
        (("tx", "place", "sell", "1", "12:00", "--price", "1", "--source", "coal", "--key", "ann"), "choose one of"),
        (("tx", "place", "buy", "a lot", "12:00", "--price", "1", "--key", "ann"), "write 1.5"),
        (("tx", "place", "buy", "1", "12:00", "--price", "1", "--until", "noon", "--key", "ann"), "no time"),
        (
            ("tx", "place", "buy", "1", "12:00", "--price", "1", "--until", "2026-02-30 12:00", "--key", "ann"),
            "no date",
        ),
        (("tx", "place", "buy", "1", "12:00", "--price", "4.0000001", "--key", "ann"), "at most 6 decimals"),
        (("tx", "cancel", "short", "--key", "ann"), "16 hexadecimal digits"),
        (("query", "block", "highest"), "write a number"),
        (("query", "block", "9" * 14), "write a number"),
        (("query", "book", "9" * 14), "or its number"),
        (("query", "book", "2026-13-01 12:00"), "no date"),
    ],
)
def test_what_cannot_be_understood_is_said_before_anything_is_sent(run: Any, words: tuple[str, ...], said: str) -> None:
    output = run(*words, code=2).output
    assert said in re.sub(r"\s*│\s*", " ", output).replace("\n", " ") or said in " ".join(output.split()), output


def test_what_was_typed_is_understood_before_a_passphrase_is_asked_for(
    run: Any, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRIDTOKENX_PASSPHRASE", raising=False)
    Keystore(keys).add("locked", PrivateKey.generate(), "secret", cost_log2=2)
    words = ("tx", "place", "buy", "1", "--price", "1", "--key", "locked")
    assert "GRIDTOKENX_PASSPHRASE" in run(*words, "12:00", "--passphrase-file", str(tmp_path / "none"), code=1).stderr
    run(*words, "12:07", "--passphrase-file", str(tmp_path / "none"), code=2)


@pytest.mark.parametrize("url", ["nonsense", "127.0.0.1:8545", "http://", "http://localhost:port", "ftp://localhost"])
def test_an_address_that_is_none(url: str) -> None:
    result = CliRunner().invoke(app, ["query", "trades", "--url", url])
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert "no address of a gateway" in result.stderr and "http://HOST:PORT" in result.stderr


def test_a_path_that_does_not_work_is_named(run: Any, keys: Path, tmp_path: Path) -> None:
    file, nowhere = tmp_path / "file", tmp_path / "nowhere" / "file"
    file.write_bytes(b"\xff\x00")
    assert f"{nowhere}: No such file" in run("keys", "import", "a", "--phrase-file", str(nowhere), code=1).stderr
    assert "24 words" in run("keys", "import", "a", "--phrase-file", str(file), code=1).stderr
    made = run("tx", "transfer", "cat", "1", "--key", "ann", "--propose", str(nowhere), code=1)
    assert "No such file" in made.stderr and "Check the path" in made.stderr
    assert "this is no proposal" in run("tx", "sign", str(file), "--key", "ann", code=1).stderr
    (file.parent / "secret").write_text("one\n")
    (file.parent / "secret").chmod(0o600)
    secret = ("--passphrase-file", str(file.parent / "secret"))
    assert "Check the path" in run("keys", "new", "a", "--keys", str(file), *secret, code=1).stderr
    run("keys", "new", "roof", *secret)
    (file.parent / "secret").write_text("two\n")
    wrong = run("keys", "phrase", "roof", "--yes", *secret, code=1).stderr
    assert "key roof: the passphrase does not open this key" in wrong
    (keys / "cat.key.json").write_text("{}")
    assert "key cat: " in run("keys", "list", code=1).stderr


def test_a_gateway_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "open_client", lambda url: Client(url, pause=lambda seconds: None))
    result = CliRunner().invoke(app, ["query", "trades", "--url", "http://127.0.0.1:9"])
    assert result.exit_code == 1
    assert "gridtokenx up" in result.stderr


# --- ceremonies


def test_a_ceremony_of_several_signers(run: Any, keys: Path, tmp_path: Path) -> None:
    file = tmp_path / "proposal.json"
    cat = Keystore(keys).public_key("cat").hex()
    words = ("tx", "transfer", "cat", "1", "--key", "ann", "--signer", cat, "--threshold", "2", "--propose", str(file))
    assert "--nonce" in run(*words, code=2).output
    assert "1 more needed" in run(*words, "--nonce", "1").stdout
    assert "of 2 signatures" in run("tx", "send", str(file), code=1).stderr
    assert "none of the account's" in run("tx", "sign", str(file), "--key", "stranger", "--yes", code=1).stderr
    run("tx", "sign", str(file), "--key", "cat", code=1, text="n\n")
    signed = run("tx", "sign", str(file), "--key", "cat", "--yes").stdout
    assert '"type": "Transfer"' in signed
    assert "All signatures are there" in signed
    assert "ACCOUNT_UNKNOWN" in run("tx", "send", str(file), code=1).stderr


def test_one_signer_proposes_for_itself(run: Any, market: MarketThread, tmp_path: Path) -> None:
    file = tmp_path / "proposal.json"
    run("tx", "transfer", "cat", "0.50", "--key", "ann", "--propose", str(file))
    promise = tmp_path / "promise.json"
    assert "committed" in run("tx", "send", str(file), "--promise", str(promise)).stdout
    assert "nothing was sent" in run("tx", "send", str(file), "--promise", str(promise), code=2).stderr
    assert "committed" in run("tx", "send", str(file)).stdout
    data = market.market.node.settings.data
    assert "It is in block" in run("audit", "acceptance", str(promise), "--data", str(data)).stdout
    assert "Nothing to audit" in run("audit", "censorship", "--data", str(data), code=2).stderr
    assert "cannot be read" in run("tx", "send", str(tmp_path / "nothing"), code=1).stderr


# --- export


def test_an_export_is_the_state_that_it_was_taken_from(run: Any, market: MarketThread, tmp_path: Path) -> None:
    run("tx", "transfer", "cat", "0.01", "--key", "ann")
    data, file = str(market.market.node.folder.path), tmp_path / "state.bin"
    run("export", str(file), "--data", data)
    state, commitment = import_state(CONSORTIUM, file.read_bytes())
    assert commitment.root() == market.market.node.application.info().app_hash
    assert state.rows[0x01]
    assert "cannot be written" in run("export", str(file), "--data", data, code=1).stderr
    tables = json.loads(run("export", "-", "--data", data, "--json").stdout)["tables"]
    account = wallet_of("ann").account.hex()
    assert tables["accounts"][account]["balance_micro"] < 1_000_000_000
    assert pseudonym("ann").hex() in tables["portfolios"]
    assert "no data folder" in run("export", str(tmp_path / "other"), "--data", str(tmp_path), code=2).stderr


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "th_TH.UTF-8"}, "th"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "th_TH.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_advice_is_in_the_language_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], language: Language
) -> None:
    for name in console.LANGUAGE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert console.advice_on("GATE_CLOSED") == SENTENCES[language]["GATE_CLOSED"]
    assert console.advice_on("NO_CODE_AT_ALL") == ""


# --- several intervals


def test_a_block_order_from_the_command_line(run: Any) -> None:
    options = ("--price", "2.90", "--key", "ann")
    sale = document(run("tx", "block-order", "sell", "0.5", "16:00", "3", *options, "--json"))
    assert (sale["filled_kwh"], sale["waiting_kwh"]) == ("0.000", "1.500")
    (line,) = document(run("query", "block-orders", "--json"))["block_orders"]
    assert (line["side"], line["intervals"], line["quantity_wh"], line["price_micro"]) == ("sell", 3, 500, 2_900_000)
    assert "0.500" in run("query", "block-orders").stdout
    assert "x 3" in run("query", "orders", "--key", "ann").stdout
    purchase = ("tx", "block-order", "buy", "0.6", "16:00", "3", "--price", "4", "--key", "cat", "--fill-or-kill")
    refused = run(*purchase, code=1)
    assert "FILL_OR_KILL_NOT_FILLED" in refused.stderr
    assert "1.500" in run("tx", "cancel", sale["order"], "--key", "ann").stdout
    assert "There are none" in run("query", "block-orders").stderr
    both = run("tx", "block-order", "buy", "1", "16:00", "3", *options, "--fill-or-kill", "--until", "13:00", code=2)
    assert "either" in both.stderr


CHARGE_AND_SELL = """
[[leg]]
name = "charge"
side = "buy"
energy = "1"
interval = "17:00"
price = "3.20"

[[leg]]
name = "evening"
side = "sell"
source = "solar"
energy = "0.4"
interval = "18:00"
intervals = 2
price = "4.00"
force = "gtc"
"""


def test_a_basket_happens_as_a_whole_or_not_at_all(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "basket.toml"
    file.write_text(CHARGE_AND_SELL, encoding="utf-8")
    refused = run("tx", "basket", str(file), "--key", "bob", code=1)
    assert "leg 'charge' was refused" in refused.stderr and "FILL_OR_KILL_NOT_FILLED" in refused.stderr
    assert document(run("query", "orders", "--key", "bob", "--json"))["orders"] == []
    run("tx", "place", "sell", "1", "17:00", "--price", "3.00", "--source", "solar", "--key", "ann")
    said = document(run("tx", "basket", str(file), "--key", "bob", "--json"))
    assert said["charge"].startswith("filled 1.000 kWh, waiting 0.000 kWh")
    assert said["evening"].startswith("filled 0.000 kWh, waiting 0.800 kWh")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('name = "charge"', 'name = "evening"'), "its own name"),
        (('side = "buy"', 'side = "bye"'), "bye"),
        (('energy = "1"', 'energy = "1,5"'), "leg 'charge'"),
        (('source = "solar"\n', ""), "the source must be said"),
        (('force = "gtc"', 'force = "gtd"'), "until belong together"),
        (("intervals = 2", "intervals = 97"), "96"),
        (("[[leg]]", "[leg"), "no TOML"),
        (('price = "3.20"', 'prize = "3.20"'), "prize"),
    ],
)
def test_a_basket_file_is_told_what_is_wrong(run: Any, tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    file = tmp_path / "basket.toml"
    file.write_text(CHARGE_AND_SELL.replace(*change, 1), encoding="utf-8")
    result = run("tx", "basket", str(file), "--key", "bob", code=1 if "own name" in sentence else 2)
    assert sentence in result.stderr.replace("│", "").replace("\n", " ").replace("  ", " "), result.stderr


def test_the_basket_of_the_docs(run: Any, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "baskets.md").read_text(encoding="utf-8")
    file = tmp_path / "docs.toml"
    file.write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    assert "leg 'charge' was refused" in run("tx", "basket", str(file), "--key", "bob", code=1).stderr
    run("tx", "place", "sell", "2", "12:00", "--price", "2.90", "--source", "solar", "--key", "ann")
    assert "leg 'discharge' was refused" in run("tx", "basket", str(file), "--key", "bob", code=1).stderr
    run("tx", "place", "buy", "1.6", "19:00", "--price", "5.10", "--key", "cat")
    said = run("tx", "basket", str(file), "--key", "bob").stdout
    assert "filled 2.000 kWh" in said and "filled 1.600 kWh" in said


def test_a_basket_of_all_that_fits_and_one_more(run: Any, tmp_path: Path) -> None:
    leg = '[[leg]]\nname = "{}"\nside = "buy"\nenergy = "0.1"\ninterval = "{}"\nprice = "1.00"\nforce = "gtc"\n'
    file = tmp_path / "many.toml"
    legs = [leg.format(number, ("20:00", "20:15")[number % 2]) for number in range(65)]
    file.write_text("".join(legs), encoding="utf-8")
    assert "1 to 64 legs" in run("tx", "basket", str(file), "--key", "cat", code=1).stderr
    file.write_text("".join(legs[:64]), encoding="utf-8")
    assert run("tx", "basket", str(file), "--key", "cat").stdout.count("waiting 0.100 kWh") == 64
