"""From opening the page to the settled order and the bill, in a market that is killed around it; and who is not let in.

One market for this file: its last test stops it, replays the chain, and compares what the page showed.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect
from tests.browser.joining import (
    ENGLISH,
    PASSPHRASE,
    THAI,
    TO_STATE_MS,
    Resident,
    answer_check,
    buy_at,
    buy_now,
    choose_passphrase,
    interval_ahead,
    read_phrase,
    row_of,
    unlock,
)
from tests.browser.pages import DESKTOP, NARROW, PHONE, Market, Visits, running_market, settle, violations, width_needed
from tests.processes.test_up import gridtokenx
from tests.processes.test_visitor import child_of, statements_of

from gridtokenx.client.client import Client
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore
from gridtokenx.gateway.documents import StatementView
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK
from gridtokenx.modules.market.messages import CancelOrder, PlaceOrder, Side, TimeInForce
from gridtokenx.modules.settlement.state import Quality

pytestmark = pytest.mark.slow

HOSTILE = '<img src=x onerror="window.stung=1"><script>window.stung=1</script>'
SETTLED_MS = 90_000
"""An order for the next intervals is settled after a minute and a half at the latest: 15 seconds are an interval."""

GIFT_MICRO = 500_000_000

Shown = dict[str, Any]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """Not the one of the other files: this one ends before its time."""
    with running_market(tmp_path_factory) as market:
        yield market


@pytest.fixture(scope="module")
def resident(market: Market, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Resident:
    """Joined with a key of one's own, and bought. The secret never left the page, and lies nowhere unencrypted."""
    visits = Visits(market, chromium)
    page = visits.open("/", DESKTOP)
    said: list[str] = []
    page.on("request", lambda request: said.append(heard_of(request)))
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: said.append(str(frame))))

    page.get_by_role("link", name=ENGLISH.join).click()
    page.get_by_role("button", name="Make a key").click()
    words = read_phrase(page)
    page.get_by_role("button", name="I have written them down").click()
    answer_check(page, [word + "x" for word in words])
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text("Look at your paper again").first).to_be_visible()
    page.get_by_role("button", name="See the words again").click()
    assert read_phrase(page) == words
    page.get_by_role("button", name="I have written them down").click()
    answer_check(page, words)
    page.get_by_role("button", name="Check", exact=True).click()

    choose_passphrase(page, "short")
    expect(page.get_by_text("Too short")).to_be_visible()
    choose_passphrase(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the key file").click(timeout=30_000)
    folder = tmp_path_factory.mktemp("keys")
    key_file = folder / download.value.suggested_filename
    download.value.save_as(key_file)
    key_file.chmod(0o600)

    page.get_by_role("button", name="Go on").click()
    page.get_by_role("radio", name="Flat").check()
    page.get_by_role("button", name="Move in").click()
    expect(page.get_by_role("heading", name="You have moved in")).to_be_visible(timeout=TO_STATE_MS)
    expect(page.locator("main")).to_contain_text("Your meter replays what")
    page.get_by_role("link", name=ENGLISH.to_home).click()
    resident = Resident(" ".join(words), key_file, buy_now(page, market, ENGLISH))

    secret = PrivateKey.from_phrase(resident.phrase).secret().hex()
    stored = json.dumps(page.context.storage_state())
    for told in [*said, stored, page.url]:
        assert PASSPHRASE not in told and " ".join(words[:3]) not in told
        assert secret not in told
    visits.end()
    return resident


def heard_of(request: Request) -> str:
    """All that a gateway and anybody between get to see of it."""
    return f"{request.url} {request.post_data or ''} {request.headers}"


def come_home(visits: Visits, resident: Resident, path: str = "/home", **how: Any) -> Page:
    """A page of a browser that keeps the resident's key, unlocked."""
    page = visits.open(path, storage_state=kept(visits.market, resident), **how)
    unlock(page)
    expect(page.locator("nav[aria-label] a[href='/home/bill']")).to_be_visible(timeout=30_000)
    return page


def kept(market: Market, resident: Resident) -> Any:
    key = {"name": "gridtokenx.key", "value": resident.key_file.read_text()}
    return {"cookies": [], "origins": [{"origin": market.url, "localStorage": [key]}]}


def test_the_key_file_opens_in_python(resident: Resident) -> None:
    name = resident.key_file.name.removesuffix(".key.json")
    opened = Keystore(resident.key_file.parent).open(name, PASSPHRASE)
    assert opened.phrase() == resident.phrase


def test_another_order_is_changed_and_taken_back(market: Market, visits: Visits, resident: Resident) -> None:
    page = come_home(visits, resident)
    buy_at(page, ENGLISH, interval_ahead(market, 12), "2.300", "0.3")
    open_order = own_open(page)
    expect(open_order).to_have_count(1, timeout=TO_STATE_MS)
    page.get_by_role("button", name="Change: ").click()
    page.get_by_label("Energy still open").fill("0.2")
    page.get_by_role("button", name="Sign the change").click()
    expect(open_order).to_contain_text("0.200 kWh", timeout=TO_STATE_MS)
    page.get_by_role("button", name="Cancel: ").click()
    expect(open_order).to_have_count(0, timeout=TO_STATE_MS)
    expect(page.locator("li[data-state=cancelled]").first).to_contain_text("2.300")


def test_keys_alone_place_an_order_and_refusals_are_told(market: Market, visits: Visits, resident: Resident) -> None:
    page = come_home(visits, resident, language="th", size=PHONE)
    page.get_by_label(THAI.interval).select_option(str(interval_ahead(market, 13)))
    field = page.get_by_label(THAI.energy, exact=True)
    field.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("0.05")
    page.keyboard.press("Enter")
    expect(page.get_by_text("อย่างน้อย 0.1 หน่วย")).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "true")
    page.keyboard.press("ControlOrMeta+a")
    # More than the connection of a flat can take in: the ledger knows that, the page does not.
    page.keyboard.type("30")
    page.keyboard.press("Enter")
    failed = page.locator("li[data-state=failed]")
    expect(failed).to_be_visible(timeout=TO_STATE_MS)
    expect(failed.locator(".why")).to_have_text(sentence(market, "POSITION_LIMIT", "th") + " ไม่มีอะไรเกิดขึ้น ส่งคำสั่งใหม่ได้")


def test_tabs_and_devices_do_not_fight_over_numbers(market: Market, visits: Visits, resident: Resident) -> None:
    """Two tabs sign at the same time, and a program with the same key between them: each order is there, once."""
    tabs = [come_home(visits, resident)]
    tabs.append(tabs[0].context.new_page())
    tabs[1].goto(market.url + "/home")
    unlock(tabs[1])
    wallet, interval = resident.wallet, interval_ahead(market, 16)
    with Client(market.url) as client:
        portfolio = bytes.fromhex(client.account(wallet).portfolios[0])
        before = client.account(wallet).nonce_highest
        for together in (3, 6):
            for tab, price in zip(tabs, ("2.311", "2.312"), strict=True):
                buy_at(tab, ENGLISH, interval, price, "0.1")
            for tab in tabs:
                expect(own_open(tab)).to_have_count(together - 1, timeout=TO_STATE_MS)
            client.execute(wallet, purchase(portfolio, interval, 100))
        for tab in tabs:
            expect(own_open(tab)).to_have_count(6, timeout=TO_STATE_MS)
        assert client.account(wallet).nonce_highest == before + 6
        for order in client.orders(wallet).orders:
            client.execute(wallet, CancelOrder(bytes.fromhex(order.client_id)))
    expect(own_open(tabs[0])).to_have_count(0, timeout=TO_STATE_MS)


def own_open(page: Page) -> Locator:
    return page.locator("li[data-order][data-state=open]")


def purchase(portfolio: bytes, interval: int, energy_wh: int) -> PlaceOrder:
    """One that nobody sells to."""
    return PlaceOrder(
        portfolio,
        os.urandom(8),
        interval,
        Side.BUY,
        2_300_000,
        energy_wh,
        ANY_SOURCE_MASK,
        TimeInForce.GOOD_TILL_GATE,
        0,
        0,
        post_only=False,
        market=False,
    )


def sent_in(request: Request) -> list[str]:
    """The body, if it is one of transactions."""
    is_sent = request.method == "POST" and request.url.endswith("/v1/transactions")
    return [request.post_data or ""] if is_sent else []


def sentence(market: Market, name: str, language: str) -> str:
    codes = market.ask("/v1/codes")["codes"]
    return next(str(line[language]) for line in codes if line["name"] == name)


def test_on_a_phone_in_thai_nothing_is_sent_twice(market: Market, visits: Visits) -> None:
    """The quick way in; then no answer, a page loaded again in the middle, and a node that is killed."""
    page = visits.open("/join", PHONE, "th")
    page.get_by_role("button", name=THAI.try_out).click()
    page.get_by_role("link", name=THAI.to_home).click(timeout=TO_STATE_MS)
    expect(page.get_by_role("button", name=THAI.buy)).to_be_visible()

    wires: list[str] = []

    def cut(route: Route) -> None:
        wires.append(route.request.post_data or "")
        route.abort()

    page.route("**/v1/transactions", cut)
    buy_at(page, THAI, interval_ahead(market, 14), "2.301", "0.4")
    expect(page.locator("li[data-state=lost]")).to_be_visible(timeout=TO_STATE_MS)
    page.unroute("**/v1/transactions", cut)
    page.on("request", lambda request: wires.extend(sent_in(request)))
    page.reload()
    expect(page.locator("li[data-state=open]")).to_have_count(1, timeout=TO_STATE_MS)
    assert len(set(wires)) == 1 and len(wires) > 1

    # Whoever starts what has ended is stopped, so that the node stays away until it was seen.
    up = market.up.process.pid
    os.kill(up, signal.SIGSTOP)
    try:
        os.kill(child_of(up, "gridtokenx.engine.node"), signal.SIGKILL)
        buy_at(page, THAI, interval_ahead(market, 15), "2.302", "0.5")
        expect(page.locator("li[data-state=lost]")).to_be_visible(timeout=TO_STATE_MS)
    finally:
        os.kill(up, signal.SIGCONT)
    expect(page.locator("li[data-state=open]")).to_have_count(2, timeout=2 * TO_STATE_MS)
    account = page.evaluate("JSON.parse(localStorage['gridtokenx.home']).account")
    assert market.ask(f"/v1/explorer/accounts/{account}")["nonce_highest"] == 2
    assert page.evaluate("localStorage['gridtokenx.sent']") is None


def test_a_wrong_passphrase_opens_nothing(visits: Visits, resident: Resident) -> None:
    page = come_home(visits, resident, "/home/key")
    page.get_by_role("button", name="Lock now").click()
    expect(page.get_by_role("heading", name="Your key is locked")).to_be_visible()
    unlock(page, PASSPHRASE.upper())
    expect(page.get_by_text("This passphrase does not open the key.")).to_be_visible(timeout=30_000)
    page.goto(visits.market.url + "/home")
    expect(page.get_by_role("heading", name="Your key is locked")).to_be_visible()
    unlock(page)
    expect(page.get_by_role("button", name=ENGLISH.buy)).to_be_visible(timeout=30_000)


def test_words_and_file_bring_the_same_account_back(visits: Visits, resident: Resident) -> None:
    account = resident.wallet.account.hex()
    page = visits.open("/join")
    page.get_by_role("button", name="Bring my key").click()
    words = page.get_by_label("Your 24 words")
    words.fill(resident.phrase.rsplit(" ", 1)[0])
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("these are 23")
    words.fill(HOSTILE + " " + " ".join(resident.phrase.split()[3:]))
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Word 1")
    words.fill("  " + resident.phrase.upper().replace(" ", "\n"))
    page.get_by_role("button", name="Open", exact=True).click()
    choose_passphrase(page, "another one, for this browser")
    page.get_by_role("link", name=ENGLISH.to_home).click(timeout=30_000)
    expect(row_of(page, resident.bought)).to_be_visible()
    page.goto(visits.market.url + "/home/key")
    unlock(page, "another one, for this browser")
    expect(page.locator("main")).to_contain_text(account, timeout=30_000)

    page = visits.open("/join?restore")
    page.get_by_label("A key file").check()
    page.locator("input[type=file]").set_input_files(resident.key_file)
    page.locator("input[type=password]").fill(PASSPHRASE)
    page.get_by_role("button", name="Open", exact=True).click()
    page.get_by_role("link", name=ENGLISH.to_home).click(timeout=30_000)
    expect(row_of(page, resident.bought)).to_be_visible()


def test_somebody_else_s_account_is_refused_plainly(market: Market, visits: Visits, resident: Resident) -> None:
    other = market.ask("/v1/places")["zones"][0]["distributor"]
    page = come_home(visits, resident)
    page.goto(f"{market.url}/accounts/{other}")
    expect(page.locator("h1")).to_have_text("This account is not yours")
    page.get_by_role("link", name="What anybody may see of it").click()
    expect(page).to_have_url(f"{market.url}/chain/accounts/{other}")
    page.goto(f"{market.url}/accounts/%3Cimg src=x onerror=stung()%3E")
    expect(page.locator("main")).to_contain_text("This is no account's name")
    page.goto(f"{market.url}/accounts/{resident.wallet.account.hex()}")
    page.wait_for_url("**/home")


def test_scripts_that_are_typed_or_told_are_only_text(market: Market, visits: Visits, resident: Resident) -> None:
    page = visits.open("/join", PHONE)

    def rename(route: Route) -> None:
        if route.request.method != "POST":
            route.fallback()
            return
        answer = route.fetch()
        told = answer.json()
        route.fulfill(status=202, json=told | {"recording": told["recording"] | {"home": HOSTILE}})

    page.route("**/v1/faucet", rename)
    page.get_by_role("button", name=ENGLISH.try_out).click()
    expect(page.locator("main")).to_contain_text(HOSTILE, timeout=TO_STATE_MS)
    page.get_by_role("link", name=ENGLISH.to_home).click(timeout=TO_STATE_MS)
    expect(page.locator("main")).to_contain_text(HOSTILE)
    for label in (ENGLISH.energy, ENGLISH.limit):
        page.get_by_label(label, exact=True).fill(HOSTILE)
    page.get_by_role("button", name=ENGLISH.buy).click()
    expect(page.get_by_text("Type an amount in kWh")).to_be_visible()
    page.goto(f"{market.url}/home/bill?day={HOSTILE}")
    expect(page.locator("main h2").first).to_contain_text("March 2023")
    assert page.evaluate("window.stung") is None


def check_words(page: Page) -> None:
    words = read_phrase(page)
    page.locator("main .button.first").click()
    answer_check(page, words)


PLAIN_VIEWS: dict[str, Callable[[Page], None]] = {
    "join": lambda page: page.locator("main .button.first").wait_for(),
    "join-words": lambda page: page.locator("main button").nth(1).click(),
    "join-check": check_words,
    "join-passphrase": lambda page: page.locator("main form button[type=submit]").click(),
    "join-faucet": lambda page: page.locator("main .plain button").click(),
}
"""In this order, each from the one before."""

OWN_VIEWS = ("home", "home-interval", "home-bill", "home-month", "home-key", "home-stranger")

SHOWN = (
    ("phone", PHONE, "en", "light"),
    ("phone", PHONE, "th", "dark"),
    ("desktop", DESKTOP, "en", "dark"),
    ("desktop", DESKTOP, "th", "light"),
)


def own_path(name: str, market: Market, resident: Resident) -> str:
    return {
        "home": "/home",
        "home-interval": f"/home/intervals/{resident.bought}",
        "home-bill": "/home/bill",
        "home-month": "/home/bill?month=2023-03",
        "home-key": "/home/key",
        "home-stranger": f"/accounts/{market.ask('/v1/places')['zones'][0]['distributor']}",
    }[name]


def look_at(page: Page, file: Path, language: str) -> None:
    settle(page)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=file, full_page=True)
    assert page.get_attribute("html", "lang") == language
    assert page.locator("h1").count() == 1
    assert violations(page) == [], file.name


@pytest.mark.parametrize(("device", "size", "language", "scheme"), SHOWN)
def test_views_of_who_joins_are_without_fault(
    device: str, size: dict[str, int], language: str, scheme: str, market: Market, visits: Visits, screenshots: Path
) -> None:
    page = visits.open("/join", size, language, scheme)
    for name, arrive in PLAIN_VIEWS.items():
        arrive(page)
        look_at(page, screenshots / f"{name}-{device}-{language}-{scheme}.png", language)
    page.goto(market.url + "/join?restore")
    look_at(page, screenshots / f"join-restore-{device}-{language}-{scheme}.png", language)


@pytest.mark.parametrize(("device", "size", "language", "scheme"), SHOWN)
def test_views_of_one_s_own_are_without_fault(
    device: str,
    size: dict[str, int],
    language: str,
    scheme: str,
    market: Market,
    visits: Visits,
    resident: Resident,
    screenshots: Path,
) -> None:
    page = visits.open("/home", size, language, scheme, storage_state=kept(market, resident))
    look_at(page, screenshots / f"home-locked-{device}-{language}-{scheme}.png", language)
    unlock(page)
    expect(page.locator("tr[data-interval]").first).to_be_visible(timeout=30_000)
    for name in OWN_VIEWS:
        go(page, own_path(name, market, resident))
        if name == "home-interval":
            expect(page.locator("[data-bill]")).to_be_visible(timeout=SETTLED_MS)
            check_all(page)
        if name == "home-bill":
            expect(page.locator("main h2").first).to_contain_text("2566" if language == "th" else "2023")
        look_at(page, screenshots / f"{name}-{device}-{language}-{scheme}.png", language)


def check_all(page: Page) -> None:
    """The proofs of the receipt and of the settlement, one by one."""
    checks = page.locator("[data-check]")
    expect(checks.nth(1)).to_be_visible()
    for place in range(checks.count()):
        checks.nth(place).get_by_role("button").first.click()
        expect(checks.nth(place)).to_have_attribute("data-check", "done", timeout=30_000)


def go(page: Page, path: str) -> None:
    """Without loading the page again: the key stays open."""
    page.evaluate("path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')); }", path)
    page.wait_for_function("path => location.pathname + location.search === path", arg=path)


@pytest.mark.parametrize("language", ["en", "th"])
def test_nobody_scrolls_sideways_at_home(language: str, market: Market, visits: Visits, resident: Resident) -> None:
    page = come_home(visits, resident, size=NARROW, language=language)
    for name in OWN_VIEWS:
        go(page, own_path(name, market, resident))
        settle(page)
        assert width_needed(page) <= NARROW["width"], name


def test_what_the_page_shows_is_what_the_chain_holds(
    market: Market, visits: Visits, resident: Resident, tmp_path: Path, screenshots: Path
) -> None:
    """The bill is that of the API, the API's that of the state, and the state is replayed from the blocks."""
    page = come_home(visits, resident)
    row = row_of(page, resident.bought)
    expect(row).to_contain_text("settled", timeout=SETTLED_MS)
    expect(row).to_contain_text("bought 0.100")
    row.get_by_role("link").click()
    expect(page.locator("[data-bill]")).to_be_visible()
    page.get_by_role("button", name="Check this settlement").click()
    expect(page.locator("[data-check=done]")).to_contain_text("It holds")

    wallet = resident.wallet
    go(page, "/home/bill")
    with Client(market.url) as client:
        for _ in range(5):
            bill = client.bill(wallet)
            lines = {line.interval: line for line in statements_of(client, wallet)}
            shown = bill_shown(page, bill.total.intervals)
            if len(shown["quarters"]) == bill.total.intervals:
                break
        else:
            raise AssertionError("the page never shows what the API says at the same moment")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as table").click()
        portfolio = client.account(wallet).portfolios[0]
    assert [line.split(",")[0] for line in Path(download.value.path()).read_text().splitlines()][-1] == "total"
    told = {name: int(value) for name, value in shown["lines"].items()}
    total = bill.total
    earned = {"sale_proceeds_micro": total.sale_proceeds_micro, "other_export_micro": total.other_export_micro}
    assert {name: told[name] for name in earned} == {name: -value for name, value in earned.items()}
    paid = ("purchase_cost_micro", "other_import_micro", "bill_micro", "vat_micro", "bill_with_vat_micro")
    for name in (*paid, "old_bill_micro", "old_bill_with_vat_micro", "saved_with_vat_micro"):
        assert told[name] == getattr(total, name), name
    assert total.purchases is not None
    parts = ("energy_micro", "grid_fee_micro", "wheeling_micro", "trading_fee_micro")
    assert [told[f"purchases.{name}"] for name in parts] == [getattr(total.purchases, name) for name in parts]
    quarters = {int(interval): int(value) for interval, value in shown["quarters"].items()}
    assert quarters == {interval: bill_of(lines[interval]) for interval in quarters}
    assert sum(quarters.values()) == total.bill_micro
    assert lines[resident.bought].bought_wh == 100

    page.emulate_media(media="print")
    expect(page.locator("header.top")).to_be_hidden()
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    page.screenshot(path=screenshots / "home-bill-print.png", full_page=True)

    market.up.process.terminate()
    assert "Stopped" in market.up.rest()
    verified = gridtokenx("verify", "--data", str(market.data))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    exported = tmp_path / "state.json"
    assert gridtokenx("export", str(exported), "--json", "--data", str(market.data)).returncode == 0
    tables = json.loads(exported.read_text())["tables"]
    for interval, line in lines.items():
        held = tables["statements"][interval.to_bytes(4, "big").hex() + portfolio]
        assert Quality(held.pop("quality")).name.lower() == line.quality
        assert held == {name: getattr(line, name) for name in held}, interval
    # Without VAT the bills are what the account paid: gift less bills less what is set aside is what is left.
    account = tables["accounts"][wallet.account.hex()]
    settled = [record for key, record in tables["statements"].items() if key.endswith(portfolio)]
    assert account["balance_micro"] - account["debt_micro"] == GIFT_MICRO - sum(map(bill_of_record, settled))


def bill_shown(page: Page, least: int) -> Shown:
    """Lines and quarters of the bill, both of the same moment, once there are so many quarters."""
    ready = """least => {
      const read = (name) => Object.fromEntries(
        [...document.querySelectorAll(`data[data-${name}]`)].map((each) => [each.dataset[name], each.value]));
      const [lines, quarters] = [read("line"), read("interval")];
      const said = Number(document.querySelector("[data-intervals]")?.dataset.intervals ?? -1);
      return said >= least && said === Object.keys(quarters).length ? { lines, quarters } : null;
    }"""
    shown: Shown = page.wait_for_function(ready, arg=least).json_value()
    return shown


def bill_of(line: StatementView) -> int:
    return line.purchase_cost_micro - line.sale_proceeds_micro + line.charge_micro - line.credit_micro


def bill_of_record(record: dict[str, int]) -> int:
    paid = record["purchase_cost_micro"] + record["charge_micro"]
    return paid - record["sale_proceeds_micro"] - record["credit_micro"]
