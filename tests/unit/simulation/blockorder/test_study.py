"""Recorded flow executed again with a cheat, and races: money is moved, never made, and the same seed says the same."""

from functools import cache
from pathlib import Path

import pytest

from gridtokenx.simulation.blockorder.flow import Flow, record, zero_intelligence
from gridtokenx.simulation.blockorder.racer import Race, run_races
from gridtokenx.simulation.blockorder.study import Cheat, Place, Played, play
from gridtokenx.simulation.scenario import load_scenario

SCENARIOS = Path(__file__).parents[4] / "scenarios"


@cache
def flow() -> Flow:
    """A day of the shipped homes, with agents that price at random."""
    return record(zero_intelligence(load_scenario(SCENARIOS / "community-week")), days=1)


@cache
def played(place: Place, participants: int = 1, gateways: int = 1) -> Played:
    return play(flow(), Cheat(place, participants, gateways), seed=1)


@pytest.mark.slow
def test_without_a_cheat_nothing_is_gained_and_neighbours_trade() -> None:
    honest = played(Place.NOWHERE)
    assert (honest.gain_micro, honest.victims_wh, honest.attacks) == (0, 0, 0)
    assert honest.traded_wh > 0
    times = [step.time_ms for step in flow().steps]
    assert times == sorted(set(times)) and times[-1] < flow().end_ms


@pytest.mark.slow
def test_the_first_place_gains_and_homes_lose_more_than_that() -> None:
    first = played(Place.FIRST)
    lost_micro = played(Place.NOWHERE).homes_micro - first.homes_micro
    assert first.attacks and first.victims_wh and first.gain_micro > 0
    assert lost_micro > first.gain_micro, "wheeling and fees are paid twice"


@pytest.mark.slow
def test_with_the_rule_there_are_fewer_attacks_and_more_participants_have_more() -> None:
    alone, group = played(Place.DRAWN), played(Place.DRAWN, participants=8)
    assert alone.attacks < played(Place.FIRST).attacks
    assert alone.attacks <= group.attacks <= played(Place.FIRST).attacks
    assert played(Place.DRAWN) == play(flow(), Cheat(Place.DRAWN), seed=1)


@pytest.mark.slow
def test_a_proposer_that_leaves_others_out_when_the_draw_is_against_it_has_all_attacks() -> None:
    first, leaving = played(Place.FIRST), played(Place.LEAVING_OUT)
    assert 0 < leaving.left_out < leaving.attacks
    assert leaving.gain_micro > played(Place.DRAWN).gain_micro
    assert first.left_out == played(Place.DRAWN).left_out == 0


@pytest.mark.slow
def test_a_gateway_sees_its_own_users_orders_only() -> None:
    assert played(Place.FIRST, gateways=1_000_000).attacks == 0


@pytest.mark.parametrize("watches", [True, False])
def test_a_racer_wins_every_race_where_the_first_message_counts(watches) -> None:
    scenario = load_scenario(SCENARIOS / "two-neighbours")
    assert run_races(scenario, Race(50, watches=watches, drawn=False), 5, seed=1) == 1.0


def test_with_the_rule_a_racer_wins_when_the_block_ends_between_it_and_the_others_or_by_the_draw() -> None:
    scenario = load_scenario(SCENARIOS / "two-neighbours")
    assert run_races(scenario, Race(0, watches=True, drawn=True), 20, seed=1) == 0.0, "the owner's cancel comes first"
    assert run_races(scenario, Race(1_000, watches=True, drawn=True), 20, seed=1) == 1.0, "a whole block ahead"
    assert 0.0 < run_races(scenario, Race(0, watches=False, drawn=True), 40, seed=1) < 0.5
