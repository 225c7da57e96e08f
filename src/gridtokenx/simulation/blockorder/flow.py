"""Order flow to play again: every transaction that the homes of a scenario sent, and when."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gridtokenx.client.transactions import SignedTransaction
from gridtokenx.ledger.quantities import INTERVAL_MS, INTERVALS_PER_DAY
from gridtokenx.simulation.driver import STEP_MS, Driver
from gridtokenx.simulation.engine_market import EngineMarket
from gridtokenx.simulation.genesis import ScenarioGenesis, make_genesis
from gridtokenx.simulation.scenario import RandomSettings, Scenario

SETTLED_MS = 3_600_000
"""After the last delivery everything is paid."""


class Step(NamedTuple):
    """What was sent at one time, in the order in which it was sent."""

    time_ms: int
    transactions: tuple[bytes, ...]


class Flow(NamedTuple):
    """All of it, of the homes of a scenario; it ends when everything is paid."""

    scenario: Scenario
    steps: tuple[Step, ...]
    end_ms: int


class _Recording(EngineMarket):
    def __init__(self, genesis: ScenarioGenesis) -> None:
        self.steps: list[Step] = []
        super().__init__(genesis)

    def submit(self, transactions: Sequence[SignedTransaction]) -> None:
        time_ms, wires = self.time_ms(), tuple([one.wire for one in transactions])
        if self.steps and self.steps[-1].time_ms == time_ms:
            wires = (*self.steps.pop().transactions, *wires)
        self.steps.append(Step(time_ms, wires))
        super().submit(transactions)


def record(scenario: Scenario, days: int, seed: int = 1) -> Flow:
    """Run a scenario as `gridtokenx simulate` does, and keep what was sent."""
    genesis = make_genesis(scenario)
    market = _Recording(genesis)
    end_interval = scenario.first_interval + days * INTERVALS_PER_DAY
    driver = Driver(scenario, genesis, market, seed, end_interval)
    time_ms, end_ms = genesis.time_ms, end_interval * INTERVAL_MS + SETTLED_MS
    while not driver.is_over and time_ms < end_ms:
        time_ms += STEP_MS
        market.advance(time_ms)
        driver.step()
    return Flow(scenario, tuple(market.steps), end_ms)


def zero_intelligence(scenario: Scenario) -> Scenario:
    """The same homes with agents that draw their prices at random: much to gain for whoever stands between them."""
    sites = tuple(msgspec.structs.replace(site, agent=RandomSettings()) for site in scenario.sites)
    return msgspec.structs.replace(scenario, sites=sites)
