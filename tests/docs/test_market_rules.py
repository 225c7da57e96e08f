"""`docs/market-rules.md` as a rule book: rules are numbered without a gap, each names what shows it, and all that is
named exists."""

import re
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from tests.scenarios.table import read_scenarios

from gridtokenx.chains.genesis import DEFAULT_TERMS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/market-rules.md").read_text(encoding="utf-8")
RULE = re.compile(r"^- \*\*(\d+)\.(\d+)\*\* (.*?)(?=^- |^$|^#|\Z)", re.MULTILINE | re.DOTALL)
STORY = re.compile(r'([a-z_]+): "([^"]+)"')
RULES = [(int(chapter), int(number), " ".join(text.split())) for chapter, number, text in RULE.findall(PAGE)]


def proofs_of(text: str) -> str:
    """What stands behind a rule's arrow."""
    return text.partition(" → ")[2]


def titles_of(file: str) -> list[str]:
    """Of the stories of a file of `tests/scenarios`."""
    path = ROOT / f"tests/scenarios/{file}.txt"
    return [scenario.title for scenario in read_scenarios(path)] if path.is_file() else []


def known_tests() -> set[str]:
    """All tests by name."""
    sources = [path.read_text("utf-8") for path in ROOT.glob("tests/**/*.py")]
    return {name for source in sources for name in re.findall(r"^(?:async )?def (test_\w+)", source, re.MULTILINE)}


def test_there_are_rules_in_each_chapter_numbered_without_a_gap() -> None:
    chapters = [int(number) for number in re.findall(r"^## (\d+)\. ", PAGE, re.MULTILINE)]
    assert chapters == list(range(1, len(re.findall(r"^## ", PAGE, re.MULTILINE)) + 1)) and len(RULES) > 200
    assert [chapter for chapter in chapters if (chapter, 1) not in {rule[:2] for rule in RULES}] == []
    for (chapter, number, _), (next_chapter, next_number, _) in pairwise(RULES):
        assert (next_chapter, next_number) == (chapter, number + 1) or (next_chapter > chapter and next_number == 1)


def test_no_rule_is_lost_on_the_way_from_the_page() -> None:
    assert len(RULES) == len(re.findall(r"\*\*\d+\.\d+\*\*", PAGE)) == PAGE.count("→ ")


def test_chapters_and_rules_that_the_page_refers_to_are_there() -> None:
    rules = {f"{chapter}.{number}" for chapter, number, _ in RULES}
    assert set(re.findall(r"\((\d+\.\d+)\)", PAGE)) <= rules
    assert set(re.findall(r"\bchapter (\d+)", PAGE)) <= {rule.partition(".")[0] for rule in rules}


def test_the_terms_are_those_of_genesis() -> None:
    """Each by its name, in their order, its default in the unit that the table says."""
    factors = {"THB": 10**6, "THB/kWh": 10**6, "%": 10**4, "ms": 1, "Wh": 1}
    rows = re.findall(r"^\| `(\w+)`: [^|]+\| ([\d.,]+) (\S+) \|", PAGE, re.MULTILINE)
    found = {name: Decimal(number.replace(",", "")) * factors[unit] for name, number, unit in rows}
    assert found == msgspec.structs.asdict(DEFAULT_TERMS) and list(found) == list(DEFAULT_TERMS.__struct_fields__)


@pytest.mark.parametrize(("chapter", "number", "text"), RULES, ids=[f"{rule[0]}.{rule[1]}" for rule in RULES])
def test_each_rule_names_what_shows_it(chapter: int, number: int, text: str) -> None:
    proofs = proofs_of(text)
    names, stories = re.findall(r"`(test_\w+)`", proofs), STORY.findall(proofs)
    assert names or stories
    assert not STORY.sub("", re.sub(r"`test_\w+`", "", proofs)).strip(" ;"), "something else stands there"
    for file, beginning in stories:
        found = [title for title in titles_of(file) if title.startswith(beginning)]
        assert len(found) == 1, f'{file}: "{beginning}" begins {len(found)} titles'


def test_each_test_that_a_rule_names_exists() -> None:
    named = {name for rule in RULES for name in re.findall(r"`(test_\w+)`", proofs_of(rule[2]))}
    assert len(named) > 60 and not named - known_tests()


def test_what_cheating_is_worth_is_what_the_page_of_the_block_order_says() -> None:
    figures = (ROOT / "docs/block-order.md").read_text(encoding="utf-8")
    own = " ".join(PAGE[PAGE.index("**What cheating is worth") : PAGE.index("## 9. ")].split())
    for row in ("| **proposer of every block, with the rule**", "| proposer with the rule and one participant"):
        (line,) = [line for line in figures.splitlines() if line.startswith(row)]
        cells = [cell.strip(" *") for cell in line.split("|")]
        assert next(cell for cell in cells if "±" in cell) in own
        assert all(share in own for share in cells if share.endswith(" %"))
