"""A node of a market that is frozen: it refuses at its door what the ledger would refuse."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.codes_of_members import freeze
from tests.consortium import Consortium
from tests.determinism.recorded import RecordedWorld, recorded
from tests.world import WATT

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.mempool import Answer, Standing
from gridtokenx.engine.worker import check
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.modules.authority.messages import Act, Propose, Vote
from gridtokenx.modules.tokens.messages import Transfer


@pytest.fixture
def consortium(tmp_path: Path) -> Iterator[Consortium]:
    """Whose blocks a node finalizes."""
    made = Consortium()
    with recorded(made.world, tmp_path / "n") as world:
        made.world = world
        yield made


def node_of(consortium: Consortium) -> RecordedWorld:
    assert isinstance(consortium.world, RecordedWorld)
    return consortium.world


def enter(consortium: Consortium, *wires: bytes) -> list[Answer]:
    mempool, now_ms = node_of(consortium).engine.mempool, consortium.world.time_ms
    assert mempool.reserve(wires)
    return mempool.admit(wires, [check(wire, CONSORTIUM) for wire in wires], now_ms)


def test_it_takes_what_the_ledger_takes_and_refuses_the_rest(consortium: Consortium) -> None:
    world = consortium.world
    payment = Transfer(world.accounts["bob"], WATT)
    freeze(consortium)
    wires = [
        world.sign("alice", payment),
        world.sign("sec", Propose(Act.RESUME, b"", b"")),
        world.sign("bob", world.submit(world.reading("bob", 1, 0, 0))),
        world.sign("central-bank", Vote(1, yes=True), payment),
    ]
    answers = enter(consortium, *wires)
    refused, taken = (Standing.REFUSED, KernelCode.FROZEN), (Standing.PENDING, KernelCode.OK)
    assert [(answer.standing, answer.code) for answer in answers] == [refused, taken, taken, refused]
    number = consortium.propose("sec", Act.RESUME)
    assert consortium.vote(number, "central-bank") == "CARRIED"
    assert enter(consortium, wires[0])[0].standing is Standing.PENDING


def test_what_it_took_before_stands_as_refused_in_its_block(consortium: Consortium) -> None:
    world = consortium.world
    wire = world.sign("alice", Transfer(world.accounts["bob"], WATT))
    assert enter(consortium, wire)[0].standing is Standing.PENDING
    mempool = node_of(consortium).engine.mempool
    (pending,) = mempool.pack(world.time_ms)
    node_of(consortium).engine.accept([pending])
    freeze(consortium)
    (repeated,) = enter(consortium, wire)
    assert repeated.standing is Standing.PENDING, "what was promised goes on"
    outcome = consortium.world.block(pending.wire)
    assert not outcome.batches[0].code
    (answer,) = enter(consortium, wire)
    assert (answer.standing, answer.code) == (Standing.COMMITTED, KernelCode.FROZEN)
    standing = mempool.standing(answer.transaction_id)
    assert (standing.standing, standing.code) == (Standing.COMMITTED, KernelCode.FROZEN)
