"""The same blocks give the same 32 bytes: under any hash seed, under any interpreter, restored or lived."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.determinism.interpreters import ROOT, install, others
from tests.determinism.replay import Recording, replay, save
from tests.invariants import picture
from tests.traffic import Traffic, founded
from tests.world import World

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.block import apply_block
from gridtokenx.ledger.genesis import export_state, import_state

BLOCKS = 250
RESTORED_AFTER = 150


@pytest.fixture(scope="module")
def lived() -> World:
    """A world with some hours of traffic behind it."""
    world = founded()
    for _ in Traffic(world, 7).steps(BLOCKS):
        pass
    return world


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
    assert len(hashes) == BLOCKS + 1
    assert len(set(hashes)) == BLOCKS + 1
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
    for block in lived.blocks[:RESTORED_AFTER]:
        apply_block(CONSORTIUM, state, commitment, block)
    data = export_state(CONSORTIUM, state)
    restored, restored_commitment = import_state(CONSORTIUM, data)
    assert export_state(CONSORTIUM, restored) == data
    for number, block in enumerate(lived.blocks[RESTORED_AFTER:], RESTORED_AFTER):
        outcome = apply_block(CONSORTIUM, restored, restored_commitment, block)
        assert outcome.app_hash.hex() == hashes[number]
    assert BLOCKS - RESTORED_AFTER >= 100
    assert picture(restored) == picture(lived.state)
    assert export_state(CONSORTIUM, restored) == lived.export()


def test_restored_after_every_block(lived: World, hashes: list[str]) -> None:
    """Nothing lives outside the tables from one block to the next."""
    state, commitment = import_state(CONSORTIUM, lived.genesis)
    for block, expected in list(zip(lived.blocks, hashes, strict=False))[:60]:
        outcome = apply_block(CONSORTIUM, state, commitment, block)
        assert outcome.app_hash.hex() == expected
        state, commitment = import_state(CONSORTIUM, export_state(CONSORTIUM, state))
        assert commitment.root() == outcome.app_hash
