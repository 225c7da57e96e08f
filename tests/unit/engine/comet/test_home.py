import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridtokenx.engine.comet.home import (
    CHAIN_CHARACTERS_MAX,
    CONSENSUS_BLOCK_BYTES_MAX,
    EVIDENCE_BYTES_MAX,
    FAST,
    HomeSettings,
    Peer,
    StateSync,
    config_sections,
    config_toml,
    create_home,
    genesis_document,
    read_beginning,
    write_config,
)
from gridtokenx.engine.comet.keys import NodeKeys, address_of_key
from gridtokenx.engine.comet.toml import toml_document
from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.engine.pool import BLOCK_BYTES_MAX
from gridtokenx.ledger import limits

PEERS = tuple(Peer(f"{number:040x}", f"12D3KooWpeer{number}", f"127.0.0.1:{18_000 + number}") for number in (2, 3))
SIGNATURE_RESERVE_BYTES = 3_400
"""What CometBFT v0.40 sets aside for the vote of one validator."""


def read(settings: HomeSettings) -> dict[str, dict[str, object]]:
    return tomllib.loads(config_toml(settings).decode())


def test_a_home_is_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    keys = NodeKeys.generate()
    home = create_home(tmp_path / "consensus", keys, HomeSettings("node-1"), b"{}")
    assert home.keys() == keys
    files = [home.config, home.genesis, home.node_key, home.validator_key, home.validator_state]
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert json.loads(home.validator_state.read_bytes()) == {"height": "0", "round": 0, "step": 0}
    assert [path.name for path in tmp_path.iterdir()] == ["consensus"]
    with pytest.raises(FolderUnusable, match="exists already"):
        create_home(tmp_path / "consensus", keys, HomeSettings("node-1"))


def test_what_an_interrupted_attempt_left_is_no_hindrance(tmp_path: Path) -> None:
    draft = tmp_path / ".consensus.draft" / "config"
    draft.mkdir(parents=True)
    (draft / "node_key.json").write_text("half")
    assert create_home(tmp_path / "consensus", NodeKeys.generate(), HomeSettings("node-1")).node_key.is_file()
    assert not draft.exists()


def test_settings_are_replaced_and_keys_stay(tmp_path: Path) -> None:
    keys = NodeKeys.generate()
    home = create_home(tmp_path / "consensus", keys, HomeSettings("node-1"))
    write_config(home, HomeSettings("node-1", dials=PEERS))
    assert PEERS[0].node_id in home.config.read_text()
    assert home.keys() == keys


def test_peers_of_tcp_links_stand_where_cometbft_looks() -> None:
    settings = read(HomeSettings("node-1", dials=PEERS, dialled_by=("ff" * 20,)))
    links = settings["p2p"]
    assert links["persistent_peers"] == ",".join(f"{peer.node_id}@{peer.address}" for peer in PEERS)
    assert links["unconditional_peer_ids"] == ",".join([*(peer.node_id for peer in PEERS), "ff" * 20])
    assert links["libp2p"] == {}


def test_peers_of_quic_links_are_tables_of_their_own() -> None:
    links = read(HomeSettings("node-1", dials=PEERS, quic=True))["p2p"]
    assert links["persistent_peers"] == ""
    assert links["libp2p"] == {
        "enabled": True,
        "bootstrap_peers": [
            {"host": peer.address, "id": peer.peer_id, "persistent": True, "unconditional": True} for peer in PEERS
        ],
    }


def test_the_api_can_dial_only_where_no_stranger_reaches_it() -> None:
    assert read(HomeSettings("node-1"))["rpc"]["unsafe"] is True
    assert read(HomeSettings("node-1", rpc="tcp://127.0.0.1:26657"))["rpc"]["unsafe"] is False


def test_metrics_listen_on_this_machine_alone_and_only_if_wanted() -> None:
    assert "instrumentation" not in read(HomeSettings("node-1"))
    listens = read(HomeSettings("node-1", metrics_port=26660))["instrumentation"]["prometheus_listen_addr"]
    assert listens == "127.0.0.1:26660"


def test_state_sync_compares_two_servers() -> None:
    wanted = StateSync(("unix://run/1.sock", "unix://run/2.sock"), 100, "ab" * 32)
    section = read(HomeSettings("node-1", state_sync=wanted))["statesync"]
    assert section["rpc_servers"] == "unix://run/1.sock,unix://run/2.sock"
    assert (section["enable"], section["trust_height"], section["trust_hash"]) == (True, 100, "ab" * 32)
    alone = StateSync(("unix://run/1.sock",), 100, "ab" * 32)
    with pytest.raises(ValueError, match="at least two"):
        config_sections(HomeSettings("node-1", state_sync=alone))


def test_quic_and_peer_exchange_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="peer exchange"):
        config_sections(HomeSettings("node-1", quic=True, peer_exchange=True))


def test_nobody_takes_part_in_consensus_before_all_blocks_are_there() -> None:
    for settings in (HomeSettings("node"), HomeSettings("boot", is_boot=True, peer_exchange=True)):
        assert read(settings)["blocksync"]["adaptive_sync"] is False


def test_boot_nodes_are_named_where_cometbft_looks_and_need_peer_exchange() -> None:
    links = read(HomeSettings("node", seeds=PEERS, peer_exchange=True, found_max=2))["p2p"]
    assert links["seeds"] == ",".join(f"{peer.node_id}@{peer.address}" for peer in PEERS)
    assert (links["pex"], links["max_num_outbound_peers"]) == (True, 2) and "seed_mode" not in links
    boot = read(HomeSettings("boot", dials=PEERS, is_boot=True, peer_exchange=True))["p2p"]
    assert boot["seed_mode"] is True and boot["persistent_peers"] == links["seeds"]
    for settings in (HomeSettings("node", seeds=PEERS), HomeSettings("boot", is_boot=True)):
        with pytest.raises(ValueError, match="boot nodes"):
            config_toml(settings)


def test_blocks_and_batches_fit_through_what_consensus_allows() -> None:
    votes = 200 * SIGNATURE_RESERVE_BYTES
    assert BLOCK_BYTES_MAX + EVIDENCE_BYTES_MAX + votes <= CONSENSUS_BLOCK_BYTES_MAX
    assert read(HomeSettings("node-1"))["mempool"]["max_tx_bytes"] == limits.BATCH_BYTES_MAX


def test_a_fast_chain_waits_less() -> None:
    consensus = read(HomeSettings("node-1", pace=FAST))["consensus"]
    assert consensus["timeout_commit"] == f"{FAST.commit_ms}ms"
    assert FAST.commit_ms < FAST.block_ms == 500


def test_a_node_reads_in_its_genesis_which_chain_it_belongs_to(tmp_path: Path) -> None:
    document = genesis_document("gridtokenx-x", 1_700_000_000_123, b"\xab" * 32, b"\xcd" * 32)
    home = create_home(tmp_path / "home", NodeKeys.generate(), HomeSettings("mea"), document)
    beginning = read_beginning(home)
    assert (beginning.chain_id, beginning.time_ms) == ("gridtokenx-x", 1_700_000_000_123)
    assert beginning.genesis_hash == b"\xcd" * 32
    for wrong in (b"{}", document.replace(b"cdcd", b"cdc"), document.replace(b"cdcd", b"nohe"), b"\xff"):
        home.genesis.write_bytes(wrong)
        with pytest.raises(FolderUnusable, match="does not say which chain"):
            read_beginning(home)
    home.genesis.unlink()
    with pytest.raises(FolderUnusable):
        read_beginning(home)


def test_the_genesis_is_the_same_for_all_and_names_ours() -> None:
    key = bytes(range(32))
    first = genesis_document("gridtokenx-x", 1_700_000_000_123, b"\xab" * 32, b"\xcd" * 32, [(key, 10)])
    assert first == genesis_document("gridtokenx-x", 1_700_000_000_123, b"\xab" * 32, b"\xcd" * 32, [(key, 10)])
    document = json.loads(first)
    assert document["genesis_time"] == "2023-11-14T22:13:20.123Z"
    assert document["app_hash"] == "AB" * 32
    assert document["app_state"] == {"genesis_sha256": "cd" * 32}
    assert document["validators"][0]["address"] == address_of_key(key).hex().upper()
    assert document["consensus_params"]["block"]["max_bytes"] == str(CONSENSUS_BLOCK_BYTES_MAX)


@pytest.mark.parametrize("chain", ["", "x" * (CHAIN_CHARACTERS_MAX + 1)])
def test_a_chain_that_cometbft_would_not_take_is_refused(chain: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        genesis_document(chain, 0, b"", bytes(32))


PLAIN = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63 - 1), st.booleans())
NAMES = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
VALUES = st.one_of(PLAIN, st.lists(PLAIN, max_size=4), st.lists(st.dictionaries(NAMES, PLAIN, max_size=3), max_size=3))


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=4), max_size=4))
def test_what_is_written_as_toml_is_read_as_it_was(tables: dict[str, dict[str, object]]) -> None:
    assert tomllib.loads(toml_document(tables, "words").decode()) == tables
