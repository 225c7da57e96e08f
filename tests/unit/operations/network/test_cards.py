"""Cards, the network that is made of them, and the folders of its nodes."""

import json
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import Application
from gridtokenx.engine.comet.home import FAST, ConsensusHome
from gridtokenx.engine.folder import DataFolder, FolderUnusable
from gridtokenx.engine.history import HistoryMissing
from gridtokenx.engine.storage import Head, Storage
from gridtokenx.ledger.batch import NODES
from gridtokenx.ledger.consensus import CONSENSUS, CONSENSUS_KEY
from gridtokenx.ledger.genesis import import_state
from gridtokenx.ledger.validator import VALIDATORS
from gridtokenx.operations.network.bundle import (
    POWER,
    BundleUnusable,
    Profile,
    bundle_bytes,
    make_bare_bundle,
    make_bundle,
    read_bundle,
)
from gridtokenx.operations.network.card import CardUnusable, NodeCard, check_cards, make_card, read_card
from gridtokenx.operations.network.kinds import NodeKind
from gridtokenx.operations.network.machine import Machine, machine_programs, prepare, settings
from gridtokenx.operations.network.node_folder import (
    CARD,
    change_kind,
    consensus_home,
    create_node,
    install_bundle,
)
from gridtokenx.simulation.scenario import Scenario, load_scenario

SCENARIO = Path(__file__).parents[4] / "scenarios" / "two-neighbours"


def card(name: str, number: int, kind: NodeKind = NodeKind.VALIDATOR) -> NodeCard:
    keys = {use: sha256(f"{use} {name}".encode()).hexdigest() for use in ("batch_key", "validator_key", "link_key")}
    return make_card(name=name, address=f"10.0.0.{number}:26656", kind=kind, **keys)


CARDS = [card("egat", 1), card("mea", 2), card("regulator", 3, NodeKind.OBSERVER)]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(SCENARIO)


def test_a_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / CARD
    for each in CARDS:
        file.write_bytes(each.toml())
        assert read_card(file) == each


def test_a_card_from_before_there_were_kinds_is_read(tmp_path: Path) -> None:
    file = tmp_path / CARD
    for each, votes in ((CARDS[0], "true"), (CARDS[2], "false")):
        file.write_text(each.toml().decode().replace(f'kind = "{each.kind}"', f"votes = {votes}"))
        assert read_card(file) == each


def test_who_serves_the_public_is_licensed_and_does_not_vote(scenario: Scenario) -> None:
    cards = [*CARDS, card("public", 4, NodeKind.GATEWAY), card("answers", 5, NodeKind.RPC)]
    _, genesis = make_bundle(cards, scenario, Profile())
    state, _ = import_state(CONSORTIUM, genesis.data)
    assert {node_id for node_id, _ in state.items(NODES)} == {
        each.node_id for each in cards if each.name in {"egat", "mea", "public"}
    }
    assert len(list(state.items(VALIDATORS))) == 2


def test_sites_do_not_play_where_no_orders_are_taken(tmp_path: Path) -> None:
    for kind in (NodeKind.RPC, NodeKind.BOOT):
        create_node(tmp_path / kind, kind, "10.0.0.3:26656", kind)
        with pytest.raises(CardUnusable, match="takes no orders"):
            machine_programs(Machine(tmp_path / kind, sites=tmp_path))
    (program,) = machine_programs(Machine(tmp_path / "boot"))
    assert "gridtokenx.operations.network.boot" in program.command


def test_a_node_becomes_another_kind_and_an_archive_that_ends_forgets(tmp_path: Path) -> None:
    path = tmp_path / "node"
    create_node(path, "regulator", "10.0.0.3:26656", NodeKind.OBSERVER)
    assert change_kind(path, NodeKind.ARCHIVE) == read_card(path / CARD)
    assert read_card(path / CARD).kind is NodeKind.ARCHIVE
    storage = Storage(DataFolder(path).database, history=True)
    storage.write_genesis(Head("kind", "chain", 0, 0, b"", b""), [(b"\x01key", b"record")])
    assert storage.history().since == 0
    storage.close()
    assert change_kind(path, NodeKind.RPC).kind is NodeKind.RPC
    storage = Storage(DataFolder(path).database)
    with pytest.raises(HistoryMissing):
        storage.history()
    storage.close()
    for impossible in (NodeKind.VALIDATOR, NodeKind.BOOT):
        with pytest.raises(CardUnusable, match="cannot become"):
            change_kind(path, impossible)


def test_boot_nodes_are_asked_by_who_comes_later_and_kept_by_nobody() -> None:
    boot, late = card("boot", 4, NodeKind.BOOT), card("late", 5, NodeKind.ARCHIVE)
    bundle = make_bare_bundle([*CARDS, boot], "chain", 0)
    here = settings(Machine(Path()), bundle, CARDS[0])
    assert [peer.node_id for peer in here.dials] == [CARDS[1].link_id, CARDS[2].link_id]
    assert (here.seeds, here.found_max, here.is_boot) == ((), 0, False)
    later = settings(Machine(Path()), bundle, late)
    assert (later.dials, later.seeds, later.found_max) == ((), (boot.peer(),), 3)
    named = settings(Machine(Path(), addresses={"mea": "192.168.1.2:7000"}), bundle, late)
    assert named.dials == (CARDS[1].peer("192.168.1.2:7000"),)
    changed = msgspec.structs.replace(CARDS[2], kind=NodeKind.ARCHIVE)
    assert len(settings(Machine(Path()), bundle, changed).dials) == 2, "it is among the cards, whatever it became"
    itself = settings(Machine(Path()), bundle, boot)
    assert itself.is_boot and len(itself.dials) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "EGAT"}, "small letters"),
        ({"address": "10.0.0.1"}, "HOST:PORT"),
        ({"address": "10.0.0.1:0"}, "HOST:PORT"),
        ({"batch_key": "ab"}, "batch_key"),
    ],
)
def test_a_card_that_cannot_be_is_refused(change: dict[str, str], said: str) -> None:
    with pytest.raises(CardUnusable, match=said):
        make_card(**(msgspec.structs.asdict(CARDS[0]) | change))


def test_two_nodes_are_never_the_same() -> None:
    for name in ("name", "address", "validator_key"):
        twin = msgspec.structs.replace(CARDS[1], **{name: getattr(CARDS[0], name)})
        with pytest.raises(CardUnusable, match=name):
            check_cards([CARDS[0], twin])
    with pytest.raises(CardUnusable, match="nobody votes"):
        check_cards([CARDS[2]])


def test_the_same_cards_make_the_same_network_whatever_their_order(scenario: Scenario, tmp_path: Path) -> None:
    first, _ = make_bundle(CARDS, scenario, Profile())
    second, _ = make_bundle(CARDS[::-1], scenario, Profile())
    assert bundle_bytes(first) == bundle_bytes(second)
    file = tmp_path / "network.zip"
    file.write_bytes(bundle_bytes(first))
    assert read_bundle(file) == first


def test_the_genesis_knows_who_votes_and_consensus_begins_with_it(scenario: Scenario) -> None:
    bundle, genesis = make_bundle(CARDS, scenario, Profile(blocks="fast"))
    assert bundle.genesis == genesis.data
    state, _ = import_state(CONSORTIUM, genesis.data)
    voting = [each for each in CARDS if each.votes]
    assert {node_id for node_id, _ in state.items(NODES)} == {each.node_id for each in voting}
    assert {(validator.public_key.hex(), validator.power) for _, validator in state.items(VALIDATORS)} == {
        (each.validator_key, POWER) for each in voting
    }
    terms = state.get(CONSENSUS, CONSENSUS_KEY)
    assert terms is not None and terms.block_ms == FAST.block_ms
    document = json.loads(bundle.consensus_genesis)
    assert document["chain_id"] == genesis.chain
    assert document["app_state"]["genesis_sha256"] == sha256(genesis.data).hexdigest()
    assert document["app_hash"] == Application(CONSORTIUM).init_chain(genesis.data).hex().upper()
    assert document["validators"] == [], "the application names them"


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "network.zip"
    file.write_bytes(b"PK nothing")
    with pytest.raises(BundleUnusable, match="no network"):
        read_bundle(file)


def test_a_node_has_keys_first_and_its_chain_later(tmp_path: Path) -> None:
    path = tmp_path / "egat"
    ours = create_node(path, "egat", "10.0.0.1:26656")
    assert read_card(path / CARD) == ours
    assert consensus_home(DataFolder(path)).keys().node_id == ours.link_id
    assert DataFolder(path).key.stat().st_mode & 0o077 == 0
    with pytest.raises(FolderUnusable, match="no network yet"):
        prepare(Machine(path))
    bundle = make_bare_bundle([ours, *CARDS[1:]], "chain", 0)
    install_bundle(path, bundle)
    assert prepare(Machine(path)) == bundle
    with pytest.raises(FolderUnusable, match="belongs to a network already"):
        install_bundle(path, bundle)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(FolderUnusable, match="something"):
        create_node(tmp_path, "egat", "10.0.0.1:26656")
    with pytest.raises(FolderUnusable, match="no node"):
        install_bundle(tmp_path, make_bare_bundle(CARDS, "chain", 0))
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_a_machine_dials_all_others_where_they_are_now() -> None:
    bundle = make_bare_bundle(CARDS, "chain", 0)
    found = settings(Machine(Path("x"), addresses={"mea": "192.168.1.2:7000"}), bundle, CARDS[0])
    assert [peer.address for peer in found.dials] == ["192.168.1.2:7000", "10.0.0.3:26656"]
    assert (found.listen, found.external, found.peer_exchange) == ("0.0.0.0:26656", "10.0.0.1:26656", True)
    with pytest.raises(CardUnusable, match="no node pea"):
        settings(Machine(Path("x"), addresses={"pea": "192.168.1.2:7000"}), bundle, CARDS[0])


def test_homes_of_a_network_differ_in_keys_only(tmp_path: Path) -> None:
    cards = [create_node(tmp_path / str(number), f"n-{number}", f"127.0.0.1:{number}") for number in (1, 2)]
    bundle = make_bare_bundle(cards, "chain", 0)
    for number in (1, 2):
        install_bundle(tmp_path / str(number), bundle)
    homes = [ConsensusHome(tmp_path / str(number) / "consensus") for number in (1, 2)]
    assert homes[0].genesis.read_bytes() == homes[1].genesis.read_bytes()
    assert homes[0].keys() != homes[1].keys()


def test_a_backup_has_the_vote_of_its_validator_and_nothing_else_of_it(scenario: Scenario) -> None:
    backup = msgspec.structs.replace(card("backup", 4, NodeKind.BACKUP), validator_key=CARDS[0].validator_key)
    check_cards([*CARDS, backup])
    assert not backup.votes and not backup.kind.signs_batches
    with_backup, _ = make_bundle([*CARDS, backup], scenario, Profile())
    without, _ = make_bundle(CARDS, scenario, Profile())
    assert with_backup.genesis == without.genesis, "the chain knows the validator alone"
    for broken in (backup.batch_key, backup.link_key):
        doubled = msgspec.structs.replace(backup, batch_key=broken, link_key=broken)
        with pytest.raises(CardUnusable, match="every node has its own"):
            check_cards([*CARDS, backup, msgspec.structs.replace(doubled, name="other", address="10.0.0.5:1")])


def test_a_backup_of_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CardUnusable, match="a backup of no validator"):
        check_cards([*CARDS, card("backup", 4, NodeKind.BACKUP)])
    with pytest.raises(CardUnusable, match="--signer"):
        create_node(tmp_path / "node", "backup", "10.0.0.4:26656", NodeKind.BACKUP)
    assert not (tmp_path / "node").exists()
