"""From records to documents: pure functions of the read model and of what its reader says at the same height."""

from collections.abc import Iterable, Iterator

from gridtokenx import __version__
from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.acceptance import Acceptance
from gridtokenx.engine.receipts import ReceiptProof as StoredProof
from gridtokenx.engine.receipts import prove_receipt
from gridtokenx.engine.storage import Head, Place, Results, StoredBlock
from gridtokenx.gateway.documents import (
    AcceptanceView,
    AccountView,
    BatchView,
    BlockOrderView,
    BlockView,
    BookView,
    DeliveredLevel,
    IntervalView,
    OrderView,
    PathStep,
    PositionView,
    ReceiptProof,
    StateClaim,
    StatementView,
    StateProof,
    StatusView,
    TransactionView,
    ZonePrice,
)
from gridtokenx.gateway.facts import decode_last_block, decode_receipt, summary_view
from gridtokenx.gateway.memory import AnyOrder, OrderState, PendingOrder, Trace, quantities_of
from gridtokenx.gateway.reach import delivered
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.ledger.account import ACCOUNTS, Account
from gridtokenx.ledger.batch import decode_batch, decode_batch_header
from gridtokenx.ledger.freeze import FREEZE, FREEZE_KEY
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY, header_hash
from gridtokenx.ledger.quantities import interval_of, interval_start_ms
from gridtokenx.ledger.transaction import decode_envelope
from gridtokenx.modules.grid.topology import FEEDER_LINK, Topology
from gridtokenx.modules.market.checks import is_plain
from gridtokenx.modules.market.halted import halted_zones
from gridtokenx.modules.market.messages import Scope, Side
from gridtokenx.modules.market.state import POSITIONS, BlockOrder, Phase, client_id_of_order, position_key
from gridtokenx.modules.settlement.state import NEW_SETTLEMENT, Quality, Stage, Statement

LEVELS_SHOWN = 50


def code_name(code: int) -> str:
    """The name of a code of the ledger."""
    return CONSORTIUM.codes.get(code, "")


def status_view(model: ReadModel) -> StatusView:
    """Where the chain is."""
    head, freeze = model.head, model.authority.get(FREEZE, FREEZE_KEY)
    return StatusView(
        head.chain,
        head.kind,
        CONSORTIUM.protocol,
        head.height,
        head.time_ms,
        head.app_hash.hex(),
        interval_of(head.time_ms),
        len(model.trading),
        len(model.orders),
        __version__,
        None if freeze is None else freeze.since_ms,
    )


def interval_phase(model: ReadModel, number: int) -> str:
    """Where an interval is on its way; KeyError if it is not known."""
    interval = model.intervals[number]
    call_phase_ms = model.terms[interval.terms].call_phase_ms
    if interval.phase == Phase.TRADING and call_phase_ms and model.head.time_ms >= interval.gate_ms - call_phase_ms:
        return "call" if model.head.time_ms < interval.gate_ms else "clearing"
    return Phase(interval.phase).name.lower()


def _zone_prices(model: ReadModel, number: int) -> list[ZonePrice]:
    clearing = model.clearings.get(number)
    nodes = () if clearing is None else clearing.nodes
    return [ZonePrice(node.place, node.price_micro) for node in nodes if node.place < FEEDER_LINK]


def interval_view(model: ReadModel, number: int) -> IntervalView:
    """One interval; KeyError if it is not open and was not of late."""
    interval = model.intervals[number]
    volume, depth = model.volumes[number], model.depth(number)
    terms = model.terms[interval.terms]
    return IntervalView(
        number,
        interval_start_ms(number),
        interval.gate_ms,
        interval_phase(model, number),
        Stage(model.settlements.get(number, NEW_SETTLEMENT).stage).name.lower(),
        interval.tariff_micro,
        terms.buy_back_micro,
        interval.terms,
        depth.orders(),
        depth.best(Side.BUY),
        depth.best(Side.SELL),
        volume.last_price_micro,
        volume.traded_wh,
        volume.traded_micro,
        interval.gate_ms - terms.call_phase_ms if terms.call_phase_ms else None,
        _zone_prices(model, number),
    )


def book_view(model: ReadModel, number: int, feeder: int | None = None, levels: int = LEVELS_SHOWN) -> BookView:
    """Depth of an interval. KeyError if there is no such interval, or no such feeder."""
    terms, depth = model.terms[model.intervals[number].terms], model.depth(number)
    view = BookView(
        number,
        model.head.height,
        model.head.time_ms,
        depth.checksum(),
        len(depth.levels),
        depth.side(Side.BUY)[:levels],
        depth.side(Side.SELL)[:levels],
        feeder,
    )
    if feeder is not None:
        network = model.network(number)
        trades = _trading_with(model, network.topology, number, feeder)

        def met(side: Side) -> list[DeliveredLevel]:
            near = [level for level in depth.side(side) if level.feeder in trades]
            return delivered(near, side, feeder, terms, network, levels)

        view.delivered_bids, view.delivered_asks = met(Side.BUY), met(Side.SELL)
    return view


def _trading_with(model: ReadModel, topology: Topology, number: int, feeder: int) -> set[int]:
    """Feeders whose orders one there may meet: those of zones that trade; where its own zone is halted, that zone's,
    with which it will meet in the call."""
    own, halted = topology.zone_of[feeder], halted_zones(model.halts, number, topology.neighbours)
    return {other for other, zone in topology.zone_of.items() if zone == own or not halted & {own, zone}}


def block_view(stored: StoredBlock, results: Results) -> BlockView:
    """A block with its batches."""
    header, last = stored.header, decode_last_block.trusted(results.last_block)
    commit = stored.block.last_commit
    return BlockView(
        header.height,
        header.time_ms,
        header.chain,
        header_hash(header).hex(),
        results.app_hash.hex(),
        header.proposer.hex(),
        header.previous.hex(),
        header.app_hash_before.hex(),
        header.batches_root.hex(),
        header.commit_hash.hex(),
        None if commit is None else commit.round,
        [] if commit is None else [address.hex() for address in commit.absent],
        last.receipts_root.hex(),
        last.trades_root.hex(),
        summary_view(results.summary),
        len(results.trades),
        list(_batches(stored, results)),
    )


def _batches(stored: StoredBlock, results: Results) -> Iterator[BatchView]:
    for wire, outcome in zip(stored.block.batches, results.batches, strict=True):
        receipts = [decode_receipt.trusted(receipt) for receipt in outcome.receipts]
        # Of a batch that was refused as a whole one cannot rely on anything, not even on its author.
        batch = decode_batch.trusted(wire) if receipts else None
        yield BatchView(
            outcome.code,
            code_name(outcome.code),
            decode_batch_header.trusted(batch.header).author.hex() if batch else "",
            [receipt.transaction.hex() for receipt in receipts],
            [receipt.code for receipt in receipts],
            [message_kinds(transaction) for transaction in batch.transactions] if batch else [],
        )


def message_kinds(wire: bytes) -> list[str]:
    """What the messages of a stored transaction are called in `docs/messages.md`, in order."""
    body = CONSORTIUM.body.trusted(decode_envelope.trusted(wire).body)
    return [type(message).__name__ for message in body.messages]


def transaction_view(transaction_id: bytes, place: Place, stored: StoredBlock, results: Results) -> TransactionView:
    """A transaction that is in a block, or whose whole batch was refused there."""
    receipts = results.batches[place.batch].receipts
    view = TransactionView(
        transaction_id.hex(),
        "committed",
        place.code,
        code_name(place.code),
        height=place.height,
        time_ms=stored.header.time_ms,
        batch=place.batch,
        position=place.position,
    )
    if receipts:
        receipt = decode_receipt.trusted(receipts[place.position])
        view.failed = receipt.failed if receipt.code else None
        view.results = [list(numbers) for numbers in receipt.results]
        batch = decode_batch.trusted(stored.block.batches[place.batch])
        view.kinds = message_kinds(batch.transactions[place.position])
    return view


def acceptance_view(acceptance: Acceptance) -> AcceptanceView:
    """A node's promise."""
    path = [PathStep(right, sibling.hex()) for right, sibling in acceptance.path]
    return AcceptanceView(acceptance.header.hex(), acceptance.signature.hex(), path)


def receipt_proof(transaction_id: bytes, place: Place, results: Results) -> ReceiptProof:
    """For a stranger. LookupError if the batch was refused as a whole: then there is no receipt."""
    proof: StoredProof = prove_receipt(results, place.batch, place.position)
    claim = StateClaim(
        results.app_hash.hex(),
        (bytes([LAST_BLOCK.prefix]) + LAST_BLOCK_KEY).hex(),
        proof.last_block.hex(),
        StateProof(proof.proof_items.hex(), [siblings.hex() for siblings in proof.proof_path]),
    )
    return ReceiptProof(
        transaction_id.hex(),
        place.height,
        proof.receipt.hex(),
        [PathStep(right, sibling.hex()) for right, sibling in proof.path_in_batch],
        proof.batch_root.hex(),
        [PathStep(right, sibling.hex()) for right, sibling in proof.path_in_block],
        claim,
    )


def reader_head(model: ReadModel) -> Head:
    """Where the records stand that are read from the database: at the model's height or a little later."""
    head = model.reader.head()
    assert head is not None, "a database never loses its head"
    return head


def account_of(model: ReadModel, account_id: bytes) -> Account | None:
    """The record, as of `reader_head`."""
    record = model.reader.record(bytes([ACCOUNTS.prefix]) + account_id)
    return None if record is None else ACCOUNTS.decode.trusted(record)


def account_view(model: ReadModel, account_id: bytes, account: Account) -> AccountView:
    """One's own account."""
    head = reader_head(model)
    return account_view_at(account_id, account, head.height, head.time_ms, model.portfolios_of.get(account_id, ()))


def account_view_at(
    account_id: bytes, account: Account, height: int, time_ms: int, portfolios: Iterable[bytes]
) -> AccountView:
    """One's own account after the block of this height and time."""
    return AccountView(
        account_id.hex(),
        account.participant.hex(),
        height,
        time_ms,
        account.balance_micro,
        account.held_micro,
        account.balance_micro - account.held_micro,
        account.debt_micro,
        account.nonce_highest,
        account.nonce_gaps.hex(),
        account.keys_hash.hex(),
        [portfolio.hex() for portfolio in portfolios],
    )


def open_order_view(model: ReadModel, key: bytes, order: AnyOrder) -> OrderView:
    """An order that is in the book, or a block order that waits; its value is None if some of its trades lie before
    what this gateway knows."""
    trace = model.memory.find(key)
    intervals = order.intervals if isinstance(order, BlockOrder) else 1
    quantity_wh = order.quantity_wh * intervals
    remaining_wh = quantity_wh if isinstance(order, BlockOrder) else order.remaining_wh
    filled_wh = quantity_wh - remaining_wh
    value_micro = 0 if filled_wh == 0 else None
    plain = not isinstance(order, BlockOrder) and is_plain(order)
    return OrderView(
        client_id_of_order(key).hex(),
        OrderState.OPEN.value,
        model.head.height if trace is None else trace.height,
        b"".hex() if trace is None else trace.transaction.hex(),
        interval=order.interval,
        side=Side(order.side).name.lower(),
        portfolio=order.portfolio.hex(),
        price_micro=order.price_micro,
        quantity_wh=quantity_wh,
        filled_wh=filled_wh,
        remaining_wh=remaining_wh,
        value_micro=value_micro if trace is None else trace.value_micro,
        expires_ms=order.expires_ms,
        place=order.place,
        voided_wh=0 if trace is None else trace.voided_wh,
        plain=plain and order.expires_ms >= model.intervals[order.interval].gate_ms,
        intervals=intervals,
    )


def block_order_view(block: BlockOrder) -> BlockOrderView:
    """What anybody may know of a block order that waits."""
    return BlockOrderView(
        block.place,
        _side_name(block.side),
        block.interval,
        block.intervals,
        block.price_micro,
        block.quantity_wh,
        block.feeder,
        1 << block.source if block.side == Side.SELL else block.source,
        Scope(block.scope).name.lower(),
        block.expires_ms,
    )


def traced_order_view(client_id: bytes, trace: Trace) -> OrderView:
    """An order that this gateway remembers."""
    return OrderView(
        client_id.hex(),
        trace.state.value,
        trace.height,
        trace.transaction.hex(),
        trace.code,
        code_name(trace.code) if trace.code else "",
        trace.interval,
        None if trace.side is None else _side_name(trace.side),
        None if trace.portfolio is None else trace.portfolio.hex(),
        trace.price_micro,
        trace.quantity_wh,
        trace.filled_wh,
        trace.remaining_wh,
        trace.value_micro,
        trace.expires_ms,
        trace.place,
        trace.voided_wh,
        intervals=trace.intervals,
    )


def pending_order_view(model: ReadModel, client_id: bytes, pending: PendingOrder) -> OrderView:
    """An order that was accepted through this gateway and is in no block yet."""
    message = pending.message
    price_micro, quantity_wh, intervals = quantities_of(message)
    return OrderView(
        client_id.hex(),
        OrderState.PENDING.value,
        model.head.height,
        pending.transaction.hex(),
        interval=message.interval,
        side=_side_name(message.side),
        portfolio=message.portfolio.hex(),
        price_micro=price_micro,
        quantity_wh=quantity_wh,
        intervals=intervals,
    )


def order_view(model: ReadModel, key: bytes) -> OrderView | None:
    """The state of one order: open, else pending, else what is remembered."""
    order, client_id = model.find_open(key), client_id_of_order(key)
    if order is not None:
        return open_order_view(model, key, order)
    pending = model.memory.pending(key, model.head.time_ms)
    if pending is not None:
        return pending_order_view(model, client_id, pending)
    trace = model.memory.find(key)
    return None if trace is None else traced_order_view(client_id, trace)


def _side_name(side: int) -> str:
    """A refused order may name a side that there is not."""
    return Side(side).name.lower() if side in set(Side) else str(side)


def position_view(model: ReadModel, interval: int, portfolio: bytes) -> PositionView | None:
    """What a portfolio traded in an interval; None if nothing."""
    record = model.reader.record(bytes([POSITIONS.prefix]) + position_key(interval, portfolio))
    if record is None:
        return None
    position = POSITIONS.decode.trusted(record)
    return PositionView(
        interval,
        portfolio.hex(),
        position.sold_wh,
        position.bought_wh,
        position.open_sell_wh,
        position.open_buy_wh,
        position.sale_value_micro,
        position.purchase_cost_micro,
        position.collateral_micro,
    )


def statement_view(interval: int, portfolio: bytes, statement: Statement, rebate_micro: int) -> StatementView:
    """The result of one interval."""
    return StatementView(
        interval,
        portfolio.hex(),
        Quality(statement.quality).name.lower(),
        statement.import_wh,
        statement.export_wh,
        statement.sold_wh,
        statement.bought_wh,
        statement.undelivered_wh,
        statement.unused_wh,
        statement.other_import_wh,
        statement.other_export_wh,
        statement.purchase_cost_micro,
        statement.sale_proceeds_micro,
        statement.charge_micro,
        statement.credit_micro,
        statement.split_charge_micro,
        statement.split_credit_micro,
        rebate_micro,
    )
