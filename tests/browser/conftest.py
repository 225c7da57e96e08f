"""One real market and one real browser for each file.

The page is the one that was just built (`packages/web/dist`), else the installed one. Screenshots go to the folder
that GRIDTOKENX_SCREENSHOTS names, by default to `screenshots` here.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.browser.pages import Market, Visits, running_market

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMIUM_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """A market of the shipped community that serves the page, from ten in the morning on. It ends with its file: one
    that went on until the end of the run would take a tenth of a core from all tests that come later."""
    with running_market(tmp_path_factory) as market:
        yield market


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    assert CHROMIUM, "there is no browser: install Debian's package `chromium`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def visits(market: Market, chromium: Browser) -> Iterator[Visits]:
    """Opens pages; afterwards no page may have complained, and none may have asked another host."""
    visits = Visits(market, chromium)
    yield visits
    visits.end()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    folder = Path(os.environ.get("GRIDTOKENX_SCREENSHOTS") or Path(__file__).with_name("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
