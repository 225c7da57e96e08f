"""The coupled book against a slow, obvious market (B3, B8): zones in a ring, feeders, borders and feeders with little
capacity that is used up, given back and changed, filters, scopes, icebergs, related parties. One block an order."""

from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.coupled_model import Deal, SlowMarket, open_orders
from tests.invariants import Watch
from tests.unit.modules.market.trading_floor import check_books
from tests.world import NOON, WATT, Founding, World, at, order, pseudonym

from gridtokenx.chains.genesis import DEFAULT_TERMS
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.modules.grid.messages import LinkKind, SetCapacity
from gridtokenx.modules.grid.network import network_of
from gridtokenx.modules.grid.topology import border_step, feeder_step
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.messages import CancelOrder, Side
from gridtokenx.modules.market.state import ORDERS, Trade, client_id_of_order

ZONE_OF = {11: 1, 12: 1, 21: 2, 31: 3, 41: 4, 51: 5}
RING = [(1, 2), (2, 3), (3, 4), (4, 5), (1, 5)]
LIMITED_FEEDER = 12
OWNERS = {f"home{number}": feeder for number, feeder in enumerate(sorted(ZONE_OF) * 2)}
GROUPS = {"home1": 7, "home3": 7}
decode_trade: Decoder[Trade] = Decoder(Trade)

quantities = st.integers(1, 6).map(lambda number: number * 100)
capacities = st.sampled_from([0, 0, 100, 300, 500, 1_000, 100_000])


def founded(forward: list[int], backward: list[int]) -> World:
    # Bands have tests of their own (test_bands.py).
    founding = Founding(msgspec.structs.replace(DEFAULT_TERMS, band_ppm=0), at(9, 30))
    founding.builder.add_zone(4, "South", founding.accounts["pea"], (3, 5))
    founding.builder.add_zone(5, "West", founding.accounts["pea"], (4, 1))
    for feeder in (41, 51):
        founding.builder.add_feeder(feeder, ZONE_OF[feeder], f"feeder {feeder}")
    for name, feeder in OWNERS.items():
        sources = {Source.STORAGE: 400_000, Source.WIND: 400_000}
        founding.add_home(name, feeder, sources, 800_000, 10_000 * WATT, group=GROUPS.get(name, 0))
    for (zone, other), there, back in zip(RING, forward, backward, strict=False):
        founding.builder.limit_border(zone, other, there * 4, back * 4)
    founding.builder.limit_feeder(LIMITED_FEEDER, forward[-1] * 4, backward[-1] * 4)
    return founding.start()


class CoupledMachine(RuleBasedStateMachine):
    """Each rule is one block."""

    @initialize(
        forward=st.lists(capacities, min_size=6, max_size=6), backward=st.lists(capacities, min_size=6, max_size=6)
    )
    def open(self, forward: list[int], backward: list[int]) -> None:
        self.world = founded(forward, backward)
        self.watch = Watch(self.world)
        free: dict[tuple[object, object], int] = {}
        for (zone, other), there, back in zip(RING, forward, backward, strict=False):
            free[zone, other], free[other, zone] = there, back
        own = ("feeder", LIMITED_FEEDER)
        free[own, "zone"], free["zone", own] = forward[-1], backward[-1]
        borders = {*RING, *((other, zone) for zone, other in RING)}
        self.slow = SlowMarket(ZONE_OF, borders, free, GROUPS)
        self.owners: dict[str, str] = {}

    @rule(
        owner=st.sampled_from(sorted(OWNERS)),
        side=st.sampled_from(Side),
        price=st.integers(-8, 8),
        quantity_wh=quantities,
        wind=st.booleans(),
        mask=st.sampled_from([127, 127, 2, 32]),
        scope=st.sampled_from([0, 0, 0, 0, 1, 2]),
        parts=st.sampled_from([1, 1, 1, 2, 3]),
        twice=st.sampled_from([0, 0, 1]),
    )
    def place(self, owner: str, side: Side, price: int, quantity_wh: int, wind: bool, mask: int, **more: int) -> None:
        source = mask if side == Side.BUY else int(Source.WIND if wind else Source.STORAGE)
        middle = 4_000_000 if side == Side.SELL else 4_600_000
        display_wh = quantity_wh // more["parts"] // 100 * 100 if more["parts"] > 1 else 0
        if display_wh in (0, quantity_wh):
            display_wh = 0
        name = f"o{len(self.owners)}"
        message = order(
            owner, side, quantity_wh, NOON, middle + price * 100_000, name, source, scope=more["scope"],
            display_wh=display_wh,
        )  # fmt: skip
        if more["twice"]:
            self.take_back(owner, message)
        self.owners[name] = owner
        self.do(owner, message)
        self.slow.place(name, owner, OWNERS[owner], message)
        self.compare()

    @precondition(lambda self: self.slow.orders)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.slow.orders)))
        self.do(self.owners[name], CancelOrder(pseudonym(name)))
        self.slow.cancel(name)
        self.compare()

    @rule(border=st.sampled_from(RING), there=capacities, back=capacities)
    def change_border(self, border: tuple[int, int], there: int, back: int) -> None:
        zone, other = border
        link = network_of(self.world.state, NOON).link(border_step(zone, other) >> 1)
        assert link is not None
        self.do("egat", SetCapacity(LinkKind.BORDER, zone, other, NOON, 1, there * 4, back * 4))
        self.slow.free[zone, other] = there - link.net_wh
        self.slow.limit(other, zone, back + link.net_wh)
        self.compare()

    @rule(there=capacities, back=capacities)
    def change_feeder(self, there: int, back: int) -> None:
        link = network_of(self.world.state, NOON).link(feeder_step(LIMITED_FEEDER, out=True) >> 1)
        assert link is not None
        self.do("mea", SetCapacity(LinkKind.FEEDER, LIMITED_FEEDER, 0, NOON, 1, there * 4, back * 4))
        self.slow.free["zone", ("feeder", LIMITED_FEEDER)] = back + link.net_wh
        self.slow.limit(("feeder", LIMITED_FEEDER), "zone", there - link.net_wh)
        self.compare()

    def do(self, who: str, message: Any) -> None:
        receipt = self.world.do(who, message)
        assert receipt.code == KernelCode.OK, receipt

    def take_back(self, who: str, message: Any) -> None:
        """The same with something behind it that is refused: nothing of it stays."""
        rows = dict(self.world.state.rows[ORDERS.prefix])
        assert self.world.code(who, message, CancelOrder(pseudonym("nobody's"))) == "ORDER_UNKNOWN"
        assert self.world.state.rows[ORDERS.prefix] == rows
        check_books(self.world.state)

    def compare(self) -> None:
        trades = [decode_trade.trusted(wire) for wire in self.world.trades]
        found = [
            Deal(
                name_of(trade.buyer_order),
                name_of(trade.seller_order),
                trade.quantity_wh,
                trade.price_micro,
                trade.wheeling_micro * 1_000 // trade.quantity_wh,
                Side(trade.taker_side),
                trade.zones,
            )
            for trade in trades
        ]
        assert found == self.slow.deals
        self.slow.deals.clear()
        lived = {
            name_of(client_id_of_order(key)): (record.remaining_wh, record.shown_wh)
            for key, record in self.world.state.items(ORDERS)
        }
        assert lived == open_orders(self.slow)

    def teardown(self) -> None:
        if hasattr(self, "watch"):
            self.watch.finish()


def name_of(client_id: bytes) -> str:
    return NAMES[client_id]


NAMES = {pseudonym(f"o{number}"): f"o{number}" for number in range(200)}

PLAYED = settings(max_examples=100, stateful_step_count=50, deadline=None)


class TestCoupled(CoupledMachine.TestCase):  # type: ignore[name-defined,misc]
    settings = PLAYED


@pytest.mark.soak
class TestManyCoupled(CoupledMachine.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(PLAYED, max_examples=2_000, stateful_step_count=80)
