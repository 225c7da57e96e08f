"""Gathers what `gridtokenx top` shows: through the HTTP interface alone, like anybody.

Savings are personal, so they are there only where the keys are: in the data folder of a market that `up` started,
whose scenario tells both the development keys and what each home would have paid without the market.
"""

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gridtokenx.cli.top_view import HomeLine, PhaseLine, Snapshot
from gridtokenx.client.client import Client
from gridtokenx.client.errors import ClientError
from gridtokenx.client.wallet import Wallet
from gridtokenx.gateway.documents import BookView, IntervalView, StatementView
from gridtokenx.ledger.quantities import INTERVAL_MS, INTERVALS_PER_DAY
from gridtokenx.simulation.genesis import FEEDER, ScenarioGenesis, make_genesis
from gridtokenx.simulation.market_folder import MarketFolder
from gridtokenx.simulation.report import WithoutMarket
from gridtokenx.simulation.scenario import Scenario, load_scenario

HOMES_EVERY_S = 3.0
TRADES, BLOCKS, LEVELS = 40, 50, 200
TIMEOUT_S = 2.0
SPEED_SAMPLE_S = 5.0

_PHASE = re.compile(r'^gridtokenx_block_phase_seconds_(sum|count)\{phase="(\w+)"\} (\S+)$', re.MULTILINE)


class MarketSource:
    """Takes snapshots of the market behind a port. With a folder it knows the homes too."""

    def __init__(self, port: int, data: Path | None) -> None:
        url = f"http://127.0.0.1:{port}"
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_S)
        # A frame is drawn again in a moment: no pauses between attempts.
        self._client = Client(url, http=self._http, pause=lambda seconds: None)
        self._homes: Homes | None = None
        if data is not None and MarketFolder(data).exists and MarketFolder(data).scenario.is_dir():
            self._homes = Homes(self._client, load_scenario(MarketFolder(data).scenario))
        self._phases = Phases()
        self._pace = Pace()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def take(self) -> Snapshot:
        """The market as it is now. Raises `ClientError` when nobody answers or the gateway is not ready."""
        client = self._client
        status = client.status()
        health = client.health()
        intervals = client.intervals().intervals
        ahead = [each for each in intervals if each.gate_ms > status.time_ms]
        past = [each for each in intervals if each.gate_ms <= status.time_ms]
        book = client.book(ahead[0].interval, FEEDER, LEVELS) if ahead else None
        tariff = [each for each in past if each.delivery_ms <= status.time_ms]
        return Snapshot(
            title=self._homes.name if self._homes else status.chain,
            status=status,
            problems=health.reasons or self._over(status.time_ms),
            intervals=ahead,
            past=past[-INTERVALS_PER_DAY:],
            book=book,
            trades=client.trades(limit=TRADES).trades[::-1],
            blocks=client.blocks(limit=BLOCKS).blocks,
            homes=self._homes.lines() if self._homes else [],
            phases=self._phases.read(self._http),
            speed=self._pace.speed(status.time_ms),
            wheeling_micro=_wheeling_micro(book),
            on_peak=bool(tariff) and _is_dear(tariff[-1], intervals),
        )

    def _over(self, time_ms: int) -> list[str]:
        over = self._homes is not None and self._homes.ends_ms <= time_ms
        return ["the recorded days are over: `gridtokenx reset` begins anew"] if over else []


def _wheeling_micro(book: BookView | None) -> int:
    """What lies between a bid and what a seller on the same feeder gets from it; 0 while there is no bid."""
    near = [level for level in (book.delivered_bids or []) if level.nearness == 0] if book else []
    return near[0].price_micro - near[0].delivered_micro if near else 0


def _is_dear(interval: IntervalView, intervals: list[IntervalView]) -> bool:
    return interval.tariff_micro > min(each.tariff_micro for each in intervals)


class Homes:
    """What every home of a scenario has saved, from its own statements and the bill as it would have been."""

    def __init__(self, client: Client, scenario: Scenario) -> None:
        self.name = scenario.name
        self.ends_ms = scenario.end_interval * INTERVAL_MS
        self._client, self._scenario = client, scenario
        self._genesis: ScenarioGenesis = make_genesis(scenario)
        self._wallets = {name: each.owner.wallet() for name, each in self._genesis.connections.items()}
        self._bills: dict[str, dict[int, int]] = {name: {} for name in self._wallets}
        self._without = WithoutMarket(scenario)
        self._lines: list[HomeLine] = []
        self._asked_s = float("-inf")

    def lines(self) -> list[HomeLine]:
        """One for each home, in the scenario's order; asked for every few seconds at most."""
        now_s = time.monotonic()
        if now_s - self._asked_s >= HOMES_EVERY_S:
            self._asked_s = now_s
            for name, wallet in self._wallets.items():
                self._read_statements(name, wallet)
            self._compare()
        return self._lines

    def _read_statements(self, name: str, wallet: Wallet) -> None:
        """What came since the last time; corrections of the past day are seen when the market is looked at anew."""
        own = self._bills[name]
        after = max(own, default=self._scenario.first_interval - 1)
        while True:
            page = self._client.statements(wallet, after)
            for line in page.statements:
                if line.interval < self._scenario.end_interval:
                    own[line.interval] = _bill_micro(line)
            if not page.next:
                return
            after = page.next

    def _compare(self) -> None:
        """Up to the last interval that is settled for all."""
        end = min(max(own, default=self._scenario.first_interval - 1) for own in self._bills.values()) + 1
        if end > self._without.next_interval:
            self._without.advance(end)
        end = self._without.next_interval
        self._lines = [
            HomeLine(
                name,
                self._without.bills_micro[name] - sum(bill for interval, bill in own.items() if interval < end),
                self._without.bills_micro[name],
            )
            for name, own in self._bills.items()
        ]


def _bill_micro(line: StatementView) -> int:
    owed_micro = line.charge_micro - line.credit_micro + line.split_charge_micro - line.split_credit_micro
    return line.purchase_cost_micro - line.sale_proceeds_micro + owed_micro - line.rebate_micro


@dataclass(slots=True)
class Phases:
    """Mean time of each phase of a block since the last reading, from the node's metrics."""

    before: dict[str, tuple[float, float]] = field(default_factory=dict)
    lines: list[PhaseLine] = field(default_factory=list)

    def read(self, http: httpx.Client) -> list[PhaseLine]:
        """As the last time if no block was made since. Raises ClientError when nobody answers."""
        try:
            text = http.get("/metrics").text
        except httpx.TransportError as error:
            raise ClientError(str(error)) from error
        now: dict[str, tuple[float, float]] = {}
        for kind, phase, value in _PHASE.findall(text):
            seconds, count = now.get(phase, (0.0, 0.0))
            now[phase] = (float(value), count) if kind == "sum" else (seconds, float(value))
        lines = []
        for phase, (seconds, count) in now.items():
            old_seconds, old_count = self.before.get(phase, (0.0, 0.0))
            if count > old_count:
                lines.append(PhaseLine(phase, (seconds - old_seconds) * 1_000 / (count - old_count)))
        if lines:
            self.before, self.lines = now, lines
        return self.lines


@dataclass(slots=True)
class Pace:
    """How much faster than real time the chain runs, measured."""

    samples: list[tuple[float, int]] = field(default_factory=list)

    def speed(self, time_ms: int) -> int:
        """0 until some seconds have been seen, and while the chain runs in real time."""
        now_s = time.monotonic()
        self.samples = [sample for sample in self.samples if now_s - sample[0] < SPEED_SAMPLE_S]
        self.samples.append((now_s, time_ms))
        first_s, first_ms = self.samples[0]
        if now_s - first_s < SPEED_SAMPLE_S / 2:
            return 0
        speed = round((time_ms - first_ms) / (now_s - first_s) / 1_000)
        return speed if speed > 1 else 0
