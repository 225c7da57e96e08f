"""`docs/authorities.md` says what the rules are, and each test that it names exists."""

import re
from pathlib import Path

from gridtokenx.modules.authority.messages import Act
from gridtokenx.modules.authority.powers import HALF, RULES, TWO_THIRDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/authorities.md").read_text(encoding="utf-8")


def test_each_test_that_the_page_names_exists() -> None:
    names = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(names) > 30
    sources = [*ROOT.glob("tests/unit/modules/authority/*.py"), Path(__file__)]
    known = {name for path in sources for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)}
    assert not names - known


def test_the_table_of_the_page_is_the_rules() -> None:
    rows = re.findall(r"^\| `(\w+)`[^|]*\| ([a-z, ]+) \| ([a-z, ]+) \| ([a-z ]+) \|$", PAGE, re.MULTILINE)
    assert [name for name, *_ in rows] == [
        "ADMIT",
        "REMOVE",
        "REINSTATE",
        "SET_TERMS",
        "LICENSE",
        "FREEZE",
        "RESUME",
        "REPLACE",
    ]
    for name, proposers, voters, share in rows:
        rule = RULES[Act[name]]
        assert {tier.name.lower() for tier in rule.proposers} == set(proposers.split(", "))
        assert {tier.name.lower() for tier in rule.voters} == set(voters.split(", "))
        told = {"more than half": (HALF, None), "two thirds": (None, TWO_THIRDS)}[share]
        assert (rule.over, rule.at_least) == told
