from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridtokenx.ledger.quantities import INTERVAL_MS
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.genesis import make_genesis
from gridtokenx.simulation.meter_rows import read_meter_rows
from gridtokenx.simulation.moved import first_state, move_scenario
from gridtokenx.simulation.scenario import ScenarioError, load_scenario

SCENARIO = Path(__file__).parents[3] / "scenarios" / "two-neighbours"
NOON_MS = int(datetime(2031, 5, 6, 5, 7, tzinfo=UTC).timestamp() * 1_000)
"""Seven minutes past noon in Bangkok."""


def test_the_first_recorded_day_becomes_today_and_the_chain_begins_now(tmp_path: Path) -> None:
    moved, before = move_scenario(SCENARIO, tmp_path / "scenario", NOON_MS), load_scenario(SCENARIO)
    assert moved.clock_start_ms == NOON_MS // INTERVAL_MS * INTERVAL_MS
    assert moved.first_interval * INTERVAL_MS == int(datetime(2031, 5, 5, 17, tzinfo=UTC).timestamp() * 1_000)
    assert moved.end_interval - moved.first_interval == before.end_interval - before.first_interval
    assert read_meter_rows(moved) == read_meter_rows(before)
    assert load_scenario(tmp_path / "scenario") == moved


def test_meters_count_from_the_first_interval_that_opens(tmp_path: Path) -> None:
    moved = move_scenario(SCENARIO, tmp_path / "scenario", NOON_MS)
    genesis = make_genesis(moved)
    assert genesis.time_ms == moved.clock_start_ms
    state = first_state(moved, genesis)
    assert state.next_interval == state.community.next_interval == genesis.first_metered > NOON_MS // INTERVAL_MS
    community = Community(moved, state.community)
    idle = {site.name: 0 for site in moved.sites}
    rows = read_meter_rows(moved)
    at = genesis.first_metered - (moved.first_interval - moved.history_intervals)
    first = next(site for site in moved.sites if site.battery is None)
    metered = community.recorded_wh(first.name, genesis.first_metered - 1)
    assert metered == (rows[first.name].load_wh[at - 1], rows[first.name].pv_wh[at - 1])
    assert set(state.community.registers_wh) == set(idle)


def test_a_file_that_cannot_be_moved_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for file in SCENARIO.iterdir():
        (source / file.name).write_bytes(file.read_bytes())
    text = (source / "scenario.toml").read_text()
    (source / "scenario.toml").write_text(text.replace("start = ", '"start" = '))
    with pytest.raises(ScenarioError, match="lines of their own"):
        move_scenario(source, tmp_path / "target", NOON_MS)
