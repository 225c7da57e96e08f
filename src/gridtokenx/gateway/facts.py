"""What a committed block says, decoded for the read model: pure functions of stored bytes."""

from collections.abc import Generator, Iterator
from typing import NamedTuple, TypeVar

import msgspec

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.storage import Change, Head, Results, StoredBlock
from gridtokenx.gateway.documents import BlockLine, SummaryView, TradeView
from gridtokenx.ledger.batch import decode_batch
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.context import Summary
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.header import LastBlock, header_hash
from gridtokenx.ledger.quantities import value_micro as value_micro_of
from gridtokenx.ledger.transaction import Receipt, decode_envelope
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source
from gridtokenx.modules.market.messages import AmendOrder, CancelOrder, PlaceBlockOrder, PlaceOrder, Side
from gridtokenx.modules.market.state import (
    NOBODY,
    TRADE_PLACE_BITS,
    Trade,
    account_of_order,
    is_of_auction,
    order_key,
    trade_number,
)

SEQUENCE_BITS = TRADE_PLACE_BITS
"""Of a trade's sequence, which is its number on the chain: its place in its block. The rest is the height."""

PIECE = 200
"""Transactions or records in one piece of work: about three milliseconds."""

T = TypeVar("T")
Work = Generator[None, None, T]
"""Something that is done in pieces: it yields between two of them, so that others get their turn."""

decode_receipt: Decoder[Receipt] = Decoder(Receipt)
decode_last_block: Decoder[LastBlock] = Decoder(LastBlock)
_decode_trade: Decoder[Trade] = Decoder(Trade)


Placement = PlaceOrder | PlaceBlockOrder
PLACEMENTS = PlaceOrder, PlaceBlockOrder
"""The same, to ask of what type a message is."""


class Placed(NamedTuple):
    """A placement or an amendment that the ledger accepted."""

    message: Placement | AmendOrder
    transaction: bytes


class Refusal(NamedTuple):
    """A placement that the ledger refused."""

    message: Placement
    transaction: bytes
    code: int


class Fills(NamedTuple):
    """What one order traded in one block: Wh, and energy value."""

    energy_wh: int
    value_micro: int


class OwnTrade(NamedTuple):
    """A trade with its two orders' keys and portfolios."""

    view: TradeView
    buyer_order: bytes
    seller_order: bytes
    buyer_portfolio: bytes
    seller_portfolio: bytes


class BlockFacts(msgspec.Struct):
    """One block, as far as the read model cares. Orders are named by their keys (account ‖ client id)."""

    height: int
    time_ms: int
    app_hash: bytes
    line: BlockLine
    changes: list[Change]
    trades: list[OwnTrade]
    """And the ends of earlier ones."""
    fills: dict[bytes, Fills]
    voided: dict[bytes, Fills]
    """What is void of what an order traded in the block before."""
    placed: dict[bytes, Placed]
    amended: dict[bytes, Placed]
    cancelled: dict[bytes, bytes]
    """Order → transaction that cancelled it."""
    refused: dict[bytes, Refusal]
    transactions: list[bytes]
    """Ids of all that are in the block."""


def read_facts(stored: StoredBlock, results: Results, changes: list[Change]) -> Work[BlockFacts]:
    """The facts of a block that the node stored, piece by piece."""
    header, line = stored.header, block_line(stored, results)
    facts = BlockFacts(header.height, header.time_ms, results.app_hash, line, changes, [], {}, {}, {}, {}, {}, {}, [])
    for count, (wire, encoded) in enumerate(transactions_of(stored, results)):
        if count % PIECE == PIECE - 1:
            yield
        _read_transaction(facts, wire, decode_receipt.trusted(encoded))
    for index, trade in enumerate(trades_of(stored, results)):
        if index % PIECE == PIECE - 1:
            yield
        _add_trade(facts, trade)
    return facts


def block_line(stored: StoredBlock, results: Results) -> BlockLine:
    """One block in a list."""
    return BlockLine(
        stored.header.height,
        stored.header.time_ms,
        header_hash(stored.header).hex(),
        results.app_hash.hex(),
        sum(len(outcome.receipts) for outcome in results.batches),
        len(results.trades),
        summary_view(results.summary),
    )


def genesis_line(head: Head) -> BlockLine:
    """What stands for a block where none was made yet: the genesis, as block 0."""
    nothing = summary_view(Summary())
    return BlockLine(head.height, head.time_ms, head.genesis_hash.hex(), head.app_hash.hex(), 0, 0, nothing)


def summary_view(summary: Summary) -> SummaryView:
    """The same numbers."""
    return SummaryView(
        summary.traded_wh,
        summary.traded_micro,
        summary.metered_import_wh,
        summary.metered_export_wh,
        summary.settled_wh,
        summary.settled_micro,
        summary.voided_wh,
        summary.voided_micro,
    )


def trades_of(stored: StoredBlock, results: Results) -> Iterator[OwnTrade]:
    """The trades of a block, and the ends of those that it voided."""
    for index, encoded in enumerate(results.trades):
        yield _read_trade(stored.header.height, stored.header.time_ms, index, _decode_trade.trusted(encoded))


def transactions_of(stored: StoredBlock, results: Results) -> Iterator[tuple[bytes, bytes]]:
    """(transaction, receipt), encoded, of all batches that were not refused as a whole."""
    for wire, outcome in zip(stored.block.batches, results.batches, strict=True):
        if outcome.receipts:
            yield from zip(decode_batch.trusted(wire).transactions, outcome.receipts, strict=True)


def _read_transaction(facts: BlockFacts, wire: bytes, receipt: Receipt) -> None:
    facts.transactions.append(receipt.transaction)
    if receipt.code in _NOT_THE_SENDERS:
        return
    body = CONSORTIUM.body.trusted(decode_envelope.trusted(wire).body)
    for message in body.messages:
        if isinstance(message, (*PLACEMENTS, AmendOrder, CancelOrder)):
            _read_order_message(facts, body.sender, message, receipt)


def _read_order_message(
    facts: BlockFacts, sender: bytes, message: Placement | AmendOrder | CancelOrder, receipt: Receipt
) -> None:
    key = order_key(sender, message.client_id)
    if receipt.code != 0:
        if isinstance(message, PLACEMENTS):
            facts.refused[key] = Refusal(message, receipt.transaction, receipt.code)
    elif isinstance(message, PLACEMENTS):
        facts.placed[key] = Placed(message, receipt.transaction)
    elif isinstance(message, AmendOrder):
        facts.amended[key] = Placed(message, receipt.transaction)
    else:
        facts.cancelled[key] = receipt.transaction


def _read_trade(height: int, time_ms: int, index: int, trade: Trade) -> OwnTrade:
    view = TradeView(
        trade_number(height, index),
        height,
        time_ms,
        trade.interval,
        trade.quantity_wh,
        trade.price_micro,
        trade.wheeling_micro,
        Side(trade.taker_side).name.lower(),
        "any" if trade.source == ANY_SOURCE_MASK else Source(trade.source).name.lower(),
        trade.voids or None,
        is_of_auction(trade),
        list(trade.zones),
    )
    buyer_order, seller_order = order_key(trade.buyer, trade.buyer_order), order_key(trade.seller, trade.seller_order)
    return OwnTrade(view, buyer_order, seller_order, trade.buyer_portfolio, trade.seller_portfolio)


def _add_trade(facts: BlockFacts, trade: OwnTrade) -> None:
    facts.trades.append(trade)
    energy_wh = trade.view.quantity_wh
    value_micro = value_micro_of(trade.view.price_micro, energy_wh)
    sums = facts.fills if trade.view.voids is None else facts.voided
    for key in (trade.buyer_order, trade.seller_order):
        if account_of_order(key) == NOBODY:
            continue
        before = sums.get(key, _NOTHING)
        sums[key] = Fills(before.energy_wh + energy_wh, before.value_micro + value_micro)


_NOTHING = Fills(0, 0)
_NOT_THE_SENDERS = frozenset({KernelCode.UNAUTHENTICATED, KernelCode.ACCOUNT_UNKNOWN})
"""Receipts of what the named sender did not sign."""


def finish(work: Work[T]) -> T:
    """Do all pieces at once."""
    try:
        while True:
            next(work)
    except StopIteration as end:
        result: T = end.value
        return result
