"""What the market did for everybody together: sums of settled intervals, and what each portfolio saved.

An interval is added up once it is settled; a correction changes its sums afterwards. Sums of intervals stay for a
hundred days, those of portfolios as long as this gateway runs. After a restart both begin with what state still holds
and what the blocks read again tell: an interval of which those do not tell everything is left out.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec

from gridtokenx.gateway.bills import Prices, old_bill_micro
from gridtokenx.modules.settlement.state import Quality, Statement

INTERVALS_MAX = 9_600
"""A hundred days; about 10 MB."""

SITES_MIN = 3
"""Sums over fewer metered sites would tell what one of them did: they are not published."""


ShownName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
PortfolioText = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]


class ShowcaseUnusable(ValueError):
    """The file of those who agreed to be shown is not there, or says something else."""


def load_showcase(path: Path) -> dict[bytes, str]:
    """Portfolios whose owners agreed to be shown, from a JSON object: pseudonym in hexadecimal → name to show. Raises
    ShowcaseUnusable."""
    try:
        named = msgspec.json.decode(path.read_bytes(), type=dict[PortfolioText, ShownName])
    except (OSError, msgspec.DecodeError, UnicodeError) as error:
        raise ShowcaseUnusable(f"{path} cannot be used: {error}") from error
    return {bytes.fromhex(portfolio): name for portfolio, name in named.items()}


class Sums(msgspec.Struct):
    """Statements added up."""

    statements: int = 0
    estimated: int = 0
    corrected: int = 0
    import_wh: int = 0
    export_wh: int = 0
    sold_wh: int = 0
    bought_wh: int = 0
    undelivered_wh: int = 0
    unused_wh: int = 0
    other_import_wh: int = 0
    other_export_wh: int = 0
    bill_micro: int = 0
    old_bill_micro: int = 0

    def add(self, statement: Statement, prices: Prices, sign: int = 1) -> None:
        """Add it, or take it out again with `sign` -1."""
        self.statements += sign
        self.estimated += sign * (statement.quality == Quality.ESTIMATED)
        self.corrected += sign * (statement.quality == Quality.CORRECTED)
        self.import_wh += sign * statement.import_wh
        self.export_wh += sign * statement.export_wh
        self.sold_wh += sign * statement.sold_wh
        self.bought_wh += sign * statement.bought_wh
        self.undelivered_wh += sign * statement.undelivered_wh
        self.unused_wh += sign * statement.unused_wh
        self.other_import_wh += sign * statement.other_import_wh
        self.other_export_wh += sign * statement.other_export_wh
        self.bill_micro += sign * statement.bill_micro()
        self.old_bill_micro += sign * old_bill_micro(statement, prices)


class SettledInterval(msgspec.Struct):
    """One settled interval. `traded_wh` and `traded_micro` are of the trades that this gateway has seen."""

    prices: Prices
    sites: int
    traded_wh: int
    traded_micro: int
    sums: Sums

    @property
    def mean_price_micro(self) -> int | None:
        """Energy value by energy, rounded down; None without trades, and if not all of them were seen."""
        if not self.sums.sold_wh or self.traded_wh != self.sums.sold_wh:
            return None
        return self.traded_micro * 1_000 // self.traded_wh


class CommunityMemory:
    """Sums by interval, by portfolio, and over everything."""

    def __init__(self, intervals_max: int = INTERVALS_MAX) -> None:
        self._max = intervals_max
        self.intervals: dict[int, SettledInterval] = {}
        self.portfolios: dict[bytes, Sums] = {}
        self.total = Sums()
        self.since = 0
        """The first interval in the sums of portfolios; 0 while there is none."""
        self.until = 0
        self._outcomes: tuple[int, int, int] | None = None

    def outcomes(self) -> tuple[int, int, int]:
        """How many portfolios saved, lost, and are where they were; counted anew only when a sum has changed."""
        if self._outcomes is None:
            changes = [sums.old_bill_micro - sums.bill_micro for sums in self.portfolios.values()]
            saved, lost = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
            self._outcomes = saved, lost, len(changes) - saved - lost
        return self._outcomes

    def settle(
        self,
        interval: int,
        prices: Prices,
        statements: Iterable[tuple[bytes, Statement, bool]],
        traded_wh: int,
        traded_micro: int,
    ) -> None:
        """Take in an interval with all its statements: (portfolio, statement, whether it has a site)."""
        settled = self.intervals[interval] = SettledInterval(prices, 0, traded_wh, traded_micro, Sums())
        for portfolio, statement, has_site in statements:
            settled.sites += has_site
            self._add(settled, portfolio, statement, 1)
        self.since = min(self.since or interval, interval)
        self.until = max(self.until, interval)
        while len(self.intervals) > self._max:
            del self.intervals[min(self.intervals)]

    def correct(self, interval: int, portfolio: bytes, old: Statement, new: Statement) -> None:
        """A statement of an interval was replaced; nothing if its sums are not here (any more, or yet)."""
        settled = self.intervals.get(interval)
        if settled is not None:
            self._add(settled, portfolio, old, -1)
            self._add(settled, portfolio, new, 1)

    def _add(self, settled: SettledInterval, portfolio: bytes, statement: Statement, sign: int) -> None:
        self._outcomes = None
        own = self.portfolios.setdefault(portfolio, Sums())
        for sums in (settled.sums, own, self.total):
            sums.add(statement, settled.prices, sign)
