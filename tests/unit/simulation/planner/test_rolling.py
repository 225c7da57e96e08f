"""The planner that knows what agents know: no look-ahead, contracts that sum to zero, money as the rules say."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from gridtokenx.simulation.bills import bills_without_market, interval_bill_micro
from gridtokenx.simulation.community import Community
from gridtokenx.simulation.genesis import terms_of_scenario
from gridtokenx.simulation.planner import equal_foresight, perfect_foresight, stored_value_micro
from gridtokenx.simulation.planner.model import CommunityModel, own_forecasters
from gridtokenx.simulation.planner.rolling import Decision, _whole_contracts, decide_hour, settle
from gridtokenx.simulation.scenario import Scenario, load_scenario

SCENARIOS = Path(__file__).parents[4] / "scenarios"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(SCENARIOS / "two-neighbours")


def decisions_of(scenario: Scenario, end_interval: int) -> dict[int, Decision]:
    """Everything that is decided before the rows of hour `end_interval` are known, met by the recorded rows."""
    model, community = CommunityModel(scenario), Community(scenario)
    forecasters = own_forecasters(scenario)
    decisions: dict[int, Decision] = {}
    for hour in range(scenario.first_interval - 4, end_interval + 1, 4):
        decisions |= decide_hour(model, forecasters, community, hour, scenario.end_interval, decisions)
        for interval in range(max(hour, scenario.first_interval), min(hour + 4, end_interval)):
            community.meter(interval, decisions[interval].instructions)
    return decisions


def with_other_future(folder: Path, first_row: int) -> Scenario:
    """The same scenario, but from a row on (0: the first delivery) every recording is another."""
    shutil.copytree(SCENARIOS / "two-neighbours", folder)
    with (folder / "meters.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    for row in rows[1 + first_row :]:
        row[1:] = [str((int(cell) * 7 + 90) % 800) for cell in row[1:]]
    with (folder / "meters.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return load_scenario(folder)


def test_what_is_decided_does_not_depend_on_the_future(scenario: Scenario, tmp_path: Path) -> None:
    for hours in (8, 13):
        changed = with_other_future(tmp_path / str(hours), hours * 4)
        end = scenario.first_interval + hours * 4
        before, other = decisions_of(scenario, end), decisions_of(changed, end)
        assert before == other
        assert max(before) == end + 4
        # The change is one that the planner does notice, an hour later.
        assert decisions_of(scenario, end + 4) != decisions_of(changed, end + 4)


def test_contracts_sum_to_zero_and_lie_within_the_limits(scenario: Scenario) -> None:
    model = CommunityModel(scenario)
    traded = 0
    for interval, decision in decisions_of(scenario, scenario.end_interval - 4).items():
        assert sum(decision.contracts_wh) == 0
        limits_wh = model.sale_limits_wh(interval, 1)[:, 0]
        for contract_wh, sale_wh, purchase_wh in zip(decision.contracts_wh, limits_wh, model.import_wh, strict=True):
            assert -purchase_wh <= contract_wh <= sale_wh
        traded += max(decision.contracts_wh)
    assert traded > 0


@pytest.mark.parametrize(
    ("sold_wh", "bought_wh", "contracts_wh"),
    [
        ([0.4, 10.6, 0], [0, 0, 11.0], (0, 11, -11)),
        ([10.6, 10.6, 0], [0, 0, 21.2], (10, 11, -21)),
        ([10.4, 10.4, 0, 0], [0, 0, 9.6, 11.2], (10, 10, -10, -10)),
        ([0.3, 0.3, 0.3], [0.3, 0.3, 0.3], (0, 0, 0)),
    ],
)
def test_contracts_become_whole(sold_wh: list[float], bought_wh: list[float], contracts_wh: tuple[int, ...]) -> None:
    assert _whole_contracts(np.array(sold_wh), np.array(bought_wh)) == contracts_wh


@pytest.mark.parametrize("contract_wh", [-700, -1, 0, 333, 900])
@pytest.mark.parametrize("net_export_wh", [-1_000, -333, 0, 250, 901])
def test_a_settlement_is_what_the_auditor_would_make_of_it(
    scenario: Scenario, contract_wh: int, net_export_wh: int
) -> None:
    terms, price_micro, tariff_micro = terms_of_scenario(scenario), 2_202_000, 5_798_200
    settled = settle(terms, tariff_micro, price_micro, contract_wh, net_export_wh)
    value = price_micro * abs(contract_wh) // 1_000
    fee = value * 500 // 1_000_000
    bill = fee - value if contract_wh > 0 else value + fee + value // 100 + 200 * -contract_wh
    short = contract_wh - net_export_wh
    undelivered = min(contract_wh, short) if contract_wh > 0 and short > 0 else 0
    unused = min(-contract_wh, -short) if contract_wh < 0 and short < 0 else 0
    bill += (5_798_200 + 250_000) * undelivered // 1_000 + 5_798_200 * (max(short, 0) - undelivered) // 1_000
    average = value * 1_000 // abs(contract_wh) if contract_wh else 0
    bill -= (min(2_200_000, average) - 250_000) * unused // 1_000 + 2_200_000 * (max(-short, 0) - unused) // 1_000
    assert settled.bill_micro == bill
    assert settled.supplied_wh - settled.returned_wh == short
    if contract_wh == 0:
        assert settled.bill_micro == interval_bill_micro(scenario.tariff, scenario.first_interval + 48, net_export_wh)


def test_nobody_beats_perfect_foresight_and_gains_add_up(scenario: Scenario) -> None:
    perfect, equal = perfect_foresight(scenario), equal_foresight(scenario)
    without_micro = sum(each.bill_micro for each in bills_without_market(scenario).values())
    for planned in (perfect, equal):
        assert planned.gain_micro == without_micro - planned.bill_micro + planned.stored_value_micro
        assert [each.interval for each in planned.intervals] == list(
            range(scenario.first_interval, scenario.end_interval)
        )
    assert 0 < equal.gain_micro < perfect.gain_micro
    assert perfect.bill_micro % 10_000 == 0
    assert equal == equal_foresight(scenario)


def test_a_part_of_the_scenario_can_be_planned(scenario: Scenario) -> None:
    end = scenario.first_interval + 10
    told: list[tuple[int, int]] = []
    planned = equal_foresight(scenario, end, lambda done, total: told.append((done, total)))
    assert len(planned.intervals) == 10
    assert told == [(0, 10), (4, 10), (8, 10), (10, 10)]
    assert len(perfect_foresight(scenario, end).intervals) == 10


def test_stored_energy_is_valued_against_the_side_that_profits(scenario: Scenario) -> None:
    assert stored_value_micro(scenario, {"home-06": 1_000}) == 2_200_000
    assert stored_value_micro(scenario, {"home-06": -900}) == -2_636_900
    assert stored_value_micro(scenario, {"home-06": -1}) == -2_930
    assert stored_value_micro(scenario, {"home-10": 0}) == 0
