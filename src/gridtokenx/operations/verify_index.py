"""Where transactions are found, what followers were told, what an archive remembers: derived, and compared all the
same."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from gridtokenx.engine.history import HistoryMissing, Version
from gridtokenx.engine.storage import NONCE_UNUSED, Change, Reader
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.transaction import Receipt

T = TypeVar("T")

_decode_receipt: Decoder[Receipt] = Decoder(Receipt)


class Unreadable(Exception):
    """Damaged bytes, or files that RocksDB refuses. Says why."""


def attempt(read: Callable[[], T]) -> T:
    """What `read` gives; `Unreadable` for whatever damage makes of it. A missing file is left as it comes."""
    try:
        return read()
    except FileNotFoundError:
        raise
    except Exception as error:  # RocksDB has no narrower class, and damaged bytes may raise anything
        raise Unreadable(str(error) or repr(error)) from error


def check_index(reader: Reader, block: Block, outcome: BlockOutcome) -> Iterator[tuple[str, str]]:
    """(place, what) of each receipt of the block that the index does not lead to.

    A transaction that did something has one such receipt in the whole chain, and the index names it. One that did
    not even use its nonce may stand in several places: then the index names some receipt of it; none, if the database
    was restored from a snapshot and the right one may be before that.
    """
    for number, batch in enumerate(outcome.batches):
        for position, encoded in enumerate(batch.receipts):
            receipt = _decode_receipt.trusted(encoded)
            place = f"index of transaction {receipt.transaction.hex()}"
            try:
                told = attempt(lambda: reader.place_of(receipt.transaction))  # noqa: B023 - called at once
            except Unreadable as trouble:
                yield place, f"it cannot be read: {trouble}"
                continue
            if told is None:
                if receipt.code not in NONCE_UNUSED or reader.beginning() is None:
                    yield place, "it is missing"
            elif receipt.code not in NONCE_UNUSED:
                if told != (block.height, number, position, receipt.code, False):
                    yield (
                        place,
                        f"it leads to {told}, the receipt is {position} of batch {number}, block {block.height}",
                    )
            elif not told.expired and _other_transaction(reader, told.height, told.batch, told.position, receipt):
                yield place, "it leads to a receipt of another transaction"


def _other_transaction(reader: Reader, height: int, batch: int, position: int, receipt: Receipt) -> bool:
    results = reader.results(height)
    if results is None or batch >= len(results.batches):
        return True
    receipts = results.batches[batch].receipts
    if not receipts:
        return False  # its whole batch was refused
    return position >= len(receipts) or _decode_receipt.trusted(receipts[position]).transaction != receipt.transaction


def check_feed(feed: Sequence[Change], changes: Sequence[Change]) -> str:
    """The feed holds all changes of some tables, as the block made them; what is wrong with it, or nothing."""
    tables = {key[:1] for key, _ in feed}
    if list(feed) != [change for change in changes if change[0][:1] in tables]:
        return "followers were told of other changes than the block made"
    return ""


def check_history(reader: Reader, height: int, changes: Sequence[Change]) -> str:
    """An archive has what the block left under each key that it changed; what is wrong with it, or nothing."""
    try:
        history = reader.history()
        history.require(height)
    except HistoryMissing:
        return ""
    if height == history.since:
        return ""  # it begins with the records there were, not with what changed
    for key, record in changes:
        if history.versions(key, height, height, 1) != [Version(height, record)]:
            return f"it has another version of record {key.hex()} than the block made"
    return ""
