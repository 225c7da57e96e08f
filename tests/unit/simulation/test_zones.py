"""A community in several zones: where its sites hang, what borders carry, what agents see, what coupling is worth."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.genesis import import_state
from gridtokenx.ledger.quantities import energy_wh_of
from gridtokenx.modules.grid.network import network_of
from gridtokenx.modules.grid.topology import border_step, feeder_step
from gridtokenx.modules.identity.state import FEEDERS, PORTFOLIOS
from gridtokenx.modules.market.state import SKY
from gridtokenx.simulation.coupling_worth import apart, coupling_worth, has_zones, unlimited
from gridtokenx.simulation.genesis import FEEDER, ZONES, feeder_number, make_genesis, market_terms
from gridtokenx.simulation.observation import BookView
from gridtokenx.simulation.reach import add_level, feeders_reached, together
from gridtokenx.simulation.report.coupling import CoupledRun
from gridtokenx.simulation.scenario import BorderTable, FeederTable, Place, Scenario, ScenarioError, load_scenario
from gridtokenx.simulation.scenario_check import scenario_faults
from gridtokenx.simulation.simulate import Result, run_simulation

SCENARIOS = Path(__file__).parents[3] / "scenarios"
FOLDER = SCENARIOS / "seven-zones"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(FOLDER)


@pytest.fixture(scope="module")
def day(scenario: Scenario) -> Result:
    """Its first day, every block read by the auditor."""
    return run_simulation(scenario, days=1, check=True)


@pytest.fixture(scope="module")
def runs(scenario: Scenario, day: Result) -> dict[str, CoupledRun]:
    told: list[str] = []
    found = coupling_worth(scenario, day, lambda name, done_ms, total_ms: told.append(name))
    assert set(told) == {"apart", "unlimited"}
    return {run.name: run for run in found}


def test_what_is_shipped_has_no_fault_and_all_seven_zones(scenario: Scenario) -> None:
    assert not scenario_faults(FOLDER)
    assert {place.zone for place in scenario.places} == set(ZONES) and has_zones(scenario)
    assert scenario.places[0] == Place("Bangkok", "bangkok-1")
    assert not has_zones(load_scenario(SCENARIOS / "community-week"))


def test_energy_equals_the_sums_of_the_recordings() -> None:
    with (FOLDER / "meters.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (FOLDER / "sources.csv").open(encoding="utf-8", newline="") as file:
        sources = list(csv.DictReader(file))
    assert ["interval_start", *(source["column"] for source in sources)] == list(rows[0])
    for source in sources:
        energy_wh = sum(int(row[source["column"]]) for row in rows)
        # Each quarter of a roof is rounded, each hour of a load, that of a part twice.
        assert abs(energy_wh - Decimal(source["source_sum_kwh"]) * 1000) <= len(rows) // 2 + 1, source["column"]


def test_the_chain_has_its_feeders_skies_and_limits(scenario: Scenario) -> None:
    genesis = make_genesis(scenario)
    state, _ = import_state(CONSORTIUM, genesis.data)
    for number, place in enumerate(scenario.places, start=FEEDER):
        feeder = state.rows[FEEDERS.prefix][number.to_bytes(2, "big")]
        assert (ZONES[feeder.zone - 1], feeder.name) == place
    for site in scenario.sites:
        portfolio = state.rows[PORTFOLIOS.prefix][genesis.connections[site.name].portfolio]
        assert portfolio.feeder == feeder_number(scenario, scenario.place_of(site))
    assert len(state.rows[SKY.prefix]) == 12 * len(ZONES)
    network = network_of(state, scenario.first_interval)
    for border in scenario.borders:
        step = border_step(ZONES.index(border.from_zone) + 1, ZONES.index(border.to_zone) + 1)
        link = network.link(step >> 1)
        assert link is not None
        ways = link.forward_wh, link.backward_wh
        assert ways[:: -1 if step & 1 else 1] == (energy_wh_of(border.forward_w), energy_wh_of(border.backward_w))
    for limit in scenario.feeder_limits:
        number = feeder_number(scenario, Place(limit.zone, limit.feeder))
        link = network.link(feeder_step(number, out=True) >> 1)
        assert link is not None and link.forward_wh == energy_wh_of(limit.out_w)


def test_a_zone_or_border_that_does_not_exist_is_refused_by_name(scenario: Scenario) -> None:
    lost = replace(scenario.sites[0], zone="Atlantis")
    with pytest.raises(ScenarioError, match="zone: 'Atlantis' is unknown; give one of Bangkok"):
        make_genesis(replace(scenario, sites=(lost, *scenario.sites[1:])))
    far = BorderTable(from_zone="South", to_zone="Bangkok", forward_w=1)
    with pytest.raises(ScenarioError, match="South and Bangkok have none; South borders on West"):
        make_genesis(replace(scenario, borders=(far,)))
    nowhere = FeederTable(zone="Atlantis", feeder="line", out_w=1, in_w=1)
    with pytest.raises(ScenarioError, match="zone: 'Atlantis'"):
        make_genesis(replace(scenario, feeder_limits=(nowhere,)))


def test_limits_and_names_out_of_range_are_faults(tmp_path: Path) -> None:
    for name in ("meters.csv", "sky.csv"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    text = (FOLDER / "scenario.toml").read_text(encoding="utf-8")
    text = text.replace('to_zone = "East"', 'to_zone = "Central"', 1)
    text = text.replace("forward_w = 40_000", "forward_w = -1", 1).replace('feeder = "south-farm"', 'feeder = "A farm"')
    (tmp_path / "scenario.toml").write_text(text, encoding="utf-8")
    said = [str(fault) for fault in scenario_faults(tmp_path)]
    assert len(said) == 3
    assert "border[0].forward_w: -1 is out of range" in said[0]
    assert "border[1]: Northeast and Central stand twice; give both ways in one" in said[1]
    assert "feeder: 'A farm'; use small letters" in said[2]


def test_who_has_no_neighbours_on_its_feeder_counts_wheeling_to_another(scenario: Scenario) -> None:
    sites = {site.name: site for site in scenario.sites}
    assert market_terms(scenario, sites["west-farm"]).wheeling_micro == 450_000
    assert market_terms(scenario, sites["west-shop"]).wheeling_micro == 200_000
    assert market_terms(scenario).wheeling_micro == 200_000


def test_agents_see_the_energy_to_which_a_way_leads(scenario: Scenario) -> None:
    everywhere = frozenset(range(FEEDER, FEEDER + len(scenario.places)))
    assert set(feeders_reached(scenario).values()) == {everywhere}
    alone = feeders_reached(apart(scenario))
    for site in scenario.sites:
        zone = scenario.place_of(site).zone
        assert {scenario.places[number - FEEDER].zone for number in alone[site.name]} == {zone}
    own: dict[int, BookView] = {}
    add_level(own, 1, True, 300)
    add_level(own, 1, False, 200)
    add_level(own, 2, True, 50)
    assert together({7: own}, frozenset((1,))) == {7: BookView(300, 200)}
    assert together({7: own}, frozenset((1, 2, 3))) == {7: BookView(350, 200)}


def test_a_day_in_seven_zones_closes_to_the_last_unit(day: Result) -> None:
    """Every block audited, each organisation's dues computed again from trades and outcomes of auctions."""
    assert not day.report.breaches
    assert any(clearing.links for clearing in day.record.recorder.clearings.values())
    due = {check.name for check in day.report.checks}
    assert {"balance of egat", "balance of congestion", "balance of pea", "balance of mea"} <= due


def test_coupling_is_worth_what_it_is_worth(runs: dict[str, CoupledRun]) -> None:
    """These are figures of this community, not a law: agents decide anew in each run."""
    alone, coupled, free = runs["apart"], runs["coupled"], runs["unlimited"]
    assert alone.welfare_micro < coupled.welfare_micro < free.welfare_micro
    assert alone.crossed_wh == alone.rent_micro == free.rent_micro == 0
    assert 0 < coupled.crossed_wh < free.crossed_wh
    assert free.consumers_bill_micro < coupled.consumers_bill_micro < alone.consumers_bill_micro
    for run in runs.values():
        assert run.welfare_micro == run.gained_micro + run.rent_micro
        assert sum(zone.bought_wh for zone in run.zones) == sum(zone.sold_wh for zone in run.zones) == run.traded_wh
        assert run.consumers_without_micro == coupled.consumers_without_micro
    for zone in alone.zones:
        assert zone.bought_wh == zone.sold_wh


def test_without_limits_no_link_is_full(scenario: Scenario) -> None:
    free = unlimited(scenario)
    assert not free.borders and not free.feeder_limits and free.sites == scenario.sites
