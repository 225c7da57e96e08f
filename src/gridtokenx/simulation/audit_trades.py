"""Trades against the orders that made them, and the sums that positions and dues keep of them and of their ends."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.codec import Decoder
from gridtokenx.modules.identity.messages import Licence, RoleName, Source
from gridtokenx.modules.identity.rosters import MEMBERSHIPS
from gridtokenx.modules.identity.state import FEEDERS, PARTICIPANTS, PORTFOLIOS, ROLES, Portfolio
from gridtokenx.modules.market.messages import PlaceBlockOrder, PlaceOrder, Side, Terms
from gridtokenx.modules.market.state import (
    BLOCK_ORDERS,
    DUES,
    EMPTY_POSITION,
    INTERVALS,
    ORDERS,
    POSITIONS,
    SKY,
    TERMS,
    BlockOrder,
    Clearing,
    Interval,
    Position,
    Trade,
)
from gridtokenx.simulation import audit_rules as rules
from gridtokenx.simulation.audit_auctions import Accepted, AuctionAudit
from gridtokenx.simulation.audit_bands import BandAudit
from gridtokenx.simulation.audit_links import LinkAudit
from gridtokenx.simulation.audit_members import MemberAudit
from gridtokenx.simulation.audit_told import Told
from gridtokenx.simulation.audit_voids import VoidAudit

_decode_trade: Decoder[Trade] = Decoder(Trade)


class Offer(NamedTuple):
    """What an order asked for, as far as a trade must respect it."""

    interval: int
    side: int
    limit_micro: int
    source: int
    portfolio: bytes


class TradeAudit:
    """Follows the trades of all blocks. `copy` is the auditor's copy of the tables, by prefix."""

    def __init__(self, copy: dict[int, dict[bytes, Any]], places: rules.Map, members: MemberAudit) -> None:
        self.copy = copy
        self.members = members
        self.map = places
        self.findings: list[str] = []
        self.traded_wh = self.traded_micro = self.voided_wh = self.voided_micro = 0
        self.voids = VoidAudit(copy)
        self.links = LinkAudit(copy)
        self.bands = BandAudit(copy)
        self.auctions = AuctionAudit(copy, self.bands)
        self._with_auctions: list[Trade] = []
        """Of this block; they need its outcomes."""
        self.with_fees: list[tuple[Trade, int]] = []
        """The block's trades of two orders, each with a side's trading fee; below zero of those that are void."""
        self._legs: dict[bytes, tuple[list[PlaceBlockOrder | BlockOrder], defaultdict[int, int]]] = {}
        """Block orders that traded in this block, by their names: what each may be, and its energy by interval."""
        self._sums: defaultdict[bytes, list[int]] = defaultdict(lambda: [0] * 6)
        """Sold and bought Wh, sale value and fee, purchase value and cost, by interval ‖ portfolio."""
        self._collateral: defaultdict[bytes, int] = defaultdict(int)
        """By interval ‖ portfolio."""
        self._dues: defaultdict[bytes, int] = defaultdict(int)
        for key, position in copy[POSITIONS.prefix].items():
            self._sums[key] = _sums_of(position)
            self._collateral[key] = position.collateral_micro
        for key, due in copy[DUES.prefix].items():
            self._dues[key] = due.amount_micro

    def remember(self, encoded: Sequence[bytes]) -> None:
        """The trades of the block that left the first state, which its successor may void."""
        self.voids.remember([_decode_trade(data, f"trade {number}") for number, data in enumerate(encoded)])

    def check_block(self, told: Told, block: Block, outcome: BlockOutcome) -> None:
        """Each trade within both limits, at the resting order's price as far as that is in the band, in no halted zone,
        between unrelated parties, for the right wheeling; void what traded on a stale clock. The copy must still be
        that from before the block."""
        self.findings = []
        self.traded_wh = self.traded_micro = self.voided_wh = self.voided_micro = 0
        trades = [_decode_trade(data, f"trade {number}") for number, data in enumerate(outcome.trades)]
        self.voids.begin_block(block, trades)
        self.links.begin_block()
        self.auctions.begin_block(block)
        self.bands.begin_block(block, outcome.changes)
        self._with_auctions = []
        self.with_fees = []
        self._legs = {}
        for number, trade in enumerate(trades):
            if trade.voids:
                self._check_void(trade)
            elif not any(trade.buyer) or not any(trade.seller):
                self._with_auctions.append(trade)
            else:
                self._check_trade(told, number, trade)

    def check_auctions(self, clearings: dict[bytes, Any], intervals: dict[bytes, Any]) -> None:
        """What auctions of this block decided and traded. The copy must be that from after the block."""
        self.auctions.note_void(self.links.moved)
        for flow in self.auctions.note_outcomes(clearings):
            self.links.add_flow(*flow)
        for trade in self._with_auctions:
            accepted = self.auctions.take(trade)
            if accepted is not None:
                self._add_accepted(accepted)
        self.auctions.end_block(intervals, self._add_rest)

    def _add_accepted(self, accepted: Accepted) -> None:
        """One side of an auction's trades in all sums."""
        trade, order, money = accepted
        head = trade.interval.to_bytes(4, "big")
        own = self._sums[head + order.portfolio]
        self._dues[head + self._office(RoleName.FEE_POOL)] += money.trading_fee
        if order.side == Side.SELL:
            own[0] += trade.quantity_wh
            own[2] += money.value
            own[3] += money.trading_fee
            self._collateral[head + order.portfolio] += trade.collateral_micro
            return
        self.traded_wh += trade.quantity_wh
        self.traded_micro += money.value
        own[1] += trade.quantity_wh
        own[4] += money.value
        own[5] += money.buyer_pays
        self._dues[head + self.map.distributor(order.feeder)] += money.to_buyers_distributor

    def _add_rest(self, number: int, clearing: Clearing, halves_micro: int) -> None:
        """What buyers paid for the sellers' wires goes to the zones of the sales, by energy and rounded down; borders
        are paid, and what is left is congestion rent."""
        head, sold_wh = number.to_bytes(4, "big"), defaultdict[int, int](int)
        for node in clearing.nodes:
            sold_wh[self.map.zone_of_place(node.place)] += node.sold_wh
        rest = halves_micro
        for zone, zone_wh in sold_wh.items():
            if zone_wh:
                part = rules.down(halves_micro * zone_wh, sum(sold_wh.values()))
                self._dues[head + self.map.distributor_of_zone(zone)] += part
                rest -= part
        self._dues[head + self._office(RoleName.TRANSMISSION)] += sum(link.wheeling_micro for link in clearing.links)
        self._dues[head + self._office(RoleName.CONGESTION)] += rest + sum(link.rent_micro for link in clearing.links)

    def _check_void(self, record: Trade) -> None:
        trade = self.voids.take(record)
        if trade is not None:
            self.voided_wh += trade.quantity_wh
            self.voided_micro += rules.down(trade.price_micro * trade.quantity_wh, 1_000)
            money = self._money(self._terms(trade), trade)
            assert money is not None, "it was a trade"
            self._add(trade, money, -1)

    def _terms(self, trade: Trade) -> Terms:
        interval = self.copy[INTERVALS.prefix][trade.interval.to_bytes(4, "big")]
        terms: Terms = self.copy[TERMS.prefix][interval.terms.to_bytes(4, "big")]
        return terms

    def _check_trade(self, told: Told, number: int, trade: Trade) -> None:
        self.traded_wh += trade.quantity_wh
        self.traded_micro += rules.down(trade.price_micro * trade.quantity_wh, 1_000)
        interval = self.copy[INTERVALS.prefix][trade.interval.to_bytes(4, "big")]
        terms = self._terms(trade)
        reasons = ["no such orders"]
        bids = self._offers(told, trade.buyer + trade.buyer_order, trade.interval, Side.BUY, interval, terms)
        asks = self._offers(told, trade.seller + trade.seller_order, trade.interval, Side.SELL, interval, terms)
        for bid in bids:
            for ask in asks:
                if (trade.buyer_portfolio, trade.seller_portfolio) != (bid.portfolio, ask.portfolio):
                    reasons = ["other portfolios than its orders'"]
                    continue
                money = self._money(terms, trade)
                reasons = ["no way between the feeders"]
                if money is not None:
                    reasons = self._objections(terms, interval, trade, bid, ask, money)
                    if not reasons:
                        self._add(trade, money, 1)
                        self._count_legs(told, trade)
                        self.bands.note(trade)
                        return
        self.findings.append(f"trade {number} of {trade.quantity_wh} Wh at {trade.price_micro}: {', '.join(reasons)}")

    def _offers(self, told: Told, key: bytes, number: int, side: Side, interval: Interval, terms: Terms) -> list[Offer]:
        """What the order of this key may have asked for: as it stood before the block, or as a message of the
        block placed or amended it. An amendment changes the limit alone."""
        offers = [self._placed(message, interval, terms) for message in told.placed.get(key, ())]
        offers += [
            Offer(number, block.side, block.price_micro, block.source, block.portfolio)
            for block in self._blocks(told, key)
            if block.interval <= number < block.interval + block.intervals
        ]
        resting = self.copy[ORDERS.prefix].get(key)
        if resting is not None:
            offers.append(Offer(resting.interval, resting.side, resting.price_micro, resting.source, resting.portfolio))
        fitting = [offer for offer in offers if offer.interval == number and offer.side == side]
        limits = told.amended.get(key, ())
        return fitting + [offer._replace(limit_micro=limit) for limit in limits for offer in fitting]

    def _blocks(self, told: Told, key: bytes) -> list[PlaceBlockOrder | BlockOrder]:
        """The block orders that this key may have named: placed in the block, or waiting before it."""
        waiting = self.copy[BLOCK_ORDERS.prefix].get(key)
        return [*told.placed_blocks.get(key, ()), *([] if waiting is None else [waiting])]

    def _count_legs(self, told: Told, trade: Trade) -> None:
        """What names of block orders traded, in which interval."""
        for key in rules.order_keys(trade):
            blocks = self._blocks(told, key)
            if blocks and key not in self.copy[ORDERS.prefix]:
                self._legs.setdefault(key, (blocks, defaultdict(int)))[1][trade.interval] += trade.quantity_wh

    def check_blocks(self, told: Told, changes: dict[bytes, tuple[Any, Any]]) -> None:
        """A block order traded all of its energy in each of its intervals, or none, and waits no longer. (A name that
        stood for several orders in one block proves nothing.) The copy must be that from after the block."""
        for key, (blocks, traded) in self._legs.items():
            if len(blocks) > 1 or key in told.placed:
                continue
            (block,) = blocks
            wanted = dict.fromkeys(range(block.interval, block.interval + block.intervals), block.quantity_wh)
            if traded != wanted:
                self.findings.append(f"block order {key.hex()} traded {dict(traded)}, not {wanted}")
            if key in self.copy[BLOCK_ORDERS.prefix]:
                self.findings.append(f"block order {key.hex()} traded and waits")
        for key, (old, new) in changes.items():
            same = old is None or new is None or replace(old, tried_ms=new.tried_ms) == new
            if not same and key not in told.placed_blocks:
                self.findings.append(f"block order {key.hex()} changed while it waited")

    def _placed(self, message: PlaceOrder, interval: Interval, terms: Terms) -> Offer:
        limit = message.price_micro
        if message.market and message.side == Side.BUY:
            limit = interval.tariff_micro - interval.tariff_micro % terms.tick_micro
        elif message.market:
            limit = rules.up(terms.buy_back_micro, terms.tick_micro) * terms.tick_micro
        return Offer(message.interval, message.side, limit, message.source, message.portfolio)

    def _money(self, terms: Terms, trade: Trade) -> rules.TradeMoney | None:
        """What the trade costs; None where no way leads from seller to buyer."""
        portfolios = self.copy[PORTFOLIOS.prefix]
        here, there = portfolios[trade.buyer_portfolio].feeder, portfolios[trade.seller_portfolio].feeder
        borders = self.map.borders(there, trade.zones, here)
        if borders is None:
            return None
        return rules.trade_money(terms, trade.price_micro, trade.quantity_wh, here == there, borders)

    def _objections(
        self, terms: Terms, interval: Interval, trade: Trade, bid: Offer, ask: Offer, money: rules.TradeMoney
    ) -> list[str]:
        buyer, seller = self.copy[PORTFOLIOS.prefix][bid.portfolio], self.copy[PORTFOLIOS.prefix][ask.portfolio]
        way = money.wheeling_per_kwh
        found = []
        if trade.price_micro % terms.tick_micro:
            found.append("price off the tick")
        if trade.price_micro < ask.limit_micro:
            found.append(f"below the seller's limit {ask.limit_micro}")
        if trade.price_micro + way > bid.limit_micro:
            found.append(f"with {way} of wheeling above the buyer's limit {bid.limit_micro}")
        found += self.bands.objections(terms, interval, trade, ask.limit_micro, bid.limit_micro - way)
        if trade.wheeling_micro != money.wheeling:
            found.append(f"wheeling {trade.wheeling_micro} instead of {money.wheeling}")
        if trade.source != ask.source or not bid.source >> ask.source & 1:
            found.append("a source that the buyer did not accept")
        one = self.copy[PARTICIPANTS.prefix][buyer.participant]
        other = self.copy[PARTICIPANTS.prefix][seller.participant]
        if buyer.participant == seller.participant or (one.group and one.group == other.group):
            found.append("between related parties")
        if trade.quantity_wh <= 0:
            found.append("of nothing")
        least, most = self._collateral_bounds(terms, interval, trade, ask)
        if not least <= trade.collateral_micro <= most:
            found.append(f"with a collateral of {trade.collateral_micro}, not in {least} to {most}")
        return found

    def _add(self, trade: Trade, money: rules.TradeMoney, sign: int) -> None:
        """One trade more in all sums, or (`sign` -1) one less."""
        portfolios, head = self.copy[PORTFOLIOS.prefix], trade.interval.to_bytes(4, "big")
        buyer, seller = portfolios[trade.buyer_portfolio], portfolios[trade.seller_portfolio]
        bought, sold = self._sums[head + trade.buyer_portfolio], self._sums[head + trade.seller_portfolio]
        self.with_fees.append((trade, sign * money.trading_fee))
        bought[1] += sign * trade.quantity_wh
        bought[4] += sign * money.value
        bought[5] += sign * money.buyer_pays
        sold[0] += sign * trade.quantity_wh
        sold[2] += sign * money.value
        sold[3] += sign * money.trading_fee
        self._collateral[head + trade.seller_portfolio] += sign * trade.collateral_micro
        self.links.add(trade, sign)
        dues = self._dues
        dues[head + self.map.distributor(buyer.feeder)] += sign * money.to_buyers_distributor
        dues[head + self._office(RoleName.FEE_POOL)] += sign * 2 * money.trading_fee
        if money.to_sellers_distributor:
            dues[head + self.map.distributor(seller.feeder)] += sign * money.to_sellers_distributor
        if money.wheeling_borders:
            dues[head + self._office(RoleName.TRANSMISSION)] += sign * money.wheeling_borders

    def add_due(self, key: bytes, amount: int) -> None:
        """So much more is owed to interval ‖ account; the fee pool's if no account is named."""
        self._dues[key if len(key) > 4 else key + self._office(RoleName.FEE_POOL)] += amount

    def _collateral_bounds(self, terms: Terms, interval: Interval, trade: Trade, ask: Offer) -> tuple[int, int]:
        """Kept for a trade: the collateral at the trade's price, but no more than the order held for this part of
        it. Which part carries a rounding depends on the order's other fills, so there is a least and a most: at
        worst two fractions of a fee at the limit and one of the risk are cut."""
        most = rules.sellers_collateral(terms, interval.tariff_micro, trade.price_micro, trade.quantity_wh)
        at_limit = rules.sellers_collateral(terms, interval.tariff_micro, ask.limit_micro, trade.quantity_wh)
        return max(min(most, at_limit - 2), 0), most

    def check_positions(self, positions: dict[bytes, tuple[Any, Any]], dues: dict[bytes, tuple[Any, Any]]) -> None:
        """Positions and dues of this block, as (old, new), are the sums of the trades seen so far."""
        for key, (_, position) in positions.items():
            if position is None:
                if any(self._sums.pop(key, ())) and key[:4] in self.copy[INTERVALS.prefix]:
                    self.findings.append(f"position {key.hex()} vanished with trades in it")
                self._collateral.pop(key, None)
                continue
            if _sums_of(position) != self._sums[key]:
                self.findings.append(f"position {key.hex()} is {_sums_of(position)}, its trades give {self._sums[key]}")
            if position.collateral_micro != self._collateral[key]:
                self.findings.append(
                    f"position {key.hex()}: collateral {position.collateral_micro}, its trades {self._collateral[key]}"
                )
        for key, (_, due) in dues.items():
            if due is None:
                self._dues.pop(key, None)
            elif due.amount_micro != self._dues[key]:
                self.findings.append(f"due {key.hex()} is {due.amount_micro}, the trades give {self._dues[key]}")

    def check_limits(self, positions: dict[bytes, tuple[Any, Any]]) -> None:
        """No position grew beyond what the connection, the sky and a licence allow. (A licence that shrank
        afterwards stops further growth only.)"""
        for key, (old, new) in positions.items():
            if new is None:
                continue
            before = old or EMPTY_POSITION
            portfolio = self.copy[PORTFOLIOS.prefix][key[4:]]
            if self.copy[MEMBERSHIPS.prefix]:
                portfolio = self._with_members(key, portfolio)
            participant = self.copy[PARTICIPANTS.prefix][portfolio.participant]
            short_wh = long_wh = 0
            if participant.licence == Licence.DEALER:
                short_wh, long_wh = participant.short_wh, participant.long_wh
            sale, sale_before = rules.net_sale_wh(new), rules.net_sale_wh(before)
            if sale > sale_before and sale > self._can_export(key[:4], portfolio) + short_wh:
                self.findings.append(f"position {key.hex()} sells {sale} Wh net, more than it may")
            purchase, purchase_before = rules.net_purchase_wh(new), rules.net_purchase_wh(before)
            if purchase > purchase_before and purchase > rules.down(portfolio.import_w, 4) + long_wh:
                self.findings.append(f"position {key.hex()} buys {purchase} Wh net, more than it may")

    def _with_members(self, key: bytes, portfolio: Portfolio) -> Portfolio:
        """With what its members can do then; of a site that another trades then, nothing."""
        interval = int.from_bytes(key[:4], "big")
        roster = self.members.roster(key[4:], interval)
        if roster is not None:
            return replace(portfolio, import_w=roster.import_w, export_w=roster.export_w)
        idle = self.members.portfolio_of(key[4:], interval) is not None
        return replace(portfolio, import_w=0, export_w=(0,) * len(Source)) if idle else portfolio

    def _can_export(self, interval: bytes, portfolio: Any) -> int:
        number = int.from_bytes(interval, "big")
        zone = self.copy[FEEDERS.prefix][portfolio.feeder.to_bytes(2, "big")].zone
        sky = self.copy[SKY.prefix].get(bytes([zone, rules.bangkok(number).month]))
        return rules.can_export(portfolio.export_w, sky, number)

    def _office(self, role: RoleName) -> bytes:
        account: bytes = self.copy[ROLES.prefix][bytes([role])].account
        return account


def _sums_of(position: Position) -> list[int]:
    return [
        position.sold_wh,
        position.bought_wh,
        position.sale_value_micro,
        position.sale_fee_micro,
        position.purchase_value_micro,
        position.purchase_cost_micro,
    ]
