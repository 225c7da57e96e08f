"""How long each phase of a block takes, and what else operators watch."""

import time
from collections import deque
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

ALARMS_KEPT: Final = 100

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Of one node. Updated by the thread that makes blocks; read by any."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._phase = Histogram(
            "gridtokenx_block_phase_seconds",
            "Time in one phase of making a block",
            ["phase"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._height = Gauge("gridtokenx_height", "Last committed block", registry=self.registry)
        self._time = Gauge("gridtokenx_chain_time_seconds", "Time of the last committed block", registry=self.registry)
        self._pending = Gauge(
            "gridtokenx_mempool_transactions", "Transactions not yet in a block", registry=self.registry
        )
        self._transactions = Counter(
            "gridtokenx_transactions", "Transactions in committed blocks", registry=self.registry
        )
        self._trades = Counter("gridtokenx_trades", "Trades in committed blocks", registry=self.registry)
        self._alarms = Counter("gridtokenx_alarms", "What people should look at", registry=self.registry)
        self.last_phases: dict[str, float] = {}
        """Seconds of each phase of the last block."""
        self.alarms: deque[str] = deque(maxlen=ALARMS_KEPT)
        self._phases: dict[str, float] = {}
        self._phase_started = 0.0

    def begin_block(self) -> None:
        """A block is being made from now on."""
        self._phases = {}
        self._phase_started = time.perf_counter()

    def observe(self, phase: str) -> None:
        """The phase of this name has ended, the next begins."""
        now = time.perf_counter()
        seconds = now - self._phase_started
        self._phases[phase] = self._phases.get(phase, 0.0) + seconds
        self._phase.labels(phase).observe(seconds)
        self._phase_started = now

    def end_block(self, height: int, time_ms: int, transactions: int, trades: int, pending: int) -> None:
        """The block is committed."""
        self.last_phases = self._phases
        self._height.set(height)
        self._time.set(time_ms / 1_000)
        self._pending.set(pending)
        self._transactions.inc(transactions)
        self._trades.inc(trades)

    def alarm(self, text: str) -> None:
        """Something that people should look at."""
        self.alarms.append(text)
        self._alarms.inc()

    def text(self) -> bytes:
        """All of it in Prometheus' format."""
        return generate_latest(self.registry)
