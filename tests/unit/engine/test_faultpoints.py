"""Every place where a test may kill the node is listed, and every listed place exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import gridtokenx.engine
from gridtokenx.engine.comet.abci_pb2 import Request
from gridtokenx.engine.faultpoints import EXIT_STATUS, POINTS, VARIABLE

SOURCE = Path(gridtokenx.engine.__file__).parent
CALLS = "consensus."


def test_the_list_is_what_the_source_reaches() -> None:
    rooms = SOURCE, SOURCE.parent / "signer"
    texts = [path.read_text() for room in rooms for path in room.rglob("*.py") if path.name != "faultpoints.py"]
    reached = {point for text in texts for point in re.findall(r'reached\("([^"]+)"\)', text)}
    assert sorted(reached) == sorted(point for point in POINTS if not point.startswith(CALLS))


def test_calls_of_consensus_are_places() -> None:
    kinds = {field.name for field in Request.DESCRIPTOR.oneofs_by_name["value"].fields}
    assert {point.removeprefix(CALLS) for point in POINTS if point.startswith(CALLS)} <= kinds
    assert 'reached(f"consensus.{kind}")' in (SOURCE / "comet" / "server.py").read_text()


def come_by(setting: str) -> tuple[int, str]:
    """Exit code and output of a process that comes by the first place three times."""
    program = (
        "from gridtokenx.engine.faultpoints import reached\n"
        f"for _ in range(3): reached({POINTS[0]!r}); print('here', flush=True)"
    )
    environment = {VARIABLE: setting, "PYTHONPATH": str(SOURCE.parents[1])}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout


@pytest.mark.parametrize(("times", "passed"), [("", 0), (":1", 0), (":3", 2)])
def test_the_process_ends_at_the_place_and_time(times, passed) -> None:
    assert come_by(POINTS[0] + times) == (EXIT_STATUS, "here\n" * passed)


def test_other_places_are_passed() -> None:
    assert come_by(POINTS[1]) == (0, "here\n" * 3)


def test_a_place_that_is_none_is_refused() -> None:
    code, _ = come_by("nowhere")
    assert code == 1
