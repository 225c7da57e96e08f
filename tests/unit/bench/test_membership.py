"""What `bench membership` makes of blocks and changes."""

from gridtokenx.bench.membership import AFTER_CHANGE_BLOCKS, SLOW_MS, block_figures


def test_blocks_of_a_change_are_told_apart() -> None:
    gaps_ms = dict.fromkeys(range(10, 30), 1_000) | {12: 2_000, 20: SLOW_MS + 1}
    figures = block_figures(gaps_ms, [12, 25])
    assert figures["block_ms_max"] == SLOW_MS + 1 and figures["blocks_over_3s"] == 1
    assert figures["block_ms_max_at_changes"] == 2_000 and figures["block_ms_median_at_changes"] == 1_000


def test_a_change_at_the_end_counts_the_blocks_that_there_are() -> None:
    figures = block_figures({30: 1_500, 31: 900}, [30 - AFTER_CHANGE_BLOCKS + 1])
    assert figures["block_ms_max_at_changes"] == 1_500
