"""The commitment at ten million records: it must fit into memory."""

import pytest

from gridtokenx.bench.tree import measure

MEMORY_BYTES_PER_KEY_MAX = 160


@pytest.mark.soak
def test_ten_million_records() -> None:
    figures = measure(10_000_000, 30_000, 10)
    assert figures["keys"] == 10_000_000
    assert float(str(figures["memory_bytes_per_key"])) < MEMORY_BYTES_PER_KEY_MAX
