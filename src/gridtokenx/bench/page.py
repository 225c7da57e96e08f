"""`bench page`: how soon a visitor sees the market, how much script that takes, and keys pressed while trades go by.

The market is that of `bench gateway`; the browser is the system's Chromium. A view counts as seen when the price, the
chart and the book stand on the screen, nothing cached before. Dealers then trade more than thirty times a second while
arrow keys walk along the intervals: each press has to move the choice by one, and its time counts until the next frame.
"""

import itertools
import shutil
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gridtokenx.bench.gateway import LIFETIME_MS, MIDDLE_MICRO, Dealer, Market, admit_dealers, running_market
from gridtokenx.client.client import Client
from gridtokenx.gateway.documents import BlockLine
from gridtokenx.modules.identity.messages import ANY_SOURCE_MASK, Source
from gridtokenx.modules.market.messages import PlaceOrder, Side, TimeInForce

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# What waits for the page evaluates text again and again; the page's security policy forbids that and is set aside.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
SEEN = (
    "() => document.querySelector('[data-state=live]') && !document.querySelector('main .bone')"
    " && document.querySelector('main canvas') && performance.now()"
)
SCRIPTS = (
    "() => performance.getEntriesByType('resource').filter((each) => each.name.endsWith('.js'))"
    ".reduce((sum, each) => sum + each.encodedBodySize, 0)"
)
OBSERVE = (
    "() => { window.pressed = []; new PerformanceObserver((list) => { for (const each of list.getEntries())"
    " if (each.name === 'keydown') window.pressed.push(each.duration); })"
    ".observe({ type: 'event', durationThreshold: 16 }); }"
)
CHOSEN = "() => Number(document.querySelector('input[name=interval]:checked').value)"
FRAME_MS = 16.0
"""Presses that a browser answers within a frame it does not list."""

TRADES_PER_SECOND = 35
TRADED_WH = 100
WHEELING_MICRO = 200_000
"""Inside a feeder: what a buyer's limit has to stand above a seller's."""

ROUND_S = 0.2
PRESS_PAUSE_MS = 60
WALK = 20
"""Presses to the right, then as many to the left."""

AWAY = 30
"""The walk and the trades begin so many intervals after the first open one: no gate closes under them."""


def run(quick: bool) -> dict[str, object]:
    """The figures of `bench page`. RuntimeError without a browser or without what drives it."""
    with running_market() as market, Client(f"http://127.0.0.1:{market.port}") as client, browser() as chromium:
        dealers = admit_dealers(market, client)
        print("opening the page", flush=True)
        views = [first_view(chromium, market) for _ in range(3 if quick else 9)]
        print("trading, and pressing keys", flush=True)
        pressed = press_keys(chromium, market, dealers, 100 if quick else 400)
    return {
        "first_view_ms": round(statistics.median(seen_ms for seen_ms, _ in views)),
        "script_bytes": views[0][1],
        **pressed,
    }


@contextmanager
def browser() -> Iterator["Browser"]:
    """The system's browser."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        raise RuntimeError("no browser: as root, apt install chromium")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a market that is not measured lacks it
    except ImportError as error:
        raise RuntimeError("Playwright is not installed: make setup") from error
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        try:
            yield chromium
        finally:
            chromium.close()


def first_view(chromium: "Browser", market: Market) -> tuple[float, int]:
    """(milliseconds from the start of the navigation until the market is seen, bytes of script as they travelled)."""
    context = chromium.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{market.port}/", wait_until="commit")
    seen_ms = page.wait_for_function(SEEN).json_value()
    script_bytes = page.evaluate(SCRIPTS)
    context.close()
    return seen_ms, script_bytes


def press_keys(chromium: "Browser", market: Market, dealers: Sequence[Dealer], presses: int) -> dict[str, float]:
    """What became of so many presses while the dealers trade."""
    stop = threading.Event()
    with Client(f"http://127.0.0.1:{market.port}") as client:
        first = next(each.interval for each in client.intervals().intervals if each.phase == "trading") + AWAY
        page = chromium.new_context(bypass_csp=True).new_page()
        page.goto(f"http://127.0.0.1:{market.port}/intervals/{first}")
        page.wait_for_function(SEEN)
        page.evaluate(OBSERVE)
        trading = threading.Thread(target=trade, args=(market, dealers, first, stop))
        before, started = client.status().height, time.monotonic()
        trading.start()
        try:
            dropped = walk(page, presses)
        finally:
            stop.set()
            trading.join()
        seconds = time.monotonic() - started
        trades = sum(line.trades for line in blocks_since(client, before))
    listed = sorted(page.evaluate("() => window.pressed"))
    slow = [FRAME_MS] * max(0, presses - len(listed)) + listed
    return {
        "presses": presses,
        "presses_dropped": dropped,
        "press_p50_ms": slow[len(slow) // 2],
        "press_p99_ms": slow[len(slow) * 99 // 100],
        "trades_per_second": round(trades / seconds, 1),
    }


def walk(page: "Page", presses: int) -> int:
    """Press arrow keys on the row of intervals; how many did not move the choice by one."""
    dropped = 0
    page.locator("input[name=interval]:checked").focus()
    for number in range(presses):
        chosen = page.evaluate(CHOSEN)
        step = 1 if number // WALK % 2 == 0 else -1
        page.keyboard.press("ArrowRight" if step == 1 else "ArrowLeft")
        dropped += page.evaluate(CHOSEN) != chosen + step
        page.wait_for_timeout(PRESS_PAUSE_MS)
    return dropped


def trade(market: Market, dealers: Sequence[Dealer], first: int, stop: threading.Event) -> None:
    """Pairs of orders that meet, some times a second, until told to stop."""
    with Client(f"http://127.0.0.1:{market.port}") as client:
        due = time.monotonic()
        for number in itertools.count():
            time_ms = client.status().time_ms
            wires = []
            for pair in range(round(TRADES_PER_SECOND * ROUND_S)):
                name = number * TRADES_PER_SECOND + pair
                seller, buyer = dealers[name % len(dealers)], dealers[(name + 1) % len(dealers)]
                for dealer, side in ((seller, Side.SELL), (buyer, Side.BUY)):
                    order = order_of(dealer, side, first + name % WALK, name)
                    wires.append(dealer.wallet.sign(market.genesis.chain, time_ms, [order], LIFETIME_MS).wire)
            client.submit(wires)
            due += ROUND_S
            if stop.wait(max(0.0, due - time.monotonic())):
                return


def order_of(dealer: Dealer, side: Side, interval: int, name: int) -> PlaceOrder:
    """One half of a pair."""
    return PlaceOrder(
        dealer.portfolio,
        (2**32 + name).to_bytes(8, "big"),
        interval,
        side,
        MIDDLE_MICRO + (WHEELING_MICRO if side is Side.BUY else 0),
        TRADED_WH,
        Source.CONVENTIONAL if side is Side.SELL else ANY_SOURCE_MASK,
        TimeInForce.GOOD_TILL_GATE,
        0,
        0,
        False,
        False,
    )


def blocks_since(client: Client, height: int) -> Iterator[BlockLine]:
    """All blocks above a height, newest first."""
    before = None
    while True:
        page = client.blocks(before)
        for line in page.blocks:
            if line.height <= height:
                return
            yield line
        if not page.next:
            return
        before = page.next
