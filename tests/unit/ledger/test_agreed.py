"""What blocks say of how the one before was agreed: in headers, in what is kept, and as modules hear it."""

from dataclasses import replace
from enum import IntEnum

import pytest
from tests.world import NODE_ID, Founding, World, pseudonym, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.block import Block, BlockOutcome, apply_block
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.genesis import import_state
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.module import Module
from gridtokenx.ledger.rotation import AGREED, ROTATION, ROTATION_KEY, Agreed, Rotation, first_voters, next_voters
from gridtokenx.ledger.state import State
from gridtokenx.ledger.validator import LastCommit, Misbehaviour, address_of
from gridtokenx.modules.authority.messages import SetValidator

KEYS = sorted((signer(f"validator {number}").keys[0] for number in range(4)), key=address_of)
ADDRESSES = [address_of(key) for key in KEYS]
NODES = [pseudonym(f"node {number}") for number in range(4)]
POWER = 10
DUE = 0xFE
"""A kind of scheduled work that no module has."""


class NoCode(IntEnum):
    """The module of these tests refuses nothing."""


class Listening:
    """A chain with one module more, which writes down what it is told."""

    def __init__(self, consensus: bool = True, validators: int = 4) -> None:
        founding = Founding()
        for number in range(validators):
            founding.builder.add_node(NODES[number], signer(f"node {number}").keys[0])
            founding.builder.add_validator(KEYS[number], POWER, NODES[number])
        if consensus:
            founding.builder.set_consensus(1_000)
        self.world: World = founding.start()
        self.state, self.commitment = self.world.state, self.world.commitment
        self.heard: list[Agreed] = []
        self.order: list[str] = []
        listener = Module(
            name="listener",
            codes=NoCode,
            tables=(),
            handlers={},
            scheduled={DUE: self._due},
            misbehaviour=lambda state, context, item: self.order.append("misbehaviour"),
            commit=self._hear,
        )
        self.chain = replace(CONSORTIUM, modules=(*CONSORTIUM.modules, listener))

    def block(
        self,
        commit: LastCommit | None,
        *batches: bytes,
        proposer: bytes = NODE_ID,
        later_ms: int = 1_000,
        told: int = 0,
    ) -> BlockOutcome:
        before = last_block(self.state)
        items = tuple(Misbehaviour(1, ADDRESSES[0], height, 0, 1, 1) for height in range(told))
        block = Block(before.height + 1, before.time_ms + later_ms, proposer, batches, items, commit)
        return apply_block(self.chain, self.state, self.commitment, block)

    def kept(self) -> Rotation:
        rotation = self.state.get(ROTATION, ROTATION_KEY)
        assert rotation is not None
        return rotation

    def _due(self, state: State, context: Context, payload: bytes) -> int:
        self.order.append("due")
        return 1

    def _hear(self, state: State, context: Context, agreed: Agreed) -> None:
        self.order.append("commit")
        self.heard.append(agreed)


@pytest.fixture
def chain() -> Listening:
    return Listening()


ALL = LastCommit(0, ())
VOTERS = tuple((address, POWER) for address in ADDRESSES)


# --- form


def test_the_header_vouches_for_what_the_block_carries(chain: Listening) -> None:
    said = LastCommit(3, (ADDRESSES[1],))
    assert chain.block(None).header.commit_hash == bytes(32)
    assert chain.block(ALL).header.commit_hash == hash_bytes(encode(ALL))
    assert chain.block(said).header.commit_hash == hash_bytes(encode(said))


@pytest.mark.parametrize(
    "absent",
    [
        (ADDRESSES[1], ADDRESSES[0]),
        (ADDRESSES[0], ADDRESSES[0]),
        tuple(number.to_bytes(20, "big") for number in range(limits.VALIDATORS_MAX + 1)),
    ],
)
def test_an_engine_that_gives_another_form_is_told_before_anything_is_written(
    chain: Listening, absent: tuple[bytes, ...]
) -> None:
    chain.block(None)
    root = chain.commitment.root()
    with pytest.raises(ValueError, match="absent validators"):
        chain.block(LastCommit(0, absent))
    assert (chain.commitment.root(), last_block(chain.state).height, chain.heard) == (root, 1, [])


# --- what is kept


def test_voters_are_kept_for_the_block_they_voted_on(chain: Listening) -> None:
    chain.block(None, proposer=NODES[2])
    first = first_voters(VOTERS)
    assert chain.kept() == Rotation(1, NODES[2], first, (), ())
    chain.block(ALL, proposer=NODES[1])
    assert chain.kept() == Rotation(2, NODES[1], next_voters(first, ()), (), ())


def test_a_change_counts_from_the_second_block_after_it(chain: Listening) -> None:
    world = chain.world
    leaves = world.sign("authority", SetValidator(KEYS[3], 0, NODES[3]))
    changes = world.sign("authority", SetValidator(KEYS[0], 25, NODES[0]))
    chain.block(None)
    chain.block(ALL, world.batch(leaves))
    assert chain.kept().later == ((ADDRESSES[3], 0),)
    chain.block(ALL, world.batch(changes))
    assert (chain.kept().coming, chain.kept().later) == (((ADDRESSES[3], 0),), ((ADDRESSES[0], 25),))
    assert len(chain.kept().voters.each) == 4
    chain.block(ALL)
    assert [voter.power for voter in chain.kept().voters.each] == [10, 10, 10]
    chain.block(ALL)
    assert [voter.power for voter in chain.kept().voters.each] == [25, 10, 10]
    assert (chain.kept().coming, chain.kept().later) == ((), ())


@pytest.mark.parametrize(("consensus", "validators"), [(False, 4), (True, 0)])
def test_without_consensus_or_validators_nothing_is_kept_or_told(consensus: bool, validators: int) -> None:
    chain = Listening(consensus, validators)
    chain.block(None)
    chain.block(ALL)
    assert chain.state.get(ROTATION, ROTATION_KEY) is None
    assert chain.heard == []


def test_a_consensus_that_begins_with_an_export_begins_anew(chain: Listening) -> None:
    """As CometBFT does where its first height follows the height of the genesis."""
    chain.block(None)
    for _ in range(5):
        chain.block(ALL)
    before = chain.kept()
    chain.block(None)
    assert chain.heard[-1].height == 5
    assert chain.kept() == Rotation(7, NODE_ID, first_voters(VOTERS), (), ())
    assert chain.kept().voters != next_voters(before.voters, ())


def test_an_imported_state_goes_on_as_the_one_that_lived(chain: Listening) -> None:
    chain.block(None)
    for _ in range(3):
        chain.block(ALL)
    chain.state, chain.commitment = import_state(CONSORTIUM, chain.world.export())
    again = chain.block(LastCommit(1, ()))
    chain.state, chain.commitment = chain.world.state, chain.world.commitment
    assert chain.block(LastCommit(1, ())).app_hash == again.app_hash
    first, second = chain.heard[-2:]
    assert first == second


# --- what modules hear


def test_a_module_hears_of_each_block_when_the_next_one_comes(chain: Listening) -> None:
    chain.block(None, proposer=NODES[0])
    assert chain.heard == []
    chain.block(LastCommit(0, (ADDRESSES[2],)), proposer=NODES[1], later_ms=1_700)
    chain.block(ALL)
    assert chain.heard == [
        Agreed(1, 0, (ADDRESSES[2],), (), NODES[0], VOTERS, 1_700),
        Agreed(2, 0, (), (), NODES[1], VOTERS, 1_000),
    ]


def test_it_hears_after_misbehaviour_and_before_what_is_due(chain: Listening) -> None:
    chain.block(None)
    schedule.add(chain.state, schedule.AT_ONCE_MS, DUE, b"")
    chain.block(ALL, told=2)
    assert chain.order == ["misbehaviour", "misbehaviour", "commit", "due"]


def test_who_had_the_turn_in_earlier_rounds_has_missed_it(chain: Listening) -> None:
    """Of equals each has the turn once, in the order of addresses."""
    for round_, missed in ((0, []), (1, [0]), (3, [0, 1, 2]), (4, [0, 1, 2, 3]), (7, [0, 1, 2, 3]), (2**31, range(4))):
        chain = Listening()
        chain.block(None, proposer=NODES[round_ % 4])
        chain.block(LastCommit(round_, ()))
        assert chain.heard[0].missed == tuple(ADDRESSES[number] for number in missed)


def test_who_proposed_what_was_decided_in_a_later_turn_has_not_missed_its_own(chain: Listening) -> None:
    chain.block(None, proposer=NODES[1])
    chain.block(LastCommit(3, ()))
    assert chain.heard[0].missed == (ADDRESSES[0], ADDRESSES[2])


def test_who_missed_a_turn_and_had_a_later_one_is_named(chain: Listening) -> None:
    chain.block(None, proposer=NODES[0])
    chain.block(LastCommit(4, ()))
    assert chain.heard[0].missed == tuple(ADDRESSES)


def test_a_bug_in_one_module_is_set_aside_and_the_block_goes_on(chain: Listening) -> None:
    def fail(state: State, context: Context, agreed: Agreed) -> None:
        state.delete(ROTATION, ROTATION_KEY)
        raise ZeroDivisionError

    first, *others = chain.chain.modules
    chain.chain = replace(chain.chain, modules=(replace(first, commit=fail), *others))
    chain.block(None)
    outcome = chain.block(ALL)
    assert len(outcome.alarms) == 1 and "ZeroDivisionError" in outcome.alarms[0]
    ((key, record),) = chain.state.items(schedule.SET_ASIDE)
    assert (key[8], key[9:], record.height) == (AGREED, first.name.encode(), 2)
    assert len(chain.heard) == 1
    assert chain.kept().height == 2
