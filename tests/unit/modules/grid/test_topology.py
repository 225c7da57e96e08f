"""Nearness and wheeling."""

import pytest
from tests.unit.modules.market.trading_floor import empty_state

from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.modules.grid.topology import SAME_ZONE, TOPOLOGY, Topology, Ways, border_step
from gridtokenx.modules.market.wheeling import wheeling_micro


@pytest.mark.parametrize(
    ("buyer", "seller", "expected"),
    [
        (0, 0, 0),
        (0, 1, 1),
        (1, 0, 1),
        (0, 2, 2),
        (2, 0, 2),
        (1, 3, 3),
        (3, 1, 3),
        (0, 4, None),
        (4, 3, None),
        (4, 4, 0),
    ],
)
def test_nearness_counts_feeder_zone_and_borders(buyer: int, seller: int, expected: int | None) -> None:
    assert empty_state().index(TOPOLOGY).nearness(buyer, seller) == expected


def test_a_ring_is_walked_the_shorter_way() -> None:
    ring = {zone: ((zone + 1) % 6,) for zone in range(6)}
    topology = Topology({zone: zone for zone in range(6)}, ring)
    assert [topology.nearness(0, other) for other in range(6)] == [0, 2, 3, 4, 3, 2]
    assert topology.nearness_max == 6, "with the shorter way full"
    full = topology.bits[border_step(0, 1)]
    assert layers(topology.ways(0, True, full)) == [{0}, {5}, {4}, {3}, {2}, {1}]
    assert layers(topology.ways(0, False, full)) == [{0}, {1, 5}, {2, 4}, {3}]


def layers(ways: Ways) -> list[set[int]]:
    """Zones, the nearest first."""
    found = []
    while layer := ways.layer(SAME_ZONE + len(found)):
        assert {route.nearness for route in layer} == {SAME_ZONE + len(found)}
        found.append({route.zone for route in layer})
    return found


def test_a_border_to_a_zone_that_does_not_exist_leads_nowhere() -> None:
    topology = Topology({1: 1, 2: 2}, {1: (9, 1), 2: (9,)})
    assert topology.nearness(1, 2) is None


def test_an_empty_map() -> None:
    assert Topology({}, {}).nearness_max == 1


def test_wheeling_is_a_base_a_feeder_part_and_borders() -> None:
    assert [wheeling_micro(DEFAULT_TERMS, nearness) for nearness in range(4)] == [200_000, 450_000, 750_000, 1_050_000]
