"""Makes the fixture chain importable, here and in the processes that tests start."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[1] / "fixtures"

if str(FIXTURES) not in sys.path:
    sys.path.insert(0, str(FIXTURES))


@pytest.fixture(scope="module")
def slow() -> Iterator[None]:
    """Auctions and ends of halts take many blocks in this process, as in those of `slow_gates.py`."""
    from slow_gates import SLOW  # noqa: PLC0415 - its folder is on the path only now

    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in SLOW:
            patch.setattr(module, name, value)
        yield
