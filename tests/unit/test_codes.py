"""Codes of the ledger are consensus: each is reached, explained, and pinned."""

import json
from pathlib import Path

import pytest
from tests.codes_of_members import MEMBER_CASES, fresh_consortium
from tests.codes_reached import CASES, fresh_world

from gridtokenx.chains.consortium import CONSORTIUM

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", CASES)
def test_reached(name: str) -> None:
    assert CASES[name](fresh_world()) == name.partition(" ")[0]


@pytest.mark.parametrize("name", MEMBER_CASES)
def test_reached_in_a_consortium(name: str) -> None:
    assert MEMBER_CASES[name](fresh_consortium()) == name


def test_each_code_has_its_case() -> None:
    names = list(CONSORTIUM.codes.values())
    cases = [name.partition(" ")[0] for name in [*CASES, *MEMBER_CASES]]
    assert sorted(names) == sorted(cases)


def test_the_golden_file_pins_numbers_and_names() -> None:
    golden = json.loads((ROOT / "tests/vectors/codes.json").read_text(encoding="utf-8"))
    assert golden == {str(number): name for number, name in sorted(CONSORTIUM.codes.items())}
