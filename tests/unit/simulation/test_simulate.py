"""What `simulate` promises: the same always, money that adds up, meters that survive restarts and losses."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from gridtokenx.client.transactions import SignedTransaction
from gridtokenx.ledger.transaction import decode_envelope
from gridtokenx.modules.market.state import POSITIONS
from gridtokenx.modules.settlement.messages import SubmitReadings
from gridtokenx.modules.settlement.state import Quality
from gridtokenx.simulation.bills import bills_without_market
from gridtokenx.simulation.driver import STEP_MS, Driver, DriverState
from gridtokenx.simulation.engine_market import EngineMarket
from gridtokenx.simulation.genesis import make_genesis
from gridtokenx.simulation.report import Recorder, invariant_breaches
from gridtokenx.simulation.scenario import Scenario, ScenarioError, load_scenario
from gridtokenx.simulation.simulate import Result, run_simulation

SCENARIOS = Path(__file__).parents[3] / "scenarios"
RUN = """
import sys
from pathlib import Path
from gridtokenx.simulation.scenario import load_scenario
from gridtokenx.simulation.simulate import run_simulation
sys.stdout.buffer.write(run_simulation(load_scenario(Path(sys.argv[1]))).to_json())
"""


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(SCENARIOS / "two-neighbours")


@pytest.fixture(scope="module")
def result(scenario: Scenario) -> Result:
    return run_simulation(scenario, check=True)


def test_the_same_report_and_app_hash_whatever_the_hash_seed(scenario: Scenario, result: Result) -> None:
    reports = []
    for hash_seed in ("1", "4242"):
        command = [sys.executable, "-c", RUN, str(SCENARIOS / "two-neighbours")]
        done = subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": hash_seed}, capture_output=True, check=True)
        reports.append(json.loads(done.stdout))
    for report in reports:
        for name in ("real_ms", "times_real_time"):
            del report[name]
    assert reports[0] == reports[1]
    assert reports[0]["app_hash"] == result.report.app_hash


def test_money_adds_up_to_the_last_unit(result: Result) -> None:
    report = result.report
    assert report.breaches == () and report.alarms == ()
    assert sum(report.balance_changes_micro.values()) == 0
    homes = {home.name for home in report.homes}
    others = {name: change for name, change in report.balance_changes_micro.items() if name not in homes}
    paid = sum(home.bill_with_micro for home in report.homes) - report.arrears_micro
    assert sum(others.values()) == paid
    assert others["clearing"] == 0 and others["pea"] == 0 and others["egat"] == 0
    assert others["mea"] > 0 and others["fee-pool"] > 0


def test_homes_trade_and_the_report_compares_with_the_bill_as_it_was(scenario: Scenario, result: Result) -> None:
    report = result.report
    assert report.trades > 0 and report.traded_wh > 0
    without = bills_without_market(scenario)
    for home in report.homes:
        assert (home.bill_without_micro, home.stored_without_wh) == without[home.name]
        assert home.saved_micro == home.bill_without_micro - home.bill_with_micro
        assert (home.name in report.losers) == (home.saved_micro < 0)
    assert sum(home.sold_wh for home in report.homes) == report.traded_wh
    assert sum(home.bought_wh for home in report.homes) == report.traded_wh


def test_days_that_the_scenario_does_not_have_are_refused(scenario: Scenario) -> None:
    with pytest.raises(ScenarioError, match="has 1 days"):
        run_simulation(scenario, days=2)


def test_a_kept_chain_is_in_its_folder(scenario: Scenario, result: Result, tmp_path: Path) -> None:
    kept = run_simulation(scenario, data=tmp_path / "chain")
    assert kept.report.app_hash == result.report.app_hash
    assert (tmp_path / "chain" / "genesis.bin").is_file()


class ForgetfulMarket(EngineMarket):
    """Takes every third submission and loses it, as a node does that is killed before its journal has it."""

    calls = 0

    def submit(self, transactions: Sequence[SignedTransaction]) -> None:
        self.calls += 1
        if self.calls % 3:
            super().submit(transactions)


def test_readings_that_were_lost_are_sent_again(scenario: Scenario) -> None:
    genesis, recorder = make_genesis(scenario), Recorder()
    market = ForgetfulMarket(genesis, None, lambda _, outcome: recorder.record(outcome))
    driver = Driver(scenario, genesis, market)
    run_until_over(market, driver, genesis.time_ms)
    assert driver.refused_readings == 0
    statements = recorder.statements.values()
    assert {statement.quality for statement in statements} == {Quality.MEASURED}
    assert invariant_breaches(market.state) == []


def test_meters_go_on_where_they_were_after_a_restart(scenario: Scenario) -> None:
    genesis, recorder, kept = make_genesis(scenario), Recorder(), []
    market = EngineMarket(genesis, None, lambda _, outcome: recorder.record(outcome))
    driver = Driver(scenario, genesis, market, save=lambda state: kept.append(msgspec.msgpack.encode(state)))
    time_ms = genesis.time_ms
    for step in range(1, 1_000):
        time_ms += STEP_MS
        market.advance(time_ms)
        driver.step()
        if step % 333 == 0:
            # A new process: what it knows is the file and the ledger.
            state = msgspec.msgpack.decode(kept[-1], type=DriverState)
            driver = Driver(scenario, genesis, market, state=state, save=driver._save)
    run_until_over(market, driver, time_ms)
    measured = [each for each in recorder.statements.values() if each.quality == Quality.MEASURED]
    assert len(measured) == len(recorder.statements) == 2 * (scenario.end_interval - genesis.first_metered)
    assert invariant_breaches(market.state) == []


def test_after_the_last_recorded_row_the_meters_stand_still(scenario: Scenario) -> None:
    genesis, recorder = make_genesis(scenario), Recorder()
    market = EngineMarket(genesis, None, lambda _, outcome: recorder.record(outcome))
    driver = Driver(scenario, genesis, market)
    run_until_over(market, driver, genesis.time_ms)
    before = dict(recorder.statements)
    bills = dict.fromkeys([key[4:] for key in before], 0)
    for _ in range(120):
        market.advance(market.time_ms() + STEP_MS)
        driver.step()
    later = {key: line for key, line in recorder.statements.items() if key not in before}
    assert len(later) > 10
    for key, line in later.items():
        bills[key[4:]] += line.bill_micro()
        assert (line.import_wh, line.export_wh, line.quality) == (0, 0, Quality.MEASURED)
    assert set(bills.values()) == {0}
    assert invariant_breaches(market.state) == []


def test_nothing_is_traded_that_nobody_will_meter(scenario: Scenario) -> None:
    genesis = make_genesis(scenario)
    market = EngineMarket(genesis)
    driver = Driver(scenario, genesis, market)
    while market.time_ms() < scenario.first_interval * 900_000 - 600_000:
        market.advance(market.time_ms() + STEP_MS)
        driver.step()
    intervals = {int.from_bytes(key[:4], "big") for key in market.state.rows[POSITIONS.prefix]}
    assert all(interval >= scenario.first_interval for interval in intervals)


def test_readings_travel_in_messages_that_the_ledger_takes() -> None:
    scenario = load_scenario(SCENARIOS / "community-week")
    genesis = make_genesis(scenario)
    sent: list[SignedTransaction] = []

    class Listening(EngineMarket):
        def submit(self, transactions: Sequence[SignedTransaction]) -> None:
            sent.extend(transactions)
            super().submit(transactions)

    market = Listening(genesis)
    driver = Driver(scenario, genesis, market)
    market.advance((genesis.first_metered + 1) * 900_000)
    driver.step()
    bodies = [market.application.chain.body(transaction_body(each.wire)) for each in sent]
    readings = [message for body in bodies for message in body.messages if isinstance(message, SubmitReadings)]
    assert [len(message.readings) for message in readings] == [len(scenario.sites)]


def transaction_body(wire: bytes) -> bytes:
    return decode_envelope(wire).body


def run_until_over(market: EngineMarket, driver: Driver, time_ms: int) -> None:
    for _ in range(3_000):
        if driver.is_over:
            return
        time_ms += STEP_MS
        market.advance(time_ms)
        driver.step()
    raise AssertionError("the driver never came to an end")
