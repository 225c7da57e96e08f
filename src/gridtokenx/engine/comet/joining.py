"""How a new node takes over a snapshot that its engine found with the peers (state sync).

The engine vouches for the app hash (its light client has it); whatever the peers send must lead to it.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from gridtokenx.engine.comet import abci_pb2 as abci
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.restoration import Restoration
from gridtokenx.engine.snapshots import ChunkRejected, FormatUnknown, ProvedSnapshot, Snapshot, SnapshotRejected
from gridtokenx.ledger.genesis import GatheredState
from gridtokenx.ledger.module import Chain

ACCEPT: Final = 1
ABORT: Final = 2
REJECT: Final = 3
REJECT_FORMAT: Final = 4
"""Answers to an offered snapshot."""

RETRY: Final = 3
"""The answer to a chunk that is not the one wanted; `ACCEPT` to one that is."""

log = logging.getLogger("gridtokenx.consensus")


class Joining:
    """One node's way into a running chain; of one thread."""

    def __init__(
        self, folder: DataFolder, chain: Chain, genesis_hash: bytes, adopt: Callable[[Restoration], None]
    ) -> None:
        """`adopt` is told when all chunks are there: it puts the new database in the place of the present one, and goes
        on with the state that was gathered."""
        self._folder = folder
        self._chain = chain
        self._genesis_hash = genesis_hash
        self._adopt = adopt
        self._restoration: Restoration | None = None

    def calls(self) -> dict[str, Callable[[Any], Any]]:
        """What the engine asks of it."""
        return {"offer_snapshot": self.offer, "apply_snapshot_chunk": self.apply}

    def offer(self, request: abci.RequestOfferSnapshot) -> abci.ResponseOfferSnapshot:
        """Whether this snapshot is one of the state with the app hash that the engine trusts."""
        self._abandon()
        given = request.snapshot
        snapshot = Snapshot(given.height, given.format, given.chunks, given.hash, given.metadata)
        try:
            proved = ProvedSnapshot(snapshot, request.app_hash, self._chain.kind, self._genesis_hash)
        except FormatUnknown:
            return abci.ResponseOfferSnapshot(result=REJECT_FORMAT)
        except SnapshotRejected as rejection:
            log.warning("snapshot of block %d refused: %s", snapshot.height, rejection)
            return abci.ResponseOfferSnapshot(result=REJECT)
        log.info("taking over the snapshot of block %d, %d chunks", snapshot.height, snapshot.chunks)
        self._restoration = Restoration(self._folder, proved, GatheredState(self._chain))
        return abci.ResponseOfferSnapshot(result=ACCEPT)

    def apply(self, request: abci.RequestApplySnapshotChunk) -> abci.ResponseApplySnapshotChunk:
        """Take a chunk. What it must be is known, so one that is wrong is its sender's fault."""
        restoration = self._restoration
        if restoration is None:
            return abci.ResponseApplySnapshotChunk(result=ABORT)
        try:
            restoration.apply(request.index, request.chunk)
        except ChunkRejected as rejection:
            log.warning("chunk %d from %s refused: %s", request.index, request.sender, rejection)
            return abci.ResponseApplySnapshotChunk(
                result=RETRY, refetch_chunks=[request.index], reject_senders=[request.sender] if request.sender else []
            )
        if not restoration.missing:
            self._restoration = None
            self._adopt(restoration)
        return abci.ResponseApplySnapshotChunk(result=ACCEPT)

    def _abandon(self) -> None:
        if self._restoration is not None:
            self._restoration.abandon()
            self._restoration = None
