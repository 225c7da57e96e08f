"""Long seeded runs: conservation after every block, by the auditor and by the modules themselves (C3, K5)."""

import pytest
from msgspec.structs import replace
from tests.invariants import Watch
from tests.traffic import Traffic, founded
from tests.world import World

from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.ledger import schedule
from gridtokenx.modules.market.state import CLEARINGS

WIDE = (20_000, 240_000, 600_000)
"""Pauses with which a thousand blocks last for a day and a half: windows of correction end in it."""


QUICK = (1_000, 20_000, 60_000, 240_000)


def run(
    seed: int, blocks: int, pauses_ms: tuple[int, ...] = QUICK, call_phase_ms: int = 0, stirred: bool = False
) -> World:
    world = founded(terms=replace(DEFAULT_TERMS, call_phase_ms=call_phase_ms))
    watch = Watch(world)
    for outcome in Traffic(world, seed, pauses_ms, stirred=stirred).steps(blocks):
        assert not outcome.alarms
    watch.finish()
    assert not world.state.rows[schedule.SET_ASIDE.prefix]
    return world


@pytest.mark.parametrize("seed", [1, 2])
def test_an_hour_of_traffic(seed: int) -> None:
    run(seed, 150)


@pytest.mark.parametrize("seed", [5, 6])
def test_an_hour_of_traffic_with_auctions(seed: int) -> None:
    world = run(seed, 150, call_phase_ms=300_000)
    assert world.state.rows[CLEARINGS.prefix]


@pytest.mark.parametrize("seed", [27, 28])
def test_halts_and_stops_around_auctions(seed: int) -> None:
    world = founded(1_000, members=True, terms=replace(DEFAULT_TERMS, call_phase_ms=600_000))
    watch = Watch(world)
    for _ in Traffic(world, seed, (1_000, 20_000, 60_000, 1_200_000), nodes=True).steps(250):
        pass
    watch.finish()
    assert world.state.rows[CLEARINGS.prefix]
    assert not world.state.rows[schedule.SET_ASIDE.prefix]


@pytest.mark.parametrize("seed", [11, 12])
def test_hours_of_stirred_traffic(seed: int) -> None:
    """Halts by hand, links that fail and come back, makers, icebergs, auctions, all at once."""
    run(seed, 400, call_phase_ms=300_000, stirred=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 4])
def test_two_days_of_traffic(seed: int) -> None:
    world = run(seed, 1_200, WIDE)
    assert world.time_ms - world.blocks[0].time_ms > 26 * 3_600_000


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
def test_a_week_of_traffic(seed: int) -> None:
    run(seed, 10_000, WIDE)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(200, 240))
def test_days_of_stirred_traffic(seed: int) -> None:
    run(seed, 2_500, call_phase_ms=300_000, stirred=True)
