"""How much a proposer wants in a block, and that a node goes by it; others take whatever the ledger allows."""

from collections.abc import Iterator

import pytest
from coin_chain import GENESIS_MS, Sender
from coin_comet import CoinNode, Decided, open_node

from gridtokenx.engine.comet import capacity as capacity_module
from gridtokenx.engine.comet.capacity import SIGNATURES_MIN, BlockCapacity
from gridtokenx.ledger.limits import SIGNATURES_PER_BLOCK_MAX

TIME_MS = GENESIS_MS + 1_000


@pytest.fixture
def node() -> Iterator[CoinNode]:
    opened = open_node()
    yield opened
    opened.crash()


def test_a_slow_node_proposes_less_and_judges_as_before(node, monkeypatch) -> None:
    for number in range(4):
        node.submit(Sender(number).send(5))
    whole = node.propose(TIME_MS)
    assert len(whole) == 4
    monkeypatch.setattr(capacity_module, "SIGNATURES_MIN", 1)
    node.engine.capacity.note(4, 2.0)
    assert node.propose(TIME_MS) == whole[:2], "two take the second between two blocks"
    assert node.accepts(TIME_MS, whole)
    before = node.engine.capacity.signatures_enough(10_000)
    node.live(Decided(1, TIME_MS, 0, tuple(whole)))
    assert node.engine.capacity.signatures_enough(10_000) > before, "it notes what blocks take"


def test_without_experience_as_much_as_may_be() -> None:
    capacity = BlockCapacity()
    assert capacity.signatures_enough(1_000) == SIGNATURES_PER_BLOCK_MAX
    capacity.note(SIGNATURES_MIN - 1, 60.0)
    assert capacity.signatures_enough(1_000) == SIGNATURES_PER_BLOCK_MAX, "a small block tells nothing"


def test_as_much_as_is_executed_between_two_blocks() -> None:
    capacity = BlockCapacity()
    capacity.note(8_000, 2.0)
    assert capacity.signatures_enough(1_000) == 4_000
    assert capacity.signatures_enough(500) == 2_000


def test_it_follows_the_machine() -> None:
    capacity = BlockCapacity()
    capacity.note(8_000, 2.0)
    before = capacity.signatures_enough(1_000)
    for _ in range(30):
        capacity.note(8_000, 1.0)
        assert before <= capacity.signatures_enough(1_000) <= 8_000
        before = capacity.signatures_enough(1_000)
    assert before > 7_900


def test_never_less_than_a_little_nor_more_than_a_block_may_hold() -> None:
    slow, quick = BlockCapacity(), BlockCapacity()
    slow.note(SIGNATURES_MIN, 100.0)
    assert slow.signatures_enough(1_000) == SIGNATURES_MIN
    quick.note(SIGNATURES_MIN, 0.001)
    assert quick.signatures_enough(1_000) == SIGNATURES_PER_BLOCK_MAX
