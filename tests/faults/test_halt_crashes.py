"""The node is killed while a zone is halted, in the call that ends the halt, and after it: it has the state of one
that lived."""

import shutil
from pathlib import Path

import pytest
from slow_gates import HALT_STAGES
from tests.faults.stages import POINTS, check_lived, go_on, run_until_killed, with_accepted
from tests.world import NOON, WATT, Founding, at, buy, sell

from gridtokenx.engine.folder import DataFolder
from gridtokenx.modules.identity.messages import Source
from gridtokenx.modules.market.messages import Halt, HaltReason
from gridtokenx.modules.market.state import HALTS, ORDERS, REFERENCES, zone_interval_key

SELLERS, BUYERS = ("sun", "moon", "star"), ("ann", "ben", "cat")
KEY = zone_interval_key(NOON, 1)
UNTIL_MS = at(10, 5)


@pytest.fixture(scope="module")
def halted(slow: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node that has accepted a halt of the first zone until five past ten, and orders of it: sales from 2.00 to 4.00,
    purchases up to 4.00, 5.00 and 6.00, of whom two pairs meet in a call."""
    founding = Founding(time_ms=at(9, 59))
    for name in SELLERS:
        founding.add_home(name, 11, {Source.SOLAR: 40_000})
    for name in BUYERS:
        founding.add_home(name, 12, import_w=40_000)
    world = founding.start()
    halt = world.sign("operator", Halt(NOON, 1, UNTIL_MS, int(HaltReason.GRID_EMERGENCY)))
    orders = [
        world.sign(name, order(name, 500, NOON, (price + number) * WATT, name))
        for names, order, price in ((SELLERS, sell, 2), (BUYERS, buy, 4))
        for number, name in enumerate(names)
    ]
    return with_accepted(tmp_path_factory.mktemp("halt") / "node", world, [halt, *orders])


@pytest.fixture
def folder(halted: Path, tmp_path: Path) -> DataFolder:
    shutil.copytree(halted, tmp_path / "node")
    return DataFolder(tmp_path / "node")


def finish_and_check(folder: DataFolder) -> None:
    """Go on from what is left until the halt is over, and has had its call."""
    node = go_on(folder, UNTIL_MS, lambda state: KEY not in state.rows[HALTS.prefix])
    state = node.application.state
    assert not state.rows[HALTS.prefix]
    assert state.rows[REFERENCES.prefix][KEY].called_micro
    trades = check_lived(folder, node)
    assert (trades, len(state.rows[ORDERS.prefix])) == (2, 2)
    node.close()


def test_without_a_kill_the_halt_ends_in_a_call(folder: DataFolder) -> None:
    finish_and_check(folder)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("stage", HALT_STAGES)
def test_killed_in_a_stage(folder: DataFolder, stage: str, point: str) -> None:
    run_until_killed(folder, stage, point)
    finish_and_check(folder)


def test_killed_in_each_stage_in_turn(folder: DataFolder) -> None:
    for stage in HALT_STAGES:
        run_until_killed(folder, stage, "block.finalized")
    finish_and_check(folder)
