"""The walk names real things."""

import importlib
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_every_name_in_the_walk_exists() -> None:
    names = re.findall(r"`(gridtokenx(?:\.\w+)+)`", (DOCS / "walk.md").read_text())
    assert len(names) > 15
    for name in names:
        resolve(name)


def resolve(name: str) -> object:
    """The module, class, function or method of a dotted name; ImportError or AttributeError names what is missing."""
    parts = name.split(".")
    for split in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:split]))
        except ModuleNotFoundError:
            continue
        for part in parts[split:]:
            found = getattr(found, part)
        return found
    raise ImportError(name)
