"""Blocks that consensus made, with everything in them that can go wrong, come to the same hashes without it."""

from collections.abc import Iterator

import pytest
from tests.determinism.recorded import RecordedWorld, recorded
from tests.determinism.replay import Recording, replay
from tests.traffic import Traffic, founded
from tests.world import NODE, NODE_ID

from gridtokenx.engine.application import Application
from gridtokenx.engine.clocks import ChainClock
from gridtokenx.engine.folder import DataFolder, NodeKey
from gridtokenx.engine.mempool import BatchAuthor, Mempool
from gridtokenx.engine.solo import SoloEngine
from gridtokenx.engine.storage import Reader
from gridtokenx.ledger.block import Block
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.freeze import PAST_FREEZES
from gridtokenx.ledger.validator import UNKNOWN_NODE
from gridtokenx.modules.authority.messages import AuthorityCode
from gridtokenx.modules.authority.state import MISDEEDS, PROPOSALS, Outcome, epoch_of
from gridtokenx.modules.market.state import CLEARINGS
from gridtokenx.operations.network.programs import CHAIN
from gridtokenx.operations.verify import verify_folder

BLOCKS = 1_200
PAUSES_MS = (1_000, 20_000, 60_000, 420_000)
"""The last is a halt that passes a gate and the call phase before it."""

REFUSED_BATCHES = {
    KernelCode.MALFORMED,
    KernelCode.BATCH_TRANSACTION_INVALID,
    KernelCode.BATCH_REPEATED,
    KernelCode.BATCH_AUTHOR_UNKNOWN,
    KernelCode.BATCH_SIGNATURE_INVALID,
}
REJECTED_REPORTS = {
    AuthorityCode.NOT_THE_NODES_KEY,
    AuthorityCode.TRANSACTION_IS_SOUND,
}


@pytest.fixture(scope="module", params=[False, True], ids=["office", "members"])
def members(request: pytest.FixtureRequest) -> bool:
    """Whether members decide who runs the chain."""
    decide: bool = request.param
    return decide


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, members: bool) -> DataFolder:
    return DataFolder(tmp_path_factory.mktemp("recorded") / "n")


@pytest.fixture(scope="module")
def lived(folder: DataFolder, members: bool) -> Iterator[RecordedWorld]:
    """Twelve hundred blocks, with halts, and with all that goes on among nodes, and members if there are any."""
    with recorded(founded(block_ms=1_000, members=members), folder.path) as world:
        # Seeds with which all of it happens, trades that a halt makes void too.
        for _ in Traffic(world, 16 if members else 11, PAUSES_MS, nodes=True).steps(BLOCKS):
            pass
        yield world


@pytest.fixture(scope="module")
def stored(lived: RecordedWorld, folder: DataFolder) -> list[Block]:
    """The blocks as the database has them."""
    reader = Reader(folder.database, folder.path / "reader")
    found = [reader.block(height) for height in range(1, BLOCKS + 1)]
    reader.close()
    return [one.block for one in found if one is not None]


def test_there_is_everything_in_the_recorded_blocks(lived: RecordedWorld, stored: list[Block], members: bool) -> None:
    assert len(stored) == len(lived.outcomes) == BLOCKS
    batches = [batch for outcome in lived.outcomes for batch in outcome.batches]
    assert {batch.code for batch in batches} >= REFUSED_BATCHES - (
        {KernelCode.BATCH_AUTHOR_UNKNOWN} if members else set()
    )
    assert sum(len(outcome.validator_updates) for outcome in lived.outcomes) > (20 if members else 100)
    assert sum(bool(block.misbehaviour) for block in stored) > (2 if members else 30)
    commits = [block.last_commit for block in stored if block.last_commit is not None]
    assert len(commits) > BLOCKS - 10
    assert sum(bool(commit.absent) for commit in commits) > 100
    assert {commit.round for commit in commits} == ({0, 1, 2} if members else {0, 1, 2, 50})
    assert lived.receipt_codes >= REJECTED_REPORTS
    assert len(lived.receipt_codes) > 15
    assert {misdeed.kind for _, misdeed in lived.state.items(MISDEEDS)} == ({1, 3} if members else {1, 2, 3})
    assert sum(outcome.summary.voided_wh for outcome in lived.outcomes) > 0
    assert lived.state.rows[CLEARINGS.prefix]
    proposers = {block.proposer for block in stored}
    assert UNKNOWN_NODE in proposers and len(proposers) > 2
    if members:
        assert KernelCode.FROZEN in lived.receipt_codes
        assert len(lived.state.rows[PAST_FREEZES.prefix]) > 1 and epoch_of(lived.state).number > 50
        assert {proposal.outcome for _, proposal in lived.state.items(PROPOSALS)} >= {Outcome.CARRIED, Outcome.LOST}


def test_a_node_votes_for_exactly_the_blocks_in_which_no_batch_is_refused(lived: RecordedWorld) -> None:
    sound = [all(batch.code == KernelCode.OK for batch in outcome.batches) for outcome in lived.outcomes]
    assert lived.judgements == sound
    assert 50 < sum(sound) < BLOCKS - 50


def test_the_ledger_alone_comes_to_the_same_hashes(lived: RecordedWorld, stored: list[Block]) -> None:
    hashes = replay(Recording(lived.genesis, tuple(stored)))
    assert hashes[:-1] == [outcome.app_hash.hex() for outcome in lived.outcomes]


def test_the_solo_engine_comes_to_the_same_hashes(lived: RecordedWorld, stored: list[Block]) -> None:
    """With its own application, from the genesis on."""
    application = Application(lived.engine.application.chain)
    application.init_chain(lived.genesis)
    mempool = Mempool(lived.chain, BatchAuthor(lived.chain, NODE_ID, NodeKey(NODE.secrets[0]), 1), {})
    engine = SoloEngine(application, mempool, ChainClock(), NODE_ID)
    for block, expected in zip(stored, lived.outcomes, strict=True):
        engine.finalize(block, lived.verifier.check_batch)
        outcome = engine.commit([])
        assert outcome.app_hash == expected.app_hash
        assert outcome.validator_updates == expected.validator_updates


def test_verify_finds_nothing_and_comes_to_the_same_hash(lived: RecordedWorld, folder: DataFolder) -> None:
    found = verify_folder(folder, CHAIN, workers=1)
    assert found.is_sound, found.findings
    assert (found.blocks, found.app_hash) == (BLOCKS, lived.outcomes[-1].app_hash.hex())
