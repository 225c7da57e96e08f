"""A halt between two blocks, and a node that was started anew, or restored, in it (A2, A10)."""

from pathlib import Path

import pytest
from tests.unit.modules.market.test_void import deal, street
from tests.world import World, at, interval_at

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.application import Application
from gridtokenx.engine.storage import Storage
from gridtokenx.ledger.block import Block


@pytest.fixture
def halted() -> World:
    """A chain that traded 12:00 and 12:15 on a stale clock, and its successor."""
    world = street()
    deal(world, at(11, 54), interval_at(12), interval_at(12, 15))
    world.block(time_ms=at(12, 1))
    return world


def run(application: Application, block: Block) -> bytes:
    outcome = application.finalize_block(block)
    application.commit()
    return outcome.app_hash


def test_the_trades_are_known_after_a_restart(halted: World, tmp_path: Path) -> None:
    stale, successor = halted.blocks
    application = Application(CONSORTIUM, Storage(tmp_path / "database"))
    application.init_chain(halted.genesis)
    run(application, stale)
    lived = application.last_trades()
    assert application.storage is not None
    application.storage.close()
    application = Application(CONSORTIUM, Storage(tmp_path / "database"))
    assert application.load()
    assert len(lived) == 4 and tuple(application.last_trades()) == tuple(lived)
    assert run(application, successor) == halted.commitment.root()
    assert len(application.last_trades()) == 2
    assert application.storage is not None
    application.storage.close()


def test_in_memory_they_are_simply_known(halted: World) -> None:
    application = Application(CONSORTIUM)
    application.init_chain(halted.genesis)
    assert [run(application, block) for block in halted.blocks][-1] == halted.commitment.root()


def test_a_state_without_its_last_blocks_trades_cannot_go_on(halted: World) -> None:
    """Better no block than one that nobody else makes."""
    stale, successor = halted.blocks
    lived = street()
    lived.block(*stale.batches, time_ms=stale.time_ms)
    application = Application(CONSORTIUM)
    application.init_chain(lived.export())
    with pytest.raises(ValueError, match="trades of block 1"):
        application.finalize_block(successor)
    with pytest.raises(RuntimeError, match="not committed"):
        application.finalize_block(successor)
