"""What a household may say once."""

from dataclasses import dataclass

from gridtokenx.ledger.quantities import INTERVALS_PER_DAY
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source
from gridtokenx.modules.market.calendar import day_of, is_on_peak, quarter_of
from gridtokenx.modules.market.messages import BUY, SELL


@dataclass(frozen=True)
class When:
    """Quarter-hours of a day in Bangkok: from one (0 to 95) up to another (1 to 96), over midnight if that comes
    before; of these only those that are on-peak, or off-peak, unless None."""

    first_quarter: int = 0
    end_quarter: int = INTERVALS_PER_DAY
    on_peak: bool | None = None

    def holds(self, interval: int, holidays: frozenset[int]) -> bool:
        """Whether the interval is meant. `holidays`: days since the epoch that are off-peak."""
        quarter = quarter_of(interval)
        if self.first_quarter < self.end_quarter:
            inside = self.first_quarter <= quarter < self.end_quarter
        else:
            inside = quarter >= self.first_quarter or quarter < self.end_quarter
        if not inside or self.on_peak is None:
            return inside
        return is_on_peak(interval, day_of(interval) in holidays) == self.on_peak


@dataclass(frozen=True)
class SellSurplus:
    """Sell, at no less than the price, so much (percent) of what the site will likely have left in an interval."""

    name: str
    price_micro: int
    when: When
    share_percent: int = 100
    source: int = int(Source.SOLAR)

    side = SELL


@dataclass(frozen=True)
class BuyDaily:
    """Buy, at no more than the price delivered, up to so much a day, in equal parts of the intervals that are meant."""

    name: str
    price_micro: int
    when: When
    daily_wh: int
    source: int = ANY_SOURCE_MASK

    side = BUY


Instruction = SellSurplus | BuyDaily
