"""`gridtokenx authority` against a consortium with a past: what it shows, and each thing that members do with it."""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.consortium import tax_id
from tests.consortium_life import (
    BANK,
    BATTERY,
    CENTRAL_BANK,
    ESTATES,
    LIFE_TERMS,
    METROPOLITAN,
    PROVINCIAL,
    REGULATOR,
    SECURITIES,
    SOFTWARE,
    WIND,
    live,
    write_folder,
)
from tests.unit.cli.market_thread import MarketThread, market_thread
from tests.world import pseudonym, signer
from typer.testing import CliRunner

from gridtokenx.cli import authority, console, sending, tx
from gridtokenx.cli.authority_view import percent
from gridtokenx.cli.main import app
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore
from gridtokenx.engine.comet.keys import validator_key_file

PEOPLE = {
    "battery": BATTERY,
    "regulator": REGULATOR,
    "metropolitan": METROPOLITAN,
    "provincial": PROVINCIAL,
    "estates": ESTATES,
    "securities": SECURITIES,
    "central": CENTRAL_BANK,
    "wind": WIND,
    "bank": BANK,
}
"""Two keys of each lie on this machine, under the name and the name with -two; the third is somebody else's."""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketThread]:
    """The chain stands right behind a checkpoint that the candidate has not named yet: blocks of one node alone make no
    others."""
    consortium, data = live(2), tmp_path_factory.mktemp("consortium") / "data"
    consortium.observe(SOFTWARE, 4 * LIFE_TERMS.checkpoint_blocks)
    while consortium.height % LIFE_TERMS.checkpoint_blocks:
        consortium.block()
    consortium.block()
    write_folder(consortium, data)
    with market_thread(data.parent, data) as running:
        yield running


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keystore = Keystore(tmp_path_factory.mktemp("keys") / "keys")
    for short, name in PEOPLE.items():
        for number, key_name in enumerate((short, f"{short}-two")):
            secret = sha256(f"{name}/{number}".encode()).digest()
            keystore.add_development_key(key_name, PrivateKey(secret))
    return keystore.folder


@pytest.fixture
def run(market: MarketThread, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for module in (authority, sending, tx):
        monkeypatch.setattr(module, "open_client", market.client)
    monkeypatch.setenv("GRIDTOKENX_KEYS", str(keys))
    # Wide enough for every column, whatever the size of the terminal that the tests run in.
    monkeypatch.setattr(console.out, "_width", 200)

    def invoke(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == code, result.output
        return result

    return invoke


def document(result: Result) -> Any:
    return json.loads(result.stdout)


def third_key(short: str) -> str:
    """Public key of the signer who is elsewhere."""
    return PrivateKey(sha256(f"{PEOPLE[short]}/2".encode()).digest()).public_key.hex()


def by(short: str) -> tuple[str, ...]:
    """Two of the account's three keys sign."""
    return ("--key", short, "--key", f"{short}-two", "--signer", third_key(short), "--threshold", "2")


def standing(run: Any, name: str) -> str:
    return str(document(run("authority", "show", name, "--json"))["standing"])


def test_a_node_s_observation_is_carried_by_hand(run: Any, tmp_path: Path) -> None:
    """First of all: checkpoints pass."""
    file = key_file(tmp_path / "node.key", sha256(f"node key 0 of {SOFTWARE}/0".encode()).digest())
    said = run("authority", "observe", SOFTWARE, "--node-key", str(file), *by("bank"), "--json")
    before = document(run("authority", "show", SOFTWARE, "--json"))["observed_blocks"]
    assert document(said)["observed_blocks"] == str(before)
    assert before >= LIFE_TERMS.observed_blocks
    again = run("authority", "observe", SOFTWARE, "--node-key", str(file), *by("bank"), code=1)
    assert "SAID_ALREADY" in again.output


def test_status_shows_members_reputation_availability_and_votes(run: Any) -> None:
    said = run("authority", "status").stdout
    assert f"{METROPOLITAN} plc" in said and "100.00 %" in said
    assert "seats taken" in said and "goal 99.99 %" in said and "below" not in said
    assert "suspended, loses" in said and "candidate: 1 attested, 2 endorsed" in said
    assert "open until" in said and f"admit {SOFTWARE} plc" in said
    whole = document(run("authority", "status", "--json"))
    assert set(whole) == {"authorities", "availability", "proposals"}
    assert whole["availability"]["target_ppm"] == 999_900


def test_powers_and_one_member_are_shown(run: Any) -> None:
    table = run("authority", "powers").stdout
    assert "set terms" in table and "more than 1/2" in table and "at least 2/3" in table
    shown = run("authority", "show", "Second Bank").stdout
    assert "duplicate vote" in shown and "suspended" in shown and pseudonym("Second Bank (placeholder)").hex() in shown


def test_two_keys_here_vote_and_the_proposal_is_carried(run: Any) -> None:
    number = open_proposal(run, "admit")
    for short in ("provincial", "regulator"):
        said = run("authority", "vote", str(number), "yes", *by(short), "--json")
    assert document(said)["proposal_is"] == "open"
    assert document(run("authority", "vote", str(number), "yes", *by("wind"), "--json"))["proposal_is"] == "carried"
    assert standing(run, SOFTWARE) in {"seated", "reserve"}
    again = run("authority", "vote", str(number), "yes", *by("wind"), code=1)
    assert "PROPOSAL_CLOSED" in again.output
    decided = run("authority", "proposals", "--state", "decided", "--limit", "1").stdout
    assert "carried: 6 yes, 1 no" in decided and "Earlier ones: --before" in decided


def test_a_vote_travels_between_officers_as_a_file(run: Any, tmp_path: Path) -> None:
    number, file = open_proposal(run, "set_terms"), tmp_path / "vote.json"
    alone = ("--key", "metropolitan", "--signer", public_key("metropolitan-two"), "--signer", third_key("metropolitan"))
    written = run(
        *("authority", "vote", str(number), "no", *alone, "--threshold", "2", "--propose", str(file), "--nonce", "40")
    )
    assert "1 more needed" in written.stdout
    assert "All signatures are there" in run("tx", "sign", str(file), "--key", "metropolitan-two", "--yes").stdout
    assert "OK (0)" in run("tx", "send", str(file)).stdout
    voted = {vote["name"]: vote["yes"] for vote in proposal(run, number)["votes"]}
    assert voted[f"{METROPOLITAN} plc"] is False


def test_the_emergency_tier_freezes_and_resumes(run: Any) -> None:
    number = document(run("authority", "propose", "freeze", *by("estates"), "--json"))["proposal"]
    assert document(run("authority", "vote", number, "yes", *by("central"), "--json"))["proposal_is"] == "carried"
    assert "FROZEN since" in run("authority", "status").stdout
    licence = ("authority", "propose", "license", "ab" * 8, "--public-key", third_key("wind"), *by("metropolitan"))
    refused = run(*licence, code=1)
    assert "FROZEN" in refused.output
    assert "open until the market goes on" in run("authority", "proposals").stdout
    number = document(run("authority", "propose", "resume", *by("estates"), "--json"))["proposal"]
    assert document(run("authority", "vote", number, "yes", *by("securities"), "--json"))["proposal_is"] == "carried"
    assert "FROZEN" not in run("authority", "status").stdout


def test_an_organisation_applies_is_vouched_for_and_withdraws(run: Any, tmp_path: Path) -> None:
    node = key_file(tmp_path / "node.key", sha256(b"a node").digest())
    consensus = key_file(tmp_path / "priv_validator_key.json", validator_key_file(sha256(b"a voter").digest()))
    paper = key_file(tmp_path / "registration.pdf", b"paper")
    asked = (*("authority", "apply", f"{BATTERY} [/plc]", "--tax-id", tax_id(BATTERY), "--group", "trade"),)
    asked += ("--tier", "secondary", "--zone", "2", "--node-key", str(node), "--consensus-key", str(consensus))
    asked += ("--document", str(paper), *by("battery"))
    assert "16 hex" not in run(*asked).output
    member = document(run("authority", "show", BATTERY, "--json"))
    assert (member["standing"], member["documents"]) == ("candidate", [sha256(b"paper").hexdigest()])
    assert member["node"] == sha256(signer_key(b"a node")).hexdigest()[:16]
    run("authority", "attest", BATTERY, *by("regulator"))
    run("authority", "endorse", BATTERY, *by("bank"))
    assert "1 attested, 1 endorsed" in run("authority", "status").stdout
    assert "NOT_ENDORSED" in run("authority", "propose", "admit", BATTERY, *by("metropolitan"), code=1).output
    run("authority", "withdraw", *by("battery"))
    assert "no member is called" in run("authority", "show", BATTERY, code=2).output


def test_keys_are_rotated_by_the_new_key(run: Any, tmp_path: Path) -> None:
    consensus = key_file(tmp_path / "priv_validator_key.json", validator_key_file(sha256(b"new voter").digest()))
    run("authority", "rotate", "consensus", "--member", PROVINCIAL, "--new-key", str(consensus), *by("provincial"))
    member = document(run("authority", "show", PROVINCIAL, "--json"))
    assert member["consensus_key"] == signer_key(b"new voter").hex() and member["power"] == LIFE_TERMS.seat_power
    folder = tmp_path / "data"
    folder.mkdir()
    key_file(folder / "node.key", sha256(b"new node").digest())
    soon = ("authority", "rotate", "node", "--member", PROVINCIAL, "--new-key", str(folder), *by("provincial"))
    assert "ROTATION_TOO_SOON" in run(*soon, code=1).output
    # The key that a refused rotation made is the one that the next is asked with; the node's present one stays.
    staged = (folder / "node.key.next").read_bytes()
    asked = ("authority", "rotate", "node", "--member", WIND, "--new-key", str(folder), *by("wind"), "--json")
    assert document(run(*asked))["new_key"] == PrivateKey(staged).public_key.hex()
    assert (folder / "node.key.next").read_bytes() == staged
    assert (folder / "node.key").read_bytes() == sha256(b"new node").digest()


def test_a_key_that_a_signer_holds_speaks_for_itself(run: Any, tmp_path: Path) -> None:
    """The staged one, which the signer changes to afterwards."""
    folder = tmp_path / "signer"
    run("signer", "init", "--data", str(folder), "--chain", "consortium-life", "--generate")
    run("signer", "rotate", "--data", str(folder), "--generate")
    (staged,) = re.findall(r'public_key = "([0-9a-f]{64})"', (folder / "next.toml").read_text())
    run("authority", "rotate", "consensus", "--member", METROPOLITAN, "--new-key", str(folder), *by("metropolitan"))
    assert document(run("authority", "show", METROPOLITAN, "--json"))["consensus_key"] == staged


def test_terms_change_by_name(run: Any) -> None:
    asked = ("authority", "propose", "terms", "vote_ms=86400000", "group_seats=6,6,4,3,2", *by("metropolitan"))
    number = int(document(run(*asked, "--json"))["proposal"])
    terms = proposal(run, number)["terms"]
    assert (terms["vote_ms"], terms["group_seats"], terms["stake_micro"]) == (
        86_400_000,
        [6, 6, 4, 3, 2],
        LIFE_TERMS.stake_micro,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "nobody at all"), "no member is called"),
        (("show", "Bank"), "several members are called"),
        (("propose", "terms", "colour=5"), "changes no term"),
        (("propose", "terms", "group_seats=5"), "changes no term"),
        (("propose", "terms", "vote_ms=1"), "vote_ms is out of its bounds"),
        (("propose", "license", "zz", "--public-key", "00" * 32), "is no node"),
        (("observe", "Wind", "--node-key", "nowhere"), "is no key file"),
        (("rotate", "consensus", "--member", "Wind", "--new-key", "nowhere"), "no key file of CometBFT"),
        (("vote", "0", "yes"), "greater than or equal to 1"),
        (("vote", "1", "perhaps"), "perhaps"),
        (("vote", "1", "yes", "--nonce", "3"), "add --propose FILE"),
    ],
)
def test_bad_input_is_told_plainly(run: Any, words: tuple[str, ...], said: str) -> None:
    signing = () if words[0] == "show" else by("metropolitan")
    assert said in " ".join(run("authority", *words, *signing, code=2).output.replace("│", " ").split())


def test_percent_never_looks_better() -> None:
    assert (percent(999_999), percent(999_899), percent(None)) == ("99.99 %", "99.98 %", "-")


def key_file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def signer_key(seed: bytes) -> bytes:
    return PrivateKey(sha256(seed).digest()).public_key


def public_key(name: str) -> str:
    short = name.removesuffix("-two")
    number = 1 if name.endswith("-two") else 0
    return PrivateKey(sha256(f"{PEOPLE[short]}/{number}".encode()).digest()).public_key.hex()


def open_proposal(run: Any, act: str) -> int:
    page = document(run("authority", "proposals", "--json"))
    return next(int(one["number"]) for one in page["proposals"] if one["act"] == act)


def proposal(run: Any, number: int) -> Any:
    page = document(run("authority", "proposals", "--state", "all", "--json", "--limit", "100"))
    return next(one for one in page["proposals"] if one["number"] == number)


def test_the_key_files_of_the_tests_are_the_members_own() -> None:
    assert signer(BANK, 2, 3).keys == tuple(
        sorted(PrivateKey(sha256(f"{BANK}/{number}".encode()).digest()).public_key for number in range(3))
    )
