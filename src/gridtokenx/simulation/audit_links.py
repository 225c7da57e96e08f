"""The auditor's own count of what trades send over borders and feeders' links, from nothing but the trades."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from gridtokenx.modules.grid.state import LIMITS, LINKS, Link
from gridtokenx.modules.identity.state import PORTFOLIOS
from gridtokenx.modules.market.state import Trade

FEEDERS_FROM = 2**16
"""Where the numbers of feeders' links begin; a border's is 256 x the lower zone + the higher one."""


class LinkAudit:
    """Net energy by (interval, link), forward above zero, of all trades since the state that the auditor began with."""

    def __init__(self, copy: Mapping[int, Mapping[bytes, Any]]) -> None:
        self.copy = copy
        self.net_wh: defaultdict[bytes, int] = defaultdict(int)
        for key, link in copy[LINKS.prefix].items():
            self.net_wh[key] = link.net_wh
        self.moved: dict[bytes, int] = {}
        """What this block's trades changed."""
        self.cleared: set[bytes] = set()
        """Links of auctions in this block."""
        self.findings: list[str] = []

    def begin_block(self) -> None:
        """Nothing has moved yet."""
        self.moved, self.findings, self.cleared = {}, [], set()

    def add(self, trade: Trade, sign: int) -> None:
        """One trade more, or one less, if it left its feeder."""
        portfolios = self.copy[PORTFOLIOS.prefix]
        here, there = portfolios[trade.seller_portfolio].feeder, portfolios[trade.buyer_portfolio].feeder
        if here == there:
            return
        self._move(trade.interval, FEEDERS_FROM + here, sign * trade.quantity_wh)
        self._move(trade.interval, FEEDERS_FROM + there, -sign * trade.quantity_wh)
        for start, end in pairwise(trade.zones):
            forward = 1 if start < end else -1
            number = min(start, end) * 256 + max(start, end)
            self._move(trade.interval, number, forward * sign * trade.quantity_wh)

    def add_flow(self, interval: int, link: int, energy_wh: int) -> None:
        """What an auction sends over a link; whether it was free is looked at where the auction is."""
        self._move(interval, link, energy_wh)
        self.cleared.add(interval.to_bytes(4, "big") + link.to_bytes(3, "big"))

    def _move(self, interval: int, link: int, energy_wh: int) -> None:
        key = interval.to_bytes(4, "big") + link.to_bytes(3, "big")
        self.net_wh[key] += energy_wh
        self.moved[key] = self.moved.get(key, 0) + energy_wh

    def check(self, changed: Mapping[bytes, tuple[Link | None, Link | None]]) -> None:
        """Each border's record is the sum of its trades, and so is a feeder's that is counted; none carries more than
        it can but one whose capacity was lowered, and that not more than before. (Where capacity changed in this block
        due work may have come before it.)"""
        for key, energy_wh in self.moved.items():
            link = self.copy[LINKS.prefix].get(key)
            if link is None:
                if energy_wh and int.from_bytes(key[4:], "big") < FEEDERS_FROM:
                    self.findings.append(f"trades over border {key.hex()} are not counted")
                continue
            if link.net_wh != self.net_wh[key]:
                self.findings.append(f"link {key.hex()} counts {link.net_wh} Wh, its trades {self.net_wh[key]}")
            if key in self.cleared:
                continue
            forward_wh, backward_wh = self._most(key, link, changed)
            over = link.net_wh > forward_wh and energy_wh > 0
            if over or (-link.net_wh > backward_wh and energy_wh < 0):
                self.findings.append(f"link {key.hex()} carries more than it can: {link}")
        for key, (_, link) in changed.items():
            if link is None:
                self.net_wh.pop(key, None)

    def _most(
        self, key: bytes, link: Link, changed: Mapping[bytes, tuple[Link | None, Link | None]]
    ) -> tuple[int, int]:
        """What it could carry each way, before the block or after it. One without a record carries its limit."""
        before = changed[key][0] if key in changed else link
        if before is not None:
            forward_wh, backward_wh = before.forward_wh, before.backward_wh
        else:
            number, limit = int.from_bytes(key[:4], "big"), self.copy[LIMITS.prefix].get(key[4:])
            known = [] if limit is None else [each for each in limit.changes if each[0] <= number]
            _, forward_wh, backward_wh = known[-1] if known else (0, 0, 0)
        return max(forward_wh, link.forward_wh), max(backward_wh, link.backward_wh)
