"""Makers: for how long each was present, and what it got, by arithmetic of its own.

It sees the book between blocks, where the ledger sees each change. Between two blocks presence is what stood after the
first. Whether that time counts depends on what happened in the second one: what others took counts, what the maker took
back does not. Where one block has both, there is a least and a most, else both are one.
"""

from collections.abc import Callable
from typing import Any

from gridtokenx.ledger.consensus import CONSENSUS
from gridtokenx.ledger.freeze import FREEZE
from gridtokenx.ledger.header import LAST_BLOCK
from gridtokenx.modules.identity.state import FEEDERS, PORTFOLIOS, feeder_key
from gridtokenx.modules.market.messages import Side, Terms
from gridtokenx.modules.market.state import (
    HALTS,
    INTERVALS,
    MAKER_DUTIES,
    ORDERS,
    TERMS,
    MakerDuty,
    Order,
    Trade,
    Verdict,
)
from gridtokenx.simulation import audit_rules as rules
from gridtokenx.simulation.audit_told import Told

AddDue = Callable[[bytes, int], None]
"""So much more is owed to (interval ‖ account)."""

LEVELS = 5
"""Prices of a side that count."""


class Followed:
    """A duty without a verdict, as it was followed."""

    def __init__(self, is_whole: bool) -> None:
        self.is_whole = is_whole
        """Whether all of its time was seen."""
        self.orders: dict[bytes, Order] = {}
        self.least_ms = self.most_ms = self.counted_ms = 0
        self.fees_least = self.fees_most = 0


class MakerAudit:
    """`copy` is the auditor's copy of the tables, by prefix."""

    def __init__(self, copy: dict[int, dict[bytes, Any]]) -> None:
        self.copy = copy
        self.findings: list[str] = []
        self.duties: dict[bytes, Followed] = {}
        last = copy[LAST_BLOCK.prefix].get(b"")
        self.time_ms = last.time_ms if last else 0
        self.was_frozen = False
        self.halted: set[bytes] = set()
        """Keys of the halts that held after the block before."""
        for own, duty in copy[MAKER_DUTIES.prefix].items():
            if not duty.verdict:
                followed = self.duties[own] = Followed(is_whole=duty.from_ms >= self.time_ms)
                followed.fees_least = followed.fees_most = duty.fees_micro
        if self.duties:
            for key, order in copy[ORDERS.prefix].items():
                self._follow_order(key, None, order)
        self._remember()

    def check(
        self,
        time_ms: int,
        told: Told,
        trades: list[tuple[Trade, int]],
        orders: dict[bytes, tuple[Any, Any]],
        duties: dict[bytes, tuple[Any, Any]],
        add_due: AddDue,
    ) -> list[str]:
        """One block: `trades` with what each side paid as trading fee (below zero of one that is void), and the records
        that changed. The copy must be that from after the block."""
        self.findings = []
        new = [own for own, (old, now) in duties.items() if old is None and now is not None]
        for own in new:
            self.duties[own] = Followed(is_whole=True)
        if self.duties:
            self._add_time(time_ms, told, trades)
            self._add_fees(trades, set(new))
            for key, (old, order) in orders.items():
                self._follow_order(key, old, order)
            for own, (_, now) in duties.items():
                if own in self.duties and now is not None:
                    self._check_fees(own, now)
        for own in [own for own in self.duties if own not in self.copy[MAKER_DUTIES.prefix]]:
            self.findings.append(f"maker's duty {own.hex()} vanished without a verdict")
            del self.duties[own]
        for own, (_, now) in duties.items():
            if own in self.duties and now is not None and now.verdict:
                self._check_verdict(own, now, self.duties.pop(own), add_due)
        self.time_ms = time_ms
        self._remember()
        return self.findings

    def _remember(self) -> None:
        """What counts for the time until the next block."""
        self.was_frozen = bool(self.copy[FREEZE.prefix])
        self.halted = set(self.copy[HALTS.prefix])

    def _follow_order(self, key: bytes, old: Order | None, now: Order | None) -> None:
        for order, stays in ((old, False), (now, True)):
            own = b"" if order is None else order.interval.to_bytes(4, "big") + order.portfolio
            followed = self.duties.get(own)
            if followed is None:
                continue
            if stays and order is not None:
                followed.orders[key] = order
            else:
                followed.orders.pop(key, None)

    def _add_time(self, time_ms: int, told: Told, trades: list[tuple[Trade, int]]) -> None:
        """The time since the block before, for each duty that counts it."""
        terms = self.copy[CONSENSUS.prefix].get(b"")
        gap_ms = time_ms - self.time_ms
        if self.was_frozen or (terms is not None and gap_ms > 60_000 and gap_ms > 10 * terms.block_ms):
            return
        traded: dict[bytes, int] = {}
        for trade, _ in trades:
            for key in (trade.buyer + trade.buyer_order, trade.seller + trade.seller_order):
                traded[key] = traded.get(key, 0) + trade.quantity_wh
        for own, followed in self.duties.items():
            duty = self.copy[MAKER_DUTIES.prefix].get(own)
            span_ms = 0 if duty is None else min(time_ms, duty.until_ms) - max(self.time_ms, duty.from_ms)
            if duty is None or span_ms <= 0 or self._was_halted(own):
                continue
            followed.counted_ms += span_ms
            if self._is_present(own, duty, followed.orders):
                self._add_present(span_ms, time_ms, own, duty, told, traded)

    def _was_halted(self, own: bytes) -> bool:
        feeder = self.copy[PORTFOLIOS.prefix][own[4:]].feeder
        zone = bytes([self.copy[FEEDERS.prefix][feeder_key(feeder)].zone])
        return not self.halted.isdisjoint(
            interval + place for interval in (own[:4], bytes(4)) for place in (zone, b"\0")
        )

    def _add_present(
        self, span_ms: int, time_ms: int, own: bytes, duty: MakerDuty, told: Told, traded: dict[bytes, int]
    ) -> None:
        """It stood there when the time began; was it there for those who came next?"""
        followed, rows = self.duties[own], self.copy[ORDERS.prefix]
        stayed = {
            key: order
            for key, order in followed.orders.items()
            if key not in told.placed and (key in rows or traded.get(key, 0) >= order.remaining_wh)
        }
        if time_ms >= duty.until_ms or self._is_present(own, duty, stayed):
            followed.least_ms += span_ms
            followed.most_ms += span_ms
            return
        account = self.copy[PORTFOLIOS.prefix][own[4:]].account
        did_more = any(key[:32] == account for key in (*told.placed, *told.amended, *traded))
        followed.most_ms += span_ms if did_more else 0

    def _is_present(self, own: bytes, duty: MakerDuty, orders: dict[bytes, Order]) -> bool:
        interval = self.copy[INTERVALS.prefix][own[:4]]
        terms: Terms = self.copy[TERMS.prefix][interval.terms.to_bytes(4, "big")]
        best = []
        for side in (Side.BUY, Side.SELL):
            shown: dict[int, int] = {}
            for order in orders.values():
                plain = order.scope < 2 and (side == Side.SELL or order.source == 127)
                if order.side == side and plain and order.place >= duty.place:
                    energy_wh = order.shown_wh or order.remaining_wh
                    shown[order.price_micro] = shown.get(order.price_micro, 0) + energy_wh
            missing_wh, reached = duty.asked.size_wh, None
            for price in sorted(shown, reverse=side == Side.BUY)[:LEVELS]:
                missing_wh -= shown[price]
                if missing_wh <= 0:
                    reached = price
                    break
            if reached is None:
                return False
            best.append(reached)
        bid_micro, ask_micro = best[0] - terms.wheeling_base_micro, best[1]
        return ask_micro - bid_micro <= duty.asked.spread_micro

    def _add_fees(self, trades: list[tuple[Trade, int]], new: set[bytes]) -> None:
        """Both sides' fees belong to who rested; of a block in which a maker enrolled perhaps not."""
        for trade, fee in trades:
            rested = trade.seller_portfolio if trade.taker_side == Side.BUY else trade.buyer_portfolio
            own = trade.interval.to_bytes(4, "big") + rested
            followed = self.duties.get(own)
            if followed is not None:
                followed.fees_least += 0 if own in new else 2 * fee
                followed.fees_most += 2 * fee
                if fee < 0:
                    followed.fees_least = max(followed.fees_least, 0)

    def _check_fees(self, own: bytes, duty: MakerDuty) -> None:
        followed = self.duties[own]
        if not followed.fees_least <= duty.fees_micro <= followed.fees_most:
            told = f"{duty.fees_micro}, its trades give {followed.fees_least} to {followed.fees_most}"
            self.findings.append(f"maker's duty {own.hex()} has fees of {told}")
        followed.fees_least = followed.fees_most = duty.fees_micro

    def _check_verdict(self, own: bytes, duty: MakerDuty, followed: Followed, add_due: AddDue) -> None:
        """The time, what follows from it, and the rebate, which moves from the fee pool's due to the maker's."""
        name = f"maker's duty {own.hex()}"
        rebate = 0
        if followed.is_whole:
            if not followed.least_ms <= duty.held_ms <= followed.most_ms:
                told = f"{duty.held_ms} ms, not {followed.least_ms} to {followed.most_ms}"
                self.findings.append(f"{name} was present for {told}")
            enough = duty.held_ms * 1_000 >= duty.asked.presence_per_mille * followed.counted_ms
            verdict = Verdict.KEPT if enough else Verdict.MISSED
            if not followed.counted_ms:
                verdict = Verdict.EXCUSED
            if duty.verdict != verdict:
                self.findings.append(f"{name} is {duty.verdict}, and ought to be {verdict} of {followed.counted_ms} ms")
        if duty.verdict == Verdict.KEPT:
            rebate = rules.down(duty.fees_micro * duty.asked.rebate_ppm, 1_000_000)
        if duty.rebate_micro != rebate:
            self.findings.append(f"{name} got {duty.rebate_micro} instead of {rebate}")
        if rebate:
            add_due(own[:4], -rebate)
            add_due(own[:4] + self.copy[PORTFOLIOS.prefix][own[4:]].account, rebate)
