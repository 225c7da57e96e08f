"""Runs a scenario without waiting, and reports."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.folder import create_data_folder
from gridtokenx.engine.storage import Storage
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.quantities import INTERVAL_MS, INTERVALS_PER_DAY
from gridtokenx.ledger.state import State
from gridtokenx.simulation.audited import AuditedApplication
from gridtokenx.simulation.driver import STEP_MS, Driver
from gridtokenx.simulation.engine_market import EngineMarket
from gridtokenx.simulation.genesis import ScenarioGenesis, make_genesis
from gridtokenx.simulation.market_folder import MarketFolder
from gridtokenx.simulation.report import (
    Recorder,
    Report,
    RunRecord,
    WithoutMarket,
    balances_micro,
    invariant_breaches,
    make_report,
)
from gridtokenx.simulation.report.make import Ended, lines_of_run
from gridtokenx.simulation.scenario import Scenario, ScenarioError

BREACHES_MAX = 20
"""More of the same help nobody."""

GIVE_UP_MS = 3_600_000
"""After the last delivery: readings that are not in a block by then never will be."""

PROGRESS_MS = 3_600_000

Progress = Callable[[int, int, int], None]
"""Told from time to time: chain time done, chain time in all, chain time now."""


class Result(NamedTuple):
    """The report, which the same scenario and seed always give, and how long it took, which they do not. `record` is
    what the report was made of."""

    report: Report
    chain_ms: int
    real_ms: int
    record: RunRecord

    @property
    def speed(self) -> int:
        """Chain time per real time."""
        return self.chain_ms // max(self.real_ms, 1)

    def to_json(self) -> bytes:
        """Report and times as one document."""
        document = msgspec.to_builtins(self.report) | {
            "chain_ms": self.chain_ms,
            "real_ms": self.real_ms,
            "times_real_time": self.speed,
        }
        return msgspec.json.format(msgspec.json.encode(document)) + b"\n"


def run_simulation(
    scenario: Scenario,
    days: int | None = None,
    data: Path | None = None,
    feed_prefixes: Iterable[int] = (),
    seed: int = 1,
    check: bool = False,
    progress: Progress = lambda done_ms, total_ms, time_ms: None,
) -> Result:
    """Run `days` of delivery (all by default) and the lead-in before them, until the last reading is settled.

    With `data` the chain is kept in that new folder, with a feed of the tables in `feed_prefixes`. With `check` the
    auditor reads every block, and everything at the end.
    Raises `ScenarioError` for days that the scenario does not have, `FolderUnusable` for a folder that exists.
    """
    end_interval = scenario.end_interval
    if days is not None:
        end_interval = scenario.first_interval + days * INTERVALS_PER_DAY
        if not scenario.first_interval < end_interval <= scenario.end_interval:
            whole = (scenario.end_interval - scenario.first_interval) // INTERVALS_PER_DAY
            raise ScenarioError(f"{scenario.name}: has {whole} days of delivery, not {days}; give 1 to {whole}")
    genesis = make_genesis(scenario)
    storage = None
    if data is not None:
        folder = create_data_folder(data, genesis.data, genesis.node_key.secret())
        storage = Storage(folder.database, sync=False, feed_prefixes=feed_prefixes)
    try:
        return _run(scenario, genesis, end_interval, storage, seed, check, progress)
    finally:
        if storage is not None:
            storage.close()


def play_at_once(
    scenario: Scenario,
    genesis: ScenarioGenesis,
    folder: MarketFolder,
    feed_prefixes: Iterable[int],
    seed: int = 1,
    progress: Progress = lambda done_ms, total_ms, time_ms: None,
) -> None:
    """Play the beginning of a scenario into a folder whose node has not run yet, so that `up` begins where something
    is going on. Stopped in the middle it leaves a market that goes on from there.
    """
    if (folder.node.database / "CURRENT").exists() or not scenario.play_at_once_ms:
        return
    storage = Storage(folder.node.database, sync=False, feed_prefixes=feed_prefixes)
    try:
        market = EngineMarket(genesis, storage)
        driver = Driver(scenario, genesis, market, seed, save=folder.save_driver_state)
        for done_ms in range(STEP_MS, scenario.play_at_once_ms + 1, STEP_MS):
            market.advance(genesis.time_ms + done_ms)
            driver.step()
            if done_ms % PROGRESS_MS == 0:
                progress(done_ms, scenario.play_at_once_ms, genesis.time_ms + done_ms)
    finally:
        storage.close()


def _run(
    scenario: Scenario,
    genesis: ScenarioGenesis,
    end_interval: int,
    storage: Storage | None,
    seed: int,
    check: bool,
    progress: Progress,
) -> Result:
    recorder = Recorder()

    def note(_: State, outcome: BlockOutcome) -> None:
        recorder.record(outcome)

    begun_s = time.monotonic()
    audited = AuditedApplication(CONSORTIUM, storage) if check else None
    market = EngineMarket(genesis, storage, note, audited)
    before_micro = balances_micro(market.state)
    driver = Driver(scenario, genesis, market, seed, end_interval)
    without = WithoutMarket(scenario)
    time_ms, end_ms = genesis.time_ms, end_interval * INTERVAL_MS
    while not driver.is_over and time_ms < end_ms + GIVE_UP_MS:
        time_ms += STEP_MS
        market.advance(time_ms)
        driver.step()
        if time_ms % INTERVAL_MS == 0:
            recorder.stored_wh[time_ms // INTERVAL_MS - 1] = driver.stored_wh()
        if time_ms % PROGRESS_MS == 0:
            progress(time_ms - genesis.time_ms, end_ms - genesis.time_ms, time_ms)
    real_ms = int((time.monotonic() - begun_s) * 1_000)
    breaches: list[str] = []
    if audited is not None:
        audited.audit_state()
        breaches = audited.findings
    without.advance(end_interval)
    lines = lines_of_run(scenario, genesis, recorder, end_interval)
    ended = Ended(market.state, market.application.info().app_hash, before_micro, driver.stored_wh())
    breaches = (breaches + invariant_breaches(market.state))[:BREACHES_MAX]
    report = make_report(scenario, genesis, recorder, lines, without, ended, seed, end_interval, breaches)
    record = RunRecord(genesis, recorder, lines, without)
    return Result(report, time_ms - genesis.time_ms, real_ms, record)
