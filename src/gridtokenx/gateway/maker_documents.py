"""JSON of makers: programmes, who is one, how they keep their duties, and what is missing of one's own."""

from gridtokenx.gateway.documents import Document


class MakerTermsView(Document):
    """Of the time that counts (`window_ms` before trading at once ends; 0: all since it opened) for at least
    `presence_per_mille` a purchase and a sale of `size_wh` each, at most `spread_micro` apart. For it `rebate_ppm` of
    the trading fees of both sides where the maker's orders rested."""

    spread_micro: int
    size_wh: int
    presence_per_mille: int
    window_ms: int
    rebate_ppm: int
    makers_max: int
    misses_max: int


class MakerProgrammeView(Document):
    """Of one zone, as it counts for intervals that open from now on. With `makers_max` 0 it has ended."""

    zone: int
    terms: MakerTermsView


class MakerView(Document):
    """A maker from interval `first` on, until `until` (0: no end is known; `end` says why: `left`, `ended` by the
    operator, `dropped`). `kept`, `missed` and `excused` count intervals that are not final yet, about a day;
    `fees_micro` and `rebate_micro` are their sums. Of `counting` intervals the time counts now, in `present` of them it
    is there."""

    portfolio: str
    zone: int
    feeder: int
    first: int
    until: int
    end: str
    missed_in_a_row: int
    kept: int
    missed: int
    excused: int
    fees_micro: int
    rebate_micro: int
    counting: int
    present: int


class Makers(Document):
    """All of them, by zone and by when they enrolled."""

    height: int
    programmes: list[MakerProgrammeView]
    makers: list[MakerView]


class MakerDutyView(Document):
    """One interval. `verdict`: `open` until its gate, then `kept`, `missed`, or `excused` (nobody could trade in any of
    its time). Of `counted_ms` so far it was there for `present_ms`, and is there now or not (`is_present`)."""

    interval: int
    verdict: str
    from_ms: int
    until_ms: int
    counted_ms: int
    present_ms: int
    is_present: bool
    asked: MakerTermsView
    fees_micro: int
    rebate_micro: int


class MakerDuties(Document):
    """Rising intervals, of those that are not final yet."""

    height: int
    portfolio: str
    zone: int
    duties: list[MakerDutyView]


class OwnDutyView(Document):
    """What one's own orders show of an open interval, among the best prices that count, and what is `missing`: of
    `buy_size`, `sell_size` and `spread`. `spread_micro`: how far apart the size stands, if it stands on both sides."""

    interval: int
    portfolio: str
    is_present: bool
    counted_ms: int
    present_ms: int
    until_ms: int
    asked: MakerTermsView
    shown_buy_wh: int
    shown_sell_wh: int
    spread_micro: int | None
    missing: list[str]


class OwnDuties(Document):
    """Rising intervals, first those whose time counts now or next; `next`: the `after` of the following page, 0 when
    there is none."""

    height: int
    duties: list[OwnDutyView]
    next: int
