"""ABCI's calls, one function each: protocol messages in and out, the engine's plain values between."""

import logging
from collections.abc import Callable, Iterable
from hashlib import file_digest
from typing import Any, Final

import msgspec

from gridtokenx import __version__
from gridtokenx.engine.comet import abci_pb2 as abci
from gridtokenx.engine.comet.engine import CODE_REFUSED, CometEngine
from gridtokenx.engine.comet.home import AppState
from gridtokenx.engine.comet.joining import Joining
from gridtokenx.engine.comet.server import Call
from gridtokenx.engine.folder import DataFolder
from gridtokenx.engine.snapshots import SnapshotStore
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.validator import LastCommit, Misbehaviour

ACCEPT: Final = 1
REJECT: Final = 2
"""Of a proposal, and of a vote extension."""

ABSENT: Final = 1
"""Of a vote in a commit: it is not there. A vote for a block and a vote for none are both there."""

log = logging.getLogger("gridtokenx.consensus")


class WrongGenesis(Exception):
    """The engine's genesis and the application's do not belong together."""


class Calls:
    """Answers for one node."""

    def __init__(
        self, engine: CometEngine, folder: DataFolder, snapshots: SnapshotStore, joining: Joining, blocks_kept: int
    ) -> None:
        """`blocks_kept`: how many blocks the engine need keep for others, 0: all."""
        self._engine = engine
        self._folder = folder
        self._snapshots = snapshots
        self._joining = joining
        self._blocks_kept = blocks_kept

    def by_kind(self) -> dict[str, Call]:
        """The function for each kind of request."""
        own: dict[str, Callable[[Any], Any]] = {
            "echo": self.echo,
            "flush": self.flush,
            "info": self.info,
            "query": self.query,
            "check_tx": self.check_tx,
            "insert_tx": self.insert_tx,
            "reap_txs": self.reap_txs,
            "init_chain": self.init_chain,
            "prepare_proposal": self.prepare_proposal,
            "process_proposal": self.process_proposal,
            "extend_vote": self.extend_vote,
            "verify_vote_extension": self.verify_vote_extension,
            "finalize_block": self.finalize_block,
            "commit": self.commit,
            "list_snapshots": self.list_snapshots,
            "load_snapshot_chunk": self.load_snapshot_chunk,
        }
        return own | self._joining.calls()

    def echo(self, request: abci.RequestEcho) -> abci.ResponseEcho:
        """The same words back."""
        return abci.ResponseEcho(message=request.message)

    def flush(self, _: abci.RequestFlush) -> abci.ResponseFlush:
        """The answers so far are on their way."""
        return abci.ResponseFlush()

    def info(self, _: abci.RequestInfo) -> abci.ResponseInfo:
        """Where this application stands, so that the engine knows which blocks it lacks."""
        head = self._engine.head
        return abci.ResponseInfo(
            data="gridtokenx",
            version=__version__,
            app_version=head.protocol,
            last_block_height=head.height,
            last_block_app_hash=head.app_hash if head.height else b"",
        )

    def query(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        """`/record`: the record under a prefixed key after the last block. Proofs are the gateway's to give."""
        if request.path != "/record" or not request.data:
            return abci.ResponseQuery(code=CODE_REFUSED, log="ask for /record with a key as data")
        proved = self._engine.application.prove(request.data)
        return abci.ResponseQuery(key=request.data, value=proved.value or b"", height=proved.height)

    def check_tx(self, _: abci.RequestCheckTx) -> abci.ResponseCheckTx:
        """No: transactions come through a gateway, batches by gossip."""
        return abci.ResponseCheckTx(code=CODE_REFUSED, log="send transactions to a gateway")

    def insert_tx(self, request: abci.RequestInsertTx) -> abci.ResponseInsertTx:
        """A peer's batch."""
        return abci.ResponseInsertTx(code=self._engine.insert(request.tx))

    def reap_txs(self, request: abci.RequestReapTxs) -> abci.ResponseReapTxs:
        """Batches for the peers."""
        return abci.ResponseReapTxs(txs=self._engine.offers(request.max_bytes))

    def init_chain(self, request: abci.RequestInitChain) -> abci.ResponseInitChain:
        """The chain begins: with the genesis that the engine's genesis names. Raises `WrongGenesis`."""
        try:
            wanted = msgspec.json.decode(request.app_state_bytes, type=AppState).genesis_sha256
        except msgspec.DecodeError as error:
            raise WrongGenesis(f"the engine's genesis names no genesis of the application: {error}") from error
        with self._folder.genesis.open("rb") as genesis:
            present = file_digest(genesis, "sha256").hexdigest()
            if wanted == present:
                genesis.seek(0)
                self._engine.begin(genesis)
        head = self._engine.head
        if (request.chain_id, wanted) != (head.chain, present):
            raise WrongGenesis(
                f"the engine begins chain {request.chain_id} with genesis {wanted}, "
                f"this node's genesis is {present} of chain {head.chain}"
            )
        return abci.ResponseInitChain(validators=_updates(self._engine.validators()), app_hash=head.app_hash)

    def prepare_proposal(self, request: abci.RequestPrepareProposal) -> abci.ResponsePrepareProposal:
        """A block of what waits here."""
        time = request.time
        return abci.ResponsePrepareProposal(txs=self._engine.propose(time.seconds, time.nanos, request.max_tx_bytes))

    def process_proposal(self, request: abci.RequestProcessProposal) -> abci.ResponseProcessProposal:
        """Whether a proposed block is right."""
        is_right = self._engine.judge(request.time.seconds, request.time.nanos, list(request.txs))
        return abci.ResponseProcessProposal(status=ACCEPT if is_right else REJECT)

    def extend_vote(self, _: abci.RequestExtendVote) -> abci.ResponseExtendVote:
        """Nothing is added to votes."""
        return abci.ResponseExtendVote()

    def verify_vote_extension(self, request: abci.RequestVerifyVoteExtension) -> abci.ResponseVerifyVoteExtension:
        """Nothing is what an honest vote carries."""
        return abci.ResponseVerifyVoteExtension(status=REJECT if request.vote_extension else ACCEPT)

    def finalize_block(self, request: abci.RequestFinalizeBlock) -> abci.ResponseFinalizeBlock:
        """Execute a decided block."""
        time = request.time
        outcome = self._engine.execute(
            request.height,
            time.seconds,
            time.nanos,
            request.proposer_address,
            list(request.txs),
            tuple([_misbehaviour(item) for item in request.misbehavior]),
            _last_commit(request.decided_last_commit),
        )
        return _finalized(outcome)

    def commit(self, _: abci.RequestCommit) -> abci.ResponseCommit:
        """Write it."""
        height = self._engine.commit_block().header.height
        return abci.ResponseCommit(retain_height=max(0, height - self._blocks_kept) if self._blocks_kept else 0)

    def list_snapshots(self, _: abci.RequestListSnapshots) -> abci.ResponseListSnapshots:
        """Those that others may have."""
        return abci.ResponseListSnapshots(
            snapshots=[
                abci.Snapshot(
                    height=one.height, format=one.format, chunks=one.chunks, hash=one.hash, metadata=one.metadata
                )
                for one in self._snapshots.offered()
            ]
        )

    def load_snapshot_chunk(self, request: abci.RequestLoadSnapshotChunk) -> abci.ResponseLoadSnapshotChunk:
        """A part of one; nothing if it is gone."""
        return abci.ResponseLoadSnapshotChunk(
            chunk=self._snapshots.chunk(request.height, request.format, request.chunk) or b""
        )


def _updates(validators: Iterable[tuple[bytes, int]]) -> list[abci.ValidatorUpdate]:
    return [abci.ValidatorUpdate(pub_key=abci.PublicKey(ed25519=key), power=power) for key, power in validators]


def _misbehaviour(item: abci.Misbehavior) -> Misbehaviour:
    time_ms = item.time.seconds * 1_000 + item.time.nanos // 1_000_000
    who = item.validator
    return Misbehaviour(item.type, who.address, item.height, time_ms, item.total_voting_power, who.power)


def _last_commit(commit: abci.CommitInfo) -> LastCommit | None:
    """None with the first block: nobody voted on one before it."""
    if not commit.votes:
        return None
    absent = [vote.validator.address for vote in commit.votes if vote.block_id_flag == ABSENT]
    return LastCommit(commit.round, tuple(sorted(absent)))


def _finalized(outcome: BlockOutcome) -> abci.ResponseFinalizeBlock:
    """A batch's result is its code and the root of its receipts: a light client can prove one receipt by it."""
    return abci.ResponseFinalizeBlock(
        tx_results=[abci.ExecTxResult(code=batch.code, data=batch.root) for batch in outcome.batches],
        validator_updates=_updates(outcome.validator_updates),
        app_hash=outcome.app_hash,
    )
