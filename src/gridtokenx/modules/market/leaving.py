"""Orders of participants who may no longer trade."""

from collections.abc import Sequence

from gridtokenx.ledger import schedule
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.state import PARTICIPANT_CHANGED, PARTICIPANTS
from gridtokenx.modules.market import block_orders, checks, fills
from gridtokenx.modules.market.gate import CANCELS_PER_STEP
from gridtokenx.modules.market.state import BLOCK_ORDERS, ORDERS


def participant_changed(state: State, context: Context, participant_id: bytes) -> int:
    """Scheduled when licence, KYC or suspension changed: cancel the orders of one who may no longer trade, and
    come back when that day arrives. What stands in an auction whose gate has passed stays in it."""
    participant = state.rows[PARTICIPANTS.prefix][participant_id]
    until_ms = participant.trades_until_ms()
    rows = state.rows[ORDERS.prefix]
    own = [(key, rows[key]) for key in _orders_of(state, context, participant_id) if key in rows]
    keys = sorted(key for key, order in own if not checks.is_decided(state, context, order))
    blocks = [(key, block) for key, block in state.items(BLOCK_ORDERS) if block.participant == participant_id]
    if not keys and not blocks:
        return 1
    if until_ms > context.time_ms:
        schedule.add(state, until_ms, PARTICIPANT_CHANGED, participant_id)
        return 1
    for key, block in blocks:
        block_orders.take_out(state, key, block)
    for key in keys[:CANCELS_PER_STEP]:
        fills.withdraw(state, context, key, rows[key])
    if len(keys) > CANCELS_PER_STEP:
        schedule.add(state, context.time_ms, PARTICIPANT_CHANGED, participant_id)
    return min(len(keys), CANCELS_PER_STEP) + sum(block.intervals for _, block in blocks)


def _orders_of(state: State, context: Context, participant: bytes) -> Sequence[bytes]:
    """Keys of a participant's open orders; some may have left since. All orders are looked at once for all whom the
    registrar changes in a block, however many: no order comes without a place of its own."""
    places, known = context.orders_of
    if places != context.place_next:
        known = {}
        for key, order in state.rows[ORDERS.prefix].items():
            known.setdefault(order.participant, []).append(key)
        context.orders_of = context.place_next, known
    return known.get(participant, ())
