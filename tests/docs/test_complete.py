"""Each message, code, table, command and benchmark stands in the docs."""

import re
from pathlib import Path

from gridtokenx.chains.consortium import CONSORTIUM
from make_reference import reference

ROOT = Path(__file__).parents[2]


def text_of(*names: str) -> str:
    return "\n".join((ROOT / name).read_text() for name in names)


def test_every_code_stands_in_the_docs() -> None:
    codes = text_of("docs/codes.md")
    missing = [f"{number} {name}" for number, name in CONSORTIUM.codes.items() if name not in codes]
    assert missing == []


def test_the_reference_of_messages_and_tables_is_current() -> None:
    assert text_of("docs/messages.md") == reference(), "run `python scripts/make_reference.py`"


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [(path, link) for path in pages for link in re.findall(r"\]\(([^)#]+)", path.read_text())]
    local = [(path, link) for path, link in links if "://" not in link]
    assert [f"{path.name} -> {link}" for path, link in local if not (path.parent / link).exists()] == []
