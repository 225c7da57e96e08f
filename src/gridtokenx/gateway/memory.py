"""What became of orders: state by client order id, also of those that are gone.

State holds open orders only. What a committed block did to an order follows from the block itself: its messages and
their receipts, its trades, and which order records changed. The memory keeps the newest some hundred thousand of the
orders that are gone, and every one it has seen that is open; a restart fills it from the blocks it reads again.

An order that waits in the node's pool is `pending` if it came through this gateway.
"""

from collections import deque
from enum import Enum

import msgspec

from gridtokenx.gateway.facts import PIECE, PLACEMENTS, BlockFacts, Fills, Placement, Refusal, Work
from gridtokenx.ledger.account import ACCOUNT_BYTES
from gridtokenx.modules.market.messages import PlaceBlockOrder
from gridtokenx.modules.market.state import BlockOrder, Order, account_of_order, client_id_of_order

GONE_ORDERS_MAX = 200_000
"""About 100 MB."""
PENDING_ORDERS_MAX = 200_000


AnyOrder = Order | BlockOrder
"""What state says of one that is open, or waits."""


class OrderState(Enum):
    """Of an own order."""

    PENDING = "pending"
    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    ENDED = "ended"
    REJECTED = "rejected"


class Trace(msgspec.Struct, gc=False):
    """What is known of one order; None where the blocks that said so lie before this memory."""

    state: OrderState
    height: int = 0
    transaction: bytes = b""
    code: int = 0
    interval: int | None = None
    side: int | None = None
    portfolio: bytes | None = None
    price_micro: int | None = None
    quantity_wh: int | None = None
    filled_wh: int | None = None
    value_micro: int | None = None
    remaining_wh: int | None = None
    expires_ms: int | None = None
    place: int | None = None
    voided_wh: int = 0
    intervals: int = 1


class PendingOrder(msgspec.Struct, frozen=True, gc=False):
    """A placement that is accepted and in no block yet."""

    message: Placement
    transaction: bytes
    expires_ms: int


class OrderMemory:
    """Traces by account and client id. `complete_since` is the first height whose block it has read."""

    def __init__(self, gone_max: int = GONE_ORDERS_MAX) -> None:
        self.complete_since = 0
        self._gone_max = gone_max
        self._of: dict[bytes, dict[bytes, Trace]] = {}
        self._gone: deque[tuple[bytes, Trace]] = deque()
        self._pending: dict[bytes, PendingOrder] = {}
        self._pending_of_transaction: dict[bytes, list[bytes]] = {}

    def find(self, key: bytes) -> Trace | None:
        """The trace of an order."""
        return self._of.get(key[:ACCOUNT_BYTES], _NO_TRACES).get(client_id_of_order(key))

    def pending(self, key: bytes, chain_time_ms: int) -> PendingOrder | None:
        """The placement of this order that waits, if it has not expired."""
        found = self._pending.get(key)
        return found if found is not None and found.expires_ms >= chain_time_ms else None

    def of_account(self, account: bytes, after_height: int = 0) -> list[tuple[bytes, Trace]]:
        """(client id, trace) of an account's orders that changed after a height, newest change last."""
        traces = [item for item in self._of.get(account, _NO_TRACES).items() if item[1].height > after_height]
        traces.sort(key=lambda item: item[1].height)
        return traces

    def expect(self, placements: list[tuple[bytes, Placement]], transaction: bytes, expires_ms: int) -> None:
        """The node has accepted a transaction with these placements (order's key, message)."""
        for key, message in placements:
            self._pending[key] = PendingOrder(message, transaction, expires_ms)
        if placements:
            self._pending_of_transaction[transaction] = [key for key, _ in placements]
        while len(self._pending) > PENDING_ORDERS_MAX and self._pending_of_transaction:
            self._settle(next(iter(self._pending_of_transaction)))

    def follow(
        self, facts: BlockFacts, before: dict[bytes, AnyOrder], after: dict[bytes, AnyOrder | None]
    ) -> Work[set[bytes]]:
        """Take in one block, piece by piece: `after` are the order records it wrote (None: gone), `before` what stood
        there. Returns the accounts whose orders changed. `settle` is to follow when the block is everywhere taken in.
        """
        # A transaction that was rolled back leaves records that changed into what they were.
        changed = [key for key, record in after.items() if record != before.get(key)]
        yield
        traded = (*facts.fills, *facts.voided)
        touched = dict.fromkeys([*facts.placed, *facts.amended, *traded, *facts.cancelled, *changed])
        for count, key in enumerate(touched):
            if count % PIECE == PIECE - 1:
                yield
            self._follow(facts, key, before.get(key), after.get(key), key in after)
        for count, (key, refusal) in enumerate(facts.refused.items()):
            if count % PIECE == PIECE - 1:
                yield
            if key not in touched:
                self._reject(facts.height, key, refusal)
        yield
        self._evict()
        return {account_of_order(key) for key in (*touched, *facts.refused)}

    def settle(self, transactions: list[bytes]) -> None:
        """These are in a block: their orders are no longer pending."""
        if self._pending_of_transaction:
            for transaction in transactions:
                self._settle(transaction)

    def _follow(
        self, facts: BlockFacts, key: bytes, before: AnyOrder | None, after: AnyOrder | None, changed: bool
    ) -> None:
        trace = self._begin(facts, key, before)
        fills = facts.fills.get(key)
        if fills is not None:
            if trace.filled_wh is not None:
                trace.filled_wh += fills.energy_wh
            if trace.value_micro is not None:
                trace.value_micro += fills.value_micro
        voided = facts.voided.get(key)
        if voided is not None:
            trace.voided_wh += voided.energy_wh
            if trace.value_micro is not None:
                trace.value_micro -= voided.value_micro
        trace.height = facts.height
        if after is not None:
            _take_record(trace, after)
            trace.state = OrderState.OPEN
        elif voided is not None and not changed and trace.state is OrderState.FILLED:
            trace.state = OrderState.ENDED
        elif changed or (before is None and trace.state is OrderState.OPEN):
            self._end(facts, key, trace, fills)

    def _begin(self, facts: BlockFacts, key: bytes, before: AnyOrder | None) -> Trace:
        """The order's trace, new if it was placed in this block or never met before."""
        own = self._of.setdefault(key[:ACCOUNT_BYTES], {})
        client_id = key[ACCOUNT_BYTES:]
        placed = facts.placed.get(key)
        if placed is not None:
            assert isinstance(placed.message, PLACEMENTS)
            trace = own[client_id] = _placed(placed.message)
            trace.transaction = placed.transaction
        else:
            known = own.get(client_id)
            trace = own[client_id] = Trace(OrderState.OPEN) if known is None else known
            if known is None and before is not None:
                _take_record(trace, before)
                trace.value_micro = 0 if trace.filled_wh == 0 else None
        amended = facts.amended.get(key)
        if amended is not None:
            trace.transaction = amended.transaction
            trace.price_micro = amended.message.price_micro
            if isinstance(before, Order) and not isinstance(amended.message, PLACEMENTS):
                filled_wh = before.quantity_wh - before.remaining_wh
                trace.quantity_wh = filled_wh + amended.message.remaining_wh
        return trace

    def _end(self, facts: BlockFacts, key: bytes, trace: Trace, fills: Fills | None) -> None:
        """Gone: filled, cancelled by its owner, cancelled because it does not rest, or ended by time or rule."""
        trace.remaining_wh = 0
        if trace.voided_wh:
            trace.state = OrderState.ENDED
        elif (trace.quantity_wh is None and fills is not None) or (
            trace.quantity_wh is not None and trace.filled_wh == trace.quantity_wh
        ):
            trace.state = OrderState.FILLED
        elif key in facts.cancelled:
            trace.state = OrderState.CANCELLED
            trace.transaction = facts.cancelled[key]
        elif key in facts.placed or key in facts.amended:
            trace.state = OrderState.CANCELLED
        else:
            trace.state = OrderState.ENDED
        self._gone.append((key, trace))

    def _reject(self, height: int, key: bytes, refusal: Refusal) -> None:
        """A refused placement is what is known of a client id only while no order has had it."""
        known = self.find(key)
        if known is not None and known.state is not OrderState.REJECTED:
            return
        trace = _placed(refusal.message)
        trace.state, trace.code = OrderState.REJECTED, refusal.code
        trace.height, trace.transaction = height, refusal.transaction
        self._of.setdefault(account_of_order(key), {})[client_id_of_order(key)] = trace
        self._gone.append((key, trace))

    def _settle(self, transaction: bytes) -> None:
        for key in self._pending_of_transaction.pop(transaction, ()):
            waiting = self._pending.get(key)
            if waiting is not None and waiting.transaction == transaction:
                del self._pending[key]

    def _evict(self) -> None:
        while len(self._gone) > self._gone_max:
            key, trace = self._gone.popleft()
            account, client_id = account_of_order(key), client_id_of_order(key)
            own = self._of.get(account, {})
            # The name may have been used again since.
            if own.get(client_id) is trace:
                del own[client_id]
                if not own:
                    del self._of[account]


_NO_TRACES: dict[bytes, Trace] = {}


def _take_record(trace: Trace, order: AnyOrder) -> None:
    trace.interval = order.interval
    trace.side = order.side
    trace.portfolio = order.portfolio
    trace.price_micro = order.price_micro
    if isinstance(order, BlockOrder):
        trace.intervals = order.intervals
        trace.quantity_wh = trace.remaining_wh = order.quantity_wh * order.intervals
        trace.filled_wh = 0
    else:
        trace.quantity_wh = order.quantity_wh
        trace.filled_wh = order.quantity_wh - order.remaining_wh
        trace.remaining_wh = order.remaining_wh
    trace.expires_ms = order.expires_ms
    trace.place = order.place


def quantities_of(message: Placement) -> tuple[int | None, int, int]:
    """Of a placement the limit (None for one at market), Wh in all, and the number of intervals."""
    if isinstance(message, PlaceBlockOrder):
        return message.price_micro, message.quantity_wh * message.intervals, message.intervals
    return None if message.market else message.price_micro, message.quantity_wh, 1


def _placed(message: Placement) -> Trace:
    price_micro, quantity_wh, intervals = quantities_of(message)
    return Trace(
        OrderState.OPEN,
        interval=message.interval,
        side=message.side,
        portfolio=message.portfolio,
        price_micro=price_micro,
        quantity_wh=quantity_wh,
        filled_wh=0,
        value_micro=0,
        remaining_wh=quantity_wh,
        intervals=intervals,
    )
