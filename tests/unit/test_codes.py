"""Codes of the ledger are consensus: each is reached, explained, and pinned."""

import json
import re
from pathlib import Path

import pytest
from tests.codes_reached import CASES, fresh_world

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.gateway.codes import GatewayCode

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"\| (\d+) \| ([A-Z_]+) \| (.+?) \| (.+?) \| (.+?) \|$")


@pytest.mark.parametrize("name", CASES)
def test_reached(name: str) -> None:
    assert CASES[name](fresh_world()) == name.partition(" ")[0]


def test_each_code_has_its_case() -> None:
    names = list(CONSORTIUM.codes.values())
    cases = [name.partition(" ")[0] for name in CASES]
    assert sorted(names) == sorted(cases)


def test_the_golden_file_pins_numbers_and_names() -> None:
    golden = json.loads((ROOT / "tests/vectors/codes.json").read_text(encoding="utf-8"))
    assert golden == {str(number): name for number, name in sorted(CONSORTIUM.codes.items())}


def test_the_documentation_explains_each_code_in_both_languages() -> None:
    text = (ROOT / "docs/codes.md").read_text(encoding="utf-8")
    rows = [found.groups() for line in text.splitlines() if (found := ROW.match(line))]
    known = CONSORTIUM.codes | {int(code): code.name for code in GatewayCode}
    assert {int(number): name for number, name, *_ in rows} == known
    assert len(rows) == len(known)
    for _, name, meaning, advice, thai in rows:
        assert meaning.endswith((".", ")")) and advice.endswith("."), name
        assert re.search("[\u0e00-\u0e7f]", thai), name
