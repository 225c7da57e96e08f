"""What a visitor does who joins, in either language: steps that several tests take."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect
from tests.browser.pages import Market, Visits
from tests.unit.gateway.market import key_of

from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore
from gridtokenx.client.wallet import Wallet

PASSPHRASE = "lamp river seven chairs"
ENERGY_KWH = "0.1"
SECONDS_AHEAD = 600
"""A gate of which less chain time is left would close while one types."""

TO_STATE_MS = 40_000
"""Until an order is in a block, also while processes come back."""


@dataclass(frozen=True)
class Words:
    """Labels of the page in one language: only those that the steps need."""

    join: str
    try_out: str
    to_home: str
    at_once: str
    own_limit: str
    energy: str
    limit: str
    buy: str
    interval: str


ENGLISH = Words(
    join="Join in",
    try_out="Start with play money",
    to_home="To my home",
    at_once="At once, at the best price",
    own_limit="My own limit",
    energy="Energy",
    limit="Price limit",
    buy="Sign and buy",
    interval="For the quarter of an hour",
)
THAI = Words(
    join="เข้าร่วม",
    try_out="เริ่มด้วยเงินสมมติ",
    to_home="ไปบ้านของฉัน",
    at_once="ทันที ที่ราคาดีที่สุด",
    own_limit="กำหนดราคาเอง",
    energy="ปริมาณ",
    limit="ราคาจำกัด",
    buy="ลงลายเซ็นและซื้อ",
    interval="สำหรับช่วงเวลาส่งมอบ",
)


@dataclass(frozen=True)
class Resident:
    """Somebody who has joined and bought: how to come back, and for which interval the purchase was."""

    phrase: str
    key_file: Path
    bought: int

    @property
    def wallet(self) -> Wallet:
        return Wallet([PrivateKey.from_phrase(self.phrase)])


def read_phrase(page: Page) -> list[str]:
    """The 24 words as they are shown."""
    words = page.locator("ol[translate=no] .word").all_inner_texts()
    assert len(words) == 24
    return words


def answer_check(page: Page, words: list[str]) -> None:
    """Type the two words that are asked for."""
    for label in page.locator("main form label").all():
        place = re.search(r"\d+", label.inner_text())
        assert place
        page.get_by_label(label.inner_text(), exact=True).fill(words[int(place.group()) - 1])


def choose_passphrase(page: Page, passphrase: str = PASSPHRASE) -> None:
    for field in page.locator("main input[autocomplete=new-password]").all():
        field.fill(passphrase)
    page.locator("main form button[type=submit]").click()


def unlock(page: Page, passphrase: str = PASSPHRASE) -> None:
    page.locator("main input[type=password]").fill(passphrase)
    page.locator("main form button[type=submit]").click()


def interval_with_offer(market: Market) -> int:
    """The first that has an offer below the tariff and stays open for a while."""
    now_ms = market.ask("/v1/status")["time_ms"]
    for line in market.ask("/v1/intervals?limit=200")["intervals"]:
        ask = line["best_ask_micro"]
        is_open = line["phase"] == "trading" and line["gate_ms"] - now_ms > SECONDS_AHEAD * 1_000
        if is_open and ask is not None and ask + 300_000 < line["tariff_micro"]:
            return int(line["interval"])
    raise AssertionError("nobody sells")


def interval_ahead(market: Market, quarters: int) -> int:
    return int(market.ask("/v1/status")["interval"]) + quarters


def choose(page: Page, words: Words, interval: int, energy: str = ENERGY_KWH) -> None:
    """Fill in what every order has."""
    page.get_by_label(words.interval).select_option(str(interval))
    page.get_by_label(words.energy, exact=True).fill(energy)


def buy_now(page: Page, market: Market, words: Words) -> int:
    """A market order that fills; the book moves, so another interval is tried when it did not. Returns the interval."""
    for _ in range(6):
        interval = interval_with_offer(market)
        choose(page, words, interval)
        page.get_by_role("radio", name=words.at_once).check()
        seen = page.locator("li[data-order]").count()
        page.get_by_role("button", name=words.buy).click()
        order = page.locator("li[data-order]")
        expect(order).to_have_count(seen + 1, timeout=TO_STATE_MS)
        gone = page.locator("li[data-order][data-state=filled], li[data-order][data-state^=cancelled]")
        expect(gone).not_to_have_count(0)
        if page.locator(f"li[data-state=filled]:has(a[href$='/{interval}'])").count():
            return interval
    raise AssertionError("nothing filled")


def row_of(page: Page, interval: int) -> Locator:
    """The line of a quarter of an hour in the list at home, which shows the newest until one asks for more."""
    expect(page.locator("tr[data-interval]").first).to_be_visible(timeout=TO_STATE_MS)
    more = page.locator(".quarters button")
    while more.is_visible():
        more.click()
    return page.locator(f"tr[data-interval='{interval}']")


def buy_at(page: Page, words: Words, interval: int, price: str, energy: str) -> None:
    """An order at one's own limit."""
    choose(page, words, interval, energy)
    page.get_by_role("radio", name=words.own_limit).check()
    page.get_by_label(words.limit, exact=True).fill(price)
    page.get_by_role("button", name=words.buy).click()


def come_home(looks: Visits, name: str, folder: Path, **settings: Any) -> Page:
    """Bring the key of a home as its owner would: from a file."""
    keystore = Keystore(folder)
    keystore.add_development_key(name, key_of(name))
    page = looks.open("/join?restore", **settings)
    page.get_by_label("A key file").check()
    page.locator("input[type=file]").set_input_files(keystore.path(name))
    page.get_by_role("button", name="Open", exact=True).click()
    page.get_by_role("link", name="To my home").click(timeout=30_000)
    expect(page.get_by_label("For the quarter of an hour")).to_be_visible(timeout=30_000)
    return page
