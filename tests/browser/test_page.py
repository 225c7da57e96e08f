"""What people do with the page, in a real market."""

import os
import re
import signal

import pytest
from playwright.sync_api import Route, expect
from tests.browser.pages import PHONE, Market, Visits, settle

pytestmark = pytest.mark.slow

HOSTILE = '<img src=x onerror="window.stung=1"><script>window.stung=1</script>'


def test_the_market_moves(visits: Visits) -> None:
    """Chain time runs between blocks, faster than a clock on the wall, and blocks come in."""
    page = visits.open("/chain")
    first = page.locator("tbody tr td a").first
    height = first.inner_text()
    expect(first).not_to_have_text(height)
    time = page.locator("header time").get_attribute("datetime")
    assert time is not None
    expect(page.locator("header time")).not_to_have_attribute("datetime", time)


def test_language_is_switched_and_remembered(visits: Visits) -> None:
    page = visits.open("/community")
    page.get_by_role("button", name="ภาษาไทย").click()
    expect(page.locator("h1")).to_have_text("ใครประหยัดได้เท่าไร")
    expect(page.locator("html")).to_have_attribute("lang", "th")
    assert "2566" in page.locator("main").inner_text()
    page.reload()
    expect(page.locator("h1")).to_have_text("ใครประหยัดได้เท่าไร")
    page.get_by_role("button", name="English").click()
    expect(page.locator("h1")).to_have_text("Who saves what")


def test_theme_is_set_before_the_first_paint(visits: Visits) -> None:
    page = visits.open("/", scheme="light")
    page.get_by_role("button", name="Theme:").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    # No script of the page runs here but the small one in its head.
    page.route("**/assets/*.js", lambda route: route.abort())
    page.reload(wait_until="domcontentloaded")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_an_interval_is_picked_by_keyboard(visits: Visits) -> None:
    page = visits.open("/")
    settle(page)
    page.locator("input[name=interval]:checked").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile(r"/intervals/\d+$"))
    picked = page.url.rpartition("/")[2]
    expect(page.locator("input[name=interval]:checked")).to_have_value(picked)
    expect(page.locator(f"input[name=interval][value='{picked}']")).to_be_focused()


def test_keyboard_reaches_content_first(visits: Visits) -> None:
    page = visits.open("/", PHONE)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_links_do_not_load_the_page_again(visits: Visits) -> None:
    page = visits.open("/")
    page.evaluate("window.same = true")
    page.get_by_role("link", name="Community").click()
    expect(page.locator("h1")).to_have_text("Who saves what")
    expect(page.locator("h1")).to_be_focused()
    expect(page).to_have_title("Community · GridTokenX")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Neighbours trade electricity")
    assert page.evaluate("window.same") is True


def test_charts_can_be_read_as_tables(visits: Visits) -> None:
    page = visits.open("/")
    settle(page)
    page.get_by_role("button", name="Show as table").first.click()
    table = page.get_by_role("group", name=re.compile("^Today")).get_by_role("table")
    expect(table.locator("tbody tr").first).to_be_visible()
    assert table.locator("tbody tr").count() >= 90


def test_search_leads_to_the_one_thing_that_is_meant(market: Market, visits: Visits) -> None:
    height, transaction = market.a_transaction()
    page = visits.open("/chain")
    field = page.get_by_role("searchbox")
    field.fill(str(height))
    field.press("Enter")
    page.wait_for_url(f"**/chain/blocks/{height}")
    page.goto(market.url + "/chain")
    field.fill(transaction)
    field.press("Enter")
    page.wait_for_url(f"**/chain/transactions/{transaction}")


def test_a_proof_is_computed_in_the_browser(market: Market, visits: Visits) -> None:
    _, transaction = market.a_transaction()
    page = visits.open(f"/chain/transactions/{transaction}")
    expect(page.locator("[data-proof=checked] li")).to_have_count(5)


def test_a_forged_proof_is_told(market: Market, visits: Visits) -> None:
    """A gateway that lies about a receipt is found out here."""
    _, transaction = market.a_transaction()
    page = visits.open("/chain")

    def forge(route: Route) -> None:
        proof = route.fetch().json()
        receipt = bytearray.fromhex(proof["receipt"])
        receipt[-1] ^= 1
        route.fulfill(json=proof | {"receipt": receipt.hex()})

    page.route("**/proof", forge)
    page.goto(f"{market.url}/chain/transactions/{transaction}")
    expect(page.get_by_role("alert")).to_contain_text("The proof does not hold")
    expect(page.locator("[data-proof=checked]")).to_have_count(0)


def test_a_script_in_a_name_is_only_text(market: Market, visits: Visits) -> None:
    page = visits.open("/chain")

    def rename(route: Route) -> None:
        savings = route.fetch().json()
        assert savings["showcase"], "this market shows homes by name"
        for home in savings["showcase"]:
            home["name"] = HOSTILE
        route.fulfill(json=savings)

    page.route("**/v1/community/savings", rename)
    page.goto(market.url + "/community")
    expect(page.get_by_role("rowheader").first).to_have_text(HOSTILE)
    page.goto(f"{market.url}/chain/search?q={HOSTILE}")
    expect(page.locator("h1")).to_contain_text(HOSTILE)
    assert page.evaluate("window.stung") is None


def test_refusals_are_told_in_the_page_s_language(market: Market, visits: Visits) -> None:
    page = visits.open("/chain/blocks/99999999", language="th")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("NOT_FOUND")
    assert re.search("[\u0e00-\u0e7f]", alert.inner_text())


def test_a_gateway_that_is_killed_is_waited_for(market: Market, visits: Visits) -> None:
    page = visits.open("/chain")
    first = page.locator("tbody tr td a").first
    # Whoever would start it again sleeps until the page has said it: a new one can be there within its grace.
    os.kill(market.up.process.pid, signal.SIGSTOP)
    try:
        os.kill(market.gateway_pid(), signal.SIGKILL)
        expect(page.locator("[data-state=lost]")).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("The connection is lost")
        before = first.inner_text()
    finally:
        os.kill(market.up.process.pid, signal.SIGCONT)
    expect(page.locator("[data-state=live]")).to_be_visible(timeout=60_000)
    expect(page.locator(".banner")).to_have_count(0)
    expect(first).not_to_have_text(before, timeout=60_000)


def test_a_burst_of_trades_drops_no_input(market: Market, visits: Visits) -> None:
    """Thirty trades a second come in while somebody types: every key arrives, and the list stays short."""
    page = visits.open("/chain")
    page.add_init_script(BURST)
    page.goto(market.url)
    expect(page.get_by_text("4.321").first).to_be_visible()
    page.evaluate("document.querySelector('main').prepend(document.createElement('textarea'))")
    field = page.locator("main > textarea")
    text = "neighbours trade " * 5
    field.press_sequentially(text, delay=20)
    expect(field).to_have_value(text)
    assert page.locator("main ol > li").count() < 20


BURST = """
  const Plain = WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      let sequence = 2 ** 50;
      setInterval(() => {
        sequence += 1;
        const trade = { sequence, height: 1, time_ms: 1679280000000, interval: 1865866, quantity_wh: 150,
          price_micro: 4321000, wheeling_micro: 30000, taker: "buy", source: "solar" };
        const message = { topic: "trades", kind: "update", sequence, previous: 0, data: { trades: [trade] } };
        this.onmessage?.(new MessageEvent("message", { data: JSON.stringify(message) }));
      }, 33);
    }
  };
"""
"""Puts trades where the gateway's messages come in."""
