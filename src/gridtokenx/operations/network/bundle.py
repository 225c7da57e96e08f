"""What makes a network one: our genesis, CometBFT's, and the cards of the nodes. A zip file that can be passed on.

Everybody who was given the same cards and the same scenario makes the same bytes, so that operators can compare the
file's SHA-256 over the telephone. Nothing in it is compressed: libraries of different ages compress differently.
"""

import io
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

import msgspec

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import Application
from gridtokenx.engine.comet.home import FAST, NORMAL, Pace, genesis_document
from gridtokenx.engine.comet.toml import toml_document
from gridtokenx.operations.network.card import CardUnusable, NodeCard, check_cards, parse_card
from gridtokenx.simulation.genesis import GenesisNode, ScenarioGenesis, make_genesis
from gridtokenx.simulation.scenario import Scenario

GENESIS, CONSENSUS_GENESIS, PROFILE, CARDS = "genesis.bin", "genesis.json", "network.toml", "cards"
PAPERS = "papers"
POWER = 10
"""Of each validator at the beginning: all have the same."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every entry: the file follows from its content alone."""


class BundleUnusable(Exception):
    """A file is no bundle of a network. Says why."""


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all nodes have to agree on besides the genesis."""

    links: Literal["tcp", "quic"] = "tcp"
    blocks: Literal["normal", "fast"] = "normal"

    @property
    def pace(self) -> Pace:
        """How fast blocks follow each other."""
        return FAST if self.blocks == "fast" else NORMAL


class Bundle(NamedTuple):
    """`genesis` is None for consensus without a market. `papers` are what the genesis was made of, where people signed
    for it: the name of a file → its content."""

    genesis: bytes | None
    consensus_genesis: bytes
    cards: tuple[NodeCard, ...]
    profile: Profile = Profile()
    papers: Mapping[str, bytes] = MappingProxyType({})


def make_bundle(cards: Sequence[NodeCard], scenario: Scenario, profile: Profile) -> tuple[Bundle, ScenarioGenesis]:
    """A network of these nodes with the market of this scenario. Raises `CardUnusable` and `ScenarioError`."""
    check_cards(list(cards))
    nodes = [
        GenesisNode(
            card.node_id,
            bytes.fromhex(card.batch_key),
            bytes.fromhex(card.validator_key),
            POWER if card.kind.votes else 0,
        )
        for card in sorted(cards, key=lambda card: card.name)
        if card.kind.signs_batches
    ]
    genesis = make_genesis(scenario, nodes, profile.pace.block_ms)
    return bundle_of(genesis.data, cards, profile), genesis


def bundle_of(
    genesis: bytes, cards: Sequence[NodeCard], profile: Profile, papers: Mapping[str, bytes] = MappingProxyType({})
) -> Bundle:
    """A network of these nodes that begins with this genesis of ours."""
    application = Application(CONSORTIUM)
    app_hash = application.init_chain(genesis)
    info = application.info()
    document = genesis_document(info.chain, info.time_ms, app_hash, sha256(genesis).digest())
    return Bundle(genesis, document, tuple(sorted(cards, key=lambda card: card.name)), profile, papers)


def make_bare_bundle(cards: Sequence[NodeCard], chain: str, time_ms: int) -> Bundle:
    """Consensus alone, with CometBFT's example application, which has to be told of the validators."""
    check_cards(list(cards))
    voters = [(bytes.fromhex(card.validator_key), POWER) for card in cards if card.votes]
    return Bundle(None, genesis_document(chain, time_ms, b"", bytes(32), voters), tuple(cards))


def bundle_bytes(bundle: Bundle) -> bytes:
    """The file's content."""
    content = io.BytesIO()
    entries = {f"{CARDS}/{card.name}.toml": card.toml() for card in bundle.cards}
    entries[CONSENSUS_GENESIS] = bundle.consensus_genesis
    entries[PROFILE] = toml_document({"": msgspec.structs.asdict(bundle.profile)}, "The same for all nodes.")
    entries |= {f"{PAPERS}/{name}": data for name, data in bundle.papers.items()}
    if bundle.genesis is not None:
        entries[GENESIS] = bundle.genesis
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in sorted(entries.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return content.getvalue()


def read_bundle(file: Path) -> Bundle:
    """Raises `BundleUnusable`."""
    try:
        with zipfile.ZipFile(file) as archive:
            cards = tuple(
                parse_card(archive.read(name).decode())
                for name in sorted(archive.namelist())
                if name.startswith(f"{CARDS}/")
            )
            genesis = archive.read(GENESIS) if GENESIS in archive.namelist() else None
            profile = msgspec.convert(tomllib.loads(archive.read(PROFILE).decode()), Profile)
            papers = {
                name.removeprefix(f"{PAPERS}/"): archive.read(name)
                for name in sorted(archive.namelist())
                if name.startswith(f"{PAPERS}/")
            }
            bundle = Bundle(genesis, archive.read(CONSENSUS_GENESIS), cards, profile, papers)
        check_cards(list(cards))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, CardUnusable) as error:
        raise BundleUnusable(f"{file} is no network: {error}") from None
    return bundle
