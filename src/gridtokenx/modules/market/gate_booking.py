"""What an auction's outcome does to orders, holds, positions and dues. No balance moves here, as with other trades.

Each order that trades is one record among the block's trades, with nobody on its other side, and its fees round down by
themselves, so that its hold covers it. A buyer pays its place's price, the base and the feeder part of wheeling, grid
fee and trading fee; a seller gets its place's price less its trading fee. Half of each feeder part is for the
distributors of the zones where energy was sold, by how much; borders are paid from the difference of prices, and the
rest of that is congestion rent.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

from gridtokenx.ledger import schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.ledger.state import State
from gridtokenx.modules.grid.topology import DISTRIBUTORS, TOPOLOGY
from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.state import ZONES, holder_of, zone_key
from gridtokenx.modules.market.book import Level, book_of, remove
from gridtokenx.modules.market.coupling import Free, Places, buyers_wheeling_micro, filled_wh
from gridtokenx.modules.market.fills import add_trade, after_trade, owe, put_position
from gridtokenx.modules.market.holds import TradeCost, order_hold_micro, seller_hold_micro, trade_cost
from gridtokenx.modules.market.messages import BUY, CLIENT_ID_BYTES, Terms
from gridtokenx.modules.market.state import (
    CLOSE_GATE,
    NO_PORTFOLIO,
    NOBODY,
    ORDERS,
    POSITIONS,
    Clearing,
    Interval,
    Order,
    Trade,
    account_of_order,
    client_id_of_order,
    position_key,
)
from gridtokenx.modules.tokens.state import release

_PORTFOLIO_BYTES = 8
_GROUP_BYTES = _PORTFOLIO_BYTES + 1
_NO_ORDER = bytes(CLIENT_ID_BYTES)


def items_of(orders: Mapping[bytes, Order], side: int, level: Level) -> list[bytes]:
    """Sorts orders as they are booked: by portfolio and side, then by their keys."""
    mark = bytes([side])
    return [orders[key].portfolio + mark + key for _, key in level]


def key_of_item(item: bytes) -> bytes:
    """The order's key."""
    return item[_GROUP_BYTES:]


class Booking:
    """One step of it: the outcome, and what this step's orders owe."""

    def __init__(
        self,
        state: State,
        context: Context,
        number: int,
        interval: Interval,
        terms: Terms,
        clearing: Clearing,
        free: Free,
    ) -> None:
        self.state = state
        self.context = context
        self.number = number
        self.interval = interval
        self.terms = terms
        self.clearing = clearing
        self.places = Places(state.index(TOPOLOGY), free)
        self.nodes = {node.place: node for node in clearing.nodes}
        self.live = book_of(state, number)
        self.dues: dict[bytes, int] = {}
        self.halves_micro = 0

    def book(self, items: Sequence[bytes]) -> int:
        """Book these orders, each portfolio's sales and purchases together. One that fails by a bug is set aside: its
        orders stay as they are, and the interval's sum will not be zero. What the buyers' halves for the sellers'
        distributors come to."""
        for group, own in groupby(items, lambda item: item[:_GROUP_BYTES]):
            keys = [key_of_item(item) for item in own]

            def work(state: State, context: Context, payload: bytes, keys: Sequence[bytes] = keys) -> None:
                self._book_group(keys)

            schedule.guard(self.state, self.context, CLOSE_GATE, interval_key(self.number) + group, work)
        self._owe(self.dues)
        return self.halves_micro

    def _book_group(self, keys: Sequence[bytes]) -> None:
        """Orders of one portfolio and side."""
        state, rows = self.state, self.state.rows[ORDERS.prefix]
        orders = [(key, rows[key]) for key in keys if key in rows]
        if not orders:
            return
        first = orders[0][1]
        own = position_key(self.number, first.portfolio)
        position = state.rows[POSITIONS.prefix][own]
        costs = []
        for key, order in orders:
            remove(state, self.live, key, order)
            quantity_wh, cost, kept_micro = self._trade(key, order)
            held_micro = order_hold_micro(self.terms, self.interval, order, order.remaining_wh)
            release(state, account_of_order(key), held_micro - kept_micro)
            position = after_trade(position, order.side, quantity_wh, cost, kept_micro, -order.remaining_wh)
            costs.append((order, cost))
        put_position(state, own, position)
        # Nothing below may fail: no roll-back takes it back.
        for order, cost in costs:
            self._add_dues(order, cost)

    def _trade(self, key: bytes, order: Order) -> tuple[int, TradeCost, int]:
        """What an order trades, what that costs, and what of its hold is kept for it."""
        node = self.nodes.get(self.places.names[self.places.node_of(order.feeder)])
        quantity_wh = 0 if node is None else filled_wh(node, self.terms, order)
        if node is None or not quantity_wh:
            return 0, _NOTHING, 0
        price_micro = node.price_micro
        cost = trade_cost(self.terms, price_micro, quantity_wh, buyers_wheeling_micro(self.terms))
        account, client_id = account_of_order(key), client_id_of_order(key)
        if order.side == BUY:
            kept_micro, collateral_micro, counted = cost.buyer, 0, (quantity_wh, cost.value)
            sides = account, client_id, NOBODY, _NO_ORDER
            portfolios = order.portfolio, NO_PORTFOLIO
            wheeling_micro = cost.wheeling
        else:
            most_micro = order_hold_micro(self.terms, self.interval, order, quantity_wh)
            needed = seller_hold_micro(self.terms, self.interval.tariff_micro, price_micro, quantity_wh)
            kept_micro = collateral_micro = min(most_micro, needed)
            counted = 0, 0
            sides = NOBODY, _NO_ORDER, account, client_id
            portfolios = NO_PORTFOLIO, order.portfolio
            wheeling_micro = 0
        trade = Trade(
            self.number,
            *sides,
            quantity_wh,
            price_micro,
            wheeling_micro,
            order.side,
            order.source,
            *portfolios,
            collateral_micro,
            0,
        )
        add_trade(self.state, self.context, trade, *counted)
        return quantity_wh, cost, kept_micro

    def _add_dues(self, order: Order, cost: TradeCost) -> None:
        dues = self.dues
        pool = holder_of(self.state, RoleName.FEE_POOL)
        dues[pool] = dues.get(pool, 0) + cost.trading_fee
        if order.side == BUY:
            near = self.state.index(DISTRIBUTORS)[order.feeder]
            dues[near] = dues.get(near, 0) + cost.near
            self.halves_micro += cost.far

    def pay_the_rest(self, halves_micro: int) -> None:
        """After the last order: distributors get their zones' parts of the halves, rounded down, transmission the
        borders' wheeling, and the office for congestion rent that rent and what rounding left."""
        sold_wh: dict[int, int] = {}
        for node in self.clearing.nodes:
            zone = self.places.zone_of_name(node.place)
            sold_wh[zone] = sold_wh.get(zone, 0) + node.sold_wh
        dues: dict[bytes, int] = {}
        left_micro, all_wh = halves_micro, sum(sold_wh.values())
        for zone, zone_wh in sold_wh.items():
            if zone_wh:
                part_micro = halves_micro * zone_wh // all_wh
                distributor = self.state.rows[ZONES.prefix][zone_key(zone)].distributor
                dues[distributor] = dues.get(distributor, 0) + part_micro
                left_micro -= part_micro
        for role, amount_micro in (
            (RoleName.TRANSMISSION, sum(link.wheeling_micro for link in self.clearing.links)),
            (RoleName.CONGESTION, sum(link.rent_micro for link in self.clearing.links) + left_micro),
        ):
            payee = holder_of(self.state, role)
            dues[payee] = dues.get(payee, 0) + amount_micro
        self._owe(dues)

    def _owe(self, dues: Mapping[bytes, int]) -> None:
        owe(self.state, self.number, {payee: amount for payee, amount in dues.items() if amount})


_NOTHING = TradeCost(0, 0, 0, 0, 0, 0, 0)
