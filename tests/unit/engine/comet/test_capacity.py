"""How much a proposer wants in a block."""

from gridtokenx.engine.comet.capacity import SIGNATURES_MIN, BlockCapacity
from gridtokenx.ledger.limits import SIGNATURES_PER_BLOCK_MAX


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
