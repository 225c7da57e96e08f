"""The parts of the SDK that follow from the Python sources are what those sources say."""

import runpy
from pathlib import Path

import pytest

GENERATE = runpy.run_path(str(Path(__file__).parents[2] / "packages" / "sdk" / "generate.py"))


@pytest.mark.parametrize("name", GENERATE["FILES"])
def test_made_anew_it_is_the_same(name: str) -> None:
    """If this fails: `python packages/sdk/generate.py`, and look at the difference."""
    made = GENERATE["FILES"][name]()
    assert (GENERATE["FOLDER"] / name).read_text(encoding="utf-8") == made


def test_a_name_that_would_not_come_back_is_refused() -> None:
    assert GENERATE["camel"]("price_micro") == "priceMicro"
    with pytest.raises(ValueError, match="no spelling"):
        GENERATE["camel"]("price_Micro")
