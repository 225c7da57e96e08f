"""The auditor's own look at price bands, halts and reference prices."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from gridtokenx.ledger.block import Block
from gridtokenx.ledger.schedule import SCHEDULE
from gridtokenx.modules.grid.state import LINK_REOPENED
from gridtokenx.modules.identity.state import FEEDERS, PARTICIPANT_CHANGED, PORTFOLIOS
from gridtokenx.modules.market.messages import Side, Terms
from gridtokenx.modules.market.state import (
    BLOCK_ORDERS,
    EXPIRE_ORDER,
    HALTS,
    INTERVALS,
    ORDERS,
    REFERENCES,
    TERMS,
    TRY_BLOCK_ORDERS,
    UPDATE_REFERENCE,
    Halted,
    Interval,
    Reference,
    Trade,
)
from gridtokenx.simulation import audit_rules as rules

ALL = 0
TRADES_OF_A_CALL = 1_000
"""A call of so many trades may be followed by another, at another price, in the same block."""

_CHANGE_BOOKS = (PARTICIPANT_CHANGED, LINK_REOPENED, TRY_BLOCK_ORDERS)
"""Kinds of due work that may cancel or trade orders of any interval."""

Changed = Mapping[bytes, tuple[Any, Any]]


class BandAudit:
    """Follows halts and references. `copy` is the auditor's copy of the tables, by prefix."""

    def __init__(self, copy: Mapping[int, Mapping[bytes, Any]]) -> None:
        self.copy = copy
        self.findings: list[str] = []
        self.time_ms = 0
        self.new: dict[bytes, Reference] = {}
        self.calls: defaultdict[bytes, list[int]] = defaultdict(list)
        """Prices of this block's trades that only a call explains, by interval ‖ zone."""
        self.ending: list[bytes] = []
        """Keys of the halts that end in this block."""
        self.moved: set[bytes] = set()
        """Interval ‖ zone of trades of due work, after which references are made anew within the block."""

    def begin_block(self, block: Block, changes: Sequence[tuple[bytes, bytes | None]]) -> None:
        """The copy must still be that from before the block."""
        self.findings, self.time_ms = [], block.time_ms
        self.calls.clear()
        self.moved.clear()
        halts = self.copy[HALTS.prefix].items()
        self.ending = [key for key, halt in halts if 0 < halt.until_ms <= self.time_ms]
        decode = REFERENCES.decode.trusted
        self.new = {key[1:]: decode(data) for key, data in changes if key[0] == REFERENCES.prefix and data is not None}

    def objections(self, terms: Terms, interval: Interval, trade: Trade, ask_micro: int, worth_micro: int) -> list[str]:
        """What is wrong with a trade's price, or with its time. `worth_micro`: the buyer's limit less wheeling."""
        ends = [self._zone(trade.seller_portfolio), self._zone(trade.buyer_portfolio)]
        keys = [trade.interval.to_bytes(4, "big") + bytes([zone]) for zone in ends]
        halts = [self._halts(key) for key in keys]
        if any(not halt.until_ms or halt.until_ms > self.time_ms for found in halts for halt in found):
            return ["in a zone that is halted"]
        resting = ask_micro if trade.taker_side == Side.BUY else worth_micro
        price = trade.price_micro
        if halts[0] and self._is_due_work(trade):
            # The end of a halt of the seller's zone: no band, and what met in the call has one price.
            if price != resting and ends[0] == ends[1]:
                self.calls[keys[0]].append(price)
            elif price != resting and not self._fits(terms, interval, keys[0], resting, price):
                return [f"not at the resting order's price {resting}"]
            return []
        if not self._fits(terms, interval, keys[0], resting, price):
            return [f"not at the resting order's price {resting}, as far as that is within the band"]
        return []

    def _fits(self, terms: Terms, interval: Interval, key: bytes, resting: int, price: int) -> bool:
        """Whether the price is the resting order's, moved into the band of the reference with which the block began; or
        of what due work made of it first. Where due work trades or changes the book, and where halts end, references
        are made of which the block tells the last one only: there any will do."""
        if not terms.band_ppm:
            return price == resting
        old = self.copy[REFERENCES.prefix].get(key)
        found = [old.price_micro if old else _anchor(terms, interval)]
        waits = (1).to_bytes(8, "big") + bytes([UPDATE_REFERENCE]) + key in self.copy[SCHEDULE.prefix]
        if key in self.new and (waits or self._halts(key)):
            found.append(self.new[key].price_micro)
        for reference in found:
            low, high = _band(terms, reference)
            if price == min(max(resting, low), high):
                return True
        is_free = key in self.moved or bool(self._ending(key)) or self._was_touched(int.from_bytes(key[:4], "big"))
        return is_free and (price == resting or _is_in_widest(terms, interval, price))

    def _was_touched(self, number: int) -> bool:
        """Whether due work may change the interval's book before the block's transactions."""
        orders, blocks = self.copy[ORDERS.prefix], self.copy[BLOCK_ORDERS.prefix]
        for item in self.copy[SCHEDULE.prefix]:
            kind, payload = item[8], item[9:]
            if int.from_bytes(item[:8], "big") > self.time_ms:
                continue
            ended = orders.get(payload) if kind == EXPIRE_ORDER else None
            if (ended is not None and ended.interval == number) or payload in blocks or kind in _CHANGE_BOOKS:
                return True
        return False

    def note(self, trade: Trade) -> None:
        """There is nothing against it: later ones of its zones may meet at another reference."""
        if not self._is_due_work(trade):
            return
        ends = self._zone(trade.seller_portfolio), self._zone(trade.buyer_portfolio)
        self.moved.update(trade.interval.to_bytes(4, "big") + bytes([zone]) for zone in ends)

    def _is_due_work(self, trade: Trade) -> bool:
        """Whether it came of no transaction of this block: both sides, or their names, stood there before."""
        return all(
            key in self.copy[ORDERS.prefix] or key in self.copy[BLOCK_ORDERS.prefix] for key in rules.order_keys(trade)
        )

    def _may_follow_call(self, key: bytes, prices: Sequence[int]) -> bool:
        """Whether those of other prices than the first may have met because other halts ended."""
        interval: Interval = self.copy[INTERVALS.prefix][key[:4]]
        terms = self._terms(interval)
        return self._ending(key) != [key] and all(
            price == prices[0] or _is_in_widest(terms, interval, price) for price in prices
        )

    def _ending(self, key: bytes) -> list[bytes]:
        """Halts of any zone that end in this block, in this interval or in all."""
        return [own for own in self.ending if own[:4] in (key[:4], bytes(4))]

    def _zone(self, portfolio: bytes) -> int:
        feeder = self.copy[PORTFOLIOS.prefix][portfolio].feeder
        zone: int = self.copy[FEEDERS.prefix][feeder.to_bytes(2, "big")].zone
        return zone

    def _terms(self, interval: Interval) -> Terms:
        terms: Terms = self.copy[TERMS.prefix][interval.terms.to_bytes(4, "big")]
        return terms

    def _halts(self, key: bytes) -> list[Halted]:
        """Those that hold for a zone's interval."""
        names = [interval + zone for interval in (key[:4], bytes(4)) for zone in (key[4:], bytes(1))]
        halts = self.copy[HALTS.prefix]
        return [halts[name] for name in names if name in halts]

    def holds_at_gate(self, key: bytes, gate_ms: int) -> bool:
        """Whether a zone's interval is halted when its gate passes."""
        return any(
            halt.since_ms < gate_ms and (not halt.until_ms or halt.until_ms > gate_ms) for halt in self._halts(key)
        )

    def check(self, references: Changed) -> None:
        """One price in each call (where other zones' halts end with it, what they set free may meet in this zone too,
        within its band); and each reference price is the sum of its parts, between buy-back and tariff. The copy must
        be that from after the block."""
        for key, prices in self.calls.items():
            if len(set(prices)) > 1 + len(prices) // TRADES_OF_A_CALL and not self._may_follow_call(key, prices):
                self.findings.append(f"the call of {key.hex()} has {len(set(prices))} prices")
        for key, (_, new) in references.items():
            interval = self.copy[INTERVALS.prefix].get(key[:4])
            if new is None or interval is None:
                continue
            terms = self._terms(interval)
            parts = new.anchor_micro + new.called_micro + new.trades_micro + new.renewable_micro
            parts += new.book_micro + new.congestion_micro
            low, high = _limits(terms, interval)
            expected = min(max(parts - parts % terms.tick_micro, low), high)
            if new.price_micro != expected or new.anchor_micro != _anchor(terms, interval):
                self.findings.append(f"reference {key.hex()} is {new.price_micro}, its parts give {expected}")


def _is_in_widest(terms: Terms, interval: Interval, price: int) -> bool:
    """Whether it is in the band of some reference."""
    least, most = (_band(terms, reference) for reference in _limits(terms, interval))
    return least[0] <= price <= most[1]


def _limits(terms: Terms, interval: Interval) -> tuple[int, int]:
    low = max(rules.up(terms.buy_back_micro, terms.tick_micro) * terms.tick_micro, terms.tick_micro)
    return low, max(rules.down(interval.tariff_micro, terms.tick_micro) * terms.tick_micro, low)


def _band(terms: Terms, reference: int) -> tuple[int, int]:
    """The lowest and the highest price around it."""
    width = rules.down(reference * terms.band_ppm, 1_000_000)
    low = max(rules.up(reference - width, terms.tick_micro) * terms.tick_micro, terms.tick_micro)
    return low, rules.down(reference + width, terms.tick_micro) * terms.tick_micro


def _anchor(terms: Terms, interval: Interval) -> int:
    low, high = _limits(terms, interval)
    middle = rules.down(interval.tariff_micro + terms.buy_back_micro, 2)
    return min(max(middle - middle % terms.tick_micro, low), high)
