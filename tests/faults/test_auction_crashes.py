"""The node is killed in each stage of an auction, and again on the way back: it has the state of one that lived."""

import shutil
from pathlib import Path

import pytest
from slow_gates import GATE_STAGES
from tests.faults.stages import POINTS, check_lived, go_on, run_until_killed, with_accepted
from tests.unit.modules.market.test_gate import BUYERS, SELLERS
from tests.world import NOON, WATT, Founding, at, buy, sell

from gridtokenx.engine.folder import DataFolder
from gridtokenx.ledger.quantities import interval_key
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.state import AUCTIONS, CLEARINGS, INTERVALS, ORDERS, Phase

KEY = interval_key(NOON)
TRADES = 8
"""Of the twelve orders those that trade: a border carries four of six bids."""


@pytest.fixture(scope="module")
def collecting(slow: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a node that has accepted twelve orders in the call phase of noon, and stopped: they are in its
    journal and in no block yet."""
    founding = Founding(time_ms=at(11, 50))
    for name in SELLERS:
        founding.add_home(name, 11, {Source.SOLAR: 40_000})
    for name in BUYERS:
        founding.add_home(name, 21, import_w=40_000)
    founding.builder.limit_border(1, 2, 8_000, 8_000)
    world = founding.start()
    orders = [
        world.sign(name, order(name, 500, NOON, (price + number) * WATT, f"{name} {number}"))
        for number in range(2)
        for names, order, price in ((SELLERS, sell, 2), (BUYERS, buy, 4))
        for name in names
    ]
    return with_accepted(tmp_path_factory.mktemp("call") / "node", world, orders)


@pytest.fixture
def folder(collecting: Path, tmp_path: Path) -> DataFolder:
    shutil.copytree(collecting, tmp_path / "node")
    return DataFolder(tmp_path / "node")


def finish_and_check(folder: DataFolder) -> None:
    """Go on from what is left until the auction is over. A node that executes the same blocks without ever having
    stopped comes to the same hash after each of them, every order has had its end, and no money is held but for
    trades."""
    node = go_on(folder, at(11, 55), lambda state: state.rows[INTERVALS.prefix][KEY].phase == Phase.CLOSED)
    state = node.application.state
    assert KEY in state.rows[CLEARINGS.prefix]
    assert not state.rows[AUCTIONS.prefix] and not state.rows[ORDERS.prefix]
    assert check_lived(folder, node) == TRADES
    node.close()


def test_without_a_kill_the_auction_takes_many_blocks(folder: DataFolder) -> None:
    finish_and_check(folder)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("stage", GATE_STAGES)
def test_killed_in_a_stage(folder: DataFolder, stage: str, point: str) -> None:
    run_until_killed(folder, stage, point)
    finish_and_check(folder)


@pytest.mark.parametrize("stage", GATE_STAGES)
def test_killed_in_a_stage_and_again_on_the_way_back(folder: DataFolder, stage: str) -> None:
    """Before the block with that stage's work is on disk: so the same stage comes again, and is killed again."""
    run_until_killed(folder, stage, "block.finalized")
    run_until_killed(folder, stage, "storage.batch_written")
    finish_and_check(folder)


def test_killed_in_each_stage_in_turn(folder: DataFolder) -> None:
    for stage in GATE_STAGES:
        run_until_killed(folder, stage, "block.finalized")
    finish_and_check(folder)
