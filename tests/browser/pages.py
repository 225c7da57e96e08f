"""What the tests here do with a market and a browser."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect
from tests.processes.processes import free_port, gateway_process, node_process
from tests.processes.test_up import Up
from tests.processes.test_visitor import child_of

PACKAGES = Path(__file__).parents[2] / "packages"
WEB = PACKAGES / "web"
AXE = PACKAGES / "node_modules" / "axe-core" / "axe.min.js"
UP_SECONDS = 5_400
"""However the tests end, the market does by then."""

PATIENCE_MS = 20_000
"""For what a page does by itself; whoever waits for the chain says so."""
expect.set_options(timeout=PATIENCE_MS)

PHONE = {"width": 390, "height": 844}
NARROW = {"width": 360, "height": 740}
DESKTOP = {"width": 1440, "height": 900}
LOCALES = {"en": "en-GB", "th": "th-TH"}

GONE_QUIET = ("ERR_CONNECTION", "WebSocket", "Failed to load resource")
"""What a browser itself writes when a server does not answer."""


class StandingMarket:
    """A gateway that serves the page, at this port."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"


class Market(StandingMarket):
    """A running market, asked as anybody may."""

    def __init__(self, up: Up) -> None:
        super().__init__(up.port)
        self.up = up
        self.data = up.data

    def ask(self, path: str) -> Any:
        answer = httpx.get(self.url + path, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def gateway_pid(self) -> int:
        return child_of(self.up.process.pid, "gridtokenx.gateway")

    def a_transaction(self) -> tuple[int, str]:
        """(height, id) of one that is in a block, and whose block has a successor."""
        before: int | None = None
        for _ in range(20):
            page = self.ask("/v1/blocks" + (f"?before={before}" if before else ""))
            for line in page["blocks"][2:]:
                if line["transactions"]:
                    block = self.ask(f"/v1/blocks/{line['height']}")
                    ids = [name for batch in block["batches"] for name in batch["transactions"]]
                    if ids:
                        return line["height"], ids[0]
            before = page["next"]
        raise AssertionError("no block holds a transaction")

    def views(self) -> dict[str, str]:
        """Every view by a short name."""
        height, transaction = self.a_transaction()
        account = self.ask("/v1/places")["zones"][0]["distributor"]
        interval = self.ask("/v1/status")["interval"] + 3
        return {
            "market": "/",
            "interval": f"/intervals/{interval}",
            "zones": f"/zones/{interval}",
            "auction": f"/auctions/{interval}",
            "community": "/community",
            "chain": "/chain",
            "block": f"/chain/blocks/{height}",
            "transaction": f"/chain/transactions/{transaction}",
            "account": f"/chain/accounts/{account}",
            "search": "/chain/search?q=nothing+of+the+kind",
            "missing": "/no/such/page",
        }


@contextlib.contextmanager
def built_page(folders: pytest.TempPathFactory) -> Iterator[None]:
    """Gateways that are started now serve the page that was just built, else the installed one."""
    with pytest.MonkeyPatch.context() as patch:
        if (WEB / "dist" / "index.html").is_file():
            packages = folders.mktemp("packages")
            shutil.copytree(WEB / "dist", packages / "gridtokenx_web" / "dist")
            (packages / "gridtokenx_web" / "__init__.py").touch()
            patch.setenv("PYTHONPATH", str(packages), prepend=os.pathsep)
        else:
            assert find_spec("gridtokenx_web"), "there is no page: `make setup` builds it"
        yield


@contextlib.contextmanager
def standing_market(data: Path, folders: pytest.TempPathFactory, speed: int = 1) -> Iterator[StandingMarket]:
    """A chain that there is, with a node that makes a block in each second of its own time, which may run faster than
    ours, and nobody who trades."""
    port = free_port()
    with built_page(folders), node_process(data, speed=speed, interval_ms=1_000), gateway_process(data, port):
        yield StandingMarket(port)


@contextlib.contextmanager
def running_market(folders: pytest.TempPathFactory) -> Iterator[Market]:
    """A market of the shipped community that serves the page."""
    with built_page(folders):
        up = Up(folders.mktemp("market"), UP_SECONDS)
        try:
            up.read_until(lambda line: "agents started" in line)
            yield Market(up)
        finally:
            if up.process.poll() is None:
                up.process.terminate()
                up.rest()


class Visits:
    """Pages of one test, all watched."""

    def __init__(self, market: StandingMarket, browser: Browser) -> None:
        self.market = market
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def open(
        self, path: str, size: dict[str, int] = DESKTOP, language: str = "en", scheme: str = "light", **more: Any
    ) -> Page:
        """A page of a new visitor, once it shows the market."""
        context = self._browser.new_context(
            viewport=size, locale=LOCALES[language], color_scheme=scheme, reduced_motion="reduce", **more
        )
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        page = context.new_page()
        page.on("request", self._note_request)
        page.on("websocket", lambda socket: self._note_address(socket.url))
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.market.url + path)
        page.wait_for_selector("[data-state=live]")
        page.wait_for_selector("h1")
        return page

    def end(self) -> None:
        for context in self._contexts:
            context.close()
        assert self.strangers == [], self.strangers
        assert self.complaints == [], self.complaints

    def _note_request(self, request: Request) -> None:
        self._note_address(request.url)

    def _note_address(self, address: str) -> None:
        own = self.market.url.removeprefix("http")
        if not address.startswith(("http" + own + "/", "ws" + own + "/")):
            self.strangers.append(address)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(word in message.text for word in GONE_QUIET):
            self.complaints.append(message.text)


def settle(page: Page) -> None:
    """Until nothing on the page is a skeleton any more."""
    # Not by a text that is evaluated again and again: the page's security policy forbids that.
    expect(page.locator("main .bone")).to_have_count(0)
    page.evaluate("document.fonts.ready.then(() => true)")


def violations(page: Page) -> list[str]:
    """What axe finds, as one line each."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def width_needed(page: Page) -> int:
    """How wide the page is; more than the window means that one has to scroll sideways."""
    width: int = page.evaluate("document.documentElement.scrollWidth")
    return width
