"""A node that was restored lives on as the one that lived: block for block, receipt for receipt."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.invariants import picture
from tests.snapshots import adopt, begin, checkpoint, chunks_of, live, make, new_folder, restore, resume
from tests.traffic import Traffic, founded

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.snapshots import ProvedSnapshot, SnapshotStore
from gridtokenx.ledger import limits
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.crypto import hash_bytes
from gridtokenx.ledger.freeze import is_frozen
from gridtokenx.ledger.genesis import GatheredState, export_state
from gridtokenx.modules.market import gate
from gridtokenx.modules.market.state import AUCTIONS, GateStage

BLOCKS = 250
LIVED_ON = 100
PAUSES_MS = (1_000, 20_000, 60_000, 1_200_000)
HEIGHTS = range(1, BLOCKS - LIVED_ON + 1)


class Season:
    """A node that lived through some hours, and checkpoints that it made on the way."""

    def __init__(self, path: Path) -> None:
        # A consensus times the blocks, so that every longer pause is a halt, and trades before it are voided after.
        # Members run it, who stop the market now and then. With this seed there are a halt, such a time and auctions in
        # each of their stages early on.
        world = founded(1_000, members=True)
        for _ in Traffic(world, 63, PAUSES_MS, nodes=True).steps(BLOCKS):
            pass
        self.path = path
        self.genesis = world.genesis
        self.blocks: list[Block] = world.blocks
        self.outcomes: list[BlockOutcome] = []
        application = begin(CONSORTIUM, world.genesis, new_folder(path / "lived"))
        self.halts: list[int] = []
        """Heights whose trades the next block voids."""
        self.freezes: list[int] = []
        """Heights at which the market is frozen."""
        self.auctions: dict[GateStage, list[int]] = {stage: [] for stage in GateStage}
        """Heights at which an auction is at work, by its stage."""
        for block in world.blocks:
            self.outcomes += live(application, [block])
            if block.height in HEIGHTS:
                checkpoint(application, self.files(block.height))
            if is_frozen(application.state):
                self.freezes.append(block.height)
            if self.outcomes[-1].summary.voided_wh:
                self.halts.append(block.height - 1)
            for _, auction in application.state.items(AUCTIONS):
                self.auctions[GateStage(auction.stage)].append(block.height)
        self.picture = picture(application.state)
        self.export = export_state(CONSORTIUM, application.state)
        application.storage.close()

    def files(self, height: int) -> Path:
        return self.path / f"checkpoint-{height}"


@pytest.fixture(scope="module", autouse=True)
def slow() -> Iterator[None]:
    """Auctions take several blocks here, as those of ten thousand orders do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "SCHEDULED_STEPS_PER_BLOCK_MAX", 40)
        patch.setattr(gate, "ORDERS_PER_STEP", 3)
        patch.setattr(gate, "AUCTION_STEPS_PER_SLICE", 40)
        yield


@pytest.fixture(scope="module")
def season(slow: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Season]:
    return Season(tmp_path_factory.mktemp("season"))


attempts = itertools.count()


@given(st.sampled_from(HEIGHTS), st.sampled_from((500, 2_000, 10**6)), st.booleans(), st.integers(0, 1_000))
@settings(max_examples=10, deadline=None)
def test_restored_is_lived(season: Season, height: int, range_bytes: int, starts: bool, seed: int) -> None:
    check(season, height, range_bytes, seed, starts=starts)


def test_restored_in_a_halt_is_lived(season: Season) -> None:
    halts = [height for height in season.halts if height in HEIGHTS]
    assert halts
    for height in halts[:3]:
        for starts in (True, False):
            check(season, height, 2_000, height, starts=starts)


def test_restored_while_the_market_is_frozen_is_lived(season: Season) -> None:
    freezes = [height for height in season.freezes if height in HEIGHTS]
    assert freezes
    for height in {freezes[0], freezes[-1]}:
        for starts in (True, False):
            check(season, height, 2_000, height, starts=starts)


@pytest.mark.parametrize("stage", [GateStage.SORTING, GateStage.SOLVING, GateStage.BOOKING])
def test_restored_in_an_auction_is_lived(season: Season, stage: GateStage) -> None:
    """The solution so far is in no snapshot: it is found again, to the same step."""
    heights = [height for height in season.auctions[stage] if height in HEIGHTS]
    assert heights
    for height in {heights[0], heights[-1]}:
        for starts in (True, False):
            check(season, height, 2_000, height, starts=starts)


def check(season: Season, height: int, range_bytes: int, seed: int, *, starts: bool) -> None:
    """Restore the season's node at this height, and live to its end: from a start, or from what was gathered."""
    folder = new_folder(season.path / f"restored-{next(attempts)}")
    store = SnapshotStore(folder.snapshots)
    snapshot = make(season.files(height), store, range_bytes)
    assert snapshot.height == height
    app_hash = season.outcomes[height - 1].app_hash
    proved = ProvedSnapshot(snapshot, app_hash, CONSORTIUM.kind, hash_bytes(season.genesis))
    gathered = None if starts else GatheredState(CONSORTIUM)
    restore(folder, proved, chunks_of(store, snapshot), seed, gathered)
    application = resume(CONSORTIUM, folder) if gathered is None else adopt(CONSORTIUM, folder, gathered)
    application.state.rows[:] = [shuffled(rows, seed) for rows in application.state.rows]
    application.state.rebuild_indexes(CONSORTIUM.indexes)
    for block, lived in zip(season.blocks[height:], season.outcomes[height:], strict=True):
        outcome = live(application, [block])[0]
        assert outcome.app_hash == lived.app_hash, f"block {block.height}"
        assert outcome == lived, f"block {block.height}"
    assert picture(application.state) == season.picture
    assert export_state(CONSORTIUM, application.state) == season.export
    application.storage.close()


def shuffled(rows: dict, seed: int) -> dict:
    """The same rows, inserted in another order."""
    keys = sorted(rows, key=lambda key: hash_bytes(key + seed.to_bytes(4, "big")))
    return {key: rows[key] for key in keys}
