"""A node's promise, made before there is a block: it has this transaction on its disk, in a batch that it signed.

The batch's header names chain, author and expiry, and holds the root over the batch's transactions. So header,
signature and path show anybody that the node took the transaction in: if it is in no block by the header's expiry
although blocks were made, the node broke its word.
"""

from collections.abc import Mapping, Sequence

from gridtokenx.engine.pool import PendingBatch
from gridtokenx.ledger.batch import BatchHeader, decode_batch_header, signed_batch
from gridtokenx.ledger.codec import Record
from gridtokenx.ledger.crypto import merkle_paths, merkle_verify, signature_is_valid
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import BATCH_PATH_STEPS_MAX


class Acceptance(Record, frozen=True):
    """`header` is encoded; `path` leads from the transaction to its root: (sibling stands on the right, hash)."""

    header: bytes
    signature: bytes
    path: tuple[tuple[bool, bytes], ...]

    def verify(self, public_key: bytes, transaction: bytes) -> bool:
        """Whether the node with this key says so of exactly these bytes. False for whatever is malformed; chain and
        author stand in `batch`."""
        try:
            root = self.batch.root
        except Rejected:
            return False
        in_batch = len(self.path) <= BATCH_PATH_STEPS_MAX and merkle_verify(root, transaction, self.path)
        return in_batch and signature_is_valid(self.signature, signed_batch(self.header), public_key)

    @property
    def batch(self) -> BatchHeader:
        """What was signed. Raises `Rejected` if it is no header."""
        return decode_batch_header(self.header, "header")


def acceptances(batches: Sequence[PendingBatch], wanted: Mapping[bytes, bytes]) -> dict[bytes, Acceptance]:
    """For each of the `wanted` transactions (id → exact bytes) that is in one of these batches, newest first."""
    found: dict[bytes, Acceptance] = {}
    for batch in reversed(batches):
        if len(found) == len(wanted):
            break
        transactions = batch.batch.transactions
        places = {
            name: place
            for place, name in enumerate(batch.ids)
            if name not in found and wanted.get(name) == transactions[place]
        }
        if places:
            paths = merkle_paths(list(transactions), list(places.values()))
            for name, path in zip(places, paths, strict=True):
                found[name] = Acceptance(batch.batch.header, batch.batch.signature, tuple(path))
    return found
