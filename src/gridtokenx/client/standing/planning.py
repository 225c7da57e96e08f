"""Which orders follow from standing instructions: a pure function of facts that the gateway tells.

*Likely* is what the meter counted in at least three of four days: of the export in the same quarter-hour of the last
seven days (estimates left out) the lower quartile; with fewer than three such days nothing is promised. What was sold
or is on sale already counts, whoever placed it, so an agent that has lost its memory still sells nothing twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from gridtokenx.client.standing.instructions import BuyDaily, Instruction
from gridtokenx.ledger.quantities import INTERVALS_PER_DAY, interval_key
from gridtokenx.modules.market.calendar import day_of, first_interval_of_day
from gridtokenx.modules.market.messages import CLIENT_ID_BYTES, PlaceOrder, TimeInForce

DAYS_BACK = 7
DAYS_MIN = 3
QUARTILE = 4
_DOMAIN = b"GridTokenX standing instruction\0"


@dataclass(frozen=True)
class Facts:
    """`open_intervals`: that can be traded now, rising. `exported_wh`: by interval, measured. `sold_wh`, `bought_wh`:
    by interval what the portfolio traded and has open."""

    open_intervals: Sequence[int]
    order_wh_min: int
    holidays: frozenset[int]
    exported_wh: Mapping[int, int]
    sold_wh: Mapping[int, int]
    bought_wh: Mapping[int, int]


@dataclass(frozen=True)
class Wish:
    """An order that an instruction asks for."""

    instruction: str
    order: PlaceOrder


def plan(instructions: Sequence[Instruction], portfolio: bytes, facts: Facts) -> list[Wish]:
    """Rising intervals. Of several instructions of one side that mean an interval the first one counts."""
    wishes = []
    for interval in facts.open_intervals:
        taken: set[int] = set()
        for instruction in instructions:
            if instruction.side in taken or not instruction.when.holds(interval, facts.holidays):
                continue
            taken.add(instruction.side)
            quantity_wh = _quantity_wh(instruction, interval, facts)
            if quantity_wh >= facts.order_wh_min:
                wishes.append(Wish(instruction.name, _order(instruction, portfolio, interval, quantity_wh)))
    return wishes


def likely_wh(exported_wh: Mapping[int, int], interval: int) -> int:
    """What the site will likely have left."""
    days = [interval - back * INTERVALS_PER_DAY for back in range(1, DAYS_BACK + 1)]
    known = sorted(exported_wh[day] for day in days if day in exported_wh)
    return known[(len(known) - 1) // QUARTILE] if len(known) >= DAYS_MIN else 0


def client_id_of(portfolio: bytes, name: str, interval: int) -> bytes:
    """The name of the one order of an instruction in an interval: the ledger lets no two of it be open."""
    return sha256(_DOMAIN + portfolio + interval_key(interval) + name.encode()).digest()[:CLIENT_ID_BYTES]


def _quantity_wh(instruction: Instruction, interval: int, facts: Facts) -> int:
    if isinstance(instruction, BuyDaily):
        return _part_of_day_wh(instruction, interval, facts) - facts.bought_wh.get(interval, 0)
    likely = likely_wh(facts.exported_wh, interval) * instruction.share_percent // 100
    return likely - facts.sold_wh.get(interval, 0)


def _part_of_day_wh(instruction: BuyDaily, interval: int, facts: Facts) -> int:
    """An equal part of the day's energy; if that is less than an order may be, the smallest order in as many intervals
    as the energy is enough for, the earliest first."""
    first = first_interval_of_day(day_of(interval))
    day = range(first, first + INTERVALS_PER_DAY)
    meant = [number for number in day if instruction.when.holds(number, facts.holidays)]
    part_wh = instruction.daily_wh // len(meant)
    if part_wh >= facts.order_wh_min:
        return part_wh
    enough = instruction.daily_wh // facts.order_wh_min
    return facts.order_wh_min if interval in meant[:enough] else 0


def _order(instruction: Instruction, portfolio: bytes, interval: int, quantity_wh: int) -> PlaceOrder:
    """Plain: good till the gate, anywhere, all of it shown; so the call phase takes it too if any source will do."""
    return PlaceOrder(
        portfolio,
        client_id_of(portfolio, instruction.name, interval),
        interval,
        instruction.side,
        instruction.price_micro,
        quantity_wh,
        instruction.source,
        TimeInForce.GOOD_TILL_GATE,
        0,
        0,
        post_only=False,
        market=False,
    )
