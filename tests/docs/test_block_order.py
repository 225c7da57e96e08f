"""`docs/block-order.md`: each test that it names exists, and the thresholds of the audit are those of the code."""

import re
from pathlib import Path

from gridtokenx.engine.sightings import SIGHTINGS_OF_AUTHOR_MAX
from gridtokenx.engine.storage import FEED_BLOCKS_KEPT
from gridtokenx.operations.censorship import BLOCKS_MIN, GRACE_MS, NAMED_PERMILLE, OTHERS_PERMILLE, OUTSTANDING

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/block-order.md").read_text(encoding="utf-8")


def test_each_test_that_the_page_names_exists() -> None:
    names = set(re.findall(r"`(test_\w+)`", PAGE))
    known = {
        name
        for path in ROOT.glob("tests/**/*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert len(names) > 5 and not names - known
    files = re.findall(r"`(tests/[\w/.]+)`", PAGE)
    assert files and all((ROOT / file).is_file() for file in files)


def test_the_page_says_the_thresholds_of_the_code() -> None:
    assert (GRACE_MS, BLOCKS_MIN, NAMED_PERMILLE, OTHERS_PERMILLE, OUTSTANDING) == (500, 5, 500, 100, 10)
    for words in ("half a second", "at least half", "at least five", "at most a tenth", "ten times as often"):
        assert words in PAGE, words
    assert f"{FEED_BLOCKS_KEPT:,} blocks" in PAGE and SIGHTINGS_OF_AUTHOR_MAX * FEED_BLOCKS_KEPT * 100 < 130_000_000
