"""Block orders against a slow, obvious market (B5): try all legs on copies, else nothing; then those that came before
and have the same shape. Three intervals with little capacity on borders; plain orders beside them; one block an order,
and every minute a round."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.coupled_model import Deal, Resting, SlowMarket, open_orders
from tests.invariants import Watch
from tests.properties.test_coupled import GROUPS, LIMITED_FEEDER, OWNERS, RING, ZONE_OF, capacities, founded, quantities
from tests.world import MINUTE_MS, NOON, at, order, pseudonym

from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.messages import CancelOrder, PlaceBlockOrder, Side
from gridtokenx.modules.market.state import BLOCK_ORDERS, ORDERS, Trade, client_id_of_order

INTERVALS = (NOON, NOON + 1, NOON + 2)
NAMES = {pseudonym(f"b{number}"): f"b{number}" for number in range(200)}
decode_trade: Decoder[Trade] = Decoder(Trade)

room = st.just(100_000) | capacities


@dataclass
class SlowBlocks:
    """One slow market for each interval, and the block orders that wait, the earliest first."""

    markets: dict[int, SlowMarket]
    waiting: dict[str, tuple[str, PlaceBlockOrder]] = field(default_factory=dict)

    def place(self, name: str, owner: str, block: PlaceBlockOrder) -> None:
        """It trades now or waits."""
        if not self._try(name, owner, block, earlier=list(self.waiting)):
            self.waiting[name] = owner, block
        self._settle()

    def round(self) -> None:
        """All that wait are tried again."""
        for name in list(self.waiting):
            if name in self.waiting:
                names = list(self.waiting)
                owner, block = self.waiting[name]
                if self._try(name, owner, block, earlier=names[: names.index(name)]):
                    del self.waiting[name]
        self._settle()

    def _settle(self) -> None:
        for market in self.markets.values():
            market._settle()
            market.reopened = False  # type: ignore[attr-defined]

    def _try(self, name: str, owner: str, block: PlaceBlockOrder, earlier: list[str]) -> bool:
        intervals = range(block.interval, block.interval + block.intervals)
        if any(getattr(self.markets[interval], "reopened", False) for interval in intervals):
            return False
        before = deepcopy(self.markets)
        legs = [(self.markets[interval], _leg(name, owner, block)) for interval in intervals]
        for market, leg in legs:
            full = {link for link, wh in market.free.items() if wh <= 0}
            market._meet(leg, rested=False)
            market.reopened = any(market.free[link] > 0 for link in full)  # type: ignore[attr-defined]
        if not any(leg.left_wh for _, leg in legs):
            return True
        self.markets.update(before)
        fitting = [found for other in earlier if (found := self._opposite(name, owner, block, other)) is not None]
        if not fitting:
            return False
        _, _, other, deals = min(fitting, key=lambda found: found[:2])
        for interval, deal in zip(intervals, deals, strict=True):
            market = self.markets[interval]
            full = {link for link, wh in market.free.items() if wh <= 0}
            sides = [(name, owner), (other, self.waiting[other][0])]
            buyer, seller = (one[1] for one in (sides if block.side == Side.BUY else sides[::-1]))
            for start, end in market._links(OWNERS[seller], deal.zones, OWNERS[buyer]):
                if (start, end) in market.free:
                    market.free[start, end] -= deal.quantity_wh
                    market.free[end, start] += deal.quantity_wh
            market.reopened = any(market.free[link] > 0 for link in full)  # type: ignore[attr-defined]
            market.deals.append(deal)
        del self.waiting[other]
        return True

    def _opposite(
        self, name: str, owner: str, block: PlaceBlockOrder, other: str
    ) -> tuple[int, int, str, list[Deal]] | None:
        """What it would cost, the rank in time, and the deals, if both can trade as wholes."""
        other_owner, waits = self.waiting[other]
        shape = ("interval", "intervals", "quantity_wh")
        if waits.side == block.side or any(getattr(waits, name) != getattr(block, name) for name in shape):
            return None
        cost, deals = 0, []
        for interval in range(block.interval, block.interval + block.intervals):
            market = self.markets[interval]
            leg, own = _leg(name, owner, block), _leg(other, other_owner, waits)
            buyer, seller = (leg, own) if block.side == Side.BUY else (own, leg)
            way = market._way(leg, seller.feeder, buyer.feeder)
            if market._related(owner, other_owner) or way is None or not market._in_scope(leg, own):
                return None
            wheeling = market._wheeling(way[0])
            links = market._links(seller.feeder, way[1], buyer.feeder)
            if min([market.free.get(link, 2**60) for link in links], default=2**60) < block.quantity_wh:
                return None
            if not buyer.source >> seller.source & 1 or seller.price_micro + wheeling > buyer.price_micro:
                return None
            price = own.price_micro - (wheeling if own is buyer else 0)
            cost += price + wheeling if leg is buyer else -price
            deals.append(Deal(buyer.name, seller.name, block.quantity_wh, price, wheeling, Side(block.side), way[1]))
        return cost, list(self.waiting).index(other), other, deals


def _leg(name: str, owner: str, block: PlaceBlockOrder) -> Resting:
    return Resting(
        name, owner, Side(block.side), block.price_micro, block.quantity_wh, block.source, OWNERS[owner], block.scope,
        0, 0, 2**60,
    )  # fmt: skip


class BlockOrdersMachine(RuleBasedStateMachine):
    """Each rule is one block."""

    @initialize(forward=st.lists(room, min_size=6, max_size=6), backward=st.lists(room, min_size=6, max_size=6))
    def open(self, forward: list[int], backward: list[int]) -> None:
        self.world = founded(forward, backward)
        self.watch = Watch(self.world)
        self.world.skip_to(at(9, 31))
        free: dict[tuple[object, object], int] = {}
        for (zone, other), there, back in zip(RING, forward, backward, strict=False):
            free[zone, other], free[other, zone] = there, back
        own = ("feeder", LIMITED_FEEDER)
        free[own, "zone"], free["zone", own] = forward[-1], backward[-1]
        borders = {*RING, *((other, zone) for zone, other in RING)}
        self.slow = SlowBlocks({number: SlowMarket(ZONE_OF, borders, dict(free), GROUPS) for number in INTERVALS})
        self.owners: dict[str, str] = {}

    @rule(
        owner=st.sampled_from(sorted(OWNERS)),
        side=st.sampled_from(Side),
        shy=st.integers(-2, 8),
        quantity_wh=quantities,
        interval=st.sampled_from(INTERVALS),
        mask=st.sampled_from([127, 127, 32]),
    )
    def place(self, owner: str, side: Side, shy: int, quantity_wh: int, interval: int, mask: int) -> None:
        source, price_micro = _source_and_price(side, mask, -shy if side == Side.BUY else shy)
        name = self._name(owner)
        message = order(owner, side, quantity_wh, interval, price_micro, name, source)
        self.do(owner, message)
        self.slow.markets[interval].place(name, owner, OWNERS[owner], message)
        self.compare()

    @rule(
        owner=st.sampled_from(sorted(OWNERS)),
        side=st.sampled_from(Side),
        eager=st.integers(0, 12),
        quantity_wh=st.sampled_from([100, 100, 200, 300]),
        interval=st.sampled_from(INTERVALS[:2]),
        mask=st.sampled_from([127, 127, 32]),
        scope=st.sampled_from([0, 0, 0, 1, 2]),
        long=st.booleans(),
    )
    def place_block(self, owner: str, side: Side, eager: int, quantity_wh: int, mask: int, **more: int) -> None:
        source, price_micro = _source_and_price(side, mask, eager if side == Side.BUY else -eager)
        name, interval = self._name(owner), more["interval"]
        intervals = 3 if more["long"] and interval == NOON else 2
        named = pseudonym(owner), pseudonym(name), interval, intervals
        message = PlaceBlockOrder(*named, side, price_micro, quantity_wh, source, 0, 0, more["scope"])
        self.do(owner, message)
        self.slow.place(name, owner, message)
        self.compare()

    @precondition(lambda self: self.slow.waiting)
    @rule(data=st.data())
    def cancel_block(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.slow.waiting)))
        time_ms = self.world.time_ms + 1_000
        if time_ms // MINUTE_MS != self.world.time_ms // MINUTE_MS:
            return  # it may trade before it is taken back
        self.do(self.owners[name], CancelOrder(pseudonym(name)))
        del self.slow.waiting[name]
        self.compare()

    @precondition(lambda self: self.slow.waiting)
    @rule()
    def a_minute_passes(self) -> None:
        self.block_at((self.world.time_ms // MINUTE_MS + 1) * MINUTE_MS)
        self.compare()

    def do(self, who: str, message: Any) -> None:
        """In a block a second later, which begins with a round if a new minute has begun."""
        time_ms = self.world.time_ms + 1_000
        receipts = self.block_at(time_ms, self.world.sign(who, message))
        assert receipts[0].code == KernelCode.OK, receipts

    def block_at(self, time_ms: int, *wires: bytes) -> list[Any]:
        if time_ms // MINUTE_MS != self.world.time_ms // MINUTE_MS:
            self.slow.round()
        if not wires:
            self.world.block(time_ms=time_ms)
            return []
        return self.world.run(*wires, time_ms=time_ms)

    def _name(self, owner: str) -> str:
        name = f"b{len(self.owners)}"
        self.owners[name] = owner
        return name

    def compare(self) -> None:
        trades = [decode_trade.trusted(wire) for wire in self.world.trades]
        for interval, market in self.slow.markets.items():
            found = [
                Deal(
                    NAMES[trade.buyer_order],
                    NAMES[trade.seller_order],
                    trade.quantity_wh,
                    trade.price_micro,
                    trade.wheeling_micro * 1_000 // trade.quantity_wh,
                    Side(trade.taker_side),
                    trade.zones,
                )
                for trade in trades
                if trade.interval == interval
            ]
            assert found == market.deals
            market.deals.clear()
            lived = {
                NAMES[client_id_of_order(key)]: (record.remaining_wh, record.shown_wh)
                for key, record in self.world.state.items(ORDERS)
                if record.interval == interval
            }
            assert lived == open_orders(market)
        waiting = {NAMES[client_id_of_order(key)] for key in self.world.state.keys(BLOCK_ORDERS)}
        assert waiting == set(self.slow.waiting)

    def teardown(self) -> None:
        if hasattr(self, "watch"):
            self.watch.finish()


def _source_and_price(side: Side, mask: int, price: int) -> tuple[int, int]:
    source = mask if side == Side.BUY else int(Source.STORAGE)
    return source, (4_000_000 if side == Side.SELL else 4_600_000) + price * 100_000


PLAYED = settings(max_examples=60, stateful_step_count=50, deadline=None)


class TestBlockOrders(BlockOrdersMachine.TestCase):  # type: ignore[name-defined,misc]
    settings = PLAYED


@pytest.mark.soak
class TestManyBlockOrders(BlockOrdersMachine.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(PLAYED, max_examples=2_000, stateful_step_count=80)
