"""Trades on a stale clock: which of them must be void, and whether the ledger says so, each once and in order."""

from collections import deque
from typing import Any

from gridtokenx.ledger.block import Block
from gridtokenx.ledger.consensus import CONSENSUS
from gridtokenx.ledger.header import LAST_BLOCK
from gridtokenx.modules.market.state import INTERVALS, Trade

PLACES = 16_777_216
"""A trade's number is its block's height times this, and its place in the block."""


class VoidAudit:
    """Follows the clock and the trades of all blocks. `copy` is the auditor's copy of the tables, by prefix."""

    def __init__(self, copy: dict[int, dict[bytes, Any]]) -> None:
        self.copy = copy
        self.findings: list[str] = []
        self.due: deque[tuple[int, Trade]] = deque()
        """Numbers and trades that must be voided next, in order."""
        last = copy[LAST_BLOCK.prefix].get(b"")
        self._time_ms = last.time_ms if last else 0
        self._height = last.height if last else 0
        self._trades: list[Trade] = []

    def remember(self, trades: list[Trade]) -> None:
        """The trades of the block that left the first state: a successor may show that its clock was stale."""
        self._trades = trades

    def begin_block(self, block: Block, trades: list[Trade]) -> None:
        """A block with these records under its trades root. The copy must still be that from before the block."""
        self.findings = []
        terms = self.copy[CONSENSUS.prefix].get(b"")
        gap_ms = block.time_ms - self._time_ms
        if terms is not None and gap_ms > 60_000 and gap_ms > 10 * terms.block_ms:
            for place, trade in enumerate(self._trades):
                if not trade.voids and self._time_ms < self._gate_ms(trade) <= block.time_ms:
                    self.due.append((self._height * PLACES + place, trade))
        self._time_ms, self._height, self._trades = block.time_ms, block.height, trades

    def _gate_ms(self, trade: Trade) -> int:
        gate_ms: int = self.copy[INTERVALS.prefix][trade.interval.to_bytes(4, "big")].gate_ms
        return gate_ms

    def take(self, record: Trade) -> Trade | None:
        """The trade that this record voids; None, with a finding, if it is not the next one that must be void."""
        if not self.due or self.due[0][0] != record.voids:
            self.findings.append(f"trade {record.voids} is void and ought to stand, or to wait for another")
            return None
        _, trade = self.due.popleft()
        for name in Trade.__struct_fields__:
            if name != "voids" and getattr(record, name) != getattr(trade, name):
                self.findings.append(f"trade {record.voids} is void with another {name}")
        return trade

    def end_block(self, *changed: dict[bytes, Any]) -> None:
        """After the block: intervals with trades that wait to be void stood still. `changed`: records that begin with
        the interval and that only the closing of its gate, or what comes after it, writes."""
        waiting = {trade.interval.to_bytes(4, "big") for _, trade in self.due}
        for key in {key[:4]: None for rows in changed for key in rows if key[:4] in waiting}:
            number = int.from_bytes(key, "big")
            self.findings.append(f"interval {number} went on while trades of it waited to be void")
