"""The auditor's own look at auctions: who takes part, what each order got, and whether anything else would be better.

From the trades alone it builds what one more and one less Wh of export costs at each place, and asks for the cheapest
way from place to place: if no round trip saves anything, no other trades have more welfare, and the distances from and
to the ground are the bounds of each price. It uses nothing of the ledger's auction
(of one that met its limit of steps it asks that each place was cleared by itself).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from msgspec.structs import replace

from gridtokenx.ledger.block import Block
from gridtokenx.ledger.consensus import CONSENSUS
from gridtokenx.ledger.freeze import FREEZE
from gridtokenx.ledger.header import LAST_BLOCK
from gridtokenx.modules.grid.state import LIMITS, LINKS, Link
from gridtokenx.modules.identity.messages import Kyc, Licence
from gridtokenx.modules.identity.state import FEEDERS, PARTICIPANTS, ZONES
from gridtokenx.modules.market.auction.clearing import Method
from gridtokenx.modules.market.messages import Side, Terms
from gridtokenx.modules.market.state import (
    AUCTIONS,
    CLEARINGS,
    INTERVALS,
    ORDERS,
    TERMS,
    ClearedNode,
    Clearing,
    GateStage,
    Interval,
    Order,
    Phase,
    Trade,
)
from gridtokenx.simulation import audit_rules as rules
from gridtokenx.simulation.audit_bands import BandAudit
from gridtokenx.simulation.audit_links import FEEDERS_FROM

ANY_SOURCE = 127
PLACES = 16_777_216
"""An order's place is its block's height times this, and its place in the block."""

Changed = Mapping[bytes, tuple[Any, Any]]


def _moved(seen: Mapping[bytes, Link], moved_wh: Mapping[bytes, int]) -> dict[bytes, Link]:
    """Records of links with so much more energy on them."""
    return {name: replace(link, net_wh=link.net_wh + moved_wh.get(name, 0)) for name, link in seen.items()}


@dataclass
class Gate:
    """An interval whose gate passed. `orders` are those that take part; without `whole` some were booked before the
    auditor came."""

    orders: dict[bytes, Order]
    whole: bool
    halves_micro: int = 0
    filled: dict[bytes, int] = field(default_factory=dict)
    is_frozen: bool = False
    links: list[dict[bytes, Link]] = field(default_factory=list)
    """The links' records when the gate passed, and before this block, each with what void trades have given back since:
    what was free counted from one or the other."""


class Accepted(NamedTuple):
    """A trade of an auction that is right, and what it costs."""

    trade: Trade
    order: Order
    money: rules.TradeMoney


class AuctionAudit:
    """Follows the auctions of all blocks. `copy` is the auditor's copy of the tables, by prefix."""

    def __init__(self, copy: Mapping[int, Mapping[bytes, Any]], bands: BandAudit) -> None:
        self.copy = copy
        self.bands = bands
        self.findings: list[str] = []
        self.gates: dict[bytes, Gate] = {}
        for key, auction in copy[AUCTIONS.prefix].items():
            orders = self._taking_part(key, auction.stale_height)
            self.gates[key] = Gate(orders, auction.stage != GateStage.BOOKING, auction.halves_micro)

    def begin_block(self, block: Block) -> None:
        """Which gates this block finds passed, and who takes part there. The copy must be that from before it."""
        self.findings = []
        if not any(terms.call_phase_ms for terms in self.copy[TERMS.prefix].values()):
            return
        for key, interval in self.copy[INTERVALS.prefix].items():
            passed = interval.gate_ms <= block.time_ms and interval.phase == Phase.TRADING
            if passed and key not in self.gates and self._terms(interval).call_phase_ms:
                orders = self._taking_part(key, self._stale_height(block, interval))
                self.gates[key] = Gate(orders, whole=True, is_frozen=b"" in self.copy[FREEZE.prefix])
        for key, gate in self.gates.items():
            seen = {name: link for name, link in self.copy[LINKS.prefix].items() if name[:4] == key}
            gate.links = [*gate.links[:1], seen]

    def _stale_height(self, block: Block, interval: Interval) -> int:
        last, terms = self.copy[LAST_BLOCK.prefix].get(b""), self.copy[CONSENSUS.prefix].get(b"")
        if last is None or terms is None or not last.time_ms < interval.gate_ms:
            return 0
        gap_ms = block.time_ms - last.time_ms
        height: int = last.height
        return height if gap_ms > 60_000 and gap_ms > 10 * terms.block_ms else 0

    def _taking_part(self, key: bytes, stale_height: int) -> dict[bytes, Order]:
        """Plain orders that last until the gate, of who may trade until then, in zones that are not halted beyond it,
        and not of a block with a stale clock."""
        number, gate_ms = int.from_bytes(key, "big"), self.copy[INTERVALS.prefix][key].gate_ms
        found = {}
        for name, order in sorted(self.copy[ORDERS.prefix].items()):
            if order.interval != number or order.expires_ms < gate_ms or order.scope or order.display_wh:
                continue
            zone = self.copy[FEEDERS.prefix][order.feeder.to_bytes(2, "big")].zone
            if self.bands.holds_at_gate(key + bytes([zone]), gate_ms):
                continue
            owner = self.copy[PARTICIPANTS.prefix][order.participant]
            may_trade = not owner.suspended and owner.kyc == Kyc.VERIFIED and owner.licence != Licence.NONE
            may_trade = may_trade and min(owner.kyc_until_ms, owner.licence_until_ms) >= gate_ms
            stale = stale_height and order.place // PLACES == stale_height
            if may_trade and not stale and (order.side == Side.SELL or order.source == ANY_SOURCE):
                found[name] = order
        return found

    def _terms(self, interval: Interval) -> Terms:
        terms: Terms = self.copy[TERMS.prefix][interval.terms.to_bytes(4, "big")]
        return terms

    def note_void(self, moved: Mapping[bytes, int]) -> None:
        """What this block's trades moved over links. After a gate only void ones do, and all are void before a block
        begins with its auction."""
        for key, gate in self.gates.items():
            back_wh = {name: energy_wh for name, energy_wh in moved.items() if name[:4] == key}
            if back_wh:
                gate.links = [_moved(seen, back_wh) for seen in gate.links]

    def note_outcomes(self, clearings: Changed) -> list[tuple[int, int, int]]:
        """Outcomes of this block: is there an auction, and do flows fit what links had free. (Interval, link, Wh) of
        all flows."""
        flows = []
        for key, (old, new) in clearings.items():
            number = int.from_bytes(key, "big")
            if new is None:
                continue
            gate = self.gates.get(key)
            if old is not None:
                self._find(key, "has another outcome than before")
            elif gate is None or gate.is_frozen:
                self._find(key, "has an auction and ought to have none")
            else:
                self._check_links(key, new)
                flows += [(number, link.link, link.flow_wh) for link in new.links if link.flow_wh]
        return flows

    def _check_links(self, key: bytes, clearing: Clearing) -> None:
        gate = self.gates[key]
        feeders = {FEEDERS_FROM + order.feeder for order in gate.orders.values()}
        wanted = self._borders() | {link for link in feeders if self._limit(key, link)}
        if gate.whole and {link.link for link in clearing.links} != wanted:
            self._find(key, "has other links than the grid")
        for link in clearing.links:
            if not -link.backward_free_wh <= link.flow_wh <= link.forward_free_wh:
                self._find(key, f"sends {link.flow_wh} Wh over link {link.link}, which is more than is free")
            told = link.forward_free_wh, link.backward_free_wh
            if gate.whole and told not in [self._free(key, link.link, seen) for seen in gate.links]:
                self._find(key, f"says that link {link.link} has {told} free")

    def _free(self, key: bytes, number: int, seen: Mapping[bytes, Link]) -> tuple[int, int]:
        """What a link still carries each way, by these records."""
        link = seen.get(key + number.to_bytes(3, "big"))
        if link is None:
            return self._limit(key, number) or (10**12, 10**12)
        return max(link.forward_wh - link.net_wh, 0), max(link.backward_wh + link.net_wh, 0)

    def _borders(self) -> set[int]:
        zones = self.copy[ZONES.prefix]
        pairs = ((key[0], other) for key, zone in zones.items() for other in zone.neighbours if bytes([other]) in zones)
        return {min(pair) * 256 + max(pair) for pair in pairs if pair[0] != pair[1]}

    def _limit(self, key: bytes, link: int) -> tuple[int, int] | None:
        """What a link carries in an interval unless that was changed; None if it has no limit."""
        limit = self.copy[LIMITS.prefix].get(link.to_bytes(3, "big"))
        changes = [] if limit is None else [each for each in limit.changes if each[0] <= int.from_bytes(key, "big")]
        return changes[-1][1:] if changes else None

    def take(self, trade: Trade) -> Accepted | None:
        """The order and the money of a trade with an auction; None, with a finding, if it is not right."""
        key = trade.interval.to_bytes(4, "big")
        gate, clearing = self.gates.get(key), self.copy[CLEARINGS.prefix].get(key)
        buys = any(trade.buyer)
        name = trade.buyer + trade.buyer_order if buys else trade.seller + trade.seller_order
        order = None if gate is None else gate.orders.get(name)
        if gate is None or clearing is None or order is None:
            self._find(key, f"trades order {name.hex()}, which has no part in an auction")
            return None
        interval = self.copy[INTERVALS.prefix][key]
        terms = self._terms(interval)
        money = rules.trade_money(terms, trade.price_micro, trade.quantity_wh, same_feeder=False, borders=0)
        gate.filled[name] = gate.filled.get(name, 0) + trade.quantity_wh
        place = self._place(clearing, order)
        node = next((each for each in clearing.nodes if each.place == place), None)
        for objection in self._objections(interval, terms, node, trade, order, money):
            self._find(key, f"trades {trade.quantity_wh} Wh of order {name.hex()} {objection}")
        if buys:
            gate.halves_micro += money.to_sellers_distributor
        return Accepted(trade, order, money)

    def _objections(
        self,
        interval: Interval,
        terms: Terms,
        node: ClearedNode | None,
        trade: Trade,
        order: Order,
        money: rules.TradeMoney,
    ) -> list[str]:
        found = []
        selling = order.side == Side.SELL
        own, other = trade.seller_portfolio, trade.buyer_portfolio
        if not selling:
            own, other = other, own
        if node is None or trade.price_micro != node.price_micro:
            found.append(f"at {trade.price_micro}, which is not the price there")
        if selling != (not any(trade.buyer)) or any(trade.buyer) == any(trade.seller) or any(other):
            found.append("with somebody")
        if own != order.portfolio or trade.source != order.source or trade.taker_side != order.side or trade.zones:
            found.append("with other marks than the order's")
        if trade.wheeling_micro != (0 if selling else money.wheeling):
            found.append(f"for wheeling of {trade.wheeling_micro}")
        kept = 0
        if selling:
            by_limit = rules.sellers_collateral(terms, interval.tariff_micro, order.price_micro, trade.quantity_wh)
            by_price = rules.sellers_collateral(terms, interval.tariff_micro, trade.price_micro, trade.quantity_wh)
            kept = min(by_limit, by_price)
        if trade.collateral_micro != kept:
            found.append(f"with a collateral of {trade.collateral_micro} instead of {kept}")
        return found

    def _place(self, clearing: Clearing, order: Order) -> int:
        """Where an order stands: its feeder, if that has a limit, or its zone."""
        own = FEEDERS_FROM + order.feeder
        if any(link.link == own for link in clearing.links):
            return own
        zone: int = self.copy[FEEDERS.prefix][order.feeder.to_bytes(2, "big")].zone
        return zone

    def end_block(self, intervals: Changed, owe: Callable[[int, Clearing, int], None]) -> None:
        """Auctions that ended in this block: everything about them together. `owe` is told of the money that no single
        trade explains: interval, outcome, the buyers' halves."""
        for key, (_, interval) in intervals.items():
            if interval is None or interval.phase != Phase.CLOSED or key not in self.gates:
                continue
            gate, clearing = self.gates.pop(key), self.copy[CLEARINGS.prefix].get(key)
            if clearing is None:
                if gate.orders and not gate.is_frozen:
                    self._find(key, "had orders and no auction")
                continue
            owe(int.from_bytes(key, "big"), clearing, gate.halves_micro)
            if gate.whole:
                self._check_whole(key, gate, clearing, self._terms(interval))

    def _check_whole(self, key: bytes, gate: Gate, clearing: Clearing, terms: Terms) -> None:
        """Quantities, places, welfare and prices."""
        way = terms.wheeling_base_micro + terms.wheeling_feeder_micro
        marks: defaultdict[int, Marks] = defaultdict(Marks)
        equals: defaultdict[tuple[int, int, int], list[tuple[int, int, int]]] = defaultdict(list)
        for name, order in gate.orders.items():
            place, filled_wh = self._place(clearing, order), gate.filled.get(name, 0)
            if filled_wh > order.remaining_wh:
                self._find(key, f"trades more than order {name.hex()} has")
            worth = order.price_micro - (0 if order.side == Side.SELL else way)
            marks[place].add(order.side, worth, filled_wh, order.remaining_wh - filled_wh)
            equals[place, order.side, worth].append((order.place, filled_wh, order.remaining_wh))
        for same in equals.values():
            same.sort()
            if any(later[1] and one[1] < one[2] for one, later in pairwise(same)):
                self._find(key, "prefers a later order to an earlier one with the same limit")
        limited = [link.link for link in clearing.links if link.link >= FEEDERS_FROM]
        net_wh = dict.fromkeys([*(zone[0] for zone in self.copy[ZONES.prefix]), *limited], 0)
        arcs: list[tuple[int, int, int]] = []
        for link in clearing.links:
            start, end, cost = self._ends(link.link, terms)
            net_wh[start] += link.flow_wh
            net_wh[end] -= link.flow_wh
            if clearing.method == Method.APART:
                if link.flow_wh:
                    self._find(key, f"cleared each place by itself, and sends energy over link {link.link}")
                continue
            if link.flow_wh < link.forward_free_wh:
                arcs.append((start, end, cost if link.flow_wh >= 0 else -cost))
            if link.flow_wh > -link.backward_free_wh:
                arcs.append((end, start, cost if link.flow_wh <= 0 else -cost))
        told = {node.place: (node.sold_wh, node.bought_wh) for node in clearing.nodes}
        for place, flows_wh in net_wh.items():
            own = marks[place]
            if (own.sold_wh, own.bought_wh) != told.get(place, (0, 0)):
                self._find(key, f"sold {own.sold_wh} and bought {own.bought_wh} Wh in {place}, and says other")
            if own.sold_wh - own.bought_wh != flows_wh:
                self._find(key, f"does not balance in {place}")
            arcs += [(GROUND, place, price) for price in own.up]
            arcs += [(place, GROUND, -price) for price in own.down]
        welfare = sum(own.welfare for own in marks.values()) // 1_000
        welfare -= sum(abs(link.flow_wh) * self._ends(link.link, terms)[2] // 1_000 for link in clearing.links)
        if welfare != clearing.welfare_micro:
            self._find(key, f"has a welfare of {welfare}, and says {clearing.welfare_micro}")
        self._check_prices(key, clearing, terms, list(net_wh), arcs)

    def _check_prices(
        self, key: bytes, clearing: Clearing, terms: Terms, places: list[int], arcs: list[tuple[int, int, int]]
    ) -> None:
        highest = distances(places, arcs)
        lowest = distances(places, [(end, start, cost) for start, end, cost in arcs])
        if highest is None or lowest is None:
            self._find(key, "could have traded with more welfare")
            return
        prices = {node.place: node.price_micro for node in clearing.nodes}
        for place in places:
            above, below = highest.get(place), lowest.get(place)
            wanted = None
            if above is not None and below is not None:
                wanted = (above - below) // 2
                wanted -= wanted % terms.tick_micro
            if prices.get(place) != wanted:
                self._find(key, f"has a price of {prices.get(place)} in {place} instead of {wanted}")
        for link in clearing.links:
            start, end, cost = self._ends(link.link, terms)
            price, there = prices.get(start), prices.get(end)
            wheeling = abs(link.flow_wh) * cost // 1_000
            gain = 0 if price is None or there is None else (there - price) * link.flow_wh // 1_000
            if (link.wheeling_micro, link.rent_micro) != (wheeling, gain - wheeling):
                self._find(key, f"shares what link {link.link} gains in another way")

    def _ends(self, link: int, terms: Terms) -> tuple[int, int, int]:
        """Places that a link joins, and wheeling over it."""
        if link >= FEEDERS_FROM:
            return link, self.copy[FEEDERS.prefix][(link - FEEDERS_FROM).to_bytes(2, "big")].zone, 0
        return link // 256, link % 256, terms.wheeling_border_micro

    def _find(self, key: bytes, sentence: str) -> None:
        self.findings.append(f"the auction of interval {int.from_bytes(key, 'big')} {sentence}")


GROUND = -1
"""No place: from it to a place leads one more Wh of export, back one less."""


@dataclass
class Marks:
    """What the orders of a place got: the Wh, the cheapest next Wh of export, the dearest last one, welfare x 1,000."""

    sold_wh: int = 0
    bought_wh: int = 0
    welfare: int = 0
    up: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)

    def add(self, side: int, worth: int, filled_wh: int, left_wh: int) -> None:
        """One order. What can be sold or given back is a way up, what can be bought or not sold one down."""
        selling = side == Side.SELL
        if selling:
            self.sold_wh += filled_wh
            self.welfare -= worth * filled_wh
        else:
            self.bought_wh += filled_wh
            self.welfare += worth * filled_wh
        if left_wh if selling else filled_wh:
            self.up = [min([*self.up, worth])]
        if filled_wh if selling else left_wh:
            self.down = [max([*self.down, worth])]


def distances(places: list[int], arcs: list[tuple[int, int, int]]) -> dict[int, int] | None:
    """The cheapest ways from the ground; None if going round in a ring saves something, wherever the ring lies."""
    everywhere = dict.fromkeys([*places, GROUND], 0)
    if not _settle(everywhere, arcs):
        return None
    found = {GROUND: 0}
    _settle(found, arcs)
    return found


def _settle(found: dict[int, int], arcs: list[tuple[int, int, int]]) -> bool:
    """Shorten distances until nothing changes; whether that came to an end."""
    places = {place for start, end, _ in arcs for place in (start, end)}
    for _ in range(len(places) + 1):
        changed = False
        for start, end, cost in arcs:
            if start in found and (end not in found or found[start] + cost < found[end]):
                found[end] = found[start] + cost
                changed = True
        if not changed:
            return True
    return False
