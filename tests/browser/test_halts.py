"""Reference prices, halts and makers in a real browser: what the operator stops, and what a maker owes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.coupled import NOON, Orders, coupled_market
from tests.browser.joining import come_home
from tests.browser.pages import DESKTOP, NARROW, PHONE, StandingMarket, Visits, settle, violations, width_needed
from tests.world import MINUTE_MS, at, buy, pseudonym, sell

from gridtokenx.modules.market.messages import (
    EnrolMaker,
    Halt,
    HaltReason,
    MakerTerms,
    Resume,
    SetMakerProgramme,
)

pytestmark = pytest.mark.slow

PATH = f"/zones/{NOON}"
BANGKOK, CENTRAL = 1, 2
TO_BLOCK_MS = 40_000
SHOWN = (
    ("phone", PHONE, "en", "light"),
    ("phone", PHONE, "th", "dark"),
    ("desktop", DESKTOP, "en", "dark"),
    ("desktop", DESKTOP, "th", "light"),
)


@pytest.fixture(scope="module")
def halting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingMarket]:
    """Central is halted for an exercise that lasts beyond each gate; Bangkok has a programme, and Ann is its maker."""
    with coupled_market(tmp_path_factory, minute=0, call_phase_ms=300_000) as market:
        orders = Orders(market)
        terms = MakerTerms(500_000, 1_000, 900, 30 * MINUTE_MS, 500_000, 3, 200)
        orders.send("operator", SetMakerProgramme(BANGKOK, terms), Halt(0, CENTRAL, at(23), HaltReason.EXERCISE))
        orders.send("ann", EnrolMaker(pseudonym("ann")))
        orders.send("nee", sell("nee", 1_000, NOON, 4_100_000, "t1"))
        yield market


@pytest.fixture
def looks(halting: StandingMarket, chromium: Browser) -> Iterator[Visits]:
    visits = Visits(halting, chromium)
    yield visits
    visits.end()


def shown_prices(page: Page) -> None:
    """Wait until the map, the details beside it and reference prices are there."""
    expect(page.locator("[data-reference]")).to_be_visible()
    settle(page)


@pytest.mark.parametrize(("device", "size", "language", "scheme"), SHOWN)
@pytest.mark.parametrize("zone", [BANGKOK, CENTRAL])
def test_halts_and_makers_are_without_fault(
    device: str, size: dict[str, int], language: str, scheme: str, zone: int, looks: Visits, screenshots: Path
) -> None:
    page = looks.open(f"{PATH}?zone={zone}", size, language, scheme)
    shown_prices(page)
    expect(page.locator("[data-makers]")).to_have_count(1 if zone == BANGKOK else 0)
    page.screenshot(path=screenshots / f"halts-{zone}-{device}-{language}-{scheme}.png", full_page=True)
    assert violations(page) == []
    assert width_needed(page) <= size["width"]


def test_a_reference_price_says_what_it_is_made_of(looks: Visits) -> None:
    page = looks.open(f"{PATH}?zone=4")
    shown_prices(page)
    table = page.locator("[data-reference='4']")
    expect(table.locator("tbody tr")).to_have_count(7)
    expect(table.get_by_role("row", name="Middle of tariff and buy-back")).to_contain_text("3.999")
    expect(table.get_by_role("row", name="Together")).to_contain_text("3.999")
    expect(page.locator("[data-band]")).to_contain_text("trade between 2.000 and 5.998")
    # Where nothing was traded yet the map shows it; the offer beside it is no price.
    expect(page.locator("[data-zone='4']")).to_contain_text("3.999")
    expect(page.locator("[data-zone='4']")).to_contain_text("reference")


def test_the_operator_halts_a_zone_and_lets_it_go_on(
    looks: Visits, halting: StandingMarket, tmp_path: Path, screenshots: Path
) -> None:
    page = looks.open(f"{PATH}?zone={BANGKOK}")
    shown_prices(page)
    bangkok, central = page.locator("[data-zone='1']"), page.locator("[data-zone='2']")
    expect(central).to_contain_text("halted")
    expect(bangkok).not_to_contain_text("halted")
    home = come_home(looks, "bob", tmp_path, size=PHONE)
    home.get_by_label("For the quarter of an hour").select_option(str(NOON))
    expect(home.locator("[data-band]")).to_be_visible()
    expect(home.locator("[data-halt]")).to_have_count(0)
    operator = Orders(halting)
    operator.send("operator", Halt(NOON, BANGKOK, at(11, 40), HaltReason.GRID_EMERGENCY))
    expect(bangkok).to_contain_text("halted")
    notice = page.locator("[role=status] [data-halt=grid_emergency]")
    expect(notice).to_contain_text("Trade is halted in Bangkok since 11:0")
    expect(notice).to_contain_text("Reason: an emergency in the grid.")
    expect(notice).to_contain_text("trade resumes at 11:40:00")
    expect(page.locator("[data-detail='1'] [data-halt=grid_emergency]")).to_be_visible()
    expect(home.locator("[data-halt=grid_emergency]")).to_contain_text("Trade is halted in your zone")
    expect(home.locator(".cost")).to_contain_text("Nothing of your zone trades in a halt")
    home.screenshot(path=screenshots / "halts-ticket-phone-en-light.png", full_page=True)
    assert violations(home) == []
    seen = looks.open(f"/intervals/{NOON}", NARROW)
    expect(seen.locator("[data-halt=grid_emergency]")).to_contain_text("the zone of this feeder")
    assert width_needed(seen) <= NARROW["width"]
    operator.send("operator", Resume(NOON, BANGKOK))
    for each in (page, home, seen):
        expect(each.locator("[data-halt=grid_emergency]")).to_have_count(0)
    expect(bangkok).not_to_contain_text("halted")
    expect(central).to_contain_text("halted")


def test_a_limit_beyond_the_band_is_told_before_it_is_signed(looks: Visits, tmp_path: Path) -> None:
    page = come_home(looks, "bob", tmp_path, size=PHONE, language="en")
    page.get_by_label("For the quarter of an hour").select_option(str(NOON))
    page.get_by_label("Energy", exact=True).fill("2")
    guides = page.get_by_role("list", name="Prices to compare with")
    guides.get_by_role("button", name="Reference price, wheeling included").click()
    expect(page.get_by_label("Price limit", exact=True)).to_have_value("4.449")
    expect(page.locator("[data-beyond]")).to_have_count(0)
    page.get_by_label("Price limit", exact=True).fill("2.1")
    expect(page.locator("[data-beyond=halts]")).to_contain_text("a limit needs at least 2.200")
    page.get_by_label("Energy", exact=True).fill("0.5")
    expect(page.locator("[data-beyond=cancels]")).to_be_visible()
    page.get_by_label("Price limit", exact=True).fill("9")
    expect(page.locator("[data-beyond=edge]")).to_contain_text("at most 5.998")


def test_a_maker_sees_what_is_missing_and_everybody_that_it_is_there(
    looks: Visits, halting: StandingMarket, tmp_path: Path, screenshots: Path
) -> None:
    page = come_home(looks, "ann", tmp_path, size=PHONE)
    duty = page.locator(f"[data-duty='{NOON}']")
    expect(duty).to_contain_text("Missing: 1.00 kWh more to buy; 1.00 kWh more to sell")
    orders = Orders(halting)
    orders.send("ann", buy("ann", 1_000, NOON, 3_100_000, "bid"), sell("ann", 1_000, NOON, 3_600_000, "ask"))
    expect(duty).to_contain_text("Missing: purchase and sale 0.200 THB/kWh closer together", timeout=TO_BLOCK_MS)
    page.screenshot(path=screenshots / "duties-phone-en-light.png", full_page=True)
    assert violations(page) == []
    assert width_needed(page) <= PHONE["width"]
    orders.send("ann", buy("ann", 1_000, NOON, 3_300_000, "better"))
    expect(duty).to_contain_text("You are present.", timeout=TO_BLOCK_MS)
    expect(duty).not_to_contain_text("Missing")
    page.goto(f"{halting.url}{PATH}?zone={BANGKOK}")
    shown_prices(page)
    makers = page.locator("[data-makers='1']")
    expect(makers).to_contain_text("Places taken: 1 of 3.")
    expect(makers.locator(f"[data-maker='{pseudonym('ann').hex()}']")).to_be_visible()
