"""Cutting a state: every record once, nothing too large, whatever its records are."""

import random
from pathlib import Path

import pytest

from gridtokenx.engine.snapshot_maker import SnapshotImpossible, _cut, _Spool, _write_chunk
from gridtokenx.engine.snapshots import CONTENT_BYTES_MAX, SnapshotFolder
from gridtokenx.ledger.commitment import Commitment
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.genesis import Row
from gridtokenx.ledger.ranges import range_hash, root_of_cut

ROW_BYTES = 9


def rows_of(count: int, aimed: int = 0) -> list[Row]:
    """Rows in key order; `aimed` of them have key hashes that begin with the same three digits."""
    draw = random.Random(count)
    rows = [(b"%d" % number, draw.randbytes(draw.randrange(60))) for number in range(count)]
    number = count
    while aimed:
        key = b"%d" % number
        if hash_bytes(key).hex().startswith("abc"):
            rows.append((key, draw.randbytes(200)))
            aimed -= 1
        number += 1
    return sorted(rows)


@pytest.mark.parametrize(
    ("count", "aimed", "range_bytes", "deepest"),
    [
        (0, 0, 1_000, 0),
        (32, 0, 10, 0),
        (33, 0, 10, 1),
        (700, 0, 10**6, 0),
        (700, 0, 3_000, 1),
        (12_000, 0, 3_500, 2),
        (12_000, 0, 300, 3),
        (600, 70, 3_000, 4),
    ],
)
def test_a_cut_holds_every_record_once(tmp_path: Path, count: int, aimed: int, range_bytes: int, deepest: int) -> None:
    rows = rows_of(count, aimed)
    spool = _Spool(tmp_path)
    spool.fill(iter(rows))
    ranges = list(_cut(spool, range_bytes))
    assert sorted(row for _, own in ranges for row in own) == rows
    root = root_of_cut((prefix, range_hash(prefix, own)) for prefix, own in ranges)
    assert root == Commitment.build(rows).root()
    assert max(len(prefix) for prefix, _ in ranges) == deepest
    for prefix, own in ranges:
        size = sum(len(key) + len(value) + ROW_BYTES for key, value in own)
        assert size <= range_bytes or len(own) <= 32, prefix
    assert list(tmp_path.iterdir()) == [], "temporary files"


def test_what_no_message_could_carry_is_refused(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path)
    _write_chunk(folder, 0, bytes(CONTENT_BYTES_MAX))
    with pytest.raises(SnapshotImpossible, match="chunk 1 would hold 11534337 bytes"):
        _write_chunk(folder, 1, bytes(CONTENT_BYTES_MAX + 1))
