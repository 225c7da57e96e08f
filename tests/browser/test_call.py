"""An auction as it builds up in a real browser: a call phase of seven zones, its gate, what became of one's order."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.coupled import NOON, Orders, collect_a_call, coupled_market
from tests.browser.joining import come_home
from tests.browser.pages import DESKTOP, NARROW, PHONE, StandingMarket, Visits, settle, violations, width_needed
from tests.world import buy

from gridtokenx.client.client import Client
from gridtokenx.gateway.documents import AuctionView
from gridtokenx.modules.market.messages import Scope

pytestmark = pytest.mark.slow

PATH = f"/auctions/{NOON}"
CALL_MS = 15 * 60_000
SHOWN = (
    ("phone", PHONE, "en", "light"),
    ("phone", PHONE, "th", "dark"),
    ("desktop", DESKTOP, "en", "dark"),
    ("desktop", DESKTOP, "th", "light"),
)
TO_GATE_MS = 90_000
"""A node that runs ten times as fast passes five minutes in half a minute."""


@pytest.fixture(scope="module")
def calling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingMarket]:
    """In its call phase for the next quarter of an hour."""
    with coupled_market(tmp_path_factory, minute=41, call_phase_ms=CALL_MS) as market:
        collect_a_call(Orders(market))
        yield market


@pytest.fixture
def looks(calling: StandingMarket, chromium: Browser) -> Iterator[Visits]:
    visits = Visits(calling, chromium)
    yield visits
    visits.end()


def shown_call(page: Page) -> None:
    """Wait until the auction is there, with its curves."""
    expect(page.locator("[data-state=indicative]")).to_be_visible()
    expect(page.locator("[data-curves=zone]")).to_be_visible()
    settle(page)


@pytest.mark.parametrize(("device", "size", "language", "scheme"), SHOWN)
def test_the_call_is_without_fault(
    device: str, size: dict[str, int], language: str, scheme: str, looks: Visits, screenshots: Path
) -> None:
    page = looks.open(PATH, size, language, scheme)
    shown_call(page)
    page.screenshot(path=screenshots / f"call-{device}-{language}-{scheme}.png", full_page=True)
    assert page.locator("h1").count() == 1
    assert violations(page) == []
    assert width_needed(page) <= size["width"]


def auction_of(market: StandingMarket) -> AuctionView:
    with Client(market.url) as client:
        return client.auction(NOON)


def test_prices_curves_and_flows_are_the_auctions(looks: Visits, calling: StandingMarket) -> None:
    page = looks.open(PATH)
    shown_call(page)
    auction = auction_of(calling)
    prices = page.locator("table[data-table=prices]")
    for place in auction.places:
        if place.feeder is None:
            expect(prices).to_contain_text(f"{place.price_micro / 1e6:.3f}")
    bangkok = next(place for place in auction.places if place.zone == 1 and place.feeder is None)
    page.get_by_label("Zone", exact=True).select_option("1")
    curves = page.locator("[data-curves=zone]")
    sentence = f"At {bangkok.price_micro / 1e6:.3f} THB per kWh {bangkok.sold_wh / 1e3:.2f} kWh are sold"
    expect(curves).to_contain_text(sentence)
    expect(curves).to_contain_text(f"{(bangkok.sold_wh - bangkok.bought_wh) / 1e3:.2f} kWh of it go to other zones.")
    expect(page.locator("[data-curves='12']")).to_be_visible()
    expect(page.locator("[data-flow='12-feeder']")).to_contain_text("feeder 12 to Bangkok")
    (full,) = [link for link in auction.links if (link.first, link.second) == (1, 2)]
    assert full.flow_wh == full.forward_free_wh == 10_000 and full.rent_micro > 0
    expect(page.locator("[data-flow='1-2']")).to_contain_text("full")
    expect(page.locator("[data-flow='1-2']")).to_contain_text(f"{full.rent_micro / 1e6:.2f}")
    expect(page.get_by_text("Gate closes in")).to_be_visible()


def test_the_line_grows_with_each_change(looks: Visits, calling: StandingMarket) -> None:
    page = looks.open(PATH)
    shown_call(page)
    page.get_by_label("Zone", exact=True).select_option("5")
    page.get_by_role("button", name="Show as table").first.click()
    rows = page.locator(".line tbody tr")
    before = rows.count()
    assert before > 5  # what happened before the page came is there, too
    Orders(calling).send("eas", buy("eas", 700, NOON, 5_600_000, "growing"))
    expect(rows).to_have_count(before + 1)
    expect(rows.last).to_contain_text("0.70")


def test_in_the_call_the_ticket_takes_plain_orders_alone(
    looks: Visits, calling: StandingMarket, tmp_path: Path, screenshots: Path
) -> None:
    page = come_home(looks, "bob", tmp_path)
    page.get_by_label("For the quarter of an hour").select_option(str(NOON))
    expect(page.get_by_text("Orders collect for the auction now.")).to_be_visible()
    expect(page.get_by_role("radio", name="At once, at the best price")).to_have_count(0)
    page.get_by_text("More choices").click()
    expect(page.locator("[data-plain]")).to_contain_text("Only plain orders are taken now")
    expect(page.get_by_label("How far it looks")).to_have_count(0)
    page.get_by_label("Energy", exact=True).fill("2")
    page.get_by_label("Price limit").fill("4.9")
    page.screenshot(path=screenshots / "ticket-call-desktop-en-light.png", full_page=True)
    assert violations(page) == []
    page.get_by_role("button", name="Sign and buy").click()
    expect(page.locator("li[data-order][data-state=open]")).to_have_count(2, timeout=40_000)
    page.goto(calling.url + PATH)
    expect(page.locator("[data-own]")).to_have_count(2)
    expect(page.locator("[data-own]").filter(has_text="4.900")).to_contain_text("would trade in full at")


def test_an_order_may_stay_near_and_show_a_part_of_itself(
    looks: Visits, calling: StandingMarket, tmp_path: Path, screenshots: Path
) -> None:
    later = NOON + 8
    page = come_home(looks, "ann", tmp_path, size=PHONE)
    page.get_by_label("For the quarter of an hour").select_option(str(later))
    page.get_by_role("radio", name="Sell").check()
    page.get_by_label("Energy", exact=True).fill("8")
    page.get_by_label("Price limit").fill("3.2")
    page.get_by_text("What delivery to another zone costs").click()
    page.get_by_label("Zone", exact=True).select_option("3")
    # 0.20 and 0.25, and two borders of 0.30 each.
    expect(page.locator("[data-delivered]")).to_contain_text("a buyer in North pays 4.250 delivered")
    page.get_by_label("Zone", exact=True).select_option("5")
    expect(page.locator("form")).to_contain_text("Bangkok → Central → East")
    page.get_by_text("More choices").click()
    page.get_by_label("How far it looks").select_option("zone")
    display = page.get_by_label("Show only so much at a time")
    display.fill("0.2")
    page.get_by_role("button", name="Sign and sell").click()
    expect(page.get_by_text("at least 0.400 kWh")).to_be_visible()
    display.fill("1")
    page.screenshot(path=screenshots / "ticket-scope-phone-en-light.png", full_page=True)
    assert violations(page) == []
    assert width_needed(page) <= PHONE["width"]
    page.get_by_role("button", name="Sign and sell").click()
    expect(page.locator("li[data-order][data-state=open]").filter(has_text="8.000")).to_have_count(1, timeout=40_000)
    with Client(calling.url) as client:
        (level,) = client.book(later).asks
        assert (level.quantity_wh, level.scope) == (1_000, Scope.ZONE)
        assert client.book(later, 12).delivered_asks and client.book(later, 21).delivered_asks == []


def test_nobody_scrolls_sideways_in_the_call(looks: Visits) -> None:
    for path, language in ((PATH, "en"), (PATH, "th"), ("/auctions", "th")):
        page = looks.open(path, NARROW, language)
        shown_call(page)
        assert width_needed(page) <= NARROW["width"], path
        page.context.close()
    page = looks.open(f"/auctions/{NOON + 4}")
    expect(page.get_by_role("heading", name="Trading goes on")).to_be_visible()


def test_after_the_gate_one_sees_what_became_of_ones_order(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, screenshots: Path
) -> None:
    with coupled_market(tmp_path_factory, minute=50, call_phase_ms=CALL_MS, speed=10) as market:
        looks = Visits(market, chromium)
        collect_a_call(Orders(market))
        page = come_home(looks, "cen", tmp_path)
        page.goto(market.url + PATH)
        expect(page.locator("[data-own]")).to_have_count(2)
        expect(page.locator("[data-state=final]")).to_be_visible(timeout=TO_GATE_MS)
        expect(page.get_by_role("heading", name="Decided")).to_be_visible()
        central = next(place for place in auction_of(market).places if place.zone == 2 and place.feeder is None)
        result = f"of 8.00 kWh at {central.price_micro / 1e6:.2f} THB/kWh"
        expect(page.locator("[data-own]").filter(has_text="8.00 kWh at 4.700")).to_contain_text(result)
        expect(page.locator("[data-curves=zone]")).to_be_visible()
        expect(page.locator(".flows")).to_contain_text("Wheeling of borders goes to transmission")
        settle(page)
        page.screenshot(path=screenshots / "call-final-desktop-en-light.png", full_page=True)
        assert violations(page) == []
        page.goto(f"{market.url}/zones/{NOON}")
        expect(page.locator("[data-zone='2']")).to_contain_text("auction")
        looks.end()
