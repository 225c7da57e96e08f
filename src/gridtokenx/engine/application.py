"""The application: one chain's state and its database, driven by calls shaped like ABCI.

`init_chain` or `load` (or `expect`, and one of them or `adopt` later), then for each block `finalize_block` (the ledger
executes, nothing is written) and `commit` (one write). The ledger answers every failure that senders can cause.
Whatever else is raised here, by the disk or for want of memory, leaves the application unfit to commit: the process
ends, and starts again from the database.
"""

import gc
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO

from gridtokenx.engine.faultpoints import reached
from gridtokenx.engine.storage import Head, Storage
from gridtokenx.ledger.block import Block, BlockOutcome, CountSignatures, Observe, apply_block
from gridtokenx.ledger.codec import encode
from gridtokenx.ledger.commitment import Commitment, Proof
from gridtokenx.ledger.genesis import GatheredState, genesis_rows, import_state, load_state, new_state
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY, LastBlock, last_block
from gridtokenx.ledger.module import Chain
from gridtokenx.ledger.schedule import next_due_ms
from gridtokenx.ledger.state import State

LAST_BLOCK_STATE_KEY = bytes([LAST_BLOCK.prefix]) + LAST_BLOCK_KEY


HASH_PIECE_BYTES = 1_048_576
"""A genesis is read in pieces, because it can be as large as a state."""


class StateDamaged(Exception):
    """The records in the database are not those that their block left behind."""


@dataclass(frozen=True, slots=True)
class Info:
    """Where the chain stands."""

    chain: str
    kind: str
    protocol: int
    height: int
    time_ms: int
    app_hash: bytes


@dataclass(frozen=True, slots=True)
class Proved:
    """What the state says of a key after a committed block, and the proof under that block's app hash."""

    height: int
    app_hash: bytes
    value: bytes | None
    proof: Proof


class Application:
    """One chain. `finalize_block` and `commit` are one thread's; `prove` may be any thread's.

    Without a storage nothing is kept: for simulations.
    """

    def __init__(self, chain: Chain, storage: Storage | None = None) -> None:
        self.chain = chain
        self.storage = storage
        self.has_begun = False
        """Whether there is the state of a genesis, or of a block."""
        self.making = threading.Lock()
        """Held by whoever makes a block, from before `finalize_block` until after `commit`."""
        self._state: State | None = None
        self._commitment: Commitment | None = None
        self._finalized: tuple[Block, BlockOutcome] | None = None
        self._last_trades: Sequence[bytes] | None = None
        """Of the last block; None until they are known, or asked for."""
        self._sound = True

    @property
    def state(self) -> State:
        """The ledger's state. ValueError before there is one."""
        if self._state is None:
            raise ValueError("no chain yet: call init_chain or load first")
        return self._state

    @property
    def commitment(self) -> Commitment:
        """The tree over the state. ValueError before there is one."""
        if self._commitment is None:
            raise ValueError("no chain yet: call init_chain or load first")
        return self._commitment

    def expect(self, chain_name: str, time_ms: int) -> None:
        """Be empty, with no more than the name of the chain and the time it begins, until its genesis comes or a
        snapshot of it: a large state would be read for nothing if it is the snapshot. Nothing is written."""
        self._state, self._commitment = new_state(self.chain, chain_name, time_ms), Commitment()

    def init_chain(self, genesis: bytes | BinaryIO) -> bytes:
        """Begin with this genesis, given as bytes or as a file, which is then read in pieces; returns its app hash.
        Raises `Rejected` if it is not one of this chain."""
        stream = BytesIO(genesis) if isinstance(genesis, bytes) else genesis
        self._state, self._commitment = import_state(self.chain, stream)
        self.has_begun = True
        info = self.info()
        if self.storage is not None:
            stream.seek(0)
            digest = sha256()
            while piece := stream.read(HASH_PIECE_BYTES):
                digest.update(piece)
            head = Head(info.kind, info.chain, info.height, info.time_ms, info.app_hash, digest.digest())
            stream.seek(0)
            self.storage.write_genesis(head, genesis_rows(self.chain.kind, stream))
        return info.app_hash

    def load(self) -> bool:
        """Go on from the database; False if there is no genesis in it yet.

        Raises `StateDamaged` if its records do not have the app hash of their block, and `Rejected` naming a record
        that is none.
        """
        head = None if self.storage is None else self.storage.head()
        if self.storage is None or head is None:
            return False
        if head.kind != self.chain.kind:
            raise StateDamaged(f"the database is of a {head.kind} chain, not of a {self.chain.kind} chain")
        self._go_on(head, *load_state(self.chain, self.storage.scan()))
        return True

    def adopt(self, storage: Storage, gathered: GatheredState) -> None:
        """Go on from another database of the same chain, which was restored from a snapshot, and whose records were
        `gathered`. Raises as `load`."""
        with self.making:
            self.storage, self._finalized, self._last_trades = storage, None, None
            head = storage.head()
            if head is None:
                raise StateDamaged("the restored database is empty")
            self._go_on(head, *gathered.finish())

    def _go_on(self, head: Head, state: State, commitment: Commitment) -> None:
        self._state, self._commitment = state, commitment
        info = self.info()
        if (info.height, info.app_hash) != (head.height, head.app_hash):
            raise StateDamaged(
                f"the state has app hash {info.app_hash.hex()} at height {info.height}, "
                f"but block {head.height} left {head.app_hash.hex()}"
            )
        self.has_begun = True

    def info(self) -> Info:
        """Where the chain stands, as of the last block that was finalized."""
        last = last_block(self.state)
        return Info(last.chain, self.chain.kind, last.protocol, last.height, last.time_ms, self.commitment.root())

    def last_block(self) -> LastBlock:
        """The record of the last block."""
        return last_block(self.state)

    def last_trades(self) -> Sequence[bytes]:
        """The trades of the last block, which the next one asks for if the last one's clock was stale: as that block
        left them, or as the database has them. None where neither knows: after a genesis that was a state."""
        if self._last_trades is None:
            results = None if self.storage is None else self.storage.results(self.last_block().height)
            self._last_trades = () if results is None else results.trades
        return self._last_trades

    def next_due_ms(self) -> int | None:
        """When the earliest scheduled work of the ledger falls due."""
        return next_due_ms(self.state)

    def finalize_block(
        self,
        block: Block,
        count_signatures: CountSignatures | None = None,
        observe: Observe = lambda phase: None,
    ) -> BlockOutcome:
        """Execute a block in memory. `commit` must follow before the next one."""
        if not self._sound or self._finalized is not None:
            raise RuntimeError("a block before this one was not committed: start again from the database")
        self._sound = False
        outcome = apply_block(
            self.chain, self.state, self.commitment, block, count_signatures, observe, self.last_trades
        )
        self._finalized = (block, outcome)
        self._last_trades = outcome.trades
        self._sound = True
        return outcome

    def commit(self, expired: Sequence[bytes] = ()) -> None:
        """Write the finalized block. `expired` are ids of transactions that were in no block in time."""
        if self._finalized is None:
            raise RuntimeError("there is no finalized block to commit")
        block, outcome = self._finalized
        reached("block.finalized")
        self._sound = False
        if self.storage is not None:
            self.storage.write_block(block, outcome, self.commitment.prove(LAST_BLOCK_STATE_KEY), expired)
        self._sound = True
        self._finalized = None

    def prove(self, key: bytes) -> Proved:
        """What the last committed block left under a prefixed key. Waits while a block is in the making."""
        with self.making:
            if not self._sound or self._finalized is not None:
                raise RuntimeError("the last block was not committed")
            record = self.state.rows[key[0]].get(key[1:]) if key else None
            value = None if record is None else encode(record)
            return Proved(self.last_block().height, self.commitment.root(), value, self.commitment.prove(key))


def tame_garbage_collector() -> None:
    """For a process that holds a large state: what is loaded now is never looked at again, and collections happen
    only when `collect_young` says so. Records hold no cycles; the few that other code makes are young."""
    gc.collect()
    gc.freeze()
    gc.disable()


def collect_young() -> None:
    """Between blocks: free the cycles that were made since."""
    gc.collect(0)
