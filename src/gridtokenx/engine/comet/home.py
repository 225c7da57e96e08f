"""A CometBFT home: the folder `consensus/` in a node's data folder, all of it written by us.

    config/config.toml               only what differs from CometBFT's defaults; written anew at each start
    config/genesis.json              chain, time, consensus parameters; names our own genesis by its hash
    config/node_key.json             proves who is at the other end of a link
    config/priv_validator_key.json   signs votes
    config/signer_key.json           in its place where a signer has the key: the public one
    data/                            CometBFT's blocks and states, and what this validator signed last

CometBFT runs with the data folder as its working directory, so that the sockets in `run/` have short names however
deep the folder lies.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from gridtokenx.engine.comet import keys
from gridtokenx.engine.comet.toml import toml_document
from gridtokenx.engine.folder import FolderUnusable, sync_folder, write_durably
from gridtokenx.engine.pool import BLOCK_BYTES_MAX
from gridtokenx.ledger import limits

FOLDER: Final = "consensus"
ABCI_ADDRESS: Final = "unix://run/abci.sock"
RPC_SOCKET: Final = "rpc.sock"
RPC_ADDRESS: Final = f"unix://run/{RPC_SOCKET}"
SIGNER_SOCKET: Final = "signer.sock"
SIGNER_ADDRESS: Final = f"unix://run/{SIGNER_SOCKET}"
"""Relative to the data folder. CometBFT's own API is open to whoever can reach it, also to web pages if it listens on
a port: so it is a socket in a folder that only the owner can enter."""

CHAIN_CHARACTERS_MAX: Final = 50
"""CometBFT takes no longer chain ids."""

EVIDENCE_BYTES_MAX: Final = 1_048_576
CONSENSUS_BLOCK_BYTES_MAX: Final = BLOCK_BYTES_MAX + EVIDENCE_BYTES_MAX + 1_048_576
"""Our batches, evidence, and a MiB for header, lengths and the votes (CometBFT reserves 3.4 kB for each of up to 300
validators, as if they had post-quantum keys)."""

EVIDENCE_MS_MAX: Final = 14 * 86_400_000
"""For two weeks a validator can be made to answer for what it signed; light clients trust a header for less."""

LINK_BYTES_PER_SECOND: Final = 104_857_600
"""CometBFT's 5 MB/s would take seven seconds for a full block."""

PACKET_BYTES: Final = 32_768
"""Of one message on a TCP link; CometBFT's 1 kB costs CPU. A vote waits behind at most this much of a block part."""

PEERS_MAX: Final = 128
"""Links a node takes or makes: every validator of a large consortium and some observers."""

FOUND_MAX: Final = 10
"""Links to peers that a boot node told of: enough for blocks to come, as many as CometBFT takes by itself."""

NANOSECONDS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast blocks follow each other. `commit_ms` is what a node waits between a commit and the next height: it
    executes the block meanwhile, and the rest of `block_ms` is what proposal and votes take."""

    block_ms: int
    commit_ms: int
    propose_ms: int
    vote_ms: int


NORMAL: Final = Pace(block_ms=1_000, commit_ms=960, propose_ms=2_000, vote_ms=500)
FAST: Final = Pace(block_ms=500, commit_ms=460, propose_ms=1_000, vote_ms=300)


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node: its names on TCP and on QUIC links, and where it can be reached (HOST:PORT)."""

    node_id: str
    peer_id: str
    address: str


@dataclass(frozen=True, slots=True)
class StateSync:
    """Join by a snapshot. `servers`: URLs of two or more nodes' CometBFT API; height and hash (64 hex digits) of a
    block that is believed in, younger than `trust_ms`."""

    servers: tuple[str, ...]
    height: int
    block_hash: str
    trust_ms: int = EVIDENCE_MS_MAX // 2


@dataclass(frozen=True, slots=True)
class HomeSettings:
    """What differs from node to node.

    `listen`: HOST:PORT for links; `external`: what others are told instead, if any. `dials`: peers to keep a link to;
    with QUIC, all peers, whoever dials. `dialled_by`: node ids that must always find a place here. With
    `peer_exchange` nodes tell each other of further ones (TCP only). `seeds`: boot nodes, asked who else there is.
    `is_boot`: this is one itself, and `dials` are the peers that it knows first. `found_max`: how many peers it dials
    that others told it of; while it has fewer it goes on asking, and whoever is asked twice within ten seconds hangs
    up. `metrics_port`: loopback port for Prometheus. `gossip_sleep_ms`: how long a node waits before it looks again for
    something to tell a peer. `signer`: another process signs its votes; `create_home` and `write_config` know that of a
    home by themselves."""

    name: str
    listen: str = "127.0.0.1:26656"
    external: str = ""
    dials: tuple[Peer, ...] = ()
    dialled_by: tuple[str, ...] = ()
    quic: bool = False
    pace: Pace = NORMAL
    peer_exchange: bool = False
    abci: str = ABCI_ADDRESS
    rpc: str = RPC_ADDRESS
    metrics_port: int | None = None
    gossip_sleep_ms: int = 20
    log_level: str = "statesync:info,blocksync:info,*:error"
    state_sync: StateSync | None = None
    signer: bool = False
    seeds: tuple[Peer, ...] = ()
    is_boot: bool = False
    found_max: int = PEERS_MAX


@dataclass(frozen=True, slots=True)
class ConsensusHome:
    """Paths of one home."""

    path: Path

    @property
    def config(self) -> Path:
        """Settings."""
        return self.path / "config" / "config.toml"

    @property
    def genesis(self) -> Path:
        """CometBFT's genesis document."""
        return self.path / "config" / "genesis.json"

    @property
    def node_key(self) -> Path:
        """Secret key of the links."""
        return self.path / "config" / "node_key.json"

    @property
    def validator_key(self) -> Path:
        """Secret key of the votes."""
        return self.path / "config" / "priv_validator_key.json"

    @property
    def signer_key(self) -> Path:
        """Public key of the votes, where a signer has the secret one."""
        return self.path / "config" / "signer_key.json"

    @property
    def has_signer(self) -> bool:
        """Whether another process signs this node's votes."""
        return self.signer_key.exists()

    def signers_key(self) -> bytes:
        """The public key that the signer is to have. Raises `FolderUnusable`."""
        try:
            return keys.read_public(json.loads(self.signer_key.read_bytes()))
        except (OSError, ValueError) as error:
            raise FolderUnusable(f"{self.signer_key} names no key of a signer: {error}") from None

    @property
    def validator_state(self) -> Path:
        """What this validator signed last: never to be restored from a backup."""
        return self.path / "data" / "priv_validator_state.json"

    def link_key(self) -> keys.LinkKey:
        """The key of the node's links. Raises `FolderUnusable`."""
        return keys.LinkKey(keys.load_seed(self.node_key))

    def keys(self) -> keys.NodeKeys:
        """The node's keys. Raises `FolderUnusable`, also if a signer has one of them."""
        return keys.load_node_keys(self.node_key, self.validator_key)


def create_home(
    path: Path,
    node_keys: keys.NodeKeys,
    settings: HomeSettings,
    genesis: bytes | None = None,
    signer_key: bytes | None = None,
) -> ConsensusHome:
    """Make the home of a node that has not run yet. `genesis` is a `genesis_document`; None while nobody has one. With
    the public key of a signer there is no secret validator key in it.

    Raises `FolderUnusable` if there is something already, and ValueError for settings that make no sense. Stopped at
    any moment, it leaves nothing at `path`.
    """
    config = config_toml(replace(settings, signer=signer_key is not None))
    if path.exists():
        raise FolderUnusable(f"{path} exists already: choose another folder, or delete it first")
    draft = ConsensusHome(path.with_name(f".{path.name}.draft"))
    _delete(draft)
    for folder in (draft.path, draft.path / "config", draft.path / "data"):
        folder.mkdir(mode=0o700)
    write_durably(draft.config, config)
    if genesis is not None:
        write_durably(draft.genesis, genesis)
    write_durably(draft.node_key, keys.node_key_file(node_keys.node_seed))
    if signer_key is not None:
        write_durably(draft.signer_key, json.dumps(keys.public(signer_key), indent=2).encode() + b"\n")
    else:
        write_durably(draft.validator_key, keys.validator_key_file(node_keys.validator_seed))
        write_durably(draft.validator_state, keys.validator_state_file())
    draft.path.rename(path)
    sync_folder(path.parent)
    return ConsensusHome(path)


def write_config(home: ConsensusHome, settings: HomeSettings) -> None:
    """Replace the settings of a node that is not running. Whole or not at all. Raises ValueError as `config_toml`."""
    draft = home.config.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    write_durably(draft, config_toml(replace(settings, signer=home.has_signer)))
    draft.replace(home.config)
    sync_folder(home.config.parent)


def genesis_document(
    chain: str, time_ms: int, app_hash: bytes, genesis_sha256: bytes, validators: Sequence[tuple[bytes, int]] = ()
) -> bytes:
    """CometBFT's genesis: equal arguments give equal bytes, so nodes can compare the file's hash.

    `validators` are (public key, power); none where the application names them in `InitChain`, as ours does.
    Raises ValueError if CometBFT would not take the chain's name.
    """
    if not 0 < len(chain) <= CHAIN_CHARACTERS_MAX:
        raise ValueError(f"chain '{chain}': a network's chain has 1 to {CHAIN_CHARACTERS_MAX} characters in its name")
    time = datetime.fromtimestamp(time_ms // 1_000, UTC).replace(tzinfo=None).isoformat()
    document = {
        "genesis_time": f"{time}.{time_ms % 1_000:03d}Z",
        "chain_id": chain,
        "initial_height": "1",
        "consensus_params": consensus_parameters(),
        "validators": [
            {"address": keys.address_of_key(key).hex().upper(), "pub_key": keys.public(key), "power": str(power)}
            for key, power in validators
        ],
        "app_hash": app_hash.hex().upper(),
        "app_state": {"genesis_sha256": genesis_sha256.hex()},
    }
    return json.dumps(document, indent=2).encode() + b"\n"


class AppState(msgspec.Struct):
    """What stands under `app_state` in a genesis document: which of our genesis files the chain begins with."""

    genesis_sha256: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})$")]


class ChainBeginning(msgspec.Struct):
    """What a genesis document says of the chain."""

    chain_id: str
    genesis_time: datetime
    app_state: AppState

    @property
    def time_ms(self) -> int:
        """When it begins."""
        return round(self.genesis_time.timestamp() * 1_000)

    @property
    def genesis_hash(self) -> bytes:
        """Of our genesis file."""
        return bytes.fromhex(self.app_state.genesis_sha256)


def read_beginning(home: ConsensusHome) -> ChainBeginning:
    """Of a node that belongs to a network. Raises `FolderUnusable`."""
    try:
        return msgspec.json.decode(home.genesis.read_bytes(), type=ChainBeginning)
    except (OSError, msgspec.DecodeError) as error:
        raise FolderUnusable(f"{home.genesis} does not say which chain this node belongs to: {error}") from error


def consensus_parameters() -> dict[str, dict[str, object]]:
    """What all nodes must agree on, as CometBFT's JSON has it: 64-bit integers are strings."""
    return {
        # Work is bounded by our own limits (signatures, batches, steps), not by gas.
        "block": {"max_bytes": str(CONSENSUS_BLOCK_BYTES_MAX), "max_gas": "-1"},
        "evidence": {
            # Evidence is stale when it is too old by both: here the time decides, whatever the pace.
            "max_age_num_blocks": str(EVIDENCE_MS_MAX // NORMAL.block_ms),
            "max_age_duration": str(EVIDENCE_MS_MAX * NANOSECONDS_PER_MS),
            "max_bytes": str(EVIDENCE_BYTES_MAX),
        },
        # The ledger's verifier knows no other keys.
        "validator": {"pub_key_types": ["ed25519"]},
        "version": {"app": "0"},
        # Nothing of ours needs vote extensions.
        "abci": {"vote_extensions_enable_height": "0"},
    }


def config_toml(settings: HomeSettings) -> bytes:
    """Content of `config.toml`. Raises ValueError for settings that make no sense."""
    return toml_document(config_sections(settings), "Written by gridtokenx at each start: changes here are lost.")


def config_sections(settings: HomeSettings) -> dict[str, dict[str, Any]]:
    """Sections of `config.toml`: only what differs from CometBFT's defaults, each with its reason."""
    if settings.quic and settings.peer_exchange:
        raise ValueError("QUIC links know no peer exchange: name all peers")
    if (settings.seeds or settings.is_boot) and not settings.peer_exchange:
        raise ValueError("boot nodes are of no use without peer exchange")
    if settings.state_sync is not None and len(settings.state_sync.servers) < 2:
        raise ValueError("state sync compares two servers: name at least two")
    sections = {
        "": _base(settings),
        "rpc": _rpc(settings),
        "p2p": _links(settings),
        "p2p.libp2p": _quic(settings),
        "mempool": _mempool(),
        # It would let a node that catches up take part in consensus before it has all blocks.
        "blocksync": {"adaptive_sync": False},
        "consensus": _consensus(settings),
        # `storage.discard_abci_responses` stays false: `LastResultsHash` is proved from these responses, and what
        # the application prunes takes them along.
        # Nobody asks CometBFT for a batch by its hash: the read model knows transactions.
        "tx_index": {"indexer": "null"},
    }
    if settings.state_sync is not None:
        sections["statesync"] = _state_sync(settings.state_sync)
    if settings.metrics_port is not None:
        # CometBFT's default listens on every interface.
        listen = f"127.0.0.1:{settings.metrics_port}"
        sections["instrumentation"] = {"prometheus": True, "prometheus_listen_addr": listen}
    return sections


def _base(settings: HomeSettings) -> dict[str, Any]:
    return {
        "moniker": settings.name,
        "proxy_app": settings.abci,
        "log_level": settings.log_level,
        # One JSON object a line, without colours: logs are read by programs too.
        "log_format": "json",
    } | (_signer() if settings.signer else {})


def _signer() -> dict[str, Any]:
    return {
        "priv_validator_laddr": SIGNER_ADDRESS,
        # CometBFT makes itself a key all the same. Nothing is signed with it, and nobody shall take it for the node's.
        "priv_validator_key_file": "data/unused_validator_key.json",
    }


def _rpc(settings: HomeSettings) -> dict[str, Any]:
    return {
        "laddr": settings.rpc,
        # `dial_peers`, which only the owner of the socket can call: CometBFT redials a peer that was away for long
        # after minutes only.
        "unsafe": settings.rpc.startswith("unix://"),
    }


def _links(settings: HomeSettings) -> dict[str, Any]:
    return {
        "laddr": f"tcp://{settings.listen}",
        "external_address": settings.external,
        "persistent_peers": "" if settings.quic else _addresses(settings.dials),
        **({"seeds": _addresses(settings.seeds)} if settings.seeds else {}),
        **({"seed_mode": True} if settings.is_boot else {}),
        "unconditional_peer_ids": ",".join((*(peer.node_id for peer in settings.dials), *settings.dialled_by)),
        "pex": settings.peer_exchange,
        # Addresses of a VPN or of one machine are not routable on the internet, and that is meant.
        "addr_book_strict": False,
        "allow_duplicate_ip": True,
        "max_num_inbound_peers": PEERS_MAX,
        "max_num_outbound_peers": settings.found_max,
        "persistent_peers_max_dial_period": "10s",
        "send_rate": LINK_BYTES_PER_SECOND,
        "recv_rate": LINK_BYTES_PER_SECOND,
        "max_packet_msg_payload_size": PACKET_BYTES,
    }


def _addresses(peers: Sequence[Peer]) -> str:
    return ",".join(f"{peer.node_id}@{peer.address}" for peer in peers)


def _quic(settings: HomeSettings) -> dict[str, Any]:
    if not settings.quic:
        return {}
    peers = [
        {"host": peer.address, "id": peer.peer_id, "persistent": True, "unconditional": True} for peer in settings.dials
    ]
    return {"enabled": True, "bootstrap_peers": peers}


def _mempool() -> dict[str, Any]:
    return {
        # The pool is ours: CometBFT passes batches on, and asks us what to propose.
        "type": "app",
        "max_tx_bytes": limits.BATCH_BYTES_MAX,
        # How long a batch waits before it goes to the other nodes.
        "reap_interval": "50ms",
    }


def _consensus(settings: HomeSettings) -> dict[str, Any]:
    pace = settings.pace
    return {
        "timeout_propose": f"{pace.propose_ms}ms",
        "timeout_propose_delta": f"{pace.propose_ms // 4}ms",
        "timeout_prevote": f"{pace.vote_ms}ms",
        "timeout_prevote_delta": f"{pace.vote_ms // 2}ms",
        "timeout_precommit": f"{pace.vote_ms}ms",
        "timeout_precommit_delta": f"{pace.vote_ms // 2}ms",
        "timeout_commit": f"{pace.commit_ms}ms",
        # CometBFT's 100 ms, waited for proposal, parts and votes each, would be a third of a block.
        "peer_gossip_sleep_duration": f"{settings.gossip_sleep_ms}ms",
        # `double_sign_check_height` stays 0: a validator that was killed would not start again for so many blocks.
        # `priv_validator_state.json` keeps it from signing twice.
    }


def _state_sync(wanted: StateSync) -> dict[str, Any]:
    return {
        "enable": True,
        "rpc_servers": ",".join(wanted.servers),
        "trust_height": wanted.height,
        "trust_hash": wanted.block_hash,
        "trust_period": f"{wanted.trust_ms}ms",
        # CometBFT's shortest; its 15 s would be a quarter of the time that joining may take.
        "discovery_time": "5s",
    }


def _delete(draft: ConsensusHome) -> None:
    """What an earlier attempt left behind."""
    for folder, _, files in os.walk(draft.path, topdown=False):
        for file in files:
            (Path(folder) / file).unlink()
        Path(folder).rmdir()
