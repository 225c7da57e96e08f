"""The same blocks give the same 32 bytes: under any hash seed, under any interpreter, restored or lived."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from tests.determinism.interpreters import ROOT, install, others
from tests.determinism.replay import Recording, replay, save
from tests.invariants import picture
from tests.traffic import Traffic, founded
from tests.world import World, at, buy, interval_at, sell

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.block import apply_block
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.ledger.freeze import PAST_FREEZES
from gridtokenx.ledger.genesis import export_state, import_state
from gridtokenx.modules.authority.messages import Act
from gridtokenx.modules.authority.state import (
    CONDUCT,
    MEMBERS,
    MISDEEDS,
    PPM,
    PROPOSALS,
    Outcome,
    epoch_of,
)

BLOCKS = 250
RESTORED_AFTER = 150


@pytest.fixture(scope="module", params=[False, True], ids=["office", "members"])
def lived(request: pytest.FixtureRequest) -> World:
    """A world with a halt, in which a gate passed, and some hours of traffic behind it: an office or members decide who
    runs it, and members stop the market now and then."""
    world = founded(block_ms=1_000, members=request.param)
    stand_still(world)
    updates, codes = 0, set()
    for outcome in Traffic(world, 7, nodes=True).steps(BLOCKS):
        updates += len(outcome.validator_updates)
        codes |= {batch.code for batch in outcome.batches}
    assert {KernelCode.OK, KernelCode.BATCH_TRANSACTION_INVALID, KernelCode.BATCH_REPEATED} <= codes
    if request.param:
        check_members(world)
    else:
        assert updates > 10 and len({misdeed.kind for _, misdeed in world.state.items(MISDEEDS)}) == 3
    return world


def check_members(world: World) -> None:
    """Members did what they do."""
    carried = {proposal.act for _, proposal in world.state.items(PROPOSALS) if proposal.outcome == Outcome.CARRIED}
    assert carried >= {Act.ADMIT, Act.SET_TERMS, Act.FREEZE, Act.RESUME}
    assert epoch_of(world.state).number > 10 and world.state.rows[PAST_FREEZES.prefix]
    assert {conduct.score_ppm for _, conduct in world.state.items(CONDUCT)} > {PPM}
    assert len({member.standing for _, member in world.state.items(MEMBERS)}) > 1


def stand_still(world: World) -> None:
    """One home sells another the next interval before its call phase, and the block after that is minutes later."""
    world.skip_to(at(9, 49))
    offer, bid = sell("home-3", 500, interval_at(10), 4_000_000), buy("home-0", 500, interval_at(10), 4_500_000)
    world.run(world.sign("home-3", offer), world.sign("home-0", bid))
    assert world.block(time_ms=at(9, 58)).summary.voided_wh == 500


@pytest.fixture(scope="module")
def recording(lived: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "blocks"
    save(Recording(lived.genesis, tuple(lived.blocks)), path)
    return path


@pytest.fixture(scope="module")
def hashes(lived: World) -> list[str]:
    return replay(Recording(lived.genesis, tuple(lived.blocks)))


def replayed_by(interpreter: str, recording: Path, libraries: Path | None = None, **more: str) -> list[str]:
    """What another process says."""
    folders = [ROOT, ROOT / "src"] + ([libraries] if libraries else [])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders)), **more}
    command = [interpreter, "-m", "tests.determinism.replay", str(recording)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_a_replay_comes_to_the_root_that_was_lived(lived: World, hashes: list[str]) -> None:
    assert len(hashes) == len(lived.blocks) + 1 > BLOCKS
    assert len(set(hashes)) == len(hashes)
    assert hashes[-2] == lived.commitment.root().hex()


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "1", "4711", "random"])
def test_under_any_hash_seed(recording: Path, hashes: list[str], seed: str) -> None:
    assert replayed_by(sys.executable, recording, PYTHONHASHSEED=seed) == hashes


@pytest.mark.slow
def test_without_assertions(recording: Path, hashes: list[str]) -> None:
    """`python -O` leaves assertions out: they guard, they never decide."""
    assert replayed_by(sys.executable, recording, PYTHONOPTIMIZE="1") == hashes


@pytest.mark.slow
def test_under_every_supported_interpreter_of_this_machine(recording: Path, hashes: list[str], tmp_path: Path) -> None:
    found = others()
    if not found:
        pytest.skip("only one supported interpreter on this machine")
    troubles = []
    for minor, interpreter in sorted(found.items()):
        libraries = tmp_path / f"3.{minor}"
        trouble = install(interpreter, libraries)
        if trouble:
            troubles.append(f"3.{minor}: {trouble}")
        else:
            assert replayed_by(interpreter, recording, libraries) == hashes, f"Python 3.{minor}"
    if troubles:
        pytest.skip(f"the ledger's libraries cannot be installed for {'; '.join(troubles)}")


def test_restored_in_the_middle_is_lived_for_a_hundred_blocks_more(lived: World, hashes: list[str]) -> None:
    """A node that starts from an export has other insertion orders in all its dictionaries."""
    state, commitment = import_state(CONSORTIUM, lived.genesis)
    trades: tuple[bytes, ...] = ()
    for block in lived.blocks[:RESTORED_AFTER]:
        trades = apply_block(CONSORTIUM, state, commitment, block, trades_before=partial(tuple, trades)).trades
    data = export_state(CONSORTIUM, state)
    restored, restored_commitment = import_state(CONSORTIUM, data)
    assert export_state(CONSORTIUM, restored) == data
    for number, block in enumerate(lived.blocks[RESTORED_AFTER:], RESTORED_AFTER):
        outcome = apply_block(CONSORTIUM, restored, restored_commitment, block, trades_before=partial(tuple, trades))
        trades = outcome.trades
        assert outcome.app_hash.hex() == hashes[number]
    assert BLOCKS - RESTORED_AFTER >= 100
    assert picture(restored) == picture(lived.state)
    assert export_state(CONSORTIUM, restored) == lived.export()


def test_restored_after_every_block(lived: World, hashes: list[str]) -> None:
    """Nothing lives outside the tables from one block to the next."""
    state, commitment = import_state(CONSORTIUM, lived.genesis)
    trades: tuple[bytes, ...] = ()
    for block, expected in list(zip(lived.blocks, hashes, strict=False))[:60]:
        outcome = apply_block(CONSORTIUM, state, commitment, block, trades_before=partial(tuple, trades))
        trades = outcome.trades
        assert outcome.app_hash.hex() == expected
        state, commitment = import_state(CONSORTIUM, export_state(CONSORTIUM, state))
        assert commitment.root() == outcome.app_hash
