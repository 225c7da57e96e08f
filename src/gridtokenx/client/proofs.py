"""Believing nobody: what a gateway says, checked against an app hash from elsewhere.

An app hash stands in the next block's header and on the screen of any other node. Whoever has one needs to trust
neither the gateway nor its node.
"""

from gridtokenx.client.errors import ProofInvalid
from gridtokenx.engine.acceptance import Acceptance
from gridtokenx.gateway.documents import AcceptanceView, PathStep, ReceiptProof, RecordProof, StateClaim
from gridtokenx.ledger.batch import BatchHeader
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.commitment import Proof, verify
from gridtokenx.ledger.crypto import HASH_BYTES, merkle_verify
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY, LastBlock
from gridtokenx.ledger.transaction import Receipt

PATH_STEPS_MAX = 64

_LAST_BLOCK_STATE_KEY = bytes([LAST_BLOCK.prefix]) + LAST_BLOCK_KEY
_decode_receipt: Decoder[Receipt] = Decoder(Receipt)
_decode_last_block: Decoder[LastBlock] = Decoder(LastBlock)


def check_receipt(app_hash: bytes, transaction_id: bytes, proof: ReceiptProof) -> Receipt:
    """The receipt that the block with this app hash gave the transaction. Raises ProofInvalid."""
    try:
        receipt = _decode_receipt(_from_hex(proof.receipt))
        batch_root = _from_hex(proof.batch_root)
        in_batch = merkle_verify(batch_root, _from_hex(proof.receipt), _path(proof.batch_path))
        last_block = _decode_last_block(_checked_value(app_hash, _LAST_BLOCK_STATE_KEY, proof.claim) or b"")
        in_block = merkle_verify(last_block.receipts_root, batch_root, _path(proof.block_path))
    except Rejected as rejection:
        raise ProofInvalid(f"a record in it is none: {rejection.field}") from None
    if not in_batch or not in_block:
        raise ProofInvalid("the path does not lead from the receipt to the root in the block's record")
    if receipt.transaction != transaction_id or last_block.height != proof.height:
        raise ProofInvalid("it is about another transaction or another block")
    return receipt


def check_acceptance(public_key: bytes, transaction: bytes, acceptance: AcceptanceView) -> BatchHeader:
    """The header of the batch in which the node with this key promises to have taken in exactly these bytes: it names
    chain, author and until when the batch can be in a block. Raises ProofInvalid."""
    path = tuple(_path(acceptance.path))
    promise = Acceptance(_from_hex(acceptance.header), _from_hex(acceptance.signature), path)
    if not promise.verify(public_key, transaction):
        raise ProofInvalid("the node with this key did not sign a batch with this transaction")
    return promise.batch


def check_record(app_hash: bytes, key: bytes, proof: RecordProof) -> bytes | None:
    """The encoded record that the state with this app hash holds under the (prefixed) key; None if there is none.
    Raises ProofInvalid."""
    return _checked_value(app_hash, key, proof.claim)


def _checked_value(app_hash: bytes, key: bytes, claim: StateClaim) -> bytes | None:
    if claim.root != app_hash.hex() or claim.key != key.hex():
        raise ProofInvalid("it is about another state or another record")
    value = None if claim.value is None else _from_hex(claim.value)
    try:
        proof = Proof.from_json({"items": claim.proof.items, "path": claim.proof.path})
    except ValueError as error:
        raise ProofInvalid(str(error)) from None
    if not verify(app_hash, key, value, proof):
        raise ProofInvalid("the path does not lead from the record to the app hash")
    return value


def _path(steps: list[PathStep]) -> list[tuple[bool, bytes]]:
    if len(steps) > PATH_STEPS_MAX:
        raise ProofInvalid(f"a path has at most {PATH_STEPS_MAX} steps")
    path = [(step.right, _from_hex(step.hash)) for step in steps]
    if any(len(sibling) != HASH_BYTES for _, sibling in path):
        raise ProofInvalid(f"a hash has {HASH_BYTES} bytes")
    return path


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ProofInvalid("not hexadecimal") from None
