from pathlib import Path

import msgspec
import pytest

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.genesis import export_state, import_state
from gridtokenx.ledger.quantities import INTERVAL_MS
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import METERS, PORTFOLIOS, ROLES, SITES, ZONES, holder_of
from gridtokenx.modules.market.state import INTERVALS
from gridtokenx.simulation.genesis import NEIGHBOURS, make_genesis, market_terms
from gridtokenx.simulation.genesis import ZONES as ZONE_NAMES
from gridtokenx.simulation.report import invariant_breaches
from gridtokenx.simulation.scenario import Scenario, ScenarioError, load_scenario

SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(SCENARIOS / "community-week")


@pytest.fixture(scope="module")
def state(scenario: Scenario) -> State:
    return import_state(CONSORTIUM, make_genesis(scenario).data)[0]


def test_the_same_scenario_gives_the_same_bytes_and_the_chain_takes_them(scenario: Scenario) -> None:
    first, second = make_genesis(scenario), make_genesis(load_scenario(SCENARIOS / "community-week"))
    assert first.data == second.data
    state, _ = import_state(CONSORTIUM, first.data)
    assert export_state(CONSORTIUM, state) == first.data
    assert invariant_breaches(state) == []


def test_another_seed_gives_other_keys_to_everybody(scenario: Scenario) -> None:
    ours = make_genesis(scenario)
    theirs = make_genesis(msgspec.structs.replace(scenario, development_seed="another"))
    assert {each.owner.account for each in ours.connections.values()}.isdisjoint(
        each.owner.account for each in theirs.connections.values()
    )
    assert ours.node_id != theirs.node_id


def test_time_stands_on_an_interval_boundary_before_the_first_delivery(scenario: Scenario) -> None:
    genesis = make_genesis(scenario)
    assert genesis.time_ms % INTERVAL_MS == 0
    assert genesis.time_ms <= scenario.clock_start_ms < scenario.first_interval * INTERVAL_MS
    assert genesis.first_metered * INTERVAL_MS > genesis.time_ms


def test_every_office_is_held_and_the_bank_needs_two_of_three(state: State, scenario: Scenario) -> None:
    genesis = make_genesis(scenario)
    assert len(state.rows[ROLES.prefix]) == len(RoleName)
    assert holder_of(state, RoleName.TRANSMISSION) == genesis.organisations["egat"].account
    bank = genesis.organisations["bank"]
    assert (bank.threshold, sorted(bank.keys)) == (2, ["bank-1", "bank-2", "bank-3"])


def test_zones_border_on_each_other_both_ways_and_bangkok_is_meas(state: State, scenario: Scenario) -> None:
    organisations = make_genesis(scenario).organisations
    for name, neighbours in NEIGHBOURS.items():
        assert all(name in NEIGHBOURS[other] for other in neighbours)
        zone = state.rows[ZONES.prefix][bytes([ZONE_NAMES.index(name) + 1])]
        distributor = "mea" if name == "Bangkok" else "pea"
        assert (zone.name, zone.distributor) == (name, organisations[distributor].account)
    assert set(NEIGHBOURS) == set(ZONE_NAMES)


def test_each_site_is_connected_and_funded(state: State, scenario: Scenario) -> None:
    genesis = make_genesis(scenario)
    for site in scenario.sites:
        connection = genesis.connections[site.name]
        portfolio = state.rows[PORTFOLIOS.prefix][connection.portfolio]
        assert portfolio.import_w == site.import_capacity_w
        assert sum(portfolio.export_w) == sum(source.export_capacity_w for source in site.sources)
        meter = state.rows[METERS.prefix][state.rows[SITES.prefix][connection.portfolio].meter]
        assert meter.public_key == connection.meter_key.public_key
        account = state.rows[ACCOUNTS.prefix][connection.owner.account]
        assert account.balance_micro == site.money_watt * 1_000_000


def test_agents_and_ledger_read_the_same_tariff(state: State, scenario: Scenario) -> None:
    tariff = market_terms(scenario).tariff
    rows = state.rows[INTERVALS.prefix]
    assert len(rows) > 96
    for key, interval in rows.items():
        assert interval.tariff_micro == tariff.price_micro(int.from_bytes(key, "big"))


def test_a_zone_hours_or_name_that_cannot_be_is_refused_by_name(scenario: Scenario) -> None:
    with pytest.raises(ScenarioError, match="zone: 'Atlantis'"):
        make_genesis(msgspec.structs.replace(scenario, zone="Atlantis"))
    earlier = scenario.tariff._replace(on_peak_from_hour=8)
    with pytest.raises(ScenarioError, match="on_peak_from_hour"):
        make_genesis(msgspec.structs.replace(scenario, tariff=earlier))
    bank = msgspec.structs.replace(scenario.sites[0], name="bank-2")
    with pytest.raises(ScenarioError, match="site 'bank-2'"):
        make_genesis(msgspec.structs.replace(scenario, sites=(bank, *scenario.sites[1:])))
