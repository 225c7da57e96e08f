"""Every view in both languages, on phone and desktop, light and dark: pictures to look at, no fault that axe finds."""

from pathlib import Path

import pytest
from tests.browser.pages import DESKTOP, NARROW, PHONE, Market, Visits, settle, violations, width_needed

pytestmark = pytest.mark.slow

VIEWS = (
    "market",
    "interval",
    "zones",
    "auction",
    "community",
    "chain",
    "block",
    "transaction",
    "account",
    "search",
    "missing",
)
SHOWN = (
    ("phone", PHONE, "en", "light"),
    ("phone", PHONE, "th", "dark"),
    ("desktop", DESKTOP, "en", "dark"),
    ("desktop", DESKTOP, "th", "light"),
)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("device", "size", "language", "scheme"), SHOWN)
def test_a_view_is_without_fault(
    view: str,
    device: str,
    size: dict[str, int],
    language: str,
    scheme: str,
    market: Market,
    visits: Visits,
    screenshots: Path,
) -> None:
    page = visits.open(market.views()[view], size, language, scheme)
    settle(page)
    page.screenshot(path=screenshots / f"{view}-{device}-{language}-{scheme}.png", full_page=True)
    assert page.get_attribute("html", "lang") == language
    assert page.locator("h1").count() == 1
    assert violations(page) == []


@pytest.mark.parametrize("language", ["en", "th"])
def test_nobody_scrolls_sideways(language: str, market: Market, visits: Visits) -> None:
    for view, path in market.views().items():
        page = visits.open(path, NARROW, language)
        settle(page)
        assert width_needed(page) <= NARROW["width"], view
        page.context.close()


def test_each_view_is_in_the_list(market: Market) -> None:
    assert tuple(market.views()) == VIEWS
