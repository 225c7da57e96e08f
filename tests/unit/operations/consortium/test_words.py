"""What a member's node says to the chain is signed by the keys that the ledger asks for."""

from pathlib import Path

import pytest
from ed25519_zebra import ed_verify
from tests.unit.operations.consortium.played import CHAIN, SCENARIO, THAILAND

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.chains.genesis import GenesisBuilder
from gridtokenx.client.keys import PrivateKey
from gridtokenx.engine.folder import FolderUnusable
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.genesis import import_state
from gridtokenx.ledger.transaction import SignedMessage
from gridtokenx.ledger.validator import VALIDATORS
from gridtokenx.modules.authority.messages import RotatedKey, Standing
from gridtokenx.modules.authority.state import MEMBERS, terms_of
from gridtokenx.modules.authority.words import rotation
from gridtokenx.operations.consortium.at_hand import PlayedConsortium, play_consortium
from gridtokenx.operations.consortium.words import application, observation
from gridtokenx.operations.network.folder import NetworkFolder
from gridtokenx.simulation.genesis import make_genesis
from gridtokenx.simulation.moved import move_scenario

BEGINS_MS = 1_800_000_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> NetworkFolder:
    return NetworkFolder(tmp_path_factory.mktemp("consortium") / "n")


@pytest.fixture(scope="module")
def played(folder: NetworkFolder) -> PlayedConsortium:
    return play_consortium(THAILAND, folder, CHAIN, ["mea", "producer-3"], BEGINS_MS, {"endorsements": 1})


def verifies(message: SignedMessage) -> bool:
    return all(ed_verify(signature, signed, key) for key, signed, signature in message.signed_parts())


def test_an_application_is_signed_by_its_node(played: PlayedConsortium, folder: NetworkFolder) -> None:
    newcomer = played.each["producer-3"]
    message = application(newcomer.description, folder.node(newcomer.number).path)
    assert verifies(message)
    assert (message.member, message.node, message.consensus_key) == (newcomer.id, newcomer.node, newcomer.voting_key)
    with pytest.raises(FolderUnusable, match="no node"):
        application(newcomer.description, folder.path)


def test_a_new_key_shows_that_it_is_there(played: PlayedConsortium) -> None:
    member, key = played.each["mea"], PrivateKey(bytes(range(32)))
    message = rotation(member.id, RotatedKey.CONSENSUS, key)
    assert verifies(message) and message.public_key == key.public_key


def test_a_node_that_never_ran_has_seen_nothing(played: PlayedConsortium, folder: NetworkFolder) -> None:
    with pytest.raises(FileNotFoundError, match="no database"):
        observation(folder.node(1).path, played.each["mea"].id)


def test_the_first_ones_found_it_and_the_others_may_apply(played: PlayedConsortium, tmp_path: Path) -> None:
    scenario = move_scenario(SCENARIO, tmp_path / "scenario", BEGINS_MS, CHAIN)

    def found(builder: GenesisBuilder) -> None:
        played.found(builder, 1)

    state, _ = import_state(CONSORTIUM, make_genesis(scenario, (), 1_000, found).data)
    founder, newcomer = played.each["mea"], played.each["producer-3"]
    assert [(name, member.standing) for name, member in state.items(MEMBERS)] == [(founder.id, Standing.SEATED)]
    assert list(state.keys(VALIDATORS)) == [founder.address]
    assert terms_of(state).endorsements == 1
    account = state.get(ACCOUNTS, newcomer.wallet.account)
    assert account is not None and account.participant == newcomer.id
    assert account.balance_micro >= newcomer.description.stake_micro
