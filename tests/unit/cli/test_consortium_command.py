"""The commands of the ceremony, as a member's people type them."""

import json
from pathlib import Path
from shutil import copytree

import pytest
from tests.unit.operations.consortium.played import CHAIN, FOUR, SCENARIO, played
from typer.testing import CliRunner, Result

from gridtokenx.cli.main import app
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore
from gridtokenx.operations.consortium.organisation import Organisation, read_organisation
from gridtokenx.operations.network.bundle import read_bundle
from gridtokenx.operations.network.card import read_card
from gridtokenx.operations.network.node_folder import install_bundle
from gridtokenx.simulation.market_folder import MarketFolder


def said(*words: object, status: int = 0) -> Result:
    result = CliRunner().invoke(app, ["consortium", *(str(word) for word in words)])
    assert result.exception is None or type(result.exception) is SystemExit, result.exception
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def flags(tmp_path: Path) -> dict[str, object]:
    """What a member says of itself; two officers, one of them with a key here, and a paper."""
    keys = Keystore(tmp_path / "keys")
    keys.add_development_key("director", PrivateKey.generate())
    keys.add_development_key("deputy", PrivateKey.generate())
    (tmp_path / "licence.pdf").write_bytes(b"%PDF")
    return {
        "--to": tmp_path / "mea.toml",
        "--node": tmp_path / "node",
        "--name": "mea",
        "--address": "10.0.0.2:26656",
        "--chain": CHAIN,
        "--legal-name": "Metropolitan Electricity Authority",
        "--legal-name-th": "การไฟฟ้านครหลวง",
        "--tax-id": "0000000000027",
        "--group": "grid",
        "--tier": "primary",
        "--zone": "Bangkok",
        "--stake": "1000000",
        "--threshold": "2",
        "--document": tmp_path / "licence.pdf",
        "--keys": tmp_path / "keys",
    }


def officers(tmp_path: Path) -> list[str]:
    deputy = Keystore(tmp_path / "keys").public_key("deputy").hex()
    return ["--officer", "director", "--officer", deputy]


def words_of(flags: dict[str, object]) -> list[object]:
    return [word for pair in flags.items() for word in pair]


def test_a_member_describes_itself_and_all_sign(tmp_path: Path, flags: dict[str, object]) -> None:
    file, node = tmp_path / "mea.toml", tmp_path / "node"
    drafted = said("draft", *words_of(flags), *officers(tmp_path))
    assert "การไฟฟ้านครหลวง" in drafted.output and "consortium sign" in drafted.output
    card = read_card(node / "card.toml")
    assert read_organisation(file).description.node == card
    unsigned = said("check", file, status=1).stderr
    assert "0 of 2 officers" in unsigned and "link key of its node has not signed" in unsigned
    keys = ["--keys", tmp_path / "keys"]
    assert "1, 2 are needed" in said("sign", file, "--key", "director", *keys).output
    assert "has signed" in said("sign", file, "--key", "deputy", "--node", node, *keys).output
    assert "nothing is wrong" in said("check", file, "--chain", CHAIN).output
    assert "exists already" in said("draft", *words_of(flags), *officers(tmp_path), status=2).stderr
    # With what is there already: the folder's node, whose card says name and address.
    flags["--to"] = tmp_path / "again.toml"
    assert "there is a node" in said("draft", *words_of(flags), *officers(tmp_path), status=2).stderr
    del flags["--name"], flags["--address"]
    said("draft", *words_of(flags), *officers(tmp_path))
    assert read_organisation(tmp_path / "again.toml").description == read_organisation(file).description


@pytest.mark.parametrize(
    ("flag", "value", "sentence"),
    [
        ("--chain", "GridTokenX", "$.chain"),
        ("--legal-name", " MEA", "odd way"),
        ("--name", "MEA", "small letters"),
        ("--address", "10.0.0.2", "HOST:PORT"),
        ("--stake", None, "nobody is there to be asked"),
        ("--document", "nowhere", "Check the path"),
    ],
)
def test_what_cannot_be_said_is_refused(
    tmp_path: Path, flags: dict[str, object], flag: str, value: str | None, sentence: str
) -> None:
    changed = {**flags, flag: value}
    words = words_of({name: each for name, each in changed.items() if each is not None})
    assert sentence in said("draft", *words, *officers(tmp_path), status=2).stderr
    assert not (tmp_path / "mea.toml").exists() and not (tmp_path / "node").exists()


def test_strangers_do_not_sign(tmp_path: Path) -> None:
    file = tmp_path / "mea.toml"
    file.write_bytes(played(*FOUR).organisations["mea"].toml())
    Keystore(tmp_path / "keys").add_development_key("stranger", PrivateKey.generate())
    before = file.read_bytes()
    keys = ["--keys", tmp_path / "keys"]
    assert "none of mea's" in said("sign", file, "--key", "stranger", *keys, status=2).stderr
    assert "there is no node" in said("sign", file, "--node", tmp_path / "nothing", status=2).stderr
    assert "none of mea's" in said("sign", file, "--node", played(*FOUR).folder / "egat/node", status=2).stderr
    assert "nobody signs" in said("sign", file, status=2).stderr
    assert "cannot be read" in said("sign", tmp_path / "nothing", "--key", "stranger", *keys, status=2).stderr
    assert file.read_bytes() == before


def test_a_key_in_hardware_signs_elsewhere(tmp_path: Path) -> None:
    four, file = played(*FOUR), tmp_path / "mea.toml"
    whole = four.organisations["mea"]
    officer, *_ = four.keys["mea"]
    file.write_bytes(Organisation(whole.description, {}).toml())
    said("sign", file, "--bytes", tmp_path / "bytes")
    signature = officer.sign((tmp_path / "bytes").read_bytes()).hex()
    wrong = f"{officer.public_key.hex()}:{signature[::-1]}"
    assert "no signature of mea's" in said("sign", file, "--signature", wrong, status=2).stderr
    assert "1, 2 are needed" in said("sign", file, "--signature", f"{officer.public_key.hex()}:{signature}").output
    # A node whose key for votes is on another machine signs in two goes.
    node = tmp_path / "node"
    copytree(four.folder / "mea" / "node", node)
    votes = node / "consensus" / "config" / "priv_validator_key.json"
    votes.rename(tmp_path / "votes.json")
    assert "has not signed" in said("sign", file, "--node", node).output
    assert "has signed" in said("sign", file, "--consensus-key", tmp_path / "votes.json").output


def test_the_example_is_played_and_everybody_makes_the_same(tmp_path: Path) -> None:
    example = tmp_path / "example"
    words = ["example", "thailand", "--out", example, "--begins", "2027-02-01T00:00:00"]
    assert "organisations  21" in said(*words).output
    assert "something in" in said(*words, status=2).stderr
    assert all(path.stat().st_mode & 0o077 == 0 for path in example.glob("*/keys/*"))
    files, terms = sorted(example.glob("*/organisation.toml")), example / "terms.toml"
    said("check", *files, "--terms", terms)
    hashes = set()
    for number, order in enumerate((files, files[::-1])):
        to = tmp_path / f"made-{number}"
        made = said("init", *order, "--terms", terms, "--chain", CHAIN, "--out", to, "--json")
        document = json.loads(made.output)
        hashes.add(document["network_sha256"])
        assert document["problems"] == [] and document["begins"].startswith("2027-02-01")
        assert not document["sandbox"] and len(document["members"]) == 21
    assert len(hashes) == 1
    shown = said("show", tmp_path / "made-0").output
    assert "การไฟฟ้าฝ่ายผลิตแห่งประเทศไทย" in shown and "aloud" in shown and "sandbox" not in shown
    assert hashes.pop()[:4] in shown
    assert (
        "made-0 exists already"
        in said("init", *files, "--terms", terms, "--chain", CHAIN, "--out", tmp_path / "made-0", status=2).stderr
    )
    # Each member's own node takes what was made.
    install_bundle(example / "egat" / "node", read_bundle(tmp_path / "made-1" / "network.zip"))


def test_a_ceremony_with_problems_makes_nothing(tmp_path: Path) -> None:
    four, to = played(*FOUR), tmp_path / "made"
    files = sorted(four.folder.glob("*/organisation.toml"))
    words = ["--terms", four.folder / "terms.toml", "--out", to]
    refused = said("init", *files[1:], *words, "--chain", "elsewhere", status=2).stderr
    assert "not for elsewhere" in refused and "there are 3 organisations" in refused and "Nothing was made" in refused
    assert "cannot be read" in said("init", *files, tmp_path / "no", *words, "--chain", CHAIN, status=2).stderr
    nowhere = said("init", *files, *words, "--chain", CHAIN, "--scenario", "atlantis", status=2).stderr
    assert "no scenario 'atlantis'" in nowhere
    wrong = said("init", *files, "--terms", files[0], "--out", to, "--chain", CHAIN, status=2).stderr
    assert "no terms" in wrong and not to.exists()
    problems = json.loads(said("check", files[0], files[0], tmp_path / "no", "--json", status=1).output)["problems"]
    assert {problem["file"] for problem in problems} == {str(files[0]), str(tmp_path / "no")}


def test_homes_make_it_a_sandbox(tmp_path: Path) -> None:
    four, sites = played(*FOUR), tmp_path / "sites"
    files = sorted(four.folder.glob("*/organisation.toml"))
    made = said(
        *("init", *files, "--terms", four.folder / "terms.toml", "--chain", CHAIN, "--out", tmp_path / "made"),
        *("--scenario", SCENARIO, "--sites", sites),
    )
    assert "A sandbox" in made.output and "A sandbox" in said("show", tmp_path / "made" / "network.zip").output
    assert MarketFolder(sites).load_driver_state() is not None


def test_what_is_no_ceremony_is_said(tmp_path: Path) -> None:
    assert "no network" in said("show", tmp_path, status=2).stderr
    assert "the shipped" not in said("example", "thailand", "--out", tmp_path / "x", "--members", "mea").output
    assert (
        "there is no atlantis"
        in said("example", "thailand", "--out", tmp_path / "y", "--members", "atlantis", status=2).stderr
    )
    assert "thailand" in said("example", "atlantis", "--out", tmp_path / "y", status=2).stderr
    network = CliRunner().invoke(
        app, ["network", "up", "--consortium", "thailand", "--validators", "4", "--data", str(tmp_path / "n")]
    )
    assert network.exit_code == 2 and "--validators" in network.stderr
    alone = CliRunner().invoke(app, ["network", "up", "--members", "mea", "--data", str(tmp_path / "n")])
    assert alone.exit_code == 2 and "--consortium" in alone.stderr
    few = ["network", "up", "--consortium", "thailand", "--members", "mea,egat", "--data", str(tmp_path / "n")]
    refused = CliRunner().invoke(app, few)
    assert refused.exit_code == 2 and "at least 4" in refused.stderr and not (tmp_path / "n").exists()
