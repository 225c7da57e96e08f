"""Makes the golden vectors, with which another implementation can check itself.

    python -m tests.vectors.make

Bytes are in lower-case hexadecimal. `README.md` beside this file says what each document holds. A test compares the
files with what this makes: whoever changes consensus makes them anew, and sees in the difference what changed.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from tests.vectors import samples
from tests.vectors.make_client import CLIENT_DOCUMENTS
from tests.vectors.story import HOMES, community, fresh, told
from tests.world import (
    NODE,
    NODE_ID,
    NOON,
    WATT,
    World,
    batch_of,
    buy,
    decode_receipt,
    pseudonym,
    sell,
    signed,
    signer,
)

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.batch import batch_id, decode_batch, signed_batch
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.crypto import TRANSACTION_DOMAIN, hash_bytes, merkle_path, merkle_root
from gridtokenx.ledger.genesis import readable
from gridtokenx.ledger.header import header_hash
from gridtokenx.ledger.transaction import keys_hash
from gridtokenx.modules.market.messages import CancelOrder
from gridtokenx.modules.settlement.messages import signed_reading
from gridtokenx.modules.tokens.messages import Transfer

FOLDER = Path(__file__).parent


def codes() -> dict[str, str]:
    """Number → name."""
    return {str(number): name for number, name in sorted(CONSORTIUM.codes.items())}


def accounts() -> list[dict[str, Any]]:
    """Key lists and the account ids that they give."""
    cases = []
    for name, threshold, count in (("alice", 1, 1), ("bob", 1, 1), ("board", 2, 3), ("council", 11, 16)):
        who = signer(name, threshold, count)
        cases.append(
            {
                "algorithm": 0,
                "threshold": threshold,
                "keys": readable(who.keys),
                "account": keys_hash(0, threshold, who.keys).hex(),
            }
        )
    return cases


def messages() -> list[dict[str, Any]]:
    """One of each type: its tag, its fields and its bytes."""
    return [
        {
            "message": type(message).__name__,
            "tag": type(message).__struct_config__.tag,
            "fields": readable(message),
            "bytes": encode(message).hex(),
        }
        for message in samples.one_of_each()
    ]


def readings() -> list[dict[str, Any]]:
    """What a meter signs."""
    world, cases = community(), []
    for number, name in enumerate(HOMES):
        reading = world.reading(name, NOON + number, 1_000 * number, 2**53 - number)
        part = signed_reading(world.chain, reading.meter, reading.interval, reading.import_wh, reading.export_wh)
        cases.append({"chain": world.chain, **readable(reading), "signed": part.hex()})
    return cases


def merkle_lists() -> list[dict[str, Any]]:
    """Roots over lists of leaves, with the path of the last leaf: (sibling on the right, hash)."""
    cases = []
    for count in (0, 1, 2, 3, 4, 5, 8, 11):
        leaves = [f"leaf {number}".encode() for number in range(count)]
        path = merkle_path(leaves, count - 1) if leaves else []
        cases.append(
            {
                "leaves": readable(leaves),
                "root": merkle_root(leaves).hex(),
                "path_of_last": [[right, sibling.hex()] for right, sibling in path],
            }
        )
    return cases


def batches() -> list[dict[str, Any]]:
    """A batch from its transactions to its hash."""
    cases = []
    for count in (1, 3):
        world = fresh()
        wires = [world.sign("alice", Transfer(world.accounts["bob"], WATT)) for _ in range(count)]
        wire = batch_of(wires, count, world.time_ms + 60_000)
        batch = decode_batch.trusted(wire)
        cases.append(
            {
                "chain": world.chain,
                "author": NODE_ID.hex(),
                "sequence": count,
                "expires_ms": world.time_ms + 60_000,
                "transactions": readable(wires),
                "root": merkle_root(wires).hex(),
                "header": batch.header.hex(),
                "signed": signed_batch(batch.header).hex(),
                "signature": batch.signature.hex(),
                "public_key": NODE.keys[0].hex(),
                "path_of_last": [[right, sibling.hex()] for right, sibling in merkle_path(wires, count - 1)],
                "bytes": wire.hex(),
                "id": batch_id(batch.header).hex(),
            }
        )
    return cases


Operation = Callable[[World], bytes]

OPERATIONS: dict[str, Operation] = {
    "transfer": lambda w: w.sign("alice", Transfer(w.accounts["bob"], WATT)),
    "transfer that is not covered": lambda w: w.sign("alice", Transfer(w.accounts["bob"], 10**12)),
    "two messages of which the second fails": lambda w: w.sign(
        "alice", Transfer(w.accounts["bob"], 1), Transfer(w.accounts["alice"], 1)
    ),
    "order that rests": lambda w: w.sign("alice", sell("alice", 1_000, NOON, 4_500_000)),
    "order off the tick": lambda w: w.sign("alice", sell("alice", 1_000, NOON, 4_500_001)),
    "cancel of nothing": lambda w: w.sign("alice", CancelOrder(pseudonym("order"))),
    "two of three signatures": lambda w: w.sign("board", Transfer(w.accounts["bob"], WATT)),
    "keys of another": lambda w: signed(signer("bob"), w.body("alice", Transfer(w.accounts["bob"], WATT))),
    "nonce far ahead": lambda w: w.sign("bob", buy("bob", 1_000, NOON, 4_500_000), nonce=1_000),
    "nonce too far ahead": lambda w: w.sign("bob", buy("bob", 1_000, NOON, 4_500_000), nonce=1_025),
    "expired": lambda w: w.sign("bob", buy("bob", 1_000, NOON, 4_500_000), expires_ms=w.time_ms),
    "another chain": lambda w: w.sign("bob", buy("bob", 1_000, NOON, 4_500_000), chain="another"),
}


def transactions() -> dict[str, Any]:
    """Pre, operation, post: each case is one transaction in block 1 after the same genesis."""
    world = community()
    cases = []
    for name, operation in OPERATIONS.items():
        world = fresh()
        wire = operation(world)
        envelope = msgspec.msgpack.decode(wire)
        outcome = world.block(world.batch(wire))
        (receipt,) = outcome.batches[0].receipts
        cases.append(
            {
                "name": name,
                "operation": wire.hex(),
                "signed": (TRANSACTION_DOMAIN + envelope[0]).hex(),
                "body": readable(CONSORTIUM.body.trusted(envelope[0])),
                "block": _block(world.blocks[-1]),
                "post": {
                    "receipt": receipt.hex(),
                    "code": CONSORTIUM.codes[decode_receipt(receipt).code],
                    "changes": _changes(outcome),
                    "app_hash": outcome.app_hash.hex(),
                },
            }
        )
    return {"pre": {"genesis": world.genesis.hex(), "app_hash": fresh().commitment.root().hex()}, "cases": cases}


def blocks() -> dict[str, Any]:
    """A chain of blocks with everything they did."""
    world, entries = told(), []
    again = fresh()
    for block in world.blocks:
        more = {"time_ms": block.time_ms, "proposer": block.proposer, "misbehaviour": block.misbehaviour}
        outcome = again.block(*block.batches, last_commit=block.last_commit, **more)
        entries.append(
            {
                **_block(block),
                "header": readable(outcome.header),
                "header_hash": header_hash(outcome.header).hex(),
                "batch_codes": [batch.code for batch in outcome.batches],
                "receipts": [readable(batch.receipts) for batch in outcome.batches],
                "receipts_root": merkle_root([batch.root for batch in outcome.batches]).hex(),
                "trades": readable(outcome.trades),
                "trades_root": merkle_root(list(outcome.trades)).hex(),
                "summary": readable(outcome.summary),
                "validator_updates": readable(outcome.validator_updates),
                "app_hash": outcome.app_hash.hex(),
            }
        )
    return {"genesis": again.genesis.hex(), "blocks": entries, "export_hash": hash_bytes(again.export()).hex()}


def _block(block: Block) -> dict[str, Any]:
    document = readable(block)
    assert isinstance(document, dict)
    return document


def _changes(outcome: BlockOutcome) -> list[list[str | None]]:
    """(prefixed key, record or null if it is gone), in key order."""
    return [[key.hex(), None if data is None else data.hex()] for key, data in sorted(outcome.changes)]


DOCUMENTS: dict[str, Callable[[], Any]] = {
    "codes.json": codes,
    "accounts.json": accounts,
    "messages.json": messages,
    "readings.json": readings,
    "merkle_lists.json": merkle_lists,
    "batches.json": batches,
    "transactions.json": transactions,
    "blocks.json": blocks,
    **CLIENT_DOCUMENTS,
}


def document(name: str) -> str:
    """The text of one file."""
    return json.dumps(DOCUMENTS[name](), indent=1) + "\n"


if __name__ == "__main__":
    for file in DOCUMENTS:
        (FOLDER / file).write_text(document(file), encoding="utf-8")
