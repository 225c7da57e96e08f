"""The map of zones in a real browser, on a real market of seven zones with full, shut and free borders."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.coupled import NOON, Orders, coupled_market, founded_market, one_zone, trade_a_while
from tests.browser.pages import DESKTOP, NARROW, PHONE, StandingMarket, Visits, settle, violations, width_needed
from tests.world import sell

pytestmark = pytest.mark.slow

PATH = f"/zones/{NOON}"
SHOWN = (
    ("phone", PHONE, "en", "light"),
    ("phone", PHONE, "th", "dark"),
    ("desktop", DESKTOP, "en", "dark"),
    ("desktop", DESKTOP, "th", "light"),
)


@pytest.fixture(scope="module")
def zoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingMarket]:
    with coupled_market(tmp_path_factory, minute=0, call_phase_ms=300_000) as market:
        trade_a_while(Orders(market))
        yield market


@pytest.fixture
def looks(zoned: StandingMarket, chromium: Browser) -> Iterator[Visits]:
    visits = Visits(zoned, chromium)
    yield visits
    visits.end()


def shown_map(page: Page) -> None:
    """Wait until the map and the details beside it are there."""
    expect(page.locator("[data-zone='1']")).to_be_visible()
    settle(page)


@pytest.mark.parametrize(("device", "size", "language", "scheme"), SHOWN)
@pytest.mark.parametrize("chosen", ["zone=1", "border=1-2"])
def test_the_map_is_without_fault(
    device: str, size: dict[str, int], language: str, scheme: str, chosen: str, looks: Visits, screenshots: Path
) -> None:
    page = looks.open(f"{PATH}?{chosen}", size, language, scheme)
    shown_map(page)
    name = chosen.partition("=")[0]
    page.screenshot(path=screenshots / f"zones-{name}-{device}-{language}-{scheme}.png", full_page=True)
    assert page.locator("h1").count() == 1
    assert violations(page) == []
    assert width_needed(page) <= size["width"]


def test_borders_say_what_they_carry_and_how_full_they_are(looks: Visits) -> None:
    page = looks.open(PATH)
    shown_map(page)
    full = page.locator("[data-border='1-2']")
    expect(full).to_have_accessible_name(
        "100% Bangkok to Central: 10.00 kWh on balance, 100% of what it carries that way, full"
    )
    expect(page.locator("[data-border='1-5']")).to_contain_text("shut")
    expect(page.locator("[data-border='2-3']")).to_contain_text("4.0 kWh")
    expect(page.locator("[data-border='4-5']")).to_contain_text("no limit")
    # The last of what the North bought came over the West: two borders on top of 3.000.
    expect(page.locator("[data-zone='3']")).to_contain_text("3.600")
    full.click()
    expect(page).to_have_url(f"{page.url.partition('?')[0]}?border=1-2")
    expect(page.get_by_role("heading", name=re.compile("^Border Bangkok . Central$"))).to_be_visible()
    expect(page.locator("main")).to_contain_text("Nothing more fits from Bangkok to Central.")
    expect(page.locator(".trades")).to_contain_text("Bangkok → Central → North")


def test_what_cannot_be_reached_is_not_shown_as_reachable(looks: Visits) -> None:
    page = looks.open(f"{PATH}?zone=2")
    shown_map(page)
    detail = page.locator("[data-detail='2']")
    # Ann has 1 kWh left at 3.000, but nothing more fits out of Bangkok that way: the way round is over the West.
    expect(detail.locator("tr.offer")).to_contain_text(["5.150", "4.050"])
    expect(detail.locator("[data-away]")).to_contain_text("kWh offered")
    page.locator("[data-zone='1']").click()
    inside = page.locator("[data-detail='1']")
    expect(inside.locator("[data-feeder='12']")).to_contain_text("1.00 kWh")
    expect(inside.locator("tr.offer").last).to_contain_text("3.200")


def test_the_map_moves_with_the_market(looks: Visits, zoned: StandingMarket) -> None:
    page = looks.open(f"{PATH}?zone=5")
    shown_map(page)
    expect(page.locator("[data-zone='5']")).to_contain_text("reference")
    Orders(zoned).send("eas", sell("eas", 400, NOON, 5_100_000, "later"))
    expect(page.locator("[data-detail='5'] .facts")).to_contain_text("5.100")
    expect(page.locator("[data-detail='5'] [data-feeder='51']")).to_contain_text("2")


def test_it_can_be_read_as_tables_and_used_by_keyboard(looks: Visits) -> None:
    page = looks.open(PATH)
    shown_map(page)
    page.get_by_role("button", name="Show as table").first.click()
    borders = page.locator("table[data-table='borders']")
    expect(borders.get_by_role("row", name="Bangkok to Central")).to_contain_text("100%")
    expect(page.locator("table[data-table='zones'] tbody tr")).to_have_count(7)
    assert violations(page) == []
    south = page.locator("[data-zone='7']")
    south.focus()
    page.keyboard.press("Enter")
    expect(south).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-detail='7']")).to_be_visible()


def test_nobody_scrolls_sideways_and_nonsense_is_answered(looks: Visits) -> None:
    for path in (PATH, "/zones", f"{PATH}?zone=99", f"{PATH}?border=1-7"):
        page = looks.open(path, NARROW, "th")
        shown_map(page)
        assert width_needed(page) <= NARROW["width"], path
        page.context.close()
    page = looks.open("/zones/5")
    expect(page.get_by_text("This quarter of an hour is not known")).to_be_visible()


def test_a_market_of_one_zone_has_no_map_and_says_why(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory, screenshots: Path
) -> None:
    with founded_market(tmp_path_factory, one_zone()) as market:
        looks = Visits(market, chromium)
        page = looks.open("/zones", PHONE)
        expect(page.get_by_text("This market has one zone")).to_be_visible()
        settle(page)
        expect(page.locator("[data-zone]")).to_have_count(0)
        expect(page.locator("[data-detail='1'] [data-feeder='11']")).to_be_visible()
        page.screenshot(path=screenshots / "zones-one-phone-en-light.png", full_page=True)
        assert violations(page) == []
        assert width_needed(page) <= PHONE["width"]
        page.goto(f"{market.url}/auctions")
        expect(page.get_by_text("This market has no call phase")).to_be_visible()
        looks.end()
