"""What proves a receipt to a stranger who knows one app hash.

receipt → (path) root of its batch → (path) root of the block's receipts, which stands in the record of the last
block → (proof) app hash. The next block's header carries that app hash on.
"""

from typing import Final

from gridtokenx.engine.storage import Results
from gridtokenx.ledger.codec import Decoder, Record
from gridtokenx.ledger.commitment import Proof, verify
from gridtokenx.ledger.crypto import merkle_path, merkle_verify
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY, LastBlock

Path = tuple[tuple[bool, bytes], ...]
"""Siblings from the leaf upwards: (stands on the right, hash)."""

_LAST_BLOCK_STATE_KEY: Final = bytes([LAST_BLOCK.prefix]) + LAST_BLOCK_KEY
_decode_last_block: Decoder[LastBlock] = Decoder(LastBlock)


class ReceiptProof(Record, frozen=True):
    """All that is needed besides the app hash. `last_block` is an encoded record of state."""

    receipt: bytes
    path_in_batch: Path
    batch_root: bytes
    path_in_block: Path
    last_block: bytes
    proof_items: bytes
    proof_path: tuple[bytes, ...]


def prove_receipt(results: Results, batch: int, position: int) -> ReceiptProof:
    """Proof of one receipt of a block. Raises LookupError if there is no such receipt."""
    receipts = list(results.batches[batch].receipts)
    roots = [outcome.root for outcome in results.batches]
    return ReceiptProof(
        receipts[position],
        tuple(merkle_path(receipts, position)),
        roots[batch],
        tuple(merkle_path(roots, batch)),
        results.last_block,
        results.proof_items,
        results.proof_path,
    )


def verify_receipt(app_hash: bytes, proof: ReceiptProof) -> bool:
    """Whether the block that made this app hash gave this receipt. False for every malformed proof."""
    try:
        last_block = _decode_last_block(proof.last_block)
    except Rejected:
        return False
    in_batch = merkle_verify(proof.batch_root, proof.receipt, list(proof.path_in_batch))
    in_block = merkle_verify(last_block.receipts_root, proof.batch_root, list(proof.path_in_block))
    state_proof = Proof(proof.proof_items, proof.proof_path)
    in_state = verify(app_hash, _LAST_BLOCK_STATE_KEY, proof.last_block, state_proof)
    return in_batch and in_block and in_state
