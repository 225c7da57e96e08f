"""The worked example of docs/reference-prices.md, played on the ledger (B10)."""

import re
from pathlib import Path

from tests.invariants import Watch
from tests.world import NOON, WATT, Founding, at, buy, sell

from gridtokenx.ledger.quantities import interval_key
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market import prices
from gridtokenx.modules.market.checks import terms_of
from gridtokenx.modules.market.state import INTERVALS

PAGE = Path(__file__).parents[2] / "docs" / "reference-prices.md"


def numbers() -> dict[str, list[int]]:
    """The last column of the example's table, by part."""
    example = PAGE.read_text(encoding="utf-8").partition("### An example")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in example.splitlines() if line.startswith("| ")]
    found = {row[0]: [int(each.replace(",", "")) for each in re.findall(r"-?\d[\d,]*", row[-1])] for row in rows}
    return {part: values for part, values in found.items() if values}


def test_the_example_is_what_the_ledger_says() -> None:
    founding = Founding(time_ms=at(10))
    sources = {Source.SOLAR: 40_000, Source.CONVENTIONAL: 40_000}
    for name, feeder in (("sun", 11), ("far", 21)):
        founding.add_home(name, feeder, sources, balance_micro=1_000 * WATT)
    for name, feeder in (("alice", 11), ("amy", 12)):
        founding.add_home(name, feeder, import_w=80_000, balance_micro=1_000 * WATT)
    founding.builder.limit_border(1, 2, 20_000, 20_000)
    world = founding.start()
    Watch(world)
    orders = [
        ("sun", sell("sun", 1_000, NOON, 4_000_000, "coal", source=Source.CONVENTIONAL)),
        ("alice", buy("alice", 1_000, NOON, 4_200_000, "1")),
        ("sun", sell("sun", 1_000, NOON, 4_600_000, "solar")),
        ("alice", buy("alice", 1_000, NOON, 4_800_000, "2")),
        ("far", sell("far", 4_000, NOON, 3_000_000)),
        ("alice", buy("alice", 4_000, NOON, 3_750_000, "3")),
        ("amy", buy("amy", 3_000, NOON, 4_600_000)),
        ("sun", sell("sun", 1_000, NOON, 4_800_000, "rest")),
    ]
    for who, message in orders:
        assert world.code(who, message) == "OK"
    state = world.state
    interval = state.rows[INTERVALS.prefix][interval_key(NOON)]
    terms = terms_of(state, interval)
    known = prices.reference_of(state, interval, terms, NOON, 1)
    found = {
        part: [getattr(known, f"{part}_micro")]
        for part in ("anchor", "called", "trades", "renewable", "book", "congestion", "price")
    }
    found["band"] = list(prices.band_of(state, interval, terms, NOON, 1))
    assert numbers() == found
