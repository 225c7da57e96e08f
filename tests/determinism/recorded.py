"""A world whose blocks go through consensus' calls into a node's data folder: what it lived can be replayed."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.world import NODE, NODE_ID, World, decode_receipt

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import Application
from gridtokenx.engine.clocks import ChainClock
from gridtokenx.engine.comet import abci_pb2 as abci
from gridtokenx.engine.comet.calls import ABSENT, ACCEPT, Calls
from gridtokenx.engine.comet.engine import CometEngine
from gridtokenx.engine.comet.joining import Joining
from gridtokenx.engine.folder import DataFolder, NodeKey, create_data_folder
from gridtokenx.engine.journal import Journal
from gridtokenx.engine.mempool import BatchAuthor, Mempool
from gridtokenx.engine.snapshots import SnapshotStore
from gridtokenx.engine.storage import Storage
from gridtokenx.engine.verifier import Verifier
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.freeze import FREEZE
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.rotation import rotation_of
from gridtokenx.ledger.validator import VALIDATORS, LastCommit, Misbehaviour
from gridtokenx.operations.network.programs import CHAIN

COMMIT, NIL = 2, 3
"""What a vote in a commit is for: the block, or none."""

NOBODY = bytes(20)
"""A proposer who is no validator any more."""


class RecordedWorld(World):
    """The same parties, but the node decides nothing by itself: each block is judged, finalized and committed by the
    calls that CometBFT makes, and some of its batches came by gossip before."""

    def __init__(self, world: World, folder: DataFolder) -> None:
        super().__init__(world.genesis, world.signers, world.accounts, world.sites)
        self.random = random.Random(1)
        self.verifier = Verifier(CHAIN, 0)
        self.storage = Storage(folder.database)
        self.journal = Journal(folder.journal)
        application = Application(CONSORTIUM, self.storage)
        with folder.genesis.open("rb") as genesis:
            application.init_chain(genesis)
        self.state, self.commitment = application.state, application.commitment
        key = NodeKey(NODE.secrets[0])
        author = BatchAuthor(self.chain, NODE_ID, key, self.journal.next_number)
        rows = self.state.rows
        mempool = Mempool(self.chain, author, rows[ACCOUNTS.prefix], self.storage.place_of, rows[FREEZE.prefix])
        self.engine = CometEngine(
            application, mempool, ChainClock(), NODE_ID, journal=self.journal, verifier=self.verifier
        )
        self.outcomes: list[BlockOutcome] = []
        self.engine.on_block = self.outcomes.append
        joining = Joining(folder, CONSORTIUM, sha256(self.genesis).digest(), lambda restoration: None)
        self.calls = Calls(self.engine, folder, SnapshotStore(folder.snapshots), joining, 0).by_kind()
        self.judgements: list[bool] = []
        """Of each block: whether this node would have voted for it."""

    def block(
        self,
        *batches: bytes,
        time_ms: int | None = None,
        proposer: bytes = NODE_ID,
        misbehaviour: tuple[Misbehaviour, ...] = (),
        last_commit: LastCommit | None = None,
    ) -> BlockOutcome:
        """As `World.block`, but who proposes is drawn here."""
        before = last_block(self.state)
        time_ms = before.time_ms + 1_000 if time_ms is None else time_ms
        given = {"height": before.height + 1, "time": timestamp(time_ms), "txs": batches}
        for wire in batches:
            if self.random.random() < 0.5:
                self.calls["insert_tx"](abci.RequestInsertTx(tx=wire))
        verdict = self.calls["process_proposal"](abci.RequestProcessProposal(**given))
        self.judgements.append(verdict.status == ACCEPT)
        proposers = [*self.state.keys(VALIDATORS), NOBODY]
        said = [_misbehavior(item) for item in misbehaviour]
        more = {
            "proposer_address": self.random.choice(proposers),
            "misbehavior": said,
            "decided_last_commit": self._commit_info(last_commit),
        }
        answer = self.calls["finalize_block"](abci.RequestFinalizeBlock(**given, **more))
        self.calls["commit"](abci.RequestCommit())
        outcome = self.outcomes[-1]
        assert answer.app_hash == outcome.app_hash == self.commitment.root()
        self.trades = outcome.trades
        self.blocks.append(Block(before.height + 1, time_ms, proposer, batches, misbehaviour, last_commit))
        return outcome

    def _commit_info(self, commit: LastCommit | None) -> Any:
        """In the order of powers, as CometBFT says it; a vote for nothing is said as well."""
        if commit is None:
            return abci.CommitInfo()
        rotation = rotation_of(self.state, last_block(self.state).height)
        assert rotation is not None
        votes = [
            abci.VoteInfo(
                validator=abci.Validator(address=voter.address, power=voter.power),
                block_id_flag=ABSENT if voter.address in commit.absent else self.random.choice((COMMIT, NIL)),
            )
            for voter in sorted(rotation.voters.each, key=lambda voter: -voter.power)
        ]
        return abci.CommitInfo(round=commit.round, votes=votes)

    @property
    def receipt_codes(self) -> set[int]:
        """Of all transactions."""
        batches = [batch for outcome in self.outcomes for batch in outcome.batches]
        return {decode_receipt(receipt).code for batch in batches for receipt in batch.receipts}

    def close(self) -> None:
        """The end of the node."""
        self.verifier.close()
        self.journal.close()
        self.storage.close()


@contextmanager
def recorded(world: World, path: Path) -> Iterator[RecordedWorld]:
    """The world from its genesis on, by a node whose data lie at `path`."""
    lived = RecordedWorld(world, create_data_folder(path, world.genesis, NODE.secrets[0]))
    try:
        yield lived
    finally:
        lived.close()


def timestamp(time_ms: int) -> Any:
    """As CometBFT says it: the block's time is cut to milliseconds."""
    return abci.Timestamp(seconds=time_ms // 1_000, nanos=time_ms % 1_000 * 1_000_000 + 123_456)


def _misbehavior(item: Misbehaviour) -> Any:
    return abci.Misbehavior(
        type=item.kind,
        validator=abci.Validator(address=item.address, power=item.power),
        height=item.height,
        time=timestamp(item.time_ms),
        total_voting_power=item.total_power,
    )
