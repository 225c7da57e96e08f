"""Long seeded runs: conservation after every block, by the auditor and by the modules themselves (C3, K5)."""

import pytest
from tests.invariants import Watch
from tests.traffic import Traffic, founded
from tests.world import World

from gridtokenx.ledger import schedule

WIDE = (20_000, 240_000, 600_000)
"""Pauses with which a thousand blocks last for a day and a half: windows of correction end in it."""


def run(seed: int, blocks: int, pauses_ms: tuple[int, ...] | None = None) -> World:
    world = founded()
    watch = Watch(world)
    traffic = Traffic(world, seed) if pauses_ms is None else Traffic(world, seed, pauses_ms)
    for outcome in traffic.steps(blocks):
        assert not outcome.alarms
    watch.finish()
    assert not world.state.rows[schedule.SET_ASIDE.prefix]
    return world


@pytest.mark.parametrize("seed", [1, 2])
def test_an_hour_of_traffic(seed: int) -> None:
    run(seed, 150)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 4])
def test_two_days_of_traffic(seed: int) -> None:
    world = run(seed, 1_200, WIDE)
    assert world.time_ms - world.blocks[0].time_ms > 26 * 3_600_000


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
def test_a_week_of_traffic(seed: int) -> None:
    run(seed, 10_000, WIDE)
