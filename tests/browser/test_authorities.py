"""The page about who runs the chain: beside a consortium with a past, and on a market that has none."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect
from tests.browser.pages import (
    DESKTOP,
    NARROW,
    PHONE,
    StandingMarket,
    Visits,
    settle,
    standing_market,
    violations,
    width_needed,
)
from tests.consortium_life import BANK_TWO, GENERATION, METROPOLITAN, NAMES, SOFTWARE, SOLAR, live, write_folder
from tests.world import pseudonym

pytestmark = pytest.mark.slow

PATH = "/chain/authorities"


@pytest.fixture(scope="module")
def consortium_market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingMarket]:
    data = tmp_path_factory.mktemp("consortium") / "data"
    write_folder(live(), data)
    with standing_market(data, tmp_path_factory) as market:
        yield market


@pytest.fixture
def members(consortium_market: StandingMarket, chromium: Browser) -> Iterator[Visits]:
    visits = Visits(consortium_market, chromium)
    yield visits
    visits.end()


@pytest.mark.parametrize(
    ("device", "size", "language", "scheme"),
    [
        ("desktop", DESKTOP, "en", "light"),
        ("desktop", DESKTOP, "th", "dark"),
        ("phone", PHONE, "en", "dark"),
        ("phone", PHONE, "th", "light"),
    ],
)
def test_the_view_is_without_fault(
    device: str, size: dict[str, int], language: str, scheme: str, members: Visits, screenshots: Path
) -> None:
    page = members.open(PATH, size, language, scheme)
    settle(page)
    expect(page.locator("[data-proposal]").first).to_be_visible()
    page.screenshot(path=screenshots / f"authorities-{device}-{language}-{scheme}.png", full_page=True)
    assert page.locator("h1").count() == 1
    assert violations(page) == []
    assert width_needed(page) <= size["width"]


def test_members_stand_with_votes_reputation_and_availability(members: Visits) -> None:
    page = members.open(PATH)
    settle(page)
    for name in NAMES:
        expect(page.locator(f"[data-member='{pseudonym(name).hex()}']")).to_contain_text(name)
    suspended = page.locator(f"[data-member='{pseudonym(BANK_TWO).hex()}']")
    expect(suspended).to_contain_text("suspended")
    expect(suspended).to_contain_text("proved against it: 1")
    whole, away = (page.locator(f"[data-member='{pseudonym(name).hex()}'] td") for name in (GENERATION, SOLAR))
    expect(whole.last).to_have_text("100.00%")
    assert away.last.inner_text() != "100.00%"


def test_proposals_show_votes_by_name_and_time_left(members: Visits) -> None:
    page = members.open(PATH)
    admission = page.locator("[data-proposal][data-outcome=open]").filter(has_text=f"Admit {SOFTWARE}")
    expect(admission).to_contain_text("3 yes; 6 of 11 needed")
    expect(admission).to_contain_text(METROPOLITAN)
    expect(admission).to_contain_text("left")
    terms = page.locator("[data-proposal]").filter(has_text="Change the terms")
    expect(terms).to_contain_text("time to vote (hours): 72.0 → 48.0")
    expect(page.locator("[data-outcome=carried]")).to_have_count(1)
    expect(page.locator("[data-outcome=lost]")).to_have_count(1)


def test_the_plot_can_be_read_as_a_table(members: Visits) -> None:
    page = members.open(PATH)
    page.get_by_role("button", name="Show as table").click()
    table = page.get_by_role("group", name="Availability of the network, day by day").get_by_role("table")
    expect(table.get_by_text("14,400.0 s")).to_be_visible()
    expect(table.get_by_text("100.0000%").first).to_be_visible()


def test_the_chain_leads_there_by_keyboard(members: Visits) -> None:
    page = members.open("/chain")
    page.get_by_role("link", name="Who runs the chain").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Who runs the chain")
    expect(page.locator("h1")).to_be_focused()


def test_a_frozen_market_says_since_when(members: Visits) -> None:
    page = members.open("/chain")

    def freeze(route: Route) -> None:
        view = route.fetch().json()
        route.fulfill(json=view | {"frozen_since_ms": view["time_ms"]})

    page.route("**/v1/authorities", freeze)
    page.goto(members.market.url + PATH)
    expect(page.get_by_text("The market is frozen since")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "th"])
def test_a_market_without_a_consortium_says_so(language: str, visits: Visits, screenshots: Path) -> None:
    page = visits.open(PATH, NARROW, language)
    settle(page)
    page.screenshot(path=screenshots / f"authorities-none-{language}.png", full_page=True)
    said = {"en": "This chain has no consortium", "th": "บล็อกเชนนี้ไม่มีกลุ่มองค์กรร่วม"}[language]
    expect(page.locator("main")).to_contain_text(said)
    assert violations(page) == [] and width_needed(page) <= NARROW["width"]
