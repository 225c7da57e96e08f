"""What `bench join` makes of what it hears."""

import pytest

from gridtokenx.bench.consensus_load import Announced
from gridtokenx.bench.join import has_joined, longest_gap


def blocks(*heights: int, fork: int = 0) -> dict[int, Announced]:
    return {height: Announced(1.5 * height, bytes([height, fork])) for height in heights}


@pytest.mark.parametrize(
    ("new", "others", "expected"),
    [
        (blocks(), blocks(), False),
        (blocks(), blocks(7, 8), False),
        (blocks(4), blocks(7, 8), False),
        (blocks(4, 5), blocks(4, 5, 6, 7, 8), False),
        (blocks(4, 5, 6), blocks(4, 5, 6, 7, 8), True),
        (blocks(9), blocks(7, 8), False),
        (blocks(8, 9), blocks(7, 8), True),
    ],
)
def test_a_node_has_joined_with_a_state_of_the_others_and_near_their_last_block(
    new: dict[int, Announced], others: dict[int, Announced], expected: bool
) -> None:
    assert has_joined(new, others) is expected


def test_a_node_with_another_state_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="another state"):
        has_joined(blocks(8, 9, fork=1), blocks(7, 8))


def test_the_longest_gap_counts_blocks_that_follow_each_other() -> None:
    heard = blocks(3, 4, 5, 8, 9)
    heard[5] = Announced(heard[4].at + 2.5, b"")
    assert longest_gap(heard, range(3, 10)) == 2.5
    assert longest_gap(heard, range(8, 10)) == 1.5
