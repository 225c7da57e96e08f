"""The auditor's own arithmetic, written from the market rules and not from the ledger's code.

All in whole units: Wh, millionths of a WATT, millionths of a WATT per kWh. `down` and `up` say where a division
loses what, so each formula can be read against its line in `docs/market-rules.md`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import NamedTuple

from gridtokenx.modules.identity.messages import Source, SplitKind, SplitRule
from gridtokenx.modules.identity.state import Feeder, Zone
from gridtokenx.modules.market.messages import Terms
from gridtokenx.modules.market.state import Position, SkyMonth, Trade
from gridtokenx.modules.settlement.state import Quality, Registers, Statement

BANGKOK = timezone(timedelta(hours=7))
QUARTER_SECONDS = 900


def down(numerator: int, denominator: int) -> int:
    """A quotient that loses its fraction; for amounts that are never negative."""
    return numerator // denominator


def up(numerator: int, denominator: int) -> int:
    """A quotient in which a fraction counts as a whole."""
    quotient, rest = divmod(numerator, denominator)
    return quotient + (1 if rest else 0)


def order_keys(trade: Trade) -> tuple[bytes, bytes]:
    """Of the orders that met, the buyer's and the seller's."""
    return trade.buyer + trade.buyer_order, trade.seller + trade.seller_order


def net_sale_wh(position: Position) -> int:
    """What a portfolio has sold and offers, less what it bought."""
    return position.sold_wh + position.open_sell_wh - position.bought_wh


def net_purchase_wh(position: Position) -> int:
    """What it has bought and asks for, less what it sold."""
    return position.bought_wh + position.open_buy_wh - position.sold_wh


def buyers_escrow(terms: Terms, limit_micro: int, energy_wh: int) -> int:
    """Limit x quantity, and both fees as if all of it were energy value."""
    worst = down(limit_micro * energy_wh, 1_000)
    return worst + down(worst * terms.grid_fee_ppm, 10**6) + down(worst * terms.trading_fee_ppm, 10**6)


def sellers_collateral(terms: Terms, tariff_micro: int, price_micro: int, energy_wh: int) -> int:
    """What the tariff exceeds the price by, and the spread, rounded up; and the trading fee."""
    beyond = tariff_micro - price_micro if tariff_micro > price_micro else 0
    fee = down(down(price_micro * energy_wh, 1_000) * terms.trading_fee_ppm, 10**6)
    return up((beyond + terms.undelivered_spread_micro) * energy_wh, 1_000) + fee


class TradeMoney(NamedTuple):
    """Who pays and gets what in one trade."""

    value: int
    grid_fee: int
    trading_fee: int
    wheeling_base: int
    wheeling_feeder: int
    wheeling_borders: int
    wheeling_per_kwh: int
    """What the buyer pays for the way, in millionths per kWh."""

    @property
    def wheeling(self) -> int:
        """All of it."""
        return self.wheeling_base + self.wheeling_feeder + self.wheeling_borders

    @property
    def buyer_pays(self) -> int:
        """Energy, grid fee, its own trading fee and wheeling."""
        return self.value + self.grid_fee + self.trading_fee + self.wheeling

    @property
    def to_sellers_distributor(self) -> int:
        """Half of the feeder's part; an odd millionth stays with the buyer's distributor."""
        return self.wheeling_feeder // 2

    @property
    def to_buyers_distributor(self) -> int:
        """Grid fee, the base of wheeling, and the rest of the feeder's part."""
        return self.grid_fee + self.wheeling_base + self.wheeling_feeder - self.to_sellers_distributor


def trade_money(terms: Terms, price_micro: int, energy_wh: int, same_feeder: bool, borders: int) -> TradeMoney:
    """The money of one trade between two feeders."""
    value = down(price_micro * energy_wh, 1_000)
    feeder_micro = 0 if same_feeder else terms.wheeling_feeder_micro
    border_micro = terms.wheeling_border_micro * borders
    return TradeMoney(
        value,
        down(value * terms.grid_fee_ppm, 10**6),
        down(value * terms.trading_fee_ppm, 10**6),
        down(terms.wheeling_base_micro * energy_wh, 1_000),
        down(feeder_micro * energy_wh, 1_000),
        down(border_micro * energy_wh, 1_000),
        terms.wheeling_base_micro + feeder_micro + border_micro,
    )


def can_export(powers_w: Sequence[int], sky: SkyMonth | None, interval: int, without: int = -1) -> int:
    """What sources can give in an interval, the sun no more than the sky lets it; but for one source."""
    total = 0
    for source, power_w in enumerate(powers_w):
        energy_wh = 0 if source == without else down(power_w, 4)
        if source == Source.SOLAR and sky is not None:
            energy_wh = down(energy_wh * sky.per_mille[quarter_hour(interval)], 1_000)
        total += energy_wh
    return total


class Map:
    """Which zones border on each other, whichever of the two names it, and whose wires a feeder's are."""

    def __init__(self, zones: Mapping[bytes, Zone], feeders: Mapping[bytes, Feeder]) -> None:
        self._zones = zones
        self._feeders = feeders
        self._beside: dict[int, set[int]] = {key[0]: set() for key in zones}
        for key, zone in zones.items():
            for neighbour in zone.neighbours:
                if neighbour in self._beside:
                    self._beside[key[0]].add(neighbour)
                    self._beside[neighbour].add(key[0])
        self._distributors: dict[int, bytes] = {}

    def distributor(self, feeder: int) -> bytes:
        """The account of the distributor whose zone the feeder lies in."""
        if feeder not in self._distributors:
            self._distributors[feeder] = self._zones[bytes([self._zone(feeder)])].distributor
        return self._distributors[feeder]

    def distributor_of_zone(self, zone: int) -> bytes:
        """The account of a zone's distributor."""
        return self._zones[bytes([zone])].distributor

    def zone_of_place(self, place: int) -> int:
        """The zone of a place in an auction: its number, or 65,536 + the number of a feeder in it."""
        return self._zone(place - 65_536) if place >= 65_536 else place

    def borders(self, seller: int, zones: tuple[int, ...], buyer: int) -> int | None:
        """How many energy crosses from one feeder to another through these zones (none are told inside one zone);
        None if they are no way."""
        start, end = self._zone(seller), self._zone(buyer)
        if not zones:
            return 0 if start == end else None
        fits = (zones[0], zones[-1]) == (start, end) and len(set(zones)) == len(zones) > 1
        joined = all(after in self._beside.get(before, ()) for before, after in pairwise(zones))
        return len(zones) - 1 if fits and joined else None

    def _zone(self, feeder: int) -> int:
        return self._feeders[feeder.to_bytes(2, "big")].zone


def bangkok(interval: int) -> datetime:
    """When delivery begins, on a clock in Bangkok."""
    return datetime.fromtimestamp(interval * QUARTER_SECONDS, UTC).astimezone(BANGKOK)


def quarter_hour(interval: int) -> int:
    """0 to 95."""
    clock = bangkok(interval)
    return clock.hour * 4 + clock.minute // 15


def metered(before: Registers | None, now: Registers | None) -> tuple[int, int]:
    """(import, export) that is settled between two register readings; an unknown start counts 0."""
    if before is None or now is None:
        return 0, 0
    return stands(now) - stands(before), now.export_wh - before.export_wh


def stands(registers: Registers) -> int:
    """All import that is settled up to here: what was measured, and what estimates went beyond it."""
    return registers.import_wh + registers.lift_wh


def follows(before: Registers, now: Registers) -> bool:
    """Whether the later registers may stand after the earlier: what is settled never falls, a meter's reading takes
    back as much of an overestimate as it can, and an estimate repeats what was measured before it."""
    if now.quality == Quality.ESTIMATED:
        repeated = (now.import_wh, now.export_wh) == (before.import_wh, before.export_wh)
        return repeated and now.lift_wh >= before.lift_wh
    if now.export_wh < before.export_wh or stands(now) < stands(before):
        return False
    return now.lift_wh == 0 or stands(now) == stands(before)


def expected_statement(
    terms: Terms, tariff_micro: int, position: Position, import_wh: int, export_wh: int, quality: int
) -> Statement:
    """Contract against meter, by the money table of the market rules."""
    contracted = position.sold_wh - position.bought_wh
    delivered = export_wh - import_wh
    undelivered = max(0, min(contracted, contracted - delivered))
    unused = max(0, min(-contracted, delivered - contracted))
    # What is left of the difference is residual: one way by the sum, and both ways where the meter counted both
    # beyond the contract, so that a site without trades pays for all it took and earns on all it gave.
    rest = delivered - contracted + undelivered - unused
    beyond_sale = max(0, export_wh - max(0, contracted))
    beyond_purchase = max(0, import_wh - max(0, -contracted))
    both_ways = min(beyond_sale, beyond_purchase)
    other_export = both_ways + max(0, rest)
    other_import = both_ways + max(0, -rest)
    metered = import_wh, export_wh
    return _priced(terms, tariff_micro, position, metered, (undelivered, unused, other_import, other_export), quality)


def expected_statement_of_many(
    terms: Terms, tariff_micro: int, position: Position, members: Sequence[Statement]
) -> Statement:
    """A portfolio's own statement: sales against all that its members gave, purchases against all that they took; what
    is short of one and left over of the other is one trade that closed another."""
    taken, given = sum(one.import_wh for one in members), sum(one.export_wh for one in members)
    short, left_over = position.sold_wh - given, position.bought_wh - taken
    other_export, other_import = -min(short, 0), -min(left_over, 0)
    short, left_over = max(short, 0), max(left_over, 0)
    if short > left_over:
        short, left_over = short - left_over, 0
    else:
        short, left_over = 0, left_over - short
    ranks = (Quality.MEASURED, Quality.CORRECTED, Quality.ESTIMATED)
    quality = max((one.quality for one in members), key=lambda one: ranks.index(Quality(one)), default=0)
    kinds = (short, left_over, other_import, other_export)
    return _priced(terms, tariff_micro, position, (taken, given), kinds, quality)


def _priced(
    terms: Terms,
    tariff_micro: int,
    position: Position,
    metered_wh: tuple[int, int],
    kinds_wh: tuple[int, int, int, int],
    quality: int,
) -> Statement:
    """Undelivered, unused, other import, other export, each at its price."""
    undelivered, unused, other_import, other_export = kinds_wh
    average_sale = down(position.sale_value_micro * 1_000, position.sold_wh) if position.sold_wh else 0
    average_purchase = down(position.purchase_value_micro * 1_000, position.bought_wh) if position.bought_wh else 0
    undelivered_price = max(tariff_micro, average_sale) + terms.undelivered_spread_micro
    unused_price = max(0, min(terms.buy_back_micro, average_purchase) - terms.unused_spread_micro)
    charge = down(undelivered * undelivered_price, 1_000) + down(other_import * tariff_micro, 1_000)
    credit = down(unused * unused_price, 1_000) + down(other_export * terms.buy_back_micro, 1_000)
    return Statement(
        *metered_wh,
        position.sold_wh,
        position.bought_wh,
        undelivered,
        unused,
        other_import,
        other_export,
        position.purchase_cost_micro,
        position.sale_value_micro - position.sale_fee_micro,
        charge,
        credit,
        quality,
    )


def bill(statement: Statement) -> int:
    """What the portfolio pays for the interval; below zero what it earns."""
    paid = statement.purchase_cost_micro + statement.charge_micro
    return paid - statement.sale_proceeds_micro - statement.credit_micro


def expected_shares(rule: SplitRule, gain: int, members: Mapping[bytes, Statement]) -> dict[bytes, int]:
    """What each member gets of a gain, or pays of a loss (both below zero), cut to whole millionths."""
    counts = {}
    for name, line in members.items():
        metered = {SplitKind.METERED: line.import_wh + line.export_wh, SplitKind.EXPORT: line.export_wh}
        silent = line.quality == Quality.ESTIMATED and gain >= 0
        counts[name] = 0 if silent else metered.get(SplitKind(rule.kind), 1)
    if not any(counts.values()):
        counts = dict.fromkeys(counts, 1)
    total = sum(counts.values())
    if gain >= 0:
        whole = gain - down(gain * rule.commission_ppm, 10**6)
        return {name: down(whole * count, total) for name, count in counts.items()}
    whole = down(-gain * (10**6 - rule.loss_ppm), 10**6)
    return {name: -down(whole * count, total) for name, count in counts.items()}
