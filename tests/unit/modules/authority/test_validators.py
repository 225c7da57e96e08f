"""Who may sign batches and who votes: what the office changes, and what consensus is told of it."""

import pytest
from tests.invariants import Watch
from tests.world import NODE, NODE_ID, Founding, World, batch_of, pseudonym, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import limits
from gridtokenx.ledger.batch import NODES, Node
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.genesis import import_state
from gridtokenx.ledger.validator import UNKNOWN_NODE, VALIDATORS, Validator, address_of, node_of
from gridtokenx.modules.authority.messages import SetNode, SetValidator
from gridtokenx.modules.authority.state import FORMER_KEYS
from gridtokenx.modules.identity.handlers import SMALL_ORDER_KEYS
from gridtokenx.modules.market.messages import CancelOrder

KEYS = [signer(f"validator {number}").keys[0] for number in range(4)]


@pytest.fixture
def world() -> World:
    """Two validators of the one node: 0 with power 10, 1 with power 5."""
    founding = Founding()
    founding.add_home("alice")
    founding.builder.add_validator(KEYS[0], 10, NODE_ID)
    founding.builder.add_validator(KEYS[1], 5, NODE_ID)
    world = founding.start()
    Watch(world)
    return world


def updates(world: World, *asks: SetValidator) -> list[tuple[int, int]]:
    """(number of the key, power) of what consensus is told of one block with these messages."""
    wires = [world.sign("authority", ask) for ask in asks]
    told = world.block(world.batch(*wires)).validator_updates
    assert [address_of(key) for key, _ in told] == sorted(address_of(key) for key, _ in told)
    return sorted((KEYS.index(key), power) for key, power in told)


def votes(number: int, power: int, node: bytes = NODE_ID) -> SetValidator:
    return SetValidator(KEYS[number], power, node)


def test_genesis_has_the_validators_and_tells_of_no_change(world: World) -> None:
    state, _ = import_state(CONSORTIUM, world.genesis)
    assert dict(state.items(VALIDATORS)) == {
        address_of(KEYS[0]): Validator(KEYS[0], 10, NODE_ID),
        address_of(KEYS[1]): Validator(KEYS[1], 5, NODE_ID),
    }
    assert world.block().validator_updates == ()


def test_consensus_is_told_what_changed_in_a_block_and_only_that(world: World) -> None:
    assert updates(world, votes(2, 7)) == [(2, 7)]
    assert updates(world, votes(2, 7), votes(0, 10)) == []
    assert updates(world, votes(0, 11), votes(2, 0)) == [(0, 11), (2, 0)]
    assert updates(world) == []
    # There and back within a block is no change, nor is one who came and went.
    assert updates(world, votes(0, 3), votes(0, 11), votes(1, 0), votes(1, 5), votes(3, 1), votes(3, 0)) == []
    assert updates(world, votes(1, 0), votes(1, 6)) == [(1, 6)]


def test_another_node_for_a_validator_is_no_matter_of_consensus(world: World) -> None:
    other = pseudonym("other node")
    assert world.code("authority", SetNode(other, signer("other node").keys[0], licensed=True)) == "OK"
    assert updates(world, votes(0, 10, other)) == []
    assert node_of(world.state, address_of(KEYS[0])) == other
    assert node_of(world.state, bytes(20)) == UNKNOWN_NODE == bytes(8)


def test_what_is_rejected_leaves_no_update(world: World) -> None:
    wire = world.sign("authority", votes(2, 7), votes(3, 1, pseudonym("nobody")))
    assert world.block(world.batch(wire)).validator_updates == ()
    assert world.state.get(VALIDATORS, address_of(KEYS[2])) is None


def test_a_chain_keeps_at_least_one_validator(world: World) -> None:
    assert world.code("authority", votes(0, 0)) == "OK"
    assert world.code("authority", votes(1, 0)) == "LAST_VALIDATOR"
    assert world.code("authority", votes(2, 1)) == "OK"
    assert world.code("authority", votes(1, 0)) == "OK"


def test_the_office_alone_changes_validators_and_nodes(world: World) -> None:
    for name in ("alice", "registrar", "operator"):
        assert world.code(name, votes(2, 7)) == "NOT_AUTHORISED"
        assert world.code(name, SetNode(NODE_ID, NODE.keys[0], licensed=False)) == "NOT_AUTHORISED"


def test_keys_under_which_anybody_can_sign_are_refused(world: World) -> None:
    weak = min(SMALL_ORDER_KEYS)
    assert world.code("authority", SetValidator(weak, 1, NODE_ID)) == "KEY_NOT_ALLOWED"
    assert world.code("authority", SetNode(NODE_ID, weak, licensed=True)) == "KEY_NOT_ALLOWED"
    with pytest.raises(Rejected):
        Founding().builder.add_node(pseudonym("weak"), weak)
    with pytest.raises(Rejected):
        Founding().builder.add_validator(KEYS[0], 1, pseudonym("nobody"))


def test_all_power_there_can_be_stays_below_what_consensus_counts() -> None:
    assert 2 * limits.VALIDATORS_MAX * limits.VALIDATOR_POWER_MAX < 2**63 // 8


def test_licence_and_key_of_a_node_count_from_the_next_block(world: World) -> None:
    def code(*more: bytes, by: str = "node") -> str:
        """Of a batch that the key of this name signs as the node, in a block with others."""
        ask = world.sign("alice", CancelOrder(bytes(8)))
        world.sequence += 1
        wire = batch_of((ask,), world.sequence, world.time_ms + 60_000, by=signer(by))
        return CONSORTIUM.codes[world.block(*more, wire).batches[-1].code]

    def sets(public_key: bytes, licensed: bool) -> bytes:
        return world.batch(world.sign("authority", SetNode(NODE_ID, public_key, licensed)))

    assert code(sets(signer("new").keys[0], licensed=True)) == "OK"
    assert code() == "BATCH_SIGNATURE_INVALID"
    assert code(by="new") == "OK"
    assert world.state.get(NODES, NODE_ID) == Node(signer("new").keys[0], licensed=True)
    assert list(world.state.rows[FORMER_KEYS.prefix]) == [NODE_ID + NODE.keys[0]]


def test_a_node_without_licence_signs_nothing_more(world: World) -> None:
    assert world.code("authority", SetNode(NODE_ID, NODE.keys[0], licensed=False)) == "OK"
    wire = world.batch(world.sign("authority", SetNode(NODE_ID, NODE.keys[0], licensed=True)))
    assert CONSORTIUM.codes[world.block(wire).batches[0].code] == "BATCH_AUTHOR_UNKNOWN"
    assert world.state.rows[FORMER_KEYS.prefix] == {}
