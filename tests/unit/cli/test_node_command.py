import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gridtokenx.cli.main import app
from gridtokenx.engine.comet.home import FOLDER, ConsensusHome
from gridtokenx.engine.folder import DataFolder, FolderLock
from gridtokenx.operations.network.bundle import read_bundle
from gridtokenx.operations.network.card import read_card
from gridtokenx.operations.network.join_file import read_join_file
from gridtokenx.operations.network.node_folder import install_bundle
from gridtokenx.simulation.market_folder import MarketFolder
from gridtokenx.simulation.scenario import load_scenario

SCENARIO = Path(__file__).parents[3] / "scenarios" / "two-neighbours"


def said(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def cards(tmp_path: Path) -> list[Path]:
    """Two nodes that vote and one that follows."""
    for number, name in enumerate(("egat", "mea", "regulator")):
        more = ["--kind", "observer"] if name == "regulator" else []
        made = said(
            "node", "init", "--name", name, "--address", f"10.0.0.{number}:26656", "--data", tmp_path / name, *more
        )
        assert made.exit_code == 0, made.output
    return [tmp_path / name / "card.toml" for name in ("egat", "mea", "regulator")]


def test_cards_make_a_network_and_its_sites(tmp_path: Path, cards: list[Path]) -> None:
    to, sites = tmp_path / "network.zip", tmp_path / "sites"
    made = said("node", "genesis", *cards, "--scenario", SCENARIO, "--to", to, "--sites", sites, "--fast")
    assert made.exit_code == 0, made.output
    assert "gridtokenx-two-neighbours" in made.output and "SHA-256" in made.output
    bundle = read_bundle(to)
    assert [card.name for card in bundle.cards] == ["egat", "mea", "regulator"]
    assert bundle.profile.blocks == "fast"
    market = MarketFolder(sites)
    assert market.load_driver_state() is not None
    assert load_scenario(market.scenario).name == "two-neighbours"
    again = said("node", "genesis", *cards, "--scenario", SCENARIO, "--to", tmp_path / "other.zip", "--sites", sites)
    assert again.exit_code == 2 and "exists already" in again.output


def test_a_card_shows_nothing_secret(tmp_path: Path, cards: list[Path]) -> None:
    shown = said("node", "card", "--data", cards[0].parent, "--json")
    document, card = json.loads(shown.output), read_card(cards[0])
    assert document["node_id"] == card.node_id.hex() and document["votes"] is True
    assert DataFolder(cards[0].parent).key.read_bytes().hex() not in shown.output + cards[0].read_text()
    assert json.loads(said("node", "card", "--data", tmp_path / "regulator", "--json").output)["votes"] is False


def test_the_same_card_twice_is_no_network(tmp_path: Path, cards: list[Path]) -> None:
    made = said("node", "genesis", cards[0], cards[0], "--scenario", SCENARIO, "--to", tmp_path / "network.zip")
    assert made.exit_code == 2 and "two cards have the name egat" in made.output
    assert not (tmp_path / "network.zip").exists()


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--name", "EGAT", "--address", "10.0.0.1:26656"], "small letters"),
        (["--name", "egat", "--address", "10.0.0.1"], "HOST:PORT"),
    ],
)
def test_what_cannot_be_a_node_is_refused(tmp_path: Path, words: list[str], wrong: str) -> None:
    made = said("node", "init", *words, "--data", tmp_path / "node")
    assert made.exit_code == 2 and wrong in made.output
    assert not (tmp_path / "node").exists()


def test_a_start_says_what_is_missing(tmp_path: Path, cards: list[Path]) -> None:
    nobody = said("node", "start", "--data", tmp_path / "nothing")
    assert nobody.exit_code == 2 and "node init" in nobody.output
    alone = said("node", "start", "--data", cards[0].parent)
    assert alone.exit_code == 2 and "--network" in alone.output
    wrong = said("node", "start", "--data", cards[0].parent, "--network", cards[1])
    assert wrong.exit_code == 2 and "no network" in wrong.output
    peer = said("node", "start", "--data", cards[0].parent, "--peer", "mea")
    assert peer.exit_code == 2 and "NAME=HOST:PORT" in peer.output


def test_joining_needs_two_gateways_or_somebody_to_believe(tmp_path: Path, cards: list[Path]) -> None:
    to = tmp_path / "network.zip"
    said("node", "genesis", *cards, "--scenario", SCENARIO, "--to", to)
    words = ["node", "join", "--name", "new", "--address", "10.0.0.9:1", "--network", to, "--data", tmp_path / "new"]
    one = said(*words, "--gateway", "http://127.0.0.1:1")
    assert one.exit_code == 2 and "twice" in one.output
    gateways = ["--gateway", "http://127.0.0.1:1", "--gateway", "http://127.0.0.1:2"]
    silent = said(*words, *gateways)
    assert silent.exit_code == 1 and "does not answer" in silent.output
    wrong = said(*words, *gateways, "--trust", "7")
    assert wrong.exit_code == 2 and "HEIGHT:HASH" in wrong.output
    assert not (tmp_path / "new").exists()
    joined = said(*words, *gateways, "--trust", f"7:{'ab' * 32}")
    assert joined.exit_code == 0 and "node start" in joined.output
    assert not read_card(tmp_path / "new" / "card.toml").votes


def test_a_node_forgets_its_state_and_nothing_else(tmp_path: Path, cards: list[Path]) -> None:
    to, data = tmp_path / "network.zip", tmp_path / "mea"
    nothing = said("node", "rejoin", "--data", data)
    assert nothing.exit_code == 2 and "no node of a network" in nothing.output
    assert said("node", "genesis", *cards, "--scenario", SCENARIO, "--to", to).exit_code == 0
    install_bundle(data, read_bundle(to))
    folder, home = DataFolder(data), ConsensusHome(data / FOLDER)
    kept = {path: path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()}
    gone = [
        folder.database / "CURRENT",
        folder.snapshots / "7" / "chunk",
        home.validator_state.parent / "blockstore.db" / "1.log",
        home.validator_state.parent / "cs.wal",
    ]
    promised = folder.journal / "0000000000000001.journal"
    for path in (*gone, promised):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"state")
    lock = FolderLock(folder)
    running = said("node", "rejoin", "--data", data)
    lock.release()
    assert running.exit_code == 2 and "runs on" in running.output and all(path.exists() for path in gone)
    one = said("node", "rejoin", "--data", data, "--gateway", "http://127.0.0.1:1")
    assert one.exit_code == 2 and "twice" in one.output and all(path.exists() for path in gone)
    assert said("node", "rejoin", "--data", data).exit_code == 0
    assert not any(path.exists() for path in gone)
    assert promised.exists() and {path: path.read_bytes() for path in kept} == kept


def test_of_a_node_that_lost_its_disk_card_keys_and_chain_are_enough(tmp_path: Path, cards: list[Path]) -> None:
    to, data = tmp_path / "network.zip", tmp_path / "mea"
    assert said("node", "genesis", *cards, "--scenario", SCENARIO, "--to", to).exit_code == 0
    install_bundle(data, read_bundle(to))
    folder, home = DataFolder(data), ConsensusHome(data / FOLDER)
    for lost in (folder.database, folder.journal, folder.run, home.validator_state.parent):
        shutil.rmtree(lost)
    gateways = ["--gateway", "http://127.0.0.1:1", "--gateway", "http://127.0.0.1:2"]
    for height in (7, 8):
        again = said("node", "rejoin", "--data", data, *gateways, "--trust", f"{height}:{'ab' * 32}")
        assert again.exit_code == 0 and "node start" in again.output
        wanted = read_join_file(data)
        assert wanted is not None and wanted.height == height
    assert folder.database.is_dir() and folder.journal.is_dir() and home.validator_state.parent.is_dir()
    assert not home.validator_state.exists(), (
        "CometBFT does not vote with a key of which it does not know what it signed"
    )
