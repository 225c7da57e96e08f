"""What a block was told: the successful messages that move money or set limits, read from its bytes."""

from dataclasses import dataclass, field
from typing import Any

from gridtokenx.ledger.batch import decode_batch
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.module import Chain
from gridtokenx.ledger.transaction import Receipt, decode_envelope
from gridtokenx.modules.identity.messages import (
    AcceptMember,
    ExcludeMember,
    JoinPortfolio,
    LeavePortfolio,
    RegisterStorage,
)
from gridtokenx.modules.market.messages import AmendOrder, PlaceBlockOrder, PlaceOrder
from gridtokenx.modules.tokens.messages import ConfirmRedemption, Mint, RequestRedemption, Transfer

_decode_receipt: Decoder[Receipt] = Decoder(Receipt)
_OK = 0


@dataclass
class Told:
    """`placed`, `placed_blocks` and `amended` by order key (account ‖ client id), `requested` and `confirmed` by
    account ‖ reference. One key may occur several times in a block."""

    transfers: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    minted: list[tuple[bytes, bytes, int]] = field(default_factory=list)
    requested: dict[bytes, int] = field(default_factory=dict)
    confirmed: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)
    placed: dict[bytes, list[PlaceOrder]] = field(default_factory=dict)
    placed_blocks: dict[bytes, list[PlaceBlockOrder]] = field(default_factory=dict)
    amended: dict[bytes, list[int]] = field(default_factory=dict)
    joined: set[tuple[bytes, bytes, bytes]] = field(default_factory=set)
    """(sender, site, portfolio) of those who asked to be traded."""
    accepted: set[tuple[bytes, bytes]] = field(default_factory=set)
    ended: set[tuple[bytes, bytes]] = field(default_factory=set)
    """(sender, site) of those who left, or were excluded."""
    storages: list[RegisterStorage] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def read_block(chain: Chain, block: Block, outcome: BlockOutcome) -> Told:
    """The messages of all transactions that succeeded, and what does not fit between bytes and receipts."""
    told = Told()
    if len(block.batches) != len(outcome.batches):
        told.findings.append(f"{len(block.batches)} batches have {len(outcome.batches)} outcomes")
    for number, (wire, result) in enumerate(zip(block.batches, outcome.batches, strict=False)):
        if result.code != _OK:
            if result.receipts:
                told.findings.append(f"batch {number} was refused and has receipts")
            continue
        transactions = decode_batch.trusted(wire).transactions
        if len(transactions) != len(result.receipts):
            told.findings.append(f"batch {number}: {len(transactions)} transactions, {len(result.receipts)} receipts")
        for transaction, receipt in zip(transactions, result.receipts, strict=False):
            _read_transaction(chain, told, transaction, _decode_receipt(receipt, f"receipt in batch {number}"))
    return told


def _read_transaction(chain: Chain, told: Told, wire: bytes, receipt: Receipt) -> None:
    if receipt.code != _OK:
        return
    raw = decode_envelope.trusted(wire).body
    if receipt.transaction != hash_bytes(raw):
        told.findings.append(f"receipt {receipt.transaction.hex()} stands beside another transaction")
    body = chain.body.trusted(raw)
    for message in body.messages:
        _read_message(told, body.sender, message)


def _read_message(told: Told, sender: bytes, message: Any) -> None:
    match message:
        case PlaceOrder():
            told.placed.setdefault(sender + message.client_id, []).append(message)
        case PlaceBlockOrder():
            told.placed_blocks.setdefault(sender + message.client_id, []).append(message)
        case AmendOrder():
            told.amended.setdefault(sender + message.client_id, []).append(message.price_micro)
        case Transfer():
            told.transfers.append((sender, message.recipient, message.amount_micro))
        case Mint():
            told.minted.append((sender, message.recipient, message.amount_micro))
        case RequestRedemption():
            told.requested[sender + message.reference] = message.amount_micro
        case ConfirmRedemption():
            told.confirmed.append((sender, message.account, message.account + message.reference))
        case JoinPortfolio():
            told.joined.add((sender, message.member, message.portfolio))
        case AcceptMember():
            told.accepted.add((sender, message.member))
        case LeavePortfolio() | ExcludeMember():
            told.ended.add((sender, message.member))
        case RegisterStorage():
            told.storages.append(message)
        case _:
            pass
