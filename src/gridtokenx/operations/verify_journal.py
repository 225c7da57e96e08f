"""The journal against the chain: every entry whole, its batches signed, its marker a block that is there."""

from collections.abc import Collection, Mapping
from typing import Protocol

from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.journal import (
    Entry,
    JournalDamaged,
    JournaledBatch,
    Kind,
    Marker,
    SegmentHead,
    TornTail,
    read_journal,
)
from gridtokenx.ledger.batch import open_batch, signed_batch
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.crypto import signature_is_valid
from gridtokenx.ledger.errors import Rejected

_decode_head: Decoder[SegmentHead] = Decoder(SegmentHead)
_decode_marker: Decoder[Marker] = Decoder(Marker)
_decode_batch: Decoder[JournaledBatch] = Decoder(JournaledBatch)


AuthorKeys = Mapping[bytes, Collection[bytes]]
"""All public keys that each node has had, by its id."""


class Found(Protocol):
    """Where findings go."""

    journal_entries: int
    notes: list[str]

    def find(self, place: str, what: str) -> None:
        """Add a finding."""


def check_journal(folder: DataFolder, height: int, hashes: Mapping[int, bytes], keys: AuthorKeys, found: Found) -> None:
    """`hashes` are the app hashes of the chain by height, up to `height`, where the database ends; `keys` all public
    keys that each node has had. The node may be running: entries beyond that height are its latest."""
    last_number = 0
    marker: Marker | None = None
    try:
        for entry in read_journal(folder.journal):
            if isinstance(entry, TornTail):
                found.notes.append(
                    f"{entry.path.name} ends with an unfinished entry at byte {entry.offset}: nobody was told of it"
                )
                break
            found.journal_entries += 1
            place = f"{entry.path.name} at byte {entry.offset}"
            try:
                if entry.kind is Kind.MARKER:
                    marker = _decode_marker(entry.payload)
                    _check_marker(place, marker, hashes, found)
                elif entry.kind is Kind.SEGMENT:
                    _decode_head(entry.payload)
                else:
                    last_number = _check_batch(place, entry, last_number, keys, found)
            except Rejected as rejection:
                found.find(place, f"the entry cannot be read: {rejection}")
    except JournalDamaged as damage:
        found.find(f"{damage.path.name} at byte {damage.offset}", str(damage))
        return
    if marker is not None and marker.height > height:
        found.find("database, head", f"it ends at block {height}, the journal says that {marker.height} was committed")


def _check_marker(place: str, marker: Marker, hashes: Mapping[int, bytes], found: Found) -> None:
    known = hashes.get(marker.height)
    if known is not None and known != marker.app_hash:
        found.find(place, f"block {marker.height} has app hash {known.hex()}, not {marker.app_hash.hex()}")


def _check_batch(place: str, entry: Entry, last_number: int, keys: AuthorKeys, found: Found) -> int:
    journaled = _decode_batch(entry.payload)
    if journaled.number <= last_number:
        found.find(place, f"batch {journaled.number} comes after batch {last_number}")
    batch, header = open_batch(journaled.wire)
    signed = signed_batch(batch.header)
    if not any(signature_is_valid(batch.signature, signed, key) for key in keys.get(header.author, ())):
        found.find(place, f"batch {journaled.number} is not signed by the node that it names")
    return journaled.number
