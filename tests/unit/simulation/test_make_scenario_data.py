"""The cut: equal parts, exact sums, the sky's envelope."""

import gzip
from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from make_scenario_data import SKY, quarters, sky_table, whole_wh


@given(st.integers(0, 200_000))
def test_quarters_are_equal_and_sum_to_the_hour(hour_wh: int) -> None:
    parts = quarters(hour_wh)
    assert sum(parts) == hour_wh and max(parts) - min(parts) <= 1 and len(parts) == 4


def test_half_a_watt_hour_rounds_to_even() -> None:
    assert [whole_wh(Decimal(text)) for text in ("0.0005", "0.0015", "1.2344", "1.2346")] == [
        0,
        2,
        1234,
        1235,
    ]


def test_the_sky_is_the_months_highest_and_a_fifth_more(tmp_path: Path) -> None:
    file = tmp_path / SKY
    file.parent.mkdir()
    rows = [
        "local_time,clear_ghi_w_m2",
        "2023-03-01T12:15,500.1",
        "2023-03-02T12:15,490",
        "2023-04-01T00:00,1",
    ]
    rows += ["2023-03-03T12:30,1100"]
    file.write_bytes(gzip.compress("\n".join(rows).encode()))
    table = sky_table(tmp_path)
    assert table[2][48] == 601  # 600.12 rounded up; stamped 12:15, so it is the quarter from 12:00
    assert table[2][49] == 1000  # never more than the capacity
    assert table[2][95] == 2  # the last quarter of March is stamped 1 April 00:00
    assert sum(map(sum, table)) == 601 + 1000 + 2
